local avito = require "contract.client_contract"
local sandbox = require "support.sandbox"
local yandex_market = require "contract.yandex_market_contract"

local function place(...)
  local running = sandbox.start { ... }
  return {
    base_url = running.base_url,
    control = function(...) return running:control(...) end,
    stop = function() running:stop() end,
  }
end

for _, shapes in ipairs { "real", "contract" } do
  avito("the blocking driver, " .. shapes .. " shapes", function() return place("--shapes", shapes) end)
end
yandex_market("the blocking driver", place)
