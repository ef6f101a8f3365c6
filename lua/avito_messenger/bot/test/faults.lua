--- The marketplace's next answers that a scenario wants to go wrong.
local words = require "avito_messenger.words"

---@class avito.bot.test.Fault
---@field applied boolean has the marketplace done what it was asked?
---@field error { kind: string, message: string, dispatched: boolean, status: integer? }

---@class avito.bot.test.Faults
---@field queues table<string, avito.bot.test.Fault[]>
local Faults = {}
Faults.__index = Faults
Faults.__name = "avito.bot.test.Faults"

local faults = {}

local function fault(applied, kind, message, dispatched, status)
  return { applied = applied, error = { kind = kind, message = message, dispatched = dispatched, status = status } }
end

local KINDS = {
  dropped = fault(true, "timeout", "the answer did not come in time", true),
  lost = fault(false, "timeout", "the request did not arrive", true),
  offline = fault(false, "network", "no connection", false),
  limited = fault(false, "rate_limited", "too many requests", true, 429),
  broken = fault(false, "server", "internal error", true, 500),
  refused = fault(false, "forbidden", "the chat is closed", true, 403),
}

local WHAT = { send = true, about = true, check = true, read = true, blacklist = true, escalate = true }

faults.always = fault(false, "server", "the chat cannot be looked up", true, 500)

---@return avito.bot.test.Faults
function faults.new()
  return setmetatable({ queues = {} }, Faults)
end

--- Raises when a name is not known.
---@param kind string
---@param count integer
---@param what string
---@param level integer
function Faults:add(kind, count, what, level)
  if not KINDS[kind] then error("scene:fail: " .. words.unknown(kind, words.names(KINDS), "failure"), level + 1) end
  if not WHAT[what] then error("scene:fail: " .. words.unknown(what, words.names(WHAT), "request"), level + 1) end
  if type(count) ~= "number" or count < 1 or count % 1 ~= 0 then error("scene:fail: the count must be 1 or more", level + 1) end
  local queue = self.queues[what] or {}
  for _ = 1, count do queue[#queue + 1] = KINDS[kind] end
  self.queues[what] = queue
end

--- The failure that the next request of this kind meets, if any.
---@param what string
---@return avito.bot.test.Fault?
function Faults:take(what)
  local queue = self.queues[what]
  return queue and table.remove(queue, 1)
end

return faults
