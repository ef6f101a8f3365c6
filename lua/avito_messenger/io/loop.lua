--- Many calls at once, in one thread: a loop whose tasks wait without blocking each other.
---
---     local loop = require "avito_messenger.io.loop"
---     local client = avito.client { io = loop, client_id = "…", client_secret = "…" }
---     loop.run(function()
---       local chats = assert(client:get_chats { unread_only = true })
---       local lists, errors = loop.map(chats, function(chat) return client:get_messages(chat.id) end, { concurrency = 20 })
---     end)
---
--- A client made with `io = loop` has the same methods as any other; they suspend the task they are called in.
local clock = require "avito_messenger.clock"
local driver = require "avito_messenger.io.loop.driver"
local errors = require "avito_messenger.errors"
local failure = require "avito_messenger.io.loop.failure"
local gather = require "avito_messenger.io.loop.gather"
local scheduler = require "avito_messenger.io.loop.scheduler"
local signals = require "avito_messenger.io.loop.signals"

local loop = {}

local function check_function(where, fn)
  if type(fn) ~= "function" then error(("%s: function expected, got %s"):format(where, type(fn)), 3) end
end

local function check_seconds(where, seconds)
  if type(seconds) ~= "number" then error(("%s: seconds must be a number, got %s"):format(where, type(seconds)), 3) end
  if seconds < 0 or seconds ~= seconds then error(where .. ": seconds must not be negative", 3) end
end

--- A driver of its own for a client, with another limit of connections or other certificates: `io = loop.new { … }`.
--- `io = loop` makes one by itself.
---@param options? { proxy?: string, ca_file?: string, max_connections?: integer } max_connections: 1 to 10000, default 100;
---  requests beyond them wait in order
---@return avito.LoopDriver
loop.new = driver.new

--- Runs a function as a task, and all the tasks it makes. Returns what it returned when all of them have ended; background
--- tasks are cancelled then. What it raises is raised again, once the other tasks have been cancelled; so is Ctrl-C.
---@param main function
---@param ... any its arguments
---@return any ...
function loop.run(main, ...)
  check_function("loop.run", main)
  if scheduler.is_running() then error("loop.run: the loop runs already; use loop.spawn", 2) end
  local task = scheduler.run(signals.start, signals.stop, main, ...)
  if task.failed then error(task.err, 0) end
  return task:outcome()
end

local function check_running(where)
  if not scheduler.is_running() then error(where .. " must be called inside loop.run(function() … end)", 3) end
end

--- Begins a task: the function runs with these arguments when the running task waits next.
---@param fn function
---@param ... any
---@return avito_messenger.Task
function loop.spawn(fn, ...)
  check_function("loop.spawn", fn)
  check_running("loop.spawn")
  return scheduler.spawn(false, fn, ...)
end

--- As spawn, for a task that does not keep the loop running: it is cancelled when all others have ended.
---@param fn function
---@param ... any
---@return avito_messenger.Task
function loop.background(fn, ...)
  check_function("loop.background", fn)
  check_running("loop.background")
  return scheduler.spawn(true, fn, ...)
end

--- Suspends the task. Raises when it is cancelled, or its deadline passes.
---@param seconds number 0: lets the other tasks run
function loop.sleep(seconds)
  check_seconds("loop.sleep", seconds)
  local slept, err = scheduler.sleep(scheduler.waiting_task("loop.sleep"), seconds)
  if not slept then error(err, 0) end
end

local Readiness = {}
Readiness.__index = Readiness

function Readiness:ready(what)
  scheduler.unwatch(self.fd)
  scheduler.wake(self.task, what)
end

local DESCRIPTOR = {
  give_up = function(_, entry) scheduler.unwatch(entry.fd) end,
  time_out = function(task, entry)
    scheduler.unwatch(entry.fd)
    scheduler.wake(task, false)
  end,
}

