-- A flow that is thrown away and built anew from its state wherever it waits does what one does that goes on.
local flow = require "avito_messenger.bot.flow"
local flows = require "support.flows"

local Runner = require "avito_messenger.bot.flow.run"

local PROGRAMS, LENGTH, WAITS = 60, 12, 40

--- Numbers from 1 to n that are the same in every run and on both Luas.
local function chances(seed)
  local state = seed * 7919 % 2147483647
  return function(n)
    state = state * 48271 % 2147483647
    return state % n + 1
  end
end

local VALUES = {
  1, 2.0, 0.5, -0.0, 1e15, "текст", "", true, false, { 1, 2.0, 3 }, { a = { b = "в" }, c = 1.5 }, {}, { { {} } },
}

local OPERATIONS = {
  "say", "image", "text", "number", "yes/no", "choice", "call", "call", "now", "date", "random", "bounds", "get", "set", "pairs",
  "error", "closure", "repeat", "branch", "change", "stop", "to_human", "start",
}

local function program(chance, length)
  local list = {}
  for at = 1, length do
    local name = OPERATIONS[chance(#OPERATIONS)]
    list[at] = { name = name, number = chance(5), value = VALUES[chance(#VALUES)], inner = nil }
    if length > 2 and (name == "closure" or name == "repeat" or name == "branch") then
      list[at].inner = program(chance, chance(3))
    end
  end
  return list
end

-- ---- the flow that carries a program out; `seen` is all it ever saw, as a text

local perform = {}
local carry_out

local function note(seen, c, value)
  if type(value) == "table" then
    seen[#seen + 1] = "{"
    for key, member in c:pairs(value) do
      note(seen, c, key)
      note(seen, c, member)
    end
    value = "}"
  end
  seen[#seen + 1] = tostring(value)
end

function perform.say(c, seen) c:say("видел: " .. table.concat(seen, " ")) end
function perform.image(c, _, op) c:image("photo-" .. op.number) end
perform["text"] = function(c, seen) note(seen, c, { c:ask { "text", "Что?" } }) end
perform["number"] = function(c, seen) note(seen, c, { c:ask { "number", "Сколько?" } }) end
perform["yes/no"] = function(c, seen) note(seen, c, (c:ask { "yes/no", "Да?", within = "1h" })) end
perform["choice"] = function(c, seen)
  local label, number = c:ask { "choice", "Какой?", choices = { "синий", { "красный", "крас*" } } }
  note(seen, c, label)
  note(seen, c, number)
end
function perform.call(c, seen, op)
  local value, message = c:call("f" .. op.number, op.value)
  note(seen, c, value)
  note(seen, c, message)
end
function perform.now(c, seen) note(seen, c, c:now()) end
function perform.date(c, seen, op) note(seen, c, c:date("%H", op.number % 2 == 0 and op.number or nil)) end
function perform.random(c, seen) note(seen, c, c:random()) end
function perform.bounds(c, seen, op) note(seen, c, c:random(-op.number, op.number)) end
function perform.get(c, seen, op) note(seen, c, c:get("k" .. op.number)) end
function perform.set(c, _, op) c:set("k" .. op.number, op.value) end
function perform.pairs(c, seen) note(seen, c, { b = 1, a = 2, [1] = 3 }) end
function perform.error(c, seen, op)
  local ok, message = pcall(function()
    if op.number > 2 then c:say(op.number) end
    error("ошибка " .. tostring(os.time()))
  end)
  note(seen, c, ok)
  note(seen, c, message)
end
function perform.closure(c, seen, op)
  local count = 0
  local function add() count = count + 1 return carry_out(c, seen, op.inner or {}) end
  pcall(add)
  note(seen, c, count)
end
perform["repeat"] = function(c, seen, op)
  for _ = 1, 2 do carry_out(c, seen, op.inner or {}) end
end
function perform.branch(c, seen, op)
  if #table.concat(seen) % 2 == 0 then carry_out(c, seen, op.inner or {}) end
end
function perform.change(c, seen, op)
  local value = c:call("list", {})
  if type(value) == "table" then
    value[op.number] = "своё"
    value.a = nil
  end
  c.buyer.name = (c.buyer.name or "") .. "!"
  note(seen, c, c.buyer.name)
end
function perform.stop(c, seen, op) if op.number == 1 then pcall(c.stop, c) end note(seen, c, "дальше") end
function perform.to_human(c, seen, op) if op.number == 1 then c:to_human("видел: " .. table.concat(seen, " ")) end end
function perform.start(c, _, op) if op.number == 1 then c:start "x" end end

function carry_out(c, seen, list)
  for _, op in ipairs(list) do perform[op.name](c, seen, op) end
end

-- ---- running it

--- What the buyer or a function answers at a step.
local function reply(runner, state, outcome, seed)
  local chance = chances(seed * 1000 + #state.journal)
  if outcome.kind == "call" then
    if chance(4) == 1 then return runner:called(state, false, "занято") end
    local value = VALUES[chance(#VALUES)]
    return runner:called(state, true, chance(5) > 1 and value or nil)
  end
  if chance(5) == 1 then return runner:answer(state, nil, chance(2) == 1 and "tries" or "timeout") end
  local kind = state.open.kind
  if kind == "number" then return runner:answer(state, ({ 1, 2.0, 0.5, -0.0, 1e6 })[chance(5)]) end
  if kind == "yes/no" then return runner:answer(state, chance(2) == 1) end
  if kind == "choice" then return runner:answer(state, chance(2) == 1 and "синий" or "красный") end
  runner:answer(state, "ответ " .. chance(100))
end

-- `between` gets runner, state and host before each turn, and returns those to go on with.
local function through(definition, seed, between)
  local runner, host = Runner.new { definition }, flows.host()
  local state = runner:start("x", "u2i-1/" .. seed, { buyer = { name = "покупатель" } }, 1000)
  local log = {}
  function host.random(key) return (#key * 37 + seed) % 101 / 101 end
  for wait = 1, WAITS do
    runner, state, host.memory = between(runner, state, host)
    local outcome = runner:advance(state, host)
    log[wait] = flows.kept { outcome = outcome.kind, why = outcome.why, message = outcome.message, state = state,
      memory = host.memory, emitted = host.emitted }
    if outcome.kind ~= "ask" and outcome.kind ~= "call" then break end
    host.now = host.now + 0.5
    reply(runner, state, outcome, seed)
  end
  return log
end

local function as_it_is(runner, state, host) return runner, state, host.memory end

describe("a flow that is built anew", function()
  local kinds = {}

  local function same_as_whole(between_of)
    for seed = 1, PROGRAMS do
      local list = program(chances(seed), LENGTH)
      local definition = flow.define { "x", steps = 200, function(c) carry_out(c, {}, list) end }
      local whole = through(definition, seed, as_it_is)
      local again = through(definition, seed, between_of(definition, seed))
      assert.equal(#whole, #again)
      for wait = 1, #whole do assert.same({ seed, whole[wait] }, { seed, again[wait] }) end
      kinds[whole[#whole].outcome .. (whole[#whole].why or "")] = true
    end
  end

  it("wherever it waits, from JSON", function()
    same_as_whole(function(definition)
      return function(_, state, host)
        return Runner.new { definition }, flows.kept(state), flows.kept(host.memory)
      end
    end)
    assert.same({ done = true, start = true }, kinds) -- the programs come to an end, and not to an error
  end)

  it("here and there", function()
    same_as_whole(function(definition, seed)
      local chance = chances(seed + 5)
      return function(runner, state, host)
        if chance(2) == 1 then state = flows.kept(state) end
        if chance(3) == 1 then runner = Runner.new { definition } end
        return runner, state, host.memory
      end
    end)
  end)

  it("after steps that were lost", function()
    same_as_whole(function(_, seed)
      local chance = chances(seed + 9)
      return function(runner, state, host)
        local left, emitted, emit = chance(3), #host.emitted, host.emit
        function host.emit(...)
          left = left - 1
          if left < 1 then error("lost", 0) end
          emit(...)
        end
        local memory = flows.kept(host.memory)
        pcall(runner.advance, runner, flows.kept(state), host)
        host.emit, host.memory = emit, memory
        for at = #host.emitted, emitted + 1, -1 do host.emitted[at] = nil end
        return runner, state, host.memory
      end
    end)
  end)
end)
