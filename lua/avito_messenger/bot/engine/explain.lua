--- Why each rule would, or would not, answer a message.
local arrive = require "avito_messenger.bot.engine.arrive"
local flows = require "avito_messenger.bot.engine.flows"
local record = require "avito_messenger.bot.engine.record"
local rules = require "avito_messenger.bot.engine.rules"
local silence = require "avito_messenger.bot.engine.silence"
local Turn = require "avito_messenger.bot.engine.turn"

local explain = {}

---@class avito.bot.Explanation
---@field rule string the rule, or the stage that keeps all rules from speaking, in brackets
---@field fires boolean
---@field why string
---@field conditions? { name: string, ok: boolean, why: string }[]

--- What stands before the rules, or nil.
local function stage(engine, chat, turn)
  local silent = silence.current(chat, turn.now)
  if turn.kind == "own" then
    return { rule = "(human)", fires = false, why = "a person typed this: the bot becomes silent in this chat" }
  end
  if chat.blocked then return { rule = "(guard)", fires = false, why = "the buyer is on the blacklist" } end
  if silent then return { rule = "(human)", fires = false, why = silence.reason(silent) } end
  if chat.flow and turn.kind == "buyer" and turn.now < chat.flow.expires and not flows.left(engine, chat, turn) then
    return { rule = "(flow)", fires = false, why = ("the dialogue '%s' takes the message"):format(chat.flow.name) }
  end
end

local function unmet(conditions)
  local failed = {}
  for _, condition in ipairs(conditions) do
    if not condition.ok then failed[#failed + 1] = condition.why end
  end
  return #failed > 0 and table.concat(failed, "; ") or nil
end

--- What the rules would do, by name: the notes of a turn that is not taken. And the last rule that spoke.
local function look(engine, chat, turn)
  local notes, outcomes, last = {}, {}, nil
  rules.answer(engine, record.copy(chat), turn, notes, true)
  for _, note in ipairs(notes) do
    if note.kind == "fired" or note.kind == "error" then outcomes[note.rule] = note end
    if note.kind == "fired" or note.kind == "resting" then last = note.rule end
  end
  return outcomes, last
end

local function why_fallback(chat, rule, turn, last)
  if not rule.fallback then return nil end
  if turn.kind ~= "buyer" then return "fallback: only for what a buyer writes" end
  local misses = (chat.misses or 0) + 1
  if last then return ("fallback: '%s' answers"):format(last) end
  if misses < (rule.after or 1) then
    return ("fallback: %d of %d turns in a row that no rule understood"):format(misses, rule.after)
  end
end

local function why_not(chat, rule, turn, outcome, last)
  if outcome and outcome.kind == "error" then return "it fails: " .. outcome.message end
  local _, resting = rules.resting(chat, rule, turn.now)
  return resting or why_fallback(chat, rule, turn, last)
    or ("everything matches, but '%s' comes before it"):format(last or "another")
end

---@param engine avito.bot.Engine
---@param chat avito.bot.Chat
---@param message table
---@param now number
---@return avito.bot.Explanation[]
function explain.message(engine, chat, message, now)
  local kind = arrive.kind(message, engine.user_id)
  if kind == "deleted" then return { { rule = "(guard)", fires = false, why = "the message is deleted" } } end
  local turn = Turn.new(chat, kind, { message }, now, engine.book)
  local before = stage(engine, chat, turn)
  local outcomes, last = look(engine, chat, turn)
  local lines = { before }
  local function add(rule)
    local line = { rule = rule.name, conditions = rule:explain(turn), fires = false }
    local outcome = outcomes[rule.name]
    if not rules.concerns(rule, turn) then line.why = "chat_type: Avito's own chat, and the rule does not ask for it"
    elseif unmet(line.conditions) then line.why = unmet(line.conditions)
    elseif outcome and outcome.kind == "fired" then
      line.fires, line.why = not before or kind == "own", "everything matches"
    else line.why = why_not(chat, rule, turn, outcome, last) end
    lines[#lines + 1] = line
  end
  for _, fallback in ipairs { false, true } do
    for _, rule in ipairs(engine.book.rules) do
      if rule.fallback == fallback then add(rule) end
    end
  end
  return lines
end

return explain
