--- Numbers and ids as text, with all their digits. Beyond 2^53 the API's ids are strings on LuaJIT, which besides writes long
--- numbers with an exponent; and a program may give an id as a string, or as a float.
local json = require "avito_messenger.json"

local digits = {}

---@param value any
---@return string
function digits.text(value)
  return type(value) == "number" and json.digits(value) or tostring(value)
end

--- Are they the same id?
---@param a any
---@param b any
---@return boolean
function digits.same(a, b)
  return digits.text(a) == digits.text(b)
end

return digits
