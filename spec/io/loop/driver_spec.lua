local Event = require "avito_messenger.io.loop.event"
local avito = require "avito_messenger"
local certificates = require "support.certificates"
local loop = require "avito_messenger.io.loop"
local raw_server = require "support.raw_server"
local scheduler = require "avito_messenger.io.loop.scheduler"
local socket = require "socket"

describe("the loop's driver", function()
  local nothing = scheduler.counts()
  local server

  setup(function() server = raw_server.start() end)
  teardown(function()
    loop.close()
    server:stop()
  end)
  before_each(function() server:requests() end)
  after_each(function() assert.same(nothing, scheduler.counts()) end)

  local function make(options)
    local given = { io = loop, base_url = server.url, access_token = "dummy", user_id = 7, pace = false }
    for name, value in pairs(options or {}) do given[name] = value or nil end
    return avito.client(given)
  end

  local function limited(count) return loop.new { max_connections = count } end

  -- Waits until the server has seen so many requests; what they were.
  local function until_seen(count)
    local seen = {}
    while #seen < count do
      loop.sleep(0.002)
      for _, line in ipairs(server:requests()) do seen[#seen + 1] = line:match "^%d+ %S+ (%S+)" end
    end
    return seen
  end

  local function release() server:tell "release" end

  local function run(fn) return loop.run(fn) end

  -- Cancels a task that holds a connection, and calls the function when the next has been given it but does not run yet.
  local function before_next(task, fn)
    local event = Event.new()
    local between = loop.spawn(function()
      event:wait(60)
      fn()
    end)
    loop.sleep(0)
    task:cancel()
    event:set()
    between:wait()
  end

  describe("has so many connections", function()
    it("and no more requests at once", function()
      local client = make { io = limited(3) }
      run(function()
        local tasks = {}
        for i = 1, 7 do tasks[i] = loop.spawn(client.request, client, "GET", "/hold") end
        until_seen(3)
        assert.equal("avito_messenger.io.loop (3 requests under way)", tostring(client.driver))
        loop.sleep(0.02)
        assert.equal(0, #server:requests())
        for _, count in ipairs { 3, 1 } do
          release()
          until_seen(count)
        end
        release()
        for i = 1, 7 do assert.equal("held", tasks[i]:wait()) end
        assert.equal("avito_messenger.io.loop (0 requests under way)", tostring(client.driver))
      end)
    end)

    it("which go to those who wait in order", function()
      local client = make { io = limited(1) }
      run(function()
        loop.spawn(client.request, client, "GET", "/hold")
        until_seen(1)
        local expected, given_up = {}, nil
        for i = 1, 9 do
          local task = loop.spawn(client.request, client, "GET", "/text/" .. i)
          loop.sleep(0)
          if i == 5 then given_up = task else expected[#expected + 1] = "/text/" .. i end
        end
        given_up:cancel()
        release()
        assert.same(expected, until_seen(8))
      end)
    end)

    it("where one that gave up and comes again is the last", function()
      local driver = limited(1)
      local client = make { io = driver }
      run(function()
        loop.spawn(client.request, client, "GET", "/hold")
        until_seen(1)
        local twice = loop.spawn(function()
          local _, err = client:request("GET", "/text/first", nil, { timeout = 0.005 })
          assert.equal("timeout", err.kind)
          assert(client:request("GET", "/text/again"))
        end)
        loop.sleep(0)
        loop.spawn(client.request, client, "GET", "/text/between")
        while driver.last < 4 do loop.sleep(0.001) end
        release()
        twice:wait()
      end)
      local seen = server:requests()
      assert.matches("/text/between", seen[1])
      assert.matches("/text/again", seen[2])
    end)

    it("and waiting for one counts against a request's time", function()
      local client = make { io = limited(1) }
      run(function()
        local held = loop.spawn(client.request, client, "GET", "/hold")
        until_seen(1)
        local result, err = client:request("POST", "/text", { json = {} }, { timeout = 0.02 })
        assert.is_nil(result)
        assert.same({ "timeout", false }, { err.kind, err.dispatched })
        assert.matches("none of the 1 connections was free within 0.0[12]", err.message)
        assert.equal(0, #server:requests())
        local late = loop.spawn(client.request, client, "GET", "/hold", nil, { timeout = 0.5, retries = 0 })
        local later = loop.spawn(loop.sleep, 0.65)
        loop.sleep(0.2)
        release()
        assert.equal("held", held:wait())
        err = select(2, late:wait())
        assert.same({ "timeout", true }, { err.kind, err.dispatched })
        assert.equal("avito_messenger.Task (running)", tostring(later)) -- what it waited was taken off
        later:cancel()
      end)
    end)

    it("and hands on one that is let go by an error or by giving up", function()
      local driver = limited(1)
      local client = make { io = driver }
      run(function()
        local held = loop.spawn(client.request, client, "GET", "/hold")
        until_seen(1)
        local broken = loop.spawn(function() driver:perform(server:request("/text", { headers = { "A: b\r\nC: d" } })) end)
        local dying = loop.spawn(client.request, client, "GET", "/die", nil, { retries = 0 })
        local last = loop.spawn(client.request, client, "GET", "/text")
        loop.sleep(0)
        held:cancel()
        assert.equal("cancelled", select(2, held:wait()).kind)
        assert.matches("headers%[1%] holds CR", select(2, broken:wait()).message)
        assert.equal("network", select(2, dying:wait()).kind)
        assert.equal("ok", last:wait())
      end)
      assert.equal("avito_messenger.io.loop (0 requests under way)", tostring(driver))
    end)

    it("and keeps none for a request that is misuse", function()
      local driver = limited(2)
      run(function()
        for _ = 1, 5 do
          assert.error_matches(function() driver:perform {} end, "timeout: number of seconds expected")
        end
        local wrong = loop.new { ca_file = "a\0b", max_connections = 1 }
        for _ = 1, 3 do pcall(wrong.perform, wrong, server:request("/text", { timeout = 0.1 })) end
        assert.equal("avito_messenger.io.loop (0 requests under way)", tostring(wrong))
        assert.equal(200, driver:perform(server:request "/text").status)
      end)
      assert.equal("avito_messenger.io.loop (0 requests under way)", tostring(driver))
    end)
  end)

  describe("breaks a call off when its task is cancelled", function()
    -- Cancels the task of a call at a moment; the error it returned.
    local function cancelled(client, moment, path, request, options)
      local outcome, raised
      run(function()
        local task = loop.spawn(function()
          outcome = { client:request(request and "POST" or "GET", path or "/hold", request, options) }
          local ok, err = pcall(client.request, client, "GET", "/text")
          raised = not ok and err
        end)
        moment(task)
        assert.is_true(task:cancel())
        task:wait()
      end)
      assert.is_nil(outcome[1])
      assert.equal("cancelled", outcome[2].kind)
      assert.equal("cancelled", raised.kind) -- the next one
      assert.equal(outcome[2].dispatched, raised.dispatched)
      return outcome[2]
    end

    it("while it is transferred: the server may have seen it, and sees its end", function()
      local client = make()
      local err = cancelled(client, function() until_seen(1) end, "/hold", { json = { 1 } })
      assert.is_true(err.dispatched)
      assert.equal("POST /hold: cancelled: the task was cancelled", tostring(err))
      -- The connection is gone: the next request comes over another one.
      server:requests()
      run(function() return assert(client:request("GET", "/text")) end)
      assert.not_matches("^1 ", server:requests()[1])
    end)

    it("before anything was sent", function()
      assert.is_false(cancelled(make(), function() loop.sleep(0) end).dispatched)
      assert.equal(0, #server:requests())
    end)

    it("before it began", function()
      local client = make()
      local ended
      run(function()
        local task = loop.spawn(function() ended = client:request("GET", "/text") end)
        task:cancel()
      end)
      assert.is_nil(ended)
      assert.equal(0, #server:requests())
    end)

    it("while it waits for a free connection", function()
      local client = make { io = limited(1) }
      run(function()
        local held = loop.spawn(client.request, client, "GET", "/hold")
        until_seen(1)
        local task = loop.spawn(client.request, client, "GET", "/text")
        loop.sleep(0)
        task:cancel()
        local _, err = task:wait()
        assert.same({ "cancelled", false }, { err.kind, err.dispatched })
        release()
        assert.equal("held", held:wait())
      end)
      assert.equal(0, #server:requests())
    end)

    it("while a connection is being handed to it", function()
      local driver = limited(1)
      local client = make { io = driver }
      local outcome
      run(function()
        local first = loop.spawn(client.request, client, "GET", "/hold")
        until_seen(1)
        local second = loop.spawn(function() outcome = { client:request("POST", "/text/never", { json = {} }) } end)
        before_next(first, function() second:cancel() end)
        second:wait()
        assert.same({ "cancelled", false }, { outcome[2].kind, outcome[2].dispatched })
        assert.equal("ok", client:request("GET", "/text"))
      end)
      assert.equal(1, #server:requests())
      assert.equal("avito_messenger.io.loop (0 requests under way)", tostring(driver))
    end)

    it("while its turn in the lane has not come", function()
      local client = make { pace = { rate = 1, burst = 1 } }
      run(function() client:request("GET", "/text") end)
      server:requests()
      local err = cancelled(client, function() loop.sleep(0.002) end, "/text")
      assert.is_false(err.dispatched)
      assert.equal(0, #server:requests())
    end)

    it("when its answer has come in the same turn: it was sent", function()
      local client = make()
      local tasks, outcomes = {}, {}
      run(function()
        for i = 1, 2 do
          tasks[i] = loop.spawn(function()
            local value, err = client:request("POST", "/hold", { json = {} })
            outcomes[#outcomes + 1] = value or err
            tasks[3 - i]:cancel()
          end)
        end
        until_seen(2)
        release()
        -- Both answers are there once a third connection has got what the server sends later than them.
        local third = assert(socket.connect("127.0.0.1", server.port))
        third:send "GET /drip HTTP/1.1\r\n\r\n"
        repeat until third:receive "*l" == ""
        third:receive(3)
        third:close()
      end)
      assert.equal("held", outcomes[1])
      assert.same({ "cancelled", true }, { outcomes[2].kind, outcomes[2].dispatched })
    end)
  end)

  describe("keeps the deadline around a call", function()
    it("which gets an error of kind timeout", function()
      local client = make()
      run(function()
        local inside
        local value, err = loop.deadline(0.05, function()
          inside = { client:request("POST", "/hold", { json = {} }) }
          return "returned"
        end)
        assert.same({ "returned", nil }, { value, err })
        assert.is_nil(inside[1])
        assert.same({ "timeout", true }, { inside[2].kind, inside[2].dispatched })
        assert.equal("ok", client:request("GET", "/text"))
        value, err = loop.deadline(0.02, function()
          client:request("GET", "/hold")
          return client:request("GET", "/hold")
        end)
        assert.is_nil(value)
        assert.equal("timeout", err.kind)
      end)
    end)

    it("also while another call renews the token", function()
      local client = make { access_token = false, client_id = "dummy", client_secret = "dummy", token_store = {
        load = function() loop.sleep(60) end,
        save = function() return true end,
      } }
      run(function()
        local renewing = loop.spawn(client.request, client, "GET", "/text")
        local later = loop.spawn(loop.sleep, 0.5) -- less than until a call looks by itself
        loop.sleep(0)
        local _, err = client:request("GET", "/text", nil, { timeout = 0.05 })
        assert.equal("timeout", err.kind)
        assert.matches("another call was still renewing", err.message)
        assert.matches("running", tostring(later))
        renewing:cancel()
      end)
    end)

    it("also of one that would have to wait beyond it for its turn, at once", function()
      local client = make { pace = { rate = 0.01, burst = 1 } }
      run(function()
        assert(client:request("GET", "/text"))
        local clock = client.driver.now()
        local _, err = loop.deadline(5, client.request, client, "GET", "/text", nil, { timeout = 1000 })
        assert.equal("rate_limited", err.kind)
        assert.is_false(err.dispatched)
        assert.is_true(client.driver.now() < clock + 5)
      end)
    end)
  end)

  describe("when a call is cancelled while its token store waits", function()
    for _, step in ipairs { "lock", "load", "save" } do
      it("tells only that call: " .. step, function()
        local asked = 0
        local function waits(name, ...)
          if name ~= step then return ... end
          asked = asked + 1
          if asked == 1 then loop.sleep(60) end
          return ...
        end
        local client = make { access_token = false, client_id = "dummy", client_secret = "dummy", token_store = {
          lock = function() return waits("lock", { unlock = function() end }) end,
          load = function() return waits("load", { access_token = "dummy-stored", expires_at = step == "save" and 1 or nil }) end,
          save = function() return waits("save", true) end,
        } }
        local answer = '{"access_token":"dummy-new","expires_in":1000,"refresh_token":"dummy-new","token_type":"Bearer"}'
        local perform = client.driver.perform
        client.driver.perform = function(self, request, owner)
          if request.purpose ~= "token" then return perform(self, request, owner) end
          return { status = 200, head = "HTTP/1.1 200 OK\r\n\r\n", body = answer }
        end
        run(function()
          local first = loop.spawn(client.request, client, "GET", "/text")
          while asked == 0 do loop.sleep(0) end
          local second = loop.spawn(client.request, client, "GET", "/text")
          loop.sleep(0)
          first:cancel()
          assert.equal("cancelled", select(2, first:wait()).kind)
          assert.equal("ok", second:wait())
        end)
      end)
    end
  end)

  describe("when its client is closed", function()
    it("ends its calls, wherever they are, and no others", function()
      local client, other = make { io = { new = function() return limited(1) end } }, make()
      run(function()
        local tasks = { loop.spawn(client.request, client, "POST", "/hold/sent", { json = {} }) }
        until_seen(1)
        tasks[2] = loop.spawn(client.request, client, "POST", "/hold/queued", { json = {} })
        local theirs = loop.spawn(other.request, other, "GET", "/hold")
        until_seen(1)
        client:close()
        client:close()
        for i, dispatched in ipairs { true, false } do
          local result, err = tasks[i]:wait()
          assert.is_nil(result)
          assert.same({ "cancelled", dispatched }, { err.kind, err.dispatched })
          assert.matches("the client was closed", err.message)
        end
        assert.equal("cancelled", select(2, client:request("GET", "/text")).kind)
        release()
        assert.equal("held", theirs:wait())
      end)
    end)

    it("ends a wait for the turn in the lane", function()
      local client = make { pace = { rate = 0.01, burst = 1 }, timeout = 1000 }
      run(function()
        assert(client:request("GET", "/text"))
        local task = loop.spawn(client.request, client, "GET", "/text")
        loop.sleep(0.002)
        client:close()
        local _, err = task:wait()
        assert.same({ "cancelled", false, "the client was closed" }, { err.kind, err.dispatched, err.message })
      end)
    end)

    it("starts nothing that has just been given a connection", function()
      local client = make { io = { new = function() return limited(1) end } }
      run(function()
        local first = loop.spawn(client.request, client, "GET", "/hold")
        until_seen(1)
        local second = loop.spawn(client.request, client, "POST", "/text/never", { json = {} })
        before_next(first, function() client:close() end)
        local _, err = second:wait()
        assert.same({ "cancelled", false }, { err.kind, err.dispatched })
        assert.equal(0, #server:requests())
      end)
    end)
  end)

  it("has other certificates than another in the same loop", function()
    local made = certificates.make()
    local tls = raw_server.start { certificate = made.path "good.pem", key = made.path "good.key" }
    local one = make { base_url = tls.url, ca_file = made.path "ca.pem" }
    local other = make { base_url = tls.url, retries = 0 }
    run(function()
      for _ = 1, 2 do
        local results, problems = loop.all {
          function() return one:request("GET", "/text") end,
          function() return other:request("GET", "/text") end,
        }
        assert.equal("ok", results[1])
        assert.equal("network", problems[2].kind)
        assert.is_false(problems[2].dispatched)
      end
    end)
    loop.close() -- and again in a loop with other connections
    assert.equal("ok", loop.run(function() return one:request("GET", "/text") end))
    tls:stop()
    made.remove()
  end)

  it("has another proxy than another in the same loop", function()
    local away = make { base_url = "https://localhost:1", proxy = server.url, retries = 0 }
    local direct = make { proxy = "" }
    run(function()
      local results, problems = loop.all {
        function() return away:request("GET", "/text") end,
        function() return direct:request("GET", "/text") end,
      }
      assert.equal("network", problems[1].kind)
      assert.equal("ok", results[2])
    end)
    local connects = 0
    for _, line in ipairs(server:requests()) do connects = connects + (line:match "CONNECT localhost:1 " and 1 or 0) end
    assert.equal(1, connects)
  end)

  it("says outside of the loop where calls belong, and is not broken by it", function()
    local client = make()
    assert.error_matches(function() client:request("GET", "/text") end,
      "a call of a client of the loop must be called inside loop.run%(function%(%) … end%)")
    run(function()
      local ok, message = pcall(coroutine.wrap(function() client:request("GET", "/text") end))
      assert.is_false(ok)
      assert.matches("inside a coroutine of the program's own", message)
      ok, message = pcall(string.gsub, "x", "x", function() client:request("GET", "/text") end)
      assert.is_false(ok)
      assert.matches("inside a callback of a C function", message)
      assert.equal("ok", client:request("GET", "/text"))
    end)
    assert.equal(1, #server:requests())
  end)

  it("takes no request when it is closed", function()
    local driver = loop.new()
    driver:close()
    driver:close()
    run(function()
      assert.error_matches(function() driver:perform(server:request "/text") end, "this driver is closed")
    end)
  end)

  it("checks its options", function()
    for _, wrong in ipairs { 0, 10001, 1.5 } do
      assert.error_matches(function() loop.new { max_connections = wrong } end,
        "loop.new: max_connections must be an integer from 1 to 10000")
    end
    assert.error_matches(function() loop.new { connections = 1 } end, "connections")
    assert.error_matches(function() make { io = { new = function() return loop.new { proxy = 1 } end } } end, "proxy")
  end)
end)
