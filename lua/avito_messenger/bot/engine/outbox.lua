--- What a chat has still to be told and done, in order. One row is under way at a time:
---
---     queued --latch--> latched --answer--> gone
---                          \--no answer--> unknown --read back--> gone, or queued again
---
--- A row is latched before its first byte leaves. Whoever finds it latched after a restart does not know whether it
--- arrived, so the chat is read back before it may be sent again.
local record = require "avito_messenger.bot.engine.record"
local Turn = require "avito_messenger.bot.engine.turn"

---@class avito.bot.Row
---@field key string turn, rule or flow, and step: the same row has the same key for ever
---@field kind "send"|"image"|"blacklist"|"read"|"call"|"escalate"
---@field at number not before
---@field delay number how long after it was queued `at` was, or `check_at` after the chat could not be read
---@field state "queued"|"latched"|"unknown"
---@field turn string
---@field rule? string
---@field label? string which of labelled texts it is
---@field latched_at? number since when it may have left
---@field behind? number when the newest message was written that the chat had then, as the server tells it
---@field unclear_at? number when its answer was given up: until then it may have been on its way
---@field check_at? number when to read the chat back
---@field claimed? string id of the own message that turned out to be this row
---@field withdrawn? boolean a person took over while it was under way: it is not tried again
---@field tries? integer
---@field resends? integer how often it was not found in the chat
---@field doubted? boolean it was refused the last time, and perhaps for something that is over
---@field text? string of "send"; of "escalate": what the buyer wrote
---@field image? string
---@field user_id? integer|string of "blacklist"
---@field item_id? integer|string
---@field reason? integer
---@field name? string of "call"
---@field args? any
---@field about? table the flow's: { buyer =, item =, chat = }
---@field note? string of "escalate"
---@field why? "escalated"|"flood"|"dispute"

local outbox = {}

local SKEW = 120    -- seconds by which the server's clock may be off from ours
local FIRST_RETRY, LAST_RETRY = 5, 600
local MAX_TRIES = 30
local MAX_RESENDS = 30
local ACCOUNT_RETRY = 300
local RECENT = 10

--- How far back a chat is read for a row: what became of it was written after what it answers, however wrong our clock is.
---@param row avito.bot.Row
---@return number
function outbox.since(row) return math.min(row.latched_at - SKEW, row.behind or math.huge) end

local SPOKEN = { send = true, image = true }
-- Taken back when a person takes over.
local WITHDRAWN = { send = true, image = true, blacklist = true, read = true, call = true }
-- An answer that will not change by asking again.
local FINAL = { invalid = true, forbidden = true, not_found = true }
local ACCOUNT = { auth = true, payment_required = true }

--- Is it one that the buyer reads?
---@param row avito.bot.Row|table or an effect
---@return boolean
local function spoken(row) return SPOKEN[row.kind] or false end
outbox.spoken = spoken

---@param chat avito.bot.Chat
---@return avito.bot.Row?
function outbox.head(chat)
  return chat.outbox and chat.outbox[1]
end

--- The chat is not to be marked as read, or only later.
---@param chat avito.bot.Chat
function outbox.leave_unread(chat)
  local list = chat.outbox or {}
  for i = #list, 1, -1 do
    if list[i].kind == "read" and list[i].state == "queued" then table.remove(list, i) end
  end
  if #list == 0 then chat.outbox = nil end
end

---@param chat avito.bot.Chat
---@param rows avito.bot.Row[]
function outbox.add(chat, rows)
  for _, row in ipairs(rows) do
    chat.outbox = chat.outbox or {}
    row.state = "queued"
    table.insert(chat.outbox, row)
  end
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

-- Nobody puts the buyer on the blacklist any more.
local function undo(chat, row)
  if row.kind == "blacklist" then chat.blocked = nil end
end

local function belongs(row, other)
  return row.turn == other.turn and (row.rule == other.rule or row.kind == "read")
end

--- Takes back what was not yet begun; what is under way is not tried again. Calls of people stay.
---@param chat avito.bot.Chat
---@param broken? avito.bot.Row only what follows this one in its answer, and the mark that the turn was answered
---@return integer count
function outbox.cancel(chat, broken)
  local kept, count = {}, 0
  for _, row in ipairs(chat.outbox or {}) do
    local withdrawn = WITHDRAWN[row.kind] and (not broken or belongs(row, broken))
    if withdrawn and row.state == "queued" then
      count = count + 1
      undo(chat, row)
    else
      row.withdrawn = withdrawn
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
---@param chat avito.bot.Chat
---@param now number
function outbox.put_back(chat, now)
  for _, row in ipairs(chat.outbox or {}) do
    if row.at - now > row.delay then row.at = now + row.delay end
    if row.check_at and (row.latched_at > now or row.check_at - now > math.max(LAST_RETRY, row.delay)) then row.check_at = now end
    if row.latched_at and row.latched_at > now then row.latched_at = now end
    if row.unclear_at and row.unclear_at > now then row.unclear_at = now end
  end
