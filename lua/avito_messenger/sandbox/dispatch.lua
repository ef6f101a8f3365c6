--- One request of the API, from its route to its answer.
local accounts = require "avito_messenger.sandbox.accounts"
local chats = require "avito_messenger.sandbox.chats"
local check = require "avito_messenger.sandbox.check"
local codec = require "avito_messenger.sandbox.codec"
local faults = require "avito_messenger.sandbox.faults"
local limits = require "avito_messenger.sandbox.limits"
local media = require "avito_messenger.sandbox.media"
local oauth = require "avito_messenger.sandbox.oauth"
local reply = require "avito_messenger.sandbox.reply"
local routes = require "avito_messenger.sandbox.routes"
local webhooks = require "avito_messenger.sandbox.webhooks"

local dispatch = {}

local operations = { token = oauth.token, authorize = oauth.authorize }
for _, group in ipairs { accounts, chats, media, webhooks } do
  for name, operation in pairs(group) do
    if routes.names[name] then operations[name] = operation end
  end
end

local function no_route(methods)
  if #methods == 0 then return reply.error(404, "Not found") end
  local response = reply.error(405, "Method Not Allowed")
  response.headers.Allow = table.concat(methods, ", ")
  return response
end

-- The account of the token, which the path must name too.
local function account_of(call)
  local account = call.market.accounts[call.user_id]
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

local function perform(call)
  local route = call.route
  if not route then reply.refuse(no_route(call.parameters)) end
  if not route.open then
    oauth.authenticate(call)
    local headers, refusal = limits.count(call.sandbox, call.user_id, call.now)
    call.limit_headers = headers
    if refusal then reply.refuse(refusal) end
    call.account = account_of(call)
  end
  call.query = check.query(call.raw_query, route.query, call.sandbox.options.strict)
  return operations[route.name](call)
end

-- For the log and for faults by account: whose token it is, good or not.
local function token_owner(sandbox, request)
  local token = (request.headers.authorization or ""):match("^%S+ +(%S+)")
  local known = sandbox.tokens.access[token or ""]
  return known and known.user_id
end

local function finish(call, response)
  for name, value in pairs(call.limit_headers or {}) do response.headers[name] = value end
  call.entry.status = response.status ~= 0 and response.status or nil
  call.entry.fault = call.struck[1] and call.struck[1].kind or nil
  local delay = call.delay + call.sandbox.random:within(call.sandbox.options.latency)
  if delay > 0 then response.delay = delay end
  return response
end

--- Answers a request.
---@param sandbox avito.Sandbox
---@param request avito.sandbox.Request
---@param now number the sandbox's own time
---@return avito.sandbox.Response
function dispatch.handle(sandbox, request, now)
  local path, raw_query = codec.split(request.path)
  local route, parameters = routes.find(request.method, path)
  local call = { sandbox = sandbox, market = sandbox.market, request = request, now = now, path = path,
    raw_query = raw_query, route = route, parameters = parameters, delay = 0, origin = sandbox:origin_of(request),
    user_id = token_owner(sandbox, request) }
  call.entry = sandbox:log_request { time = now, method = request.method, path = request.path,
    operation = route and route.name, account = call.user_id, applied = false }
  call.struck = faults.striking(call)
  local response = faults.before(call.struck, call)
  if response then return finish(call, response) end
  response = reply.guard(perform, call)
  if not response.probe then return finish(call, faults.after(call.struck, call, response)) end
  local resolve = sandbox.probes[response.probe.id]
  sandbox.probes[response.probe.id] = function(result)
    return finish(call, faults.after(call.struck, call, resolve(result)))
  end
  return response
end

return dispatch
