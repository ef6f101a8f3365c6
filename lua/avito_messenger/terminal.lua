--- Whether the program writes to a terminal, and how wide it is.
local terminal = {}

local known

--- Colour where somebody looks at it and does not refuse it (https://no-color.org).
---@return boolean
function terminal.colour()
  if (os.getenv "NO_COLOR" or "") ~= "" then return false end
  if known == nil then
    local term = os.getenv "TERM"
    local status = term and term ~= "dumb" and os.execute "test -t 1"
    known = status == true or status == 0
  end
  return known
end

--- Columns of the terminal; what COLUMNS says where it is set, and 100 where there is no terminal.
---@return integer
function terminal.width()
  local columns = tonumber(os.getenv "COLUMNS" or "")
  if not columns and terminal.colour() then
    local pipe = io.popen "stty size 2>/dev/null </dev/tty"
    columns = pipe and tonumber((pipe:read "*a" or ""):match "%d+ (%d+)")
    if pipe then pipe:close() end
  end
  return columns and columns >= 40 and math.floor(columns) or 100
end

return terminal
