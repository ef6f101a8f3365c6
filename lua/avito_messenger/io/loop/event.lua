--- What one task waits for and others bring about: set by them, or by a descriptor that is ready to be read.
local clock = require "avito_messenger.clock"
local scheduler = require "avito_messenger.io.loop.scheduler"

local Event = { __name = "avito_messenger.io.loop.event" }
Event.__index = Event

---@return table
function Event.new()
  return setmetatable({}, Event)
end

--- Ends the wait of the task that waits, or else the next wait.
function Event:set()
  local waiter = self.waiter
  if waiter then
    self.waiter = nil
    scheduler.wake(waiter, true)
  else
    self.is_set = true
  end
end

local WAIT = {
  give_up = function(_, event) event.waiter = nil end,
  time_out = function(task, event)
    event.waiter = nil
    scheduler.wake(task, false)
  end,
}

--- Suspends the running task, the only one that waits for this event.
---@param seconds number at most so long
---@return boolean set false: the time passed
function Event:wait(seconds)
  local task = scheduler.waiting_task("event:wait")
  if self.is_set then
    self.is_set = nil
    return true
  end
  self.waiter = task
  local set, err = scheduler.suspend_until(task, WAIT, self, clock.now() + seconds)
  if err then error(err, 0) end
  return set
end

Event.ready = Event.set

--- Lets a descriptor set the event whenever it can be read from, until `unwatch`.
---@param fd integer
function Event:watch(fd)
  scheduler.watch(fd, "r", self)
end

function Event:unwatch(fd) -- luacheck: no self
  scheduler.unwatch(fd)
end

return Event
