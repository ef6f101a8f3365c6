--- A buyer of a scene: says things, and is told what the bot answers. Every expectation is about this buyer's chat and, when
--- it is missed, raises the conversation with what was expected.
local difference = require "avito_messenger.bot.test.difference"
local report = require "avito_messenger.bot.test.report"
local span = require "avito_messenger.bot.span"
local transcript = require "avito_messenger.bot.transcript"
local wanted = require "avito_messenger.bot.test.wanted"
local words = require "avito_messenger.words"

---@class avito.bot.Buyer
---@field scene avito.bot.Scene
---@field talk avito.bot.test.Talk
---@field heard integer replies that were expected already
---@field escalations integer
local Buyer = {}
Buyer.__index = Buyer
Buyer.__name = "avito.bot.Buyer"

local SIMILAR = 0.4 -- share of common words from which on two texts are compared

---@param scene avito.bot.Scene
---@param talk avito.bot.test.Talk
---@return avito.bot.Buyer
function Buyer.new(scene, talk)
  return setmetatable({ scene = scene, talk = talk, heard = 0, escalations = 0 }, Buyer)
end

-- What happens in the chat.

local function text_argument(where, text, level)
  if type(text) ~= "string" or text == "" then
    error(("%s: text expected, got %s"):format(where, text == "" and "an empty one" or type(text)), level + 1)
  end
end

local function said(self, entry, make, level)
  local host, talk = self.scene.host, self.talk
  local ok, problem = pcall(host.said, host, talk, function(now)
    local message = make(talk.market, now)
    entry.text = entry.text or message.content.text
    host:write(talk, entry)
    return message
  end)
  if not ok then error(problem, level + 1) end
end

--- The buyer writes a text. Each takes a second of the clock, so that `created` tells their order.
---@param text string
function Buyer:says(text)
  text_argument("buyer:says", text, 2)
  said(self, { who = "buyer", name = self.talk.market.buyer.name, text = text }, function(market, now)
    return market:add("in", "text", text, now)
  end, 2)
end

--- The buyer sends something else than text.
---@param kind avito_messenger.MessageType
---@param content? table|string the API's `content`; a text stands for the address of a link, the title of a place, the name
--- of a file…
function Buyer:sends(kind, content)
  self.talk.market:check_type(kind, 2)
  local entry = { who = "buyer", name = self.talk.market.buyer.name, type = kind,
    text = type(content) == "string" and content or nil }
  said(self, entry, function(market, now) return market:add("in", kind, content, now) end, 2)
end

local SPEAKERS = { "market", "support" }

--- A message of the marketplace itself comes into the chat.
---@param from string which of Avito's own bots, its flow_id; on Yandex Market: "market" or "support"
---@param text? string
function Buyer:system(from, text)
  text_argument("buyer:system", from, 2)
  local who, flow_id = "avito", from
  if self.talk.market.abilities.name ~= "avito" then
    local mistake = words.mistake(from, SPEAKERS, "speaker")
    if mistake then error("buyer:system: " .. mistake, 2) end
    who, flow_id = from, nil
  end
  said(self, { who = who, type = "system", text = text }, function(market, now)
    return market:add("system", "system", { flow_id = flow_id, text = text or "Системное сообщение" }, now)
  end, 2)
end

--- The buyer takes back a message of theirs.
---@param which? integer the last one when absent; 2: the one before; …
function Buyer:deletes(which)
  local market, left, place = self.talk.market, which or 1, nil
  market:check_type("deleted", 2)
  for i = #market.messages, 1, -1 do
    local one = market.messages[i]
    if one.author_id == market.buyer.id and one.type ~= "deleted" then left = left - 1 end
    if left == 0 then
      place = i
      break
    end
  end
  if not place then error("buyer:deletes: there is no such message of the buyer", 2) end
  local entry = { who = "buyer", name = market.buyer.name, type = "deleted", text = market.messages[place].content.text }
  said(self, entry, function() return market:delete(place) end, 2)
end

--- A person types in this chat, in the name of the seller.
---@param text string
function Buyer:seller_says(text)
  text_argument("buyer:seller_says", text, 2)
  said(self, { who = "seller", text = text }, function(market, now) return market:add("out", "text", text, now) end, 2)
end

local function command(self, event, level)
  local host = self.scene.host
  local ok, problem = pcall(host.command, host, self.talk, event)
  if not ok then error(problem, level + 1) end