--- Suspends the task until a descriptor of somebody else is ready, such as another library's socket.
---@param fd integer
---@param what "r"|"w"|"rw" to be read from, to be written to
---@param seconds? number at most so long
---@return "r"|"w"|"rw"|false what it is ready for; a broken descriptor is ready for all that was asked; false: the time passed
function loop.wait_fd(fd, what, seconds)
  if type(fd) ~= "number" then error(("loop.wait_fd: fd must be a number, got %s"):format(type(fd)), 2) end
  if what ~= "r" and what ~= "w" and what ~= "rw" then error('loop.wait_fd: "r", "w" or "rw" expected', 2) end
  if seconds then check_seconds("loop.wait_fd", seconds) end
  local task = scheduler.waiting_task("loop.wait_fd")
  local entry = setmetatable({ fd = fd, task = task }, Readiness)
  local ok, problem = pcall(scheduler.watch, fd, what, entry)
  if not ok then error("loop.wait_fd: " .. problem, 2) end
  local found, err
  if seconds then
    found, err = scheduler.suspend_until(task, DESCRIPTOR, entry, clock.now() + seconds)
  else
    found, err = scheduler.suspend(task, DESCRIPTOR, entry)
  end
  if err then error(err, 0) end
  return found
end

--- Runs functions at the same time and waits for all of them.
---@param fns function[]
---@return table results the first value of each, in order; `n` is their number
---@return table<integer, avito_messenger.Error>? errors by index, of those that returned nil and an error, or raised the
---  error of a call; nil when there is none. Anything else that is raised is raised here, after the others are cancelled
function loop.all(fns)
  return gather.all(fns)
end

--- Calls a function for each item, for several at the same time, and waits for all of them.
---@param items table|function a list, or an iterator such as client:chats()
---@param fn fun(item: any, index: integer): any
---@param options? { concurrency?: integer } how many at once, 10 by default
---@return table results the first value of each call, in the order of the items; `n` is their number
---@return table<integer, avito_messenger.Error>? errors as in loop.all
function loop.map(items, fn, options)
  return gather.map(items, fn, options)
end

local function leave(scope, ok, ...)
  scheduler.close_scope(scope)
  if ok then return ... end
  local problem = ...
  if problem == scope.err then return nil, problem end
  error(problem, 0)
end

--- Calls a function that has to end in time. Calls of clients inside of it know the deadline: they fail with an error of kind
--- "timeout", at once where their turn would come too late; other waits are broken off when it passes.
---@param seconds number
---@param fn function
---@param ... any its arguments
---@return any ... what it returned; or nil and an error of kind "timeout". What it raises is raised again
function loop.deadline(seconds, fn, ...)
  check_seconds("loop.deadline", seconds)
  check_function("loop.deadline", fn)
  local task = scheduler.running_task("loop.deadline")
  local err = errors.new("timeout", "loop.deadline", ("the deadline of %g s passed"):format(seconds))
  local scope = scheduler.open_scope(task, clock.now() + seconds, err)
  return leave(scope, xpcall(fn, failure.keep, ...))
end

--- Calls a function in a task of its own whenever a signal comes while the loop runs. Outside of loop.run signals do what they
--- always do.
---@param name "INT"|"TERM"|"HUP"|"USR1"|"USR2"
---@param fn fun(name: string)|nil nil: the signal does again what it always does
function loop.on_signal(name, fn)
  if fn ~= nil then check_function("loop.on_signal", fn) end
  signals.set(name, fn)
end

--- Sets who gets errors of tasks that nobody waited for; nil: they are written to stderr with their traceback.
---@param fn fun(err: any)|nil
function loop.on_error(fn)
  if fn ~= nil then check_function("loop.on_error", fn) end
  failure.on_error(fn)
end

--- Is the caller inside a task?
---@return boolean
function loop.in_task()
  return scheduler.in_task()
end

--- Does the loop run?
---@return boolean
loop.is_running = scheduler.is_running

--- Gives back the connections that are kept for the next run. The next loop.run makes new ones.
function loop.close()
  if scheduler.is_running() then error("loop.close: the loop runs", 2) end
  scheduler.close()
end

return loop
