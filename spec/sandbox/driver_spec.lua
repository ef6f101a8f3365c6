local sandbox = require "avito_messenger.sandbox"
local json = require "avito_messenger.json"

local BASE = "https://api.avito.ru"
local FORM = "grant_type=client_credentials&client_id=dummy-client-id&client_secret=dummy-client-secret"

describe("the sandbox's driver", function()
  local box, driver, token

  local function start(options, given)
    box = sandbox(options)
    driver = box:driver(given)
    token = json.decode(driver:perform({ method = "POST", url = BASE .. "/token", body = FORM, timeout = 5,
      headers = { "Content-Type: application/x-www-form-urlencoded" } }).body).access_token
  end

  local function request(method, path, value, more)
    local all = { method = method, url = BASE .. path, timeout = 5, body = value and json.encode(value),
      headers = { "Authorization: Bearer " .. token, "Content-Type: application/json" } }
    for name, given in pairs(more or {}) do all[name] = given end
    return driver:perform(all)
  end

  local function send()
    return request("POST", "/messenger/v1/accounts/94235311/chats/" .. box.market.account_list[1].chats[1].id ..
      "/messages", { type = "text", message = { text = "да" } })
  end

  before_each(function() start() end)

  it("performs requests, and gives the head as it came", function()
    local response = request("GET", "/messenger/v2/accounts/94235311/chats")
    assert.equal(200, response.status)
    assert.is_truthy(response.head:find("^HTTP/1%.1 200 OK\r\n"))
    assert.is_truthy(response.head:find("\r\nContent-Type: application/json", 1, true))
    assert.equal("\r\n\r\n", response.head:sub(-4))
    assert.is_truthy(response.body:gsub("\\/", "/"):find(BASE .. "/files/images/", 1, true))
  end)

  it("has a clock that moves only when it is slept on or waited with", function()
    assert.equal(0, driver:now())
    assert.equal(box.options.now, driver:time())
    driver:sleep(90)
    assert.equal(90, driver:now())
    assert.equal(box.options.now + 90, driver:time())
    box:fault { kind = "latency", seconds = 2 }
    request("GET", "/core/v1/accounts/self")
    assert.equal(92, driver:now())
    driver:sleep(86400)
    assert.equal(403, request("GET", "/core/v1/accounts/self").status)
  end)

  it("reports faults as a transport does", function()
    for _, case in ipairs { { "close", "network", 0 }, { "apply_and_close", "network", 1 }, { "cut", "network", 1 },
      { "hang", "timeout", 0 }, { "drip", "timeout", 1 } } do
      start()
      box:fault { kind = case[1] }
      local response = send()
      assert.equal(case[2], response.error, case[1])
      assert.is_true(response.dispatched)
      assert.is_string(response.message)
      assert.is_nil(response.status)
      assert.equal(case[3], #box:sends(), case[1])
    end
    assert.equal(5, driver:now())
  end)

  it("times out when the answer is later than the caller waits, though it was done", function()
    box:fault { kind = "latency", seconds = 5.5 }
    local response = send()
    assert.equal("timeout", response.error)
    assert.equal(5, driver:now())
    assert.equal(1, #box:sends())
  end)

  it("keeps the caller's bounds", function()
    assert.equal("decode", request("GET", "/core/v1/accounts/self", nil, { max_bytes = 10 }).error)
    assert.equal("decode", request("GET", "/core/v1/accounts/self", nil, { max_head_bytes = 10 }).error)
    assert.equal(200, request("GET", "/core/v1/accounts/self", nil, { max_bytes = 10000 }).status)
  end)

  it("hands webhooks over when they fall due", function()
    local got = {}
    start({ webhooks = { delay = 2, retries = { 4 } } }, { webhook = function(delivery)
      got[#got + 1] = { at = driver:now(), body = delivery.body }
      return { status = #got == 2 and 500 or 200 }
    end })
    local response = request("POST", "/messenger/v3/webhook", { url = "https://example.com/hook" })
    assert.equal(200, response.status)
    assert.equal("{}", got[1].body)
    send()
    assert.equal(1, #got)
    driver:sleep(10)
    assert.equal(3, #got)
    assert.equal(2, got[2].at)
    assert.equal(6, got[3].at)
    assert.equal(10, driver:now())
  end)

  it("reports a webhook address that is refused", function()
    start(nil, { webhook = function() return { error = "timeout" } end })
    assert.equal(400, request("POST", "/messenger/v3/webhook", { url = "https://example.com/hook" }).status)
  end)

  it("is closed for good", function()
    driver:close()
    driver:close()
    local response = request("GET", "/core/v1/accounts/self")
    assert.equal("cancelled", response.error)
    assert.is_false(response.dispatched)
  end)

  it("knows its options", function()
    assert.has_error(function() box:driver { webhok = print } end)
  end)
end)
