--- One shop on two marketplaces: a bot for Avito and a bot for Yandex Market in one process, by one rulebook, with one store.
---
---     tools/demo examples/two_marketplaces.lua   (from a checkout: starts a sandbox, and buyers write to both bots)
---
--- Against the marketplaces themselves: AVITO_BASE_URL=https://api.avito.ru, AVITO_CLIENT_ID, AVITO_CLIENT_SECRET;
--- MARKET_BASE_URL=https://api.partner.market.yandex.ru, MARKET_API_KEY, MARKET_BUSINESS_ID.
local avito = require "avito_messenger"
local loop = require "avito_messenger.io.loop"
local market = require "avito_messenger.yandex_market"

io.stdout:setvbuf "line" -- also where nobody looks at a terminal

local SANDBOX = "http://127.0.0.1:8077"
local avito_url = os.getenv "AVITO_BASE_URL" or SANDBOX
local market_url = os.getenv "MARKET_BASE_URL" or avito_url -- the sandbox is both

-- What is said on both. Avito tells the item of a chat, Yandex Market the order: each text has words for where one is missing.
local rules = avito.rulebook {
  burst = "1s",
  { "человек", hears = "~оператор", say = "Сейчас позову продавца.", act = "escalate" },
  { "возврат", hears = "возврат* | вернуть | верну", flow = "возврат" },
  { "торг", hears = "~торг", item = { price = ">= 5000" }, say = "Небольшой торг при осмотре возможен." },
  { "наличие", hears = "~наличие", say = "Да, {item.title|этот товар} в наличии." },
  { "доставка", hears = "~доставка | когда отправ*", say = "Отправляем на следующий день{order.id|}." },
  { "не понял", fallback = true, say = "Уточните, пожалуйста, вопрос.", once = "1d" },

  avito.flow { "возврат", version = 1, ttl = "2d", function(c)
    local why = c:ask { "text", "Жаль, что не подошло. Что с товаром не так?", within = "1d" }
    if not why then return end
    c:say "Спасибо, продавец ответит сегодня."
    c:to_human("возврат: " .. why)
  end },
}

local names = {} -- of the buyers below, by their chats

local function show(place, who, text)
  print(("%-13s  %-24s  %s"):format(place, who, text))
end

--- What a bot does, as lines.
local function narrator(place)
  return function(note)
    if note.kind == "effect" and note.effect.kind == "send" then
      show(place, ("bot [%s]"):format(note.effect.rule or ""), note.effect.text)
    elseif note.kind == "human" then
      show(place, "*", "the seller writes: the bot is silent in this chat")
    elseif note.kind == "warning" then
      show(place, "warning", note.message)
    end
  end
end

--- Here you would write to yourself: an e-mail, a message to your phone.
local function escalation(place)
  return function(call) show(place, "*", "the seller is called: " .. (call.note or call.text or call.why)) end
end

local store = assert(avito.store(os.getenv "AVITO_STORE" or "two_marketplaces.db"))

local on_avito = avito.bot {
  client = avito.client {
    io = loop, base_url = avito_url, timeout = 60,
    client_id = os.getenv "AVITO_CLIENT_ID" or "dummy-client-id",
    client_secret = os.getenv "AVITO_CLIENT_SECRET" or "dummy-client-secret",
    token_store = store:tokens "avito",
  },
  rulebook = rules, store = store, on_event = narrator "Avito", on_escalate = escalation "Avito",
}
local on_market = avito.bot {
  client = market.client {
    io = loop, base_url = market_url, timeout = 60,
    api_key = os.getenv "MARKET_API_KEY" or "dummy-api-key",
    business_id = os.getenv "MARKET_BUSINESS_ID" or 2200001,
  },
  rulebook = rules, store = store, on_event = narrator "Yandex Market", on_escalate = escalation "Yandex Market",
}
