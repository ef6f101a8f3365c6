--- The guard: what becomes of a message that comes in. Each is taken once, in whatever order and however often it comes;
--- the bot's own words are told from those of a person.
local digits = require "avito_messenger.digits"
local outbox = require "avito_messenger.bot.engine.outbox"
local record = require "avito_messenger.bot.engine.record"
local silence = require "avito_messenger.bot.engine.silence"

local arrive = {}

local MAX_WAITING = 100 -- messages; of more, the newest
local BURST_LIMIT = 5 -- bursts' length, after which a buyer who never stops writing is answered all the same

---@param message table
---@param user_id integer|string
---@return "own"|"system"|"deleted"|"buyer"
function arrive.kind(message, user_id)
  if message.type == "deleted" then return "deleted" end
  if message.type == "system" then return "system" end
  if message.direction == "out" or digits.same(message.author_id, user_id) then return "own" end
  return "buyer"
end

local function withdraw(chat, id)
  for i, message in ipairs(chat.waiting or {}) do
    if message.id == id then
      table.remove(chat.waiting, i)
      if #chat.waiting == 0 then chat.waiting, chat.burst = nil, nil end
      return
    end
  end
end

--- Puts the message in its place: by the time it was written, those of the same second as they came.
local function wait(chat, message, now, burst)
  local waiting = chat.waiting or {}
  local at = #waiting + 1
  while at > 1 and (waiting[at - 1].created or 0) > (message.created or 0) do at = at - 1 end
  table.insert(waiting, at, message)
  if #waiting > MAX_WAITING then table.remove(waiting, 1) end
  chat.waiting = waiting
  local from = chat.burst and chat.burst.from or now
  local due = math.min(now + burst, math.max(now, (message.created or now) + burst))
  if chat.burst and chat.burst.due > due then due = chat.burst.due end
  chat.burst = { from = from, due = math.min(due, from + burst * BURST_LIMIT) }
end

-- What the buyer wrote before was read by the person who typed.
local function answered(chat, message, now)
  local later = {}
  for _, one in ipairs(chat.waiting or {}) do
    if (one.created or now) > (message.created or now) then later[#later + 1] = one else chat.met = true end
  end
  chat.waiting = #later > 0 and later or nil
  if not chat.waiting then chat.burst = nil end
end

--- A person typed in the chat: everything is left to them.
local function person(engine, chat, message, now, notes)
  answered(chat, message, now)
  local until_ = math.min(message.created or now, now) + engine.book.human.pause
  if until_ <= now then return end
  local count = outbox.cancel(chat)
  if chat.flow then notes[#notes + 1] = { kind = "flow", flow = chat.flow.name, outcome = "human" } end
  silence.begin(chat, "typed", now, until_)
  chat.misses = nil
  notes[#notes + 1] = { kind = "human", withdrawn = count, until_ = until_ }
end

-- What of a message is kept until its turn comes.
local function slim(message, event)
  return { id = message.id, author_id = message.author_id, created = message.created, type = message.type,
    content = record.copy(message.content), item_id = message.item_id or event.item_id }
end

--- Takes one message in.
---@param engine avito.bot.Engine
---@param chat avito.bot.Chat
---@param message table as the API gave it
---@param event { chat_type: string?, item_id: integer?, earlier: boolean?, old: boolean? }
---@param now number
---@param notes table[]
---@return table? turn a message that is a turn of its own at once: { kind, message }
function arrive.message(engine, chat, message, event, now, notes)
  if type(message) ~= "table" or type(message.id) ~= "string" or type(message.type) ~= "string" then
    notes[#notes + 1] = { kind = "dropped", why = "a message needs an id and a type" }
    return nil
  end
  if type(message.created) ~= "number" then
    message = record.copy(message)
    message.created = nil
  end
  if event.chat_type then chat.type = event.chat_type end
  if event.earlier and not chat.seen then chat.met = true end -- what was seen since is earlier, too
  local kind = arrive.kind(message, engine.user_id)
  local created = message.created and math.min(message.created, now)
  if kind == "deleted" then
    withdraw(chat, message.id)
    record.mark(chat, message.id, created)
    return nil
  end
  if record.marked(chat, message.id, created) then
    notes[#notes + 1] = { kind = "dropped", message = message.id, why = "it was taken before" }
    return nil
  end
  record.mark(chat, message.id, created)
  if kind == "own" then
    if outbox.claim(chat, message, now, notes) or event.old then return nil end
    person(engine, chat, message, now, notes)
    return { kind = kind, message = slim(message, event) }
  end
  if event.old then
    chat.met = true
    return nil
  end
  if chat.blocked then
    notes[#notes + 1] = { kind = "dropped", message = message.id, why = "the buyer is on the blacklist" }
    return nil
  end
  if kind == "system" then return { kind = kind, message = slim(message, event) } end
  outbox.leave_unread(chat)
  wait(chat, slim(message, event), now, engine.book.burst)
  return nil
end

return arrive
