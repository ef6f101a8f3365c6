local contract = require "contract.client_contract"
local sandbox = require "support.sandbox"

for _, shapes in ipairs { "real", "contract" } do
  contract("the blocking driver, " .. shapes .. " shapes", function()
    local running = sandbox.start { "--shapes", shapes }
    return {
      base_url = running.base_url,
      control = function(...) return running:control(...) end,
      stop = function() running:stop() end,
    }
  end)
end
