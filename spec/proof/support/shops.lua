--- For trials: what is not the same of a shop at Avito and at Yandex Market.
---   account                     of the store
---   rate                        questions a second
---   world(given)                of the sandbox; given.webhooks: options of webhooks or of notifications
---   question(chat)              in which chat a buyer writes, as the sandbox's `say` wants it
---   open(market, url)           where notifications are sent, if the bot does not say so itself
---   credentials                 of the client
---   faults                      answers that are lost after the message was sent, and some of everything else
---   chats(state)                of the sandbox, each with `messages` of `id`, `created`, `from` and `text`
local json = require "avito_messenger.json"
local sandbox = require "support.sandbox"

local shops = {}

local function merged(first, second)
  local all = {}
  for name, value in pairs(first) do all[name] = value end
  for name, value in pairs(second or {}) do all[name] = value end
  return all
end

local function listed(chats, fields_of)
  local list = {}
  for i, chat in ipairs(chats) do
    local messages = {}
    for k, message in ipairs(chat.messages) do messages[k] = fields_of(message) end
    list[i] = { id = chat.id, messages = messages }
  end
  return list
end

local ITEM = 5000

shops.avito = {
  account = ("%d"):format(sandbox.user_id), rate = 15, subscribes = true,
  credentials = { client_id = sandbox.client_id, client_secret = sandbox.client_secret },
  faults = {
    { operation = "send_message", kind = "apply_and_close", probability = 0.1 },
    { operation = "send_message", kind = "close", probability = 0.02 },
    { operation = "mark_chat_as_read", kind = "apply_and_close", probability = 0.05 },
    { operation = "get_messages", kind = "close", probability = 0.03 },
    { operation = "get_chats", kind = "close", probability = 0.03 },
  },
  world = function(given)
    local usual = { duplicate = 0.2, reorder = 0.1, delay = { 0, 0.05 }, retries = { 0.3, 0.6, 1.2, 2.4 } }
    return { webhooks = merged(usual, given.webhooks),
      accounts = { { user_id = sandbox.user_id, client_id = sandbox.client_id, client_secret = sandbox.client_secret } },
      items = { { id = ITEM, account = sandbox.user_id, title = "Товар", price = "5 000 ₽" } },
      buyers = json.list {}, chats = json.list {} }
  end,
  question = function(chat) return { buyer = 200000000 + chat, item = ITEM } end,
  open = function() end,
  chats = function(state)
    return listed(state.chats, function(message)
      return { id = message.id, created = message.created, from = message.from, text = message.content.text }
    end)
  end,
}

-- What is sent is answered without an id, and what comes is told without its text.
shops.yandex_market = {
  account = ("yandex_market:%d"):format(sandbox.business_id), rate = 6,
  credentials = { api_key = sandbox.api_key, business_id = sandbox.business_id },
  faults = {
    { operation = "yandex_market.send_message", kind = "apply_and_close", probability = 0.1 },
    { operation = "yandex_market.send_message", kind = "close", probability = 0.02 },
    { operation = "yandex_market.get_chat_message", kind = "close", probability = 0.03 },
    { operation = "yandex_market.get_chat_history", kind = "close", probability = 0.03 },
    { operation = "yandex_market.get_chats", kind = "close", probability = 0.03 },
    { operation = "yandex_market.get_chat", kind = "close", probability = 0.03 },
  },
  world = function(given)
    local usual, hourly = { ping = false, duplicate = 0.2, reorder = 0.1, delay = { 0, 0.05 }, retry = 0.4 }, {}
    for _, name in ipairs { "get_chats", "get_chat", "get_chat_history", "get_chat_message", "send_message" } do
      hourly[name] = 1000000
    end
    return { accounts = json.list {}, items = json.list {}, buyers = json.list {}, chats = json.list {},
      yandex_market = { notifications = merged(usual, given.webhooks), limits = { hourly = hourly }, wide_ids = true,
        businesses = { { business_id = sandbox.business_id, api_key = sandbox.api_key } } } }
  end,
  question = function(chat) return { order_id = 41000000 + chat } end,
  open = function(market, url)
    local said, status = market:control("POST", "notify", { business_id = sandbox.business_id, url = url })
    assert(status == 200 and said.state == "on", "there is nobody who would be notified")
  end,
  chats = function(state)
    return listed(state.yandex_market.chats, function(message)
      return { id = message.id, created = message.created, from = message.sender, text = message.text }
    end)
  end,
}

return shops
