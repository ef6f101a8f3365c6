--- Carries runs of flows out. What a flow got is in the journal of its state: whatever holds the state can go on with it,
--- here, after a restart, or in another process, with the same outcome.
local definition = require "avito_messenger.bot.flow.definition"
local Execution = require "avito_messenger.bot.flow.execution"
local options = require "avito_messenger.options"
local plain = require "avito_messenger.bot.flow.plain"
local Recent = require "avito_messenger.bot.flow.recent"
local words = require "avito_messenger.words"

local COROUTINES = 1000 -- kept at most; the others are built anew from their journals

---@class avito_messenger.bot.FlowRunner
local Runner = { __name = "avito_messenger.bot.FlowRunner" }
Runner.__index = Runner

local OPTIONS = { concepts = "table", coroutines = "number" }

local function add(self, flow, concepts)
  local versions = self.versions[flow.name] or {}
  if versions[flow.version] then
    error(("Runner.new: flow '%s' is defined twice with version %d"):format(flow.name, flow.version), 3)
  end
  local problem, leave = definition.check(flow, concepts)
  if problem then error("Runner.new: " .. problem, 3) end
  self.versions[flow.name], versions[flow.version], self.leave[flow] = versions, flow, leave
  local newest = self.newest[flow.name]
  if not newest or newest.version < flow.version then self.newest[flow.name] = flow end
end

--- Raises for what definition.check finds.
---@param definitions avito_messenger.bot.Flow[] several versions of a name are allowed
---@param given? { concepts?: table<string, string>, coroutines?: integer } concepts: for patterns of `leave`; coroutines: how
---  many are kept, 1000 by default, the outcome is the same with any
---@return avito_messenger.bot.FlowRunner
function Runner.new(definitions, given)
  given = given or {}
  options.check("Runner.new", given, OPTIONS, 2)
  local self = setmetatable({
    newest = {}, versions = {}, leave = {}, recent = Recent.new(given.coroutines or COROUTINES),
  }, Runner)
  for _, flow in ipairs(definitions) do
    if not definition.is(flow) then error("Runner.new: a flow expected, got " .. type(flow), 2) end
    add(self, flow, given.concepts)
  end
  return self
end

--- "unknown flow 'x' (…)", or nil when there is such a flow.
---@param name string
---@return string?
function Runner:unknown(name)
  if self.newest[name] then return nil end
  if next(self.newest) == nil then return ("unknown flow '%s' (there are none)"):format(tostring(name)) end
  return words.unknown(name, words.names(self.newest), "flow")
end

--- Takes over the versions that only the other runner knows, for runs of them that are under way.
---@param other avito_messenger.bot.FlowRunner
function Runner:adopt(other)
  for name, versions in pairs(other.versions) do
    local own = self.versions[name] or {}
    self.versions[name] = own
    for version, flow in pairs(versions) do
      if not own[version] then own[version], self.leave[flow] = flow, other.leave[flow] end
    end
  end
end

--- Does the text end the flow (`leave`)?
---@param state avito_messenger.bot.FlowState
---@param text string
---@return boolean
function Runner:leaves(state, text)
  local leave = self.leave[(self.versions[state.name] or {})[state.version]]
  return leave ~= nil and #leave:match(text) > 0
end

local function begin(state, flow, now)
  state.version = flow.version
  state.started, state.expires = plain.copy(now), plain.copy(now + flow.ttl)
  state.journal = {}
  state.open, state.calling, state.fault = nil, nil, nil
  return state
end

---@class avito_messenger.bot.FlowState plain: may be written as JSON and read again
---@field name string
---@field version integer
---@field id string
---@field started number
---@field expires number from then on a run asks no more
---@field about { buyer?: table, item?: table, order?: table, chat?: table }
---@field journal { k: string, d: string, v?: any, e?: string }[]
---@field open? avito_messenger.bot.FlowQuestion what was asked and not yet answered
---@field calling? { step: integer, name: string, args?: any } what was called and has not yet returned
---@field fault? string why it cannot go on

