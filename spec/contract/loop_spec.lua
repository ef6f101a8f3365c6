local contract = require "contract.client_contract"
local loop = require "avito_messenger.io.loop"
local sandbox = require "support.sandbox"

for _, shapes in ipairs { "real", "contract" } do
  contract("the loop, " .. shapes .. " shapes", function()
    local running = sandbox.start { "--shapes", shapes }
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
  end)
end
