-- A whole client against a server that means harm: it costs the deadline or the byte cap, and says what happened.

local avito = require "avito_messenger"
local raw_server = require "support.raw_server"

describe("a hostile server", function()
  local server

  setup(function() server = raw_server.start() end)
  teardown(function() server:stop() end)

  local cases = {
    endless = { "decode", "longer than 16777216 bytes" },
    bomb = { "decode", "longer than 16777216 bytes" },
    endless_close = { "decode", "longer than 16777216 bytes" },
    drip = { "timeout", "within 0.3" },
    drip_head = { "timeout", "within 0.3" },
    silent = { "timeout", "within 0.3" },
    many_headers = { "decode", "header" },
    endless_head = { "decode", "header" },
    endless_100 = { "decode", "header" },
    deep = { "decode", "deep" },
    bad_utf8 = { "decode", "UTF%-8" },
    infinite = { "decode", "number" },
    cut = { "network", "" },
    bad_gzip = { "decode", "" },
  }

  for behaviour, expected in pairs(cases) do
    it(behaviour .. " is a " .. expected[1] .. " error", function()
      local client = avito.client {
        access_token = "dummy-access-token", user_id = 1, base_url = server.url .. "/" .. behaviour, retries = 0,
        timeout = expected[1] == "timeout" and 0.3 or 20,
      }
      for _, name in ipairs { "get_chat", "send_message" } do
        local value, err = client[name](client, "c1", name == "send_message" and "да" or nil)
        assert.is_nil(value)
        assert.equal(expected[1], err.kind, tostring(err))
        assert.matches(expected[2], err.message)
        assert.is_true(err.dispatched)
        assert.is_nil(tostring(err):find("dummy-access-token", 1, true))
      end
      client:close()
    end)
  end

  it("that redirects is not followed", function()
    local client = avito.client {
      access_token = "dummy-access-token", user_id = 1, base_url = server.url .. "/redirect", retries = 0,
    }
    server:requests()
    local _, err = client:get_chat("c1")
    assert.equal(302, err.status)
    assert.equal(1, #server:requests())
    client:close()
  end)
end)
