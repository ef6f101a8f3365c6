--- The bot's engine: what happens in a chat, as a function of its record, an event and the time. No socket, no clock, no
--- chance, no file: events go in, the record changes, and what is to be done can be read from it. So a day of chats runs
--- in a test in milliseconds, and a restart at any moment changes nothing.
---
---     local notes = engine:step(chat, event, now)     -- the record changes
---     for each effect of engine:pending(chat, now): engine:latch(chat, effect.key, now), do it, step its outcome
---     engine:wake_at(chat)                            -- when to step { type = "wake" }
---
--- Stages of a turn: guard (arrive.lua), human (silence.lua), the running flow (flows.lua), rules (rules.lua), fallback.
--- A record is changed by one step at a time, and is to be thrown away when a step raises.
---
--- Events:
---   { type = "message", message|messages, chat_type?, item_id?, earlier?, old? }   old: from before the bot, only noted
---   { type = "about", facts | error }            the answer to the effect "about"
---   { type = "wake" }
---   { type = "sent", key, id?, look? }  { type = "failed", key, error }                   outcomes of an effect; look: true,
---                                                the chat is to be read; "unseen": unless what was sent has been seen in it
---   { type = "called", key, ok, value }          a function of the program returned, or raised the text `value`
---   { type = "history", key, messages, asked? }  the answer to "check": the chat, newest first, back to `effect.since`;
---                                                asked: when the reading began
---   { type = "pause", seconds }  { type = "resume" }
---   { type = "told", id, sent?, old? }           a message was written; what it says has to be fetched
---   { type = "created" }                         there is a chat, and something in it perhaps
---   { type = "fetched", messages?, read?, error?, earlier?, old? }                 the answer to "fetch": what is new, oldest
---                                                first; read: the chat was read, and there is nothing else in it
---   { type = "dispute", open, at? }              the marketplace judges between buyer and seller; or does not any more
---
--- Effects, each with chat_id: about; send { key, text }; image { key, image }; blacklist { key, user_id, item_id, reason };
--- read { key }; call { key, name, args, about }; escalate { key, note, text, why }; check { key, since };
--- fetch { ids, look }: of one message, that, or else what is new in the chat; look: the chat in any case.
local arrive = require "avito_messenger.bot.engine.arrive"
local dispute = require "avito_messenger.bot.engine.dispute"
local explain = require "avito_messenger.bot.engine.explain"
local flows = require "avito_messenger.bot.engine.flows"
local outbox = require "avito_messenger.bot.engine.outbox"
local record = require "avito_messenger.bot.engine.record"
local rules = require "avito_messenger.bot.engine.rules"
local silence = require "avito_messenger.bot.engine.silence"
local told = require "avito_messenger.bot.engine.told"
local Turn = require "avito_messenger.bot.engine.turn"
local words = require "avito_messenger.words"

---@class avito.bot.Engine
---@field book avito_messenger.bot.Book
---@field user_id integer|string the account the bot writes for
local Engine = {}
Engine.__index = Engine
Engine.__name = "avito.bot.Engine"

local FACTS_KEEP = 3600               -- seconds; a price may change meanwhile
local FACTS_RETRY = { 2, 5, 15 }      -- then the turn goes on without
local MAX_TURNS = 1000                -- of one step

---@param options { book: avito_messenger.bot.Book, user_id: integer|string }
---@return avito.bot.Engine
function Engine.new(options)
  return setmetatable({ book = options.book, user_id = options.user_id }, Engine)
end

--- Answers by another rulebook from the next event on. Dialogues under way go on as their flows say.
---@param book avito_messenger.bot.Book
function Engine:reload(book)
  book.runner:adopt(self.book.runner)
  self.book = book
end

