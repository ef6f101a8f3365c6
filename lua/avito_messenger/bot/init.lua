--- The bot: a rulebook that answers the chats of an account.
---
---     local bot = avito.bot { client = client, rulebook = "shop_rules.lua" }
---     bot:poll { interval = 10 }
---
--- With the blocking driver chats are answered one after another; inside loop.run beside each other.
local about = require "avito_messenger.bot.about"
local ending = require "avito_messenger.bot.ending"
local Engine = require "avito_messenger.bot.engine"
local enums = require "avito_messenger.enums"
local Lanes = require "avito_messenger.bot.lanes"
local options = require "avito_messenger.options"
local poll = require "avito_messenger.bot.poll"
local record = require "avito_messenger.bot.engine.record"
local rulebook = require "avito_messenger.bot.rulebook"
local span = require "avito_messenger.bot.span"
local words = require "avito_messenger.words"

---@class avito.Bot
---@field client avito_messenger.Client
---@field driver avito.Driver the client's
---@field engine avito.bot.Engine
---@field lanes avito.bot.Lanes
---@field images table<string, string> ids of uploaded images, by their paths
---@field unreadable table<string, { failures: integer, again: number }> chats that could not be read, and when they are again
---@field user_id integer|string? the account, once it is known
---@field since number? messages from before are not answered
---@field started number? when it began to poll
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
---@field on_error? fun(problem: { message: string, rule: string?, flow: string?, chat_id: string?, traceback: string? })
--- default: stderr
---@field on_escalate? fun(call: { chat_id: string, note: string?, rule: string?, text: string?, why: string }) a person is
--- wanted. An error in it is reported, and it is called again later
---@field on_event? fun(note: table) sees everything that happens: { kind = "fired", chat_id = …, rule = … }; the kinds are
--- in docs/rulebook.md

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
  if not book then error("avito.bot: the rulebook cannot be used:\n" .. err.message, 2) end
  local self = setmetatable({ client = given.client, driver = given.client.driver, source = given.rulebook,
    calls = given.calls, user_id = given.user_id, on_error = given.on_error, on_escalate = given.on_escalate,
    on_event = given.on_event, images = {}, unreadable = {}, stopped = false }, Bot)
  self.engine = Engine.new { book = book, user_id = given.user_id or "" }
  self.lanes = Lanes.new(self)
  return self
end

local function print_error(problem)
  io.stderr:write(("avito.bot: %s%s\n"):format(problem.rule and ("rule '%s': "):format(problem.rule) or "", problem.message))
end

-- A hook that raises must not stop a chat.
local function call_hook(hook, note)
  local ok, err = pcall(hook, note)
  if not ok then
    ending.pass(err)
    io.stderr:write("avito.bot: a hook raised: " .. tostring(err) .. "\n")
  end
end

--- Tells the hooks what happened.
---@param note table
function Bot:tell(note)
  if note.kind == "error" then call_hook(self.on_error or print_error, note) end
  if self.on_event then call_hook(self.on_event, note) end
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
---@field backlog? boolean|number|string unread messages from before the start that are answered too: none (false, the
--- default), all (true), or those of the last so long ("1h")
---@field chat_types? string[] default { "u2i", "u2u" }
---@field rounds? integer ends after so many looks, when everything is done that is to be done at once
---@field seconds? number ends after so long

local function check_chat_types(given)
  if #given == 0 then error("bot:poll: chat_types is empty", 4) end
  for _, name in ipairs(given) do
    local mistake = words.mistake(name, enums.values(enums.ChatType), "chat type")
    if mistake then error("bot:poll: chat_types: " .. mistake, 4) end
  end
end

--- The options as they are used: numbers, and `since`, from when on messages are answered.
local function read_poll_options(given, now)
  options.check("bot:poll", given, POLL, 3)
  local interval, problem = span.seconds(given.interval or 10)
  if not interval then error("bot:poll: interval: " .. problem, 3) end
  if interval < 1 then error("bot:poll: interval must be at least 1 s", 3) end
  local backlog = 0
  if given.backlog == true then
    backlog = now
  elseif given.backlog then
    backlog, problem = span.seconds(given.backlog)
    if not backlog then error("bot:poll: backlog: " .. problem, 3) end
  end
  if given.chat_types then check_chat_types(given.chat_types) end
  return { interval = interval, since = math.floor(now - backlog), chat_types = given.chat_types or { "u2i", "u2u" },
    rounds = given.rounds or math.huge, seconds = given.seconds or math.huge }
end

