--- Moments as text, by ISO 8601: "2017-11-21T00:00:00.213Z".
local calendar = require "avito_messenger.calendar"

local datetime = {}

local TEXT = "^(%d%d%d%d)%-(%d%d)%-(%d%d)[Tt ](%d%d):(%d%d):(%d%d)(%.?%d*)(.*)$"
local DAY = 86400

-- Seconds ahead of UTC; nil: it is no offset.
local function read_offset(text)
  if text == "Z" or text == "z" then return 0 end
  local sign, hours, minutes = text:match "^([+-])(%d%d):?(%d%d)$"
  if not sign or tonumber(hours) > 23 or tonumber(minutes) > 59 then return nil end
  local seconds = tonumber(hours) * 3600 + tonumber(minutes) * 60
  return sign == "-" and -seconds or seconds
end

--- The Unix time of a text with its offset from UTC; nil: it is none.
---@param text any
---@return number?
function datetime.read(text)
  if type(text) ~= "string" then return nil end
  local year, month, day, hour, minute, second, fraction, rest = text:match(TEXT)
  local offset = rest and read_offset(rest)
  if not offset or fraction == "." or #fraction > 0 and fraction:sub(1, 1) ~= "." then return nil end
  year, month, day, hour, minute, second = tonumber(year), tonumber(month), tonumber(day), tonumber(hour), tonumber(minute),
    tonumber(second)
  if month < 1 or month > 12 or day < 1 or day > calendar.month_length(year, month) then return nil end
  if hour > 23 or minute > 59 or second > 60 then return nil end
  local whole = calendar.days(year, month, day) * DAY + hour * 3600 + minute * 60 + second - offset
  return fraction == "" and whole or whole + tonumber("0" .. fraction)
end

--- In UTC, with milliseconds.
---@param time number Unix time, from the year 0 to 9999
---@return string
function datetime.write(time)
  local milliseconds = math.floor(time * 1000 + 0.5)
  local seconds = math.floor(milliseconds / 1000)
  local year, month, day = calendar.date(math.floor(seconds / DAY))
  local of_day = seconds % DAY
  return ("%04d-%02d-%02dT%02d:%02d:%02d.%03dZ"):format(year, month, day, math.floor(of_day / 3600),
    math.floor(of_day % 3600 / 60), of_day % 60, milliseconds - seconds * 1000)
end

return datetime
