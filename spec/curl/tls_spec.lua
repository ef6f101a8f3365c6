local curl = require "avito_messenger.curl"
local certificates = require "support.certificates"
local raw_server = require "support.raw_server"

describe("TLS", function()
  local made, servers

  setup(function()
    made = certificates.make()
    servers = {}
    for _, name in ipairs { "good", "wrong", "expired" } do
      servers[name] = raw_server.start { certificate = made.path(name .. ".pem"), key = made.path(name .. ".key") }
    end
  end)
  teardown(function()
    for _, server in pairs(servers) do server:stop() end
    made.remove()
  end)

  local function perform(name, options, path)
    local handle = curl.easy(options)
    local response = handle:perform(servers[name]:request(path or "/ok", { method = "POST", body = "x" }))
    handle:close()
    return response
  end

  local function refused(name, options, message)
    servers[name]:requests()
    local response = perform(name, options)
    assert.equal("network", response.error)
    assert.is_false(response.dispatched)
    assert.matches(message, response.message)
    assert.equal(0, #servers[name]:requests())
  end

  it("works with a certificate of the given CA", function()
    local handle = curl.easy { ca_file = made.path "ca.pem" }
    assert.equal("ok", handle:perform(servers.good:request "/ok").body)
    assert.equal("ok", handle:perform(servers.good:request "/ok").body)
    local by_name = servers.good:request "/ok"
    by_name.url = by_name.url:gsub("127%.0%.0%.1", "localhost")
    assert.equal("ok", handle:perform(by_name).body)
    handle:close()
  end)

  it("refuses a CA nobody named", function()
    refused("good", nil, "^the certificate of 127.0.0.1:%d+ was not accepted: unable to get local issuer certificate$")
    refused("good", { ca_file = made.path "stranger.pem" }, "was not accepted")
  end)

  it("refuses the certificate of another host", function()
    refused("wrong", { ca_file = made.path "ca.pem" }, "was not accepted: no alternative certificate subject name")
  end)

  it("refuses an expired certificate", function()
    refused("expired", { ca_file = made.path "ca.pem" }, "was not accepted: certificate has expired")
  end)

  it("says which CA file cannot be read", function()
    refused("good", { ca_file = made.path "none.pem" }, "^the CA certificates could not be read: .*none.pem")
  end)

  it("shows one request, not two, when a kept-alive connection dies", function()
    local handle = curl.easy { ca_file = made.path "ca.pem" }
    handle:perform(servers.good:request "/ok")
    servers.good:requests()
    local response = handle:perform(servers.good:request("/die", { method = "POST", body = "x" }))
    assert.equal(1, #servers.good:requests())
    assert.is_true(response.stale)
    assert.is_true(response.dispatched)
    handle:close()
  end)

  it("goes through a proxy, whose head is not taken for the answer's", function()
    local proxy = raw_server.start()
    local options = { ca_file = made.path "ca.pem", proxy = "http://127.0.0.1:" .. proxy.port }
    local response = perform("good", options)
    assert.equal("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", response.head)
    assert.equal("ok", response.body)
    assert.matches("was closed before an answer came", perform("good", options, "/die").message)
    refused("wrong", options, "was not accepted")
    assert.matches("CONNECT 127.0.0.1", proxy:requests()[1])
    proxy:stop()
  end)

  -- A directory beside the bundle would cost 26 ms of CPU for every new connection.
  it("reads the CA bundle once for many connections, and no directory", function()
    local log = made.path "interposed"
    local output = raw_server.interposed(([[
      local handle = require "avito_messenger.curl".easy { ca_file = %q }
      for i = 1, 3 do
        print(handle:perform { method = "GET", url = %q, timeout = 5 }.body)
      end
    ]]):format(made.path "ca.pem", servers.good.url .. "/close"), { INTERPOSE_LOG = log })
    assert.equal("ok\nok\nok\n", output)
    local file = assert(io.open(log))
    assert.equal("bundle\n", file:read "*a")
    file:close()
  end)

  -- All of the system's certificates would cost 26 ms of CPU and 2.5 MB in every process.
  it("reads only what a server asks for where the system's directory of certificates is hashed", function()
    if os.execute "ls /etc/ssl/certs/*.0 >/dev/null 2>&1" ~= (_VERSION == "Lua 5.1" and 0 or true) then
      pending "this system has no hashed directory of certificates"
      return
    end
    local log = made.path "interposed-default"
    raw_server.interposed(([[
      local handle = require "avito_messenger.curl".easy {}
      for i = 1, 2 do
        print(handle:perform { method = "GET", url = %q, timeout = 5 }.error)
      end
    ]]):format(servers.good.url .. "/close"), { INTERPOSE_LOG = log })
    local file = assert(io.open(log))
    assert.equal("directory\ndirectory\n", file:read "*a")
    file:close()
  end)
end)
