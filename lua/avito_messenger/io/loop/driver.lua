--- The loop's driver: a client's calls suspend the task they are made in.
---
--- Each driver has so many connections; requests beyond them wait in order, within their own time.
local clock = require "avito_messenger.clock"
local scheduler = require "avito_messenger.io.loop.scheduler"
local options = require "avito_messenger.options"

local MAX_CONNECTIONS = 100

-- How long a call may wait for the end of another's token renewal before it looks by itself.
local LOOK = 1

---@class avito.LoopDriver: avito.Driver
local Driver = { __name = "avito_messenger.io.loop" }
Driver.__index = Driver

Driver.now = clock.now
Driver.time = clock.time

local function not_sent(kind, message)
  return { error = kind, message = message, dispatched = false }
end

-- The task whose call this is, and why the call is to be given up, if it is. Raises where the task was told so before.
local function calling_task()
  local task = scheduler.running_task("a call of a client of the loop", 4)
  local err, told = scheduler.interruption(task)
  if told then error(err, 0) end
  return task, err
end

-- ---- requests

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
    local place = self.queue[self.first]
    self.queue[self.first] = nil
    self.first = self.first + 1
    if place.task then
      place.served = true
      self.active = self.active + 1
      scheduler.wake(place.task, true)
    end
  end
end

local function release(self)
  self.active = self.active - 1
  serve_queue(self)
end

-- Waits for a connection. Returns the seconds that are left for the request, or nil and the response instead of one.
local function queue_up(self, task, request, owner)
  local deadline = clock.now() + request.timeout
  local place = { task = task }
  self.queue[self.last] = place
  self.last = self.last + 1
  task.owner = owner
  local got, err = scheduler.suspend_until(task, CONNECTION, place, deadline)
  task.owner = false
  err = err or scheduler.interruption(task) -- since it was woken
  if got and not err then return math.max(deadline - clock.now(), 0.001) end
  if place.served then release(self) end
  if err then return nil, not_sent(err.kind, err.message) end
  return nil, not_sent("timeout", ("none of the %d connections was free within %g s"):format(self.limit, request.timeout))
end

local function transport_of(self, multi)
  if self.multi ~= multi then
    self.transport, self.multi = multi:transport { proxy = self.proxy, ca_file = self.ca_file }, multi
  end
  return self.transport
end

-- Holds a connection while the transfer runs. Raises where the request is misuse; no connection is held then.
local function transfer(self, task, request, owner, seconds)
  local multi = scheduler.multi()
  local id = multi:add(request, transport_of(self, multi), seconds)
  self.active = self.active + 1
  task.owner = owner
  local response, err, dispatched = scheduler.await_transfer(task, id, request.once and ONCE or TRANSFER)
  task.owner = false
  release(self)
  return response or { error = err.kind, message = err.message, dispatched = dispatched }
end

-- Hands the connection that was kept for the task on to its transfer.
local function queued_transfer(self, task, request, owner, seconds)
  self.active = self.active - 1
  local ok, response = pcall(transfer, self, task, request, owner, seconds)
  if ok then return response end
  serve_queue(self)
  error(response, 0)
end

--- Performs one request. Raises for misuse, and in a task that has been told of its end before: what the network does is in
--- the response.
---@param request avito.Request
---@param owner? any whose call it is, for end_calls
---@return avito.Response
function Driver:perform(request, owner)
  local task, err = calling_task()
  if err then return not_sent(err.kind, err.message) end
  if self.closed then error("this driver is closed", 0) end
  if self.active < self.limit then return transfer(self, task, request, owner) end
  local seconds, instead = queue_up(self, task, request, owner)
  if not seconds then return instead end
  return queued_transfer(self, task, request, owner, seconds)
end

-- ---- waits

local PARKED = {
  give_up = function(task, parked) parked[task] = nil end,
  time_out = function(task, parked)
    parked[task] = nil
    scheduler.wake(task, true)
  end,
}

--- Waits. Returns true, or nil and why the call is to be given up.
---@param seconds number
---@param owner? any
---@return boolean?
---@return avito_messenger.Error?
function Driver:sleep(seconds, owner) -- luacheck: no self
  local task, err = calling_task()
  if err then return nil, err end
  task.owner = owner
  local slept
  slept, err = scheduler.sleep(task, seconds)
  task.owner = false
  return slept, err
end

--- As sleep, but `unpark` ends it: for calls of the same owner, that wait for something another of them does.
---@param seconds number how long the call has left
---@param owner any
---@return boolean? looked
---@return avito_messenger.Error?
function Driver:park(seconds, owner)
  local task, err = calling_task()
  if err then return nil, err end
  local parked = self.parked[owner] or {}
  self.parked[owner] = parked
  parked[task] = true
  task.owner = owner
  local told_to_look
  told_to_look, err = scheduler.suspend_until(task, PARKED, parked, clock.now() + math.min(seconds, LOOK))
  task.owner = false
  return told_to_look, err
end

---@param owner any
function Driver:unpark(owner)
  local parked = self.parked[owner]
  if not parked then return end
  self.parked[owner] = nil
  for task in pairs(parked) do scheduler.wake(task, true) end
end

--- When the running task's own deadline is (loop.deadline), or nil.
---@return number?
function Driver:deadline() -- luacheck: no self
  return scheduler.deadline(scheduler.running_task("a call of a client of the loop"))
end

--- Is the caller inside a task, so that it may wait?
---@return boolean
function Driver:in_task() -- luacheck: no self
  return scheduler.in_task()
end

--- Runs a function in a task of its own, for reading ahead.
function Driver:spawn(fn, ...) -- luacheck: no self
  return scheduler.spawn(true, fn, ...)
end

--- Ends the calls of that owner that are under way, with errors of kind "cancelled".
---@param owner any
function Driver:end_calls(owner) -- luacheck: no self
  scheduler.end_waits(owner, { kind = "cancelled", message = "the client was closed" })
end

--- May be called again; `perform` raises afterwards.
function Driver:close()
  self.closed = true
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
    parked = {},
  }, Driver)
end

return driver
