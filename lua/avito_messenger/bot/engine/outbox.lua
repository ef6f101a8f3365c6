--- What a chat has still to be told and done, in order. One row is under way at a time:
---
---     queued --latch--> latched --answer--> gone
---                          \--no answer--> unknown --read back--> gone, or queued again
---
--- A row is latched before its first byte leaves. Whoever finds it latched after a restart does not know whether it
--- arrived, so the chat is read back before it may be sent again.
local record = require "avito_messenger.bot.engine.record"
local silence = require "avito_messenger.bot.engine.silence"

---@class avito.bot.Row
---@field key string turn, rule or flow, and step: the same row has the same key for ever
---@field kind "send"|"image"|"blacklist"|"read"|"call"|"escalate"
---@field at number not before
---@field delay number how long after it was queued `at` was
---@field state "queued"|"latched"|"unknown"
---@field turn string
---@field rule? string
---@field label? string which of labelled texts it is
---@field latched_at? number
---@field check_at? number when to read the chat back
---@field claimed? string id of the own message that turned out to be this row
---@field tries? integer

local outbox = {}

local SETTLE = 30   -- seconds after which a message that is not in the chat was not sent
local SKEW = 120    -- seconds by which the server's clock may lag behind ours
local FIRST_RETRY, LAST_RETRY = 5, 600
local MAX_TRIES = 30
local MAX_RESENDS = 3
local ACCOUNT_RETRY = 300
local RECENT = 10

--- How far back a chat is read for a row that was latched at `moment`.
---@param moment number
---@return number
function outbox.since(moment) return moment - SKEW end

-- Told to the buyer, and so withdrawn when a person takes over.
local SPOKEN = { send = true, image = true }
local WITHDRAWN = { send = true, image = true, blacklist = true, read = true, call = true }
-- An answer that will not change by asking again.
local FINAL = { invalid = true, forbidden = true, not_found = true }
local ACCOUNT = { auth = true, payment_required = true }

---@param row avito.bot.Row
local function spoken(row) return SPOKEN[row.kind] or false end
outbox.spoken = spoken

---@param chat avito.bot.Chat
---@return avito.bot.Row?
function outbox.head(chat)
  return chat.outbox and chat.outbox[1]
end

