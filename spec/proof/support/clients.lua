--- For trials: the client of a bot.
local avito = require "avito_messenger"
local yandex_market = require "avito_messenger.yandex_market"

local clients = {}

---@param plan table what bot.lua is given
---@param given table options that depend on where the bot runs; those of tokens are Avito's
function clients.make(plan, given)
  local options = { io = given.io, base_url = plan.base_url, timeout = plan.timeout, pace = false }
  for name, value in pairs(plan.credentials) do options[name] = value end
  if plan.marketplace == "yandex_market" then
    options.pace_store = given.pace_store -- how many go at once is counted for all workers
    return yandex_market.client(options)
  end
  options.token_store = given.token_store
  return avito.client(options)
end

return clients
