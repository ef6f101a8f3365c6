--- The figures of webhooks inside nginx: one worker, on a processor of its own where there are two.
--   BENCH_BIN    directory of the program webhooks
--   BENCH_URL    server that is asked to send      BENCH_CPU, BENCH_OTHER_CPU   of the worker, and of the load
--   BENCH_MINUTES   for which it is watched whether memory grows; default 1
-- What a handler takes is compared with what nginx takes for itself: a handler that reads the body and answers the same.

local figures = require "figures"
local run_durable = require "run_durable"

local run_nginx = {}

local bin, builds = os.getenv "BENCH_BIN", os.getenv "BENCH_BUILDS"
local cpu, other_cpu = os.getenv "BENCH_CPU", os.getenv "BENCH_OTHER_CPU"
local minutes = tonumber(os.getenv "BENCH_MINUTES" or "1")

local ROUNDS = 5
local SECONDS = 2
local CONNECTIONS = 64
local MOST = 1000000     -- webhooks of a load
local HALF_SECONDS = 10
local MESSAGES = 3000    -- that are answered, to see what one costs
local FILLING = 8000     -- messages of as many chats, after which SQLite has all the pages that it keeps in memory
local RATE = 100         -- of messages a second, while memory is watched
local FIRST = 60         -- seconds at most, after which it is looked at for the first time
local MOST_GROWTH = 1024 -- KB

local LEAST_OF_PLAIN = { memory = 0.6, durable = 0.25 }
local ENOUGH = { durable = 30000 } -- a second, whatever plain nginx does

-- An nginx under a load, then what both of them print. It has its own directory, and ends before this does.
local SCRIPT = [[
directory=$(mktemp -d)
end() {
  [ ! -s "$directory/pid" ] || kill "$(cat "$directory/pid")"
  for _ in $(seq 100); do [ -s "$directory/pid" ] || break; sleep 0.05; done
  rm -rf "$directory"
}
trap end EXIT
trap 'exit 130' INT
trap 'exit 143' HUP TERM
sed -e 's|@PORT@|%d|' -e "s|@LUA_PATH@|$PWD/bench/?.lua;$PWD/lua/?.lua;$PWD/lua/?/init.lua;;|" \
  -e "s|@LUA_CPATH@|%s/luajit/?.so;;|" bench/nginx.conf >"$directory/nginx.conf"
BENCH_STORE=%s BENCH_ANSWER=%s %s nginx -p "$directory" -c "$directory/nginx.conf" -e "$directory/error.log" || exit
url=http://127.0.0.1:%d
figures() { echo "$1 at $(date +%%s.%%N) $(curl -sS --noproxy '*' "$url/figures?collect=$2")"; }
figures begin
%s
figures end
cat "$directory/error.log"
]]

local function pinned(to)
  return to and ("taskset -c %s"):format(to) or ""
end

-- What is printed as words and numbers in turn, of the line that begins with that word.
local function line_of(text, word)
  local line, found = text:match(("\n%s [^\n]*"):format(word)), {}
  for name, value in (line or ""):gmatch "(%a%w*) (%d[%d.]*)" do found[name] = tonumber(value) end
  return line and found
end

---@class bench.nginx.Run
---@field store "none"|"memory"|"$directory/shop.db"
---@field answer boolean
---@field load string shell, for which $url and figures() are there; on the other processor

-- All that is printed; a port that somebody else has is no reason to give up.
---@param given bench.nginx.Run
---@return string
local function run(given)
  local text
  for _ = 1, 5 do
    local port = math.random(12000, 28000)
    local script = SCRIPT:format(port, builds, given.store, given.answer and "yes" or "no", pinned(cpu), port, given.load)
    local pipe = assert(io.popen("exec 2>&1\n" .. script, "r"))
    text = "\n" .. pipe:read "*a"
    pipe:close()
    if line_of(text, "begin") then break end
  end
  assert(line_of(text, "begin") and line_of(text, "end"), "no figures from nginx:\n" .. text)
  assert(not text:find "%[error%]" and not text:find "%[alert%]", "nginx logged an error:\n" .. text)
  return text
end

-- Nothing but webhooks: what the load and the worker say of them.
local function load_of(given)
  local text = run(given)
  local found = assert(line_of(text, "answered"), "no figures of the load:\n" .. text)
  assert(found.refused == 0 and found.lost == 0, "not everything was taken:\n" .. text)
  local first, last = line_of(text, "begin"), line_of(text, "end")
  found.cpu = (last.cpu - first.cpu) / found.answered * 1e6
  found.busy = (last.cpu - first.cpu) / (last.at - first.at)
  return found
end

local HOOK = "/webhooks/dummy-path-secret"

local function wrk(path)
  return ("%s wrk -t1 -c%d -d%ds -s bench/wrk.lua $url%s -- 1 | grep ^answered"):format(pinned(other_cpu), CONNECTIONS, SECONDS,
    path)
end

