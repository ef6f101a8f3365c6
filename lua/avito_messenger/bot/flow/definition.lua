--- What a flow is: its name, its function, and what becomes of runs of it.
local environment = require "avito_messenger.bot.flow.environment"
local options = require "avito_messenger.options"
local patterns = require "avito_messenger.bot.flow.patterns"
local span = require "avito_messenger.bot.span"
local words = require "avito_messenger.words"

local STEPS, TTL = 50, "2d"
local MAX_STEPS = 10000
local FIELDS = {
  [1] = "string", [2] = "function", version = "number", ttl = "number|string", steps = "number", on_change = "string",
  leave = "string",
}
local ON_CHANGE = { finish = true, restart = true, human = true }

---@class avito_messenger.bot.FlowOptions
---@field [1] string the name; rules say `flow = "name"`
---@field [2] fun(c: avito_messenger.bot.FlowContext) the dialogue
---@field version? integer from 1 (the default); to be raised whenever the function asks, says or calls something else than before
---@field ttl? number|string how long after its start a run may still ask, in seconds or as "2d" (the default)
---@field steps? integer how many calls of c a run may make: 1 to 10000, 50 by default
---@field on_change? "finish"|"restart"|"human" of runs of older versions: they go on as they are (the default), begin again,
---  or are left to the seller
---@field leave? string pattern of messages that end the flow

---@class avito_messenger.bot.Flow
---@field name string
---@field version integer
---@field ttl number seconds
---@field steps integer
---@field on_change "finish"|"restart"|"human"
---@field leave? string
---@field run fun(c: avito_messenger.bot.FlowContext)
---@field cells table[] the outer locals it reaches, to be watched
local Flow = { __name = "avito_messenger.bot.Flow" }
Flow.__index = Flow

function Flow:__tostring()
  return ("flow '%s' (version %d)"):format(self.name, self.version)
end

local definition = {}

---@param value any
---@return boolean
function definition.is(value)
  return getmetatable(value) == Flow
end

local function whole(where, name, value, greatest, level)
  if value % 1 ~= 0 or value < 1 or value > greatest then
    error(("%s: %s must be an integer from 1 to %d, got %s"):format(where, name, greatest, tostring(value)), level + 1)
  end
end

local function check(given, level)
  if type(given) ~= "table" then error("flow: table expected, got " .. type(given), level + 1) end
  local name = given[1]
  if type(name) ~= "string" or name == "" then
    error("flow: the name is missing: avito.flow { \"обмен\", function(c) … end }", level + 1)
  end
  local where = ("flow '%s'"):format(name)
  options.check(where, given, FIELDS, level + 1)
  if not given[2] then error(where .. ": the function is missing: avito.flow { name, function(c) … end }", level + 1) end
  if given.version then whole(where, "version", given.version, 2 ^ 31, level + 1) end
  if given.steps then whole(where, "steps", given.steps, MAX_STEPS, level + 1) end
  if given.on_change and not ON_CHANGE[given.on_change] then
    error(("%s: %s"):format(where, words.unknown(given.on_change, words.names(ON_CHANGE), "on_change")), level + 1)
  end
  if given.leave and not given.leave:find "%S" then error(where .. ": leave is an empty pattern", level + 1) end
  return where
end

-- Returns what is wrong with it.
local function protect(flow)
  local cells, problem = environment.protect(flow.run)
  if not cells then return ("flow '%s': %s"):format(flow.name, problem) end
  flow.cells = cells
end

--- Defines a flow. Raises for whatever is wrong with it.
---@param given avito_messenger.bot.FlowOptions
---@return avito_messenger.bot.Flow
function definition.define(given)
  local where = check(given, 2)
  local ttl, problem = span.seconds(given.ttl or TTL)
  if not problem and ttl <= 0 then problem = "it must be more than 0 seconds" end
  if problem then error(("%s: ttl: %s"):format(where, problem), 2) end
  local self = setmetatable({
    name = given[1], run = given[2], version = given.version or 1, ttl = ttl, steps = given.steps or STEPS,
    on_change = given.on_change or "finish", leave = given.leave,
  }, Flow)
  problem = protect(self)
  if problem then error(problem, 2) end
  return self
end

--- What only shows when the whole file has been read: its locals may have been given a value since, and `leave` may name
--- concepts.
---@param flow avito_messenger.bot.Flow
---@param concepts? table<string, string>
---@return string? problem
---@return table? index of the pattern `leave`
function definition.check(flow, concepts)
  local problem = protect(flow)
  if problem or not flow.leave then return problem end
  local index
  index, problem = patterns.index({ flow.leave }, concepts)
  return problem and ("flow '%s': leave: %s"):format(flow.name, problem), index
end

return definition
