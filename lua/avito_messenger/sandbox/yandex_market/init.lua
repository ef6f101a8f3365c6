--- Yandex Market as the sandbox plays it: how a request is admitted, and what errors look like.
local chats = require "avito_messenger.sandbox.yandex_market.chats"
local ids = require "avito_messenger.sandbox.yandex_market.ids"
local json = require "avito_messenger.json"
local limits = require "avito_messenger.sandbox.yandex_market.limits"
local reply = require "avito_messenger.sandbox.reply"

---@type avito.sandbox.Marketplace
local yandex_market = { name = "yandex_market", operations = chats, leave = limits.leave, limited = limits.struck }

local CODES = { [400] = "BAD_REQUEST", [401] = "UNAUTHORIZED", [403] = "FORBIDDEN", [404] = "NOT_FOUND",
  [405] = "METHOD_NOT_ALLOWED", [413] = "REQUEST_ENTITY_TOO_LARGE", [415] = "UNSUPPORTED_MEDIA_TYPE",
  [420] = "ENHANCE_YOUR_CALM", [423] = "LOCKED", [500] = "INTERNAL_SERVER_ERROR", [503] = "SERVICE_UNAVAILABLE" }

--- `{"status":"ERROR","errors":[{"code","message"}]}`
---@param status integer
---@param message string
---@param fields? table<string, string>
---@return avito.sandbox.Response
function yandex_market.problem(status, message, fields)
  local errors = {}
  for name, text in pairs(fields or {}) do
    errors[#errors + 1] = { code = CODES[status], message = name .. ": " .. text }
  end
  if not errors[1] then errors[1] = { code = CODES[status] or "UNKNOWN", message = message } end
  return reply.json(status, { status = "ERROR", errors = json.list(errors) })
end

function yandex_market.market(sandbox)
  return sandbox.yandex_market
end

-- The business whose address is called, whoever calls.
local function business_of(sandbox, parameters)
  return sandbox.yandex_market.businesses[ids.text(parameters.business_id) or ""]
end

function yandex_market.owner(sandbox, _, parameters)
  local business = business_of(sandbox, parameters)
  return business and business.business_id
end

-- The business of a request's key or OAuth token.
local function holder(call)
  local headers = call.request.headers
  local key, bearer = headers["api-key"], (headers.authorization or ""):match("^[Bb][Ee][Aa][Rr][Ee][Rr] +(%S+)%s*$")
  if not key and not bearer then reply.refuse(reply.error(401, "No authorization data")) end
  for _, business in ipairs(call.market.business_list) do
    if key == business.api_key or (not key and bearer == business.oauth_token) then return business end
  end
end

--- Admits a request by its key, its business and the limits; refuses it with the answer it deserves.
function yandex_market.admit(call)
  local business = holder(call)
  if not business or call.expired then reply.refuse(reply.error(403, "The key is not valid")) end
  if not ids.text(call.parameters.business_id) then reply.refuse(reply.error(400, "businessId: a positive integer expected")) end
  if business_of(call.sandbox, call.parameters) ~= business then
    reply.refuse(reply.error(403, "Access denied to the business"))
  end
  call.account = business
  local headers, refusal = limits.count(call)
  call.limit_headers = headers
  if refusal then reply.refuse(refusal) end
end

--- The key of this request is over.
function yandex_market.expire(call)
  call.expired = true
end

return yandex_market
