--- For the simulation: what is drawn from a seed before anything happens. Who writes what and when, how the bot hears of it,
--- and all that goes wrong on the way.
local Random = require "avito_messenger.sandbox.random"

local story = {}

story.CHAOS = 120 -- seconds in which things go wrong

local KINDS = { "plain", "plain", "person", "flow" }

local OPERATIONS = { "send_message", "send_message", "send_message", "get_messages", "get_messages", "get_chats", "get_chat",
  "mark_chat_as_read", "mark_chat_as_read", "token", "get_self" }

local FAULTS = {
  { kind = "apply_and_close" }, { kind = "apply_and_close" }, { kind = "apply_and_close" }, { kind = "close" },
  { kind = "hang", apply = true }, { kind = "hang" }, { kind = "status", status = 500 },
  { kind = "status", status = 500, apply = true }, { kind = "status", status = 502, body = "<html>" },
  { kind = "status", status = 503, headers = { ["Retry-After"] = "2" } }, { kind = "html", apply = true },
  { kind = "empty", apply = true }, { kind = "invalid_json", apply = true }, { kind = "cut", bytes = 7 },
  { kind = "rate_limited", retry_after = 3 }, { kind = "rate_limited" }, { kind = "latency", seconds = 8 },
  { kind = "token_expired" }, { kind = "status", status = 402 }, { kind = "status", status = 401 },
}
-- After these nothing is tried again. Of get_self they would say that the account has no such API at all.
local FINAL = { { kind = "status", status = 400 }, { kind = "status", status = 403 }, { kind = "status", status = 404 } }

-- Where a process may die: at which call, before it or after it.
local DOOMS = { "commit", "commit", "commit", "receive", "claim", "release", "rows", "due", "set_cursor", "maintain",
  "send_message", "send_message", "send_message", "get_messages", "mark_chat_as_read", "get_chats", "token", "call", "any",
  "any" }

local function fault(random)
  local list = random:chance(0.04) and FINAL or FAULTS
  local one = {}
  for name, value in pairs(list[random:pick(#list)]) do one[name] = value end
  one.operation, one.times = OPERATIONS[random:pick(list == FINAL and #OPERATIONS - 1 or #OPERATIONS)], random:pick(3)
  return one
end

-- So many of something, each at a time of its own.
local function several(random, most, make)
  local list = {}
  for i = 1, random:pick(most + 1) - 1 do
    list[i] = make(random)
    list[i].at = list[i].at or random:within { 3, story.CHAOS }
  end
  return list
end

local function chats(random)
  local list = {}
  for i = 1, 1 + random:pick(2) do
    list[i] = { kind = i == 1 and "plain" or KINDS[random:pick(#KINDS)], buyer = 1000 + i, item = 5000 + i }
  end
  return list
end

-- What the buyers write, in order. A flow is a talk: its next line is written when the bot has answered.
local function lines(random, all)
  local list, number, at = {}, 0, 0
  for _ = 1, 2 + random:pick(6) do
    number, at = number + 1, at + (random:chance(0.4) and random:within { 0, 3 } or random:within { 3, 25 })
    local chat = random:pick(#all)
    local word = all[chat].kind == "flow" and "Бронь" or random:chance(0.3) and "Вопрос с продолжением" or "Вопрос"
    list[#list + 1] = { at = at, chat = chat, number = number, text = ("%s %d"):format(word, number),
      word = word }
    if random:chance(0.15) and all[chat].kind ~= "flow" then
      list[#list + 1] = { at = at + random:within { 0, 20 }, chat = chat, text = random:chance(0.5) and "Здравствуйте" or "Адрес" }
    end
  end
  return list
end

-- The seller types: something, or the very words of the bot.
local function typing(random, all, said)
  local list = {}
  for _, line in ipairs(said) do
    if all[line.chat].kind == "person" and line.number and random:chance(0.5) then
      list[#list + 1] = { at = line.at + random:within { 0, 30 }, chat = line.chat,
        own = random:chance(0.3) and ("Ответ %d"):format(line.number) or nil }
    end
  end
  return list
end

local function period(random, longest)
  local at = random:within { 3, story.CHAOS - 10 }
  return { at = at, ends = math.min(at + random:within { 1, longest }, story.CHAOS) }
end

local CODES = { "full", "io", "busy", "readonly" }

local function store_trouble(random)
  local one = period(random, 30)
  one.code, one.share = CODES[random:pick(#CODES)], random:chance(0.5) and 1 or 0.4
  return one
end

local function refusal(random)
  local one = period(random, 60)
  one.kind = random:chance(0.5) and "tariff" or "secret"
  return one
end

local function doom(random)
  local what = DOOMS[random:pick(#DOOMS)]
  return { what = what, count = random:pick(what == "any" and 150 or 8), after = random:chance(0.6),
    delay = random:within { 0.1, 40 } }
end

--- Everything that is decided beforehand.
---@param seed integer
---@return table
function story.draw(seed)
  local random = Random.new(seed)
  local ways = { "poll", "webhook", "both", "both" }
  local all = chats(random)
  local said = lines(random, all)
  local drawn = { random = random, way = ways[random:pick(#ways)], chats = all, lines = said, typing = typing(random, all, said) }
  local calm = random:chance(0.15) -- only crashes
  drawn.tasks = drawn.way ~= "poll" or random:chance(0.5)
  drawn.bots = drawn.tasks and random:chance(0.3) and 2 or 1
  drawn.interval = 5 + random:pick(10)
  drawn.knows_itself = random:chance(0.5)
  drawn.slow_store = drawn.tasks and random:chance(0.4)
  drawn.dooms = several(random, 4, doom)
  drawn.faults = several(random, calm and 0 or 8, function() return { fault = fault(random) } end)
  drawn.stores = several(random, calm and 0 or 2, store_trouble)
  drawn.refusals = not calm and random:chance(0.25) and { refusal(random) } or {}
  drawn.jumps = random:chance(0.25) and several(random, 3, function()
    return { by = random:within { -3600, 3600 } }
  end) or {}
  drawn.late = #drawn.jumps == 0 and random:chance(0.5)
  drawn.freezes = drawn.tasks and random:chance(0.3) and several(random, 2, function()
    return { seconds = random:chance(0.6) and random:within { 16, 90 } or random:within { 1, 15 }, at_commit = random:chance(0.5) }
  end) or {}
  drawn.reloads = several(random, 1, function() return {} end)
  drawn.stops = several(random, 1, function() return { delay = random:within { 0.1, 20 } } end)
  return drawn
end

return story
