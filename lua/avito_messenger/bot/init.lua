--- The bot: a rulebook that answers the chats of an account.
---
---     local bot = avito.bot { client = client, rulebook = "shop_rules.lua", store = "shop.db" }
---     bot:run { poll = { interval = 10 }, listen = { port = 8080, path_secret = "…" } }
---
--- With the blocking driver chats are answered one after another; inside loop.run beside each other.
local account = require "avito_messenger.bot.account"
local coroutines = require "avito_messenger.coroutines"
local ending = require "avito_messenger.bot.ending"
local Engine = require "avito_messenger.bot.engine"
local Lanes = require "avito_messenger.bot.lanes"
local log = require "avito_messenger.log"
local markets = require "avito_messenger.bot.market"
local messages = require "avito_messenger.bot.messages"
local metrics = require "avito_messenger.bot.metrics"
local names = require "avito_messenger.bot.names"
local options = require "avito_messenger.options"
local poll = require "avito_messenger.bot.poll"
local program = require "avito_messenger.bot.program"
local record = require "avito_messenger.bot.engine.record"
local rulebook = require "avito_messenger.bot.rulebook"
local run = require "avito_messenger.bot.run"
local span = require "avito_messenger.bot.span"

---@class avito.Bot
---@field client avito_messenger.AnyClient
---@field market avito.bot.Market the client's marketplace
---@field driver avito.Driver the client's
---@field engine avito.bot.Engine
---@field lanes avito.bot.Lanes
---@field store avito.Store
---@field metrics avito.bot.Metrics metrics:text() is what /metrics shows
---@field log? avito_messenger.Log
---@field images table<string, string> ids of uploaded images, by their paths
---@field looks table<string, { mark: any, seen: number, read: number? }> chats that the poll has found: the mark each has, when
--- that was seen first, and when a reading of the chat began since
---@field unreadable table<string, { failures: integer, again: number }> chats that could not be read, and when they are again
---@field user_id integer|string? the account, once it is known
---@field since number? messages from before are not answered
---@field started number? when it began, the first time
---@field ahead number? seconds that the wall clock is ahead of the monotonic one
---@field parked? { kind: "payment_required"|"auth", message: string?, since: number, again: number } the marketplace
--- refuses the account; `since` by the wall clock, `again` by the monotonic one: when it is asked again
---@field fleeting? boolean who calls it may be gone at any moment, as a request of nginx is: what has to come to an end is a
--- task of its own
---@field number? integer which it is of several of one process
---@field trouble? string the code of the store's last error, until it works again
local Bot = {}
Bot.__index = Bot
Bot.__name = "avito.Bot"

local OPTIONS = { client = "table", rulebook = "string|table", store = "string|table", calls = "table", user_id = "number|string",
  log = "string|table", on_error = "function", on_escalate = "function", on_event = "function" }

---@class avito.BotOptions
---@field client avito_messenger.AnyClient
---@field rulebook string|avito.RulebookSource the path of a rulebook, or avito.rulebook {…}
---@field store? string|avito.Store where it keeps what must not be lost: the path of a file, or a store; default: memory,
--- inside nginx the file avito-messenger.db of its prefix
---@field calls? table<string, fun(args: any, c: table): any> functions for c:call, beside the rulebook's own
---@field user_id? integer the account; asked of the client when absent
---@field log? "logfmt"|"json"|avito_messenger.LogOptions|avito_messenger.Log a line for everything that happens; default: none
---@field on_error? fun(problem: { kind: string, message: string, rule: string?, flow: string?, chat_id: string?,
--- traceback: string? }) kind "warning": the marketplace has not what the rulebook or a function asks for;
--- default: stderr, unless there is a log
---@field on_escalate? fun(call: { chat_id: string, note: string?, rule: string?, text: string?, why: string }) a person is
--- wanted. An error in it is reported, and it is called again later
---@field on_event? fun(note: table) sees everything that happens: { kind = "fired", chat_id = …, rule = … }; the kinds are
--- in docs/rulebook.md

local function load(source, calls, market)
  local book, err
  if type(source) == "string" then
    book, err = rulebook.load(source, market.name)
  else
    book, err = rulebook.compile(source, "rulebook", market.name)
  end
  if not book then return nil, err end
  local all = {}
  for name, call in pairs(book.calls or {}) do all[name] = call end
  for name, call in pairs(calls or {}) do all[name] = call end
  book.calls = all
  return book
end

-- What metrics tell that nobody counts.
local function figures(self)
  local name = self:account()
  return { stats = name and self.store:stats(name, self.driver:time()), account = name, parked = self.parked and self.parked.kind,
    lanes = self.lanes:at_work() }
end

-- What the client does is counted and logged as well; the program's own on_event hears it as before.
local function hear(self, client)
  local before = client.on_event
  function client.on_event(event)
    self.metrics:event(event)
    if self.log then self.log:event(event, self:called()) end
    if before then before(event) end
  end
end

local STORE = { "attach", "receive", "due", "claim", "rows", "commit", "release", "peek", "cursor", "set_cursor", "maintain",
  "changed", "close" }

