--- The figures of many calls at once.
--   BENCH_BIN    directory of many_libcurl
--   BENCH_URL    server that answers at once      BENCH_LATE   one that answers BENCH_LATENCY milliseconds late
-- The table shows how each figure grows with the calls at once; the targets are those of fifty.

local figures = require "figures"

local run_many = {}

local bin, at_once_url, late_url = os.getenv "BENCH_BIN", os.getenv "BENCH_URL", os.getenv "BENCH_LATE"
local latency = tonumber(os.getenv "BENCH_LATENCY" or "")
local vms, report = figures.vms, figures.report

-- Seconds that a million calls may take in one VM: a machine that needs more makes fewer.
local GROWTH_SECONDS = 60

-- Few where they come one after another: twenty take a second.
local LATE = {
  { at_once = 1, count = 20, rounds = 2 },
  { at_once = 10, count = 200, rounds = 3 },
  { at_once = 50, count = 1000, rounds = 8 },
  { at_once = 200, count = 1000, rounds = 6 },
}
-- Their connections stand before the clock starts.
local PROMPT = {
  { at_once = 1, count = 3000, rounds = 8, warm_up = 100 },
  { at_once = 10, count = 3000, rounds = 8, warm_up = 100 },
  { at_once = 50, count = 3000, rounds = 8, warm_up = 100 },
  { at_once = 200, count = 3000, rounds = 8, warm_up = 200 },
}

local function many(vm, arguments, url)
  return figures.program(vm, "bench/many.lua " .. arguments, { "BENCH_URL=" .. url })
end

-- The programs to compare: a name, and the command that makes calls.
local programs = {}
for _, mode in ipairs { "poll", "socket" } do
  programs[#programs + 1] = {
    name = "C, " .. mode,
    command = function(block, url)
      return ("%s/many_libcurl %s %s %d %d %d"):format(bin, mode, url, block.count, block.at_once, block.warm_up or 0)
    end,
  }
end
for _, vm in ipairs(vms) do
  programs[#programs + 1] = {
    name = vm.name,
    command = function(block, url)
      return many(vm, ("calls %d %d %d"):format(block.count, block.at_once, block.warm_up or 0), url)
    end,
  }
end

-- Rounds of blocks, all programs in turn; the least seconds and microseconds of CPU of each, by its name, and the CPU of
-- the better C program as `yardstick`.
local function measure(block, url)
  local seconds, cpu = {}, {}
  for _ = 1, block.rounds do
    for _, program in ipairs(programs) do
      local took = figures.numbers_of(program.command(block, url))
      seconds[program.name] = math.min(seconds[program.name] or math.huge, took[1])
      cpu[program.name] = math.min(cpu[program.name] or math.huge, took[2])
    end
  end
  return { block = block, seconds = seconds, cpu = cpu, yardstick = math.min(cpu["C, poll"], cpu["C, socket"]) }
end

local function measure_all(blocks, url)
  local measured = {}
  for i, block in ipairs(blocks) do
    measured[i] = measure(block, url)
  end
  return measured
end

-- A row for each name, a column for each block.
local function rows(figure, format, names, measured, value)
  for _, name in ipairs(names) do
    local columns = {}
    for i, one in ipairs(measured) do
      columns[i] = ("%9s"):format(format:format(value(one, name)))
    end
    print(("%-46s%-10s%s"):format(figure, name, table.concat(columns)))
    figure = ""
  end
  io.flush()
end

local function time_to_ideal(one, name)
  local block = one.block
  return one.seconds[name] / (math.ceil(block.count / block.at_once) * latency / 1000)
end

local function cpu(one, name)
  return one.cpu[name]
end

local function cpu_to_yardstick(one, name)
  return one.cpu[name] / one.yardstick
end

local function calls_a_second(one, name)
  return one.block.count / one.seconds[name]
end

local function print_table(late, prompt)
  local all, ours = {}, {}
  for i, program in ipairs(programs) do
    all[i] = program.name
  end
  for i, vm in ipairs(vms) do
    ours[i] = vm.name
  end
  local heads = {}
  for i, one in ipairs(late) do
    heads[i] = ("%9d"):format(one.block.at_once)
  end
  local lateness = ("answers %d ms late"):format(latency)
  print(("%-56s%s"):format("calls at once", table.concat(heads)))
  rows("time / ideal, " .. lateness, "%.3f", all, late, time_to_ideal)
  rows("CPU of a call, us, " .. lateness, "%.1f", all, late, cpu)
  rows("the same / that of the better C program", "%.2f", ours, late, cpu_to_yardstick)
  rows("CPU of a call, us, answers at once", "%.1f", all, prompt, cpu)
  rows("the same / that of the better C program", "%.2f", ours, prompt, cpu_to_yardstick)
  rows("calls a second, answers at once", "%.0f", all, prompt, calls_a_second)
end

local function at_fifty(measured)
  for _, one in ipairs(measured) do
    if one.block.at_once == 50 then return one end
  end
end

local function report_fifty(late, prompt)
  for _, vm in ipairs(vms) do
    report("time of 1000 calls, 50 at once, " .. vm.name, time_to_ideal(late, vm.name), "x", 1.08,
      ("of the ideal %.2f s"):format(late.block.count / late.block.at_once * latency / 1000))
  end
  for _, kind in ipairs { { "late", late }, { "at once", prompt } } do
    local answers, measured = kind[1], kind[2]
    for _, vm in ipairs(vms) do
      report(("CPU of a call, 50 at once, answers %s, %s"):format(answers, vm.name), cpu_to_yardstick(measured, vm.name),
        "x", 2.0, ("of %.1f us"):format(measured.yardstick))
    end
  end
end

local function memory()
  for _, what in ipairs { { "calls", "calls wait" }, { "sleep", "tasks sleep" } } do
    for _, vm in ipairs(vms) do
      local taken = figures.numbers_of(many(vm, ("waiting %s 10000"):format(what[1]), late_url))
      report(("most resident memory, 10000 %s, %s"):format(what[2], vm.name), taken[1], "MB", 100,
        ("%.1f KB a task"):format(taken[2]))
    end
  end
end

-- A block that a call leaves behind has 16 bytes and more. What LuaJIT compiles is in its heap, and it never quite stops.
local function growth(count)
  for _, vm in ipairs(vms) do
    local taken = figures.numbers_of(many(vm, ("growth %d %d"):format(count, GROWTH_SECONDS), at_once_url))
    local early, early_heap, final, final_heap, sent = (table.unpack or unpack)(taken)
    report(("resident memory after %d calls, %s"):format(sent, vm.name), final / early, "x", 1.02,
      ("of %.1f MB after %d"):format(early / 1024, count / 10))
    report("Lua heap that a call of these leaves, " .. vm.name, math.max(final_heap - early_heap, 0) * 1024 / (sent - count / 10),
      "B", 0.1, ("%.0f KB, then %.0f KB"):format(early_heap, final_heap))
  end
end

--- Measures and prints them.
function run_many.run()
  print "Many calls at once (send_message). x is a ratio to the better of two programs of plain libcurl, or to what is said."
  local late, prompt = measure_all(LATE, late_url), measure_all(PROMPT, at_once_url)
  print_table(late, prompt)
  report_fifty(at_fifty(late), at_fifty(prompt))
  memory()
  growth(1000000)
end

return run_many
