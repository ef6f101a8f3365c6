--- For the simulation: time that passes only when nothing is left to be done, and processes whose tasks wait in it. A process
--- is ended as the machine ends one: nothing of it ever runs again, and nothing of it is told.
local errors = require "avito_messenger.errors"
local Timers = require "avito_messenger.io.loop.timers"

local clockwork = {}

---@class proof.World
local World = {}
World.__index = World

---@class proof.Process: avito.Driver
local Process = {}
Process.__index = Process

---@return proof.World
function clockwork.world()
  return setmetatable({ elapsed = 0, serial = 0, timers = Timers.new(), ready = {}, first = 1, last = 0 }, World)
end

--- Calls `fn` at a time; what was planned first comes first among equals.
---@return table entry that `forget` takes
function World:at(elapsed, fn)
  self.serial = self.serial + 1
  local entry = { fn = fn }
  -- The heap keeps no order among equals: a nanosecond for each of them.
  self.timers:add(entry, math.max(elapsed, self.elapsed) + self.serial * 1e-9)
  return entry
end

function World:after(seconds, fn) return self:at(self.elapsed + seconds, fn) end

function World:forget(entry) self.timers:remove(entry) end

--- Calls `fn` after what is to be called now.
function World:soon(fn)
  self.last = self.last + 1
  self.ready[self.last] = fn
end

local function run_ready(self)
  while self.first <= self.last do
    local fn = self.ready[self.first]
    self.ready[self.first] = nil
    self.first = self.first + 1
    fn()
  end
  self.first, self.last = 1, 0
end

--- Lets so much time pass.
function World:run(elapsed)
  run_ready(self)
  local entry = self.timers:first()
  while entry and entry.at <= elapsed do
    self.timers:remove(entry)
    self.elapsed = math.max(self.elapsed, entry.at)
    entry.fn()
    run_ready(self)
    entry = self.timers:first()
  end
  self.elapsed = elapsed
end

-- ---- a process: the driver of its bot

---@param world proof.World
---@param given { unix: number, exchange: function, tasks: boolean, broken: fun(why: string) } exchange(process, request, answer):
--- gives the marketplace a request, and calls `answer` with the response when it comes
---@return proof.Process
function clockwork.process(world, given)
  local self = setmetatable({ world = world, unix = given.unix, exchange = given.exchange, broken = given.broken, alive = true,
    skew = 0, awake = 0, parked = {} }, Process)
  if not given.tasks then self.spawn, self.park, self.unpark, self.in_task = false, false, false, false end
  return self
end

--- Nothing of it happens any more.
function Process:kill()
  self.alive = false
end

--- Nothing of it happens for a while.
function Process:freeze(seconds)
  self.awake = math.max(self.awake, self.world.elapsed + seconds)
end

local resume

-- One that waits for a time that is over, or for another, goes on; a stopped process later.
local function wake(task, a, b)
  if task.timer then task.process.world:forget(task.timer) end
  task.timer, task.waits = nil, nil
  task.process.world:soon(function() resume(task, a, b) end)
end

function resume(task, a, b)
  local process = task.process
  if not process.alive or task.ended then return end
  if process.world.elapsed < process.awake then
    return process.world:at(process.awake, function() resume(task, a, b) end)
  end
  local ok, problem = true, nil
  if task.begun or not task.cancelled then
    task.begun, process.current = true, task
    ok, problem = coroutine.resume(task.co, a, b)
    process.current = nil
    if coroutine.status(task.co) ~= "dead" then return end
  end
  task.ended = true
  for _, waiter in ipairs(task.waiters) do wake(waiter, true) end
  if not ok and not task.quiet then process.broken(debug.traceback(task.co, tostring(problem))) end
end

-- Suspends the running task.
local function wait(task, seconds, waits)
  if seconds then task.timer = task.process.world:after(seconds, function() wake(task, true) end) end
  task.waits = waits or "time"
  return coroutine.yield()
end

---@class proof.Task
local Task = {}
Task.__index = Task

function Task:cancel()
  if self.ended or self.cancelled then return false end
  self.cancelled, self.quiet = errors.new("cancelled", "task", "the task was cancelled"), true
  if self.waits == "request" then
    wake(self, { error = "cancelled", message = "the task was cancelled", dispatched = true })
  elseif self.waits then
    wake(self, nil, self.cancelled)
  end
  return true
end

function Task:wait()
  if self.ended then return end
  local task = self.process.current
  self.waiters[#self.waiters + 1] = task
  wait(task, nil, "task")
end

--- Begins a task of the process, also of one that has a single one.
function Process:spawn(fn)
  local task = setmetatable({ process = self, co = coroutine.create(fn), waiters = {}, ended = false }, Task)
  self.world:soon(function() resume(task) end)
  return task
end

function Process:in_task() return self.current ~= nil end

function Process:now() return self.world.elapsed end

function Process:time() return self.unix + self.world.elapsed + self.skew end

function Process:sleep(seconds)
  local task = self.current
  if task.cancelled then return nil, task.cancelled end
  return wait(task, math.max(0, seconds))
end

function Process:park(seconds, owner)
  local task = self.current
  if task.cancelled then return nil, task.cancelled end
  local parked = self.parked[owner] or {}
  self.parked[owner] = parked
  parked[#parked + 1] = task
  local ok, err = wait(task, math.min(seconds, 1))
  for i, one in ipairs(parked) do
    if one == task then table.remove(parked, i) break end
  end
  return ok, err
end

function Process:unpark(owner)
  local parked = self.parked[owner]
  if not parked then return end
  self.parked[owner] = nil
  for _, task in ipairs(parked) do
    if task.waits then wake(task, true) end
  end
end

--- Waits for the answer of the marketplace, as long as the request may take.
function Process:perform(request)
  local task = self.current
  if task.cancelled then return { error = "cancelled", message = "the task was cancelled", dispatched = false } end
  local over
  self.exchange(self, request, function(response)
    if over or not task.waits then return end
    over = true
    wake(task, response)
  end)
  local response = wait(task, request.timeout, "request")
  over = true
  if response == true then return { error = "timeout", message = "no answer came in time", dispatched = true } end
  return response
end

function Process:end_calls() end -- luacheck: no self

function Process:close() end -- luacheck: no self

clockwork.spawn = Process.spawn

return clockwork
