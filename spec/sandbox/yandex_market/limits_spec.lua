local json = require "avito_messenger.json"
local support = require "support.sandbox"

describe("the limits and faults of the sandbox's Yandex Market", function()
  local inside

  local function start(limits, more)
    local options = { yandex_market = { limits = limits } }
    for name, value in pairs(more or {}) do options[name] = value end
    inside = support.inside(options)
  end

  local function chats()
    local answer, status, response = inside:yandex("POST", "chats", {})
    return status, response.headers, answer
  end

  local function chat_id()
    return inside.box:state().yandex_market.chats[1].id
  end

  local function send()
    local answer, status, response = inside:yandex("POST", "chats/message?chatId=" .. chat_id(), { message = "да" })
    return status, answer, response
  end

  it("counts the requests of an hour by operation, and tells it with each answer", function()
    start { hourly = { get_chats = 2 } }
    inside.now = inside.now + 1000.5
    local status, headers = chats()
    assert.same({ 200, "2", "1", "Thu, 01 Jan 2026 01:00:00 GMT", "Thu, 01 Jan 2026 00:16:40 GMT" }, { status,
      headers["X-RateLimit-Resource-Limit"], headers["X-RateLimit-Resource-Remaining"],
      headers["X-RateLimit-Resource-Until"], headers.Date })
    chats()
    local answer
    status, headers, answer = chats()
    assert.same({ 420, "0", "Thu, 01 Jan 2026 01:00:00 GMT", "ENHANCE_YOUR_CALM" }, { status,
      headers["X-RateLimit-Resource-Remaining"], headers["X-RateLimit-Resource-Until"], answer.errors[1].code })
    assert.is_nil(headers["Retry-After"])
    local _, other, response = inside:yandex("GET", "chat?chatId=" .. chat_id())
    assert.same({ 200, "1000", "999" }, { other, response.headers["X-RateLimit-Resource-Limit"],
      response.headers["X-RateLimit-Resource-Remaining"] })
    inside.now = inside.box.options.now + 3600
    assert.equal(200, (chats()))
  end)

  it("keeps businesses apart", function()
    inside = support.inside { yandex_market = { limits = { hourly = { get_chats = 1 } }, businesses = {
      { business_id = support.business_id, api_key = support.api_key }, { business_id = 7, api_key = "dummy" } } } }
    assert.equal(200, (chats()))
    assert.equal(420, (chats()))
    assert.equal(200, select(2, inside:yandex("POST", "/v2/businesses/7/chats", {}, { ["api-key"] = "dummy" })))
  end)

  it("has no limits when told so, and need not tell them", function()
    start { hourly = { get_chats = 1 }, headers = false }
    local _, headers = chats()
    assert.is_nil(headers["X-RateLimit-Resource-Limit"])
    assert.equal(420, (chats()))
    start(false)
    for _ = 1, 3 do _, headers = chats() end
    assert.is_nil(headers["X-RateLimit-Resource-Limit"])
  end)

  it("lets four requests be under way at once", function()
    start({}, { latency = 1 })
    for _ = 1, 4 do assert.equal(200, (chats())) end
    local status, headers, answer = chats()
    assert.equal(420, status)
    assert.equal("4996", headers["X-RateLimit-Resource-Remaining"])
    assert.is_truthy(answer.errors[1].message:find("4 parallel requests for businessId 2200001", 1, true))
    inside.now = inside.now + 0.5
    assert.equal(420, (send()))
    inside.now = inside.now + 0.5
    for _ = 1, 4 do assert.equal(200, (chats())) end
    assert.equal(420, (chats()))
  end)

  it("counts a request that gets no answer as under way until the server gives up", function()
    start { at_once = 1 }
    inside.box:fault { kind = "hang", apply = true }
    send()
    inside.now = inside.now + 9
    assert.equal(420, (chats()))
    inside.now = inside.now + 1
    assert.equal(200, (chats()))
  end)

  it("counts an answer that drips as under way until it is whole", function()
    start { at_once = 1 }
    inside.box:fault { kind = "drip", seconds = 1 }
    local _, answer, response = send()
    assert.equal("OK", answer.status)
    inside.now = inside.now + #response.body - 2
    assert.equal(420, (chats()))
    inside.now = inside.now + 1
    assert.equal(200, (chats()))
  end)

  it("checks its options", function()
    for _, case in ipairs { { { at_once = 0 }, "at_once" }, { { hourly = { get_chat = 0 } }, "hourly.get_chat" },
      { { hourly = { get_chat_list = 1 } }, "get_chat_history" }, { { per_minute = 1 }, "per_minute" } } do
      local ok, problem = pcall(start, case[1])
      assert.is_false(ok)
      assert.is_truthy(problem:find(case[2], 1, true), problem)
    end
    for _, options in ipairs { { paging = "none" }, { order = "newest" }, { businesses = { { business_id = -1 } } },
      { businesses = { { business_id = 1 } }, orders = { { id = 1, business = 2 } } }, { chats = { { order_id = 1 } } },
      { businesses = { { business_id = 1 }, { business_id = 1 } } }, { chats = { { customer = "a", status = "OLD" } } },
      { chats = { { customer = "a", messages = { { from = "robot", text = "a" } } } } } } do
      assert.is_false(pcall(support.inside, { yandex_market = options }))
    end
  end)

  it("leaves out of its world what is about something that is not in it", function()
    start()
    assert.equal(4, #inside.box:state().yandex_market.chats)
    for _, given in ipairs { { orders = { { id = 1, business = support.business_id } } }, { businesses = { { business_id = 1 } } },
      { returns = { { id = 1, order_id = 41000002 } } } } do
      assert.equal("[]", json.encode(support.inside({ yandex_market = given }).box:state().yandex_market.chats))
    end
  end)

  describe("faults", function()
    before_each(function() start() end)

    it("strike the operations of one marketplace only", function()
      inside.box:fault { kind = "status", status = 423, operation = "yandex_market.get_chats" }
      assert.equal(200, select(2, inside:api("GET", "/messenger/v2/accounts/94235311/chats")))
      local status, _, answer = chats()
      assert.same({ 423, "ERROR", "LOCKED" }, { status, answer.status, answer.errors[1].code })
      inside.box:fault { kind = "status", status = 503, operation = "get_chats" }
      assert.equal(200, (chats()))
      inside.box:clear_faults()
      inside.box:fault { kind = "status", status = 503, account = support.business_id }
      assert.equal(200, select(2, inside:api("GET", "/messenger/v2/accounts/94235311/chats")))
      assert.equal(503, (chats()))
      local ok, problem = pcall(inside.box.fault, inside.box, { kind = "close", operation = "yandex_market.get_chat_s" })
      assert.is_false(ok)
      assert.is_truthy(problem:find("yandex_market.get_chats", 1, true))
    end)

    it("do what was asked, and drop the answer", function()
      inside.box:fault { kind = "apply_and_close", operation = "yandex_market.send_message" }
      local response = inside:send { method = "POST", path = ("/v2/businesses/%d/chats/message?chatId=%s"):format(
        support.business_id, chat_id()), body = '{"message":"да"}',
        headers = { ["api-key"] = support.api_key, ["content-type"] = "application/json" } }
      assert.equal("close", response.fault.kind)
      assert.equal(1, #inside.box:sends())
      local entry = inside.box:log { operation = "yandex_market.send_message" }[1]
      assert.same({ true, "apply_and_close", "yandex_market" }, { entry.applied, entry.fault, entry.marketplace })
    end)

    it("do what was asked, and answer wrongly", function()
      inside.box:fault { kind = "status", status = 500, apply = true }
      local status, answer = send()
      assert.same({ 500, "INTERNAL_SERVER_ERROR", 1 }, { status, answer.errors[1].code, #inside.box:sends() })
    end)

    it("end a key for a while", function()
      inside.box:fault { kind = "token_expired", times = 2 }
      assert.equal(403, (chats()))
      assert.equal(403, (chats()))
      assert.equal(200, (chats()))
    end)

    it("refuse a request too many, by the hour or at once", function()
      inside.box:fault { kind = "rate_limited", retry_after = 90 }
      local status, headers = chats()
      assert.same({ 420, "0", "Thu, 01 Jan 2026 00:01:30 GMT" }, { status, headers["X-RateLimit-Resource-Remaining"],
        headers["X-RateLimit-Resource-Until"] })
      inside.box:fault { kind = "rate_limited" }
      status, headers = chats()
      assert.same({ 420, "2500" }, { status, headers["X-RateLimit-Resource-Remaining"] })
      inside.box:fault { kind = "rate_limited", retry_after = "date" }
      assert.equal("Thu, 01 Jan 2026 00:00:02 GMT", select(2, chats())["X-RateLimit-Resource-Until"])
    end)
  end)
end)