end

--- What should be done now with the head of the outbox; nil: nothing, or it is under way.
---@param chat avito.bot.Chat
---@param now number
---@return table? effect
function outbox.pending(chat, now)
  local row = outbox.head(chat)
  if not row or row.state == "latched" then return nil end
  if row.state == "unknown" then
    return row.check_at <= now and { chat_id = chat.id, key = row.key, kind = "check", since = outbox.since(row) } or nil
  end
  return row.at <= now and effect_of(chat, row) or nil
end

--- Is there a function of the program still to be called, or under way?
---@param chat avito.bot.Chat
---@return boolean
function outbox.calls(chat)
  for _, row in ipairs(chat.outbox or {}) do
    if row.kind == "call" then return true end
  end
  return false
end

--- When the head wants something, or nil.
---@param chat avito.bot.Chat
---@return number?
function outbox.wake_at(chat)
  local row = outbox.head(chat)
  if not row or row.state == "latched" then return nil end
  return row.check_at or row.at
end

--- Makes the row one that may have left. Refused when it is not its turn, or when a person took over and it was withdrawn.
---@param chat avito.bot.Chat
---@param key string
---@param now number
---@return avito.bot.Row?
---@return string? why not
function outbox.latch(chat, key, now)
  local row = head_of(chat, key)
  if not row then return nil, "it was withdrawn" end
  if row.state ~= "queued" then return nil, "it is " .. row.state end
  row.state, row.latched_at, row.unclear_at, row.tries = "latched", now, nil, (row.tries or 0) + 1
  if spoken(row) then row.behind = row.behind or record.newest(chat) end
  return row
end

