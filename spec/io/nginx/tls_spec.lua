local certificates = require "support.certificates"
local inside_nginx = require "support.inside_nginx"
local name_server = require "support.name_server"
local nginx = require "support.nginx"
local raw_server = require "support.raw_server"

if not nginx.wanted() then return end

describe("TLS in nginx", function()
  local made, servers, inside, names

  setup(function()
    made, names = certificates.make(), name_server.start()
    servers = {}
    for _, name in ipairs { "good", "wrong", "expired" } do
      servers[name] = raw_server.start { certificate = made.path(name .. ".pem"), key = made.path(name .. ".key") }
    end
    inside = inside_nginx.start { expected = { "SSL_do_handshake%(%) failed" },
      http = ("lua_ssl_trusted_certificate %s; resolver 127.0.0.1:%d ipv6=off;"):format(made.path "ca.pem", names.port),
      server = ([[location = /stranger {
        client_max_body_size 8m;
        lua_ssl_trusted_certificate %s;
        content_by_lua_block { require("support.inside_nginx").serve() }
      }]]):format(made.path "stranger.pem"),
    }
  end)
  teardown(function()
    inside:stop()
    names.stop()
    for _, server in pairs(servers) do server:stop() end
    made.remove()
  end)

  local function perform(name, path, host, place)
    local request = servers[name]:request(path, { method = "POST", body = "x" })
    request.url = request.url:gsub("127%.0%.0%.1", host or "localhost")
    return (place or inside):run("return driver:perform(...)", request)
  end

  local function refused(message, name, host, place)
    servers[name]:requests()
    local response = perform(name, "/ok", host, place)
    assert.same({ "network", false }, { response.error, response.dispatched }, response.message)
    assert.equal(0, #servers[name]:requests())
    assert.matches(message, response.message)
  end

  it("works with a certificate of an authority that nginx trusts, and keeps the connection", function()
    for _ = 1, 3 do assert.equal("ok", perform("good", "/ok").body) end
    local seen = servers.good:requests()
    assert.equal(3, #seen)
    assert.equal(seen[1], seen[3])
    assert.equal("ok", perform("wrong", "/close", "wrong.test").body) -- the host it was made for
  end)

  it("refuses the certificate of another host, also where that one's connection is kept", function()
    local message = "^the certificate of %s:%%d+ was not accepted: it is that of another host$"
    refused(message:format "localhost", "wrong")
    assert.equal("ok", perform("wrong", "/ok", "wrong.test").body)
    refused(message:format "localhost", "wrong")
    refused(message:format "127.0.0.1", "good", "127.0.0.1") -- nginx compares names alone
  end)

  it("refuses an expired certificate", function()
    for _ = 1, 30 do -- at once, or after a wait
      refused("^the certificate of localhost:%d+ was not accepted: certificate has expired$", "expired")
    end
  end)

  it("refuses an authority that nginx does not know, and says where it is to learn it", function()
    local message = "^the certificate of localhost:%d+ was not accepted: unable to .* certificate; lua_ssl_trusted_certificate "
      .. "names the file of the authorities nginx trusts, lua_ssl_verify_depth how many may stand between$"
    perform("good", "/close")
    refused(message, "good", nil, inside:at "/stranger")
    local trusting = inside_nginx.start()
    refused(message, "good", nil, trusting)
    trusting:stop()
  end)

  it("refuses what speaks no TLS", function()
    local response = inside:run("return driver:perform(...)", { method = "POST", body = "secret", timeout = 10,
      url = ("https://localhost:%d/raw"):format(inside.server.port) })
    assert.same({ error = "network", dispatched = false,
      message = ("no TLS connection to localhost:%d: handshake failed"):format(inside.server.port) }, response)
  end)

  it("shows one request, not two, when a kept-alive connection dies", function()
    perform("good", "/ok")
    servers.good:requests()
    local response = perform("good", "/die")
    assert.equal(1, #servers.good:requests())
    assert.same({ true, true }, { response.stale, response.dispatched })
  end)
end)
