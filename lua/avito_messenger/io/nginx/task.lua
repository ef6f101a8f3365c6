--- Tasks of a worker of nginx, each in a timer of its own, and waits that others can end.
local clock = require "avito_messenger.clock"
local coroutines = require "avito_messenger.coroutines"
local errors = require "avito_messenger.errors"
local failure = require "avito_messenger.io.loop.failure"

local ngx = rawget(_G, "ngx")

local task = {}

-- How long an error may wait for somebody who asks for it.
local REPORT_AFTER = 1
-- A timer of no delay that has not begun within so many seconds never will.
local START_WITHIN = 5
-- How long it is remembered how many timers there were when nginx had no more: what has to be done is then done without.
local BELIEVE = 5

-- How long a wait lasts at most before whoever waits looks by itself.
task.LOOK = 1

local WAITING = {
  rewrite = true, server_rewrite = true, access = true, content = true, timer = true, ssl_cert = true,
  ssl_session_fetch = true, ssl_client_hello = true,
}

--- May whoever calls wait? Not in every phase of nginx.
---@return boolean
function task.may_wait()
  return WAITING[ngx.get_phase()] == true
end

--- Raises where the present phase may not wait, and in coroutines that nginx does not know.
---@param what string for the message
---@param level integer as for error()
function task.check_phase(what, level)
  if coroutines.inside() then
    error(what .. " cannot wait inside of a dialogue: put it into a function of calls, and use c:call()", level + 1)
  end
  local phase = ngx.get_phase()
  if WAITING[phase] then return end
  error(("%s cannot wait in the phase %s of nginx: let a timer do it, ngx.timer.at(0, function() … end)"):format(what, phase),
    level + 1)
end

-- ---- whose call it is

-- By coroutine. nginx gives coroutines that have ended to others: whoever ends takes itself out.
local running = setmetatable({}, { __mode = "k" })

--- The task that runs now, or nil: requests of nginx are none.
---@return avito_messenger.NginxTask?
local function current()
  return running[coroutine.running()]
end

--- Why the task may not wait any more: nil, or an error, and whether the task has been told before.
local function interruption(own)
  local err = own and own.cancelled
  if not err then return nil end
  local told = own.told
  own.told = true
  return err, told
end

--- Why a call may not be made: nil, or an error. Raises where the task was told so before.
---@return avito_messenger.Error?
function task.interruption()
  local err, told = interruption(current())
  if told then error(err, 0) end
  return err
end

-- ---- waits

---@class avito_messenger.NginxWaiter
---@field semaphore table
---@field owner any
---@field err? avito_messenger.Error why the wait was ended

--- What one wait is known by. Sets of them are weak: nginx may end a request while it waits, and nobody else holds it then.
---@param owner any
---@return avito_messenger.NginxWaiter
function task.waiter(owner)
  return { semaphore = assert(require "ngx.semaphore".new()), owner = owner }
end

--- A set of waiters.
function task.set()
  return setmetatable({}, { __mode = "k" })
end

--- Ends a wait, in any phase.
function task.wake(waiter)
  waiter.semaphore:post(1)
end

--- Waits until somebody wakes the waiter, its task is cancelled, or the time has passed; may return early.
---@param waiter avito_messenger.NginxWaiter
---@param seconds number
---@return avito_messenger.Error? err why the caller is to give up
function task.wait(waiter, seconds)
  local own = current()
  if own then own.waiter = waiter end
  waiter.semaphore:wait(math.max(seconds, 0.001))
  if own then own.waiter = nil end
  return waiter.err or (interruption(own))
end

-- ---- tasks

---@class avito_messenger.NginxTask
---@field ended boolean
local methods = {}
local Task = { __name = "avito_messenger.NginxTask" }

local unbegun, last_spawned = 0, 0 -- timers that were made and have not begun, since when
local known, known_until = math.huge, 0 -- with so many running one was lost; believed until then

local function finish(self, ok, ...)
  self.failed = not ok
  if ok then
    self.results = { n = select("#", ...), ... }
  else
    self.err = ...
  end
  self.fn, self.given = nil, nil
  self.ended = true
  for waiter in pairs(self.waiters) do task.wake(waiter) end
