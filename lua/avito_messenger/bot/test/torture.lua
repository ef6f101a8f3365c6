--- Runs a scenario plainly, then again and again under mischief: the conversation must stay the same.
local Mischief = require "avito_messenger.bot.test.mischief"
local Scene = require "avito_messenger.bot.test.scene"
local difference = require "avito_messenger.bot.test.difference"
local options = require "avito_messenger.options"
local transcript = require "avito_messenger.bot.transcript"

local torture = {}

local SEEDS = 20
local SETTLE = 600 -- seconds after the scenario's end in which what is late still comes
local MAX_SHRINK = 200 -- runs to find out what it takes
local CONTEXT = 40 -- lines that are shown of a chat

--- Who said what in each chat, in which order: what must not change.
local function conversations(scene)
  local all = {}
  for i, talk in ipairs(scene.host.talks) do
    local lines, who = {}, {}
    for _, entry in ipairs(talk.entries) do
      if entry.who ~= "note" or entry.counts then
        who[#lines + 1] = entry.who
        lines[#lines + 1] = ("%s: %s"):format(transcript.speaker(entry), (transcript.body(entry):gsub("\n", " / ")))
      end
    end
    all[i] = { id = talk.market.chat_id, lines = lines, who = who }
  end
  return all
end

local function text_of(problem)
  if type(problem) == "table" and problem.message ~= nil then return tostring(problem.message) end -- luassert's
  return tostring(problem)
end

--- Plays the scenario once.
---@return { chats: { id: string, lines: string[], who: string[] }[], problem: any, zone: table }
local function play(trial, mischief, level)
  local scene = Scene.new(trial.options, level + 1, { mischief = mischief, load = trial.load })
  local ok, problem = pcall(trial.script, scene)
  if ok then ok, problem = pcall(scene.host.run, scene.host, scene.host.now + SETTLE) end
  if not ok and problem == nil then problem = "nil was raised" end
  return { chats = conversations(scene), problem = not ok and problem or nil, zone = scene.zone }
end

local function same(a, b)
  if b.problem or #a.chats ~= #b.chats then return false end
  for i, chat in ipairs(a.chats) do
    if table.concat(chat.lines, "\n") ~= table.concat(b.chats[i].lines, "\n") then return false end
  end
  return true
end

-- The names without those from `first` to `last`.
local function without(names, first, last)
  local fewer, only = {}, {}
  for i, name in ipairs(names) do
    if i < first or i > last then
      fewer[#fewer + 1], only[name] = name, true
    end
  end
  return fewer, only
end

--- As little of the mischief as still makes the difference: leaves out halves, then quarters, … the last first, for the
--- earliest trouble is understood most easily.
local function shrink(plain, trial, mischief, level)
  local names, least, came = {}, mischief, nil
  for i, one in ipairs(mischief.log) do names[i] = one.name end
  local size, last = math.ceil(#names / 2), #names
  for _ = 1, MAX_SHRINK do
    if last < 1 then
      if size <= 1 then break end
      size, last = math.ceil(size / 2), #names
    end
    local fewer, only = without(names, last - size + 1, last)
    local tried = Mischief.new(mischief.seed, only)
    local outcome = play(trial, tried, level + 1)
    if not same(plain, outcome) then names, least, came = fewer, tried, outcome end
    last = last - size
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

-- So much of a chat as the scenario came to: as many lines, and what the bot should have done next.
local function reached(wanted, came)
  local lines, count = {}, #came.lines
  local next_one = wanted.who[count + 1]
  if next_one == "bot" or next_one == "note" then count = count + 1 end
  for i = 1, math.min(count, #wanted.lines) do lines[i] = wanted.lines[i] end
  return lines
end

-- One chat's part of both conversations; nil: it is the same in both.
local function chat_shown(wanted, came, broken)
  local merged, first = difference.lines(broken and reached(wanted, came) or wanted.lines, came.lines), nil
  for i, line in ipairs(merged) do
    if line:sub(1, 1) ~= " " then
      first = i
      break
    end
  end
  if not first then return nil end
  local from = math.max(1, first - CONTEXT / 2)
  local shown = { ("── %s"):format(wanted.id), from > 1 and "  …" or nil }
  for i = from, math.min(#merged, from + CONTEXT) do shown[#shown + 1] = merged[i] end
  if #merged > from + CONTEXT then shown[#shown + 1] = "  …" end
  return table.concat(shown, "\n")
end

local function shown(plain, came)
  local parts = {}
  for i, chat in ipairs(plain.chats) do
    parts[#parts + 1] = chat_shown(chat, came.chats[i] or { lines = {} }, came.problem)
  end
  if came.problem then parts[#parts + 1] = "(the scenario broke off here)" end
  return table.concat(parts, "\n")
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
  local load = type(given) == "table" and Scene.loader(given.rulebook, given.marketplace) or nil
  local trial = { options = given, script = script, load = load }
  local plain = play(trial, nil, level + 1)
  if plain.problem then error(plain.problem, 0) end
  local first, last = how.seed or 1, how.seed or how.seeds or SEEDS
  for seed = first, last do
    local mischief = Mischief.new(seed)
    local came = play(trial, mischief, level + 1)
    if not same(plain, came) then
      local least, outcome = shrink(plain, trial, mischief, level + 1)
      error(report(plain, outcome or came, least, mischief), level + 1)
    end
  end
  return last - first + 1
end

return torture
