--- A bot as a process that may be killed at any moment: bot.lua PLAN, where PLAN is the JSON of
---   base_url, store, rules     the sandbox, the file of the store, the rulebook
---   run                        what bot:run is given
---   timeout, lease             of the client and the store, in seconds
--- It prints a line for what a judge wants to know:
---   started, stopping, stopped LEFT, ended
---   recovered EFFECT           the process before it had left that under way
---   reloaded, fenced, done EFFECT
---   error TEXT
local avito = require "avito_messenger"
local json = require "avito_messenger.json"
local loop = require "avito_messenger.io.loop"
local sandbox = require "support.sandbox"

local plan = assert(json.decode(arg[1]))

io.stdout:setvbuf "line"

local function say(...) io.stdout:write(table.concat({ ... }, " "), "\n") end

local TOLD = {
  started = function() end, stopping = function() end, reloaded = function() end, fenced = function() end,
  stopped = function(note) return ("%d"):format(note.left) end,
  recovered = function(note) return note.effect end,
  done = function(note) return note.effect end,
}

local store, problem = avito.store(plan.store, { lease = plan.lease })
if not store then
  say("error", tostring(problem))
  os.exit(1, true)
end
local client = avito.client { io = loop, base_url = plan.base_url, client_id = sandbox.client_id,
  client_secret = sandbox.client_secret, token_store = store:tokens "shop", timeout = plan.timeout, pace = false }
local bot = avito.bot { client = client, store = store, rulebook = plan.rules,
  on_error = function(note) say("error", (note.message or note.why or note.kind):gsub("\n", " | "), nil) end,
  on_event = function(note)
    local tell = TOLD[note.kind]
    if tell then say(note.kind, tell(note)) end
  end }
local ok, message = bot:run(plan.run)
if not ok then say("error", "run: " .. message) end
client:close()
store:close()
say "ended"
