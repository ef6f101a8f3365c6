--- Patterns that come one by one, with a dialogue: each set of them is compiled once.
local Recent = require "avito_messenger.bot.flow.recent"
local text = require "avito_messenger.text"

local patterns = {}

local KEPT = 200

local recent = Recent.new(KEPT)

--- Compiles patterns of the grammar of `hears`.
---@param list string[]
---@param concepts? table<string, string>
---@return table? index
---@return string? problem
function patterns.index(list, concepts)
  local index, problem = text.index(list, concepts or {})
  if index then return index end
  return nil, problem.column and ("%s (column %d)"):format(problem.message, problem.column) or problem.message
end

--- The numbers of those that match, ascending. Raises where one is wrong.
---@param list string[]
---@param written string
---@return integer[]
function patterns.match(list, written)
  local key = table.concat(list, "\n")
  local index = recent:take(key) or assert(patterns.index(list))
  recent:put(key, index)
  return index:match(written)
end

return patterns
