local curl = require "avito_messenger.curl"
local files = require "support.files"
local raw_server = require "support.raw_server"
local present, alloc = pcall(require, "spec_support.alloc")

-- Each allocation of Lua's is made to fail once. The sanitized run finds what is lost on the way.
describe("when Lua runs out of memory", function()
  if not present then
    pending "spec_support.alloc is not built"
    return
  end

  local server
  setup(function() server = raw_server.start() end)
  teardown(function() server:stop() end)

  -- Calls make() with the first allocation failing, then the second, until none is left to fail.
  local function every_failure(make, check)
    local n = 0
    repeat
      n = n + 1
      local ok, problem, fired = alloc.fail_at(n, make)
      if not ok then -- Lua 5.4 collects and tries once more: a failure need not show
        assert.is_true(fired)
        assert.matches("not enough memory", tostring(problem))
      end
      check()
    until not fired
    assert.is_true(n > 1)
  end

  it("perform raises, and the handle stays usable", function()
    local handle = curl.easy()
    local request = server:request("/echo", { method = "POST", body = "x", headers = { "A: b", "C: d" } })
    every_failure(function() return handle:perform(request) end, function()
      assert.equal("ok", handle:perform(server:request "/ok").body)
    end)
    local refused = server:request("/ok", { url = "ftp://a/" })
    every_failure(function() return handle:perform(refused) end, function() end)
    handle:close()
  end)

  it("perform leaves no file open", function()
    local handle = curl.easy()
    local path = files.temporary()
    files.write(path .. "2", "x")
    local request = server:request("/echo", { method = "POST", headers = { "A: b" }, output = path,
      upload = { path = path .. "2", size = 1, head = "head" } })
    every_failure(function() return handle:perform(request) end, function()
      assert.equal("ok", handle:perform(server:request "/ok").body)
    end)
    assert.equal(0, files.open_at(path) + files.open_at(path .. "2"))
    handle:close()
    os.remove(path)
    os.remove(path .. "2")
  end)

  it("a new handle is none, or whole", function()
    every_failure(function() return curl.easy { proxy = "", ca_file = "/dev/null" } end, function() end)
    every_failure(function()
      local multi = curl.multi { max_connections = 2 }
      return multi:transport { proxy = "", ca_file = "/dev/null" }
    end, function() end)
    every_failure(function() curl.signals({ "USR1" }):close() end, collectgarbage)
    collectgarbage()
  end)

  it("a multi forgets no answer", function()
    local multi = curl.multi()
    local transport = multi:transport()
    local request = server:request("/ok", { method = "POST", body = "x" })
    every_failure(function() return multi:add(request, transport) end, function() end)
    multi:close()

    multi = curl.multi()
    transport = multi:transport()
    local wanted = {}
    for i = 1, 3 do wanted[multi:add(server:request("/ok", { url = "ftp://" .. i .. "/" }), transport)] = true end
    every_failure(function()
      local finished = {}
      for i = 1, multi:step(0, finished, {}) do wanted[finished[2 * i - 1]] = nil end
    end, function() end)
    assert.is_nil(next(wanted))
    multi:close()
  end)
end)

-- Here, where there is little else: it has everything collected again and again.
describe("curl.multi", function()
  local server
  setup(function() server = raw_server.start() end)
  teardown(function() server:stop() end)

  it("can be closed by a finalizer that runs in the middle of a call", function()
    local closes -- only then
    local proxy = rawget(_G, "newproxy")
    local function closer(victim) -- garbage whose finalizer closes the multi
      local function close()
        if closes then victim:close() end
      end
      if proxy then getmetatable(proxy(true)).__gc = close else setmetatable({}, { __gc = close }) end
    end
    local request = server:request("/ok", { url = "ftp://a/" })
    local closed = 0
    for _ = 1, 20 do
      local stressed = curl.multi()
      local number = stressed:transport { proxy = "" }
      collectgarbage()
      collectgarbage("stop")
      closer(stressed)
      collectgarbage("setpause", 0)
      collectgarbage("setstepmul", proxy and 10000000 or 10000)
      closes = true
      collectgarbage("restart")
      local ok, message = pcall(stressed.add, stressed, request, number)
      closes = false
      assert.is_true(ok or message:match "this multi is closed" ~= nil)
      if not ok then closed = closed + 1 end
      stressed:close()
    end
    collectgarbage("setpause", 200)
    collectgarbage("setstepmul", 100)
    assert.is_true(closed > 0 or not proxy) -- Lua 5.4 need not find it then
  end)
end)
