-- The lane of an account that several sessions share, as those of several processes do.

local script = require "support.script"

local answer, session = script.answer, script.session
local CHAT = answer(200, '{"id":"c1"}')
local LONG = { timeout = 86400 }
local INFINITY = math.huge

local function paced(pace)
  return session { access_token = "dummy-token", pace = pace }
end

local function call(shared, now)
  return shared:operation("get_chat", now, "c1", LONG)
end

-- Makes a call and answers it. false: it would have to wait.
local function goes(shared, now, response)
  local op = call(shared, now)
  if op:next(now) ~= "send" then
    op:cancel()
    return false
  end
  op:feed(now, 0, response or CHAT)
  return true
end

-- How many calls go at once.
local function burst(shared, now)
  local count = 0
  while goes(shared, now) do count = count + 1 end
  return count
end

local function share(from, to, now) return to:pace(from:pace(), now) end

-- A state of these eight-byte numbers, in the order the lane has them.
local RATE, CEILING, TOKENS, AT, HALVINGS = 1, 2, 5, 6, 7

local function number_at(state, index) return state:sub(2 + (index - 1) * 8, 1 + index * 8) end

local function with(state, index, bytes)
  return state:sub(1, 1 + (index - 1) * 8) .. bytes .. state:sub(2 + index * 8)
end

-- A double as the machine writes it.
local function double(value)
  if value ~= value then return ("\0"):rep(6) .. "\248\127" end
  local negative = value < 0
  value = math.abs(value)
  if value == INFINITY then return ("\0"):rep(6) .. "\240" .. (negative and "\255" or "\127") end
  if value == 0 then return ("\0"):rep(8) end
  local fraction, exponent = value, 0
  while fraction >= 2 do fraction, exponent = fraction / 2, exponent + 1 end
  while fraction < 1 do fraction, exponent = fraction * 2, exponent - 1 end
  local mantissa, bytes = (fraction - 1) * 2 ^ 52, {}
  exponent = exponent + 1023
  for i = 1, 6 do
    bytes[i] = string.char(mantissa % 256)
    mantissa = math.floor(mantissa / 256)
  end
  bytes[7] = string.char(math.floor(mantissa) + exponent % 16 * 16)
  bytes[8] = string.char(math.floor(exponent / 16) + (negative and 128 or 0))
  return table.concat(bytes)
end

