--- One chat at work: what came is taken, what is to be done is done, each step one commit of the store.
---
--- A commit holds the changed record, the rows of the inbox that it took, and the next effect latched. Only then is the effect
--- performed. So a crash at any moment leaves either a row that waits, or one of which the chat has to be asked.
local ending = require "avito_messenger.bot.ending"
local inbox = require "avito_messenger.bot.inbox"
local outbox = require "avito_messenger.bot.engine.outbox"
local perform = require "avito_messenger.bot.perform"
local record = require "avito_messenger.bot.engine.record"

---@class avito.bot.Lane
---@field bot avito.Bot
---@field lanes avito.bot.Lanes
---@field claim table the store's
---@field chat_id string
---@field record avito.bot.Chat as it was committed last
---@field rows table[] of the inbox, that came with the claim
---@field since number by the monotonic clock: when the last step began
---@field begun? boolean a step was committed
---@field tired boolean it has done so much that others have their turn
local Lane = {}
Lane.__index = Lane
Lane.__name = "avito.bot.Lane"

local MAX_STEPS = 1000 -- of a lane before others get their turn
local LEASE = 15       -- seconds, of a store that tells none
local MAX_PAUSE = 30   -- seconds between two tries to commit what became of an effect

-- Effects that change nothing need not be latched; those that ask the marketplace have to wait while it refuses the account.
local UNLATCHED = { about = true, check = true, fetch = true }
local OWN = { call = true, escalate = true }

---@param lanes avito.bot.Lanes
---@param claim table
---@return avito.bot.Lane
function Lane.new(lanes, claim)
  return setmetatable({ lanes = lanes, bot = lanes.bot, claim = claim, chat_id = claim.chat_id, record = claim.record,
    rows = claim.rows }, Lane)
end

