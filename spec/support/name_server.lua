--- For specs: a name server on a free port of loopback. Names that end in .test are 127.0.0.1, others do not exist, and nobody
--- hears of names that end in .silent.
local process = require "spec_support.process"
local raw_server = require "support.raw_server"

local name_server = {}

local PROGRAM = [[
  local socket = require "socket"
  local udp = assert(socket.udp())
  assert(udp:setsockname("127.0.0.1", 0))
  print((select(2, udp:getsockname())))
  io.stdout:flush()
  while true do
    local query, host, port = udp:receivefrom()
    local question = query:match "^............(.-%z....)"
    local name = question:match "^(.-)%z"
    if not name:find "\6silent$" then
      local found = name:find "\4test$" and question:sub(-3, -3) == "\1"
      local answer = found and "\192\12\0\1\0\1\0\0\0\60\0\4\127\0\0\1" or ""
      local flags = name:find "\4test$" and "\129\128" or "\129\131"
      udp:sendto(query:sub(1, 2) .. flags .. "\0\1\0" .. (found and "\1" or "\0") .. "\0\0\0\0" .. question .. answer, host, port)
    end
  end
]]

---@return { port: integer, stop: fun() }
function name_server.start()
  local child = process.spawn({ raw_server.interpreter(), "-e", PROGRAM }, { stdout = "pipe" })
  local port = assert(tonumber((child:read_line())), "the name server did not start")
  return { port = port, stop = function() child:close() end }
end

return name_server
