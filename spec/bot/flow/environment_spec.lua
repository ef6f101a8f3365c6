local flow = require "avito_messenger.bot.flow"
local flows = require "support.flows"

-- The flow keeps what it finds in a table: a local of ours that it gave another value would be a mistake.
local function said_inside(fn)
  local kept = {}
  local outcome = flows.run(flow.define { "x", function(c)
    local ok, value = pcall(fn, c)
    kept.ok, kept.value = ok, value
    c:stop()
  end })
  assert.equal("done", outcome.kind, outcome.message)
  return (tostring(kept.value):gsub("^[^ ]-:%d+: ", "")), kept.ok
end

local function forbids(message, fn)
  local text, ok = said_inside(fn)
  assert.is_false(ok)
  assert.equal(message, text)
end

describe("flow.environment", function()
  local REPLAYED = " is not allowed in a flow: it gives another value when the flow is replayed; use "
  local ORDER = " is not allowed in a flow: the order of a table is another when the flow is replayed; use c:pairs() or ipairs()"
  local CODE = " is not allowed in a flow: what it does cannot be watched; write a function outside of the flow"
  local AGAIN = " is not allowed in a flow: it would be done again when the flow is replayed; use c:call() with a function of calls"

  it("forbids what gives another value when it is replayed, and names the right call", function()
    forbids("os.time" .. REPLAYED .. "c:now()", function() local t = os.time() return t end)
    forbids("os.clock" .. REPLAYED .. "c:now()", function() local t = os.clock() return t end)
    forbids("os.date" .. REPLAYED .. "c:date()", function() local t = os.date() return t end)
    forbids("math.random" .. REPLAYED .. "c:random()", function() local t = math.random(6) return t end)
    forbids("math.randomseed" .. REPLAYED .. "c:random()", function() math.randomseed(1) end)
    forbids("collectgarbage" .. REPLAYED .. "nothing of it", function() collectgarbage() end)
  end)

  it("forbids the order of tables", function()
    forbids("pairs" .. ORDER, function() return (pairs {}) end)
    forbids("next" .. ORDER, function() local key = next {} return key end)
    if table.foreach then -- luacheck: ignore 143
      forbids("table.foreach" .. ORDER, function() table.foreach({}, print) end) -- luacheck: ignore 143
    end
  end)

  it("forbids what would be done again", function()
    forbids("os.remove" .. AGAIN, function() os.remove "/no/such/file" end)
    forbids("os.getenv" .. AGAIN, function() os.getenv "HOME" end)
    forbids("io.open" .. AGAIN, function() io.open "/no/such/file" end)
    forbids("io.stdout" .. AGAIN, function() local file = io.stdout return file end)
  end)

  it("forbids code that cannot be watched", function()
    forbids("require is not allowed in a flow: require the module outside of the flow, into a local",
      function() require "avito_messenger" end)
    forbids("load" .. CODE, function() load "return 1" end)
    forbids("dofile" .. CODE, function() dofile "/no/such/file" end)
    forbids("debug.getinfo" .. CODE, function() debug.getinfo(1) end)
    forbids("package.loaded" .. CODE, function() local all = package.loaded return all end)
    forbids("string.dump" .. CODE, function() string.dump(function() end) end)
    forbids("coroutine.wrap is not allowed in a flow: only c:ask() and c:call() may wait, and they do it by themselves",
      function() coroutine.wrap(print) end)
    forbids("coroutine.yield is not allowed in a flow: only c:ask() and c:call() may wait, and they do it by themselves",
      function() coroutine.yield(1) end)
    if setfenv then -- luacheck: ignore 113
      forbids("setfenv" .. CODE, function() setfenv(1, {}) end) -- luacheck: ignore 113
      forbids("getfenv" .. CODE, function() getfenv(0) end) -- luacheck: ignore 113
    end
  end)

  it("forbids addresses in texts", function()
    local MESSAGE = " of a table is not allowed in a flow: it is an address, another one when the flow is replayed"
    forbids("tostring" .. MESSAGE, function() local text = tostring {} return text end)
    forbids("tostring" .. MESSAGE:gsub("table", "function"), function(c) local text = tostring(c.say) return text end)
    forbids("string.format" .. MESSAGE, function() local text = string.format("%s", {}) return text end)
    forbids("string.format" .. MESSAGE, function() local text = ("%d %s"):format(1, {}) return text end)
    forbids("tostring" .. MESSAGE, function() local text = tostring(setmetatable({}, {})) return text end)
    forbids("%p is not allowed in a flow: an address is another one when the flow is replayed",
      function() local text = ("%-10p"):format("x") return text end)
    assert.equal("5%p 1 nil true x", said_inside(function()
      return ("%d%%p %s %s %s %s"):format(5, 1, nil, true, setmetatable({}, { __tostring = function() return "x" end }))
    end))
    assert.equal("x", said_inside(function()
      return tostring(setmetatable({}, { __tostring = function() return "x" end }))
    end))
  end)

  it("forbids to write globals", function()
    local MESSAGE = "a flow may not write the global '%s': it would be written again when the flow is replayed; make it local"
    forbids(MESSAGE:format "surplus", function() surplus = 1 end) -- luacheck: ignore 111
    forbids(MESSAGE:format "print", function() print = 1 end) -- luacheck: ignore 121
    forbids(MESSAGE:format "surplus", function() _G.surplus = 1 end) -- luacheck: ignore 122
    forbids(MESSAGE:format "surplus", function() rawset(_G, "surplus", 1) end)
    forbids(MESSAGE:format "string.surplus", function() string.surplus = 1 end) -- luacheck: ignore 142
    assert.is_nil(rawget(_G, "surplus"))
    assert.is_nil(rawget(string, "surplus"))
  end)

  it("names the place of the mistake", function()
    local outcome = flows.run(flow.define { "x", function() local t = os.time() return t end })
    assert.equal("error", outcome.why)
    assert.matches("environment_spec.lua:%d+: os.time is not allowed in a flow", outcome.message)
    assert.matches("stack traceback", outcome.traceback)
  end)

  it("is not got around through _G, metatables or the methods of strings", function()
    forbids("os.time" .. REPLAYED .. "c:now()", function() local t = _G.os.time() return t end)
    forbids("os.time" .. REPLAYED .. "c:now()", function() local t = _G._G["os"].time() return t end)
    forbids("cannot change a protected metatable", function() setmetatable(_G, {}) end)
    forbids("cannot change a protected metatable", function() setmetatable(os, {}) end)
    forbids("string.dump" .. CODE, function() (""):dump() end)
    forbids("os.time" .. REPLAYED .. "c:now()", function()
      return setmetatable({}, { __index = function() local t = os.time() return t end }).x
    end)
  end)

  it("leaves everything else as it is", function()
    assert.equal("3 АБ ab 2 1.5 table 7 3", said_inside(function()
      local list = { 3, 1, 2 }
      table.sort(list)
      local sum = 0
      for _, value in ipairs(list) do sum = sum + value end
      return ("%d %s %s %d %s %s %d %d"):format(list[3], "АБ", ("AB"):lower(), math.floor(2.5), tostring(1.5), type {},
        select("#", 1, 2, 3, 4, 5, 6, 7), #table.concat { "a", "bc" })
    end))
  end)

  it("watches closures made in the flow", function()
    forbids("os.time" .. REPLAYED .. "c:now()", function()
      local function outer() return function() local t = os.time() return t end end
      return outer()()
    end)
  end)

  describe("helpers", function()
    local function clock() local t = os.time() return t end
    local function deeper() local t = clock() return t end
    local shop = { prices = { now = function() local t = os.time() return t end } }

    it("are watched when a local of the flow holds them, or one of theirs, or a table of the file", function()
      forbids("os.time" .. REPLAYED .. "c:now()", function() return (clock()) end)
      forbids("os.time" .. REPLAYED .. "c:now()", function() return (deeper()) end)
      forbids("os.time" .. REPLAYED .. "c:now()", function() return (shop.prices.now()) end)
    end)

    it("behave as ever outside of a running flow, while one waits too", function()
      local _, state, host, runner = flows.run(flow.define { "x", function(c)
        c:ask { "text", "Что?" }
        deeper()
        shop.prices.now()
      end })
      local before = os.time()
      assert.is_true(clock() >= before)
      assert.is_true(deeper() >= before)
      assert.is_true(shop.prices.now() >= before)
      assert.matches("^table: ", ("%s"):format {})
      runner:answer(state, "x")
      assert.equal("error", runner:advance(state, host).why)
      assert.is_true(deeper() >= before)
      assert.equal(string, getmetatable("").__index)
    end)

    it("may be given to the local later", function()
      local late
      local definition = flow.define { "x", function() return late() end }
      late = function() local t = os.time() return t end
      assert.matches("os.time is not allowed in a flow", flows.run(definition).message)
    end)

    it("write globals outside of a running flow as ever", function()
      local function write(value) surplus = value end -- luacheck: ignore 111
      local function read() return surplus end -- luacheck: ignore 113
      local function read_elsewhere() return surplus end -- luacheck: ignore 113
      flow.define { "x", function() write(read()) end }
      write(5)
      assert.same({ 5, 5 }, { read(), read_elsewhere() })
      write(nil)
      assert.is_nil(read_elsewhere())
    end)
  end)

  describe("libraries in locals", function()
    local os, math, string, tostring, G = os, math, string, tostring, _G

    it("are those of the flow while it runs", function()
      forbids("os.time" .. REPLAYED .. "c:now()", function() local t = os.time() return t end)
      forbids("math.random" .. REPLAYED .. "c:random()", function() local t = math.random() return t end)
      forbids("os.time" .. REPLAYED .. "c:now()", function() local t = G.os.time() return t end)
      forbids("tostring of a table is not allowed in a flow: it is an address, another one when the flow is replayed",
        function() local text = tostring {} return text end)
      assert.equal("3 x", said_inside(function() return math.floor(3.5) .. " " .. string.format("%s", "x") end))
    end)

    it("behave as ever in functions that are no part of a flow", function()
      local function seed() return os.time() + math.random() end
      local function write(value) os.surplus = value end -- luacheck: ignore 142
      flow.define { "x", function() write(seed()) end }
      assert.is_true(seed() > 0)
      write(1)
      assert.equal(1, rawget(_G.os, "surplus"))
      write(nil)
      assert.is_nil(rawget(_G.os, "surplus"))
    end)
  end)

  it("tells at the definition that a local is such a function", function()
    local time, ordered = os.time, pairs
    local function helper() return ordered {} end
    assert.has_error(function() flow.define { "обмен", function() return time() end } end,
      "flow 'обмен': the local 'time' is a function that a flow may not use: "
        .. "os.time is not allowed in a flow: it gives another value when the flow is replayed; use c:now()")
    local ok, message = pcall(flow.define, { "обмен", function() return helper() end })
    assert.is_false(ok)
    assert.matches("flow 'обмен': the local 'ordered' of the function at .*environment_spec.lua:%d+ is a function that a flow may "
      .. "not use: pairs is not allowed", message)
    local tools = { clock = os.clock }
    ok, message = pcall(flow.define, { "обмен", function() return tools.clock() end })
    assert.is_false(ok)
    assert.matches("flow 'обмен': the local 'tools': its field 'clock' is a function that a flow may not use: os.clock", message)
  end)

  it("refuses a client in a local, which would repeat its calls", function()
    local avito = require "avito_messenger"
    local client = avito.client { client_id = "dummy-client-id", client_secret = "dummy-client-secret",
      io = avito.sandbox({ seed = 1 }):driver() }
    local tools = { client = client }
    for where, fn in pairs {
      ["the local 'client'"] = function() client:get_self() end,
      ["the local 'tools': its field 'client'"] = function() tools.client:get_self() end,
    } do
      local ok, message = pcall(flow.define, { "обмен", fn })
      assert.is_false(ok)
      assert.matches("flow 'обмен': " .. where .. " is a client, which a flow may not use: its calls would be made again "
        .. "when the flow is replayed; use c:call() with a function of calls", message, 1, true)
    end
  end)

  it("tells when a local is such a function only later", function()
    local late
    local definition = flow.define { "x", function() return late() end }
    late = os.time
    assert.has_error(function() flows.run(definition) end, "Runner.new: flow 'x': the local 'late' is a function that a flow may "
      .. "not use: os.time is not allowed in a flow: it gives another value when the flow is replayed; use c:now()")
  end)

  it("leaves modules, objects, functions of other files in tables, and what is deep in tables alone", function()
    local json, compat = require "avito_messenger.json", { time = os.time }
    package.loaded["spec of a module"] = compat
    finally(function() package.loaded["spec of a module"] = nil end)
    local object = setmetatable({ time = os.time }, { __index = {} })
    local tools = { host = flows.host, a = { b = { now = function() local t = os.time() return t end } } }
    local kept = {}
    local outcome = flows.run(flow.define { "x", function()
      kept.text = json.encode { a = 1 }
      kept.times = #{ compat.time(), object.time(), tools.a.b.now() }
      kept.now = tools.host({ now = 5 }).now
    end })
    assert.equal("done", outcome.kind, outcome.message)
    assert.same({ text = '{"a":1}', times = 3, now = 5 }, kept)
  end)

  describe("outer locals", function()
    it("may not be changed by the flow, or by a helper", function()
      local count, other = 0, 0
      local function bump() other = other + 1 end
      assert.equal("flow 'x': it changed the outer local 'count', which it would do again when it is replayed; use a local of its "
        .. "own, or c:set", flows.run(flow.define { "x", function(c) count = count + 1 c:say "а" end }).message)
      assert.matches("it changed the outer local 'other'", flows.run(flow.define { "x", function() bump() end }).message)
      assert.same({ 1, 1 }, { count, other })
    end)

    it("of other files may be changed", function()
      local source = "local count = 0 return function() count = count + 1 return count end"
      local count = (loadstring or load)(source, "=count.lua")() -- luacheck: ignore 113
      assert.equal("done", flows.run(flow.define { "x", function() count() end }).kind)
      assert.equal(2, count())
    end)

    it("may be changed by others, and be not a number", function()
      local word, nan = "а", 0 / 0
      local _, state, host, runner = flows.run(flow.define { "x", function(c)
        c:ask { "text", "Что?" }
        c:say(nan ~= nan and "б" or word)
      end })
      word = "б"
      runner:answer(state, "x")
      assert.equal("done", runner:advance(state, host).kind)
    end)
  end)

  describe("print", function()
    it("prints once, not when the flow is replayed", function()
      local printed, real = {}, print
      local definition = flow.define { "x", function(c)
        print "раз"
        c:ask { "text", "Что?" }
        print "два"
      end }
      _G.print = function(text) printed[#printed + 1] = text end
      finally(function() _G.print = real end)
      local _, state, host = flows.run(definition)
      local runner = require("avito_messenger.bot.flow.run").new { definition }
      runner:advance(state, host)
      runner:answer(state, "x")
      assert.equal("done", runner:advance(state, host).kind)
      assert.same({ "раз", "два" }, printed)
    end)
  end)

  it("sees a function that somebody else put in the place of a forbidden one", function()
    local real = pairs
    local definition = flow.define { "x", function() return (pairs {}) end }
    _G.pairs = function(...) return real(...) end
    local outcome = flows.run(definition)
    _G.pairs = real
    assert.matches("pairs is not allowed in a flow", outcome.message)
  end)

  it("is off again after an error, in nested runs, and when a flow that waits is collected", function()
    local function now() local t = os.time() return t end
    flows.run(flow.define { "x", function() error "x" end })
    assert.is_number(now())
    local inner = flow.define { "inner", function(c) c:ask { "text", "Что?" } end }
    local kept = {}
    local outer = flow.define { "outer", function()
      kept.inner = flows.run(inner).kind
      kept.time = pcall(now)
    end }
    assert.equal("done", flows.run(outer).kind)
    assert.same({ inner = "ask", time = false }, kept)
    assert.is_number(now())
    do
      local definition = flow.define { "x", function(c)
        local held = setmetatable({}, { __gc = function() end })
        c:ask { "text", "Что?" }
        return held
      end }
      flows.run(definition)
    end
    collectgarbage()
    collectgarbage()
    assert.is_number(now())
    assert.equal(string, getmetatable("").__index)
  end)

  it("keeps an environment of the file's own", function()
    local env = setmetatable({ greeting = "привет" }, { __index = _G })
    local source = 'local flow = ... return flow.define { "x", function(c) c:say(greeting) surplus = 1 end }'
    local chunk
    if setfenv then -- luacheck: ignore 113
      chunk = setfenv(loadstring(source), env) -- luacheck: ignore 113
    else
      chunk = load(source, "shop.lua", "t", env) -- luacheck: ignore 113
    end
    local outcome, _, host = flows.run(chunk(flow))
    assert.same({ "1 say привет" }, host.emitted)
    assert.matches("a flow may not write the global 'surplus'", outcome.message)
    assert.is_nil(rawget(env, "surplus"))
  end)
end)
