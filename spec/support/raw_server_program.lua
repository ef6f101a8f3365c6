-- A server that does on purpose what servers should not: lua raw_server_program.lua [CERTIFICATE KEY]
--
-- Prints the port it serves and a control port, both on 127.0.0.1. The path of a request picks a behaviour of
-- the table below. The control port takes one line: "requests" answers and forgets what was seen,
-- "deaf" stops listening for new connections, "release" lets go of those who asked for /hold.
local socket = require "socket"
local ssl = arg[1] and require "ssl"

local context = ssl and assert(ssl.newcontext {
  mode = "server", protocol = "any", certificate = arg[1], key = arg[2], options = { "no_sslv3" },
})

local listener = assert(socket.bind("127.0.0.1", 0))
local control = assert(socket.bind("127.0.0.1", 0))
local seen, tasks, released, connections = {}, {}, 0, 0

-- ---- a connection: coroutines wait with "read", "write" or "tick" ----

local Connection = {}
Connection.__index = Connection

local function wait_for(problem)
  if problem == "wantwrite" or problem == "write" then
    coroutine.yield("write")
  elseif problem == "wantread" or problem == "timeout" then
    coroutine.yield("read")
  else
    error({ closed = true })
  end
end

function Connection:fill()
  while true do
    local data, problem, partial = self.socket:receive(65536)
    data = data or partial
    if data and #data > 0 then
      self.buffer = self.buffer .. data
      return
    end
    wait_for(problem)
  end
end

function Connection:line()
  while true do
    local line, rest = self.buffer:match("^(.-)\r?\n(.*)$")
    if line then
      self.buffer = rest
      return line
    end
    self:fill()
  end
end

