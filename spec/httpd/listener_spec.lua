local httpd = require "avito_messenger.httpd"
local listener = require "support.listener"
local process = require "spec_support.process"
local support = require "support.sandbox"

describe("httpd", function()
  local h = listener.new()
  local start, turn, url, request, ok, raw, drain = h.start, h.turn, h.url, h.request, h.ok, h.raw, h.drain

  after_each(function() h.close() end)

  it("gives whole requests", function()
    start()
    local response = request(ok, { method = "POST", path = "/a%20b/?c=%2F&d", body = "body\0bytes",
      headers = { "X-One: 1", "X-One: 2", "Content-Type: text/plain" } })
    assert.equal(200, response.status)
    local got = h.held[1]
    assert.equal("POST", got.method)
    assert.equal("/a%20b/?c=%2F&d", got.path)
    assert.equal("body\0bytes", got.body)
    assert.equal("127.0.0.1", got.peer)
    assert.equal("1, 2", got.headers["x-one"])
    assert.equal("text/plain", got.headers["content-type"])
    assert.is_nil(got.unknown)
  end)

  it("answers with status, headers and bytes", function()
    start()
    local response = request(function(one)
      assert.is_true(one:respond(418, { ["X-A"] = "1", ["X-N"] = 5, ["Set-Cookie"] = { "a=1", "b=2" } }, "a\0b"))
    end)
    assert.equal(418, response.status)
    assert.equal("a\0b", response.body)
    assert.is_truthy(response.head:find("X-A: 1\r\n", 1, true))
    assert.is_truthy(response.head:find("X-N: 5\r\n", 1, true))
    assert.is_truthy(response.head:find("Set-Cookie: a=1\r\n", 1, true))
    assert.is_truthy(response.head:find("Set-Cookie: b=2\r\n", 1, true))
  end)

  it("answers in any order", function()
    start()
    local curl = require("support.transfers").new()
    local ids = {}
    for i = 1, 3 do
      ids[curl:add { method = "GET", url = url("/" .. i), headers = {}, timeout = 10, connect_timeout = 5,
        max_bytes = 1000, max_head_bytes = 10000, purpose = "call" }] = i
    end
    local work, order = turn(), {}
    while #h.held < 3 do
      curl:step(0.001)
      work()
    end
    table.sort(h.held, function(a, b) return a.path > b.path end)
    for _, one in ipairs(h.held) do
      one:respond(200, {}, one.path)
      local finished
      repeat
        work()
        finished = curl:step(0.001)[1]
      until finished
      order[#order + 1] = ids[finished.id]
    end
    curl:close()
    assert.same({ 3, 2, 1 }, order)
  end)

  it("says that an answer waits to be sent", function()
    start()
    local curl = require("support.transfers").new()
    curl:add { method = "GET", url = url(), headers = {}, timeout = 10, connect_timeout = 5, max_bytes = 1000,
      max_head_bytes = 10000, purpose = "call" }
    local work = turn()
    while #h.held == 0 do
      curl:step(0.001)
      work()
    end
    work()
    local patience = h.server:timeout()
    assert.is_true(patience == nil or patience > 0)
    ok(h.held[1])
    assert.equal(0, h.server:timeout())
    curl:close()
  end)

  it("drops a connection without an answer", function()
    start()
    local response = request(function(one) one:close() end)
    assert.equal("network", response.error)
    assert.is_true(response.dispatched)
    assert.is_nil(h.held[1]:close())
  end)

  it("drops the connection of a request that is forgotten", function()
    start()
    local response = support.request { url = url(), turn = function()
      h.server:accept()
      collectgarbage()
    end }
    assert.equal("network", response.error)
  end)

  it("cuts a body that is announced longer", function()
    start()
    for _, bytes in ipairs { 0, 4 } do
      local response = request(function(one) one:cut(200, { ["X-A"] = "1" }, ("x"):rep(100), bytes) end)
      assert.equal("network", response.error)
    end
    local text = drain(raw("printf 'GET / HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n' >&3; cat <&3"), function(one)
      one:cut(200, {}, "0123456789", 4)
    end)
    assert.is_truthy(text:find("Content-Length: 10\r\n", 1, true))
    assert.equal("\r\n\r\n0123", text:sub(-8))
  end)

  it("drips a body, and answers others meanwhile", function()
    start()
    local curl = require("support.transfers").new()
    local function add(path)
      return curl:add { method = "GET", url = url(path), headers = {}, timeout = 10, connect_timeout = 5,
        max_bytes = 1000, max_head_bytes = 10000, purpose = "call" }
    end
    local slow, quick, order, bodies = add("/slow"), nil, {}, {}
    local work = turn(function(one)
      if one.path == "/slow" then
        one:drip(200, {}, "dripping", 0.02)
        quick = add("/quick")
      else
        ok(one)
      end
    end)
    while #order < 2 do
      for _, finished in ipairs(curl:step(0.001)) do
        order[#order + 1] = finished.id
        bodies[finished.id] = finished.response.body
      end
      work()
    end
    curl:close()
    assert.same({ quick, slow }, order)
    assert.equal("dripping", bodies[slow])
  end)

  it("lets a body drip for longer than a request may take", function()
    start { timeout = 0.1 }
    assert.equal("dripping", request(function(one) one:drip(200, {}, "dripping", 0.04) end).body)
  end)

  it("sleeps between the bytes of a dripping body", function()
    start()
    local curl = require("support.transfers").new()
    curl:add { method = "GET", url = url(), headers = {}, timeout = 10, connect_timeout = 5, max_bytes = 1000,
      max_head_bytes = 10000, purpose = "call" }
    local work = turn(function(one) one:drip(200, {}, "dripping", 3600) end)
    while #h.held == 0 do
      curl:step(0.001)
      work()
    end
    for _ = 1, 20 do
      curl:step(0.001)
      work()
    end
    assert.is_true(h.server:timeout() > 1)
    curl:close()
  end)

  it("keeps connections open for further requests", function()
    start()
    local script = "for i in 1 2 3; do printf 'POST /%s HTTP/1.1\\r\\nHost: a\\r\\nContent-Length: 2\\r\\n\\r\\nab'" ..
      " $i >&3; done; printf 'GET /4 HTTP/1.1\\r\\nHost: a\\r\\nConnection: close\\r\\n\\r\\n' >&3; cat <&3"
    local text = drain(raw(script), function(one)
      one:respond(200, {}, "[" .. one.path .. one.body .. "]")
    end)
    for _, part in ipairs { "[/1ab]", "[/2ab]", "[/3ab]", "[/4]" } do
      assert.is_truthy(text:find(part, 1, true))
    end
  end)

  it("closes a connection with its answer where it is told to", function()
    start()
    local text = drain(raw("printf 'GET / HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n' >&3; timeout 8 cat <&3; [ $? = 124 ] && echo late"),
      function(one) one:respond(200, { Connection = "close" }, "bye") end)
    assert.is_truthy(text:find "^HTTP/1.1 200 .*\r\nConnection: close\r\n.*\r\n\r\nbye$")
  end)

  it("closes the connection of a request it refuses itself, and counts it", function()
    start { max_head = 300 }
    for _, head in ipairs { "GET / HTTP/1.1\\r\\nHost: a\\r\\nX: " .. ("x"):rep(400), "BREW / HTTP/1.1\\r\\nHost: a" } do
      local text = drain(raw("printf '" .. head .. "\\r\\n\\r\\n' >&3; timeout 8 cat <&3; [ $? = 124 ] && echo late"), ok)
      assert.is_truthy(text:find "^HTTP/1.1 [45]%d%d .*\r\nConnection: close\r\n")
      assert.is_nil(text:find("late", 1, true))
    end
    assert.same({ 2, 0 }, { h.server:counts() })
  end)

  it("says how old a request is, from the first moment it may have begun", function()
    start { idle = 20 }
    drain(raw("sleep 0.2; printf 'GET /1 HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n' >&3; head -n 1 <&3; sleep 0.6; " ..
      "printf 'POST /2 HTTP/1.1\\r\\nHost: a\\r\\nConnection: close\\r\\nContent-Length: 1\\r\\n\\r\\n' >&3; sleep 0.2; " ..
      "printf x >&3; cat <&3"), ok)
    assert.is_true(h.held[1].age >= 0.1)
    assert.is_true(h.held[2].age >= 0.1 and h.held[2].age < 0.6)
  end)

  describe("drained", function()
    it("serves those that are connected, and nobody else", function()
      start()
      local child = raw("printf 'GET /1 HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n' >&3; head -n 1 <&3; " ..
        "printf 'GET /2 HTTP/1.1\\r\\nHost: a\\r\\nConnection: close\\r\\n\\r\\n' >&3; cat <&3")
      while #h.held == 0 do
        h.server:wait(0.01)
        turn()()
      end
      local port = h.server:port()
      h.server:drain()
      assert.equal("network", support.request({ url = url(), turn = turn(ok) }).error)
      local other = assert(httpd.listen { port = port })
      h.server:drain() -- and not what has the descriptor now
      h.server, other = other, h.server
      assert.equal(200, request(ok).status)
      h.server:close()
      h.server = other
      table.remove(h.held)
      ok(h.held[1])
      assert.is_truthy(drain(child, ok):find("HTTP/1.1 200 OK.*HTTP/1.1 200 OK"))
      assert.equal("/2", h.held[2].path)
    end)

    it("knows when everything is answered", function()
      start()
      assert.equal(0, h.server:pending())
      local child = raw("printf 'GET / HTTP/1.1\\r\\nHost: a\\r\\nConnection: close\\r\\n\\r\\n' >&3; cat <&3")
      while #h.held == 0 do
        h.server:wait(0.01)
        turn()()
      end
      assert.equal(1, h.server:pending())
      ok(h.held[1])
      assert.equal(1, h.server:pending()) -- it is not sent yet
      drain(child)
      assert.equal(0, h.server:pending())
    end)
  end)

  describe("refuses", function()
    local function answering(fn)
      start()
      local problem
      request(function(one)
        local ran, message = pcall(fn, one)
        problem = not ran and message
        one:close()
      end)
      return problem
    end

    it("header values that would begin a header of their own", function()
      for _, value in ipairs { "a\r\nX: 1", "a\nb", "a\0b", "a\rb" } do
        assert.is_truthy(answering(function(one) one:respond(200, { ["X-A"] = value }) end)
          :find("header 'X-A': the value holds CR, LF or NUL", 1, true))
      end
      assert.is_truthy(answering(function(one) one:respond(200, { ["X-A"] = { "a", "b\n" } }) end):find("LF", 1, true))
      for _, name in ipairs { "X A", "X:", "", "X\r\nY", "Ж" } do
        assert.is_string(answering(function(one) one:respond(200, { [name] = "a" }) end))
      end
    end)

    it("what is no answer", function()
      for _, fn in ipairs { function(one) one:respond(100) end, function(one) one:respond(600) end,
        function(one) one:respond("x") end, function(one) one:respond(200, 5) end,
        function(one) one:respond(200, { 5 }) end, function(one) one:respond(200, { a = true }) end,
        function(one) one:respond(200, {}, {}) end, function(one) one:cut(200, {}, "abc", 3) end,
        function(one) one:cut(200, {}, "abc", -1) end, function(one) one:drip(200, {}, "abc", 0) end } do
        assert.is_string(answering(fn))
      end
    end)

    it("a second answer", function()
      assert.is_truthy(answering(function(one)
        one:respond(200)
        one:respond(200)
      end):find("answered already", 1, true))
    end)

    it("options it does not know", function()
      for _, options in ipairs { { prot = 1 }, { port = "1" }, { port = 70000 }, { host = 5 }, { timeout = 0 }, { idle = 0 },
        { max_body = -1 }, { max_head = 1 }, { max_connections = 0 }, { 5 } } do
        assert.has_error(function() httpd.listen(options) end)
      end
      assert.has_error(function() httpd.listen(5) end)
    end)
  end)

  it("says why it cannot listen", function()
    start()
    local other, problem = httpd.listen { port = h.server:port() }
    assert.is_nil(other)
    assert.is_truthy(problem:find("EADDRINUSE", 1, true))
    other, problem = httpd.listen { host = "localhost" }
    assert.is_nil(other)
    assert.is_truthy(problem:find("numeric", 1, true))
    assert.is_truthy(select(2, httpd.listen { host = "203.0.113.1" }):find("EADDRNOTAVAIL", 1, true))
  end)

  it("listens on IPv6 too", function()
    h.server, h.held = httpd.listen { host = "::1" }, {}
    if not h.server then return pending("no IPv6 here") end
    local response = support.request { url = ("http://[::1]:%d/"):format(h.server:port()), turn = turn(ok) }
    assert.equal(200, response.status)
    assert.equal("::1", h.held[1].peer)
  end)

  describe("closed", function()
    it("stays closed, whatever was under way", function()
      start()
      local curl = require("support.transfers").new()
      curl:add { method = "GET", url = url(), headers = {}, timeout = 10, connect_timeout = 5, max_bytes = 1000,
        max_head_bytes = 10000, purpose = "call" }
      local work = turn()
      while #h.held == 0 do
        curl:step(0.001)
        work()
      end
      h.server:close()
      h.server:close()
      assert.is_false(h.held[1]:respond(200, {}, "too late"))
      assert.has_error(function() h.held[1]:respond(200) end)
      local finished
      repeat finished = curl:step(0.01)[1] until finished
      assert.equal("network", finished.response.error)
      curl:close()
      for _, method in ipairs { "port", "fd", "timeout", "accept", "drain", "pending", "counts" } do
        assert.has_error(function() h.server[method](h.server) end)
      end
      assert.equal("http server (closed)", tostring(h.server))
      assert.equal("GET", h.held[1].method)
    end)

    it("by collection, before or after its requests", function()
      start()
      local curl = require("support.transfers").new()
      for _ = 1, 4 do
        curl:add { method = "GET", url = url(), headers = {}, timeout = 10, connect_timeout = 5, max_bytes = 1000,
          max_head_bytes = 10000, purpose = "call" }
      end
      local work = turn()
      while #h.held < 4 do
        curl:step(0.001)
        work()
      end
      h.held[2]:drip(200, {}, ("x"):rep(100), 60)
      work()
      work()
      h.held[3]:respond(200, {}, "not sent")
      local kept = h.held[4]
      h.server, h.held = nil, nil
      collectgarbage()
      collectgarbage()
      assert.is_false(kept:respond(200))
      curl:close()
    end)
  end)

  it("belongs to the process that opened it", function()
    start()
    local port = h.server:port()
    local child = raw("printf 'GET /open HTTP/1.1\\r\\nHost: a\\r\\nConnection: close\\r\\n\\r\\n' >&3; cat <&3")
    local work = turn()
    while #h.held == 0 do
      h.server:wait(0.01)
      work()
    end
    local how, code, output = process.fork(function()
      local called, problem = pcall(h.server.accept, h.server)
      h.server:close()
      h.server = nil
      collectgarbage()
      assert.is_false(h.held[1]:respond(200))
      return tostring(called) .. " " .. tostring(problem)
    end)
    assert.equal("exit", how)
    assert.equal(0, code)
    assert.is_truthy(output:find("false.*child"))
    assert.equal(port, h.server:port())
    h.held[1]:respond(200, {}, "still open")
    assert.is_truthy(drain(child):find("still open", 1, true))
    assert.equal(200, request(ok).status)
  end)

  it("is not hurt by a client that leaves", function()
    start()
    local child = raw("printf 'GET / HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n' >&3")
    drain(child)
    while #h.held == 0 do
      h.server:wait(0.01)
      turn()()
    end
    h.held[1]:respond(200, {}, ("x"):rep(1e6))
    for _ = 1, 5 do turn()() end
    assert.equal(200, request(ok).status)
  end)
end)
