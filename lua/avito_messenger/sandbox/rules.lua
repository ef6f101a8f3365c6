--- What options may be: each rule returns nothing, or what is wrong with a value.
local words = require "avito_messenger.words"

local rules = {}

---@param kind string what type() says
function rules.is(kind)
  return function(value)
    if type(value) ~= kind then return kind .. " expected, got " .. type(value) end
  end
end

---@param least number
---@param most number
---@param whole? boolean
function rules.number(least, most, whole)
  return function(value)
    if type(value) ~= "number" then return "number expected, got " .. type(value) end
    if not (value >= least and value <= most) or (whole and value % 1 ~= 0) then
      return ("%s from %.10g to %.10g expected"):format(whole and "an integer" or "a number", least, most)
    end
  end
end

--- One of the given values.
function rules.among(...)
  local known = { ... }
  return function(value)
    for _, one in ipairs(known) do
      if one == value then return end
    end
    for i, one in ipairs(known) do known[i] = tostring(one) end
    local nearest = words.nearest(tostring(value), known)
    return ("one of %s expected, got '%s'%s"):format(table.concat(known, ", "), tostring(value),
      nearest and (" (did you mean '%s'?)"):format(nearest) or "")
  end
end

local seconds = rules.number(0, 1e9)
--- Seconds, or a range of them.
function rules.range(value)
  if type(value) ~= "table" then return seconds(value) end
  local problem = seconds(value[1]) or seconds(value[2])
  if problem then return "a range {from, to}: " .. problem end
end

function rules.list_of_seconds(value)
  if type(value) ~= "table" then return "list of seconds expected, got " .. type(value) end
  for _, one in ipairs(value) do
    if seconds(one) then return seconds(one) end
  end
end

rules.chance = rules.number(0, 1)

--- Checks what is given by `{ rule, default }`, and fills in the defaults. Raises with the name of what is wrong.
---@param given table
---@param table_of_rules table<string, table>
---@param prefix string what names begin with in texts
---@return table
function rules.read(given, table_of_rules, prefix)
  local values = {}
  for name, rule in pairs(table_of_rules) do
    local value = given[name]
    if value == nil then
      value = rule[2]
    else
      local problem = rule[1](value)
      if problem then error(("option '%s%s': %s"):format(prefix, name, problem), 0) end
    end
    values[name] = value
  end
  return values
end

return rules
