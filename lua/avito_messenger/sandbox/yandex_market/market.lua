--- What Yandex Market knows: businesses, orders, returns, chats and messages. Time is handed in. Ids are texts of digits.
local avito = require "avito_messenger.sandbox.market"
local ids = require "avito_messenger.sandbox.yandex_market.ids"
local words = require "avito_messenger.words"

---@class avito.sandbox.YandexMarket
local Market = {}
Market.__index = Market
Market.__name = "avito.sandbox.YandexMarket"

local BUSINESS = { business_id = true, api_key = true, oauth_token = true, name = true }
local ORDER = { id = true, business = true, campaign_id = true, customer = true }
local RETURN = { id = true, order_id = true }
local CUSTOMER = { public_id = true, name = true }
local CHAT = { id = true, business = true, order_id = true, return_id = true, customer = true, status = true, type = true,
  messages = true, ago = true }
local MESSAGE = { from = true, ago = true, text = true, files = true }
local FILE = { name = true, data = true }

Market.senders = { buyer = "CUSTOMER", seller = "PARTNER", market = "MARKET", support = "SUPPORT" }
Market.kinds = { ORDER = true, RETURN = true, DIRECT = true }
Market.types = { CHAT = true, ARBITRAGE = true }
Market.statuses = { NEW = true, WAITING_FOR_CUSTOMER = true, WAITING_FOR_PARTNER = true, WAITING_FOR_ARBITER = true,
  WAITING_FOR_MARKET = true, FINISHED = true }

-- Whom a chat waits for after a message; an arbiter is waited for until the dispute is over.
local WAITS = { CUSTOMER = "WAITING_FOR_PARTNER", PARTNER = "WAITING_FOR_CUSTOMER" }

-- What a file holds that nobody gave.
local NOTHING = "sandbox file\n"

local function id_of(value, what)
  return ids.text(value) or error(what .. " must be a positive integer", 0)
end

---@param random avito.sandbox.Random
---@param wide boolean ids past 2^53
---@return avito.sandbox.YandexMarket
function Market.new(random, wide)
  return setmetatable({ random = random, wide = wide, businesses = {}, business_list = {}, orders = {}, returns = {},
    chats = {}, chat_list = {}, files = {}, sequence = 0 }, Market)
end

-- Ids rise, over all chats.
function Market:new_id(kind)
  self.sequence = self.sequence + 1
  return ("%s%09d"):format((self.wide and "91" or "") .. kind .. (self.wide and "0000000" or ""), self.sequence)
end

---@param spec table
function Market:add_business(spec)
  words.check(spec, BUSINESS, "business field")
  local id = id_of(spec.business_id, "business: business_id")
  if self.businesses[id] then error(("business %s is there twice"):format(id), 0) end
  local business = { id = id, business_id = spec.business_id, api_key = spec.api_key or "dummy-api-key-" .. id,
    oauth_token = spec.oauth_token or "dummy-oauth-token-" .. id, name = spec.name or "Магазин " .. id, windows = {},
    slots = {} }
  self.businesses[id] = business
  table.insert(self.business_list, business)
  return business
end

--- A business by its id, the first where none is named.
---@return table
function Market:business(id)
  if id == nil and self.business_list[1] then return self.business_list[1] end
  return self.businesses[ids.text(id) or ""] or error("field 'business' is no known business", 0)
end

local function customer_of(given)
  if type(given) == "string" then given = { public_id = given } end
  if type(given) ~= "table" then error("field 'customer': a public_id, or { public_id, name } expected", 0) end
  words.check(given, CUSTOMER, "customer field")
  if type(given.public_id) ~= "string" or given.public_id == "" then
    error("customer: public_id must be a non-empty string", 0)
  end
  return { public_id = given.public_id, name = given.name or "Покупатель" }
end

---@param spec table
function Market:add_order(spec)
  words.check(spec, ORDER, "order field")
  local id = id_of(spec.id, "order: id")
  if self.orders[id] then error(("order %s is there twice"):format(id), 0) end
  local order = { id = id, business = self:business(spec.business),
    campaign_id = id_of(spec.campaign_id or 1000001, "order: campaign_id"),
    customer = customer_of(spec.customer or "customer-" .. id) }
  self.orders[id] = order
  return order
end

---@param spec table
function Market:add_return(spec)
  words.check(spec, RETURN, "return field")
  local id = id_of(spec.id, "return: id")
  if self.returns[id] then error(("return %s is there twice"):format(id), 0) end
  local order = self.orders[ids.text(spec.order_id) or ""]
  if not order then error("return: field 'order_id' is no known order", 0) end
  self.returns[id] = { id = id, order = order }
  return self.returns[id]
