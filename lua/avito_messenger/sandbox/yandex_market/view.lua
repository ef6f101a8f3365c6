--- How chats and messages of Yandex Market look in answers.
local codec = require "avito_messenger.sandbox.codec"
local ids = require "avito_messenger.sandbox.yandex_market.ids"
local view = require "avito_messenger.sandbox.view"

local shapes = {}

---@param chat table
---@return table
function shapes.context(chat)
  local order = chat.order
  return { type = chat.kind, customer = { name = chat.customer.name, publicId = chat.customer.public_id },
    campaignId = order and ids.shown(order.campaign_id), orderId = order and ids.shown(order.id),
    returnId = chat.return_id and ids.shown(chat.return_id) }
end

---@param sandbox avito.Sandbox
---@param chat table
---@return table
function shapes.chat(sandbox, chat)
  return view.surprise(sandbox, { chatId = ids.shown(chat.id), orderId = chat.order and ids.shown(chat.order.id),
    context = shapes.context(chat), type = chat.type, status = chat.status,
    createdAt = codec.moscow(chat.created), updatedAt = codec.moscow(chat.time) })
end

local function payload(files, origin)
  local list = {}
  for i, file in ipairs(files) do
    list[i] = { name = file.name, size = #file.data,
      url = ("%s/files/yandex_market/%s/%s"):format(origin, file.id, codec.escape(file.name)) }
  end
  return list
end

---@param sandbox avito.Sandbox
---@param message table
---@param origin string
---@return table
function shapes.message(sandbox, message, origin)
  return view.surprise(sandbox, { messageId = ids.shown(message.id), createdAt = codec.moscow(message.time),
    sender = message.sender, message = message.text, payload = message.files and payload(message.files, origin) })
end

return shapes
