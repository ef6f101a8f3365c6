--- Why each rule would, or would not, answer a message.
local arrive = require "avito_messenger.bot.engine.arrive"
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
local function stage(chat, kind, now)
  local silent = silence.current(chat, now)
  if chat.blocked then return { rule = "(guard)", why = "the buyer is on the blacklist" } end
  if kind == "own" then return { rule = "(human)", why = "a person typed this: the bot becomes silent in this chat" } end
  if silent then return { rule = "(human)", why = silence.reason(silent) } end
  if chat.flow and kind == "buyer" then
    return { rule = "(flow)", why = ("the dialogue '%s' takes the message"):format(chat.flow.name) }
  end
end

local function why_of(line)
  local failed = {}
  for _, condition in ipairs(line.conditions) do
    if not condition.ok then failed[#failed + 1] = condition.why end
  end
  return #failed > 0 and table.concat(failed, "; ") or "everything matches"
end

---@param engine avito.bot.Engine
---@param chat avito.bot.Chat
---@param message table
---@param now number
---@return avito.bot.Explanation[]
function explain.message(engine, chat, message, now)
  chat = record.copy(chat)
  local kind = arrive.kind(message, engine.user_id)
  if kind == "deleted" then return { { rule = "(guard)", fires = false, why = "the message is deleted" } } end
  local turn = Turn.new(chat, kind, { message }, now, engine.book)
  local lines = {}
  local before = stage(chat, kind, now)
  if before then
    before.fires = false
    lines[1] = before
  end
  local taken, spoke
  local function look(rule, fallback)
    local line = { rule = rule.name, conditions = rule:explain(turn), fires = false }
    local matches = rule:check(turn)
    local resting, resting_why = rules.resting(chat, rule, now)
    if not rules.concerns(rule, turn) then line.why = "chat_type: Avito's own chat, and the rule does not ask for it"
    elseif not matches then line.why = why_of(line)
    elseif fallback and (chat.misses or 0) + 1 < (rule.after or 1) then
      line.why = ("fallback: %d of %d turns in a row that no rule understood"):format((chat.misses or 0) + 1, rule.after)
    elseif fallback and spoke then line.why = "fallback: another rule answers"
    elseif resting then line.why = resting_why
    elseif taken then line.why = ("everything matches, but '%s' comes before it"):format(taken)
    else
      line.fires, line.why = not before or kind == "own", why_of(line)
      spoke = true
    end
    if matches and not taken and (line.fires or before or resting == "cooldown") and not rule.continue
      and not (fallback and line.why:find "^fallback") then
      taken = rule.name
    end
    lines[#lines + 1] = line
  end
  for _, rule in ipairs(engine.book.rules) do
    if not rule.fallback then look(rule, false) end
  end
  for _, rule in ipairs(engine.book.rules) do
    if rule.fallback then look(rule, true) end
  end
  return lines
end

return explain
