local hours = require "avito_messenger.bot.hours"
local transcript = require "avito_messenger.bot.transcript"

local EVENING = 1795198501 -- 2026-11-20 22:15:01 in Samara

local function lines(text)
  local list = {}
  for line in (text .. "\n"):gmatch "([^\n]*)\n" do list[#list + 1] = line end
  return list
end

describe("a conversation as text", function()
  local zone = assert(hours.zone "Europe/Samara")

  it("tells the day, the time in the zone, who and what, the names aligned", function()
    assert.same({
      "── 2026-11-20, Friday ──────────────────────────────────────",
      "22:15:01  Покупатель Здравствуйте, торг есть?",
      "22:15:08  bot [торг] Небольшой торг.",
      "22:15:10  seller     Это я сам",
      "22:15:11  avito      [system] Скидка",
      "22:15:12  *          a person is called",
    }, lines(transcript.text({
      { time = EVENING, who = "buyer", name = "Покупатель", text = "Здравствуйте, торг есть?" },
      { time = EVENING + 7, who = "bot", rule = "торг", text = "Небольшой торг." },
      { time = EVENING + 9, who = "seller", text = "Это я сам" },
      { time = EVENING + 10, who = "avito", type = "system", text = "Скидка" },
      { time = EVENING + 11, who = "note", text = "a person is called" },
    }, { zone = zone })))
  end)

  it("names a buyer without a name, a bot without a rule, and what is no text", function()
    local writer = transcript.new { zone = zone, column = 6 }
    writer:line { time = EVENING, who = "buyer", text = "Ау" }
    assert.equal("22:15:02  buyer  [voice]", writer:line { time = EVENING + 1, who = "buyer", type = "voice" })
    assert.equal("22:15:03  bot    [image] phone.png",
      writer:line { time = EVENING + 2, who = "bot", type = "image", text = "phone.png" })
  end)

  it("lets nobody command the terminal", function()
    assert.same({ "Торг?[2J ?]0;?31m есть", "да" }, transcript.wrap("Торг\27[2J \0]0;\194\15531m\tесть\r\nда", 100))
    assert.equal("?[2JА Б", transcript.speaker { who = "buyer", name = "\27[2JА\nБ" })
  end)

  it("begins each day with its date, once", function()
    local writer = transcript.new { zone = zone }
    assert.matches("2026%-11%-20, Friday", writer:line { time = EVENING, who = "seller", text = "а" })
    assert.not_matches("2026", writer:line { time = EVENING + 60, who = "seller", text = "б" })
    assert.matches("^── 2026%-11%-21, Saturday .*\n00:00:01  seller",
      writer:line { time = EVENING + 6300, who = "seller", text = "в" })
  end)

  it("is in UTC without a zone", function()
    assert.matches("\n18:15:01  seller", transcript.new():line { time = EVENING, who = "seller", text = "а" })
  end)

  it("wraps a long text under its beginning, and keeps the text's own lines", function()
    local said = "один два три четыре пять шесть семь\nвторой абзац"
    local text = transcript.text({ { time = EVENING, who = "seller", text = said } }, { zone = zone, width = 40 })
    assert.same({
      "── 2026-11-20, Friday ──────────────────",
      "22:15:01  seller один два три четыре",
      "                 пять шесть семь",
      "                 второй абзац",
    }, lines(text))
  end)

  it("cuts a word that is wider than a line between its letters", function()
    assert.same({ "ёлка", "ёлка", "ё" }, transcript.wrap("ёлкаёлкаё", 4))
    assert.same({ "да", "ёлка", "ёлка", "да" }, transcript.wrap("да ёлкаёлка да", 4))
  end)

  it("counts columns: letters one, what joins a letter none, emoji two", function()
    assert.equal(4, transcript.columns "ёлка")
    assert.equal(1, transcript.columns "е\204\129")
    assert.equal(3, transcript.columns "а👍")
  end)

  it("is coloured when asked", function()
    local plain = transcript.new { zone = zone }:line { time = EVENING, who = "buyer", text = "Ау" }
    local coloured = transcript.new { zone = zone, colour = true }:line { time = EVENING, who = "buyer", text = "Ау" }
    assert.not_matches("\27", plain)
    assert.matches("\27%[36mbuyer\27%[0m", coloured)
    assert.equal(plain, (coloured:gsub("\27%[%d*m", "")))
  end)
end)
