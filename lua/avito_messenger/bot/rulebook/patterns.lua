--- Every pattern of one kind in a book (what is heard, item titles, buyers' names) as one index, matched once a turn.
local text = require "avito_messenger.text"
local used = require "avito_messenger.bot.concepts.used"

---@class avito_messenger.bot.Patterns
---@field texts string[]
---@field index? table made by compile
local Patterns = {}
Patterns.__index = Patterns
Patterns.__name = "avito_messenger.bot.Patterns"

--- What is matched, and where the turn keeps the result.
local KINDS = {
  hears = { slot = "matched", value = function(turn) return turn.text end },
  title = { slot = "title_matched", value = function(turn) return turn.facts.item and turn.facts.item.title end },
  name = { slot = "name_matched", value = function(turn) return turn.facts.buyer and turn.facts.buyer.name end },
}

---@param kind "hears"|"title"|"name"
---@return avito_messenger.bot.Patterns
function Patterns.new(kind)
  return setmetatable({ kind = KINDS[kind], texts = {}, places = {} }, Patterns)
end

---@param pattern string
---@param at fun(field: string?, message: string) whom a mistake is told
---@param field string
---@return integer number
function Patterns:add(pattern, at, field)
  local number = #self.texts + 1
  self.texts[number], self.places[number] = pattern, { at = at, field = field }
  return number
end

--- What text.index returns; it raises where there are more than it takes, which a seller may well have written.
local function build(list, concepts)
  local ok, index, problem = pcall(text.index, list, concepts)
  if ok then return index, problem end
  return nil, { message = index:match "%((.*)%)$" or index }
end

local STANDS_IN = "x" -- a pattern that is right

local function told(problem)
  if problem.column then return ("column %d: %s"):format(problem.column, problem.message) end
  return problem.message
end

--- Tries each pattern alone, with concepts that only have the same names: enough to read it, and quick.
---@return boolean found is one of them wrong?
local function try_each(self, concepts)
  local names, found = {}, false
  for name in pairs(concepts) do names[name] = STANDS_IN end
  for number, pattern in ipairs(self.texts) do
    local index, problem = build({ pattern }, names)
    if not index then
      found = true
      self.places[number].at(self.places[number].field, told(problem))
    end
  end
  return found
end

--- Makes the index, or reports what is wrong: all of it, though an index stops at the first mistake.
---@param concepts table<string, string> all of them right
function Patterns:compile(concepts)
  if #self.texts == 0 then return end
  local problem
  self.index, problem = build(self.texts, used(self.texts, concepts))
  if self.index or problem.pattern and try_each(self, concepts) then return end
  local place = self.places[problem.pattern or 1]
  place.at(place.field, told(problem))
end

--- What is right of the concepts; the others are reported, and stand there as a word, so that their users are not blamed.
---@param concepts table<string, string>
---@param given table<string, string> those of them that the seller wrote
---@param at fun(field: string?, message: string)
---@return table<string, string>
function Patterns.concepts(concepts, given, at)
  local good, written = {}, {}
  for name, pattern in pairs(concepts) do good[name] = pattern end
  for name in pairs(given) do written[#written + 1] = "~" .. name end
  -- The shipped ones are right, unless they meet those of the seller.
  if build({}, used(written, concepts)) then return good end
  local index, problem = build({}, good)
  while not index and problem.concept and good[problem.concept] ~= STANDS_IN do
    at(("concepts['%s']"):format(problem.concept), told(problem))
    good[problem.concept] = STANDS_IN
    index, problem = build({}, good)
  end
  if not index then at("concepts", told(problem)) end
  return good
end

--- The numbers of the patterns that match this turn, ascending and as a set.
---@param turn table
---@return { list: integer[], set: table<integer, true> }
function Patterns:matched(turn)
  local slot = self.kind.slot
  local matched = turn[slot]
  if not matched then
    local value = self.kind.value(turn)
    local list = self.index and value and value ~= "" and self.index:match(value) or {}
    local set = {}
    for _, number in ipairs(list) do set[number] = true end
    matched = { list = list, set = set }
    turn[slot] = matched
  end
  return matched
end

--- Does the pattern match; nil when there is nothing to match.
---@param turn table
---@param number integer
---@return boolean?
function Patterns:matches(turn, number)
  if not self.kind.value(turn) then return nil end
  return self:matched(turn).set[number] == true
end

return Patterns
