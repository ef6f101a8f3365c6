local avito = require "avito_messenger"
local script = require "support.script"

local answer = script.answer
local CHAT = answer(200, '{"id":"c1"}')

-- A store in memory, as clients of several processes would share one; it counts how often it is asked.
local function memory_store()
  local store = { asked = 0 }
  function store.exchange(change)
    store.asked = store.asked + 1
    store.state = change(store.state)
  end
  return store
end

local function paced(answers, store, more)
  local given = { pace = { rate = 1, burst = 3 }, pace_store = store }
  for name, value in pairs(more or {}) do given[name] = value end
  return script.client(answers, given)
end

local function always() return CHAT end

-- What is written to stderr meanwhile.
local function complaints(fn)
  local stderr, said = io.stderr, {}
  io.stderr = { write = function(_, ...) said[#said + 1] = table.concat { ... } end } -- luacheck: ignore
  local ok, problem = pcall(fn)
  io.stderr = stderr -- luacheck: ignore
  if not ok then error(problem, 0) end
  return said
end

describe("a pace store", function()
  it("has the function exchange, and a pace to keep", function()
    local function refusal(given)
      given.access_token, given.io = "dummy", script.driver {}
      local ok, message = pcall(function() return (avito.client(given)) end)
      return not ok and message:match ":%d+: (.*)$"
    end
    assert.equal("avito.client: pace_store must be a table, got function", refusal { pace_store = print })
    assert.equal("avito.client: pace_store must have the function exchange", refusal { pace_store = {} })
    assert.equal("avito.client: there is nothing to keep in pace_store with pace = false",
      refusal { pace_store = memory_store(), pace = false })
    assert.is_false(refusal { pace_store = memory_store() })
  end)

  it("makes clients keep to one pace", function()
    local store = memory_store()
    local one, driver = paced(always, store)
    local other = paced(always, store, { io = driver })
    for _ = 1, 2 do assert(one:get_chat "c1") end
    assert(other:get_chat "c1")
    assert.same({}, driver.waits)
    assert(other:get_chat "c1")
    assert.is_true(#driver.waits > 0)
    local before = driver.clock
    assert(one:get_chat "c1")
    assert.is_true(driver.clock - before > 0.9)
  end)

  it("tells all of a 429", function()
    local store = memory_store()
    local one, driver = paced({ answer(429, "", { ["Retry-After"] = "100" }), CHAT }, store)
    local other = paced(always, store, { io = driver })
    local _, err = one:get_chat "c1"
    assert.equal("rate_limited", err.kind)
    _, err = other:get_chat "c1"
    assert.same({ "rate_limited", false }, { err.kind, err.dispatched })
    assert.is_true(err.retry_after > 90)
  end)

  it("is asked for a turn and told of the answer, and no more", function()
    local store = memory_store()
    local client = paced(always, store)
    assert(client:get_chat "c1")
    assert.equal(2, store.asked)

    store = memory_store()
    client = paced({ script.failure("network", false), CHAT }, store, { retries = 1 })
    assert(client:get_chat "c1")
    assert.equal(4, store.asked) -- the turn, to wait, the turn, the answer

    store = memory_store()
    client = script.client_with_credentials({ answer(200, script.TOKEN), CHAT }, { pace = {}, pace_store = store })
    assert(client:get_chat "c1")
    assert.equal(3, store.asked) -- an answer with a token tells nothing

    store = memory_store()
    client = paced({ answer(200, '{"id":7}'), answer(200, '{"chats":[]}') }, store, { user_id = false })
    assert(client:get_chats())
    assert.equal(4, store.asked)
  end)

  it("that holds junk is put right", function()
    local store = memory_store()
    local client = paced(always, store)
    for _, junk in ipairs { "", "junk", ("\255"):rep(57) } do
      store.state = junk
      assert(client:get_chat "c1")
      assert.equal(57, #store.state)
      assert.is_true(client.session:pace(store.state, client.driver:now()))
    end
  end)

  it("that raises or does nothing does not make a sent message look unsent", function()
    local message = { answer(200, '{"id":"m1"}'), answer(200, '{"id":"m2"}') }
    local function works(exchange)
      local client, driver = paced(message, { exchange = exchange })
      local sent
      local said = complaints(function() sent = client:send_message("c1", "да") end)
      assert.equal("m1", sent.id)
      assert.equal(1, #driver.requests)
      return said
    end
    for _, said in ipairs {
      works(function() error "boom" end),
      works(function(change) change() error "boom" end),
      works(function(change) change({}) error "boom" end),
    } do
      assert.equal(2, #said)
      assert.truthy(said[1]:find "^avito_messenger: pace_store.exchange raised: ")
    end
    assert.same({}, works(function() end))
  end)

  it("is not blamed for what others raise", function()
    local client = paced({ { status = 200, body = "" } }, memory_store())
    local said = complaints(function()
      assert.error_matches(function() client:get_chat "c1" end, "response.head must be a string, got nil")
    end)
    assert.same({}, said)
  end)
end)
