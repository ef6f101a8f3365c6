--- Times that every store goes by.
local span = require "avito_messenger.bot.span"

local retention = {}

local KEEP = "7d"
local DAY = 86400

--- How many rows are deleted at once: what waits meanwhile must not notice.
retention.BITE = 500

--- The wake of a chat that has rows: so far back that a clock which is put back makes nobody wait, and not for ever before
--- the wakes of other chats.
---@param now number
---@return number
function retention.soon(now)
  return now - DAY
end

--- How long taken and ended rows are kept.
---@param where string what an error names
---@param keep? number|string
---@param level integer the stack level the error is blamed on
---@return number seconds
function retention.seconds(where, keep, level)
  local seconds, message = span.seconds(keep or KEEP)
  if not seconds then error(("%s: keep: %s"):format(where, message), level) end
  return seconds
end

return retention
