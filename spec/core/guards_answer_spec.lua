-- What becomes of a call: answers, failures and errors, one case on each side of each guard.

local script = require "support.script"

local answer, failure = script.answer, script.failure
local make, with_credentials, session, outcome = script.client, script.client_with_credentials, script.session, script.outcome
local CHAT = '{"id":"c1"}'
local TOKEN = answer(200, '{"access_token":"dummy-token-1","refresh_token":"dummy-refresh-1","expires_in":86400}')
local EXPIRED = answer(403, '{"result":{"message":"access token expired","status":false}}')

describe("a call that goes wrong", function()
  it("is not sent again by whoever caught what feeding it raised", function()
    for _, response in ipairs { { error = "odd", message = "x" }, { error = "network" }, { status = 200, head = "" }, {} } do
      local op = session { access_token = "dummy" }:operation("send_message", 0, "c", "да")
      assert.equal("send", (op:next(0)))
      assert.has_error(function() op:feed(0, 0, response) end)
      assert.has_error(function() op:next(0) end)
    end
  end)

  it("is not sent again when the driver does not say whether it may have been seen", function()
    local events = {}
    local client, driver = make({ { error = "timeout", message = "late" } },
      { on_event = function(event) events[#events + 1] = event end })
    local sent, err = client:send_message("c", "да")
    assert.is_nil(sent)
    assert.is_true(err.dispatched)
    assert.is_true(events[1].dispatched)
    assert.equal(1, #driver.requests)
  end)

  it("says whether its own request may have been seen, also when it ends for want of a token", function()
    local client = with_credentials({ failure("timeout", true), EXPIRED, answer(400, '{"error":"invalid_client"}') },
      { access_token = "dummy-token-0" })
    local _, err = client:delete_message("c", "m")
    assert.equal("auth", err.kind)
    assert.is_true(err.dispatched)
  end)

  it("has an error of its own where it waited for another's renewal", function()
    local shared = session()
    local first, second = shared:operation("get_chat", 0, "c"), shared:operation("send_message", 0, "c", "да")
    first:next(0)
    second:next(0)
    first:feed(0, 0, answer(401, '{"error":"invalid_client"}'))
    local _, err = second:next(0)
    assert.equal("send_message", err.endpoint)
    assert.truthy(tostring(err):find("send_message: auth (401): invalid_client", 1, true))
    _, err = first:next(0)
    assert.equal("get_chat", err.endpoint)
  end)

  it("shows no secret that the server repeats", function()
    for _, text in ipairs { "canary-secret", "canary-refresh" } do
      local client = with_credentials({ answer(400,
        ('{"error":"%s","error_description":"the token %s is spent"}'):format(text, text)) },
        { client_secret = "canary-secret", refresh_token = "canary-refresh" })
      local _, err = client:get_chat("c")
      assert.is_nil(err.message:find(text, 1, true))
      assert.is_nil(err.code:find(text, 1, true))
    end
    for _, body in ipairs { '{"message":"canary-token is wrong"}', "canary-token is wrong" } do
      local client = make({ answer(400, body) }, { access_token = "canary-token" })
      local _, err = client:get_chat("c")
      assert.is_nil((err.message .. (err.body or "")):find("canary", 1, true))
    end
  end)

  it("has no fields that hold a secret, however deep, or in a name", function()
    for fields, shown in pairs { ['{"url":"canary-token is wrong"}'] = false, ['{"a":{"b":[1,{"c":"canary-token"}]}}'] = false,
      ['{"a":[[{"canary-token":1}]],"b":"x"}'] = false, ['{"url":"is wrong","of":{"a":[1,true]}}'] = true,
      ['["canary-token"]'] = false, ['{}'] = true } do
      local body = '{"error":{"message":"bad","fields":' .. fields .. "}}"
      local client = make({ answer(400, body) }, { access_token = "canary-token" })
      local _, err = client:get_chat("c")
      assert.equal("bad", err.message)
      assert.equal(shown, err.fields ~= nil, fields)
    end
  end)

  it("as a download with options that are refused is an error like another", function()
    for _, options in ipairs { { timeout = 0 }, { retries = 11 }, { user_id = 0 }, { headers = { A = "\n" } } } do
      local step, err = session():download("https://cdn.example/v", 0, options):next(0)
      assert.equal("fail", step)
      assert.equal("invalid", err.kind)
    end
  end)
end)

describe("a request", function()
  it("is not mixed with one that an option of it makes: options are taken as they stand in their table", function()
    local client, driver = make { answer(200, '{"chats":[]}'), answer(200, ""), answer(200, '{"1.a":{}}') }
    local lazy = { __index = function() client:get_chat("inner") end }
    assert(client:get_chats(setmetatable({ unread_only = true }, lazy)))
    assert.equal("https://api.example/messenger/v2/accounts/7/chats?unread_only=true", driver.requests[1].url)
    assert(client:add_to_blacklist { setmetatable({ user_id = 1, context = setmetatable({ item_id = 2 }, lazy) }, lazy) })
    assert.equal('{"users":[{"user_id":1,"context":{"item_id":2}}]}', driver.requests[2].body)
    assert(client:upload_image(setmetatable({ data = "\255\216\255" }, lazy)))
    assert.equal(3, #driver.requests)
  end)

  it("counts its attempts from one, whatever it is for", function()
    local seen = {}
    local client = with_credentials({ TOKEN, answer(500), answer(200, '{"id":7}'), answer(200, CHAT) }, { user_id = false,
      on_event = function(event)
        if event.type ~= "retry" then seen[#seen + 1] = event.purpose .. event.attempt end
      end })
    assert(client:get_chat("c"))
    assert.same({ "token1", "self1", "self2", "call1" }, seen)
  end)
end)

describe("calls that are given up or fail for good", function()
  it("are not made again", function()
    for _, kind in ipairs { "decode", "cancelled" } do
      for _, dispatched in ipairs { true, false } do
        local client, driver = make { failure(kind, dispatched) }
        local _, err = client:get_chat("c")
        assert.equal(kind, err.kind)
        assert.equal(dispatched, err.dispatched)
        assert.equal(1, #driver.requests)
        client, driver = with_credentials { failure(kind, dispatched) }
        _, err = client:get_chat("c")
        assert.equal(kind, err.kind)
        assert.is_false(err.dispatched)
        assert.equal(1, #driver.requests)
      end
    end
  end)

  it("say whether they may have been seen", function()
    local shared = session()
    local op = shared:operation("send_message", 0, "c", "да")
    op:next(0)
    op:cancel()
    local _, err = op:next(0)
    assert.equal("cancelled", err.kind)
    assert.is_false(err.dispatched) -- it was the token's request that was under way
    op = session { access_token = "dummy" }:operation("send_message", 0, "c", "да")
    op:next(0)
    op:cancel("enough")
    op:cancel("more than enough")
    _, err = op:next(0)
    assert.equal("enough", err.message)
    assert.is_true(err.dispatched)
    op = session { access_token = "dummy" }:operation("send_message", 0, "c", "да")
    op:cancel()
    _, err = op:next(0)
    assert.is_false(err.dispatched)
  end)

  it("give back a lock that they may have got", function()
    local op = session({ has_store = true, has_lock = true }):operation("get_chat", 0, "c")
    assert.equal("lock", (op:next(0)))
    op:cancel()
    assert.equal("unlock", (op:next(0)))
    op:feed(0, 0)
    assert.equal("fail", (op:next(0)))
  end)

  it("stay what they were once they are over", function()
    local op = session { access_token = "dummy" }:operation("get_chat", 0, "c")
    op:next(0)
    op:feed(0, 0, answer(200, CHAT))
    op:cancel()
    for now = 0, 100, 50 do
      local step, chat = op:next(now)
      assert.equal("done", step)
      assert.equal("c1", chat.id)
    end
    assert.has_error(function() op:feed(0, 0, answer(200, CHAT)) end)
  end)
end)

describe("the retry quota", function()
  it("grows a little with each call", function()
    local client, driver = make(function() return answer(503) end)
    for _ = 1, 1000 do client:get_chat("c") end
    assert.is_true(#driver.requests > 1030, #driver.requests .. " requests")
  end)

  it("does not grow with answers that ask for less", function()
    local client, driver = make(function() return answer(429) end)
    for _ = 1, 1000 do client:get_chat("c") end
    assert.is_true(#driver.requests < 1100, #driver.requests .. " requests")
  end)

  it("lets a single retry be one", function()
    local client, driver = make({ answer(503), answer(503) }, { retries = 1 })
    assert.is_nil((client:get_chat("c")))
    assert.equal(2, #driver.requests)
  end)
end)

describe("an answer", function()
  it("with something else where the list should be is a decode error", function()
    for _, body in ipairs { '{"chats":"temporarily unavailable"}', '{"chats":5}', '{"x":"chats"}', '{"x":"chatsx:null"}',
      '{"chatsx":null}', '{"x":["chats",null]}',
      '{"chats":{"a":1}}', '{"Chats":null}', "{}" } do
      local chats, err = outcome(answer(200, body), "get_chats")
      assert.is_nil(chats, body)
      assert.equal("decode", err.kind)
    end
    for _, body in ipairs { '{"voices_urls":"no"}', '{"x":"voices_urls"}', "{}" } do
      local urls, err = outcome(answer(200, body), "get_voice_files", { "v" })
      assert.is_nil(urls, body)
      assert.equal("decode", err.kind)
    end
    assert.same({}, (outcome(answer(200, '{"x":"chats","chats" : null}'), "get_chats")))
    assert.same({}, (outcome(answer(200, '{"chats":{}}'), "get_chats")))
  end)
end)

describe("an error", function()
  local function of(status, body, options)
    local client, driver = make({ answer(status, body) }, options)
    local _, err = client:get_chat("c", { retries = 0 })
    return err, driver
  end

  it("has its kind from the status", function()
    for status, kind in pairs { [400] = "invalid", [401] = "auth", [402] = "payment_required", [403] = "forbidden",
      [404] = "not_found",
      [408] = "server", [409] = "invalid", [422] = "invalid", [429] = "rate_limited", [499] = "invalid", [500] = "server",
      [300] = "server", [399] = "server", [600] = "server", [199] = "server" } do
      assert.equal(kind, of(status, "").kind, status)
    end
  end)

  it("takes what it understands of the body, and keeps the rest", function()
    local default = "the server answered 400"
    local cases = {
      { '{"error":{"message":""}}', default, nil, true },
      { '{"error":{"message":5,"code":true,"fields":"x"}}', default, nil, true },
      { '{"error":{"code":5}}', default, 5, false },
      { '{"error":{"code":"five"}}', default, "five", false },
      { '{"error":{"code":""}}', default, nil, true },
      { '{"error":{"fields":{"a":"b"}}}', default, nil, false },
      { '{"error":""}', default, nil, true },
      { '{"error":"five","error_description":""}', "five", "five", false },
      { '{"error":"five","error_description":"why"}', "why", "five", false },
      { '{"error":{},"message":"why"}', "why", nil, false },
      { '{"error":{"code":5},"message":"why"}', default, 5, false },
      { '{"result":{"message":"why"}}', "why", nil, false },
      { '{"result":{"message":""}}', default, nil, true },
      { '{"result":"why"}', default, nil, true },
      { '{"message":5}', default, nil, true },
      { '"why"', default, nil, true },
      { "why", default, nil, true },
    }
    for _, case in ipairs(cases) do
      local err = of(400, case[1])
      assert.equal(case[2], err.message, case[1])
      assert.equal(case[3], err.code, case[1])
      assert.equal(case[4] and case[1] or nil, err.body, case[1])
    end
    assert.is_nil(of(400, "").body)
    assert.equal(4096, #of(400, ("x"):rep(4096)).body)
    assert.equal(4096, #of(400, ("x"):rep(4097)).body)
  end)

  it("of status 403 is about the token where it says so", function()
    local function requests(body)
      local client, driver = with_credentials({ answer(403, body), TOKEN, answer(200, CHAT) }, { access_token = "dummy-token-0" })
      client:get_chat("c")
      return #driver.requests
    end
    for _, body in ipairs { '{"message":"the Token has expired"}', '{"error":"TOKEN"}',
      '{"result":{"status":false,"message":"x"}}' } do
      assert.equal(3, requests(body), body)
    end
    for _, body in ipairs { '{"message":"no"}', '{"result":{"status":true,"message":"x"}}', '{"result":{"message":"x"}}',
      '{"result":{"status":0,"message":"x"}}', '{"result":{"status":false}}', '{"result":{"status":false,"message":""}}', "token",
      '{"message":"toke"}' } do
      assert.equal(1, requests(body), body)
    end
    local client, driver = with_credentials({ answer(400, EXPIRED.body) }, { access_token = "dummy-token-0" })
    client:get_chat("c")
    assert.equal(1, #driver.requests)
    assert.equal("forbidden", of(403, '{"message":"no token for you"}').kind)
    assert.equal("auth", of(403, '{"message":"the Access Token is bad"}').kind)
    assert.truthy(of(403, '{"message":"the Access Token is bad"}').hint:find("access_token"))
    assert.equal("invalid", of(400, '{"message":"the access token is bad"}').kind)
  end)

  it("has the hint of its status, and the time to wait where there is one", function()
    for status, word in pairs { [401] = "client_id", [402] = "tariff", [403] = "employee", [404] = "user_id", [429] = "time" } do
      assert.truthy(of(status, "").hint:find(word))
    end
    assert.is_nil(of(400, "").hint)
    assert.is_nil(of(429, "").retry_after)
  end)
end)

describe("a good answer", function()
  it("is a failure where it says so", function()
    for _, body in ipairs { '{"error":{}}', '{"error":"no"}', '{"ok":false}', '{"ok":false,"error":""}' } do
      local value, err = outcome(answer(200, body), "get_chat", "c")
      assert.is_nil(value, body)
      assert.equal("server", err.kind)
      assert.is_true(err.dispatched)
      assert.equal(200, err.status)
    end
    for _, body in ipairs { '{"error":""}', '{"error":5}', '{"error":null}', '{"ok":null}', '{"ok":0}', '{"ok":"false"}' } do
      assert(outcome(answer(200, body), "get_chat", "c"))
      assert.is_true(outcome(answer(204, body), "mark_chat_as_read", "c"))
    end
  end)

  it("of another shape is a decode error with the start of its body", function()
    for _, case in ipairs { { "get_chat", "c" }, { "get_chats" }, { "get_voice_files", { "v" } }, { "send_message", "c", "x" } } do
      for _, body in ipairs { "5", '"x"', "null", "true", "" } do
        local value, err = outcome(answer(200, body), case[1], case[2], case[3])
        assert.is_nil(value)
        assert.equal("decode", err.kind, case[1] .. body)
        assert.equal(body, err.body)
        assert.equal(200, err.status)
      end
    end
    for _, body in ipairs { "{}", '{"1":"x"}', "[{}]", '{"1":5}' } do
      local _, err = outcome(answer(200, body), "upload_image", { data = "\255\216\255" })
      assert.equal("decode", err.kind)
      assert.truthy(err.message:find("no image id with its sizes", 1, true))
    end
    for length, kept in pairs { [4096] = 4096, [4097] = 4096 } do
      local _, err = outcome(answer(200, ("x"):rep(length)), "get_chat", "c")
      assert.equal(kept, #err.body)
      assert.equal("the answer is not JSON: value expected at byte 1", err.message)
    end
    local _, err = outcome(answer(200, ""), "get_chat", "c")
    assert.equal("the answer is empty", err.message)
  end)

  it("to any request is what it is", function()
    local text = { ["Content-Type"] = "text/plain" }
    local vendor = { ["Content-Type"] = "application/vnd.x+JSON; charset=utf-8" }
    assert.equal("{}", (outcome(answer(200, "{}", text), "request", "GET", "/x")))
    assert.same({ a = 1 }, (outcome(answer(200, '{"a":1}', vendor), "request", "GET", "/x")))
    assert.equal(5, (outcome(answer(200, "5"), "request", "GET", "/x")))
    assert.is_true((outcome(answer(200, "", text), "request", "GET", "/x")))
    local value, err = outcome(answer(200, "x"), "request", "GET", "/x")
    assert.is_nil(value)
    assert.equal("decode", err.kind)
  end)

  it("is read as JSON whatever it is called, where JSON was promised", function()
    local chat = outcome(answer(200, CHAT, { ["Content-Type"] = "text/plain" }), "get_chat", "c")
    assert.same({ id = "c1" }, chat)
  end)

  it("may have its list bare, in an object, or with a meta that is none", function()
    for _, body in ipairs { '[{"id":"a"}]', ' \t\r\n[{"id":"a"}]', '{"chats":[{"id":"a"}]}', '{"chats":[{"id":"a"}],"meta":5}' } do
      local chats, meta = outcome(answer(200, body), "get_chats")
      assert.same({ { id = "a" } }, chats)
      assert.same({}, meta)
    end
  end)
end)

describe("looking the account up", function()
  it("takes an id that is one", function()
    for id, slot in pairs { ["1"] = "1", ['"42"'] = "42", ["9223372036854775807"] = "9223372036854775807" } do
      local client, driver = make({ answer(200, '{"id":' .. id .. "}"), answer(200, CHAT) }, { user_id = false })
      assert(client:get_chat("c"))
      assert.truthy(driver.requests[2].url:find("/accounts/" .. slot .. "/", 1, true))
    end
    for _, body in ipairs { "{}", '{"id":0}', '{"id":-1}', '{"id":1.5}', '{"id":"x"}', '{"id":true}', "[]", "5", "" } do
      local client, driver = make({ answer(200, body) }, { user_id = false })
      local _, err = client:send_message("c", "x")
      assert.equal("decode", err.kind, body)
      assert.truthy(body ~= "{}" or err.hint:find("user_id"))
      assert.is_false(err.dispatched)
      assert.equal(1, #driver.requests)
    end
  end)

  it("is repeated like a read, and renews the token like any call", function()
    local client, driver = with_credentials({ failure("timeout", true), answer(500), answer(401), TOKEN, answer(200, '{"id":5}'),
      answer(200, '{"id":"m"}') }, { user_id = false, access_token = "dummy-token-0" })
    assert(client:send_message("c", "x"))
    assert.equal(6, #driver.requests)
  end)
end)
