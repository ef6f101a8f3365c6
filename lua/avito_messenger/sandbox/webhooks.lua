--- Webhook subscriptions and deliveries. Nothing is sent here: due deliveries are handed out, and what
--- became of them is handed in.
local check = require "avito_messenger.sandbox.check"
local json = require "avito_messenger.json"
local reply = require "avito_messenger.sandbox.reply"
local view = require "avito_messenger.sandbox.view"

local webhooks = {}

---@class avito.sandbox.Delivery
---@field id integer
---@field url string
---@field headers table<string, string>
---@field body string
---@field timeout number seconds the receiver has

-- Later deliveries overtake one that waits this long.
local REORDER_WAIT = 1

function webhooks.new_state()
  return { subscriptions = {}, waiting = {}, flying = {}, serial = 0 }
end

local function subscriptions_of(sandbox, user_id)
  local all = sandbox.hooks.subscriptions
  all[user_id] = all[user_id] or {}
  return all[user_id]
end

local function new_delivery(sandbox, url, body)
  local hooks = sandbox.hooks
  hooks.serial = hooks.serial + 1
  return { id = hooks.serial, url = url, body = body, timeout = sandbox.options.webhooks.timeout, headers = {
    ["Content-Type"] = "application/json; charset=utf-8",
    ["x-avito-messenger-signature"] = sandbox:sign_webhook(body) } }
end

local function url_of(call)
  local strict = call.sandbox.options.strict
  local body = check.object(call.request, strict)
  check.members(body, { url = true }, strict)
  local url = check.string(body, "url")
  if not url:find("^https?://[^%s/?#]+%S*$") then check.refuse("url", "an http or https address expected") end
  return url
end

local function subscribe(call, url)
  local list = subscriptions_of(call.sandbox, call.account.user_id)
  for _, one in ipairs(list) do
    if one.url == url then return reply.json(200, { ok = true }) end
  end
  table.insert(list, { url = url, version = "3", origin = call.origin })
  call.entry.applied = true
  return reply.json(200, { ok = true })
end

--- POST /messenger/v3/webhook. The url is tried first: the answer is known after `probe` was performed.
function webhooks.subscribe_webhook(call)
  local url = url_of(call)
  if not call.sandbox.options.webhooks.probe then return subscribe(call, url) end
  local probe = new_delivery(call.sandbox, url, "{}")
  call.sandbox.probes[probe.id] = function(result)
    if result.status == 200 then return subscribe(call, url) end
    local what = result.status and ("it answered " .. result.status) or result.error or "it did not answer"
    return reply.error(400, "Bad Request", { url = "the address was tried: " .. tostring(what) })
  end
  return { status = 0, headers = {}, body = "", probe = probe }
end

function webhooks.unsubscribe_webhook(call)
  local url = url_of(call)
  local list = subscriptions_of(call.sandbox, call.account.user_id)
  for i = #list, 1, -1 do
    if list[i].url == url then table.remove(list, i) end
  end
  call.entry.applied = true
  return reply.json(200, { ok = true })
end

function webhooks.get_webhook_subscriptions(call)
  check.no_body(call.request, call.sandbox.options.strict)
  local shown = {}
  for i, one in ipairs(subscriptions_of(call.sandbox, call.account.user_id)) do
    shown[i] = { url = one.url, version = one.version }
  end
  return reply.json(200, { subscriptions = json.list(shown) })
end

local function schedule(sandbox, delivery, at)
  delivery.at, delivery.attempt, delivery.attempts = at, 1, {}
  table.insert(sandbox.hooks.waiting, delivery)
end

