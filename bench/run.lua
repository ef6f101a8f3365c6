-- The figures of the project, each with its target. Started by tools/bench, which starts the servers:
--   BENCH_BIN   directory of plain_libcurl and startup      BENCH_URL   server over http
--   BENCH_TLS   server over https                           BENCH_ONE, BENCH_BUNDLE  certificates it is
--   BENCH_BUILDS   builds to measure, <dir>/<lua>      checked with: alone, and in the system's bundle
-- Blocks of calls alternate between the yardstick and the client, each in a process of its own; a ratio is that of the
-- least either needed: whatever else the machine does can only add to a block.

local bin, builds = os.getenv "BENCH_BIN", os.getenv "BENCH_BUILDS"
local http, tls = os.getenv "BENCH_URL", os.getenv "BENCH_TLS"
local vms = { { lua = "lua5.4", name = "Lua 5.4" }, { lua = "luajit", name = "LuaJIT" } }
local missed = 0

local function quote(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

-- The number with which the last line of a command's output ends.
local function number_of(command)
  local pipe = assert(io.popen(command, "r"))
  local last
  for line in pipe:lines() do
    last = line
  end
  pipe:close()
  return tonumber((last or ""):match "([%d.]+)$") or error("no number from: " .. command)
end

local function median(values)
  table.sort(values)
  local middle = math.floor((#values + 1) / 2)
  return #values % 2 == 1 and values[middle] or (values[middle] + values[middle + 1]) / 2
end

-- Without a target the figure stands for itself.
local function report(figure, value, unit, target, note)
  local verdict = (" "):rep(23)
  if target then
    local ok = value <= target
    missed = missed + (ok and 0 or 1)
    verdict = ("target %5.2f %-2s  %-6s"):format(target, unit, ok and "ok" or "MISSED")
  end
  local text = ("%-56s %7.2f %-2s  %s %s"):format(figure, value, unit, verdict, note or "")
  print((text:gsub("%s+$", "")))
  io.flush()
end

-- The command of bench/client.lua in `vm`; `environment` is a list of "NAME=value", the URL's among them.
local function client(vm, arguments, environment)
  local command = { "env" }
  for _, pair in ipairs(environment or {}) do
    command[#command + 1] = quote(pair)
  end
  command[#command + 1] = "LUA_CPATH=" .. quote(builds .. "/" .. vm.lua .. "/?.so;;")
  command[#command + 1] = vm.lua .. " bench/client.lua " .. arguments
  return table.concat(command, " ")
end

-- Rounds of blocks, yardstick and client alternating; reports client / yardstick for each VM.
local function against_plain(figure, target, rounds, call, count, warm_up, url, ca)
  local plain = ("%s/plain_libcurl %s %s %d %d %s"):format(bin, call, url, count, warm_up, ca and quote(ca) or "")
  local environment = { "BENCH_URL=" .. url, ca and "BENCH_CA=" .. ca }
  local yardstick, least = math.huge, {}
  for _ = 1, rounds do
    for i, vm in ipairs(vms) do
      yardstick = math.min(yardstick, number_of(plain))
      local ours = number_of(client(vm, ("%s %d %d"):format(call, count, warm_up), environment))
      least[i] = math.min(least[i] or math.huge, ours)
    end
  end
  local note = ("of %.1f us"):format(yardstick)
  for i, vm in ipairs(vms) do
    report(figure .. ", " .. vm.name, least[i] / yardstick, "x", target, note)
  end
end

print "CPU is user and system time of the client's process; x is a ratio to plain libcurl, or to lua-cjson."
against_plain("CPU of a small call (mark_chat_as_read)", 1.25, 25, "mark_chat_as_read", 1000, 100, http)
against_plain("CPU of a small call (send_message)", 1.25, 25, "send_message", 1000, 100, http)
against_plain("CPU of get_chat, 790 bytes decoded into 12 tables", nil, 15, "get_chat", 1000, 100, http)
against_plain("CPU of a new TLS connection, one CA", 1.10, 12, "get_chat", 100, 5, tls, os.getenv "BENCH_ONE")
against_plain("CPU of a new TLS connection, all CAs", 1.10, 12, "get_chat", 100, 5, tls, os.getenv "BENCH_BUNDLE")

for _, vm in ipairs(vms) do
  local command = ("env LUA_CPATH=%s/%s/?.so';;' %s bench/decode.lua"):format(quote(builds), vm.lua, vm.lua)
  report("decode a page of 100 chats, " .. vm.name, number_of(command), "x", 0.5)
end

-- Process start to the first request having arrived at a server: more than from require on.
for _, vm in ipairs(vms) do
  local command = bin .. "/startup 15 " .. client(vm, "once", {})
  report("start-up to the first request, " .. vm.name, number_of(command), "ms", 15)
end
-- The same over TLS with the system's trust, which knows no certificate of ours: CPU until it is refused.
for _, vm in ipairs(vms) do
  local command, taken = client(vm, "refused", { "BENCH_URL=" .. tls }), {}
  for i = 1, 9 do
    taken[i] = number_of(command)
  end
  report("CPU of start-up to the first TLS verdict, " .. vm.name, median(taken), "ms", 15)
end

for _, vm in ipairs(vms) do
  local command = client(vm, "memory", { "BENCH_URL=" .. http })
  report("resident memory, " .. vm.name, number_of(command), "MB", 13)
end
for _, vm in ipairs(vms) do
  local command = client(vm, "memory refused", { "BENCH_URL=" .. tls })
  report("resident memory after a TLS verdict, " .. vm.name, number_of(command), "MB", 13)
end

print(missed == 0 and "all targets met" or missed .. " missed")
os.exit(missed == 0 and 0 or 1)
