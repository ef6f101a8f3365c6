--- A sandbox behind real HTTP, on loopback: the listener and the webhook deliveries in one loop, so that
--- neither waits for the other.
local codec = require "avito_messenger.sandbox.codec"
local words = require "avito_messenger.words"

local server = {}

---@class avito.sandbox.ServeOptions
---@field host? string a loopback address ("127.0.0.1")
---@field port? integer 0 takes any free one (8077)
---@field on_ready? fun(address: { host: string, port: integer, url: string })
---@field on_request? fun(entry: table, response: table, request: table) after each request, for a log
---@field stop? fun(): any asked at each turn of the loop; anything true ends it
---@field fds? integer[] descriptors that end a wait, so that `stop` is asked

local OPTIONS = { host = true, port = true, on_ready = true, on_request = true, stop = true, fds = true }

local MAX_BODY = 25 * 1024 * 1024 -- an image of 24 MB and its envelope
local HANG = 300
-- Without descriptors of its own, a stop function is asked this often.
local TURN = 0.25

local Loop = {}
Loop.__index = Loop

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

function Loop:finish(request, response)
  local delay = response.delay or 0
  if response.fault and response.fault.kind == "hang" then delay = delay + HANG end
  if delay <= 0 then return send(request, response) end
  table.insert(self.delayed, { at = self.curl.now() + delay, request = request, response = response })
end

local function broken(problem)
  return { status = 500, headers = { ["Content-Type"] = "text/plain; charset=utf-8" },
    body = "the sandbox itself failed, please report this:\n" .. tostring(problem) .. "\n" }
end

function Loop:deliver(delivery, request)
  local headers = {}
  for name, value in pairs(delivery.headers) do headers[#headers + 1] = name .. ": " .. value end
  local ok, id = pcall(self.multi.add, self.multi, { method = "POST", url = delivery.url, headers = headers,
    body = delivery.body, timeout = delivery.timeout, connect_timeout = delivery.timeout, max_bytes = 65536,
    max_head_bytes = 65536, purpose = "call" })
  if ok and id then
    self.flying[id] = { delivery = delivery.id, request = request }
  else
    self:landed({ delivery = delivery.id, request = request }, { error = "network", message = tostring(id) })
  end
end

-- A delivery or a probe is through.
function Loop:landed(flight, result)
  local response = self.sandbox:delivered(flight.delivery, { status = result.status, error = result.message or
    result.error }, self.curl.time())
  if flight.request and response then self:finish(flight.request, response) end
end

function Loop:answer(request)
  local sandbox = self.sandbox
  local ok, response = xpcall(function() return sandbox:handle(request, self.curl.time()) end, debug.traceback)
  if not ok then response = broken(response) end
  if self.on_request and not codec.split(request.path):find("^/sandbox") then
    self.on_request(sandbox.requests[#sandbox.requests] or {}, response, request)
  end
  if response.probe then return self:deliver(response.probe, request) end
  self:finish(request, response)
end

-- Sends the answers whose time has come.
function Loop:release()
  local now, later = self.curl.now(), {}
  for _, one in ipairs(self.delayed) do
    if one.at <= now then send(one.request, one.response) else later[#later + 1] = one end
  end
  self.delayed = later
end

function Loop:patience()
  local seconds = self.stop and not self.fds[2] and TURN or 60
  local function bound(value)
    if value and value < seconds then seconds = math.max(0, value) end
  end
  bound(self.listener:timeout())
  local due = self.sandbox:next_due()
  bound(due and due - self.curl.time())
  for _, one in ipairs(self.delayed) do bound(one.at - self.curl.now()) end
  return seconds
end

function Loop:run()
  while not (self.stop and self.stop()) do
    for _, finished in ipairs(self.multi:step(self:patience(), self.fds)) do
      local flight = self.flying[finished.id]
      self.flying[finished.id] = nil
      if flight then self:landed(flight, finished.response) end
    end
    for _, request in ipairs(self.listener:accept()) do self:answer(request) end
    for _, delivery in ipairs(self.sandbox:due(self.curl.time())) do self:deliver(delivery) end
    self:release()
  end
end

--- Serves until `stop` says so. Returns nil and why when it cannot listen.
---@param sandbox avito.Sandbox
---@param given? avito.sandbox.ServeOptions
---@return boolean? ok
---@return string? message
function server.serve(sandbox, given)
  given = given or {}
  words.check(given, OPTIONS, "serve option", 3)
  local host = given.host or "127.0.0.1"
  if host == "localhost" then host = "127.0.0.1" end
  if not is_loopback(host) then
    return nil, ("the sandbox listens on loopback only, not on '%s': it has no secrets worth keeping and no limits " ..
      "worth trusting"):format(host)
  end
  local httpd = need("avito_messenger.httpd", "apt-get install libmicrohttpd-dev, then build again")
  local curl = need("avito_messenger.curl", "apt-get install libcurl4-openssl-dev, then build again")
  local listener, problem = httpd.listen { host = host, port = given.port or 8077, max_body = MAX_BODY,
    max_head = 64 * 1024, timeout = 60, max_connections = 1024 }
  if not listener then return nil, problem end
  local fds = { { fd = listener:fd(), read = true } }
  for _, fd in ipairs(given.fds or {}) do fds[#fds + 1] = { fd = fd, read = true } end
  local loop = setmetatable({ sandbox = sandbox, listener = listener, curl = curl, multi = curl.multi {}, fds = fds,
    stop = given.stop, on_request = given.on_request, delayed = {}, flying = {} }, Loop)
  sandbox:see(curl.time())
  local url_host = host:find(":", 1, true) and "[" .. host .. "]" or host
  if given.on_ready then
    given.on_ready { host = host, port = listener:port(), url = ("http://%s:%d"):format(url_host, listener:port()) }
  end
  local ok, failure = xpcall(loop.run, debug.traceback, loop)
  listener:close()
  loop.multi:close()
  if not ok then error(failure, 0) end
  return true
end

return server
