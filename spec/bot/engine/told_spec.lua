local Engine = require "avito_messenger.bot.engine"
local chats = require "support.chats"
local json = require "avito_messenger.json"

local DAY = 86400

describe("a message that is told by its id", function()
  local engine, record, now, notes

  before_each(function()
    engine = Engine.new { book = chats.book { burst = "3s", { "эхо", say = "{message.text}" } }, user_id = chats.SELLER }
    record, now, notes = { id = "7001" }, chats.NOW, {}
  end)

  local function step(event)
    record = assert(json.decode(assert(json.encode(record))))
    for _, note in ipairs(engine:step(record, event, now)) do notes[#notes + 1] = note end
  end

  local function tell(id, more)
    local event = { type = "told", id = id, sent = now }
    for name, value in pairs(more or {}) do event[name] = value end
    step(event)
  end

  local function message(id) return { id = id, created = now, type = "text", content = { text = id }, direction = "in" } end

  local function wanted() return engine:pending(record, now)[1] end

  it("is wanted at once, and together with others", function()
    tell "1"
    assert.same({ kind = "fetch", chat_id = "7001", ids = { "1" } }, wanted())
    tell "2"
    tell "1"
    assert.same({ "1", "2" }, wanted().ids)
    assert.equal(now, engine:wake_at(record))
  end)

  it("is not wanted when it is here, however it came", function()
    tell "1"
    step { type = "message", message = message "1" }
    assert.is_nil(record.told)
    assert.is_nil(wanted())
    tell "1"
    assert.is_nil(record.told)
    assert.equal("it was taken before", notes[#notes].why)
  end)

  it("is not wanted any more when it was known so long ago that its id is forgotten", function()
    for id = 1, 700 do
      local one = { id = "m" .. id, created = now - 1000 + id, type = "text" }
      engine:step(record, { type = "message", old = true, message = one }, now)
    end
    tell "m5"
    assert.same({ "m5" }, wanted().ids)
    local one = message "m5"
    one.created = now - 995
    step { type = "fetched", messages = { one } }
    assert.is_nil(record.told)
    assert.is_nil(record.waiting)
  end)

  it("is answered once it was fetched, before anything else is done", function()
    step { type = "message", message = message "1" }
    now = now + 5
    step { type = "wake" }
    assert.equal("send", wanted().kind)
    tell "2"
    assert.equal("fetch", wanted().kind)
    step { type = "fetched", messages = { message "2" } }
    assert.equal("send", wanted().kind)
    assert.same({ "2" }, { record.waiting[1].id })
  end)

  it("is asked for again, later and later, and no later than it is told to be", function()
    tell "1"
    local pauses = {}
    for i = 1, 12 do
      step { type = "fetched", error = { kind = "server" } }
      assert.is_nil(wanted())
      pauses[i] = engine:wake_at(record) - now
      now = engine:wake_at(record)
      step { type = "wake" }
    end
    assert.same({ 2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600, 600 }, pauses)
    step { type = "fetched", error = { kind = "rate_limited", retry_after = 3600 } }
    assert.equal(now + 3600, engine:wake_at(record))
    step { type = "wake" }
    assert.equal(now + 3600, engine:wake_at(record))
  end)

  it("is looked for in the chat, when it could not be had by its id", function()
    tell "1"
    step { type = "fetched", error = { kind = "server" } }
    now = now + 2
    assert.is_true(wanted().look)
    assert.is_nil(record.told.look)
  end)

  it("is asked for at once when another one is told of", function()
    tell "1"
    step { type = "fetched", error = { kind = "server" } }
    tell "2"
    assert.same({ "1", "2" }, wanted().ids)
  end)

  it("does not wait longer because the clock was put back", function()
    tell "1"
    step { type = "fetched", error = { kind = "server" } }
    now = now - 3600
    step { type = "wake" }
    assert.same({ "1" }, wanted().ids)
  end)

  it("is given up after a day in which the chat could be read", function()
    tell "1"
    now = now + DAY
    step { type = "fetched", error = { kind = "server" } }
    assert.same({ "1" }, { record.told.ids[1].id })
    step { type = "fetched", messages = {} }
    assert.same({ "1" }, { record.told.ids[1].id })
    step { type = "fetched", read = true }
    assert.is_nil(record.told)
    assert.equal("message 1 was told of, and is not in its chat", notes[#notes].message)
  end)

  it("is only noted when it is from before the bot", function()
    tell("1", { old = true })
    assert.is_nil(record.told)
    assert.is_true(record.met)
    step { type = "message", message = message "1" }
    assert.is_nil(record.waiting)
  end)

  it("has the chat read, where so many are that not all are kept", function()
    for id = 1, 301 do tell(tostring(id)) end
    local effect = wanted()
    assert.same({ 300, "2", true }, { #effect.ids, effect.ids[1], effect.look })
  end)

  it("has the chat read where only that is known", function()
    step { type = "created" }
    assert.same({ kind = "fetch", chat_id = "7001", ids = {}, look = true }, wanted())
    step { type = "fetched", error = { kind = "server" } }
    assert.is_true(record.told.look)
    step { type = "fetched", read = true, messages = { message "1" } }
    assert.is_nil(record.told)
    assert.equal("1", record.waiting[1].id)
  end)

  it("has the chat read for a day in which that is refused, since it was told of first", function()
    step { type = "created" }
    local first = now
    for _, seconds in ipairs { 0, 5, DAY - 1 } do
      now = first + seconds
      step { type = "fetched", error = { kind = "not_found" } }
      assert.is_true(record.told.look)
      step { type = "created" }
      assert.is_true(wanted().look)
    end
    now = first + DAY
    step { type = "fetched", error = { kind = "server" } }
    assert.is_true(record.told.look)
    step { type = "fetched", error = { kind = "not_found", message = "no such chat" } }
    assert.is_nil(record.told)
    assert.equal("there is news of the chat, and the chat cannot be read: no such chat", notes[#notes].message)
  end)

  describe("after a reply without an id", function()
    local function replies(settle, look)
      engine = Engine.new { book = chats.book { burst = 0, settle = settle, { "да", say = "Да." } }, user_id = chats.SELLER }
      step { type = "message", message = message "1" }
      local key = wanted().key
      assert(engine:latch(record, key, now))
      step { type = "sent", key = key, look = look }
    end

    it("has the chat read soon, for it was just now", function()
      replies("30s", "unseen")
      assert.equal("read", wanted().kind)
      now = now + 2
      assert.same({ kind = "fetch", chat_id = "7001", ids = {}, look = true }, wanted())
    end)

    it("has the chat read as long as that may lag behind, be it for days", function()
      replies("3d", "unseen")
      now = now + DAY
      step { type = "fetched", read = true }
      assert.is_true(record.told.look)
      now = now + 2 * DAY
      step { type = "fetched", read = true }
      assert.is_nil(record.told)
    end)
  end)

  it("is left alone where nobody asked any more", function()
    step { type = "fetched", read = true }
    assert.is_nil(record.told)
  end)
end)