-- The store, and whether it is the bot's own.
local function open_store(given, driver)
  local avito = require "avito_messenger"
  if given == nil and driver.default_store then given = driver:default_store() end
  if given == nil then return avito.memory_store(), true end
  if type(given) == "string" then
    local store, err = avito.store(given)
    if not store then error("avito.bot: store: " .. tostring(err), 3) end
    return store, true
  end
  for _, name in ipairs(STORE) do
    if type(given[name]) ~= "function" then
      error(("avito.bot: store must be a path or a store: it has no function %s"):format(name), 3)
    end
  end
  return given, false
end

-- Tells what the marketplace has not of what the rulebook asks for.
local function warn(self, book)
  for _, warning in ipairs(book.warnings) do
    self:tell { kind = "warning", message = warning.text, line = warning.line, where = warning.where }
  end
end

--- Makes a bot. Raises what is wrong with the options or the rulebook, every mistake of it on a line.
---@param given avito.BotOptions
---@return avito.Bot
function Bot.new(given)
  options.check("avito.bot", given, OPTIONS, 2)
  if not given.client then error("avito.bot: client is missing", 2) end
  if type(given.client.get_messages or given.client.get_chats) ~= "function" then
    error("avito.bot: client must be an avito.client, or one of Yandex Market", 2)
  end
  local market = markets.of(given.client)
  if given.user_id and market.account_option ~= "user_id" then
    error(("avito.bot: user_id: the account of a bot of %s is its client's %s"):format(market.title, market.account_option), 2)
  end
  if not given.rulebook then error("avito.bot: rulebook is missing: a path, or avito.rulebook {…}", 2) end
  for name, call in pairs(given.calls or {}) do
    if type(call) ~= "function" then
      error(("avito.bot: calls.%s must be a function, got %s"):format(tostring(name), type(call)), 2)
    end
  end
  local book, err = load(given.rulebook, given.calls, market)
  if not book then error("avito.bot: the rulebook cannot be used:\n" .. err.message, 2) end
  local logger = log.read(given.log, "avito.bot: log", 2)
  local store, own = open_store(given.store, given.client.driver)
  local self = setmetatable({ client = given.client, market = market, driver = given.client.driver, source = given.rulebook,
    store = store, owns_store = own, log = logger, calls = given.calls,
    user_id = given.user_id or market.of_one and market.id_of(given.client) or nil,
    on_error = given.on_error, on_escalate = given.on_escalate, on_event = given.on_event, images = {}, unreadable = {}, looks = {},
    stopped = false }, Bot)
  self.metrics = metrics.new(function() return self.driver:time() end, function() return figures(self) end)
  store:attach(self.driver)
  self.engine = Engine.new { book = book, user_id = self.user_id or "" }
  self.lanes = Lanes.new(self)
  hear(self, given.client)
  warn(self, book)
  return self
end

local function print_error(self, problem)
  local name, kind = self:called(), problem.kind == "warning" and "warning: " or ""
  local rule = problem.rule and ("rule '%s': "):format(problem.rule) or ""
  io.stderr:write(("avito.bot%s: %s%s%s\n"):format(name and " " .. name or "", kind, rule, problem.message))
end

-- A hook that raises must not stop a chat.
local function call_hook(hook, ...)
  local ok, err = pcall(hook, ...)
  if not ok then
    ending.pass(err)
    io.stderr:write("avito.bot: a hook raised: " .. tostring(err) .. "\n")
  end
end

-- What somebody has to know, or do something about.
local ERRORS = { error = true, warning = true, store = true, parked = true }

--- What it is called among several of one process: its account, or which of them it is; nil: it is alone.
---@return string?
function Bot:called()
  return self.number and names.one(self, self.number)
end

--- Tells the hooks what happened.
---@param note table
function Bot:tell(note)
  self.metrics:note(note)
  if self.log then call_hook(self.log.note, self.log, note, self:called()) end
  if ERRORS[note.kind] then
    if self.on_error then call_hook(self.on_error, note) elseif not self.log then print_error(self, note) end
  end
  if self.on_event then call_hook(self.on_event, note) end
end

--- Tells that the store could not do something.
---@param what string
---@param err avito.StoreError|string what a store of the program's own raised
function Bot:store_failed(what, err)
  self.trouble = type(err) == "table" and err.code or "error"
  self:tell { kind = "store", what = what, code = self.trouble, message = ("%s: %s"):format(what, tostring(err)) }
end

--- Looks at the outcome of an effect for what concerns the account as a whole.
---@param event? table
function Bot:heed(event)
  if not event then return end
  local problem = event.error
  if type(problem) == "table" then account.heed(self, problem)
  elseif event.kind then account.heed(self, { kind = event.kind, message = problem }) end
end

--- What the account is called in the store: its id as text, that of another marketplace than Avito behind the
--- marketplace's name; nil while it is not known.
---@return string?
function Bot:account()
  return self.user_id and self.market.account_key(self.user_id) or nil
end

--- Can it do its work? nil and a word: it cannot.
---@return boolean?
---@return "starting"|"parked"|"store"|"stalled"|nil why
function Bot:health()
  if self.parked then return nil, "parked" end
  if self.trouble then return nil, "store" end
  if not self.since then return nil, "starting" end
  if self.looking and run.stalled(self, self.looking) then return nil, "stalled" end
  return true
