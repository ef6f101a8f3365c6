--- What people do at Yandex Market, past the API: buyers, the seller by hand, the arbiter, and the one at the cabinet.
local ids = require "avito_messenger.sandbox.yandex_market.ids"
local notifications = require "avito_messenger.sandbox.yandex_market.notifications"
local words = require "avito_messenger.words"

local people = {}

local ADDRESS = { chat_id = true, business = true, order_id = true, return_id = true, customer = true }
local DISPUTE = { chat_id = true, open = true }
local NOTIFY = { business_id = true, url = true }

--- Whether a message is for Yandex Market: by its words, or by a chat that is known here.
---@param sandbox avito.Sandbox
---@param spec any
---@return boolean
function people.are_meant(sandbox, spec)
  if type(spec) ~= "table" then return false end
  for name in pairs(ADDRESS) do
    if name ~= "chat_id" and spec[name] ~= nil then return true end
  end
  return sandbox.yandex_market.chats[ids.text(spec.chat_id) or ""] ~= nil
end

local function known_chat(sandbox, id)
  return sandbox.yandex_market.chats[ids.text(id) or ""] or error("field 'chat_id' is no known chat", 0)
end

local function chat_for(sandbox, address, now)
  local market = sandbox.yandex_market
  if address.chat_id then return known_chat(sandbox, address.chat_id) end
  if address.order_id and not address.return_id and not market.orders[ids.text(address.order_id) or ""] then
    market:add_order { id = address.order_id, business = address.business, customer = address.customer }
  end
  local chat = market:find_chat(address)
  if not chat then
    chat = market:add_chat(address, math.floor(now))
    notifications.created(sandbox, chat, now)
  end
  return chat
end

--- A message of one of the parties; a new chat is made when there is none.
---@param sandbox avito.Sandbox
---@param spec table
---@param from string
---@return { chat_id: string, message_id: string, created: integer }
function people.add(sandbox, spec, from)
  local message, address, now = {}, {}, sandbox:now()
  for name, value in pairs(spec) do
    if ADDRESS[name] then address[name] = value else message[name] = value end
  end
  message.from = from
  local chat = chat_for(sandbox, address, now)
  local added = notifications.add_message(sandbox, chat, message, now)
  return { chat_id = chat.id, message_id = added.id, created = added.time }
end

--- A dispute begins or is over.
---@param sandbox avito.Sandbox
---@param spec { chat_id: integer|string, open?: boolean }
---@return { chat_id: string, type: string, status: string }
function people.dispute(sandbox, spec)
  if type(spec) ~= "table" then error("dispute: table expected, got " .. type(spec), 0) end
  words.check(spec, DISPUTE, "dispute field", 0)
  local chat, open = known_chat(sandbox, spec.chat_id), spec.open ~= false
  if chat.kind == "DIRECT" then error("a chat that a buyer began has no disputes", 0) end
  if open == (chat.type == "ARBITRAGE") then error(open and "there is a dispute already" or "there is no dispute", 0) end
  chat.type, chat.status = open and "ARBITRAGE" or "CHAT", open and "WAITING_FOR_ARBITER" or "FINISHED"
  notifications.dispute(sandbox, chat, open, sandbox:now())
  return { chat_id = chat.id, type = chat.type, status = chat.status }
end

--- Sets the address a business is notified at, or takes it away.
---@param sandbox avito.Sandbox
---@param spec { business_id?: integer|string, url: string|false }
---@return { business_id: integer, url?: string, state: string }
function people.notify(sandbox, spec)
  if type(spec) ~= "table" then error("notify: table expected, got " .. type(spec), 0) end
  words.check(spec, NOTIFY, "notify field", 0)
  if spec.url ~= false and not (type(spec.url) == "string" and spec.url:find("^https?://[^%s/?#]+%S*$")) then
    error("notify: field 'url': an http or https address, or false, expected", 0)
  end
  local business = sandbox.yandex_market:business(spec.business_id)
  notifications.set(sandbox, business, spec.url, sandbox:now())
  return people.address(business)
end

--- Where a business is notified: state is "waiting" (for the PING's answer), "on", "refused" or "off".
---@param business table
---@return { business_id: integer, url?: string, state: string, problem?: string }
function people.address(business)
  local address = business.address or { state = "off" }
  return { business_id = business.business_id, url = address.url, state = address.state, problem = address.problem }
end

return people
