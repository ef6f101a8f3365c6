-- One measured process of bench/run.lua. BENCH_URL names the server, BENCH_CA a file of certificates.
--   client.lua call COUNT WARM-UP    prints the microseconds of CPU (user and system) of one call
--   client.lua once                  makes one call
--   client.lua refused               makes one call that must fail on the server's certificate, and prints the
--                                    milliseconds of CPU since the process began
--   client.lua memory                prints the resident megabytes after the first call

local avito = require "avito_messenger"

local client = avito.client {
  access_token = "dummy-access-token",
  user_id = 1,
  base_url = os.getenv "BENCH_URL",
  ca_file = os.getenv "BENCH_CA",
  retries = 0,
}

local function call()
  local chat = assert(client:get_chat("id"))
  assert(chat.users[2].name == "buyer")
end

local mode, count, warm_up = arg[1], tonumber(arg[2]), tonumber(arg[3])
if mode == "call" then
  for _ = 1, warm_up do
    call()
  end
  local start = os.clock()
  for _ = 1, count do
    call()
  end
  print(("%.3f"):format((os.clock() - start) / count * 1e6))
elseif mode == "once" then
  call()
elseif mode == "refused" then
  local chat, err = client:get_chat("id")
  assert(chat == nil and err.kind == "network", tostring(err))
  print(("%.3f"):format(os.clock() * 1e3))
elseif mode == "memory" then
  call()
  for line in io.lines("/proc/self/status") do
    local kilobytes = line:match "^VmRSS:%s*(%d+) kB"
    if kilobytes then
      print(("%.2f"):format(kilobytes / 1024))
    end
  end
else
  error("unknown mode: " .. tostring(mode))
end
client:close()
