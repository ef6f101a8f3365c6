--- The mistakes of a rulebook, or the warnings, gathered instead of raised: a seller sees all of them at once.
local errors = require "avito_messenger.errors"

---@class avito_messenger.bot.Problem
---@field line? integer where the rule begins
---@field where? string "rule 'торг'", "rule 3", "flow 'обмен'"; nil: the book itself
---@field field? string for example "item.price"
---@field message string what was wrong, and what was probably meant
---@field text string all of it in one line

---@class avito_messenger.bot.Problems
---@field file string
local Problems = {}
Problems.__index = Problems
Problems.__name = "avito_messenger.bot.Problems"

---@param file string what every line begins with
---@return avito_messenger.bot.Problems
function Problems.new(file)
  return setmetatable({ file = file, found = {} }, Problems)
end

--- A function that notes a mistake of one rule, flow, or the book.
---@param place { order: integer, where?: string, line?: integer, lines?: table<string, integer> } order: where its mistakes
--- stand among all; lines: of its fields
---@return fun(field: string?, message: string, name: string?) at name: of a field that is none
function Problems:at(place)
  return function(field, message, name)
    local line = place.line or place.lines and place.lines[name or (field or ""):match "^[%w_]*"]
    local problem = { line = line, where = place.where, field = field, message = message }
    local text = line and ("%s:%d: "):format(self.file, line) or self.file .. ": "
    if place.where then text = text .. place.where .. ": " end
    if field then text = text .. field .. ": " end
    problem.text = text .. message
    self.found[#self.found + 1] = { order = place.order, number = #self.found, problem = problem }
  end
end

--- Where there are mistakes so far.
---@return table<integer, true>
function Problems:orders()
  local orders = {}
  for _, entry in ipairs(self.found) do orders[entry.order] = true end
  return orders
end

--- What was found, in the order of the book.
---@return avito_messenger.bot.Problem[]
function Problems:list()
  table.sort(self.found, function(a, b)
    if a.order ~= b.order then return a.order < b.order end
    return a.number < b.number
  end)
  local problems = {}
  for i, entry in ipairs(self.found) do problems[i] = entry.problem end
  return problems
end

--- It as one error; nil when there is nothing.
---@return avito_messenger.Error? err with `problems`, the list
function Problems:error()
  local problems, lines = self:list(), {}
  if #problems == 0 then return nil end
  for i, problem in ipairs(problems) do lines[i] = problem.text end
  local err = errors.new("invalid", "rulebook", table.concat(lines, "\n"))
  err.problems = problems
  return err
end

return Problems
