--- For the simulation: what is not the same at Avito and at Yandex Market.
---   account                        of the store
---   open(seed, drawn, now)         a sandbox, which tells of what is written at `url` where that is wanted
---   hook                           what takes what it tells
---   taken(hook, status)            the answer to it
---   client(process, drawn)         the client of a bot
---   operation(request)             its name
---   named                          operations by the names that Avito has for such, where there is another
---   refused_chat(response, url)    the chat in which nothing is tried again after that, or nil
---   refuse(box, kind, yes)         the account is served no more, or again
---   address(chat)                  in which chat is written, as the sandbox wants it
local avito = require "avito_messenger"
local core = require "avito_messenger.core"
local webhook = require "avito_messenger.webhook"
local yandex_market = require "avito_messenger.yandex_market"

local places = {}

local SECRET = ("dummy"):rep(4)
local URL = "https://shop.example/" .. SECRET

-- After these nothing is tried again: what it was about may be left undone.
local FINAL = { [400] = true, [403] = true, [404] = true }

local function named(operations, request)
  local what = request.method .. " " .. request.url:gsub("%?.*", "")
  for _, one in ipairs(operations) do
    if what:find(one[1]) then return one[2] end
  end
end

-- ---- Avito

local SELLER = 94235311

local AVITO = { { "/token$", "token" }, { "/self$", "get_self" }, { "POST.*/read$", "mark_chat_as_read" },
  { "POST.*/messages$", "send_message" }, { "GET.*/messages/$", "get_messages" }, { "/chats$", "get_chats" }, { "", "get_chat" } }

places.avito = {
  account = ("%d"):format(SELLER), hook = webhook.new { path_secret = SECRET }, named = {}, path = "/" .. SECRET,
  open = function(seed, drawn, now)
    local buyers, items, retries = {}, {}, { 1, 5 }
    for i, chat in ipairs(drawn.chats) do
      buyers[i] = { id = chat.buyer, name = "Покупатель" }
      items[i] = { id = chat.item, account = SELLER, title = "Товар", price = "5 000 ₽" }
    end
    for i = 3, 40 do retries[i] = 30 end
    local account = { user_id = SELLER, client_id = "dummy-client-id", client_secret = "dummy-client-secret" }
    local box = avito.sandbox { seed = seed, now = now, buyers = buyers, items = items, chats = {}, accounts = { account },
      webhooks = { probe = false, delay = { 0, 3 }, duplicate = 0.15, reorder = 0.15, retries = retries } }
    if drawn.way ~= "poll" then
      box.hooks.subscriptions[SELLER] = { { url = URL, version = "3", origin = "https://api.avito.ru" } }
    end
    return box
  end,
  taken = function(_, status) return { status = status } end,
  client = function(process, drawn)
    local client = avito.client { client_id = "dummy-client-id", client_secret = "dummy-client-secret", io = process,
      user_id = drawn.knows_itself and SELLER or nil, timeout = 10 }
    -- The order of random waits is the seed's, too.
    client.session = core.session { client_id = "dummy-client-id", client_secret = "dummy-client-secret",
      user_id = drawn.knows_itself and SELLER or nil, base_url = "https://api.avito.ru", user_agent = "proof", timeout = 10,
      seed = process.name, pace = {}, has_store = false, has_lock = false }
    return client
  end,
  operation = function(request) return named(AVITO, request) end,
  refused_chat = function(response, request)
    local refused = FINAL[response.status] and response.body:find "contact support" -- else it is the token's
    return refused and request.url:match "/chats/([^/]+)/messages"
  end,
  refuse = function(box, kind, yes)
    local account = box.market.accounts[SELLER]
    if kind == "tariff" then
      account.tariff = not yes
    else
      account.client_secret = yes and "another-dummy-secret" or "dummy-client-secret"
      if yes then box:expire_tokens() end
    end
  end,
  address = function(chat) return { buyer = chat.buyer, item = chat.item } end,
}

-- ---- Yandex Market

local BUSINESS = 2200001

local YANDEX_MARKET = { { "/chats/message$", "send_message" }, { "/chats/history$", "get_chat_history" },
  { "/chats$", "get_chats" }, { "/chat$", "get_chat" } }

places.yandex_market = {
  account = ("yandex_market:%d"):format(BUSINESS), hook = yandex_market.notifications { path_secret = SECRET },
  path = "/" .. SECRET,
  named = { get_messages = "get_chat_history", mark_chat_as_read = "get_chat_message", token = "get_chat",
    get_self = "get_chat_message" },
  open = function(seed, drawn, now)
    local box = avito.sandbox { seed = seed, now = now, buyers = {}, items = {}, chats = {}, accounts = {},
      yandex_market = { businesses = { { business_id = BUSINESS, api_key = "dummy-api-key" } }, wide_ids = true,
        history_order = drawn.random:chance(0.5) and "newest" or "oldest",
        chats_order = drawn.random:chance(0.5) and "newest" or "oldest",
        notifications = { ping = false, delay = { 0, 3 }, duplicate = 0.15, reorder = 0.15 } } }
    if drawn.way ~= "poll" then box:notify { business_id = BUSINESS, url = URL } end
    return box
  end,
  taken = function(hook, status)
    local _, _, body = hook:reply(status == 200 and "message" or "unavailable", 0)
    return { status = status, body = body }
  end,
  client = function(process)
    local client = yandex_market.client { api_key = "dummy-api-key", business_id = BUSINESS, io = process, timeout = 10 }
    client.session = core.session { marketplace = "yandex_market", api_key = "dummy-api-key", business_id = BUSINESS,
      base_url = "https://api.partner.market.yandex.ru", user_agent = "proof", timeout = 10, seed = process.name, pace = {},
      has_store = false, has_lock = false }
    return client
  end,
  operation = function(request)
    local name = named(YANDEX_MARKET, request)
    return name == "send_message" and request.method == "GET" and "get_chat_message" or name
  end,
  refused_chat = function(response, request)
    local refused = FINAL[response.status] and response.body:find "contact support" -- else it is the key's
    return refused and request.url:match "chatId=(%d+)"
  end,
  refuse = function(box, _, yes)
    box.yandex_market:business(BUSINESS).api_key = yes and "another-dummy-key" or "dummy-api-key"
  end,
  address = function(chat) return { order_id = 41000000 + chat.buyer } end,
}

--- A fault as it is of this marketplace.
---@param place table
---@param fault table of a story
---@return table
function places.fault(place, fault)
  if place == places.avito then return fault end
  local one = {}
  for name, value in pairs(fault) do one[name] = value end
  one.operation = place.named[one.operation] or one.operation
  -- There are no tokens that expire and no tariffs; and what is refused for ever elsewhere than in a send is no message of the bot.
  local never = one.kind == "token_expired" or one.status == 402 or (FINAL[one.status] and one.operation ~= "send_message")
  if never then one.kind, one.status = "status", 500 end
  one.operation = "yandex_market." .. one.operation
  return one
end

return places
