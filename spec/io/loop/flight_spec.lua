local Event = require "avito_messenger.io.loop.event"
local avito = require "avito_messenger"
local loop = require "avito_messenger.io.loop"
local sandbox = require "support.sandbox"
local scheduler = require "avito_messenger.io.loop.scheduler"

-- A token is renewed by one call, whatever waits for it.
describe("many calls of the loop that need a token", function()
  local MANY = 1000
  local nothing = scheduler.counts()
  local box

  before_each(function() box = require("avito_messenger.sandbox")() end)
  after_each(function() assert.same(nothing, scheduler.counts()) end)
  teardown(loop.close)

  local function make(server, options)
    local given = { io = loop, base_url = server.url, pace = false, user_id = sandbox.user_id,
      client_id = sandbox.client_id, client_secret = sandbox.client_secret, timeout = 60 }
    for name, value in pairs(options or {}) do given[name] = value or nil end
    return avito.client(given)
  end

  local function serving(fn)
    return loop.run(function() return fn(assert(box:listen { port = 0 })) end)
  end

  local function call_all(client, count)
    local calls = {}
    for i = 1, count or MANY do calls[i] = function() return client:get_self() end end
    return loop.all(calls)
  end

  local function token_requests() return #box:log { operation = "token" } end

  -- Waits until the sandbox has seen so many requests for a token.
  local function until_asked(count)
    while token_requests() < count do loop.sleep(0.001) end
  end

  local function memory_store(tokens)
    local store = { tokens = tokens, saves = 0, held = false }
    function store.load() return store.tokens end
    function store.save(new)
      store.tokens, store.saves = new, store.saves + 1
      return true
    end
    function store.lock()
      if store.held then return false end
      store.held = true
      return { unlock = function() store.held = false end }
    end
    return store
  end

  local function code() return box:code { client_id = sandbox.client_id, user_id = sandbox.user_id, scope = "user:read" } end

  it("ask for it once", function()
    serving(function(server)
      local results, problems = call_all(make(server))
      assert.is_nil(problems)
      assert.equal(MANY, results.n)
      for i = 1, MANY do assert.equal(sandbox.user_id, results[i].id) end
    end)
    assert.equal(1, token_requests())
  end)

  it("ask for it once with a token store", function()
    local store = memory_store()
    serving(function(server)
      local _, problems = call_all(make(server, { token_store = store }))
      assert.is_nil(problems)
    end)
    assert.same({ 1, 1, false }, { token_requests(), store.saves, store.held })
  end)

  it("all get the error of a renewal that is refused", function()
    serving(function(server)
      local results, problems = call_all(make(server, { client_secret = "dummy-wrong" }))
      assert.is_nil(next(results, "n"))
      for i = 1, MANY do
        assert.equal("auth", problems[i].kind)
        assert.is_false(problems[i].dispatched)
      end
    end)
    assert.equal(1, token_requests())
    assert.equal(0, #box:log { operation = "get_self" })
  end)

  it("all get the error of a renewal that fails until its end", function()
    box:fault { operation = "token", kind = "status", status = 500, times = 1000 }
    serving(function(server)
      local _, problems = call_all(make(server, { retries = 1 }))
      for i = 1, MANY do assert.equal("server", problems[i].kind) end
    end)
    assert.is_true(token_requests() <= 2, token_requests() .. " requests") -- and the one repeat
  end)

  it("keep their own time while another renews", function()
    box:fault { operation = "token", kind = "hang" }
    serving(function(server)
      local client = make(server)
      local first = loop.spawn(client.get_self, client)
      until_asked(1)
      local later = loop.spawn(loop.sleep, 0.5)
      local _, err = client:get_self { timeout = 0.05 }
      assert.same({ "timeout", false }, { err.kind, err.dispatched })
      assert.equal("avito_messenger.Task (running)", tostring(later))
      later:cancel()
      first:cancel()
    end)
  end)

  it("are told when another has renewed it, or has given up, and do not look for it", function()
    serving(function(server)
      local refused = Event.new()
      local client = make(server, { on_event = function(event) if event.type == "retry" then refused:set() end end })
      local later = loop.spawn(loop.sleep, 0.9) -- less than the time after which a call looks
      local _, problems = call_all(client, 5)
      assert.is_nil(problems)
      box:expire_tokens()
      box:fault { operation = "token", kind = "rate_limited", retry_after = 30 }
      local first = loop.spawn(client.get_self, client)
      local other = loop.spawn(client.get_self, client)
      assert.is_true(refused:wait(60))
      first:cancel() -- between two attempts
      assert.equal("cancelled", select(2, first:wait()).kind)
      assert.equal(sandbox.user_id, assert(other:wait()).id)
      assert.equal("avito_messenger.Task (running)", tostring(later))
      later:cancel()
    end)
  end)

  it("give the store's lock back when the task may not wait any more", function()
    local store = memory_store()
    serving(function(server)
      local client = make(server, { token_store = store })
      local task = loop.spawn(function()
        pcall(loop.sleep, 3600)
        client:get_self()
      end)
      loop.sleep(0)
      task:cancel()
      assert.equal("cancelled", select(2, task:wait()).kind)
      assert.is_false(store.held)
      assert(client:get_self())
    end)
  end)

  it("renew it by another when the one that renews is cancelled", function()
    box:fault { operation = "token", kind = "hang" }
    serving(function(server)
      local client = make(server)
      local first = loop.spawn(client.get_self, client)
      until_asked(1)
      local others = {}
      for i = 1, 20 do others[i] = loop.spawn(client.get_self, client) end
      loop.sleep(0)
      first:cancel()
      local _, err = first:wait()
      assert.same({ "cancelled", false }, { err.kind, err.dispatched })
      for i = 1, 20 do assert.equal(sandbox.user_id, assert(others[i]:wait()).id) end
    end)
    assert.equal(2, token_requests())
  end)

  for _, grant in ipairs { "code", "refresh_token" } do
    it("get what comes of a " .. grant .. " although the one that asked is cancelled", function()
      local store = memory_store()
      serving(function(server)
        local given = { code = code(), token_store = store }
        if grant == "refresh_token" then
          assert(make(server, given):get_self())
          given = { refresh_token = store.tokens.refresh_token, token_store = store }
          store.tokens = nil
        end
        local before, saved = token_requests(), store.saves
        box:fault { operation = "token", kind = "latency", seconds = 0.05 }
        local client = make(server, given)
        local first = loop.spawn(client.get_self, client)
        until_asked(before + 1)
        local other = loop.spawn(client.get_self, client)
        loop.sleep(0)
        assert.is_true(first:cancel())
        assert.equal("avito_messenger.Task (running)", tostring(first)) -- it waits for what exists once
        local _, err = first:wait()
        assert.same({ "cancelled", false }, { err.kind, err.dispatched })
        assert.equal(saved + 1, store.saves)
        assert.is_string(store.tokens.refresh_token)
        assert.equal(sandbox.user_id, assert(other:wait()).id)
        assert.equal(before + 1, token_requests())
      end)
      assert.is_false(store.held)
      assert.equal(1, #box:log { operation = "get_self" } - (grant == "refresh_token" and 1 or 0))
    end)
  end

  it("save what comes of a code although the loop ends", function()
    local store = memory_store()
    local running = sandbox.start() -- one that goes on
    local function ask(what, value) return running:control(value and "POST" or "GET", what, value) end
    ask("faults", { operation = "token", kind = "latency", seconds = 0.05 })
    loop.run(function()
      local client = make({ url = running.base_url }, { token_store = store,
        code = ask("codes", { client_id = sandbox.client_id, user_id = sandbox.user_id }).code })
      loop.background(client.get_self, client)
      repeat loop.sleep(0.001) until ask("faults").faults[1].struck == 1
    end)
    running:stop()
    assert.same({ 1, false }, { store.saves, store.held })
  end)

  it("save what comes of a code although the client is closed", function()
    local store = memory_store()
    box:fault { operation = "token", kind = "latency", seconds = 0.05 }
    serving(function(server)
      local client = make(server, { code = code(), token_store = store })
      local call = loop.spawn(client.get_self, client)
      until_asked(1)
      client:close()
      assert.equal("cancelled", select(2, call:wait()).kind)
    end)
    assert.same({ 1, false }, { store.saves, store.held })
  end)

  it("wait while the store's lock is another's, and give up when they are cancelled", function()
    local store = memory_store()
    store.held = true
    serving(function(server)
      local client = make(server, { token_store = store })
      local first, second = loop.spawn(client.get_self, client), loop.spawn(client.get_self, client)
      loop.sleep(0.002)
      first:cancel()
      assert.equal("cancelled", select(2, first:wait()).kind)
      assert.is_true(store.held)
      assert.equal(0, token_requests())
      store.held = false
      assert.equal(sandbox.user_id, assert(second:wait()).id)
    end)
    assert.same({ 1, false }, { token_requests(), store.held })
  end)
end)
