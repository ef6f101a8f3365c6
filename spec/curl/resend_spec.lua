local curl = require "avito_messenger.curl"
local raw_server = require "support.raw_server"

-- libcurl repeats a request by itself when a kept-alive connection dies before the first byte of the answer.
describe("a kept-alive connection that dies", function()
  local server, handle

  before_each(function()
    server = raw_server.start()
    handle = curl.easy()
    assert.equal("ok", handle:perform(server:request "/ok").body)
    server:requests()
  end)
  after_each(function()
    handle:close()
    server:stop()
  end)

  local kinds = {
    { "GET", { method = "GET" } },
    { "POST with a body", { method = "POST", body = "message" } },
    { "POST without a body", { method = "POST" } },
    { "DELETE", { method = "DELETE" } },
    { "POST of a file", { method = "POST", upload = { path = "examples/phone.png", size = 100, head = "head" } } },
  }
  for _, how in ipairs { "/die", "/reset" } do
    for _, kind in ipairs(kinds) do
      it(("shows the server one %s, not two (%s)"):format(kind[1], how), function()
        local response = handle:perform(server:request(how, kind[2]))
        assert.equal(1, #server:requests())
        assert.equal("network", response.error)
        assert.is_true(response.dispatched)
        assert.is_true(response.stale)
        assert.equal(("the kept-alive connection to 127.0.0.1:%d was closed before an answer came")
          :format(server.port), response.message)
      end)
    end
  end

  it("is told from a server that could not be reached, though libcurl fails to connect again", function()
    local response = handle:perform(server:request("/die_deaf", { method = "POST", body = "message" }))
    assert.equal("network", response.error)
    assert.is_true(response.dispatched)
    assert.is_true(response.stale)
    response = handle:perform(server:request "/ok")
    assert.equal(("could not connect to 127.0.0.1:%d: Connection refused"):format(server.port), response.message)
    assert.is_false(response.dispatched)
    assert.is_nil(response.stale)
  end)

  it("is not stale when an answer had begun, or when the connection was new", function()
    local response = handle:perform(server:request "/cut")
    assert.is_nil(response.stale)
    response = handle:perform(server:request "/die")
    assert.equal("network", response.error)
    assert.is_true(response.dispatched)
    assert.is_nil(response.stale)
    assert.equal(2, #server:requests())
  end)

  it("leaves a handle that works", function()
    handle:perform(server:request("/die", { method = "POST", body = "message" }))
    assert.equal("ok", handle:perform(server:request("/ok", { method = "POST", body = "message" })).body)
    assert.equal(2, #server:requests())
  end)

  it("happens in a multi too, and is one request there", function()
    local multi = curl.multi()
    local function run(request)
      multi:add(request, multi:transport())
      local finished = {}
      repeat until multi:step(10, finished, {}) == 1
      return finished[2]
    end
    run(server:request "/ok")
    server:requests()
    local response = run(server:request("/die", { method = "POST", body = "message" }))
    assert.equal(1, #server:requests())
    assert.is_true(response.stale)
    multi:close()
  end)
end)
