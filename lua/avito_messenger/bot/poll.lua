--- Where messages come from without a webhook: the unread chats, asked for at intervals.
local dispute = require "avito_messenger.bot.engine.dispute"
local inbox = require "avito_messenger.bot.inbox"
local options = require "avito_messenger.options"
local perform = require "avito_messenger.bot.perform"
local span = require "avito_messenger.bot.span"

local poll = {}

local MAX_BACKOFF = 300

local OPTIONS = { interval = "number|string", backlog = "number|string|boolean", seconds = "number", rounds = "number" }

---@class avito.PollOptions
---@field interval? number|string between two looks, 1 s or more; default 10
---@field backlog? boolean|number|string unread messages from before the first start that are answered too: none (false, the
--- default), all (true), or those of the last so long ("1h")
---@field chat_types? string[] default { "u2i", "u2u" }; of Yandex Market all: "order", "return", "direct"
---@field statuses? string[] of Yandex Market: in which a chat is looked at; default all but WAITING_FOR_CUSTOMER and FINISHED
---@field rounds? integer ends after so many looks, when everything is done that is to be done at once
---@field seconds? number ends after so long

--- The options as they are used. Raises what is wrong with them.
---@param where string what errors name
---@param given avito.PollOptions
---@param now number
---@param level integer whom they blame
---@param market? avito.bot.Market whose chats; default Avito's
---@return avito.bot.Settings
function poll.settings(where, given, now, level, market)
  market = market or require "avito_messenger.bot.market.avito"
  local known = {}
  for _, list in ipairs { OPTIONS, market.poll_options } do
    for name, kind in pairs(list) do known[name] = kind end
  end
  options.check(where, given, known, level + 1)
  local function refuse(message) error(("%s: %s"):format(where, message), level + 2) end
  local interval, problem = span.seconds(given.interval or 10)
  if not interval then refuse("interval: " .. problem) end
  if interval < 1 then refuse "interval must be at least 1 s" end
  local backlog = given.backlog == true and now or 0
  if given.backlog and given.backlog ~= true then
    backlog, problem = span.seconds(given.backlog)
    if not backlog then refuse("backlog: " .. problem) end
  end
  local settings
  settings, problem = market.poll_settings(given)
  if not settings then refuse(problem) end
  settings.interval = interval
  return { poll = settings, backlog = backlog, began = math.floor(now), rounds = given.rounds or math.huge,
    seconds = given.seconds or math.huge }
end

-- Errors of one chat that say nothing of the others.
local OF_THE_CHAT = { invalid = true, forbidden = true, not_found = true, decode = true, server = true }

--- Is there nothing new in the chat: it was read with its newest message, or that is from before the backlog; or it could
--- not be read, and its time has not come again? That a webhook told of the newest message says nothing of those before it.
local function known(bot, chat, look)
  local now = bot.driver:now()
  if chat.written and chat.written < bot.since then return true end
  local unreadable = bot.unreadable[chat.id]
  if unreadable and now < unreadable.again then return true end
  return chat.mark ~= nil and look.read ~= nil and look.read - look.seen >= bot.market.settles
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

--- Reads one chat. True: something in it is new.
---@return boolean?
---@return avito_messenger.Error|avito.StoreError|nil
local function look_into(bot, chat)
  local taken = bot.lanes:chat(chat.id)
  local ok, news = perform.news(bot, taken, chat.type)
  if not ok then return nil, news end
  local disputed = chat.dispute ~= nil and dispute.found(taken, chat.dispute) or nil
  if not news and not disputed then return false end
  local rows = {}
  local function add(event)
    for _, row in ipairs(event and inbox.rows(chat.id, event, bot.market.hook) or {}) do rows[#rows + 1] = row end
  end
  add { type = "about", facts = chat.facts }
  add(disputed) -- before what was said in it
  add(news)
  return bot.lanes:receive(rows)
end

-- What is remembered of the chats that are listed, each with the mark it has now; of others there is nothing to remember.
local function remember(bot, chats)
  local looks, unreadable, now = {}, {}, bot.driver:now()
  for _, chat in ipairs(chats) do
    local look = bot.looks[chat.id]
    if not look or look.mark ~= chat.mark then look = { mark = chat.mark, seen = now } end
    looks[chat.id], unreadable[chat.id] = look, bot.unreadable[chat.id]
  end
  bot.looks, bot.unreadable = looks, unreadable
end

--- One look at the marketplace: what is new is put in the inbox.
---@param bot avito.Bot
---@param settings table of the poll
---@return integer? chats with something new
---@return avito_messenger.Error|avito.StoreError|nil
function poll.round(bot, settings)
  local chats, err = bot.market.chats(bot.client, settings, bot.user_id)
  if not chats then return nil, err end
  remember(bot, chats)
  local count = 0
  for _, chat in ipairs(chats) do
    local look, began = bot.looks[chat.id], bot.driver:now()
    if not known(bot, chat, look) then
      local new, problem = look_into(bot, chat)
      if new then count = count + 1 end
      if problem and not OF_THE_CHAT[problem.kind] then return nil, problem end
      if problem then
        not_read(bot, chat, settings.interval, problem)
      else
        look.read, bot.unreadable[chat.id] = began, nil
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
