--- The listener: webhooks of Avito over HTTP, stored before they are answered; /healthz; /metrics.
---
---     local server = assert(bot:listen { port = 8080, path_secret = os.getenv "HOOK_SECRET" })
---     …
---     server:close()
local ending = require "avito_messenger.bot.ending"
local Intake = require "avito_messenger.bot.intake"
local loop = require "avito_messenger.io.loop"
local Event = require "avito_messenger.io.loop.event"
local options = require "avito_messenger.options"
local outcomes = require "avito_messenger.bot.outcomes"
local webhook = require "avito_messenger.webhook"

local listen = {}

---@class avito.ListenOptions: avito.webhook.Options
---@field host? string a numeric address, or "localhost"; default "127.0.0.1"
---@field port? integer 0 takes any free one; default 8080
---@field max_connections? integer default 4096, and never more than the process may have descriptors for
---@field deadline? number seconds in which a request has to come in whole, 0.1 to 60; default 1.5, for Avito waits for 2
---@field metrics? boolean|{ host: string?, port: integer } /metrics beside the webhooks, or on an address of its own;
--- default false

local OPTIONS = { host = "string", port = "number", path_secret = "string", path = "string", signature = "table",
  max_body = "number", max_connections = "number", deadline = "number", metrics = "boolean|table" }
local METRICS = { host = "string", port = "number" }

local MAX_HEAD = 8192
local IDLE = 15      -- seconds for which a connection is kept between two requests
local CLOSING = 2    -- seconds for what is under way when the listener is closed
local PAUSE = 0.1    -- seconds after a turn that failed
local LONG = 3600

---@class avito.bot.Server
---@field port integer
---@field url string without the secret
---@field metrics_url? string where /metrics has an address of its own
local Server = {}
Server.__index = Server
Server.__name = "avito.bot.Server"

-- ---- answers

local function respond(self, request, status, text, headers)
  headers = headers or {}
  headers["Content-Type"] = headers["Content-Type"] or outcomes.TYPE
  if self.closing or (status >= 400 and status < 500) then headers.Connection = "close" end
  request:respond(status, headers, text)
end

-- One of the outcomes.
local function tell_outcome(self, request, outcome, allowed)
  respond(self, request, outcomes.STATUS[outcome], outcomes.WORDS[outcome] .. "\n",
    { Allow = outcome == "method" and (allowed or "POST") or nil, ["Retry-After"] = outcome == "unavailable" and 1 or nil })
end

-- Pages that are read; true: it was one.
local function may_read(self, request)
  if request.method == "GET" or request.method == "HEAD" then return true end
  tell_outcome(self, request, "method", "GET, HEAD")
end

local function healthz(self, request)
  if not may_read(self, request) then return end
  local well, word = self.bot:health()
  respond(self, request, well and 200 or 503, (well and "ok" or tostring(word or "not well")) .. "\n")
end

local function metrics(self, request)
  if not may_read(self, request) then return end
  respond(self, request, 200, self.bot.metrics:text(), { ["Content-Type"] = "text/plain; version=0.0.4; charset=utf-8" })
end

-- ---- webhooks

local function count(self, outcome, note, more)
  local entry = self.counts[outcome] or { count = 0 }
  self.counts[outcome] = entry
  entry.count, entry.note = entry.count + (more or 1), note or entry.note
end

local function hook(self, request)
  local answer = self.hook:answer(request)
  local own = self.bot:account()
  local account = answer.rows and (answer.account or own)
  if account and own and account ~= own then
    count(self, "foreign", ("for account %s, and the bot is that of %s"):format(account, own))
    return tell_outcome(self, request, "foreign")
  end
  if account then
    if answer.note then count(self, "unsigned", answer.note) end
    return self.intake:add(request, account, answer.rows, self.hook:patience(request.age))
  end
  local outcome = answer.rows and "unavailable" or answer.outcome -- not before it is known whose message it is
  count(self, outcome, answer.note)
  tell_outcome(self, request, outcome)
end

-- Tells the bot how many requests of this turn had which outcome.
local function tell_counts(self)
  local counts = self.counts
  self.counts = {}
  for outcome, entry in pairs(counts) do
    self.bot:tell { kind = "webhook", outcome = outcome, count = entry.count, note = entry.note }
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

local function report(server, problem)
  ending.pass(problem)
  server.bot:tell { kind = "error", message = "listen: " .. tostring(problem) }
end

function Door:serve(request)
  local server = self.server
  local page = self.pages[request.path:match "^[^?]*"] or self.pages.other
  local ok, problem = xpcall(page, debug.traceback, server, request)
  if ok then return end
  report(server, problem)
  pcall(tell_outcome, server, request, "failed") -- unless it was answered before that
end

-- What the listener itself refused or cut off since it was asked last.
function Door:count_others()
  local refused, cut = self.listener:counts()
  if refused > self.refused then count(self.server, "refused", nil, refused - self.refused) end
  if cut > self.cut then count(self.server, "cut", nil, cut - self.cut) end
  self.refused, self.cut = refused, cut
