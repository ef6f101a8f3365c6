--- Which process this is, and whether another one has gone: by its id and the time it was started, for ids come again.
local process = {}

local PROC = "/proc"
local NO_SUCH = { [2] = true, [3] = true } -- ENOENT, ESRCH

-- In which of its fields stat holds when the process was started. The name before it may hold anything, brackets too.
local STARTED = "^.*%) (%a)" .. (" %S+"):rep(18) .. " (%d+)"

-- The state of a process, when it was started, in ticks, and, where that cannot be read, whether there is none of that id.
local function look(pid, proc)
  local file, _, code = io.open(("%s/%s/stat"):format(proc, pid), "rb")
  if not file then return nil, nil, NO_SUCH[code] end
  local text
  text, _, code = file:read(4096)
  file:close()
  if not text then return nil, nil, NO_SUCH[code] end
  return text:match(STARTED)
end

--- A name that no other process of this machine has, until it is started again.
---@param pid integer of this process
---@param proc? string default "/proc"
---@return string "pid:start"; "pid:?" where processes cannot be looked up, or only one's own (hidepid)
function process.name(pid, proc)
  proc = proc or PROC
  local _, started = look(pid, proc)
  return ("%d:%s"):format(pid, started and look(1, proc) and started or "?")
end

--- Is it known that the process of that name has come to its end? false also where that cannot be known.
---@param name string
---@param proc? string default "/proc"
---@return boolean
function process.gone(name, proc)
  local pid, known = name:match "^(%d+):(%d+)"
  if not pid then return false end
  local state, started, no_such = look(pid, proc or PROC)
  if not state then return no_such == true end
  return started ~= known or state == "Z" or state == "X" -- killed, and not yet asked after by its parent
end

return process
