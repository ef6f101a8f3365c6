--- The operations on chats and messages.
local check = require "avito_messenger.sandbox.check"
local codec = require "avito_messenger.sandbox.codec"
local content = require "avito_messenger.sandbox.content"
local json = require "avito_messenger.json"
local reply = require "avito_messenger.sandbox.reply"
local view = require "avito_messenger.sandbox.view"

local chats = {}

local DELETE_WITHIN = 3600
local TEXT_MAX = 1000

--- The chat of the request, or a refusal.
local function own_chat(call)
  local chat = call.market.chats[call.parameters.chat_id]
  if not chat then reply.refuse(reply.error(404, "Not found")) end
  if chat.account ~= call.account.user_id then
    local status = call.sandbox.options.foreign_chat
    reply.refuse(reply.error(status, status == 404 and "Not found" or "Forbidden"))
  end
  if call.account.employee and chat.company then reply.refuse(reply.error(403, "Forbidden")) end
  return chat
end

-- Elements from..to of a list, and whether there are more.
local function page(list, limit, offset)
  local part = {}
  for i = offset + 1, math.min(offset + limit, #list) do part[#part + 1] = list[i] end
  return part, offset + #part < #list
end

function chats.get_chats(call)
  local query, types, items = call.query, {}, nil
  for _, kind in ipairs(query.chat_types) do types[kind] = true end
  if query.item_ids then
    items = {}
    for _, id in ipairs(query.item_ids) do items[id] = true end
  end
  local found = {}
  for _, chat in ipairs(call.market.chats_of(call.account)) do
    if types[chat.type] and not (items and not items[chat.item or 0]) and
      not (call.account.employee and chat.company) and
      not (query.unread_only and not call.market.unread(chat)) then
      found[#found + 1] = chat
    end
  end
  local part, more = page(found, query.limit, query.offset)
  local shown = {}
  for i, chat in ipairs(part) do shown[i] = view.chat(call.sandbox, call.market, chat, call.origin) end
  local answer = { chats = json.list(shown) }
  if call.sandbox.options.shapes == "real" then answer.meta = { has_more = more } end
  return reply.json(200, answer)
end

function chats.get_chat(call)
  return reply.json(200, view.chat(call.sandbox, call.market, own_chat(call), call.origin))
end

function chats.get_messages(call)
  local chat = own_chat(call)
  local newest_first = {}
  for i = #chat.messages, 1, -1 do newest_first[#newest_first + 1] = chat.messages[i] end
  local part, more = page(newest_first, call.query.limit, call.query.offset)
  local shown = {}
  for i, message in ipairs(part) do
    shown[i] = view.message(call.sandbox, call.market, chat, message, call.origin)
  end
  if call.sandbox.options.shapes == "contract" then return reply.json(200, json.list(shown)) end
  return reply.json(200, { messages = json.list(shown), meta = { has_more = more } })
end

-- Adds what the account sends, and keeps by which request.
local function send(call, chat, spec)
  local message = call.sandbox:add_message(chat, spec, call.now)
  message.request = call.entry.serial
  call.entry.chat_id, call.entry.message_id, call.entry.text = chat.id, message.id, spec.text
  call.entry.applied = true
  table.insert(call.sandbox.sent, { serial = call.entry.serial, time = call.now, account = chat.account,
    chat_id = chat.id, message_id = message.id, type = message.type, text = spec.text, image_id = spec.image_id })
  local answer = { id = message.id, created = message.created, type = message.type, direction = "out",
    content = content.shown(message.content, call.origin) }
  if call.sandbox.options.shapes == "real" or message.type == "image" then answer.author_id = message.author end
  return reply.json(200, answer)
end

function chats.send_message(call)
  local strict = call.sandbox.options.strict
  local body = check.object(call.request, strict)
  check.members(body, { message = true, type = true }, strict)
  local kind = body.type
  if kind == nil and not strict then kind = "text" end
  if kind ~= "text" then check.refuse("type", "must be text") end
  if type(body.message) ~= "table" then check.refuse("message", "an object expected") end
  check.members(body.message, { text = true }, strict, "message.")
  local text = check.string(body.message, "text", "message.")
  if codec.characters(text) > TEXT_MAX then check.refuse("message.text", "over 1000 characters") end
  return send(call, own_chat(call), { from = "seller", type = "text", text = text })
end

function chats.send_image_message(call)
  local strict = call.sandbox.options.strict
  local body = check.object(call.request, strict)
  check.members(body, { image_id = true }, strict)
  local id = check.string(body, "image_id")
  local image = call.market.images[id]
  if not image or image.account ~= call.account.user_id then check.refuse("image_id", "no such image") end
  return send(call, own_chat(call), { from = "seller", type = "image", image_id = id })
end

function chats.delete_message(call)
  check.no_body(call.request, call.sandbox.options.strict)
  local chat = own_chat(call)
  local message = call.market.message(chat, call.parameters.message_id)
  if not message then reply.refuse(reply.error(404, "Not found")) end
  if message.author ~= call.account.user_id then
    reply.refuse(reply.error(403, "Forbidden: another's message cannot be deleted"))
  end
  if call.now - message.created > DELETE_WITHIN then
    reply.refuse(reply.error(400, "Bad Request: a message can be deleted within one hour"))
  end
  if message.type ~= "deleted" then
    message.type, message.content, message.deleted = "deleted", {}, call.now
    call.entry.applied = true
  end
  return reply.json(200, {})
end

function chats.mark_chat_as_read(call)
  check.no_body(call.request, call.sandbox.options.strict)
  local chat = own_chat(call)
  call.market.read(chat, call.now, "account")
  call.entry.applied = true
  if call.sandbox.random:chance(call.sandbox.options.empty_read) then return reply.text(200, "") end
  return reply.json(200, { ok = true })
end

return chats
