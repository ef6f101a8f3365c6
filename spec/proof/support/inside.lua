--- The bot of a trial inside nginx; AVITO_PLAN is the JSON that bot.lua is given, and `run` is what start is given. Each worker
--- prints what telling.lua says.
local avito = require "avito_messenger"
local clients = require "proof.support.clients"
local json = require "avito_messenger.json"
local nginx = require "avito_messenger.nginx"
local telling = require "proof.support.telling"

local plan = assert(json.decode(assert(os.getenv "AVITO_PLAN")))
local shared = nginx.shared "avito"
local store = assert(avito.store(plan.store, { lease = plan.lease }))
local client = clients.make(plan, { io = require "avito_messenger.io.nginx",
  token_store = shared:tokens("shop", store:tokens "shop"), pace_store = shared:pace "shop" })

local inside = {}

inside.bot = avito.bot { client = client, store = store, rulebook = plan.rules, on_error = telling.on_error,
  on_event = telling.on_event }

function inside.start() nginx.start(inside.bot, plan.run) end

return inside
