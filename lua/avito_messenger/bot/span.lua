--- Lengths of time as people write them: "6s", "1h30m", "2 дня".
local spelling = require "avito_messenger.bot.spelling"

local span = {}

local DAY = 86400
local MAX = 36525 * DAY -- a hundred years: what is longer was mistyped

local SECONDS = { s = 1, m = 60, h = 3600, d = DAY, w = 7 * DAY }
local SPELLINGS = {
  s = "s sec second seconds с сек секунда секунду секунды секунд",
  m = "m min minute minutes м мин минута минуту минуты минут",
  h = "h hour hours ч час часа часов",
  d = "d day days д дн день дня дней",
  w = "w week weeks н нед неделя неделю недели недель",
}
local UNITS = {}
for unit, spellings in pairs(SPELLINGS) do
  for word in spellings:gmatch "%S+" do UNITS[word] = SECONDS[unit] end
end

local KNOWN = "s, m, h, d, w, с, м, ч, д, н"

--- A number without a fraction as an integer, where Lua tells the two apart.
local function whole(number)
  return number % 1 == 0 and math.floor(number) or number
end

local function check(seconds, written)
  if not (seconds >= 0 and seconds <= MAX) then
    return nil, ("a span must be from 0 seconds to 100 years, got %s"):format(written)
  end
  return whole(seconds)
end

local function read(text)
  local rest = spelling.trim(text)
  if rest:match "^%d+%.?%d*$" then
    return nil, ("the span '%s' has no unit: write '%ss' for seconds, '%sm' for minutes"):format(text, rest, rest)
  end
  local seconds, last = 0, math.huge
  repeat
    local number, unit, after = rest:match "^(%d+%.?%d*)%s*([^%d%s%p]+)%s*(.*)$"
    if not number then return nil, ("'%s' is no span: write '30s', '1h30m' or '2d'"):format(text) end
    local size = UNITS[unit]
    if not size then return nil, ("unknown unit '%s' in the span '%s' (known: %s)"):format(unit, text, KNOWN) end
    if size >= last then return nil, ("the units of the span '%s' must go from large to small"):format(text) end
    seconds, last, rest = seconds + tonumber(number) * size, size, after
  until rest == ""
  return check(seconds, ("'%s'"):format(text))
end

--- The seconds that a number or a text means.
---@param value any seconds, or "90s", "1h30m", "2 дня"; at most 100 years
---@return number? seconds
---@return string? message
function span.seconds(value)
  if type(value) == "number" then return check(value, ("%.14g"):format(value)) end
  if type(value) == "string" then return read(value) end
  return nil, ("a span must be a number of seconds or a text as '30s', got %s"):format(type(value))
end

local function ends(value)
  if type(value) == "table" then
    if #value ~= 2 then return nil, nil, "a range of spans must have two ends: { '2s', '6s' }" end
    return value[1], value[2]
  end
  if type(value) ~= "string" then return value, value end
  local first, second = spelling.dashes(value):gsub("%.%.", "-"):match "^(.-)%-(.*)$"
  if not first or spelling.trim(first) == "" then return value, value end
  return first, second
end

--- The two ends of a range; a single span is both.
---@param value any "2s-6s", { "2s", "6s" }, or what span.seconds takes
---@return number? least seconds
---@return number|string greatest seconds, or the message
function span.range(value)
  local first, second, problem = ends(value)
  if problem then return nil, problem end
  local least, greatest
  least, problem = span.seconds(first)
  if not least then return nil, problem end
  greatest, problem = span.seconds(second)
  if not greatest then return nil, problem end
  if least > greatest then
    return nil, ("the range begins with %s, which is longer than %s"):format(span.text(least), span.text(greatest))
  end
  return least, greatest
end

--- The span as it would be written: "12h", "1h30m", "0.5s".
---@param seconds number at least 0; shown to a thousandth
---@return string
function span.text(seconds)
  if type(seconds) ~= "number" or not (seconds >= 0 and seconds < math.huge) then
    error(("span.text: seconds must be a number of at least 0, got %s"):format(tostring(seconds)), 2)
  end
  seconds = math.floor(seconds * 1000 + 0.5) / 1000
  if seconds > 0 and seconds % SECONDS.w == 0 then return ("%dw"):format(seconds / SECONDS.w) end
  local parts = {}
  for _, unit in ipairs { "d", "h", "m" } do
    local count = math.floor(seconds / SECONDS[unit])
    seconds = seconds - count * SECONDS[unit]
    if count > 0 then parts[#parts + 1] = ("%d%s"):format(count, unit) end
  end
  if seconds > 0 or #parts == 0 then parts[#parts + 1] = ("%.14gs"):format(math.floor(seconds * 1000 + 0.5) / 1000) end
  return table.concat(parts)
end

return span
