-- The lane of a session, under times that are handed in: who may send, and when.

local script = require "support.script"

local answer, failure, session, fails, near = script.answer, script.failure, script.session, script.fails, script.near
local CHAT = answer(200, '{"id":"c1"}')
local REFUSED = answer(429)
local LONG = { timeout = 86400 }

--- A session that has its token and its account, so that a call is one request.
local function paced(pace, more)
  local given = { access_token = "dummy-token", pace = pace }
  for name, value in pairs(more or {}) do given[name] = value end
  return session(given)
end

local function call(shared, now, options)
  return shared:operation("get_chat", now, "c1", options or LONG)
end

local function goes(op, now)
  local step, request = op:next(now)
  assert.equal("send", step)
  return request
end

--- Asserts that it waits; in how many seconds its turn comes, and when it asks to be looked at again.
local function waits(op, now)
  local step, seconds, reason, turn = op:next(now)
  assert.same({ "wait", "pace" }, { step, reason })
  return turn, seconds
end

--- Sends a call and answers it.
local function perform(shared, now, response, options)
  local op = call(shared, now, options)
  goes(op, now)
  op:feed(now, 0, response or CHAT)
  return op
end

--- Uses up what the bucket holds; calls that wait from then on, and how much later each is than the one before.
local function used_up(shared, now)
  local waiting, turns = {}, {}
  while #waiting < 2 do
    local op = call(shared, now)
    local step, _, _, turn = op:next(now)
    if step == "wait" then
      waiting[#waiting + 1], turns[#turns + 1] = op, turn
    end
  end
  return waiting, turns[2] - turns[1], turns[1]
end

--- The present rate; uses up what the bucket holds.
local function rate(shared, now)
  local waiting, apart = used_up(shared, now)
  for _, op in ipairs(waiting) do op:cancel() end
  return 1 / apart
end

--- How many go at once.
local function at_once(shared, now, most)
  for count = 0, most or 2000 do
    local op = call(shared, now)
    if op:next(now) == "wait" then
      op:cancel()
      return count
    end
  end
end

describe("a lane", function()
  it("is not there unless it is asked for", function()
    local shared = session { access_token = "dummy-token" }
    for _ = 1, 1500 do goes(call(shared, 0), 0) end
    shared = session { access_token = "dummy-token", pace = false }
    for _ = 1, 1500 do goes(call(shared, 0), 0) end
  end)

  it("lets a burst go, and then one at a time", function()
    local shared = paced { rate = 4, burst = 3 }
    for _ = 1, 3 do goes(call(shared, 100), 100) end
    local op = call(shared, 100)
    near(0.25, (waits(op, 100)))
    near(0.05, (waits(op, 100.2)))
    goes(op, 100.25)
    near(0.25, (waits(call(shared, 100.25), 100.25)))
  end)

  it("has the whole burst while it was not used, and no more", function()
    local shared = paced { rate = 4, burst = 3 }
    assert.equal(3, at_once(shared, 0))
    assert.equal(2, at_once(shared, 0.5))
    assert.equal(3, at_once(shared, 1e9))
    assert.equal(3, at_once(shared, 1e15))
  end)

  it("has 6 a second and 12 at once where nothing is said", function()
    near(6, rate(paced {}, 0))
    assert.equal(12, at_once(paced {}, 0))
    assert.equal(12, at_once(paced { rate = 1000 }, 0))
    near(6, rate(paced { burst = 1000 }, 0))
  end)

  it("takes a clock that stands still", function()
    local shared = paced { rate = 4, burst = 3 }
    local waiting = used_up(shared, 7)
    for _ = 1, 100 do near(0.25, (waits(waiting[1], 7))) end
    goes(waiting[1], 7.25)
  end)

  it("lets a waiter go when it comes at the time it was told, whatever the clock began with", function()
    for _, start in ipairs { 0, 1000.1, 86400 * 365, 1700000000.123 } do
      local shared, now = paced({ rate = 7, burst = 1 }), start
      goes(call(shared, now), now)
      for _ = 1, 200 do
        local op = call(shared, now)
        for look = 1, 10 do
          local step, seconds = op:next(now)
          if step == "send" then break end
          assert.is_true(look < 10)
          now = now + seconds
        end
      end
      near(200 / 7, now - start)
    end
  end)

  it("tells waiters to look again half way, for turns change", function()
    local shared = paced { rate = 1, burst = 1 }
    goes(call(shared, 0), 0)
    local ops, seconds = {}, {}
    for i = 1, 5 do
      ops[i] = call(shared, 0)
      seconds[i] = select(2, waits(ops[i], 0))
    end
    assert.same({ 0.5, 1, 1.5, 2, 2.5 }, seconds)
    local op = call(shared, 4.65)
    assert.is_true(select(2, waits(op, 4.65)) > 0.25)
    for i = 1, 5 do ops[i]:cancel() end
    shared = paced { rate = 10, burst = 1 }
    used_up(shared, 0)
    near(0.25, (select(2, waits(call(shared, 0), 0)))) -- 0.3 away
    shared = paced { rate = 10, burst = 1 }
    goes(call(shared, 0), 0)
    near(0.1, (select(2, waits(call(shared, 0), 0))))
  end)
end)

describe("those who wait", function()
  it("go in the order they came in, a thousand at once, in whatever order they are asked", function()
    local shared = paced { rate = 100, burst = 10 }
    local ops, due, order, now = {}, {}, {}, 0
    for i = 1, 1000 do
      ops[i], due[i] = call(shared, 0), 0
      due[i] = ops[i]:next(0) == "wait" and 0
      if not due[i] then order[#order + 1] = i end
    end
    while #order < 1000 do
      now = now + 0.02
      local low, high = 1000, 0
      for i = 1000, 1, -1 do
        if due[i] and due[i] <= now then
          local step, seconds = ops[i]:next(now)
          due[i] = step == "wait" and now + seconds
          if step == "send" then
            order[#order + 1] = i
            low, high = math.min(low, i), math.max(high, i)
          end
        end
      end
      -- Those of one moment may go in any order: they all had their turn.
      if high > 0 then assert.equal(#order, high) end
      assert.is_true(#order <= 10 + 100 * now + 1)
    end
    assert.is_true(now > 9.89 and now < 9.95)
    table.sort(order)
    for i = 1, 1000 do assert.equal(i, order[i]) end
  end)

  it("are not overtaken by one that comes when their turn has come", function()
    local shared = paced { rate = 1, burst = 1 }
    goes(call(shared, 0), 0)
    local first, second = call(shared, 0), call(shared, 0)
    near(1, (waits(first, 0)))
    near(2, (waits(second, 0)))
    local new = call(shared, 1.5)
    near(1.5, (waits(new, 1.5)))
    near(0.5, (waits(second, 1.5)))
    goes(first, 1.5)
    near(0.5, (waits(second, 1.5)))
    near(1.5, (waits(new, 1.5)))
    goes(second, 2)
    goes(new, 3)
  end)

  it("cost those behind them a token each, and no more, when nobody asks for them again", function()
    for _, burst in ipairs { 1, 2, 12 } do
      local shared = paced { rate = 2, burst = burst }
      local idle, _, turn = used_up(shared, 0)
      near(0.5, turn)
      local op = call(shared, 0)
      near(1.5, (waits(op, 0)))
      waits(op, 1.4)
      goes(op, 1.5)
      for i = 1, 20 do -- as fast as ever
        op = call(shared, 1.5 + i / 2)
        goes(op, 1.5 + i / 2)
      end
      goes(idle[2], 12)
      goes(idle[1], 12)
    end
  end)

  local leaves = {
    ["is cancelled"] = function(op) op:cancel() end,
    ["has another deadline, and it has passed"] = function(op) op:limit(0.1) end,
    ["fails at its deadline"] = function(op)
      op:limit(0.1)
      assert.equal("timeout", fails(op, 0.1).kind)
    end,
  }
  for what, leave in pairs(leaves) do
    it("go on without one that " .. what, function()
      for gone = 1, 3 do
        local shared = paced { rate = 1, burst = 1 }
        goes(call(shared, 0), 0)
        local ops, left = {}, {}
        for i = 1, 3 do
          ops[i] = call(shared, 0)
          near(i, (waits(ops[i], 0)))
        end
        leave(ops[gone])
        for i = 1, 3 do
          if i ~= gone then left[#left + 1] = ops[i] end
        end
        near(0.8, (waits(left[1], 0.2)))
        near(1.8, (waits(left[2], 0.2)))
        local new = call(shared, 0.2)
        waits(new, 0.2)
        near(2.8, (waits(new, 0.2)))
        goes(left[1], 1)
        goes(left[2], 2)
      end
    end)
  end

  it("go on without one that is collected", function()
    local shared = paced { rate = 1, burst = 1 }
    goes(call(shared, 0), 0)
    for _ = 1, 50 do waits(call(shared, 0), 0) end
    local op = call(shared, 0)
    waits(op, 0)
    collectgarbage()
    collectgarbage()
    near(1, (waits(op, 0)))
    goes(op, 1)
  end)

  it("may be the last that hold the session, and may all be collected with it", function()
    local ops = {}
    for i = 1, 20 do
      local shared = paced { rate = 1, burst = 1 }
      for j = 1, 5 do
        ops[i * 5 + j] = call(shared, 0)
        ops[i * 5 + j]:next(0)
      end
    end
    collectgarbage()
    for i = 1, 20, 2 do
      assert.equal("wait", (ops[i * 5 + 5]:next(0.5)))
      for j = 1, 4 do ops[i * 5 + j] = nil end
    end
    collectgarbage()
    ops = nil -- luacheck: ignore
    collectgarbage()
    collectgarbage()
  end)

  it("may be brought back by a finalizer, and wait again", function()
    local shared = paced { rate = 1, burst = 1 }
    goes(call(shared, 0), 0)
    local back
    local function finalized(fn)
      if newproxy then
        getmetatable(newproxy(true)).__gc = fn
      else
        setmetatable({}, { __gc = fn })
      end
    end
    do
      local op = call(shared, 0)
      waits(op, 0)
      finalized(function()
        back = op
        op:next(0)
      end)
    end
    for _ = 1, 3 do collectgarbage() end
    near(1, (waits(back, 0)))
    near(2, (waits(call(shared, 0), 0)))
    back = nil -- luacheck: ignore
    for _ = 1, 3 do collectgarbage() end
    goes(call(shared, 1), 1)
  end)

  it("keep their place while they renew the token", function()
    local shared = session { pace = { rate = 1, burst = 1 } }
    local op = call(shared, 0)
    goes(op, 0)
    op:feed(0, 0, answer(200, '{"access_token":"dummy-token-1","expires_in":10}'))
    goes(op, 0)
    local first, second = call(shared, 8), call(shared, 8)
    goes(call(shared, 8), 8)
    near(1, (waits(first, 8)))
    near(2, (waits(second, 8)))
    assert.equal("token", goes(first, 9.5).purpose) -- ahead of its expiry
    near(0.5, (waits(second, 9.5)))
    first:feed(9.5, 0, answer(200, '{"access_token":"dummy-token-2","expires_in":100}'))
    near(0.5, (waits(second, 9.5))) -- also before it is asked again
    assert.equal("call", goes(first, 9.5).purpose)
    goes(second, 10)
  end)
end)

describe("a call whose turn comes past its deadline", function()
  it("fails at once, and takes neither a token nor a place", function()
    local shared = paced { rate = 2, burst = 1 }
    local waiting = used_up(shared, 0)
    local err = fails(call(shared, 0, { timeout = 1.5 }), 0)
    assert.equal("rate_limited", err.kind)
    assert.equal("get_chat", err.endpoint)
    assert.is_false(err.dispatched)
    assert.is_nil(err.status)
    near(1.5, err.retry_after)
    assert.equal("2 calls of this account wait before this one: its turn would come in 1.5 s, past the deadline", err.message)
    assert.equal("make fewer calls at once, give them a longer timeout, or raise pace", err.hint)
    local op = call(shared, 0, { timeout = 1.51 })
    near(1.5, (waits(op, 0)))
    near(0.5, (waits(waiting[1], 0)))
    waiting[2]:cancel()
    err = fails(call(shared, 0, { timeout = 1 }), 0)
    assert.equal("2 calls of this account wait before this one: its turn would come in 1.5 s, past the deadline", err.message)
    goes(waiting[1], 0.5)
    goes(op, 1)
  end)

  it("says how many wait", function()
    local shared = paced { rate = 3, burst = 1 }
    goes(call(shared, 0), 0)
    assert.equal("the call's turn would come in 0.4 s, past the deadline", fails(call(shared, 0, { timeout = 0.1 }), 0).message)
    local waiting = call(shared, 0)
    waits(waiting, 0)
    assert.equal("1 call of this account waits before this one: its turn would come in 0.7 s, past the deadline",
      fails(call(shared, 0, { timeout = 0.1 }), 0).message)
    goes(waiting, 0.4)
  end)

  it("fails when it is looked at again, and leaves", function()
    local shared = paced { rate = 2, burst = 4 }
    local refused = call(shared, 0)
    goes(refused, 0)
    local waiting = used_up(shared, 0)
    local op, last = call(shared, 0, { timeout = 3 }), call(shared, 0)
    near(1.5, (waits(op, 0)))
    near(2, (waits(last, 0)))
    refused:feed(0.5, 0, answer(429, "", { ["Retry-After"] = "2" })) -- open again at 2.5, and then one a second
    local err = fails(op, 0.6)
    assert.equal("rate_limited", err.kind)
    assert.is_false(err.dispatched)
    near(2.5 + 3 - 0.6, err.retry_after)
    near(2.5 + 3 - 0.6, (waits(last, 0.6)))
    goes(waiting[1], 3.5)
  end)

  it("knows that an earlier attempt left", function()
    local shared = paced { rate = 1, burst = 1 }
    local op = call(shared, 0, { timeout = 5 })
    goes(op, 0)
    op:feed(0.1, 0, answer(503))
    local other = perform(shared, 1.2, answer(429, "", { ["Retry-After"] = "60" }))
    local err = fails(op, 1.3)
    assert.equal("rate_limited", err.kind)
    assert.is_true(err.dispatched)
    other:cancel()
  end)

  it("is not reckoned with those who have waited too long", function()
    local shared = paced { rate = 0.1, burst = 1 }
    goes(call(shared, 0), 0)
    local late = {}
    for i = 1, 5 do
      late[i] = call(shared, 0)
      waits(late[i], 0)
      late[i]:limit(6)
    end
    near(3, (waits(call(shared, 7, { timeout = 4 }), 7)))
    for i = 1, 5 do assert.equal("timeout", fails(late[i], 7).kind) end
  end)
end)

describe("operation:limit", function()
  it("makes the deadline an earlier one, and never a later", function()
    local op = call(session { access_token = "dummy-token" }, 0, { timeout = 10 })
    op:limit(20)
    op:limit(0 / 0)
    op:limit(4)
    op:limit(6)
    assert.equal(3, goes(op, 1).timeout)
    op:feed(4, 0, answer(503))
    assert.equal("server", fails(op, 4).kind)
    op:limit(1)
    assert.equal(503, fails(op, 0).status)
    local invalid = call(session { access_token = "dummy-token" }, 0, { timeout = 0 })
    invalid:limit(1)
    assert.equal("invalid", fails(invalid, 2).kind)
    assert.has_error(function() op:limit() end)
    assert.has_error(function() op:limit("soon") end)
  end)

  it("is noticed by one that waits", function()
    local shared = paced { rate = 1, burst = 1 }
    local waiting = used_up(shared, 0)
    waiting[2]:limit(2.5)
    near(2, (waits(waiting[2], 0)))
    waiting[2]:limit(2)
    assert.equal("rate_limited", fails(waiting[2], 0).kind)
  end)
end)

describe("tokens of the lane", function()
  it("are taken by every attempt of a call", function()
    local shared = paced { rate = 1, burst = 3 }
    local op = call(shared, 0, { timeout = 100, retries = 2 })
    goes(op, 0)
    op:feed(0, 0, failure("network", true, true))
    goes(op, 0)
    op:feed(0, 0, failure("network", true, true))
    goes(op, 0)
    near(1, (waits(call(shared, 0), 0)))
  end)

  it("are taken by looking the account up", function()
    local shared = paced({ rate = 1, burst = 1 }, { user_id = false })
    local op = call(shared, 0)
    assert.equal("self", goes(op, 0).purpose)
    op:feed(0, 0, answer(200, '{"id":5}'))
    near(1, (waits(op, 0)))
    assert.equal("call", goes(op, 1).purpose)
  end)

  it("are not taken by requests for a token, nor by downloads", function()
    local shared = session { pace = { rate = 1, burst = 1 } }
    local op = call(shared, 0)
    assert.equal("token", goes(op, 0).purpose)
    op:feed(0, 0, answer(200, script.TOKEN))
    assert.equal("call", goes(op, 0).purpose)
    near(1, (waits(call(shared, 0), 0)))
    assert.equal("download", goes(shared:download("https://cdn.example/a", 0), 0).purpose)
  end)

  it("are waited for without the lock of the token store", function()
    local shared = session { client_id = false, client_secret = false, access_token = "dummy-token", has_store = true,
      has_lock = true, pace = { rate = 0.1, burst = 1 } }
    local STORED = { access_token = "dummy-token-2", expires_at = 100 }
    local op, other = call(shared, 0), call(shared, 91)
    goes(op, 0)
    op:feed(0, 0, answer(401))
    local function renew(one, now)
      assert.equal("lock", (one:next(now)))
      one:feed(now, now, true)
      assert.equal("load", (one:next(now)))
      one:feed(now, now, STORED)
      assert.equal("unlock", (one:next(now)))
      one:feed(now, now)
    end
    renew(op, 0)
    near(10, (waits(op, 0)))
    goes(op, 10)
    op:feed(91, 91, answer(429, "", { ["Retry-After"] = "5" }))
    renew(other, 91) -- ahead of its expiry, and nothing newer is to be had
    near(5 + 10, (waits(other, 91)))
  end)
end)

describe("a 429", function()
  local function after(headers, rated, unix)
    local shared = paced { rate = rated or 4, burst = 4 }
    local op = call(shared, 0)
    goes(op, 0)
    op:feed(1, unix or 0, answer(429, "", headers))
    return shared, op
  end

  it("halves the rate and closes the lane for a second, or for as long as it says", function()
    for seconds, headers in pairs { [1] = {}, [2] = { ["Retry-After"] = "2" }, [0] = { ["retry-after"] = "0" },
      [5] = { ["Retry-After"] = "Sun, 06 Nov 1994 08:49:37 GMT", Date = "Sun, 06 Nov 1994 08:49:32 GMT" },
      [3600] = { ["Retry-After"] = "7200" } } do
      local shared = after(headers)
      local _, apart, turn = used_up(shared, 1)
      near(0.5, apart)
      near(seconds + 0.5, turn)
    end
    local shared = after({ ["Retry-After"] = "Thu, 01 Jan 1970 00:01:00 GMT" }, 4, 53)
    near(7.5, (waits(call(shared, 1), 1)))
    near(1.5, (waits(call((after { ["Retry-After"] = "soon" }), 1), 1)))
  end)

  it("lets nobody go before, and everybody in order then", function()
    local shared = paced { rate = 4, burst = 2 }
    local refused = call(shared, 0)
    goes(refused, 0)
    local waiting = used_up(shared, 0)
    refused:feed(0.2, 0, answer(429, "", { ["Retry-After"] = "3" }))
    near(3.2 + 0.5 - 0.3, (waits(waiting[1], 0.3)))
    near(3.2 + 1 - 0.3, (waits(waiting[2], 0.3)))
    waits(waiting[2], 3.7)
    local new = call(shared, 3.7)
    waits(new, 3.7)
    goes(waiting[1], 3.7)
    goes(waiting[2], 4.2)
    goes(new, 4.7)
  end)

  it("gives the refused call its place back, before all that came later", function()
    local shared = paced { rate = 1, burst = 2 }
    local first, second = call(shared, 0), call(shared, 0)
    goes(first, 0)
    goes(second, 0)
    local later = call(shared, 0)
    waits(later, 0)
    second:feed(0, 0, answer(429, "", { ["Retry-After"] = "1" }))
    first:feed(0, 0, answer(429, "", { ["Retry-After"] = "1" }))
    assert.equal("retry", select(3, second:next(0)))
    assert.equal("retry", select(3, first:next(0)))
    near(2, (waits(second, 1.5) + 0.5)) -- at most half a second after the pause they are back
    near(2, (waits(first, 1.5) + 0.5))
    near(4, (waits(second, 1.5) + 0.5))
    near(6, (waits(later, 1.5) + 0.5))
    goes(first, 3)
    goes(second, 5)
    goes(later, 7)
  end)

  it("halves once for all requests that were under way", function()
    local shared = paced { rate = 8, burst = 10 }
    local ops = {}
    for i = 1, 10 do
      ops[i] = call(shared, 0, { timeout = 86400, retries = 0 })
      goes(ops[i], 0)
    end
    for i = 1, 9 do ops[i]:feed(0.1 * i, 0, REFUSED) end
    near(4, rate(shared, 5))
    ops[10]:feed(5, 0, REFUSED) -- it left before too
    near(4, rate(shared, 10))
    perform(shared, 20, REFUSED, { retries = 0 })
    near(2, rate(shared, 30))
  end)

  it("does not shorten the pause that another has asked for", function()
    local shared = paced { rate = 8, burst = 2 }
    local first, second = call(shared, 0), call(shared, 0)
    goes(first, 0)
    goes(second, 0)
    first:feed(0, 0, answer(429, "", { ["Retry-After"] = "60" }))
    second:feed(0, 0, REFUSED)
    near(60.25, (waits(call(shared, 0), 0)))
  end)

  it("does not slow further down than to one in ten seconds", function()
    local shared = paced { rate = 0.3, burst = 1 }
    for i, expected in ipairs { 0.15, 0.1, 0.1, 0.1 } do
      perform(shared, i * 1000, REFUSED, { retries = 0 })
      near(expected, rate(shared, i * 1000))
    end
    shared = paced { rate = 0.05, burst = 1 }
    perform(shared, 0, REFUSED, { retries = 0 })
    near(0.05, rate(shared, 0))
  end)

  it("is made up for by the answers that follow", function()
    local shared = paced { rate = 10, burst = 1 }
    perform(shared, 0, REFUSED, { retries = 0 })
    for i = 1, 5 do perform(shared, 10 * i) end
    near(6, rate(shared, 100))
    for i, status in ipairs { 302, 400, 404, 499, 200 } do perform(shared, 100 + 10 * i, answer(status, "{}")) end
    near(7, rate(shared, 200))
    for i, status in ipairs { 500, 503, 599 } do perform(shared, 200 + 10 * i, answer(status), { retries = 0 }) end
    near(7, rate(shared, 300))
    for i = 1, 100 do perform(shared, 300 + 10 * i) end
    near(10, rate(shared, 2000))
  end)

  it("to a request for a token or a download is no matter of the lane", function()
    local shared = session { pace = { rate = 4, burst = 4 } }
    local op = call(shared, 0)
    goes(op, 0)
    op:feed(0, 0, answer(429, "", { ["Retry-After"] = "1", ["X-RateLimit-Limit"] = "60" }))
    op:cancel()
    shared:download("https://cdn.example/a", 0):next(0)
    op = shared:download("https://cdn.example/a", 0)
    goes(op, 0)
    op:feed(0, 0, REFUSED)
    op = call(shared, 2)
    assert.equal("token", goes(op, 2).purpose)
    op:feed(2, 0, answer(200, script.TOKEN))
    goes(op, 2)
    assert.equal(3, at_once(shared, 2))
    near(4, rate(shared, 2))
  end)
end)

describe("the headers of an answer", function()
  --- A session whose first call was answered with these headers.
  local function told(headers, pace, status)
    local shared = paced(pace or {})
    perform(shared, 0, answer(status or 200, '{"id":"c1"}', headers), { retries = 0 })
    return shared
  end

  it("tell the limit, in any case", function()
    for _, name in ipairs { "X-RateLimit-Limit", "x-ratelimit-limit", "X-RATELIMIT-LIMIT", "X-Ratelimit-Limit" } do
      near(2, rate(told { [name] = "120" }, 0))
      near(2, rate(told({ [name] = " \t120 " }, nil, 404), 0))
      near(2, rate(told({ [name] = "120" }, nil, 503), 0))
      near(1, rate(told({ [name] = "120" }, nil, 429), 0))
    end
  end)

  it("may raise the default, by and by", function()
    local shared = told { ["X-RateLimit-Limit"] = "1200" }
    near(6.4, rate(shared, 0))
    for i = 1, 50 do perform(shared, i * 10) end
    near(20, rate(shared, 1000))
    shared = told { ["X-RateLimit-Limit"] = "999999999" }
    for i = 1, 60 do perform(shared, i * 10) end
    near(1000, rate(shared, 1000))
  end)

  it("may lower a given rate, and do not raise it", function()
    near(2, rate(told({ ["X-RateLimit-Limit"] = "120" }, { rate = 3 }), 0))
    local shared = told({ ["X-RateLimit-Limit"] = "1200" }, { rate = 3 })
    for i = 1, 60 do perform(shared, i * 10) end
    near(3, rate(shared, 1000))
    perform(shared, 2000, answer(200, '{"id":"c1"}', { ["X-RateLimit-Limit"] = "60" }))
    perform(shared, 2010, answer(200, '{"id":"c1"}', { ["X-RateLimit-Limit"] = "600" }))
    for i = 1, 60 do perform(shared, 2010 + i * 10) end
    near(3, rate(shared, 3000))
  end)

  it("do not slow further down than to one in ten seconds", function()
    near(0.1, rate(told { ["X-RateLimit-Limit"] = "0" }, 0))
    near(0.1, rate(told { ["X-RateLimit-Limit"] = "5" }, 0))
  end)

  it("are left alone when they are none", function()
    for _, value in ipairs { "", "-1", "+120", "120.5", "1e2", "0x10", "120 requests", "120, 120", "many", "1234567890", "\195\159",
      ("9"):rep(400) } do
      for _, name in ipairs { "X-RateLimit-Limit", "X-RateLimit-Remaining" } do
        local shared = told({ [name] = value }, { burst = 5 })
        assert.equal(4, at_once(shared, 0), value)
        near(6, rate(shared, 0))
      end
    end
    for _, name in ipairs { "X-RateLimit-Limits", "X-RateLimit", "RateLimit-Limit", "X-RateLimit-Limit ", "XX-RateLimit-Limit",
      "X-RateLimit-Remain", "X-RateLimit-Reset" } do
      local shared = told({ [name] = "0" }, { burst = 5 })
      assert.equal(4, at_once(shared, 0), name)
      near(6, rate(shared, 0))
    end
  end)

  it("are read wherever the head ends", function()
    local whole = "HTTP/1.1 200 OK\nx-ratelimit-remaining: 2\nX-RateLimit-Limit: 120"
    for length = 0, #whole do
      local shared = paced { burst = 5 }
      perform(shared, 0, { status = 200, head = whole:sub(1, length), body = '{"id":"c1"}' })
      local left = length >= 40 and 2 or 4
      assert.equal(left, at_once(shared, 0), length)
      near(length == #whole and 2 or length == #whole - 1 and 0.2 or length == #whole - 2 and 0.1 or 6, rate(shared, 0))
    end
  end)

  it("tell how many are left", function()
    assert.equal(3, at_once(told { ["X-RateLimit-Remaining"] = "3" }, 0))
    assert.equal(11, at_once(told { ["X-RateLimit-Remaining"] = "500" }, 0))
    assert.equal(0, at_once(told { ["x-ratelimit-remaining"] = "0" }, 0))
    near(1 / 6, (waits(call(told { ["x-ratelimit-remaining"] = "0" }, 0), 0)))
  end)

  it("take back what has gathered while the answer was awaited", function()
    local shared = paced { rate = 4, burst = 8 }
    local op = call(shared, 0)
    goes(op, 0)
    assert.equal(7, at_once(shared, 0))
    op:feed(10, 0, answer(200, '{"id":"c1"}', { ["X-RateLimit-Remaining"] = "2" }))
    assert.equal(2, at_once(shared, 10))
    op = call(shared, 20)
    goes(op, 20)
    op:feed(20, 0, answer(200, '{"id":"c1"}', { ["X-RateLimit-Remaining"] = "9" }))
    assert.equal(7, at_once(shared, 20))
    perform(shared, 21) -- what is left is no more than the burst, however much has gathered
    op = call(shared, 21)
    goes(op, 21)
    op:feed(31, 0, answer(200, '{"id":"c1"}', { ["X-RateLimit-Remaining"] = "20" }))
    assert.equal(8, at_once(shared, 31))
  end)

  it("do not open a lane that a 429 has closed", function()
    local shared = paced { rate = 4, burst = 8 }
    local op = call(shared, 0)
    goes(op, 0)
    perform(shared, 0, answer(429, "", { ["Retry-After"] = "60" }), { retries = 0 })
    op:feed(1, 0, answer(200, '{"id":"c1"}', { ["X-RateLimit-Remaining"] = "9", ["X-RateLimit-Limit"] = "600" }))
    near(59, math.floor((waits(call(shared, 1), 1))))
  end)
end)
