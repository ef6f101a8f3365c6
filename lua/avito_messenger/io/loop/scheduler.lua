--- Tasks: coroutines that wait for transfers, times, descriptors and each other, in one thread.
---
--- A task that waits has said what for: a kind of wait, which knows how to give the wait up. Only this file resumes
--- coroutines, and only from the turn of the loop, never from within another task.
local clock = require "avito_messenger.clock"
local curl = require "avito_messenger.curl"
local errors = require "avito_messenger.errors"
local failure = require "avito_messenger.io.loop.failure"
local Timers = require "avito_messenger.io.loop.timers"

local scheduler = {}

local LONG = 3600
-- How long an error may wait for somebody who asks for it.
local REPORT_AFTER = 1

local current ---@type avito_messenger.Task? the task that runs now
local alive = {} -- every task that has not ended
local ordinary = 0 -- of them keep the loop running
local ready, ready_first, ready_last = {}, 1, 0 -- tasks to be resumed in the next turn
local timers = Timers.new()
local pending = 0 -- waits that something outside the tasks will end: transfers, descriptors, signals
local multi -- libcurl's; stays between runs, with its connections
local running = false
local interrupted -- Ctrl-C was pressed
local finished, ready_fds = {}, {}
local fetched, arrived = 0, 0 -- responses in `finished`: handed over, there
local unclaimed = {} -- errors that nobody asked for yet
local transfers, descriptors = {}, {} -- who waits for them: a task by transfer id; what is to be called by descriptor

---@class avito_messenger.Task
local Task = { __name = "avito_messenger.Task" }
Task.__index = Task

---@class avito_messenger.Wait
---@field give_up fun(task: avito_messenger.Task, key: any): boolean? takes the task out of what it waits for; for a transfer,
---  whether bytes had left
---@field time_out? fun(task: avito_messenger.Task, key: any) the wait's own time has passed
---@field shielded? boolean goes on to its own end

--- The task that runs now. Raises outside of one, and inside a coroutine the program has made within it.
---@param what string for the message
---@param level? integer as for error(): 3, the caller of whoever asks
---@return avito_messenger.Task
function scheduler.running_task(what, level)
  level = level or 3
  if not current then
    error(what .. " must be called inside loop.run(function() … end)", level)
  end
  if coroutine.running() ~= current.co then
    error(what .. " was called inside a coroutine of the program's own, which the loop cannot resume: "
      .. "call it from the task itself, or make a task with loop.spawn", level)
  end
  if not coroutine.isyieldable() then
    error(what .. " was called inside a callback of a C function such as string.gsub, which cannot be suspended", level)
  end
  return current
end

---@return boolean
function scheduler.is_running()
  return running
end

---@return boolean
function scheduler.in_task()
  return current ~= nil
end

---@return table
function scheduler.multi()
  return multi
end

local function size(set)
  local count = 0
  for _ in pairs(set) do count = count + 1 end
  return count
end

--- What there is now, for specs: nothing may be left behind.
---@return table<string, integer>
function scheduler.counts()
  return {
    tasks = size(alive), ordinary = ordinary, ready = ready_last - ready_first + 1, timers = timers.count, pending = pending,
    transfers = size(transfers), descriptors = size(descriptors), unclaimed = size(unclaimed),
  }
end

--- Ends the task's wait, which returns these values in the next turn.
---@param task avito_messenger.Task
local function wake(task, a, b, c)
  task.kind, task.key = false, false
  timers:remove(task)
  ready_last = ready_last + 1
  ready[ready_last] = task
  task.a, task.b, task.c = a, b, c
end

scheduler.wake = wake

--- Suspends the running task until somebody wakes it; returns what it is woken with.
local function suspend(task, kind, key)
  task.kind, task.key = kind, key
  return coroutine.yield()
end

scheduler.suspend = suspend

--- The outermost scope of the task that has ended early, or nil. A task that was cancelled is such a scope itself.
local function ended_scope(task)
  if task.cancelled then return task.cancelled end
  local found
  local scope = task.scope
  while scope do
    if scope.ended then found = scope end
    scope = scope.parent
  end
  return found
end

--- Why the task may not wait any more: nil, or an error, and whether the task has been told before.
---@param task avito_messenger.Task
---@return avito_messenger.Error? err
---@return boolean? told
function scheduler.interruption(task)
  if not task.interrupted then return nil end
  local scope = ended_scope(task)
  local told = scope.told
  scope.told = true
  return scope.err, told
end

--- The task that runs now, for a wait that is no part of a call: raises what it is to be told of its end.
---@param what string
---@return avito_messenger.Task
function scheduler.waiting_task(what)
  local task = scheduler.running_task(what, 4)
  local err = scheduler.interruption(task)
  if err then error(err, 0) end
  return task
