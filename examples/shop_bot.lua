--- A bot that answers the chats of a shop by the rules of examples/shop_rules.lua, as a service would run it: what must not be
--- lost is in a file, SIGTERM and Ctrl-C end it in order, kill -HUP has it read the rules again.
---
---     avito-messenger sandbox                    (in one terminal; from a checkout: bin/avito-messenger, after make build)
---     lua examples/shop_bot.lua                  (in another; from a checkout: tools/demo examples/shop_bot.lua does both)
---     curl -d '{"buyer":200000004,"item":4098549657,"text":"Торг есть?"}' http://127.0.0.1:8077/sandbox/say
---
--- Against Avito itself: AVITO_BASE_URL=https://api.avito.ru and your own AVITO_CLIENT_ID and AVITO_CLIENT_SECRET. Messages come
--- at once with AVITO_WEBHOOK_PORT=8080, AVITO_WEBHOOK_SECRET=(16 characters or more) and, where Avito reaches that port,
--- AVITO_WEBHOOK_URL=https://shop.example.
local avito = require "avito_messenger"

io.stdout:setvbuf "line" -- also where nobody looks at a terminal

local here = arg[0]:match("^(.*/)") or ""
local client_id = os.getenv "AVITO_CLIENT_ID" or "dummy-client-id"

local store = assert(avito.store(os.getenv "AVITO_STORE" or "shop.db"))
local client = avito.client {
  io = require "avito_messenger.io.loop",
  base_url = os.getenv "AVITO_BASE_URL" or "http://127.0.0.1:8077",
  client_id = client_id,
  client_secret = os.getenv "AVITO_CLIENT_SECRET" or "dummy-client-secret",
  token_store = store:tokens(client_id),
  timeout = 60,
}
local bot = avito.bot {
  client = client,
  store = store,
  rulebook = here .. "shop_rules.lua",
  log = os.getenv "AVITO_LOG" or "logfmt", -- on stderr
  -- Here you would write to yourself: an e-mail, a message to your phone.
  on_escalate = function(call) print(("%s  needs you: %s"):format(call.chat_id, call.note or call.text or "")) end,
  on_event = function(note)
    if note.kind == "started" then print "Answering. Ctrl-C ends it." end
    if note.kind == "effect" and note.effect.kind == "send" then print(note.chat_id .. "  bot: " .. note.effect.text) end
  end,
}

local listen, subscribe
local secret, url = os.getenv "AVITO_WEBHOOK_SECRET", os.getenv "AVITO_WEBHOOK_URL"
if secret then
  listen = { port = tonumber(os.getenv "AVITO_WEBHOOK_PORT") or 8080, path_secret = secret, metrics = true }
  subscribe = url and ("%s/%s"):format(url, secret)
end

local ok, message = bot:run {
  poll = { interval = 5, backlog = "1h", rounds = tonumber(os.getenv "SHOP_BOT_ROUNDS") },
  listen = listen,
  subscribe = subscribe,
}
client:close()
store:close()
if not ok then
  io.stderr:write("shop_bot: ", message, "\n")
  os.exit(1, true)
end
