--- What is remembered of one chat: a plain table of strings, numbers, booleans, lists and string-keyed maps, so that it
--- can be kept as JSON. Everything in it is bounded.
---
---@class avito.bot.Chat
---@field id string
---@field turns? integer how many turns of the buyer that were taken
---@field met? boolean older messages are known to exist: no turn is the first
---@field type? string "u2i", "u2u", "a2u"; "order", "return", "direct"
---@field facts? avito.bot.Facts
---@field facts_tries? integer how often they were asked for in vain
---@field facts_at? number when they are asked for again
---@field seen? avito.bot.Marks ids of messages that were taken in
---@field waiting? table[] messages of the buyer that wait for their burst to end, in order
---@field burst? { from: number, due: number }
---@field silent? avito.bot.Silence
---@field dispute? { open: boolean, at: number, listed: boolean? } the last news of a dispute, and of when that is
---@field told? avito.bot.Told messages that are known by their ids only
---@field blocked? boolean the buyer was put on the blacklist
---@field rules? table<string, { n: integer, last: number }>
---@field misses? integer turns in a row that no rule understood
---@field sends? number[] when the last replies were queued
---@field outbox? avito.bot.Row[]
---@field echoes? { kind: string, text: string?, from: number, to: number }[] the last replies of which no id was told
---@field flow? avito_messenger.bot.FlowState the running dialogue
---@field flows? integer how many dialogues were begun
---@field memory? table what the program keeps
local record = {}

---@class avito.bot.Marks
---@field n integer
---@field ids table<string, integer>
---@field newest? number when the newest of the last ids was written
---@field before? number the same, of the ids before those
---@field forgotten? number what was written until then is known, though its id is forgotten

---@class avito.bot.Silence
---@field since number
---@field until_ number
---@field why "typed"|"escalated"|"flood"|"paused"|"dispute"

---@class avito.bot.Facts
---@field at number when they were told
---@field type? string of the chat
---@field earlier? boolean there are messages from before
---@field buyer? { id: integer|string, name: string? }
---@field item? { id: integer|string, title: string?, price: number?, price_text: string?, url: string?, city: string? }
---@field order? { id: string?, return_id: string?, campaign_id: string? }

local KEPT = 300

--- Notes an id; the oldest are forgotten when there are twice as many as need be kept, but not how new they were. What was
--- noted before is left as it is: other records may share it (see fork).
---@param chat avito.bot.Chat
---@param id string
---@param created? number when the message was written
function record.mark(chat, id, created)
  local before = chat.seen or { n = 0, ids = {} }
  if before.ids[id] then return end
  local marks = { n = before.n + 1, ids = {}, newest = before.newest, before = before.before, forgotten = before.forgotten }
  if created then marks.newest = math.max(marks.newest or created, created) end
  local oldest = 0
  if marks.n % KEPT == 0 then
    oldest = marks.n - KEPT
    marks.forgotten, marks.before, marks.newest = marks.before, marks.newest or marks.before, nil
  end
  for one, order in pairs(before.ids) do
    if order > oldest then marks.ids[one] = order end
  end
  marks.ids[id] = marks.n
  chat.seen = marks
end

---@param chat avito.bot.Chat
---@param id string
---@param created? number
---@return boolean
function record.marked(chat, id, created)
  local marks = chat.seen
  if not marks then return false end
  if marks.ids[id] or not created or not marks.forgotten then return marks.ids[id] ~= nil end
  return created <= marks.forgotten and created < marks.before -- of the same second there may be more than are remembered
end

--- When the newest message was written that is known, as far as that was told.
---@param chat avito.bot.Chat
---@return number?
function record.newest(chat)
  local marks = chat.seen
  return marks and (marks.newest or marks.before)
end

--- A copy of a record, to be changed by the engine. It shares what is long and never changed in place: the ids that were seen.
---@param chat avito.bot.Chat
---@return avito.bot.Chat
function record.fork(chat)
  local copy = {}
  for name, value in pairs(chat) do copy[name] = name == "seen" and value or record.copy(value) end
  return copy
end

--- A copy of plain data that shares nothing with it.
---@generic T
---@param value T
---@return T
function record.copy(value)
  if type(value) ~= "table" then return value end
  local copy = {}
  for key, member in pairs(value) do copy[key] = record.copy(member) end
  return copy
end

return record
