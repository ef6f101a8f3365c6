-- One measured process of the figures of many calls at once. BENCH_URL names the server.
--   many.lua calls COUNT AT-ONCE WARM-UP   sends COUNT messages after WARM-UP others; prints the seconds and the
--                                          microseconds of CPU (user and system) of a call
--   many.lua waiting calls|sleep COUNT     COUNT tasks that all wait, for an answer or asleep; prints the most megabytes
--                                          that were resident, and the kilobytes a task added to them
--   many.lua growth COUNT SECONDS          sends COUNT messages, or as many as SECONDS allow; prints the resident kilobytes
--                                          and those of the Lua heap after a tenth of COUNT and at the end, and how many
--                                          were sent

local avito = require "avito_messenger"
local loop = require "avito_messenger.io.loop"
local now = require("avito_messenger.clock").now

local AT_ONCE = 50 -- of the calls of `growth`

local function new_client(max_connections)
  return avito.client {
    io = loop.new { max_connections = max_connections },
    base_url = os.getenv "BENCH_URL",
    access_token = "dummy-access-token",
    user_id = 1,
    pace = false,
    retries = 0,
    timeout = 60,
  }
end

local function send(client, number)
  return assert(client:send_message("u2i-" .. number, "Yes, it is. " .. number)).id
end

--- A figure of /proc/self/status, in kilobytes.
local function kilobytes(name)
  for line in io.lines "/proc/self/status" do
    local value = line:match("^" .. name .. ":%s*(%d+) kB")
    if value then return tonumber(value) end
  end
  error("no " .. name)
end

local modes = {}

function modes.calls(count, at_once, warm_up)
  count, at_once, warm_up = tonumber(count), tonumber(at_once), tonumber(warm_up)
  local client = new_client(at_once)
  local function send_all(first, last)
    local numbers = {}
    for number = first, last do
      numbers[#numbers + 1] = number
    end
    local ids, errors = loop.map(numbers, function(number)
      return send(client, number)
    end, { concurrency = at_once })
    assert(#ids == #numbers and (errors == nil or next(errors) == nil), "a call failed")
  end
  send_all(1, warm_up)
  collectgarbage()
  local began, cpu = now(), os.clock()
  send_all(warm_up + 1, warm_up + count)
  local took = now() - began
  print(("%.6f %.3f"):format(took, (os.clock() - cpu) / count * 1e6))
end

function modes.waiting(what, count)
  count = tonumber(count)
  local client = new_client(100)
  send(client, 0) -- what one call needs is no matter of how many tasks there are
  local waits = {
    calls = function(number)
      return send(client, number)
    end,
    sleep = function()
      loop.sleep(2) -- by then all have been made
      return true
    end,
  }
  local before = kilobytes "VmRSS"
  local tasks = {}
  for number = 1, count do
    tasks[number] = loop.spawn(waits[what], number)
  end
  for _, task in ipairs(tasks) do
    assert(task:wait())
  end
  local peak = kilobytes "VmHWM"
  print(("%.2f %.2f"):format(peak / 1024, (peak - before) / count))
end

function modes.growth(count, seconds)
  count = tonumber(count)
  local client = new_client(AT_ONCE)
  local deadline = now() + tonumber(seconds)
  local sent = 0
  local function send_until(last)
    local tasks = {}
    for i = 1, AT_ONCE do
      tasks[i] = loop.spawn(function()
        while sent < last and now() < deadline do
          sent = sent + 1
          send(client, sent)
        end
        return true
      end)
    end
    for _, task in ipairs(tasks) do
      assert(task:wait())
    end
    collectgarbage()
    collectgarbage()
    return ("%d %.1f"):format(kilobytes "VmRSS", collectgarbage "count")
  end
  local early = send_until(count / 10)
  print(early .. " " .. send_until(count) .. " " .. sent)
end

local run = modes[arg[1]] or error("unknown mode: " .. tostring(arg[1]))
loop.run(function()
  run(arg[2], arg[3], arg[4])
end)
