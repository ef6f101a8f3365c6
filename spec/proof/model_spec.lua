-- The model of the inbox and the outbox, checked by spin: what is promised holds in every order in which things can happen, and
-- each guard is needed for it.

local proof = require "support.proof"

-- The model is the same whatever build the specs run on: once is enough.
if os.getenv "AVITO_SANITIZED" or rawget(_G, "jit") then return end

local MODEL = "spec/proof/inbox_outbox.pml"
local SECONDS = proof.choose { short = 60, full = 1200, long = 7200 } -- of one check
local OPTIMIZE = proof.choose { short = "-O0", full = "-O2" } -- what is short is compiled for longer than it runs

-- What spin says when it has looked at everything and found nothing, or what it found.
local function check(defines, lively)
  local words = { not defines:find "MESSAGES" and "-DMESSAGES=1" or nil }
  for define in defines:gmatch "%S+" do words[#words + 1] = "-D" .. define end
  local compile = lively and "-DNFAIR=3" or "-DSAFETY -DNOCLAIM"
  local script = ([[
    set -eu
    directory=$(mktemp -d)
    trap 'rm -rf "$directory"' EXIT
    model=$PWD/%s
    cd "$directory"
    unset LD_PRELOAD
    spin -a %s "$model" >spin.log 2>&1 || { cat spin.log; exit; }
    gcc %s -w -DCOLLAPSE %s -o pan pan.c 2>&1
    timeout %d ./pan %s -m1000000 2>&1 || echo "ended with status $?"
  ]]):format(MODEL, table.concat(words, " "), OPTIMIZE, compile, SECONDS, lively and "-a -f" or "")
  local pipe = assert(io.popen("exec 2>&1; " .. script, "r"))
  local said = pipe:read "*a"
  pipe:close()
  local found = said:match "pan:1: ([^\n]*)"
  if found then return found:gsub(" %(at depth %d+%)", "") .. "" end
  local whole = said:find("errors: 0", 1, true) and not said:find("ended with status", 1, true)
    and not said:find("max search depth too small", 1, true)
  return whole and "holds" or said
end

local TWICE = "assertion violated (in_chat[m]==1)"

local function safe(defines) return check(defines, false) end
local function lively(defines) return check(defines, true) end

-- Sizes: of the form "WHAT=NUMBER …" or "" for those written in the model.
local SAFE = proof.choose {
  short = { "MESSAGES=2 NO_PERSON LOSSES=0", "" },
  full = { "MESSAGES=2", "MESSAGES=2 NO_PERSON CRASHES=2", "MESSAGES=3 NO_PERSON", "CRASHES=2 STOPS=2 LOSSES=2 REPEATS=2" },
  long = { "MESSAGES=2 CRASHES=2 STOPS=2", "MESSAGES=3", "CRASHES=3 STOPS=3 LOSSES=3 REPEATS=3" },
}
local LIVELY = proof.choose {
  short = { "NO_PERSON" },
  full = { "", "MESSAGES=2 NO_PERSON", "NO_PERSON CRASHES=2 STOPS=2" },
  long = { "MESSAGES=2", "CRASHES=2 STOPS=2" },
}

describe("the model of the inbox and the outbox", function()
  for _, size in ipairs(SAFE) do
    it("sends nothing twice, and comes to no standstill: " .. size, function()
      assert.equal("holds", safe(size))
    end)
  end

  for _, size in ipairs(LIVELY) do
    it("brings every message to its end: " .. size, function()
      assert.equal("holds", lively(size))
    end)
  end

  -- Without the guard; what spin finds then.
  local refuted = {
    { "NO_LATCH NO_PERSON", safe, TWICE }, { "NO_READ_BACK NO_PERSON", safe, TWICE }, { "LATE_CLOCK NO_PERSON", safe, TWICE },
    { "SHORT_SETTLING NO_PERSON", safe, TWICE }, { "NO_FENCE NO_PERSON", safe, TWICE }, { "NO_KEY NO_PERSON", safe, TWICE },
    { "NO_WITHDRAWAL", safe, "assertion violated ((row[i]!=5)|| !(silent))" },
    { "NO_RECOVERY NO_PERSON", safe, "invalid end state" },
    { "NO_SWEEP NO_PERSON", lively, "acceptance cycle" }, { "ACK_FIRST NO_PERSON REPEATS=0", lively, "acceptance cycle" },
  }
  for _, case in ipairs(refuted) do
    local defines, look, what = case[1], case[2], case[3]
    it("is refuted with " .. defines, function()
      assert.equal(what, look(defines))
    end)
  end
end)
