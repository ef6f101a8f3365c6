local listener = require "support.listener"
local support = require "support.sandbox"

describe("httpd bounds", function()
  local h = listener.new()
  local start, turn, url, request, ok, raw, drain = h.start, h.turn, h.url, h.request, h.ok, h.raw, h.drain

  after_each(function() h.close() end)

  it("the body that is announced", function()
    start { max_body = 1000 }
    assert.equal(200, request(ok, { method = "POST", body = ("x"):rep(1000) }).status)
    local response = request(ok, { method = "POST", body = ("x"):rep(1001) })
    assert.equal(413, response.status)
    assert.equal(1, #h.held)
  end)

  it("the body that is not announced", function()
    start { max_body = 1000 }
    local head = "printf 'POST / HTTP/1.1\\r\\nHost: a\\r\\nConnection: close\\r\\n" ..
      "Transfer-Encoding: chunked\\r\\n\\r\\n' >&3; "
    local chunk = "printf '1F4\\r\\n%500s\\r\\n' x >&3; "
    local last = "printf '0\\r\\n\\r\\n' >&3; cat <&3"
    assert.is_truthy(drain(raw(head .. chunk:rep(2) .. last), ok):find("^HTTP/1.1 200"))
    assert.equal(1000, #h.held[1].body)
    assert.is_truthy(drain(raw(head .. chunk:rep(3) .. last), ok):find("^HTTP/1.1 413"))
    assert.equal("", drain(raw(head .. chunk:rep(9) .. last), ok))
    head = head:gsub("Connection: close", "X: 1")
    last = "printf '0\\r\\n\\r\\n' >&3; timeout 8 cat <&3; [ $? = 124 ] && echo late"
    local text = drain(raw(head .. chunk:rep(3) .. last), ok)
    assert.is_truthy(text:find "^HTTP/1.1 413")
    assert.is_nil(text:find("late", 1, true))
    assert.equal(1, #h.held)
  end)

  it("the head", function()
    start { max_head = 2000 }
    assert.equal(200, request(ok, { headers = { "X-A: " .. ("x"):rep(1500) } }).status)
    assert.equal(431, request(ok, { headers = { "X-A: " .. ("x"):rep(2100) } }).status)
    assert.equal(431, request(ok, { path = "/" .. ("x"):rep(2100) }).status)
    assert.is_true(request(ok, { headers = { "X-A: " .. ("x"):rep(100000) } }).status ~= 200)
    local many = {}
    for i = 1, 110 do many[i] = "X-" .. i .. ": 1" end
    start { max_head = 100000 }
    assert.equal(431, request(ok, { headers = many }).status)
    assert.equal(0, #h.held)
  end)

  it("the methods", function()
    start()
    local script = "printf 'BREW / HTTP/1.1\\r\\nHost: a\\r\\nConnection: close\\r\\n\\r\\n' >&3; cat <&3"
    local text = drain(raw(script), ok)
    assert.is_truthy(text:find("^HTTP/1.1 501"))
    assert.equal(0, #h.held)
  end)

  it("the time a head may take, however busy the connection is", function()
    start { timeout = 0.2 }
    local text = drain(raw("while printf 'x' >&3; do sleep 0.05; done; true"), ok)
    assert.equal("", text)
    drain(raw("printf 'GET / HTTP/1.1\\r\\n' >&3; while printf 'X: 1\\r\\n' >&3; do sleep 0.05; done"), ok)
    assert.equal(0, #h.held)
  end)

  it("the time a body may take", function()
    start { timeout = 0.2 }
    drain(raw("printf 'POST / HTTP/1.1\\r\\nHost: a\\r\\nContent-Length: 1000\\r\\n\\r\\n' >&3; " ..
      "while printf 'x' >&3; do sleep 0.05; done"), ok)
    assert.equal(0, #h.held)
  end)

  it("not the time the program takes", function()
    start { timeout = 0.05 }
    local since
    local clock = require "avito_messenger.clock"
    local response = support.request { url = url(), turn = function()
      turn()()
      since = since or (h.held[1] and clock.now())
      if since and clock.now() - since > 0.15 then h.held[1]:respond(200, {}, "late") end
      if since and clock.now() - since > 0.15 then since = math.huge end
    end }
    assert.equal("late", response.body)
  end)

  it("the time a connection rests, apart from that of a request", function()
    local one = "printf 'GET / HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n' >&3; "
    start { timeout = 0.1, idle = 20 }
    local text = drain(raw(one .. "head -n 1 <&3; sleep 1.5; " ..
      "printf 'GET / HTTP/1.1\\r\\nHost: a\\r\\nConnection: close\\r\\n\\r\\n' >&3; cat <&3"), ok)
    assert.equal(2, select(2, text:gsub("HTTP/1.1 200", "")))
    start { timeout = 20, idle = 0.1 }
    assert.is_nil(drain(raw(one .. "timeout 8 cat <&3; [ $? = 124 ] && echo late"), ok):find("late", 1, true))
    assert.same({ 0, 0 }, { h.server:counts() })
    start { timeout = 0.1 }
    assert.is_nil(drain(raw(one .. "timeout 8 cat <&3; [ $? = 124 ] && echo late"), ok):find("late", 1, true))
  end)

  it("the time of a further request on a connection", function()
    start { timeout = 0.2, idle = 20 }
    local text = drain(raw("printf 'GET /1 HTTP/1.1\\r\\nHost: a\\r\\n\\r\\nGET /2 HTTP/1.1\\r\\n' >&3; " ..
      "for i in {1..100}; do printf 'X: 1\\r\\n' >&3 || exit; sleep 0.05; done; echo late"), ok)
    assert.equal("", text)
    assert.equal(1, #h.held)
    assert.same({ 0, 1 }, { h.server:counts() })
  end)

  it("the time an answer may take to be read", function()
    start { timeout = 0.2, idle = 20 }
    local child = raw("printf 'GET / HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n' >&3; sleep 20")
    local work = turn(function(one) one:respond(200, {}, ("x"):rep(2e7)) end)
    while h.server:pending() > 0 or #h.held == 0 do
      h.server:wait(0.01)
      work()
    end
    assert.same({ 0, 1 }, { h.server:counts() })
    child:close()
  end)

  it("its sleep by the next deadline", function()
    start { timeout = 9.5, idle = 3.5 }
    local child = raw("printf 'GET' >&3; read line; printf ' / HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n' >&3; sleep 20", true)
    local work = turn(ok)
    while h.server:timeout() == nil do
      h.server:wait(0.01)
      work()
    end
    assert.is_true(h.server:timeout() <= 9.5)
    child:write "\n"
    while #h.held == 0 or h.server:pending() > 0 or h.server:timeout() == 0 do
      h.server:wait(0.01)
      work()
    end
    assert.is_true(h.server:timeout() <= 3.5)
    child:close()
  end)

  it("the time of a request beside an answer that drips", function()
    start { timeout = 0.2 }
    local slow = raw("printf 'GET / HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n' >&3; cat <&3")
    while #h.held == 0 do
      h.server:wait(0.01)
      turn(function(one) one:drip(200, {}, "dripping", 3600) end)()
    end
    assert.equal("", drain(raw("printf 'GET' >&3; timeout 8 cat <&3; [ $? = 124 ] && echo late"), ok))
    slow:close()
  end)

  it("the connections, by the descriptors the process may have", function()
    local program = [[
      local httpd = require "avito_messenger.httpd"
      local server = assert(httpd.listen { max_connections = 1000, timeout = 0.5 })
      print(server:port())
      io.stdout:flush()
      local cut = 0
      while cut < 150 do
        server:wait(1)
        server:accept()
        cut = select(2, server:counts())
        assert(io.open("/dev/null")):close()
      end
      print "fine"]]
    local child = support.spawn({ "-e", "require('spec_support.dribble').limit(200) " .. program }, { stdout = "pipe" })
    local port = tonumber(child:read_line())
    local clients = support.spawn { "-e", ("require('spec_support.dribble').run(%d, 300)"):format(port) }
    assert.equal("fine", child:read_line(30))
    clients:close()
    child:close()
  end)

  it("the connections", function()
    start { max_connections = 2 }
    local curl = require("support.transfers").new()
    for _ = 1, 3 do
      curl:add { method = "GET", url = url(), headers = {}, timeout = 10, connect_timeout = 5, max_bytes = 1000,
        max_head_bytes = 10000, purpose = "call" }
    end
    local work = turn()
    for _ = 1, 50 do
      curl:step(0.001)
      work()
    end
    assert.equal(2, #h.held)
    curl:close()
  end)
end)
