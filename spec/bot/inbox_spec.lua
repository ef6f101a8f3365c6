local inbox = require "avito_messenger.bot.inbox"
local json = require "avito_messenger.json"
local hooks = require "avito_messenger.webhook"
local process = require "spec_support.process"

local CHAT = "u2i-one"

local function message(id, created, text)
  return { id = id, author_id = 5, created = created, type = "text", content = { text = text or id } }
end

--- Rows as the store gives them back.
local function stored(...)
  local rows = {}
  for _, list in ipairs { ... } do
    for _, row in ipairs(list) do
      rows[#rows + 1] = { seq = #rows + 1, key = row.key, kind = row.kind, body = row.body }
    end
  end
  return rows
end

local function event(given)
  given.type = given.type or "message"
  return inbox.rows(CHAT, given)
end

local function webhook(id, created)
  return { { key = id, kind = "avito", body = json.encode { payload = { type = "message", value = { id = id, chat_id = CHAT,
    author_id = 5, user_id = 1, created = created, type = "text", chat_type = "u2i", item_id = 7, content = { text = id } } } } } }
end

local function ids(one)
  local list = {}
  for i, each in ipairs(one.messages) do list[i] = each.id end
  return list
end

describe("the inbox", function()
  describe("knows", function()
    it("a command from every other, also from those of a process that was forked", function()
      local function key() return event({ type = "resume" })[1].key end
      local how, code, forked = process.fork(key)
      assert.same({ "exit", 0 }, { how, code })
      local one, two = key(), key()
      assert.is_true(one ~= two and one ~= forked and two ~= forked)
    end)

    it("a message by its id, wherever it came from", function()
      local row = event { message = message("m1", 10), chat_type = "u2i" }[1]
      assert.same({ CHAT, "m1", "event", nil }, { row.chat_id, row.key, row.kind, row.replace })
    end)

    it("that a message was taken back as another piece of news", function()
      assert.equal("m1", hooks.key { id = "m1", type = "text" })
      assert.equal("m1/deleted", hooks.key { id = "m1", type = "deleted" })
    end)

    it("a command of the program as one that never came before", function()
      local one, other = event { type = "pause", seconds = 5 }[1], event { type = "pause", seconds = 5 }[1]
      assert.not_equal(one.key, other.key)
      assert.matches("^pause/", one.key)
    end)

    it("a command from those of a process that was forked", function()
      local function key() return event({ type = "resume" })[1].key end
      local how, code, forked = process.fork(key)
      assert.same({ "exit", 0 }, { how, code })
      local one, two = key(), key()
      assert.is_true(one ~= two and one ~= forked and two ~= forked)
    end)

    it("the facts of a chat as the newest", function()
      local row = event { type = "about", facts = { type = "u2i" } }[1]
      assert.same({ "about/" .. CHAT, true }, { row.key, row.replace })
    end)
  end)

  it("gives back what was put in", function()
    local facts = { type = "u2i", item = { id = 2 ^ 40, title = "Товар" } }
    local events, problems = inbox.events(stored(event { type = "about", facts = facts }, event { type = "resume" },
      event { messages = { message("m1", 10) }, chat_type = "u2i", item_id = 7, earlier = true }), 0)
    assert.same({}, problems)
    assert.same({ { type = "about", facts = facts }, { type = "resume" }, { type = "message", chat_type = "u2i", earlier = true,
      messages = { { id = "m1", author_id = 5, created = 10, type = "text", content = { text = "m1" }, item_id = 7 } } } }, events)
  end)

  it("makes one event of messages that came one after another, in the order in which they were written", function()
    local events = inbox.events(stored(event { messages = { message("m3", 30), message("m1", 10) } }, webhook("m2", 20)), 0)
    assert.equal(1, #events)
    assert.same({ "m1", "m2", "m3" }, ids(events[1]))
    assert.equal("u2i", events[1].chat_type)
  end)

  it("leaves messages of the same second as they came, and those without a time first", function()
    local timeless = message("m0")
    local events = inbox.events(stored(event { messages = { message("b", 10), message("a", 10), timeless } }), 0)
    assert.same({ "m0", "b", "a" }, ids(events[1]))
  end)

  it("lets a command stay between the messages around it", function()
    local events = inbox.events(stored(event { message = message("m1", 10) }, event { type = "pause" },
      event { message = message("m2", 20) }), 0)
    assert.same({ "message", "pause", "message" }, { events[1].type, events[2].type, events[3].type })
    assert.same({ { "m1" }, { "m2" } }, { ids(events[1]), ids(events[3]) })
  end)

  it("tells webhooks of messages from before the bot as old ones, apart from the others", function()
    local events = inbox.events(stored(webhook("m1", 99), webhook("m2", 98), webhook("m3", 100)), 100)
    assert.same({ { true, { "m2", "m1" } }, { nil, { "m3" } } },
      { { events[1].old, ids(events[1]) }, { events[2].old, ids(events[2]) } })
  end)

  it("believes who has read the chat that what was found there counts", function()
    assert.is_nil(inbox.events(stored(event { message = message("m1", 10) }), 100)[1].old)
  end)

  local function notification(key, body)
    body.businessId, body.chatId = 880042, 7001
    return { key = key, kind = "yandex_market", body = json.encode(body) }
  end

  it("reads notifications, and those of messages from before the bot as old ones", function()
    local sent = "CHAT_MESSAGE_SENT"
    local events, problems = inbox.events({
      notification("1", { notificationType = sent, messageId = "1", sentAt = "2026-11-25T10:29:59Z" }),
      notification("2", { notificationType = sent, messageId = "2", sentAt = "2026-11-25T10:30:00Z" }),
      notification("3", { notificationType = sent, messageId = "3", sentAt = "?" }),
      notification("a", { notificationType = "CHAT_CREATED" }),
      notification("b", { notificationType = "CHAT_ARBITRAGE_STARTED", startedAt = "2026-11-25T10:30:00Z" }),
      notification("c", { notificationType = "ORDER_CREATED" }),
    }, 1795602600)
    local told = {}
    for i = 1, 3 do told[i] = { events[i].type, events[i].id, events[i].old or false } end
    assert.same({ { "told", "1", true }, { "told", "2", false }, { "told", "3", false } }, told)
    assert.same({ "created", "dispute", true, 1795602600 }, { events[4].type, events[5].type, events[5].open, events[5].at })
    assert.same({ "c of the inbox cannot be read: type ORDER_CREATED" }, problems)
  end)

  it("passes over what it cannot read, says so, and takes the rest", function()
    local events, problems = inbox.events({
      { key = "a", kind = "telegram", body = "{}" }, { key = "b", kind = "event", body = "{" },
      { key = "c", kind = "event", body = "5" }, { key = "d", kind = "event", body = [[{"type":"nonsense"}]] },
      { key = "e", kind = "avito", body = "{}" }, stored(event { message = message("m1", 10) })[1] }, 0)
    assert.equal(1, #events)
    assert.same({ "m1" }, ids(events[1]))
    assert.equal(5, #problems)
    assert.equal("a of the inbox cannot be read: unknown kind 'telegram'", problems[1])
    assert.matches("^b of the inbox cannot be read: .", problems[2])
    assert.equal("c of the inbox cannot be read: it is no event", problems[3])
    assert.equal("d of the inbox cannot be read: unknown event 'nonsense'", problems[4])
    assert.equal("e of the inbox cannot be read: payload must be an object", problems[5])
  end)

  it("passes over messages that are none", function()
    local events, problems = inbox.events({ { key = "a", kind = "event", body = [[{"type":"message"}]] },
      { key = "b", kind = "event", body = [[{"type":"message","message":5}]] },
      { key = "c", kind = "event", body = [[{"type":"told","id":5}]] } }, 0)
    assert.same({}, events)
    assert.equal(3, #problems)
  end)
end)
