--- Patterns that come one by one, with a dialogue: each set of them is compiled once.
local plain = require "avito_messenger.bot.flow.plain"
local Recent = require "avito_messenger.bot.flow.recent"
local text = require "avito_messenger.text"
local used = require "avito_messenger.bot.concepts.used"

local patterns = {}

local KEPT = 200

local recent = Recent.new(KEPT)

--- Compiles patterns of the grammar of `hears`.
---@param list string[]
---@param concepts? table<string, string>
---@return table? index
---@return string? problem
function patterns.index(list, concepts)
  concepts = concepts or {}
  local index = text.index(list, used(list, concepts))
  if index then return index end
  local _, problem = text.index(list, concepts) -- with all the names that could be meant
  return nil, problem.column and ("%s (column %d)"):format(problem.message, problem.column) or problem.message
end

-- As index, without concepts; kept for the next time.
local function kept(list)
  local key = plain.text(list)
  local index, problem = recent:take(key), nil
  if not index then index, problem = patterns.index(list) end
  if index then recent:put(key, index) end
  return index, problem
end

--- What is wrong with a pattern.
---@param pattern string
---@return string?
function patterns.problem(pattern)
  return select(2, kept { pattern })
end

--- The numbers of those that match, ascending. Raises where one is wrong.
---@param list string[]
---@param written string
---@return integer[]
function patterns.match(list, written)
  return assert(kept(list)):match(written)
end

return patterns