end

--- Answers the unread chats until bot:stop(). Messages are marked as read when a rule or dialogue has answered them; what
--- nobody has an answer for stays unread, for the seller to see. Raises when its task is cancelled or the client closed.
---@param given? avito.PollOptions
function Bot:poll(given)
  run.loop(self, poll.settings("bot:poll", given or {}, self.driver:time(), 2, self.market))
end

--- Takes webhooks. Inside loop.run only, and while bot:run or bot:poll works.
---@param given avito.ListenOptions
---@return avito.bot.Listener? server port, url, close()
---@return string? message
function Bot:listen(given)
  program.refuse_nginx(self, "bot:listen", 2)
  return require("avito_messenger.bot.listen").new(self, given)
end

--- Has Avito send webhooks to an address, and sees to it from time to time that it still does. Inside loop.run only.
---@param url string the whole address, with the path's secret
---@param given? { every?: number|string } default "10m"
---@return avito_messenger.Task
function Bot:subscribe(url, given)
  local task = program.subscribe(self, url, given, 2)
  return task
end

--- Polls, takes webhooks, or both, until bot:stop() or a signal: SIGTERM and SIGINT end it in order, the second one
--- at once; SIGHUP has the rulebook read again. Runs the loop itself where it does not run.
---@param given? avito.RunOptions
---@return boolean? ok
---@return string? message why it could not begin
function Bot:run(given)
  local ok, message = program.run(self, given or {}, 2)
  return ok, message
end

--- Ends poll and run, after what is being done.
---@param how_long? number|string seconds or a span that this may take; what is not done then is left for the next start
function Bot:stop(how_long)
  if how_long ~= nil then
    local seconds, problem = span.seconds(how_long)
    if not seconds then error("bot:stop: " .. problem, 2) end
    self.drain_ends = self.driver:now() + seconds
  end
  self.stopped = true
  self.lanes:told()
end

--- Gives back the store that it opened by a path.
function Bot:close()
  if self.owns_store then self.store:close() end
end

--- Reads the rulebook again. A good one answers from the next message on; with a bad one the old stays.
---@return boolean? ok
---@return avito_messenger.Error? err what is wrong with the new one
function Bot:reload()
  local book, err = load(self.source, self.calls, self.market)
  if not book then
    self:tell { kind = "error", message = "the rulebook was not reloaded:\n" .. err.message, error = err }
    return nil, err
  end
  self.engine:reload(book)
  self.images = {} -- their files may have changed, too
  self:tell { kind = "reloaded" }
  warn(self, book)
  if self.parked then self.parked.again = self.driver:now() end
  self.lanes:told()
  return true
end

local function read_chat_id(self, where, given)
  local chat_id, problem = self.market.chat_id(given)
  if not chat_id then error(("%s: chat_id %s"):format(where, problem), 3) end
  return chat_id
end

--- Why each rule would, or would not, answer a message now. Nothing is sent.
---@param message string|table a text, or a message of the API
---@param chat_id? string of which chat; without it, of a chat that nobody wrote in yet
---@return avito.bot.Explanation[]
function Bot:explain(message, chat_id)
  if type(message) == "string" then message = { id = "explained", type = "text", content = { text = message } } end
  if not messages.is_message(message) then
    error("bot:explain: message must be a text or a message, which has an id and a type", 2)
  end
  chat_id = chat_id ~= nil and read_chat_id(self, "bot:explain", chat_id) or "u2i-explained"
  return self.engine:explain(record.copy(self.lanes:chat(chat_id)), message, self.driver:time())
end

local function work(lanes)
  lanes:work()
  return true
end

-- Has what was posted stored.
local function hand_in(self)
  local driver, lanes = self.driver, self.lanes
  if not (self.fleeting and driver:in_task()) then return lanes:work() end
  if coroutines.inside() then return end -- a dialogue cannot wait: the lane that it is in hands it in
  local task = driver:spawn(work, lanes)
  local ok, problem = task:wait()
  if not ok then error(problem, 0) end
end

--- The bot says nothing in a chat for a while.
---@param chat_id string of Yandex Market an integer as well
---@param how_long? number|string seconds or a span; default: human.pause of the rulebook
function Bot:pause(chat_id, how_long)
  chat_id = read_chat_id(self, "bot:pause", chat_id)
  local seconds, problem
  if how_long ~= nil then
    seconds, problem = span.seconds(how_long)
    if not seconds then error("bot:pause: " .. problem, 2) end
  end
  self.lanes:post(chat_id, { type = "pause", seconds = seconds })
  hand_in(self)
end

--- The bot speaks again in a chat.
---@param chat_id string
function Bot:resume(chat_id)
  chat_id = read_chat_id(self, "bot:resume", chat_id)
  self.lanes:post(chat_id, { type = "resume" })
  hand_in(self)
end

function Bot:__tostring()
  return ("avito.Bot (%d rules)"):format(#self.engine.book.rules)
end

return Bot
