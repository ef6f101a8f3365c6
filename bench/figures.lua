--- What the parts of bench/run.lua share: running a measured process, and a line for each figure with its target.
-- BENCH_BUILDS names the builds to measure, <dir>/<lua>.
--
-- A ratio is that of the least either side needed in blocks that alternate, each in a process of its own: whatever else the
-- machine does can only add to a block.

local figures = {}

figures.vms = { { lua = "lua5.4", name = "Lua 5.4" }, { lua = "luajit", name = "LuaJIT" } }

local missed = 0

--- As one word of the shell.
---@param text string
---@return string
function figures.quote(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

--- The numbers in the last line of a command's output; raises unless the command succeeds and prints one.
---@param command string
---@return number[]
function figures.numbers_of(command)
  local pipe = assert(io.popen(command .. " || echo failed", "r"))
  local numbers = {}
  for line in pipe:lines() do
    numbers = {}
    for number in line:gmatch "%f[%w]%d[%d.]*%f[^%d.]" do
      numbers[#numbers + 1] = tonumber(number)
    end
  end
  pipe:close()
  assert(numbers[1], "no number from: " .. command)
  return numbers
end

--- The number with which the output of a command ends.
---@param command string
---@return number
function figures.number_of(command)
  local numbers = figures.numbers_of(command)
  return numbers[#numbers]
end

---@param values number[] are put in order
---@return number
function figures.median(values)
  table.sort(values)
  local middle = math.floor((#values + 1) / 2)
  return #values % 2 == 1 and values[middle] or (values[middle] + values[middle + 1]) / 2
end

--- Prints a figure. Without a target it stands for itself.
---@param figure string
---@param value number
---@param unit string of two letters at most
---@param target? number the most it may be
---@param note? string
function figures.report(figure, value, unit, target, note)
  local verdict = (" "):rep(24)
  if target then
    local ok = value <= target
    missed = missed + (ok and 0 or 1)
    verdict = ("target %6.2f %-2s  %-6s"):format(target, unit, ok and "ok" or "MISSED")
  end
  local text = ("%-56s %7.2f %-2s  %s %s"):format(figure, value, unit, verdict, note or "")
  print((text:gsub("%s+$", "")))
  io.flush()
end

---@return integer how many targets were missed
function figures.missed()
  return missed
end

--- The command that runs a Lua program in `vm`.
---@param vm { lua: string }
---@param program string its file and arguments, as the shell reads them
---@param environment? string[] of "NAME=value"
---@return string
function figures.program(vm, program, environment)
  local command = { "env" }
  for _, pair in ipairs(environment or {}) do
    command[#command + 1] = figures.quote(pair)
  end
  command[#command + 1] = "LUA_CPATH=" .. figures.quote(os.getenv "BENCH_BUILDS" .. "/" .. vm.lua .. "/?.so;;")
  command[#command + 1] = vm.lua .. " " .. program
  return table.concat(command, " ")
end

return figures
