--- One exchange of HTTP/1.1 over a socket of nginx. Nothing is ever sent twice.
local answer = require "avito_messenger.io.nginx.answer"
local clock = require "avito_messenger.clock"
local requests = require "avito_messenger.io.nginx.request"
local task = require "avito_messenger.io.nginx.task"

local ngx = rawget(_G, "ngx")

local http = {}

local PIECE = 64 * 1024

-- What is raised within an exchange: the response instead of an answer.
local Failure = {}

local function fail(x, kind, text, ...)
  error(setmetatable({ error = kind, message = text:format(...), dispatched = x.dispatched }, Failure), 0)
end

-- ---- what went wrong

local BROKEN = {
  cut = "the connection to %s broke in the middle of the answer",
  malformed = "the answer of %s is not valid HTTP",
  encoding = "the answer of %s has a broken or unknown content encoding",
  body = "the answer of %s is longer than %d bytes",
  head = "the answer of %s has more than %d bytes or 1000 lines of headers",
}

local function time_out(x)
  local host = x.target.authority
  if not x.dispatched then fail(x, "timeout", "no connection to %s within %g s", host, x.request.connect) end
  if x.received then fail(x, "timeout", "the answer of %s did not end within %g s", host, x.request.timeout) end
  fail(x, "timeout", "no answer from %s within %g s", host, x.request.timeout)
end

local function break_off(x)
  local host = x.target.authority
  if x.received then fail(x, "network", BROKEN.cut, host) end
  if not x.reused then fail(x, "network", "the connection to %s was closed before an answer came", host) end
  error(setmetatable({ error = "network", dispatched = true, stale = true,
    message = ("the kept-alive connection to %s was closed before an answer came"):format(host) }, Failure), 0)
end

local function unconnected(x, why)
  local host = x.target.authority
  if why == "timeout" then time_out(x) end
  if why:find("no resolver defined", 1, true) then
    fail(x, "network", "the name %s could not be resolved: nginx knows nobody to ask; say resolver, with the address of a "
      .. "name server, in its configuration", x.target.host)
  end
  if why:find("could not be resolved", 1, true) then
    fail(x, "network", "the name %s could not be resolved%s", x.target.host, why:match " %(.*%)$" or "")
  end
  fail(x, "network", "could not connect to %s: %s", host, why)
end

local TRUST = "; lua_ssl_trusted_certificate names the file of the authorities nginx trusts"
local DEPTH = TRUST .. ", lua_ssl_verify_depth how many may stand between"
local ADVICE = {
  ["unable to get local issuer certificate"] = DEPTH,
  ["unable to get issuer certificate"] = DEPTH,
  ["unable to verify the first certificate"] = DEPTH,
  ["self-signed certificate"] = TRUST,
  ["self-signed certificate in certificate chain"] = TRUST,
  ["certificate chain too long"] = "; raise lua_ssl_verify_depth",
}

local function insecure(x, why)
  local host = x.target.authority
  if why == "timeout" then time_out(x) end
  if why == "certificate host mismatch" then
    fail(x, "network", "the certificate of %s was not accepted: it is that of another host", host)
  end
  why = why:match "^%d+: (.*)$" or why
  if why:find("certificate", 1, true) then
    fail(x, "network", "the certificate of %s was not accepted: %s%s", host, why, ADVICE[why] or "")
  end
  fail(x, "network", "no TLS connection to %s: %s", host, why)
end

--- The response for what was raised within an exchange; what is none of its failures is raised again.
local function failure_of(x, problem)
  if getmetatable(problem) == Failure then return setmetatable(problem, nil) end
  if not answer.is_broken(problem) then error(problem, 0) end
  local bound = problem.broken == "head" and x.request.max_head or x.request.max_bytes
  return { error = problem.broken == "cut" and "network" or "decode", dispatched = true,
    message = BROKEN[problem.broken]:format(x.target.authority, bound) }
end

-- ---- files

local function open_upload(x, upload)
  local file, why = io.open(upload.path, "rb")
  if not file then fail(x, "file", "cannot read %s", why) end
  x.upload = file
  local size = file:seek "end"
  file:seek "set"
  local _, unreadable = file:read(0) -- of a directory
  if not size or unreadable then fail(x, "file", "cannot read %s: it is not a regular file", upload.path) end
  if size < upload.size then fail(x, "file", "cannot read %s: the file has become shorter", upload.path) end
end

local function open_output(x, path)
  local file, why = io.open(path, "wb")
  if not file then fail(x, "file", "cannot write %s", why) end
  x.output = file
end

local function close_files(x)
  if x.upload then x.upload:close() end
  local written, why = true, nil
  if x.output then written, why = x.output:close() end
  x.upload, x.output = nil, nil
  return written, why
end

-- ---- the connection

