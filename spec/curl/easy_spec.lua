local curl = require "avito_messenger.curl"
local misuses = require "support.misuse"
local process = require "spec_support.process"
local raw_server = require "support.raw_server"

describe("curl.easy", function()
  local server, handle

  setup(function() server = raw_server.start() end)
  teardown(function() server:stop() end)
  before_each(function()
    handle = curl.easy()
    server:requests()
  end)
  after_each(function() handle:close() end)

  local function perform(path, fields)
    return handle:perform(server:request(path, fields))
  end

  it("returns status, head and body of an answer", function()
    assert.same({ status = 200, head = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", body = "ok" }, perform "/ok")
    assert.same({ status = 204, head = "HTTP/1.1 204 No Content\r\n\r\n", body = "" }, perform "/empty")
  end)

  it("keeps the connection for the next request", function()
    perform "/ok"
    perform("/ok", { method = "POST", body = "x" })
    perform "/ok"
    local seen = table.concat(server:requests(), "\n")
    local first = seen:match("^(%d+) ")
    assert.equal(("%s GET /ok 0\n%s POST /ok 1\n%s GET /ok 0"):format(first, first, first), seen)
  end)

  it("asks for each request's own path and query, to the letter, whatever the last ones were", function()
    local long = "/ok?" .. ("x"):rep(1100)
    local paths = { "/ok", "/ok?a=1&b=%D1%8B", "/ok?a=2", "/ok", "/%D1%8b/..", "/a/../ok", "/ok?", "/ok?x=%2F", long, "/ok#no",
      "/" .. ("y"):rep(1100), "/ok?q=/a?b" }
    local expected = {}
    for _ = 1, 2 do
      for _, path in ipairs(paths) do
        perform(path)
        expected[#expected + 1] = "GET " .. (path:gsub("#.*", "")) .. " 0"
      end
    end
    local seen = {}
    for i, line in ipairs(server:requests()) do seen[i] = line:gsub("^%d+ ", "") end
    assert.same(expected, seen)
  end)

  it("goes to each request's own host", function()
    local other = raw_server.start()
    for _ = 1, 2 do
      perform "/ok"
      handle:perform(other:request "/ok")
    end
    assert.equal(2, #server:requests())
    assert.equal(2, #other:requests())
    other:stop()
  end)

  it("sends each request's own headers, whatever the last one's were", function()
    local function sent(fields)
      local head = perform("/echo", fields).body
      return head:match("X%-A: (%d)"), head:find("Content-Type", 1, true) ~= nil, head:find("X-B", 1, true) ~= nil
    end
    local one, two = { "X-A: 1" }, { "X-A: 1", "X-B: 1" }
    local post = { method = "POST", body = "{}", headers = one }
    for _ = 1, 2 do
      assert.same({ "1", false, false }, { sent { headers = one } })
      assert.same({ "1", false, false }, { sent(post) })
      assert.same({ "1", false, true }, { sent { headers = two } })
      assert.same({ "2", false, false }, { sent { headers = { "X-A: 2" } } })
      assert.same({ "1", true, false }, { sent { method = "POST", headers = { "X-A: 1", "Content-Type: a/b" } } })
      assert.same({ nil, false, false }, { sent {} })
      assert.has_error(function() sent { headers = { "X-A: 1", "X-B: \r\n" } } end)
    end
  end)

  it("sends what it was given, and nothing by itself that costs or lies", function()
    local head = perform("/echo?a=b%20c", {
      method = "POST", body = "{}", headers = { "Authorization: Bearer dummy", "X-Empty: ", "Content-Type: a/b" },
    }).body
    assert.equal(table.concat({
      "POST /echo?a=b%20c HTTP/1.1", "Host: 127.0.0.1:" .. server.port, "Accept: */*", "Accept-Encoding: gzip",
      "Authorization: Bearer dummy", "X-Empty:", "Content-Type: a/b", "Content-Length: 2", "", "{}",
    }, "\n"), head)
  end)

  it("sends no content type the caller did not name, and never waits for 100", function()
    perform("/echo", { method = "POST", body = "x" }) -- what was left out of its headers is not missing in the next ones
    local head = perform("/echo", { method = "POST", body = ("x"):rep(2000000), max_bytes = 3000000 }).body:sub(1, 500)
    assert.not_matches("Content%-Type", head)
    assert.not_matches("Expect", head)
    assert.matches("Content%-Length: 2000000", head)
  end)

  it("sends a POST without a body as an empty one", function()
    local head = perform("/echo", { method = "POST" }).body
    assert.matches("^POST /echo HTTP/1.1\n", head)
    assert.matches("Content%-Length: 0\n", head)
  end)

  it("sends other methods too, and forgets them", function()
    assert.matches("^DELETE /echo .-Content%-Length: 0", perform("/echo", { method = "DELETE" }).body)
    assert.matches("^PUT /echo .-{}$", perform("/echo", { method = "PUT", body = "{}" }).body)
    assert.matches("^POST /echo ", perform("/echo", { method = "POST", body = "x" }).body)
    assert.matches("^GET /echo ", perform("/echo").body)
  end)

  it("forgets the headers and the body of the request before", function()
    perform("/echo", { method = "POST", body = "secret", headers = { "X-Secret: 1" } })
    local text = perform("/echo", { method = "POST" }).body
    assert.not_matches("ecret", text)
  end)

  it("carries bytes of any value", function()
    local bytes = {}
    for i = 0, 255 do bytes[#bytes + 1] = string.char(i) end
    local body = table.concat(bytes):rep(50)
    local answer = perform("/echo", { method = "POST", body = body }).body
    assert.is_true(answer:sub(-#body) == body)
  end)

  it("gives answers of any size up to the bound", function()
    assert.equal(("0123456789"):rep(30000), perform("/large").body)
    assert.equal("ok", perform("/ok").body)
    assert.equal(1000, #perform("/exact", { max_bytes = 1000 }).body)
  end)

  it("gives the head of the final answer only", function()
    local answer = perform "/early"
    assert.equal(200, answer.status)
    assert.matches("X%-Final", answer.head)
    assert.not_matches("X%-Early", answer.head)
    assert.not_matches("X%-Late: 1", perform("/trailer").head)
    assert.equal(200, perform("/trailer_status").status)
  end)

  it("leaves no connection open to programs the caller starts", function()
    local function sockets()
      local child = process.spawn({ "sh", "-c", "ls -l /proc/$$/fd | grep -c socket:" }, { stdout = "pipe" })
      return child:read_line()
    end
    handle:perform { method = "GET", url = "http://127.0.0.1:1/", timeout = 1 } -- libcurl's own wakeup pair exists now
    local before = sockets()
    perform "/ok"
    assert.equal(before, sockets())
  end)

  describe("misuse", function()
    local function misuse(message, fields)
      assert.error_matches(function() perform("/ok", fields) end, message)
      assert.equal(0, #server:requests())
    end

    it("names the field of a request", function()
      for _, row in ipairs(misuses) do
        local ok, problem = pcall(perform, "/ok", row[2])
        assert.is_false(ok, row[1])
        assert.is_truthy(tostring(problem):find(row[1], 1, true), problem)
      end
      assert.equal(0, #server:requests())
      assert.error_matches(function() handle:perform() end, "table expected")
      assert.error_matches(function() handle:perform { method = "GET", url = server.url } end, "timeout")
    end)

    it("refuses an address that would become a second header or request", function()
      for _, byte in ipairs { "\r", "\n", "\0", " ", "\t", "\127" } do
        misuse("url holds a space or a control character", { url = server.url .. "/ok" .. byte .. "x" })
      end
    end)

    it("does not show a secret in its messages", function()
      local _, message = pcall(perform, "/ok", { headers = { "Authorization: Bearer dummy-secret\r\n" } })
      assert.not_matches("dummy", tostring(message))
    end)

    it("leaves the handle usable", function()
      misuse("headers%[2%]", { headers = { "A: b", 1 }, method = "POST", body = "x" })
      assert.equal("ok", perform("/ok").body)
    end)

    it("names an unknown option and a wrong type", function()
      assert.error_matches(function() curl.easy { verify = false } end, "unknown option 'verify'")
      assert.error_matches(function() curl.easy { true } end, "an option name is a string, got number")
      assert.error_matches(function() curl.easy { proxy = 1 } end, "proxy: string expected, got number")
      assert.error_matches(function() curl.easy { ca_file = "a\0b" } end, "ca_file holds a zero byte")
      assert.error_matches(function() curl.easy(1) end, "table expected")
    end)
  end)

  it("may be closed more than once, and says so when used afterwards", function()
    assert.equal("avito_messenger.curl.easy (open)", tostring(handle))
    perform "/ok"
    handle:close()
    handle:close()
    assert.equal("avito_messenger.curl.easy (closed)", tostring(handle))
    assert.error_matches(function() perform "/ok" end, "closed")
  end)

  it("can be closed by a finalizer that runs in the middle of a call", function()
    local function closer(victim) -- garbage whose finalizer closes the handle
      if rawget(_G, "newproxy") then
        local proxy = rawget(_G, "newproxy")(true)
        getmetatable(proxy).__gc = function() victim:close() end
      else
        setmetatable({}, { __gc = function() victim:close() end })
      end
    end
    collectgarbage("stop")
    local stressed = curl.easy()
    local request = server:request "/large"
    for _ = 1, 20 do
      closer(stressed)
      collectgarbage("restart")
      collectgarbage("setpause", 0)
      collectgarbage("setstepmul", 10000)
      local ok, answer = pcall(stressed.perform, stressed, request)
      assert.is_true(ok and #answer.body == 300000 or tostring(answer):match "closed" ~= nil)
      stressed:close()
      stressed = curl.easy()
    end
    collectgarbage("setpause", 200)
    collectgarbage("setstepmul", 100)
  end)

  it("makes nothing at require time", function()
    local child = process.spawn({ raw_server.lua(), "-e", [[
      local curl = require "avito_messenger.curl"
      local threads = io.open("/proc/self/status"):read("*a"):match("Threads:%s*(%d+)")
      print(threads, type(curl.easy))
    ]] }, { stdout = "pipe" })
    assert.equal("1\tfunction", child:read_line())
  end)
end)
