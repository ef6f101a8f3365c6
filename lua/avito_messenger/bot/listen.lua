--- The listener: what marketplaces post to one bot or several, stored before it is answered; /healthz; /metrics.
---
---     local server = assert(bot:listen { port = 8080, path_secret = os.getenv "HOOK_SECRET" })
---     …
---     server:close()
local ending = require "avito_messenger.bot.ending"
local Intake = require "avito_messenger.bot.intake"
local loop = require "avito_messenger.io.loop"
local Event = require "avito_messenger.io.loop.event"
local hooks = require "avito_messenger.bot.hooks"
local metrics = require "avito_messenger.bot.metrics"
local names = require "avito_messenger.bot.names"
local options = require "avito_messenger.options"
local outcomes = require "avito_messenger.outcomes"

local listen = {}

---@class avito.ServerOptions
---@field host? string a numeric address, or "localhost"; default "127.0.0.1"
---@field port? integer 0 takes any free one; default 8080
---@field max_connections? integer default 4096, and never more than the process may have descriptors for
---@field deadline? number seconds in which a request has to come in whole, 0.1 to 60; default 1.5 where Avito posts, for it
--- waits for 2, and 5 where Yandex Market does
---@field metrics? boolean|{ host: string?, port: integer } /metrics beside the webhooks, or on an address of its own;
--- default false

---@class avito.ListenOptions: avito.ServerOptions, avito.webhook.Options, avito.notifications.Options

local OPTIONS = { host = "string", port = "number", max_connections = "number", deadline = "number",
  metrics = "boolean|table" }
local METRICS = { host = "string", port = "number" }

local MAX_HEAD = 8192
local IDLE = 15      -- seconds for which a connection is kept between two requests
local CLOSING = 2    -- seconds for what is under way when the listener is closed
local PAUSE = 0.1    -- seconds after a turn that failed
local LONG = 3600
local MAX_BODY = 65536 -- where nobody takes any

---@class avito.bot.Server
---@field port integer
---@field url string without the secret
---@field metrics_url? string where /metrics has an address of its own
---@field entrances avito.bot.Entrance[]
local Server = {}
Server.__index = Server
Server.__name = "avito.bot.Server"

---@class avito.bot.Entrance of one bot
---@field bot table store, lanes (told), driver, metrics (text), log?; account(), health(), tell(note), store_failed(what, err)
---@field hook? avito.hook.Hook nil: nothing is posted to it
---@field intake avito.bot.Intake
---@field counts table<string, { count: integer, note: string? }>
---@field left? string it works no more: "stopped" or "failed"

-- ---- answers

local function respond(self, request, status, kind, text, headers)
  headers = headers or {}
  headers["Content-Type"] = kind
  if self.closing or (status >= 400 and status < 500) then headers.Connection = "close" end
  request:respond(status, headers, text)
end

-- Pages that are read; true: it was one.
local function may_read(self, request)
  if request.method == "GET" or request.method == "HEAD" then return true end
  respond(self, request, outcomes.reply("method", "GET, HEAD"))
end

local function names_of(self)
  local bots = {}
  for i, entrance in ipairs(self.entrances) do bots[i] = entrance.bot end
  return names.of(bots)
end

local function health_of(entrance)
  if entrance.left then return nil, entrance.left end
  local well, word = entrance.bot:health()
  return well, not well and tostring(word or "not well") or nil
end

