--- Checking tables of named options: unknown names and wrong types raise and name what was meant.
local words = require "avito_messenger.words"

local options = {}

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
      error(("%s: %s"):format(where, words.unknown(name, words.names(known), "option")), level + 1)
    end
    if not ("|" .. types .. "|"):find("|" .. type(value) .. "|", 1, true) then
      error(("%s: %s must be a %s, got %s"):format(where, name, types:gsub("|", " or "), type(value)), level + 1)
    end
  end
end

return options
