--- Days that are not as their weekday is: holidays and short days, of one year ("2026-12-31") or of every year ("01-07").
local calendar = require "avito_messenger.calendar"
local opening = require "avito_messenger.bot.hours.opening"
local spelling = require "avito_messenger.bot.spelling"

local holidays = {}

local LONGEST = 366 -- days of a range

---@class avito_messenger.bot.hours.Holidays
---@field ranked table[] from the most to the least exact, each by day
local Holidays = {}
Holidays.__index = Holidays

--- What is more exact wins: the one year over every year, then the single day over the range.
local DATED_DAY, DATED_RANGE, YEARLY_DAY, YEARLY_RANGE = 1, 2, 3, 4

local LEAP_YEAR = 2024 -- has every date that comes in any year
local FIRST = calendar.days(LEAP_YEAR, 1, 1)

local function read_date(text)
  local year, month, day = text:match "^%s*(%d%d%d%d)%-(%d%d)%-(%d%d)%s*$"
  if not year then month, day = text:match "^%s*(%d%d)%-(%d%d)%s*$" end
  if not month then return nil, "a date is written '2026-12-31', or '12-31' for every year, a range '12-31..01-08'" end
  local date = { year = tonumber(year), month = tonumber(month), day = tonumber(day) }
  if date.month < 1 or date.month > 12 or date.day < 1 or
    date.day > calendar.month_length(date.year or LEAP_YEAR, date.month) then
    return nil, ("there is no day '%s'"):format(spelling.trim(text))
  end
  return date
end

local function number(date)
  return calendar.days(date.year or LEAP_YEAR, date.month, date.day)
end

--- How many days lie between two dates.
local function distance(first, last)
  if (first.year == nil) ~= (last.year == nil) then return nil, "a range has a year at both ends, or at none" end
  local days = number(last) - number(first)
  if not first.year then return days % 366 end -- over New Year where it ends before it begins
  if days < 0 then return nil, "the range ends before it begins" end
  if days >= LONGEST then return nil, ("a range has at most %d days"):format(LONGEST) end
  return days
end

--- The first day, how many more there are, and how exact the entry is.
local function read_days(text)
  local left, right = text:match "^(.-)%.%.(.*)$"
  local first, problem = read_date(left or text)
  if not first then return nil, problem end
  if not left then return first, 0, first.year and DATED_DAY or YEARLY_DAY end
  local last, count
  last, problem = read_date(right)
  if not last then return nil, problem end
  count, problem = distance(first, last)
  if not count then return nil, problem end
  return first, count, first.year and DATED_RANGE or YEARLY_RANGE
end

local function key_of_year(month, day)
  return month * 100 + day
end

local function add(self, text, spans)
  local first, count, rank = read_days(text)
  if not first then return count end
  local start, known = number(first), self.ranked[rank]
  for i = 0, count do
    local key = start + i
    if not first.year then
      local _, month, day = calendar.date(FIRST + (key - FIRST) % 366)
      key = key_of_year(month, day)
    end
    if known[key] then return ("a day of it is already in '%s'"):format(known[key].text) end
    known[key] = { text = text, spans = spans }
  end
end

--- The entries as { text, what the day is like }, the same way round each time.
local function sorted(list)
  local entries = {}
  for key, value in pairs(list) do
    local entry = { text = key, value = value, at = math.huge }
    if type(key) == "number" then entry = { text = value, value = false, at = key } end
    if type(entry.text) ~= "string" then
      return nil, ("a date as text expected, got %s"):format(type(entry.text))
    end
    entries[#entries + 1] = entry
  end
  table.sort(entries, function(a, b)
    if a.at ~= b.at then return a.at < b.at end
    return a.text < b.text
  end)
  return entries
end

--- Reads a list of days that are closed ("2026-01-01", "01-07", "12-31..01-08"), and pairs of days and what they are like
--- (["2026-12-31"] = "10:00-14:00").
---@param list any nil for none
---@return avito_messenger.bot.hours.Holidays?
---@return string? message with the entry
function holidays.read(list)
  local self = setmetatable({ ranked = { {}, {}, {}, {} } }, Holidays)
  if list == nil then return self end
  if type(list) ~= "table" then return nil, ("holidays: a table expected, got %s"):format(type(list)) end
  local entries, problem = sorted(list)
  if not entries then return nil, "holidays: " .. problem end
  for _, entry in ipairs(entries) do
    local spans
    spans, problem = opening.read(entry.value)
    problem = problem or add(self, entry.text, spans)
    if problem then return nil, ("holidays: '%s': %s"):format(entry.text, problem) end
  end
  return self
end

--- When a day is open that is not as its weekday is; nil for a day as any.
---@param days integer since 1970-01-01
---@return avito_messenger.bot.hours.Opening[]?
function Holidays:on(days)
  local _, month, day = calendar.date(days)
  local ranked, of_year = self.ranked, key_of_year(month, day)
  local entry = ranked[DATED_DAY][days] or ranked[DATED_RANGE][days] or ranked[YEARLY_DAY][of_year] or
    ranked[YEARLY_RANGE][of_year]
  return entry and entry.spans
end

return holidays
