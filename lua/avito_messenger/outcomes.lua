--- What is answered to a request to the bot, for each thing that may come of it; the same from every server.
local outcomes = {}

outcomes.TYPE = "text/plain; charset=utf-8"

outcomes.WORDS = { message = "ok", known = "ok", probe = "ok", ignored = "ok", not_found = "not found",
  method = "method not allowed", sender = "forbidden", too_large = "too large", bad_request = "bad request",
  signature = "unauthorized", foreign = "ok", unavailable = "try again", failed = "internal error" }

outcomes.STATUS = { message = 200, known = 200, probe = 200, ignored = 200, foreign = 200, unavailable = 503, not_found = 404,
  method = 405, sender = 403, too_large = 413, bad_request = 400, signature = 401, failed = 500 }

outcomes.LEAST = 0.1 -- seconds for the store, however long the request took to come in

--- How an outcome is told where nobody knows better.
---@param outcome string
---@param allowed? string methods; default "POST"
---@return integer status
---@return string content_type
---@return string body
---@return table<string, string|integer>? headers
function outcomes.reply(outcome, allowed)
  local headers
  if outcome == "method" then headers = { Allow = allowed or "POST" } end
  if outcome == "unavailable" then headers = { ["Retry-After"] = 1 } end
  return outcomes.STATUS[outcome], outcomes.TYPE, outcomes.WORDS[outcome] .. "\n", headers
end

return outcomes