end

-- Is nothing left to be done?
function Door:is_done()
  local server = self.server
  if not server.closing then return false end
  return server.bot.driver:now() >= server.closing or self.listener:pending() == 0
end

-- Seconds until there is work that no descriptor announces.
function Door:patience()
  local server = self.server
  local now = server.bot.driver:now()
  local seconds = math.min(self.listener:timeout() or LONG, (server.intake:next() or math.huge) - now)
  if server.closing then seconds = math.min(seconds, server.closing - now) end
  return math.max(0, seconds)
end

function Door:turn()
  local server = self.server
  for _, request in ipairs(self.listener:accept()) do self:serve(request) end
  server.intake:hand_over()
  server.intake:expire()
  self:count_others()
  tell_counts(server)
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

local function refuse(message, level) error("bot:listen: " .. message, level + 1) end

local function check_integer(name, value, least, most, level)
  if value and not (value >= least and value <= most and value % 1 == 0) then
    refuse(("%s must be an integer from %d to %d"):format(name, least, most), level + 1)
  end
end

local function check_host(name, host, level)
  if host and host ~= "localhost" and not host:find "^[%d.]+$" and not host:find "^[%x.]*:[%x:.]*$" then
    refuse(name .. ' must be a numeric address, or "localhost"', level + 1)
  end
end

local function check(given, level)
  options.check("bot:listen", given, OPTIONS, level + 1)
  check_host("host", given.host, level + 1)
  check_integer("port", given.port, 0, 65535, level + 1)
  check_integer("max_connections", given.max_connections, 1, 65536, level + 1)
  if given.deadline and not (given.deadline >= 0.1 and given.deadline <= 60) then
    refuse("deadline must be from 0.1 to 60 seconds", level + 1)
  end
  if type(given.metrics) == "table" then
    options.check("bot:listen: metrics", given.metrics, METRICS, level + 1)
    check_host("metrics.host", given.metrics.host, level + 1)
    if not given.metrics.port then refuse("metrics.port is missing", level + 1) end
    check_integer("metrics.port", given.metrics.port, 0, 65535, level + 1)
  end
end

--- Raises what is wrong with the options; gives what reads the webhooks.
---@param given avito.ListenOptions
---@param level integer as for error()
---@return avito.hook.Hook
function listen.check(given, level)
  check(given, level + 1)
  local reader = webhook.make({ path_secret = given.path_secret, path = given.path, signature = given.signature,
    max_body = given.max_body }, "bot:listen", level + 1)
  return reader
end

local function not_found(self, request) tell_outcome(self, request, "not_found") end

-- One for everybody, and one for the metrics where they have an address of their own.
local function open_doors(self, given)
  local where = { max_body = self.hook.max_body, deadline = given.deadline or 1.5,
    max_connections = given.max_connections or 4096 }
  local public, problem = open_door(self, where, { host = given.host, port = given.port or 8080 },
    { ["/healthz"] = healthz, ["/metrics"] = given.metrics == true and metrics or nil, other = hook })
  if not public then return nil, problem end
  self.doors[1], self.port, self.url = public, public.port, public.url .. "/"
  if type(given.metrics) ~= "table" then return true end
  local inner
  inner, problem = open_door(self, where, given.metrics,
    { ["/healthz"] = healthz, ["/metrics"] = metrics, other = not_found })
  if not inner then
    public.listener:close()
    return nil, problem
  end
  self.doors[2], self.metrics_url = inner, inner.url .. "/metrics"
  return true
end

--- Listens in the background of the running loop, until `close` or the loop's end. Raises for misuse; returns nil and why when
--- it cannot listen.
---@param bot table store, lanes (told), driver, metrics (text), log?; account(), health(), tell(note), store_failed(what, err)
---@param given avito.ListenOptions
---@return avito.bot.Server?
---@return string? message
function listen.new(bot, given)
  local reader = listen.check(given, 2)
  local self = setmetatable({ bot = bot, hook = reader, counts = {}, doors = {} }, Server)
  if bot.log then
    bot.log:hide(given.path_secret)
    if given.signature then bot.log:hide(given.signature.key) end
  end
  if not loop.is_running() then error("bot:listen must be called inside loop.run(function() … end)", 2) end
  self.intake = Intake.new(bot, function(request, outcome) tell_outcome(self, request, outcome) end,
    function() for _, door in ipairs(self.doors) do door.event:set() end end)
  local opened, problem = open_doors(self, given)
  if not opened then return nil, problem end
  for _, door in ipairs(self.doors) do door.task = loop.background(door.run, door) end
  return self
end

--- Takes no more; what has come is answered first, within 2 s. May be called again.
function Server:close()
  self.closing = self.closing or self.bot.driver:now() + CLOSING
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
