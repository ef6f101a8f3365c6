--- The operations on the chats of a business.
local check = require "avito_messenger.sandbox.check"
local codec = require "avito_messenger.sandbox.codec"
local ids = require "avito_messenger.sandbox.yandex_market.ids"
local json = require "avito_messenger.json"
local multipart = require "avito_messenger.sandbox.multipart"
local notifications = require "avito_messenger.sandbox.yandex_market.notifications"
local pages = require "avito_messenger.sandbox.yandex_market.pages"
local reply = require "avito_messenger.sandbox.reply"
local view = require "avito_messenger.sandbox.yandex_market.view"

local chats = {}

local BODY_MAX = 512 * 1024
local FILE_MAX = 5 * 1024 * 1024
local TEXT_MAX = 4096

local function ok(result)
  return reply.json(200, { status = "OK", result = result })
end

local function refuse(status, message)
  reply.refuse(reply.error(status, message))
end

-- The JSON object of a request, with the members it may have.
local function body_of(call, members)
  if #call.request.body > BODY_MAX then refuse(413, "the body is over 512 KB") end
  local strict = call.sandbox.options.strict
  local body = check.object(call.request, strict)
  check.members(body, members, strict)
  return body
end

local function own_chat(call)
  local chat = call.market.chats[call.query.chatId]
  if not chat then refuse(404, "Chat not found") end
  if chat.business ~= call.account then
    local status = call.sandbox.options.foreign_chat
    refuse(status, status == 404 and "Chat not found" or "Access denied")
  end
  return chat
end

local CONTEXT = { type = true, id = true }
local IDENTIFIABLE = { ORDER = true, RETURN = true }

-- Order or return that a chat is about: { type =, id = }.
local function context_of(call, given, name)
  if type(given) ~= "table" then check.refuse(name, "an object expected") end
  check.members(given, CONTEXT, call.sandbox.options.strict, name .. ".")
  if not IDENTIFIABLE[given.type or ""] then check.refuse(name .. ".type", "ORDER or RETURN expected") end
  return { type = given.type, id = check.id(given, "id", name .. ".") }
end

function chats.create_chat(call)
  local market = call.market
  local body = body_of(call, { context = true, orderId = true })
  if body.context == nil and body.orderId == nil then check.refuse("context", "required") end
  local context = body.context ~= nil and context_of(call, body.context, "context") or
    { type = "ORDER", id = check.id(body, "orderId") }
  local known = context.type == "ORDER" and market.orders[context.id] or market.returns[context.id]
  local order = known and (known.order or known)
  if not order or order.business ~= call.account then refuse(404, context.type .. " not found: " .. context.id) end
  local about = context.type == "ORDER" and { order_id = context.id } or { return_id = context.id }
  local chat = market:find_chat(about)
  if not chat then
    chat = market:add_chat(about, math.floor(call.now))
    call.entry.applied = true
    notifications.created(call.sandbox, chat, call.now)
  end
  call.entry.chat_id = chat.id
  return ok { chatId = ids.shown(chat.id) }
end

-- A list of a filter: what `read` makes of each element, as a set. The contract wants at least one, each once.
local function set_of(call, body, name, read)
  local given = body[name]
  if given == nil then return nil end
  if type(given) ~= "table" then check.refuse(name, "a list expected") end
  local set, strict = {}, call.sandbox.options.strict
  if given[1] == nil then
    if strict then check.refuse(name, "a list of at least one element expected") end
    return nil
  end
  for i, one in ipairs(given) do
    local key = read(one, ("%s[%d]"):format(name, i - 1))
    if set[key] and strict then check.refuse(name, "an element is there twice") end
    set[key] = true
  end
  return set
end

local function one_of(known)
  return function(value, name)
    if not known[value] then check.refuse(name, "'" .. tostring(value) .. "' is not a known value") end
    return value
  end
end

local FILTERS = { orderIds = true, contexts = true, contextTypes = true, types = true, statuses = true }