end

--- Ends what the task waits for, when it waits: the scope's err is what it is told.
local function interrupt(task)
  if task.ended then return end
  task.interrupted = true
  local kind = task.kind
  if not kind or kind.shielded then return end -- it runs, is about to, or must come to its end: its next wait tells it
  local scope = ended_scope(task)
  scope.told = true
  local dispatched = kind.give_up(task, task.key)
  if dispatched then scope.err.dispatched = true end
  wake(task, nil, scope.err, dispatched)
end

-- The time of an entry has come: a task's own, a scope's, or an error's that nobody asked for.
local function expire(entry)
  if entry.time_out then return entry:time_out() end
  entry.kind.time_out(entry, entry.key)
end

--- Suspends the task until it is woken, or at most until `at`, when the kind's time_out is called.
function scheduler.suspend_until(task, kind, key, at)
  timers:add(task, at)
  task.kind, task.key = kind, key
  return coroutine.yield()
end

local SLEEP = {
  give_up = function() end,
  time_out = function(task) wake(task, true) end,
}

--- Suspends the task for so long. Returns true, or nil and why it was woken early.
function scheduler.sleep(task, seconds)
  return scheduler.suspend_until(task, SLEEP, nil, clock.now() + seconds)
end

--- The task waits for a transfer; woken with its response.
function scheduler.await_transfer(task, id, kind)
  transfers[id] = task
  pending = pending + 1
  task.kind, task.key = kind, id
  return coroutine.yield()
end

--- Nobody waits for the transfer any more. Returns whether the server may have seen it.
function scheduler.drop_transfer(id)
  transfers[id] = nil
  pending = pending - 1
  return multi:cancel(id) ~= false -- nil: it has ended, and its response was not handed over yet
end

--- Ends the waits of tasks in calls of this owner: they are told of `err`.
function scheduler.end_waits(owner, err)
  for task in pairs(alive) do
    local kind = task.kind
    if task.owner == owner and kind and not kind.shielded then
      wake(task, nil, err, kind.give_up(task, task.key))
    elseif task.owner == owner and task.a then -- it is awake already
      task.a, task.b = nil, err
    end
  end
end

--- Calls `entry:ready(what)` whenever the descriptor is ready, until unwatch. One at a time.
---@param entry table with `idle` = true it is nothing that a task could wait for
function scheduler.watch(fd, what, entry)
  if descriptors[fd] then error(("descriptor %d is waited for already"):format(fd), 0) end
  multi:watch(fd, what)
  descriptors[fd] = entry
  if not entry.idle then pending = pending + 1 end
end

function scheduler.unwatch(fd)
  local entry = descriptors[fd]
  if not entry then return end
  descriptors[fd] = nil
  if not entry.idle then pending = pending - 1 end
  multi:watch(fd, nil)
end

-- ---- the life of a task

-- An error that nobody asked for in a while.
local Unclaimed = {}
Unclaimed.__index = Unclaimed

function Unclaimed:time_out()
  unclaimed[self] = nil
  if not self.task.claimed then failure.report(self.task.err) end
end

local function keep_unclaimed(task)
  local entry = setmetatable({ task = task }, Unclaimed)
  unclaimed[entry] = true
  timers:add(entry, clock.now() + REPORT_AFTER)
end

local function report_unclaimed()
  for entry in pairs(unclaimed) do
    timers:remove(entry)
    entry:time_out()
  end
end

local function keep_results(task, ...)
  local count = select("#", ...)
  task.n = count
  if count > 2 then task.more = { ... } end
  task.a, task.b = ...
end

local function finish(task, ok, ...)
  alive[task] = nil
  if not task.background then ordinary = ordinary - 1 end
  task.ended = true
  if ok then
    keep_results(task, ...)
  else
    task.err = ...
    task.failed = true
    if task.cancelled and errors.is(task.err) and task.err.kind == "cancelled" then task.claimed = true end
  end
  local waiters = task.waiters
  task.waiters, task.co, task.scope = nil, false, nil
  local told = task.group and task.group:ended(task)
  if waiters and next(waiters) then
    for waiter in pairs(waiters) do wake(waiter, true) end
  elseif task.failed and not told and not task.claimed then
    keep_unclaimed(task)
  end
end

-- ---- the coroutines, which serve one task after another

local MAX_IDLE = 100
local idle, idle_count = {}, 0

local again

local function body(task, fn, ...)
  finish(task, xpcall(fn, failure.keep, ...))
  return again()
end

