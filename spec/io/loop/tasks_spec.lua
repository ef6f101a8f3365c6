local Event = require "avito_messenger.io.loop.event"
local curl = require "avito_messenger.curl"
local errors = require "avito_messenger.errors"
local failure = require "avito_messenger.io.loop.failure"
local loop = require "avito_messenger.io.loop"
local scheduler = require "avito_messenger.io.loop.scheduler"

describe("a task", function()
  local nothing = scheduler.counts()
  local reported

  before_each(function()
    reported = {}
    loop.on_error(function(err) reported[#reported + 1] = err end)
  end)
  after_each(function()
    loop.on_error(nil)
    assert.same(nothing, scheduler.counts())
  end)

  local function count(...) return { n = select("#", ...), ... } end

  it("begins with its arguments when the running one waits", function()
    local log = {}
    loop.run(function()
      loop.spawn(function(...) log[#log + 1] = count(...) end, 1, nil, "x", nil)
      log[#log + 1] = "main"
    end)
    assert.same({ "main", { n = 4, 1, nil, "x", nil } }, log)
  end)

  describe("that is waited for", function()
    it("gives its results, nils included, to each who waits", function()
      loop.run(function()
        local task = loop.spawn(function()
          loop.sleep(0)
          return nil, 2, nil
        end)
        local waiters = {}
        for i = 1, 3 do waiters[i] = loop.spawn(function() return count(task:wait()) end) end
        for i = 1, 3 do assert.same({ n = 3, nil, 2, nil }, waiters[i]:wait()) end
        assert.same({ n = 3, nil, 2, nil }, count(task:wait())) -- also when it has ended
        assert.equal("avito_messenger.Task (ended)", tostring(task))
      end)
    end)

    it("gives nil and its error, which knows the line that raised it", function()
      loop.run(function()
        local task = loop.spawn(function()
          loop.sleep(0)
          error "broken on purpose"
        end)
        assert.equal("avito_messenger.Task (running)", tostring(task))
        local result, err = task:wait()
        assert.is_nil(result)
        assert.matches("tasks_spec.lua:%d+: broken on purpose$", err.message)
        assert.matches("tasks_spec.lua:%d+: in function", err.traceback)
        assert.equal("avito_messenger.Task (failed)", tostring(task))
        assert.equal(err, select(2, task:wait()))
      end)
      assert.same({}, reported)
    end)

    it("is not itself", function()
      loop.run(function()
        local task
        task = loop.spawn(function() task:wait() end)
        local _, err = task:wait()
        assert.matches("a task cannot wait for itself", err.message)
      end)
    end)

    it("survives a stack that overflows", function()
      loop.run(function()
        local function deep() return deep() + 1 end
        local result, err = loop.spawn(deep):wait()
        assert.is_nil(result)
        assert.is_truthy(tostring(err):find "overflow" or tostring(err):find "error in error handling") -- on LuaJIT
      end)
    end)
  end)

  describe("whose error nobody waits for", function()
    it("is reported once, while the loop runs", function()
      loop.run(function()
        loop.spawn(function() error "broken on purpose" end)
        repeat loop.sleep(0.01) until #reported > 0
        loop.sleep(0.01)
      end)
      assert.equal(1, #reported)
      assert.matches("broken on purpose\nstack traceback", tostring(reported[1]))
    end)

    it("is reported at the end of the run", function()
      loop.run(function() loop.spawn(error, { "mine" }) end)
      assert.same({ { "mine" } }, reported)
    end)

    it("is not reported when somebody asks in time", function()
      loop.run(function()
        local task = loop.spawn(error, "broken")
        loop.sleep(0.01)
        assert.is_nil((task:wait()))
      end)
      assert.same({}, reported)
    end)

    it("is reported when whoever waited has given up", function()
      loop.run(function()
        local task = loop.spawn(function()
          loop.sleep(0.005)
          error "broken"
        end)
        local waiter = loop.spawn(function() task:wait() end)
        loop.sleep(0)
        waiter:cancel()
      end)
      assert.equal(1, #reported)
    end)

    it("is not reported for being cancelled, but for what it raises then", function()
      loop.run(function()
        local quiet = loop.spawn(loop.sleep, 3600)
        local loud = loop.spawn(function()
          pcall(loop.sleep, 3600)
          error "in its cleanup"
        end)
        loop.sleep(0)
        local passed = loop.spawn(function() -- what a call of a client gives then is raised
          local ok, problem = pcall(loop.sleep, 3600)
          if not ok then error(errors.new("cancelled", problem.endpoint or "get_self", "the task was cancelled"), 0) end
        end)
        loop.sleep(0)
        assert.is_true(quiet:cancel())
        assert.is_true(loud:cancel())
        assert.is_true(passed:cancel())
      end)
      assert.equal(1, #reported)
      assert.matches("in its cleanup", reported[1].message)
    end)

    it("is reported where a call was given up, but not for the task's own end", function()
      loop.run(function() loop.spawn(error, errors.new("cancelled", "get_self", "the client is closed")) end)
      assert.equal(1, #reported)
      assert.equal("the client is closed", reported[1].message)
    end)

    it("is reported although the handler raises", function()
      local written = {}
      local stderr = io.stderr
      loop.on_error(function() error "the handler is broken" end)
      io.stderr = { write = function(_, ...) written[#written + 1] = table.concat { ... } end } -- luacheck: ignore 122
      local ok, problem = pcall(loop.run, function() loop.spawn(error, "broken on purpose") end)
      io.stderr = stderr -- luacheck: ignore 122
      assert(ok, problem)
      assert.matches("the loop's on_error raised: .*the handler is broken", written[1])
      assert.matches("a task failed, and nobody waited for it: broken on purpose\nstack traceback", written[2])
    end)

    it("is written with its traceback, whatever it is, when there is no handler", function()
      local written = {}
      local stderr = io.stderr
      loop.on_error(nil)
      io.stderr = { write = function(_, ...) written[#written + 1] = table.concat { ... } end } -- luacheck: ignore 122
      failure.report(setmetatable({}, { __tostring = function() error "no text" end }))
      failure.report { traceback = "where" }
      io.stderr = stderr -- luacheck: ignore 122
      assert.matches("nobody waited for it: a table\n$", written[1])
      assert.matches("nobody waited for it: where\n$", written[2])
    end)
  end)

  describe("that is cancelled", function()
    -- Cancels a task once it waits; what its wait raised.
    local function cancelled(wait)
      local raised, again
      loop.run(function()
        local task = loop.spawn(function()
          local ok, err = pcall(wait)
          raised = not ok and err
          ok, err = pcall(loop.sleep, 0)
          again = not ok and err
        end)
        loop.sleep(0.001)
        assert.is_true(task:cancel())
        assert.is_false(task:cancel())
        task:wait()
        assert.is_false(task:cancel())
        for _ = 1, 3 do loop.sleep(0) end -- whatever else might wake it
      end)
      assert.equal(again, raised) -- every later wait raises, too
      return raised
    end

    it("does not begin when it has not begun", function()
      local began
      loop.run(function()
        local task = loop.spawn(function() began = true end)
        assert.is_true(task:cancel())
        local result, err = task:wait()
        assert.is_nil(result)
        assert.equal("cancelled", err.kind)
        assert.equal("task: cancelled: the task was cancelled", tostring(err))
      end)
      assert.is_nil(began)
    end)

    it("is told while it sleeps", function() assert.equal("cancelled", cancelled(function() loop.sleep(3600) end).kind) end)

    it("is told while it waits for another task, which goes on", function()
      local other
      local err = cancelled(function()
        other = loop.spawn(function()
          loop.sleep(0.005)
          return "went on"
        end)
        other:wait()
      end)
      assert.equal("cancelled", err.kind)
      assert.equal("went on", loop.run(function() return other:wait() end))
    end)

    it("is told while it waits for all of several, and so are they", function()
      local inside = {}
      local err = cancelled(function()
        loop.map({ 1, 2, 3 }, function(i)
          local _, problem = pcall(loop.sleep, 3600)
          inside[i] = problem.kind
        end)
      end)
      assert.equal("cancelled", err.kind)
      assert.same({ "cancelled", "cancelled", "cancelled" }, inside)
    end)

    it("is told at its next wait when it is about to run", function()
      local log = {}
      loop.run(function()
        local event = Event.new()
        local task = loop.spawn(function()
          log[#log + 1] = event:wait(3600)
          loop.sleep(0)
          log[#log + 1] = "never"
        end)
        loop.sleep(0)
        event:set()
        assert.is_true(task:cancel())
        assert.equal("cancelled", select(2, task:wait()).kind)
      end)
      assert.same({ true }, log)
    end)

    it("is told while it waits for an event, which another may wait for then", function()
      local event = Event.new()
      assert.equal("cancelled", cancelled(function() event:wait(3600) end).kind)
      event:set()
      assert.is_true(loop.run(function() return event:wait(3600) end))
    end)

    it("is told while it waits for a descriptor, which is let go", function()
      local watch = curl.signals { "USR2" } -- a descriptor that is not ready
      assert.equal("cancelled", cancelled(function() loop.wait_fd(watch:fd(), "r") end).kind)
      assert.equal("cancelled", cancelled(function() loop.wait_fd(watch:fd(), "r", 3600) end).kind)
      watch:close()
    end)

    it("by itself is told at its next wait", function()
      local log = {}
      loop.run(function()
        local task
        task = loop.spawn(function()
          assert.is_true(task:cancel())
          log[1] = "goes on"
          loop.sleep(0)
          log[2] = "never"
        end)
        local _, err = task:wait()
        assert.equal("cancelled", err.kind)
      end)
      assert.same({ "goes on" }, log)
    end)

    if _VERSION == "Lua 5.4" then
      it("closes what it has to close", function()
        local closed
        local body = assert(load [[
          local loop, closing = ...
          local guard <close> = closing
          loop.sleep(3600)
        ]])
        loop.run(function()
          local task = loop.spawn(body, loop, setmetatable({}, { __close = function() closed = true end }))
          loop.sleep(0)
          task:cancel()
        end)
        assert.is_true(closed)
      end)
    end

    it("may catch that and end well", function()
      loop.run(function()
        local task = loop.spawn(function()
          pcall(loop.sleep, 3600)
          return "in order"
        end)
        loop.sleep(0)
        task:cancel()
        assert.equal("in order", task:wait())
      end)
    end)
  end)
end)
