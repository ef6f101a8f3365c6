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
