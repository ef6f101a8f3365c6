--- When a place is open on one day: "09:00-13:00, 14:00-20:00", "20:00-02:00", "круглосуточно", "закрыто".
local spelling = require "avito_messenger.bot.spelling"

local opening = {}

local DAY = 86400

local ALWAYS = { ["круглосуточно"] = true, ["24h"] = true, ["24/7"] = true }
local NEVER = { ["закрыто"] = true, ["closed"] = true }

---@class avito_messenger.bot.hours.Opening
---@field from integer seconds since the midnight that the day begins with
---@field to integer the same; more than 86400 when it lasts over the next midnight

local function read_clock(text)
  local hour, minute = text:match "^%s*(%d%d?)%s*$", "00"
  if not hour then hour, minute = text:match "^%s*(%d%d?)[:.](%d%d)%s*$" end
  if not hour then return nil, ("'%s' is no time: write '09:00' or '9'"):format(spelling.trim(text)) end
  local seconds = tonumber(hour) * 3600 + tonumber(minute) * 60
  if tonumber(minute) > 59 or seconds > DAY then
    return nil, ("there is no time '%s'"):format(spelling.trim(text))
  end
  return seconds
end

local function read_span(text)
  local left, right = text:match "^(.-)%-(.*)$"
  if not left then
    return nil, ("'%s' is no time span: write '09:00-20:00', 'круглосуточно' or 'закрыто'"):format(spelling.trim(text))
  end
  local from, to, problem
  from, problem = read_clock(left)
  if not from then return nil, problem end
  to, problem = read_clock(right)
  if not to then return nil, problem end
  if from == to or from == DAY then
    return nil, ("'%s' is empty (all day is 'круглосуточно' or '00:00-24:00')"):format(spelling.trim(text))
  end
  return { from = from, to = to > from and to or to + DAY }
end

local function overlap(spans)
  for i = 2, #spans do
    if spans[i].from < spans[i - 1].to then return true end
  end
end

--- Reads when a day is open.
---@param value any text, or false for a day that is closed
---@return avito_messenger.bot.hours.Opening[]? spans ascending; none when closed
---@return string? message
function opening.read(value)
  if value == false then return {} end
  if type(value) ~= "string" then
    return nil, ("a text as '09:00-20:00' expected, or false for closed, got %s"):format(
      type(value) == "boolean" and tostring(value) or type(value))
  end
  local text = spelling.dashes(spelling.lower(value))
  local word = spelling.trim(text)
  if NEVER[word] then return {} end
  if ALWAYS[word] then return { { from = 0, to = DAY } } end
  local spans = {}
  for part in (text .. ","):gmatch "([^,]*)," do
    local one, problem = read_span(part)
    if not one then return nil, problem end
    spans[#spans + 1] = one
  end
  table.sort(spans, function(a, b) return a.from < b.from end)
  if overlap(spans) then return nil, ("the time spans of '%s' overlap"):format(value) end
  return spans
end

return opening
