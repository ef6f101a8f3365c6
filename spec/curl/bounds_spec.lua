local contract = require "contract.transport_contract"
local curl = require "avito_messenger.curl"
local raw_server = require "support.raw_server"

contract("curl.easy", function()
  local handle = curl.easy()
  return {
    perform = function(request) return handle:perform(request) end,
    stop = function() handle:close() end,
  }
end)

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

  it("cannot hide a body without end in gzip", function()
    fails("/bomb", "decode", "longer than 1000000 bytes")
  end)

  it("cannot send a line without end", function()
    fails("/endless_line", "decode", "not valid HTTP")
  end)

  it("gets gzip undone, and is told when it is broken", function()
    assert.equal("hello, hello, hello", handle:perform(server:request "/gzip").body)
    fails("/bad_gzip", "decode", "broken or unknown content encoding")
    fails("/unknown_encoding", "decode", "broken or unknown content encoding")
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
