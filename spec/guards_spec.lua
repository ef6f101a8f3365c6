-- The guards of the Lua side, one value on each side of each.

local avito = require "avito_messenger"
local json = require "avito_messenger.json"
local options = require "avito_messenger.options"
local files = require "support.files"
local script = require "support.script"
local words = require "avito_messenger.words"

local temporary = files.temporary

local answer, failure = script.answer, script.failure
local make, with_credentials = script.client, script.client_with_credentials
local CHAT = '{"id":"c1"}'
local TOKEN = answer(200, script.TOKEN)

local function exists(path)
  local file = io.open(path, "rb")
  if file then file:close() end
  return file ~= nil
end

--- The message of what the function raises, which must blame a line of this file.
local function raised(fn, ...)
  local ok, message = pcall(fn, ...)
  assert.is_false(ok)
  assert.truthy(tostring(message):find("^spec/guards_spec.lua:%d+: "), tostring(message))
  return message
end

--- What is written to standard error meanwhile.
local function said(fn)
  local stderr, lines = io.stderr, {}
  io.stderr = { write = function(_, ...) lines[#lines + 1] = table.concat { ... } end } -- luacheck: ignore
  local ok, problem = pcall(fn)
  io.stderr = stderr -- luacheck: ignore
  assert(ok, problem)
  return table.concat(lines)
end

local UNSPEAKABLE = setmetatable({}, { __tostring = function() error("no") end })

describe("options", function()
  it("must be a table of known names with their types", function()
    local known = { one = "string", two = "number|string" }
    options.check("where", { one = "a", two = 5 }, known, 1)
    options.check("where", { two = "b" }, known, 1)
    local function message(given) return raised(function() options.check("where", given, known, 1) end) end
    assert.truthy(message("x"):find("where: the options must be a table, got string", 1, true))
    assert.truthy(message(nil):find("where: the options must be a table, got nil", 1, true))
    assert.truthy(message({ one = 5 }):find("where: one must be a string, got number", 1, true))
    assert.truthy(message({ two = true }):find("where: two must be a number or string, got boolean", 1, true))
    assert.truthy(message({ three = 1 }):find("where: unknown option 'three'", 1, true))
    assert.truthy(message({ 5 }):find("where: unknown option '1'", 1, true))
  end)

  it("of a client are checked", function()
    for _, given in ipairs { "x", 5 } do
      assert.truthy(raised(function() return (avito.client(given)) end):find("the options must be a table", 1, true))
    end
    local nan, inf = 0 / 0, math.huge
    local cases = {
      timeout = { 0, -1, nan, inf, 86400.5, "1" }, retries = { -1, 11, 1.5, nan, inf, -inf, "1" },
      user_id = { 0, -1, 1.5, nan, inf, "", "x", "1.5", true }, array_style = { "odd", "", "Comma" },
      access_token = { "", "a\0", "a\127", ("x"):rep(16385) }, base_url = { "", 5 }, on_event = { "x" }, io = { {}, 5 },
      token_store = { {}, { load = print }, { save = print }, { load = print, save = print, lock = true } },
    }
    for name, values in pairs(cases) do
      for _, value in ipairs(values) do
        local given = { access_token = "dummy", io = script.driver {} }
        given[name] = value
        assert.truthy(raised(function() return (avito.client(given)) end):find(name, 1, true))
      end
    end
    assert.truthy(raised(function()
      return (avito.client { access_token = "dummy", io = { new = function() error("no driver here", 0) end } })
    end):find("no driver here", 1, true))
  end)

  it("of a client may be as much as that", function()
    for _, more in ipairs { { timeout = 86400 }, { retries = 10 }, { retries = 0 }, { user_id = "9223372036854775807" },
      { array_style = "comma" }, { access_token = ("x"):rep(16384) }, { user_agent = "x" } } do
      local client, driver = make({ answer(200, CHAT) }, more)
      assert(client:get_chat("c"))
      assert.equal(1, #driver.requests)
    end
  end)
end)

describe("names", function()
  it("that are near are suggested", function()
    assert.equal("limit", words.nearest("limt", { "offset", "limit" }))
    assert.equal("limit", words.nearest("LIMIT", { "offset", "limit" }))
    assert.equal("limit", words.nearest("limxx", { "limit" }))
    assert.is_nil(words.nearest("lixxx", { "limit" }))
    assert.equal("first", words.nearest("firts", { "first", "fires" }))
    assert.is_nil(words.nearest("abc", { "xyz" }))
    assert.is_nil(words.nearest("x", {}))
    assert.truthy(words.unknown("a", { "xyz", "uvw" }, "option"):find("(known: xyz, uvw)", 1, true))
    assert.truthy(words.unknown(5, { "xyz" }, "option"):find("unknown option '5'", 1, true))
    assert.equal("a b c d e f g h", table.concat(words.names { c = 1, a = 1, g = 1, b = 1, h = 1, e = 1, d = 1, f = 1 }, " "))
  end)

  it("are checked", function()
    words.check({ a = 1 }, { a = true }, "option")
    assert.truthy(raised(function() words.check({ b = 1 }, { a = true }, "option") end):find("unknown option 'b'", 1, true))
    assert.truthy(raised(function() words.check("x", {}, "option") end):find("options: table expected, got string", 1, true))
  end)
end)

describe("client:request", function()
  it("names what it cannot take, and the line that called", function()
    local client, driver = make {}
    local cases = {
      { "method must be GET, POST, PUT, PATCH or DELETE, got FETCH", "FETCH", "/x" },
      { "method must be", nil, "/x" }, { "method must be", "get", "/x" },
      { "path must be a string, got nil", "GET" }, { "path must be a string, got number", "GET", 5 },
      { "the options must be a table, got string", "GET", "/x", "y" },
      { "unknown option 'jsn'", "POST", "/x", { jsn = 1 } },
      { "query must be a table, got string", "GET", "/x", { query = "a=1" } },
      { "query must hold values by name", "GET", "/x", { query = { "a" } } },
      { "query.a must be a string, a number, a boolean or a list of them, got function", "GET", "/x", { query = { a = print } } },
      { "query.a must be a string, a number, a boolean or a list of them, got table", "GET", "/x", { query = { a = { {} } } } },
      { "query.a is .*nan, which is no number", "GET", "/x", { query = { a = 0 / 0 } } },
      { "query.a is %-inf, which is no number", "GET", "/x", { query = { a = -math.huge } } },
      { "form must hold values by name", "POST", "/x", { form = { "a" } } },
      { "give json or form, not both", "POST", "/x", { form = {}, json = 1 } },
      { "json cannot be written: .*function", "POST", "/x", { json = { print } } },
      { "json cannot be written", "POST", "/x", { json = 0 / 0 } },
    }
    for _, case in ipairs(cases) do
      local message = raised(function() return (client:request(case[2], case[3], case[4])) end)
      assert.truthy(message:find("request: " .. case[1]), message)
    end
    assert.equal(0, #driver.requests)
  end)

  it("writes numbers with all their digits", function()
    local client, driver = make { answer(200, "") }
    client:request("GET", "/x", { query = { a = 2 ^ 50, b = 5.0, c = 1e15, d = 0.1, e = 1 / 3, f = -0.5, g = { 1, 2.5 },
      h = false } })
    assert.equal("https://api.example/x?a=1125899906842624&b=5&c=1000000000000000&d=0.1&e=0.33333333333333331&f=-0.5"
      .. "&g=1&g=2.5&h=false", driver.requests[1].url)
  end)

  it("writes false, and refuses a value that holds itself, however often", function()
    local client, driver = make { answer(200, "") }
    assert(client:request("POST", "/x", { json = false }))
    assert.equal("false", driver.requests[1].body)
    local once, twice = {}, {}
    once.a = once
    twice.a, twice.b = twice, twice
    for _, value in ipairs { once, twice } do
      assert.truthy(raised(function() return (client:request("POST", "/x",
        { json = value })) end):find("json cannot be written", 1, true))
    end
  end)

  it("carries the token, and renews it", function()
    local client, driver = with_credentials { TOKEN, answer(401), TOKEN, answer(200, "") }
    assert(client:request("POST", "/x"))
    assert.equal("Bearer dummy-token-1", script.header(driver.requests[2], "Authorization"))
    assert.equal(4, #driver.requests)
  end)

  it("repeats only a GET", function()
    for method, requests in pairs { GET = 2, POST = 1, PUT = 1, PATCH = 1, DELETE = 1 } do
      local client, driver = make { failure("network", true), answer(200, "") }
      client:request(method, "/x")
      assert.equal(requests, #driver.requests, method)
    end
  end)
end)

describe("JSON", function()
  it("is written exactly, or not at all", function()
    for value, text in pairs { [1e14] = "100000000000000", [-1e14] = "-100000000000000", [99999999999999] = "99999999999999",
      [2 ^ 53] = "9007199254740992", [0.1] = "0.1", [1 / 3] = "0.33333333333333331", [-2 ^ 63] = "-9223372036854775808" } do
      assert.equal(text, json.encode(value))
    end
    assert.equal(2 ^ 63, tonumber((json.encode(2 ^ 63))))
    assert.equal(-2 ^ 64, tonumber((json.encode(-2 ^ 64))))
    for _, value in ipairs { 0 / 0, math.huge, -math.huge, print, { [100] = 1 } } do
      local text, message = json.encode(value)
      assert.is_nil(text)
      assert.is_string(message)
    end
  end)

  it("goes 64 deep", function()
    local function nested(depth)
      local value = {}
      for _ = 2, depth do value = { value } end
      return value
    end
    assert.is_string(json.encode(nested(64)))
    local text, message = json.encode(nested(65))
    assert.is_nil(text)
    assert.truthy(message:find("64"))
  end)
end)

describe("download_voice", function()
  it("names what it cannot take, and the line that called", function()
    local client, driver = make {}
    assert.truthy(raised(function() return (client:download_voice("v")) end):find("path must be a string, got nil", 1, true))
    assert.truthy(raised(function() return (client:download_voice("v", 5)) end):find("path must be a string, got number", 1, true))
    assert.truthy(raised(function() return (client:download_voice(nil, "x")) end):find("voice_id must be a string, got nil",
      1, true))
    assert.truthy(raised(function() return (client:download_voice(5, "x")) end):find("voice_id must be a string, got number",
      1, true))
    assert.equal(0, #driver.requests)
  end)

  it("gives back the error of the first request", function()
    local path = temporary()
    local _, err = make({ answer(404) }):download_voice("v", path)
    assert.equal("not_found", err.kind)
    assert.equal(404, err.status)
    assert.is_false(exists(path))
  end)

  it("leaves nothing behind where the file cannot take its place", function()
    local client = make { answer(200, '{"voices_urls":{"v":"https://cdn.example/v"}}'), answer(200, "x") }
    local path = temporary()
    os.execute("mkdir " .. path)
    local _, err = client:download_voice("v", path)
    assert.equal("invalid", err.kind)
    assert.is_false(exists(path .. ".part"))
    os.execute("rmdir " .. path)
  end)
end)

describe("authorize_url", function()
  it("names what it cannot take, and the line that called", function()
    assert.truthy(raised(function() return (avito.authorize_url()) end):find("the options must be a table", 1, true))
    assert.truthy(raised(function() return (avito.authorize_url {}) end):find("client_id is missing", 1, true))
    assert.truthy(raised(function() return (avito.authorize_url { client_id = 5 }) end):find("client_id must be a string", 1, true))
    assert.truthy(raised(function() return (avito.authorize_url { clint_id = "x" }) end):find("did you mean 'client_id'", 1, true))
  end)
end)

describe("pages", function()
  it("may hold what nobody has heard of", function()
    local client = make { answer(200, '{"chats":[1,"a",true,{"id":"b"},{"x":1},{"x":1},{"id":"b"}]}') }
    local count = 0
    for _ in client:chats() do count = count + 1 end
    assert.equal(6, count)
  end)
end)

describe("a call that is broken off", function()
  local function locking()
    local store = { held = 0 }
    function store.load() end
    function store.save() return true end
    function store.lock()
      assert(store.held == 0, "locked twice")
      store.held = 1
      return { unlock = function() store.held = 0 end }
    end
    return store
  end

  it("by a driver that raises gives back the store's lock, and leaves the next call to go on", function()
    local store = locking()
    local client, driver = with_credentials({}, { token_store = store })
    local ok, message = pcall(client.get_chat, client, "c")
    assert.is_false(ok)
    assert.truthy(tostring(message):find("no answer to request 1", 1, true))
    assert.equal(0, store.held)
    driver.answers = { false, TOKEN, answer(200, CHAT) }
    assert(client:get_chat("c"))
    assert.same({}, driver.waits)
  end)

  it("by closing the client is an error like another", function()
    local client
    local closing = { type = "function" }
    function closing.on_event(event)
      if event.type == closing.type then client:close() end
    end
    client = make({ answer(503), answer(200, CHAT) }, { on_event = closing.on_event })
    closing.type = "request"
    local value, err = client:get_chat("c")
    assert.is_nil(value)
    assert.equal("cancelled", err.kind)
    assert.equal("the client is closed", err.message)
    assert.is_true(err.dispatched)
  end)

  it("by closing the client after its answer came is no error", function()
    local client
    client = make({ answer(200, CHAT) }, { on_event = function() client:close() end })
    assert.equal("c1", client:get_chat("c").id)
  end)

  it("while it holds the store's lock gives that back", function()
    local store, client = locking()
    client = with_credentials({ TOKEN }, { token_store = store, on_event = function() client:close() end })
    local _, err = client:get_chat("c")
    assert.equal("cancelled", err.kind)
    assert.equal(0, store.held)
  end)
end)

describe("what a program's own functions raise", function()
  it("may be something that cannot be shown", function()
    local sent
    local text = said(function()
      sent = make({ answer(200, '{"id":"m1"}') }, { on_event = function() error(UNSPEAKABLE) end }):send_message("c", "да")
    end)
    assert.equal("m1", sent.id)
    assert.truthy(text:find("on_event raised: a table", 1, true))
    local store = { load = function() error(UNSPEAKABLE) end, save = function() return true end }
    local _, err = with_credentials({}, { token_store = store }):get_chat("c")
    assert.equal("the token store could not be read: a table", err.message)
  end)

  it("is told to on_event where a token is not stored", function()
    local events = {}
    local store = { load = function() end, save = function() end }
    local client = with_credentials({ TOKEN, answer(200, CHAT) },
      { token_store = store, on_event = function(event) events[event.type] = event end })
    assert(client:get_chat("c"))
    assert.equal("save returned nothing", events.token_store.message)
    client = with_credentials({ TOKEN, answer(200, CHAT) }, { token_store = store })
    assert(client:get_chat("c"))
  end)
end)

describe("time", function()
  it("that a token store takes is part of the call's", function()
    local driver
    local store = { save = function() return true end }
    function store.load() driver.clock = driver.clock + 4 end
    local client
    client, driver = with_credentials({ TOKEN, answer(200, CHAT) }, { token_store = store })
    assert(client:get_chat("c"))
    assert.is_true(driver.requests[1].timeout <= 6)
  end)
end)

describe("closing a client twice", function()
  it("closes its driver once", function()
    local count, driver = 0, script.driver {}
    driver.close = function() count = count + 1 end
    local client = avito.client { access_token = "dummy", io = { new = function() return driver end } }
    client:close()
    client:close()
    assert.equal(1, count)
  end)
end)

describe("events", function()
  it("speak of a retry, and not of other waits", function()
    local types, busy = {}, 2
    local store = { load = function() end, save = function() return true end }
    function store.lock()
      busy = busy - 1
      return busy < 0 and { unlock = function() end }
    end
    local client = with_credentials({ TOKEN, failure("network", false), answer(200, CHAT) },
      { token_store = store, on_event = function(event) types[#types + 1] = event.type end })
    assert(client:get_chat("c"))
    assert.same({ "refresh", "request", "retry", "request" }, types)
  end)

  it("say whether the request may have been seen", function()
    for dispatched, expected in pairs { [true] = true, [false] = false } do
      local seen
      local client = make({ failure("network", dispatched) }, { retries = 0,
        on_event = function(event) seen = event.dispatched end })
      client:get_chat("c")
      assert.equal(expected, seen)
    end
  end)
end)
