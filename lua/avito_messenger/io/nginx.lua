--- The driver of nginx: a client's calls suspend the request or timer they are made in, and the worker serves others meanwhile.
---
---     local client = avito.client { io = require "avito_messenger.io.nginx", client_id = "…", client_secret = "…" }
---
--- Everything that waits does so on nginx's own sockets and timers; files of uploads and downloads alone are read and written in
--- place, 64 KB at a time.
local clock = require "avito_messenger.clock"
local http = require "avito_messenger.io.nginx.http"
local options = require "avito_messenger.options"
local task = require "avito_messenger.io.nginx.task"

local ngx = rawget(_G, "ngx")

local POOL_SIZE = 30
local IDLE = 50
local MAX_TIMERS = 256

---@class avito.NginxDriver: avito.Driver
local Driver = { __name = "avito_messenger.io.nginx" }
Driver.__index = Driver

Driver.now = clock.now
Driver.time = clock.time

--- Performs one request. Raises for misuse, in a phase that may not wait, and in a task that has been told of its end before:
--- what the network does is in the response. It comes to its own end, whatever becomes of the caller.
---@param request avito.Request
---@return avito.Response
function Driver:perform(request)
  task.check_phase("a call of a client", 2)
  local err = task.interruption()
  if err then return { error = err.kind, message = err.message, dispatched = false } end
  if self.closed then error("this driver is closed", 0) end
  return http.perform(request, self.idle, self.pool_size)
end

local function pause(self, waiter, seconds)
  self.waiting[waiter] = true
  local err = task.wait(waiter, seconds)
  self.waiting[waiter] = nil
  return err
end

--- Waits. Returns true, or nil and why the call is to be given up.
---@param seconds number 0: lets others have their turn
---@param owner? any
---@return boolean?
---@return avito_messenger.Error?
function Driver:sleep(seconds, owner)
  task.check_phase("sleep", 2)
  local err = task.interruption()
  if err then return nil, err end
  local ends = clock.now() + seconds
  repeat -- nginx's timers count from the beginning of its turn, and are early by what that has taken
    err = pause(self, task.waiter(owner), ends - clock.now())
    if err then return nil, err end
  until clock.now() >= ends
  return true
end

--- As sleep, but `unpark` ends it: for calls of the same owner, that wait for something another of them does.
---@param seconds number how long the call has left
---@param owner any
---@return boolean? looked
---@return avito_messenger.Error?
function Driver:park(seconds, owner)
  task.check_phase("park", 2)
  local err = task.interruption()
  if err then return nil, err end
  local parked = self.parked[owner] or task.set()
  self.parked[owner] = parked
  local waiter = task.waiter(owner)
  parked[waiter] = true
  err = pause(self, waiter, math.min(seconds, task.LOOK))
  parked[waiter] = nil
  if err then return nil, err end
  return true
end

--- Ends the parks of this owner. Works in every phase.
---@param owner any
function Driver:unpark(owner)
  for waiter in pairs(self.parked[owner] or {}) do task.wake(waiter) end
end

--- Is the caller in a phase that may wait?
---@return boolean
function Driver:in_task() -- luacheck: no self
  return task.may_wait()
end

--- Runs a function in a timer of its own. Raises where no timer can be had.
---@param fn function
---@param ... any its arguments
---@return avito_messenger.NginxTask
function Driver:spawn(fn, ...)
  return task.spawn(self.max_timers, fn, ...)
end

local function keep_results(box, fn, ...)
  box.results = { pcall(fn, ...) }
end

--- Calls a function that has to come to its end. A request of nginx may end while it waits (lua_check_client_abort): so it is
--- called in a task then, for which the request waits; where no timer can be had, in the request. Raises what it raises.
---
--- Like all that outlives a request it must see none of the request's local variables: nginx gives the stack of a request that
--- was broken off to the next, and what was written to them would be written there.
---@param fn function without upvalues of the caller's
---@param ... any its arguments
---@return any ... at most two values
function Driver:shelter(fn, ...)
  if ngx.get_phase() == "timer" then return fn(...) end
  local box = {}
  local begun, sheltered = pcall(self.spawn, self, keep_results, box, fn, ...)
  if not begun then return fn(...) end
  local _, lost = sheltered:wait()
  local results = box.results
  if not results then return nil, lost end
  if not results[1] then error(results[2], 0) end
  return results[2], results[3]
end

--- Ends the sleeps and parks of that owner with errors of kind "cancelled"; its requests come to their own end.
---@param owner any
function Driver:end_calls(owner)
  for waiter in pairs(self.waiting) do
    if waiter.owner == owner then
      waiter.err = { kind = "cancelled", message = "the client was closed" }
      task.wake(waiter)
    end
  end
end

--- May be called again; `perform` raises afterwards. Connections that are kept belong to the worker, and end by themselves.
function Driver:close()
  self.closed = true
end

--- Where a bot keeps what must not be lost, unless it is told: workers share no memory.
---@return string path
function Driver:default_store() -- luacheck: no self
  return ngx.config.prefix() .. "avito-messenger.db"
end

function Driver:__tostring()
  return ("avito_messenger.io.nginx (%s)"):format(self.closed and "closed" or "open")
end

local nginx = {}

local OPTIONS = { pool_size = "number", idle = "number", max_timers = "number", proxy = "string", ca_file = "string" }

local function check_place()
  if not ngx then error("io.nginx.new: only inside nginx; elsewhere use avito_messenger.io.blocking or .loop", 3) end
  if ngx.get_phase() == "init" then
    error("io.nginx.new: this is nginx's master, before its workers are there: make clients and bots in init_worker_by_lua* "
      .. "or later", 3)
  end
end

local function check_options(given)
  options.check("io.nginx.new", given, OPTIONS, 3)
  if given.ca_file then
    error("io.nginx.new: ca_file is nginx's to know: lua_ssl_trusted_certificate names the file, and lua_ssl_verify_depth "
      .. "how long a chain may be", 3)
  end
  if given.proxy then error("io.nginx.new: proxy: there is none inside nginx", 3) end
  for name, most in pairs { pool_size = 10000, max_timers = 1000000 } do
    local value = given[name]
    if value and not (value >= 1 and value <= most and value % 1 == 0) then
      error(("io.nginx.new: %s must be an integer from 1 to %d"):format(name, most), 3)
    end
  end
  if given.idle and not (given.idle > 0 and given.idle <= 3600) then
    error("io.nginx.new: idle must be more than 0 and at most 3600 seconds", 3)
  end
end

--- A driver for clients in a worker of nginx, with values of its own: `io = nginx.new { … }`. `io = nginx` makes one by itself.
---@param given? { pool_size?: integer, idle?: number, max_timers?: integer } pool_size: connections a worker keeps to each
--- host, default 30; idle: seconds one is kept unused, default 50; max_timers: what lua_max_running_timers says, default 256
---@return avito.NginxDriver
function nginx.new(given)
  given = given or {}
  check_place()
  check_options(given)
  return setmetatable({
    pool_size = given.pool_size or POOL_SIZE, idle = given.idle or IDLE, max_timers = given.max_timers or MAX_TIMERS,
    waiting = task.set(), -- all that wait, for end_calls
    parked = setmetatable({}, { __mode = "k" }), -- by owner
  }, Driver)
end

return nginx
