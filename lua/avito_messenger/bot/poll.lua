--- Where messages come from without a webhook: the unread chats, asked for at intervals.
local about = require "avito_messenger.bot.about"
local errors = require "avito_messenger.errors"
local perform = require "avito_messenger.bot.perform"
local record = require "avito_messenger.bot.engine.record"

local poll = {}

local MAX_BACKOFF = 300

-- Errors of one chat that say nothing of the others; and of those, the ones that asking again does not change.
local OF_THE_CHAT = { invalid = true, forbidden = true, not_found = true, decode = true, server = true }
local LASTING = { invalid = true, forbidden = true, not_found = true, decode = true }

--- The unread chats, all of them before any is answered: answering makes the list shorter.
local function unread(client, chat_types)
  local chats = {}
  local ok, err = pcall(function()
    for chat in client:chats { unread_only = true, chat_types = chat_types } do chats[#chats + 1] = chat end
  end)
  if ok then return chats end
  if not errors.is(err) then error(err, 0) end
  return nil, err
end

local function last_message(chat)
  return type(chat.last_message) == "table" and chat.last_message or {}
end

--- Is there nothing new in the chat: its newest message was taken, or is from before the backlog; or what was read of it
--- waits for its lane?
local function known(bot, chat)
  local last = last_message(chat)
  if bot.lanes:waiting(chat.id) then return true end
  if type(last.created) == "number" and last.created < bot.since then return true end
  if type(last.id) ~= "string" then return false end
  return record.marked(bot.lanes:chat(chat.id), "seen", last.id) or bot.unreadable[chat.id] == last.id
end

--- Reads one unread chat. True: something in it is new.
---@return boolean?
---@return avito_messenger.Error?
local function look(bot, chat)
  local ok, news = perform.news(bot, chat.id, about.chat_type(chat))
  if not ok then return nil, news end
  if not news then return false end
  bot.lanes:post(chat.id, { type = "about", facts = about.facts(chat, bot.user_id) })
  bot.lanes:post(chat.id, news)
  return true
end

--- One look at the marketplace: what is new is posted to the lanes.
---@param bot avito.Bot
---@param chat_types string[]
---@return integer? chats with something new
---@return avito_messenger.Error?
function poll.round(bot, chat_types)
  local chats, err = unread(bot.client, chat_types)
  if not chats then return nil, err end
  local count = 0
  for _, chat in ipairs(chats) do
    if type(chat) == "table" and type(chat.id) == "string" and not known(bot, chat) then
      local new, problem = look(bot, chat)
      if new then count = count + 1 end
      if problem and not OF_THE_CHAT[problem.kind] then return nil, problem end
      if problem then
        if LASTING[problem.kind] then bot.unreadable[chat.id] = last_message(chat).id end
        bot:tell { kind = "error", chat_id = chat.id, message = ("poll: chat %s: %s"):format(chat.id, tostring(problem)),
          error = problem }
      end
    end
  end
  return count
end

--- Seconds to the next round after so many that failed in a row.
---@param interval number
---@param failures integer
---@param err? avito_messenger.Error
---@return number
function poll.pause(interval, failures, err)
  local seconds = math.min(interval * 2 ^ math.min(failures, 20), math.max(MAX_BACKOFF, interval))
  return math.max(seconds, type(err) == "table" and err.retry_after or 0)
end

return poll
