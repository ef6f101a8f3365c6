local avito = require "avito_messenger"
local script = require "support.script"

local answer = script.answer

local function make(answers, options)
  local driver = script.driver(answers)
  local given = { access_token = "dummy", user_id = 7, base_url = "https://api.example", io = driver }
  for name, value in pairs(options or {}) do given[name] = value end
  return avito.client(given), driver
end

describe("a client", function()
  it("says so when it is closed", function()
    local client = make {}
    client:close()
    client:close()
    for _, name in ipairs { "get_chat", "get_self", "upload_image", "download_voice", "download_image", "request",
      "send_message" } do
      local value, err = client[name](client, "a", "b")
      assert.is_nil(value)
      assert.equal("cancelled", err.kind)
      assert.equal("the client is closed", err.message)
      assert.is_false(err.dispatched)
    end
    assert.equal("the client is closed", select(2, client:download_image({}, "b")).message)
    assert.has_error(function() client:chats()() end)
    assert.equal("avito_messenger.Client (closed)", tostring(client))
  end)

  it("closes the driver it made, and only that", function()
    local client, driver = make {}
    client:close()
    assert.is_nil(driver.closed)
    local made = script.driver {}
    client = avito.client { access_token = "dummy", io = { new = function() return made end } }
    client:close()
    assert.is_true(made.closed)
  end)

  it("names its marketplace", function()
    assert.equal("avito", (make {}).marketplace)
  end)

  it("names its account", function()
    assert.equal("avito_messenger.Client (user 7)", tostring((make {})))
    assert.equal("avito_messenger.Client (open)", tostring(avito.client { access_token = "dummy", io = script.driver {} }))
  end)

  it("passes proxy and ca_file to the driver", function()
    local got
    avito.client { access_token = "dummy", proxy = "http://127.0.0.1:1", ca_file = "ca.pem", io = {
      new = function(given) got = given return script.driver {} end } }
    assert.same({ proxy = "http://127.0.0.1:1", ca_file = "ca.pem" }, got)
  end)
end)

describe("on_event", function()
  it("sees requests, retries and refreshes with their timing", function()
    local events = {}
    local client = make({ answer(200, script.TOKEN), answer(503), answer(200, '{"id":"c1"}') }, {
      client_id = "dummy", client_secret = "dummy", on_event = function(event) events[#events + 1] = event end })
    client.session = nil
    client = avito.client { client_id = "dummy", client_secret = "dummy", user_id = 7, base_url = "https://api.example",
      io = client.driver, on_event = function(event) events[#events + 1] = event end }
    assert(client:get_chat("c1"))
    local types = {}
    for i, event in ipairs(events) do types[i] = event.type end
    assert.same({ "refresh", "request", "retry", "request" }, types)
    assert.same({ "token", 200, "POST" }, { events[1].purpose, events[1].status, events[1].method })
    assert.same({ 503, 1, "get_chat" }, { events[2].status, events[2].attempt, events[2].endpoint })
    assert.same({ 503, 1, "get_chat" }, { events[3].status, events[3].attempt, events[3].endpoint })
    assert.equal(2, events[4].attempt)
    for _, event in ipairs(events) do assert.is_true(event.seconds >= 0) end
  end)

  it("that raises does not make a sent message look unsent", function()
    local client = make({ answer(200, '{"id":"m1"}') }, { on_event = function() error("boom") end })
    local stderr = io.stderr
    local said = {}
    io.stderr = { write = function(_, ...) said[#said + 1] = table.concat { ... } end } -- luacheck: ignore
    local sent = client:send_message("c1", "да")
    io.stderr = stderr -- luacheck: ignore
    assert.equal("m1", sent.id)
    assert.truthy(said[1]:find("on_event raised: .*boom"))
  end)
end)

describe("authorize_url", function()
  it("is the page of the contract", function()
    assert.equal("https://avito.ru/oauth?response_type=code&pro_users_flow=true&client_id=dummy%20id"
      .. "&scope=messenger:read,messenger:write,user:read&state=a%26b", avito.authorize_url { client_id = "dummy id",
        state = "a&b" })
    assert.equal("http://127.0.0.1:1/oauth?response_type=code&pro_users_flow=true&client_id=x&scope=user:read",
      avito.authorize_url { client_id = "x", scope = { "user:read" }, url = "http://127.0.0.1:1/oauth" })
  end)

  it("refuses what it does not know", function()
    assert.has_error(function() avito.authorize_url { client = "x" } end)
    assert.has_error(function() avito.authorize_url {} end)
  end)
end)

describe("enums", function()
  it("name the API's values and nothing else", function()
    assert.equal("u2i", avito.ChatType.U2I)
    assert.equal("appCall", avito.MessageType.APP_CALL)
    assert.equal("in", avito.MessageDirection.IN)
    assert.equal(2, avito.BlacklistReason.FRAUD)
    assert.has_error(function() return avito.ChatType.X2Y end)
  end)
end)
