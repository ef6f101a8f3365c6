--- Ids of 64 bits as texts of digits, for a number of LuaJIT ends at 2^53.
local json = require "avito_messenger.json"

local ids = {}

local GREATEST = "9223372036854775807"

--- The digits of a positive int64; nil for anything else.
---@param value any an integer, or its digits
---@return string?
function ids.text(value)
  if type(value) == "number" then
    if value < 1 or value % 1 ~= 0 or (value > 2 ^ 53 and not (math.type and math.type(value) == "integer")) then
      return nil
    end
    return ("%d"):format(value)
  end
  if type(value) ~= "string" or not value:find("^[1-9]%d*$") then return nil end
  if #value > #GREATEST or (#value == #GREATEST and value > GREATEST) then return nil end
  return value
end

--- The id as a number of JSON.
ids.shown = json.integer

---@param a string
---@param b string
---@return boolean
function ids.less(a, b)
  if #a ~= #b then return #a < #b end
  return a < b
end

return ids
