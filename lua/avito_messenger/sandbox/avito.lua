--- Avito as the sandbox plays it: how a request is admitted.
local accounts = require "avito_messenger.sandbox.accounts"
local chats = require "avito_messenger.sandbox.chats"
local check = require "avito_messenger.sandbox.check"
local limits = require "avito_messenger.sandbox.limits"
local media = require "avito_messenger.sandbox.media"
local oauth = require "avito_messenger.sandbox.oauth"
local reply = require "avito_messenger.sandbox.reply"
local webhooks = require "avito_messenger.sandbox.webhooks"

---@class avito.sandbox.Marketplace
---@field name string
---@field operations table<string, fun(call: table): avito.sandbox.Response>
---@field market fun(sandbox: avito.Sandbox): table what the marketplace knows
---@field owner fun(sandbox: avito.Sandbox, request: avito.sandbox.Request, parameters: table): integer? whose request it
---is, good or not: for the log, and for faults by account
---@field admit fun(call: table) sets call.account, or refuses
---@field expire fun(call: table) ends what the request is authorized by
---@field limited fun(call: table, seconds: number?, date: boolean): avito.sandbox.Response of a request too many
---@field leave? fun(call: table, response: avito.sandbox.Response) the answer is on its way
---@field problem? fun(status: integer, message: string, fields: table?): avito.sandbox.Response an error in its own shape

---@type avito.sandbox.Marketplace
local avito = { name = "avito", operations = {} }

for _, group in ipairs { oauth, accounts, chats, media, webhooks } do
  for name, operation in pairs(group) do avito.operations[name] = operation end
end

function avito.market(sandbox)
  return sandbox.market
end

local function token_of(call)
  local token = (call.request.headers.authorization or ""):match("^%S+ +(%S+)")
  return call.sandbox.tokens.access[token or ""]
end

function avito.owner(sandbox, request)
  local known = token_of { sandbox = sandbox, request = request }
  return known and known.user_id
end

-- The account of the token, which the path must name too.
local function account_of(call)
  local account = call.market.accounts[call.owner]
  local named = call.parameters.user_id
  if named and check.integer("user_id", named, 1, 2 ^ 53) ~= account.user_id then
    reply.refuse(reply.error(403, "Forbidden: the token belongs to another account"))
  end
  if not account.tariff and call.route.name ~= "get_self" then
    reply.refuse(reply.error(402, "Payment required"))
  end
  if account.employee and call.route.company then
    reply.refuse(reply.error(403, "Forbidden"))
  end
  return account
end

function avito.admit(call)
  oauth.authenticate(call)
  local headers, refusal = limits.count(call.sandbox, call.owner, call.now)
  call.limit_headers = headers
  if refusal then reply.refuse(refusal) end
  call.account = account_of(call)
end

function avito.expire(call)
  local token = token_of(call)
  if token then token.expires_at = math.min(token.expires_at, call.now) end
end

function avito.limited(call, seconds, date)
  return limits.refusal(date and "date" or seconds and "seconds", call.now + (seconds or 0), call.now)
end

return avito
