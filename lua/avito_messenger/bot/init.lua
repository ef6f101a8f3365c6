--- The bot: a rulebook that answers the chats of an account.
---
---     local bot = avito.bot { client = client, rulebook = "shop_rules.lua" }
---     bot:poll { interval = 10 }
---
--- With the blocking driver chats are answered one after another; inside loop.run beside each other.
local Engine = require "avito_messenger.bot.engine"
local Lanes = require "avito_messenger.bot.lanes"
local options = require "avito_messenger.options"
local poll = require "avito_messenger.bot.poll"
local record = require "avito_messenger.bot.engine.record"
local rulebook = require "avito_messenger.bot.rulebook"
local span = require "avito_messenger.bot.span"

---@class avito.Bot
---@field client avito_messenger.Client
---@field engine avito.bot.Engine
---@field user_id integer|string? the account, once it is known
---@field since number messages from before are the backlog
local Bot = {}
Bot.__index = Bot
Bot.__name = "avito.Bot"

local OPTIONS = { client = "table", rulebook = "string|table", calls = "table", user_id = "number|string",
  on_error = "function", on_escalate = "function", on_event = "function" }

---@class avito.BotOptions
---@field client avito_messenger.Client
---@field rulebook string|avito.RulebookSource the path of a rulebook, or avito.rulebook {…}
---@field calls? table<string, fun(args: any, c: table): any> functions for c:call, beside the rulebook's own
---@field user_id? integer the account; asked of the client when absent
---@field on_error? fun(problem: { message: string, rule: string?, chat_id: string?, traceback: string? }) default: stderr
---@field on_escalate? fun(call: { chat_id: string, note: string?, rule: string?, text: string?, why: string }) a person is
--- wanted. An error in it is reported, and it is called again later
---@field on_event? fun(note: table) sees everything that happens: fired, effect, human, silent, flow, …

local function load(source, calls)
  local book, err
  if type(source) == "string" then book, err = rulebook.load(source) else book, err = rulebook.compile(source, "rulebook") end
  if not book then return nil, err end
  local all = {}
  for name, call in pairs(book.calls or {}) do all[name] = call end
  for name, call in pairs(calls or {}) do all[name] = call end
  book.calls = all
  return book
end

--- Makes a bot. Raises what is wrong with the options or the rulebook, every mistake of it on a line.
---@param given avito.BotOptions
---@return avito.Bot
function Bot.new(given)
  options.check("avito.bot", given, OPTIONS, 2)
  if not given.client then error("avito.bot: client is missing", 2) end
  if type(given.client.get_messages) ~= "function" then error("avito.bot: client must be an avito.client", 2) end
  if not given.rulebook then error("avito.bot: rulebook is missing: a path, or avito.rulebook {…}", 2) end
  for name, call in pairs(given.calls or {}) do
    if type(call) ~= "function" then
      error(("avito.bot: calls.%s must be a function, got %s"):format(tostring(name), type(call)), 2)
    end
  end
  local book, err = load(given.rulebook, given.calls)
  if not book then error(tostring(err), 2) end
  local self = setmetatable({ client = given.client, driver = given.client.driver, source = given.rulebook,
    calls = given.calls, user_id = given.user_id, on_error = given.on_error, on_escalate = given.on_escalate,
    on_event = given.on_event, images = {}, stopped = false }, Bot)
  self.engine = Engine.new { book = book, user_id = given.user_id or "" }
  self.lanes = Lanes.new(self)
  return self
end

-- What happened. A hook that raises must not stop a chat.
function Bot:tell(note)
  local hook = note.kind == "error" and (self.on_error or function(problem)
    io.stderr:write(("avito.bot: %s%s\n"):format(problem.rule and ("rule '%s': "):format(problem.rule) or "", problem.message))
  end)
  for _, fn in ipairs { hook or self.on_event, hook and self.on_event or nil } do
    local ok, err = pcall(fn, note)
    if not ok then io.stderr:write("avito.bot: a hook raised: " .. tostring(err) .. "\n") end
  end
end

--- Learns which account it is. nil, err when it cannot be asked.
local function identify(self)
  if not self.user_id then
    local id = self.client.session:user_id()
    if not id then
      local account, err = self.client:get_self()
      if not account then return nil, err end
      id = account.id
    end
    self.user_id = id
  end
  self.engine.user_id = self.user_id
  return true
end

local POLL = { interval = "number|string", backlog = "number|string|boolean", chat_types = "table", seconds = "number",
  rounds = "number" }

---@class avito.PollOptions
---@field interval? number|string between two looks, 1 s or more; default 10
---@field backlog? boolean|number|string messages from before the start that are answered too: none (false, the default), all
--- (true), or those of the last so long ("1h")
---@field chat_types? string[] default { "u2i", "u2u" }
---@field rounds? integer ends after so many looks, when everything is done that is to be done at once
---@field seconds? number ends after so long

