--- The figures of one call at a time.
--   BENCH_BIN   directory of plain_libcurl and startup      BENCH_URL   server over http
--   BENCH_TLS   server over https                           BENCH_ONE, BENCH_BUNDLE  certificates it is
--                                                           checked with: alone, and in the system's bundle

local figures = require "figures"

local run_one = {}

local bin, http, tls = os.getenv "BENCH_BIN", os.getenv "BENCH_URL", os.getenv "BENCH_TLS"
local vms, report, number_of = figures.vms, figures.report, figures.number_of

-- The command of bench/client.lua in `vm`; `environment` is a list of "NAME=value", the URL's among them.
local function client(vm, arguments, environment)
  return figures.program(vm, "bench/client.lua " .. arguments, environment)
end

-- Rounds of blocks, yardstick and client alternating; reports client / yardstick for each VM.
local function against_plain(figure, target, rounds, call, count, warm_up, url, ca)
  local plain = ("%s/plain_libcurl %s %s %d %d %s"):format(bin, call, url, count, warm_up, ca and figures.quote(ca) or "")
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

local function start_up()
  -- Process start to the first request having arrived at a server: more than from require on.
  for _, vm in ipairs(vms) do
    local command = bin .. "/startup 15 " .. client(vm, "once")
    report("start-up to the first request, " .. vm.name, number_of(command), "ms", 15)
  end
  -- The same over TLS with the system's trust, which knows no certificate of ours: CPU until it is refused.
  for _, vm in ipairs(vms) do
    local command, taken = client(vm, "refused", { "BENCH_URL=" .. tls }), {}
    for i = 1, 9 do
      taken[i] = number_of(command)
    end
    report("CPU of start-up to the first TLS verdict, " .. vm.name, figures.median(taken), "ms", 15)
  end
end

local function memory()
  for _, vm in ipairs(vms) do
    local command = client(vm, "memory", { "BENCH_URL=" .. http })
    report("resident memory, " .. vm.name, number_of(command), "MB", 13)
  end
  for _, vm in ipairs(vms) do
    local command = client(vm, "memory refused", { "BENCH_URL=" .. tls })
    report("resident memory after a TLS verdict, " .. vm.name, number_of(command), "MB", 13)
  end
end

--- Measures and prints them.
function run_one.run()
  print "One call at a time. x is a ratio to plain libcurl, or to lua-cjson."
  against_plain("CPU of a small call (mark_chat_as_read)", 1.25, 25, "mark_chat_as_read", 1000, 100, http)
  against_plain("CPU of a small call (send_message)", 1.25, 25, "send_message", 1000, 100, http)
  against_plain("CPU of get_chat, 790 bytes decoded into 12 tables", nil, 15, "get_chat", 1000, 100, http)
  against_plain("CPU of a new TLS connection, one CA", 1.10, 12, "get_chat", 100, 5, tls, os.getenv "BENCH_ONE")
  against_plain("CPU of a new TLS connection, all CAs", 1.10, 12, "get_chat", 100, 5, tls, os.getenv "BENCH_BUNDLE")
  for _, vm in ipairs(vms) do
    report("decode a page of 100 chats, " .. vm.name, number_of(figures.program(vm, "bench/decode.lua")), "x", 0.5)
  end
  start_up()
  memory()
end

return run_one
