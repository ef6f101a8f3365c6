--- Time zones: which local time it is at a moment, and the other way round.
local calendar = require "avito_messenger.calendar"
local rule = require "avito_messenger.bot.hours.rule"
local tzif = require "avito_messenger.bot.hours.tzif"
local words = require "avito_messenger.words"

local zone = {}

local DIRECTORY = "/usr/share/zoneinfo"
local DAY = 86400
local MAX_FILE, MAX_LIST = 65536, 1048576
local MAX_UNIX = 1e14 -- farther than any calendar, and exact in a double with room to spare
local WIDEST_OFFSET = 100000 -- seconds; more than a file or a rule may have

---@class avito_messenger.bot.hours.Zone
---@field name string
local Zone = {}
Zone.__index = Zone
Zone.__name = "avito_messenger.bot.hours.Zone"

local function read_file(path, most)
  local file, message = io.open(path, "rb")
  if not file then return nil, message end
  local data
  data, message = file:read(most)
  file:close()
  return data, message or "the file is empty"
end

--- Every name of the zones in the directory; none where there are no zones.
local function known_names(directory)
  local names = {}
  local list = read_file(directory .. "/tzdata.zi", MAX_LIST)
  if list then
    for name in list:gmatch "\nZ (%S+)" do names[#names + 1] = name end
    for name in list:gmatch "\nL %S+ (%S+)" do names[#names + 1] = name end
  else
    list = read_file(directory .. "/zone1970.tab", MAX_LIST) or ""
    for name in list:gmatch "\n[^#\t]+\t[^\t]+\t(%S+)" do names[#names + 1] = name end
  end
  return names
end

--- The zone whose last part, mostly a city, is nearest: "Samara" alone is far from "Europe/Samara".
local function nearest_city(name, names)
  local zones, cities = {}, {}
  for _, one in ipairs(names) do
    local city = one:match "[^/]+$"
    zones[city], cities[#cities + 1] = one, city
  end
  return zones[words.nearest(name:match "[^/]*$", cities)]
end

local function unknown(name, directory)
  local names = known_names(directory)
  if #names == 0 then
    return ("unknown zone '%s': %s has no time zones (install tzdata, or set TZDIR)"):format(name, directory)
  end
  local nearest = #name > 2 and (words.nearest(name, names) or nearest_city(name, names)) -- two letters are near to anything
  if nearest then return ("unknown zone '%s' (did you mean '%s'?)"):format(name, nearest) end
  return ("unknown zone '%s' (it should be as 'Europe/Moscow' or 'UTC+3')"):format(name)
end

local function fixed(name, sign, hours, minutes)
  local offset = (tonumber(hours) * 60 + tonumber(minutes)) * 60
  if tonumber(hours) > 14 or tonumber(minutes) > 59 then
    return nil, ("the zone '%s' must be from UTC-14 to UTC+14"):format(name)
  end
  local abbreviation = ("%s%02d"):format(sign, hours)
  if tonumber(minutes) > 0 then abbreviation = ("%s%02d"):format(abbreviation, minutes) end
  local first = { offset = sign == "-" and -offset or offset, is_dst = false, abbreviation = abbreviation }
  return setmetatable({ name = name, first = first, moments = {}, types = {} }, Zone)
end

--- Names are paths below the directory and nothing else.
local function is_path(name)
  return name:find "^%w[%w_+/-]*$" and not name:find("//", 1, true)
end

local function from_file(name, path)
  local data, message = read_file(path, MAX_FILE)
  if not data then return nil, ("%s: %s"):format(path, message) end
  local read, problem = tzif.read(data)
  if not read then return nil, ("%s is no time zone file: %s"):format(path, problem) end
  local self = setmetatable({ name = name, first = read.first, moments = read.moments, types = read.types }, Zone)
  if read.footer ~= "" then
    self.rule = rule.read(read.footer)
    if not self.rule then return nil, ("%s is no time zone file: its last line is no rule"):format(path) end
  end
  return self
end

local function exists(path)
  local file = io.open(path, "rb")
  local is_file = file and file:read(0)
  if file then file:close() end
  return is_file
end

--- The zone of that name.
---@param name any "Europe/Samara", or "UTC+4"
---@param directory? string where the files of tzdata are; TZDIR, or else /usr/share/zoneinfo
---@return avito_messenger.bot.hours.Zone?
---@return string? message with the nearest name there is
function zone.load(name, directory)
  if type(name) ~= "string" then return nil, ("a zone must be a name as 'Europe/Samara', got %s"):format(type(name)) end
  local sign, hours, minutes = name:match "^UTC([+-])(%d%d?):?(%d?%d?)$"
  if sign and #minutes ~= 1 then return fixed(name, sign, hours, minutes == "" and "0" or minutes) end
  directory = directory or os.getenv "TZDIR" or DIRECTORY
  local path = directory .. "/" .. name
  if not is_path(name) or not exists(path) then return nil, unknown(name, directory) end
  return from_file(name, path)
end

--- The last transition at or before a moment; 0 for none.
local function last_before(moments, unix)
  local low, high = 0, #moments
  while low < high do
    local middle = math.floor((low + high + 1) / 2)
    if moments[middle] <= unix then low = middle else high = middle - 1 end
  end
  return low
end

--- The local time at a moment, and from when until when it holds.
local function period(self, unix)
  local moments = self.moments
  local i = last_before(moments, unix)
  if i < #moments then return self.types[i] or self.first, moments[i] or -math.huge, moments[i + 1] end
  if not self.rule then return self.types[i] or self.first, moments[i] or -math.huge, math.huge end
  local now, from, to = self.rule:period(unix)
  return now, math.max(from, moments[i] or from), to
end

local function check_moment(unix, method)
  if type(unix) ~= "number" or not (unix >= -MAX_UNIX and unix <= MAX_UNIX) then
    error(("%s: the moment must be a number of Unix seconds, got %s"):format(method, tostring(unix)), 3)
  end
end

--- The local time at a moment.
---@param unix number
---@return integer offset seconds east of UTC
---@return boolean is_dst
---@return string abbreviation
function Zone:offset(unix)
  check_moment(unix, "zone:offset")
  local now = period(self, unix)
  return now.offset, now.is_dst, now.abbreviation
end

---@class avito_messenger.bot.hours.Date
---@field year integer
---@field month integer 1 to 12
---@field day integer
---@field hour integer
---@field min integer
---@field sec integer
---@field weekday integer 1 is Monday
---@field yday integer 1 to 366

--- The date and time of a moment in the zone.
---@param unix number
---@return avito_messenger.bot.hours.Date
function Zone:date(unix)
  check_moment(unix, "zone:date")
  local seconds = math.floor(unix) + period(self, unix).offset
  local days, second = math.floor(seconds / DAY), seconds % DAY
  local year, month, day = calendar.date(days)
  return {
    year = year, month = month, day = day, hour = math.floor(second / 3600), min = math.floor(second / 60) % 60,
    sec = second % 60, weekday = calendar.weekday(days), yday = days - calendar.days(year, 1, 1) + 1,
  }
end

--- The moment at which the clocks show so many seconds since 1970-01-01 00:00. What they show twice is the earlier one; what
--- they leave out is the moment at which they do.
---@param shown integer
---@return integer unix
function Zone:moment(shown)
  check_moment(shown, "zone:moment")
  local now, from, to = period(self, shown - WIDEST_OFFSET)
  while shown - now.offset >= to do now, from, to = period(self, to) end
  return math.max(shown - now.offset, from)
end

--- The moment of a date and time: as os.time, too many days, hours and so on count on into the next.
---@param date { year: integer, month: integer, day: integer, hour?: integer, min?: integer, sec?: integer }
---@return integer unix what the clocks show twice is the earlier one; what they leave out is the moment at which they do
function Zone:unix(date)
  if type(date) ~= "table" then error(("zone:unix: the date must be a table, got %s"):format(type(date)), 2) end
  local parts = {}
  for i, name in ipairs { "year", "month", "day", "hour", "min", "sec" } do
    local value = date[name]
    if value == nil and i > 3 then value = 0 end
    if type(value) ~= "number" or value % 1 ~= 0 or math.abs(value) > 1e12 then
      error(("zone:unix: date.%s must be an integer, got %s"):format(name, tostring(value)), 2)
    end
    parts[i] = value
  end
  local shown = calendar.days(parts[1], parts[2], parts[3]) * DAY + parts[4] * 3600 + parts[5] * 60 + parts[6]
  return self:moment(math.floor(shown))
end

return zone
