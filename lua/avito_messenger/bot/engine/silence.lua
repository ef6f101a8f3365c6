--- When the bot keeps out of a chat: a person typed there or was called, the buyer floods it, the program asked for it, or the
--- marketplace judges between buyer and seller.
local silence = {}

local function timed(chat, now)
  local silent = chat.silent
  if silent and now < silent.until_ then return silent end
end

--- Nothing is said before `until_`, and a dialogue that is under way ends, for its clock would speak. A longer silence is
--- never shortened, and a person who typed outweighs other reasons.
---@param chat avito.bot.Chat
---@param why "typed"|"escalated"|"flood"|"paused"
---@param now number
---@param until_ number
function silence.begin(chat, why, now, until_)
  local current = timed(chat, now)
  if current then
    if current.until_ > until_ then until_ = current.until_ end
    if current.why == "typed" then why = "typed" end
  end
  chat.silent = { since = now, until_ = until_, why = why }
  chat.flow = nil
end

--- The silence that holds now, or nil.
---@param chat avito.bot.Chat
---@param now number
---@return avito.bot.Silence?
function silence.current(chat, now)
  local open = chat.dispute and chat.dispute.open
  return open and { since = chat.dispute.at, until_ = math.huge, why = "dispute" } or timed(chat, now)
end

--- How a silence is spoken of.
---@param silent avito.bot.Silence
---@return string
function silence.reason(silent)
  if silent.why == "typed" then return "a person is writing in this chat" end
  if silent.why == "escalated" then return "a person was called" end
  if silent.why == "flood" then return "the bot has said too much in a short time" end
  if silent.why == "dispute" then return "there is a dispute in this chat" end
  return "the bot is paused in this chat"
end

return silence
