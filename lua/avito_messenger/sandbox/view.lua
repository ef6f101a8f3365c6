--- How chats and messages look in answers and in webhooks, in both sets of shapes.
local codec = require "avito_messenger.sandbox.codec"
local content = require "avito_messenger.sandbox.content"
local json = require "avito_messenger.json"

local view = {}

local AVATARS = { "24x24", "36x36", "48x48", "64x64", "72x72", "96x96", "128x128", "192x192", "256x256" }

local function direction(message, account_id)
  return message.author == account_id and "out" or "in"
end

--- Now and then with a field nobody announced.
function view.surprise(sandbox, object)
  if sandbox.random:chance(sandbox.options.surprises) then
    object.sandbox_surprise = { since = 1, kinds = { "new", "unannounced" } }
  end
  return object
end

--- A message as get_messages lists it.
---@param sandbox avito.Sandbox
---@param market avito.sandbox.Market
---@param chat table
---@param message table
---@param origin string
---@return table
function view.message(sandbox, market, chat, message, origin)
  local shown = { id = message.id, author_id = message.author, created = message.created, type = message.type,
    content = content.shown(message.content, origin), direction = direction(message, chat.account),
    is_read = message.read_by_account ~= nil, read = message.read_by_buyer or json.null() }
  local quoted = message.quote and market.message(chat, message.quote)
  if quoted then
    shown.quote = { id = quoted.id, author_id = quoted.author, created = quoted.created, type = quoted.type,
      content = content.shown(quoted.content, origin) }
  end
  if sandbox.options.shapes == "real" then
    shown.isRead, shown.delivered = shown.is_read, message.created
  end
  return view.surprise(sandbox, shown)
end

local function user(id, name, chat, origin)
  local avatar = origin .. "/files/images/avatar/"
  local images = {}
  for _, size in ipairs(AVATARS) do images[size] = avatar .. size .. ".png" end
  return { id = id, name = name, public_user_profile = { user_id = id, item_id = chat.item,
    avatar = { default = avatar .. "256x256.png", images = images },
    url = ("https://avito.ru/user/sandbox%.0f/profile"):format(id) } }
end

local function context(item, origin, real)
  if not item then return nil end
  local image = ("%s/files/images/item%.0f/140x105.jpg"):format(origin, item.id)
  return { type = "item", value = { id = item.id, title = item.title, price_string = item.price,
    status_id = item.status_id, url = item.url, user_id = item.account, location = real and item.location or nil,
    images = { count = item.image_count, main = { ["140x105"] = image } } } }
end

--- A chat with its last message.
---@param sandbox avito.Sandbox
---@param market avito.sandbox.Market
---@param chat table
---@param origin string
---@return table
function view.chat(sandbox, market, chat, origin)
  local real = sandbox.options.shapes == "real"
  local account, buyer = market.accounts[chat.account], market.buyers[chat.buyer]
  local shown = { id = chat.id, created = chat.created, updated = chat.updated,
    context = context(chat.item and market.items[chat.item], origin, real),
    users = { user(account.user_id, account.name, chat, origin), user(buyer.id, buyer.name, chat, origin) } }
  local last = chat.messages[#chat.messages]
  if last then
    shown.last_message = { id = last.id, author_id = last.author, created = last.created, type = last.type,
      content = content.shown(last.content, origin), direction = direction(last, chat.account) }
    if real then
      shown.last_message.delivered = last.created
      shown.last_message.isRead = last.read_by_account ~= nil
    end
  end
  if real then
    for _, one in ipairs(shown.users) do one.parsing_allowed = true end
  end
  return view.surprise(sandbox, shown)
end

--- What a webhook carries about a message.
---@param sandbox avito.Sandbox
---@param chat table
---@param message table
---@param id string of the envelope
---@param now integer
---@param origin string
---@return table
function view.event(sandbox, chat, message, id, now, origin)
  local value = { id = message.id, chat_id = chat.id, user_id = chat.account, author_id = message.author,
    created = message.created, type = message.type, chat_type = chat.type,
    content = content.shown(message.content, origin), item_id = chat.item }
  if sandbox.options.shapes == "real" then value.published_at = codec.rfc3339(message.created) end
  return { id = id, version = "v3.0.0", timestamp = now,
    payload = { type = "message", value = view.surprise(sandbox, value) } }
end

return view
