--- The control API under /sandbox/: the same as the methods of a sandbox, as JSON over HTTP.
local check = require "avito_messenger.sandbox.check"
local codec = require "avito_messenger.sandbox.codec"
local json = require "avito_messenger.json"
local reply = require "avito_messenger.sandbox.reply"
local yandex_market_state = require "avito_messenger.sandbox.yandex_market.state"

local control = {}

local OVERVIEW = [[
avito-messenger sandbox: simulated marketplaces, Avito and Yandex Market.

At this address answers what https://api.avito.ru and https://api.partner.market.yandex.ru do. Credentials:
%s
What a person would do, and what you may want to know:

  GET    /sandbox/state                everything: accounts, items, buyers, chats with messages, subscriptions,
                                       and under "yandex_market" what is there
  POST   /sandbox/say                  a buyer writes     {"chat_id":"…","text":"Ещё продаёте?"}
                                       or, by item        {"buyer":200000009,"item":4098549657,"text":"…"}
                                       any type           {"chat_id":"…","type":"voice"}
                                       at Yandex Market   {"order_id":41000002,"text":"…","files":["photo.jpg"]}
                                       or a new order, a return_id, a customer of a business, or a chat_id;
                                       "from":"market" or "support" for those
  POST   /sandbox/write                the seller writes by hand, past the API   {"chat_id":"…","text":"…"}
  POST   /sandbox/dispute              at Yandex Market   {"chat_id":"…"} or {"chat_id":"…","open":false}
  POST   /sandbox/notify               its cabinet        {"business_id":2200001,"url":"http://127.0.0.1:8080/hook"}
  GET    /sandbox/log                  requests seen      ?operation=send_message&since=17
  GET    /sandbox/sends                every send that was accepted, with the serial of its request
  GET    /sandbox/deliveries           webhooks and notifications, and their attempts
  GET    /sandbox/faults               faults that are set, with how often they struck
  POST   /sandbox/faults               {"operation":"send_message","kind":"apply_and_close"}
                                       {"kind":"latency","seconds":[0.1,2],"probability":0.3}
                                       {"operation":"yandex_market.send_message","kind":"status","status":423}
  DELETE /sandbox/faults               no faults
  GET    /sandbox/clock                the sandbox's time
  POST   /sandbox/clock                {"advance":3600} or {"time":1767225600}
  POST   /sandbox/codes                an authorization code   {"client_id":"…","user_id":100000002}
  GET    /sandbox/tokens               how many tokens were issued and refused
  POST   /sandbox/tokens/expire        {} or {"user_id":94235311}
  POST   /sandbox/reset                back to the beginning

Fault kinds: latency status html empty invalid_json close apply_and_close hang cut drip token_expired rate_limited
]]

local function shown_chat(chat)
  local messages = {}
  for i, message in ipairs(chat.messages) do
    messages[i] = { id = message.id, author_id = message.author, from = message.from, created = message.created,
      type = message.type, content = message.content, request = message.request, deleted = message.deleted,
      read_by_account = message.read_by_account, read_by_buyer = message.read_by_buyer }
  end
  return { id = chat.id, type = chat.type, account = chat.account, buyer = chat.buyer, item = chat.item,
    created = chat.created, updated = chat.updated, messages = json.list(messages) }
end

