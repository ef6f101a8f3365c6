local avito = require "contract.client_contract"
local loop = require "avito_messenger.io.loop"
local sandbox = require "support.sandbox"
local yandex_market = require "contract.yandex_market_contract"

local function place(...)
  local running = sandbox.start { ... }
  return {
    io = loop,
    base_url = running.base_url,
    control = function(...) return running:control(...) end,
    run = loop.run,
    stop = function()
      loop.close()
      running:stop()
    end,
  }
end

for _, shapes in ipairs { "real", "contract" } do
  avito("the loop, " .. shapes .. " shapes", function() return place("--shapes", shapes) end)
end
yandex_market("the loop", place)
