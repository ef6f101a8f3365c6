--- Effects of the engine as calls of the API, and what came of them as events.
local ending = require "avito_messenger.bot.ending"
local arrive = require "avito_messenger.bot.engine.arrive"
local messages = require "avito_messenger.bot.messages"
local record = require "avito_messenger.bot.engine.record"
local words = require "avito_messenger.words"

local perform = {}

local function text_of(err)
  return type(err) == "table" and not getmetatable(err) and err.message or tostring(err)
end

--- The event of an effect that failed.
---@param effect table
---@param err any
---@param dispatched? boolean whether the effect itself may have been done; as the error says when absent
---@param doubted? boolean it may have been the account that was refused, which is not any more
---@return table event
function perform.failed(effect, err, dispatched, doubted)
  local problem = { kind = "invalid", message = text_of(err), dispatched = false } -- misuse: it was never sent
  if type(err) == "table" then
    if dispatched == nil then dispatched = err.dispatched end
    problem.kind, problem.dispatched, problem.retry_after, problem.doubted = err.kind, dispatched, err.retry_after, doubted
  end
  return { type = "failed", key = effect.key, error = problem }
end

-- The error of a call, made certain where it may mean the account as well as the chat.
local function certain(bot, err)
  if type(err) ~= "table" then return err end
  return bot.market.refused(bot.client, err)
end

local function problem_of(err)
  return { kind = err.kind, message = text_of(err), retry_after = err.retry_after }
end

local function outcome(bot, effect, value, err, dispatched)
  if not value then
    local problem, doubted = certain(bot, err)
    return perform.failed(effect, problem, dispatched, doubted)
  end
  return { type = "sent", key = effect.key, id = type(value) == "table" and value.id or nil }
end

--- Reads what is new in a chat. Older than the backlog goes back, or read before the bot began, is not: it only tells that
--- these are not the first words of the chat.
---@param bot avito.Bot
---@param taken avito.bot.Chat what is known of the chat
---@param chat_type? string
---@return boolean? ok
---@return table|avito_messenger.Error|nil event the new messages, if any; or the error
---@return boolean? doubted as perform.failed wants it
function perform.news(bot, taken, chat_type)
  local chat_id, since, started = taken.id, bot.since or 0, bot.started or 0
  local earlier
  local list, err = bot.market.read_chat(bot.client, chat_id, function(message, created)
    if record.marked(taken, message.id) then return message.type == "deleted" end -- what was taken back must be told again
    local read = (message.is_read or message.isRead) == true and arrive.kind(message, bot.user_id) == "buyer"
    if created >= since and (created >= started or not read) then return true end
    earlier = true
    return false
  end, taken)
  if not list then return nil, certain(bot, err) end
  bot.lanes:looked_at(chat_id)
  return true, messages.event(list, { chat_type = chat_type, earlier = earlier })
end

local does = {}

-- What nobody tells the id of is looked for before it is noted as sent, so that it is known when it is seen, and not taken for
-- a person's. It was sent, even where that fails. A chat that does not show it yet is read again.
local function spoken(bot, effect, chat, value, err, dispatched)
  local event = outcome(bot, effect, value, err, dispatched)
  if value ~= true then return event end
  local returned, ok, news = pcall(perform.news, bot, chat)
  if not returned then ending.pass(ok) end
  local read = returned and ok
  event.look = read and "unseen" or true
  return event, read and news or nil
end

function does.send(bot, effect, chat)
  return spoken(bot, effect, chat, bot.market.send(bot, effect))
end

function does.image(bot, effect, chat)
  return spoken(bot, effect, chat, bot.market.send_image(bot, effect))
end

-- What the marketplace has not is left out: of that a rulebook is warned when it is loaded.
function does.blacklist(bot, effect)
  local add = bot.market.blacklist
  return outcome(bot, effect, not add or add(bot, effect))
end

-- What the buyer wrote after the bot had looked would count as read, and no poll of unread chats would find it: so the chat
-- is read once more, after it was marked or may have been.
function does.read(bot, effect, chat)
  local mark = bot.market.mark_read
  if not mark then return outcome(bot, effect, true) end
  local event = outcome(bot, effect, mark(bot, effect))
  if event.type == "failed" and not event.error.dispatched then return event end
  local ok, news, doubted = perform.news(bot, chat)
  if not ok then return perform.failed(effect, news, false, doubted) end
  return event, nil, news
