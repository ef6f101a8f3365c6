--- The flows' stage: dialogues that are under way in a chat. The runner (bot/flow) knows how a flow goes on; here its
--- steps become rows, and messages and the clock become answers.
local Answer = require "avito_messenger.bot.engine.answer"
local ask = require "avito_messenger.bot.flow.ask"
local chance = require "avito_messenger.bot.engine.chance"
local compose = require "avito_messenger.bot.engine.compose"
local record = require "avito_messenger.bot.engine.record"

local flows = {}

local MAX_STARTS = 10 -- flows that start each other without asking anything

-- What an escalated dialogue is called for.
local STOPPED = {
  error = "the dialogue '%s' broke off: %s",
  departed = "the dialogue '%s' went another way when it was replayed: %s",
  steps = "the dialogue '%s' has too many steps: %s",
  gone = "the dialogue '%s' has changed and its old version is gone: %s",
  changed = "the dialogue '%s' has changed: %s",
  circle = "the dialogue '%s' goes round in a circle: %s",
}

local function host_of(engine, chat, turn, answer, memory)
  local book = engine.book
  return {
    now = turn.now,
    memory = memory,
    random = function(key) return chance.fraction(chat.id .. " " .. tostring(key)) end,
    date = function(unix, format) return book:date(unix, format) end,
    render = function(source, extra) return compose.text(source, book, turn, extra) end,
    emit = function(step, action)
      if action.kind == "say" then answer:say(action.text, step)
      elseif action.kind == "image" then answer:image(action.image, step)
      elseif action.kind == "escalate" then answer:escalate(action.note, step) end
    end,
  }
end

local function about(turn)
  return record.copy { buyer = turn.facts.buyer, item = turn.facts.item, order = turn.facts.order, chat = turn.chat }
end

local function begin(engine, chat, turn, name)
  chat.flows = (chat.flows or 0) + 1 -- one turn may start the same flow twice
  local id = ("%s/%s/%d"):format(turn.key, name, chat.flows)
  return engine.book.runner:start(name, id, about(turn), turn.now)
end

-- A person is called instead.
local function stop(engine, chat, turn, state, outcome, notes)
  chat.flow = nil
  local message = (STOPPED[outcome.why] or "the dialogue '%s' stopped: %s"):format(state.name, tostring(outcome.message))
  notes[#notes + 1] = { kind = "error", flow = state.name, why = outcome.why, message = message, traceback = outcome.traceback }
  local call = Answer.new(engine, chat, turn, state.id, state.name)
  call:escalate(message, "stopped")
  call:commit(notes)
  return { handled = true, escalated = true }
end

local function run(engine, chat, turn, answer, memory)
  local ok, outcome = pcall(engine.book.runner.advance, engine.book.runner, chat.flow, host_of(engine, chat, turn, answer, memory))
  return ok and outcome or { kind = "stopped", why = "error", message = tostring(outcome) }
end

local CIRCLE = { kind = "stopped", why = "circle", message = ("more than %d dialogues started each other"):format(MAX_STARTS) }

--- Lets the flow of the chat go on until it waits or ends, and those that it starts. What they did since the buyer was last
--- waited for takes effect when none broke off; the buyer gets nothing broken.
---@return { handled: boolean, escalated: boolean? }
local function advance(engine, chat, turn, notes)
  local memory = record.copy(chat.memory or {})
  local answer = Answer.new(engine, chat, turn, chat.flow.id, chat.flow.name)
  local state, outcome
  for _ = 1, MAX_STARTS do
    state = chat.flow
    answer:belong(state.id, state.name)
    outcome = run(engine, chat, turn, answer, memory)
    if outcome.kind ~= "start" then break end
    notes[#notes + 1] = { kind = "flow", flow = state.name, outcome = "start" }
    chat.flow = begin(engine, chat, turn, outcome.name)
  end
  if outcome.kind == "start" then outcome = CIRCLE end
  if outcome.kind == "stopped" then return stop(engine, chat, turn, state, outcome, notes) end
  if outcome.kind == "call" then answer:call(outcome.name, outcome.args, outcome.step, state.about) end
  answer:commit(notes) -- where it is held back, the dialogue ends with it
  chat.memory = next(memory) ~= nil and memory or nil
  notes[#notes + 1] = { kind = "flow", flow = state.name, outcome = outcome.kind }
  if outcome.kind == "done" then chat.flow = nil end
  return { handled = true, escalated = answer.escalated }
end

--- Begins a flow.
---@param engine avito.bot.Engine
---@param chat avito.bot.Chat
---@param turn avito.bot.Turn
---@param name string
---@param notes table[]
function flows.start(engine, chat, turn, name, notes)
  chat.flow = begin(engine, chat, turn, name)
  return advance(engine, chat, turn, notes)
end

--- Does the flow wait for the buyer (and not for a function of the program)?
---@param chat avito.bot.Chat
---@return boolean
function flows.asks(chat)
  return chat.flow.open ~= nil
end

--- Does the buyer leave the dialogue?
---@param engine avito.bot.Engine
---@param chat avito.bot.Chat
---@param turn avito.bot.Turn
---@return boolean
function flows.left(engine, chat, turn)
  return engine.book.runner:leaves(chat.flow, turn.text)
end

--- The buyer's turn, while a flow asks.
---@return { handled: boolean, escalated: boolean? }? result nil: the buyer left the dialogue, the rules have the turn
function flows.stage(engine, chat, turn, notes)
  local runner, state = engine.book.runner, chat.flow
  if flows.left(engine, chat, turn) then
    notes[#notes + 1] = { kind = "flow", flow = state.name, outcome = "left" }
    chat.flow = nil
    return nil
  end
  local open = state.open
  local understood, value = ask.read(open, turn)
  if understood then
    runner:answer(state, value)
    return advance(engine, chat, turn, notes)
  end
  open.tries_left = open.tries_left - 1
  if open.tries_left < 1 then
    runner:answer(state, nil, "tries")
    return advance(engine, chat, turn, notes)
  end
  local answer = Answer.new(engine, chat, turn, state.id, state.name)
  answer:say(ask.again(open), ("%d/again%d"):format(#state.journal, open.tries_left))
  answer:commit(notes)
  return { handled = true, escalated = answer.escalated }
end

--- A function of the program has returned.
---@param turn avito.bot.Turn of the moment; nobody wrote anything
function flows.called(engine, chat, turn, ok, value, notes)
  engine.book.runner:called(chat.flow, ok, value)
  return advance(engine, chat, turn, notes)
end

--- When the flow wants to be woken, or nil.
---@param chat avito.bot.Chat
---@return number?
function flows.wake_at(chat)
  local state = chat.flow
  if not state or not state.open then return nil end
  return math.min(state.open.deadline, state.expires)
end

--- What the clock does to a flow: it has lived too long, or the question waited too long.
function flows.clock(engine, chat, turn, notes)
  local runner, state = engine.book.runner, chat.flow
  if turn.now >= state.expires then
    notes[#notes + 1] = { kind = "flow", flow = state.name, outcome = "expired" }
    chat.flow = nil
    return
  end
  if turn.now >= state.open.deadline then
    runner:answer(state, nil, "timeout")
    advance(engine, chat, turn, notes)
  end
end

return flows
