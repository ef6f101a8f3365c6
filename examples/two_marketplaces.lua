--- One shop on two marketplaces: a bot for Avito and a bot for Yandex Market in one process, by one rulebook, with one store.
---
---     tools/demo examples/two_marketplaces.lua    (from a checkout: starts a sandbox, in which buyers write to both)
---
--- Against the marketplaces themselves: AVITO_BASE_URL=https://api.avito.ru with your AVITO_CLIENT_ID and AVITO_CLIENT_SECRET, and
--- MARKET_BASE_URL=https://api.partner.market.yandex.ru with your MARKET_API_KEY and MARKET_BUSINESS_ID. Messages come at once with
--- WEBHOOK_PORT=8080, AVITO_WEBHOOK_SECRET and MARKET_WEBHOOK_SECRET (16 characters or more each) and, where the marketplaces
--- reach that port, WEBHOOK_URL=https://shop.example; https://shop.example/MARKET_WEBHOOK_SECRET is what the cabinet of
--- Yandex Market is to be told.
local avito = require "avito_messenger"
local loop = require "avito_messenger.io.loop"
local market = require "avito_messenger.yandex_market"

io.stdout:setvbuf "line" -- also where nobody looks at a terminal

local avito_url = os.getenv "AVITO_BASE_URL" or "http://127.0.0.1:8077"
local market_url = os.getenv "MARKET_BASE_URL" or avito_url -- a sandbox is both
local playing = avito_url == market_url

-- Avito tells the item of a chat, Yandex Market the order. What a rule needs and a marketplace has not is a warning there.
local rules = avito.rulebook {
  burst = "0.5s", -- so that the play is a short one; without it 6 s
  { "человек", hears = "~оператор", say = "Сейчас позову продавца.", act = "escalate" },
  { "возврат", hears = "возврат* | вернуть | верну", flow = "возврат" },
  { "торг", hears = "~торг", item = { price = ">= 5000" }, say = "Небольшой торг при осмотре возможен." },
  { "без торга", hears = "~торг", say = "Цена уже низкая, без торга." },
  { "наличие", hears = "~наличие", say = "Да, «{item.title|этот товар}» в наличии." },
  { "заказ", hears = "когда | где | статус", chat_type = "order", say = "Заказ {order.id} отправим завтра до полудня." },
  { "доставка", hears = "~доставка | когда", say = "Отправляем в день оплаты." },
  { "не понял", fallback = true, say = "Уточните, пожалуйста, вопрос.", once = "1d" },

  avito.flow { "возврат", version = 1, ttl = "2d", function(c)
    local why = c:ask { "text", "Жаль, что не подошло. Что с товаром не так?", within = "1d" }
    local photo = why and c:ask { "image", "Пришлите, пожалуйста, фото.", within = "1d" }
    if not photo then return end
    c:say "Спасибо, продавец посмотрит и ответит сегодня."
    c:to_human("возврат: " .. why)
  end },
}

local lines = 0

local function show(place, who, text)
  lines = lines + 1
  print(("%-13s  %s: %s"):format(place, who, text))
end

--- What a bot does, as lines.
local function narrator(place)
  return function(note)
    if note.kind == "effect" and note.effect.kind == "send" then
      show(place, ("bot [%s]"):format(note.effect.rule or ""), note.effect.text)
    elseif note.kind == "human" then
      show(place, "*", "the seller writes: the bot is silent in this chat")
    end
  end
end

--- What somebody has to know: also what the rules ask for and the marketplace has not.
local function complaint(place)
  return function(problem) show(place, problem.kind, problem.message) end
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
  rulebook = rules, store = store,
  on_event = narrator "Avito", on_error = complaint "Avito", on_escalate = escalation "Avito",
}
local on_market = avito.bot {
  client = market.client {
    io = loop, base_url = market_url, timeout = 60,
    api_key = os.getenv "MARKET_API_KEY" or "dummy-api-key",
    business_id = os.getenv "MARKET_BUSINESS_ID" or 2200001,
  },
  rulebook = rules, store = store,
  on_event = narrator "Yandex Market", on_error = complaint "Yandex Market", on_escalate = escalation "Yandex Market",
}

local port = tonumber(os.getenv "WEBHOOK_PORT")

--- A webhook, where there is a port, and the address it has outside.
local function webhook(name)
  if not port then return end
  local secret = assert(os.getenv(name), "set " .. name .. ", to what `openssl rand -hex 16` prints, say")
  local url = os.getenv "WEBHOOK_URL" or ("http://127.0.0.1:%d"):format(port)
  return { path_secret = secret }, url .. "/" .. secret
end

local avito_webhook, avito_address = webhook "AVITO_WEBHOOK_SECRET"
local market_webhook, market_address = webhook "MARKET_WEBHOOK_SECRET"
if market_webhook and not playing then -- only from the market's own networks, as the proxy that does HTTPS tells them
  market_webhook.ranges, market_webhook.address_header = true, "X-Real-IP"
end

local function run()
  local poll = { interval = playing and not port and 1 or 10, backlog = "1m" }
  return avito.run {
    { bot = on_avito, poll = poll, webhook = avito_webhook, subscribe = avito_address },
    { bot = on_market, poll = poll, webhook = market_webhook },
    listen = port and { port = port },
  }
end

-- ---- buyers, where the marketplaces are a sandbox

--- Has the sandbox do what a person would.
local function sandbox(act, given)
  return assert(on_avito.client:request("POST", "/sandbox/" .. act, { json = given }))
end

--- Waits until the bots have told so many lines more.
local function wait_for(count)
  local enough = lines + count
  assert(loop.deadline(30, function()
    while lines < enough do loop.sleep(0.05) end
    return true
  end))
end

local function buyer(place, message, count)
  show(place, "buyer", message.text or "[photo]")
  local said = sandbox("say", message)
  wait_for(count)
  return said.chat_id
end

local function on_avito_says(message, count)
  message.buyer, message.item = 200000004, 4098549657
  return buyer("Avito", message, count)
end

local function on_market_says(message, count)
  message.order_id = 41000002
  return buyer("Yandex Market", message, count)
end

local function play()
  if market_webhook then sandbox("notify", { business_id = 2200001, url = market_address }) end -- what is done in the cabinet

  on_avito_says({ text = "Здравствуйте, ещё в наличии?" }, 1)
  on_market_says({ text = "Добрый день, когда отправите?" }, 1)
  on_avito_says({ text = "А торг есть?" }, 1)
  on_market_says({ text = "Торг уместен?" }, 1)

  on_market_says({ text = "Хочу сделать возврат" }, 1)
  on_market_says({ text = "Не тот цвет" }, 1)
  on_avito_says({ text = "Когда отправите?" }, 1)
  local chat = on_market_says({ files = { "photo.jpg" } }, 2)

  local text = "Здравствуйте! Поменяем на нужный цвет."
  show("Yandex Market", "seller", text)
  sandbox("write", { chat_id = chat, text = text })
  on_market_says({ text = "Спасибо! Когда отправите?" }, 1)
end

loop.run(function()
  local task = playing and loop.spawn(function()
    local ok, problem = pcall(play)
    for _, bot in ipairs { on_avito, on_market } do bot:stop() end
    return ok, problem
  end)
  assert(run())
  if task then assert(task:wait()) end
end)
for _, bot in ipairs { on_avito, on_market } do bot.client:close() end
store:close()
