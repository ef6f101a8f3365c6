--- The operations of Yandex Market's chats, one row each.
local CHAT = { type = "id", required = true }
local TOKEN = { type = "text" }

---@param most integer
---@param default integer
local function limit(most, default)
  return { type = "integer", least = 1, most = most, default = default }
end

local BUSINESS = "/v2/businesses/{business_id}/"

return {
  { name = "create_chat", method = "POST", path = BUSINESS .. "chats/new" },
  { name = "get_chats", method = "POST", path = BUSINESS .. "chats",
    query = { limit = limit(20, 10), pageToken = TOKEN, page_token = TOKEN } },
  { name = "get_chat", method = "GET", path = BUSINESS .. "chat", query = { chatId = CHAT } },
  { name = "get_chat_history", method = "POST", path = BUSINESS .. "chats/history",
    query = { chatId = CHAT, limit = limit(100, 50), pageToken = TOKEN, page_token = TOKEN } },
  { name = "send_message", method = "POST", path = BUSINESS .. "chats/message", query = { chatId = CHAT } },
  { name = "get_chat_message", method = "GET", path = BUSINESS .. "chats/message",
    query = { chatId = CHAT, messageId = { type = "id", required = true } } },
  { name = "send_file", method = "POST", path = BUSINESS .. "chats/file/send", query = { chatId = CHAT } },
  { name = "download_file", method = "GET", path = "/files/yandex_market/{file_id}/{name}", open = true },
}
