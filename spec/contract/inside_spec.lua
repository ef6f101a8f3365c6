local avito = require "contract.client_contract"
local json = require "avito_messenger.json"
local sandbox = require "support.sandbox"
local yandex_market = require "contract.yandex_market_contract"

local function place(options)
  local inside = sandbox.inside(options)
  return {
    io = inside.box:driver(),
    base_url = "http://127.0.0.1:8077",
    control = function(method, what, value)
      local response = inside:send { method = method, path = "/sandbox/" .. what, body = value and assert(json.encode(value)) }
      return json.decode(response.body)
    end,
    stop = function() end,
  }
end

avito("the sandbox's own driver", place)
for _, order in ipairs { "newest", "oldest" } do
  yandex_market("the sandbox's own driver, " .. order .. " first", function()
    return place { yandex_market = { chats_order = order, history_order = order } }
  end)
end
