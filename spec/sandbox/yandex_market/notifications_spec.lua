local support = require "support.sandbox"
local json = require "avito_messenger.json"
local notifications = require "avito_messenger.yandex_market.notifications"

local URL = "http://127.0.0.1:9/hook"
local TAKEN = '{"version":"1","name":"shop","time":"2026-01-01T00:00:00.5Z"}'

describe("the sandbox's notifications of Yandex Market", function()
  local inside, box

  local function start(given, more)
    local options = { notifications = given }
    for name, value in pairs(more or {}) do options[name] = value end
    inside = support.inside { yandex_market = options }
    box = inside.box
    return box:notify { url = URL }
  end

  local function due() return box:due(inside.now) end

  -- Answers all that is due; returns the decoded bodies.
  local function answer(result)
    local list = due()
    for i, delivery in ipairs(list) do
      box:delivered(delivery.id, result or { status = 200, body = TAKEN }, inside.now)
      list[i] = json.decode(delivery.body)
    end
    return list
  end

  local function say(text) return box:say { order_id = 41000001, text = text or "Ещё вопрос" } end
  local function address() return box:state().yandex_market.notifications[1] end

  it("begin when a PING is answered", function()
    assert.same({ business_id = support.business_id, url = URL, state = "waiting" }, start())
    say "Слишком рано"
    local ping = due()[1]
    assert.same({ notificationType = "PING", time = "2026-01-01T00:00:00.000Z" }, json.decode(ping.body))
    assert.equal(1, ping.timeout)
    box:delivered(ping.id, { status = 200, body = TAKEN }, inside.now)
    assert.equal("on", address().state)
    assert.equal(0, #due())
    say()
    assert.equal(1, #due())
  end)

  it("do not begin without the answer that is wanted", function()
    for _, case in ipairs { { { status = 200 }, "no JSON object" }, { { status = 200, body = "[1" }, "no JSON object" },
      { { status = 204 }, "204" }, { { error = "no connection" }, "no connection" },
      { { status = 200, body = '{"version":"","name":"a","time":"2026-01-01T00:00:00Z"}' }, "version" },
      { { status = 200, body = '{"version":"1","time":"2026-01-01T00:00:00Z"}' }, "name" },
      { { status = 200, body = ('{"version":"1","name":"%s","time":"2026-01-01T00:00:00Z"}'):format(("я"):rep(101)) }, "name" },
      { { status = 200, body = '{"version":"1","name":"a"}' }, "time" },
      { { status = 200, body = '{"version":"1","name":"a","time":"2026-01-01T00:00:00+03:00"}' }, "time" } } do
      start()
      answer(case[1])
      assert.equal("refused", address().state)
      assert.is_truthy(address().problem:find(case[2], 1, true), address().problem)
      say()
      assert.equal(0, #due())
    end
  end)

  it("tell each message, its echo too, without its text", function()
    start { ping = false }
    inside.now = inside.now + 0.25
    box:see(inside.now)
    local said = say "Секрет"
    inside:yandex("POST", "chats/message?chatId=" .. said.chat_id, { message = "Ответ" })
    box:write { chat_id = said.chat_id, text = "Сам" }
    box:say { chat_id = said.chat_id, from = "support", text = "Поддержка" }
    box:say { buyer = 200000001, item = 4098549657, text = "на Авито" }
    local list = answer()
    assert.equal(4, #list)
    assert.same({ notificationType = "CHAT_MESSAGE_SENT", businessId = support.business_id, chatId = tonumber(said.chat_id),
      messageId = said.message_id, sentAt = "2026-01-01T00:00:00.250Z" }, list[1])
    local delivery = box:deliveries()[1]
    assert.same({ "yandex_market", support.business_id, said.chat_id, said.message_id, "delivered" },
      { delivery.marketplace, delivery.account, delivery.chat_id, delivery.message_id, delivery.state })
  end)

  it("tell of new chats, whoever begins them", function()
    start { ping = false }
    local said = box:say { customer = "customer9", text = "Здравствуйте" }
    inside:yandex("POST", "chats/new", { context = { type = "ORDER", id = 41000002 } })
    inside:yandex("POST", "chats/new", { context = { type = "ORDER", id = 41000002 } })
    local list = answer()
    assert.equal(3, #list)
    assert.same({ "CHAT_CREATED", "CHAT_MESSAGE_SENT", "CHAT_CREATED" },
      { list[1].notificationType, list[2].notificationType, list[3].notificationType })
    assert.equal(said.chat_id, ("%d"):format(list[1].chatId))
    assert.equal("2026-01-01T00:00:00.000Z", list[1].createdAt)
  end)

  it("tell of disputes, which change the chat", function()
    start { ping = false }
    local id = say().chat_id
    answer()
    assert.same({ chat_id = id, type = "ARBITRAGE", status = "WAITING_FOR_ARBITER" }, box:dispute { chat_id = id })
    say "В споре"
    assert.equal("WAITING_FOR_ARBITER", inside:yandex("GET", "chat?chatId=" .. id).result.status)
    assert.equal(1, #inside:yandex("POST", "chats", { types = { "ARBITRAGE" } }).result.chats)
    assert.same({ chat_id = id, type = "CHAT", status = "FINISHED" }, box:dispute { chat_id = id, open = false })
    local list = answer()
    assert.equal("CHAT_ARBITRAGE_STARTED", list[1].notificationType)
    assert.equal("2026-01-01T00:00:00.000Z", list[1].startedAt)
    assert.equal("CHAT_ARBITRAGE_FINISHED", list[3].notificationType)
    assert.is_string(list[3].finishedAt)
    say "Спор окончен"
    assert.equal("WAITING_FOR_PARTNER", inside:yandex("GET", "chat?chatId=" .. id).result.status)
    for _, spec in ipairs { { chat_id = id, open = false }, { chat_id = 1 }, { chat = id },
      { chat_id = box:say({ customer = "a", text = "б" }).chat_id } } do
      assert.is_false(pcall(box.dispute, box, spec))
    end
  end)

  it("are tried each minute for an hour, each 15 minutes for a day, then hourly, for 14 days", function()
    start { ping = false }
    say()
    local begun, attempts = inside.now, {}
    repeat
      answer { status = 500 }
      attempts[#attempts + 1] = inside.now - begun
      local at = box:next_due()
      inside.now = at or inside.now
    until not at or #attempts > 1000
    assert.equal(0, attempts[1])
    assert.equal(60, attempts[2])
    assert.equal(3600, attempts[61])
    assert.equal(3600 + 900, attempts[62])
    assert.equal(3600 + 86400, attempts[61 + 96])
    assert.equal(3600 + 86400 + 3600, attempts[61 + 97])
    assert.equal(14 * 86400, attempts[#attempts])
    assert.equal("off", address().state)
    assert.equal("failed", box:deliveries()[1].state)
    say()
    assert.is_nil(box:next_due())
  end)

  it("are tried sooner in the first hour where that is wanted", function()
    start { ping = false, retry = 2 }
    say()
    local begun = inside.now
    answer { status = 500 }
    assert.equal(begun + 2, box:next_due())
    inside.now = begun + 3600
    answer { status = 500 }
    assert.equal(begun + 3600 + 900, box:next_due())
  end)

  it("are given up together, those too that were not tried", function()
    start { ping = false, delay = 5 }
    say()
    inside.now = inside.now + 5
    answer { status = 500 }
    inside.now = inside.now + 14 * 86400
    box:see(inside.now)
    say()
    answer { error = "no connection" }
    assert.equal("off", address().state)
    assert.is_nil(box:next_due())
    assert.same({ "failed", "failed" }, { box:deliveries()[1].state, box:deliveries()[2].state })
  end)

  it("are not tried again at an address that was taken away", function()
    start { ping = false }
    say()
    local delivery = due()[1]
    box:notify { url = false }
    box:delivered(delivery.id, { status = 500 }, inside.now)
    assert.is_nil(box:next_due())
  end)

  it("are switched off for nothing that is answered now and then", function()
    start { ping = false }
    say()
    answer { status = 500 }
    inside.now = inside.now + 10 * 86400
    say()
    local list = due()
    assert.equal(2, #list)
    box:delivered(list[2].id, { status = 200, body = TAKEN }, inside.now)
    inside.now = inside.now + 5 * 86400
    box:delivered(list[1].id, { status = 500 }, inside.now)
    assert.equal("on", address().state)
  end)

  it("are through with a duplicate that is known, and tried again for another error", function()
    start { ping = false }
    say()
    for _, result in ipairs { { status = 400, body = '{"error":{"type":"WRONG_EVENT_FORMAT","message":"?"}}' },
      { status = 500, body = '{"error":{"type":"DUPLICATED_EVENT"}}' }, { status = 400, body = "no" } } do
      answer(result)
      assert.equal(inside.now + 60, box:next_due())
      inside.now = inside.now + 60
    end
    answer { status = 400, body = '{"error":{"type":"DUPLICATED_EVENT"}}' }
    assert.is_nil(box:next_due())
    assert.equal("duplicate", box:deliveries()[1].state)
    assert.equal(4, #box:deliveries()[1].attempts)
  end)

  it("come twice when told so, and to another address when it is changed", function()
    start { ping = false, duplicate = 1 }
    say()
    assert.equal(2, #answer())
    say()
    box:notify { url = URL .. "/new" }
    assert.equal(0, #due())
    say()
    assert.equal(URL .. "/new", due()[1].url)
    assert.equal("off", box:notify({ url = false }).state)
    say()
    assert.equal(0, #due())
  end)

  it("are told about misuse", function()
    start()
    for _, case in ipairs { { { url = "ftp://a" }, "url" }, { {}, "url" }, { { url = URL, business = 1 }, "business" },
      { { url = URL, business_id = 5 }, "no known business" } } do
      local ok, problem = pcall(box.notify, box, case[1])
      assert.is_false(ok)
      assert.is_truthy(problem:find(case[2], 1, true), problem)
    end
  end)

  it("are content with what the hook answers, and store a message once", function()
    local hook = notifications.new { path_secret = "dummy-path-secret-1" }
    local stored = {}
    local function receive(delivery)
      local taken = hook:answer { method = "POST", path = "/dummy-path-secret-1", headers = delivery.headers,
        body = delivery.body }
      for _, row in ipairs(taken.rows or {}) do stored[#stored + 1] = row.key end
      local status, _, body = hook:reply(taken.outcome, inside.now, taken.note)
      return { status = status, body = body }
    end
    inside = support.inside()
    box = inside.box
    local driver = box:driver { webhook = receive }
    box:notify { url = URL }
    driver:sleep(0)
    local said = say()
    box:dispute { chat_id = said.chat_id }
    driver:sleep(3600)
    assert.same({ ("told/%s/%s"):format(said.chat_id, said.message_id),
      ("dispute/%s/2026-01-01T00:00:00.000Z"):format(said.chat_id) }, stored)
    for _, delivery in ipairs(box:deliveries()) do assert.equal("delivered", delivery.state) end
  end)

  it("arrive over the driver's virtual time", function()
    local got, now = {}, 0
    inside = support.inside()
    box = inside.box
    local driver = box:driver { webhook = function(delivery)
      got[#got + 1] = { json.decode(delivery.body).notificationType, now }
      return { status = #got == 2 and 500 or 200, body = TAKEN }
    end }
    local function sleep(seconds)
      now = now + seconds
      driver:sleep(seconds)
    end
    box:notify { url = URL }
    sleep(1)
    say()
    sleep(30)
    sleep(40)
    assert.same({ { "PING", 1 }, { "CHAT_MESSAGE_SENT", 31 }, { "CHAT_MESSAGE_SENT", 71 } }, got)
  end)
end)
