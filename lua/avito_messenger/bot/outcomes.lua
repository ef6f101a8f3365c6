--- What is answered to a request to the bot, for each thing that may come of it; the same from every server.
local outcomes = {}

outcomes.TYPE = "text/plain; charset=utf-8"

outcomes.WORDS = { message = "ok", known = "ok", probe = "ok", ignored = "ok", not_found = "not found",
  method = "method not allowed", too_large = "too large", bad_request = "bad request", signature = "unauthorized",
  foreign = "ok", unavailable = "try again", failed = "internal error" }

outcomes.STATUS = { message = 200, known = 200, probe = 200, ignored = 200, foreign = 200, unavailable = 503, not_found = 404,
  method = 405, too_large = 413, bad_request = 400, signature = 401, failed = 500 }

-- Avito waits for an answer for 2 s.
outcomes.PATIENCE = 1.2 -- seconds for the store
outcomes.WHOLE = 1.9    -- seconds for a request, from its first byte on
outcomes.LEAST = 0.1    -- seconds for the store, however long the request took to come in

--- Seconds that the store has for a request of that age.
---@param age number seconds
---@return number
function outcomes.patience(age)
  return math.max(outcomes.LEAST, math.min(outcomes.PATIENCE, outcomes.WHOLE - age))
end

return outcomes
