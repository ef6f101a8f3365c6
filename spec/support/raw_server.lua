-- Starts the hostile server of raw_server_program.lua as a process of its own, and asks it what it saw.
local process = require "spec_support.process"
local socket = require "socket"

local raw_server = {}

local Server = {}
Server.__index = Server

--- The command that runs Lua like this process does: sanitized, when it is.
---@return string
function raw_server.lua()
  return os.getenv("AVITO_LUA") or (_VERSION == "Lua 5.4" and "lua5.4" or "luajit")
end

--- The interpreter itself, for programs that load none of our modules.
---@return string
function raw_server.interpreter()
  return os.getenv("AVITO_STOCK_LUA") or raw_server.lua()
end

-- What tools/lua-sanitized loads before the interpreter; it lets no child inherit it.
local function sanitizer()
  if not os.getenv("AVITO_SANITIZED") then return "" end
  local library = os.getenv("AVITO_LIBASAN")
  if not library then
    local pipe = assert(io.popen("gcc -print-file-name=libasan.so"))
    library = pipe:read("*l")
    pipe:close()
  end
  return library .. " " .. os.getenv("AVITO_BUILD") .. "/sanitized/preload.so "
end

--- Starts a server on a free port of 127.0.0.1. The child dies with the spec.
---@param tls? { certificate: string, key: string } paths; without it the server speaks plain HTTP
function raw_server.start(tls)
  local argv = { raw_server.interpreter(), "spec/support/raw_server_program.lua" }
  if tls then
    argv[3], argv[4] = tls.certificate, tls.key
  end
  local child = process.spawn(argv, { stdout = "pipe" })
  local port = assert(tonumber((child:read_line())), "the raw server did not start")
  local control = assert(tonumber((child:read_line())), "the raw server did not start")
  return setmetatable({
    child = child,
    port = port,
    control = control,
    url = (tls and "https" or "http") .. "://127.0.0.1:" .. port,
  }, Server)
end

--- A request for `path`, with any field given by `fields` instead.
---@param path string
---@param fields? table
---@return avito.Request
function Server:request(path, fields)
  local request = {
    method = "GET", url = self.url .. path, headers = {}, timeout = 10, connect_timeout = 10,
    max_bytes = 1000000, max_head_bytes = 65536,
  }
  for name, value in pairs(fields or {}) do
    request[name] = value
  end
  return request
end

--- Tells the server something over its control port (plain lines, see the program).
---@param command string
---@return string[] lines of the answer
function Server:tell(command)
  local control = assert(socket.connect("127.0.0.1", self.control))
  control:settimeout(10)
  assert(control:send(command .. "\n"))
  local text = assert(control:receive("*a"))
  control:close()
  local lines = {}
  for line in text:gmatch("[^\n]+") do
    lines[#lines + 1] = line
  end
  assert(table.remove(lines) == "done")
  return lines
end

--- The requests since the last call: "CONNECTION METHOD TARGET BODY-LENGTH".
---@return string[]
function Server:requests()
  return self:tell("requests")
end

local function find_module(name)
  for template in package.cpath:gmatch("[^;]+") do
    local path = template:gsub("%?", name)
    local file = io.open(path)
    if file then
      file:close()
      return path
    end
  end
end

--- Runs `script` in an interpreter of its own with spec_support.interpose loaded before all else.
---@param script string Lua
---@param env? table<string, string>
---@return string output, string how "exit" or "signal", integer number
function raw_server.interposed(script, env)
  local preload = assert(find_module("spec_support/interpose"))
  local variables = { LD_PRELOAD = sanitizer() .. preload }
  for name, value in pairs(env or {}) do
    variables[name] = value
  end
  local child = process.spawn({ raw_server.interpreter(), "-e", script },
    { env = variables, stdout = "pipe", stderr = "pipe" })
  local output = assert(child:read_all(15))
  return output, child:wait()
end

function Server:stop()
  self.child:close()
end

return raw_server
