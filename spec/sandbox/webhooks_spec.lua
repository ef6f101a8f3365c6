local support = require "support.sandbox"
local json = require "avito_messenger.json"

local URL = "http://127.0.0.1:9/hook"

describe("sandbox webhooks", function()
  local inside

  local function start(webhooks, more)
    local options = { webhooks = webhooks }
    for name, value in pairs(more or {}) do options[name] = value end
    inside = support.inside(options)
  end

  local function subscribe(url)
    return inside:api("POST", "/messenger/v3/webhook", { url = url or URL })
  end

  local function due() return inside.box:due(inside.now) end

  it("are tried with an empty object before they are subscribed", function()
    start()
    local _, _, response = subscribe()
    assert.equal(URL, response.probe.url)
    assert.equal("{}", response.probe.body)
    assert.equal(2, response.probe.timeout)
    local final = inside.box:delivered(response.probe.id, { status = 200 }, inside.now)
    assert.equal(200, final.status)
    assert.is_true(json.decode(final.body).ok)
    assert.same({ { url = URL, version = "3" } }, inside:api("POST", "/messenger/v1/subscriptions").subscriptions)
  end)

  it("are refused when the address does not answer 200", function()
    start()
    for _, result in ipairs { { status = 500 }, { status = 204 }, { error = "timeout" } } do
      local _, _, response = subscribe()
      local final = inside.box:delivered(response.probe.id, result, inside.now)
      assert.equal(400, final.status)
      assert.is_string(json.decode(final.body).error.fields.url)
    end
    local _, _, response = inside:api("POST", "/messenger/v1/subscriptions")
    assert.equal('{"subscriptions":[]}', response.body)
  end)

  it("take http and https addresses only", function()
    start { probe = false }
    for _, url in ipairs { "ftp://a/b", "a", "http://", "http://a b/" } do
      assert.equal(400, select(2, subscribe(url)))
    end
    assert.equal(400, select(2, inside:api("POST", "/messenger/v3/webhook", "{}")))
  end)

  it("are subscribed once, and unsubscribed", function()
    start { probe = false }
    subscribe()
    subscribe()
    assert.equal(1, #inside:api("POST", "/messenger/v1/subscriptions").subscriptions)
    assert.is_true(inside:api("POST", "/messenger/v1/webhook/unsubscribe", { url = URL }).ok)
    inside.box:say { chat_id = inside:chat().id, text = "да" }
    assert.equal(0, #due())
  end)

  it("carry each message of the account, with its echo, signed", function()
    start { probe = false, key = "k" }
    subscribe()
    local chat = inside:chat()
    inside.now = inside.now + 10
    inside.box:say { chat_id = chat.id, text = "планируется поставка?" }
    inside:api("POST", "/messenger/v1/accounts/94235311/chats/" .. chat.id .. "/messages",
      { type = "text", message = { text = "да" } })
    inside.box:write { chat_id = chat.id, text = "завтра" }
    inside.box:say { buyer = 200000001, item = 4200000001, text = "чужой счёт" }
    local list = due()
    assert.equal(3, #list)
    local event = json.decode(list[1].body)
    assert.equal("v3.0.0", event.version)
    assert.equal("message", event.payload.type)
    local value = event.payload.value
    assert.equal("планируется поставка?", value.content.text)
    assert.equal(chat.id, value.chat_id)
    assert.equal("u2i", value.chat_type)
    assert.equal(94235311, value.user_id)
    assert.equal(200000001, value.author_id)
    assert.equal(4098549657, value.item_id)
    assert.is_truthy(value.published_at:find("^2026%-01%-01T00:00:%d%dZ$"))
    for i = 2, 3 do
      value = json.decode(list[i].body).payload.value
      assert.equal(value.user_id, value.author_id)
    end
    assert.equal(require("avito_messenger.core").hmac_sha256("k", list[1].body),
      list[1].headers["x-avito-messenger-signature"])
  end)

  it("are tried again by the schedule, then given up", function()
    start { probe = false, retries = { 1, 5 } }
    subscribe()
    inside.box:say { chat_id = inside:chat().id, text = "да" }
    local body
    for attempt, wait in ipairs { 1, 5, false } do
      local delivery = due()[1]
      assert.is_truthy(delivery, "attempt " .. attempt)
      body = body or delivery.body
      assert.equal(body, delivery.body)
      inside.box:delivered(delivery.id, attempt == 1 and { error = "timeout" } or { status = 500 }, inside.now)
      if wait then
        assert.equal(inside.now + wait, inside.box:next_due())
        inside.now = inside.now + wait - 0.5
        assert.equal(0, #due())
        inside.now = inside.now + 0.5
      end
    end
    assert.is_nil(inside.box:next_due())
    local record = inside.box:deliveries()[1]
    assert.equal("failed", record.state)
    assert.equal(3, #record.attempts)
  end)

  it("are through with 200", function()
    start { probe = false }
    subscribe()
    inside.box:say { chat_id = inside:chat().id, text = "да" }
    assert.equal("waiting", inside.box:deliveries()[1].state)
    local delivery = due()[1]
    assert.equal("sending", inside.box:deliveries()[1].state)
    inside.box:delivered(delivery.id, { status = 200 }, inside.now)
    assert.equal("delivered", inside.box:deliveries()[1].state)
    assert.equal(0, #due())
    local ok, problem = pcall(inside.box.delivered, inside.box, delivery.id, { status = 200 }, inside.now)
    assert.is_false(ok)
    assert.is_truthy(problem:find("not under way", 1, true))
  end)

  it("come twice, late and out of order when told so", function()
    start { probe = false, duplicate = 1, delay = 3 }
    subscribe()
    inside.box:say { chat_id = inside:chat().id, text = "да" }
    assert.equal(0, #due())
    inside.now = inside.now + 3
    local list = due()
    assert.equal(2, #list)
    assert.equal(list[1].body, list[2].body)

    start { probe = false, reorder = 0.5, retries = {} }
    subscribe()
    for i = 1, 20 do inside.box:say { chat_id = inside:chat().id, text = tostring(i) } end
    local order = {}
    for _ = 1, 4 do
      for _, delivery in ipairs(due()) do
        order[#order + 1] = tonumber(json.decode(delivery.body).payload.value.content.text)
      end
      inside.now = inside.now + 1
    end
    assert.equal(20, #order)
    local sorted = true
    for i = 2, 20 do sorted = sorted and order[i] > order[i - 1] end
    assert.is_false(sorted)
  end)

  it("follow the sandbox's clock", function()
    start { probe = false, delay = 60 }
    subscribe()
    inside.box:say { chat_id = inside:chat().id, text = "да" }
    assert.equal(0, #due())
    inside.box:advance(60)
    assert.equal(1, #due())
  end)
end)
