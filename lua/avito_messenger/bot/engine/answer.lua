--- The answer to one turn while it is being found: rows and changes are gathered, and take effect together or not at all.
local compose = require "avito_messenger.bot.engine.compose"
local fit = require "avito_messenger.bot.rulebook.fit"
local outbox = require "avito_messenger.bot.engine.outbox"
local reasons = require "avito_messenger.bot.reasons"
local silence = require "avito_messenger.bot.engine.silence"

---@class avito.bot.Answer
---@field book avito_messenger.bot.Book
---@field chat avito.bot.Chat
---@field turn avito.bot.Turn
---@field prefix string
---@field rule? string
---@field rows avito.bot.Row[]
---@field steps integer rows whose step nobody named
---@field silence? { why: string, seconds: number }
---@field resume? boolean
---@field read? boolean
---@field blocked? boolean
---@field flow? string a dialogue to begin
---@field escalated? boolean
---@field note? string what the person is told
---@field warnings table[] notes of what was left out
local Answer = {}
Answer.__index = Answer
Answer.__name = "avito.bot.Answer"

---@param engine avito.bot.Engine
---@param chat avito.bot.Chat
---@param turn avito.bot.Turn
---@param prefix string what the keys of its rows begin with
---@param rule? string
---@return avito.bot.Answer
function Answer.new(engine, chat, turn, prefix, rule)
  return setmetatable({ book = engine.book, chat = chat, turn = turn, prefix = prefix, rule = rule, rows = {}, steps = 0,
    warnings = {} }, Answer)
end

--- What every row of the answer holds.
local function fields(self)
  return { at = self.turn.now, delay = 0, turn = self.turn.key, rule = self.rule }
end

local function key(self, step)
  if not step then
    self.steps = self.steps + 1
    step = self.steps
  end
  return self.prefix .. "/" .. step
end

---@param said string
---@param step? integer|string
---@param label? string
function Answer:say(said, step, label)
  local row = fields(self)
  row.label = label
  compose.say(self.rows, key(self, step), said, row, self.book.abilities.max_text)
end

local function add(self, kind, step, more)
  local row = fields(self)
  row.kind, row.key = kind, key(self, step)
  for name, value in pairs(more) do row[name] = value end
  self.rows[#self.rows + 1] = row
end

-- What a function asks for and the marketplace has not. Rules were warned of when they were loaded, and have it no more.
local function leave_out(self, message)
  self.warnings[#self.warnings + 1] = { kind = "warning", rule = self.rule, message = message }
end

---@param image string
---@param step? integer|string
function Answer:image(image, step)
  local why = fit.image(image, self.book.abilities)
  if why then leave_out(self, why) else add(self, "image", step, { image = image }) end
end

---@param name string
---@param args any
---@param step integer|string
---@param about table
function Answer:call(name, args, step, about) add(self, "call", step, { name = name, args = args, about = about }) end

--- Calls a person, and leaves the chat to them.
---@param note string?
---@param step? integer|string
---@param why? "escalated"|"flood"
---@param seconds? number
function Answer:escalate(note, step, why, seconds)
  add(self, "escalate", step, { note = note, text = self.turn.text, why = why or "escalated" })
  self.escalated, self.note = true, note
  self.silence = { why = why or "escalated", seconds = seconds or self.book.human.pause }
end

local function reason_number(reason)
  for number, word in ipairs(reasons) do
    if word == reason then return number end
  end
  error(("unknown reason '%s': %s or %s"):format(reason, table.concat(reasons, ", ", 1, #reasons - 1), reasons[#reasons]), 0)
end

---@param reason? "spam"|"fraud"|"insult"|"other" default: other
---@param step? integer|string
function Answer:blacklist(reason, step)
  local buyer, item = self.turn.facts.buyer or {}, self.turn.facts.item or {}
  local last = self.turn.messages[#self.turn.messages]
  local user_id = buyer.id or (self.turn.kind == "buyer" and last.author_id or nil)
  if not user_id then error("it is not known who the buyer is", 0) end
  add(self, "blacklist", step, { user_id = user_id, item_id = item.id or last.item_id,
    reason = reason_number(reason or "other") })
  self.blocked = true
end

--- Whose the rows are that are added from now on.
---@param prefix string
---@param rule string
function Answer:belong(prefix, rule)
  self.prefix, self.rule = prefix, rule
end

--- One thing that a rule names or a function asked for.
---@param act { kind: string, reason: string?, seconds: number? }
function Answer:act(act)
  local why = self.book.abilities:lacks("acts", act.kind)
  if why then leave_out(self, ("c:%s did nothing: %s"):format(act.kind, why))
  elseif act.kind == "escalate" then self:escalate(act.reason)
  elseif act.kind == "blacklist" then self:blacklist(act.reason)
  elseif act.kind == "mark_read" then self.read = true
  elseif act.kind == "pause" then self.silence = { why = "paused", seconds = act.seconds or self.book.human.pause }
  elseif act.kind == "resume" then self.resume = true
  elseif act.kind == "image" then self:image(act.image)
  elseif act.kind == "say" then self:say(compose.text(act.text, self.book, self.turn))
  elseif act.kind == "flow" then self.flow = act.name end
end

--- The delay of the answer: its first row waits, the others follow at once.
---@param seconds number
function Answer:wait(seconds)
  for _, row in ipairs(self.rows) do
    row.at, row.delay = self.turn.now + seconds, seconds
  end
end

--- Would it be one reply too many? (The buyer may be another bot.) If not, its replies are counted.
local function floods(self)
  local flood, chat, now = self.book.flood, self.chat, self.turn.now
  if not flood then return false end
  local recent = {}
  for _, at in ipairs(chat.sends or {}) do
    if at > now - flood.within and at <= now then recent[#recent + 1] = at end
  end
  local count = 0
  for _, row in ipairs(self.rows) do
    if outbox.spoken(row) then count = count + 1 end
  end
  if count > 0 and #recent + count > flood.replies and #recent > 0 then return true end
  for _ = 1, count do recent[#recent + 1] = now end
  chat.sends = #recent > 0 and recent or nil
  return false
end

--- Puts the answer into effect.
---@param notes table[]
---@return boolean whole false when it was held back
function Answer:commit(notes)
  local chat, now = self.chat, self.turn.now
  local whole = true
  for _, warning in ipairs(self.warnings) do notes[#notes + 1] = warning end
  if floods(self) then
    whole = false
    notes[#notes + 1] = { kind = "flood", rule = self.rule, message = "too many replies in this chat; the answer is held back" }
    self.rows, self.flow, self.blocked, self.resume, self.read = {}, nil, nil, nil, nil
    self:escalate("too many replies in a short time", "flood", "flood", self.book.flood.pause)
  end
  outbox.add(chat, self.rows)
  if self.resume then chat.silent = nil end
  if self.silence then silence.begin(chat, self.silence.why, now, now + self.silence.seconds) end
  if self.blocked then chat.blocked, chat.flow = true, nil end
  if self.escalated then
    notes[#notes + 1] = { kind = "escalated", rule = self.rule, note = self.note }
  end
  return whole
end

return Answer
