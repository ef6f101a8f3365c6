local curl = require "avito_messenger.curl"
local process = require "spec_support.process"
local raw_server = require "support.raw_server"
local socket = require "socket"

describe("curl.multi", function()
  local server, multi, transport
  local finished, ready = {}, {}

  setup(function() server = raw_server.start() end)
  teardown(function() server:stop() end)
  before_each(function()
    multi = curl.multi()
    transport = multi:transport { proxy = "" }
    server:requests()
  end)
  after_each(function() multi:close() end)

  local function add(request, seconds) return multi:add(request, transport, seconds) end

  -- How many exchanges have ended.
  local function step(seconds) return (multi:step(seconds, finished, ready)) end

  local function collect(count, into)
    local found = into or {}
    while count > 0 do
      for i = 1, step(10) do
        local id = finished[2 * i - 1]
        assert.is_nil(found[id])
        found[id] = finished[2 * i]
        count = count - 1
      end
    end
    return found
  end

  -- Steps until the server has seen `count` requests.
  local function until_seen(count)
    local seen = 0
    while seen < count do
      assert.equal(0, step(0.01))
      seen = seen + #server:requests()
    end
  end

  it("answers as an easy handle does", function()
    local id = add(server:request "/ok")
    local other = add(server:request("/echo", { method = "POST", body = "x", headers = { "A: b" } }))
    local broken = add(server:request "/cut")
    local found = collect(3)
    assert.same({ status = 200, head = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", body = "ok" }, found[id])
    assert.matches("^POST /echo .*A: b.*x$", found[other].body)
    assert.equal("network", found[broken].error)
    assert.equal(0, step(0))
  end)

  it("has many exchanges under way at once", function()
    local ids, count = {}, 50
    for i = 1, count do ids[i] = add(server:request "/hold") end
    until_seen(count)
    server:tell "release"
    local found = collect(count)
    for i = 1, count do assert.equal("held", found[ids[i]].body) end
  end)

  it("keeps body and headers alive until they were sent", function()
    local ids = {}
    for i = 1, 20 do
      ids[i] = add(server:request("/echo", {
        method = "POST", body = ("body" .. i .. " "):rep(20000), headers = { "X-Number: " .. i }, max_bytes = 10000000,
      }))
    end
    collectgarbage()
    collectgarbage()
    local found = collect(20)
    for i = 1, 20 do
      assert.matches("X%-Number: " .. i .. "\n", found[ids[i]].body)
      assert.is_true(found[ids[i]].body:sub(-200000):find(("body" .. i .. " "):rep(20000), 1, true) ~= nil)
    end
  end)

  it("reuses connections, and handles of any path before", function()
    for _ = 1, 3 do
      add(server:request("/ok", { method = "POST", body = "x" }))
      collect(1)
      add(server:request "/ok")
      collect(1)
    end
    local seen = server:requests()
    for _, line in ipairs(seen) do
      assert.equal(seen[1]:match "^%d+", line:match "^%d+")
    end
    assert.equal(6, #seen)
  end)

  it("takes less time than the request has, if told to", function()
    local late = add(server:request "/silent", 0.05)
    local response = collect(1)[late]
    assert.same({ "timeout", true }, { response.error, response.dispatched })
    assert.matches("0%.05 s", response.message)
  end)

  it("keeps transports apart, and knows equal ones again", function()
    assert.equal(transport, multi:transport { proxy = "" })
    local other = multi:transport { proxy = "", ca_file = "/dev/null" }
    assert.not_equal(transport, other)
    assert.equal(other, multi:transport { proxy = "", ca_file = "/dev/null" })
    assert.equal(multi:transport(), multi:transport {})
    for _, number in ipairs { transport, other, transport, other } do
      local id = multi:add(server:request "/ok", number)
      assert.equal("ok", collect(1)[id].body)
    end
  end)

  it("tells of a refused address at the next step, without waiting", function()
    local id = add(server:request("/ok", { url = "http://api.avito.ru/" }))
    assert.equal(1, step(60))
    assert.equal(id, finished[1])
    assert.equal("network", finished[2].error)
    assert.is_false(finished[2].dispatched)
  end)

  it("bounds each exchange by its own time", function()
    local slow = add(server:request("/silent", { timeout = 0.05 }))
    local held = add(server:request "/hold")
    local found = collect(1)
    assert.equal("timeout", found[slow].error)
    assert.is_true(found[slow].dispatched)
    server:tell "release"
    assert.equal("held", collect(1)[held].body)
  end)

  it("refuses misuse and keeps what is under way", function()
    local id = add(server:request "/hold")
    local injecting = server:request("/ok", { headers = { "A: b\r\nC: d" } })
    assert.error_matches(function() add(injecting) end, "headers%[1%] holds CR")
    assert.error_matches(function() add(server:request("/ok", { headers = { 1 } })) end, "headers%[1%]")
    assert.error_matches(function() add {} end, "timeout: number of seconds expected")
    assert.error_matches(function() multi:step() end, "number expected")
    assert.error_matches(function() multi:step(-1, {}, {}) end, "must not be negative")
    assert.error_matches(function() multi:step(0) end, "table expected")
    assert.error_matches(function() multi:step(0, {}) end, "table expected")
    assert.error_matches(function() multi:add(server:request "/ok") end, "number expected")
    assert.error_matches(function() multi:add(server:request "/ok", 99) end, "no such transport")
    assert.error_matches(function() multi:transport { max_connections = 1 } end, "unknown option 'max_connections'")
    assert.error_matches(function() multi:transport { proxy = 1 } end, "proxy: string expected")
    assert.error_matches(function() curl.multi { max_connections = 0 } end, "max_connections must be between 1")
    assert.error_matches(function() curl.multi { max_connections = "9" } end, "max_connections: number expected")
    assert.error_matches(function() curl.multi { pipelining = true } end, "unknown option 'pipelining'")
    until_seen(1)
    server:tell "release"
    assert.equal("held", collect(1)[id].body)
  end)

  describe("cancel", function()
    it("says whether the server may have seen the request", function()
      local seen = add(server:request("/hold", { method = "POST", body = "x" }))
      until_seen(1)
      local unseen = add(server:request "/hold")
      assert.is_true(multi:cancel(seen))
      assert.is_false(multi:cancel(unseen))
      assert.equal(0, step(0.02))
      assert.equal(0, #server:requests())
    end)

    it("knows no exchange that ended", function()
      local id = add(server:request "/ok")
      collect(1)
      assert.is_nil(multi:cancel(id))
      local next_id = add(server:request "/hold")
      assert.is_nil(multi:cancel(id)) -- its slot is used again, its number is not
      assert.not_equal(id, next_id)
      assert.is_false(multi:cancel(next_id))
      assert.is_nil(multi:cancel(next_id))
      for _, wrong in ipairs { 0, -1, 1e300, 0 / 0, 5, 2 ^ 52 } do
        assert.is_nil(multi:cancel(wrong))
      end
      assert.error_matches(function() multi:cancel "id" end, "number expected")
    end)

    it("takes back a refusal nobody fetched", function()
      local first = add(server:request("/ok", { url = "ftp://a/" }))
      local second = add(server:request("/ok", { url = "ftp://b/" }))
      local third = add(server:request("/ok", { url = "ftp://c/" }))
      assert.is_false(multi:cancel(second))
      assert.is_false(multi:cancel(third))
      local fourth = add(server:request("/ok", { url = "ftp://d/" }))
      assert.equal(2, step(60))
      assert.same({ first, fourth }, { finished[1], finished[3] })
    end)
  end)

  describe("foreign descriptors", function()
    local function ready_now(seconds)
      local _, count = multi:step(seconds or 0, finished, ready)
      local found = {}
      for i = 1, count do found[ready[2 * i - 1]] = ready[2 * i] end
      return found
    end

    it("end a wait when they are ready, for as long as they are watched", function()
      local listener = assert(socket.bind("127.0.0.1", 0))
      multi:watch(listener:getfd(), "r")
      assert.same({}, ready_now())
      local client = assert(socket.connect("127.0.0.1", (select(2, listener:getsockname()))))
      assert.same({ [listener:getfd()] = "r" }, ready_now(60))
      multi:watch(client:getfd(), "rw")
      assert.same({ [listener:getfd()] = "r", [client:getfd()] = "w" }, ready_now(60))
      multi:watch(listener:getfd(), nil)
      multi:watch(client:getfd(), "r")
      assert.same({}, ready_now())
      local accepted = assert(listener:accept())
      accepted:close()
      assert.same({ [client:getfd()] = "r" }, ready_now(60))
      listener:close()
      client:close() -- without a word
      assert.same({}, ready_now())
    end)

    it("that are broken are ready, so that whoever uses them learns why", function()
      local listener = assert(socket.bind("127.0.0.1", 0))
      local client = assert(socket.connect("127.0.0.1", (select(2, listener:getsockname()))))
      local accepted = assert(listener:accept())
      accepted:setoption("linger", { on = true, timeout = 0 })
      multi:watch(client:getfd(), "r")
      accepted:close() -- a reset
      assert.same({ [client:getfd()] = "rw" }, ready_now(60))
      listener:close()
      client:close()
    end)

    it("that were closed behind its back do not take libcurl's socket of the same number with them", function()
      local gone = curl.signals { "USR1" }
      local fd = gone:fd()
      multi:watch(fd, "r")
      gone:close()
      local id = add(server:request "/hold") -- its socket gets the lowest number that is free
      until_seen(1)
      assert.error_matches(function() multi:watch(fd, "r") end, "cannot be watched: Device or resource busy")
      multi:watch(fd, nil)
      server:tell "release"
      assert.equal("held", collect(1)[id].body)
    end)

    it("that cannot be waited for are refused", function()
      assert.error_matches(function() multi:watch(1000000, "r") end, "descriptor 1000000 cannot be watched: Bad file")
      assert.error_matches(function() multi:watch(-1, "r") end, "no descriptor")
      assert.error_matches(function() multi:watch(0.5, "r") end, "no descriptor")
      assert.error_matches(function() multi:watch(0, "x") end, '"r", "w", "rw" or nil expected')
      assert.error_matches(function() multi:watch(0, "rr") end, "expected")
      multi:watch(1000000, nil)
    end)
  end)

  it("loses one exchange only where a socket cannot be watched", function()
    local output = raw_server.interposed(([[
      local multi = require("avito_messenger.curl").multi()
      local transport = multi:transport { proxy = "" }
      local finished, left = {}, 2
      for _ = 1, left do
        multi:add({ method = "GET", url = "%s/ok", timeout = 10, headers = {} }, transport)
      end
      while left > 0 do
        for i = 1, multi:step(10, finished, {}) do
          local response = finished[2 * i]
          print(response.status or response.error .. ", " .. response.message:gsub("%%d+", "n"))
          left = left - 1
        end
      end
      multi:add({ method = "GET", url = "%s/ok", timeout = 10, headers = {} }, transport)
      while multi:step(10, finished, {}) == 0 do end
      print(finished[2].body)
    ]]):format(server.url, server.url), { INTERPOSE_UNWATCHED = "1" })
    assert.equal("network, not enough memory for the exchange with n.n.n.n:n\n200\nok\n", output)
  end)

  it("lets Ctrl-C end a long wait", function()
    local child = process.spawn({ raw_server.lua(), "-e", [[
      local multi = require "avito_messenger.curl".multi()
      io.stdout:write("ready\n")
      io.stdout:flush()
      while true do multi:step(60, {}, {}) end
    ]] }, { stdout = "pipe", stderr = "pipe" })
    assert.equal("ready", child:read_line())
    child:kill "INT"
    assert.matches("interrupted!", (child:read_all()))
    assert.same({ "exit", 1 }, { child:wait() })
  end)

  it("may be closed with exchanges under way, and says so when used afterwards", function()
    assert.equal("avito_messenger.curl.multi (open)", tostring(multi))
    for _ = 1, 5 do add(server:request("/hold", { method = "POST", body = ("x"):rep(1000) })) end
    until_seen(5)
    add(server:request("/ok", { url = "ftp://a/" }))
    multi:close()
    multi:close()
    assert.equal("avito_messenger.curl.multi (closed)", tostring(multi))
    for _, name in ipairs { "add", "step", "cancel", "watch", "transport" } do
      assert.error_matches(function() multi[name](multi, 0) end, "this multi is closed")
    end
  end)

  it("may be collected with exchanges under way", function()
    local dropped = curl.multi()
    local number = dropped:transport { proxy = "" }
    for _ = 1, 5 do dropped:add(server:request "/hold", number) end
    dropped:step(0, finished, ready)
    dropped = nil -- luacheck: no unused
    collectgarbage()
    collectgarbage()
  end)
end)
