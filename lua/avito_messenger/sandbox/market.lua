--- What the marketplace knows: accounts, items, buyers, chats and messages. Time is handed in.
local content = require "avito_messenger.sandbox.content"
local words = require "avito_messenger.words"

---@class avito.sandbox.Market
local Market = {}
Market.__index = Market
Market.__name = "avito.sandbox.Market"

local ACCOUNT = { user_id = true, client_id = true, client_secret = true, name = true, employee = true, tariff = true,
  scopes = true, redirect_uri = true, email = true, phone = true }
local ITEM = { id = true, account = true, title = true, price = true, status_id = true, url = true, location = true,
  image_count = true }
local BUYER = { id = true, name = true }
local CHAT = { id = true, account = true, buyer = true, item = true, type = true, company = true, messages = true,
  ago = true }
local MESSAGE = { id = true, from = true, ago = true, type = true, text = true, content = true, read = true, url = true,
  preview = true, item_id = true, title = true, kind = true, lat = true, lon = true, status = true, voice_id = true,
  image_id = true, flow_id = true, target_user_id = true, quote = true }
local FROM = { buyer = true, seller = true, system = true }

-- Messages of type system are Avito's own; they have an author that is no party of the chat.
local SYSTEM_AUTHOR = 1

local function whole(value, what)
  if type(value) ~= "number" or value % 1 ~= 0 or value < 1 or value > 2 ^ 53 then
    error(what .. " must be a positive integer", 0)
  end
  return value
end

local function text(value, what)
  if type(value) ~= "string" or value == "" then error(what .. " must be a non-empty string", 0) end
  return value
end

---@param random avito.sandbox.Random
---@return avito.sandbox.Market
function Market.new(random)
  return setmetatable({ random = random, accounts = {}, account_list = {}, items = {}, buyers = {}, chats = {},
    images = {}, voices = {}, blacklist = {}, sequence = 0 }, Market)
end

function Market:new_image_id()
  return ("%d.%s"):format(10000000 + self.random:pick(89999999), self.random:hex(32))
end

---@param spec table
function Market:add_account(spec)
  words.check(spec, ACCOUNT, "account field")
  local id = whole(spec.user_id, "account: user_id")
  if self.accounts[id] then error(("account %.0f is there twice"):format(id), 0) end
  local account = { user_id = id, client_id = spec.client_id or ("dummy-client-%.0f"):format(id),
    client_secret = spec.client_secret or "dummy-client-secret", name = spec.name or ("Продавец %.0f"):format(id),
    employee = spec.employee == true, tariff = spec.tariff ~= false, scopes = spec.scopes,
    redirect_uri = spec.redirect_uri, email = spec.email or ("seller%.0f@example.com"):format(id),
    phone = spec.phone or "70000000000", chats = {} }
  self.accounts[id] = account
  table.insert(self.account_list, account)
  return account
end

---@param spec table
function Market:add_item(spec)
  words.check(spec, ITEM, "item field")
  local id = whole(spec.id, "item: id")
  if not self.accounts[spec.account] then error(("item %.0f: field 'account' is no known account"):format(id), 0) end
  local item = { id = id, account = spec.account, title = text(spec.title, "item: title"),
    price = spec.price, status_id = spec.status_id or 10, image_count = spec.image_count or 1,
    location = spec.location or { title = "Москва", lat = 55.755814, lon = 37.617635 },
    url = spec.url or ("https://avito.ru/moskva/telefony/tovar_%.0f"):format(id) }
  self.items[id] = item
  self.images["item" .. ("%.0f"):format(id)] = { id = id }
  return item
end

---@param spec table
function Market:add_buyer(spec)
  words.check(spec, BUYER, "buyer field")
  local id = whole(spec.id, "buyer: id")
  self.buyers[id] = { id = id, name = spec.name or ("Покупатель %.0f"):format(id) }
  return self.buyers[id]
end

