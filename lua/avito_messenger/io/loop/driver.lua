--- The loop's driver: a client's calls suspend the task they are made in.
---
--- Each driver has so many connections; requests beyond them wait in order, within their own time.
local curl = require "avito_messenger.curl"
local scheduler = require "avito_messenger.io.loop.scheduler"
local options = require "avito_messenger.options"

local MAX_CONNECTIONS = 100

-- How long a call may wait for the end of another's token renewal before it looks by itself.
local LOOK = 1

---@class avito.LoopDriver: avito.Driver
local Driver = { __name = "avito_messenger.io.loop" }
Driver.__index = Driver

Driver.now = curl.now
Driver.time = curl.time

local function not_sent(kind, message)
  return { error = kind, message = message, dispatched = false }
end

-- ---- requests

local function was_closed()
  return not_sent("cancelled", "the client was closed")
end

local TRANSFER = {
  give_up = function(_, id) return scheduler.drop_transfer(id) end,
}
-- An answer that exists once is waited for, whatever becomes of the task.
local ONCE = { give_up = TRANSFER.give_up, shielded = true }

-- Its key is the task's place in the queue, which nobody has any more then.
local CONNECTION = {
  give_up = function(_, place) place.task = nil end,
  time_out = function(task, place)
    place.task = nil
    scheduler.wake(task, false)
  end,
}

-- Hands free connections to the first that wait for one.
local function serve_queue(self)
  while self.first < self.last and self.active < self.limit do
    local task = self.queue[self.first].task
    self.queue[self.first] = nil
    self.first = self.first + 1
    if task then
      self.active = self.active + 1
      scheduler.wake(task, true)
    end
  end
end

local function release(self)
  self.active = self.active - 1
  serve_queue(self)
end

-- Waits for a connection. Returns the seconds that are left for the request, or nil and the response instead of one.
local function queue_up(self, task, request)
  local deadline = curl.now() + request.timeout
  local place = { task = task }
  self.queue[self.last] = place
  self.last = self.last + 1
  local got, err = scheduler.suspend_until(task, CONNECTION, place, deadline)
  if got then
    err = scheduler.interruption(task) -- since it was woken
    if not err and not self.closed then return math.max(deadline - curl.now(), 0.001) end
    release(self)
  end
  if err then return nil, not_sent(err.kind, err.message) end
  if self.closed then return nil, was_closed() end
  return nil, not_sent("timeout", ("none of the %d connections was free within %g s"):format(self.limit, request.timeout))
end

local function add(self, request, seconds)
  local multi = scheduler.multi()
  if self.multi ~= multi then
    self.transport, self.multi = multi:transport { proxy = self.proxy, ca_file = self.ca_file }, multi
  end
  return multi:add(request, self.transport, seconds)
end

-- Holds a connection while the transfer runs.
local function transfer(self, task, request, seconds)
  local ok, id = pcall(add, self, request, seconds)
  if not ok then
    release(self)
    error(id, 0)
  end
  task.driver = self
  local response, err, dispatched = scheduler.await_transfer(task, id, request.once and ONCE or TRANSFER)
  task.driver = nil
  release(self)
  return response or { error = err.kind, message = err.message, dispatched = dispatched }
end

--- Performs one request. Raises for misuse, and in a task that has been told of its end before: what the network does is in
--- the response.
---@param request avito.Request
---@return avito.Response
function Driver:perform(request)
  local task = scheduler.running_task("a call of a client of the loop")
  local err, told = scheduler.interruption(task)
  if told then error(err, 0) end
  if err then return not_sent(err.kind, err.message) end
  if self.closed then error("this driver is closed", 0) end
  if self.active < self.limit then
    self.active = self.active + 1
    return transfer(self, task, request)
  end
  local seconds, instead = queue_up(self, task, request)
  if not seconds then return instead end
  return transfer(self, task, request, seconds)
end

-- ---- waits

-- Its key is a set of tasks.
local WAIT = {
  give_up = function(task, set) set[task] = nil end,
  time_out = function(task, set)
    set[task] = nil
    scheduler.wake(task, true)
  end,
}

local function wait_in(set, seconds)
  local task = scheduler.running_task("a call of a client of the loop")
  local err, told = scheduler.interruption(task)
  if told then error(err, 0) end
  if err then return nil, err end
  set[task] = true
  return scheduler.suspend_until(task, WAIT, set, curl.now() + seconds)
end

local function wake_all(set)
  for task in pairs(set) do
    set[task] = nil
    scheduler.wake(task, true)
  end
end

--- Waits, at most until `close`. Returns true, or nil and why the call is to be given up.
---@param seconds number
---@return boolean?
---@return avito_messenger.Error?
function Driver:sleep(seconds)
  return wait_in(self.sleeping, seconds)
end

--- As sleep, but `unpark` ends it: for calls that wait for something another call does.
---@param key any
---@return boolean?
---@return avito_messenger.Error?
function Driver:park(key)
  self.parked[key] = self.parked[key] or {}
  return wait_in(self.parked[key], LOOK)
end

---@param key any
function Driver:unpark(key)
  if self.parked[key] then wake_all(self.parked[key]) end
end

--- When the running task's own deadline is (loop.deadline), or nil.
---@return number?
function Driver:deadline() -- luacheck: no self
  return scheduler.deadline(scheduler.running_task("a call of a client of the loop"))
end

--- Runs a function in a task of its own, for reading ahead.
function Driver:spawn(fn, ...) -- luacheck: no self
  return scheduler.spawn(true, fn, ...)
end

--- Ends its requests with errors of kind "cancelled", and its waits. May be called again.
function Driver:close()
  if self.closed then return end
  self.closed = true
  local mine = {}
  for id, task in pairs(scheduler.transfers()) do
    if task.driver == self and task.kind ~= ONCE then mine[id] = task end
  end
  for id, task in pairs(mine) do
    local response = was_closed()
    response.dispatched = scheduler.drop_transfer(id)
    scheduler.wake(task, response)
  end
  for i = self.first, self.last - 1 do
    local task = self.queue[i].task
    self.queue[i].task = nil
    if task then scheduler.wake(task, false) end
  end
  wake_all(self.sleeping)
  for _, set in pairs(self.parked) do wake_all(set) end
end

function Driver:__tostring()
  return ("avito_messenger.io.loop (%d requests under way)"):format(self.active)
end

local driver = {}

local OPTIONS = { proxy = "string", ca_file = "string", max_connections = "number" }

---@param given? { proxy?: string, ca_file?: string, max_connections?: integer }
---@return avito.LoopDriver
function driver.new(given)
  given = given or {}
  options.check("loop.new", given, OPTIONS, 3)
  local limit = given.max_connections or MAX_CONNECTIONS
  if limit < 1 or limit > 10000 or limit % 1 ~= 0 then
    error("loop.new: max_connections must be an integer from 1 to 10000", 3)
  end
  return setmetatable({
    proxy = given.proxy, ca_file = given.ca_file, limit = limit,
    active = 0, -- requests that hold a connection
    queue = {}, first = 1, last = 1, -- places of those who wait for one, first to last - 1; without a task: gone
    sleeping = {}, parked = {}, -- tasks; by key
  }, Driver)
end

return driver
