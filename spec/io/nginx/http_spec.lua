local contract = require "contract.transport_contract"
local files = require "support.files"
local inside_nginx = require "support.inside_nginx"
local name_server = require "support.name_server"
local nginx = require "support.nginx"
local process = require "spec_support.process"
local raw_server = require "support.raw_server"

if not nginx.wanted() then return end

contract("nginx", function()
  local inside = inside_nginx.start { expected = { "recv%(%) failed" } }
  return {
    perform = function(request) return inside:run("return driver:perform(...)", request) end,
    stop = function() inside:stop() end,
  }
end)

describe("a request in nginx", function()
  local server, inside, names

  setup(function()
    server, names = raw_server.start(), name_server.start()
    inside = inside_nginx.start { raw = server, http = ("resolver 127.0.0.1:%d ipv6=off; resolver_timeout 2s;"):format(names.port),
      expected = { "send%(%) failed", "recv%(%) failed" } }
  end)
  teardown(function()
    inside:stop()
    server:stop()
    names.stop()
  end)
  before_each(function() server:requests() end)

  local function perform(path, fields) return inside:run("return driver:perform(request(...))", path, fields) end

  it("is sent as it was given, with nothing that costs or lies", function()
    local response = perform("/echo?a=b%20c", { method = "POST", body = "{}",
      headers = { "Authorization: Bearer dummy", "X-Empty:", "Content-Type: a/b" } })
    assert.equal(table.concat({ "POST /echo?a=b%20c HTTP/1.1", "Host: 127.0.0.1:" .. server.port, "Accept: */*",
      "Accept-Encoding: identity", "Authorization: Bearer dummy", "X-Empty:", "Content-Type: a/b", "Content-Length: 2", "", "{}" },
      "\n"), response.body)
    assert.matches("^GET /echo.-identity\n\n$", perform "/echo#fragment".body)
    assert.matches("^DELETE /echo.-\nContent%-Length: 0\n\n$", perform("/echo", { method = "DELETE" }).body)
    assert.equal("GET /?q HTTP/1.1", perform("?q").body:match "^[^\n]*")
  end)

  it("has an answer of a status, a head and a body", function()
    assert.same({ status = 200, head = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", body = "ok" }, perform "/ok")
    assert.same({ status = 204, head = "HTTP/1.1 204 No Content\r\n\r\n", body = "" }, perform "/empty")
    assert.equal(("0123456789"):rep(30000), perform "/large".body)
    assert.matches("^HTTP/1.1 200 OK\r\nContent%-Length: 2\r\nX%-Final: 1\r\n\r\n$", perform "/early".head)
    assert.equal("ok", perform "/trailer".body)
  end)

  it("carries bytes of any value, and many", function()
    assert.is_true(inside:run [[
      local bytes = {}
      for i = 0, 255 do bytes[#bytes + 1] = string.char(i) end
      local body = table.concat(bytes):rep(1000)
      local answer = driver:perform(request("/echo", { method = "POST", body = body })).body
      return answer:sub(-#body) == body and answer:find("Content-Length: 256000", 1, true) ~= nil
    ]])
    local _, connections = table.concat(server:requests(), "\n"):gsub("POST", "")
    assert.equal(1, connections)
  end)

  it("takes the connection of the last one to its host, and no other's", function()
    local other = raw_server.start()
    for _ = 1, 3 do perform "/ok" end
    local seen = server:requests()
    assert.equal(seen[2], seen[3])
    perform("/ok", { url = other.url .. "/ok" })
    assert.same({ "1 GET /ok 0" }, other:requests())
    perform("/ok", { url = (server.url:gsub("127%.0%.0%.1", "localhost")) .. "/ok" })
    local number = server:requests()[1]:match "^%d+"
    assert.is_true(tonumber(number) > tonumber(seen[3]:match "^%d+"))
    other:stop()
  end)

  it("leaves no connection that another could take wrongly", function()
    for path, fields in pairs { ["/close"] = {}, ["/half"] = { timeout = 0.05 }, ["/cut"] = {}, ["/bad_chunk"] = {},
      ["/endless"] = {}, ["/unknown_encoding"] = {},
      ["/raw"] = { method = "POST", body = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1" },
      ["/raw/1.0"] = { method = "POST", body = "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok" } } do
      server:requests()
      perform(path, fields)
      assert.equal("ok", perform "/ok".body)
      local seen = server:requests()
      assert.not_equal(seen[1]:match "^%d+", seen[2]:match "^%d+", path)
    end
  end)

  describe("that the server does not take to its end", function()
    local refusing, port

    -- Answers when it has the head, and closes the connection if it is told to.
    setup(function()
      refusing = process.spawn({ raw_server.interpreter(), "-e", [[
        local socket = require "socket"
        local listener = assert(socket.bind("127.0.0.1", 0))
        print((select(2, listener:getsockname())))
        io.stdout:flush()
        while true do
          local client = listener:accept()
          local first = client:receive "*l"
          while first and client:receive "*l" ~= "" do end
          client:send(first:find "answer" and "HTTP/1.1 413 No\r\nContent-Length: 2\r\n\r\nno" or "")
          client:close()
        end
      ]] }, { stdout = "pipe" })
      port = assert(tonumber((refusing:read_line())))
    end)
    teardown(function() refusing:close() end)

    local function post(path)
      return inside:run([[
        local port, path = ...
        return driver:perform(request("", { url = ("http://127.0.0.1:%d/%s"):format(port, path), method = "POST",
          body = ("x"):rep(20000000) }))
      ]], port, path)
    end

    it("has its answer all the same", function()
      for _ = 1, 3 do
        local response = post "answer"
        assert.same({ 413, "no" }, { response.status, response.body })
      end
    end)

    it("is told when there is none", function()
      local response = post "nothing"
      assert.same({ error = "network", dispatched = true,
        message = ("the connection to 127.0.0.1:%d was closed before an answer came"):format(port) }, response)
    end)
  end)

  describe("that cannot be sent", function()
    local function fails(url, message, fields)
      fields = fields or {}
      fields.url, fields.method, fields.body = url, "POST", "secret"
      local response = perform("", fields)
      assert.is_false(response.dispatched)
      assert.is_nil(response.stale)
      assert.equal(message, response.message)
      return response.error
    end

    it("goes nowhere but where it may", function()
      local plain = "plain http goes only to loopback (localhost, 127.0.0.0/8, [::1]); use https"
      assert.equal("network", fails("http://api.example/", plain))
      fails("http://127.0.0.1.example/", plain)
      fails("ftp://127.0.0.1/", "the address must begin with https://")
      fails("https://a:b@api.example/", "the address holds a user name")
    end)

    it("says who did not take it", function()
      local gone = raw_server.start()
      gone:stop()
      assert.equal("network", fails(gone.url, ("could not connect to 127.0.0.1:%d: connection refused"):format(gone.port)))
    end)

    it("does not wait longer than its connection may", function()
      local url = server.url:gsub("^http:", "https:")
      local message = ("no connection to 127.0.0.1:%d within 0.1 s"):format(server.port)
      assert.equal("timeout", fails(url, message, { connect_timeout = 0.1 }))
      assert.equal("timeout", fails(url, message, { timeout = 0.1 }))
    end)

    it("does not wait for a name server either", function()
      assert.equal("timeout", fails("https://api.silent/", "no connection to api.silent within 0.1 s", { connect_timeout = 0.1 }))
      assert.is_true(inside:run [[
        driver:spawn(function() driver:perform(request("", { url = "https://api.silent/", timeout = 0.01 })) end):wait()
        local ends = driver.now() + 1 -- before nginx's resolver gives up
        while ngx.timer.running_count() > 0 and driver.now() < ends do ngx.sleep(0.01) end
        return ngx.timer.running_count() == 0
      ]])
      assert.equal("network", fails("https://api.example/", "the name api.example could not be resolved (3: Host not found)"))
      local deaf = inside_nginx.start()
      local response = deaf:run [[return driver:perform { method = "GET", url = "https://api.test/", timeout = 1 }]]
      deaf:stop()
      assert.same({ error = "network", dispatched = false, message = "the name api.test could not be resolved: nginx knows nobody "
        .. "to ask; say resolver, with the address of a name server, in its configuration" }, response)
    end)

    it("because it is none raises, and shows no secret", function()
      assert.error_matches(function() perform("/ok", { headers = { "Authorization: dummy-secret\r\nX: y" } }) end,
        "^headers%[1%] holds CR, LF or a zero byte$")
      assert.equal(0, #server:requests())
    end)
  end)

  describe("of a file", function()
    local path

    before_each(function() path = files.temporary() end)
    after_each(function()
      assert.equal(0, inside:run([[
        local pipe = io.popen("ls -l /proc/" .. ngx.worker.pid() .. "/fd")
        local listing = pipe:read "*a"
        pipe:close()
        return select(2, listing:gsub((...):gsub("%p", "%%%0") .. "\n", ""))
      ]], path))
      os.remove(path)
    end)

    local function upload(what, given, fields)
      fields = fields or {}
      fields.method, fields.upload = "POST", { path = path }
      for name, value in pairs(given) do fields.upload[name] = value end
      return perform(what, fields)
    end

    it("is read as far as was asked, in its frame, with its length", function()
      files.write(path, "0123456789")
      assert.matches("\nContent%-Length: 13\n\nhead01234tail$", upload("/echo", { size = 5, head = "head", tail = "tail" }).body)
      assert.matches("\nContent%-Length: 0\n\n$", upload("/echo", { size = 0 }).body)
      files.write(path, ("x"):rep(3000000))
      assert.equal("3000004", upload("/length", { size = 3000000, tail = "tail" }).body)
    end)

    it("is told before anything is sent when it cannot be read, and before another is emptied", function()
      local other = files.temporary()
      files.write(path, "01234")
      files.write(other, "old")
      for name, why in pairs { [path] = "the file has become shorter", ["/nonexistent/x"] = "No such file or directory",
        ["/tmp"] = "it is not a regular file" } do
        assert.same({ error = "file", dispatched = false, message = ("cannot read %s: %s"):format(name, why) },
          upload("/ok", { path = name, size = 6 }, { output = other }))
      end
      assert.equal("old", files.read(other))
      assert.equal(0, #server:requests())
      os.remove(other)
    end)

    it("gets the body of a success, as it comes", function()
      assert.same({ status = 200, head = "HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n", body = "", bytes = 300000 },
        perform("/large", { output = path }))
      assert.equal(("0123456789"):rep(30000), files.read(path))
      local response = perform("/missing", { output = path })
      assert.same({ 404, "nothing" }, { response.status, response.body })
      assert.is_nil(response.bytes)
      assert.equal("", files.read(path))
      assert.equal("decode", perform("/large", { output = path, max_bytes = 1000 }).error)
      assert.equal("network", perform("/cut", { output = path }).error)
      assert.equal("timeout", perform("/half", { output = path, timeout = 0.1 }).error)
    end)

    it("that cannot be written is told", function()
      assert.same({ error = "file", dispatched = false, message = "cannot write /nonexistent/x: No such file or directory" },
        perform("/ok", { output = "/nonexistent/x" }))
      assert.equal(0, #server:requests())
      assert.same({ error = "file", dispatched = true, message = "cannot write /dev/full: No space left on device" },
        perform("/large", { output = "/dev/full" }))
      assert.equal("cannot write /dev/full: No space left on device", perform("/ok", { output = "/dev/full" }).message)
      assert.equal("nothing", perform("/missing", { output = "/dev/full" }).body)
    end)
  end)
end)
