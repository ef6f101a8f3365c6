--- A dispute: the marketplace judges between buyer and seller. What was to be said is taken back, a person is called, and the
--- bot says nothing until it is over.
local outbox = require "avito_messenger.bot.engine.outbox"

local dispute = {}

-- News may come in any order, and more than once: the newest counts, and of the same moment the end. Of what was only found
-- nobody knows of when it is.
local function is_older(last, event, at)
  return not last.listed and (at < last.at or at == last.at and event.open)
end

--- It has begun, or is over.
---@param chat avito.bot.Chat
---@param event { open: boolean, at: number?, listed: boolean? } listed: that is how the chat was found, nobody told of it
---@param now number
---@param notes table[]
function dispute.heed(chat, event, now, notes)
  local last, at = chat.dispute, math.min(event.at or now, now)
  if last and is_older(last, event, at) then return end
  chat.dispute = { open = event.open, at = at, listed = event.listed }
  if not event.open or last and last.open then return end
  outbox.cancel(chat)
  chat.flow = nil
  outbox.add(chat, { { kind = "escalate", key = ("dispute/%.0f"):format(at), turn = "dispute", at = now, delay = 0,
    why = "dispute" } })
  notes[#notes + 1] = { kind = "escalated", why = "dispute" }
end

--- The program wants to speak all the same, until there is news of another one.
---@param chat avito.bot.Chat
function dispute.resume(chat)
  if chat.dispute then chat.dispute.open, chat.dispute.listed = false, nil end
end

--- What follows from how a chat is found; nil: that is known, or somebody has told more of it. A list that shows the dispute,
--- too, is believed when it does not any more: the news of the end may never come.
---@param chat avito.bot.Chat
---@param open boolean
---@return table? event
function dispute.found(chat, open)
  local last = chat.dispute
  local agrees = last and not last.listed and last.open and open
  if not agrees and (last and not last.listed or open == (last ~= nil and last.open)) then return nil end
  return { type = "dispute", open = open, listed = true }
end

return dispute