--- Gives the next operation the time that is left until then.
local function allow(x, ends)
  local left = ends - clock.now()
  if left <= 0 then time_out(x) end
  local milliseconds = math.ceil(left * 1000)
  x.socket:settimeouts(milliseconds, milliseconds, milliseconds)
  return left
end

--- nginx asks for a name as long as its resolver_timeout says: a thread of its own does, which can be given up.
local function connect_by_name(x, ends, given)
  local done, ok, why
  local waiter = task.waiter(nil)
  local thread = ngx.thread.spawn(function()
    ok, why = x.socket:connect(x.target.address, x.target.port, given)
    done = true
    task.wake(waiter)
  end)
  while not done and clock.now() < ends do waiter.semaphore:wait(math.max(ends - clock.now(), 0.001)) end
  if done then
    ngx.thread.wait(thread)
  else
    ngx.thread.kill(thread)
    why = "timeout"
  end
  return ok, why
end

--- Returns what is wrong. Where a handshake ends at once and the certificate is refused, resty.core raises instead of saying why,
--- and with false for a session it even calls that a success.
local function shake_hands(socket, host)
  local ok, session, why = pcall(socket.sslhandshake, socket, nil, host, true)
  if ok then return why end
  if not tostring(session):find("assertion failed", 1, true) then error(session, 0) end
  local reason = require "resty.core.base".get_errmsg_ptr()[0]
  return reason ~= nil and require "ffi".string(reason) or "certificate not accepted"
end

local function connect(x)
  local target = x.target
  local ends = math.min(clock.now() + x.request.connect, x.ends)
  x.socket = ngx.socket.tcp()
  allow(x, ends)
  -- Of its own, so that no connection is among them that somebody else has not verified.
  local given = { pool = ("avito:%s:%s:%d"):format(target.scheme, target.host, target.port) }
  local ok, why
  if target.is_name then
    ok, why = connect_by_name(x, ends, given)
  else
    ok, why = x.socket:connect(target.address, target.port, given)
  end
  if not ok then unconnected(x, why) end
  x.reused = x.socket:getreusedtimes() > 0
  if target.scheme ~= "https" then return end
  allow(x, ends)
  why = shake_hands(x.socket, target.host)
  if why then insecure(x, why) end
end

--- Once a server takes no more, it may have answered all the same.
local function send(x, data)
  if x.refused or #data == 0 then return end
  allow(x, x.ends)
  x.dispatched = true
  local sent, why = x.socket:send(data)
  if sent then return end
  if why == "timeout" then time_out(x) end
  x.refused = true
end

local function send_file(x, upload)
  send(x, upload.head)
  local left = upload.size
  while left > 0 and not x.refused do
    local piece, why = x.upload:read(math.min(left, PIECE))
    if not piece then
      fail(x, "file", "cannot read %s: %s", upload.path, why or "the file has become shorter")
    end
    left = left - #piece
    send(x, piece)
  end
  send(x, upload.tail)
end

local function send_request(x)
  local request = x.request
  local head, body = requests.head(request, x.target), request.body or ""
  if request.upload then
    send(x, head)
    return send_file(x, request.upload)
  end
  send(x, { head, body:sub(1, PIECE) })
  for at = PIECE + 1, #body, PIECE do send(x, body:sub(at, at + PIECE - 1)) end
end

--- The next bytes of the answer, or nil at the end of the connection.
local function receive(x)
  while true do
    allow(x, x.ends)
    local data, why = x.socket:receiveany(PIECE)
    if data then
      x.received = true
      return data
    end
    if why == "closed" and x.received then return nil end
    if why ~= "timeout" then break_off(x) end
  end
end

-- ---- all of it

local function exchange(x)
  local request = x.request
  local why
  x.target, why = requests.target(request.url)
  if not x.target then fail(x, "network", "%s", why) end
  if request.upload then open_upload(x, request.upload) end -- first: no file is emptied for a request that cannot be made
  if request.output then open_output(x, request.output) end
  connect(x)
  send_request(x)
  local response, keep = answer.read(function() return receive(x) end, request.max_head, request.max_bytes,
    request.output and function(piece)
      local written, problem = x.output:write(piece)
      if not written then fail(x, "file", "cannot write %s: %s", request.output, problem) end
    end)
  local closed
  closed, why = close_files(x)
  if response.bytes and not closed then fail(x, "file", "cannot write %s: %s", request.output, why) end
  return response, keep and not x.refused
end

--- Performs a request. Raises for misuse.
---@param given avito.Request
---@param idle number seconds for which the connection is kept
---@param pool_size integer how many are kept for its host
---@return avito.Response
function http.perform(given, idle, pool_size)
  local request = requests.read(given)
  local x = { request = request, ends = clock.now() + request.timeout, dispatched = false }
  local ok, response, keep = pcall(exchange, x)
  close_files(x)
  if x.socket then
    if ok and keep then x.socket:setkeepalive(idle * 1000, pool_size) else x.socket:close() end
  end
  if ok then return response end
  return failure_of(x, response)
end

return http
