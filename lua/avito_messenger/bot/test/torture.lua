--- Runs a scenario plainly, then again and again under mischief: the conversation must stay the same.
local Mischief = require "avito_messenger.bot.test.mischief"
local Scene = require "avito_messenger.bot.test.scene"
local difference = require "avito_messenger.bot.test.difference"
local options = require "avito_messenger.options"
local transcript = require "avito_messenger.bot.transcript"

local torture = {}

local SEEDS = 20
local SETTLE = 600 -- seconds after the scenario's end in which what is late still comes
local MAX_SHRINK = 300 -- runs to find out what it takes
local CONTEXT = 60 -- lines of the two conversations that are shown

--- Who said what, in which order: what must not change.
local function conversation(scene)
  local lines = {}
  for _, talk in ipairs(scene.host.talks) do
    if #scene.host.talks > 1 then lines[#lines + 1] = ("── %s"):format(talk.market.chat_id) end
    for _, entry in ipairs(talk.entries) do
      if entry.who ~= "note" or entry.counts then
        lines[#lines + 1] = ("%s: %s"):format(transcript.speaker(entry), transcript.body(entry))
      end
    end
  end
  return lines
end

local function text_of(problem)
  if type(problem) == "table" and problem.message ~= nil then return tostring(problem.message) end -- luassert's
  return tostring(problem)
end

--- Plays the scenario once.
---@return { lines: string[], problem: any }
local function play(given, script, mischief, level)
  local scene = Scene.new(given, level + 1, mischief)
  local ok, problem = pcall(script, scene)
  if ok then ok, problem = pcall(scene.host.run, scene.host, scene.host.now + SETTLE) end
  if not ok and problem == nil then problem = "nil was raised" end
  return { lines = conversation(scene), problem = not ok and problem or nil, zone = scene.zone }
end

local function same(a, b)
  return not b.problem and table.concat(a.lines, "\n\0") == table.concat(b.lines, "\n\0")
end

--- As little of the mischief as still makes the difference.
local function shrink(plain, given, script, mischief, level)
  local names = {}
  for i, one in ipairs(mischief.log) do names[i] = one.name end
  local least, came = mischief, nil
  local budget = MAX_SHRINK
  for i = #names, 1, -1 do
    if budget == 0 then break end
    budget = budget - 1
    local only = {}
    for j, name in ipairs(names) do only[name] = j ~= i or nil end
    local fewer = Mischief.new(mischief.seed, only)
    local outcome = play(given, script, fewer, level + 1)
    if not same(plain, outcome) then
      table.remove(names, i)
      least, came = fewer, outcome
    end
  end
  return least, came
end

local function steps_of(least, all, zone)
  local number = {}
  for i, one in ipairs(all.log) do number[one.name] = number[one.name] or i end
  local lines = {}
  for i, one in ipairs(least.log) do
    local date = zone:date(one.time)
    lines[i] = ("  step %s, %02d:%02d:%02d: %s"):format(number[one.name] or "?", date.hour, date.min, date.sec, one.text)
  end
  return table.concat(lines, "\n")
end

local function shown(plain, came)
  local expected = plain.lines
  if came.problem then -- what the scenario did not come to is no difference
    expected = {}
    for i = 1, math.min(#plain.lines, #came.lines + 1) do expected[i] = plain.lines[i] end
  end
  local lines = difference.lines(expected, came.lines)
  if came.problem then lines[#lines + 1] = "  (the scenario broke off here)" end
  if #lines <= CONTEXT then return table.concat(lines, "\n") end
  local first = 1
  while lines[first] and lines[first]:sub(1, 1) == " " do first = first + 1 end
  local from = math.max(1, math.min(first, #lines) - 10)
  local cut = { from > 1 and ("  … %d lines before"):format(from - 1) or nil }
  for i = from, math.min(#lines, from + CONTEXT) do cut[#cut + 1] = lines[i] end
  if #lines > from + CONTEXT then cut[#cut + 1] = ("  … %d lines after"):format(#lines - from - CONTEXT) end
  return table.concat(cut, "\n")
end

local function report(plain, came, least, all)
  local steps = #least.log > 0 and steps_of(least, all, plain.zone)
    or "  nothing: the scenario does not do the same each time"
  local parts = { ("torture: seed %d changes the conversation; { seed = %d } shows it again. It takes:\n%s"):format(
    all.seed, all.seed, steps) }
  parts[2] = "the conversation as it should be (-) and as it became (+):\n" .. shown(plain, came)
  if came.problem then parts[3] = "the scenario then said:\n" .. text_of(came.problem) end
  return table.concat(parts, "\n\n")
end

---@param given avito.bot.test.SceneOptions
---@param script fun(scene: avito.bot.Scene)
---@param how? { seeds: integer?, seed: integer? }
---@param level integer whom to blame
---@return integer runs
function torture.run(given, script, how, level)
  how = how or {}
  if type(script) ~= "function" then
    error("test.torture: the scenario must be a function(scene), got " .. type(script), level + 1)
  end
  options.check("test.torture", how, { seeds = "number", seed = "number" }, level + 1)
  local plain = play(given, script, nil, level + 1)
  if plain.problem then error(plain.problem, 0) end
  local first, last = how.seed or 1, how.seed or how.seeds or SEEDS
  for seed = first, last do
    local mischief = Mischief.new(seed)
    local came = play(given, script, mischief, level + 1)
    if not same(plain, came) then
      local least, outcome = shrink(plain, given, script, mischief, level + 1)
      error(report(plain, outcome or came, least, mischief), level + 1)
    end
  end
  return last - first + 1
end

return torture
