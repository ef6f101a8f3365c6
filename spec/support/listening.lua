--- For specs: a listener of a bot in the loop, a stand-in for the bot, and clients of both kinds.
---
---   local h = listening.new()
---   before_each(h.begin); after_each(h.finish)     h.bot, h.driver, h.notes
---   h.serving({ metrics = true }, function() … end)    in the loop, with h.server
local avito = require "avito_messenger.bot.market.avito"
local Event = require "avito_messenger.io.loop.event"
local json = require "avito_messenger.json"
local listen = require "avito_messenger.bot.listen"
local loop = require "avito_messenger.io.loop"
local memory = require "avito_messenger.store.memory"
local process = require "spec_support.process"
local scheduler = require "avito_messenger.io.loop.scheduler"

local listening = { SECRET = "dummy-path-secret", ACCOUNT = "100000001" }

--- What a listener needs of a bot.
function listening.bot(h)
  local store = memory.new()
  store:attach(h.driver)
  local bot = { driver = h.driver, store = store, market = avito, told = 0, metrics = { text = function() return "up 1\n" end } }
  bot.lanes = { told = function() bot.told = bot.told + 1 end }
  function bot.account() return listening.ACCOUNT end
  function bot.health() return true end
  function bot.tell(_, note) h.notes[#h.notes + 1] = note end
  function bot.store_failed(_, what, err)
    bot:tell { kind = "store", what = what, code = type(err) == "table" and err.code or "error", message = tostring(err) }
  end
  return bot
end

-- Clients.
local function add_clients(h)
  function h.message(id, more)
    local value = { id = id, chat_id = "u2i-1", user_id = 100000001, author_id = 2, created = 1706865998, type = "text",
      content = { text = "Торг есть?" } }
    for name, member in pairs(more or {}) do value[name] = member end
    return assert(json.encode { version = "v3.0.0", payload = { type = "message", value = value } })
  end

  --- No answer holds the secret.
  function h.send(request)
    local response = h.driver:perform { method = request.method or "GET", url = h.server.url:sub(1, -2) .. request.path,
      headers = request.headers or {}, body = request.body, timeout = 10, connect_timeout = 5, max_bytes = 65536,
      max_head_bytes = 65536, purpose = "call" }
    if response.status then
      assert(not (response.head .. response.body):find(listening.SECRET, 1, true), "the secret is in an answer")
    end
    return response
  end

  function h.post(body, path)
    return h.send { method = "POST", path = path or "/" .. listening.SECRET, body = body }
  end

  function h.status_of(body) return h.post(body).status end

  --- Speaks raw bytes to the server from a program; returns all that it prints.
  function h.raw(script)
    local child = process.spawn({ "bash", "-c", ("exec 3<>/dev/tcp/127.0.0.1/%d; %s"):format(h.server.port, script) },
      { stdout = "pipe", stderr = "/dev/null" })
    h.until_(function() return child:wait(0.001) end)
    local text = child:read_all()
    child:close()
    return text
  end
end

-- What became of it.
local function add_looks(h)
  --- How many requests had the outcome, by what the bot was told.
  function h.told(outcome)
    local count = 0
    for _, note in ipairs(h.notes) do
      if note.kind == "webhook" and note.outcome == outcome then count = count + note.count end
    end
    return count
  end

  function h.stored() return h.bot.store:stats(listening.ACCOUNT, h.driver:time()).inbox end

  function h.pending() return h.server.doors[1].listener:pending() end

  function h.until_(condition)
    local ends = h.driver:now() + 30
    while not condition() do
      assert(h.driver:now() < ends, "it did not come")
      loop.sleep(0.005)
    end
  end
end

function listening.new()
  local h = {}
  local nothing = scheduler.counts()
  add_clients(h)
  add_looks(h)

  function h.begin()
    h.notes, h.reported, h.driver = {}, {}, loop.new()
    h.bot = listening.bot(h)
    loop.on_error(function(err) h.reported[#h.reported + 1] = tostring(err) end)
  end

  function h.finish()
    h.driver:close()
    loop.on_error(nil)
    loop.close()
    local luassert = require "luassert"
    luassert.same({}, h.reported)
    luassert.same(nothing, scheduler.counts())
    for _, note in ipairs(h.notes) do luassert.not_equal("error", note.kind, note.message) end
  end

  --- Runs in the loop with a listener, which is closed afterwards.
  function h.serving(given, fn)
    loop.run(function()
      local all = { port = 0, path_secret = listening.SECRET }
      for name, value in pairs(given) do all[name] = value end
      h.server = assert(listen.new(h.bot, all))
      fn()
      h.server:close()
    end)
  end

  --- Holds every receive back until `let_go`; `held` has their numbers of rows.
  function h.hold()
    local held, waiting = {}, {}
    local receive = h.bot.store.receive
    function h.bot.store.receive(...)
      local _, _, rows = ...
      local event = Event.new()
      held[#held + 1] = #rows
      waiting[#waiting + 1] = event
      event:wait(60)
      return receive(...)
    end
    local function let_go() table.remove(waiting, 1):set() end
    return held, let_go
  end

  return h
end

return listening
