local misuses = require "support.misuse"
local requests = require "avito_messenger.io.nginx.request"

describe("a request as it is sent", function()
  local function read(fields)
    local given = { method = "POST", url = "http://127.0.0.1/", timeout = 10 }
    for name, value in pairs(fields) do given[name] = value end
    return requests.read(given)
  end

  local function misuse(message, fields)
    local ok, problem = pcall(read, fields)
    assert.is_false(ok)
    assert.equal(message, problem)
  end

  it("has bounds where none are given, and none beyond a day", function()
    local one = read { timeout = 3 }
    assert.same({ 3, 3, 32 * 1024 * 1024, 65536 }, { one.timeout, one.connect, one.max_bytes, one.max_head })
    one = read { timeout = math.huge, max_bytes = 5, max_head_bytes = 6 }
    assert.same({ 86400, 5, 5, 6 }, { one.timeout, one.connect, one.max_bytes, one.max_head })
    assert.equal(2, read({ connect_timeout = 2 }).connect)
  end)

  it("names what is misuse", function()
    for _, row in ipairs(misuses) do
      local ok, problem = pcall(read, row[2])
      assert.is_false(ok, row[1])
      assert.equal(row[1], problem:sub(1, #row[1]))
    end
    misuse("output: string expected, got number", { output = 1 })
    misuse("output holds a zero byte", { output = "a\0b" })
    assert.error_matches(function() requests.read() end, "a request: table expected, got nil")
  end)

  it("is no second header or request", function()
    for _, text in ipairs { "a;", " a: b", "a : b" } do
      misuse("headers[1] is not of the form 'Name: value'", { headers = { text } })
    end
    misuse("headers[2]: content-length follows from the body", { headers = { "A: b", "Content-Length: 5" } })
    misuse("headers[1]: transfer-encoding follows from the body", { headers = { "Transfer-Encoding: chunked" } })
    for _, byte in ipairs { "\r", "\n", "\0", " ", "\t", "\127" } do
      misuse("url holds a space or a control character", { url = "http://127.0.0.1/ok" .. byte .. "x" })
    end
  end)

  it("of a file names what is misuse", function()
    local function upload(message, given, fields)
      fields = fields or {}
      fields.upload = { path = "x" }
      for name, value in pairs(given) do fields.upload[name] = value end
      misuse(message, fields)
    end
    upload("upload: a GET has none", { size = 1 }, { method = "GET" })
    upload("upload: a DELETE has none", { size = 1 }, { method = "DELETE" })
    upload("give body or upload, not both", { size = 1 }, { body = "" })
    upload("upload.size: number of bytes expected, got nil", {})
    upload("upload.size must not be negative", { size = -1 })
    upload("upload.path: string expected, got number", { path = 1 })
    upload("upload.path holds a zero byte", { path = "a\0b" })
    upload("upload.head: string expected, got boolean", { size = 1, head = true })
    upload("upload.tail is longer than 65536 bytes", { size = 1, tail = ("x"):rep(65537) })
    misuse("upload: table expected, got number", { upload = 1 })
    assert.same({ { path = "x", size = 2, head = "", tail = "ab" }, 4 },
      { read({ upload = { path = "x", size = 2, tail = "ab" } }).upload, read({ upload = { path = "x", size = 2,
        tail = "ab" } }).length })
  end)

  it("goes where its URL says", function()
    local function target(url)
      local one = assert(requests.target(url))
      return { one.scheme, one.address, one.port, one.authority, one.path, one.is_name }
    end
    assert.same({ "https", "api.example", 443, "api.example", "/a/../b?c=%D1", true }, target "https://API.example/a/../b?c=%D1#d")
    assert.same({ "https", "api.example", 8443, "api.example:8443", "/", true }, target "HTTPS://api.example:8443")
    assert.same({ "https", "api.example", 443, "api.example", "/?a", true }, target "https://api.example:443?a")
    assert.same({ "http", "127.0.0.1", 8080, "localhost:8080", "/", false }, target "http://localhost:8080/")
    assert.same({ "http", "127.1.2.3", 80, "127.1.2.3", "/", false }, target "http://127.1.2.3/")
    assert.same({ "http", "[::1]", 81, "[::1]:81", "/", false }, target "http://[::1]:81/")
  end)

  it("goes nowhere else", function()
    local function refused(message, url)
      assert.same({ n = 2, nil, message }, { n = 2, requests.target(url) }, url)
    end
    for _, host in ipairs { "api.example", "127.0.0.1.example", "localhost.example", "127.0.0.256", "127.1", "128.0.0.1", "0.0.0.0",
      "[::2]", "xlocalhost", "1127.0.0.1", "127.0.0.1x" } do
      refused("plain http goes only to loopback (localhost, 127.0.0.0/8, [::1]); use https", "http://" .. host .. "/")
    end
    for _, url in ipairs { "file:///etc/passwd", "ftp://127.0.0.1/", "//127.0.0.1/", "", "127.0.0.1", "https:/a", "httpss://a/" } do
      refused("the address must begin with https://", url)
    end
    refused("the address holds a user name", "https://a@b/")
    refused("the address holds a user name", "http://localhost@b/")
    for _, authority in ipairs { "", ":80", "a:0", "a:65536", "a:b", "a:1:2", "[::1", "[g]", "a%41", "a\\b" } do
      refused("the address is not a valid URL", "https://" .. authority .. "/")
    end
  end)

  it("has a head that says what goes by itself, unless the caller does", function()
    local function head(fields, url)
      local one = read(fields)
      return requests.head(one, assert(requests.target(url or "http://127.0.0.1:8080/x")))
    end


        assert.equal("POST /x HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nAccept: */*\r\nAccept-Encoding: identity\r\nA: b\r\n"
      .. "Content-Length: 2\r\n\r\n", head { body = "ok", headers = { "A: b" } })
    assert.equal("GET /x HTTP/1.1\r\nAccept-Encoding: identity\r\nhost: other\r\nACCEPT: x/y\r\n\r\n",
      head { method = "GET", headers = { "host: other", "ACCEPT: x/y" } })
    assert.matches("\r\nContent%-Length: 20971520000\r\n", head { upload = { path = "x", size = 20971520000 } })
  end)
end)
