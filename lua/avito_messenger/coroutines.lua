--- The coroutines of the interpreter itself. nginx puts others in their place, by which its requests and timers wait: those
--- belong to one request, and a dialogue outlives many.
local core = require "avito_messenger.core"

local coroutines = {}

coroutines.create = coroutine._create or coroutine.create
coroutines.yield = coroutine._yield or coroutine.yield
coroutines.status = coroutine._status or coroutine.status
coroutines.running = coroutine.running
coroutines.isyieldable = coroutine.isyieldable or core.isyieldable

local resume = coroutine._resume or coroutine.resume
local depth = 0

local function leave(...)
  depth = depth - 1
  return ...
end

--- As coroutine.resume. Inside nginx, what runs in it must not wait for anything of nginx.
---@param co thread
---@param ... any
---@return boolean ok
---@return any ...
function coroutines.resume(co, ...)
  depth = depth + 1
  return leave(resume(co, ...))
end

--- Is the caller, or who called it, inside of such a coroutine?
---@return boolean
function coroutines.inside()
  return depth > 0
end

return coroutines
