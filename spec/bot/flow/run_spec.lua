local flow = require "avito_messenger.bot.flow"
local flows = require "support.flows"

local Runner = require "avito_messenger.bot.flow.run"

--- A flow that asks once, calls once, and tells how it is gone through.
local function order(given)
  local definition = { "заказ", function(c)
    c:say "Здравствуйте."
    local count, why = c:ask { "number", "Сколько?" }
    local place, message = c:call("reserve", { count = count })
    c:say(("%s %s %s %s"):format(count, why, place, message))
  end }
  for name, value in pairs(given or {}) do definition[name] = value end
  return flow.define(definition)
end

describe("flow.run", function()
  it("runs until it waits, and goes on with what came", function()
    local outcome, state, host, runner = flows.run(order())
    assert.same({ kind = "ask" }, outcome)
    assert.same({ "1 say Здравствуйте.", "2 say Сколько?" }, host.emitted)
    assert.same({ kind = "number", prompt = "Сколько?", again = "Сколько?", deadline = 1000 + 2 * 86400, tries_left = 3 },
      state.open)
    runner:answer(state, 3)
    assert.is_nil(state.open)
    assert.same({ kind = "call", step = 3, name = "reserve", args = { count = 3 } }, runner:advance(state, host))
    runner:called(state, true, "A1")
    assert.same({ kind = "done" }, runner:advance(state, host))
    assert.same({ "1 say Здравствуйте.", "2 say Сколько?", "4 say 3 nil A1 nil" }, host.emitted)
  end)

  it("has a state that is plain and says where it is", function()
    local _, state, host, runner = flows.run(order { version = 2, ttl = "1h" })
    runner:answer(state, 3)
    runner:advance(state, host)
    assert.same(state, flows.kept(state))
    assert.same({
      name = "заказ", version = 2, id = "u2i-1/m1", started = 1000, expires = 4600, about = {},
      journal = {
        { k = "say", d = state.journal[1].d }, { k = "ask", d = state.journal[2].d, v = 3 }, { k = "call", d = state.journal[3].d },
      },
      calling = { step = 3, name = "reserve", args = { count = 3 } },
    }, state)
  end)

  it("gives the reason instead of an answer, and the message of a call that failed", function()
    local _, state, host, runner = flows.run(order())
    runner:answer(state, nil, "timeout")
    assert.same({}, runner:advance(state, host).args)
    runner:called(state, false, "занято")
    runner:advance(state, host)
    assert.equal("4 say nil timeout nil занято", host.emitted[3])
    _, state, host, runner = flows.run(order())
    runner:answer(state, nil, "tries")
    runner:advance(state, host)
    runner:called(state, false, { 1 })
    runner:advance(state, host)
    assert.equal("4 say nil tries nil the call failed with a table", host.emitted[3])
    _, state, host, runner = flows.run(order())
    runner:answer(state, 1)
    runner:advance(state, host)
    runner:called(state, true, nil)
    runner:advance(state, host)
    assert.equal("4 say 1 nil nil nil", host.emitted[3])
  end)

  it("waits on while nothing has come", function()
    local _, state, host, runner = flows.run(order())
    assert.same({ kind = "ask" }, runner:advance(state, host))
    assert.same({ kind = "ask" }, Runner.new({ order() }):advance(state, host))
    assert.equal(2, #host.emitted)
    runner:answer(state, 3)
    local call = runner:advance(state, host)
    call.args.count = 4
    assert.same({ count = 3 }, runner:advance(state, host).args)
  end)

  it("returns a choice with its number", function()
    local _, state, host, runner = flows.run(flow.define { "x", function(c)
      local label, number = c:ask { "choice", "Какой?", choices = { "синий", { "красный", "крас*" } } }
      c:say(label .. " " .. number)
    end })
    runner:answer(state, "красный")
    runner:advance(state, host)
    assert.equal("2 say красный 2", host.emitted[2])
  end)

  it("gives the flow copies of what is in the journal", function()
    local _, state, host, runner = flows.run(flow.define { "x", function(c)
      local first = c:ask { "image", "Фото?" }
      first.sizes = nil
      local list = c:call "list"
      list[1] = 5
      c:ask { "text", "Что?" }
    end })
    local sizes = { ["1x1"] = "https://example.com/1.jpg" }
    runner:answer(state, { message_id = "m2", sizes = sizes })
    sizes["2x2"] = "x"
    runner:advance(state, host)
    runner:called(state, true, { 1, 2 })
    runner:advance(state, host)
    assert.same({ message_id = "m2", sizes = { ["1x1"] = "https://example.com/1.jpg" } }, state.journal[1].v)
    assert.same({ 1, 2 }, state.journal[2].v)
  end)

  it("refuses what cannot be kept", function()
    local _, state, host, runner = flows.run(order())
    assert.has_error(function() runner:answer(state, print) end, "answer: the answer cannot be kept: a function")
    assert.has_error(function() runner:called(state, true) end, "called: the run waits for no call")
    runner:answer(state, 3)
    assert.has_error(function() runner:answer(state, 3) end, "answer: the run has nothing open to be answered")
    runner:advance(state, host)
    runner:called(state, true, { at = io.stdout })
    state = flows.kept(state)
    assert.same({ kind = "stopped", why = "error",
      message = "flow 'заказ': c:call 'reserve': what it returned cannot be kept: a userdata" }, runner:advance(state, host))
  end)

  it("starts only what there is, with what it needs", function()
    local runner = Runner.new { order() }
    assert.has_error(function() runner:start("закас", "x", {}, 1) end, "start: unknown flow 'закас' (did you mean 'заказ'?)")
    assert.has_error(function() Runner.new({}):start("x", "x", {}, 1) end, "start: unknown flow 'x' (there are none)")
    assert.has_error(function() runner:start("заказ", "", {}, 1) end, "start: id must be a string that is not empty")
    assert.has_error(function() runner:start("заказ", "x", {}) end, "start: now must be a number, got nil")
    assert.has_error(function() runner:start("заказ", "x", { buyer = print }, 1) end, "start: about holds a function")
    assert.has_error(function() Runner.new { order(), order() } end, "Runner.new: flow 'заказ' is defined twice with version 1")
    assert.has_error(function() Runner.new { {} } end, "Runner.new: a flow expected, got table")
    assert.has_error(function() Runner.new({}, { coroutine = 1 }) end,
      "Runner.new: unknown option 'coroutine' (did you mean 'coroutines'?)")
  end)

  describe("stops", function()
    it("at an error, with where it was", function()
      local outcome = flows.run(flow.define { "x", function(c)
        local sum = c.buyer + 1
        return sum
      end })
      assert.same({ "stopped", "error" }, { outcome.kind, outcome.why })
      assert.matches("^flow 'x': spec/bot/flow/run_spec.lua:%d+: attempt to perform arithmetic on", outcome.message)
      assert.matches("stack traceback:.*run_spec.lua:%d+", outcome.traceback)
      assert.equal("flow 'x': nil", flows.run(flow.define { "x", function() error() end }).message)
      assert.equal("flow 'x': own", flows.run(flow.define { "x", function()
        error(setmetatable({}, { __tostring = function() return "own" end }))
      end }).message)
      assert.equal("flow 'x': a table", flows.run(flow.define { "x", function()
        error(setmetatable({}, { __tostring = function() error "x" end }))
      end }).message)
    end)

    it("at more calls than it may make", function()
      local outcome, state = flows.run(flow.define { "счёт", steps = 5, function(c) while true do pcall(c.now, c) end end })
      assert.equal(5, #state.journal)
      assert.same({ kind = "stopped", why = "steps",
        message = "flow 'счёт': it made more than 5 calls of c, the most it may (steps)" }, outcome)
      assert.equal("done", flows.run(flow.define { "счёт", steps = 5, function(c) for _ = 1, 5 do c:now() end end }).kind)
    end)

    it("at a wait for something else", function()
      local object = setmetatable({ yield = coroutine.yield }, {})
      local outcome = flows.run(flow.define { "x", function() object.yield(1) end })
      assert.equal("error", outcome.why)
      assert.equal("flow 'x': it waited for something else than c:ask and c:call, such as a call of a client: put that into a "
        .. "function of calls and use c:call()", outcome.message)
      assert.matches("run_spec.lua", outcome.traceback)
    end)

    it("asking when its ttl has passed, but not before it has said goodbye", function()
      local definition = flow.define { "x", ttl = "1h", function(c)
        while true do
          if c:ask { "text", "Что?" } == nil then c:say "Напишите, когда надумаете." end
        end
      end }
      local _, state, host, runner = flows.run(definition)
      host.now = 4600
      runner:answer(state, nil, "timeout")
      assert.same({ kind = "done" }, runner:advance(state, host))
      assert.same({ "1 say Что?", "2 say Напишите, когда надумаете." }, host.emitted)
      _, state, host, runner = flows.run(definition)
      host.now = 4599
      runner:answer(state, nil, "timeout")
      assert.same({ kind = "ask" }, runner:advance(state, host))
    end)
  end)

  it("lets errors of the host through, and goes on from the journal afterwards", function()
    local _, state, host, runner = flows.run(flow.define { "x", function(c)
      c:ask { "text", "Что?" }
      c:say "да"
    end })
    runner:answer(state, "x")
    local kept, emit = flows.kept(state), host.emit
    host.emit = function() error("full", 0) end
    assert.has_error(function() runner:advance(state, host) end, "full")
    host.emit = emit
    assert.equal("done", runner:advance(kept, host).kind)
    assert.same({ "1 say Что?", "2 say да" }, host.emitted)
  end)

  describe("departed", function()
    -- The state of a run of `first`, answered, goes on with `second`.
    local function changed(first, second, given)
      local runner, host = Runner.new { flow.define { "x", first } }, flows.host()
      local state = runner:start("x", "1", {}, 1000)
      assert.equal("ask", runner:advance(state, host).kind)
      runner:answer(state, "ответ")
      host.emitted = {}
      local definition = { "x", second }
      for name, value in pairs(given or {}) do definition[name] = value end
      return Runner.new({ flow.define(definition) }):advance(state, host), host
    end
    local function asks(c)
      c:say "а"
      c:ask { "text", "Что?" }
    end

    it("is what a replay does that is not what was", function()
      local outcome, host = changed(asks, function(c)
        pcall(function() c:now() end)
        c:say "дальше"
      end)
      assert.same({ kind = "stopped", why = "departed",
        message = "flow 'x': step 1 was c:say, and is now c:now; raise the version when you change a flow" }, outcome)
      assert.same({}, host.emitted)
      assert.equal("flow 'x': step 1 was c:say, and is now c:say of something else; raise the version when you change a flow",
        changed(asks, function(c) c:say "б" end).message)
      assert.equal("flow 'x': step 2 was c:ask, and is now c:ask of something else; raise the version when you change a flow",
        changed(asks, function(c) c:say "а" c:ask { "text", "Как?" } end).message)
      assert.equal("departed", changed(asks, function(c) c:say "а" c:ask { "phone", "Что?" } end).why)
    end)

    it("is what is done with something else", function()
      local function choice(prompt, first) return { "choice", prompt, choices = { first, "б" } } end
      local CALLS = {
        say = { { "{x}", { x = "а" } }, { "{x}", { x = "б" } } },
        image = { { "а.jpg" }, { "б.jpg" } },
        call = { { "reserve", { 1 } }, { "reserve", { 2 } } },
        date = { { "%H", 1 }, { "%H", 2 } },
        random = { { 5 }, { 6 } },
        get = { { "а" }, { "б" } },
        set = { { "а", 1 }, { "а", 2 } },
        ask = { { choice("Что?", "а") }, { choice("Что?", "в") }, { { "text", "Что?" } } },
      }
      for name, arguments in pairs(CALLS) do
        for at = 2, #arguments do
          -- What waits, waits at the first step; before anything else it is asked.
          local function first(c)
            c[name](c, arguments[1][1], arguments[1][2])
            c:ask { "text", "Дальше?" }
          end
          local runner, host = Runner.new { flow.define { "x", first } }, flows.host()
          local state = runner:start("x", "1", {}, 1000)
          if runner:advance(state, host).kind == "call" then runner:called(state, true)
          else runner:answer(state, "а") end
          local other = arguments[at]
          runner = Runner.new { flow.define { "x", function(c) c[name](c, other[1], other[2]) end } }
          assert.equal(("flow 'x': step 1 was c:%s, and is now c:%s of something else; raise the version when you change a flow")
            :format(name, name), runner:advance(state, host).message)
        end
      end
    end)

    it("is what ends before", function()
      local MESSAGE = "flow 'x': it ended after step 1, and had gone on to step 2; raise the version when you change a flow"
      local function departs(second)
        assert.same({ kind = "stopped", why = "departed", message = MESSAGE }, (changed(asks, second)))
      end
      departs(function(c) c:say "а" end)
      departs(function(c) c:say "а" c:stop() end)
      departs(function(c) c:say "а" c:start "x" end)
    end)

    it("is nothing that the journal does not show", function()
      local outcome, host = changed(asks, function(c)
        c:say "а"
        c:ask { "text", "Что?", again = "Что-что?", tries = 5 }
        c:say "б"
      end)
      assert.equal("done", outcome.kind)
      assert.same({ "3 say б" }, host.emitted)
    end)
  end)

  describe("versions", function()
    local function version(number, text, on_change)
      return flow.define { "x", version = number, on_change = on_change, function(c)
        c:ask { "text", "Что?" }
        c:say(text)
      end }
    end

    -- A run of version 1, answered, goes on with another runner.
    local function go_on(runner, first)
      local _, state, host, old = flows.run(first)
      old:answer(state, "x")
      host.emitted, host.now = {}, 2000
      if runner.adopts then runner:adopt(old) end
      return runner:advance(state, host), host, state
    end

    it("takes the newest for new runs", function()
      local runner = Runner.new { version(2, "два"), version(1, "раз") }
      assert.equal(2, runner:start("x", "1", {}, 1).version)
    end)

    it("finish: go on with their own", function()
      local one, two = version(1, "раз"), version(2, "два")
      local outcome, host = go_on(Runner.new { two, one }, one)
      assert.equal("done", outcome.kind)
      assert.same({ "2 say раз" }, host.emitted)
      assert.same({ kind = "stopped", why = "gone",
        message = "flow 'x': version 1, which the run is of, is no longer defined" }, (go_on(Runner.new { two }, one)))
      assert.equal("gone", go_on(Runner.new {}, one).why)
      assert.equal("gone", go_on(Runner.new { version(1, "раз") }, two).why)
    end)

    it("finish: go on with their own, when the runner before knew it", function()
      local one = version(1, "раз")
      for _, definitions in ipairs { { version(2, "два") }, {} } do
        local runner = Runner.new(definitions)
        runner.adopts = true
        local outcome, host = go_on(runner, one)
        assert.equal("done", outcome.kind)
        assert.same({ "2 say раз" }, host.emitted)
      end
    end)

    it("are handed on from runner to runner, and do not take the place of new ones", function()
      local first, second = Runner.new { version(1, "раз") }, Runner.new { version(2, "два") }
      local third = Runner.new { version(1, "новое"), version(2, "другое") }
      second:adopt(first)
      local last = Runner.new {}
      last:adopt(second)
      local _, host = go_on(last, version(1, "раз"))
      assert.same({ "2 say раз" }, host.emitted)
      third:adopt(second)
      _, host = go_on(third, version(1, "раз"))
      assert.same({ "2 say новое" }, host.emitted)
      assert.equal(2, third:start("x", "1", {}, 1).version)
      assert.has_error(function() last:start("x", "1", {}, 1) end, "start: unknown flow 'x' (there are none)")
    end)

    it("restart: begin again", function()
      local outcome, host, state = go_on(Runner.new { version(2, "два", "restart"), version(1, "раз") }, version(1, "раз"))
      assert.equal("ask", outcome.kind)
      assert.same({ "1 say Что?" }, host.emitted)
      assert.same({ 2, 2000, 2000 + 2 * 86400, 1 }, { state.version, state.started, state.expires, #state.journal })
    end)

    it("restart: also while an answer or a call is waited for", function()
      local two = version(2, "два", "restart")
      local _, state, host = flows.run(version(1, "раз"))
      assert.equal("ask", Runner.new({ two }):advance(state, host).kind)
      assert.same({ "1 say Что?", "1 say Что?" }, host.emitted)
      _, state, host = flows.run(flow.define { "x", function(c) c:call "reserve" end })
      assert.equal("ask", Runner.new({ two }):advance(state, host).kind)
      assert.is_nil(state.calling)
    end)

    it("human: are stopped", function()
      assert.same({ kind = "stopped", why = "changed",
        message = "flow 'x': it is now version 2, and the run is of version 1" },
        (go_on(Runner.new { version(2, "два", "human"), version(1, "раз") }, version(1, "раз"))))
    end)

    it("of the same number that another function has are replayed with that", function()
      local _, state, host, runner = flows.run(version(1, "раз"))
      runner:answer(state, "x")
      runner.newest.x = nil
      local other = Runner.new { version(1, "новое") }
      other.recent = runner.recent
      other:advance(state, host)
      assert.same({ "1 say Что?", "2 say новое" }, host.emitted)
    end)
  end)

  describe("leave", function()
    it("tells which texts end a flow", function()
      local _, state, _, runner = flows.run(order { leave = "стоп | хватит" })
      assert.is_true(runner:leaves(state, "Стоп!"))
      assert.is_false(runner:leaves(state, "дальше"))
      _, state, _, runner = flows.run(order())
      assert.is_false(runner:leaves(state, "Стоп!"))
      local other = Runner.new {}
      assert.is_false(other:leaves(state, "Стоп!"))
    end)

    it("may name concepts, and is checked", function()
      local definition = order { leave = "~конец" }
      local runner = Runner.new({ definition }, { concepts = { ["конец"] = "стоп" } })
      local state = runner:start("заказ", "1", {}, 1)
      assert.is_true(runner:leaves(state, "стоп"))
      local heir = Runner.new {}
      heir:adopt(runner)
      assert.is_true(heir:leaves(state, "стоп"))
      assert.has_error(function() Runner.new { definition } end,
        "Runner.new: flow 'заказ': leave: unknown concept 'конец' (column 1)")
      assert.equal("flow 'заказ': leave: unknown concept 'конец' (column 1)", (flow.check(definition)))
      assert.is_nil((flow.check(order())))
    end)
  end)

  describe("coroutines", function()
    local rounds
    local function counting()
      return flow.define { "x", function(c)
        rounds[1] = rounds[1] + 1
        while true do c:ask { "text", "Что?" } end
      end }
    end
    before_each(function() rounds = { 0 } end)

    it("are kept, so that a flow is not replayed each time", function()
      local _, state, host, runner = flows.run(counting())
      for _ = 1, 10 do
        runner:answer(state, "x")
        runner:advance(state, host)
      end
      assert.equal(1, rounds[1])
    end)

    it("are kept where the state was copied meanwhile", function()
      local _, state, host, runner = flows.run(counting())
      for _ = 1, 10 do
        state = flows.kept(state)
        runner:answer(state, "x")
        runner:advance(state, host)
      end
      assert.equal(1, rounds[1])
    end)

    it("are let go of when told so", function()
      local _, state, host, runner = flows.run(counting())
      runner:forget()
      runner:answer(state, "x")
      assert.equal("ask", runner:advance(state, host).kind)
      assert.equal(2, rounds[1])
    end)

    it("are so many at most", function()
      local runner, host, states = Runner.new({ counting() }, { coroutines = 4 }), flows.host(), {}
      for number = 1, 10 do
        states[number] = runner:start("x", tostring(number), {}, 1000)
        runner:advance(states[number], host)
      end
      local function go_on(number)
        local before = rounds[1]
        runner:answer(states[number], "x")
        runner:advance(states[number], host)
        return rounds[1] - before
      end
      assert.same({ 0, 0, 1 }, { go_on(10), go_on(9), go_on(1) })
    end)

    it("are not kept for runs that are over", function()
      local over = flow.define { "over", function() end }
      local runner, host = Runner.new({ counting(), over }, { coroutines = 2 }), flows.host()
      local state = runner:start("x", "1", {}, 1000)
      runner:advance(state, host)
      for number = 2, 10 do runner:advance(runner:start("over", tostring(number), {}, 1000), host) end
      runner:answer(state, "x")
      runner:advance(state, host)
      assert.equal(1, rounds[1])
    end)

    it("are not taken for a state that is not theirs", function()
      local said = { "а", "б" }
      local definition = flow.define { "x", function(c)
        local number = c:random(2)
        local answer = c:ask { "text", "Что?" }
        c:ask { "text", "Ещё?" }
        c:say(said[number] .. " " .. answer)
      end }
      local runner, host = Runner.new { definition }, flows.host()
      local state = runner:start("x", "1", {}, 1000)
      runner:advance(state, host)
      local earlier = flows.kept(state)
      runner:answer(state, "раз")
      runner:advance(state, host)
      -- The same run, as if the last step had never been.
      local other = flows.kept(earlier)
      other.journal[1].v = 1
      runner:answer(other, "два")
      assert.equal("ask", runner:advance(other, host).kind)
      -- As long as the kept one, and another.
      runner:answer(state, "ещё")
      host.emitted = {}
      runner:advance(state, host)
      assert.same({ "4 say б раз" }, host.emitted)
      -- Waiting at the same step, for something else.
      for field, value in pairs { k = "call", d = "00000000" } do
        local another = runner:start("x", "2", {}, 1000)
        runner:advance(another, host)
        runner:answer(another, "раз")
        another.journal[2][field] = value
        assert.equal("departed", runner:advance(another, host).why)
      end
    end)
  end)
end)
