local chats = require "support.chats"

local unpack = table.unpack or unpack -- luacheck: ignore

local HAGGLE = "Торг при осмотре."
local TIMEOUT = { kind = "timeout", message = "no answer", dispatched = true }
local DOWN = { kind = "network", message = "no connection", dispatched = false }

local function shop(more)
  local given = { { "торг", hears = "торг*", say = HAGGLE }, { "фото", hears = "фото", image = "photo-1" } }
  for name, value in pairs(more or {}) do
    if name == 1 then table.insert(given, 1, value) else given[name] = value end
  end
  return chats.new(given)
end

--- A reply of which nobody knows whether it was sent.
local function uncertain(more, text)
  local c = shop(more)
  local effect = c:replying(text or "Торг есть?")
  c:step { type = "failed", key = effect.key, error = TIMEOUT }
  return c, effect
end

describe("reading a chat back that the server puts off for an hour", function()
  it("waits so long, whatever happens meanwhile", function()
    local c, effect = uncertain()
    c:step { type = "failed", key = effect.key,
      error = { kind = "rate_limited", message = "too many", dispatched = true, retry_after = 3600 } }
    c.now = c.now + 60
    c:buyer "Ау?"
    assert.equal("", c:wants())
    c.now = c.now + 3539
    c:wake()
    assert.equal("", c:wants())
    c.now = c.now + 1
    assert.equal("check", c:wants())
  end)
end)

describe("a clock that is wrong by an hour", function()
  for name, off in pairs { ahead = 3600, behind = -3600 } do
    it(name .. " does not hide from the bot what it has sent", function()
      local c = shop()
      local server = c.now
      c.now = c.now + off
      c:buyer("Торг есть?", { created = server })
      c.now = c.now + 3
      c:wake()
      local effect = c:latch()
      c:step { type = "failed", key = effect.key, error = TIMEOUT }
      assert.equal("check", c:wants())
      assert.is_true(c:pending()[1].since <= server)
      c.history = { c:message(HAGGLE, { author_id = chats.SELLER, created = server + 3 }) }
      c:work()
      assert.equal("done", (c:note "done" or {}).kind)
      assert.same({}, c.said)
      assert.is_nil(c:note "human")
    end)

    it(name .. " does not make a person of it where no answer told its id", function()
      local c = shop()
      local server = c.now
      c.now = c.now + off
      c:buyer("Торг есть?", { created = server })
      c.now = c.now + 3
      c:wake()
      local effect = c:latch()
      c:step { type = "sent", key = effect.key }
      c:person(HAGGLE, { created = server + 3 })
      assert.is_nil(c:note "human")
    end)
  end
end)

describe("what a person who typed takes back", function()
  it("is a reply that failed, and was to be tried again", function()
    local c = shop()
    local effect = c:replying "Торг есть?"
    c:person "Здравствуйте, уступлю 500"
    c:step { type = "failed", key = effect.key, error = DOWN }
    assert.equal("", c:wants())
    assert.is_nil(c.engine:wake_at(c.record))
    assert.same({}, c:pass(24 * 3600).said)
  end)

  it("is a reply that is not in the chat", function()
    for _, unclear in ipairs { "resend", "hold" } do
      local c = uncertain { unclear = unclear }
      c:person "Здравствуйте, уступлю 500"
      c:pass(24 * 3600)
      assert.same({}, c.said)
      assert.is_nil(c:note "error")
    end
  end)

  it("is a reply that was under way when the program ended, but for its reading back", function()
    local c = shop()
    c:replying "Торг есть?"
    c:person "Здравствуйте, уступлю 500"
    c.engine:recover(c.record, c.now)
    assert.equal("check", c:wants())
    assert.same({}, c:pass(24 * 3600).said)
  end)

  it("is the mark that the chat was read, which is not made good after a restart", function()
    local c = shop()
    local effect = c:replying "Торг есть?"
    c:step { type = "sent", key = effect.key, id = "b1" }
    assert.equal("read", c:latch().kind)
    c:person "Здравствуйте"
    c.engine:recover(c.record, c.now)
    assert.equal("", c:wants())
  end)
end)

