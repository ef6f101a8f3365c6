--- Carries runs of flows out. What a flow got is in the journal of its state: whatever holds the state can go on with it,
--- here, after a restart, or in another process, with the same outcome.
local context = require "avito_messenger.bot.flow.context"
local definition = require "avito_messenger.bot.flow.definition"
local environment = require "avito_messenger.bot.flow.environment"
local options = require "avito_messenger.options"
local plain = require "avito_messenger.bot.flow.plain"
local Recent = require "avito_messenger.bot.flow.recent"
local steps = require "avito_messenger.bot.flow.steps"
local words = require "avito_messenger.words"

local COROUTINES = 1000 -- kept at most; the others are built anew from their journals

-- What a flow's coroutine yields first: anything else was not yielded by c.
local STEP, FINISH = {}, {}

-- ---- one flow under way

local Run = {}
Run.__index = Run

local function new_run(runner, flow, state)
  local self = setmetatable({
    runner = runner, flow = flow, state = state, co = coroutine.create(flow.run),
    at = 0, -- entries of the journal that the flow has taken
    seen = {}, -- those
  }, Run)
  self.c = context.new(plain.copy(state.about) or {})
  return self
end

--- Does the flow only do what it did before?
function Run:replaying()
  return self.at < #self.state.journal
end

--- Takes the next entry of the journal, in the flow's coroutine; where there is none, the runner makes it.
---@param kind string
---@param asked any what plain.copy returned; the same on a replay
---@param request table what `steps` needs to do it
---@return table entry
function Run:step(kind, asked, request)
  local at, digest = self.at + 1, plain.digest(asked)
  local entry = self.state.journal[at]
  if entry and (entry.k ~= kind or entry.d ~= digest) then self:finish(self:departed(at, entry, kind)) end
  if not entry then
    request.k, request.d = kind, digest
    self.waiting = request
    coroutine.yield(STEP, request)
    entry = self.state.journal[at]
  end
  self.at = at
  self.seen[at] = entry
  return entry
end

--- Ends the flow, in its coroutine: it is never resumed, so that no pcall of it takes notice.
function Run:finish(outcome) -- luacheck: no self
  coroutine.yield(FINISH, outcome)
end

function Run:stopped(why, message)
  return { kind = "stopped", why = why, message = ("flow '%s': %s"):format(self.flow.name, message) }
end

function Run:departed(at, entry, kind)
  local what = entry.k == kind and ("c:%s of something else"):format(kind) or ("c:%s"):format(kind)
  return self:stopped("departed", ("step %d was c:%s, and is now %s; raise the version when you change a flow")
    :format(at, entry.k, what))
end

--- Is this the run of that state, at that point?
function Run:fits(flow, state)
  local journal = state.journal
  if self.flow ~= flow or #journal ~= self.at + 1 then return false end
  local last = journal[#journal]
  if last.k ~= self.waiting.k or last.d ~= self.waiting.d then return false end
  for at = 1, self.at do
    if not plain.equal(self.seen[at], journal[at]) then return false end
  end
  return true
end

local function text_of(problem)
  local ok, text = pcall(tostring, problem)
  return ok and text or "a " .. type(problem)
end

function Run:failed(problem)
  local outcome = self:stopped("error", text_of(problem))
  outcome.traceback = debug.traceback(self.co, outcome.message)
  return outcome
end

local FOREIGN = "it waited for something else than c:ask and c:call, such as a call of a client: "
  .. "put that into a function of calls and use c:call()"

--- Lets the flow run until it has a request (returned second) or an outcome.
function Run:resume()
  local ok, token, request = environment.resume(self, self.co, self.c)
  if not ok then return self:failed(token) end
  if token == STEP then return nil, request end
  if token ~= FINISH and coroutine.status(self.co) == "suspended" then return self:failed(FOREIGN) end
  if token == FINISH and request.kind == "stopped" then return request end
  if self:replaying() then
    return self:stopped("departed", ("it ended after step %d, and had gone on to step %d; raise the version when you change a flow")
      :format(self.at, #self.state.journal))
  end
  return token == FINISH and request or { kind = "done" }
end

--- Makes the steps that need nothing from outside. Returns the outcome.
function Run:drive(host)
  local cells = self.flow.cells
  local before = environment.snapshot(cells)
  local outcome, request
  repeat
    outcome, request = self:resume()
    if request then outcome = self:perform(request, host) end
  until outcome
  local name = environment.changed(cells, before)
  if name and outcome.kind ~= "stopped" then
    return self:stopped("error", ("it changed the outer local '%s', which it would do again when it is replayed; "
      .. "use a local of its own, or c:set"):format(name))
  end
  return outcome
end

local function calling(state)
  local call = state.calling
  return { kind = "call", step = call.step, name = call.name, args = plain.copy(call.args) }
end

--- Does what the flow asked for, for the first time. Returns the outcome where it must wait, or cannot.
function Run:perform(request, host)
  local state = self.state
  local at = #state.journal + 1
  if at > self.flow.steps then
    return self:stopped("steps", ("it made more than %d calls of c, the most it may (steps)"):format(self.flow.steps))
  end
  -- Whoever asks in a loop would never come to an end.
  if request.k == "ask" and host.now >= state.expires then return { kind = "done" } end
  local entry = { k = request.k, d = request.d }
  local problem = steps[request.k](self, host, request, entry, at)
  if problem then return self:failed(("c:%s: %s"):format(request.k, problem)) end
  state.journal[at] = entry
  if state.open then return { kind = "ask" } end
  if state.calling then return calling(state) end
end

-- ---- the runner

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

--- When the run's ttl ends; from then on it asks no more.
---@param state avito_messenger.bot.FlowState
---@return number unix
function Runner:expires(state) -- luacheck: no self
  return state.expires
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
---@field about { buyer?: table, item?: table, chat?: table }
---@field journal { k: string, d: string, v?: any, e?: string }[]
---@field open? avito_messenger.bot.FlowQuestion what was asked and not yet answered
---@field calling? { step: integer, name: string, args?: any } what was called and has not yet returned
---@field fault? string why it cannot go on

--- A new run, of the newest version. Nothing of it has happened yet.
---@param name string
---@param id string unlike that of any other run
---@param about { buyer?: table, item?: table, chat?: table } what c shows; copied
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

local function apply(memory, writes)
  for name, write in pairs(writes) do memory[name] = write.value end
end

---@class avito_messenger.bot.FlowHost
---@field now number
---@field emit fun(step: integer, action: table) only for new steps; void when the outcome is "stopped"
---@field random fun(key: string): number from 0 to below 1
---@field date fun(unix: number, format: string): string
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
  if state.open then return { kind = "ask" } end
  if state.calling then return calling(state) end
  local run = self.recent:take(state.id)
  if not run or not run:fits(flow, state) then run = new_run(self, flow, state) end
  run.state, run.writes = state, {}
  outcome = run:drive(host)
  if outcome.kind ~= "stopped" then apply(host.memory, run.writes) end
  if outcome.kind == "ask" or outcome.kind == "call" then self.recent:put(state.id, run) end
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
