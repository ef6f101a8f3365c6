--- For specs of bots that run in the loop, as a program does.
local httpd = require "avito_messenger.httpd"
local loop = require "avito_messenger.io.loop"

local programs = {}

local LONGEST = 20 -- seconds

--- Waits in the loop until the condition holds.
---@param condition fun(): any
function programs.wait_for(condition)
  local ends = os.time() + LONGEST
  while not condition() do
    if os.time() > ends then error("it did not happen", 2) end
    loop.sleep(0.005)
  end
end

--- The first note of a kind.
---@param notes table[]
---@param kind string
---@return table?
function programs.told(notes, kind)
  for _, note in ipairs(notes) do
    if note.kind == kind then return note end
  end
end

--- A port that nobody listens on.
---@return integer
function programs.free_port()
  local listener = assert(httpd.listen {})
  local port = listener:port()
  listener:close()
  return port
end

return programs
