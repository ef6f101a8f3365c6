--- What the sandbox knows of Yandex Market, as plain tables. Ids are texts of digits.
local json = require "avito_messenger.json"
local people = require "avito_messenger.sandbox.yandex_market.people"

local function shown_chat(chat)
  local messages = {}
  for i, message in ipairs(chat.messages) do
    local files
    for at, file in ipairs(message.files or {}) do
      files = files or {}
      files[at] = { id = file.id, name = file.name, size = #file.data }
    end
    messages[i] = { id = message.id, sender = message.sender, created = message.time, text = message.text, files = files,
      request = message.request }
  end
  return { id = chat.id, business_id = chat.business.business_id, context_type = chat.kind, type = chat.type,
    status = chat.status, order_id = chat.order and chat.order.id, return_id = chat.return_id, customer = chat.customer,
    created = chat.created, updated = chat.time, messages = json.list(messages) }
end

---@param sandbox avito.Sandbox
---@return table
return function(sandbox)
  local market, chats, addresses = sandbox.yandex_market, {}, {}
  for i, chat in ipairs(market.chat_list) do chats[i] = shown_chat(chat) end
  for i, business in ipairs(market.business_list) do addresses[i] = people.address(business) end
  return { businesses = json.list(sandbox:businesses()), chats = json.list(chats), notifications = json.list(addresses) }
end
