-- For wrk: webhooks, each of them a message that nobody has seen yet. Its URL ends with the path.
--   wrk … -s bench/wrk.lua URL -- FIRST       FIRST: the number of the first message
-- Prints a line as bench/webhooks.c does.

local USER, CHATS = 100000001, 1000
local BODY = [[{"id":"%08x-5b1e-4c3a-9d27-%08x%04x","version":"v3.0.0","timestamp":%d,"payload":{"type":"message",]]
  .. [["value":{"id":"%08x%08x%08x%08x","chat_id":"u2i-%08xKw7RtQ%08x","user_id":]] .. USER .. [[,"author_id":%d,]]
  .. [["created":%d,"type":"text","chat_type":"u2i","content":{"text":"Здравствуйте! Планируется ли поставка в нужном ]]
  .. [[размере, и сколько стоит доставка? %09d"},"item_id":%d,"published_at":"2025-08-11T12:44:44Z"}}}]]
local HEAD = "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: Go-http-client/1.1\r\nContent-Type: application/json\r\n"
  .. "Accept-Encoding: gzip\r\nContent-Length: %d\r\n\r\n"

local format = string.format
local number, wall, head

-- Ids that have nothing in common, as those of the marketplace: each number has its own.
local function mix(value, factor) return value * factor % 2 ^ 32 end

local function body()
  local chat = number % CHATS
  local a, b, c = mix(number, 2654435761), mix(number, 2246822519), mix(number, 3266489917)
  return format(BODY, a, b, number % 2 ^ 16, wall, b, c, a, number, mix(chat + 1, 2654435761), mix(chat + 1, 3266489917),
    200000000 + chat, wall, number, 4000000000 + chat)
end

function init(args) -- luacheck: globals init
  number, wall = tonumber(args[1]), os.time()
  head = format(HEAD, wrk.path, #body()) -- luacheck: globals wrk
end

function request() -- luacheck: globals request
  number = number + 1
  return head .. body()
end

function done(summary, latency) -- luacheck: globals done
  local errors, seconds = summary.errors, summary.duration / 1e6
  print(format("answered %d refused %d lost %d seconds %.6f rate %.1f p50 %.3f p99 %.3f", summary.requests - errors.status,
    errors.status, errors.connect + errors.read + errors.write + errors.timeout, seconds, summary.requests / seconds,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