-- The webhooks of bench/webhooks.c: those have a rate.
local function webhooks(load)
  return ("%s %s/webhooks ${url##*:} %s 100000001 %d %d %d %g %d %d"):format(pinned(other_cpu), bin, HOOK, CONNECTIONS,
    load.chats or 1000, load.count or MOST, load.seconds, load.rate or 0, load.first or 1)
end

local KINDS = {
  { name = "bare", says = "plain nginx, body not read", store = "none", path = "/" },
  { name = "plain", says = "plain nginx", store = "none", path = "/read/" },
  { name = "memory", says = "stored in memory", store = "memory", path = HOOK },
  { name = "durable", says = "durable", store = "$directory/shop.db", path = HOOK },
}

local function median_of(list, name)
  local values = {}
  for i, found in ipairs(list) do values[i] = found[name] end
  return figures.median(values)
end

-- Webhooks a second of each kind, all in turn.
local function throughput()
  local found = {}
  for _ = 1, ROUNDS do
    for _, kind in ipairs(KINDS) do
      found[kind.name] = found[kind.name] or {}
      table.insert(found[kind.name], load_of { store = kind.store, load = wrk(kind.path) })
    end
  end
  local rates = {}
  for _, kind in ipairs(KINDS) do rates[kind.name] = median_of(found[kind.name], "rate") end
  for _, kind in ipairs(KINDS) do
    local name, rate, least = kind.name, rates[kind.name], LEAST_OF_PLAIN[kind.name]
    local target = least and math.min(least * rates.plain, ENOUGH[name] or math.huge)
    figures.report("time of a webhook, " .. kind.says, 1e6 / rate, "us", target and 1e6 / target,
      ("%.0f a second, %.2f of plain, %.2f of one that does not read; CPU %.1f us, %.0f %% busy"):format(rate, rate / rates.plain,
        rate / rates.bare, median_of(found[name], "cpu"), 100 * median_of(found[name], "busy")))
  end
  return rates.durable
end

local function latency(rate)
  local found = load_of { store = "$directory/shop.db", load = webhooks { seconds = HALF_SECONDS, rate = math.floor(rate / 2) } }
  figures.report("99 % of durable webhooks at half of that", found.p99, "ms", 20,
    ("%.0f a second: half %.2f, 99.9 %% %.1f, all %.1f ms"):format(found.rate, found.p50, found.p999, found.max))
end

-- Waits until all are answered, or a minute is over.
local function until_sent(count)
  return ("\nfor _ in $(seq 600); do figures wait | grep -q ' sent %d$' && break; sleep 0.1; done"):format(count)
end

-- What is received, matched and answered, with all calls of the API.
local function answers()
  local inside = run { store = "$directory/shop.db", answer = true,
    load = webhooks { seconds = 60, chats = MESSAGES, count = MESSAGES } .. until_sent(MESSAGES) }
  local first, last = line_of(inside, "begin"), line_of(inside, "end")
  assert(last.sent == MESSAGES, "not everything was answered:\n" .. inside)
  local listener = run_durable.measure(figures.vms[2], ("answer group $directory/shop.db %d"):format(MESSAGES),
    { chats = MESSAGES, count = MESSAGES, seconds = 120, patient = true })
  figures.report("CPU of a message that is answered, its calls included", (last.cpu - first.cpu) / MESSAGES * 1e6, "us", nil,
    ("the loop's listener, on LuaJIT: %.0f us"):format(listener.cpu / MESSAGES * 1e6))
end

-- Webhooks, replies and pages of metrics for a while. What is needed in any case is there after the first minute.
local MIXED = [[
%s
%s & load=$!
for i in $(seq %d); do
  [ $i -ne %d ] || figures first yes
  curl -sS --noproxy '*' $url/metrics >/dev/null
  sleep 0.5
done
wait $load%s
figures last yes]]

local function memory()
  local seconds = math.floor(minutes * 60)
  local first, count = math.min(FIRST, seconds / 2), seconds * RATE
  local filling = webhooks { seconds = 60, count = FILLING, chats = FILLING } .. until_sent(FILLING)
  local load = webhooks { seconds = seconds + 1, rate = RATE, count = count, first = FILLING + 1 }
  local text = run { store = "$directory/shop.db", answer = true,
    load = MIXED:format(filling, load, math.floor(seconds * 1.9), math.floor(first * 1.9), until_sent(FILLING + count)) }
  local before, after = line_of(text, "first"), line_of(text, "last")
  assert(after.sent == FILLING + count, "not everything was answered:\n" .. text)
  local what = ("in %.1f minutes, after %.1f"):format((after.at - before.at) / 60, first / 60)
  figures.report("growth of resident memory " .. what, math.max(0, after.resident - before.resident), "KB", MOST_GROWTH,
    ("to %.1f MB, with %d messages answered"):format(after.resident / 1024, after.sent))
  figures.report("growth of what Lua holds " .. what, math.max(0, after.heap - before.heap), "KB", MOST_GROWTH,
    ("to %.2f MB"):format(after.heap / 1024))
end

--- Measures and prints them.
function run_nginx.run()
  print(("Webhooks inside nginx, %d connections, one worker on one processor."):format(CONNECTIONS))
  latency(throughput())
  answers()
  memory()
end

return run_nginx