-- What is wrong with each that is not well: with its name, where there are several.
local function troubles(self)
  local words, called = {}, nil
  for i, entrance in ipairs(self.entrances) do
    local well, word = health_of(entrance)
    if not well then
      called = called or #self.entrances > 1 and names_of(self)
      words[#words + 1] = called and ("%s: %s"):format(called[i], word) or word
    end
  end
  return words
end

local function healthz(self, request)
  if not may_read(self, request) then return end
  local words = troubles(self)
  respond(self, request, #words == 0 and 200 or 503, outcomes.TYPE, (#words == 0 and "ok" or table.concat(words, "\n")) .. "\n")
end

local function show_metrics(self, request)
  if not may_read(self, request) then return end
  local all = {}
  for i, entrance in ipairs(self.entrances) do all[i] = entrance.bot.metrics end
  respond(self, request, 200, metrics.CONTENT_TYPE, #all == 1 and all[1]:text() or metrics.page(all, names_of(self)))
end

-- ---- webhooks

local function count(entrance, outcome, note, more)
  local entry = entrance.counts[outcome] or { count = 0 }
  entrance.counts[outcome] = entry
  entry.count, entry.note = entry.count + (more or 1), note or entry.note
end

-- What is taken is stored first. A bot that works no more has the marketplace come again.
local function take(self, entrance, request, answer)
  local bot, hook, began = entrance.bot, entrance.hook, entrance.bot.driver:time()
  local account, outcome, note = hooks.account(bot, answer)
  if account and entrance.left and not self.closing then account, outcome = nil, "unavailable" end
  if account then
    if answer.note then count(entrance, "unsigned", answer.note) end
    return entrance.intake:add({ request = request, began = began }, account, answer.rows, hook:patience(request.age))
  end
  count(entrance, outcome, note)
  respond(self, request, hook:reply(outcome, began, note))
end

-- Whose path it is.
local function serve_hook(self, request)
  for _, entrance in ipairs(self.entrances) do
    local answer = entrance.hook and entrance.hook:answer(request)
    if answer and answer.outcome ~= "not_found" then return take(self, entrance, request, answer) end
  end
  count(self.entrances[1], "not_found")
  respond(self, request, outcomes.reply "not_found")
end

-- Tells the bot how many requests of this turn had which outcome.
local function tell_counts(entrance)
  local counts = entrance.counts
  entrance.counts = {}
  for outcome, entry in pairs(counts) do
    entrance.bot:tell { kind = "webhook", outcome = outcome, count = entry.count, note = entry.note }
  end
end

-- ---- doors: the sockets that are listened on

local Door = {}
Door.__index = Door

local function open_door(server, where, given, pages)
  local found, httpd = pcall(require, "avito_messenger.httpd")
  if not found then
    return nil, ("a listener needs libmicrohttpd: apt-get install libmicrohttpd-dev, then build again (%s)"):format(
      tostring(httpd):match "^[^\n]*")
  end
  local host = given.host == "localhost" and "127.0.0.1" or given.host or "127.0.0.1"
  local listener, problem = httpd.listen { host = host, port = given.port, max_body = where.max_body,
    max_head = MAX_HEAD, timeout = where.deadline, idle = IDLE, max_connections = where.max_connections }
  if not listener then return nil, problem end
  local shown = host:find(":", 1, true) and "[" .. host .. "]" or host
  return setmetatable({ server = server, listener = listener, event = Event.new(), pages = pages,
    refused = 0, cut = 0, port = listener:port(), url = ("http://%s:%d"):format(shown, listener:port()) }, Door)
end

-- What is nobody's request is told to the first.
local function report(server, problem)
  ending.pass(problem)
  server.entrances[1].bot:tell { kind = "error", message = "listen: " .. tostring(problem) }
end

function Door:serve(request)
  local server = self.server
  local page = self.pages[request.path:match "^[^?]*"] or self.pages.other
  local ok, problem = xpcall(page, debug.traceback, server, request)
  if ok then return end
  report(server, problem)
  pcall(respond, server, request, outcomes.reply "failed") -- unless it was answered before that
end

-- What the listener itself refused or cut off since it was asked last.
function Door:count_others()
  local refused, cut = self.listener:counts()
  local first = self.server.entrances[1]
  if refused > self.refused then count(first, "refused", nil, refused - self.refused) end
  if cut > self.cut then count(first, "cut", nil, cut - self.cut) end
  self.refused, self.cut = refused, cut
end

-- Is nothing left to be done?
function Door:is_done()
  local server = self.server
  if not server.closing then return false end
  return server.driver:now() >= server.closing or self.listener:pending() == 0
end

-- Seconds until there is work that no descriptor announces.
function Door:patience()
  local server = self.server
  local now = server.driver:now()
  local seconds = self.listener:timeout() or LONG
  for _, entrance in ipairs(server.entrances) do
    seconds = math.min(seconds, (entrance.intake:next() or math.huge) - now)
  end
  if server.closing then seconds = math.min(seconds, server.closing - now) end
  return math.max(0, seconds)
end

function Door:turn()
  local server = self.server
  for _, request in ipairs(self.listener:accept()) do self:serve(request) end
  for _, entrance in ipairs(server.entrances) do
    entrance.intake:hand_over()
    entrance.intake:expire()
  end
  self:count_others()
  for _, entrance in ipairs(server.entrances) do tell_counts(entrance) end
  if server.closing then self.listener:drain() end
end

function Door:turns()
  self.event:watch(self.listener:fd())
  while not self:is_done() do
    self.event:wait(self:patience())
    local ok, problem = xpcall(self.turn, debug.traceback, self)
    if not ok then -- for want of memory, say: what comes next may be served
      report(self.server, problem)
      loop.sleep(PAUSE)
    end
  end
end

function Door:run()
  local ok, problem = pcall(self.turns, self)
  self.event:unwatch(self.listener:fd())
  self.listener:close()
  if not ok then error(problem, 0) end
end

-- ---- the server

local function integer_problem(name, value, least, most)
  if value and not (value >= least and value <= most and value % 1 == 0) then
    return ("%s must be an integer from %d to %d"):format(name, least, most)
  end
end

local function host_problem(name, host)
  if host and host ~= "localhost" and not host:find "^[%d.]+$" and not host:find "^[%x.]*:[%x:.]*$" then
    return name .. ' must be a numeric address, or "localhost"'
  end
end

local function metrics_problem(given)
  return host_problem("metrics.host", given.host) or not given.port and "metrics.port is missing"
    or integer_problem("metrics.port", given.port, 0, 65535)
end

local function deadline_problem(seconds)
  if seconds and not (seconds >= 0.1 and seconds <= 60) then return "deadline must be from 0.1 to 60 seconds" end
end

--- Raises what is wrong with the options.
---@param given avito.ServerOptions
---@param where string what errors name
---@param level integer as for error()
function listen.check(given, where, level)
  options.check(where, given, OPTIONS, level + 1)
  local inner = type(given.metrics) == "table" and given.metrics
  if inner then options.check(where .. ": metrics", inner, METRICS, level + 1) end
  local problem = host_problem("host", given.host) or integer_problem("port", given.port, 0, 65535)
    or integer_problem("max_connections", given.max_connections, 1, 65536) or deadline_problem(given.deadline)
    or inner and metrics_problem(inner)
  if problem then error(("%s: %s"):format(where, problem), level + 1) end
end

--- The options of the server, and the hook that the others make. Raises what is wrong with them.
---@param bot avito.Bot
---@param given avito.ListenOptions
---@param where string what errors name
---@param level integer as for error()
---@return avito.ServerOptions
---@return avito.hook.Hook
function listen.read(bot, given, where, level)
  local known, server, hook = {}, {}, {}
  for _, some in ipairs { hooks.options(bot), OPTIONS } do
    for name, types in pairs(some) do known[name] = types end
  end
  options.check(where, given, known, level + 1)
  for name, value in pairs(given) do (OPTIONS[name] and server or hook)[name] = value end
  listen.check(server, where, level + 1)
  local made = hooks.make(bot, hook, where, level + 1)
  return server, made
end

local function not_found(self, request) respond(self, request, outcomes.reply "not_found") end

-- What suits all who are posted to.
local function bounds_of(self, given)
  local max_body, deadline
  for _, entrance in ipairs(self.entrances) do
    local hook = entrance.hook
    if hook then
      max_body, deadline = math.max(max_body or 0, hook.max_body), math.max(deadline or 0, hook:deadline())
    end
  end
  return { max_body = max_body or MAX_BODY, deadline = given.deadline or deadline or 1.5,
    max_connections = given.max_connections or 4096 }
end

-- One for everybody, and one for the metrics where they have an address of their own.
local function open_doors(self, given)
  local where = bounds_of(self, given)
  local public, problem = open_door(self, where, { host = given.host, port = given.port or 8080 },
    { ["/healthz"] = healthz, ["/metrics"] = given.metrics == true and show_metrics or nil, other = serve_hook })
  if not public then return nil, problem end
  self.doors[1], self.port, self.url = public, public.port, public.url .. "/"
  if type(given.metrics) ~= "table" then return true end
  local inner
  inner, problem = open_door(self, where, given.metrics,
    { ["/healthz"] = healthz, ["/metrics"] = show_metrics, other = not_found })
  if not inner then
    public.listener:close()
    return nil, problem
  end
  self.doors[2], self.metrics_url = inner, inner.url .. "/metrics"
  return true
end

local function new_entrance(self, bot, hook)
  local function answer(asked, outcome) respond(self, asked.request, hook:reply(outcome, asked.began)) end
  local function stored()
    for _, door in ipairs(self.doors) do door.event:set() end
  end
  return { bot = bot, hook = hook, counts = {}, intake = Intake.new(bot, answer, stored) }
end

--- Listens for several bots in the background of the running loop, until `close` or the loop's end. Nil and why when it cannot.
---@param given avito.ServerOptions checked
---@param list { bot: table, hook: avito.hook.Hook? }[] one at least
---@return avito.bot.Server?
---@return string? message
function listen.open(given, list)
  local self = setmetatable({ driver = list[1].bot.driver, entrances = {}, doors = {} }, Server)
  for i, one in ipairs(list) do self.entrances[i] = new_entrance(self, one.bot, one.hook) end
  local opened, problem = open_doors(self, given)
  if not opened then return nil, problem end
  for _, door in ipairs(self.doors) do door.task = loop.background(door.run, door) end
  return self
end

--- Listens for one bot, likewise. Raises for misuse.
---@param bot avito.Bot
---@param given avito.ListenOptions
---@return avito.bot.Server?
---@return string? message
function listen.new(bot, given)
  local server, hook = listen.read(bot, given, "bot:listen", 2)
  if not loop.is_running() then error("bot:listen must be called inside loop.run(function() … end)", 2) end
  return listen.open(server, { { bot = bot, hook = hook } })
end

--- A bot works no more: what is posted to it is to come again. With the last the server closes. May be called again.
---@param bot avito.Bot
---@param how "stopped"|"failed"
function Server:leave(bot, how)
  local all = true
  for _, entrance in ipairs(self.entrances) do
    if entrance.bot == bot then entrance.left = how end
    all = all and entrance.left
  end
  if all then self:close() end
end

--- Takes no more; what has come is answered first, within 2 s. May be called again.
function Server:close()
  self.closing = self.closing or self.driver:now() + CLOSING
  for _, door in ipairs(self.doors) do door.event:set() end
  for _, door in ipairs(self.doors) do
    if not door.task.ended then door.task:wait() end
    door.listener:close() -- a task that was cancelled before it began has not done it
  end
end

function Server:__tostring()
  return ("avito.bot.Server (%s%s)"):format(self.url, self.closing and ", closed" or "")
end

return listen