function Connection:bytes(count)
  local pieces = { self.buffer }
  local length = #self.buffer
  while length < count do
    self.buffer = ""
    self:fill()
    pieces[#pieces + 1] = self.buffer
    length = length + #self.buffer
  end
  local data = table.concat(pieces)
  self.buffer = data:sub(count + 1)
  return data:sub(1, count)
end

function Connection:send(data)
  local first = 1
  while first <= #data do
    local sent, problem, partial = self.socket:send(data, first)
    first = (sent or partial or first - 1) + 1
    if not sent then
      wait_for(problem == "timeout" and "write" or problem)
    end
  end
end

function Connection:answer(body, head)
  self:send(("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n%s\r\n%s"):format(#body, head or "", body))
end

function Connection:forever(make)
  while true do
    self:send(make())
  end
end

function Connection:chunked(body, head)
  self:send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n" .. (head or "") .. "\r\n" .. body)
end

local function chunk(data)
  return ("%x\r\n%s\r\n"):format(#data, data)
end

-- ---- content encodings ----

local function gzip(command)
  local pipe = assert(io.popen(command .. " | gzip -9 -n -c"))
  local data = pipe:read("*a")
  pipe:close()
  return data
end

local hello = gzip("printf 'hello, hello, hello'")
local bomb

-- ---- behaviours; a true result closes the connection ----

local behaviours = {}

function behaviours.ok(c) c:answer("ok") end
function behaviours.text(c) c:answer("ok", "Content-Type: text/plain\r\n") end
function behaviours.echo(c, request) c:answer(request.head .. "\n" .. request.body) end
function behaviours.close(c) c:answer("ok", "Connection: close\r\n") return true end
function behaviours.empty(c) c:send("HTTP/1.1 204 No Content\r\n\r\n") end
function behaviours.missing(c) c:send("HTTP/1.1 404 Not Found\r\nContent-Length: 7\r\n\r\nnothing") end
function behaviours.length(c, request) c:answer(tostring(#request.body)) end
function behaviours.redirect(c)
  c:send("HTTP/1.1 302 Found\r\nLocation: /ok\r\nContent-Length: 0\r\n\r\n")
end

-- whatever the request holds
function behaviours.raw(c, request) c:send(request.body) end
function behaviours.raw_close(c, request) c:send(request.body) return true end

-- death before an answer
function behaviours.die() return true end
function behaviours.reset(c)
  c.socket:setoption("linger", { on = true, timeout = 0 })
  return true
end
function behaviours.die_deaf()
  listener:close()
  return true
end

-- slowness
function behaviours.silent() coroutine.yield("tick", math.huge) end
function behaviours.drip(c)
  c:send("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
  while true do
    c:send("x")
    coroutine.yield("tick", 0.02)
  end
end
function behaviours.drip_head(c)
  c:send("HTTP/1.1 200 OK\r\nX: ")
  while true do
    c:send("x")
    coroutine.yield("tick", 0.02)
  end
end
function behaviours.half(c) -- and the rest never
  c:send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
  coroutine.yield("tick", math.huge)
end
function behaviours.hold(c)
  local turn = released
  while released == turn do
    coroutine.yield("tick", 0.005)
  end
  c:answer("held", "Content-Type: text/plain\r\n")
end

-- size
function behaviours.endless(c)
  c:chunked("")
  c:forever(function() return chunk(("x"):rep(16384)) end)
end
function behaviours.endless_close(c)
  c:send("HTTP/1.1 200 OK\r\n\r\n")
  c:forever(function() return ("x"):rep(16384) end)
end
function behaviours.exact(c) c:answer(("x"):rep(1000)) end
function behaviours.large(c) c:answer(("0123456789"):rep(30000)) end
function behaviours.huge(c)
  local piece = ("0123456789abcdef"):rep(4096)
  c:send(("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"):format(60 * 16 * #piece))
  for _ = 1, 60 * 16 do c:send(piece) end
end
function behaviours.endless_head(c)
  c:send("HTTP/1.1 200 OK\r\n")
  c:forever(function() return "X-Filler: " .. ("x"):rep(1000) .. "\r\n" end)
end
function behaviours.endless_line(c)
  c:send("HTTP/1.1 200 OK\r\nX: ")
  c:forever(function() return ("x"):rep(16384) end)
end
function behaviours.many_headers(c)
  c:send("HTTP/1.1 200 OK\r\n" .. ("a:\r\n"):rep(10000) .. "Content-Length: 2\r\n\r\nok")
end
function behaviours.endless_100(c)
  c:forever(function() return "HTTP/1.1 100 Continue\r\n\r\n" end)
end
function behaviours.endless_trailers(c)
  c:chunked("2\r\nok\r\n0\r\n", "Trailer: X\r\n")
  c:forever(function() return "X: y\r\n" end)
end
function behaviours.trailer(c) c:chunked("2\r\nok\r\n0\r\nX-Late: 1\r\n\r\n", "Trailer: X-Late\r\n") end
function behaviours.trailer_status(c) c:chunked("2\r\nok\r\n0\r\nHTTP/1.1 500: no\r\n\r\n") end
function behaviours.early(c)
  c:send("HTTP/1.1 103 Early Hints\r\nX-Early: 1\r\n\r\n")
  c:answer("ok", "X-Final: 1\r\n")
end

-- JSON
function behaviours.deep(c) c:answer(("["):rep(1000000)) end
function behaviours.bad_utf8(c) c:answer('{"id":"\255\254"}') end
function behaviours.infinite(c) c:answer('{"id":1e999}') end

-- encodings
function behaviours.gzip(c) c:answer(hello, "Content-Encoding: gzip\r\n") end
function behaviours.bomb(c)
  bomb = bomb or gzip("head -c 200000000 /dev/zero")
  c:answer(bomb, "Content-Encoding: gzip\r\n")
end
function behaviours.bad_gzip(c) c:answer("this is no gzip at all", "Content-Encoding: gzip\r\n") end
function behaviours.cut_gzip(c) c:answer(hello:sub(1, -12), "Content-Encoding: gzip\r\n") end
function behaviours.unknown_encoding(c) c:answer("x", "Content-Encoding: rot13\r\n") end

-- framing
function behaviours.cut(c) c:send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf.") return true end
function behaviours.cut_chunk(c) c:chunked("a\r\nhalf.") return true end
function behaviours.cut_last_chunk(c) c:chunked("2\r\nok\r\n") return true end
function behaviours.cut_head(c) c:send("HTTP/1.1 200 OK\r\nX: y") return true end
function behaviours.bad_chunk(c) c:chunked("zz\r\nok\r\n0\r\n\r\n") end
function behaviours.bad_length(c) c:send("HTTP/1.1 200 OK\r\nContent-Length: 1x\r\n\r\nok") return true end
function behaviours.two_lengths(c)
  c:send("HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\nok")
  return true
end
function behaviours.bad_status(c) c:send("HTTP/1.1 abc OK\r\n\r\n") return true end
function behaviours.nul_header(c) c:answer("ok", "X: a\0b\r\n") end
function behaviours.http09(c) c:send("<html>hello</html>") return true end
function behaviours.not_http(c) c:send("220 smtp.test ESMTP\r\n") return true end

-- ---- as a proxy ----

local function pass_on(from, to)
  local data, problem, partial = from:receive(65536)
  data = data or partial or ""
  if #data > 0 then
    to:settimeout(5)
    assert(to:send(data))
    to:settimeout(0)
  end
  return problem ~= "closed"
end

local function tunnel(c, host, port)
  if host ~= "127.0.0.1" then
    c:send("HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
    return
  end
  local far = assert(socket.connect(host, port))
  far:settimeout(0)
  c:send("HTTP/1.1 200 Connection established\r\nX-Proxy: 1\r\n\r\n")
  while pass_on(c.socket, far) and pass_on(far, c.socket) do
    coroutine.yield("tick", 0.002)
  end
  far:close()
  error({ closed = true })
end

-- ---- HTTP ----

local TLS_HANDSHAKE = "\22"

local function read_request(c)
  if c.buffer == "" then c:fill() end
  if c.buffer:sub(1, 1) == TLS_HANDSHAKE then -- https to a plain server: say nothing
    coroutine.yield("tick", math.huge)
  end
  local lines, length = {}, 0
  repeat
    local line = c:line()
    lines[#lines + 1] = line
    length = tonumber(line:match("^[Cc]ontent%-[Ll]ength:%s*(%d+)")) or length
  until line == ""
  local method, target = lines[1]:match("^(%S+) (%S+)")
  return { method = method, target = target, head = table.concat(lines, "\n"), body = c:bytes(length) }
end

local function serve(c)
  if ssl then
    c.socket = assert(ssl.wrap(c.socket, context))
    c.socket:settimeout(0)
    while true do
      local done, problem = c.socket:dohandshake()
      if done then break end
      wait_for(problem)
    end
  end
  repeat
    local request = read_request(c)
    seen[#seen + 1] = ("%d %s %s %d"):format(c.number, request.method, request.target, #request.body)
    if request.method == "CONNECT" then
      tunnel(c, request.target:match("^(.*):(%d+)$"))
    end
    local behaviour = behaviours[(request.target:match("^/([%w_]*)"))] or behaviours.echo
  until behaviour(c, request)
end

local function open(client)
  connections = connections + 1
  client:settimeout(0)
  local c = setmetatable({ socket = client, raw = client, buffer = "", number = connections }, Connection)
  tasks[c] = { routine = coroutine.create(serve), wants = "read" }
end

local function resume(c, task)
  local ok, wants, seconds = coroutine.resume(task.routine, c)
  if ok and coroutine.status(task.routine) ~= "dead" then
    task.wants = wants
    task.at = wants == "tick" and socket.gettime() + seconds
    return
  end
  if not ok and type(wants) ~= "table" then
    io.stderr:write("raw server: ", tostring(wants), "\n")
  end
  tasks[c] = nil
  c.socket:close()
end

local function obey(client)
  client:settimeout(5)
  local command = client:receive("*l")
  if command == "requests" then
    client:send(table.concat(seen, "\n") .. "\n")
    seen = {}
  elseif command == "deaf" then
    listener:close()
  elseif command == "release" then
    released = released + 1
  end
  client:send("done\n")
  client:close()
end

local function listening()
  return listener:getsockname() ~= nil
end

io.stdout:write(select(2, listener:getsockname()), "\n", select(2, control:getsockname()), "\n")
io.stdout:flush()

while true do
  local reading, writing, owner, timeout = { control }, {}, {}, 60
  if listening() then
    reading[2] = listener
  end
  for c, task in pairs(tasks) do
    if task.wants == "tick" then
      timeout = math.min(timeout, math.max(0, task.at - socket.gettime()))
    else
      local list = task.wants == "write" and writing or reading
      list[#list + 1] = c.socket
      owner[c.socket] = c
    end
  end
  local readable, writable = socket.select(reading, writing, timeout)
  local ready = {}
  for _, list in ipairs { readable, writable } do
    for _, one in ipairs(list) do
      if one == control then
        obey(control:accept())
      elseif one == listener then
        local client = listening() and listener:accept()
        if client then open(client) end
      elseif owner[one] then
        ready[#ready + 1] = owner[one]
      end
    end
  end
  for c, task in pairs(tasks) do
    if task.wants == "tick" and task.at <= socket.gettime() then
      ready[#ready + 1] = c
    end
  end
  for _, c in ipairs(ready) do
    if tasks[c] then resume(c, tasks[c]) end
  end
end