--- Tells every subscription of the chat's account about a message, also one it wrote itself.
---@param sandbox avito.Sandbox
---@param chat table
---@param message table
---@param now number
function webhooks.announce(sandbox, chat, message, now)
  local options, random = sandbox.options.webhooks, sandbox.random
  for _, subscription in ipairs(subscriptions_of(sandbox, chat.account)) do
    local id = ("%s-%s-%s-%s-%s"):format(random:hex(8), random:hex(4), random:hex(4), random:hex(4), random:hex(12))
    local body = assert(json.encode(view.event(sandbox, chat, message, id, math.floor(now), subscription.origin)))
    local copies = random:chance(options.duplicate) and 2 or 1
    for _ = 1, copies do
      local delivery = new_delivery(sandbox, subscription.url, body)
      delivery.account, delivery.chat_id, delivery.message_id = chat.account, chat.id, message.id
      local at = now + random:within(options.delay)
      if random:chance(options.reorder) then at = at + REORDER_WAIT * (1 + random:fraction()) end
      schedule(sandbox, delivery, at)
    end
  end
end

local function earlier(a, b)
  if a.at ~= b.at then return a.at < b.at end
  return a.id < b.id
end

--- Takes the deliveries whose time has come, in the order they are to leave.
---@param sandbox avito.Sandbox
---@param now number
---@return avito.sandbox.Delivery[]
function webhooks.due(sandbox, now)
  local hooks, due, waiting = sandbox.hooks, {}, {}
  for _, delivery in ipairs(hooks.waiting) do
    if delivery.at <= now then
      due[#due + 1] = delivery
      hooks.flying[delivery.id] = delivery
    else
      waiting[#waiting + 1] = delivery
    end
  end
  hooks.waiting = waiting
  table.sort(due, earlier)
  for i, delivery in ipairs(due) do
    due[i] = { id = delivery.id, url = delivery.url, headers = delivery.headers, body = delivery.body,
      timeout = delivery.timeout }
  end
  return due
end

---@param sandbox avito.Sandbox
---@return number? at
function webhooks.next_due(sandbox)
  local at
  for _, delivery in ipairs(sandbox.hooks.waiting) do
    if not at or delivery.at < at then at = delivery.at end
  end
  return at
end

local function remember(sandbox, delivery, state)
  delivery.state = state
  sandbox:remember("delivery_history", delivery)
end

--- What became of a delivery: `{ status = 200 }` is success, any other status or an `error` is tried again.
--- Returns the answer to subscribe_webhook when the delivery was its probe.
---@param sandbox avito.Sandbox
---@param id integer
---@param result { status?: integer, error?: string }
---@param now number
---@return avito.sandbox.Response?
function webhooks.delivered(sandbox, id, result, now)
  local probe = sandbox.probes[id]
  if probe then
    sandbox.probes[id] = nil
    return probe(result)
  end
  local delivery = sandbox.hooks.flying[id]
  if not delivery then error(("delivery %s is not under way"):format(tostring(id)), 0) end
  sandbox.hooks.flying[id] = nil
  table.insert(delivery.attempts, { time = now, status = result.status, error = result.error })
  if result.status == 200 then
    remember(sandbox, delivery, "delivered")
    return nil
  end
  local wait = sandbox.options.webhooks.retries[delivery.attempt]
  if not wait then
    remember(sandbox, delivery, "failed")
    return nil
  end
  delivery.attempt, delivery.at = delivery.attempt + 1, now + wait
  table.insert(sandbox.hooks.waiting, delivery)
end

--- All deliveries: those that are through, under way and waiting.
---@param sandbox avito.Sandbox
---@return table[]
function webhooks.list(sandbox)
  local list = {}
  local function add(delivery, state)
    list[#list + 1] = { id = delivery.id, url = delivery.url, body = delivery.body, account = delivery.account,
      chat_id = delivery.chat_id, message_id = delivery.message_id, state = state, at = delivery.at,
      attempt = delivery.attempt, attempts = json.list(delivery.attempts) }
  end
  for _, delivery in ipairs(sandbox.delivery_history) do add(delivery, delivery.state) end
  for _, delivery in pairs(sandbox.hooks.flying) do add(delivery, "sending") end
  for _, delivery in ipairs(sandbox.hooks.waiting) do add(delivery, "waiting") end
  table.sort(list, function(a, b) return a.id < b.id end)
  return list
end

return webhooks
