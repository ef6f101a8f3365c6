--- What the world does to a program, drawn from a seed: messages told twice, late and in another order, own messages that come
--- before the answer to the request that sent them, answers that are lost, restarts. Each event has a name, and chance is
--- drawn from seed and name, so that leaving one out does not change the others.
local chance = require "avito_messenger.bot.engine.chance"

---@class avito.bot.test.Mischief
---@field seed integer
---@field rates table<string, number>
---@field only? table<string, boolean> names of what may happen; nil: everything
---@field happened table<string, boolean>
---@field log { name: string, text: string, time: number }[] what did happen
local Mischief = {}
Mischief.__index = Mischief
Mischief.__name = "avito.bot.test.Mischief"

local KINDS = { "again", "order", "echo", "restart", "lost" }
-- The first seeds do one thing to everything, the others some of each.
local PURE = {
  { again = 1 },
  { order = 1, echo = 1 },
  { restart = 1, lost = 0.5 },
  { lost = 1, echo = 1 },
}
local LATEST = 90 -- seconds

---@param seed integer
---@param only? table<string, boolean>
---@return avito.bot.test.Mischief
function Mischief.new(seed, only)
  local self = setmetatable({ seed = seed, only = only, log = {}, happened = {}, rates = PURE[seed] }, Mischief)
  if not self.rates then
    self.rates = {}
    for _, kind in ipairs(KINDS) do self.rates[kind] = self:draw("rate of " .. kind) end
  end
  return self
end

function Mischief:draw(name)
  return chance.fraction(("%d %s"):format(self.seed, name))
end

-- Each once: what is tried again must come to an end.
function Mischief:happens(host, kind, id, text)
  local name = ("%s %s"):format(kind, id)
  if self.happened[name] or self:draw(name) >= (self.rates[kind] or 0) or (self.only and not self.only[name]) then
    return false
  end
  self.happened[name] = true
  self.log[#self.log + 1] = { name = name, text = text:gsub("\n", " / "), time = host.now }
  return true
end

local function later(self, name)
  return math.floor(self:draw("time of " .. name) * LATEST) + 1
end

local function what_of(event)
  local message = event.message
  return ("“%s”"):format(message.content.text or message.type)
end

local function effect_name(effect)
  if effect.kind == "call" then return ("the call of '%s' with the key %s"):format(effect.name, effect.key) end
  return ("the %s%s"):format(effect.kind, effect.text and (" “%s”"):format(effect.text) or "")
end

--- The message was told; it may be told again.
---@param host avito.bot.test.Host
---@param talk avito.bot.test.Talk
---@param event table
function Mischief:redeliver(host, talk, event)
  local id = event.message.id .. (event.message.type == "deleted" and " deleted" or "")
  local how = math.floor(self:draw("how " .. id) * 3)
  local seconds = later(self, id)
  local when = ({ [0] = "at once", ("%d s later"):format(seconds), "after the next reply" })[how]
  if self:happens(host, "again", id, ("%s came again %s"):format(what_of(event), when)) then
    local function tell() host:tell(talk, event) end
    if how == 0 then tell() elseif how == 1 then host:after(seconds, tell) else table.insert(talk.after_reply, tell) end
  end
  if self:happens(host, "restart", "at " .. id, ("the program restarted after %s came"):format(what_of(event))) then
    host:restart()
  end
end

--- Is this message kept back, to be told together with those after it? Only while the bot surely waits for more of an earlier
--- one, and will a second later: then they are one question, whenever they are told.
---@param host avito.bot.test.Host
---@param talk avito.bot.test.Talk
---@param event table
---@return boolean
function Mischief:holds(host, talk, event)
  if not host.waits(event) or not talk.heard or host.now - talk.heard >= host.book.burst - 1 then return false end
  return self:happens(host, "order", event.message.id, ("%s was told late, and not in order"):format(what_of(event)))
end

--- The messages that were kept back, in the order in which they are told.
---@param held table[]
---@return table[]
function Mischief:shuffle(held)
  local order = {}
  for i, event in ipairs(held) do order[i] = { self:draw("place of " .. event.message.id), event } end
  table.sort(order, function(a, b) return a[1] < b[1] end)
  local shuffled = {}
  for i, one in ipairs(order) do shuffled[i] = one[2] end
  return shuffled
end

--- The bot's own message is told before the answer to its request, late, or twice. False: as usual.
---@param host avito.bot.test.Host
---@param talk avito.bot.test.Talk
---@param effect table
---@param event table
---@return boolean done
function Mischief:echo(host, talk, effect, event)
  local id = event.message.id
  local how = math.floor(self:draw("echo of " .. id) * 3)
  local seconds = later(self, id)
  local when = ({ [0] = "before the answer", ("%d s late"):format(seconds), "twice" })[how]
  if not self:happens(host, "echo", id, ("%s was told %s"):format(effect_name(effect), when)) then return false end
  if how ~= 1 then host:tell(talk, event) end
  if how ~= 0 then host:after(seconds, function() host:tell(talk, event) end) end
  return true
end

--- Was the answer lost in a restart?
---@param host avito.bot.test.Host
---@param effect table
---@return boolean
function Mischief:loses(host, effect)
  return self:happens(host, "lost", effect.key,
    ("the program restarted before it had the answer to %s"):format(effect_name(effect)))
end

---@param host avito.bot.test.Host
---@param effect table
---@return boolean
function Mischief:restarts(host, effect)
  return self:happens(host, "restart", effect.key, ("the program restarted after %s"):format(effect_name(effect)))
end

return Mischief
