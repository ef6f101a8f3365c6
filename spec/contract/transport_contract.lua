--- What a transport makes of servers that do not do what servers do. `start()` gives an environment:
---   perform(request) -> response
---   stop()
local assert = require "luassert"
local busted = require "busted"
local raw_server = require "support.raw_server"

-- busted gives its words to spec files only.
local describe, it, setup, teardown = busted.describe, busted.it, busted.setup, busted.teardown
local before_each, after_each = busted.before_each, busted.after_each

local function hostile(name, start)
  describe(name .. ": a hostile server", function()
    local server, place

    setup(function()
      server = raw_server.start()
      place = start()
    end)
    teardown(function()
      place.stop()
      server:stop()
    end)

    local function fails(path, kind, message, fields)
      local response = place.perform(server:request(path, fields))
      assert.equal(kind, response.error)
      assert.matches(message, response.message)
      assert.matches("127.0.0.1:" .. server.port, response.message, 1, true)
      assert.is_true(response.dispatched)
      assert.is_nil(response.status)
      assert.equal("ok", place.perform(server:request "/ok").body) -- no byte of it reaches the next answer
    end

    it("cannot send a body without end", function()
      fails("/endless", "decode", "longer than 1000000 bytes")
      fails("/endless_close", "decode", "longer than 1000000 bytes")
      fails("/exact", "decode", "longer than 999 bytes", { max_bytes = 999 })
      fails("/ok", "decode", "longer than 0 bytes", { max_bytes = 0 })
    end)

    it("cannot send headers without end", function()
      fails("/endless_head", "decode", "more than 65536 bytes or 1000 lines of headers")
      fails("/many_headers", "decode", "more than 65536 bytes or 1000 lines of headers")
      fails("/endless_100", "decode", "more than 65536 bytes or 1000 lines of headers")
      fails("/endless_trailers", "decode", "more than 65536 bytes or 1000 lines of headers")
      fails("/large", "decode", "more than 20 bytes", { max_head_bytes = 20 })
    end)

    it("counts bytes and lines of headers apart", function()
      local roomy = { max_head_bytes = 100000000 }
      fails("/many_headers", "decode", "1000 lines of headers", roomy)
      fails("/endless_100", "decode", "1000 lines of headers", roomy)
      fails("/endless_trailers", "decode", "1000 lines of headers", roomy)
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
      local response = place.perform(server:request "/redirect")
      assert.equal(302, response.status)
      assert.matches("Location: /ok", response.head)
      assert.equal(1, #server:requests())
    end)

    it("sees the path as it was asked for", function()
      for _, path in ipairs { "/echo/%2e%2e/a", "/echo/../a", "/echo/./a", "/echo/%2E/a//b" } do
        local response = place.perform(server:request(path))
        assert.equal("GET " .. path .. " HTTP/1.1", response.body:match("^[^\n]*"))
      end
    end)
  end)
end

-- Who repeats a request by itself then sends a message twice.
local function dying(name, start)
  describe(name .. ": a kept-alive connection that dies", function()
    local server, place

    setup(function() place = start() end)
    teardown(function() place.stop() end)
    before_each(function()
      server = raw_server.start()
      assert.equal("ok", place.perform(server:request "/ok").body)
      server:requests()
    end)
    after_each(function() server:stop() end)

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
          local response = place.perform(server:request(how, kind[2]))
          assert.equal(1, #server:requests())
          assert.equal("network", response.error)
          assert.is_true(response.dispatched)
          assert.is_true(response.stale)
          assert.equal(("the kept-alive connection to 127.0.0.1:%d was closed before an answer came")
            :format(server.port), response.message)
        end)
      end
    end

    it("is not stale when an answer had begun, or when the connection was new", function()
      local response = place.perform(server:request "/cut")
      assert.is_nil(response.stale)
      response = place.perform(server:request "/die")
      assert.equal("network", response.error)
      assert.is_true(response.dispatched)
      assert.is_nil(response.stale)
      assert.equal(2, #server:requests())
    end)

    it("leaves a handle that works", function()
      place.perform(server:request("/die", { method = "POST", body = "message" }))
      assert.equal("ok", place.perform(server:request("/ok", { method = "POST", body = "message" })).body)
      assert.equal(2, #server:requests())
    end)
  end)
end

return function(name, start)
  hostile(name, start)
  dying(name, start)
end
