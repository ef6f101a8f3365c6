local contract = require "contract.client_contract"
local json = require "avito_messenger.json"
local sandbox = require "support.sandbox"

contract("the sandbox's own driver", function()
  local inside = sandbox.inside()
  return {
    io = inside.box:driver(),
    base_url = "http://127.0.0.1:8077",
    control = function(method, what, value)
      local response = inside:send { method = method, path = "/sandbox/" .. what, body = value and assert(json.encode(value)) }
      return json.decode(response.body)
    end,
    stop = function() end,
  }
end)