-- In a frame of its own, which holds nothing of the task that has ended.
function again()
  if idle_count >= MAX_IDLE then return end
  idle_count = idle_count + 1
  idle[idle_count] = coroutine.running()
  return body(coroutine.yield())
end

local function coroutine_for_a_task()
  if idle_count == 0 then return coroutine.create(body) end
  local co = idle[idle_count]
  idle[idle_count] = nil
  idle_count = idle_count - 1
  return co
end

--- Makes a task; it begins in the next turn.
---@param background boolean does not keep the loop running
---@param fn function
---@return avito_messenger.Task
function scheduler.spawn(background, fn, ...)
  local count = select("#", ...)
  local task = setmetatable({ -- every field that a life without surprises sets, and one more makes 16
    background = background, co = false, fn = fn, n = count, a = false, b = false, c = false, kind = false, key = false,
    owner = false, ended = false, at = false, place = false, group = false, index = false,
  }, Task)
  if count > 3 then task.more = { ... } end
  alive[task] = true
  if not background then ordinary = ordinary + 1 end
  wake(task, ...)
  return task
end

local unpack = table.unpack or unpack -- luacheck: ignore 143 113

local function begin(task, a, b, c)
  local fn, count, more = task.fn, task.n, task.more
  task.fn, task.more = false, nil
  if task.interrupted then return finish(task, false, task.cancelled.err) end -- cancelled before it began
  task.co = coroutine_for_a_task()
  current = task
  if more then return coroutine.resume(task.co, task, fn, unpack(more, 1, count)) end
  if count == 3 then return coroutine.resume(task.co, task, fn, a, b, c) end
  if count == 2 then return coroutine.resume(task.co, task, fn, a, b) end
  if count == 1 then return coroutine.resume(task.co, task, fn, a) end
  return coroutine.resume(task.co, task, fn)
end

local function resume(task, a, b, c)
  local ok, problem
  if task.fn then
    ok, problem = begin(task, a, b, c)
  else
    current = task
    ok, problem = coroutine.resume(task.co, a, b, c)
  end
  current = nil
  if task.ended then return end
  if not ok then -- an error while an error was handled, and the like
    finish(task, false, failure.keep(problem))
  elseif not task.kind then
    finish(task, false, failure.keep(debug.traceback(task.co, "a task yielded by itself: use loop.sleep(0) or an event")))
  end
end

local TASK_WAIT = {
  give_up = function(task, other)
    if other.waiters then other.waiters[task] = nil end
  end,
}

--- Waits for the task's end.
---@return any ... what its function returned; or nil and what it raised: an error of a call, or a TaskError with a traceback
function Task:wait()
  if self == current then error("a task cannot wait for itself", 2) end
  local task = scheduler.waiting_task("task:wait()")
  if not self.ended then
    self.waiters = self.waiters or {}
    self.waiters[task] = true
    local ended, err = suspend(task, TASK_WAIT, self)
    if not ended then error(err, 0) end
  end
  return self:outcome()
end

--- What has become of a task that has ended.
function Task:outcome()
  self.claimed = true
  if self.failed then return nil, self.err end
  if self.n > 2 then return unpack(self.more, 1, self.n) end
  if self.n == 2 then return self.a, self.b end
  if self.n == 1 then return self.a end
end

--- Ends what the task waits for: a call returns nil and an error of kind "cancelled", whose `dispatched` says whether the
--- server may have seen the request; any other wait raises that error, and so does every later wait of the task.
--- A request for a token that exists only once is not broken off: the task is told after it.
---@return boolean cancelled false when it had ended before
function Task:cancel()
  if self.ended or self.cancelled then return false end
  self.cancelled = { err = errors.new("cancelled", "task", "the task was cancelled") }
  interrupt(self)
  return true
end

function Task:__tostring()
  local state = not self.ended and "running" or self.failed and "failed" or "ended"
  return "avito_messenger.Task (" .. state .. ")"
end

-- ---- scopes

local Scope = {}
Scope.__index = Scope

function Scope:time_out()
  self.ended = true
  interrupt(self.task)
end

--- Opens a scope of the running task that ends at a time.
function scheduler.open_scope(task, at, err)
  local scope = setmetatable({ task = task, parent = task.scope, err = err, deadline = at }, Scope)
  task.scope = scope
  timers:add(scope, at)
  return scope
end

function scheduler.close_scope(scope)
  local task = scope.task
  timers:remove(scope)
  task.scope = scope.parent
  task.interrupted = ended_scope(task) ~= nil
end

--- When the first of the task's scopes ends, or nil.
function scheduler.deadline(task)
  local earliest
  local scope = task.scope
  while scope do
    if scope.deadline and (not earliest or scope.deadline < earliest) then earliest = scope.deadline end
    scope = scope.parent
  end
  return earliest
