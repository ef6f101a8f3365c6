local Engine = require "avito_messenger.bot.engine"
local chance = require "avito_messenger.bot.engine.chance"
local chats = require "support.chats"
local define = require("avito_messenger.bot.flow").define
local json = require "avito_messenger.json"
local plain = require "avito_messenger.bot.flow.plain"
local record = require "avito_messenger.bot.engine.record"

local RUNS, EVENTS, SETTLING = 60, 40, 400

local World = {}
World.__index = World

--- A marketplace that loses, repeats and reorders: what it does is drawn from the seed, and the engine is told. Of messages
--- by_id it tells the ids only, and not those of what is sent.
local function world(seed, given, kept, by_id)
  given.flood = false
  return setmetatable({ seed = seed, drawn = 0, now = chats.NOW, record = { id = "u2i-1" }, kept = kept, by_id = by_id,
    messages = {}, asked = {}, untold = {}, trace = {},
    engine = Engine.new { book = chats.book(given), user_id = chats.SELLER } }, World)
end

function World:draw(n)
  self.drawn = self.drawn + 1
  return chance.pick(("%d %d"):format(self.seed, self.drawn), n)
end

--- What happened, so that two worlds can be compared.
function World:noted(...)
  self.trace[#self.trace + 1] = table.concat({ json.digits(self.now), ... }, " ")
end

function World:step(event)
  if self.kept then self.record = assert(json.decode(assert(json.encode(self.record)))) end
  for _, note in ipairs(self.engine:step(self.record, event, self.now)) do
    self:noted("note", note.kind, note.rule or "", note.key or "", note.outcome or "")
  end
end

function World:tell(message)
  if self.by_id then return self:step { type = "told", id = message.id, sent = message.created } end
  self:step { type = "message", message = record.copy(message) }
end

function World:add(author_id, text)
  local message = { id = "m" .. #self.messages + 1, author_id = author_id, created = math.floor(self.now), type = "text",
    content = { text = text } }
  self.messages[#self.messages + 1] = message
  return message
end

--- The buyer writes; the message is told at once, later, or after the next.
function World:buyer(text)
  local message = self:add(chats.BUYER, text)
  if self:draw(4) == 1 then self.untold[#self.untold + 1] = message else self:tell(message) end
  return message
end

function World:tell_untold()
  local untold = self.untold
  self.untold = {}
  while #untold > 0 do self:tell(table.remove(untold, self:draw(#untold))) end
end

local function error_of(kind, dispatched) return { kind = kind, message = kind, dispatched = dispatched } end

--- A message is sent: nothing may arrive, or arrive without an answer; its own message comes before, after or never.
function World:send(effect)
  local fate = self:draw(8)
  if fate == 1 then return { type = "failed", key = effect.key, error = error_of("network", false) } end
  if fate == 2 then return { type = "failed", key = effect.key, error = error_of("timeout", true) } end
  local message = self:add(chats.SELLER, effect.text)
  if self:draw(3) == 1 then self:tell(message) elseif self:draw(2) == 1 then self.untold[#self.untold + 1] = message end
  if fate == 3 then return { type = "failed", key = effect.key, error = error_of("timeout", true) } end
  if fate == 4 then return nil end -- the program ends before it has the answer
  if self.by_id then return { type = "sent", key = effect.key, look = fate == 5 or nil }, fate > 5 and self:all() end
  return { type = "sent", key = effect.key, id = fate > 5 and message.id or nil }
end

local function quiet(self, effect)
  local fate = self:draw(6)
  if fate == 1 then return { type = "failed", key = effect.key, error = error_of("server", true) } end
  if fate == 2 then return nil end
  if effect.kind == "call" then return { type = "called", key = effect.key, ok = fate > 3, value = fate } end
  return { type = "sent", key = effect.key }
end

function World:history()
  local list = {}
  for i = #self.messages, 1, -1 do list[#list + 1] = record.copy(self.messages[i]) end
  return list
end

--- Oldest first.
function World:all()
  return { type = "message", messages = record.copy(self.messages) }
end

--- What is new is looked for: in vain, by a program that ends meanwhile, of one message, before it is there, or in the chat.
function World:fetch(effect)
  local fate = self:draw(6)
  if fate == 1 then return self:step { type = "fetched", error = error_of("server", true) } end
  if fate == 2 then return self.engine:recover(self.record, self.now) end
  if fate == 3 then return self:step { type = "fetched", read = not self.record.told.look or nil, messages = {} } end
  if fate == 4 and #effect.ids == 1 and not effect.look then
    for _, message in ipairs(self.messages) do
      if message.id == effect.ids[1] then return self:step { type = "fetched", messages = { record.copy(message) } } end
    end
  end
  self:step { type = "fetched", read = true, messages = self:all().messages }
end

function World:perform(effect)
  self:noted("effect", effect.kind, effect.key or "", effect.text or "")
  if effect.kind == "fetch" then return self:fetch(effect) end
  if effect.kind == "about" then
    return self:step { type = "about", error = self:draw(3) == 1 and "no answer" or nil, facts = { item = { title = "Диван" } } }
  elseif effect.kind == "check" then
    if self:draw(4) == 1 then return self:step { type = "failed", key = effect.key, error = error_of("timeout", true) } end
    return self:step { type = "history", key = effect.key, messages = self:history() }
  end
  assert(self.engine:latch(self.record, effect.key, self.now))
  local event, before
  if effect.kind == "send" then event, before = self:send(effect) else event = quiet(self, effect) end
  if before then self:step(before) end
  if event then self:step(event) else self.engine:recover(self.record, self.now) end
end

--- Does what is wanted, and lets the time pass until nothing is.
function World:rest(seconds)
  local limit = self.now + seconds
  for _ = 1, SETTLING do
    local effect = self.engine:pending(self.record, self.now)[1]
    if effect then
      self:perform(effect)
    else
      local at = self.engine:wake_at(self.record)
      if not at or at > limit then
        self.now = math.max(self.now, seconds < math.huge and limit or 0)
        return
      end
      self.now = math.max(self.now, at)
      self:step { type = "wake" }
    end
  end
  error("the chat does not come to rest")
end

local EVENT = {
  function(self) self:buyer(("вопрос %d"):format(#self.messages + 1)) end,
  function(self) self:buyer(("вопрос %d"):format(#self.messages + 1)) end,
  function(self) self:tell_untold() end,
  function(self) if #self.messages > 0 then self:tell(self.messages[self:draw(#self.messages)]) end end,
  function(self) self.engine:recover(self.record, self.now) end,
  function(self) self:step { type = "wake" } end,
  function(self) self.now = self.now + self:draw(5) end,
  function(self) self:rest(self:draw(20)) end,
  function(self) self:rest(self:draw(100)) end,
}

function World:live(events)
  for _ = 1, EVENTS do events[self:draw(#events)](self) end
  self:tell_untold()
  self:rest(math.huge)
  return self
end

local function echo()
  return { { "эхо", continue = true, say = "{item.title|Товар}\n{message.text}" }, { "всё", act = "ignore" } }
end

describe("whatever happens to its messages", function()
  it("the buyer reads an answer to each, once, and nobody is taken for a person", function()
    for run = 1, 2 * RUNS do
      local seed, by_id = math.ceil(run / 2), run % 2 == 0
      local w = world(seed, echo(), by_id, by_id):live(EVENT)
      local answers = {}
      for _, message in ipairs(w.messages) do
        if message.author_id == chats.SELLER then
          for line in message.content.text:gmatch "[^\n]+" do answers[line] = (answers[line] or 0) + 1 end
        end
      end
      for _, message in ipairs(w.messages) do
        if message.author_id == chats.BUYER then
          assert.equal(1, answers[message.content.text],
            ("seed %d%s: %s"):format(seed, by_id and " by id" or "", message.content.text))
        end
      end
      assert.is_nil(w.record.outbox)
      assert.is_nil(w.record.waiting)
      assert.is_nil(w.record.told)
      assert.is_nil(w.record.silent, ("seed %d"):format(seed))
    end
  end)
end)

--- Everything at once: dialogues, calls, delays, people, pauses, the clock.
local function all()
  return {
    { "бот", on = "own", hears = "бот", act = "resume" },
    { "привет", first = true, continue = true, say = "Здравствуйте!" },
    { "обмен", hears = "обмен*", flow = "обмен" },
    { "человек", hears = "человек*", act = { "escalate", "mark_read" } },
    { "стоп", hears = "стоп", act = { "pause", time = "30s" } },
    { "счёт", hears = "счёт", delay = "1s-30s", run = function(c)
      c.memory.n = (c.memory.n or 0) + 1
      c:say(("%d: {item.title|Товар}"):format(c.memory.n))
    end },
    { "торг", hears = "торг*", once = "1m", delay = "2s-6s", say = { a = "А", b = "Б" } },
    { "что", fallback = true, after = 2, say = { "Не понял.", "Что?" } },
    define { "обмен", leave = "отмена", function(c)
      local year = c:ask { "number", "Год?", within = "1m", tries = 2 }
      c:set("year", year)
      local ok, why = c:call("reserve", { year = year, list = { 1, 2 } })
      c:say(("%s %s %s"):format(tostring(ok), tostring(why), c:random(1000)))
      if not year then c:to_human "без года" end
    end },
    calls = { reserve = function() end }, human = { pause = "2m" },
  }
end

local TEXTS = { "обмен", "2019", "не помню", "человек", "стоп", "счёт", "торг", "бррр", "отмена" }
local EVERYTHING = {
  function(self) self:buyer(TEXTS[self:draw(#TEXTS)]) end,
  function(self) self:tell(self:add(chats.SELLER, self:draw(2) == 1 and "бот" or "Я сам")) end,
  function(self) self:step { type = "pause", seconds = self:draw(60) } end,
  function(self) self:step { type = "resume" } end,
  function(self) self.now = self.now - 3600 end,
  function(self) self.now = self.now + 86400 end,
}
for _, event in ipairs(EVENT) do EVERYTHING[#EVERYTHING + 1] = event end

describe("a record that is kept as JSON", function()
  it("gives the same as one that is not", function()
    for seed = 1, RUNS do
      local one, other = world(seed, all(), false):live(EVERYTHING), world(seed, all(), true):live(EVERYTHING)
      assert.same(one.trace, other.trace)
      assert.same(one.record, other.record)
    end
  end)

  -- The digest is another one when the engine does something else; it must be the same again on both.
  it("gives the same on both Luas", function()
    local digests = {}
    for seed = 1, 20 do digests[seed] = plain.digest(table.concat(world(seed, all()):live(EVERYTHING).trace, "\n")) end
    assert.equal("5be29b41", plain.digest(table.concat(digests)))
  end)
end)
