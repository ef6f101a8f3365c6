-- One measured process of the figures of webhooks. BENCH_URL names the server that is asked to send.
--   durable.lua take STORE PATH           stores webhooks, and answers nobody
--   durable.lua answer STORE PATH COUNT   a bot that answers the messages, until COUNT were answered
--   durable.lua fill PATH COUNT           makes a journal of COUNT messages that were answered
--   durable.lua start PATH                opens it and takes up the first chat that is due; prints the milliseconds
-- STORE: memory; group: a file at PATH; alone: the same, with a commit for each webhook.
-- `take` and `answer` print `port N` at once, and serve until SIGTERM; then the seconds of CPU since, the resident kilobytes
-- at the begin and the most there were, and how many replies were sent.
local now = require("avito_messenger.clock").now
local began = now()

local avito = require "avito_messenger"
local loop = require "avito_messenger.io.loop"

local SECRET = "dummy-path-secret"
local USER = 100000001
local MANY = 10000 -- rows a transaction, of `fill`
local CHATS = 10000

local RULES = { burst = 0, flood = false,
  { "поставка", hears = "поставк*", say = "Да, на следующей неделе." },
}

--- A figure of /proc/self/status, in kilobytes.
local function kilobytes(name)
  for line in io.lines "/proc/self/status" do
    local value = line:match("^" .. name .. ":%s*(%d+) kB")
    if value then return tonumber(value) end
  end
  error("no " .. name)
end

-- The listener hands over at once what came at once: here each is a commit of its own.
local function take_alone(store)
  local receive = store.receive
  function store.receive(self, account, rows)
    local flags = {}
    for i, row in ipairs(rows) do
      local flag, err = receive(self, account, { row })
      if not flag then return nil, err end
      flags[i] = flag[1]
    end
    return flags
  end
  return store
end

local function open_store(kind, path)
  if kind == "memory" then return avito.memory_store() end
  local store = assert(avito.store(path, { group = kind == "group" }))
  return kind == "alone" and take_alone(store) or store
end

local function new_bot(kind, path, on_event)
  local client = avito.client { io = loop, base_url = os.getenv "BENCH_URL", access_token = "dummy-access-token", user_id = USER,
    pace = false }
  return avito.bot { client = client, store = open_store(kind, path), user_id = USER, rulebook = avito.rulebook(RULES),
    on_event = on_event }
end

local modes = {}

local function say(...)
  print(...)
  io.flush()
end

-- What there is before anything has come; gives back what tells the rest.
local function begin(port)
  collectgarbage()
  local resident, cpu = kilobytes "VmRSS", os.clock()
  say("port " .. port)
  return function(sent)
    say(("cpu %.3f begin %d most %d sent %d"):format(os.clock() - cpu, resident, kilobytes "VmHWM", sent))
  end
end

function modes.take(kind, path)
  loop.run(function()
    local bot = new_bot(kind, path)
    local server = assert(bot:listen { port = 0, path_secret = SECRET })
    local stopped = false
    loop.on_signal("TERM", function() stopped = true end)
    local tell = begin(server.port)
    while not stopped do
      loop.sleep(0.1)
      assert(bot.store:maintain(bot.driver:time()))
    end
    server:close()
    tell(0)
    bot.store:close()
  end)
end

function modes.answer(kind, path, count)
  local sent, bot = 0, nil
  count = tonumber(count)
  loop.run(function()
    bot = new_bot(kind, path, function(note)
      if note.kind == "done" and note.effect == "send" then
        sent = sent + 1
        if sent == count then bot:stop(0) end
      end
    end)
    local server = assert(bot:listen { port = 0, path_secret = SECRET })
    local tell = begin(server.port)
    bot:run { poll = false, drain = 0 }
    tell(sent)
    server:close()
    bot.store:close()
  end)
end

function modes.fill(path, count)
  local journal = require "avito_messenger.journal"
  local opened = assert(journal.open(path, {}))
  local account, time = tostring(USER), os.time()
  for first = 1, tonumber(count), MANY do
    assert(opened:begin(1))
    for number = first, math.min(first + MANY - 1, tonumber(count)) do
      local chat, key = ("u2i-%022d"):format(number % CHATS), ("%032x"):format(number)
      opened:run("inbox_insert", account, chat, key, "avito", ("x"):rep(500), time)
      opened:run("chat_wake", account, chat, time)
      opened:run("inbox_take", account, chat, number, time)
      opened:run("outbox_write", account, chat, key .. "/0/1", 1, "send", "queued", ("x"):rep(100))
      opened:run("outbox_end", account, chat, key .. "/0/1", "confirmed", key, time)
    end
    assert(opened:commit())
  end
  opened:close()
end

function modes.start(path)
  local store = assert(avito.store(path))
  store:attach { time = os.time, now = now }
  local account = tostring(USER)
  local chat = assert(store:due(account, os.time(), 1))[1]
  assert(store:claim(account, chat))
  print(("%.3f"):format((now() - began) * 1000))
  store:close()
end

local run = modes[arg[1]] or error("unknown mode: " .. tostring(arg[1]))
run(arg[2], arg[3], arg[4])
