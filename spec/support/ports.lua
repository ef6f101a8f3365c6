--- For specs: a port that a program is to listen on again and again.
local httpd = require "avito_messenger.httpd"
local Random = require "avito_messenger.sandbox.random"

local ports = {}

local FIRST, COUNT = 12000, 16000

--- A port that nobody has, and that the system gives to nobody who only connects: while nobody listens, connections to one of
--- those would sooner or later be given the very same port, and be connected to themselves.
---@param word string what nobody else has, such as the name of a temporary file: it decides where the search begins
---@return integer
function ports.free(word)
  local sum = 0
  for i = 1, #word do sum = (sum * 31 + word:byte(i)) % 2 ^ 30 end
  local random = Random.new(sum)
  for _ = 1, 100 do
    local port = FIRST + random:pick(COUNT)
    local listener = httpd.listen { host = "127.0.0.1", port = port }
    if listener then
      listener:close()
      return port
    end
  end
  error "no free port was found"
end

return ports
