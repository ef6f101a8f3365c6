--- A sandbox behind real HTTP, on loopback, in the tasks of the loop: the listener, late answers and webhook deliveries wait
--- for nobody, and neither does the rest of the program.
local codec = require "avito_messenger.sandbox.codec"
local words = require "avito_messenger.words"

local server = {}

---@class avito.sandbox.ListenOptions
---@field host? string a loopback address ("127.0.0.1")
---@field port? integer 0 takes any free one (8077)
---@field on_request? fun(entry: table, response: table, request: table) after each request, for a log

---@class avito.sandbox.ServeOptions: avito.sandbox.ListenOptions
---@field on_ready? fun(server: avito.sandbox.Server)
---@field stop? fun(): any asked at each turn, several times a second; anything true ends it

local LISTEN = { host = true, port = true, on_request = true }
local SERVE = { host = true, port = true, on_request = true, on_ready = true, stop = true }

local MAX_BODY = 25 * 1024 * 1024 -- an image of 24 MB and its envelope
local HANG = 300
local TURN = 0.25

---@class avito.sandbox.Server
---@field host string
---@field port integer
---@field url string
local Server = { __name = "avito.sandbox.Server" }
Server.__index = Server

local function need(module, package)
  local found, library = pcall(require, module)
  if found then return library end
  error(("the sandbox needs %s to serve (%s): %s"):format(module, package, tostring(library)), 0)
end

local function is_loopback(host)
  return host == "::1" or host:find("^127%.%d+%.%d+%.%d+$") ~= nil
end

-- Sends an answer, with what the fault does to it.
local function send(request, response)
  local fault = response.fault or {}
  local headers, body = response.headers, response.body
  if fault.kind == "close" or fault.kind == "hang" then
    request:close()
  elseif fault.kind == "cut" then
    request:cut(response.status, headers, body, fault.bytes)
  elseif fault.kind == "drip" and #body > 0 then
    request:drip(response.status, headers, body, math.max(0.001, fault.seconds))
  else
    request:respond(response.status, headers, body)
  end
end

function Server:finish(request, response)
  local delay = response.delay or 0
  if response.fault and response.fault.kind == "hang" then delay = delay + HANG end
  if delay <= 0 then return send(request, response) end
  self.loop.background(function()
    self.loop.sleep(delay)
    send(request, response)
    self.event:set()
  end)
end

local function broken(problem)
  return { status = 500, headers = { ["Content-Type"] = "text/plain; charset=utf-8" },
    body = "the sandbox itself failed, please report this:\n" .. tostring(problem) .. "\n" }
end

