local avito = require "avito_messenger"
local core = require "avito_messenger.core"
local run = require "avito_messenger.run"
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

describe("calls of an account that may have four under way", function()
  local OK = answer(200, '{"status":"OK","result":{"chatId":1}}')

  -- A driver whose calls wait in coroutines, under a clock that goes on when all of them wait. `can_park`: as the loop can.
  -- `answers`, a function of the request's number, returns the response and in how many seconds it comes, if not 1.
  local function driver_of_tasks(can_park, answers)
    local driver = { clock = 1000, under_way = 0, most = 0, polls = 0, order = {} }
    local tasks, parked = {}, {}
    function driver:now() return self.clock end
    function driver.time() return 0 end
    local function wait(seconds) coroutine.yield(driver.clock + seconds) end
    function driver:perform(request)
      self.under_way = self.under_way + 1
      self.most = math.max(self.most, self.under_way)
      self.order[#self.order + 1] = request.url:match "%d+$"
      local response, seconds
      if answers then response, seconds = answers(#self.order) end
      wait(seconds or 1)
      self.under_way = self.under_way - 1
      return response or OK
    end
    function driver:sleep(seconds)
      self.polls = self.polls + 1
      wait(seconds)
    end
    if can_park then
      function driver.park(_, seconds, owner)
        local task = coroutine.running()
        parked[task] = owner
        wait(seconds)
        parked[task] = nil
      end
      function driver.unpark(_, owner)
        for _, task in ipairs(tasks) do
          if parked[task.thread] == owner then task.due = driver.clock end
        end
      end
    end
    function driver:spawn(fn, seconds)
      tasks[#tasks + 1] = { thread = coroutine.create(fn), due = self.clock + (seconds or 0) }
    end
    function driver:run()
      for _ = 1, 100000 do
        local first
        for i, task in ipairs(tasks) do
          if not first or task.due < tasks[first].due then first = i end
        end
        if not first then return end
        local task = tasks[first]
        self.clock = math.max(self.clock, task.due)
        local ok, due = coroutine.resume(task.thread)
        assert(ok, due)
        task.due = due
        if coroutine.status(task.thread) == "dead" then table.remove(tasks, first) end
      end
      error "it does not end"
    end
    return driver
  end

  local function client_of(driver, more)
    local client = { driver = driver, session = core.session { base_url = "https://api.example", marketplace = "yandex_market",
      api_key = "dummy-key-1", business_id = 7, seed = "x", pace = {}, timeout = 60 } }
    for name, value in pairs(more or {}) do client[name] = value end
    return client
  end

  -- Makes so many calls at once, of these clients in turn; how many succeeded, and the errors.
  local function make(driver, count, clients, options)
    local succeeded, errs = 0, {}
    for i = 1, count do
      local client = clients[i % #clients + 1]
      driver:spawn(function()
        local operation = client.session:operation("get_chat", driver:now(), i, options)
        local value, err = run.operation(operation, driver:now(), client)
        if value then succeeded = succeeded + 1 else errs[#errs + 1] = err end
      end)
    end
    driver:run()
    assert.equal(0, driver.under_way)
    return succeeded, errs
  end

  local function in_order(driver, count)
    for i = 1, count do assert.equal(tostring(i), driver.order[i]) end
  end

  it("wait in order until another has ended, where the driver can tell them", function()
    local driver = driver_of_tasks(true)
    local told = {}
    local client = client_of(driver, { on_event = function(event)
      if event.type == "pace" then told[#told + 1] = event end
    end })
    assert.equal(50, (make(driver, 50, { client })))
    assert.equal(4, driver.most)
    assert.equal(0, driver.polls)
    assert.equal(1013, driver.clock) -- no place was idle
    in_order(driver, 50)
    assert.equal(46, #told)
    for _, event in ipairs(told) do
      assert.equal("get_chat", event.endpoint)
      assert.is_true(event.seconds > 0 and event.seconds <= 60)
    end
    assert.is_nil(next(client.slot_waiters))
  end)

  it("look now and then where it cannot", function()
    local driver = driver_of_tasks(false)
    assert.equal(50, (make(driver, 50, { client_of(driver) })))
    assert.equal(4, driver.most)
    assert.is_true(driver.clock < 1014)
    in_order(driver, 50)
  end)

  it("keep to it together with a pace store, also where no answer comes", function()
    local store = memory_store()
    local driver = driver_of_tasks(true, function(number)
      if number % 5 == 0 then return script.failure("network", true) end
    end)
    local clients = {}
    for i = 1, 3 do clients[i] = client_of(driver, { pace_store = store }) end
    local succeeded, errs = make(driver, 50, clients, { timeout = 60, retries = 0 })
    assert.equal(40, succeeded)
    for _, err in ipairs(errs) do assert.equal("network", err.kind) end
    assert.equal(4, driver.most)
    assert.is_true(driver.clock < 1016)
  end)

  it("look now and then where calls of another process have the places", function()
    local store, driver = memory_store(), driver_of_tasks(true)
    local one, other = client_of(driver, { pace_store = store }), client_of(driver, { pace_store = store })
    for i = 1, 8 do
      local client = i <= 4 and one or other
      driver:spawn(function() assert(run.operation(client.session:operation("get_chat", 1000, i), 1000, client)) end)
    end
    driver:run()
    assert.equal(4, driver.most)
    assert.is_true(driver.clock < 1003)
  end)

  it("are repeated after refusals, and all end", function()
    local driver = driver_of_tasks(true, function(number)
      if number % 10 == 3 then return answer(420, "", { ["X-RateLimit-Resource-Remaining"] = "500" }) end
    end)
    assert.equal(50, (make(driver, 50, { client_of(driver) })))
    assert.equal(4, driver.most)
    assert.equal(56, #driver.order)
  end)

  it("fail with their deadline, and the others go on", function()
    local driver = driver_of_tasks(true)
    local succeeded, errs = make(driver, 50, { client_of(driver) }, { timeout = 5.5 })
    assert.equal(24, succeeded) -- the last four had half a second left, by which time they are not answered
    for _, err in ipairs(errs) do assert.same({ "rate_limited", false }, { err.kind, err.dispatched }) end
    in_order(driver, 24)
  end)

  it("look again when one before them turns to its lane", function()
    local closed = answer(420, "", { ["X-RateLimit-Resource-Until"] = "Wed, 21 Oct 2026 12:00:30 GMT",
      Date = "Wed, 21 Oct 2026 12:00:00 GMT" })
    local driver = driver_of_tasks(true, function(number)
      if number == 1 then return closed, 5 end
      return nil, 20
    end)
    local client, went = client_of(driver), {}
    local function spawn(seconds, name, ...)
      local given = { ... }
      driver:spawn(function()
        local operation = client.session:operation(name, driver:now(), 1, (unpack or table.unpack)(given)) -- luacheck: ignore
        run.operation(operation, driver:now(), client)
        went[name] = driver.clock - 20
      end, seconds)
    end
    spawn(0.2, "get_chat_message", 2) -- woken before the other, behind which it waits
    spawn(0.1, "get_chat")
    spawn(0, "get_chat", { retries = 0 })
    for _ = 1, 3 do spawn(0, "get_chat_history") end
    driver:run()
    assert.same({ get_chat_message = 1005, get_chat = 1035, get_chat_history = 1000 }, went)
  end)

  it("are forgotten when the driver raises, or their task is dropped", function()
    local driver = driver_of_tasks(true)
    local client = client_of(driver)
    for i = 1, 5 do
      driver:spawn(function() run.operation(client.session:operation("get_chat", 1000, i), 1000, client) end)
    end
    driver.park = function() error("interrupted!", 0) end
    assert.has_error(function() driver:run() end)
    assert.is_nil(next(client.slot_waiters))
    driver.park = function() coroutine.yield() end
    local task = coroutine.create(function() run.operation(client.session:operation("get_chat", 1000, 6), 1000, client) end)
    assert(coroutine.resume(task))
    assert.is_truthy(next(client.slot_waiters))
    task = nil -- luacheck: ignore
    collectgarbage()
    collectgarbage()
    assert.is_nil(next(client.slot_waiters))
  end)

  it("give their place back when a driver raises", function()
    local store = memory_store()
    local driver = driver_of_tasks(true)
    local client, other = client_of(driver, { pace_store = store }), client_of(driver, { pace_store = store })
    local perform = driver.perform
    driver.perform = function() error("interrupted!", 0) end
    for _ = 1, 6 do
      local operation = client.session:operation("get_chat", 1000, 1)
      assert.error_matches(function() run.operation(operation, 1000, client) end, "interrupted!")
    end
    driver.perform = perform
    assert.equal(4, (make(driver, 4, { other })))
    assert.equal(1001, driver.clock)
  end)
end)
