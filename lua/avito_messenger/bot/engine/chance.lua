--- Chance without a source of chance: a number drawn from a key. The same key gives the same number on Lua 5.4 and
--- LuaJIT, today and after a restart, so that a turn taken twice says the same words after the same delay.
local chance = {}

local MODULUS = 2147483647
local BASE = 131071 -- a product with it stays exact below 2^53

--- From 0 (included) to 1 (excluded).
---@param key string
---@return number
function chance.fraction(key)
  local state = 7
  for i = 1, #key do state = (state * BASE + key:byte(i) + 1) % MODULUS end
  for _ = 1, 4 do state = (state % (MODULUS - 1) + 1) * 48271 % MODULUS end -- keys that differ little, numbers that differ much
  return (state - 1) / (MODULUS - 1)
end

--- An integer from 1 to n.
---@param key string
---@param n integer
---@return integer
function chance.pick(key, n)
  return math.floor(chance.fraction(key) * n) + 1
end

return chance