end

local function enum(spec, field, known, default)
  local value = spec[field] or default
  if not known[value] then error(words.unknown(tostring(value), words.names(known), "chat " .. field), 0) end
  return value
end

-- What a chat is about.
local function subject(self, spec)
  if spec.return_id ~= nil then
    local one = self.returns[ids.text(spec.return_id) or ""]
    if not one then error("field 'return_id' is no known return", 0) end
    return { kind = "RETURN", return_id = one.id, order = one.order, business = one.order.business,
      customer = one.order.customer }
  end
  if spec.order_id ~= nil then
    local order = self.orders[ids.text(spec.order_id) or ""]
    if not order then error("field 'order_id' is no known order", 0) end
    return { kind = "ORDER", order = order, business = order.business, customer = order.customer }
  end
  return { kind = "DIRECT", business = self:business(spec.business), customer = customer_of(spec.customer) }
end

---@param spec table
---@param now integer
---@return table chat
function Market:add_chat(spec, now)
  words.check(spec, CHAT, "chat field")
  local chat = subject(self, spec)
  chat.id = spec.id and id_of(spec.id, "chat: id") or self:new_id "5"
  if self.chats[chat.id] then error(("chat %s is there twice"):format(chat.id), 0) end
  chat.type, chat.messages = enum(spec, "type", Market.types, "CHAT"), {}
  chat.created = now - math.floor(spec.ago or 0)
  chat.status, chat.time = "NEW", chat.created
  self.sequence = self.sequence + 1
  chat.rank = self.sequence
  self.chats[chat.id] = chat
  table.insert(self.chat_list, chat)
  for _, message in ipairs(spec.messages or {}) do self:add_message(chat, message, now) end
  local first = chat.messages[1]
  if first then chat.created = math.min(chat.created, first.time) end
  if spec.type == "ARBITRAGE" then chat.status = "WAITING_FOR_ARBITER" end
  chat.status = enum(spec, "status", Market.statuses, chat.status)
  return chat
end

--- The chat about an order or a return, or of a customer; nil where there is none.
---@param spec table
---@return table?
function Market:find_chat(spec)
  local wanted = subject(self, spec)
  for _, chat in ipairs(self.chat_list) do
    if chat.kind == wanted.kind and chat.business == wanted.business and
      (chat.kind ~= "DIRECT" and chat.order == wanted.order and chat.return_id == wanted.return_id or
        chat.kind == "DIRECT" and chat.customer.public_id == wanted.customer.public_id) then
      return chat
    end
  end
end

function Market:add_file(given)
  if type(given) == "string" then given = { name = given } end
  if type(given) ~= "table" then error("message: field 'files' is a list of names or { name, data }", 0) end
  words.check(given, FILE, "file field")
  if type(given.name) ~= "string" or given.name == "" then error("file: name must be a non-empty string", 0) end
  local file = { id = self.random:hex(32), name = given.name, data = given.data or NOTHING }
  self.files[file.id] = file
  return file
end

local function files_of(self, given)
  if given == nil then return nil end
  if type(given) ~= "table" or given[1] == nil then error("message: field 'files' is a list of files", 0) end
  local files = {}
  for i, one in ipairs(given) do files[i] = self:add_file(one) end
  return files
end

--- Adds a message to a chat.
---@param chat table
---@param spec table from, text, files
---@param now integer
---@return table message
function Market:add_message(chat, spec, now)
  words.check(spec, MESSAGE, "message field")
  local sender = Market.senders[spec.from or "buyer"]
  if not sender then error(words.unknown(tostring(spec.from), words.names(Market.senders), "party of a chat"), 0) end
  if spec.text == nil and spec.files == nil then error("message: field 'text' or 'files' is required", 0) end
  if spec.text ~= nil and (type(spec.text) ~= "string" or spec.text == "") then
    error("message: field 'text' must be a non-empty string", 0)
  end
  local message = { sender = sender, text = spec.text, files = files_of(self, spec.files),
    time = now - math.floor(spec.ago or 0), id = self:new_id "7" }
  message.rank = self.sequence
  table.insert(chat.messages, message)
  chat.time, chat.rank = math.max(chat.time, message.time), self.sequence
  if #chat.messages == 1 then chat.time = message.time end
  if chat.type == "CHAT" and WAITS[sender] then chat.status = WAITS[sender] end
  return message
end

Market.message = avito.message

return Market
