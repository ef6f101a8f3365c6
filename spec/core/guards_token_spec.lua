-- Tokens: one case on each side of each guard of their renewal.

local script = require "support.script"

local answer, failure, header = script.answer, script.failure, script.header
local make, with_credentials, session = script.client, script.client_with_credentials, script.session
local CHAT = '{"id":"c1"}'
local TOKEN = answer(200, '{"access_token":"dummy-token-1","refresh_token":"dummy-refresh-1","expires_in":86400}')
local EXPIRED = answer(403, '{"result":{"message":"access token expired","status":false}}')

describe("a token that still works", function()
  local function aged(answers, options)
    local client, driver = with_credentials(answers, options)
    assert(client:get_chat("c"))
    driver.clock = driver.clock + 86400 - 200
    return client, driver
  end

  it("is used while another process holds the lock of the store", function()
    local busy = false
    local store = { load = function() end, save = function() return true end }
    function store.lock() return not busy and { unlock = function() end } end
    local client, driver = aged({ TOKEN, answer(200, CHAT), answer(200, CHAT) }, { token_store = store })
    busy = true
    assert(client:get_chat("c"))
    assert.same({}, driver.waits)
  end)

  it("is used when the renewal ahead of time hangs, or cannot be read", function()
    local never = answer(200, "")
    never.takes = 1e6
    for _, third in ipairs { never, failure("network", false), failure("decode", true), answer(503), answer(404) } do
      local client, driver = aged { TOKEN, answer(200, CHAT), third, answer(200, CHAT) }
      assert(client:get_chat("c"))
      assert.equal("Bearer dummy-token-1", header(driver.requests[4], "Authorization"))
      assert.same({}, driver.waits)
    end
  end)
end)

describe("new tokens", function()
  it("are saved, and the lock is given back, though the deadline has passed", function()
    local op = session({ has_store = true, has_lock = true, refresh_token = "dummy" }):operation("get_chat", 0, "c",
      { timeout = 5 })
    assert.equal("lock", (op:next(0)))
    op:feed(0, 0, true)
    assert.equal("load", (op:next(0)))
    op:feed(0, 0, nil)
    assert.equal("send", (op:next(0)))
    op:feed(5, 5, TOKEN)
    local step, tokens = op:next(5)
    assert.equal("save", step)
    assert.equal("dummy-refresh-1", tokens.refresh_token)
    op:feed(5, 5, true)
    assert.equal("unlock", (op:next(5)))
    op:feed(5, 5)
    local _, err = op:next(5)
    assert.equal("timeout", err.kind)
  end)

  it("can be asked for again after a refusal that is not about the grant", function()
    local client, driver = with_credentials({ answer(403, "<html>"), TOKEN, answer(200, CHAT) },
      { refresh_token = "dummy-refresh" })
    local _, err = client:get_chat("c")
    assert.equal("auth", err.kind)
    assert(client:get_chat("c"))
    assert.truthy(driver.requests[2].body:find("refresh_token=dummy-refresh", 1, true))
  end)
end)

