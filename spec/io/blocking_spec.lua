local blocking = require "avito_messenger.io.blocking"
local raw_server = require "support.raw_server"

describe("io.blocking", function()
  local server, driver

  setup(function() server = raw_server.start() end)
  teardown(function() server:stop() end)
  before_each(function() driver = blocking.new() end)
  after_each(function() driver:close() end)

  it("performs a request", function()
    assert.same({ status = 200, head = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", body = "ok" },
      driver:perform(server:request "/ok"))
  end)

  it("does not raise for what the world does", function()
    assert.equal("network", driver:perform(server:request "/die").error)
    assert.equal("timeout", driver:perform(server:request("/silent", { timeout = 0.05 })).error)
    assert.equal("decode", driver:perform(server:request "/bad_status").error)
    assert.equal("network", driver:perform { method = "GET", url = "ftp://127.0.0.1/", timeout = 1 }.error)
  end)

  it("tells the time and waits", function()
    local before = driver:now()
    driver:sleep(0.02)
    assert.is_true(driver:now() - before >= 0.02)
    driver:sleep(-1)
    assert.is_true(math.abs(driver:time() - os.time()) <= 2)
  end)

  it("takes options, and names one it does not know", function()
    blocking.new({ proxy = "", ca_file = "/dev/null" }):close()
    assert.error_matches(function() blocking.new { timeout = 1 } end, "unknown option 'timeout'")
  end)

  it("is closed once and for all", function()
    assert.equal("avito_messenger.io.blocking: avito_messenger.curl.easy (open)", tostring(driver))
    driver:close()
    driver:close()
    assert.error_matches(function() driver:perform(server:request "/ok") end, "closed")
  end)
end)
