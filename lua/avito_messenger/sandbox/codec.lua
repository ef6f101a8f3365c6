--- The encodings of requests: percent, query strings, forms, and times as the marketplaces and HTTP write them.
local codec = {}

---@param text string
---@param plus? boolean whether "+" is a space, as in forms and queries
---@return string? decoded nil when a percent sign is not followed by two digits
function codec.unescape(text, plus)
  if plus then text = text:gsub("%+", " ") end
  if text:gsub("%%%x%x", ""):find("%", 1, true) then return nil end
  return (text:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
end

---@param text string
---@return string
function codec.escape(text)
  return (text:gsub("[^%w%-%._~]", function(c) return ("%%%02X"):format(c:byte()) end))
end

--- Reads `a=1&b=2&a=3`: every name with all its values, in order.
---@param text string
---@return table<string, string[]>? values nil when an escape is broken
function codec.form(text)
  local values = {}
  for pair in text:gmatch("[^&]+") do
    local name, value = pair:match("^([^=]*)=(.*)$")
    name = codec.unescape(name or pair, true)
    value = codec.unescape(value or "", true)
    if not name or not value then return nil end
    values[name] = values[name] or {}
    table.insert(values[name], value)
  end
  return values
end

--- Path and query of a request target, or of an absolute URL's end.
---@param target string
---@return string path
---@return string query without its question mark
function codec.split(target)
  local path, query = target:match("^([^?#]*)%??([^#]*)")
  return path, query
end

--- How many code points a UTF-8 text has.
---@param text string
---@return integer
function codec.characters(text)
  local _, continuation = text:gsub("[\128-\191]", "")
  return #text - continuation
end

---@param time number Unix seconds
---@return string
function codec.rfc3339(time)
  return os.date("!%Y-%m-%dT%H:%M:%SZ", math.floor(time)) --[[@as string]]
end

--- A time as Yandex Market writes it, in Moscow's zone.
---@param time number Unix seconds
---@return string
function codec.moscow(time)
  return os.date("!%Y-%m-%dT%H:%M:%S+03:00", math.floor(time) + 3 * 3600) --[[@as string]]
end

local DAYS = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" }
local MONTHS = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" }

--- A time as HTTP headers carry it, whatever the locale.
---@param time number Unix seconds
---@return string
function codec.http_date(time)
  local at = os.date("!*t", math.floor(time)) --[[@as osdate]]
  return ("%s, %02d %s %04d %02d:%02d:%02d GMT"):format(DAYS[at.wday], at.day, MONTHS[at.month], at.year,
    at.hour, at.min, at.sec)
end

return codec
