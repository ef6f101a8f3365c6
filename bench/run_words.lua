--- The figures of a message against the rules of a bot: what it costs, and how little that depends on how many rules there are.

local figures = require "figures"

local run_words = {}

local SIZES = { 10, 100, 1000, 10000 }
local ROUNDS = 9

local function measure(vm, size, way)
  return figures.number_of(figures.program(vm, ("bench/words.lua %d %s"):format(size, way)))
end

--- Measures and prints them.
function run_words.run()
  print "A message of 12 words against the rules of a bot: folded, matched, the numbers of the rules in a table."
  local least = {}
  for _ = 1, ROUNDS do
    for _, size in ipairs(SIZES) do
      for i, vm in ipairs(figures.vms) do
        local key = i .. " " .. size
        least[key] = math.min(least[key] or math.huge, measure(vm, size, "index"))
      end
    end
  end
  for i, vm in ipairs(figures.vms) do
    for _, size in ipairs(SIZES) do
      local note = ("a loop over the rules: %.1f us"):format(measure(vm, size, "naive"))
      figures.report(("%d rules, %s"):format(size, vm.name), least[i .. " " .. size], "us", 10, note)
    end
    figures.report("10000 rules to 10, " .. vm.name, least[i .. " 10000"] / least[i .. " 10"], "x", 1.5)
  end
end

return run_words
