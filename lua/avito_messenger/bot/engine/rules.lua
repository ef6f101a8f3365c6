--- The rules' stage: which rules a turn fires, and what they answer.
local Answer = require "avito_messenger.bot.engine.answer"
local chance = require "avito_messenger.bot.engine.chance"
local compose = require "avito_messenger.bot.engine.compose"
local Context = require "avito_messenger.bot.engine.context"
local errors = require "avito_messenger.errors"
local plain = require "avito_messenger.bot.flow.plain"
local record = require "avito_messenger.bot.engine.record"
local span = require "avito_messenger.bot.span"

local rules = {}

local function fired(chat, rule)
  return chat.rules and chat.rules[rule.name]
end

--- Why a rule that matches does not answer this time: "once" (later rules get their turn) or "cooldown" (it takes the
--- message and stays silent).
---@param chat avito.bot.Chat
---@param rule avito_messenger.bot.Rule
---@param now number
---@return "once"|"cooldown"|nil
---@return string? why
function rules.resting(chat, rule, now)
  local last = fired(chat, rule)
  if not last then return nil end
  if rule.once == true then return "once", "once: it has fired in this chat" end
  if rule.once and now - last.last < rule.once then
    return "once", ("once: it fired less than %s ago"):format(span.text(rule.once))
  end
  if rule.cooldown and now - last.last < rule.cooldown then
    return "cooldown", ("cooldown: it fired less than %s ago, so it takes the message and says nothing"):format(
      span.text(rule.cooldown))
  end
end

local function text_of(rule, chat)
  local say = rule.say
  if say.mode == "label" then
    local n = chance.pick(chat.id .. " " .. rule.name, #say.texts)
    return say.texts[n], say.labels[n]
  end
  local last = fired(chat, rule)
  return say.texts[(last and last.n or 0) % #say.texts + 1]
end

--- Runs the rule's function; what it asks for is done when it returns.
local function run(answer, rule, turn, book, chat)
  local queue = {}
  local c = Context.new(turn, book, record.copy(chat.memory or {}), queue)
  rule.run(c)
  local memory, problem = plain.copy(c.memory or {})
  if problem then error("c.memory holds " .. problem, 0) end
  if type(memory) ~= "table" then error("c.memory must be a table, got " .. type(memory), 0) end
  for _, act in ipairs(queue) do
    if act.kind == "flow" and not book.flows[act.name] then error(("there is no flow '%s'"):format(act.name), 0) end
    answer:act(act)
  end
  return memory
end

--- The answer of one rule. Raises what is wrong with it; the chat is as before then.
local function answer_of(engine, chat, turn, rule, looking)
  local book = engine.book
  local answer = Answer.new(engine, chat, turn, turn.key .. "/" .. rule.name, rule.name)
  local memory
  if rule.say then
    local compiled, label = text_of(rule, chat)
    answer:say(compose.fill(compiled, book, turn), nil, label)
  end
  for _, image in ipairs(rule.image or {}) do answer:image(image) end
  if rule.run and not looking then memory = run(answer, rule, turn, book, chat) end
  if rule.delay then
    local least, most = rule.delay.min, rule.delay.max
    answer:wait(least + chance.fraction(answer.prefix) * (most - least))
  end
  for _, act in ipairs(rule.acts or {}) do answer:act(act) end
  answer.flow = answer.flow or rule.flow
  return answer, memory
end

local function with_trace(err)
  if type(err) == "string" then return { message = err, traceback = debug.traceback(err, 2) } end
  local message = errors.text(err, "it raised a ")
  return { message = message, traceback = debug.traceback(message, 2), error = err }
end

--- Fires one rule. An error stops this rule only.
---@return boolean fired
local function fire(engine, chat, turn, rule, result, notes, looking)
  local answer, memory
  local ok, problem = xpcall(function() answer, memory = answer_of(engine, chat, turn, rule, looking) end, with_trace)
  if not ok then
    notes[#notes + 1] = { kind = "error", rule = rule.name, message = problem.message, traceback = problem.traceback,
      error = problem.error }
    return false
  end
  result.held = not answer:commit(notes)
  chat.rules = chat.rules or {}
  local last = chat.rules[rule.name]
  chat.rules[rule.name] = { n = (last and last.n or 0) + 1, last = turn.now }
  if memory then
    chat.memory = next(memory) ~= nil and memory or nil
    turn.c.memory = record.copy(memory) -- for the rules that follow
  end
  notes[#notes + 1] = { kind = "fired", rule = rule.name, turn = turn.key }
  result.read = result.read or answer.read
  result.escalated = result.escalated or answer.escalated
  result.flow = answer.flow
  return true
end

--- May this rule look at chats like this one? What Avito itself writes is answered only by rules that say so.
---@param rule avito_messenger.bot.Rule
---@param turn avito.bot.Turn
---@return boolean
function rules.concerns(rule, turn)
  if turn.chat.type ~= "a2u" then return true end
  for _, condition in ipairs(rule.conditions) do
    if condition.name == "chat_type" then return true end
  end
  return false
end

--- Goes through the rules of a stage in order.
---@param engine avito.bot.Engine
---@param chat avito.bot.Chat
---@param turn avito.bot.Turn
---@param fallback boolean
---@param notes table[]
---@param looking? boolean functions are not run
---@return { handled: boolean, spoke: boolean?, read: boolean?, escalated: boolean?, flow: string? }
local function stage(engine, chat, turn, fallback, notes, looking)
  local result = { handled = false }
  for _, rule in ipairs(engine.book:candidates(turn)) do
    if rule.fallback == fallback and (not fallback or (chat.misses or 0) >= (rule.after or 1))
      and rules.concerns(rule, turn) then
      local matches, condition, why, problem = rule:check(turn)
      if problem then
        notes[#notes + 1] = { kind = "error", rule = rule.name, message = ("%s: %s"):format(condition, why), traceback = problem }
      end
      local resting = matches and rules.resting(chat, rule, turn.now)
      if resting == "cooldown" then
        result.handled = true
        notes[#notes + 1] = { kind = "resting", rule = rule.name, turn = turn.key }
        if not rule.continue then break end
      elseif matches and not resting and fire(engine, chat, turn, rule, result, notes, looking) then
        -- A rule that lets others speak has not answered the question.
        if not rule.continue or result.flow then result.handled = true end
        result.spoke = true
        if result.held or not rule.continue or result.flow then break end
      end
    end
  end
  return result
end

--- The rules, and for a buyer to whom none of them has anything to say, those with fallback.
---@param engine avito.bot.Engine
---@param chat avito.bot.Chat
---@param turn avito.bot.Turn
---@param notes table[]
---@param looking? boolean only to see which would fire: functions are not run, and the chat is to be thrown away
---@return { handled: boolean, read: boolean?, escalated: boolean?, flow: string? }
function rules.answer(engine, chat, turn, notes, looking)
  local result = stage(engine, chat, turn, false, notes, looking)
  if turn.kind ~= "buyer" then return result end
  if result.handled or result.spoke then
    chat.misses = nil
    return result
  end
  chat.misses = (chat.misses or 0) + 1
  return stage(engine, chat, turn, true, notes, looking)
end

return rules
