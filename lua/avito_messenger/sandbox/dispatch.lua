--- One request of the API, from its route to its answer.
local avito = require "avito_messenger.sandbox.avito"
local check = require "avito_messenger.sandbox.check"
local codec = require "avito_messenger.sandbox.codec"
local faults = require "avito_messenger.sandbox.faults"
local reply = require "avito_messenger.sandbox.reply"
local routes = require "avito_messenger.sandbox.routes"
local yandex_market = require "avito_messenger.sandbox.yandex_market"

local dispatch = {}

---@type table<string, avito.sandbox.Marketplace>
local marketplaces = { avito = avito, yandex_market = yandex_market }

local function no_route(methods)
  if #methods == 0 then return reply.error(404, "Not found") end
  local response = reply.error(405, "Method Not Allowed")
  response.headers.Allow = table.concat(methods, ", ")
  return response
end

local function perform(call)
  local route, marketplace = call.route, call.marketplace
  if not route then reply.refuse(no_route(call.parameters)) end
  if not route.open then marketplace.admit(call) end
  call.query = check.query(call.raw_query, route.query, call.sandbox.options.strict)
  return marketplace.operations[route.operation](call)
end

-- An error as the marketplace words it.
local function worded(call, response)
  local problem, word = response.problem, call.marketplace.problem
  if not problem or not word then return response end
  local own = word(response.status, problem.message, problem.fields)
  for name, value in pairs(response.headers) do own.headers[name] = value end
  return own
end

local function finish(call, response)
  for name, value in pairs(call.limit_headers or {}) do response.headers[name] = value end
  call.entry.status = response.status ~= 0 and response.status or nil
  call.entry.fault = call.struck[1] and call.struck[1].kind or nil
  local delay = call.delay + call.sandbox.random:within(call.sandbox.options.latency)
  if delay > 0 then response.delay = delay end
  if call.marketplace.leave then call.marketplace.leave(call, response) end
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
  local marketplace = marketplaces[route and route.marketplace or routes.marketplace(path)]
  local call = { sandbox = sandbox, marketplace = marketplace, market = marketplace.market(sandbox), request = request,
    now = now, path = path, raw_query = raw_query, route = route, parameters = parameters, delay = 0,
    origin = sandbox:origin_of(request), owner = marketplace.owner(sandbox, request, parameters) }
  call.entry = sandbox:log_request { time = now, method = request.method, path = request.path,
    marketplace = marketplace.name, operation = route and route.name, account = call.owner, applied = false }
  call.struck = faults.striking(call)
  local response = faults.before(call.struck, call)
  if response then return finish(call, worded(call, response)) end
  response = worded(call, (reply.guard(perform, call)))
  if not response.probe then return finish(call, worded(call, faults.after(call.struck, call, response))) end
  local resolve = sandbox.probes[response.probe.id]
  sandbox.probes[response.probe.id] = function(result)
    return finish(call, faults.after(call.struck, call, resolve(result)))
  end
  return response
end

return dispatch