--- The row has arrived.
---@param chat avito.bot.Chat
---@param row avito.bot.Row
---@param id string? the message it became
---@param now number
---@param notes table[]
local function confirm(chat, row, id, now, notes)
  id = id or row.claimed
  if id then
    record.mark(chat, id)
  elseif spoken(row) then -- its echo will come with an id that nobody knows yet
    chat.echoes = chat.echoes or {}
    table.insert(chat.echoes, { kind = row.kind, text = row.text, from = outbox.since(row), to = now })
    if #chat.echoes > RECENT then table.remove(chat.echoes, 1) end
  end
  drop_head(chat)
  notes[#notes + 1] = { kind = "done", key = row.key, effect = row.kind, rule = row.rule, label = row.label, id = id }
end

--- Its answer came.
---@param chat avito.bot.Chat
---@param key string
---@param id string? of the message
---@param now number
---@param notes table[]
---@return avito.bot.Row? row nil when nobody waits for it
function outbox.sent(chat, key, id, now, notes)
  local row = head_of(chat, key)
  if not row or not row.latched_at then return nil end
  confirm(chat, row, id, now, notes)
  return row
end

local function later(chat, row, now, seconds)
  if row.withdrawn then
    undo(chat, row)
    return drop_head(chat)
  end
  row.state, row.at, row.delay, row.check_at = "queued", now + seconds, seconds, nil
end

-- It is certain that it did not leave, this time.
local function refused(chat, row, now, seconds)
  if not row.resends then row.latched_at = nil end
  later(chat, row, now, seconds)
end

local function backoff(tries)
  return math.min(FIRST_RETRY * 2 ^ math.min(tries - 1, 20), LAST_RETRY)
end

local function reject(chat, row, err, notes)
  notes[#notes + 1] = { kind = "error", rule = row.rule, key = row.key, effect = row.kind,
    result = err.kind == "unknown" and "unknown" or "rejected",
    message = ("%s was not done: %s"):format(row.kind, err.message or err.kind or "no reason given"), error = err }
  drop_head(chat)
  undo(chat, row)
  -- What follows it in the same answer makes no sense without it.
  if spoken(row) then outbox.cancel(chat, row) end
end

--- It failed, or nobody knows.
---@param chat avito.bot.Chat
---@param key string
---@param err { kind: string, message: string?, dispatched: boolean?, retry_after: number?, doubted: boolean? } doubted: a
--- refusal that would be another one by now is final only the second time
---@param now number
---@param notes table[]
function outbox.failed(chat, key, err, now, notes)
  local row = head_of(chat, key)
  if not row or row.state == "queued" then return end
  if row.claimed then return confirm(chat, row, nil, now, notes) end
  local unknown = row.state == "unknown" -- reading back failed
  if unknown then row.tries = row.tries + 1 end
  local asked_again = row.doubted
  row.doubted = err.doubted
  if ACCOUNT[err.kind] then
    row.tries = row.tries - 1 -- it says nothing of the row
    notes[#notes + 1] = { kind = "error", key = key, effect = row.kind, message = err.message or err.kind, error = err }
    if unknown then row.check_at = now + ACCOUNT_RETRY else refused(chat, row, now, ACCOUNT_RETRY) end
  elseif not unknown and not FINAL[err.kind] and err.dispatched and err.kind ~= "rate_limited" and spoken(row) then
    row.state, row.check_at, row.unclear_at = "unknown", now, now
  elseif FINAL[err.kind] and (asked_again or not err.doubted) or row.tries >= MAX_TRIES then
    reject(chat, row, err, notes)
  elseif unknown then
    row.delay = math.max(err.retry_after or 0, backoff(row.tries))
    row.check_at = now + row.delay
  else
    refused(chat, row, now, math.max(err.retry_after or 0, backoff(row.tries)))
  end
end

local function folded(text)
  return (text:gsub("%s+", " "):gsub("^ ", ""):gsub(" $", ""))
end

--- Is the message what became of the row? The server may take away white space, and make a text that has a link a link.
local function shows(message, row)
  if row.kind == "image" then return message.type == "image" or Turn.files_of(message) ~= nil end
  local text = Turn.text_of(message)
  return text and folded(text) == folded(row.text) or false
end

--- An own message came: the reply it is, if it is one. Those that were sent come first, for they are older than the row, which
--- may not have arrived; then the row, for the echo of a message may arrive before the answer to the request that sent it.
---@param chat avito.bot.Chat
---@param message table
---@param now number
---@param notes table[]
---@return boolean ours
function outbox.claim(chat, message, now, notes)
  local created = message.created or now
  for i, echo in ipairs(chat.echoes or {}) do
    if created >= echo.from and math.min(created, now) <= echo.to + SKEW and shows(message, echo) then
      table.remove(chat.echoes, i)
      if #chat.echoes == 0 then chat.echoes = nil end
      return true
    end
  end
  local row = outbox.head(chat)
  if row and spoken(row) and row.latched_at and not row.claimed and created >= outbox.since(row) and shows(message, row) then
    row.claimed = message.id
    if row.state ~= "latched" then confirm(chat, row, nil, now, notes) end
    return true
  end
  return false
end

--- Is there a reply without an id, sent since then, that has not been seen in the chat?
---@param chat avito.bot.Chat
---@param since number
---@return boolean
function outbox.is_unseen(chat, since)
  for _, echo in ipairs(chat.echoes or {}) do
    if echo.to > since then return true end
  end
  return false
end

--- The chat was read back to the time of the latch, and everything in it was looked at: is the unknown row still unknown?
---@param chat avito.bot.Chat
---@param key string
---@param policy { unclear: "resend"|"hold", settle: number } settle: seconds after which a message that is not in the chat
--- was not sent
---@param asked number when the reading began: what is applied while an answer is under way is not in it
---@param now number
---@param notes table[]
function outbox.read_back(chat, key, policy, asked, now, notes)
  local row = head_of(chat, key)
  if not row or row.state ~= "unknown" then return end
  local settled = (row.unclear_at or row.latched_at) + policy.settle
  if asked < settled then
    row.check_at = settled
  elseif not row.withdrawn and (policy.unclear == "hold" or (row.resends or 0) >= MAX_RESENDS) then
    reject(chat, row, { kind = "unknown", message = "it is not in the chat, and it is not certain that it was not sent" }, notes)
  else
    row.resends = (row.resends or 0) + 1
    later(chat, row, now, row.resends == 1 and 0 or backoff(row.resends - 1))
  end
end

--- After a restart: what was under way may have arrived. What can be done twice without harm is done again.
---@param chat avito.bot.Chat
---@param now number
---@param notes table[]
function outbox.recover(chat, now, notes)
  local row = outbox.head(chat)
  if not row or row.state ~= "latched" then return end
  if row.claimed then -- its own message was told before the restart, and will be passed over as known when it is read back
    confirm(chat, row, nil, now, notes)
  elseif spoken(row) then
    row.state, row.check_at = "unknown", now
  else
    later(chat, row, now, 0)
  end
end

return outbox
