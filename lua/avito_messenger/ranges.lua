--- Ranges of addresses, as "5.45.207.0/25": does one of them hold an address? Of IPv4 only: an IPv6 address is in none.
local ranges = {}

---@class avito.Ranges
local Ranges = {}
Ranges.__index = Ranges
Ranges.__name = "avito.Ranges"

-- As a number; nil: it is no address of IPv4. A socket of both kinds tells it as one of IPv6.
local function number_of(text)
  local a, b, c, d = text:gsub("^::ffff:", ""):match "^(%d%d?%d?)%.(%d%d?%d?)%.(%d%d?%d?)%.(%d%d?%d?)$"
  if not a then return nil end
  a, b, c, d = tonumber(a), tonumber(b), tonumber(c), tonumber(d)
  if a > 255 or b > 255 or c > 255 or d > 255 then return nil end
  return ((a * 256 + b) * 256 + c) * 256 + d
end

local function read(text)
  if type(text) ~= "string" then return nil end
  local address, bits = text:match "^([%d.]+)/(%d%d?)$"
  if not address then address, bits = text, "32" end
  local first, size = number_of(address), tonumber(bits) <= 32 and 2 ^ (32 - tonumber(bits))
  if not first or not size or first % size ~= 0 then return nil end
  return { first = first, last = first + size - 1 }
end

--- Reads a list of ranges; or nil, and which of them is none.
---@param list string[]
---@return avito.Ranges?
---@return string? problem
function ranges.new(list)
  local self = setmetatable({}, Ranges)
  for i, text in ipairs(list) do
    self[i] = read(text)
    if not self[i] then return nil, ("%s is no range: a.b.c.d/bits, with nothing set behind the bits"):format(tostring(text)) end
  end
  return self
end

--- Is the address in one of them?
---@param address any nil is in none
---@return boolean
function Ranges:hold(address)
  local number = type(address) == "string" and number_of(address)
  if not number then return false end
  for _, range in ipairs(self) do
    if number >= range.first and number <= range.last then return true end
  end
  return false
end

return ranges
