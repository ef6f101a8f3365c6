--- Where messages come from without a webhook: the unread chats, asked for at intervals.
local about = require "avito_messenger.bot.about"
local perform = require "avito_messenger.bot.perform"
local record = require "avito_messenger.bot.engine.record"

local poll = {}

local MAX_BACKOFF = 300

--- The unread chats, all of them before any is answered: answering makes the list shorter.
local function unread(client, chat_types)
  local chats = {}
  local ok, err = pcall(function()
    for chat in client:chats { unread_only = true, chat_types = chat_types } do chats[#chats + 1] = chat end
  end)
  if not ok then return nil, err end
  return chats
end

--- Has the newest message of the chat been taken before?
local function known(bot, chat)
  local last = type(chat.last_message) == "table" and chat.last_message or {}
  return type(last.id) == "string" and record.marked(bot.lanes:chat(chat.id), "seen", last.id)
end

--- The events of one unread chat, or nil and an error.
local function look(bot, chat)
  local taken = bot.lanes:chat(chat.id)
  local messages, earlier = perform.read_chat(bot.client, chat.id, function(message)
    return not record.marked(taken, "seen", message.id) and (message.created or 0) >= bot.since
  end)
  if not messages then return nil, earlier end
  local events = about.events(messages, bot.since, { chat_type = about.chat_type(chat), earlier = earlier })
  table.insert(events, 1, { type = "about", facts = about.facts(chat, bot.user_id) })
  return events
end

--- One look at the marketplace: what is new is posted to the lanes.
---@param bot avito.Bot
---@param chat_types string[]
---@return integer? chats with something new
---@return avito_messenger.Error?
function poll.round(bot, chat_types)
  local chats, err = unread(bot.client, chat_types)
  if not chats then return nil, err end
  local count, failure = 0, nil
  for _, chat in ipairs(chats) do
    if type(chat.id) == "string" and not known(bot, chat) then
      local events, problem = look(bot, chat)
      if events then
        count = count + (#events > 1 and 1 or 0)
        for _, event in ipairs(events) do bot.lanes:post(chat.id, event) end
      else
        failure = failure or problem -- the other chats are looked at all the same
      end
    end
  end
  if failure then return nil, failure end
  return count
end

--- Seconds to the next round after so many that failed in a row.
---@param interval number
---@param failures integer
---@param err? avito_messenger.Error
---@return number
function poll.pause(interval, failures, err)
  if failures == 0 then return interval end
  local seconds = math.min(interval * 2 ^ math.min(failures, 20), math.max(MAX_BACKOFF, interval))
  return math.max(seconds, type(err) == "table" and err.retry_after or 0)
end

return poll
