--- Requests a minute, for each account: windows begin with the minute of the clock.
local codec = require "avito_messenger.sandbox.codec"

local limits = {}

--- What was counted since the minute or the hour of the clock began.
---@param windows table<any, table> the latest, by their keys
---@param key any
---@param seconds integer that a window is long
---@param now number
---@return { count: integer, ends: number }
function limits.window(windows, key, seconds, now)
  local ends = (math.floor(now / seconds) + 1) * seconds
  if not windows[key] or windows[key].ends ~= ends then windows[key] = { ends = ends, count = 0 } end
  return windows[key]
end

--- Counts a request. Returns the headers every answer carries, and the 429 when the window is used up:
--- its body is empty, as the real one has no message.
---@param sandbox avito.Sandbox
---@param user_id integer
---@param now number
---@return table<string, string>? headers
---@return avito.sandbox.Response? refusal
function limits.count(sandbox, user_id, now)
  local limit = sandbox.options.rate_limit
  if not limit then return nil end
  local window = limits.window(sandbox.windows, user_id, 60, now)
  window.count = window.count + 1
  local headers = {}
  if limit.headers then
    headers["X-RateLimit-Limit"] = ("%d"):format(limit.per_minute)
    headers["X-RateLimit-Remaining"] = ("%d"):format(math.max(0, limit.per_minute - window.count))
  end
  if window.count <= limit.per_minute then return headers end
  return headers, limits.refusal(limit.retry_after, window.ends, now)
end

--- A 429 that says, in the given way or not at all, when to come back.
---@param way "seconds"|"date"|false|nil
---@param at number
---@param now number
---@return avito.sandbox.Response
function limits.refusal(way, at, now)
  local headers = {}
  if way == "seconds" then headers["Retry-After"] = ("%d"):format(math.ceil(at - now)) end
  if way == "date" then headers["Retry-After"] = codec.http_date(math.ceil(at)) end
  return { status = 429, headers = headers, body = "" }
end

return limits
