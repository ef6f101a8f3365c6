--- Messages that a chat is told of by their ids only: each is fetched, and asked for again until it is there. What came some
--- other way meanwhile is not. And a chat of which somebody said that there is something new in it is looked at.
local record = require "avito_messenger.bot.engine.record"

---@class avito.bot.Told
---@field ids { id: string, since: number }[] which messages are missing, and since when that is known
---@field look? boolean the chat is to be read, whatever is missing
---@field since? number since when it is to be
---@field at number when to ask next
---@field tries integer in vain, in a row

local told = {}

local FIRST_RETRY, LAST_RETRY = 2, 600
local GIVE_UP = 86400 -- seconds for which a message is looked for that is not in its chat
local MOST = 300      -- ids; of more, the newest, for the chat is read then anyway
local HOLD = 30       -- seconds for which what is here waits for one that is not, for that may have been written before
local REPORT = 6      -- tries after which somebody should know
-- Of a chat: an answer that will hardly change by asking again.
local FINAL = { invalid = true, forbidden = true, not_found = true }

local function open(chat, at)
  chat.told = chat.told or { ids = {}, at = at, tries = 0 }
  return chat.told
end

local function is_missing(missing, id)
  for _, one in ipairs(missing.ids) do
    if one.id == id then return true end
  end
  return false
end

--- A message is there to be fetched.
---@param chat avito.bot.Chat
---@param event { id: string, sent: number?, old: boolean? }
---@param now number
---@param notes table[]
function told.message(chat, event, now, notes)
  local sent = event.sent and math.min(event.sent, now)
  if event.old then
    record.mark(chat, event.id, sent)
    chat.met = true
    return
  end
  if record.marked(chat, event.id) then
    notes[#notes + 1] = { kind = "dropped", message = event.id, why = "it was taken before" }
    return
  end
  local missing = open(chat, now)
  if is_missing(missing, event.id) then return end
  table.insert(missing.ids, { id = event.id, since = now })
  if #missing.ids > MOST then
    table.remove(missing.ids, 1)
    missing.look, missing.since = true, missing.look and missing.since or now
  end
  missing.at = math.min(missing.at, now)
end

--- The chat is to be read.
---@param chat avito.bot.Chat
---@param now number
---@param soon? boolean not at once: it was read just now
function told.look(chat, now, soon)
  local at = soon and now + FIRST_RETRY or now
  local missing = open(chat, at)
  if not missing.look then missing.look, missing.since = true, now end
  missing.at = math.min(missing.at, at)
end

--- What is here by now is not missing any more.
---@param chat avito.bot.Chat
---@param now number a clock that was put back must not make anything wait longer than it was meant to
---@param came? table<string, true> ids of messages that came just now, even if they were known long before
function told.settle(chat, now, came)
  local missing = chat.told
  if not missing then return end
  local left = {}
  for _, one in ipairs(missing.ids) do
    if not (record.marked(chat, one.id) or came and came[one.id]) then left[#left + 1] = one end
  end
  missing.ids = left
  if #left == 0 and not missing.look then
    chat.told = nil
  elseif missing.at - now > (missing.pause or LAST_RETRY) then
    missing.at = now
  end
end

--- What should be done now; nil: nothing. What could not be had by its id may be had with the chat.
---@param chat avito.bot.Chat
---@param now number
---@return table? effect { kind = "fetch", chat_id, ids, look }
function told.pending(chat, now)
  local missing = chat.told
  if not missing or missing.at > now then return nil end
  local ids = {}
  for i, one in ipairs(missing.ids) do ids[i] = one.id end
  return { kind = "fetch", chat_id = chat.id, ids = ids, look = missing.look or missing.tries > 0 or nil }
end

---@param chat avito.bot.Chat
---@return number?
function told.wake_at(chat)
  return chat.told and chat.told.at
end

-- Why: nil where the chat was read.
--- Until when what waits to be answered is to wait for what is still missing.
---@param chat avito.bot.Chat
---@return number 0: not at all
function told.holds(chat)
  local first = chat.told and chat.told.ids[1]
  return first and first.since + HOLD or 0
end

local function give_up(missing, why, now, notes)
  local left = {}
  for _, one in ipairs(missing.ids) do
    if now - one.since < GIVE_UP then
      left[#left + 1] = one
    else
      notes[#notes + 1] = { kind = "error",
        message = ("message %s was told of, and %s"):format(one.id, why or "is not in its chat") }
    end
  end
  missing.ids = left
  if why and missing.look and now - (missing.since or now) >= GIVE_UP then
    notes[#notes + 1] = { kind = "error", message = "there is news of the chat, and " .. why }
    missing.look = nil
  end
end

--- It was asked for, and what was there has been taken in.
---@param chat avito.bot.Chat
---@param event { messages: table[]?, read: boolean?, error: table? } read: the chat was
---@param now number
---@param notes table[]
---@param unseen? boolean a reply of which no id was told has not been seen yet: the chat lags behind, and so may its other news
function told.fetched(chat, event, now, notes, unseen)
  local missing, problem = chat.told, event.error
  if not missing then return end
  if event.read and not unseen then missing.look = nil end
  local came = {}
  for _, message in ipairs(event.messages or {}) do came[message.id] = true end
  told.settle(chat, now, came)
  if not chat.told then return end
  if event.read or problem and FINAL[problem.kind] then
    give_up(missing, problem and ("the chat cannot be read: %s"):format(problem.message or problem.kind), now, notes)
  end
  missing.tries = missing.tries + 1
  missing.pause = math.max(math.min(FIRST_RETRY * 2 ^ math.min(missing.tries - 1, 20), LAST_RETRY),
    problem and problem.retry_after or 0)
  missing.at = now + missing.pause
  told.settle(chat, now)
  if problem and missing.tries == REPORT then
    notes[#notes + 1] = { kind = "error", error = problem,
      message = ("what was written cannot be read yet: %s"):format(problem.message or problem.kind) }
  end
end

return told
