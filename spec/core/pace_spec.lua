-- Lanes of single operations, and what refusals say about them: the limits of Yandex Market, under times that are handed in.

local core = require "avito_messenger.core"
local script = require "support.script"

local answer, fails = script.answer, script.fails
local OK = answer(200, '{"status":"OK","result":{"chatId":77,"chats":[],"messages":[]}}')
local NOON = "Wed, 21 Oct 2026 12:00:00 GMT"

local function business(pace)
  return core.session { base_url = "https://api.example", marketplace = "yandex_market", api_key = "dummy-key-1", business_id = 7,
    seed = "x", pace = pace == nil and {} or pace, retries = 2 }
end

local ARGUMENTS = {
  create_chat = { "ORDER", 5 }, get_chats = { {} }, get_chat = { 77 }, get_chat_history = { 77, {} }, send_message = { 77, "да" },
  get_chat_message = { 77, 8 }, send_file = { 77, { data = "x", filename = "a.pdf" } },
}

local function call(shared, now, name, options)
  local given = {}
  for i, value in ipairs(ARGUMENTS[name]) do given[i] = value end
  given[#given + 1] = options or { timeout = 86400 }
  return shared:operation(name, now, (unpack or table.unpack)(given)) -- luacheck: ignore
end

local function goes(op, now)
  assert.equal("send", (op:next(now)))
  return op
end

--- Asserts that it waits for its lane, and in how many seconds its turn comes.
local function waits(op, now)
  local step, _, reason, turn = op:next(now)
  assert.same({ "wait", "pace" }, { step, reason })
  return turn
end

local function near(expected, got)
  assert.is_true(math.abs(expected - got) < 0.002 * math.max(1, expected), ("%s is not near %s"):format(got, expected))
end

--- How many calls go at once where all are answered, and in how many seconds the next does.
local function burst(shared, now, name, response)
  for count = 0, 6000 do
    local op = call(shared, now, name)
    if op:next(now) == "wait" then
      local turn = waits(op, now)
      op:cancel()
      return count, turn
    end
    op:feed(now, 0, response or OK)
  end
end

--- The answer of status 420 with these headers, without their prefix.
local function refusal(headers, status)
  local whole = {}
  for name, value in pairs(headers) do
    whole[(name == "Date" or name == "Retry-After") and name or "X-RateLimit-Resource-" .. name] = value
  end
  return answer(status or 420, '{"status":"ERROR","errors":[{"code":"HIT_RATE_LIMIT"}]}', whole)
end

--- A session and its call of get_chat that was refused at 100.
local function refused(headers, options, status, unix)
  local shared = business()
  local op = goes(call(shared, 100, "get_chat", options), 100)
  op:feed(100, unix or 0, refusal(headers, status))
  return shared, op
end

describe("an operation with a limit of its own", function()
  local HOURLY = { create_chat = 1000, get_chats = 5000, get_chat = 1000, get_chat_history = 10000, send_message = 1000,
    get_chat_message = 1000, send_file = 1000 }

  it("goes half of an hour's at once, and then evenly, whatever the others do", function()
    local shared = business()
    for name, hourly in pairs(HOURLY) do
      local count, turn = burst(shared, 1000, name)
      assert.equal(hourly / 2, count, name)
      near(3600 / hourly, turn)
    end
    for name, hourly in pairs(HOURLY) do
      local count = burst(shared, 1000 + 36.01, name)
      assert.equal(hourly / 100, count, name)
    end
  end)

  it("has none with pace = false", function()
    local shared = business(false)
    for _ = 1, 6000 do goes(call(shared, 1000, "get_chats"), 1000):feed(1000, 0, OK) end
  end)

  it("is what any other request is not", function()
    local shared = business()
    burst(shared, 1000, "get_chat")
    for _ = 1, 12 do goes(shared:request("GET", 1000, "/v2/regions"), 1000):feed(1000, 0, OK) end
    near(1 / 6, waits(shared:request("GET", 1000, "/v2/regions"), 1000))
  end)

  it("is told its limit by the server", function()
    local shared = business()
    local told = refusal({ Limit = "7200", Remaining = "3" }, 200)
    goes(call(shared, 1000, "get_chats"), 1000):feed(1000, 0, told)
    local count, turn = burst(shared, 1000, "get_chats")
    assert.equal(3, count)
    near(3600 / (5000 + 4 * 144), turn) -- four answers on the way from 5000 to 7200
    assert.equal(500, (burst(shared, 1000, "get_chat")))
    goes(call(shared, 1001, "send_file"), 1001):feed(1001, 0, refusal({ Limit = "3", Remaining = "0" }, 200))
    near(600, waits(call(shared, 1001, "send_file"), 1001)) -- six an hour are the least
  end)

  it("is told nothing by answers to others, nor by Avito's headers", function()
    local shared = business()
    local told = refusal({ Limit = "60", Remaining = "0" }, 200)
    goes(call(shared, 1000, "get_chat"), 1000):feed(1000, 0, told)
    goes(shared:request("GET", 1000, "/v2/regions"), 1000):feed(1000, 0, told)
    goes(shared:request("GET", 1000, "/v2/regions"), 1000)
    goes(call(shared, 1000, "get_chats"), 1000):feed(1000, 0, answer(200, OK.body, { ["X-RateLimit-Remaining"] = "0" }))
    goes(call(shared, 1000, "get_chats"), 1000)
  end)

  it("is a lane that sessions share", function()
    local one, other = business(), business()
    for _ = 1, 10 do goes(call(one, 1000, "get_chat"), 1000):feed(1000, 0, OK) end
    assert.is_true(other:pace(one:pace(), 1000))
    assert.equal(490, (burst(other, 1000, "get_chat")))
    goes(call(one, 1000, "send_file"), 1000):feed(1000, 0, refusal { ["Retry-After"] = "60" })
    assert.is_true(other:pace(one:pace(), 1000))
    near(60, waits(call(other, 1000, "send_file"), 1000))
    goes(call(other, 1000, "send_message"), 1000)
  end)
end)

describe("a refusal that says until when", function()
  it("closes the lane of that operation, and of no other", function()
    for _, status in ipairs { 420, 429 } do
      local shared = refused({ Remaining = "0", Until = "Wed, 21 Oct 2026 12:20:00 GMT", Date = NOON }, nil, status)
      local first, second = call(shared, 100, "get_chat"), call(shared, 100, "get_chat")
      near(1200, waits(first, 100))
      near(1203.6, waits(second, 100)) -- as fast as ever from then on
      near(1000, waits(first, 300))
      for name in pairs(ARGUMENTS) do
        if name ~= "get_chat" then goes(call(shared, 100, name), 100):feed(100, 0, OK) end
      end
      goes(first, 1300)
      goes(second, 1303.6)
    end
  end)

  it("says so in its error, where the deadline does not allow to wait", function()
    local _, op = refused({ Until = "Wed, 21 Oct 2026 12:20:00 GMT", Date = NOON }, { timeout = 10 })
    local err = fails(op, 100)
    assert.same({ "rate_limited", 420, "HIT_RATE_LIMIT", 1200, true },
      { err.kind, err.status, err.code, err.retry_after, err.dispatched })
    local shared = refused { Until = "Wed, 21 Oct 2026 12:20:00 GMT", Date = NOON }
    err = fails(call(shared, 101, "get_chat", { timeout = 10 }), 101)
    assert.same({ "rate_limited", false }, { err.kind, err.dispatched })
    near(1199, err.retry_after)
    assert.equal("make fewer calls at once, or give them a longer timeout", err.hint)
  end)

  it("is repeated then where the deadline allows it, also where a message was to be sent", function()
    local shared = business()
    local op = goes(call(shared, 100, "send_message", { timeout = 60 }), 100)
    op:feed(100, 0, refusal { Until = "Wed, 21 Oct 2026 12:00:30 GMT", Date = NOON })
    local step, seconds, reason = op:next(100)
    assert.same({ "wait", "retry" }, { step, reason })
    assert.is_true(seconds >= 30 and seconds <= 30.5)
    goes(op, 130.5):feed(130.5, 0, answer(200, '{"status":"OK"}'))
    assert.equal("done", (op:next(130.5)))
  end)

  it("may write the date in many ways", function()
    for _, date in ipairs { "Wed, 21 Oct 2026 12:20:00 GMT", "21 Oct 2026 12:20:00 GMT", "21 Oct 26 12:20:00 UT",
      "Wed, 21 Oct 2026 12:20:00 +0000", "Wed, 21 Oct 2026 15:20:00 +0300", "Wed, 21 Oct 2026 08:50:00 -0330",
      "Wednesday, 21-Oct-26 12:20:00 UTC", "Wed Oct 21 12:20:00 2026", "Wed, 21 Oct 2026 12:20:00 Z" } do
      local _, op = refused({ Until = date, Date = NOON }, { timeout = 10 })
      assert.equal(1200, fails(op, 100).retry_after, date)
    end
  end)

  it("may write a day of one digit", function()
    local _, op = refused({ Until = "Thu, 1 Oct 2026 12:20:00 GMT", Date = "Thu, 01 Oct 2026 12:00:00 GMT" }, { timeout = 10 })
    assert.equal(1200, fails(op, 100).retry_after)
  end)

  it("goes by the answer's own date, else by the clock", function()
    local UNTIL = "Wed, 21 Oct 2026 12:20:00 GMT"
    for _, unix in ipairs { 0, 1792584600, 2e9 } do
      local _, op = refused({ Until = UNTIL, Date = NOON }, { timeout = 10 }, 420, unix)
      assert.equal(1200, fails(op, 100).retry_after)
    end
    local _, op = refused({ Until = UNTIL }, { timeout = 10 }, 420, 1792584600)
    assert.equal(600, fails(op, 100).retry_after)
  end)

  it("closes for an hour, but for no longer", function()
    for date, seconds in pairs { ["Wed, 21 Oct 2026 13:00:00 GMT"] = 3600, ["Wed, 21 Oct 2026 13:00:01 GMT"] = 3600,
      ["Sun, 21 Oct 2096 13:00:00 GMT"] = 3600, ["Wed, 21 Oct 2026 12:59:59 GMT"] = 3599 } do
      local shared, op = refused({ Until = date, Date = NOON }, { timeout = 10 })
      assert.equal(seconds, fails(op, 100).retry_after)
      near(seconds, waits(call(shared, 100, "get_chat"), 100))
      local other = business()
      assert.is_true(other:pace(shared:pace(), 100))
      near(seconds, waits(call(other, 100, "get_chat"), 100))
    end
  end)

  it("does not shorten what another has said", function()
    local shared = business()
    local one, other = goes(call(shared, 100, "get_chat"), 100), goes(call(shared, 100, "get_chat"), 100)
    one:feed(100, 0, refusal { Until = "Wed, 21 Oct 2026 12:20:00 GMT", Date = NOON })
    other:feed(101, 0, refusal { Until = "Wed, 21 Oct 2026 12:10:00 GMT", Date = NOON })
    near(1199, waits(call(shared, 101, "get_chat"), 101))
  end)

  it("is not heard where Retry-After says something else", function()
    for headers, seconds in pairs { [{ ["Retry-After"] = "5" }] = 5, [{ ["Retry-After"] = "7200" }] = 3600 } do
      headers.Until, headers.Date = "Wed, 21 Oct 2026 12:20:00 GMT", NOON
      local shared = refused(headers, { timeout = 10 })
      near(seconds, waits(call(shared, 100, "get_chat"), 100))
    end
  end)

  it("is told without a lane as well", function()
    local shared = business(false)
    local op = goes(call(shared, 100, "get_chat", { timeout = 10 }), 100)
    op:feed(100, 0, refusal { Until = "Wed, 21 Oct 2026 12:20:00 GMT", Date = NOON })
    assert.equal(1200, fails(op, 100).retry_after)
    goes(call(shared, 100, "get_chat"), 100)
  end)
end)

describe("a refusal that does not say until when", function()
  it("makes that operation pause for longer each time", function()
    local shared, now, last = business(), 100, 0
    for _ = 1, 6 do
      local op = goes(call(shared, now, "get_chat", { timeout = 86400, retries = 0 }), now)
      op:feed(now, 0, refusal { Remaining = "0" })
      assert.is_nil(fails(op, now).retry_after)
      local other = call(shared, now, "get_chat")
      local turn = waits(other, now)
      other:cancel()
      assert.is_true(last == 0 and turn > 1 or turn > last * 1.5 or turn > 600, turn)
      now, last = now + turn + 0.01, turn
    end
    assert.is_true(last <= 601)
    goes(call(shared, now, "get_chats"), now)
  end)

  it("stops all for a second, and halves what may go, where it does not tell its limit either", function()
    for _, headers in ipairs { {}, { Until = "soon", Date = NOON }, { Until = NOON, Date = NOON },
      { Until = "Wed, 21 Oct 2026 11:00:00 GMT", Date = NOON }, { Until = "21 Oct 2026 12:20:00", Date = NOON },
      { Until = "21 Oct 2026 12:20:00 +03", Date = NOON }, { Until = "21 Oct 2026 12:20:00 XYZ", Date = NOON },
      { Until = "121 Oct 2026 12:20:00 GMT", Date = NOON }, { Until = "21 Oct 026 12:20:00 GMT", Date = NOON },
      { Remaining = "many" } } do
      local shared = business()
      local one, other = goes(call(shared, 100, "get_chat", { retries = 0 }), 100), goes(call(shared, 100, "get_chat"), 100)
      one:feed(100, 0, refusal(headers))
      other:feed(100, 0, refusal(headers)) -- was under way already: it teaches nothing new
      assert.is_nil(fails(one, 100).retry_after)
      for name in pairs(ARGUMENTS) do
        local waiting = call(shared, 100, name)
        local step, seconds, reason = waiting:next(100)
        assert.same({ "wait", "slot" }, { step, reason }, name)
        near(1, seconds)
        waiting:cancel()
      end
      assert.equal(249, (burst(shared, 101, "get_chat")))
      assert.equal(500, (burst(shared, 101, "send_message")))
    end
  end)

  it("is repeated, also where a message was to be sent", function()
    local shared = business()
    local op = goes(call(shared, 100, "send_message"), 100)
    op:feed(100, 0, refusal {})
    assert.equal("retry", (select(3, op:next(100))))
    goes(op, 120)
  end)

  it("earns nothing for the quota of repeats", function()
    local shared = business(false)
    local repeated = 0
    for i = 1, 40 do
      local now = 1000 * i
      local op = goes(call(shared, now, "get_chat", { timeout = 1000, retries = 10 }), now)
      op:feed(now, 0, refusal {})
      while op:next(now) == "wait" do
        now, repeated = now + 25, repeated + 1
        goes(op, now):feed(now, 0, refusal {})
      end
    end
    assert.is_true(repeated <= 5, repeated)
  end)
end)

describe("a refusal of too many at once", function()
  it("says nothing of the limit of an hour, whatever limit it tells", function()
    local shared = refused({ Limit = "4", Remaining = "2" }, { retries = 0 })
    assert.equal(499, (burst(shared, 101, "get_chat")))
  end)
end)

describe("a status that is no refusal there", function()
  it("says nothing with the headers of one", function()
    local shared, op = refused({ Until = "Wed, 21 Oct 2026 12:20:00 GMT", Date = NOON }, { timeout = 10, retries = 0 }, 503)
    local err = fails(op, 100)
    assert.equal("server", err.kind)
    assert.is_nil(err.retry_after)
    goes(call(shared, 100, "get_chat"), 100)
  end)

  it("is not taken for one: 420 of Avito", function()
    local shared = script.session { access_token = "dummy-token", pace = { rate = 1, burst = 5 } }
    local op = shared:operation("get_chat", 0, "c1")
    goes(op, 0)
    op:feed(0, 0, answer(420))
    assert.equal("fail", (op:next(0)))
    goes(shared:operation("get_chat", 0, "c1"), 0)
  end)
end)