---@param chat avito.bot.Chat
---@param rows avito.bot.Row[]
function outbox.add(chat, rows)
  local list = chat.outbox or {}
  for _, row in ipairs(rows) do
    if row.kind == "read" then -- once, after everything else
      for i = #list, 1, -1 do
        if list[i].kind == "read" and list[i].state == "queued" then table.remove(list, i) end
      end
    end
    row.state = "queued"
    list[#list + 1] = row
  end
  chat.outbox = list
end

local function drop_head(chat)
  table.remove(chat.outbox, 1)
  if #chat.outbox == 0 then chat.outbox = nil end
end

--- The row under `key`, which must be the head: nothing else is ever under way.
local function head_of(chat, key)
  local row = outbox.head(chat)
  if row and row.key == key then return row end
end

--- Takes back what was not yet begun. Calls of people stay.
---@param chat avito.bot.Chat
---@param turn? string only the rows of this turn
---@return integer count
function outbox.cancel(chat, turn)
  local kept, count = {}, 0
  for _, row in ipairs(chat.outbox or {}) do
    if row.state == "queued" and WITHDRAWN[row.kind] and (not turn or row.turn == turn) then
      count = count + 1
    else
      kept[#kept + 1] = row
    end
  end
  chat.outbox = #kept > 0 and kept or nil
  return count
end

local function effect_of(chat, row)
  local effect = { chat_id = chat.id, key = row.key, kind = row.kind, rule = row.rule }
  if row.kind == "send" then effect.text, effect.label = row.text, row.label
  elseif row.kind == "image" then effect.image = row.image
  elseif row.kind == "blacklist" then effect.user_id, effect.item_id, effect.reason = row.user_id, row.item_id, row.reason
  elseif row.kind == "call" then effect.name, effect.args, effect.about = row.name, row.args, row.about
  elseif row.kind == "escalate" then effect.note, effect.text, effect.why = row.note, row.text, row.why end
  return effect
end

--- A clock that was put back must not make a row wait longer than it was meant to.
local function due_at(row, now)
  return math.min(row.at, now + row.delay)
end

--- What should be done now with the head of the outbox; nil: nothing, or it is under way.
---@param chat avito.bot.Chat
---@param now number
---@return table? effect
function outbox.pending(chat, now)
  local row = outbox.head(chat)
  if not row or row.state == "latched" then return nil end
  if row.state == "unknown" then
    return row.check_at <= now and { chat_id = chat.id, key = row.key, kind = "check", since = outbox.since(row.latched_at) } or nil
  end
  return due_at(row, now) <= now and effect_of(chat, row) or nil
end

--- When the head wants something, or nil.
---@param chat avito.bot.Chat
---@return number?
function outbox.wake_at(chat)
  local row = outbox.head(chat)
  if not row or row.state == "latched" then return nil end
  return row.state == "unknown" and row.check_at or row.at
end

--- Makes the row one that may have left. Refused when it is not its turn; or when a person took over since, and then it is
--- withdrawn.
---@param chat avito.bot.Chat
---@param key string
---@param now number
---@return avito.bot.Row?
---@return string? why not
function outbox.latch(chat, key, now)
  local row = head_of(chat, key)
  if not row then return nil, "it was withdrawn" end
  if row.state ~= "queued" then return nil, "it is " .. row.state end
  local silent = silence.current(chat, now)
  if silent and silent.why == "typed" and WITHDRAWN[row.kind] then
    outbox.cancel(chat)
    return nil, silence.reason(silent)
  end
  row.state, row.latched_at, row.tries = "latched", now, (row.tries or 0) + 1
  return row
end

--- The row has arrived.
---@param chat avito.bot.Chat
---@param row avito.bot.Row
---@param id string? the message it became
---@param notes table[]
local function confirm(chat, row, id, notes)
  id = id or row.claimed
  if id then
    record.mark(chat, "mine", id)
    record.mark(chat, "seen", id)
  elseif row.kind == "send" then -- its echo will come with an id that nobody knows yet
    chat.echoes = chat.echoes or {}
    table.insert(chat.echoes, { text = row.text, at = row.latched_at })
    if #chat.echoes > RECENT then table.remove(chat.echoes, 1) end
  end
  drop_head(chat)
  notes[#notes + 1] = { kind = "done", key = row.key, effect = row.kind, rule = row.rule, label = row.label, id = id }
end

--- Its answer came.
---@param chat avito.bot.Chat
---@param key string
---@param id string? of the message
---@param notes table[]
---@return avito.bot.Row? row nil when nobody waits for it
function outbox.sent(chat, key, id, notes)
  local row = head_of(chat, key)
  if not row or row.state == "queued" then return nil end
  confirm(chat, row, id, notes)
  return row
end

local function later(row, now, seconds)
  row.state, row.at, row.delay = "queued", now + seconds, seconds
end

local function retry_after(row)
  return math.min(FIRST_RETRY * 2 ^ math.min((row.tries or 1) - 1, 20), LAST_RETRY)
end

local function reject(chat, row, err, notes)
  notes[#notes + 1] = { kind = "error", rule = row.rule, key = row.key, effect = row.kind,
    message = ("%s was not done: %s"):format(row.kind, err.message or err.kind or "no reason given"), error = err }
  drop_head(chat)
  -- What follows it in the same answer makes no sense without it.
  if spoken(row) then outbox.cancel(chat, row.turn) end
end

--- It failed, or nobody knows.
---@param chat avito.bot.Chat
---@param key string
---@param err { kind: string, message: string?, dispatched: boolean?, retry_after: number? }
---@param now number
---@param notes table[]
function outbox.failed(chat, key, err, now, notes)
  local row = head_of(chat, key)
  if not row or row.state == "queued" then return end
  if row.claimed then return confirm(chat, row, nil, notes) end
  if row.state == "unknown" then -- reading back failed
    row.check_at = now + retry_after(row)
    row.tries = row.tries + 1
  elseif FINAL[err.kind] or (row.tries >= MAX_TRIES and not ACCOUNT[err.kind]) then
    reject(chat, row, err, notes)
  elseif ACCOUNT[err.kind] then
    later(row, now, ACCOUNT_RETRY)
    notes[#notes + 1] = { kind = "error", key = key, effect = row.kind, message = err.message or err.kind, error = err }
  elseif err.dispatched and spoken(row) then
    row.state, row.check_at = "unknown", now
  else
    later(row, now, math.max(err.retry_after or 0, retry_after(row)))
  end
end

--- An own message came: the row it is, if it is one. Rows come first, for the echo of a message may arrive before the
--- answer to the request that sent it.
---@param chat avito.bot.Chat
---@param message table
---@param notes table[]
---@return boolean ours
function outbox.claim(chat, message, notes)
  local created = message.created or 0
  local text = message.type == "text" and type(message.content) == "table" and message.content.text or nil
  local row = outbox.head(chat)
  if row and spoken(row) and row.state ~= "queued" and not row.claimed and created >= row.latched_at - SKEW
    and ((row.kind == "send" and text == row.text) or (row.kind == "image" and message.type == "image")) then
    row.claimed = message.id
    record.mark(chat, "mine", message.id)
    if row.state == "unknown" then confirm(chat, row, nil, notes) end
    return true
  end
  for i, echo in ipairs(chat.echoes or {}) do
    if echo.text == text and created >= echo.at - SKEW then
      table.remove(chat.echoes, i)
      if #chat.echoes == 0 then chat.echoes = nil end
      record.mark(chat, "mine", message.id)
      return true
    end
  end
  return false
end

--- The chat was read back to the time of the latch, and everything in it was looked at: is the unknown row still unknown?
---@param chat avito.bot.Chat
---@param key string
---@param policy "resend"|"hold"
---@param now number
---@param notes table[]
function outbox.read_back(chat, key, policy, now, notes)
  local row = head_of(chat, key)
  if not row or row.state ~= "unknown" then return end
  local settled = row.latched_at + SETTLE
  if now < settled and now >= row.latched_at then
    row.check_at = settled
  elseif policy == "hold" or (row.resends or 0) >= MAX_RESENDS then
    reject(chat, row, { kind = "unknown", message = "it is not in the chat, and it is not certain that it was not sent" }, notes)
  else
    row.resends = (row.resends or 0) + 1
    later(row, now, 0)
  end
end

--- After a restart: what was under way may have arrived. What can be done twice without harm is done again.
---@param chat avito.bot.Chat
---@param now number
function outbox.recover(chat, now)
  local row = outbox.head(chat)
  if not row or row.state ~= "latched" then return end
  if row.claimed then -- its own message was told before the restart, and will be passed over as known when it is read back
    confirm(chat, row, nil, {})
  elseif spoken(row) then
    row.state, row.check_at = "unknown", now
  else
    later(row, now, 0)
  end
end

return outbox
