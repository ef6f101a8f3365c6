--- The operations of the contracts, one row each, with their parameters' bounds; and which one a request is.
local codec = require "avito_messenger.sandbox.codec"
local yandex_market = require "avito_messenger.sandbox.yandex_market.routes"

local routes = {}

---@class avito.sandbox.Route
---@field name string as in faults and in the log: those of Yandex Market begin with its name
---@field operation string
---@field marketplace "avito"|"yandex_market"
---@field method string
---@field path string
---@field scope string the scope the token must have
---@field query table<string, table>
---@field company? boolean refused to an employee's key for chats of the company

local CHAT_TYPES = { u2i = true, u2u = true, a2u = true }
local LIMIT = { type = "integer", least = 1, most = 100, default = 100 }
local OFFSET = { type = "integer", least = 0, most = 1000, default = 0 }

routes.list = {
  { name = "get_chats", method = "GET", path = "/messenger/v2/accounts/{user_id}/chats", scope = "messenger:read",
    query = { item_ids = { type = "integers", list = true }, unread_only = { type = "boolean", default = false },
      chat_types = { type = "words", list = true, among = CHAT_TYPES, default = { "u2i" } },
      limit = LIMIT, offset = OFFSET } },
  { name = "get_chat", method = "GET", path = "/messenger/v2/accounts/{user_id}/chats/{chat_id}",
    scope = "messenger:read" },
  { name = "get_messages", method = "GET", path = "/messenger/v3/accounts/{user_id}/chats/{chat_id}/messages/",
    scope = "messenger:read", query = { limit = LIMIT, offset = OFFSET } },
  { name = "send_message", method = "POST", path = "/messenger/v1/accounts/{user_id}/chats/{chat_id}/messages",
    scope = "messenger:write" },
  { name = "send_image_message", method = "POST",
    path = "/messenger/v1/accounts/{user_id}/chats/{chat_id}/messages/image", scope = "messenger:write" },
  { name = "delete_message", method = "POST",
    path = "/messenger/v1/accounts/{user_id}/chats/{chat_id}/messages/{message_id}", scope = "messenger:write" },
  { name = "mark_chat_as_read", method = "POST", path = "/messenger/v1/accounts/{user_id}/chats/{chat_id}/read",
    scope = "messenger:read" },
  { name = "get_voice_files", method = "GET", path = "/messenger/v1/accounts/{user_id}/getVoiceFiles",
    scope = "messenger:read", company = true,
    query = { voice_ids = { type = "words", list = true, required = true } } },
  { name = "upload_image", method = "POST", path = "/messenger/v1/accounts/{user_id}/uploadImages",
    scope = "messenger:write", company = true },
  { name = "subscribe_webhook", method = "POST", path = "/messenger/v3/webhook", scope = "messenger:read" },
  { name = "unsubscribe_webhook", method = "POST", path = "/messenger/v1/webhook/unsubscribe",
    scope = "messenger:read" },
  { name = "get_webhook_subscriptions", method = "POST", path = "/messenger/v1/subscriptions",
    scope = "messenger:read" },
  { name = "add_to_blacklist", method = "POST", path = "/messenger/v2/accounts/{user_id}/blacklist",
    scope = "messenger:write", company = true },
  { name = "get_self", method = "GET", path = "/core/v1/accounts/self", scope = "user:read" },
  { name = "token", method = "POST", path = "/token", open = true },
  { name = "authorize", method = "GET", path = "/oauth", open = true, query = {
    response_type = { type = "words" }, client_id = { type = "words" }, scope = { type = "words", list = true },
    state = { type = "words" }, pro_users_flow = { type = "words" }, user_id = { type = "integer", least = 1,
      most = 2 ^ 53 }, deny = { type = "words" } } },
  { name = "download_voice", method = "GET", path = "/files/voices/{voice_id}/{key}", open = true,
    query = { expires = { type = "integer", least = 0, most = 2 ^ 53, required = true } } },
  { name = "download_image", method = "GET", path = "/files/images/{image_id}/{size}", open = true },
}

--- Every operation name, for faults and filters.
routes.names = {}

local function segments(path)
  local list = {}
  for segment in (path:sub(2) .. "/"):gmatch("([^/]*)/") do list[#list + 1] = segment end
  return list
end

for _, row in ipairs(yandex_market) do
  row.marketplace, row.operation, row.name = "yandex_market", row.name, "yandex_market." .. row.name
  table.insert(routes.list, row)
end

for _, route in ipairs(routes.list) do
  route.marketplace, route.operation = route.marketplace or "avito", route.operation or route.name
  route.query = route.query or {}
  route.segments = segments(route.path)
  routes.names[route.name] = true
end

local function match(route, given)
  if #route.segments ~= #given then return nil end
  local parameters = {}
  for i, wanted in ipairs(route.segments) do
    local name = wanted:match("^{(.*)}$")
    if name then
      local value = codec.unescape(given[i])
      if not value or value == "" then return nil end
      parameters[name] = value
    elseif wanted ~= given[i] then
      return nil
    end
  end
  return parameters
end

--- The marketplace whose answers a path gets that has no route.
---@param path string
---@return "avito"|"yandex_market"
function routes.marketplace(path)
  return path:find("^/v2/businesses/") and "yandex_market" or "avito"
end

--- The route of a request. A literal segment wins over a parameter: `…/messages/image` is no message id.
---@param method string
---@param path string
---@return avito.sandbox.Route? route
---@return table<string, string>|string[] parameters, or the methods this path has (empty: no such path)
function routes.find(method, path)
  local given = segments(path)
  local methods = {}
  for _, route in ipairs(routes.list) do
    local parameters = match(route, given)
    if parameters then
      if route.method == method then return route, parameters end
      methods[#methods + 1] = route.method
    end
  end
  return nil, methods
end

return routes