-- Delivers a webhook, or the probe that `request` waits for.
function Server:deliver(delivery, request)
  local headers = {}
  for name, value in pairs(delivery.headers) do headers[#headers + 1] = name .. ": " .. value end
  local driver = self.driver
  local ok, result = pcall(driver.perform, driver, { method = "POST", url = delivery.url, headers = headers,
    body = delivery.body, timeout = delivery.timeout, connect_timeout = delivery.timeout, max_bytes = 65536,
    max_head_bytes = 65536, purpose = "call" })
  if not ok then result = { error = "network", message = tostring(result) } end
  local response = self.sandbox:delivered(delivery.id, { status = result.status, body = result.body,
    error = result.message or result.error }, driver:time())
  if request and response then self:finish(request, response) end
  self.event:set() -- there is an answer to be sent, or another time for a delivery
end

function Server:answer(request)
  local sandbox = self.sandbox
  local ok, response = xpcall(function() return sandbox:handle(request, self.driver:time()) end, debug.traceback)
  if not ok then response = broken(response) end
  if self.on_request and not codec.split(request.path):find("^/sandbox") then
    self.on_request(sandbox.requests[#sandbox.requests] or {}, response, request)
  end
  if response.probe then return self.loop.background(self.deliver, self, response.probe, request) end
  self:finish(request, response)
end

-- Seconds until there is work that the listener's descriptor does not announce.
function Server:patience()
  local seconds = self.listener:timeout() or 3600
  local due = self.sandbox:next_due()
  if due then seconds = math.min(seconds, due - self.driver:time()) end
  if self.stop then seconds = math.min(seconds, TURN) end
  return math.max(0, seconds)
end

function Server:turns()
  self.event:watch(self.listener:fd())
  while not self.closed and not (self.stop and self.stop()) do
    self.event:wait(self:patience())
    for _, request in ipairs(self.listener:accept()) do self:answer(request) end
    for _, delivery in ipairs(self.sandbox:due(self.driver:time())) do
      self.loop.background(self.deliver, self, delivery)
    end
  end
end

function Server:run()
  local ok, problem = pcall(self.turns, self)
  self:shut()
  if not ok and not self.closed then error(problem, 0) end
end

function Server:shut()
  if self.is_shut then return end
  self.is_shut = true
  self.sandbox.servers[self] = nil
  self.event:unwatch(self.listener:fd())
  self.listener:close()
end

--- Stops listening; connections end. May be called again.
function Server:close()
  if self.closed then return end
  self.closed = true
  self:shut()
  self.task:cancel()
end

--- Waits until the server has stopped; raises what made it stop, if it was not told to.
function Server:wait()
  local _, err = self.task:wait()
  if err and not self.closed then error(err, 0) end
end

function Server:__tostring()
  return ("avito.sandbox.Server (%s%s)"):format(self.url, self.closed and ", closed" or "")
end

local function listen(sandbox, given, stop)
  local host = given.host or "127.0.0.1"
  if host == "localhost" then host = "127.0.0.1" end
  if not is_loopback(host) then
    return nil, ("the sandbox listens on loopback only, not on '%s': it has no secrets worth keeping and no limits " ..
      "worth trusting"):format(host)
  end
  local httpd = need("avito_messenger.httpd", "apt-get install libmicrohttpd-dev, then build again")
  local loop = need("avito_messenger.io.loop", "apt-get install libcurl4-openssl-dev, then build again")
  if not loop.is_running() then
    error("sandbox:listen must be called inside loop.run(function() … end), which sandbox:serve need not", 3)
  end
  local event = require "avito_messenger.io.loop.event"
  local listener, problem = httpd.listen { host = host, port = given.port or 8077, max_body = MAX_BODY,
    max_head = 64 * 1024, timeout = 60, max_connections = 1024 }
  if not listener then return nil, problem end
  local port = listener:port()
  local self = setmetatable({
    sandbox = sandbox, listener = listener, loop = loop, driver = loop.new(), event = event.new(),
    on_request = given.on_request, stop = stop,
    host = host, port = port, url = ("http://%s:%d"):format(host:find(":", 1, true) and "[" .. host .. "]" or host, port),
  }, Server)
  sandbox:see(self.driver:time())
  sandbox.servers[self] = true
  self.task = loop.background(self.run, self)
  return self
end

--- Serves in the background of the running loop, until `close` or the loop's end. Returns nil and why when it cannot listen.
---@param sandbox avito.Sandbox
---@param given? avito.sandbox.ListenOptions
---@return avito.sandbox.Server?
---@return string? message
function server.listen(sandbox, given)
  given = given or {}
  words.check(given, LISTEN, "listen option", 3)
  return listen(sandbox, given)
end

--- Serves until `stop` says so. Returns nil and why when it cannot listen.
---@param sandbox avito.Sandbox
---@param given? avito.sandbox.ServeOptions
---@return boolean? ok
---@return string? message
function server.serve(sandbox, given)
  given = given or {}
  words.check(given, SERVE, "serve option", 3)
  local loop = need("avito_messenger.io.loop", "apt-get install libcurl4-openssl-dev, then build again")
  local function serve()
    local self, problem = listen(sandbox, given, given.stop)
    if not self then return nil, problem end
    if given.on_ready then given.on_ready(self) end
    self:wait()
    return true
  end
  if loop.in_task() then return serve() end
  return loop.run(serve)
end

return server
