--- What the clients of Yandex Market have of their own.
local errors = require "avito_messenger.errors"
local files = require "avito_messenger.files"
local pages = require "avito_messenger.pages"
local run = require "avito_messenger.run"

---@class avito_messenger.yandex_market.Client : avito_messenger.AnyClient
local methods = {}

local CHATS = {
  name = "chats", cursor = pages.token, limit = 20, id = "chatId",
  filter = { contexts = "table", context_types = "table", types = "table", statuses = "table", limit = "number",
    page_token = "string" },
}
local MESSAGES = {
  name = "messages", cursor = pages.token, limit = 100, id = "messageId",
  filter = { limit = "number", page_token = "string", message_id_from = "number|string" },
}

--- An iterator over all chats that match; the API promises no order. Raises the error of a page that fails. With prefetch = n
--- up to n pages are read ahead while one is gone over (0 to 10; where the driver has tasks, as the loop has).
---@param filter? { contexts?: { type: avito_messenger.yandex_market.ContextType, id: integer|string }[],
--- context_types?: avito_messenger.yandex_market.ContextType[], types?: avito_messenger.yandex_market.ChatType[],
--- statuses?: avito_messenger.yandex_market.ChatStatus[], limit?: integer, page_token?: string, prefetch?: integer } limit:
--- chats of a page, 1 to 20; default 20
---@param call_options? avito_messenger.CallOptions
---@return avito_messenger.Pages
function methods:chats(filter, call_options)
  return pages.new(CHATS, filter, self.driver, function(page)
    return self:get_chats(page, call_options)
  end)
end

--- An iterator over the messages of a chat; the API promises no order. Raises the error of a page that fails; prefetch as for
--- chats.
---@param chat_id integer|string
---@param range? { limit?: integer, page_token?: string, message_id_from?: integer|string, prefetch?: integer } limit: messages
--- of a page, 1 to 100; default 100. message_id_from: only that message and those after it
---@param call_options? avito_messenger.CallOptions
---@return avito_messenger.Pages
function methods:messages(chat_id, range, call_options)
  return pages.new(MESSAGES, range, self.driver, function(page)
    return self:get_chat_history(chat_id, page, call_options)
  end)
end

--- Sends a file of at most 5 MB. Never repeated when the server may have seen it. The answer has no id of the message.
---@param chat_id integer|string
---@param file string|{ data: string, filename: string } a path, or the bytes and what they are called
---@param call_options? avito_messenger.CallOptions
---@return true?
---@return avito_messenger.Error?
function methods:send_file(chat_id, file, call_options)
  if self.closed then return errors.closed "send_file" end
  local told, err = files.describe("send_file", file)
  if err then return nil, err end
  local now = self.driver:now()
  return run.operation(self.session:operation("send_file", now, chat_id, told, call_options), now, self)
end

--- The API calls an address a text: the name of the file that a buyer sent may stand in it as it is.
local function encoded(url)
  local host, rest = url:match "^(%a+://[^/?#]*)(.*)$"
  if not host then return url end
  return host .. rest:gsub("[ \128-\255]", function(char) return ("%%%02X"):format(char:byte()) end)
end

--- Saves a file of a message, whole or not at all. The key is not sent there.
---@param url string payload[i].url of the message
---@param path string
---@param call_options? avito_messenger.CallOptions
---@return true?
---@return avito_messenger.Error?
function methods:download_file(url, path, call_options)
  files.check_string("download_file", "url", url)
  files.check_string("download_file", "path", path)
  return files.fetch(self, "download_file", encoded(url), path, call_options)
end

---@class avito_messenger.yandex_market.ClientOptions : avito_messenger.AnyClientOptions
---@field api_key? string from the seller's cabinet, with the scope "communication"; either this or an oauth_token
---@field oauth_token? string
---@field business_id integer|string the account ("кабинет"): a positive integer, also as digits
---@field pace? avito_messenger.yandex_market.Pace|false how many requests go at once, and how many an hour; false: only as many
--- at once, without the hourly limits

---@class avito_messenger.yandex_market.Pace calls beyond it wait for their turn, first come, first served, as long as their
--- timeout allows. Each method has the API's limit an hour
---@field at_once? integer requests under way at one time, 1 to 4; default 4, which is the API's limit for a business

---@type avito_messenger.ClientKind
return {
  name = "yandex_market",
  title = "avito_messenger.yandex_market.Client",
  where = "yandex_market.client",
  account = "business",
  base_url = "https://api.partner.market.yandex.ru",
  options = { api_key = "string", oauth_token = "string", business_id = "number|string" },
  pace = { at_once = true },
  paced_anyway = true,
  methods = methods,
}
