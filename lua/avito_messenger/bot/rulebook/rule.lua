--- One rule of a rulebook.
local actions = require "avito_messenger.bot.rulebook.actions"
local conditions = require "avito_messenger.bot.rulebook.conditions"
local fields = require "avito_messenger.bot.rulebook.fields"
local kinds = require "avito_messenger.bot.rulebook.kinds"
local span = require "avito_messenger.bot.span"

---@class avito_messenger.bot.Rule
---@field name string
---@field index integer its place among the rules
---@field line? integer of the file, where it can be told
---@field conditions avito_messenger.bot.Condition[]
---@field types table<string, true> the message types it is for; "*": any of a buyer
---@field continue boolean later rules get the message too
---@field fallback boolean only when no other rule answers
---@field after? integer fallback: from the how manieth such turn in a row on
---@field once? number|true seconds; true: once a chat
---@field cooldown? number seconds
---@field say? { mode: "one"|"turn"|"label", texts: avito_messenger.bot.Template[], labels: string[]? }
---@field image? string[]
---@field delay? { min: number, max: number } seconds
---@field acts { kind: string, reason: string?, seconds: number? }[]
---@field flow? string
---@field run? fun(c: table)
---@field hears? integer the number of its pattern
local Rule = {}
Rule.__index = Rule
Rule.__name = "avito_messenger.bot.Rule"

local FIELDS = {
  continue = "boolean", fallback = "boolean", after = "number", once = "string|number|boolean", cooldown = "string|number",
}
for _, more in ipairs { conditions.FIELDS, actions.FIELDS } do
  for name, types in pairs(more) do FIELDS[name] = types end
end

local function seconds(name, value, at)
  local length, message = span.seconds(value)
  if not length then return at(name, message) end
  if length == 0 then return at(name, "must be longer than 0 seconds") end
  return length
end

local function read_timing(rule, given, at)
  if given.once == true then
    rule.once = true
  elseif given.once then
    rule.once = seconds("once", given.once, at)
  end
  if given.cooldown ~= nil then rule.cooldown = seconds("cooldown", given.cooldown, at) end
  rule.continue, rule.fallback = given.continue == true, given.fallback == true
  rule.after = given.after
  if not given.after then return end
  if not rule.fallback then
    at("after", "belongs to a rule with fallback = true")
  elseif given.after < 1 or given.after % 1 ~= 0 then
    at("after", "must be a whole number of at least 1: how many turns in a row no rule understood")
  end
end

local function read_conditions(rule, given, at, book)
  local on
  on, rule.types = kinds.read(given, at)
  rule.conditions = conditions.read(given, at, book)
  for _, condition in ipairs(rule.conditions) do
    if condition.number then rule.hears = condition.number end
    local about = condition.name:match "^(%a+)%."
    if about then book.needs[about] = true end
    if condition.chats then book.needs.type = true end
  end
  table.insert(rule.conditions, 1, on)
end

--- Reads a rule; its mistakes go to `at`.
---@param given table as it was written
---@param at fun(field: string?, message: string)
---@param book table the book as far as it is read
---@param place { name: string, index: integer, line: integer? }
---@return avito_messenger.bot.Rule
function Rule.read(given, at, book, place)
  local rule = setmetatable({ name = place.name, index = place.index, line = place.line }, Rule)
  fields.no_list(given, at, nil, 2)
  local good = fields.read(given, FIELDS, at)
  read_conditions(rule, good, at, book)
  read_timing(rule, good, at)
  actions.read(rule, good, at, book)
  if good.when or good.run or good.flow then
    for name in pairs(book.needs) do book.needs[name] = true end
  end
  local acts
  for name in pairs(actions.FIELDS) do acts = acts or name ~= "delay" and given[name] ~= nil end
  if not acts then at(nil, "does nothing: it needs say, image, act, flow or run") end
  return rule
end

--- Does the turn meet every condition?
---@param turn table
---@return boolean ok
---@return string? condition the name of the first that is not met
---@return string? why
---@return string? traceback when the function of `when` raised
function Rule:check(turn)
  for _, condition in ipairs(self.conditions) do
    local ok, why, traceback = condition.check(turn)
    if not ok then return false, condition.name, why, traceback end
  end
  return true
end

--- Every condition, met or not, in words: "hours: open now (closed is wanted)".
---@param turn table
---@return { name: string, ok: boolean, why: string }[]
function Rule:explain(turn)
  local list = {}
  for i, condition in ipairs(self.conditions) do
    local ok, why = condition.check(turn)
    if ok then why = condition.tell(turn, true) end
    list[i] = { name = condition.name, ok = ok, why = ("%s: %s"):format(condition.name, why) }
  end
  return list
end

return Rule
