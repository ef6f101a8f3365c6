--- Checking tables of named options: unknown names and wrong types raise and name what was meant.
local core = require "avito_messenger.core"

local options = {}

--- The known name nearest to a misspelt one, or nil.
---@param name string
---@param known table<string, any>
---@return string?
function options.nearest(name, known)
  local best, distance = nil, 3
  for candidate in pairs(known) do
    local d = core.distance(name, candidate, 3)
    if d < distance or (best and d == distance and candidate < best) then best, distance = candidate, d end
  end
  return best
end

--- Raises unless every option is known and has its type. `known` maps a name to the types it may have, separated by |.
---@param where string what the error names
---@param given table
---@param known table<string, string>
---@param level integer the stack level the error is blamed on
function options.check(where, given, known, level)
  if type(given) ~= "table" then
    error(("%s: the options must be a table, got %s"):format(where, type(given)), level + 1)
  end
  for name, value in pairs(given) do
    local types = known[name]
    if not types then
      local near = type(name) == "string" and options.nearest(name, known)
      local hint = near and (" (did you mean '%s'?)"):format(near) or ""
      error(("%s: unknown option '%s'%s"):format(where, tostring(name), hint), level + 1)
    end
    if not ("|" .. types .. "|"):find("|" .. type(value) .. "|", 1, true) then
      error(("%s: %s must be a %s, got %s"):format(where, name, types:gsub("|", " or "), type(value)), level + 1)
    end
  end
end

return options
