--- When the bot keeps out of a chat: a person typed there or was called, the buyer floods it, or the program asked for it.
local silence = {}

--- Nothing is said before `until_`, and a dialogue that is under way ends, for its clock would speak. A longer silence is
--- never shortened, and a person who typed outweighs other reasons.
---@param chat avito.bot.Chat
---@param why "typed"|"escalated"|"flood"|"paused"
---@param now number
---@param until_ number
function silence.begin(chat, why, now, until_)
  local current = silence.current(chat, now)
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
  local silent = chat.silent
  if silent and now < silent.until_ then return silent end
end

--- How a silence is spoken of.
---@param silent avito.bot.Silence
---@return string
function silence.reason(silent)
  if silent.why == "typed" then return "a person is writing in this chat" end
  if silent.why == "escalated" then return "a person was called" end
  if silent.why == "flood" then return "the bot has said too much in a short time" end
  return "the bot is paused in this chat"
end

return silence