local function sorted(map, key)
  local list = {}
  for _, value in pairs(map) do list[#list + 1] = value end
  table.sort(list, function(a, b) return a[key] < b[key] end)
  return list
end

--- The state as plain tables, as GET /sandbox/state gives it.
---@param sandbox avito.Sandbox
---@return table
function control.state(sandbox)
  local market = sandbox.market
  local chats, subscriptions, accounts = {}, {}, {}
  for i, account in ipairs(market.account_list) do
    accounts[i] = { user_id = account.user_id, name = account.name, client_id = account.client_id,
      client_secret = account.client_secret, employee = account.employee, tariff = account.tariff }
    for _, chat in ipairs(market.chats_of(account)) do chats[#chats + 1] = shown_chat(chat) end
    for _, one in ipairs(sandbox.hooks.subscriptions[account.user_id] or {}) do
      subscriptions[#subscriptions + 1] = { account = account.user_id, url = one.url, version = one.version }
    end
  end
  return { now = sandbox:now(), yandex_market = yandex_market_state(sandbox),
    accounts = json.list(accounts), chats = json.list(chats),
    items = json.list(sorted(market.items, "id")), buyers = json.list(sorted(market.buyers, "id")),
    subscriptions = json.list(subscriptions), blacklist = json.list(market.blacklist),
    tokens = sandbox:token_counts() }
end

-- The body as an object; none at all counts as {}.
local function body_of(request)
  if request.body == "" then return {} end
  return check.object(request, false)
end

local handlers = {}

handlers["GET /sandbox/"] = function(sandbox)
  local lines = {}
  for _, one in ipairs(sandbox:credentials()) do
    lines[#lines + 1] = ("  user_id %.0f  client_id %s  client_secret %s  (%s)"):format(one.user_id, one.client_id,
      one.client_secret, one.name)
  end
  for _, one in ipairs(sandbox:businesses()) do
    lines[#lines + 1] = ("  business_id %s  api_key %s  oauth_token %s  (%s)"):format(one.business_id, one.api_key,
      one.oauth_token, one.name)
  end
  return reply.text(200, OVERVIEW:format(table.concat(lines, "\n") .. "\n"))
end
handlers["GET /sandbox"] = handlers["GET /sandbox/"]

handlers["GET /sandbox/state"] = function(sandbox) return control.state(sandbox) end
handlers["POST /sandbox/say"] = function(sandbox, request) return sandbox:say(body_of(request)) end
handlers["POST /sandbox/write"] = function(sandbox, request) return sandbox:write(body_of(request)) end

handlers["POST /sandbox/dispute"] = function(sandbox, request) return sandbox:dispute(body_of(request)) end
handlers["POST /sandbox/notify"] = function(sandbox, request) return sandbox:notify(body_of(request)) end

handlers["GET /sandbox/log"] = function(sandbox, _, query)
  local filter = {}
  for name, values in pairs(query) do filter[name] = values[1] end
  if filter.since then filter.since = check.integer("since", filter.since, 0, 2 ^ 53) end
  return { requests = json.list(sandbox:log(filter)) }
end

handlers["GET /sandbox/sends"] = function(sandbox) return { sends = json.list(sandbox:sends()) } end
handlers["GET /sandbox/deliveries"] = function(sandbox) return { deliveries = json.list(sandbox:deliveries()) } end
handlers["GET /sandbox/faults"] = function(sandbox) return { faults = json.list(sandbox.faults) } end
handlers["POST /sandbox/faults"] = function(sandbox, request) return sandbox:fault(body_of(request)) end
handlers["DELETE /sandbox/faults"] = function(sandbox)
  sandbox:clear_faults()
  return { ok = true }
end

handlers["GET /sandbox/clock"] = function(sandbox) return { time = sandbox:now() } end
handlers["POST /sandbox/clock"] = function(sandbox, request)
  local body = body_of(request)
  if (body.advance == nil) == (body.time == nil) then error("clock: 'advance' or 'time' expected", 0) end
  if body.time ~= nil then sandbox:set_time(body.time) else sandbox:advance(body.advance) end
  return { time = sandbox:now() }
end

handlers["POST /sandbox/codes"] = function(sandbox, request) return { code = sandbox:code(body_of(request)) } end
handlers["GET /sandbox/tokens"] = function(sandbox) return sandbox:token_counts() end
handlers["POST /sandbox/tokens/expire"] = function(sandbox, request)
  return { expired = sandbox:expire_tokens(body_of(request).user_id) }
end
handlers["POST /sandbox/reset"] = function(sandbox)
  sandbox:reset()
  return { ok = true }
end

-- Where the authorization page sends a seller whose client has no address of its own.
handlers["GET /sandbox/callback"] = function(_, _, query)
  local function one(name) return query[name] and query[name][1] or "" end
  return reply.text(200, ("code: %s\nstate: %s\nerror: %s\n"):format(one("code"), one("state"), one("error")))
end

local function loopback(host)
  return host == "localhost" or host == "::1" or host:find("^127%.%d+%.%d+%.%d+$") ~= nil
end

-- Only programs of this machine; and no page in its browser that was led here under another name.
local function allowed(request)
  if request.peer and not loopback(request.peer) then return false end
  local host = request.headers.host
  if not host or request.origin then return true end
  return loopback((host:match("^%[(.-)%]") or host:match("^([^:]*)")):lower())
end

--- Answers a request under /sandbox/.
---@param sandbox avito.Sandbox
---@param request avito.sandbox.Request
---@return avito.sandbox.Response
function control.handle(sandbox, request)
  if not allowed(request) then return reply.text(403, "the control API is for this machine only\n") end
  local path, raw_query = codec.split(request.path)
  local query = codec.form(raw_query) or {}
  local handler = handlers[request.method .. " " .. path]
  if not handler then
    return reply.error(404, ("the control API has no %s %s; see GET /sandbox/"):format(request.method, path))
  end
  local ok, result = pcall(reply.guard, handler, sandbox, request, query)
  if not ok then return reply.error(400, tostring(result):gsub("^[^\n]-%.lua:%d+: ", "")) end
  if result.status and result.headers then return result end
  return reply.json(200, result)
end

return control
