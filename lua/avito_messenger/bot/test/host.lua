--- The engine's host of a scene: a clock that only moves when it is told to, and a marketplace in memory. What a program
--- does over the network, and after a restart, is done here at once.
local json = require "avito_messenger.json"
local record = require "avito_messenger.bot.engine.record"
local faults = require "avito_messenger.bot.test.faults"
local reasons = require "avito_messenger.bot.reasons"
local words = require "avito_messenger.words"

---@class avito.bot.test.Talk one chat
---@field market avito.bot.test.Market
---@field record table the engine's
---@field entries avito.bot.TranscriptEntry[]
---@field replies table[] what the bot sent: { time, type, text, image, rule }
---@field escalations table[] { time, note, rule, why }
---@field errors integer how many were reported
---@field fired { rule: string, word: integer }[]
---@field word integer how many times somebody else than the bot spoke
---@field last? { message: table, record: table, now: number } the buyer's last message, and the record before it
---@field heard? number when the bot was last told of a message of the buyer
---@field held table[] messages that the bot has not been told yet
---@field after_reply function[]
---@field done table<string, boolean> keys of what must be counted once

---@class avito.bot.test.Host
---@field now number
---@field book avito_messenger.bot.Book
---@field engine avito.bot.Engine
---@field talks avito.bot.test.Talk[]
---@field faults avito.bot.test.Faults
---@field mischief? avito.bot.test.Mischief
local Host = {}
Host.__index = Host
Host.__name = "avito.bot.test.Host"

local AT_ONCE = 1000 -- steps at one moment
local IN_A_ROW = 20000 -- steps while nobody but the bot says a word

---@param given { now: number, load: (fun(): table), engine: (fun(book: table): table), calls: table, facts: boolean,
--- mischief: avito.bot.test.Mischief? }
---@return avito.bot.test.Host
function Host.new(given)
  local self = setmetatable({ now = given.now, load = given.load, make = given.engine, calls = given.calls,
    knows = given.facts, mischief = given.mischief, talks = {}, later = {}, faults = faults.new(),
    restarts = 0, reload_at = 1 }, Host)
  self.book = self.load()
  self.engine = self.make(self.book)
  self:rested()
  return self
end

