--- Webhook subscriptions, and what they are told.
local check = require "avito_messenger.sandbox.check"
local deliveries = require "avito_messenger.sandbox.deliveries"
local json = require "avito_messenger.json"
local reply = require "avito_messenger.sandbox.reply"
local view = require "avito_messenger.sandbox.view"

local webhooks = {}

function webhooks.new_state()
  return { subscriptions = {} }
end

local function subscriptions_of(sandbox, user_id)
  local all = sandbox.hooks.subscriptions
  all[user_id] = all[user_id] or {}
  return all[user_id]
end

local function new_delivery(sandbox, url, body)
  local delivery = deliveries.new(sandbox, { url = url, body = body, timeout = sandbox.options.webhooks.timeout,
    marketplace = "avito", headers = { ["Content-Type"] = "application/json; charset=utf-8",
      ["x-avito-messenger-signature"] = sandbox:sign_webhook(body) } })
  function delivery.settle(result)
    if result.status == 200 then return "delivered" end
    local wait = sandbox.options.webhooks.retries[delivery.attempt]
    return not wait and "failed" or nil, wait
  end
  return delivery
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
    deliveries.schedule(sandbox, function()
      local delivery = new_delivery(sandbox, subscription.url, body)
      delivery.account, delivery.chat_id, delivery.message_id = chat.account, chat.id, message.id
      return delivery
    end, options, now)
  end
end

return webhooks