-- What a chat is looked up by in each filter: several keys where it may be named in several ways.
local function filters_of(call)
  local market, body = call.market, body_of(call, FILTERS)
  return {
    statuses = set_of(call, body, "statuses", one_of(market.statuses)),
    types = set_of(call, body, "types", one_of(market.types)),
    kinds = set_of(call, body, "contextTypes", one_of(market.kinds)),
    contexts = set_of(call, body, "contexts", function(value, name)
      local context = context_of(call, value, name)
      return context.type .. " " .. context.id
    end),
    orders = set_of(call, body, "orderIds", function(value, name)
      return ids.text(value) or check.refuse(name, "a positive integer expected")
    end),
  }
end

local function passes(chat, filters)
  local order = chat.order and chat.order.id
  local context = chat.kind .. " " .. (chat.return_id or order or "")
  return not (filters.statuses and not filters.statuses[chat.status] or filters.types and not filters.types[chat.type] or
    filters.kinds and not filters.kinds[chat.kind] or filters.contexts and not filters.contexts[context] or
    filters.orders and not filters.orders[order or ""])
end

function chats.get_chats(call)
  local filters, order = filters_of(call), call.sandbox.options.yandex_market.chats_order
  local found = {}
  for _, chat in ipairs(call.market.chat_list) do
    if chat.business == call.account and passes(chat, filters) then found[#found + 1] = chat end
  end
  local page, paging = pages.cut(call, pages.sort(found, order), order, "chats " .. call.account.id)
  for i, chat in ipairs(page) do page[i] = view.chat(call.sandbox, chat) end
  return ok { chats = json.list(page), paging = paging }
end

function chats.get_chat(call)
  return ok(view.chat(call.sandbox, own_chat(call)))
end

function chats.get_chat_history(call)
  local options = call.sandbox.options.yandex_market
  local body, chat = body_of(call, { messageIdFrom = true }), own_chat(call)
  local from = body.messageIdFrom ~= nil and check.id(body, "messageIdFrom")
  local found = {}
  for _, message in ipairs(chat.messages) do
    local old = from and (ids.less(message.id, from) or options.message_id_from == "excluded" and message.id == from)
    if not old then found[#found + 1] = message end
  end
  local order = options.history_order
  local page, paging = pages.cut(call, pages.sort(found, order), order, "history " .. chat.id)
  for i, message in ipairs(page) do page[i] = view.message(call.sandbox, message, call.origin) end
  return ok { orderId = chat.order and ids.shown(chat.order.id), context = view.context(chat),
    messages = json.list(page), paging = paging }
end

function chats.get_chat_message(call)
  local message = call.market.message(own_chat(call), call.query.messageId)
  if not message then refuse(404, "Message not found") end
  return ok(view.message(call.sandbox, message, call.origin))
end

-- Adds what the business sends, and keeps by which request. The answer does not tell the message's id.
local function send(call, chat, spec)
  spec.from = "seller"
  local message = notifications.add_message(call.sandbox, chat, spec, call.now)
  local entry, file = call.entry, message.files and message.files[1].name
  message.request = entry.serial
  entry.chat_id, entry.message_id, entry.text, entry.file, entry.applied = chat.id, message.id, spec.text, file, true
  table.insert(call.sandbox.sent, { serial = entry.serial, time = call.now, marketplace = "yandex_market",
    account = chat.business.business_id, chat_id = chat.id, message_id = message.id, type = file and "file" or "text",
    text = spec.text, file = file })
  return reply.json(200, { status = "OK" })
end

function chats.send_message(call)
  local text = check.string(body_of(call, { message = true }), "message")
  if codec.characters(text) > TEXT_MAX then check.refuse("message", "over 4096 characters") end
  return send(call, own_chat(call), { text = text })
end

function chats.send_file(call)
  local file = multipart.file(call.request, "file", call.sandbox.options.strict)
  if #file.data > FILE_MAX then check.refuse("file", "over 5 MB") end
  return send(call, own_chat(call), { files = { { name = file.filename, data = file.data } } })
end

--- A file of a message, for everybody who has its address. A key has no business there.
function chats.download_file(call)
  local headers = call.request.headers
  if call.sandbox.options.strict and (headers["api-key"] or headers.authorization) then
    refuse(400, "a file is downloaded without the key")
  end
  local file = call.market.files[call.parameters.file_id]
  if not file or file.name ~= call.parameters.name then return reply.text(404, "no such file\n") end
  return reply.text(200, file.data, "application/octet-stream")
end

return chats