end

local LOST = "the timer of a task never began: lua_max_running_timers or worker_connections are not enough"

-- nginx says in its log alone that it has not begun a timer.
local function is_lost(self)
  local now = clock.now()
  if self.begun or now < self.made + START_WITHIN then return false end
  self.late = self.late or now -- the whole worker may have been stopped: nginx is given the time to begin it
  if now < self.late + task.LOOK then return false end
  self.lost = true
  known, known_until = math.max(math.min(known, self.beside), 1), now + BELIEVE
  finish(self, false, errors.new("cancelled", "task", LOST))
  return true
end

function Task.__index(self, key)
  if key == "ended" then return is_lost(self) end
  return methods[key]
end

local function report(_, self)
  if self.claimed then return end
  ngx.log(ngx.ERR, "avito_messenger: a task failed, and nobody waited for it: ", failure.text(self.err))
end

local function is_expected(self)
  return self.cancelled and errors.is(self.err) and self.err.kind == "cancelled"
end

local function body(_, self)
  if self.lost then return end
  self.begun = true
  unbegun = math.max(unbegun - 1, 0)
  local co = coroutine.running()
  running[co] = self
  if self.cancelled then
    finish(self, false, self.cancelled)
  else
    finish(self, xpcall(self.fn, failure.keep, unpack(self.given, 1, self.given.n)))
  end
  running[co] = nil
  if not self.failed or self.claimed or next(self.waiters) or is_expected(self) then return end
  if not ngx.timer.at(REPORT_AFTER, report, self) then report(nil, self) end
end

local function no_timer(why)
  error(("a task needs a timer of nginx, and none could be had (%s): raise lua_max_running_timers, "
    .. "lua_max_pending_timers or worker_connections"):format(why), 0)
end

--- Runs a function in a timer of its own, so that its memory is given back at its end. Works in every phase.
---@param limit integer how many timers of a worker may run
---@param fn function
---@param ... any its arguments
---@return avito_messenger.NginxTask
function task.spawn(limit, fn, ...)
  local now = clock.now()
  if now > last_spawned + START_WITHIN then unbegun = 0 end -- those that are left were lost
  local count = ngx.timer.running_count() + unbegun
  if now >= known_until then known = math.huge end
  if count >= math.min(limit, known) then no_timer(("%d run"):format(count)) end
  local self = setmetatable({ fn = fn, given = { n = select("#", ...), ... }, made = now, beside = count,
    waiters = task.set() }, Task)
  local ok, made, why = pcall(ngx.timer.at, 0, body, self) -- raises where the first timer of a worker gets no connection
  if not made or not ok then no_timer(why or made) end
  unbegun, last_spawned = unbegun + 1, now
  return self
end

--- Waits for the task's end.
---@return any ... what its function returned; or nil and what it raised: an error of a call, or a TaskError with a traceback
function methods:wait()
  task.check_phase("task:wait()", 2)
  if self == current() then error("a task cannot wait for itself", 2) end
  local err = interruption(current())
  if err then error(err, 0) end
  while not self.ended do
    local waiter = task.waiter(self)
    self.waiters[waiter] = true
    err = task.wait(waiter, task.LOOK)
    self.waiters[waiter] = nil
    if err then error(err, 0) end
  end
  self.claimed = true
  if self.failed then return nil, self.err end
  return unpack(self.results, 1, self.results.n)
end

--- Ends the task's present sleep, or its next: a call returns nil and an error of kind "cancelled", and every later wait
--- raises it. A request that is under way comes to its own end.
---@return boolean cancelled false when it had ended before
function methods:cancel()
  if self.ended or self.cancelled then return false end
  self.cancelled = errors.new("cancelled", "task", "the task was cancelled")
  if self.waiter then task.wake(self.waiter) end
  return true
end

function Task:__tostring()
  local state = not self.ended and "running" or self.failed and "failed" or "ended"
  return "avito_messenger.NginxTask (" .. state .. ")"
end

return task
