--- The tortured process: program.lua PLAN, where PLAN is the JSON of
---   base_url, directory, seed, seconds, pace, chats, voice, on_signal
--- It does what the tasks of acts.lua do, 200 at once, and prints a line for everything the spec is to judge:
---   running                               many calls have been made
---   problem TEXT                          what must not happen
---   send STATE KEY                        what a send said of itself
---   round NUMBER HEAP RESIDENT            kilobytes after it
---   ended OUTCOME                         of loop.run
---   calls COUNT SUCCESSES
---   faults JSON                           what the sandbox says of them, at the end of the last round
---   finished
local acts = require "torture.acts"
local avito = require "avito_messenger"
local files = require "support.files"
local json = require "avito_messenger.json"
local loop = require "avito_messenger.io.loop"
local now = require("avito_messenger.clock").now
local Random = require "avito_messenger.sandbox.random"
local sandbox = require "support.sandbox"

local TASKS = 200
local ROUNDS = 5
local TIMEOUT = 2 -- of a call
local GRACE = 0.1 -- after a round, until what still runs is cancelled
local AT_LAST = 20 -- timeout of the calls that must succeed
local WARM = 300 -- calls

local plan = json.decode(arg[1])
local place = {}
for _, name in ipairs { "directory", "chats", "voice" } do place[name] = plan[name] end
local random = Random.new(plan.seed)

local function say(...)
  io.stdout:write(table.concat({ ... }, " "), "\n")
end

function place.problem(text) say("problem", (text:gsub("\n", " | "))) end

function place.send(key, state)
  say("send", state:gsub(" ", "_"), key)
  if place.calls > WARM and not place.warm then
    place.warm = true
    say "running"
    io.stdout:flush()
  end
end

local function kilobytes()
  return files.read("/proc/self/status"):match "VmRSS:%s*(%d+) kB"
end

-- What descriptors there are, without the one that this is read from.
local function descriptors()
  local pipe = assert(io.popen 'own=$(readlink /proc/$$/fd/1); ls -l /proc/$PPID/fd | grep -vF "$own"')
  local list = {}
  for line in pipe:lines() do list[#list + 1] = line:match "(%d+ %-> .*)$" end
  pipe:close()
  table.sort(list)
  return #list, table.concat(list, ", ")
end

-- ---- clients

local function new_client(more)
  local given = { io = loop, base_url = plan.base_url, timeout = TIMEOUT, client_id = sandbox.client_id,
    client_secret = sandbox.client_secret, pace = plan.pace, user_id = sandbox.user_id }
  for name, value in pairs(more or {}) do given[name] = value or nil end
  return avito.client(given)
end

-- At the beginning of a round, when no task runs: the same as what a seller does in a browser.
local function new_code()
  local response = sandbox.request { method = "POST", url = plan.base_url .. "/sandbox/codes",
    body = assert(json.encode { client_id = sandbox.client_id, user_id = sandbox.user_id }) }
  return json.decode(response.body).code
end

local lasting = { new_client(), new_client { user_id = false } }

-- A refresh token that was used and lost in a fault ends a client: each round has another.
local function clients_of_a_round(number)
  local tokens = ("%s/tokens-%d.json"):format(plan.directory, number)
  local by_code = new_client { code = new_code(), token_store = avito.file_token_store(tokens) }
  return { lasting[1], lasting[2], by_code, new_client { user_id = false } }
end

-- ---- tasks

local alive = {} -- the coroutines of tasks that have not ended

local function work(client)
  local actor = acts.new(place, client, Random.new(random:pick(2 ^ 30)))
  local co = coroutine.running()
  alive[co] = true
  local ok, problem = pcall(function()
    for _ = 1, actor.random:pick(8) do actor:act() end
  end)
  alive[co] = nil
  if not ok then error(problem, 0) end
  return true
end

-- Keeps one place taken: when its task has ended, or was cancelled, another begins.
local function occupy(round, slot)
  while now() < round.ends do
    local task = loop.spawn(work, round.clients[random:pick(#round.clients)])
    round.tasks[slot] = task
    local value, err = task:wait()
    if value ~= true then acts.check_error(place, "a task", err) end
  end
  round.tasks[slot] = nil
end

local function expire_tokens(client)
  client:request("POST", "/sandbox/tokens/expire", { json = {} })
end

local function torment(round)
  while now() < round.ends do
    loop.sleep(random:within { 0, 0.02 })
    local task = round.tasks[random:pick(TASKS)]
    if task then task:cancel() end
    if random:chance(0.03) then loop.background(expire_tokens, round.clients[1]) end
    if random:chance(0.02) then
      round.clients[4]:close()
      round.clients[4] = new_client { user_id = false }
    end
  end
  loop.sleep(GRACE)
  for _, one in pairs(round.tasks) do one:cancel() end
end

local function play(number)
  local round = { ends = now() + plan.seconds / ROUNDS, clients = clients_of_a_round(number), tasks = {} }
  local tasks = { loop.spawn(torment, round) }
  for slot = 1, TASKS do tasks[slot + 1] = loop.spawn(occupy, round, slot) end
  for _, task in ipairs(tasks) do
    local _, err = task:wait()
    if err then place.problem("a task of the torture itself: " .. tostring(err.traceback or err)) end
  end
  round.clients[3]:close()
end

-- No call lost a connection, a token or a turn for good: when nothing is wrong any more, all is well.
local function recover()
  say("faults", (sandbox.request { url = plan.base_url .. "/sandbox/faults" }).body)
  sandbox.request { method = "DELETE", url = plan.base_url .. "/sandbox/faults" }
  local fns = {}
  for i = 1, plan.pace and 10 or TASKS do
    fns[i] = function() return lasting[i % 2 + 1]:get_chats({}, { timeout = AT_LAST }) end
  end
  local _, found = loop.all(fns)
  for _, err in pairs(found or {}) do place.problem("after all: " .. tostring(err)) end
end

local function until_signal(fn, ...)
  local all = loop.spawn(fn, ...)
  if plan.on_signal then loop.on_signal("INT", function() all:cancel() end) end
  local _, err = all:wait()
  if err then error(err, 0) end
end

-- Each round is a run of the loop: at its end nothing is left of it.
local function torture()
  for number = 1, ROUNDS do
    loop.run(until_signal, play, number)
    collectgarbage()
    collectgarbage()
    say("round", number, ("%.0f"):format(collectgarbage "count"), kilobytes())
  end
  loop.run(recover)
end

acts.prepare(place)
loop.on_error(function(err)
  acts.check_error(place, "a task nobody waited for", err)
end)
local before = (descriptors())
local ok, problem = pcall(torture)
say("ended", ok and "well" or (tostring(problem):gsub("\n", " | ")))
for co in pairs(alive) do place.problem("a task was never told of the end: " .. debug.traceback(co)) end
say("calls", place.calls, place.successes)
for _, client in ipairs(lasting) do client:close() end
loop.close()
local after, list = descriptors()
if after ~= before then place.problem(("%d descriptors became %d: %s"):format(before, after, list)) end
say "finished"
