--- One flow under way: a coroutine and the journal it takes its steps from.
local context = require "avito_messenger.bot.flow.context"
local coroutines = require "avito_messenger.coroutines"
local environment = require "avito_messenger.bot.flow.environment"
local errors = require "avito_messenger.errors"
local guards = require "avito_messenger.bot.flow.guards"
local plain = require "avito_messenger.bot.flow.plain"
local steps = require "avito_messenger.bot.flow.steps"

-- What a flow's coroutine yields first: anything else was not yielded by c.
local STEP, FINISH = {}, {}

---@class avito_messenger.bot.FlowExecution
local Execution = { __name = "avito_messenger.bot.FlowExecution" }
Execution.__index = Execution

--- The flow from its beginning; it goes through what the journal has without doing any of it again.
---@param runner avito_messenger.bot.FlowRunner
---@param flow avito_messenger.bot.Flow
---@param state avito_messenger.bot.FlowState
---@return avito_messenger.bot.FlowExecution
function Execution.new(runner, flow, state)
  local self = setmetatable({
    runner = runner, flow = flow, state = state, co = coroutines.create(flow.run),
    at = 0, -- entries of the journal that the flow has taken
    seen = {}, -- those
  }, Execution)
  self.c = context.new(plain.copy(state.about) or {})
  return self
end

--- Does the flow only do what it did before?
function Execution:replaying()
  return self.at < #self.state.journal
end

--- Takes the next entry of the journal, in the flow's coroutine; where there is none, the runner makes it.
---@param kind string
---@param asked any what plain.copy returned; the same on a replay
---@param request table what `steps` needs to do it
---@return table entry
function Execution:step(kind, asked, request)
  local at, digest = self.at + 1, plain.digest(asked)
  local entry = self.state.journal[at]
  if entry and (entry.k ~= kind or entry.d ~= digest) then self:finish(self:departed(at, entry, kind)) end
  if not entry then
    request.k, request.d = kind, digest
    self.waiting = request
    coroutines.yield(STEP, request)
    entry = self.state.journal[at]
  end
  self.at = at
  self.seen[at] = entry
  return entry
end

--- Ends the flow, in its coroutine: it is never resumed, so that no pcall of it takes notice.
function Execution:finish(outcome) -- luacheck: no self
  coroutines.yield(FINISH, outcome)
end

function Execution:stopped(why, message)
  return { kind = "stopped", why = why, message = ("flow '%s': %s"):format(self.flow.name, message) }
end

function Execution:departed(at, entry, kind)
  local what = entry.k == kind and ("c:%s of something else"):format(kind) or ("c:%s"):format(kind)
  return self:stopped("departed", ("step %d was c:%s, and is now %s; raise the version when you change a flow")
    :format(at, entry.k, what))
end

--- Is this the run of that state, and has it come as far?
---@param flow avito_messenger.bot.Flow
---@param state avito_messenger.bot.FlowState
---@return boolean
function Execution:fits(flow, state)
  local journal = state.journal
  if self.flow ~= flow or #journal ~= self.at + 1 then return false end
  local last = journal[#journal]
  if last.k ~= self.waiting.k or last.d ~= self.waiting.d then return false end
  for at = 1, self.at do
    if not plain.equal(self.seen[at], journal[at]) then return false end
  end
  return true
end

function Execution:failed(problem)
  local outcome = self:stopped("error", errors.text(problem))
  outcome.traceback = debug.traceback(self.co, outcome.message)
  return outcome
end

local FOREIGN = "it waited for something else than c:ask and c:call, such as a call of a client: "
  .. "put that into a function of calls and use c:call()"

--- Lets the flow run until it has a request (returned second) or an outcome.
function Execution:resume()
  local ok, token, request = guards.resume(self, self.co, self.c)
  if not ok then return self:failed(token) end
  if token == STEP then return nil, request end
  if token ~= FINISH and coroutines.status(self.co) == "suspended" then return self:failed(FOREIGN) end
  if token == FINISH and request.kind == "stopped" then return request end
  if self:replaying() then
    return self:stopped("departed", ("it ended after step %d, and had gone on to step %d; raise the version when you change a flow")
      :format(self.at, #self.state.journal))
  end
  return token == FINISH and request or { kind = "done" }
end

--- Makes the steps that need not wait.
---@param state avito_messenger.bot.FlowState
---@param host avito_messenger.bot.FlowHost
---@return avito_messenger.bot.FlowOutcome
function Execution:advance(state, host)
  self.state, self.writes = state, {}
  local cells = self.flow.cells
  local before = environment.snapshot(cells)
  local outcome, request
  repeat
    outcome, request = self:resume()
    if request then outcome = self:perform(request, host) end
  until outcome
  if outcome.kind == "stopped" then return outcome end
  local changed = environment.changed(cells, before)
  if changed then
    return self:stopped("error", ("it changed the outer local '%s', which it would do again when it is replayed; "
      .. "use a local of its own, or c:set"):format(changed))
  end
  for name, write in pairs(self.writes) do host.memory[name] = write.value end
  return outcome
end

--- What a state waits for, or nil.
---@param state avito_messenger.bot.FlowState
---@return avito_messenger.bot.FlowOutcome?
function Execution.waiting_for(state)
  if state.open then return { kind = "ask" } end
  local call = state.calling
  return call and { kind = "call", step = call.step, name = call.name, args = plain.copy(call.args) }
end

--- Does what the flow asked for, for the first time. Returns the outcome where it must wait, or cannot.
function Execution:perform(request, host)
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
  return Execution.waiting_for(state)
end

return Execution
