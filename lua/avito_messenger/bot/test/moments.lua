--- Moments as a scenario writes them, in the time of a zone.
local calendar = require "avito_messenger.calendar"

local moments = {}

local function within(value, least, most) return value >= least and value <= most end

local function clock(text)
  local full = text:find ":.*:" and text or text .. ":00"
  local hour, min, sec = full:match "^(%d%d?):(%d%d):(%d%d)$"
  hour, min, sec = tonumber(hour), tonumber(min), tonumber(sec)
  if hour and within(hour, 0, 23) and within(min, 0, 59) and within(sec, 0, 59) then return hour, min, sec end
end

--- The next moment at which the clock of the zone shows this.
local function next_time(zone, now, hour, min, sec)
  local day = zone:date(now)
  for _ = 1, 2 do
    local moment = zone:unix { year = day.year, month = day.month, day = day.day, hour = hour, min = min, sec = sec }
    if moment > now then return moment end
    -- From noon, a day later is the next day also where the clocks are changed.
    day = zone:date(zone:unix { year = day.year, month = day.month, day = day.day, hour = 12, min = 0, sec = 0 } + 86400)
  end
end

--- Reads "2026-11-20 22:15", "2026-11-20 22:15:30", "2026-11-20" (midnight), Unix seconds, or, where `now` is given,
--- "09:00": the next time that the clock shows it.
---@param value string|number
---@param zone { unix: fun(self: table, date: table): number, date: fun(self: table, unix: number): table }
---@param now? number
---@return number? unix
---@return string? message
function moments.read(value, zone, now)
  if type(value) == "number" then return value end
  local expected = now and '"2026-11-20 22:15" or "22:15"' or '"2026-11-20 22:15"'
  if type(value) ~= "string" then return nil, ("a time like %s expected, got %s"):format(expected, type(value)) end
  local hour, min, sec = clock(value)
  if hour and now then return next_time(zone, now, hour, min, sec) end
  local year, month, day, rest = value:match "^(%d%d%d%d)%-(%d%d)%-(%d%d)[ T]?(.*)$"
  if year then
    hour, min, sec = clock(rest == "" and "0:00" or rest)
    year, month, day = tonumber(year), tonumber(month), tonumber(day)
    if hour and within(month, 1, 12) and within(day, 1, calendar.month_length(year, month)) then
      return zone:unix { year = year, month = month, day = day, hour = hour, min = min, sec = sec }
    end
  end
  return nil, ("'%s' is no time: expected one like %s"):format(value, expected)
end

return moments