end

--- The program silences the bot in this chat.
---@param time? number|string a span; as long as the rulebook's human.pause when absent
function Buyer:pause(time)
  local seconds, problem
  if time ~= nil then
    seconds, problem = span.seconds(time)
    if not seconds then error("buyer:pause: " .. problem, 2) end
  end
  command(self, { type = "pause", seconds = seconds }, 2)
end

--- The program lets the bot speak again in this chat.
function Buyer:resume()
  command(self, { type = "resume" }, 2)
end

local function dispute(self, where, open, level)
  if not self.talk.market.abilities.disputes then
    error(("%s: %s has no disputes"):format(where, self.talk.market.abilities.title), level + 1)
  end
  self.scene.host:write(self.talk, { who = "note", text = open and "a dispute begins" or "the dispute is over", counts = true })
  command(self, { type = "dispute", open = open, at = self.scene.host.now }, level + 1)
end

--- The buyer has the marketplace judge between them and the seller.
function Buyer:begins_dispute()
  dispute(self, "buyer:begins_dispute", true, 2)
end

--- The marketplace has judged.
function Buyer:ends_dispute()
  dispute(self, "buyer:ends_dispute", false, 2)
end

-- What is expected of the bot.

local function fail(self, lines, level)
  error(report.failure(self, lines), level + 1)
end

local function limit_of(self, where, within, level)
  if within == nil then return self.scene.within end
  local seconds, problem = span.seconds(within)
  if not seconds then error(("%s: within: %s"):format(where, problem), level + 1) end
  return seconds
end

--- Waits for something that should happen.
local function await(self, seconds, happened, level)
  local host = self.scene.host
  local stopped = self.scene:run(host.now + seconds, happened, level + 1)
  return stopped -- no tail call: the levels of errors count it
end

local function shown(reply)
  local by = reply.rule and (" by '%s'"):format(reply.rule) or ""
  if reply.type == "image" then return ("an image, %s%s"):format(tostring(reply.image), by) end
  return ("“%s”%s"):format(reply.text, by)
end

