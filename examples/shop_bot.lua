--- A bot that answers the chats of a shop by the rules of examples/shop_rules.lua.
---
---     avito-messenger sandbox                    (in one terminal; from a checkout: bin/avito-messenger, after make build)
---     lua examples/shop_bot.lua                  (in another; from a checkout: tools/demo examples/shop_bot.lua does both)
---     curl -d '{"buyer":200000004,"item":4098549657,"text":"Торг есть?"}' http://127.0.0.1:8077/sandbox/say
---
--- Against Avito itself: AVITO_BASE_URL=https://api.avito.ru and your own AVITO_CLIENT_ID and AVITO_CLIENT_SECRET.
local avito = require "avito_messenger"
local loop = require "avito_messenger.io.loop"

io.stdout:setvbuf "line" -- also where nobody looks at a terminal

local here = arg[0]:match("^(.*/)") or ""

loop.run(function()
  local client = avito.client {
    io = loop,
    base_url = os.getenv "AVITO_BASE_URL" or "http://127.0.0.1:8077",
    client_id = os.getenv "AVITO_CLIENT_ID" or "dummy-client-id",
    client_secret = os.getenv "AVITO_CLIENT_SECRET" or "dummy-client-secret",
    timeout = 60,
  }
  local bot = avito.bot {
    client = client,
    rulebook = here .. "shop_rules.lua",
    -- Here you would write to yourself: an e-mail, a message to your phone.
    on_escalate = function(call) print(("%s  needs you: %s"):format(call.chat_id, call.note or call.text or "")) end,
    on_event = function(note)
      if note.kind == "effect" and note.effect.kind == "send" then print(note.chat_id .. "  bot: " .. note.effect.text) end
      if note.kind == "reloaded" then print "The rules are read again." end
      if note.kind == "human" then print(note.chat_id .. "  a person writes here: the bot is silent") end
    end,
  }
  loop.on_signal("HUP", function() bot:reload() end) -- kill -HUP: read the rules again
  for _, name in ipairs { "INT", "TERM" } do loop.on_signal(name, function() bot:stop() end) end
  print("Answering. Ctrl-C ends it.")
  bot:poll { interval = 5, backlog = "1h", rounds = tonumber(os.getenv "SHOP_BOT_ROUNDS") }
  client:close()
end)