--- One event on a copy of the record. nil: the engine raised.
local function step(self, chat, event, now, notes)
  local bot = self.bot
  local copy = record.fork(chat)
  local ok, told = xpcall(function() return bot.engine:step(copy, event, now) end, debug.traceback)
  if not ok then
    ending.pass(told)
    bot:tell { kind = "error", chat_id = self.chat_id, message = ("event %s: %s"):format(event.type, tostring(told)) }
    return nil
  end
  for _, note in ipairs(told) do notes[#notes + 1] = note end
  return copy
end

-- What was under way when whoever had the chat before was ended.
local function recover(self, chat, now, notes)
  local row = not self.begun and outbox.head(chat)
  if not row or row.state ~= "latched" then return chat end
  notes[#notes + 1] = { kind = "recovered", chat_id = self.chat_id, key = row.key, effect = row.kind }
  for _, note in ipairs(self.bot.engine:recover(chat, now)) do notes[#notes + 1] = note end
  return chat
end

--- Events that are read from the inbox, and up to where.
local function take(self, rows)
  if #rows == 0 then return {} end
  local events, problems = inbox.events(rows, self.bot.since or 0)
  for _, problem in ipairs(problems) do self.bot:tell { kind = "error", chat_id = self.chat_id, message = problem } end
  return events, rows[#rows].seq
end

-- Rows of the outbox that came to their end.
local function finals(notes)
  local list
  for _, note in ipairs(notes) do
    local state = note.key and note.effect and (note.kind == "done" and "confirmed" or note.kind == "error" and "rejected")
    if state then
      list = list or {}
      list[#list + 1] = { key = note.key, state = state, id = note.id }
    end
  end
  return list
end

-- The effect that is to be done now, if it may be, latched unless the chat has to be read first.
local function choose(self, chat, now)
  local bot = self.bot
  local effect = bot.engine:pending(chat, now)[1]
  if not effect or self.lanes.stopping or (bot.parked and not OWN[effect.kind]) then return nil end
  if outbox.spoken(effect) and self.lanes:is_stale(self.chat_id) then return effect, true end
  if not UNLATCHED[effect.kind] then assert(bot.engine:latch(chat, effect.key, now)) end
  return effect
end

-- Steps events one after another. nil: the engine raised, and what it told is forgotten.
local function step_all(self, chat, events, now, notes)
  local count = #notes
  for _, event in ipairs(events) do
    chat = step(self, chat, event, now, notes)
    if not chat then
      for i = #notes, count + 1, -1 do notes[i] = nil end
      return nil
    end
  end
  return chat
end

-- What waits may be older than a message that was fetched.
local function is_fetched(brought)
  return brought.event ~= nil and brought.event.type == "fetched"
end

--- What the next commit is to hold. What was brought is kept even where the engine cannot take what waits: those rows stay.
---@return table? change nil: the engine could not take what was brought
local function prepare(self, brought, now)
  local notes = {}
  local chat = recover(self, record.fork(self.record), now, notes)
  if brought.latch then self.bot.engine:latch(chat, brought.latch, now) end
  local events, taken = take(self, self.rows)
  local first = #events > 0 and is_fetched(brought) and step_all(self, chat, events, now, notes) or nil
  chat = step_all(self, first or chat, brought.events, now, notes)
  if not chat then return nil end
  if #events == 0 and #brought.events == 0 then events = { { type = "wake" } } end
  local after = first and chat or step_all(self, chat, events, now, notes)
  if taken and after then notes[#notes + 1] = { kind = "taken", chat_id = self.chat_id, count = #self.rows } end
  return { record = after or chat, taken = after and taken, now = now, notes = notes, broken = not after }
end

--- Steps what was brought and what waits in the inbox, chooses what is to be done, and commits it all.
---@param brought { events: table[], event: table?, latch: string? } what became of an effect, the event that tells it among
--- them; latch: of one that was not tried
---@return "go"|"rest"|"broken"|avito.StoreError
---@return table? effect
---@return boolean? look before it
local function transact(self, brought)
  local bot, now = self.bot, self.bot.driver:time()
  self.since = bot.driver:now()
  local change = prepare(self, brought, now)
  if not change then return "broken" end
  local chat = change.record
  local tired = self.tired and bot.engine:pending(chat, now)[1] ~= nil
  local held = change.broken or tired
  local effect, look
  if not held then effect, look = choose(self, chat, now) end
  local wake = (effect or tired) and now or bot.engine:wake_at(chat)
  local again = wake and wake <= now and not (held or bot.parked or self.lanes.stopping)
  local ok, err = bot.store:commit(self.claim, { record = chat, taken = change.taken, finals = finals(change.notes), wake = wake,
    release = not effect and not again, now = now })
  if not ok then return err end
  self.record, self.rows, self.begun, bot.trouble = chat, {}, true, nil
  for _, note in ipairs(change.notes) do bot:tell(note) end
  if held then return "broken" end
  return (effect or again) and "go" or "rest", effect, look
end

--- What became of an effect has to be noted, however long the store refuses: it is known only here.
local function transact_surely(self, brought)
  local pause = 1
  while true do
    local outcome, effect, look = transact(self, brought)
    if type(outcome) == "string" or outcome.code == "fenced" or #brought.events == 0 or self.lanes.stopping then
      return outcome, effect, look
    end
    self.bot:store_failed("commit", outcome)
    local _, err = self.bot.driver:sleep(pause)
    if err then error(err, 0) end
    pause = math.min(pause * 2, MAX_PAUSE)
  end
end

-- Has a person typed meanwhile?
local function look_first(self, effect)
  local ok, news, doubted = perform.news(self.bot, self.record)
  if ok then return { events = { news } } end
  local event = perform.failed(effect, news, false, doubted)
  return { latch = effect.key, events = { event }, event = event }
end

-- A process that was stopped since the step began may have lost the chat to another.
local function is_late(self)
  return self.bot.driver:now() - self.since > (self.bot.store.lease or LEASE) / 2
end

local function carry_out(self, effect)
  if is_late(self) then
    return { events = { perform.failed(effect, { kind = "timeout", message = "this process was held up" }, false) } }
  end
  self.bot:tell { kind = "effect", chat_id = self.chat_id, effect = effect }
  local event, before, after = perform.effect(self.bot, effect, self.record)
  local events = { before }
  events[#events + 1] = event
  events[#events + 1] = after
  return { events = events, event = event }
end

local function give_back(self)
  local ok, err = self.bot.store:release(self.claim)
  if not ok and err.code ~= "fenced" then self.bot:store_failed("release", err) end
end

--- Works until the chat has nothing to be done now, and gives it back.
---@return boolean ok false: it could not go on, and should be tried later
function Lane:run()
  local brought = { events = {} }
  for count = 1, math.huge do
    self.tired = count >= MAX_STEPS
    local outcome, effect, look = transact_surely(self, brought)
    if outcome == "rest" then return true end
    if outcome ~= "go" then self.lanes:unlooked(self.chat_id) end
    if type(outcome) ~= "string" then
      if outcome.code == "fenced" then
        self.bot:tell { kind = "fenced", chat_id = self.chat_id }
        return true
      end
      self.bot:store_failed("commit", outcome)
    end
    if outcome ~= "go" or (self.tired and not effect) then
      give_back(self)
      return false
    end
    brought = { events = {} }
    if effect then brought = look and look_first(self, effect) or carry_out(self, effect) end
    self.bot:heed(brought.event)
    self.lanes:hand_in()
    local rows, err = self.bot.store:rows(self.claim)
    if rows then self.rows = rows else self.bot:store_failed("rows", err) end
  end
end

return Lane