describe("a rule on = 'own'", function()
  it("does what the person who typed asks for, though the bot is silent", function()
    local c = chats.new { { "бан", on = "own", hears = "бан", act = { "blacklist", reason = "spam" } },
      { "цена", hears = "цен*", say = "{buyer.name}, 5000." } }
    c:says "Цена какая?"
    c:person "бан"
    c:pass(10)
    assert.same({ chats.BUYER, 1 }, { c:has_done("blacklist").user_id, c:has_done("blacklist").reason })
  end)
end)

describe("rows", function()
  it("are done one after another, the next when the last is done", function()
    local c = shop()
    local effect = c:replying "Торг есть?"
    c.now = c.now + 1
    c:buyer "Фото?"
    c.now = c.now + 3
    c:wake()
    assert.equal("", c:wants())
    assert.is_nil(c.engine:wake_at(c.record))
    c:step { type = "sent", key = effect.key, id = "b1" }
    c:pass(1)
    assert.same({ "photo-1" }, c.said)
    assert.equal("read", c.did[#c.did].kind)
    assert.equal(1, #c.did)
  end)

  it("are latched once, in their turn", function()
    local c = shop()
    local effect = c:replying "Торг есть?"
    assert.same({ [2] = "it is latched" }, { c.engine:latch(c.record, effect.key, c.now) })
    assert.same({ [2] = "it was withdrawn" }, { c.engine:latch(c.record, "m1/read", c.now) })
    assert.same({ [2] = "it was withdrawn" }, { c.engine:latch({ id = "u2i-2" }, effect.key, c.now) })
  end)

  it("that nobody began are not done by an answer", function()
    local c = shop()
    c:buyer "Торг есть?"
    c.now = c.now + 3
    c:wake()
    local effect = c:pending()[1]
    c:step { type = "sent", key = effect.key, id = "b1" }
    c:step { type = "failed", key = effect.key, error = { kind = "invalid" } }
    c:step { type = "sent", key = "m9/x/1" }
    c:step { type = "failed", key = "m9/x/1", error = { kind = "invalid" } }
    c:step { type = "called", key = effect.key, ok = true }
    c:step { type = "history", key = effect.key, messages = {} }
    c:step { type = "history", key = "m9/x/1", messages = {} }
    assert.same({ HAGGLE }, c:pass(1).said)
  end)

  it("of a message that comes while a reply is delayed come after it", function()
    local c = shop { { "адрес", hears = "адрес*", say = "У метро.", delay = "60s" } }
    c:buyer "Адрес?"
    c:pass(10)
    c:buyer "Торг есть?"
    assert.same({ "У метро.", HAGGLE }, c:pass(100).said)
    assert.equal(1, #c.did)
  end)

  it("of a message that comes while a reply is uncertain come after it", function()
    local c = uncertain()
    c:buyer "Фото?"
    assert.same({ HAGGLE, "photo-1" }, c:pass(100).said)
  end)

  it("under way are not taken back by a message", function()
    local c = shop()
    c:step { type = "sent", key = c:replying("Торг есть?").key, id = "b1" }
    local effect = c:latch()
    assert.equal("read", effect.kind)
    c:buyer "бррр"
    c:step { type = "sent", key = effect.key }
    assert.equal("read", c.notes[#c.notes].effect)
  end)

  it("of a refused reply's rule are sent when they answer something else", function()
    local c = shop()
    local effect = c:replying "Торг?"
    c:buyer "Торг?"
    c.now = c.now + 3
    c:wake()
    c:step { type = "failed", key = effect.key, error = { kind = "invalid" } }
    assert.same({ HAGGLE }, c:pass(1).said)
  end)

  it("leave the chat unread while a message is not answered", function()
    local c = shop { { "адрес", hears = "адрес*", say = "У метро.", delay = "60s" } }
    c:buyer "Адрес?"
    c:pass(10)
    c:buyer "бррр"
    assert.same({ "У метро." }, c:pass(100).said)
    assert.same({}, c.did)
    c:says "Торг?"
    assert.equal("read", c.did[1].kind)
  end)
end)

describe("a reply that failed", function()
  --- The waits between the tries, until it is sent or given up.
  local function waits(c, failure, times)
    local list = {}
    c:buyer "Торг есть?"
    c.now = c.now + 3
    c:wake()
    for i = 1, times do
      if c:wants() ~= "send" then break end
      c:step { type = "failed", key = c:latch().key, error = failure }
      local at = c.engine:wake_at(c.record)
      if not at then break end
      list[i] = at - c.now
      c.now = at
      c:wake()
    end
    return list
  end

  it("for certain is tried again, later and later", function()
    local c = shop()
    assert.same({ 5, 10, 20, 40, 80, 160, 320, 600, 600 }, waits(c, DOWN, 9))
    assert.same({ HAGGLE }, c:pass(0).said)
  end)

  it("is tried again as late as the server says", function()
    local c = shop()
    assert.same({ 30, 30, 30, 40 }, waits(c, { kind = "rate_limited", retry_after = 30, dispatched = true }, 4))
  end)

  it("thirty times is given up", function()
    local c = shop()
    assert.equal(29, #waits(c, DOWN, 100))
    assert.same({}, c:pass(1e6).said)
    assert.matches("^send was not done: no connection$", c:note("error").message)
    assert.same({}, c.did)
  end)

  it("for the account's sake waits for as long as it takes, and says so", function()
    for _, kind in ipairs { "auth", "payment_required" } do
      local c = shop()
      for _, wait in ipairs(waits(c, { kind = kind, message = "no", dispatched = false }, 100)) do assert.equal(300, wait) end
      assert.equal(kind, c:note("error").error.kind)
      c:step { type = "failed", key = c:latch().key, error = DOWN }
      assert.same({ HAGGLE }, c:pass(10).said)
    end
  end)

  it("for good is dropped with the rest of its answer, and nothing else is", function()
    for _, kind in ipairs { "invalid", "forbidden", "not_found" } do
      local c = shop { { "привет", first = true, continue = true, say = "Здравствуйте!", image = "photo-0" } }
      c.fails = { { kind = kind, message = "no" } }
      assert.equal(HAGGLE, c:says "Торг есть?")
      assert.same({}, c.did)
      assert.equal("photo-1", c:says "Фото?")
      assert.equal("send was not done: no", c:note("error").message)
    end
  end)

  it("for good does not take the call of a person away", function()
    local c = chats.new { { "человек", hears = "человек*", say = "Зову.", act = "escalate" } }
    c.fails = { { kind = "forbidden" } }
    assert.equal("", c:says "Дайте человека")
    assert.equal("send was not done: forbidden", c:note("error").message)
    assert.equal("escalate", c.did[1].kind)
  end)

  it("other than a message is tried again though it may have been done", function()
    local c = shop()
    c:step { type = "sent", key = c:replying("Торг есть?").key, id = "b1" }
    c:step { type = "failed", key = c:latch().key, error = TIMEOUT }
    assert.equal("", c:wants())
    c:pass(60)
    assert.equal("read", c.did[1].kind)
  end)

  it("other than a message takes nothing with it", function()
    local c = chats.new { { "спам", hears = "спам", act = { "blacklist", "escalate" } } }
    c.fails = { { kind = "forbidden" } }
    c:says "спам"
    assert.equal("escalate", c.did[1].kind)
    c = chats.new { { "спам", hears = "спам", act = "blacklist" } }
    c.fails = { { kind = "forbidden" } }
    c:says "спам"
    assert.equal("read", c.did[1].kind)
    c.record.blocked = nil
    c.fails = { false, { kind = "forbidden" } }
    c:says "спам"
    assert.is_true(c.record.blocked)
  end)
end)

describe("a reply of which nobody knows whether it was sent", function()
  it("is looked for at once, and again when it must be there", function()
    local c, effect = uncertain()
    local check = c:pending()[1]
    assert.same({ "check", effect.key, c.now - 120 }, { check.kind, check.key, check.since })
    c:step { type = "history", key = effect.key, messages = {} }
    assert.equal("", c:wants())
    assert.equal(c.now + 30, c.engine:wake_at(c.record))
    c.now = c.now + 29
    c:wake()
    assert.equal("", c:wants())
    c.now = c.now + 1
    assert.equal("check", c:wants())
    c:step { type = "history", key = effect.key, messages = {} }
    assert.equal("send", c:wants())
  end)

  it("is not sent again before as much time has passed since its answer was given up", function()
    local c = shop()
    local effect = c:replying "Торг есть?"
    c.now = c.now + 50
    c:step { type = "failed", key = effect.key, error = TIMEOUT }
    assert.equal("check", c:wants())
    c:step { type = "history", key = effect.key, messages = {} }
    assert.equal(c.now + 30, c.engine:wake_at(c.record))
    c.now = c.now + 30
    c:step { type = "history", key = effect.key, messages = {} }
    assert.equal("send", c:latch().kind)
    c.engine:recover(c.record, c.now)
    c:step { type = "history", key = effect.key, messages = {} }
    assert.equal(c.now + 30, c.engine:wake_at(c.record))
  end)

  it("is looked for again when it may have arrived while the chat was read", function()
    local c, effect = uncertain()
    local asked = c.now + 29
    c.now = c.now + 31
    c:step { type = "history", key = effect.key, messages = {}, asked = asked }
    assert.equal("check", c:wants())
    c:step { type = "history", key = effect.key, messages = {}, asked = c.now }
    assert.equal("send", c:wants())
  end)

  it("is not sent again when it is found, before or after that time", function()
    for _, seconds in ipairs { 0, 40 } do
      local c, effect = uncertain()
      c.now = c.now + seconds
      c:step { type = "history", key = effect.key, messages = {
        c:message(HAGGLE, { id = "b1", author_id = chats.SELLER, created = c.now - seconds }) } }
      assert.equal("read", c:wants())
      assert.same({}, c:pass(100).said)
      assert.is_nil(c:note "human")
    end
  end)

  it("is sent again later and later, thirty times", function()
    local c, effect = uncertain()
    local waits, checked = {}, nil
    for _ = 1, 200 do
      if c:wants() == "check" then
        c.now = c.now + 31
        checked = c.now
        c:step { type = "history", key = effect.key, messages = {} }
      elseif c:wants() == "send" then
        waits[#waits + 1] = c.now - checked
        c:step { type = "failed", key = c:latch().key, error = TIMEOUT }
      else
        local at = c.engine:wake_at(c.record)
        if not at then break end
        c.now = at
        c:wake()
      end
    end
    assert.equal(30, #waits)
    assert.same({ 0, 5, 10, 20, 40, 80, 160, 320, 600, 600 }, { unpack(waits, 1, 10) })
    assert.equal("", c:wants())
    assert.matches("not certain that it was not sent", c:note("error").message)
  end)

  it("is not sent again where the rulebook holds it", function()
    local c = uncertain { unclear = "hold" }
    assert.same({}, c:pass(1000).said)
    assert.same({}, c.did)
    assert.matches("not certain that it was not sent", c:note("error").message)
  end)

  it("is found among messages that nobody has seen: the buyer's is answered", function()
    local c, effect = uncertain()
    c:step { type = "history", key = effect.key, messages = { c:message "Фото?",
      c:message(HAGGLE, { author_id = chats.SELLER }), c:message("Старый торг", { created = c.now - 500 }) } }
    assert.same({ "photo-1" }, c:pass(100).said)
  end)

  it("is withdrawn when a person's words are found", function()
    local c, effect = uncertain()
    c:step { type = "history", key = effect.key, messages = { c:message("Уступлю", { author_id = chats.SELLER }) } }
    assert.same({}, c:pass(13 * 3600).said)
  end)

  it("is looked for as late as failures to look say, and given up at last", function()
    local c, effect = uncertain()
    local list = {}
    for _ = 1, 100 do
      if c:wants() ~= "check" then break end
      c:step { type = "failed", key = effect.key, error = TIMEOUT }
      local at = c.engine:wake_at(c.record)
      if not at then break end
      list[#list + 1] = at - c.now
      c.now = at
    end
    assert.same({ 10, 20, 40, 80, 160, 320, 600 }, { list[1], list[2], list[3], list[4], list[5], list[6], list[7] })
    assert.equal(28, #list)
    assert.is_table(c:note "error")
    assert.equal("photo-1", c:says "Фото?")
  end)

  it("is given up when the chat is gone, and waits for the account", function()
    local c, effect = uncertain()
    c:step { type = "failed", key = effect.key, error = { kind = "not_found" } }
    assert.is_nil(c.engine:wake_at(c.record))
    c, effect = uncertain()
    for _ = 1, 50 do
      c:step { type = "failed", key = effect.key, error = { kind = "auth", message = "no" } }
      assert.equal(300, c.engine:wake_at(c.record) - c.now)
      c.now = c.now + 300
    end
    c:step { type = "failed", key = effect.key, error = { kind = "rate_limited", retry_after = 50 } }
    assert.equal(50, c.engine:wake_at(c.record) - c.now)
    assert.same({ HAGGLE }, c:pass(100).said)
  end)
end)

describe("the clock", function()
  it("that is put back does not keep a reply waiting", function()
    local c = shop { { "адрес", hears = "адрес*", say = "У метро.", delay = "60s" } }
    c:buyer "Адрес?"
    c:pass(10)
    c.now = c.now - 3600
    c:wake()
    assert.same({ "У метро." }, c:pass(60).said)
  end)

  it("that is put back does not keep a failed reply waiting", function()
    local c = shop()
    c:buyer "Торг есть?"
    c.fails = { DOWN }
    c:pass(3)
    c.now = c.now - 3600
    c:wake()
    assert.same({ HAGGLE }, c:pass(5).said)
  end)

  it("that is put back does not keep an uncertain reply waiting, nor sends it at once", function()
    local c, effect = uncertain()
    c:step { type = "history", key = effect.key, messages = {} }
    c.now = c.now - 3600
    c:wake()
    assert.equal("check", c:wants())
    assert.equal(c.now - 120, c:pending()[1].since)
    c:step { type = "history", key = effect.key, messages = {} }
    assert.equal(c.now + 30, c.engine:wake_at(c.record))
    c:step { type = "failed", key = effect.key, error = TIMEOUT }
    c.now = c.now - 3600
    c:wake()
    assert.equal("check", c:wants())
  end)

  it("that is put back does not keep an old uncertain reply waiting", function()
    local c, effect = uncertain()
    c.now = c.now + 7200
    for _ = 1, 8 do c:step { type = "failed", key = effect.key, error = TIMEOUT } end
    assert.equal(c.now + 600, c.engine:wake_at(c.record))
    c.now = c.now - 3600
    c:wake()
    assert.equal("check", c:wants())
  end)

  it("that is put forward sends what is due, once", function()
    local c, effect = uncertain()
    c.now = c.now + 24 * 3600
    c:wake()
    c:step { type = "history", key = effect.key, messages = {} }
    assert.same({ HAGGLE }, c:pass(100).said)
  end)
end)