describe("a token that has expired", function()
  it("is not used on when it cannot be renewed", function()
    for _, expired in ipairs { 86400, 86401 } do
      local client, driver = with_credentials({ TOKEN, answer(200, CHAT), answer(503) }, { retries = 0 })
      assert(client:get_chat("c"))
      driver.clock = 1000.01 + expired
      local _, err = client:get_chat("c")
      assert.equal("server", err.kind)
      assert.equal(3, #driver.requests)
    end
  end)

  it("is not one whose life the server did not tell", function()
    for _, life in ipairs { "", ',"expires_in":0', ',"expires_in":-5', ',"expires_in":"soon"', ',"expires_in":1e12',
      ',"expires_in":null',
      ',"expires_in":[]' } do
      local client, driver = with_credentials { answer(200, '{"access_token":"dummy-token-1"' .. life .. "}"), answer(200, CHAT),
        answer(200, CHAT) }
      assert(client:get_chat("c"))
      driver.clock = driver.clock + 1e9
      assert(client:get_chat("c"))
      assert.equal(3, #driver.requests)
    end
  end)

  it("may have had a life in a string", function()
    local client, driver = with_credentials { answer(200, '{"access_token":"dummy-token-1","expires_in":"100"}'), answer(200,
      CHAT), TOKEN,
      answer(200, CHAT) }
    assert(client:get_chat("c"))
    driver.clock = driver.clock + 91
    assert(client:get_chat("c"))
    assert.equal("token", driver.requests[3].purpose)
  end)
end)

describe("an answer to a token request", function()
  it("gives no token where its status is not a good one, or it is no object", function()
    for _, first in ipairs { answer(302, TOKEN.body), answer(500, TOKEN.body), answer(199, TOKEN.body), answer(200, "5"),
      answer(200, "[]"), answer(200, '{"access_token":5}'), answer(200, '{"access_token":""}'),
      answer(200, ('{"access_token":"%s"}'):format(("x"):rep(16385))) } do
      local client, driver = with_credentials({ first }, { retries = 0 })
      local chat, err = client:get_chat("c")
      assert.is_nil(chat)
      assert.truthy(err.kind == "server" or err.kind == "decode", err.kind)
      assert.equal(1, #driver.requests)
    end
  end)
end)

describe("a store", function()
  local function store(more)
    local made = { calls = {} }
    for _, name in ipairs { "load", "save", "lock" } do
      made[name] = function(...)
        made.calls[#made.calls + 1] = name
        if more[name] then return more[name](...) end
        if name == "save" then return true end
        if name == "lock" then return { unlock = function() made.calls[#made.calls + 1] = "unlock" end } end
      end
    end
    return made
  end

  it("that cannot be locked is an error at once", function()
    local client, driver = with_credentials({}, { token_store = store { lock = function() return nil, "no such place" end } })
    local _, err = client:get_chat("c")
    assert.equal("the token store could not be locked: no such place", err.message)
    assert.same({}, driver.waits)
  end)

  it("may say more than its tokens", function()
    local client, driver = with_credentials({ answer(200, CHAT) },
      { token_store = store { load = function() return { access_token = "dummy-stored" }, "from a file" end } })
    assert(client:get_chat("c"))
    assert.equal("Bearer dummy-stored", header(driver.requests[1], "Authorization"))
  end)

  it("must load a table or nil", function()
    for _, value in ipairs { "x", 5, false } do
      local _, err = with_credentials({}, { token_store = store { load = function() return value end } }):get_chat("c")
      assert.equal("the token store's load must return a table or nil, got " .. type(value), err.message)
    end
  end)

  it("may hold a token whose end is not known, or far, or near, or past", function()
    for expires, requests in pairs { [1700001000 + 400] = 1, [1700001000 + 100] = 1, [1700001000] = 2, [1700000000] = 2, [0] = 2,
      [1e300] = 1 } do
      local client, driver = with_credentials({ TOKEN, answer(200, CHAT) },
        { token_store = store { load = function() return { access_token = "dummy-stored", expires_at = expires } end } })
      if requests == 1 then driver.answers = { answer(200, CHAT) } end
      assert(client:get_chat("c"))
      assert.equal(requests, #driver.requests, expires)
    end
  end)

  it("gets what it could not save once more, under its lock and without being read", function()
    local full = true
    local tokens = store { save = function() return not full or nil, "disk full" end }
    local client, driver = with_credentials({ TOKEN, answer(200, CHAT) }, { token_store = tokens,
      refresh_token = "dummy-refresh-0" })
    assert.is_nil((client:get_chat("c")))
    assert.same({ "lock", "load", "save", "unlock" }, tokens.calls)
    tokens.calls, full = {}, false
    assert(client:get_chat("c"))
    assert.same({ "lock", "save", "unlock" }, tokens.calls)
    assert.equal(2, #driver.requests)
    tokens.lock = nil
  end)

  it("that has not got a new refresh token yet is waited for while another process has its lock", function()
    local full, busy = true, 0
    local tokens = store { save = function() return not full or nil, "disk full" end, lock = function()
      busy = busy - 1
      return busy < 0 and { unlock = function() end }
    end }
    local client, driver = with_credentials({ TOKEN, answer(200, CHAT) }, { token_store = tokens,
      refresh_token = "dummy-refresh-0" })
    assert.is_nil((client:get_chat("c")))
    full, busy, tokens.calls = false, 2, {}
    assert(client:get_chat("c"))
    assert.same({ "lock", "lock", "lock", "save" }, tokens.calls)
    assert.equal(2, #driver.waits)
  end)

  it("gives its lock back before anything is sent, also where it had no newer token", function()
    local tokens = store { load = function() return { access_token = "dummy-stored", expires_at = 1700001000 + 100 } end }
    local client, driver = make(function()
      tokens.calls[#tokens.calls + 1] = "send"
      return #tokens.calls == 1 and answer(401) or answer(200, CHAT)
    end, { token_store = tokens })
    assert(client:get_chat("c"))
    assert.same({ "send", "lock", "load", "unlock", "send" }, tokens.calls)
    tokens.calls = { "again" }
    driver.clock = driver.clock + 95
    assert(client:get_chat("c"))
    assert.same({ "again", "lock", "load", "unlock", "send" }, tokens.calls)
  end)

  it("keeps the scope where the server does not repeat it", function()
    local saved
    local tokens = store { load = function() return { refresh_token = "dummy-old", scope = "messenger:read" } end,
      save = function(new) saved = new return true end }
    assert(with_credentials({ TOKEN, answer(200, CHAT) }, { token_store = tokens }):get_chat("c"))
    assert.equal("messenger:read", saved.scope)
  end)

  it("without a lock gets it once more too", function()
    local full = true
    local tokens = store { save = function() return not full or nil, "disk full" end }
    tokens.lock = nil
    local client = with_credentials({ TOKEN, answer(200, CHAT) }, { token_store = tokens, refresh_token = "dummy-refresh-0" })
    assert.is_nil((client:get_chat("c")))
    tokens.calls, full = {}, false
    assert(client:get_chat("c"))
    assert.same({ "save" }, tokens.calls)
  end)
end)

describe("calls that share a session", function()
  it("take a renewal over once its own call must have ended", function()
    local shared = session()
    local first = shared:operation("get_chat", 0, "a", { timeout = 5 })
    first:next(0)
    local second = shared:operation("get_chat", 0, "b", { timeout = 50 })
    assert.equal("wait", (second:next(5.9)))
    assert.equal("send", (second:next(6)))
    assert.equal("send", (shared:operation("get_chat", 0, "d"):next(0) == "wait" and "send"))
    first:feed(6, 6, answer(401))
    assert.equal("wait", (shared:operation("get_chat", 6, "c"):next(6))) -- the second one's renewal goes on
  end)

  it("do not take a later failure of another for the one they waited for", function()
    local shared = session()
    local first, second = shared:operation("get_chat", 0, "a"), shared:operation("get_chat", 0, "b")
    first:next(0)
    assert.equal("wait", (second:next(0)))
    first:feed(0, 0, answer(200, '{"access_token":"dummy-token-1"}'))
    assert.equal("send", (first:next(0)))
    local _, request = second:next(0)
    assert.equal("call", request.purpose)
    first:feed(0, 0, EXPIRED)
    assert.equal("send", (first:next(0)))
    first:feed(0, 0, answer(401, '{"error":"invalid_client"}'))
    assert.equal("fail", (first:next(0)))
    second:feed(0, 0, EXPIRED)
    local step, again = second:next(0)
    assert.equal("send", step)
    assert.equal("token", again.purpose)
  end)

  it("wait for a renewal however often the collector runs", function()
    local shared = session()
    local first = shared:operation("get_chat", 0, "a")
    assert.equal("send", (first:next(0)))
    for _ = 1, 3 do
      collectgarbage()
      assert.equal("wait", (shared:operation("get_chat", 0, "b"):next(0)))
    end
    first:feed(0, 0, TOKEN)
    assert.equal("send", (first:next(0)))
  end)

  it("wait for a renewal though one before it failed", function()
    local shared = session()
    local first = shared:operation("get_chat", 0, "a")
    first:next(0)
    first:feed(0, 0, answer(401))
    assert.equal("fail", (first:next(0)))
    assert.equal("send", (shared:operation("get_chat", 0, "b"):next(0)))
    local third = shared:operation("get_chat", 0, "c")
    assert.equal("wait", (third:next(0)))
    assert.equal("wait", (third:next(0.02)))
  end)

  it("have waits that no other session has", function()
    local function wait(seed)
      local op = session { access_token = "dummy", seed = seed }:operation("get_chat", 0, "a")
      op:next(0)
      op:feed(0, 0, answer(503))
      local _, seconds = op:next(0)
      return seconds
    end
    assert.equal(wait "a", wait "a")
    local seen = {}
    for i = 1, 100 do
      local seconds = wait(tostring(i))
      assert.is_nil(seen[seconds])
      seen[seconds] = true
    end
  end)
end)

describe("a grant", function()
  it("that was a code is not shown again, though no refresh token came of it", function()
    local client, driver = with_credentials({ answer(200, '{"access_token":"dummy-token-1","expires_in":100}'), answer(200, CHAT) },
      { code = "dummy-code" })
    assert(client:get_chat("c"))
    driver.clock = driver.clock + 100
    local _, err = client:get_chat("c")
    assert.equal("auth", err.kind)
    assert.truthy(err.message:find("neither the refresh token nor the code"))
    assert.equal(2, #driver.requests)
  end)

  it("that was refused as the stored one is not shown again as the given one", function()
    local client, driver = with_credentials({ answer(400, '{"error":"invalid_grant"}') }, { refresh_token = "dummy-refresh",
      token_store = { load = function() return { refresh_token = "dummy-refresh" } end, save = function() return true end } })
    local _, err = client:get_chat("c")
    assert.equal("invalid_grant", err.code)
    assert.equal(1, #driver.requests)
  end)

  it("is chosen anew for each renewal, also within one call", function()
    local client, driver = with_credentials({ TOKEN, EXPIRED, TOKEN, answer(200, CHAT) }, { code = "dummy-code" })
    assert(client:get_chat("c"))
    assert.truthy(driver.requests[1].body:find("grant_type=authorization_code&", 1, true))
    assert.truthy(driver.requests[3].body:find("grant_type=refresh_token&refresh_token=dummy-refresh-1&", 1, true))
  end)

  it("that was refused gives way to the code", function()
    local client, driver = with_credentials({ answer(400, '{"error":"invalid_grant"}'), TOKEN, answer(200, CHAT) },
      { refresh_token = "dummy-refresh", code = "dummy-code" })
    assert(client:get_chat("c"))
    assert.truthy(driver.requests[2].body:find("grant_type=authorization_code&code=dummy-code&", 1, true))
  end)

  it("that is not rotated is stored as it was given", function()
    local saved
    local client = with_credentials({ answer(200, '{"access_token":"dummy-token-1"}'), answer(200, CHAT) },
      { refresh_token = "dummy-refresh",
        token_store = { load = function() end, save = function(tokens) saved = tokens return true end } })
    assert(client:get_chat("c"))
    assert.equal("dummy-refresh", saved.refresh_token)
    assert.is_nil(saved.expires_at)
  end)

  it("is shown again after answers that may pass", function()
    for _, status in ipairs { 302, 408, 429, 500 } do
      local client, driver = with_credentials({ answer(status, '{"error":"odd"}'), TOKEN, answer(200, CHAT) },
        { refresh_token = "dummy-refresh", retries = 0 })
      assert.is_nil((client:get_chat("c")))
      assert(client:get_chat("c"))
      assert.truthy(driver.requests[2].body:find("refresh_token=dummy-refresh&", 1, true))
    end
  end)

  it("that the server itself gave is not shown when it repeats it", function()
    local client = with_credentials({ answer(200, '{"access_token":"dummy-token-1","refresh_token":"canary-refresh"}'), EXPIRED,
      answer(400, '{"error":"invalid_grant","error_description":"canary-refresh is spent"}') }, { code = "dummy-code" })
    local _, err = client:get_chat("c")
    assert.equal("invalid_grant", err.code)
    assert.is_nil(tostring(err):find("canary", 1, true))
  end)

  it("that was refused in any of the ways servers do it is not shown again", function()
    for _, refusal in ipairs { answer(400, ""), answer(401, "{}"), answer(200, '{"error":{"code":5}}'),
      answer(403, '{"error":"invalid_grant"}') } do
      for _, given in ipairs { { refresh_token = "dummy-refresh" }, { code = "dummy-code" } } do
        local client, driver = with_credentials({ refusal }, given)
        for _ = 1, 2 do
          local _, err = client:get_chat("c")
          assert.equal("auth", err.kind)
        end
        assert.equal(1, #driver.requests)
      end
    end
  end)

  it("is written in a form", function()
    local client, driver = with_credentials({ TOKEN, answer(200, CHAT) }, { client_secret = "a&b=c d+ы" })
    assert(client:get_chat("c"))
    assert.equal("grant_type=client_credentials&client_id=dummy-id&client_secret=a%26b%3Dc%20d%2B%D1%8B", driver.requests[1].body)
  end)
end)

describe("a refused token", function()
  it("is not renewed for a download, which has none", function()
    local op = session():download("https://cdn.example/v", 0)
    op:next(0)
    op:feed(0, 0, answer(401))
    local step, err = op:next(0)
    assert.equal("fail", step)
    assert.equal(401, err.status)
  end)

  it("gives way to one that another call has got meanwhile, though no more can be had", function()
    local shared = session { access_token = "dummy-token-0", code = "dummy-code" }
    local first, second = shared:operation("get_chat", 0, "a"), shared:operation("get_chat", 0, "b")
    first:next(0)
    second:next(0)
    first:feed(0, 0, answer(401))
    local _, request = first:next(0)
    assert.equal("token", request.purpose)
    first:feed(0, 0, answer(200, '{"access_token":"dummy-token-1"}'))
    assert.equal("send", (first:next(0)))
    second:feed(0, 0, answer(401))
    _, request = second:next(0)
    assert.equal("Bearer dummy-token-1", header(request, "Authorization"))
  end)
end)

describe("an access token alone", function()
  it("that is refused once more says what to pass", function()
    local _, err = make({ answer(401), answer(401) }, { token_store = { load = function() end,
      save = function() return true end } })
      :get_chat("c")
    assert.equal("the access token is no longer accepted", err.message)
    assert.truthy(err.hint:find("client_id and client_secret"))
  end)
end)
