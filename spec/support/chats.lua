--- For specs of the engine: one chat, its clock, and a marketplace that does what the bot asks for.
local Engine = require "avito_messenger.bot.engine"
local json = require "avito_messenger.json"
local rulebook = require "avito_messenger.bot.rulebook"

local chats = {}

chats.NOW = 1795602600 -- 2026-11-25, a Wednesday: 14:30 in Samara
chats.SELLER, chats.BUYER = 94235311, 30000001

local MAX_EFFECTS = 1000

local Chat = {}
Chat.__index = Chat

--- The book of these fields, or an error with its mistakes.
function chats.book(given, marketplace)
  local book, err = rulebook.compile(given, nil, marketplace)
  if not book then error(err.message, 2) end
  return book
end

--- A chat that nobody wrote in yet. `said` is what the buyer reads of the bot, `did` what else was done.
---@param given table a rulebook; burst is 3 s, and there is no flood guard where it says nothing of one
---@param more? table fields of the chat: facts, user_id; marketplace
function chats.new(given, more)
  if given.flood == nil then given.flood = false end
  local self = setmetatable({ now = chats.NOW, said = {}, did = {}, notes = {}, fails = {}, ids = 0, record = { id = "u2i-1" },
    facts = { type = "u2i", buyer = { id = chats.BUYER, name = "Покупатель" }, item = { id = 1, title = "Диван", price = 5000 } },
  }, Chat)
  for name, value in pairs(more or {}) do self[name] = value end
  self.engine = Engine.new { book = chats.book(given, self.marketplace), user_id = self.user_id or chats.SELLER }
  return self
end

--- One event. The record comes back from where it was kept, and the program may have been started anew meanwhile.
function Chat:step(event)
  self.record = assert(json.decode(assert(json.encode(self.record))))
  local notes = self.engine:step(self.record, event, self.now)
  for _, note in ipairs(notes) do self.notes[#self.notes + 1] = note end
  for _, list in ipairs { "outbox", "waiting", "echoes", "sends" } do
    assert(self.record[list] == nil or #self.record[list] > 0, list .. " is empty, and kept")
  end
  return notes
end

function Chat:wake() return self:step { type = "wake" } end

--- A message that is not told yet.
function Chat:message(text, more)
  self.ids = self.ids + 1
  local message = { id = "m" .. self.ids, author_id = chats.BUYER, created = self.now, type = "text", content = { text = text } }
  for name, value in pairs(more or {}) do message[name] = value end
  return message
end

function Chat:tell(message, more)
  local event = { type = "message", message = message }
  for name, value in pairs(more or {}) do event[name] = value end
  self:step(event)
  return message
end

--- The buyer writes; a person of the seller's writes.
function Chat:buyer(text, more) return self:tell(self:message(text, more)) end

function Chat:person(text, more)
  local message = self:message(text, more)
  if not (more and more.author_id) then message.author_id = chats.SELLER end
  return self:tell(message)
end

function Chat:pending() return self.engine:pending(self.record, self.now) end

--- The kinds of what is wanted now: "send", "about read".
function Chat:wants()
  local kinds = {}
  for i, effect in ipairs(self:pending()) do kinds[i] = effect.kind end
  return table.concat(kinds, " ")
end

--- Latches what is wanted now.
function Chat:latch()
  local effect = assert(self:pending()[1], "nothing is wanted")
  assert(self.engine:latch(self.record, effect.key, self.now))
  return effect
end

--- The buyer writes, and the reply is under way: its effect.
function Chat:replying(text)
  self:buyer(text)
  self.now = self.now + 3
  self:wake()
  if self:wants() == "about" then self:work() end
  return self:latch()
end

local function answer(self, effect)
  local failure = table.remove(self.fails, 1)
  if failure then return { type = "failed", key = effect.key, error = failure } end
  self.ids = self.ids + 1
  local spoken = effect.text and effect.kind == "send" and effect.text or effect.image
  if spoken then self.said[#self.said + 1] = spoken else self.did[#self.did + 1] = effect end
  if effect.kind == "call" then return { type = "called", key = effect.key, ok = true, value = self.value } end
  return { type = "sent", key = effect.key, id = spoken and "b" .. self.ids or nil }
end

local function perform(self, effect)
  if effect.kind == "about" then
    return self:step { type = "about", facts = self.facts and json.decode(json.encode(self.facts)),
      error = not self.facts and "no answer" or nil }
  elseif effect.kind == "check" then
    return self:step { type = "history", key = effect.key, messages = self.history or {} }
  end
  assert(self.engine:latch(self.record, effect.key, self.now), "what is wanted is refused")
  return self:step(answer(self, effect))
end

--- Does all that is wanted now.
function Chat:work()
  for _ = 1, MAX_EFFECTS do
    local effect = self:pending()[1]
    if not effect then return self end
    perform(self, effect)
  end
  error("the chat does not come to rest", 2)
end

--- Lets the time pass and does what is wanted meanwhile.
function Chat:pass(seconds)
  local limit = self.now + seconds
  for _ = 1, MAX_EFFECTS do
    self:work()
    local at = self.engine:wake_at(self.record)
    if not at or at > limit then
      self.now = limit
      return self
    end
    self.now = math.max(self.now, at)
    self:wake()
  end
  error("the chat does not come to rest", 2)
end

--- What the bot says to a text of the buyer: one text, or several joined by " / "; "" for nothing.
function Chat:says(text, more)
  local before = #self.said
  self:buyer(text, more)
  self:pass(20)
  return table.concat(self.said, " / ", before + 1)
end

--- The names of the rules that fired, in order.
function Chat:fired()
  local names = {}
  for _, note in ipairs(self.notes) do
    if note.kind == "fired" then names[#names + 1] = note.rule end
  end
  return table.concat(names, " ")
end

--- The first note of this kind.
function Chat:note(kind)
  for _, note in ipairs(self.notes) do
    if note.kind == kind then return note end
  end
end

--- Has anything of this kind been done?
function Chat:has_done(kind)
  for _, effect in ipairs(self.did) do
    if effect.kind == kind then return effect end
  end
  return nil
end

return chats
