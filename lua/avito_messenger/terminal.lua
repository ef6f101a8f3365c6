--- Whether the program writes to a terminal, and how wide it is.
local terminal = {}

local known

--- Does the program write to a terminal?
local function is_there()
  if known == nil then
    local status = os.execute "test -t 1"
    known = status == true or status == 0
  end
  return known
end

--- Colour where somebody looks at it and does not refuse it (https://no-color.org).
---@return boolean
function terminal.colour()
  if (os.getenv "NO_COLOR" or "") ~= "" then return false end
  local term = os.getenv "TERM"
  return term ~= nil and term ~= "dumb" and is_there()
end

--- Columns of the terminal; what COLUMNS says where it is set, and 100 where there is no terminal.
---@return integer
function terminal.width()
  local columns = tonumber(os.getenv "COLUMNS" or "")
  if not columns and is_there() then
    local pipe = io.popen "stty size 2>/dev/null </dev/tty"
    columns = pipe and tonumber((pipe:read "*a" or ""):match "%d+ (%d+)")
    if pipe then pipe:close() end
  end
  return columns and columns >= 40 and math.floor(columns) or 100
end

return terminal
