local contract = require "contract.client_contract"
local nginx = require "support.nginx"
local sandbox = require "support.sandbox"

-- The contract is loaded in nginx as well: each of its specs runs there, asked for by its name from here.
if not nginx.wanted() then return end

for _, shapes in ipairs { "real", "contract" } do
  contract("the driver of nginx, " .. shapes .. " shapes", function()
    local running = sandbox.start { "--shapes", shapes }
    local server = nginx.start { http = "lua_socket_log_errors off;", server = ([[
      location / { return 204; }
      location = /contract { content_by_lua_block { require("contract.nginx_side").serve("%s") } }
    ]]):format(running.base_url) }
    return {
      io = require "avito_messenger.io.blocking",
      base_url = running.base_url,
      control = function(...) return running:control(...) end,
      run = function(_, name)
        local response = server:post("/contract", name)
        if response.status ~= 200 then error(("%s: %s\n%s"):format(name, response.message or response.body, server:report())) end
      end,
      stop = function()
        server:stop()
        running:stop()
      end,
    }
  end)
end
