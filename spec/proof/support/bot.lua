--- A bot as a process that may be killed at any moment: bot.lua PLAN, where PLAN is the JSON of
---   marketplace, credentials   of the client
---   base_url, store, rules     the sandbox, the file of the store, the rulebook
---   run                        what bot:run is given
---   timeout, lease             of the client and the store, in seconds
--- It prints what telling.lua says.
local avito = require "avito_messenger"
local clients = require "proof.support.clients"
local json = require "avito_messenger.json"
local loop = require "avito_messenger.io.loop"
local telling = require "proof.support.telling"

local plan = assert(json.decode(arg[1]))
local say = telling.say

local store, problem = avito.store(plan.store, { lease = plan.lease })
if not store then
  say("error", tostring(problem))
  os.exit(1, true)
end
local client = clients.make(plan, { io = loop, token_store = store:tokens "shop" })
local bot = avito.bot { client = client, store = store, rulebook = plan.rules, on_error = telling.on_error,
  on_event = telling.on_event }
local ok, message = bot:run(plan.run)
if not ok then say("error", "run: " .. message) end
client:close()
store:close()
say "ended"
