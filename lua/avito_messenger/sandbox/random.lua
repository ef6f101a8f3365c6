--- A seeded generator of its own: the same seed gives the same sandbox on Lua 5.4 and on LuaJIT, and the
--- program's math.random is left alone. It is no source of secrets.
---@class avito.sandbox.Random
local Random = {}
Random.__index = Random
Random.__name = "avito.sandbox.Random"

local MODULUS = 2147483647 -- Lehmer's generator with Park and Miller's second multiplier: exact below 2^53
local LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_"

---@param seed integer
---@return avito.sandbox.Random
function Random.new(seed)
  local self = setmetatable({ state = math.floor(seed) % (MODULUS - 1) + 1 }, Random)
  for _ = 1, 4 do self:fraction() end -- small seeds begin with small numbers
  return self
end

--- From 0 (included) to 1 (excluded).
---@return number
function Random:fraction()
  self.state = self.state * 48271 % MODULUS
  return (self.state - 1) / (MODULUS - 1)
end

---@param probability number
---@return boolean
function Random:chance(probability)
  if probability <= 0 then return false end
  return self:fraction() < probability
end

--- A number in a range; a plain number stands for itself.
---@param range number|number[]
---@return number
function Random:within(range)
  if type(range) == "number" then return range end
  return range[1] + self:fraction() * (range[2] - range[1])
end

--- An integer from 1 to n.
---@param n integer
---@return integer
function Random:pick(n)
  return math.floor(self:fraction() * n) + 1
end

---@param length integer
---@return string
function Random:hex(length)
  local digits = {}
  for i = 1, length do digits[i] = ("%x"):format(self:pick(16) - 1) end
  return table.concat(digits)
end

---@param length integer
---@return string
function Random:letters(length)
  local letters = {}
  for i = 1, length do
    local at = self:pick(#LETTERS)
    letters[i] = LETTERS:sub(at, at)
  end
  return table.concat(letters)
end

return Random
