local chats = require "support.chats"

local HOUR, DAY = 3600, 86400

local function silent_error(message) return function() error(message, 0) end end

describe("rules", function()
  it("answer in their order, the first that matches alone", function()
    local c = chats.new { { "а", hears = "торг*", say = "А" }, { "б", hears = "торг* скид*", say = "Б" } }
    assert.equal("А", c:says "торг и скидка")
    assert.equal("а", c:fired())
  end)

  it("with continue let later ones speak too", function()
    local c = chats.new { { "привет", first = true, continue = true, say = "Здравствуйте!" },
      { "торг", hears = "торг*", say = "Торг." }, { "что", fallback = true, say = "Не понял." } }
    assert.equal("Здравствуйте! / Торг.", c:says "Торг есть?")
    assert.equal("Торг.", c:says "Торг есть?")
  end)

  it("with continue that spoke alone keep fallback silent, and the chat unread", function()
    local c = chats.new { { "привет", first = true, continue = true, say = "Здравствуйте!" },
      { "что", fallback = true, say = "Не понял." } }
    assert.equal("Здравствуйте!", c:says "бррр")
    assert.same({}, c.did)
    assert.equal("Не понял.", c:says "бррр")
    assert.equal("read", c.did[1].kind)
  end)

  it("that answered mark the chat as read, unless the rulebook does not want it", function()
    for _, mark in ipairs { true, false } do
      local c = chats.new { { "торг", hears = "торг*", say = "Торг." }, { "тихо", hears = "тихо", act = "mark_read" },
        mark_read = mark }
      c:says "бррр"
      assert.same({}, c.did)
      c:says "Торг?"
      assert.equal(mark and 1 or 0, #c.did)
      c:says "Тихо"
      assert.equal(mark and 2 or 1, #c.did)
    end
  end)

  it("with continue mark the chat as read, or leave it unread, for all that follow", function()
    local c = chats.new { { "раз", continue = true, act = "mark_read" }, { "два", say = "Да." }, mark_read = false }
    assert.equal("Да.", c:says "Да?")
    assert.equal("read", c.did[1].kind)
    c = chats.new { { "раз", continue = true, act = "escalate" }, { "два", say = "Да." } }
    assert.equal("Да.", c:says "Да?")
    assert.equal("escalate", c.did[1].kind)
    assert.equal(1, #c.did)
  end)

  it("that ignore take the message and say nothing", function()
    local c = chats.new { { "спасибо", hears = "спасибо", act = "ignore" }, { "что", fallback = true, say = "Не понял." } }
    assert.equal("", c:says "Спасибо")
    assert.equal("read", c.did[1].kind)
  end)
end)

describe("once", function()
  it("a chat steps aside for good", function()
    local c = chats.new { { "а", once = true, hears = "торг*", say = "А" }, { "б", hears = "торг*", say = "Б" } }
    assert.equal("А", c:says "торг")
    c:pass(30 * DAY)
    assert.equal("Б", c:says "торг")
  end)

  it("a span steps aside for so long", function()
    local c = chats.new { { "а", once = "12h", hears = "торг*", say = "А" }, { "б", hears = "торг*", say = "Б" } }
    assert.equal("А", c:says "торг")
    c:pass(12 * HOUR - 100)
    assert.equal("Б", c:says "торг")
    c:pass(100)
    assert.equal("А", c:says "торг")
  end)
end)

describe("a cooldown", function()
  it("takes the message and says nothing for so long", function()
    local c = chats.new { { "а", cooldown = "1d", hears = "торг*", say = "А" }, { "б", hears = "торг* | цен*", say = "Б" },
      { "что", fallback = true, say = "Не понял." } }
    assert.equal("А", c:says "торг")
    assert.equal("", c:says "торг")
    assert.equal("а", c:note("resting").rule)
    assert.equal(2, #c.did)
    c:pass(DAY)
    assert.equal("А", c:says "торг")
  end)

  it("of a rule that does not match keeps nobody from speaking", function()
    local c = chats.new { { "а", cooldown = "1d", phone = true, say = "А" }, { "б", hears = "цен*", say = "Б" } }
    assert.equal("А", c:says "+7 900 000-00-01")
    assert.equal("Б", c:says "цена")
  end)

  it("of a rule with continue lets later ones speak, but not fallback", function()
    local c = chats.new { { "а", cooldown = "1d", continue = true, hears = "торг*", say = "А" },
      { "б", hears = "торг* скид*", say = "Б" }, { "что", fallback = true, say = "Не понял." } }
    assert.equal("А", c:says "торг")
    assert.equal("", c:says "торг")
    assert.equal("Б", c:says "торг, скидка")
  end)
end)

describe("fallback", function()
  it("speaks from the turn on that it names, in a row", function()
    local c = chats.new { { "торг", hears = "торг*", say = "Торг." }, { "что", fallback = true, after = 2, say = "Не понял." } }
    assert.equal("", c:says "бррр")
    assert.equal("Торг.", c:says "торг")
    assert.equal("", c:says "бррр")
    assert.equal("Не понял.", c:says "бррр")
    assert.equal("Не понял.", c:says "бррр")
  end)

  it("is for buyers alone", function()
    local c = chats.new { { "что", fallback = true, on = { "system", "text" }, say = "Не понял." } }
    c:buyer("Заказ оформлен", { type = "system", author_id = 1 })
    assert.same({}, c:pass(10).said)
    assert.equal("Не понял.", c:says "бррр")
  end)

  it("speaks when what matched could not", function()
    local c = chats.new { { "цена", hears = "цен*", say = "{item.title}" }, { "что", fallback = true, say = "Спрошу." } }
    c.facts = { type = "u2i" }
    assert.equal("Спрошу.", c:says "Цена?")
  end)
end)

describe("an error", function()
  local function after(rule, say)
    rule[1] = "плохое"
    local c = chats.new { rule, { "торг", hears = "торг*", say = "Торг." } }
    c.facts = { type = "u2i" }
    assert.equal(say or "Торг.", c:says "торг")
    assert.equal("плохое", c:note("error").rule)
    assert.is_nil(c.record.memory)
    assert.equal("торг", c:fired())
    return c:note "error"
  end

  it("of when makes the rule not match, and is told with its traceback", function()
    local note = after { when = function() error "сломано" end, say = "Нет." }
    assert.matches("when: .*rules_spec.lua:%d+: сломано", note.message)
    assert.matches("stack traceback", note.traceback)
    after { when = function() error { code = 1 } end, say = "Нет." }
  end)

  it("of run takes everything back that it asked for", function()
    local note = after { run = function(c)
      c.memory.seen = true
      c:say "Нет."
      c:escalate "нет"
      c:pause(100)
      c:blacklist "spam"
      error "сломано"
    end, say = "Тоже нет.", image = "нет", act = "blacklist" }
    assert.matches("rules_spec.lua:%d+: сломано", note.message)
    assert.matches("stack traceback", note.traceback)
    assert.is_nil(note.error)
  end)

  it("that is no text is told as it is, or as what it is", function()
    local err = setmetatable({}, { __tostring = function() return "по-своему" end })
    local note = after { run = function() error(err) end }
    assert.equal("по-своему", note.message)
    assert.equal(err, note.error)
    local broken = setmetatable({}, { __tostring = function() error "и это" end })
    assert.equal("it raised a table", after({ run = function() error(broken) end }).message)
  end)

  it("of a text is what has no value", function()
    assert.matches("{item.title} is not known here: give it a default, {item.title|…}",
      after({ say = { "{item.title}" } }).message, 1, true)
    for _, name in ipairs { "{hours.next_open}", "{hours.next_close}" } do
      assert.matches(name .. " is not known here", after({ run = function(c) c:say(name) end }).message, 1, true)
    end
    assert.matches("{phone}", after({ run = function(c) c:say "{phone}" end }).message, 1, true)
    assert.matches("item.titel", after({ run = function(c) c:say "{item.titel}" end }).message, 1, true)
  end)

  it("of what run asks for wrongly names the call", function()
    local cases = {
      { function(c) c:say() end, "c:say: text expected, got nil" },
      { function(c) c:say "" end, "c:say: text expected, got an empty one" },
      { function(c) c:say " " end, "the text to say is empty" },
      { function(c) c:image(5) end, "c:image: text expected, got number" },
      { function(c) c:escalate {} end, "c:escalate: text expected, got table" },
      { function(c) c:blacklist "злой" end, "unknown reason 'злой': spam, fraud, insult or other" },
      { function(c) c:blacklist(1) end, "c:blacklist: text expected, got number" },
      { function(c) c:pause "1h" end, "c:pause: seconds expected, got string" },
      { function(c) c:pause(math.huge) end, "c:pause: a span must be from 0 seconds to 100 years, got inf" }, -- no store keeps it
      { function(c) c:start "обмен" end, "there is no flow 'обмен'" },
      { function(c) c.memory = 5 end, "c.memory must be a table, got number" },
      { function(c) c.memory.fn = print end, "c.memory holds a function" },
      { function(c) c.memory.own = c.memory end, "c.memory holds tables nested deeper than" },
    }
    for _, case in ipairs(cases) do
      assert.matches(case[2], after({ run = case[1] }).message, 1, true)
    end
    local note = after { when = function(c) c:say "Нет." end, say = "Нет." }
    assert.matches("c:say belongs in run = function(c), not in when", note.message, 1, true)
  end)

  it("of a rule with continue lets later ones speak", function()
    after { continue = true, run = silent_error "сломано" }
  end)
end)

describe("run", function()
  it("does what it asks for, after the rule's own text", function()
    local c = chats.new { { "всё", hears = "торг*", say = "Раз.", image = "photo-1", run = function(r)
      r:say "Для {buyer.name}: {item.price|…}"
      r:image "photo-2"
      r:escalate "посмотрите"
      r:blacklist "fraud"
      r:pause(60)
    end } }
    assert.equal("Раз. / photo-1 / Для Покупатель: 5 000 / photo-2", c:says "торг")
    assert.equal("посмотрите", c:has_done("escalate").note)
    assert.equal(2, c:has_done("blacklist").reason)
  end)

  it("marks the chat as read, and gives it back", function()
    local c = chats.new { { "тихо", hears = "тихо", continue = true, run = function(r) r:mark_read() end } }
    c:says "тихо"
    assert.equal("read", c.did[1].kind)
    c = chats.new { { "бот", on = "own", run = function(r) r:resume() end }, { "торг", hears = "торг*", say = "Торг." } }
    c:person "Добрый день"
    assert.equal("Торг.", c:says "торг")
  end)

  it("sees the message, what is known, and the time", function()
    local seen
    local c = chats.new { { "всё", run = function(c)
      seen = { c.text, c.first, c.buyer.name, c.item.title, c.chat.id, c.chat.type, c.now, c.phone, #c.phones, c.number,
        #c.numbers, c.link, #c.links, c.message.id, #c.messages, c.hours, c.nothing == nil }
    end } }
    c:buyer "Мне 2 шт, +7 900 000-00-01"
    c:buyer "https://example.com/a"
    c:pass(10)
    assert.same({ "Мне 2 шт, +7 900 000-00-01\nhttps://example.com/a", true, "Покупатель", "Диван", "u2i-1", "u2i",
      chats.NOW + 3, "+79000000001", 1, 2, 1, "https://example.com/a", 1, "m2", 2, nil, true }, seen)
  end)

  it("sees the hours, where the rulebook has them", function()
    local seen
    local c = chats.new { zone = "Europe/Samara", hours = { ["пн-пт"] = "09:00-20:00" }, { "всё", run = function(c)
      seen = c.hours
    end } }
    c:says "Привет"
    assert.same({ open = true, next_close = "20:00", next_open = "9:00 завтра" }, seen)
  end)

  it("keeps its memory, or another table", function()
    local c = chats.new {
      { "счёт", hears = "раз*", run = function(c)
        c.memory.n = (c.memory.n or 0) + 1
        c:say(("%d"):format(c.memory.n))
      end },
      { "ноль", hears = "ноль", run = function(c) c.memory = {} end },
      { "семь", hears = "семь", run = function(c) c.memory = { n = 7 } end },
    }
    assert.equal("1", c:says "раз")
    assert.equal("2", c:says "раз")
    c:says "ноль"
    assert.is_nil(c.record.memory)
    assert.equal("1", c:says "раз")
    c:says "семь"
    assert.equal("8", c:says "раз")
  end)

  it("and when change nothing but the memory", function()
    local function meddle(c)
      c.item.title, c.buyer.name, c.messages[1].id, c.chat.type, c.memory.when = "x", "x", "x", "a2u", true
      return true
    end
    local c = chats.new { { "раз", continue = true, when = meddle, run = meddle },
      { "два", when = function(c) return c.memory.when end, continue = true, act = "mark_read" },
      { "три", say = "{item.title} {buyer.name}" } }
    c.record.memory = { kept = 1 }
    assert.equal("Диван Покупатель", c:says "Привет")
    assert.same({ kept = 1, when = true }, c.record.memory)
    assert.equal("раз два три", c:fired())
    c = chats.new { { "раз", when = function(w)
      w.memory.when = true
      return false
    end, say = "нет" } }
    c.record.memory = { kept = 1 }
    c:says "Привет"
    assert.same({ kept = 1 }, c.record.memory)
  end)
end)

describe("texts that take turns", function()
  it("come one after another in a chat", function()
    local c = chats.new { { "торг", hears = "торг*", say = { "А", "Б", "В" } } }
    local said = {}
    for i = 1, 4 do said[i] = c:says "торг" end
    assert.same({ "А", "Б", "В", "А" }, said)
  end)

  it("with labels stay the same in a chat, and differ between chats", function()
    local given = { { "торг", hears = "торг*", say = { a = "А", b = "Б" } } }
    local said = {}
    for i = 1, 8 do
      local c = chats.new(given)
      c.record.id = "u2i-" .. i
      said[i] = c:says "торг"
      assert.equal(said[i], c:says "торг")
      assert.equal(({ ["А"] = "a", ["Б"] = "b" })[said[i]], c:note("done").label)
    end
    -- As on the other Lua.
    assert.equal("БААББААА", table.concat(said))
  end)
end)

describe("a delay", function()
  it("is drawn from its range, the same for the same turn", function()
    local function waited(rule, id)
      local c = chats.new { rule }
      c:buyer("торг", { id = id })
      c.now = c.now + 3
      c:wake()
      return c.engine:wake_at(c.record) - c.now, c
    end
    local seen = {}
    for i = 1, 20 do
      local seconds = waited({ "торг", hears = "торг*", say = "А", delay = "2s-6s" }, "m" .. i)
      assert.is_true(seconds >= 2 and seconds < 6)
      assert.equal(seconds, (waited({ "торг", hears = "торг*", say = "А", delay = "2s-6s" }, "m" .. i)))
      seen[math.floor(seconds)] = true
    end
    assert.same({ [2] = true, [3] = true, [4] = true, [5] = true }, seen)
    local seconds, c = waited({ "торг", hears = "торг*", say = "А", image = "photo-1", delay = "10s" }, "m1")
    assert.equal(10, seconds)
    assert.same({}, c:pass(9).said)
    assert.same({ "А", "photo-1" }, c:pass(1).said)
    assert.equal("4.3005", ("%.4f"):format((waited({ "торг", hears = "торг*", say = "А", delay = "2s-6s" }, "m1"))))
  end)
end)

describe("the flood guard", function()
  local GUARD = { replies = 3, within = "10m", pause = "1h" }

  it("holds the reply that is one too many, and calls a person", function()
    local c = chats.new { { "эхо", say = "Да.", run = function(r) r.memory.n = 1 end }, flood = GUARD }
    for _ = 1, 3 do assert.equal("Да.", c:says "Да?") end
    assert.equal("", c:says "Да?")
    assert.equal("flood", c:has_done("escalate").why)
    assert.equal("too many replies in a short time", c:has_done("escalate").note)
    assert.is_table(c:note "flood")
    c:pass(1800)
    assert.equal("", c:says "Да?")
    assert.equal("the bot has said too much in a short time", c:note("silent").why)
    c:pass(1800)
    assert.equal("Да.", c:says "Да?")
  end)

  it("lets slow buyers ask for ever", function()
    local c = chats.new { { "эхо", say = "Да." }, flood = GUARD }
    for _ = 1, 20 do
      assert.equal("Да.", c:says "Да?")
      c:pass(200)
    end
    assert.is_true(#c.record.sends <= 3)
  end)

  it("counts every piece, but lets a long answer be said at all", function()
    local long = ("Слово. "):rep(700)
    local c = chats.new { { "эхо", hears = "длинн*", run = function(r) r:say(long) end }, { "да", say = "Да." }, flood = GUARD }
    c:says "длинно"
    assert.equal(5, #c.said)
    assert.equal("", c:says "Да?")
  end)

  it("counts only what is said", function()
    local c = chats.new { { "длинно", hears = "длинн*", run = function(r) r:say(("Слово. "):rep(700)) end },
      { "тихо", act = "mark_read" }, flood = GUARD }
    for _ = 1, 10 do c:says "Да?" end
    assert.is_nil(c.record.sends)
    c:says "длинно"
    c:says "Да?"
    assert.is_nil(c:note "flood")
  end)

  it("keeps rules that follow from speaking, and starts no dialogue", function()
    local flow = require "avito_messenger.bot.flow"
    local c = chats.new { { "раз", continue = true, say = "Раз." }, { "два", say = "Два.", flow = "обмен" },
      flow.define { "обмен", function(f) f:say "Меняю." end }, flood = { replies = 2 } }
    c:says "Да?"
    assert.same({ "Раз.", "Два." }, { c.said[1], c.said[2] })
    assert.is_nil(c.said[3])
    c = chats.new { { "раз", continue = true, say = { "Раз.", "Ещё раз." }, image = "photo-1" }, { "два", act = "blacklist" },
      flood = { replies = 2 } }
    c:says "Да?"
    c.record.blocked = nil
    assert.equal("", c:says "Да?")
    assert.equal("раз два раз", c:fired())
  end)

  it("forgets replies of the future when the clock was put back", function()
    local c = chats.new { { "эхо", say = "Да." }, flood = GUARD }
    for _ = 1, 3 do c:says "Да?" end
    c.now = c.now - HOUR
    assert.equal("Да.", c:says "Да?")
  end)

  it("is off where the rulebook says so", function()
    local c = chats.new { { "эхо", say = "Да." }, flood = false }
    for _ = 1, 30 do assert.equal("Да.", c:says "Да?") end
  end)
end)

describe("a chat of Avito's own", function()
  it("is left to rules that ask for it", function()
    local c = chats.new { { "все", say = "Да." }, { "авито", chat_type = "a2u", say = "Спасибо." } }
    c.facts.type = "a2u"
    c:tell(c:message "Новости", { chat_type = "a2u" })
    assert.same({ "Спасибо." }, c:pass(10).said)
    c = chats.new { { "что", fallback = true, say = "Не понял." } }
    c:tell(c:message "Новости", { chat_type = "a2u" })
    assert.same({}, c:pass(10).said)
  end)
end)

describe("a system message", function()
  it("is a turn of its own between those of a burst", function()
    local c = chats.new { { "заказ", on = "system", flow_id = "order", say = "Спасибо за заказ!" },
      { "эхо", say = "{message.text}" } }
    c:buyer "раз"
    c:buyer("Заказ", { type = "system", author_id = 1, content = { flow_id = "order" } })
    c:buyer("Прочее", { type = "system", author_id = 1 })
    c:buyer "два"
    assert.same({ "Спасибо за заказ!", "раз\nдва" }, c:pass(10).said)
  end)

  it("is not the buyer's first words, and not answered in a silent chat", function()
    local c = chats.new { { "заказ", on = "system", say = "Спасибо!" }, { "привет", first = true, say = "Здравствуйте!" } }
    c:buyer("Заказ", { type = "system", author_id = 1 })
    c:pass(10)
    assert.equal("Здравствуйте!", c:says "Привет")
    assert.equal("", c:says "Привет")
    c:person "Добрый день"
    c:buyer("Заказ", { type = "system", author_id = 1 })
    assert.same({ "Спасибо!", "Здравствуйте!" }, c:pass(10).said)
  end)
end)
