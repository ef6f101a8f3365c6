--- What the businesses are told at the addresses of their cabinets, and how often it is tried.
local codec = require "avito_messenger.sandbox.codec"
local datetime = require "avito_messenger.datetime"
local deliveries = require "avito_messenger.sandbox.deliveries"
local ids = require "avito_messenger.sandbox.yandex_market.ids"
local json = require "avito_messenger.json"

local notifications = {}

local MINUTE, HOUR, DAY = 60, 3600, 86400

-- Seconds until the next attempt: each minute (or what was wanted instead) for an hour, each 15 minutes for a day, then hourly.
local function wait_after(age, at_first)
  if age < HOUR then return at_first end
  if age < HOUR + DAY then return 15 * MINUTE end
  return HOUR
end
local GIVEN_UP_AFTER = 14 * DAY

local function has_text(value, most)
  return type(value) == "string" and value ~= "" and codec.characters(value) <= most
end

-- What is wrong with the body of a 200.
local function wrong(body)
  local ok, answer = pcall(json.decode, body or "")
  if not ok or type(answer) ~= "table" then return "the answer is no JSON object" end
  for _, name in ipairs { "version", "name" } do
    if not has_text(answer[name], 100) then return ("'%s' is no text of 1 to 100 characters"):format(name) end
  end
  if not datetime.read(answer.time) or not (answer.time:find "Z$" or answer.time:find "[+-]00:00$") then
    return "'time' is no time in UTC"
  end
end

local function problem_of(result)
  if result.status == 200 then return wrong(result.body) end
  return result.error or ("the answer has the status %s"):format(tostring(result.status))
end

local function is_duplicate(result)
  if result.status ~= 400 then return false end
  local ok, answer = pcall(json.decode, result.body or "")
  local problem = ok and type(answer) == "table" and answer.error
  return type(problem) == "table" and problem.type == "DUPLICATED_EVENT"
end

-- A business that nobody answered for 14 days is told nothing more.
local function switch_off(sandbox, address)
  address.state = "off"
  deliveries.give_up(sandbox, function(delivery) return delivery.address == address end)
  return "failed"
end

local function settle(sandbox, address, begun)
  return function(result, now)
    local problem = problem_of(result)
    if not problem or is_duplicate(result) then
      address.failing_since = nil
      return problem and "duplicate" or "delivered", nil, problem
    end
    address.failing_since = address.failing_since or now
    if address.state ~= "on" then return "failed", nil, problem end
    if now - address.failing_since >= GIVEN_UP_AFTER then
      return switch_off(sandbox, address), nil, problem
    end
    return nil, wait_after(now - begun, sandbox.options.yandex_market.notifications.retry), problem
  end
end

local function new(sandbox, business, fields, timeout)
  local address = business.address
  return deliveries.new(sandbox, { url = address.url, body = assert(json.encode(fields)), timeout = timeout,
    headers = { ["Content-Type"] = "application/json" }, marketplace = "yandex_market", account = business.business_id,
    address = address })
end

-- Tells the business of a chat; the fields are those of the type.
local function announce(sandbox, chat, kind, fields, now)
  local business, options = chat.business, sandbox.options.yandex_market.notifications
  local address = business.address
  if not address or address.state ~= "on" then return end
  fields.notificationType, fields.businessId, fields.chatId = kind, ids.shown(business.id), ids.shown(chat.id)
  deliveries.schedule(sandbox, function()
    local delivery = new(sandbox, business, fields, options.timeout)
    delivery.chat_id, delivery.message_id, delivery.settle = chat.id, fields.messageId, settle(sandbox, address, now)
    return delivery
  end, options, now)
  sandbox:wake()
end

---@param sandbox avito.Sandbox
---@param chat table
---@param now number
function notifications.created(sandbox, chat, now)
  announce(sandbox, chat, "CHAT_CREATED", { createdAt = datetime.write(now) }, now)
end

--- Adds a message and tells of it.
---@param sandbox avito.Sandbox
---@param chat table
---@param spec table
---@param now number
---@return table message
function notifications.add_message(sandbox, chat, spec, now)
  local message = sandbox.yandex_market:add_message(chat, spec, math.floor(now))
  announce(sandbox, chat, "CHAT_MESSAGE_SENT", { messageId = message.id, sentAt = datetime.write(now) }, now)
  return message
end

---@param sandbox avito.Sandbox
---@param chat table
---@param open boolean
---@param now number
function notifications.dispute(sandbox, chat, open, now)
  local kind = open and "CHAT_ARBITRAGE_STARTED" or "CHAT_ARBITRAGE_FINISHED"
  announce(sandbox, chat, kind, { [open and "startedAt" or "finishedAt"] = datetime.write(now) }, now)
end

--- The address of a business, as its cabinet takes it: after a PING that it answers, or at once where none is wanted.
---@param sandbox avito.Sandbox
---@param business table
---@param url string|false
---@param now number
function notifications.set(sandbox, business, url, now)
  if business.address then
    business.address.state = "off"
    deliveries.give_up(sandbox, function(delivery) return delivery.address == business.address end)
  end
  business.address = nil
  if not url then return end
  local options, address = sandbox.options.yandex_market.notifications, { url = url, state = "on" }
  business.address = address
  if not options.ping then return end
  address.state = "waiting"
  local ping = new(sandbox, business, { notificationType = "PING", time = datetime.write(now) }, options.ping_timeout)
  function ping.settle(result)
    local problem = problem_of(result)
    address.state, address.problem = problem and "refused" or "on", problem
    return problem and "failed" or "delivered", nil, problem
  end
  ping.at = now
  table.insert(sandbox.outgoing.waiting, ping)
  sandbox:wake()
end

return notifications
