--- What `avito-messenger --help` and `avito-messenger sandbox --help` say.
local help = {}

help.program = [[
avito-messenger: tools for bots in the chats of Avito and of Yandex Market

  avito-messenger sandbox [options]    run a simulated Avito, and Yandex Market, on this machine
  avito-messenger sandbox --help       what it can do, with examples
  avito-messenger check RULEBOOK       tell the mistakes of a bot's rulebook, and what it would answer
  avito-messenger check --help
  avito-messenger journal PATH         tell what is in the store of a bot, and whether it is whole
  avito-messenger journal --help
  avito-messenger --version
]]

help.check = [[
avito-messenger check: the mistakes of a bot's rulebook, and what it would answer.

  avito-messenger check RULEBOOK [--marketplace NAME]... [--say TEXT]... [--at TIME] [--title TEXT] [--price N]

Tells every mistake of the file with its line, and warns of what the marketplace has not: a rule about the price of an
item never fires in chats that are about an order. With --say it goes on: a buyer says that, the conversation is
printed, and why each rule did or did not fire on the last text. Nothing leaves this machine.

  --marketplace NAME avito (when absent) or yandex_market; given twice, the rulebook is checked for both
  --say TEXT         what the buyer says; several are said one after another
  --at TIME          when, in the rulebook's zone: "2026-11-20 22:15"; a Monday at noon when absent
  --title TEXT       of the item (Avito)
  --price N          of the item, in rubles (Avito)

  avito-messenger check shop_rules.lua --say "Здравствуйте, торг есть?" --price 35000 --at "2026-11-20 22:15"
  avito-messenger check shop_rules.lua --marketplace avito --marketplace yandex_market

Exit status: 0 without mistakes, with warnings or not, 1 with some, in the file or in the conversation, 2 for a wrong option.
]]

help.journal = [[
avito-messenger journal: what is in the store of a bot.

  avito-messenger journal PATH [--check]

Tells for each account how many messages wait and for how long (inbox), what is to be said (outbox), and what became of
what was; and how many processes work on the file, or ended without closing it (gone). A bot that runs is not disturbed,
and nothing is changed.

  queued             to be sent
  latched            being sent, or was when the process ended
  unknown            perhaps sent: the chat is to be read
  withdrawn          not sent, for the seller wrote first

  --check            reads the whole file, and tells what is wrong with it

  avito-messenger journal shop.db --check

Exit status: 0; 1 when the file cannot be read, or is not whole; 2 for a wrong option.
]]

help.sandbox = [[
avito-messenger sandbox: simulated marketplaces, Avito and Yandex Market, to develop and test against.

  avito-messenger sandbox [--port N] [--host ADDRESS] [--seed N] [--shapes real|contract]
                          [--world FILE] [--latency TIME] [--rate-limit N] [--fault SPEC]... [--log]

It answers on loopback as https://api.avito.ru does: OAuth, chats, messages, images, voice files, webhooks; and below
/v2/businesses as https://api.partner.market.yandex.ru does: chats, messages, files, notifications.
Point a client at it (base_url = "http://127.0.0.1:8077") with client_id "dummy-client-id" and client_secret
"dummy-client-secret", one of Yandex Market with api_key "dummy-api-key" and business_id 2200001. All it knows is in
memory and gone when it ends.

  --port N           port to listen on (8077; 0 takes any free one and prints it)
  --host ADDRESS     a loopback address (127.0.0.1); others are refused
  --seed N           another world of ids, tokens and chances; the same seed gives the same (1)
  --shapes KIND      real: answers as they really come (messages in an object, an expired token is 403);
                     contract: to the letter of the contract (a bare list, 401)
  --world FILE       a Lua file that returns { accounts = …, items = …, buyers = …, chats = …,
                     yandex_market = { businesses = …, orders = …, returns = …, chats = …, limits = … } }
  --latency TIME     wait before each answer: 50ms, 1.5s, or a range 50ms-2s
  --rate-limit N     requests a minute for each Avito account before 429 (60000); off: no limit, no headers
  --fault SPEC       a fault, as name=value pairs; may be given many times (see below)
  --lenient          accept what the contract does not have: unknown fields and parameters, any Content-Type
  --log              print every request; in colour on a terminal
  --help, --version

Faults: kind=… with any of operation= account= method= path= after= times= probability=
Operations of Yandex Market begin with its name (yandex_market.send_message), an account there is a business.
  latency seconds=S             status status=N body=TEXT      html      empty      invalid_json
  close                         the connection ends, nothing was done
  apply_and_close               it was done, but no answer comes: was the message sent or not?
  hang                          no answer ever            cut bytes=N      part of the body, then the end
  drip seconds=S                a byte every S seconds    rate_limited retry_after=S|date
  token_expired                 the request's token, or key, is over
  With apply=true, status, html, empty, invalid_json and hang do what was asked and answer wrongly after it.

  avito-messenger sandbox --fault kind=apply_and_close,operation=send_message,after=2
  avito-messenger sandbox --fault kind=status,status=503,probability=0.1 --latency 20ms-300ms

While it runs, play the people of the marketplace through the control API (GET /sandbox/ lists all of it):

  B=http://127.0.0.1:8077/sandbox
  curl $B/state                                                  # chats, with their ids and messages
  curl $B/say -d '{"buyer":200000009,"item":4098549657,"text":"Ещё продаёте?"}'
  curl $B/say -d '{"chat_id":"CHAT","type":"voice"}'             # a buyer, any message type
  curl $B/write -d '{"chat_id":"CHAT","text":"Уже продан"}'      # the seller, by hand
  curl $B/say -d '{"order_id":41000002,"text":"Где заказ?"}'     # at Yandex Market; new orders are made
  curl $B/dispute -d '{"chat_id":"CHAT"}'                        # "open":false ends it
  curl $B/notify -d '{"business_id":2200001,"url":"URL"}'        # what is set in the seller's cabinet
  curl $B/faults -d '{"kind":"status","status":503,"times":3}'
  curl -X DELETE $B/faults
  curl $B/clock -d '{"advance":86400}'                           # tokens expire, webhooks are retried
  curl "$B/log?operation=send_message"                           # what was asked, and whether it was done
  curl $B/deliveries                                             # webhooks, notifications, and their attempts
  curl -X POST $B/reset

Exit status: 0 after SIGINT or SIGTERM, 1 when it cannot run, 2 for a wrong option.
]]

return help