local function since(backlog, now)
  if backlog == true then return 0 end
  if not backlog then return now end
  local seconds, problem = span.seconds(backlog)
  if not seconds then error("bot:poll: backlog: " .. problem, 3) end
  return now - seconds
end

local function read_poll_options(given)
  options.check("bot:poll", given, POLL, 3)
  local interval, problem = span.seconds(given.interval or 10)
  if not interval then error("bot:poll: interval: " .. problem, 3) end
  if interval < 1 then error("bot:poll: interval must be at least 1 s", 3) end
  return interval
end

--- One round, and how long to wait for the next.
local function round(self, state, given)
  local now = self.driver:time()
  local expected = state.next_round
  if expected and now - expected > math.max(3 * state.interval, 30) and state.failures == 0 then
    self:tell { kind = "stall", seconds = now - expected,
      message = ("nobody looked at the chats for %.0f s longer than meant"):format(now - expected) }
  end
  local ok, err = true, nil
  if not self.user_id or self.engine.user_id ~= self.user_id then ok, err = identify(self) end
  local count
  if ok then count, err = poll.round(self, given.chat_types or { "u2i", "u2u" }) end
  state.failures = count and 0 or state.failures + 1
  if not count then
    self:tell { kind = "error", message = "poll: " .. tostring(err), error = err }
  else
    self:tell { kind = "poll", chats = count }
  end
  state.rounds = state.rounds + 1
  state.next_round = self.driver:time() + poll.pause(state.interval, state.failures, err)
end

--- Answers the unread chats until bot:stop(). Messages are marked as read when a rule or dialogue has answered them; what
--- nobody has an answer for stays unread, for the seller to see.
---@param given? avito.PollOptions
function Bot:poll(given)
  given = given or {}
  local interval = read_poll_options(given)
  local start = self.driver:time()
  if not self.since then self.since = math.floor(since(given.backlog, start)) end
  self.stopped = false
  local state = { interval = interval, rounds = 0, failures = 0 }
  local ends = given.seconds and start + given.seconds or math.huge
  while not self.stopped do
    local now = self.driver:time()
    if now >= ends then break end
    if not state.next_round or now >= state.next_round then round(self, state, given) end
    self.lanes:work()
    if given.rounds and state.rounds >= given.rounds and not self.lanes:busy() then break end
    local wake = self.lanes:next_wake()
    local next_round = given.rounds and state.rounds >= given.rounds and math.huge or state.next_round
    self.lanes:wait(math.min(next_round, wake or math.huge, ends, self.driver:time() + interval))
  end
end

--- Ends poll, after what is being done.
function Bot:stop()
  self.stopped = true
  if self.driver.unpark then self.driver:unpark(self.lanes) end
end

--- Reads the rulebook again. A good one answers from the next message on; with a bad one the old stays.
---@return boolean? ok
---@return avito_messenger.Error? err what is wrong with the new one
function Bot:reload()
  local book, err = load(self.source, self.calls)
  if not book then
    self:tell { kind = "error", message = "the rulebook was not reloaded: " .. tostring(err), error = err }
    return nil, err
  end
  self.engine:reload(book)
  self:tell { kind = "reloaded" }
  return true
end

--- Why each rule would, or would not, answer a message now. Nothing is sent.
---@param message string|table a text, or a message of the API
---@param chat_id? string of which chat; without it, of a chat that nobody wrote in yet
---@return avito.bot.Explanation[]
function Bot:explain(message, chat_id)
  if type(message) == "string" then message = { id = "explained", type = "text", content = { text = message } } end
  if type(message) ~= "table" then error("bot:explain: message must be a text or a message", 2) end
  return self.engine:explain(record.copy(self.lanes:chat(chat_id or "u2i-explained")), message, self.driver:time())
end

--- The bot says nothing in a chat for a while.
---@param chat_id string
---@param how_long? number|string seconds or a span; default: human.pause of the rulebook
function Bot:pause(chat_id, how_long)
  local seconds, problem
  if how_long ~= nil then
    seconds, problem = span.seconds(how_long)
    if not seconds then error("bot:pause: " .. problem, 2) end
  end
  self.lanes:post(chat_id, { type = "pause", seconds = seconds })
  self.lanes:work()
end

--- The bot speaks again in a chat.
---@param chat_id string
function Bot:resume(chat_id)
  self.lanes:post(chat_id, { type = "resume" })
  self.lanes:work()
end

function Bot:__tostring()
  return ("avito.Bot (%d rules)"):format(#self.engine.book.rules)
end

return Bot