end

-- ---- the turns

local function resume_ready()
  local last = ready_last -- those that are added meanwhile wait for the next turn
  while ready_first <= last do
    local task = ready[ready_first]
    local a, b, c = task.a, task.b, task.c
    task.a, task.b, task.c = false, false, false
    ready[ready_first] = nil
    ready_first = ready_first + 1
    resume(task, a, b, c)
  end
  if ready_first > ready_last then ready_first, ready_last = 1, 0 end
end

-- What raises in between leaves the rest for the next turn: an answer may hold a token that exists once.
local function serve_transfers()
  while fetched < arrived do
    fetched = fetched + 1
    local id, response = finished[2 * fetched - 1], finished[2 * fetched]
    finished[2 * fetched] = nil
    local task = transfers[id]
    if task then
      transfers[id] = nil
      pending = pending - 1
      task.kind, task.key = false, false
      resume(task, response)
    end
  end
end

local function serve_descriptors(count)
  for i = 1, count do
    local entry = descriptors[ready_fds[2 * i - 1]]
    if entry then entry:ready(ready_fds[2 * i]) end
  end
end

local function serve_timers()
  local first = timers:first()
  if not first then return end
  local now = clock.now()
  while first and first.at <= now do
    timers:remove(first)
    expire(first)
    first = timers:first()
  end
end

local function stuck()
  local traces = {}
  for task in pairs(alive) do
    if not task.background and #traces < 3 then traces[#traces + 1] = debug.traceback(task.co) end
  end
  error("every task of the loop waits for another one:\n" .. table.concat(traces, "\n"), 0)
end

-- Runs what can run, and waits for more unless `over` says that nothing more is wanted.
local function turn(over)
  serve_transfers() -- those that are left
  resume_ready()
  if over() then return end
  local seconds = 0
  if ready_first > ready_last then
    local first = timers:first()
    if not first and pending == 0 then
      if next(alive) then stuck() end
      return
    end
    seconds = first and math.max(0, first.at - clock.now()) or LONG
  end
  local descriptor_count
  fetched, arrived = 0, 0
  arrived, descriptor_count = multi:step(seconds, finished, ready_fds)
  serve_descriptors(descriptor_count) -- before any task runs, which might close one and open another of the same number
  serve_transfers()
  serve_timers()
end

local function open_multi()
  -- A multi of before a fork is the parent's.
  if multi and pcall(multi.step, multi, 0, finished, ready_fds) then return end
  multi = curl.multi { max_connections = 1024 }
end

local function cancel_all()
  local tasks = {}
  for task in pairs(alive) do tasks[#tasks + 1] = task end
  for _, task in ipairs(tasks) do task:cancel() end
end

local function turn_until_ended(main)
  local function over() return ordinary == 0 or interrupted or (main.ended and main.failed) end
  while not over() do turn(over) end
  if interrupted then error("interrupted!", 0) end
end

local function is_empty()
  return not next(alive)
end

local function turn_until_empty()
  while not is_empty() do
    cancel_all() -- also those that were made meanwhile
    turn(is_empty)
  end
end

-- Nothing is left, unless the clearing up was broken off as well.
local function abandon()
  for id in pairs(transfers) do scheduler.drop_transfer(id) end
  for fd in pairs(descriptors) do scheduler.unwatch(fd) end
  for i = 1, timers.count do timers[i].place = nil end
  timers = Timers.new()
  alive, ordinary, pending = {}, 0, 0
  ready, ready_first, ready_last = {}, 1, 0
  fetched, arrived = 0, 0
end

--- Runs tasks until all ordinary ones have ended, or the first has failed; then the rest is cancelled.
---@param before fun() called when the loop stands
---@param after fun()
---@return avito_messenger.Task main
function scheduler.run(before, after, fn, ...)
  open_multi()
  running = true
  local main = scheduler.spawn(false, fn, ...)
  main.claimed = true
  local problem -- the first
  local function try(step)
    local ok, err = xpcall(step, failure.keep)
    problem = problem or not ok and err
  end
  try(function()
    before()
    turn_until_ended(main)
  end)
  try(turn_until_empty)
  current, interrupted = nil, nil
  try(report_unclaimed)
  try(after)
  abandon()
  running = false
  if problem then error(problem, 0) end
  return main
end

--- Ends the run, as Ctrl-C is to.
function scheduler.interrupt()
  interrupted = true
end

--- Gives back the connections; not while the loop runs.
function scheduler.close()
  if multi then multi:close() end
  multi = nil
end

return scheduler
