--- The options of the sandbox's Yandex Market: their defaults, and what each may be.
local rules = require "avito_messenger.sandbox.rules"
local words = require "avito_messenger.words"

local options = {}

---@class avito.sandbox.YandexMarketOptions
---@field businesses? table[] `{ business_id, api_key, oauth_token, name }`; without it the default world
---@field orders? table[] `{ id, business, campaign_id, customer = { public_id, name } }`
---@field returns? table[] `{ id, order_id }`
---@field chats? table[] about an order_id, a return_id, or of a customer, with their messages
---@field chats_order? "newest"|"oldest" which chats get_chats lists first, by their last message ("newest")
---@field history_order? "newest"|"oldest" which messages get_chat_history lists first ("newest")
---@field paging? "exact"|"trailing"|"repeat" no token on the last page; one on every full page; one token for ever ("exact")
---@field message_id_from? "included"|"excluded" whether messageIdFrom itself is among what follows it ("included")
---@field wide_ids? boolean ids of chats and messages past 2^53 (false)
---@field limits? avito.sandbox.YandexMarketLimits|false
---@field notifications? avito.sandbox.NotificationOptions

---@class avito.sandbox.YandexMarketLimits
---@field at_once? integer requests under way at a time for a business, by their latency (4)
---@field hourly? table<string, integer> requests an hour by operation ({ get_chats = 5000, … })
---@field headers? boolean send X-RateLimit-Resource-* with each answer (true)

---@class avito.sandbox.NotificationOptions
---@field ping? boolean try an address with a PING before it is told anything (true)
---@field timeout? number seconds the receiver has (10)
---@field ping_timeout? number seconds it has for a PING (1)
---@field delay? number|number[] seconds before a delivery (0)
---@field duplicate? number probability of a second delivery (0)
---@field reorder? number probability that a delivery waits and others overtake it (0)
---@field retry? number seconds between the attempts of the first hour (60)

local is, number, among = rules.is, rules.number, rules.among

local own = {
  businesses = { is "table" }, orders = { is "table" }, returns = { is "table" }, chats = { is "table" },
  chats_order = { among("newest", "oldest"), "newest" }, history_order = { among("newest", "oldest"), "newest" },
  paging = { among("exact", "trailing", "repeat"), "exact" },
  message_id_from = { among("included", "excluded"), "included" }, wide_ids = { is "boolean", false },
}

local limit_rules = { at_once = { number(1, 1000, true), 4 }, hourly = { is "table" }, headers = { is "boolean", true } }

local notification_rules = { ping = { is "boolean", true }, timeout = { number(0.001, 3600), 10 },
  ping_timeout = { number(0.001, 3600), 1 }, delay = { rules.range, 0 }, duplicate = { rules.chance, 0 },
  reorder = { rules.chance, 0 }, retry = { number(0.001, 3600), 60 } }

local HOURLY = { create_chat = 1000, get_chats = 5000, get_chat = 1000, get_chat_history = 10000, send_message = 1000,
  get_chat_message = 1000, send_file = 1000 }

local known = { limits = true, notifications = true }
for name in pairs(own) do known[name] = true end

local function read_limits(given)
  if given == false then return false end
  words.check(given, limit_rules, "yandex_market.limits option", 0)
  local values = rules.read(given, limit_rules, "yandex_market.limits.")
  local wanted = values.hourly or {}
  words.check(wanted, HOURLY, "operation with an hourly limit", 0)
  values.hourly = {}
  for name, usual in pairs(HOURLY) do
    local count = wanted[name] or usual
    local problem = number(1, 1e9, true)(count)
    if problem then error(("option 'yandex_market.limits.hourly.%s': %s"):format(name, problem), 0) end
    values.hourly[name] = count
  end
  return values
end

--- Checks the options and fills in the defaults. Raises with the name of what is wrong.
---@param given? avito.sandbox.YandexMarketOptions
---@return table
function options.read(given)
  given = given or {}
  if type(given) ~= "table" then error("option 'yandex_market': table expected, got " .. type(given), 0) end
  words.check(given, known, "yandex_market option", 0)
  local values = rules.read(given, own, "yandex_market.")
  values.limits = read_limits(given.limits == nil and {} or given.limits)
  words.check(given.notifications or {}, notification_rules, "yandex_market.notifications option", 0)
  values.notifications = rules.read(given.notifications or {}, notification_rules, "yandex_market.notifications.")
  return values
end

return options
