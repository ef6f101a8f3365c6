local avito = require "contract.client_contract"
local nginx = require "support.nginx"
local sandbox = require "support.sandbox"
local yandex_market = require "contract.yandex_market_contract"

-- The contracts are loaded in nginx as well: each of their specs runs there, asked for by its name from here.
if not nginx.wanted() then return end

local function place(contract, ...)
  local running = sandbox.start { ... }
  local server = nginx.start { http = "lua_socket_log_errors off;", server = ([[
    location / { return 204; }
    location = /contract { content_by_lua_block { require("contract.nginx_side").serve("contract.%s", "%s") } }
  ]]):format(contract, running.base_url) }
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
end

for _, shapes in ipairs { "real", "contract" } do
  avito("the driver of nginx, " .. shapes .. " shapes", function() return place("client_contract", "--shapes", shapes) end)
end
yandex_market("the driver of nginx", function() return place "yandex_market_contract" end)
