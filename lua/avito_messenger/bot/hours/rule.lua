--- Rules for local time as POSIX writes them in TZ: "MSK-3", "EET-2EEST,M3.5.0/3,M10.5.0/4", "<-02>2<-01>,M3.5.0/-1,M10.5.0/0".
local calendar = require "avito_messenger.calendar"

local rule = {}

local DAY = 86400
local MAX_OFFSET_HOURS, MAX_TIME_HOURS = 24, 167

---@class avito_messenger.bot.hours.Rule
local Rule = {}
Rule.__index = Rule
Rule.__name = "avito_messenger.bot.hours.Rule"

local function read_name(text, at)
  local name, after = text:match("^<([%w+-]+)>()", at)
  if not name then name, after = text:match("^(%a+)()", at) end
  if name and #name >= 3 then return name, after end
end

--- "3", "-3", "5:30", "167:59:59": seconds, and where they end.
local function read_clock(text, at, max_hours)
  local sign, hours, after = text:match("^([+-]?)(%d%d?%d?)()", at)
  if not hours or tonumber(hours) > max_hours then return nil end
  local seconds, size = tonumber(hours) * 3600, 60
  while size >= 1 do
    local number, behind = text:match("^:(%d%d)()", after)
    if not number then break end
    if tonumber(number) > 59 then return nil end
    seconds, size, after = seconds + tonumber(number) * size, size == 60 and 1 or 0, behind
  end
  return sign == "-" and -seconds or seconds, after
end

local function within(value, least, most)
  return value >= least and value <= most
end

--- The day of a change: {month=,week=,weekday=} | {julian=} | {day=}, and where it ends.
local function read_day(text, at)
  local month, week, weekday, after = text:match("^M(%d%d?)%.(%d)%.(%d)()", at)
  if month then
    local day = { month = tonumber(month), week = tonumber(week), weekday = tonumber(weekday) }
    if within(day.month, 1, 12) and within(day.week, 1, 5) and within(day.weekday, 0, 6) then return day, after end
    return nil
  end
  local julian, number
  julian, number, after = text:match("^(J?)(%d%d?%d?)()", at)
  if not number then return nil end
  number = tonumber(number)
  if julian == "" then
    if number <= 365 then return { day = number }, after end
  elseif within(number, 1, 365) then
    return { julian = number }, after
  end
end

--- ",M3.5.0/3": a change of time, and where it ends.
local function read_change(text, at)
  if text:sub(at, at) ~= "," then return nil end
  local change, after = read_day(text, at + 1)
  if not change then return nil end
  change.time = 7200
  if text:sub(after, after) == "/" then
    change.time, after = read_clock(text, after + 1, MAX_TIME_HOURS)
    if not change.time then return nil end
  end
  return change, after
end

--- "MSK-3": a local time, and where it ends. POSIX counts offsets to the west.
local function read_type(text, at, default)
  local name, after = read_name(text, at)
  if not name then return nil end
  local west, behind = read_clock(text, after, MAX_OFFSET_HOURS)
  if not west and not default then return nil end
  return { offset = west and -west or default, is_dst = default ~= nil, abbreviation = name }, behind or after
end

--- Reads a rule.
---@param text string
---@return avito_messenger.bot.hours.Rule?
function rule.read(text)
  local self = setmetatable({}, Rule)
  local at
  self.standard, at = read_type(text, 1)
  if not self.standard then return nil end
  if at > #text then return self end
  self.daylight, at = read_type(text, at, self.standard.offset + 3600)
  if not self.daylight then return nil end
  self.starts, at = read_change(text, at)
  if not self.starts then return nil end
  self.ends, at = read_change(text, at)
  if self.ends and at > #text then return self end
end

local function day_of(change, year)
  if change.day then return calendar.days(year, 1, 1) + change.day end
  if change.julian then -- the leap day is never counted
    local leap = change.julian >= 60 and calendar.is_leap(year) and 1 or 0
    return calendar.days(year, 1, 1) + change.julian - 1 + leap
  end
  local first = calendar.days(year, change.month, 1)
  local day = (change.weekday - calendar.weekday(first)) % 7 + 7 * (change.week - 1)
  if day >= calendar.month_length(year, change.month) then day = day - 7 end -- the fifth means the last
  return first + day
end

--- The changes near a year, in order. Times of up to a week before or after their day may lead into another year.
local function changes_near(self, year)
  if self.year == year then return self.changes end
  local changes = {}
  for y = year - 2, year + 2 do
    local starts = day_of(self.starts, y) * DAY + self.starts.time - self.standard.offset
    local ends = day_of(self.ends, y) * DAY + self.ends.time - self.daylight.offset
    changes[#changes + 1] = { moment = starts, type = self.daylight }
    changes[#changes + 1] = { moment = ends, type = self.standard }
  end
  -- Daylight saving time that lasts all year begins again when it ends.
  table.sort(changes, function(a, b)
    if a.moment ~= b.moment then return a.moment < b.moment end
    return a.type == self.standard and b.type == self.daylight
  end)
  self.year, self.changes = year, changes
  return changes
end

--- The local time at a moment, and from when until when it holds.
---@param unix number
---@return avito_messenger.bot.hours.LocalTime
---@return number from
---@return number to
function Rule:period(unix)
  if not self.daylight then return self.standard, -math.huge, math.huge end
  local changes = changes_near(self, (calendar.date(math.floor(unix / DAY))))
  local i = 1
  while changes[i + 1].moment <= unix do i = i + 1 end
  return changes[i].type, changes[i].moment, changes[i + 1].moment
end

return rule