describe("a lane that sessions share", function()
  it("has one bucket for all", function()
    local one, other = paced { rate = 1, burst = 5 }, paced { rate = 1, burst = 5 }
    for _ = 1, 3 do assert(goes(one, 100)) end
    assert.is_true(share(one, other, 100))
    assert.equal(2, burst(other, 100))
    assert.is_true(share(other, one, 100))
    assert.equal(0, burst(one, 100))
    assert.equal(3, burst(one, 103))
    assert.is_true(share(one, other, 103))
    assert.equal(0, burst(other, 103))
  end)

  it("is closed for all by a 429, and slows down once for it", function()
    local one, other = paced {}, paced {}
    local late = call(other, 100)
    assert.equal("send", (late:next(100)))
    goes(one, 100, answer(429, "", { ["Retry-After"] = "30" }))
    share(one, other, 100)
    assert.equal(0, burst(other, 129))
    late:feed(129, 0, answer(429, "", { ["Retry-After"] = "1" })) -- it left before
    assert.equal(3, burst(other, 131)) -- of the second since it is open again; halved twice it would be one
  end)

  it("goes as fast as the server has told any of them", function()
    local one, other = paced {}, paced {}
    goes(one, 100, answer(200, '{"id":"c1"}', { ["X-RateLimit-Limit"] = "60" }))
    share(one, other, 100)
    burst(other, 100)
    local _, _, _, turn = call(other, 100):next(100)
    assert.is_true(math.abs(turn - 1) < 0.01, turn)
  end)

  it("leaves those who wait in their order", function()
    local one, other = paced { rate = 1, burst = 1 }, paced { rate = 1, burst = 1 }
    goes(one, 100)
    local first, second = call(one, 100), call(one, 100)
    assert.equal("wait", (first:next(100)))
    assert.equal("wait", (second:next(100)))
    assert.is_true(goes(other, 100))
    share(other, one, 100)
    assert.equal("wait", (second:next(101)))
    assert.equal("send", (first:next(101)))
    assert.equal("send", (second:next(102)))
  end)

  it("keeps to the rate that each program allows", function()
    local slow, fast = paced { rate = 1, burst = 2 }, paced { rate = 100, burst = 50 }
    goes(fast, 100)
    assert.is_true(share(fast, slow, 100))
    assert.equal(2, burst(slow, 100))
    local _, _, _, turn = call(slow, 100):next(100)
    assert.is_true(math.abs(turn - 1) < 0.01, turn)
    assert.is_true(share(slow, fast, 100))
    _, _, _, turn = call(fast, 100):next(100)
    assert.is_true(math.abs(turn - 0.01) < 0.001, turn)
  end)

  it("is there only with a pace", function()
    local none = paced(false)
    assert.is_nil(none:pace())
    assert.is_false(none:pace(paced({}):pace(), 100))
    assert.equal(57, #paced({}):pace())
  end)

  it("takes nothing over that is no state of a lane", function()
    local one = paced { rate = 2, burst = 3 }
    goes(one, 100)
    local state = one:pace()
    assert.equal(double(2), number_at(state, RATE))
    assert.equal(double(2), number_at(state, TOKENS))
    assert.equal(double(100), number_at(state, AT))
    local bad = { "", "x", state:sub(1, -2), state .. "x", "\0" .. state:sub(2), "\2" .. state:sub(2), ("\255"):rep(57),
      "\1" .. ("\0"):rep(56) }
    for _, row in ipairs {
      { RATE, 0, -1, 2.5 }, { CEILING, 1, 1000.5 }, { TOKENS, -1.5, 1e7 }, { AT, -1, 100 + 7201 },
      { HALVINGS, -1, 2 ^ 53 * 2 },
    } do
      for i = 2, #row do bad[#bad + 1] = with(state, row[1], double(row[i])) end
      for _, value in ipairs { INFINITY, -INFINITY, 0 / 0 } do bad[#bad + 1] = with(state, row[1], double(value)) end
    end
    local other = paced { rate = 2, burst = 3 }
    local before = other:pace()
    for i, bytes in ipairs(bad) do
      assert.is_false(other:pace(bytes, 100), i)
      assert.equal(before, other:pace(), i)
    end
    assert.is_false(other:pace(state, 0 / 0))
    for _, row in ipairs { { RATE, 0.5 }, { TOKENS, 1e5 }, { TOKENS, -0.5 }, { AT, 0 }, { AT, 7299 }, { HALVINGS, 2 ^ 53 } } do
      local good = with(state, row[1], double(row[2]))
      assert.is_true(other:pace(good, 100))
      assert.equal(good, other:pace())
    end
  end)

  it("names what it is given wrongly", function()
    local one = paced {}
    assert.error_matches(function() one:pace({}, 1) end, "bad argument")
    assert.error_matches(function() one:pace(one:pace()) end, "bad argument")
    assert.error_matches(function() one:pace(one:pace(), "later") end, "bad argument")
  end)
end)

describe("feed", function()
  it("tells whether the call is over", function()
    local one = paced {}
    local op = call(one, 100)
    op:next(100)
    assert.is_true(op:feed(100, 0, CHAT))
    op = call(one, 100)
    op:next(100)
    assert.is_false(op:feed(100, 0, answer(502)))
    op = one:operation("send_message", 100, "c1", "да")
    op:next(100)
    assert.is_true(op:feed(100, 0, answer(502)))
    op = session({ client_id = "dummy", client_secret = "dummy", has_store = true, has_lock = true }):operation("get_chat", 0, "c1")
    assert.equal("lock", (op:next(0)))
    assert.is_false(op:feed(0, 0, true))
    assert.equal("load", (op:next(0)))
    assert.is_true(op:feed(0, 0, nil, "no disk"))
    assert.equal("unlock", (op:next(0)))
    assert.is_true(op:feed(0, 0))
  end)
end)
