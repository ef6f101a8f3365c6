--- Avito's messenger, as a bot sees it.
local digits = require "avito_messenger.digits"
local enums = require "avito_messenger.enums"
local errors = require "avito_messenger.errors"
local images = require "avito_messenger.bot.rulebook.images"
local messages = require "avito_messenger.bot.messages"
local webhook = require "avito_messenger.webhook"
local words = require "avito_messenger.words"

local avito = { name = "avito", title = "Avito", account_option = "user_id", poll_options = { chat_types = "table" }, settles = 0,
  refuses = { payment_required = true, auth = true }, hook = webhook, renews_tokens = true }

local PAGE, MAX_PAGES, MAX_OFFSET = 50, 25, 1000

-- ---- the account

function avito.id_of(client)
  local id = client.session:account()
  if id then return id end
  local found, err = client:get_self()
  if not found then return nil, err end
  return found.id
end

function avito.account_key(id) return digits.text(id) end

function avito.chat_id(value)
  if type(value) == "string" then return value end
  return nil, "must be a string, got " .. type(value)
end

-- It says itself when it is the account that is refused.
function avito.refused(_, err) return err end

-- ---- chats

--- The number in a price as the API writes it ("31 500 ₽", its spaces U+00A0); nil for "Бесплатно" and the like.
---@param text any
---@return number?
function avito.price(text)
  if type(text) ~= "string" then return nil end
  local number = text:gsub("\194\160", ""):gsub("\226\128[\130-\143\175]", ""):gsub("%s", ""):match "%d[%d.,]*"
  if not number then return nil end
  local whole, kopecks = number:match "^(%d+)[.,](%d%d?)$"
  if whole then return tonumber(whole .. "." .. kopecks) end
  return tonumber((number:gsub("[.,]", "")))
end

--- The kind of a chat, which its id begins with.
---@param chat table
---@return string?
function avito.chat_type(chat)
  local prefix = type(chat.id) == "string" and chat.id:match "^(%w2%w)%-"
  if prefix then return prefix end
  local context = type(chat.context) == "table" and chat.context or {}
  return context.type == "item" and "u2i" or nil
end

--- Facts of a chat of the API.
---@param chat table
---@param account integer|string
---@return avito.bot.Facts
function avito.facts_of(chat, account)
  local facts = { type = avito.chat_type(chat) }
  for _, user in ipairs(type(chat.users) == "table" and chat.users or {}) do
    if type(user) == "table" and user.id ~= nil and not digits.same(user.id, account) and not facts.buyer then
      local name = type(user.name) == "string" and user.name:find "%S" and user.name or nil
      facts.buyer = { id = user.id, name = name }
    end
  end
  local context = type(chat.context) == "table" and chat.context or {}
  local item = type(context.value) == "table" and context.value
  if item and context.type == "item" then
    local city = type(item.location) == "table" and item.location.title or nil
    facts.item = { id = item.id, title = item.title, url = item.url, price = avito.price(item.price_string),
      price_text = item.price_string, city = city }
  end
  return facts
end

function avito.facts(client, chat_id, account)
  local chat, err = client:get_chat(chat_id)
  if not chat then return nil, err end
  return avito.facts_of(chat, account)
end

function avito.poll_settings(given)
  local types = given.chat_types or { "u2i", "u2u" }
  local problem = words.problem("chat_types", types, enums.values(enums.ChatType), "chat type")
  if problem then return nil, problem end
  return { chat_types = types }
end

--- The unread chats, all of them before any is answered: answering makes the list shorter.
function avito.chats(client, settings, account)
  local chats = {}
  local ok, err = pcall(function()
    for chat in client:chats { unread_only = true, chat_types = settings.chat_types } do
      if type(chat) == "table" and type(chat.id) == "string" then
        local last = type(chat.last_message) == "table" and chat.last_message or {}
        chats[#chats + 1] = { id = chat.id, mark = type(last.id) == "string" and last.id or nil,
          written = type(last.created) == "number" and last.created or nil,
          type = avito.chat_type(chat), facts = avito.facts_of(chat, account) }
      end
    end
  end)
  if ok then return chats end
  if not errors.is(err) then error(err, 0) end
  return nil, err
end

-- Newest first is how they are listed, so the first page that has one which is not wanted is the last.
function avito.read_chat(client, chat_id, wanted)
  local found, offset = {}, 0
  for _ = 1, MAX_PAGES do
    local page, meta = client:get_messages(chat_id, { limit = PAGE, offset = offset })
    if not page then return nil, meta end
    local refused = false
    for _, message in ipairs(page) do
      if messages.is_message(message) then
        if wanted(message, messages.written(message)) then found[#found + 1] = message else refused = true end
      end
    end
    local more = meta.has_more
    if more == nil then more = #page >= PAGE end
    offset = offset + #page
    if refused or not more or offset > MAX_OFFSET then break end
  end
  return found
end

-- ---- what is done

function avito.send(bot, effect)
  return bot.client:send_message(effect.chat_id, effect.text)
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

function avito.send_image(bot, effect)
  local id, err = image_id(bot, effect.image)
  if not id then return nil, err, false end
  return bot.client:send_image_message(effect.chat_id, id)
end

function avito.blacklist(bot, effect)
  return bot.client:add_to_blacklist {
    { user_id = effect.user_id, context = { item_id = effect.item_id, reason_id = effect.reason } } }
end

function avito.mark_read(bot, effect)
  return bot.client:mark_chat_as_read(effect.chat_id)
end

return avito
