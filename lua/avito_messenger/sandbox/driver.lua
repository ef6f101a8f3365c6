--- The driver interface of a client, over a sandbox in the same process. Time is virtual: sleeping and
--- waiting move a clock, so that a day of chats takes milliseconds.
local words = require "avito_messenger.words"

---@class avito.sandbox.Driver
local Driver = {}
Driver.__index = Driver
Driver.__name = "avito.sandbox.Driver"

local driver = {}
local OPTIONS = { webhook = true, now = true }

-- Both marketplaces are content with it.
local TAKEN = '{"version":"1","name":"nobody","time":"2026-01-01T00:00:00Z"}'

--- `webhook(delivery)` receives the deliveries that fall due and returns `{ status = 200 }`, and its `body` where the
--- marketplace wants one.
---@param sandbox avito.Sandbox
---@param given? { now?: number, webhook?: function }
---@return avito.sandbox.Driver
function driver.new(sandbox, given)
  given = given or {}
  words.check(given, OPTIONS, "driver option", 3)
  return setmetatable({ sandbox = sandbox, unix = given.now or sandbox.real_now, elapsed = 0,
    webhook = given.webhook or function() return { status = 200, body = TAKEN } end }, Driver)
end

--- Monotonic seconds.
---@return number
function Driver:now()
  return self.elapsed
end

--- Unix seconds.
---@return number
function Driver:time()
  return self.unix + self.elapsed
end

-- Moves the clock to `elapsed`, and does on the way what falls due.
local function move(self, elapsed)
  local target = math.max(self.elapsed, elapsed)
  while true do
    local at = self.sandbox:next_due()
    if not at or at - self.unix > target then break end
    self.elapsed = math.max(self.elapsed, at - self.unix)
    for _, delivery in ipairs(self.sandbox:due(self:time())) do
      self.sandbox:delivered(delivery.id, self.webhook(delivery), self:time())
    end
  end
  self.elapsed = target
  self.sandbox:see(self:time())
end

---@param seconds number
function Driver:sleep(seconds)
  move(self, self.elapsed + math.max(0, seconds))
end

local function headers_of(request, host)
  local headers = { host = host }
  for _, line in ipairs(request.headers or {}) do
    local name, value = line:match("^([^:]+):%s*(.-)%s*$")
    if name then headers[name:lower()] = value end
  end
  return headers
end

local REASONS = { [200] = "OK", [302] = "Found", [400] = "Bad Request", [401] = "Unauthorized", [403] = "Forbidden",
  [404] = "Not Found", [420] = "Enhance Your Calm", [423] = "Locked", [429] = "Too Many Requests",
  [500] = "Internal Server Error", [502] = "Bad Gateway", [503] = "Service Unavailable" }

local function head_of(response)
  local lines = {}
  for name, value in pairs(response.headers) do lines[#lines + 1] = name .. ": " .. value .. "\r\n" end
  table.sort(lines)
  return ("HTTP/1.1 %d %s\r\n%sContent-Length: %d\r\n\r\n"):format(response.status, REASONS[response.status] or "",
    table.concat(lines), #response.body)
end

local function failure(kind, message)
  return { error = kind, message = message, dispatched = true }
end

-- Seconds until the whole answer is there, or nil when it never comes.
local function duration(response)
  local fault = response.fault or {}
  if fault.kind == "hang" then return nil end
  local seconds = response.delay or 0
  if fault.kind == "drip" then seconds = seconds + fault.seconds * #response.body end
  return seconds
end

--- The body of a request; nil and a message when it is a file that cannot be read.
local function body_of(request)
  local upload = request.upload
  if not upload then return request.body or "" end
  local file, message = io.open(upload.path, "rb")
  if not file then return nil, message end
  local data
  data, message = file:read(upload.size)
  file:close()
  if upload.size == 0 then data = "" end
  if not data or #data < upload.size then
    return nil, ("%s: %s"):format(upload.path, message or "the file has become shorter")
  end
  return (upload.head or "") .. data .. (upload.tail or "")
end

local function file_failure(what, message, dispatched)
  return { error = "file", message = ("cannot %s %s"):format(what, message), dispatched = dispatched }
end

--- Puts the answer's body where the request wants it.
local function deliver(path, output, answer)
  if not output or answer.error or answer.status < 200 or answer.status > 299 then return answer end
  local ok, message = output:write(answer.body)
  if ok then ok, message = output:flush() end
  if not ok then return file_failure("write", ("%s: %s"):format(path, message), true) end
  answer.bytes, answer.body = #answer.body, ""
  return answer
end

local function outcome(request, response)
  local fault = response.fault and response.fault.kind
  if fault == "close" then return failure("network", "the server closed the connection without an answer") end
  if fault == "cut" then return failure("network", "the connection ended before the whole answer came") end
  local head = head_of(response)
  if request.max_head_bytes and #head > request.max_head_bytes then
    return failure("decode", "the answer's head is over the limit")
  end
  if request.max_bytes and #response.body > request.max_bytes then
    return failure("decode", "the answer is over the limit")
  end
  return { status = response.status, head = head, body = response.body }
end

--- Gives the sandbox a request; what comes of it, as a transport would report it.
local function exchange(self, request, body)
  local origin, path = request.url:match("^(%a+://[^/?#]+)(.*)$")
  if not origin then return { error = "network", message = "no such address", dispatched = false } end
  if path:sub(1, 1) ~= "/" then path = "/" .. path end
  local response = self.sandbox:handle({ method = request.method, path = path, origin = origin,
    headers = headers_of(request, origin:match("//(.*)$")), body = body }, self:time())
  if response.probe then
    local result = self.webhook(response.probe)
    response = self.sandbox:delivered(response.probe.id, result, self:time())
  end
  local seconds = duration(response)
  if not seconds or (request.timeout and seconds > request.timeout) then
    move(self, self.elapsed + (request.timeout or 0))
    return failure("timeout", "no whole answer came in time")
  end
  move(self, self.elapsed + seconds)
  return outcome(request, response)
end

--- Performs a request.
---@param request table
---@return table response
function Driver:perform(request)
  if self.closed then return { error = "cancelled", message = "the driver is closed", dispatched = false } end
  local body, message = body_of(request)
  if not body then return file_failure("read", message, false) end
  local output
  if request.output then
    output, message = io.open(request.output, "wb")
    if not output then return file_failure("write", message, false) end
  end
  local answer = deliver(request.output, output, exchange(self, request, body))
  if output then output:close() end
  return answer
end

function Driver:close()
  self.closed = true
end

return driver
