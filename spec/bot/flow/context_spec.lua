local flow = require "avito_messenger.bot.flow"
local flows = require "support.flows"

local Runner = require "avito_messenger.bot.flow.run"

--- Runs a function as a flow; returns the outcome, the host and the state.
local function run(fn, given, about)
  local runner, host = Runner.new { flow.define { "x", fn }, flow.define { "обмен", function() end } }, flows.host(given)
  local state = runner:start("x", "u2i-1/m1", about, 1000)
  return runner:advance(state, host), host, state, runner
end

local function refuses(message, fn)
  local outcome, host = run(fn)
  assert.equal("error", outcome.why)
  assert.matches("^flow 'x': spec/bot/flow/context_spec.lua:%d+: ", outcome.message)
  assert.equal(message, (outcome.message:gsub("^.-:%d+: ", "")))
  assert.same({}, host.emitted)
end

describe("flow.context", function()
  it("shows buyer, item and chat as they were, and gives nothing of the state away", function()
    local about = { buyer = { id = 1, name = "покупатель" }, item = { title = "диван" } }
    local _, host, state = run(function(c)
      c.item.title = c.item.title .. "!"
      c:say(c.buyer.name .. " " .. c.item.title .. " " .. tostring(c.chat.id))
    end, nil, about)
    assert.same({ "1 say покупатель диван! nil" }, host.emitted)
    assert.equal("диван", about.item.title)
    assert.equal("диван", state.about.item.title)
  end)

  it("says, shows images and fills names in", function()
    local outcome, host = run(function(c)
      c:say("Цена {price}.", { price = 4500 })
      c:image "photo.jpg"
    end)
    assert.equal("done", outcome.kind)
    assert.same({ "1 say Цена 4500.", "2 image photo.jpg" }, host.emitted)
  end)

  it("stops at texts that cannot be filled in", function()
    local outcome, host = run(function(c) pcall(c.say, c, "{bad}") c:say "дальше" end)
    assert.equal("stopped", outcome.kind)
    assert.equal("flow 'x': c:say: unknown name 'bad'", outcome.message)
    assert.matches("context_spec.lua", outcome.traceback)
    assert.same({}, host.emitted)
    assert.equal("flow 'x': c:ask: unknown name 'bad'", run(function(c) c:ask { "text", "{bad}" } end).message)
    assert.equal("flow 'x': c:say: the text is empty", run(function(c) c:say("{x}", { x = " " }) end).message)
    assert.equal("flow 'x': c:say: broken", run(function(c) c:say "x" end, { render = function() error("broken", 0) end }).message)
    assert.equal("flow 'x': c:say: the text could not be filled in",
      run(function(c) c:say "x" end, { render = function() end }).message)
    assert.equal("flow 'x': c:date: bad format", run(function(c) c:date "%Q" end,
      { date = function() error("bad format", 0) end }).message)
  end)

  it("names the wrong argument", function()
    refuses("c:say: the text must be a string, got number", function(c) c:say(1) end)
    refuses("c:say: the text is empty", function(c) c:say "" end)
    refuses("c:say: the text cannot be kept: a string that is not UTF-8", function(c) c:say "\255" end)
    refuses("c:say: extra must be a table, got string", function(c) c:say("а", "б") end)
    refuses("c:say: extra cannot be kept: a function", function(c) c:say("а", { x = print }) end)
    refuses("c:image: the image must be a string, got nil", function(c) c:image() end)
    refuses("c:ask: unknown kind 'txt' (did you mean 'text'?)", function(c) c:ask { "txt", "Что?" } end)
    refuses("c:call: the name must be a string, got nil", function(c) c:call() end)
    refuses("c:call 'reserve': the arguments cannot be kept: a function", function(c) c:call("reserve", { print }) end)
    refuses("c:call 'reserve': the arguments cannot be kept: a table with a metatable", function(c) c:call("reserve", c) end)
    refuses("c:date: the format must be a string, got nil", function(c) c:date() end)
    refuses("c:date: unix must be a number, got string", function(c) c:date("%H", "x") end)
    refuses("c:date: unix cannot be kept: an infinite number", function(c) c:date("%H", 1 / 0) end)
    refuses("c:random: the bounds must be integers, got 1.5", function(c) c:random(1.5) end)
    refuses("c:random: the bounds must be integers, got nil", function(c) c:random(nil, 5) end)
    refuses("c:random: the bounds must be integers, got string", function(c) c:random(1, "5") end)
    refuses("c:random: there is nothing from 1 to 0", function(c) c:random(0) end)
    refuses("c:get: the name must be a string, got number", function(c) c:get(1) end)
    refuses("c:set: the name is empty", function(c) c:set("", 1) end)
    refuses("c:set 'x': the value cannot be kept: a number that is not a number (0/0)", function(c) c:set("x", 0 / 0) end)
    refuses("c:to_human: the note must be a string, got table", function(c) c:to_human {} end)
    refuses("c:start: unknown flow 'обман' (did you mean 'обмен'?)", function(c) c:start "обман" end)
    refuses("c:pairs: table expected, got nil (call it with a colon)", function(c) c.pairs {} end)
    refuses("c:pairs: the table has a table for a key, which has no order", function(c) c:pairs { [{}] = 1 } end)
  end)

  it("is only for its flow, and not for callbacks and coroutines", function()
    local kept = {}
    run(function(c) kept.c = c end)
    assert.has_error(function() kept.c:say "x" end, "c:say was called outside of its flow, or without the colon")
    refuses("c:say was called outside of its flow, or without the colon", function() kept.c:say "x" end)
    refuses("c:say was called outside of its flow, or without the colon", function(c) c.say "x" end)
    refuses("c:now was called inside a callback of a C function such as string.gsub or table.sort: call it before",
      function(c) return (("x"):gsub("x", function() local now = c:now() return now end)) end)
    local object = setmetatable({ create = coroutine.create, resume = coroutine.resume }, {})
    refuses("c:say was called inside a coroutine of the program's own: call it from the flow itself",
      function(c) error(select(2, object.resume(object.create(function() c:say "x" end))), 0) end)
  end)

  it("gives a date as a table, of which the journal has its own", function()
    local _, host, state = run(function(c)
      local date = c:date "*t"
      date.hour = date.hour + 1
      c:say(tostring(date.hour))
    end, { date = function() return { hour = 9 } end })
    assert.same({ "2 say 10" }, host.emitted)
    assert.same({ hour = 9 }, state.journal[1].v)
  end)

  it("gives the time, dates and chances of the host", function()
    local outcome, host, state = run(function(c)
      c:say(("%d %s %s"):format(c:now(), c:date "%H:%M", c:date("%d", 86400.5)))
      c:say(("%s %s %s %s"):format(c:random(), c:random(6), c:random(-3, 3), c:random(5, 5)))
    end)
    assert.equal("done", outcome.kind, outcome.message)
    assert.same({ "4 say 1000 %H:%M of 1000 %d of 86400", "9 say 0.5 4 0 5" }, host.emitted)
    assert.same({ 1000, "%H:%M of 1000", "%d of 86400" }, { state.journal[1].v, state.journal[2].v, state.journal[3].v })
    local keys = {}
    run(function(c) c:say "а" c:random() c:random(2) end, { random = function(key)
      keys[#keys + 1] = key
      return 0.999999
    end })
    assert.same({ "u2i-1/m1:2", "u2i-1/m1:3" }, keys)
  end)

  it("keeps values with the chat", function()
    local memory = { visits = 2, list = { 1 } }
    local outcome, _, state = run(function(c)
      c:set("visits", c:get "visits" + 1)
      c:set("visits", c:get "visits" + 1)
      local list = c:get "list"
      list[2] = 2
      c:set("copy", list)
      list[3] = 3
      assert(#c:get "copy" == 2)
      c:set("list", nil)
      assert(c:get "list" == nil and c:get "none" == nil)
    end, { memory = memory })
    assert.equal("done", outcome.kind, outcome.message)
    assert.same({ visits = 4, copy = { 1, 2 } }, memory)
    assert.same({ "get", { 1 } }, { state.journal[5].k, state.journal[5].v })
  end)

  it("changes nothing of the chat when the flow is stopped", function()
    local memory = { visits = 2 }
    assert.equal("stopped", run(function(c) c:set("visits", 3) error "x" end, { memory = memory }).kind)
    assert.same({ visits = 2 }, memory)
    assert.equal("flow 'x': c:get: 'f' in the memory of the chat is a function",
      run(function(c) c:get "f" end, { memory = { f = print } }).message)
  end)

  it("goes through tables in an order of its own", function()
    local seen = {}
    run(function(c)
      local t = { [10] = 1, [2] = 1, b = 1, a = 1, [true] = 1, [false] = 1, [1.5] = 1, ["10"] = 1 }
      for key, value in c:pairs(t) do
        seen[#seen + 1] = tostring(key)
        if key == "a" then t.b = nil end
        t[key] = value + 1
      end
      for key in c:pairs {} do seen[#seen + 1] = key end
    end)
    assert.same({ "false", "true", "1.5", "2", "10", "10", "a" }, seen)
  end)

  it("ends the flow, whatever is around the call", function()
    local function ends(fn) return run(function(c) pcall(pcall, fn, c) c:say "дальше" end) end
    local outcome, host = ends(function(c) c:stop() end)
    assert.same({ kind = "done" }, outcome)
    assert.same({}, host.emitted)
    outcome, host = ends(function(c) c:start "обмен" end)
    assert.same({ kind = "start", name = "обмен" }, outcome)
    assert.same({}, host.emitted)
    outcome, host = ends(function(c) c:to_human "ждёт звонка" end)
    assert.same({ kind = "done" }, outcome)
    assert.same({ "1 escalate ждёт звонка" }, host.emitted)
    outcome, host = ends(function(c) c:to_human() end)
    assert.same({ kind = "done" }, outcome)
    assert.same({ "1 escalate nil" }, host.emitted)
  end)
end)
