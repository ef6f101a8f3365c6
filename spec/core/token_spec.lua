local avito = require "avito_messenger"
local script = require "support.script"

local answer, failure, header = script.answer, script.failure, script.header
local CHAT = '{"id":"c1"}'
local EXPIRED = '{"result":{"message":"access token expired","status":false}}'

local function token(number, more)
  return answer(200, ('{"access_token":"dummy-token-%d","token_type":"Bearer"%s}'):format(number,
    more or ',"expires_in":86400'))
end

local function make(answers, options)
  local driver = script.driver(answers)
  local given = {
    base_url = "https://api.example", client_id = "dummy id", client_secret = "dummy-secret", user_id = 7, io = driver,
  }
  for name, value in pairs(options or {}) do given[name] = value or nil end
  return avito.client(given), driver
end

--- A store in memory that records what it was asked.
local function memory_store(tokens)
  local store = { calls = {}, tokens = tokens }
  function store.load()
    store.calls[#store.calls + 1] = "load"
    return store.tokens
  end
  function store.save(new)
    store.calls[#store.calls + 1] = "save"
    store.tokens = new
    return true
  end
  return store
end

local function locking(store)
  function store.lock()
    store.calls[#store.calls + 1] = "lock"
    if store.busy and store.busy > 0 then
      store.busy = store.busy - 1
      return false
    end
    return { unlock = function() store.calls[#store.calls + 1] = "unlock" end }
  end
  return store
end

describe("a token", function()
  it("is asked for with the credentials, once", function()
    local client, driver = make { token(1), answer(200, CHAT), answer(200, CHAT) }
    assert(client:get_chat("c1"))
    assert(client:get_chat("c1"))
    local request = driver.requests[1]
    assert.equal("POST", request.method)
    assert.equal("https://api.example/token", request.url)
    assert.equal("grant_type=client_credentials&client_id=dummy%20id&client_secret=dummy-secret", request.body)
    assert.equal("application/x-www-form-urlencoded", header(request, "Content-Type"))
    assert.is_nil(header(request, "Authorization"))
    assert.equal("token", request.purpose)
    assert.equal("Bearer dummy-token-1", header(driver.requests[2], "Authorization"))
    assert.equal(3, #driver.requests)
  end)

  it("is renewed ahead of its expiry", function()
    local client, driver = make { token(1), answer(200, CHAT), token(2), answer(200, CHAT) }
    assert(client:get_chat("c1"))
    driver.clock = driver.clock + 86400 - 299
    assert(client:get_chat("c1"))
    assert.equal("Bearer dummy-token-2", header(driver.requests[4], "Authorization"))
  end)

  it("is used on while it works and cannot be renewed", function()
    local client, driver = make({ token(1), answer(200, CHAT), answer(500), answer(200, CHAT), answer(200, CHAT) }, { retries = 0 })
    assert(client:get_chat("c1"))
    driver.clock = driver.clock + 86400 - 299
    assert(client:get_chat("c1"))
    assert(client:get_chat("c1")) -- and does not try again at once
    assert.equal("Bearer dummy-token-1", header(driver.requests[5], "Authorization"))
  end)

  it("does not age or revive when the wall clock jumps", function()
    local client, driver = make { token(1), answer(200, CHAT), answer(200, CHAT), token(2), answer(200, CHAT) }
    assert(client:get_chat("c1"))
    driver.unix = driver.unix + 200000
    assert(client:get_chat("c1"))
    driver.unix = driver.unix - 400000
    driver.clock = driver.clock + 86400
    assert(client:get_chat("c1"))
    assert.equal(5, #driver.requests)
  end)

  for status, body in pairs { [401] = "", [403] = EXPIRED } do
    it("that is refused with " .. status .. " is renewed once", function()
      local client, driver = make { token(1), answer(status, body), token(2), answer(200, CHAT) }
      assert(client:send_message("c1", "да"))
      assert.equal("Bearer dummy-token-2", header(driver.requests[4], "Authorization"))
      assert.same({}, driver.waits)
    end)

    it("that is refused with " .. status .. " again and again is an error, not a loop", function()
      local client, driver = make { token(1), answer(status, body), token(2), answer(status, body) }
      local _, err = client:get_chat("c1")
      assert.equal("auth", err.kind)
      assert.equal(4, #driver.requests)
    end)
  end

  it("is renewed for any 403 in the shape of a token error", function()
    local client = make { token(1), answer(403, '{"result":{"message":"нет доступа","status":false}}'), token(2),
      answer(200, CHAT) }
    assert(client:get_chat("c1"))
  end)

  it("is not renewed for a 403 that is about the chat", function()
    local client, driver = make { token(1), answer(403, '{"error":{"code":403,"message":"Forbidden"}}') }
    local _, err = client:get_chat("c1")
    assert.equal("forbidden", err.kind)
    assert.equal(2, #driver.requests)
  end)

  it("given alone cannot be renewed, and the error says what to do", function()
    local client = make({ answer(401) }, { client_id = false, client_secret = false, access_token = "dummy" })
    local _, err = client:get_chat("c1")
    assert.equal("auth", err.kind)
    assert.truthy(err.hint:find("access_token"))
  end)

  it("given with credentials is used first and renewed later", function()
    local client, driver = make({ answer(401), token(1), answer(200, CHAT) }, { access_token = "dummy-token-0" })
    assert(client:get_chat("c1"))
    assert.equal("Bearer dummy-token-0", header(driver.requests[1], "Authorization"))
  end)
end)

describe("looking the account up", function()
  it("says which scope it needs", function()
    local client = make({ token(1), answer(403, '{"error":{"code":403,"message":"the token has no scope user:read"}}'), token(2),
      answer(403, '{"error":{"code":403,"message":"the token has no scope user:read"}}') }, { user_id = false })
    local _, err = client:send_message("c1", "да")
    assert.equal("forbidden", err.kind)
    assert.is_false(err.dispatched)
    assert.truthy(err.hint:find("user:read.*user_id"))
  end)
end)

describe("a token request", function()
  it("is repeated after failures that pass", function()
    for _, first in ipairs { failure("network", false), failure("network", true), answer(503), answer(429),
      answer(200, "<html>") } do
      local client, driver = make { first, token(1), answer(200, CHAT) }
      assert(client:send_message("c1", "да"))
      assert.equal(1, #driver.waits)
    end
  end)

  for _, refusal in ipairs { answer(401, '{"error":"invalid_client"}'), answer(400, '{"error":{"code":400,"message":"no"}}'),
    answer(200, '{"error":"invalid_client","error_description":"wrong secret"}'), answer(403) } do
    it("that is refused is an error of kind auth: " .. refusal.status .. " " .. refusal.body, function()
      local client, driver = make { refusal }
      local _, err = client:get_chat("c1")
      assert.equal("auth", err.kind)
      assert.is_false(err.dispatched)
      assert.truthy(err.hint:find("client_secret"))
      assert.equal(1, #driver.requests)
    end)
  end

  it("may find the account without a tariff", function()
    local client = make { answer(402) }
    local _, err = client:get_chat("c1")
    assert.equal("payment_required", err.kind)
  end)

  it("with an unreadable answer is an error without its body", function()
    local client = make({ answer(200, '{"data":{"access_token":"dummy-token-1"}}') }, { retries = 0 })
    local _, err = client:get_chat("c1")
    assert.equal("decode", err.kind)
    assert.is_nil(err.body)
  end)

  it("never takes a token that would break a header", function()
    local client = make({ answer(200, '{"access_token":"a\\r\\nX: y"}') }, { retries = 0 })
    local _, err = client:get_chat("c1")
    assert.equal("decode", err.kind)
  end)
end)

describe("another seller's account", function()
  it("is reached with a code, then with the refresh token it gave", function()
    local store = memory_store()
    local client, driver = make({
      token(1, ',"expires_in":86400,"refresh_token":"dummy-refresh-1","scope":"messenger:read"'), answer(200, CHAT),
      answer(403, EXPIRED), token(2, ',"expires_in":86400,"refresh_token":"dummy-refresh-2"'), answer(200, CHAT),
      answer(403, EXPIRED), token(3, ',"expires_in":86400'), answer(200, CHAT),
      answer(403, EXPIRED), token(4), answer(200, CHAT),
    }, { code = "dummy code", token_store = store })
    assert(client:get_chat("c1"))
    assert.equal("grant_type=authorization_code&code=dummy%20code&client_id=dummy%20id&client_secret=dummy-secret",
      driver.requests[1].body)
    assert.same({ access_token = "dummy-token-1", refresh_token = "dummy-refresh-1", scope = "messenger:read",
      expires_at = store.tokens.expires_at }, store.tokens)
    assert.is_true(math.abs(store.tokens.expires_at - (driver:time() + 86400)) < 2)
    assert(client:get_chat("c1"))
    assert.truthy(driver.requests[4].body:find("grant_type=refresh_token&refresh_token=dummy%-refresh%-1&"))
    assert.equal("dummy-refresh-2", store.tokens.refresh_token)
    assert(client:get_chat("c1"))
    assert.equal("dummy-refresh-2", store.tokens.refresh_token) -- not rotated: kept
    assert(client:get_chat("c1"))
    assert.truthy(driver.requests[10].body:find("refresh_token=dummy%-refresh%-2&"))
  end)

  it("is never asked for with the credentials alone", function()
    local client, driver = make({ answer(400, '{"error":"invalid_grant"}') }, { refresh_token = "dummy-refresh" })
    local _, err = client:get_chat("c1")
    assert.equal("auth", err.kind)
    assert.equal("invalid_grant", err.code)
    assert.truthy(err.hint:find("authorize again"))
    _, err = client:get_chat("c1")
    assert.equal("auth", err.kind)
    assert.equal(1, #driver.requests) -- a spent refresh token is not shown to the server again
  end)

  it("falls back from a stored refresh token that is refused to the one given", function()
    local store = memory_store { refresh_token = "dummy-old" }
    local client, driver = make({ answer(400, '{"error":"invalid_grant"}'), token(1, ',"refresh_token":"dummy-new"'),
      answer(200, CHAT) },
      { refresh_token = "dummy-given", token_store = store })
    assert(client:get_chat("c1"))
    assert.truthy(driver.requests[1].body:find("refresh_token=dummy-old", 1, true))
    assert.truthy(driver.requests[2].body:find("refresh_token=dummy-given", 1, true))
    assert.equal("dummy-new", store.tokens.refresh_token)
  end)
end)

describe("a token store", function()
  it("is read before a token is asked for, and spares the request", function()
    local store = memory_store { access_token = "dummy-stored", expires_at = 1700001000 + 5000 }
    local client, driver = make({ answer(200, CHAT), token(2), answer(200, CHAT) }, { token_store = store })
    assert(client:get_chat("c1"))
    assert.equal("Bearer dummy-stored", header(driver.requests[1], "Authorization"))
    driver.clock = driver.clock + 5001
    assert(client:get_chat("c1"))
    assert.same({ "load", "load", "save" }, store.calls)
  end)

  it("holds nothing of use when the token in it has expired", function()
    local store = memory_store { access_token = "dummy-stored", expires_at = 1700000999 }
    local client, driver = make({ token(1), answer(200, CHAT) }, { token_store = store })
    assert(client:get_chat("c1"))
    assert.equal("Bearer dummy-token-1", header(driver.requests[2], "Authorization"))
  end)

  it("is asked again when the server refuses a token: another process may have renewed it", function()
    local store = memory_store { access_token = "dummy-stored", refresh_token = "dummy-refresh" }
    local client, driver = make({ answer(403, EXPIRED), answer(200, CHAT) }, { token_store = store })
    local load = store.load
    function store.load()
      local tokens = load()
      store.tokens = { access_token = "dummy-of-another-process", refresh_token = "dummy-refresh-2" }
      return tokens
    end
    assert(client:get_chat("c1"))
    assert.equal("Bearer dummy-of-another-process", header(driver.requests[2], "Authorization"))
    assert.equal(2, #driver.requests)
  end)

  it("is locked around a renewal, and waited for", function()
    local store = locking(memory_store())
    store.busy = 3
    local client, driver = make({ token(1), answer(200, CHAT) }, { token_store = store })
    assert(client:get_chat("c1"))
    assert.same({ "lock", "lock", "lock", "lock", "load", "save", "unlock" }, store.calls)
    assert.equal(3, #driver.waits)
  end)

  it("is unlocked whatever happens", function()
    for _, answers in ipairs { { answer(401) }, { answer(500) } } do
      local store = locking(memory_store())
      local client = make(answers, { token_store = store, retries = 0 })
      assert.is_nil((client:get_chat("c1")))
      assert.equal("unlock", store.calls[#store.calls])
    end
  end)

  it("that stays locked costs no more than the deadline", function()
    local store = locking(memory_store())
    store.busy = math.huge
    local client, driver = make({}, { token_store = store, timeout = 1 })
    local start = driver.clock
    local _, err = client:get_chat("c1")
    assert.equal("timeout", err.kind)
    assert.is_true(driver.clock - start <= 1.01)
  end)

  it("that cannot be read is an error, and is left as it is", function()
    local store = memory_store()
    function store.load() return nil, "tokens.json: Permission denied" end
    local client, driver = make({}, { token_store = store })
    local _, err = client:get_chat("c1")
    assert.equal("auth", err.kind)
    assert.truthy(err.message:find("tokens.json: Permission denied", 1, true))
    assert.equal(0, #driver.requests)
  end)

  it("that raises is an error like another", function()
    local store = memory_store()
    function store.load() error("boom") end
    local client = make({}, { token_store = store })
    local _, err = client:get_chat("c1")
    assert.truthy(err.message:find("boom", 1, true))
  end)

  it("that cannot be written never loses a rotated refresh token", function()
    local store = memory_store { refresh_token = "dummy-refresh-1" }
    local save = store.save
    function store.save() return nil, "No space left on device" end
    local client, driver = make({ token(1, ',"expires_in":86400,"refresh_token":"dummy-refresh-2"'), answer(200, CHAT) },
      { token_store = store, refresh_token = "dummy-refresh-0" })
    local _, err = client:get_chat("c1")
    assert.equal("auth", err.kind)
    assert.truthy(err.message:find("No space left on device", 1, true))
    assert.truthy(err.hint:find("kept in memory"))
    store.save = save
    assert(client:get_chat("c1"))
    assert.equal("dummy-refresh-2", store.tokens.refresh_token)
    assert.equal(2, #driver.requests) -- no second renewal
  end)

  it("that cannot be written does not stop a client that can always get a new token", function()
    local store = memory_store()
    local events = {}
    function store.save() return nil, "No space left on device" end
    local client = make({ token(1), answer(200, CHAT) },
      { token_store = store, on_event = function(event) events[#events + 1] = event end })
    assert(client:get_chat("c1"))
    assert.equal("token_store", events[2].type)
    assert.equal("No space left on device", events[2].message)
  end)
end)

describe("calls at the same time", function()
  local core = require "avito_messenger.core"

  local function session(more)
    local given = { base_url = "https://api.example", client_id = "dummy", client_secret = "dummy", user_id = 7,
      seed = "x", timeout = 10 }
    for name, value in pairs(more or {}) do given[name] = value end
    return core.session(given)
  end

  it("share one renewal", function()
    local shared = session()
    local first, second = shared:operation("get_chat", 0, "a"), shared:operation("get_chat", 0, "b")
    local step, request = first:next(0)
    assert.equal("send", step)
    assert.equal("token", request.purpose)
    local waiting, seconds, reason = second:next(0)
    assert.same({ "wait", "token" }, { waiting, reason })
    assert.is_true(seconds > 0)
    first:feed(0.1, 0.1, token(1))
    assert.equal("call", select(2, first:next(0.1)).purpose)
    step, request = second:next(0.1)
    assert.equal("send", step)
    assert.equal("call", request.purpose)
  end)

  it("wait for it no longer than their own deadline", function()
    local shared = session()
    local first, second = shared:operation("get_chat", 0, "a"), shared:operation("get_chat", 0, "b", { timeout = 2 })
    first:next(0)
    assert.same({ "wait", 0.02, "token", 0.5 }, { second:next(1.5) })
    assert.same({ "wait", 0.0078125, "token", 0.0078125 }, { second:next(1.9921875) })
  end)

  it("share its failure", function()
    local shared = session()
    local first = shared:operation("get_chat", 0, "a")
    local others = {}
    first:next(0)
    for i = 1, 100 do
      others[i] = shared:operation("get_chat", 0, "b")
      assert.equal("wait", (others[i]:next(0)))
    end
    first:feed(0.1, 0.1, answer(401, '{"error":"invalid_client"}'))
    local _, failed = first:next(0.1)
    for i = 1, 100 do
      local step, err = others[i]:next(0.1)
      assert.equal("fail", step)
      assert.same(failed, err)
    end
    assert.equal("send", (shared:operation("get_chat", 1, "c"):next(1))) -- a later call tries again
  end)

  it("take a renewal over from a call that was given up", function()
    for _, give_up in ipairs { function(op) op:cancel() end, function() end } do
      local shared = session()
      local first = shared:operation("get_chat", 0, "a")
      first:next(0)
      local second = shared:operation("get_chat", 0, "b")
      assert.equal("wait", (second:next(0)))
      give_up(first)
      first = nil -- luacheck: ignore
      collectgarbage()
      collectgarbage()
      local step, request = second:next(0.1)
      assert.equal("send", step)
      assert.equal("token", request.purpose)
    end
  end)

  it("use a token that still works while another renews it ahead", function()
    local shared = session()
    local first = shared:operation("get_chat", 0, "a")
    first:next(0)
    first:feed(0, 0, token(1))
    local late = 86400 - 100
    local renews = shared:operation("get_chat", late, "a")
    local _, request = renews:next(late)
    assert.equal("token", request.purpose)
    _, request = shared:operation("get_chat", late, "b"):next(late)
    assert.equal("call", request.purpose)
  end)

  it("cancelled in the lock give it back", function()
    local shared = session { has_store = true, has_lock = true }
    local op = shared:operation("get_chat", 0, "a")
    assert.equal("lock", (op:next(0)))
    op:feed(0, 0, true)
    assert.equal("load", (op:next(0)))
    op:cancel()
    assert.equal("unlock", (op:next(0)))
    op:feed(0, 0)
    local step, err = op:next(0)
    assert.equal("fail", step)
    assert.equal("cancelled", err.kind)
  end)

  it("are misused loudly", function()
    local op = session():operation("get_chat", 0, "a")
    assert.has_error(function() op:feed(0, 0, {}) end)
    op:next(0)
    assert.has_error(function() op:next(0) end)
    assert.has_error(function() op:feed(0, 0, nil) end)
    assert.has_error(function() op:feed(0, 0, { error = "odd", message = "x" }) end)
    assert.has_error(function() op:feed(0, 0, { status = 200, head = "" }) end)
  end)
end)

describe("secrets", function()
  local SECRETS = { "canary-secret", "canary-access", "canary-refresh", "canary-code" }

  local function shown(value, seen)
    if type(value) ~= "table" then return tostring(value) end
    local parts = { tostring(value) }
    seen = seen or {}
    if seen[value] then return "" end
    seen[value] = true
    for key, member in pairs(value) do parts[#parts + 1] = tostring(key) .. "=" .. shown(member, seen) end
    return table.concat(parts, " ")
  end

  it("are in no error, no event and no tostring", function()
    local all = {}
    local function keep(value) all[#all + 1] = shown(value) end
    for _, last in ipairs { answer(400, '{"error":"invalid_grant"}'), answer(200, '{"x":"canary-access"}'),
      failure("network", true) } do
      local granted = answer(200, '{"access_token":"canary-access","refresh_token":"canary-refresh"}')
      local client = make(function(_, number)
        return number == 1 and last or number == 2 and granted or answer(401)
      end, { client_secret = "canary-secret", refresh_token = "canary-refresh", code = "canary-code", on_event = keep })
      local _, err = client:get_chat("c1")
      keep(err)
      keep(tostring(client))
      keep(tostring(client.session))
      _, err = client:get_chat("c1")
      keep(err)
    end
    local text = table.concat(all, "\n")
    for _, secret in ipairs(SECRETS) do assert.is_nil(text:find(secret, 1, true), secret) end
  end)
end)

describe("a client refuses", function()
  local cases = {
    [{}] = "client_id and client_secret are missing",
    [{ client_id = "x" }] = "client_secret is missing",
    [{ client_id = "x", client_secret = "" }] = "client_secret is empty",
    [{ code = "x", access_token = "y" }] = "client_id and client_secret are needed with code",
    [{ access_token = "a\r\nb" }] = "access_token has a control character",
    [{ access_token = "a", user_agent = "a\nb" }] = "user_agent has a control character",
    [{ access_token = "a", user_id = 0 }] = "user_id must be a positive integer",
    [{ access_token = "a", user_id = 1.5 }] = "user_id must be a positive integer",
    [{ access_token = "a", timeout = 0 }] = "timeout must be more than 0",
    [{ access_token = "a", retries = 1.5 }] = "retries must be an integer",
    [{ access_token = "a", array_style = "odd" }] = "array_style must be",
    [{ access_token = "a", base_url = "http://api.example" }] = "plain http",
    [{ access_token = "a", base_url = "http://127.0.0.1.example" }] = "plain http",
    [{ access_token = "a", base_url = "http://localhost.example" }] = "plain http",
    [{ access_token = "a", base_url = "http://127.1" }] = "plain http",
    [{ access_token = "a", base_url = "https://user@api.example" }] = "user name",
    [{ access_token = "a", base_url = "https://" }] = "no host",
    [{ access_token = "a", base_url = "https://a:b" }] = "port",
    [{ access_token = "a", base_url = "https://a?b" }] = "query",
    [{ access_token = "a", base_url = "ftp://a" }] = "https://",
    [{ access_token = 5 }] = "access_token must be a string, got number",
    [{ acess_token = "a" }] = "unknown option 'acess_token' %(did you mean 'access_token'%?%)",
    [{ access_token = "a", token_store = {} }] = "token_store must have the functions load and save",
    [{ access_token = "a", io = {} }] = "io must be a driver",
  }
  for given, pattern in pairs(cases) do
    it(pattern, function()
      local ok, message = pcall(function() return (avito.client(given)) end)
      assert.is_false(ok)
      assert.truthy(tostring(message):find("avito.client: " .. pattern) or tostring(message):find(pattern), tostring(message))
      assert.truthy(tostring(message):find("token_spec.lua", 1, true), tostring(message))
    end)
  end

  it("nothing that is plain http to loopback", function()
    for _, url in ipairs { "http://127.0.0.1:8077", "http://localhost:1/", "http://[::1]:1", "https://api.example/base/" } do
      assert(avito.client { access_token = "a", base_url = url, io = script.driver {} })
    end
  end)
end)
