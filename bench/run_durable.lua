--- The figures of webhooks that are stored before they are answered.
--   BENCH_BIN    directory of the program webhooks
--   BENCH_URL    server that is asked to send      BENCH_CPU, BENCH_OTHER_CPU   of the listener, and of the load
-- The listener has a processor for itself; on a machine with one it shares it with the load, and that counts for both sides.

local figures = require "figures"

local run_durable = {}

local bin = os.getenv "BENCH_BIN"
local cpu, other_cpu = os.getenv "BENCH_CPU", os.getenv "BENCH_OTHER_CPU"

local ROUNDS = 3
local SECONDS = 3
local CONNECTIONS = 64
local MOST = 1000000  -- webhooks of a block
local STEADY = 1000   -- a second
local STEADY_SECONDS = 20
local MANY_CHATS = 10000
local FILLED = 1000000

-- A listener under a load, then what both of them print: the listener has its own directory, and ends before this does.
local SCRIPT = [[
directory=$(mktemp -d)
trap 'kill $pid 2>/dev/null; rm -rf "$directory"' EXIT
%s %s >"$directory/out" & pid=$!
for _ in $(seq 200); do
  port=$(sed -n 's/^port //p' "$directory/out")
  [ -z "$port" ] || break
  sleep 0.05
done
%s %s/webhooks $port /dummy-path-secret 100000001 %d %d %d %g %d 1
%s
for _ in $(seq 600); do kill -0 $pid 2>/dev/null || break; sleep 0.1; done
wait $pid
cat "$directory/out"
]]

local function pinned(to)
  return to and ("taskset -c %s"):format(to) or ""
end

-- What is printed as words and numbers in turn.
local function pairs_of(text)
  local found = {}
  for name, value in text:gmatch "(%a%w*) (%d[%d.]*)" do found[name] = tonumber(value) end
  return found
end

--- A run of bench/durable.lua under a load: what both print.
---@param vm table
---@param mode string of durable.lua; $directory is its own
---@param load { connections: integer?, chats: integer, count: integer?, seconds: number, rate: integer?, patient: boolean? }
--- patient: the listener ends by itself
---@return table<string, number>
function run_durable.measure(vm, mode, load)
  local program = figures.program(vm, "bench/durable.lua " .. mode, { "BENCH_URL=" .. os.getenv "BENCH_URL" })
  local script = SCRIPT:format(pinned(cpu), program, pinned(other_cpu), bin, load.connections or CONNECTIONS, load.chats,
    load.count or MOST, load.seconds, load.rate or 0, load.patient and "" or "kill -TERM $pid")
  local pipe = assert(io.popen(script, "r"))
  local text = pipe:read "*a"
  pipe:close()
  local found = pairs_of(text)
  assert(found.answered and found.cpu, "no figures from " .. mode .. ":\n" .. text)
  assert(found.refused == 0 and found.lost == 0, "not everything was taken by " .. mode .. ":\n" .. text)
  return found
end

local measure = run_durable.measure

local STORES = { "memory", "group", "alone" }

-- The most webhooks a second of each store, and the least microseconds of CPU for one, all in turn.
local function throughput(vm)
  local rate, spent = {}, {}
  for _ = 1, ROUNDS do
    for _, store in ipairs(STORES) do
      local found = measure(vm, ("take %s $directory/shop.db"):format(store), { chats = 1000, seconds = SECONDS })
      rate[store] = math.max(rate[store] or 0, found.rate)
      spent[store] = math.min(spent[store] or math.huge, found.cpu / found.answered * 1e6)
    end
  end
  local names = { memory = "not durable", group = "durable", alone = "durable, a commit each" }
  for _, store in ipairs(STORES) do
    figures.report(("CPU of a webhook, %s, %s"):format(names[store], vm.name), spent[store], "us", nil,
      ("%.0f a second"):format(rate[store]))
  end
  figures.report("time of a durable one to one that is not, " .. vm.name, rate.memory / rate.group, "x", 2.5)
  figures.report("time of a durable one to one with a commit each, " .. vm.name, rate.alone / rate.group, "x", 1)
end

-- The bot has more to do than it can, and that must not be seen from outside.
local function latency(vm)
  local load = { chats = 1000, seconds = STEADY_SECONDS, rate = STEADY }
  local found = measure(vm, "answer group $directory/shop.db 0", load)
  figures.report(("99.9 %% of webhooks at %d a second, %s"):format(STEADY, vm.name), found.p999, "ms", 50,
    ("half %.1f, 99 %% %.1f, all %.1f ms; %d answered meanwhile"):format(found.p50, found.p99, found.max, found.sent))
end

local function memory(vm)
  for _, store in ipairs { "group", "memory" } do
    local found = measure(vm, ("answer %s $directory/shop.db %d"):format(store, MANY_CHATS),
      { chats = MANY_CHATS, count = MANY_CHATS, seconds = 120, patient = true })
    local name = store == "group" and "a file" or "memory"
    figures.report(("most resident memory, %d chats in %s, %s"):format(MANY_CHATS, name, vm.name), found.most / 1024, "MB", 100,
      ("%.2f KB a chat"):format((found.most - found.begin) / MANY_CHATS))
  end
end

local function start_up()
  local pipe = assert(io.popen("mktemp -d", "r"))
  local directory = pipe:read "*l"
  pipe:close()
  local path = figures.quote(directory .. "/shop.db")
  os.execute(figures.program(figures.vms[1], ("bench/durable.lua fill %s %d"):format(path, FILLED)))
  for _, vm in ipairs(figures.vms) do
    local least = math.huge
    for _ = 1, ROUNDS do
      least = math.min(least, figures.number_of(figures.program(vm, "bench/durable.lua start " .. path)))
    end
    figures.report(("start with %d messages in the journal, %s"):format(FILLED, vm.name), least, "ms", 1000)
  end
  os.execute("rm -rf " .. figures.quote(directory))
end

--- Measures and prints them.
function run_durable.run()
  print(("Webhooks, %d connections, the listener on one processor."):format(CONNECTIONS))
  for _, vm in ipairs(figures.vms) do throughput(vm) end
  for _, vm in ipairs(figures.vms) do latency(vm) end
  for _, vm in ipairs(figures.vms) do memory(vm) end
  start_up()
end

return run_durable
