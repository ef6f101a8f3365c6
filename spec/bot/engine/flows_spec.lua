local chats = require "support.chats"
local Engine = require "avito_messenger.bot.engine"
local define = require("avito_messenger.bot.flow").define

local HOUR, DAY = 3600, 86400

--- A shop with one dialogue, that "обмен" begins, or more of them.
local function shop(run, more)
  local given = { { "обмен", hears = "обмен*", flow = "обмен" }, { "торг", hears = "торг*", say = "Торг." },
    calls = { reserve = function() end } }
  local flow = { "обмен", run }
  for name, value in pairs(more or {}) do
    if type(name) == "number" then given[#given + 1] = value
    elseif name == "leave" or name == "ttl" or name == "on_change" or name == "version" or name == "steps" then flow[name] = value
    else given[name] = value end
  end
  given[#given + 1] = define(flow)
  return chats.new(given), given
end

local function asks(f)
  local year = f:ask { "number", "Какой год?", again = "Цифрами, пожалуйста.", within = "1h", tries = 3 }
  f:say(year and "Спасибо." or "Жаль.")
end

describe("a dialogue", function()
  it("asks, hears the answer and goes on, and marks the chat as read", function()
    local c = shop(asks)
    assert.equal("Какой год?", c:says "Обмен?")
    assert.equal(1, #c.did)
    assert.is_nil(c.record.memory)
    assert.equal("Спасибо.", c:says "2019")
    assert.equal(2, #c.did)
    assert.equal("Торг.", c:says "Торг?")
  end)

  it("asks again for as long as there are tries", function()
    local c = shop(asks)
    c:says "Обмен?"
    assert.equal("Цифрами, пожалуйста.", c:says "торг")
    assert.equal("Цифрами, пожалуйста.", c:says "не помню")
    assert.equal("Жаль.", c:says "не помню")
    assert.equal("Торг.", c:says "Торг?")
  end)

  it("never gives two of its words the same key", function()
    local keys = {}
    local c = shop(asks)
    for _ = 1, 2 do
      for _, said in ipairs { "Обмен?", "что", "что", "что" } do c:says(said) end
    end
    for _, note in ipairs(c.notes) do
      if note.kind == "done" then
        assert.is_nil(keys[note.key], note.key)
        keys[note.key] = true
      end
    end
  end)

  it("hears that nobody answered in time", function()
    local c = shop(asks)
    c:says "Обмен?"
    assert.same({ "Какой год?" }, c:pass(HOUR - 100).said)
    assert.same({ "Какой год?", "Жаль." }, c:pass(100).said)
    assert.equal("Торг.", c:says "Торг?")
  end)

  it("hears an answer of the second in which the time runs out, and none of later", function()
    for late, said in pairs { [0] = "Спасибо.", [1] = "Жаль." } do
      local c = shop(asks)
      c:says "Обмен?"
      c.now = chats.NOW + 3 + HOUR + late
      c:buyer "2019"
      c:pass(10)
      assert.equal(said, c.said[2])
      assert.is_nil(c.said[3])
    end
  end)

  it("hears an answer written in time, though more was written after", function()
    local c = shop(asks)
    c:says "Обмен?"
    c.now = chats.NOW + 3 + HOUR - 1
    c:buyer "2019"
    c.now = c.now + 2
    c:buyer "или около того"
    assert.same({ "Какой год?", "Спасибо." }, c:pass(10).said)
  end)

  it("hears an answer whose time is ahead of the program's clock", function()
    local c = shop(asks)
    c:says "Обмен?"
    assert.equal("Спасибо.", c:says("2019", { created = c.now + 2 * HOUR }))
  end)

  it("hears an answer written in time, however late it is told", function()
    local c = shop(asks)
    c:says "Обмен?"
    c.now = c.now + DAY
    c:buyer("2019", { created = chats.NOW + 60 })
    assert.same({ "Какой год?", "Спасибо." }, c:pass(0).said)
  end)

  it("ends when it has lived too long, though nobody woke it", function()
    for _, woken in ipairs { true, false } do
      local c = shop(function(f) f:say(f:ask { "text", "На что?" }) end, { ttl = "1d" })
      c:says "Обмен?"
      if woken then c:pass(2 * DAY) else c.now = c.now + 2 * DAY end
      assert.equal("Торг.", c:says "Торг?")
      assert.equal(2, #c.said)
    end
  end)

  it("is left by the words that it names, which the rules hear", function()
    local c = shop(asks, { leave = "отмена | торг*" })
    c:says "Обмен?"
    assert.equal("", c:says "отмена")
    c:says "Обмен?"
    assert.equal("Торг.", c:says "торг")
    assert.equal("Торг.", c:says "торг")
  end)

  it("calls a person, and leaves the chat to them", function()
    local c = shop(function(f)
      f:say "Зову."
      f:to_human "обмен"
      f:say "Нет."
    end)
    assert.equal("Зову.", c:says "Обмен?")
    assert.equal("обмен", c:has_done("escalate").note)
    assert.is_nil(c:has_done "read")
    assert.equal("", c:says "Торг?")
  end)

  it("sends images, draws lots, tells the time and keeps what it set", function()
    local c = shop(function(f)
      f:image "photo-1"
      f:set("n", (f:get "n" or 0) + 1)
      f:say(("%d %s %s"):format(f:get "n", f:date "%H:%M", f:random() < 1 and "да" or "нет"))
      f:set("gone", 1)
      f:set("gone", nil)
    end, { zone = "Europe/Samara" })
    assert.equal("photo-1 / 1 14:30 да", c:says "Обмен?")
    assert.equal("photo-1 / 2 14:30 да", c:says "Обмен?")
    assert.same({ n = 2 }, c.record.memory)
  end)

  it("starts another, in one go with what it said", function()
    local c = shop(function(f)
      f:say "Раз."
      f:set("by", "обмен")
      f:start "второй"
    end, { define { "второй", function(f)
      f:say("Два: " .. f:get "by")
      f:say(f:ask { "text", "Что?" })
    end } })
    assert.equal("Раз. / Два: обмен / Что?", c:says "Обмен?")
    assert.equal("Диван", c:says "Диван")
    assert.same({ by = "обмен" }, c.record.memory)
  end)

  it("is filled in with names of texts and its own", function()
    local c = shop(function(f) f:say("{buyer.name}, {год|…}: {item.title}", { ["год"] = 2019 }) end)
    assert.equal("Покупатель, 2019: Диван", c:says "Обмен?")
  end)

  it("gives way to the dialogue that a system message begins", function()
    local c = shop(asks, { { "заказ", on = "system", flow = "второй" }, define { "второй", function(f)
      f:say(f:ask { "text", "Куда?" })
    end } })
    c:says "Обмен?"
    c:buyer("Заказ", { type = "system", author_id = 1 })
    c:pass(10)
    assert.equal("Домой", c:says "Домой")
  end)

  it("is held back by the flood guard, and ends", function()
    local c = shop(asks, { flood = { replies = 2, within = "1h", pause = "1s" } })
    assert.equal("Какой год?", c:says "Обмен?")
    assert.equal("Цифрами, пожалуйста.", c:says "что")
    assert.equal("", c:says "что")
    assert.equal("flood", c:has_done("escalate").why)
    assert.is_nil(c.record.flow)
    c:pass(2 * HOUR)
    assert.equal("Торг.", c:says "Торг?")
    c = shop(asks, { flood = { replies = 1, within = "1h", pause = "1s" } })
    c:says "Обмен?"
    assert.equal("", c:says "2019")
    assert.is_nil(c.record.flow)
  end)
end)

describe("a call", function()
  local function reserves(f)
    f:say "Секунду."
    local ok, why = f:call("reserve", { item = 1 })
    f:say(ok and "Отложил." or "Не вышло: " .. tostring(why))
  end
  local function called(c)
    c:buyer "Обмен?"
    c.now = c.now + 3
    c:wake()
    c:work()
  end
  --- The call is under way.
  local function under_way(run)
    local c = shop(run or reserves)
    c:buyer "Обмен?"
    c:work()
    c.now = c.now + 3
    c:wake()
    if (run or reserves) == reserves then c:step { type = "sent", key = c:latch().key, id = "b1" } end
    return c, c:latch()
  end

  it("gives what the function returned, or why it failed", function()
    local c = shop(reserves)
    c.value = true
    called(c)
    assert.same({ "Секунду.", "Отложил." }, c.said)
    assert.same({ "reserve", { item = 1 }, "Диван" },
      { c:has_done("call").name, c:has_done("call").args, c:has_done("call").about.item.title })
    local effect
    c, effect = under_way()
    c:step { type = "called", key = effect.key, ok = false, value = "занято" }
    assert.same({ "Не вышло: занято" }, c:pass(1).said)
  end)

  it("keeps what the buyer writes meanwhile waiting, and answers it after", function()
    local c, effect = under_way()
    c:buyer "Торг?"
    assert.is_nil(c.engine:wake_at(c.record))
    c.now = c.now + 600
    c:wake()
    assert.same({}, c:work().said)
    c:step { type = "called", key = effect.key, ok = true, value = true }
    assert.same({ "Отложил.", "Торг." }, c:pass(10).said)
  end)

  it("that returned after the dialogue was ended changes nothing", function()
    local c, effect = under_way()
    c:person "Я сам"
    c:step { type = "called", key = effect.key, ok = true, value = true }
    assert.same({}, c:pass(60).said)
    c:step { type = "called", key = effect.key, ok = true, value = true }
    assert.same({}, c:pass(60).said)
  end)

  it("that returned after another dialogue began is not taken for its own", function()
    local c, effect = under_way(function(f) f:say(tostring(f:call "reserve")) end)
    c:person "Я сам"
    c:step { type = "resume" }
    c:buyer "Обмен?"
    c:pass(10)
    c:step { type = "called", key = effect.key, ok = true, value = "старое" }
    c.value = "новое"
    assert.same({ "новое" }, c:pass(10).said)
  end)

  it("that returned twice is not taken for the next one", function()
    local c, effect = under_way(function(f) f:say(("%s %s"):format(f:call "reserve", f:call "reserve")) end)
    c:step { type = "called", key = effect.key, ok = true, value = "раз" }
    c:step { type = "called", key = effect.key, ok = true, value = "раз" }
    c.value = "два"
    assert.same({ "раз два" }, c:pass(1).said)
  end)

  it("under way when the program ended is made again", function()
    local c, effect = under_way()
    c.engine:recover(c.record, c.now)
    assert.equal(effect.key, c:pending()[1].key)
    c.value = true
    assert.same({ "Отложил." }, c:pass(1).said)
  end)

  it("that returned though it was to be made again is not made again", function()
    local c, effect = under_way()
    c.engine:recover(c.record, c.now)
    c:step { type = "called", key = effect.key, ok = true, value = true }
    assert.same({ "Отложил." }, c:pass(1).said)
    assert.is_nil(c:has_done "call")
  end)

  it("that failed for good has failed", function()
    local c, effect = under_way()
    c:step { type = "failed", key = effect.key, error = { kind = "invalid", message = "no" } }
    assert.same({ "Не вышло: it was not called" }, c:pass(1).said)
    assert.equal("Торг.", c:says "Торг?")
  end)

  it("that failed for good has failed, whatever else is to be said", function()
    local c = shop(function(f) f:say(select(2, f:call "reserve")) end, { { "заказ", on = "system", say = "Спасибо." } })
    c:buyer "Обмен?"
    c:work()
    c.now = c.now + 3
    c:wake()
    local effect = c:latch()
    c:buyer("Заказ", { type = "system", author_id = 1 })
    c:step { type = "failed", key = effect.key, error = { kind = "invalid", message = "no" } }
    assert.same({ "Спасибо.", "it was not called" }, c:pass(1).said)
  end)

  it("whose words before were refused has failed, and the buyer is heard", function()
    local c = shop(reserves)
    c.fails = { { kind = "invalid", message = "no" } }
    assert.equal("Не вышло: it was not called", c:says "Обмен?")
    assert.equal("Торг.", c:says "Торг?")
  end)

  it("of a value that cannot be kept ends the dialogue", function()
    local c, effect = under_way()
    c.engine:step(c.record, { type = "called", key = effect.key, ok = true, value = print }, c.now)
    c:pass(1)
    assert.same({}, c.said)
    assert.equal("escalated", c:has_done("escalate").why)
  end)
end)

describe("a dialogue that broke", function()
  local function broken(run, why, more)
    local c = shop(run, more)
    assert.equal("", c:says "Обмен?")
    local note = c:note "error"
    assert.equal(why, note.why)
    assert.equal(note.message, c:has_done("escalate").note)
    assert.is_nil(c:has_done "read")
    assert.is_nil(c.record.memory)
    assert.is_nil(c.record.flow)
    assert.equal("", c:says "Торг?")
    return note
  end

  it("says nothing of what it said, keeps nothing, and calls a person", function()
    local note = broken(function(f)
      f:say "Раз."
      f:set("a", 1)
      error "сломано"
    end, "error")
    assert.matches("the dialogue 'обмен' broke off: .*сломано", note.message)
    assert.matches("stack traceback", note.traceback)
  end)

  it("has a text without a value, or one that cannot be said", function()
    broken(function(f) f:say "{phone}" end, "error")
    broken(function(f) f:say "{нет}" end, "error")
    broken(function(f) f:say "{адрес}" end, "error", { vars = { ["адрес"] = "\255" } })
  end)

  it("has too many steps", function()
    broken(function(f) for i = 1, 20 do f:say(tostring(i)) end end, "steps", { steps = 10 })
  end)

  it("goes round in a circle", function()
    local note = broken(function(f)
      f:say "Раз."
      f:set("a", 1)
      f:start "второй"
    end, "circle", { define { "второй", function(f)
      f:say "Два."
      f:start "обмен"
    end } })
    assert.matches("more than 10 dialogues started each other", note.message)
  end)

  it("was started by another, of which nothing is said either", function()
    broken(function(f)
      f:say "Раз."
      f:set("a", 1)
      f:start "второй"
    end, "error", { define { "второй", function() error "сломано" end } })
  end)

  it("after an answer leaves what was said before", function()
    local c = shop(function(f)
      f:ask { "text", "На что?" }
      f:say "Так."
      error "сломано"
    end)
    assert.equal("На что?", c:says "Обмен?")
    assert.equal("", c:says "Велосипед")
    assert.equal("escalated", c:has_done("escalate").why)
  end)

  it("takes a different way when it is replayed", function()
    local c = shop(function(f)
      f:ask { "text", "На что?" }
      f:ask { "text", "Ещё?" }
    end)
    c:says "Обмен?"
    local given = select(2, shop(function(f)
      f:ask { "text", "Что вместо?" }
      f:ask { "text", "Ещё?" }
    end))
    c.engine = Engine.new { book = chats.book(given), user_id = chats.SELLER }
    assert.equal("", c:says "Велосипед")
    assert.equal("departed", c:note("error").why)
    assert.equal("escalated", c:has_done("escalate").why)
  end)
end)

describe("another rulebook", function()
  local function changed(more)
    local c = shop(function(f) f:say("Старое: " .. f:ask { "text", "На что?" }) end)
    c:says "Обмен?"
    more = more or {}
    more.version = 2
    local given = select(2, shop(function(f) f:say("Новое: " .. f:ask { "text", "Что меняете?" }) end, more))
    return c, chats.book(given)
  end

  it("lets dialogues of the old one finish", function()
    local c, book = changed()
    c.engine:reload(book)
    assert.equal("Старое: Велосипед", c:says "Велосипед")
    assert.equal("Что меняете?", c:says "Обмен?")
  end)

  it("begins them again, or leaves them to a person, where the flow wants that", function()
    local c, book = changed { on_change = "restart" }
    c.engine:reload(book)
    assert.equal("Что меняете?", c:says "Велосипед")
    assert.equal("Новое: Велосипед", c:says "Велосипед")
    c, book = changed { on_change = "human" }
    c.engine:reload(book)
    assert.equal("", c:says "Велосипед")
    assert.equal("changed", c:note("error").why)
    assert.equal("escalated", c:has_done("escalate").why)
  end)

  it("of a program that was started anew has no old dialogues", function()
    local c, book = changed()
    c.engine = Engine.new { book = book, user_id = chats.SELLER }
    assert.equal("", c:says "Велосипед")
    assert.equal("gone", c:note("error").why)
    assert.equal("escalated", c:has_done("escalate").why)
  end)

  it("without the flow finishes it all the same", function()
    local c = shop(function(f) f:say("Старое: " .. f:ask { "text", "На что?" }) end)
    c:says "Обмен?"
    c.engine:reload(chats.book { { "торг", hears = "торг*", say = "Иначе." } })
    assert.equal("Старое: Велосипед", c:says "Велосипед")
    assert.equal("Иначе.", c:says "торг")
  end)
end)
