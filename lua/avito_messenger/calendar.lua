--- The Gregorian calendar, as days counted from 1970-01-01.
local calendar = {}

local LENGTHS = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 }
local ERA = 146097 -- days of 400 years, after which the calendar repeats itself
local TO_EPOCH = 719468 -- days from 0000-03-01, where an era begins, to 1970-01-01

local floor = math.floor

---@param year integer
---@return boolean
function calendar.is_leap(year)
  return year % 4 == 0 and (year % 100 ~= 0 or year % 400 == 0)
end

---@param year integer
---@param month integer 1 to 12
---@return integer
function calendar.month_length(year, month)
  return month == 2 and calendar.is_leap(year) and 29 or LENGTHS[month]
end

--- The number of a day. Months and days that are too many or too few count on into the next or back.
---@param year integer
---@param month integer
---@param day integer
---@return integer
function calendar.days(year, month, day)
  local months = year * 12 + month - 3 -- counted from March: the leap day comes last
  year, month = floor(months / 12), months % 12
  local of_year = floor((153 * month + 2) / 5) + day - 1
  return year * 365 + floor(year / 4) - floor(year / 100) + floor(year / 400) + of_year - TO_EPOCH
end

--- The date of a day.
---@param days integer
---@return integer year
---@return integer month
---@return integer day
function calendar.date(days)
  days = days + TO_EPOCH
  local era = floor(days / ERA)
  local of_era = days % ERA
  local year = floor((of_era - floor(of_era / 1460) + floor(of_era / 36524) - floor(of_era / 146096)) / 365)
  local of_year = of_era - (365 * year + floor(year / 4) - floor(year / 100))
  local month = floor((5 * of_year + 2) / 153)
  local day = of_year - floor((153 * month + 2) / 5) + 1
  year = year + era * 400
  if month >= 10 then return year + 1, month - 9, day end
  return year, month + 3, day
end

---@param days integer
---@return integer 1 is Monday
function calendar.weekday(days)
  return (days + 3) % 7 + 1
end

return calendar
