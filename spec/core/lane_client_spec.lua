-- The lane as a program meets it: the option pace, the events, a sandbox that limits rates.

local avito = require "avito_messenger"
local script = require "support.script"

local answer, make = script.answer, script.client
local CHAT = answer(200, '{"id":"c1"}')

describe("the option pace", function()
  local function refusal(pace)
    local given = { access_token = "dummy", io = script.driver {}, pace = pace }
    local ok, message = pcall(function() return (avito.client(given)) end)
    assert.is_false(ok)
    return message:match("^spec/core/lane_client_spec.lua:%d+: (.*)$") or message
  end

  it("is a table or false", function()
    assert.equal("avito.client: pace must be a table or false, got true", refusal(true))
    for _, pace in ipairs { 5, "fast", print } do
      assert.truthy(refusal(pace):find("avito.client: pace must be a table", 1, true))
    end
  end)

  it("has known fields", function()
    assert.equal("avito.client: unknown field of pace 'rat' (did you mean 'rate'?)", refusal { rat = 1 })
    assert.truthy(refusal({ 6, 12 }):find("avito.client: unknown field of pace '1'", 1, true))
  end)

  it("has bounds", function()
    for _, rate in ipairs { 0, -1, 1000.5, 0 / 0, math.huge, -math.huge } do
      assert.equal("avito.client: pace.rate must be more than 0 and at most 1000 requests a second", refusal { rate = rate })
    end
    for _, burst in ipairs { 0, -1, 1.5, 1001, 0 / 0, math.huge } do
      assert.equal("avito.client: pace.burst must be an integer from 1 to 1000", refusal { burst = burst })
    end
    assert.equal("avito.client: pace.rate must be a number, got string", refusal { rate = "6" })
    assert.equal("avito.client: pace.burst must be a number, got boolean", refusal { burst = true })
    for _, pace in ipairs { {}, { rate = 1000, burst = 1000 }, { rate = 0.001 }, { burst = 1 } } do
      assert(avito.client { access_token = "dummy", io = script.driver {}, pace = pace })
    end
  end)
end)

describe("a client", function()
  local function always() return CHAT end

  it("waits for its turn, and says so once each time", function()
    local events = {}
    local client, driver = make(always, { pace = { rate = 0.5, burst = 1 }, on_event = function(event)
      if event.type ~= "request" then events[#events + 1] = event end
    end })
    local start = driver.clock
    for _ = 1, 4 do assert(client:get_chat("c1")) end
    assert.is_true(driver.clock - start >= 6)
    assert.is_true(#driver.waits > 3)
    assert.equal(3, #events)
    for _, event in ipairs(events) do
      assert.same({ "pace", "get_chat" }, { event.type, event.endpoint })
      assert.is_true(event.seconds > 1.9 and event.seconds <= 2)
    end
  end)

  it("has a pace unless it is told to have none", function()
    for pace, expected in pairs { [{}] = true, [false] = false } do
      local driver = script.driver(always)
      local client = avito.client { access_token = "dummy", user_id = 7, base_url = "https://api.example", io = driver,
        pace = pace }
      for _ = 1, 50 do assert(client:get_chat("c1")) end
      assert.equal(expected, #driver.waits > 0)
    end
    local driver = script.driver(always)
    local client = avito.client { access_token = "dummy", user_id = 7, base_url = "https://api.example", io = driver }
    for _ = 1, 50 do assert(client:get_chat("c1")) end
    assert.is_true(#driver.waits > 0)
  end)

  it("fails at once where the wait is longer than the call may take", function()
    local client, driver = make(always, { pace = { rate = 0.1, burst = 1 } })
    assert(client:get_chat("c1"))
    local _, err = client:send_message("c1", "да", { timeout = 5 })
    assert.equal("rate_limited", err.kind)
    assert.is_false(err.dispatched)
    assert.same({}, driver.waits)
    assert.truthy(tostring(err):find("^send_message: rate_limited: the call's turn would come in [%d.]+ s, past the deadline; "))
  end)
end)

describe("a sandbox that takes 120 requests a minute", function()
  --- How 300 calls end: how many succeed, and how many 429s were seen.
  local function calls(given)
    local box = avito.sandbox { rate_limit = { per_minute = 120, headers = true, retry_after = "seconds" } }
    local succeeded, refused = 0, 0
    given.client_id, given.client_secret, given.io = "dummy-client-id", "dummy-client-secret", box:driver()
    given.on_event = function(event)
      if event.status == 429 then refused = refused + 1 end
    end
    local client = avito.client(given)
    for _ = 1, 300 do
      if client:get_self() then succeeded = succeeded + 1 end
    end
    return succeeded, refused
  end

  it("answers all calls of a client with the default pace", function()
    local succeeded, refused = calls { timeout = 300 }
    assert.equal(300, succeeded)
    assert.is_true(refused <= 3, refused .. " were refused")
  end)

  it("refuses some without", function()
    local succeeded, refused = calls { pace = false, retries = 0 }
    assert.is_true(succeeded < 300)
    assert.equal(300 - succeeded, refused)
  end)
end)
