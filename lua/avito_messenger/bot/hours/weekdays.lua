--- Days of the week by their names: "пн-пт", "Sat, Sun", "будни".
local spelling = require "avito_messenger.bot.spelling"
local words = require "avito_messenger.words"

local weekdays = {}

local DAYS = {
  "пн пон понедельник mon monday",
  "вт вто вторник tue tues tuesday",
  "ср сре среда wed wednesday",
  "чт чет четверг thu thur thurs thursday",
  "пт пят пятница fri friday",
  "сб суб суббота sat saturday",
  "вс вос воскресенье sun sunday",
}
local GROUPS = {
  { "будни weekdays", 1, 5 },
  { "выходные weekend weekends", 6, 7 },
  { "ежедневно daily", 1, 7 },
}

local BY_NAME, NAMES = {}, {}
local function add(names, first, last)
  for name in names:gmatch "%S+" do
    BY_NAME[name], NAMES[#NAMES + 1] = { first, last }, name
  end
end
for day, names in ipairs(DAYS) do add(names, day, day) end
for _, group in ipairs(GROUPS) do add(group[1], group[2], group[3]) end

local function unknown(name)
  if name == "" then return "a day is missing" end
  local nearest = words.nearest(name, NAMES)
  if nearest then return ("unknown day '%s' (did you mean '%s'?)"):format(name, nearest) end
  return ("unknown day '%s' (days are as 'пн', 'пн-пт', 'mon', 'будни', 'ежедневно')"):format(name)
end

local function find(name)
  name = name:match "^%s*(.-)%.?%s*$"
  local days = BY_NAME[name]
  if not days then return nil, unknown(name) end
  return days
end

--- The first and the last day of "пн", "пн-пт" or "будни".
local function ends(text)
  local left, right = text:match "^(.-)%-(.*)$"
  local first, problem = find(left or text)
  if not first then return nil, problem end
  if not left then return first end
  local last
  last, problem = find(right)
  if not last then return nil, problem end
  if first[1] ~= first[2] or last[1] ~= last[2] then
    return nil, ("a range goes from a day to a day, not '%s'"):format(spelling.trim(text))
  end
  return { first[1], last[1] }
end

--- The days that a text names, 1 being Monday; none may be named twice. A range may go over Sunday.
---@param text string
---@return integer[]?
---@return string? message
function weekdays.read(text)
  local days, seen = {}, {}
  for part in (spelling.dashes(spelling.lower(text)) .. ","):gmatch "([^,]*)," do
    local range, problem = ends(part)
    if not range then return nil, problem end
    local day = range[1]
    for _ = 1, (range[2] - range[1]) % 7 + 1 do
      if seen[day] then return nil, ("%s is named twice"):format(weekdays.name(day)) end
      seen[day], days[#days + 1] = true, day
      day = day % 7 + 1
    end
  end
  return days
end

--- The short name of a day.
---@param day integer 1 is Monday
---@return string
function weekdays.name(day)
  return DAYS[day]:match "%S+"
end

return weekdays