-- The answer to a turn was found: what else follows from it.
local function conclude(engine, chat, turn, result, notes)
  if result.escalated then return end -- it stays unread, for the person
  if result.read or (result.handled and engine.book.mark_read and turn.kind ~= "own") then
    outbox.add(chat, { { kind = "read", key = turn.key .. "/read", at = turn.now, delay = 0, turn = turn.key } })
  end
  notes[#notes + 1] = { kind = "turn", turn = turn.key, handled = result.handled }
end

local function by_rules(engine, chat, turn, notes)
  local result = rules.answer(engine, chat, turn, notes)
  if result.flow and not silence.current(chat, turn.now) then
    local started = flows.start(engine, chat, turn, result.flow, notes)
    result.escalated = started.escalated
  end
  return result
end

--- The buyer's turn, or one of the system or of a person, through the stages.
local function take(engine, chat, turn, notes)
  local silent = silence.current(chat, turn.now)
  local result
  if silent and turn.kind ~= "own" then
    notes[#notes + 1] = { kind = "silent", turn = turn.key, why = silence.reason(silent) }
  else
    if turn.kind == "buyer" and chat.flow then result = flows.stage(engine, chat, turn, notes) end
    result = result or by_rules(engine, chat, turn, notes)
  end
  if turn.kind == "buyer" then chat.turns = (chat.turns or 0) + 1 end
  if result then conclude(engine, chat, turn, result, notes) end
end

local function wants_facts(engine, chat, now)
  local needs = engine.book.needs
  if not (needs.item or needs.buyer or needs.order or needs.type and not chat.type) then return false end
  local facts = chat.facts
  return not facts or now - facts.at > FACTS_KEEP or now < facts.at - FACTS_KEEP
end

-- A clock that was put back must not keep the buyer waiting for an hour.
local function put_back(engine, chat, now)
  if chat.burst and chat.burst.from > now then chat.burst = { from = now, due = now + engine.book.burst } end
  if chat.facts_at and chat.facts_at - now > FACTS_RETRY[#FACTS_RETRY] then chat.facts_at = now end
  outbox.put_back(chat, now)
end

--- May the messages that wait be answered now?
local function ready(engine, chat, now)
  if not chat.waiting or math.max(chat.burst.due, told.holds(chat)) > now then return false end
  if chat.flow and not flows.asks(chat) then return false end -- a function of the program has not returned yet
  return not wants_facts(engine, chat, now)
end

--- A turn in which nobody wrote anything: the clock's, or a function's.
local function moment(engine, chat, now)
  return Turn.new(chat, "buyer", { { id = chat.flow.id, type = "none" } }, now, engine.book)
end

local function progress(engine, chat, now, notes)
  for _ = 1, MAX_TURNS do
    if chat.flow and chat.flow.calling and not outbox.calls(chat) then -- it was given up, with what it stood behind
      flows.called(engine, chat, moment(engine, chat, now), false, "it was not called", notes)
    elseif ready(engine, chat, now) then
      local messages = chat.waiting
      chat.waiting, chat.burst = nil, nil
      take(engine, chat, Turn.new(chat, "buyer", messages, now, engine.book), notes)
    else
      local wake = not chat.waiting and flows.wake_at(chat)
      if not wake or wake > now then return end
      flows.clock(engine, chat, moment(engine, chat, now), notes)
    end
  end
  error("engine: a chat does not come to rest", 0)
end

local handle = {}

-- A question that ran out before the message was written is not answered by it, however late the clock is told.
local function run_out(engine, chat, message, now, notes)
  local at = not chat.waiting and flows.wake_at(chat)
  if at and at < (type(message) == "table" and tonumber(message.created) or now) then
    flows.clock(engine, chat, moment(engine, chat, now), notes)
  end
end

local function arrivals(engine, chat, messages, event, now, notes)
  for _, message in ipairs(messages) do
    run_out(engine, chat, message, now, notes)
    local alone = arrive.message(engine, chat, message, event, now, notes)
    if alone then take(engine, chat, Turn.new(chat, alone.kind, { alone.message }, now, engine.book), notes) end
  end
end

function handle.message(engine, chat, event, now, notes)
  arrivals(engine, chat, event.messages or { event.message }, event, now, notes)
end

function handle.about(engine, chat, event, now)
  local facts = record.copy(event.facts)
  if facts then
    facts.at = now
    chat.facts, chat.facts_tries, chat.facts_at = facts, nil, nil
    if facts.type then chat.type = facts.type end
    if facts.earlier then chat.met = true end
    return
  end
  local tries = (chat.facts_tries or 0) + 1
  if FACTS_RETRY[tries] then
    chat.facts_tries, chat.facts_at = tries, now + FACTS_RETRY[tries]
  else
    -- The turn goes on without; the next one asks again.
    chat.facts_tries, chat.facts_at = nil, nil
    chat.facts = chat.facts or {}
    chat.facts.at = now - FACTS_KEEP + engine.book.burst + 60
  end
end

function handle.wake() end

-- What else is in the chat by now could not be read, or it lags behind: it may be that nobody else tells of it.
function handle.sent(_, chat, event, now, notes)
  local row = outbox.sent(chat, event.key, event.id, now, notes)
  if event.look == "unseen" and (not row or row.claimed) then return end
  if event.look then told.look(chat, now, true) end
end

function handle.failed(_, chat, event, now, notes)
  outbox.failed(chat, event.key, event.error, now, notes)
end

function handle.called(engine, chat, event, now, notes)
  local row = outbox.sent(chat, event.key, nil, now, notes)
  local flow = chat.flow
  -- A flow that was stopped meanwhile has no use for the value.
  if row and flow and event.key:sub(1, #flow.id + 1) == flow.id .. "/" then
    flows.called(engine, chat, moment(engine, chat, now), event.ok, event.value, notes)
  end
end

function handle.history(engine, chat, event, now, notes)
  local row = outbox.head(chat)
  local since = row and row.latched_at and outbox.since(row) or now
  local fresh = {}
  for i = #event.messages, 1, -1 do
    local message = event.messages[i]
    -- What is older than the row cannot be it, and was for the poll to see.
    if (message.created or 0) >= since then fresh[#fresh + 1] = message end
  end
  arrivals(engine, chat, fresh, event, now, notes)
  outbox.read_back(chat, event.key, engine.book, math.min(event.asked or now, now), now, notes)
end

function handle.pause(engine, chat, event, now)
  outbox.cancel(chat)
  silence.begin(chat, "paused", now, now + (event.seconds or engine.book.human.pause))
end

function handle.resume(_, chat)
  chat.silent, chat.blocked = nil, nil
  dispute.resume(chat)
end

function handle.told(_, chat, event, now, notes)
  told.message(chat, event, now, notes)
end

function handle.created(_, chat, _, now)
  told.look(chat, now)
end

function handle.fetched(engine, chat, event, now, notes)
  arrivals(engine, chat, event.messages or {}, event, now, notes)
  told.fetched(chat, event, now, notes, outbox.is_unseen(chat, now - engine.book.settle))
end

function handle.dispute(_, chat, event, now, notes)
  dispute.heed(chat, event, now, notes)
end

--- One event. The record changes; the notes tell what happened: { kind = "fired"|"error"|"escalated"|"human"|… }.
--- Raises for an event that makes no sense.
---@param chat avito.bot.Chat
---@param event table
---@param now number Unix time
---@return table[] notes
function Engine:step(chat, event, now)
  local handler = handle[event.type]
  if not handler then error("engine: " .. words.unknown(event.type, words.names(handle), "event"), 2) end
  local notes = {}
  put_back(self, chat, now)
  handler(self, chat, event, now, notes)
  told.settle(chat, now)
  progress(self, chat, now, notes)
  for _, note in ipairs(notes) do note.chat_id = chat.id end
  return notes
end

--- What should be done now.
---@param chat avito.bot.Chat
---@param now number
---@return table[] effects
function Engine:pending(chat, now)
  local effects = { told.pending(chat, now) }
  if chat.waiting and wants_facts(self, chat, now) and (chat.facts_at or 0) <= now then
    effects[#effects + 1] = { kind = "about", chat_id = chat.id, item_id = chat.waiting[#chat.waiting].item_id }
  end
  effects[#effects + 1] = outbox.pending(chat, now)
  return effects
end

--- When the chat wants { type = "wake" } or has something to do; nil: only when something happens.
---@param chat avito.bot.Chat
---@return number?
function Engine:wake_at(chat) -- luacheck: no self
  local least = outbox.wake_at(chat)
  local function at(moment_)
    if moment_ and (not least or moment_ < least) then least = moment_ end
  end
  at(told.wake_at(chat))
  if chat.waiting then
    if not (chat.flow and not flows.asks(chat)) then at(math.max(chat.burst.due, chat.facts_at or 0, told.holds(chat))) end
  else
    at(flows.wake_at(chat))
  end
  return least
end

--- Right before an effect is performed. nil, why: it is not to be done any more.
---@param chat avito.bot.Chat
---@param key string
---@param now number
---@return avito.bot.Row?
---@return string?
function Engine:latch(chat, key, now) -- luacheck: no self
  return outbox.latch(chat, key, now)
end

--- After a restart, before anything else: what was under way is made certain first.
---@param chat avito.bot.Chat
---@param now number
---@return table[] notes
function Engine:recover(chat, now) -- luacheck: no self
  local notes = {}
  outbox.recover(chat, now, notes)
  for _, note in ipairs(notes) do note.chat_id = chat.id end
  return notes
end

--- Why each rule would, or would not, fire on a message. Nothing changes.
---@param chat avito.bot.Chat
---@param message table
---@param now number
---@return table[] lines { rule, fires, why, conditions }
function Engine:explain(chat, message, now)
  return explain.message(self, chat, message, now)
end

return Engine
