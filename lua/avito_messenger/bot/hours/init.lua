--- Opening hours: whether a place is open at a moment, and when it opens or closes next.
local calendar = require "avito_messenger.calendar"
local holidays = require "avito_messenger.bot.hours.holidays"
local opening = require "avito_messenger.bot.hours.opening"
local weekdays = require "avito_messenger.bot.hours.weekdays"
local zone = require "avito_messenger.bot.hours.zone"

local hours = {}

local DAY = 86400
local HORIZON = 400 -- days that are looked at
local MAX_UNIX = 1e13

---@class avito_messenger.bot.Hours
---@field zone avito_messenger.bot.hours.Zone
local Hours = {}
Hours.__index = Hours
Hours.__name = "avito_messenger.bot.Hours"

hours.zone = zone.load

--- The days of the schedule by name, the same way round each time.
local function sorted_days(schedule)
  local names = {}
  for name in pairs(schedule) do
    if type(name) ~= "string" then return nil, "hours: the days must be named: { [\"пн-пт\"] = \"09:00-20:00\" }" end
    names[#names + 1] = name
  end
  table.sort(names)
  return names
end

--- Adds one entry to the week; `given` is under which name each day was given.
local function add(week, given, name, value)
  local days, problem = weekdays.read(name)
  if not days then return problem end
  local spans
  spans, problem = opening.read(value)
  if not spans then return problem end
  for _, day in ipairs(days) do
    if given[day] then return ("%s is already given as '%s'"):format(weekdays.name(day), given[day]) end
    given[day], week[day] = name, spans
  end
end

local function check_open(week)
  for day = 1, 7 do
    if #week[day] > 0 then return week end
  end
  return nil, "hours: no day is ever open"
end

local function read_every_day(text)
  local spans, problem = opening.read(text)
  if not spans then return nil, "hours: " .. problem end
  return check_open { spans, spans, spans, spans, spans, spans, spans }
end

local function read_week(schedule)
  local names, problem = sorted_days(schedule)
  if not names then return nil, problem end
  local week, given = { {}, {}, {}, {}, {}, {}, {} }, {}
  for _, name in ipairs(names) do
    problem = add(week, given, name, schedule[name])
    if problem then return nil, ("hours: '%s': %s"):format(name, problem) end
  end
  return check_open(week)
end

--- Reads opening hours. Days that are not named are closed.
---@param place avito_messenger.bot.hours.Zone
---@param schedule any { ["пн-пт"] = "09:00-20:00", ["сб"] = "10:00-16:00" }, or one text for every day
---@param days_off any see holidays.read
---@return avito_messenger.bot.Hours?
---@return string? message with the entry
function hours.read(place, schedule, days_off)
  if type(place) ~= "table" or type(place.moment) ~= "function" then
    error(("hours.read: the zone must be what hours.zone returns, got %s"):format(type(place)), 2)
  end
  local week, problem
  if type(schedule) == "table" then
    week, problem = read_week(schedule)
  else
    week, problem = read_every_day(schedule)
  end
  if not week then return nil, problem end
  local exceptions
  exceptions, problem = holidays.read(days_off)
  if not exceptions then return nil, problem end
  return setmetatable({ zone = place, week = week, exceptions = exceptions }, Hours)
end

--- The same hours every day.
---@param text any "22:00-08:00"
---@param place avito_messenger.bot.hours.Zone
---@return avito_messenger.bot.Hours?
---@return string? message
function hours.daily(text, place)
  if type(text) ~= "string" then
    return nil, ("hours: a text as '22:00-08:00' expected, got %s"):format(type(text))
  end
  return hours.read(place, text)
end

local function check(unix, method, what)
  if type(unix) ~= "number" or not (unix >= -MAX_UNIX and unix <= MAX_UNIX) then
    error(("hours:%s: %s must be a number of Unix seconds, got %s"):format(method, what or "the moment", tostring(unix)), 3)
  end
end

local function day_of(place, unix)
  return math.floor((math.floor(unix) + place:offset(unix)) / DAY)
end

--- The openings that begin on a day, as moments, one after another; empty where the clocks leave all of it out.
local function openings(self, day)
  local spans = self.exceptions:on(day) or self.week[calendar.weekday(day)]
  local i = 0
  return function()
    i = i + 1
    if spans[i] then return self.zone:moment(day * DAY + spans[i].from), self.zone:moment(day * DAY + spans[i].to) end
  end
end

--- From when until when the opening lasts that is not over at a moment; nil when there is none within the horizon.
--- What follows without a gap is one opening; `till` is nil where no end is within the horizon.
local function current_or_next(self, unix)
  local from, till
  local day = day_of(self.zone, unix)
  -- The day before may last over midnight; and clocks that go back over midnight show a day's date twice.
  for one = day - 1, day + HORIZON do
    for opens, closes in openings(self, one) do
      if from and opens > till then return from, till end
      if closes > unix and closes > opens then from, till = from or opens, math.max(till or closes, closes) end
    end
  end
  return from
end

--- Is it open?
---@param unix number
---@return boolean
function Hours:is_open(unix)
  check(unix, "is_open")
  local day = day_of(self.zone, unix)
  for one = day - 1, day + 1 do
    for opens, closes in openings(self, one) do
      if opens <= unix and unix < closes then return true end
    end
  end
  return false
end

--- When it is open next: the moment itself when it is open then.
---@param unix number
---@return number? unix nil when it is not within the next 400 days
function Hours:next_open(unix)
  check(unix, "next_open")
  local from = current_or_next(self, unix)
  return from and math.max(from, unix)
end

--- When it closes next: the end of what is open at the moment, or else of what opens next.
---@param unix number
---@return number? unix nil when it is not within the next 400 days
function Hours:next_close(unix)
  check(unix, "next_close")
  local _, till = current_or_next(self, unix)
  return till
end

local ON = { "в понедельник", "во вторник", "в среду", "в четверг", "в пятницу", "в субботу", "в воскресенье" }
local OF_MONTH = {
  "января", "февраля", "марта", "апреля", "мая", "июня", "июля", "августа", "сентября", "октября", "ноября", "декабря",
}

--- A moment as people say it, to follow «после» or «с»: "9:00", "9:00 завтра", "9:00 в понедельник", "9:00 12 января".
---@param now number
---@param moment number
---@return string
function Hours:say(now, moment)
  check(now, "say", "now")
  check(moment, "say")
  local date = self.zone:date(moment)
  local clock = ("%d:%02d"):format(date.hour, date.min)
  local ahead = day_of(self.zone, moment) - day_of(self.zone, now)
  if ahead == 0 then return clock end
  if ahead == 1 then return clock .. " завтра" end
  if ahead > 1 and ahead < 7 then return clock .. " " .. ON[date.weekday] end
  return ("%s %d %s"):format(clock, date.day, OF_MONTH[date.month])
end

return hours
