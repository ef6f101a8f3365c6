--- Where messages come from without a webhook: the unread chats, asked for at intervals.
local about = require "avito_messenger.bot.about"
local enums = require "avito_messenger.enums"
local errors = require "avito_messenger.errors"
local inbox = require "avito_messenger.bot.inbox"
local options = require "avito_messenger.options"
local perform = require "avito_messenger.bot.perform"

local span = require "avito_messenger.bot.span"
local words = require "avito_messenger.words"

local poll = {}

local MAX_BACKOFF = 300

local OPTIONS = { interval = "number|string", backlog = "number|string|boolean", chat_types = "table", seconds = "number",
  rounds = "number" }

---@class avito.PollOptions
---@field interval? number|string between two looks, 1 s or more; default 10
---@field backlog? boolean|number|string unread messages from before the first start that are answered too: none (false, the
--- default), all (true), or those of the last so long ("1h")
---@field chat_types? string[] default { "u2i", "u2u" }
---@field rounds? integer ends after so many looks, when everything is done that is to be done at once
---@field seconds? number ends after so long

local function check_chat_types(where, given, level)
  if #given == 0 then error(where .. ": chat_types is empty", level + 1) end
  for _, name in ipairs(given) do
    local mistake = words.mistake(name, enums.values(enums.ChatType), "chat type")
    if mistake then error(("%s: chat_types: %s"):format(where, mistake), level + 1) end
  end
end

--- The options as they are used. Raises what is wrong with them.
---@param where string what errors name
---@param given avito.PollOptions
---@param now number
---@param level integer whom they blame
---@return avito.bot.Settings
function poll.settings(where, given, now, level)
  options.check(where, given, OPTIONS, level + 1)
  local function refuse(message) error(("%s: %s"):format(where, message), level + 2) end
  local interval, problem = span.seconds(given.interval or 10)
  if not interval then refuse("interval: " .. problem) end
  if interval < 1 then refuse "interval must be at least 1 s" end
  local backlog = given.backlog == true and now or 0
  if given.backlog and given.backlog ~= true then
    backlog, problem = span.seconds(given.backlog)
    if not backlog then refuse("backlog: " .. problem) end
  end
  if given.chat_types then check_chat_types(where, given.chat_types, level + 1) end
  return { poll = { interval = interval, chat_types = given.chat_types or { "u2i", "u2u" } }, backlog = backlog,
    began = math.floor(now), rounds = given.rounds or math.huge, seconds = given.seconds or math.huge }
end

-- Errors of one chat that say nothing of the others.
local OF_THE_CHAT = { invalid = true, forbidden = true, not_found = true, decode = true, server = true }

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

--- Is there nothing new in the chat: it was read with its newest message, or that is from before the backlog; or it could
--- not be read, and its time has not come again? That a webhook told of the newest message says nothing of those before it.
local function known(bot, chat, read)
  local last = last_message(chat)
  if type(last.created) == "number" and last.created < bot.since then return true end
  local unreadable = bot.unreadable[chat.id]
  if unreadable and bot.driver:now() < unreadable.again then return true end
  return type(last.id) == "string" and read[chat.id] == last.id
end

--- A chat that cannot be read is asked for more and more seldom, and never given up: a buyer has written there.
local function not_read(bot, chat, interval, problem)
  local unreadable = bot.unreadable[chat.id] or { failures = 0 }
  unreadable.failures = unreadable.failures + 1
  unreadable.again = bot.driver:now() + poll.pause(interval, unreadable.failures - 1, problem)
  bot.unreadable[chat.id] = unreadable
  bot:tell { kind = "error", chat_id = chat.id, message = ("poll: chat %s: %s"):format(chat.id, tostring(problem)),
    error = problem }
end

--- Reads one unread chat. True: something in it is new.
---@return boolean?
---@return avito_messenger.Error|avito.StoreError|nil
local function look(bot, chat)
  local ok, news = perform.news(bot, bot.lanes:chat(chat.id), about.chat_type(chat))
  if not ok then return nil, news end
  if not news then return false end
  local rows = inbox.rows(chat.id, { type = "about", facts = about.facts(chat, bot.user_id) })
  for _, row in ipairs(inbox.rows(chat.id, news)) do rows[#rows + 1] = row end
  return bot.lanes:receive(rows)
end

--- One look at the marketplace: what is new is put in the inbox.
---@param bot avito.Bot
---@param chat_types string[]
---@param interval number seconds to the next look
---@return integer? chats with something new
---@return avito_messenger.Error|avito.StoreError|nil
function poll.round(bot, chat_types, interval)
  local chats, err = unread(bot.client, chat_types)
  if not chats then return nil, err end
  local count, before = 0, bot.read
  local read, unreadable = {}, {}
  for _, chat in ipairs(chats) do
    if type(chat) == "table" and type(chat.id) == "string" then
      read[chat.id], unreadable[chat.id] = before[chat.id], bot.unreadable[chat.id]
    end
  end
  bot.read, bot.unreadable = read, unreadable -- of others there is nothing to remember
  for _, chat in ipairs(chats) do
    if type(chat) == "table" and type(chat.id) == "string" and not known(bot, chat, read) then
      local new, problem = look(bot, chat)
      if new then count = count + 1 end
      if problem and not OF_THE_CHAT[problem.kind] then return nil, problem end
      if problem then
        not_read(bot, chat, interval, problem)
      else
        read[chat.id], unreadable[chat.id] = last_message(chat).id, nil
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
