local inside_nginx = require "support.inside_nginx"
local nginx = require "support.nginx"
local raw_server = require "support.raw_server"

if not nginx.wanted() then return end

describe("a task of nginx", function()
  local server, inside

  setup(function()
    server = raw_server.start()
    inside = inside_nginx.start { raw = server, expected = { "nobody waited for it", "lua_max_running_timers are not enough" },
      http = "lua_max_running_timers 20; lua_max_pending_timers 30;" }
  end)
  teardown(function()
    inside:stop()
    server:stop()
  end)
  before_each(function() server:requests() end)

  local function run(code, ...) return inside:run(code, ...) end

  -- Waits until nginx has logged it, and says how often.
  local function logged(text)
    run([[
      local ends = driver.now() + 10
      repeat
        ngx.sleep(0.01)
        local file = io.open(ngx.config.prefix() .. "error.log")
        local log = file:read "*a"
        file:close()
      until log:find(..., 1, true) or driver.now() > ends
    ]], text)
    local count, at = 0, 1
    while true do
      at = inside.server:log():find(text, at, true)
      if not at then return count end
      count, at = count + 1, at + 1
    end
  end

  it("runs a function in a timer of its own, and says what it returned", function()
    assert.same({ "timer", 3, 1, 3 }, run [[
      local task = driver:spawn(function(...) return ngx.get_phase(), select("#", ...), (...) end, 1, nil, nil)
      assert(not task.ended)
      assert(tostring(task) == "avito_messenger.NginxTask (running)")
      local phase, count, first = task:wait()
      assert(task.ended)
      assert(tostring(task) == "avito_messenger.NginxTask (ended)")
      return { phase, count, first, select("#", task:wait()) }
    ]])
  end)

  it("is waited for by several, and lets them go on when it ends", function()
    assert.same({ 7, 7, 7 }, run [[
      local tasks = require "avito_messenger.io.nginx.task"
      tasks.LOOK = 3600
      local go
      local task = driver:spawn(function()
        repeat driver:sleep(0.001) until go
        return 7
      end)
      local values, threads = {}, {}
      for i = 1, 3 do threads[i] = ngx.thread.spawn(function() values[i] = task:wait() end) end
      go = true
      for i = 1, 3 do ngx.thread.wait(threads[i]) end
      tasks.LOOK = 1
      return values
    ]])
  end)

  it("says what it raised, and logs it only where nobody waits", function()
    local message, traceback = run [[
      local value, err = driver:spawn(function() error("claimed " .. "trouble") end):wait()
      assert(value == nil and err.kind == "raised")
      driver:spawn(function() error("unclaimed " .. "trouble") end)
      local task = driver:spawn(function() error("late " .. "trouble") end)
      repeat ngx.sleep(0.001) until task.ended
      assert(tostring(task) == "avito_messenger.NginxTask (failed)")
      assert(select(2, task:wait()))
      return err.message, err.traceback
    ]]
    assert.matches("claimed trouble$", message)
    assert.matches("stack traceback", traceback)
    assert.equal(1, logged "nobody waited for it: spec:3: unclaimed trouble")
    assert.is_nil(inside.server:log():find("nobody waited for it: spec:1", 1, true))
    assert.is_nil(inside.server:log():find("late trouble", 1, true))
  end)

  it("is not waited for by itself", function()
    assert.matches("a task cannot wait for itself", run [[
      local task
      task = driver:spawn(function() task:wait() end)
      return select(2, task:wait()).message
    ]])
  end)

  describe("that is cancelled", function()
    it("is told once, and raises from then on", function()
      assert.same({ true, false, false, "cancelled", "cancelled", "cancelled", "cancelled" }, run [[
        local told, raised, waiting = {}, {}, false
        local other = driver:spawn(function() driver:sleep(0.2) end)
        local task = driver:spawn(function()
          waiting = true
          local slept, err = driver:sleep(60)
          told[1] = not slept and err.kind
          raised[1] = select(2, pcall(driver.park, driver, 60, "x")).kind
          raised[2] = select(2, pcall(driver.perform, driver, request "/ok")).kind
          raised[3] = select(2, pcall(other.wait, other)).kind
          driver:sleep(60)
        end)
        repeat ngx.sleep(0.001) until waiting
        local first, second = task:cancel(), task:cancel()
        task:wait()
        return { first, second, task:cancel(), told[1], raised[1], raised[2], raised[3] }
      ]])
      assert.equal(0, #server:requests())
    end)

    it("is told by whatever it does next", function()
      assert.same({ "cancelled", "cancelled: the task was cancelled false", "cancelled", "cancelled" }, run [[
        local told = {}
        local function try(i, fn)
          local go
          local task = driver:spawn(function()
            repeat ngx.sleep(0.001) until go
            told[i] = fn()
          end)
          repeat ngx.sleep(0.001) until task.begun
          task:cancel()
          go = true
          task:wait()
        end
        try(1, function() return select(2, driver:sleep(0)).kind end)
        try(2, function()
          local response = driver:perform(request "/ok")
          return response.error .. ": " .. response.message .. " " .. tostring(response.dispatched)
        end)
        try(3, function() return select(2, driver:park(60, "x")).kind end)
        try(4, function() return select(2, pcall(function() driver:spawn(function() end):wait() end)).kind end)
        return told
      ]])
      assert.equal(0, #server:requests())
    end)

    it("never begins where it has not begun", function()
      assert.same({ false, "cancelled" }, run [[
        local begun = false
        local task = driver:spawn(function() begun = true end)
        task:cancel()
        local _, err = task:wait()
        return { begun, err.kind }
      ]])
    end)

    it("leaves a wait at once, and a request at its own end", function()
      assert.same({ "cancelled", 200, "cancelled" }, run(([[
        local waiting, response, after
        local long = driver:spawn(function() repeat driver:sleep(0.01) until response end)
        local task = driver:spawn(function()
          waiting = true
          long:wait()
        end)
        repeat ngx.sleep(0.001) until waiting
        task:cancel()
        local _, err = task:wait()
        local asking = driver:spawn(function()
          response = driver:perform(request "/hold")
          after = select(2, driver:sleep(1)).kind
        end)
        repeat ngx.sleep(0.001) until asking.begun
        asking:cancel()
        ngx.timer.at(0, function()
          repeat
            local sock = ngx.socket.tcp()
            sock:connect("127.0.0.1", CONTROL)
            sock:send "release\n"
            sock:receive "*a"
            sock:close()
            ngx.sleep(0.01)
          until response
        end)
        asking:wait()
        long:wait()
        return { err.kind, response.status, after }
      ]]):gsub("CONTROL", server.control)))
    end)

    it("is not logged for it", function()
      run [[
        local task = driver:spawn(function()
          driver:sleep(60)
          driver:sleep(60)
        end)
        repeat ngx.sleep(0.001) until task.begun
        task:cancel()
        repeat ngx.sleep(0.001) until task.ended
        driver:spawn(function() error("after " .. "the cancelled") end)
      ]]
      logged "after the cancelled"
      assert.is_nil(inside.server:log():find("the task was cancelled", 1, true))
    end)

    it("tells nobody else that its coroutine serves later", function()
      assert.equal("slept", run [[
        for _ = 1, 20 do
          local task = driver:spawn(function() driver:sleep(60) end)
          repeat ngx.sleep(0.001) until task.begun
          task:cancel()
          task:wait()
        end
        local slept = "slept"
        for _ = 1, 20 do
          local ended
          ngx.timer.at(0, function()
            if not driver:sleep(0.001) then slept = "cancelled" end
            ended = true
          end)
          repeat ngx.sleep(0.001) until ended
        end
        return slept
      ]])
    end)
  end)

  describe("for which there is no timer", function()
    local function names_directives(message)
      for _, name in ipairs { "lua_max_running_timers", "lua_max_pending_timers", "worker_connections" } do
        assert.matches(name, message)
      end
    end

    it("is not begun when as many run as may", function()
      local begun, message = run [[
        local few, go, begun = nginx.new { max_timers = 3 }, false, 0
        local tasks = {}
        local message
        for i = 1, 4 do
          local ok, task = pcall(few.spawn, few, function()
            begun = begun + 1
            repeat driver:sleep(0.001) until go
          end)
          if ok then tasks[i] = task else message = task end
        end
        repeat ngx.sleep(0.001) until begun == 3
        assert(not pcall(few.spawn, few, function() end))
        go = true
        for _, task in ipairs(tasks) do task:wait() end
        assert(few:spawn(function() return true end):wait())
        return begun, message
      ]]
      assert.equal(3, begun)
      assert.matches("^a task needs a timer of nginx, and none could be had %(3 run%)", message)
      names_directives(message)
    end)

    it("is not begun when nginx makes none", function()
      local message = run [[
        for _ = 1, 30 do assert(ngx.timer.at(0.1, function() end)) end
        return select(2, pcall(driver.spawn, driver, function() end))
      ]]
      assert.matches("too many pending timers", message)
      names_directives(message)
      run [[repeat ngx.sleep(0.01) until ngx.timer.pending_count() == 0]]
    end)

    it("nor is a request made, when nginx has no connection for it", function()
      local crowded = inside_nginx.start { raw = server, connections = 12, expected = { "worker_connections are not enough" } }
      local spawned, response = crowded:run [[
        local sockets, port = {}, request("").url:match ":(%d+)$"
        repeat
          local sock = ngx.socket.tcp()
          sockets[#sockets + 1] = sock
        until not sock:connect("127.0.0.1", port)
        local _, problem = pcall(driver.spawn, driver, function() end) -- the worker's first
        return problem, driver:perform(request "/ok")
      ]]
      crowded:stop()
      names_directives(spawned)
      assert.same({ error = "network", dispatched = false, message = ("could not connect to 127.0.0.1:%d: nginx has no connection "
        .. "left; raise worker_connections"):format(server.port) }, response)
    end)

    -- nginx makes the timer and says in its log alone that it does not run.
    it("says so to those who wait, when nginx has not begun it", function()
      local ran, message, ended, again = run [[
        local clock = require "avito_messenger.clock"
        local go, ran = false, 0
        local busy = {}
        for i = 1, 20 do busy[i] = driver:spawn(function() repeat ngx.sleep(0.01) until go end) end
        repeat ngx.sleep(0.001) until ngx.timer.running_count() == 20
        local lost = driver:spawn(function() ran = ran + 1 end)
        local now = clock.now
        local waiting = ngx.thread.spawn(function() return select(2, lost:wait()) end)
        ngx.sleep(0.01)
        clock.now = function() return now() + 6 end
        local _, err = ngx.thread.wait(waiting)
        local ended = lost.ended
        go = true
        for _, task in ipairs(busy) do task:wait() end
        local again = nginx.new({ max_timers = 1 }):spawn(function() return "again" end):wait()
        clock.now = now
        return ran, err.message, ended, again
      ]]
      assert.same({ 0, true, "again" }, { ran, ended, again })
      assert.equal("the timer of a task never began: lua_max_running_timers or worker_connections are not enough", message)
    end)

    it("does nothing once it was given up", function()
      assert.same({ false, true, 0 }, run [[
        local clock = require "avito_messenger.clock"
        local now, ran = clock.now, 0
        local task, later = driver:spawn(function() ran = ran + 1 end), driver:spawn(function() end)
        clock.now = function() return now() + 6 end
        local stopped = task.ended -- the worker may have been
        clock.now = function() return now() + 7.5 end
        local ended = task.ended
        clock.now = now
        later:wait()
        return { stopped, ended, ran }
      ]])
    end)
  end)
end)
