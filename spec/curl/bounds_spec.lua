local curl = require "avito_messenger.curl"
local raw_server = require "support.raw_server"

describe("a hostile server", function()
  local server, handle

  setup(function()
    server = raw_server.start()
    handle = curl.easy()
  end)
  teardown(function()
    handle:close()
    server:stop()
  end)

  local function fails(path, kind, message, fields)
    local response = handle:perform(server:request(path, fields))
    assert.equal(kind, response.error)
    assert.matches(message, response.message)
    assert.matches("127.0.0.1:" .. server.port, response.message, 1, true)
    assert.is_true(response.dispatched)
    assert.is_nil(response.status)
    assert.equal("ok", handle:perform(server:request "/ok").body) -- no byte of it reaches the next answer
  end

  it("cannot send a body without end", function()
    fails("/endless", "decode", "longer than 1000000 bytes")
    fails("/endless_close", "decode", "longer than 1000000 bytes")
    fails("/exact", "decode", "longer than 999 bytes", { max_bytes = 999 })
    fails("/ok", "decode", "longer than 0 bytes", { max_bytes = 0 })
  end)

  it("cannot hide a body without end in gzip", function()
    fails("/bomb", "decode", "longer than 1000000 bytes")
  end)

  it("cannot send headers without end", function()
    fails("/endless_head", "decode", "more than 65536 bytes or 1000 lines of headers")
    fails("/many_headers", "decode", "more than 65536 bytes or 1000 lines of headers")
    fails("/endless_100", "decode", "more than 65536 bytes or 1000 lines of headers")
    fails("/endless_trailers", "decode", "more than 65536 bytes or 1000 lines of headers")
    fails("/large", "decode", "more than 20 bytes", { max_head_bytes = 20 })
    fails("/endless_line", "decode", "not valid HTTP")
  end)

  it("counts bytes and lines of headers apart", function()
    local roomy = { max_head_bytes = 100000000 }
    fails("/many_headers", "decode", "1000 lines of headers", roomy)
    fails("/endless_100", "decode", "1000 lines of headers", roomy)
    fails("/endless_trailers", "decode", "1000 lines of headers", roomy)
  end)

  it("gets gzip undone, and is told when it is broken", function()
    assert.equal("hello, hello, hello", handle:perform(server:request "/gzip").body)
    fails("/bad_gzip", "decode", "broken or unknown content encoding")
    fails("/unknown_encoding", "decode", "broken or unknown content encoding")
  end)

  it("cannot pass half an answer for a whole one", function()
    fails("/cut", "network", "broke in the middle of the answer")
    fails("/cut_chunk", "network", "broke in the middle of the answer")
    fails("/cut_last_chunk", "network", "broke in the middle of the answer")
    fails("/cut_head", "network", "broke in the middle of the answer")
    fails("/bad_length", "decode", "not valid HTTP")
    fails("/two_lengths", "decode", "not valid HTTP")
  end)

  it("must speak HTTP", function()
    fails("/bad_chunk", "decode", "not valid HTTP")
    fails("/bad_status", "decode", "not valid HTTP")
    fails("/nul_header", "decode", "not valid HTTP")
    fails("/http09", "decode", "not valid HTTP")
    fails("/not_http", "decode", "not valid HTTP")
  end)

  it("costs at most the timeout", function()
    fails("/silent", "timeout", "no answer from .* within 0.1 s", { timeout = 0.1 })
    fails("/drip", "timeout", "the answer of .* did not end within 0.1 s", { timeout = 0.1 })
    fails("/drip_head", "timeout", "the answer of .* did not end within 0.1 s", { timeout = 0.1 })
  end)

  it("cannot send the client elsewhere", function()
    server:requests()
    local response = handle:perform(server:request "/redirect")
    assert.equal(302, response.status)
    assert.matches("Location: /ok", response.head)
    assert.equal(1, #server:requests())
  end)

  it("sees the path as it was asked for", function()
    for _, path in ipairs { "/echo/%2e%2e/a", "/echo/../a", "/echo/./a", "/echo/%2E/a//b" } do
      local response = handle:perform(server:request(path))
      assert.equal("GET " .. path .. " HTTP/1.1", response.body:match("^[^\n]*"))
    end
  end)
end)

describe("a server that does not take part", function()
  it("was not reached when nothing listens", function()
    local server = raw_server.start()
    local request = server:request "/ok?secret=dummy"
    server:stop()
    local response = curl.easy():perform(request)
    assert.same({
      error = "network", dispatched = false,
      message = ("could not connect to 127.0.0.1:%d: Connection refused"):format(server.port),
    }, response)
  end)

  it("was not reached when the TLS handshake does not end", function()
    local server = raw_server.start()
    local request = server:request("/ok", { connect_timeout = 0.1 })
    request.url = request.url:gsub("^http:", "https:")
    assert.same({
      error = "timeout", dispatched = false,
      message = ("no connection to 127.0.0.1:%d within 0.1 s"):format(server.port),
    }, curl.easy():perform(request))
    server:stop()
  end)

  it("was not reached when its name cannot be resolved", function()
    local output = raw_server.interposed([[
      local response = require "avito_messenger.curl".easy():perform {
        method = "POST", url = "https://messenger.slow.invalid/path?secret=dummy", timeout = 0.2 }
      print(response.error, response.dispatched, response.message)
    ]])
    assert.equal("timeout\tfalse\tno connection to messenger.slow.invalid within 0.2 s\n", output)
  end)

  it("may leave a resolver at work when the interpreter unloads its modules", function()
    local output, how, status = raw_server.interposed([[
      local response = require "avito_messenger.curl".easy():perform {
        method = "POST", url = "https://messenger.brief.invalid/", timeout = 0.05 }
      print(response.error)
    ]], { INTERPOSE_LINGER = "1" })
    assert.equal("timeout\n", output)
    assert.same({ "exit", 0 }, { how, status })
  end)
end)
