--- Values a chat's record can keep: what comes back from JSON as it went in, on both Luas.
local json = require "avito_messenger.json"
local text = require "avito_messenger.text"

local plain = {}

local MAX_DEPTH = 16
local MAX_BYTES = 65536
-- LuaJIT reads an integer beyond it as a string of digits; see json.decode.
local EXACT = math.type and math.huge or 2 ^ 53
local to_integer = math.tointeger

local copy_value

local function copy_number(value)
  if value ~= value then return nil, "a number that is not a number (0/0)" end
  if value - value ~= 0 then return nil, "an infinite number" end
  if value == 0 then return 0 end -- minus zero, too
  if value % 1 ~= 0 or value < -2 ^ 63 or value >= 2 ^ 63 then return value end
  if value > EXACT or value < -EXACT then return nil, "an integer beyond 2^53, which LuaJIT cannot keep: give it as a string" end
  return to_integer and to_integer(value) or value
end

local function spend(walk, bytes)
  walk.bytes = walk.bytes + bytes
  if walk.bytes > MAX_BYTES then return nil, ("more than %d KB"):format(MAX_BYTES / 1024) end
  return true
end

local function copy_string(walk, value)
  if not text.length(value) then return nil, "a string that is not UTF-8" end
  local ok, problem = spend(walk, #value + 2)
  if not ok then return nil, problem end
  return value
end

local function copy_key(walk, key, count)
  if type(key) == "number" then
    if count == 0 then return nil, "a table with both names and numbers for keys, or a list with a hole" end
    if key % 1 ~= 0 or key < 1 or key > count then return nil, "a list with a hole, or with other keys than 1, 2, 3…" end
    return key
  end
  if type(key) ~= "string" then return nil, ("a table with a %s for a key"):format(type(key)) end
  if count > 0 then return nil, "a table with both names and numbers for keys" end
  return copy_string(walk, key)
end

local function copy_table(walk, value, depth)
  if depth > MAX_DEPTH then return nil, ("tables nested deeper than %d, or a table that holds itself"):format(MAX_DEPTH) end
  if getmetatable(value) ~= nil then return nil, "a table with a metatable" end
  local ok, problem = spend(walk, 2)
  if not ok then return nil, problem end
  local copy, count = {}, 0
  for _ in pairs(value) do count = count + 1 end
  if value[1] == nil then count = 0 end
  for key, member in pairs(value) do
    local kept_key, kept
    kept_key, problem = copy_key(walk, key, count)
    if kept_key ~= nil then kept, problem = copy_value(walk, member, depth + 1) end
    if problem then return nil, problem end
    copy[kept_key] = kept
  end
  return copy
end

function copy_value(walk, value, depth)
  local kind = type(value)
  if kind == "boolean" then return value end
  if kind == "string" then return copy_string(walk, value) end
  if kind == "table" then return copy_table(walk, value, depth) end
  if kind ~= "number" then return nil, "a " .. kind end
  local kept, problem = copy_number(value)
  if not problem then
    local ok
    ok, problem = spend(walk, 8)
    if ok then return kept end
  end
  return nil, problem
end

--- A copy that shares nothing with the value and is equal to what comes back from its JSON.
---@param value any nil, boolean, finite number, UTF-8 string, list without holes, or map with strings for keys; at most 16 deep
---  and 64 KB
---@return any copy
---@return string? problem what in it cannot be kept: "a function"
function plain.copy(value)
  if value == nil then return nil end
  return copy_value({ bytes = 0 }, value, 1)
end

local append

local function append_table(parts, value)
  local keys = {}
  for key in pairs(value) do keys[#keys + 1] = key end
  table.sort(keys)
  parts[#parts + 1] = "{"
  for _, key in ipairs(keys) do
    append(parts, key)
    append(parts, value[key])
  end
  parts[#parts + 1] = "}"
end

function append(parts, value)
  local kind = type(value)
  if kind == "table" then return append_table(parts, value) end
  -- The length keeps a string apart from what follows it.
  if kind == "string" then value = #value .. ":" .. value end
  if kind == "number" then value = "#" .. json.digits(value) .. ";" end
  parts[#parts + 1] = tostring(value)
end

--- A text that is the same for equal values only.
---@param value any what plain.copy returned
---@return string
function plain.text(value)
  local parts = {}
  append(parts, value)
  return table.concat(parts)
end

--- Eight hexadecimal digits that tell whether something is still what it was.
---@param value any what plain.copy returned
---@return string
function plain.digest(value)
  local written, hash = plain.text(value), 7
  -- The products stay below 2^53, so that both Luas give the same.
  for at = 1, #written do hash = (hash * 65599 + written:byte(at)) % 4294967291 end
  return ("%08x"):format(hash)
end

---@param one any what plain.copy returned
---@param other any
---@return boolean
function plain.equal(one, other)
  if type(one) ~= "table" or type(other) ~= "table" then return one == other end
  for key, value in pairs(one) do
    if not plain.equal(value, other[key]) then return false end
  end
  for key in pairs(other) do
    if one[key] == nil then return false end
  end
  return true
end

return plain
