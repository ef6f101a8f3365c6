local curl = require "avito_messenger.curl"
local process = require "spec_support.process"
local raw_server = require "support.raw_server"
local socket = require "socket"

describe("curl.multi", function()
  local server, multi

  setup(function() server = raw_server.start() end)
  teardown(function() server:stop() end)
  before_each(function()
    multi = curl.multi { proxy = "" }
    server:requests()
  end)
  after_each(function() multi:close() end)

  local function collect(count, into)
    local found = into or {}
    while count > 0 do
      for _, finished in ipairs(multi:step(10)) do
        assert.is_nil(found[finished.id])
        found[finished.id] = finished.response
        count = count - 1
      end
    end
    return found
  end

  -- Steps until the server has seen `count` requests.
  local function until_seen(count)
    local seen = 0
    while seen < count do
      assert.same({}, multi:step(0.01))
      seen = seen + #server:requests()
    end
  end

  it("answers as an easy handle does", function()
    local id = multi:add(server:request "/ok")
    local other = multi:add(server:request("/echo", { method = "POST", body = "x", headers = { "A: b" } }))
    local broken = multi:add(server:request "/cut")
    local found = collect(3)
    assert.same({ status = 200, head = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", body = "ok" }, found[id])
    assert.matches("^POST /echo .*A: b.*x$", found[other].body)
    assert.equal("network", found[broken].error)
    assert.same({}, multi:step(0))
  end)

  it("has many exchanges under way at once", function()
    local ids, count = {}, 50
    for i = 1, count do ids[i] = multi:add(server:request "/hold") end
    until_seen(count)
    server:tell "release"
    local found = collect(count)
    for i = 1, count do assert.equal("held", found[ids[i]].body) end
  end)

  it("keeps body and headers alive until they were sent", function()
    local ids = {}
    for i = 1, 20 do
      ids[i] = multi:add(server:request("/echo", {
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
      multi:add(server:request("/ok", { method = "POST", body = "x" }))
      collect(1)
      multi:add(server:request "/ok")
      collect(1)
    end
    local seen = server:requests()
    for _, line in ipairs(seen) do
      assert.equal(seen[1]:match "^%d+", line:match "^%d+")
    end
    assert.equal(6, #seen)
  end)

  describe("with a limit", function()
    before_each(function()
      multi:close()
      multi = curl.multi { proxy = "", max_connections = 2 }
    end)

    it("has no more exchanges under way, and forgets none that waits", function()
      for _ = 1, 6 do multi:add(server:request "/hold") end
      for _ = 1, 3 do
        until_seen(2)
        multi:step(0.01)
        assert.equal(0, #server:requests())
        server:tell "release"
        for _, response in pairs(collect(2)) do assert.equal("held", response.body) end
      end
    end)

    it("runs any number of them in few connections", function()
      for _ = 1, 100 do multi:add(server:request "/ok") end
      local distinct, count = {}, 0
      for _, response in pairs(collect(100)) do assert.equal("ok", response.body) end
      for _, line in ipairs(server:requests()) do
        local connection = line:match "^%d+"
        count = count + (distinct[connection] and 0 or 1)
        distinct[connection] = true
      end
      assert.equal(2, count)
    end)

    it("counts the wait as part of an exchange's time", function()
      for _ = 1, 2 do multi:add(server:request "/hold") end
      until_seen(2)
      server:tell "release"
      collect(2) -- connections that stand: making them has timers of its own, which would end the step below
      for _ = 1, 2 do multi:add(server:request("/hold", { timeout = 1 })) end
      until_seen(2)
      local late = multi:add(server:request("/ok", { timeout = 0.05 }))
      assert.same({ [late] = { error = "timeout", dispatched = false,
        message = ("no connection to 127.0.0.1:%d within 0.05 s"):format(server.port) } }, collect(1))
      assert.equal(0, #server:requests())
    end)

    it("serves first who came first", function()
      local running = { multi:add(server:request "/hold"), multi:add(server:request "/hold") }
      until_seen(2)
      multi:add(server:request "/ok")
      assert.is_true(multi:cancel(running[1]))
      multi:add(server:request "/echo")
      collect(2)
      local seen = server:requests()
      assert.matches("GET /ok", seen[1])
      assert.matches("GET /echo", seen[2])
    end)

    it("can cancel what waits", function()
      for _ = 1, 2 do multi:add(server:request "/hold") end
      until_seen(2)
      local first, second = multi:add(server:request "/ok"), multi:add(server:request "/echo")
      assert.is_false(multi:cancel(first))
      server:tell "release"
      assert.matches("^GET /echo", collect(3)[second].body)
    end)
  end)

  it("tells of a refused address at the next step, without waiting", function()
    local id = multi:add(server:request("/ok", { url = "http://api.avito.ru/" }))
    local finished = multi:step(60)
    assert.equal(id, finished[1].id)
    assert.equal("network", finished[1].response.error)
    assert.is_false(finished[1].response.dispatched)
  end)

  it("bounds each exchange by its own time", function()
    local slow = multi:add(server:request("/silent", { timeout = 0.05 }))
    local held = multi:add(server:request "/hold")
    local found = collect(1)
    assert.equal("timeout", found[slow].error)
    assert.is_true(found[slow].dispatched)
    server:tell "release"
    assert.equal("held", collect(1)[held].body)
  end)

  it("refuses misuse and keeps what is under way", function()
    local id = multi:add(server:request "/hold")
    local injecting = server:request("/ok", { headers = { "A: b\r\nC: d" } })
    assert.error_matches(function() multi:add(injecting) end, "headers%[1%] holds CR")
    assert.error_matches(function() multi:add(server:request("/ok", { headers = { 1 } })) end, "headers%[1%]")
    assert.error_matches(function() multi:add {} end, "timeout")
    assert.error_matches(function() multi:step() end, "number expected")
    assert.error_matches(function() multi:step(-1) end, "must not be negative")
    assert.error_matches(function() multi:step(0, { 1 }) end, "fds%[1%]: table expected")
    assert.error_matches(function() multi:step(0, { { fd = "1" } }) end, "fds%[1%].fd: descriptor expected")
    assert.error_matches(function() curl.multi { max_connections = 0 } end, "max_connections must be between 1")
    assert.error_matches(function() curl.multi { max_connections = "9" } end, "max_connections: number expected")
    assert.error_matches(function() curl.multi { pipelining = true } end, "unknown option 'pipelining'")
    until_seen(1)
    server:tell "release"
    assert.equal("held", collect(1)[id].body)
  end)

  describe("cancel", function()
    it("says whether the server may have seen the request", function()
      local seen = multi:add(server:request("/hold", { method = "POST", body = "x" }))
      until_seen(1)
      local unseen = multi:add(server:request "/hold")
      assert.is_true(multi:cancel(seen))
      assert.is_false(multi:cancel(unseen))
      assert.same({}, multi:step(0.02))
      assert.equal(0, #server:requests())
    end)

    it("knows no exchange that ended", function()
      local id = multi:add(server:request "/ok")
      collect(1)
      assert.is_nil(multi:cancel(id))
      local next_id = multi:add(server:request "/hold")
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
      local first = multi:add(server:request("/ok", { url = "ftp://a/" }))
      local second = multi:add(server:request("/ok", { url = "ftp://b/" }))
      local third = multi:add(server:request("/ok", { url = "ftp://c/" }))
      assert.is_false(multi:cancel(second))
      assert.is_false(multi:cancel(third))
      local fourth = multi:add(server:request("/ok", { url = "ftp://d/" }))
      local finished = multi:step(60)
      assert.same({ first, fourth }, { finished[1].id, finished[2].id })
    end)
  end)

  describe("foreign descriptors", function()
    it("end a wait when they are ready", function()
      local listener = assert(socket.bind("127.0.0.1", 0))
      local fds = { { fd = listener:getfd(), read = true } }
      multi:step(0, fds)
      assert.same({ fd = listener:getfd(), read = true, readable = false, writable = false }, fds[1])
      local client = assert(socket.connect("127.0.0.1", (select(2, listener:getsockname()))))
      fds[2] = { fd = client:getfd(), write = true, read = true }
      multi:step(60, fds)
      assert.is_true(fds[1].readable)
      assert.is_true(fds[2].writable)
      assert.is_false(fds[2].readable)
      listener:close()
      client:close()
    end)

    it("that are broken are ready, so that whoever uses them learns why", function()
      local fds = { { fd = 1000000, read = true } }
      multi:step(0, fds)
      assert.is_true(fds[1].readable)
      assert.is_false(fds[1].writable)
    end)
  end)

  it("can be woken before it sleeps", function()
    multi:wakeup()
    assert.same({}, multi:step(60))
  end)

  it("lets Ctrl-C end a long wait", function()
    local child = process.spawn({ raw_server.lua(), "-e", [[
      local multi = require "avito_messenger.curl".multi()
      io.stdout:write("ready\n")
      io.stdout:flush()
      while true do multi:step(60) end
    ]] }, { stdout = "pipe", stderr = "pipe" })
    assert.equal("ready", child:read_line())
    child:kill "INT"
    assert.matches("interrupted!", (child:read_all()))
    assert.same({ "exit", 1 }, { child:wait() })
  end)

  it("may be closed with exchanges under way, and says so when used afterwards", function()
    assert.equal("avito_messenger.curl.multi (open)", tostring(multi))
    for _ = 1, 5 do multi:add(server:request("/hold", { method = "POST", body = ("x"):rep(1000) })) end
    until_seen(5)
    multi:add(server:request("/ok", { url = "ftp://a/" }))
    multi:close()
    multi:close()
    assert.equal("avito_messenger.curl.multi (closed)", tostring(multi))
    for _, name in ipairs { "add", "step", "cancel", "wakeup" } do
      assert.error_matches(function() multi[name](multi, 0) end, "this multi is closed")
    end
  end)

  it("may be collected with exchanges under way", function()
    local dropped = curl.multi()
    for _ = 1, 5 do dropped:add(server:request "/hold") end
    dropped:step(0)
    dropped = nil -- luacheck: no unused
    collectgarbage()
    collectgarbage()
  end)
end)