--- A new run, of the newest version. Nothing of it has happened yet.
---@param name string
---@param id string unlike that of any other run
---@param about { buyer?: table, item?: table, order?: table, chat?: table } what c shows; copied
---@param now number
---@return avito_messenger.bot.FlowState
function Runner:start(name, id, about, now)
  local unknown = self:unknown(name)
  if unknown then error("start: " .. unknown, 2) end
  if type(id) ~= "string" or id == "" then error("start: id must be a string that is not empty", 2) end
  if type(now) ~= "number" then error("start: now must be a number, got " .. type(now), 2) end
  local copy, problem = plain.copy(about or {})
  if problem then error("start: about holds " .. problem, 2) end
  return begin({ name = name, id = id, about = copy }, self.newest[name], now)
end

local function stopped(state, why, message)
  return nil, { kind = "stopped", why = why, message = ("flow '%s': %s"):format(state.name, message) }
end

--- The definition to go on with. Begins again where the newest wants that.
function Runner:choose(state, now)
  local newest = self.newest[state.name]
  local own = (self.versions[state.name] or {})[state.version]
  if newest and newest.version == state.version then return newest end
  if newest and newest.on_change == "human" then
    return stopped(state, "changed", ("it is now version %d, and the run is of version %d")
      :format(newest.version, state.version))
  end
  if newest and newest.on_change == "restart" then
    begin(state, newest, now)
    return newest
  end
  if own then return own end
  return stopped(state, "gone", ("version %d, which the run is of, is no longer defined"):format(state.version))
end

---@class avito_messenger.bot.FlowHost
---@field now number
---@field emit fun(step: integer, action: table) only for new steps; void when the outcome is "stopped"
---@field random fun(key: string): number from 0 to below 1
---@field date fun(unix: number, format: string): string|table
---@field memory table<string, any> changed only when the outcome is not "stopped"
---@field render fun(text: string, extra?: table): string?, string?

---@class avito_messenger.bot.FlowOutcome
---@field kind "ask"|"call"|"done"|"start"|"stopped"
---@field step? integer of a call
---@field name? string of a call, or of the flow to start
---@field args? any of a call
---@field why? "error"|"departed"|"steps"|"gone"|"changed"
---@field message? string
---@field traceback? string

--- Lets the run go on until it waits, or is over. The prompt of an ask is emitted as a "say" of its step.
---@param state avito_messenger.bot.FlowState changed; to be kept when the outcome is "ask" or "call"
---@param host avito_messenger.bot.FlowHost
---@return avito_messenger.bot.FlowOutcome
function Runner:advance(state, host)
  local flow, outcome = self:choose(state, host.now)
  if outcome then return outcome end
  if state.fault then return { kind = "stopped", why = "error", message = state.fault } end
  outcome = Execution.waiting_for(state)
  if outcome then return outcome end
  local execution = self.recent:take(state.id)
  if not execution or not execution:fits(flow, state) then execution = Execution.new(self, flow, state) end
  outcome = execution:advance(state, host)
  if outcome.kind == "ask" or outcome.kind == "call" then self.recent:put(state.id, execution) end
  return outcome
end

--- Answers what is asked; `advance` goes on.
---@param state avito_messenger.bot.FlowState
---@param value any what ask.read gave, or nil
---@param why? "tries"|"timeout" why there is no answer
function Runner:answer(state, value, why) -- luacheck: no self
  if not state.open then error("answer: the run has nothing open to be answered", 2) end
  local entry = state.journal[#state.journal]
  local copy, problem = plain.copy(value)
  if problem then error("answer: the answer cannot be kept: " .. problem, 2) end
  entry.v, entry.e = copy, why
  state.open = nil
end

--- Says what became of the call; `advance` goes on.
---@param state avito_messenger.bot.FlowState
---@param ok boolean
---@param value any what it returned, or why it failed
function Runner:called(state, ok, value) -- luacheck: no self
  local call = state.calling
  if not call then error("called: the run waits for no call", 2) end
  local entry = state.journal[#state.journal]
  local copy, problem = plain.copy(value)
  if not ok then
    entry.e = type(copy) == "string" and copy or ("the call failed with a " .. type(value))
  elseif problem then
    state.fault = ("flow '%s': c:call '%s': what it returned cannot be kept: %s"):format(state.name, call.name, problem)
  else
    entry.v = copy
  end
  state.calling = nil
end

--- Lets go of all coroutines, as a restart does: runs go on from their journals.
function Runner:forget()
  self.recent = Recent.new(2 * self.recent.half)
end

return Runner
