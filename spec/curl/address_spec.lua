local curl = require "avito_messenger.curl"
local raw_server = require "support.raw_server"

describe("the address of a request", function()
  local server, handle

  setup(function()
    server = raw_server.start()
    handle = curl.easy { proxy = "" }
  end)
  teardown(function()
    handle:close()
    server:stop()
  end)

  local function perform(url)
    return handle:perform { method = "GET", url = url, timeout = 5 }
  end

  it("may be plain http on this machine", function()
    for _, url in ipairs {
      "http://127.0.0.1:", "HTTP://localhost:", "http://LOCALHOST:", "http://127.1:", "http://0x7f.1:",
    } do
      assert.equal("ok", perform(url .. server.port .. "/ok").body, url)
    end
    for _, host in ipairs { "127.0.0.2", "127.255.255.254", "[::1]" } do
      local response = perform("http://" .. host .. ":1/")
      assert.matches("^could not connect to", response.message)
    end
  end)

  it("may not be plain http to any other", function()
    local port = server.port
    local refusals = {
      ["plain http goes only to loopback (localhost, 127.0.0.0/8, [::1]); use https"] = true,
      ["the address is not a valid URL"] = true,
      ["the address holds a user name"] = true,
    }
    for _, host in ipairs {
      "api.avito.ru", "localhost.evil.test", "evil.test#@127.0.0.1", "evil.test\\@127.0.0.1", "127.0.0.1.evil.test",
      "10.0.0.1", "0.0.0.0", "[::2]", "[::]", "localhost.", "xlocalhost", "127.0.0.1%2eevil.test", "[::ffff:10.0.0.1]",
      "128.0.0.1", "1270.0.0.1", "2130706434x", "169.254.169.254", "", "/",
    } do
      for _, tail in ipairs { "/ok", ":" .. port .. "/ok" } do
        local response = perform("http://" .. host .. tail)
        assert.equal("network", response.error, host)
        assert.is_false(response.dispatched)
        assert.is_true(refusals[response.message], host .. ": " .. response.message)
      end
    end
  end)

  it("holds no user name", function()
    for _, url in ipairs {
      "http://127.0.0.1@evil.test/", "http://user@127.0.0.1/", "https://user:dummy-password@127.0.0.1:1/",
    } do
      local response = perform(url)
      assert.equal("the address holds a user name", response.message)
      assert.is_false(response.dispatched)
    end
  end)

  it("is of no other protocol", function()
    for _, url in ipairs {
      "file:///etc/passwd", "ftp://127.0.0.1/", "gopher://127.0.0.1/", "dict://127.0.0.1/", "127.0.0.1/ok",
      "//127.0.0.1/", "https:/127.0.0.1/", "https:127.0.0.1", "", "httpsx://127.0.0.1/", "telnet://127.0.0.1/",
    } do
      local response = perform(url)
      assert.equal("network", response.error)
      assert.is_false(response.dispatched)
      assert.equal("the address must begin with https://", response.message)
    end
  end)

  it("is not valid without a host", function()
    for _, url in ipairs { "https://", "https://:1/", "https://a:99999999/", "https://[::1/" } do
      local response = perform(url)
      assert.equal("network", response.error)
      assert.is_false(response.dispatched)
    end
  end)

  it("means this machine when it says localhost, whatever a resolver says", function()
    local output = raw_server.interposed(([[
      print(require "avito_messenger.curl".easy():perform {
        method = "GET", url = "http://localhost:%d/ok", timeout = 5 }.body)
    ]]):format(server.port))
    assert.equal("ok\n", output)
  end)
end)

describe("a proxy", function()
  local proxy, server

  setup(function()
    proxy = raw_server.start()
    server = raw_server.start()
  end)
  teardown(function()
    proxy:stop()
    server:stop()
  end)
  before_each(function()
    proxy:requests()
    server:requests()
  end)

  local far = { method = "POST", url = "https://api.test/messenger?secret=dummy", body = "x", timeout = 5 }

  it("is asked for a tunnel; its refusal is told without a secret", function()
    local handle = curl.easy { proxy = ("http://user:dummy-password@127.0.0.1:%d"):format(proxy.port) }
    assert.same({
      error = "network", dispatched = false, message = "the proxy refused to connect to api.test: status 407",
    }, handle:perform(far))
    assert.matches("CONNECT api.test:443", proxy:requests()[1])
    assert.not_matches("dummy", tostring(handle))
    handle:close()
  end)

  it("that is not there is named by its address", function()
    local handle = curl.easy { proxy = "http://user:dummy-password@127.0.0.1:1" }
    local response = handle:perform(far)
    assert.equal("could not connect to api.test (proxy 127.0.0.1:1): Connection refused", response.message)
    assert.is_false(response.dispatched)
    handle = curl.easy { proxy = "http://user:dummy-password@proxy.invalid:1" }
    response = handle:perform(far)
    assert.equal("the name of the proxy could not be resolved", response.message)
  end)

  it("never sees what is meant for this machine", function()
    local handle = curl.easy { proxy = "http://127.0.0.1:" .. proxy.port }
    assert.equal("ok", handle:perform(server:request "/ok").body)
    handle:perform(far)
    assert.equal("ok", handle:perform(server:request "/ok").body)
    assert.equal(1, #proxy:requests())
    assert.equal(2, #server:requests())
  end)

  it("comes from the environment when the option does not say", function()
    local script = [[
      local handle = require "avito_messenger.curl".easy(%s)
      local response = handle:perform { method = "GET", url = "https://api.invalid/", timeout = 5 }
      print(response.message)
      print(handle:perform { method = "GET", url = "%s/ok", timeout = 5 }.body)
    ]]
    local env = { https_proxy = "http://127.0.0.1:" .. proxy.port, http_proxy = "http://127.0.0.1:" .. proxy.port }
    assert.equal("the proxy refused to connect to api.invalid: status 407\nok\n",
      (raw_server.interposed(script:format("{}", server.url), env)))
    assert.equal(1, #proxy:requests())
    assert.equal("the name api.invalid could not be resolved\nok\n",
      (raw_server.interposed(script:format("{ proxy = '' }", server.url), env)))
    env.no_proxy = "api.invalid"
    assert.equal("the name api.invalid could not be resolved\nok\n",
      (raw_server.interposed(script:format("{}", server.url), env)))
    assert.equal(0, #proxy:requests())
  end)
end)
