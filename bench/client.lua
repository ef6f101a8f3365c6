-- One measured process of bench/run.lua. BENCH_URL names the server, BENCH_CA a file of certificates.
--   client.lua get_chat|send_message|mark_chat_as_read COUNT WARM-UP    prints the microseconds of
--                                    CPU (user and system) of one call
--   client.lua once                  makes one call
--   client.lua refused               makes one call that must fail on the server's certificate, and prints the
--                                    milliseconds of CPU since the process began
--   client.lua memory [refused]      prints the resident megabytes after the first call

local avito = require "avito_messenger"

local client = avito.client {
  access_token = "dummy-access-token",
  user_id = 1,
  base_url = os.getenv "BENCH_URL",
  ca_file = os.getenv "BENCH_CA",
  retries = 0,
  pace = false,
}

local calls = {}

function calls.get_chat(number)
  local chat = assert(client:get_chat("u2i-" .. number))
  assert(chat.users[2].name == "buyer")
end

function calls.send_message(number)
  local sent = assert(client:send_message("u2i-" .. number, "Yes, it is. " .. number))
  assert(sent.id)
end

function calls.mark_chat_as_read(number)
  assert(client:mark_chat_as_read("u2i-" .. number))
end

local mode, count, warm_up = arg[1], tonumber(arg[2]), tonumber(arg[3])
if calls[mode] then
  local call = calls[mode]
  for number = 1, warm_up do
    call(number)
  end
  local start = os.clock()
  for number = 1, count do
    call(number)
  end
  print(("%.3f"):format((os.clock() - start) / count * 1e6))
elseif mode == "once" then
  calls.get_chat(1)
elseif mode == "refused" then
  local chat, err = client:get_chat("id")
  assert(chat == nil and err.kind == "network", tostring(err))
  print(("%.3f"):format(os.clock() * 1e3))
elseif mode == "memory" then
  if arg[2] == "refused" then
    assert(not client:get_chat("id"))
  else
    calls.get_chat(1)
  end
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