--- What of all that the bot said was probably meant, where that was not the next reply.
local function meant(self, want, next_one)
  local texts, places = {}, {}
  local function consider(place)
    local reply = self.talk.replies[place]
    if reply and reply.type == "text" then texts[#texts + 1], places[#places + 1] = reply.text, place end
  end
  consider(next_one) -- first, for of several that are as like it the first is taken
  for place = 1, #self.talk.replies do consider(place) end
  local best, share = difference.nearest(want.exact, texts)
  if not best or share < SIMILAR then return nil end
  local place = places[best]
  local reply = self.talk.replies[place]
  if reply.text == want.exact then
    if place > next_one then return "  it said this later: what came before was not expected" end
    return place < next_one and "  it said this before, and that was expected already" or nil
  end
  local differ = difference.inline(want.exact, reply.text)
  if place == next_one then return ("  they differ: %s"):format(differ) end
  return ("  the most like it was %s: %s"):format(shown(reply), differ)
end

local function missed(self, want, seconds)
  local next_one = self.heard + 1
  local came = self.talk.replies[next_one]
  return { ("expected the bot to say %s"):format(want.description),
    came and ("  it said %s"):format(shown(came)) or ("  it said nothing more within %s"):format(span.text(seconds)),
    want.exact and meant(self, want, next_one) }
end

--- The bot's next reply in this chat is this text. Waits as long as bursts and delays take, a minute unless told otherwise.
---
---     buyer:expect "Небольшой торг."                               exactly
---     buyer:expect { contains = "торг" }                           or { matches = "^Неб" }, { one_of = { "…", "…" } }
---     buyer:expect { "Небольшой торг.", rule = "торг", within = "10m" }
---@param expectation string|avito.bot.test.Expectation
function Buyer:expect(expectation)
  local want = wanted.read("buyer:expect", expectation, 2)
  local seconds = limit_of(self, "buyer:expect", want.within, 2)
  local place = self.heard + 1
  await(self, seconds, function() return self.talk.replies[place] end, 2)
  local reply = self.talk.replies[place]
  local good = reply and reply.type == "text" and want.accepts(reply.text) and (not want.rule or want.rule == reply.rule)
  if not good then fail(self, missed(self, want, seconds), 2) end
  self.heard = place
end

--- The bot's next reply in this chat is an image.
---@param image? string the path or id that the rulebook names
function Buyer:expect_image(image)
  local place = self.heard + 1
  await(self, self.scene.within, function() return self.talk.replies[place] end, 2)
  local reply = self.talk.replies[place]
  if not reply or reply.type ~= "image" or (image and reply.image ~= image) then
    fail(self, { ("expected the bot to send an image%s"):format(image and ", " .. image or ""),
      reply and ("  it said %s"):format(shown(reply))
        or ("  it sent nothing within %s"):format(span.text(self.scene.within)) }, 2)
  end
  self.heard = place
end

--- The bot says nothing in this chat.
---@param within? number|string for so long
function Buyer:expect_nothing(within)
  local seconds = limit_of(self, "buyer:expect_nothing", within, 2)
  local place = self.heard + 1
  self.scene:run(self.scene.host.now + seconds, function() return self.talk.replies[place] end, 2)
  local reply = self.talk.replies[place]
  if reply then
    fail(self, { ("expected the bot to say nothing within %s"):format(span.text(seconds)),
      ("  it said %s"):format(shown(reply)) }, 2)
  end
end

--- A person is called to this chat.
---@param note? string|avito.bot.test.Expectation what they are told
function Buyer:expect_escalated(note)
  local want = note ~= nil and wanted.read("buyer:expect_escalated", note, 2) or nil
  local seconds = limit_of(self, "buyer:expect_escalated", want and want.within, 2)
  local place = self.escalations + 1
  await(self, seconds, function() return self.talk.escalations[place] end, 2)
  local came = self.talk.escalations[place]
  local good = came and (not want or (want.accepts(came.note or "") and (not want.rule or want.rule == came.rule)))
  if not good then
    local told = came and came.note and ("told “%s”"):format(came.note) or "told nothing"
    local by = came and came.rule and (" by '%s'"):format(came.rule) or ""
    fail(self, { ("expected a person to be called%s"):format(want and ": " .. want.description or ""),
      came and ("  one was called%s, and %s"):format(by, told)
        or ("  nobody was called within %s"):format(span.text(seconds)) }, 2)
  end
  self.escalations = place
end

--- The buyer is put on the blacklist.
function Buyer:expect_blacklisted()
  local market = self.talk.market
  if not await(self, self.scene.within, function() return market.blacklisted end, 2) then
    fail(self, { "expected the buyer to be put on the blacklist", "  they are not on it" }, 2)
  end
end

local function fired_since(self)
  local names = {}
  for _, one in ipairs(self.talk.fired) do
    if one.word == self.talk.word then names[#names + 1] = one.rule end
  end
  return names
end

--- This rule fires on what was said last; nil: none does.
---@param name string?
function Buyer:expect_rule(name)
  local host = self.scene.host
  local function found()
    for _, one in ipairs(fired_since(self)) do
      if one == name or name == nil then return true end
    end
  end
  local stopped = self.scene:run(host.now + self.scene.within, found, 2)
  if stopped == (name ~= nil) then return end
  local names = fired_since(self)
  fail(self, { name and ("expected the rule '%s' to fire"):format(name) or "expected no rule to fire",
    #names > 0 and ("  fired: '%s'"):format(table.concat(names, "', '")) or "  none fired" }, 2)
end

--- The chat is in this dialogue; nil: in none.
---@param name string?
function Buyer:expect_flow(name)
  local function current()
    local flow = self.talk.record.flow
    return flow and flow.name
  end
  if await(self, self.scene.within, function() return current() == name end, 2) then return end
  fail(self, { name and ("expected the chat to be in the dialogue '%s'"):format(name) or "expected the chat to be in no dialogue",
    current() and ("  it is in '%s'"):format(current()) or "  it is in none" }, 2)
end

-- What can be looked at.

--- Why each rule does or does not fire on the buyer's last message.
---@return string
function Buyer:explain()
  self.scene:run(self.scene.host.now, nil, 2)
  return report.explanation(self.scene.host, self.talk)
end

--- The conversation of this chat.
---@return string
function Buyer:transcript()
  return report.conversation(self.talk, self.scene.zone)
end

Buyer.__tostring = Buyer.transcript

--- What the bot said in this chat so far.
---@return string[]
function Buyer:replies()
  local texts = {}
  for i, reply in ipairs(self.talk.replies) do
    texts[i] = transcript.body { type = reply.type, text = reply.text or reply.image }
  end
  return texts
end

return Buyer
