--- Effects of the engine as calls of the API, and what came of them as events.
local about = require "avito_messenger.bot.about"
local arrive = require "avito_messenger.bot.engine.arrive"
local ending = require "avito_messenger.bot.ending"
local images = require "avito_messenger.bot.rulebook.images"
local record = require "avito_messenger.bot.engine.record"
local words = require "avito_messenger.words"

local perform = {}

local PAGE, MAX_PAGES, MAX_OFFSET = 50, 25, 1000

--- The event of an effect that failed.
---@param effect table
---@param err any
---@param dispatched? boolean whether the effect itself may have been done; as the error says when absent
---@return table event
function perform.failed(effect, err, dispatched)
  local problem = { kind = "invalid", message = tostring(err), dispatched = false } -- misuse: it was never sent
  if type(err) == "table" then
    if dispatched == nil then dispatched = err.dispatched end
    problem.kind, problem.dispatched, problem.retry_after = err.kind, dispatched, err.retry_after
  end
  return { type = "failed", key = effect.key, error = problem }
end

local function outcome(effect, value, err)
  if not value then return perform.failed(effect, err) end
  return { type = "sent", key = effect.key, id = type(value) == "table" and value.id or nil }
end

local does = {}

function does.send(bot, effect)
  return outcome(effect, bot.client:send_message(effect.chat_id, effect.text))
end

-- The id of an image: as given, or that of a file, which is uploaded once.
local function image_id(bot, image)
  local path = images.path(image, bot.engine.book.directory)
  if not path then return image end
  local id = bot.images[path]
  if id then return id end
  local err
  id, err = bot.client:upload_image(path)
  bot.images[path] = id
  return id, err
end

function does.image(bot, effect)
  local id, err = image_id(bot, effect.image)
  if not id then return perform.failed(effect, err, false) end -- the message itself was not tried
  return outcome(effect, bot.client:send_image_message(effect.chat_id, id))
end

function does.blacklist(bot, effect)
  return outcome(effect, bot.client:add_to_blacklist {
    { user_id = effect.user_id, context = { item_id = effect.item_id, reason_id = effect.reason } } })
end

--- The messages of a chat that `wanted` says yes to, newest first, up to the first page that has one it refuses.
---@param client avito_messenger.Client
---@param chat_id string
---@param wanted fun(message: table, created: number): boolean created: 0 where no time is told
---@return table[]? messages
---@return avito_messenger.Error? err
function perform.read_chat(client, chat_id, wanted)
  local found, offset = {}, 0
  for _ = 1, MAX_PAGES do
    local messages, meta = client:get_messages(chat_id, { limit = PAGE, offset = offset })
    if not messages then return nil, meta end
    local refused = false
    for _, message in ipairs(messages) do
      if about.is_message(message) then
        local created = type(message.created) == "number" and message.created or 0
        if wanted(message, created) then found[#found + 1] = message else refused = true end
      end
    end
    local more = meta.has_more
    if more == nil then more = #messages >= PAGE end
    offset = offset + #messages
    if refused or not more or offset > MAX_OFFSET then break end
  end
  return found
end

--- Reads what is new in a chat. Older than the backlog goes back, or read before the bot began, is not: it only tells that
--- these are not the first words of the chat.
---@param bot avito.Bot
---@param taken avito.bot.Chat what is known of the chat
---@param chat_type? string
---@return boolean? ok
---@return table|avito_messenger.Error|nil event the new messages, if any; or the error
function perform.news(bot, taken, chat_type)
  local chat_id, since, started = taken.id, bot.since or 0, bot.started or 0
  local earlier
  local messages, err = perform.read_chat(bot.client, chat_id, function(message, created)
    if record.marked(taken, message.id) then return message.type == "deleted" end -- what was taken back must be told again
    local read = (message.is_read or message.isRead) == true and arrive.kind(message, bot.user_id) == "buyer"
    if created >= since and (created >= started or not read) then return true end
    earlier = true
    return false
  end)
  if not messages then return nil, err end
  bot.lanes:looked_at(chat_id)
  return true, about.event(messages, { chat_type = chat_type, earlier = earlier })
end

-- What the buyer wrote after the bot had looked would count as read, and no poll of unread chats would find it: so the chat
-- is read once more, after it was marked or may have been.
function does.read(bot, effect, chat)
  local event = outcome(effect, bot.client:mark_chat_as_read(effect.chat_id))
  if event.type == "failed" and not event.error.dispatched then return event end
  local ok, news = perform.news(bot, chat)
  if not ok then return perform.failed(effect, news, false) end
  return event, news
end

function does.about(bot, effect)
  local chat, err = bot.client:get_chat(effect.chat_id)
  if not chat then return { type = "about", error = tostring(err), kind = err.kind } end
  return { type = "about", facts = about.facts(chat, bot.user_id) }
end

function does.check(bot, effect)
  local asked = bot.driver:time()
  local messages, err = perform.read_chat(bot.client, effect.chat_id, function(_, created) return created >= effect.since end)
  if not messages then return perform.failed(effect, err) end
  return { type = "history", key = effect.key, messages = messages, asked = asked }
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
      client = bot.client })
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
---@return table? more another event that it brought
function perform.effect(bot, effect, chat)
  local ok, event, more = xpcall(function() return does[effect.kind](bot, effect, chat) end, debug.traceback)
  if ok then return event, more end
  ending.pass(event)
  if effect.kind == "escalate" then -- somebody must learn of it: it is tried again
    bot:tell { kind = "error", chat_id = effect.chat_id, message = "on_escalate: " .. tostring(event) }
    local failure = perform.failed(effect, event, false)
    failure.error.kind = "server"
    return failure
  end
  if effect.kind == "about" then return { type = "about", error = tostring(event) } end
  return perform.failed(effect, event)
end

return perform