end

function does.about(bot, effect)
  local facts, err = bot.market.facts(bot.client, effect.chat_id, bot.user_id)
  if facts then return { type = "about", facts = facts } end
  err = certain(bot, err)
  return { type = "about", error = tostring(err), kind = err.kind }
end

-- One message is asked for by its id; several, and one that could not be had so, are looked for in the chat.
function does.fetch(bot, effect, chat)
  local event = { type = "fetched" }
  local function failed(err)
    event.error = problem_of(err)
    return event
  end
  if #effect.ids == 1 and not effect.look and bot.market.message then
    local message, err = bot.market.message(bot.client, effect.chat_id, effect.ids[1])
    if message and message.id ~= effect.ids[1] then
      return failed { kind = "decode", message = "another message came than was asked for" }
    end
    if message then
      event.messages, event.old = { message }, message.created and message.created < (bot.since or 0) or nil
      return event
    end
    if err.kind ~= "rate_limited" then return failed((certain(bot, err))) end -- the chat has a limit of its own
  end
  local ok, news = perform.news(bot, chat)
  if not ok then return failed(news) end
  event.read = true
  if news then event.messages, event.earlier = news.messages, news.earlier end
  return event
end

function does.check(bot, effect)
  local asked = bot.driver:time()
  local list, err = bot.market.read_chat(bot.client, effect.chat_id, function(_, created) return created >= effect.since end)
  if not list then
    local problem, doubted = certain(bot, err)
    return perform.failed(effect, problem, nil, doubted)
  end
  if err then -- what is not in the chat as far as it could be read may be in the rest of it
    return perform.failed(effect, { kind = "unknown", dispatched = true,
      message = "the chat cannot be read to its end, and it is not certain that it was not sent" })
  end
  return { type = "history", key = effect.key, messages = list, asked = asked }
end

function does.call(bot, effect)
  local call = bot.engine.book.calls[effect.name]
  if not call then
    local message = "c:call: " .. words.unknown(effect.name, words.names(bot.engine.book.calls), "call")
    bot:tell { kind = "error", chat_id = effect.chat_id, message = message }
    return { type = "called", key = effect.key, ok = false, value = message }
  end
  local whom = effect.about
  local ok, value = xpcall(function()
    return call(effect.args, { key = effect.key, chat = whom.chat, buyer = whom.buyer or {}, item = whom.item or {},
      order = whom.order or {}, client = bot.client })
  end, function(err) return (type(err) == "string" and debug.traceback(err, 2)) or (ending.is(err) and err) or tostring(err) end)
  if not ok then
    ending.pass(value) -- the function has not failed: it is called again when the chat is taken up again
    bot:tell { kind = "error", chat_id = effect.chat_id, message = ("call '%s': %s"):format(effect.name, value) }
    value = tostring(value):match "^[^\n]*"
  end
  return { type = "called", key = effect.key, ok = ok, value = value }
end

function does.escalate(bot, effect)
  if bot.on_escalate then bot.on_escalate(effect) end
  return { type = "sent", key = effect.key }
end

--- Performs an effect. What goes wrong is in the event; only the end of the program, or of its task, is raised.
---@param bot avito.Bot
---@param effect table
---@param chat avito.bot.Chat the record it is of
---@return table event
---@return table? before an event that it brought, and that comes before
---@return table? after one that comes after
function perform.effect(bot, effect, chat)
  local ok, event, before, after = xpcall(function() return does[effect.kind](bot, effect, chat) end, debug.traceback)
  if ok then return event, before, after end
  ending.pass(event)
  if effect.kind == "escalate" then -- somebody must learn of it: it is tried again
    bot:tell { kind = "error", chat_id = effect.chat_id, message = "on_escalate: " .. tostring(event) }
    local failure = perform.failed(effect, event, false)
    failure.error.kind = "server"
    return failure
  end
  if effect.kind == "about" then return { type = "about", error = tostring(event) } end
  if effect.kind == "fetch" then return { type = "fetched", error = { kind = "invalid", message = tostring(event) } } end
  return perform.failed(effect, event)
end

return perform
