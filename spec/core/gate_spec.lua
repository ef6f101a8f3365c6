-- The gate of a session: how many requests of an account may be under way at once, under times that are handed in.

local core = require "avito_messenger.core"
local script = require "support.script"

local answer, failure, fails, near = script.answer, script.failure, script.fails, script.near
local CHAT = answer(200, '{"status":"OK","result":{"chatId":77}}')
local LONG = { timeout = 1000 }
local CROWDED = answer(420, "", { ["X-RateLimit-Resource-Remaining"] = "12" })

local function business(pace, seed)
  return core.session { base_url = "https://api.example", marketplace = "yandex_market", api_key = "dummy-key-1", business_id = 7,
    seed = seed or "x", pace = pace or false, retries = 2 }
end

local function call(shared, now, options) return shared:operation("get_chat", now, 77, options or LONG) end

local function goes(op, now)
  local step, _, _, slot = op:next(now)
  assert.same({ "send", true }, { step, slot })
  return op
end

--- Asserts that it waits for a place; when it is to look again, and how long that may take at most.
local function waits(op, now)
  local step, seconds, reason, longest = op:next(now)
  assert.same({ "wait", "slot" }, { step, reason })
  return seconds, longest
end

--- Takes all places that are free; the calls that have them.
local function fill(shared, now, options)
  local ops = {}
  while true do
    local op = call(shared, now, options)
    if op:next(now) ~= "send" then
      op:cancel()
      return ops
    end
    ops[#ops + 1] = op
  end
end

local function collect()
  collectgarbage()
  collectgarbage()
end

describe("a gate", function()
  it("lets four be under way, or fewer where the program says so", function()
    assert.equal(4, #fill(business(), 100))
    assert.equal(4, #fill(business {}, 100))
    for places = 1, 4 do assert.equal(places, #fill(business { at_once = places }, 100)) end
  end)

  it("is not there for Avito", function()
    local shared = script.session { access_token = "dummy-token" }
    for _ = 1, 50 do
      local step, _, _, slot = shared:operation("get_chat", 0, "c1"):next(0)
      assert.same({ "send", false }, { step, slot })
    end
  end)

  it("has bounds", function()
    for _, at_once in ipairs { 0, 5, -1, 1.5, 0 / 0, math.huge } do
      assert.error_matches(function() business { at_once = at_once } end,
        "^yandex_market.client: pace.at_once must be an integer from 1 to 4$")
    end
    assert.error_matches(function() business { at_once = "2" } end, "pace.at_once must be a number, got string")
  end)

  local ends = {
    ["is answered"] = function(op) op:feed(101, 0, CHAT) end,
    ["is answered with an error"] = function(op) op:feed(101, 0, answer(404)) end,
    ["is refused"] = function(op) op:feed(101, 0, answer(420, "", { ["X-RateLimit-Resource-Remaining"] = "0" })) end,
    ["gets no answer"] = function(op) op:feed(101, 0, failure("network", true)) end,
    ["is to be repeated"] = function(op) op:feed(101, 0, answer(503, "", { ["Retry-After"] = "50" })) end,
    ["is cancelled"] = function(op) op:cancel() end,
  }
  for what, over in pairs(ends) do
    it("has a place again when a call " .. what, function()
      local shared = business()
      local ops, waiting, other = fill(shared, 100), call(shared, 100), call(shared, 100)
      waits(waiting, 100)
      waits(other, 100)
      over(ops[3])
      goes(waiting, 101)
      waits(other, 101)
    end)
  end

  it("has a place again when a call is collected, or what came of it raises", function()
    local shared = business()
    local ops, waiting = fill(shared, 100), call(shared, 100)
    waits(waiting, 100)
    ops[2] = nil
    collect()
    goes(waiting, 100)
    assert.error_matches(function() ops[1]:feed(100, 0, { status = 200 }) end, "response.head must be a string")
    goes(call(shared, 100), 100)
  end)

  it("has the place of one that died at its deadline, and not before", function()
    local shared = business()
    local dead = { goes(call(shared, 100, { timeout = 3 }), 100), goes(call(shared, 100, { timeout = 5 }), 100) }
    fill(shared, 100, { timeout = 50 })
    local one, other = call(shared, 100), call(shared, 100)
    local seconds, longest = waits(one, 100)
    near(0.05, seconds)
    near(3, longest)
    near(5, (select(2, waits(other, 100))))
    local last = call(shared, 100)
    near(50, (select(2, waits(last, 100))))
    last:cancel()
    waits(one, 102.99)
    goes(one, 103)
    waits(other, 103)
    dead[1]:feed(104, 0, CHAT) -- its place is another's by now
    waits(other, 104)
    goes(other, 105)
    one:feed(105, 0, CHAT)
    goes(call(shared, 105), 105)
  end)

  it("keeps a place no longer than the program's own deadline", function()
    local shared = business { at_once = 1 }
    local op = call(shared, 100)
    op:limit(102)
    goes(op, 100)
    local waiting = call(shared, 100)
    near(2, (select(2, waits(waiting, 100))))
    goes(waiting, 102)
  end)

  it("takes no place for a download", function()
    local shared = business()
    fill(shared, 100)
    for _ = 1, 10 do
      local step, request, _, slot = shared:download("https://cdn.example/a", 100):next(100)
      assert.same({ "send", "download", false }, { step, request.purpose, slot })
    end
  end)

  it("may be taken by an operation that a finalizer has brought back", function()
    local shared = business { at_once = 1 }
    local back
    do
      local op = goes(call(shared, 100), 100)
      local function finalize()
        back = op
        op:cancel()
      end
      if newproxy then getmetatable(newproxy(true)).__gc = finalize else setmetatable({}, { __gc = finalize }) end
    end
    for _ = 1, 3 do collectgarbage() end
    assert.equal("cancelled", fails(back, 100).kind)
    local other = goes(call(shared, 100), 100)
    back = nil -- luacheck: ignore
    for _ = 1, 3 do collectgarbage() end
    waits(call(shared, 100), 100)
    other:cancel()
  end)
end)

describe("those who wait for a place", function()
  it("get one in the order they came in, in whatever order they look", function()
    local shared = business()
    local ops, queue = fill(shared, 100), {}
    for i = 1, 6 do
      queue[i] = call(shared, 100)
      waits(queue[i], 100)
    end
    ops[1]:feed(101, 0, CHAT)
    ops[2]:feed(101, 0, CHAT)
    for i = 6, 3, -1 do waits(queue[i], 101) end
    waits(call(shared, 101), 101)
    goes(queue[2], 101)
    waits(queue[3], 101)
    goes(queue[1], 101)
    ops[3]:feed(102, 0, CHAT)
    waits(call(shared, 102), 102)
    goes(queue[3], 102)
  end)

  it("keep their turn in the lane of their operation meanwhile", function()
    local shared = business { at_once = 3 }
    local last = answer(200, CHAT.body, { ["X-RateLimit-Resource-Remaining"] = "1" })
    goes(call(shared, 100), 100):feed(100, 0, last)
    local ops = {}
    for i = 1, 3 do ops[i] = goes(shared:operation("get_chats", 100, {}, LONG), 100) end
    local first, second = call(shared, 100), call(shared, 100)
    waits(first, 100)
    assert.equal("pace", (select(3, second:next(100))))
    for i = 1, 3 do ops[i]:feed(101, 0, CHAT) end
    assert.equal("pace", (select(3, second:next(101))))
    goes(first, 101)
    goes(second, 104)
  end)

  it("go on without one that is over, or has waited too long", function()
    local leaves = {
      function(op) op:cancel() end,
      function(op) op:limit(100.5) end,
      function(op)
        op:limit(100.5)
        fails(op, 100.5)
      end,
    }
    for _, leave in ipairs(leaves) do
      local shared = business()
      local ops, first, second = fill(shared, 100), call(shared, 100), call(shared, 100)
      waits(first, 100)
      waits(second, 100)
      leave(first)
      ops[1]:feed(101, 0, CHAT)
      goes(second, 101)
      waits(call(shared, 101, { timeout = 1 }), 101)
      ops[2]:feed(102, 0, CHAT)
      goes(call(shared, 102), 102)
    end
  end)

  it("go on without one that is collected", function()
    local shared = business()
    local ops = fill(shared, 100)
    waits(call(shared, 100), 100)
    local second = call(shared, 100)
    waits(second, 100)
    collect()
    ops[1]:feed(101, 0, CHAT)
    goes(second, 101)
  end)

  it("are rate limited when there was none until the deadline, and were never sent", function()
    local shared = business { at_once = 2 }
    fill(shared, 100)
    local op = shared:operation("send_message", 100, 77, "да", { timeout = 10 })
    near(10, (select(2, waits(op, 100))))
    local err = fails(op, 110)
    assert.same({ "rate_limited", "send_message", false }, { err.kind, err.endpoint, err.dispatched })
    assert.is_nil(err.status)
    assert.equal("until the deadline there were 2 requests of this account under way, and it may have no more", err.message)
    assert.equal("make fewer calls at once, or give them a longer timeout", err.hint)
  end)

  it("are late as any others when they do not wait for one any more", function()
    local shared = business()
    local ops, op = fill(shared, 100), call(shared, 100, { timeout = 10 })
    waits(op, 100)
    ops[1]:feed(101, 0, CHAT)
    goes(op, 101):feed(102, 0, answer(503, "", { ["Retry-After"] = "3" }))
    assert.equal("timeout", fails(op, 110).kind)
    assert.equal("timeout", fails(call(shared, 110, { timeout = 5 }), 115).kind)
  end)

  it("come before later calls when they are repeated", function()
    local shared = business { at_once = 1 }
    local first = goes(call(shared, 100), 100)
    local later = call(shared, 100)
    waits(later, 100)
    first:feed(100, 0, answer(503, "", { ["Retry-After"] = "1" }))
    goes(later, 100)
    local last = call(shared, 100)
    waits(last, 100)
    waits(first, 102)
    later:feed(102, 0, CHAT)
    waits(last, 102)
    goes(first, 102)
  end)
end)

describe("a refusal of too many at once", function()
  it("closes the gate for a second, for all operations", function()
    local shared = business {}
    local op = goes(call(shared, 100), 100)
    op:feed(101, 0, CROWDED)
    local other = shared:operation("get_chats", 101, {}, LONG)
    local seconds, longest = waits(other, 101)
    near(1, seconds)
    near(1, longest)
    assert.equal("retry", (select(3, op:next(101))))
    waits(op, 101.9)
    goes(op, 102)
    goes(other, 102)
    assert.equal(2, #fill(shared, 102))
  end)

  it("closes it for as long as Retry-After says, at most an hour", function()
    for said, seconds in pairs { ["0"] = 0, ["7"] = 7, ["999999"] = 3600 } do
      local shared = business {}
      goes(call(shared, 100), 100):feed(101, 0, answer(420, "", { ["X-RateLimit-Resource-Remaining"] = "1",
        ["Retry-After"] = said }))
      local op = call(shared, 101, { timeout = 5000 })
      if seconds > 0 then near(seconds, (waits(op, 101))) else goes(op, 101) end
    end
  end)

  it("does not shorten what another has said", function()
    local shared = business {}
    local one, other = goes(call(shared, 100), 100), goes(call(shared, 100), 100)
    one:feed(101, 0, answer(420, "", { ["X-RateLimit-Resource-Remaining"] = "100", ["Retry-After"] = "60" }))
    other:feed(102, 0, answer(420, "", { ["X-RateLimit-Resource-Remaining"] = "100" }))
    near(59, (waits(call(shared, 102), 102)))
  end)

  it("is no matter of how many may go in an hour, whatever else it says", function()
    local shared = business {}
    local op = goes(call(shared, 100, { timeout = 1000, retries = 0 }), 100)
    op:feed(100, 0, answer(420, "", { ["X-RateLimit-Resource-Remaining"] = "100", Date = "Thu, 01 Jan 1970 00:00:00 GMT",
      ["X-RateLimit-Resource-Until"] = "Thu, 01 Jan 1970 00:30:00 GMT" }))
    assert.is_nil(fails(op, 100).retry_after)
    goes(call(shared, 101), 101)
  end)

  it("is repeated, also where a message was to be sent", function()
    local shared = business()
    local op = goes(shared:operation("send_message", 100, 77, "да"), 100)
    op:feed(100, 0, CROWDED)
    assert.equal("retry", (select(3, op:next(100))))
    goes(op, 101)
  end)

  it("fails a call at once that the gate would let through only after its deadline", function()
    local shared = business()
    goes(call(shared, 100), 100):feed(100, 0, answer(429, "", { ["X-RateLimit-Resource-Remaining"] = "1", ["Retry-After"] = "60" }))
    local err = fails(call(shared, 101, { timeout = 10 }), 101)
    assert.same({ "rate_limited", false }, { err.kind, err.dispatched })
    near(59, err.retry_after)
    assert.equal("the call's turn would come in 59 s, past the deadline", (err.message:gsub("%.0 s", " s")))
  end)
end)

describe("a gate that sessions share", function()
  local function share(from, to, now) return to:pace(from:pace(), now) end

  it("has four places for all of them", function()
    local one, other = business(), business()
    local ops = { goes(call(one, 100), 100), goes(call(one, 100), 100), goes(call(one, 100), 100) }
    assert.is_true(share(one, other, 100))
    assert.equal(1, #fill(other, 100))
    assert.is_true(share(other, one, 100))
    waits(call(one, 100), 100)
    ops[1]:feed(101, 0, CHAT)
    assert.is_true(share(one, other, 101))
    assert.equal(1, #fill(other, 101))
  end)

  it("has the places of a session that died at their deadlines", function()
    local one, other = business(), business()
    fill(one, 100, { timeout = 7 })
    share(one, other, 100)
    local op = call(other, 100)
    near(7, (select(2, waits(op, 100))))
    goes(op, 107)
    assert.equal(3, #fill(other, 107))
  end)

  it("keeps to the fewest that each of them allows", function()
    local all, few = business { at_once = 4 }, business { at_once = 2 }
    assert.equal(2, #fill(few, 100))
    share(few, all, 100)
    local more = fill(all, 100)
    assert.equal(2, #more)
    share(all, few, 100)
    more[1]:feed(101, 0, CHAT)
    more[2]:feed(101, 0, CHAT)
    share(all, few, 101)
    waits(call(few, 101), 101)
  end)

  it("is closed for all", function()
    local one, other = business(), business()
    goes(call(one, 100), 100):feed(100, 0, CROWDED)
    share(one, other, 100)
    near(1, (waits(call(other, 100), 100)))
  end)

  it("is shared also where only one of them keeps the limits of an hour", function()
    local gated, paced = business(false), business {}
    local before = paced:pace()
    for _, headers in ipairs { { ["X-RateLimit-Resource-Limit"] = "60", ["X-RateLimit-Resource-Remaining"] = "0" },
      { ["Retry-After"] = "60" } } do
      goes(call(gated, 100), 100):feed(100, 0, answer(420, "", headers))
      goes(call(gated, 100), 100):feed(100, 0, answer(200, CHAT.body, headers))
    end
    fill(gated, 100)
    assert.is_true(share(gated, paced, 100))
    assert.equal(before:sub(1, 1 + 8 * 56), paced:pace():sub(1, 1 + 8 * 56))
    assert.equal(#before, #paced:pace())
    waits(call(paced, 100), 100)
    goes(call(paced, 1100), 1100)
    assert.is_true(share(paced, gated, 1100))
    assert.equal(3, #fill(gated, 1100))
  end)

  it("passes on the limits of an hour that others keep", function()
    local one, gated, other = business {}, business(false), business {}
    goes(call(one, 100), 100):feed(100, 0, answer(420, "", { ["Retry-After"] = "900" }))
    assert.is_true(share(one, gated, 100))
    assert.is_true(share(gated, other, 100))
    assert.equal("rate_limited", fails(call(other, 100, { timeout = 60 }), 100).kind)
  end)

  it("takes nothing over that is no state of one", function()
    local one, other = business(), business()
    goes(call(one, 100), 100)
    local state = one:pace()
    assert.equal(1 + 8 * 56 + 5 * 8, #state)
    local NAN, INFINITY = ("\0"):rep(6) .. "\248\127", ("\0"):rep(6) .. "\240\127"
    local NEGATIVE, FAR = ("\0"):rep(6) .. "\240\191", ("\0"):rep(6) .. "\240\66" -- -1, 2^48
    local before = other:pace()
    for index = 0, 4 do
      local at = #state - 40 + index * 8
      for _, double in ipairs { NAN, INFINITY, NEGATIVE, FAR } do
        local bad = state:sub(1, at) .. double .. state:sub(at + 9)
        assert.equal(#state, #bad)
        assert.is_false(other:pace(bad, 100))
      end
    end
    for _, bad in ipairs { "", "x", state:sub(1, -2), state .. "x", "\2" .. state:sub(2), script.session {
      access_token = "dummy-token", pace = {} }:pace() } do
      assert.is_false(other:pace(bad, 100))
    end
    assert.equal(before, other:pace())
    assert.is_true(other:pace(state, 100))
    assert.equal(state, other:pace())
  end)
end)

describe("whatever happens", function()
  -- Sessions that share one state; calls begin, are answered, cancelled, forgotten, repeated; the places of dead ones expire.
  local function simulate(seed, sessions)
    math.randomseed(seed)
    local random = math.random
    local shared, state, now, live, waiting = {}, nil, 100, {}, {}
    for i = 1, sessions do shared[i] = business(random(2) == 1 and {}, tostring(seed * 10 + i)) end
    local function with(one, fn)
      if state then assert.is_true(one:pace(state, now)) end
      fn()
      state = one:pace()
    end
    local begun, went, looks = 0, 0, 0
    for _ = 1, 400 do
      now = now + random() * 0.4
      for i = #live, 1, -1 do -- the server has given up what is past its deadline
        if live[i].deadline <= now then table.remove(live, i) end
      end
      if random(3) == 1 and begun < 60 then
        begun = begun + 1
        local timeout = random(20)
        local one = random(sessions)
        waiting[#waiting + 1] = { op = call(shared[one], now, { timeout = timeout, retries = 0 }), one = one,
          since = math.huge, deadline = now + timeout }
      end
      local from = #waiting > 0 and random(#waiting) or 0
      local entry = waiting[from]
      if entry then
        looks = looks + 1
        with(shared[entry.one], function()
          local step, _, reason = entry.op:next(now)
          if step == "send" then
            local before = 0 -- of the same session, that have waited for longer
            for _, other in ipairs(waiting) do
              if other.one == entry.one and other.since < entry.since and other.deadline > now then before = before + 1 end
            end
            assert.is_true(#live + before < 4)
            live[#live + 1], went = entry, went + 1
            table.remove(waiting, from)
          elseif step == "fail" then
            table.remove(waiting, from)
          else
            assert.equal("slot", reason)
            entry.since = math.min(entry.since, looks)
          end
        end)
      end
      assert.is_true(#live <= 4)
      if #live > 0 and random(3) == 1 then
        local ended = table.remove(live, random(#live))
        local how = random(4)
        if how == 4 then
          live[#live + 1] = ended -- it is forgotten: time gives its place back
        else
          with(shared[ended.one], function()
            if how == 1 then
              ended.op:cancel()
            else
              ended.op:feed(now, 0, how == 2 and CHAT or failure("network", true))
            end
          end)
        end
      end
    end
    for _ = 1, 200 do -- nothing holds a place for good, so all that wait go or fail
      now = now + 0.5
      for i = #waiting, 1, -1 do
        with(shared[waiting[i].one], function()
          if waiting[i].op:next(now) ~= "wait" then table.remove(waiting, i) end
        end)
      end
    end
    assert.same({}, waiting)
    return went
  end

  it("there are never more than four under way, in order, and nobody waits for ever", function()
    local went = 0
    for seed = 1, 25 do went = went + simulate(seed, seed % 3 + 1) end
    assert.is_true(went > 25 * 20, went)
  end)
end)