--- One round, and when the next is.
local function round(self, looking)
  local settings, expected, now = looking.settings, looking.expected, self.driver:time()
  if expected and now - expected > math.max(3 * settings.interval, 30) then
    self:tell { kind = "stall", seconds = now - expected,
      message = ("nobody looked at the chats for %.0f s longer than meant"):format(now - expected) }
  end
  local count
  local ok, err = identify(self)
  if ok then count, err = poll.round(self, settings.chat_types, settings.interval) end
  if err then
    ending.pass(err)
    self:tell { kind = "error", what = "poll", message = "poll: " .. tostring(err), error = err }
  else
    self:tell { kind = "poll", chats = count }
  end
  looking.failures = err and looking.failures + 1 or 0
  looking.rounds = looking.rounds + 1
  local pause = poll.pause(settings.interval, looking.failures, err)
  looking.next, looking.expected = self.driver:now() + pause, self.driver:time() + pause
end

--- Begins a round: beside the lanes, where the driver has tasks.
local function look(self, looking)
  local function task()
    local ok, problem = xpcall(round, debug.traceback, self, looking)
    looking.busy = false
    if not ok then looking.problem = problem end
    self.lanes:told()
  end
  looking.busy = true
  if self.driver.spawn then looking.task = self.driver:spawn(task) else task() end
end

-- Waits for what is under way. A round is not waited for: nothing is lost by not looking.
local function finish(self, looking)
  if looking.task and looking.task:cancel() then
    looking.task:wait()
  elseif looking.problem then
    error(looking.problem, 0)
  end
  while self.lanes:busy() do self.lanes:wait(1) end
end

--- Answers the unread chats until bot:stop(). Messages are marked as read when a rule or dialogue has answered them; what
--- nobody has an answer for stays unread, for the seller to see. Raises when its task is cancelled or the client closed.
---@param given? avito.PollOptions
function Bot:poll(given)
  local driver, lanes = self.driver, self.lanes
  local settings = read_poll_options(given or {}, driver:time())
  if not self.since then self.since, self.started = settings.since, math.floor(driver:time()) end
  self.stopped = false
  local looking = { settings = settings, rounds = 0, failures = 0, next = driver:now() }
  local ends = driver:now() + settings.seconds
  while not self.stopped and not looking.problem and driver:now() < ends do
    if not looking.busy and looking.rounds < settings.rounds and driver:now() >= looking.next then look(self, looking) end
    lanes:work()
    local looked = looking.rounds >= settings.rounds
    if looked and not lanes:busy() and lanes:rest() > 0 then break end
    if not self.stopped and not looking.problem then
      local next_round = (looking.busy or looked) and math.huge or looking.next
      lanes:wait(math.min(math.min(next_round, ends) - driver:now(), lanes:rest(), settings.interval))
    end
  end
  finish(self, looking)
end

--- Ends poll, after what is being done.
function Bot:stop()
  self.stopped = true
  self.lanes:told()
end

--- Reads the rulebook again. A good one answers from the next message on; with a bad one the old stays.
---@return boolean? ok
---@return avito_messenger.Error? err what is wrong with the new one
function Bot:reload()
  local book, err = load(self.source, self.calls)
  if not book then
    self:tell { kind = "error", message = "the rulebook was not reloaded:\n" .. err.message, error = err }
    return nil, err
  end
  self.engine:reload(book)
  self.images = {} -- their files may have changed, too
  self:tell { kind = "reloaded" }
  return true
end

local function check_chat_id(where, chat_id)
  if type(chat_id) ~= "string" then error(("%s: chat_id must be a string, got %s"):format(where, type(chat_id)), 3) end
end

--- Why each rule would, or would not, answer a message now. Nothing is sent.
---@param message string|table a text, or a message of the API
---@param chat_id? string of which chat; without it, of a chat that nobody wrote in yet
---@return avito.bot.Explanation[]
function Bot:explain(message, chat_id)
  if type(message) == "string" then message = { id = "explained", type = "text", content = { text = message } } end
  if not about.is_message(message) then
    error("bot:explain: message must be a text or a message, which has an id and a type", 2)
  end
  if chat_id ~= nil then check_chat_id("bot:explain", chat_id) end
  return self.engine:explain(record.copy(self.lanes:chat(chat_id or "u2i-explained")), message, self.driver:time())
end

--- The bot says nothing in a chat for a while.
---@param chat_id string
---@param how_long? number|string seconds or a span; default: human.pause of the rulebook
function Bot:pause(chat_id, how_long)
  check_chat_id("bot:pause", chat_id)
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
  check_chat_id("bot:resume", chat_id)
  self.lanes:post(chat_id, { type = "resume" })
  self.lanes:work()
end

function Bot:__tostring()
  return ("avito.Bot (%d rules)"):format(#self.engine.book.rules)
end

return Bot