---@param market avito.bot.test.Market
---@return avito.bot.test.Talk
function Host:open(market)
  local talk = { market = market, record = { id = market.chat_id }, entries = {}, replies = {}, escalations = {}, errors = 0,
    fired = {}, word = 0, held = {}, after_reply = {}, done = {} }
  self.talks[#self.talks + 1] = talk
  return talk
end

---@param talk avito.bot.test.Talk
---@param entry table an avito.bot.TranscriptEntry; the time is added. counts: a note that torture compares, too
function Host:write(talk, entry)
  entry.time = self.now
  talk.entries[#talk.entries + 1] = entry
end

-- Rest: a rulebook that answers itself for ever must be an error, not a hang.

--- Somebody else than the bot spoke.
function Host:rested()
  self.in_a_row = 0
  self:moment()
end

--- A moment begins.
function Host:moment()
  self.at_once, self.counts = 0, {}
end

local function most(counts)
  local name
  for what, count in pairs(counts) do
    if not name or count > counts[name] or count == counts[name] and what < name then name = what end
  end
  return name
end

function Host:count(what)
  self.at_once, self.in_a_row = self.at_once + 1, self.in_a_row + 1
  self.counts[what] = (self.counts[what] or 0) + 1
  if self.at_once > AT_ONCE or self.in_a_row > IN_A_ROW then
    local again = most(self.counts)
    local at_once = self.at_once > AT_ONCE and " at one moment" or ""
    self:rested()
    error(("the scene does not come to rest: %s again and again%s"):format(again, at_once), 0)
  end
end

-- Steps of the engine.

local show = {}

function show.fired(talk, note)
  talk.fired[#talk.fired + 1] = { rule = note.rule, word = talk.word }
end

function show.error(talk, note, host)
  local where = note.rule and (" in rule '%s'"):format(note.rule) or ""
  talk.errors = talk.errors + 1
  host:write(talk, { who = "note", text = ("error%s: %s"):format(where, tostring(note.message)) })
end

function show.warning(talk, note, host)
  local where = note.rule and (" of rule '%s'"):format(note.rule) or ""
  host:write(talk, { who = "note", text = ("warning%s: %s"):format(where, note.message) })
end

---@param talk avito.bot.test.Talk
---@param event table
function Host:step(talk, event)
  for _, note in ipairs(self.engine:step(talk.record, event, self.now) or {}) do
    if show[note.kind] then show[note.kind](talk, note, self) end
  end
end

--- The program ends and begins again: what was in memory only is gone. The 1st, 2nd, 4th, 8th… time the rulebook is loaded anew,
--- too, for its own code may keep something; to do it each time would take longer than all the rest.
function Host:restart()
  self.restarts = self.restarts + 1
  if self.restarts == self.reload_at then
    self.book, self.reload_at = self.load(), 2 * self.reload_at
  end
  self.book.runner:forget()
  self.engine = self.make(self.book)
  for _, talk in ipairs(self.talks) do
    local text, problem = json.encode(talk.record)
    if not text then error("the chat's record cannot be kept as JSON: " .. problem, 0) end
    talk.record = assert(json.decode(text))
    self.engine:recover(talk.record, self.now)
  end
end

-- Messages on their way to the bot.

--- Tells the bot of a message as it is in the chat now, once.
---@param talk avito.bot.test.Talk
---@param event table
function Host:tell(talk, event)
  self:step(talk, record.copy(event))
end

---@param talk avito.bot.test.Talk
---@param message table
---@return table
local function event_of(talk, message)
  local market = talk.market
  return { type = "message", message = message, chat_type = market.chat_type,
    item_id = market.item and market.item.id, earlier = market.earlier }
end

--- Is it a message of the buyer, for which the bot waits until the burst is over?
---@param event table
---@return boolean
function Host.waits(event)
  return event.message.direction == "in" and event.message.type ~= "system"
end

function Host:deliver(talk, event)
  if Host.waits(event) then talk.heard = self.now end
  self:tell(talk, event)
  if self.mischief then self.mischief:redeliver(self, talk, event) end
end

--- Brings the messages that are held back.
---@param keeping? avito.bot.test.Talk not this chat's
function Host:flush(keeping)
  for _, talk in ipairs(self.talks) do
    if talk ~= keeping and #talk.held > 0 then
      local held = talk.held
      talk.held = {}
      for _, event in ipairs(self.mischief:shuffle(held)) do self:deliver(talk, event) end
    end
  end
end

--- Somebody wrote: one second later the message is in the chat and on its way to the bot.
---@param talk avito.bot.test.Talk
---@param make fun(now: number): table adds the message to the market and returns it
function Host:said(talk, make)
  self:run(self.now + 1, nil, talk)
  self:rested()
  talk.word = talk.word + 1
  local message = make(self.now)
  if message.direction == "in" and message.type ~= "deleted" then
    talk.last = { message = record.copy(message), record = record.copy(talk.record), now = self.now }
  end
  local event = event_of(talk, message)
  if self.mischief and self.mischief:holds(self, talk, event) then
    talk.held[#talk.held + 1] = event
    return
  end
  self:flush()
  self:deliver(talk, event)
  self:settle()
end

--- The program tells the bot something about a chat.
---@param talk avito.bot.test.Talk
---@param event table
function Host:command(talk, event)
  self:run(self.now)
  self:step(talk, event)
  self:settle()
end

--- Calls the function after so many seconds.
---@param seconds number
---@param fn fun()
function Host:after(seconds, fn)
  local one = { at = self.now + seconds, run = fn }
  local place = #self.later + 1
  while place > 1 and self.later[place - 1].at > one.at do place = place - 1 end
  table.insert(self.later, place, one)
end

-- Effects.

local perform = {}

local function spoken(host, talk, effect, kind, content)
  local fault = host.faults:take "send"
  if fault and not fault.applied then return { type = "failed", key = effect.key, error = fault.error } end
  local message = talk.market:add("out", kind, content, host.now)
  host:write(talk, { who = "bot", rule = effect.rule, type = kind, text = effect.text or effect.image })
  talk.replies[#talk.replies + 1] = { time = host.now, type = kind, text = effect.text, image = effect.image,
    rule = effect.rule }
  local answer = fault and { type = "failed", key = effect.key, error = fault.error }
    or { type = "sent", key = effect.key, id = message.id }
  return answer, event_of(talk, message)
end

function perform.send(host, talk, effect) return spoken(host, talk, effect, "text", effect.text) end

function perform.image(host, talk, effect) return spoken(host, talk, effect, "image") end

local function quiet(kind, act)
  return function(host, talk, effect)
    local fault = host.faults:take(kind)
    if (not fault or fault.applied) and not talk.done[effect.key] then
      talk.done[effect.key] = true
      act(host, talk, effect)
    end
    if fault then return { type = "failed", key = effect.key, error = fault.error } end
    return { type = "sent", key = effect.key }
  end
end

perform.read = quiet("read", function() end)

perform.blacklist = quiet("blacklist", function(host, talk, effect)
  talk.market.blacklisted = true
  host:write(talk, { who = "note", text = "put on the blacklist: " .. reasons[effect.reason],
    rule = effect.rule, counts = true })
end)

perform.escalate = quiet("escalate", function(host, talk, effect)
  talk.escalations[#talk.escalations + 1] = { time = host.now, note = effect.note, rule = effect.rule, why = effect.why }
  local by = effect.rule and (" [%s]"):format(effect.rule) or ""
  host:write(talk, { who = "note", text = ("a person is called%s%s"):format(by, effect.note and ": " .. effect.note or ""),
    rule = effect.rule, counts = true })
end)

-- A function that fails is an answer like another; one that is not there is a mistake of the scenario.
function perform.call(host, talk, effect)
  local fn = host.calls[effect.name] or host.book.calls[effect.name]
  if not fn then
    local known = words.names(host.book.calls)
    for _, name in ipairs(words.names(host.calls)) do known[#known + 1] = name end
    error(("c:call: %s; a function of the program is given to the scene: calls = { [\"%s\"] = function(args, c) … end }")
      :format(words.unknown(effect.name, known, "call"), effect.name), 0)
  end
  local about = record.copy(effect.about or {})
  local ok, value = pcall(fn, record.copy(effect.args), { key = effect.key, chat = about.chat or { id = talk.market.chat_id },
    buyer = about.buyer or {}, item = about.item or {}, order = about.order or {} })
  host:write(talk, { who = "note", text = ("call %s%s"):format(effect.name, ok and "" or ": " .. tostring(value)) })
  return { type = "called", key = effect.key, ok = ok, value = ok and record.copy(value) or not ok and tostring(value) or nil }
end

--- Carries out one effect and tells the engine what came of it.
---@param talk avito.bot.test.Talk
---@param effect table
function Host:latched(talk, effect)
  local answer, echo = perform[effect.kind](self, talk, effect)
  local mischief = self.mischief
  local echoed = echo and mischief and mischief:echo(self, talk, effect, echo)
  if mischief and answer.type ~= "failed" and mischief:loses(self, effect) then
    self:restart()
  else
    self:step(talk, answer)
    if mischief and mischief:restarts(self, effect) then self:restart() end
  end
  if echo and not echoed then self:tell(talk, echo) end
  if echo then
    local waiting = talk.after_reply
    talk.after_reply = {}
    for _, fn in ipairs(waiting) do fn() end
  end
end

local read = {}

function read.about(host, talk)
  local fault = host.faults:take "about"
  if not host.knows then fault = faults.always end
  host:step(talk, fault and { type = "about", error = fault.error } or { type = "about", facts = talk.market:facts() })
end

function read.check(host, talk, effect)
  local fault = host.faults:take "check"
  host:step(talk, fault and { type = "failed", key = effect.key, error = fault.error }
    or { type = "history", key = effect.key, messages = talk.market:history() })
end

function read.fetch(host, talk)
  local fault = host.faults:take "check"
  host:step(talk, fault and { type = "fetched", error = fault.error }
    or { type = "fetched", read = true, messages = record.copy(talk.market.messages) })
end

local function name_of(effect)
  local by = effect.rule and (" of rule '%s'"):format(effect.rule) or ""
  return ("the effect '%s'%s is wanted%s"):format(effect.kind, by, effect.text and (": “%s”"):format(effect.text) or "")
end

function Host:perform(talk, effect)
  self:count(name_of(effect))
  if read[effect.kind] then
    read[effect.kind](self, talk, effect)
  elseif not perform[effect.kind] then
    error(("the scenario kit does not know the effect '%s'"):format(tostring(effect.kind)), 0)
  elseif self.engine:latch(talk.record, effect.key, self.now) then
    self:latched(talk, effect)
  else
    self:step(talk, { type = "wake" }) -- it was withdrawn
  end
end

-- The clock.

--- Carries out everything that is wanted now.
function Host:settle()
  local acted
  repeat
    acted = false
    for _, talk in ipairs(self.talks) do
      local effect = self.engine:pending(talk.record, self.now)[1]
      if effect then
        acted = true
        self:perform(talk, effect)
      end
    end
  until not acted
end

local function next_time(host)
  local at = host.later[1] and host.later[1].at
  for _, talk in ipairs(host.talks) do
    local wake = host.engine:wake_at(talk.record)
    if wake and (not at or wake < at) then at = wake end
  end
  return at
end

local function fire(host)
  while host.later[1] and host.later[1].at <= host.now do table.remove(host.later, 1).run() end
  for _, talk in ipairs(host.talks) do
    local wake = host.engine:wake_at(talk.record)
    if wake and wake <= host.now then
      host:count("a wake of the engine is wanted")
      host:step(talk, { type = "wake" })
    end
  end
end

--- Lets the time pass until `limit`, or until `stop` says so: true.
---@param limit number
---@param stop? fun(): any
---@param keeping? avito.bot.test.Talk its held messages are kept back longer
---@return boolean stopped
function Host:run(limit, stop, keeping)
  self:flush(keeping)
  self:settle()
  while not (stop and stop()) do
    local at = next_time(self)
    if not at or at > limit then
      if limit > self.now then
        self.now = limit
        self:moment()
      end
      return false
    end
    if at > self.now then
      self.now = at
      self:moment()
    end
    fire(self)
    self:settle()
  end
  return true
end

return Host