---@param spec table
---@param now integer
function Market:add_chat(spec, now)
  words.check(spec, CHAT, "chat field")
  local account = self.accounts[spec.account]
  if not account then error("chat: field 'account' is no known account", 0) end
  local buyer = whole(spec.buyer, "chat: buyer")
  if not self.buyers[buyer] then self:add_buyer { id = buyer } end
  local kind = spec.type or (spec.item and "u2i" or "u2u")
  if kind == "u2i" and not self.items[spec.item] then error("chat of type 'u2i': field 'item' is no known item", 0) end
  local id = spec.id or ("%s-%s~%s"):format(kind, self.random:letters(10), self.random:letters(11))
  if self.chats[id] then error("chat '" .. id .. "' is there twice", 0) end
  local created = now - math.floor(spec.ago or 0)
  self.sequence = self.sequence + 1
  local chat = { id = id, type = kind, account = spec.account, buyer = buyer, item = spec.item,
    company = spec.company ~= false, created = created, updated = created, order = self.sequence, messages = {} }
  self.chats[id] = chat
  table.insert(account.chats, chat)
  for _, message in ipairs(spec.messages or {}) do self:add_message(chat, message, now) end
  local first, last = chat.messages[1], chat.messages[#chat.messages]
  if first then
    chat.created, chat.updated = math.min(created, first.created), last.created
  end
  return chat
end

--- Adds a message to a chat. `spec.from` is buyer, seller or system.
---@param chat table
---@param spec table
---@param now integer
---@return table message
function Market:add_message(chat, spec, now)
  words.check(spec, MESSAGE, "message field")
  local from = spec.from or "buyer"
  if not FROM[from] then error(words.unknown(from, words.names(FROM), "author, field 'from':"), 0) end
  local kind = spec.type or (from == "system" and "system") or "text"
  local described = setmetatable({ type = kind }, { __index = spec })
  local created = now - math.floor(spec.ago or 0)
  local author = from == "buyer" and chat.buyer or from == "seller" and chat.account or SYSTEM_AUTHOR
  self.sequence = self.sequence + 1
  local message = { id = spec.id or self.random:hex(32), author = author, from = from, created = created, type = kind,
    content = content.build(described, self, chat), order = self.sequence, quote = spec.quote }
  if spec.quote and not Market.message(chat, spec.quote) then error("message: field 'quote' is no message here", 0) end
  -- A party has read what it wrote; a seller who writes has the chat open.
  if from == "seller" or spec.read then Market.read(chat, created, "account") end
  if from == "buyer" then Market.read(chat, created, "buyer") end
  if from == "seller" or spec.read then message.read_by_account = created end
  if from == "buyer" or spec.read then message.read_by_buyer = created end
  table.insert(chat.messages, message)
  chat.updated = math.max(chat.updated, created)
  chat.order = self.sequence
  return message
end

---@return table?
function Market.message(chat, id)
  for _, message in ipairs(chat.messages) do
    if message.id == id then return message end
  end
end

--- One side reads all that is in the chat.
---@param side "account"|"buyer"
function Market.read(chat, now, side)
  local field = "read_by_" .. side
  for i = #chat.messages, 1, -1 do
    local message = chat.messages[i]
    message[field] = message[field] or now
  end
end

---@return boolean
function Market.unread(chat)
  for _, message in ipairs(chat.messages) do
    if not message.read_by_account then return true end
  end
  return false
end

--- The chats of an account, the one last written in first.
---@return table[]
function Market.chats_of(account)
  local list = {}
  for i, chat in ipairs(account.chats) do list[i] = chat end
  table.sort(list, function(a, b)
    if a.updated ~= b.updated then return a.updated > b.updated end
    return a.order > b.order
  end)
  return list
end

--- The chat of a buyer about an item, or between the two; made when there is none.
---@return table chat
function Market:chat_with(account, buyer, item, now)
  for _, chat in ipairs(account.chats) do
    if chat.buyer == buyer and chat.item == item then return chat end
  end
  return self:add_chat({ account = account.user_id, buyer = buyer, item = item }, now)
end

return Market
