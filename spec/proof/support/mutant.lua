--- A program: a bot that is wrong on purpose in the simulation.
---   mutant.lua NUMBER SEEDS    tells how many seeds it took to find it, or "never"
local mutants = require "proof.support.mutants"

local number, seeds = tonumber(arg[1]), tonumber(arg[2])
mutants.put(mutants.list[number])
local simulation = require "proof.support.simulation"

for seed = 1, seeds do
  local ok, run = pcall(simulation.run, seed, nil, mutants.list[number].marketplace)
  if not ok or run.problems[1] then
    print(seed, ok and run.problems[1] or run)
    return
  end
end
print "never"
