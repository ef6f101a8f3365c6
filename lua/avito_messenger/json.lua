--- The JSON of everything but the API's own answers: what Lua code of this project writes and reads
--- (token files, the sandbox, the command line, request bodies given as tables).
---
--- Writing is lua-cjson's, from a private and strictly configured instance. Reading is the core's decoder:
--- lua-cjson turns every integer into a float on Lua 5.4 and accepts what is not JSON.
local core = require "avito_messenger.core"

local json = {}

local MAX_DEPTH = 64
local encoder
-- Stand for what lua-cjson 2.1.0 cannot write, an empty array and a number of more than 14 digits, and are replaced in its
-- output. They cannot come from outside: they hold an address of this process.
local ADDRESS = tostring({}):match("%w+$")
local EMPTY = "empty array " .. ADDRESS
local NUMBER = "number " .. ADDRESS .. " "

local function cjson()
  if not encoder then
    local found, library = pcall(require, "cjson")
    if not found then
      error("this needs lua-cjson: apt-get install lua-cjson, or luarocks install lua-cjson", 3)
    end
    encoder = library.new()
    encoder.encode_invalid_numbers(false)
    encoder.encode_sparse_array(false)
    encoder.encode_max_depth(MAX_DEPTH)
  end
  return encoder
end

--- A number with all its digits, an integer without an exponent; nil for NaN and the infinities.
---@param value number
---@return string?
function json.digits(value)
  if value ~= value or value - value ~= 0 then return nil end
  if value % 1 == 0 and value >= -2 ^ 63 and value < 2 ^ 63 then return ("%d"):format(value) end
  local short = ("%.14g"):format(value)
  return tonumber(short) == value and short or ("%.17g"):format(value)
end

local replaced -- does what is to be written hold any of them?
local wide = false -- was there an integer that needs more digits than a Lua number has?

local function shallow(value)
  local copy = {}
  for key, member in pairs(value) do copy[key] = member end
  return copy
end

--- The value with every number that would lose digits replaced; itself where there is none.
local function exact(value, depth)
  if type(value) == "number" then
    if value % 1 == 0 and value < 1e14 and value > -1e14 then return value end
    local digits = json.digits(value) -- without any, it is refused by the encoder
    if not digits or digits == ("%.14g"):format(value) then return value end
    replaced = true
    return NUMBER .. digits
  end
  if value == EMPTY then replaced = true end
  if type(value) ~= "table" then return value end
  if depth > MAX_DEPTH then error(("it nests deeper than %d, or holds itself"):format(MAX_DEPTH), 0) end
  local copy
  for key, member in pairs(value) do
    local written = exact(member, depth + 1)
    if written ~= member then
      copy = copy or shallow(value)
      copy[key] = written
    end
  end
  return copy or value
end

--- The list itself, or what is written as `[]` where it is empty (an empty table is written `{}`).
---@generic T
---@param list T[]
---@return T[]|string
function json.list(list)
  if next(list) == nil then return EMPTY end
  return list
end

--- What is written as the integer with these digits, past 2^53 too, where the numbers of LuaJIT end.
---@param digits string
---@return integer|string
function json.integer(digits)
  local value = tonumber(digits)
  local exact_here = math.type and math.type(value) == "integer" or value < 2 ^ 53 and value > -2 ^ 53
  if exact_here then return value --[[@as integer]] end
  wide = true
  return NUMBER .. digits
end

--- The value that is written as `null`.
---@return userdata
function json.null()
  return cjson().null
end

--- Writes a value as JSON. Numbers keep all their digits.
---@param value any tables, strings, numbers, booleans, json.null()
---@return string? text
---@return string? message why the value has no JSON form
function json.encode(value)
  local encode = cjson().encode
  replaced = wide
  local ok, text = pcall(exact, value, 1)
  if ok then ok, text = pcall(encode, text) end
  if not ok then return nil, tostring(text) end
  if text:find("\\/", 1, true) then text = text:gsub("\\/", "/") end -- lua-cjson escapes slashes; it need not
  if not replaced then return text end
  return (text:gsub('"' .. EMPTY .. '"', "[]"):gsub('"' .. NUMBER .. '([^"]+)"', "%1"))
end

--- Reads JSON (RFC 8259, strictly). Members that are null are left out; integers are exact on Lua 5.4,
--- and decimal strings past 2^53 on LuaJIT.
---@param text string
---@return any value
---@return string? message what is wrong and at which byte
function json.decode(text)
  return core.decode(text)
end

return json
