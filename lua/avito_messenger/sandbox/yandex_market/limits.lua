--- Requests at once and an hour, for each business. Hours begin with those of the clock, as minutes do at Avito.
local codec = require "avito_messenger.sandbox.codec"
local per_minute = require "avito_messenger.sandbox.limits"
local reply = require "avito_messenger.sandbox.reply"

local limits = {}

-- How long a request that gets no answer stays under way: the server gives up then.
local SERVER_TIMEOUT = 10
-- The clock of a delay and the one of requests are not the same: a slot is free a moment before the answer leaves.
local MOMENT = 0.01

-- With the sandbox's own Date, for its clock may have been moved, and Until is a date.
local function headers_of(limit, remaining, at, now)
  return { Date = codec.http_date(now), ["X-RateLimit-Resource-Limit"] = ("%d"):format(limit),
    ["X-RateLimit-Resource-Remaining"] = ("%d"):format(math.max(0, remaining)),
    ["X-RateLimit-Resource-Until"] = codec.http_date(math.ceil(at)) }
end

local function refusal(message)
  return reply.error(420, message)
end

local function under_way(business, now)
  local list = {}
  for _, slot in ipairs(business.slots) do
    if slot.ends > now + MOMENT then list[#list + 1] = slot end
  end
  business.slots = list
  return list
end

local function too_many_at_once(business, at_once)
  return refusal(("Hit rate limit of %d parallel requests for businessId %s"):format(at_once, business.id))
end

--- Counts a request of `call.account`. Returns the headers its answer carries, and the 420 when it is one too many.
---@param call table
---@return table<string, string>? headers
---@return avito.sandbox.Response? refusal
function limits.count(call)
  local options, business, now = call.sandbox.options.yandex_market.limits, call.account, call.now
  if not options then return nil end
  local limit = options.hourly[call.route.operation]
  local window = per_minute.window(business.windows, call.route.operation, 3600, now)
  local slots = under_way(business, now)
  local problem
  if #slots >= options.at_once then
    problem = too_many_at_once(business, options.at_once)
  elseif window.count >= limit then
    problem = refusal(("Hit rate limit of %d resource requests"):format(limit))
  else
    window.count = window.count + 1
    call.slot = { ends = now }
    table.insert(slots, call.slot)
  end
  return options.headers and headers_of(limit, limit - window.count, window.ends, now) or nil, problem
end

--- The slot of a request is taken until its answer leaves.
---@param call table
---@param response avito.sandbox.Response
function limits.leave(call, response)
  if not call.slot then return end
  local fault = response.fault or {}
  local seconds = response.delay or 0
  if fault.kind == "hang" then seconds = SERVER_TIMEOUT end
  if fault.kind == "drip" then seconds = seconds + fault.seconds * (#response.body - 1) end
  call.slot.ends = call.now + seconds
end

--- The 420 of a fault: by the hour where it says for how long, else for too many at once.
---@param call table
---@param seconds? number
---@return avito.sandbox.Response
function limits.struck(call, seconds)
  local options = call.sandbox.options.yandex_market.limits
  local limit = options and options.hourly[call.route and call.route.operation or ""] or 1000
  local response = seconds and refusal(("Hit rate limit of %d resource requests"):format(limit)) or
    refusal(("Hit rate limit of %d parallel requests"):format(options and options.at_once or 4))
  response.headers = headers_of(limit, seconds and 0 or math.floor(limit / 2), call.now + (seconds or 3600), call.now)
  return response
end

return limits
