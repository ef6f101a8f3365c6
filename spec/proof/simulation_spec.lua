-- The bot against everything at once, by seed: what is said and when, how the bot hears of it, what goes wrong in the marketplace,
-- the store, the clock and the process itself. The sandbox's own record is the judge.
--
-- PROOF_SEEDS=n runs so many seeds at each marketplace; PROOF_SEED=n runs that one, and prints what happened.
local journals = require "support.journals"
local mutants = require "proof.support.mutants"
local proof = require "support.proof"
local simulation = require "proof.support.simulation"

local SEEDS = proof.size("PROOF_SEEDS", { short = 100, full = 20000, long = 200000 })
local ON_DISK = proof.choose { short = 6, full = 500 } -- seeds that run over files as well
local GROUP = math.max(1, math.floor(SEEDS / 20))
local ONLY = tonumber(os.getenv "PROOF_SEED")

local function failure(seed, run)
  return ("seed %d, which PROOF_SEED=%d repeats:\n%s\n%s"):format(seed, seed, table.concat(run.problems, "\n"), run.transcript())
end

local function check(seed, where, marketplace)
  local run = simulation.run(seed, where, marketplace)
  if run.problems[1] then error(failure(seed, run), 0) end
  return run
end

for _, marketplace in ipairs { "avito", "yandex_market" } do
describe(("a bot of %s under everything that may happen"):format(marketplace), function()
  after_each(journals.remove_all)

  if ONLY then
    it("answers every question once, seed " .. ONLY, function()
      local run = simulation.run(ONLY, nil, marketplace)
      print(run.transcript())
      assert.same({}, run.problems)
    end)
    return
  end

  for first = 1, SEEDS, GROUP do
    local last = math.min(first + GROUP - 1, SEEDS)
    it(("answers every question once, seeds %d to %d"):format(first, last), function()
      for seed = first, last do check(seed, nil, marketplace) end
    end)
  end

  it("does so over files", function()
    for seed = 1, ON_DISK do check(seed, journals.path(), marketplace) end
  end)

  it("does the same for the same seed, to the last line", function()
    for seed = 1, 3 do
      assert.equal(check(seed, nil, marketplace).transcript(), check(seed, nil, marketplace).transcript())
    end
  end)

  it("meets what it is to stand", function()
    local counts = {}
    for seed = 1, 60 do
      local run = check(seed, nil, marketplace)
      counts.lives = (counts.lives or 0) + run.sim.lives - run.sim.drawn.bots
      for kind, count in pairs(run.sim.counts) do counts[kind] = (counts[kind] or 0) + count end
    end
    for _, kind in ipairs { "lives", "recovered", "parked", "unparked", "human", "store", "flow", "reloaded" } do
      assert.is_true((counts[kind] or 0) > 0, kind)
    end
  end)
end)
end

describe("the simulation", function()
  it("knows where its mutants are wrong", function()
    for _, mutant in ipairs(mutants.list) do assert.is_function(mutants.make(mutant), mutant.name) end
  end)

  if ONLY or not proof.choose { short = false, full = true } then return end
  for i, mutant in ipairs(mutants.list) do
    it("finds a bot that " .. mutant.name, function()
      local pipe = assert(io.popen(("$AVITO_LUA spec/proof/support/mutant.lua %d %d 2>&1"):format(i, mutant.seeds or 2000)))
      local told = pipe:read "*a"
      pipe:close()
      assert.matches("^%d+\t", told)
    end)
  end
end)
