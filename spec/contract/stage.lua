--- Where the specs of a contract are played: `start()` begins it for all of them, its world is reset before each, and each runs
--- where the driver does.
local busted = require "busted"

---@param start fun(): table see client_contract.lua
---@return table place what start gave, once the specs run
---@return fun(name: string, body: fun()) it
return function(start)
  local begun
  local place = setmetatable({}, { __index = function(_, name) return begun[name] end })
  busted.setup(function() begun = start() end)
  busted.teardown(function() begun.stop() end)
  busted.before_each(function() begun.control("POST", "reset", {}) end)
  return place, function(name, body)
    busted.it(name, function() if begun.run then begun.run(body, name) else body() end end)
  end
end
