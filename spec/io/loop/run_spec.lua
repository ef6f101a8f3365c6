local loop = require "avito_messenger.io.loop"
local process = require "spec_support.process"
local sandbox = require "support.sandbox"
local scheduler = require "avito_messenger.io.loop.scheduler"

describe("loop.run", function()
  local nothing = scheduler.counts()

  after_each(function()
    assert.is_false(scheduler.is_running())
    assert.same(nothing, scheduler.counts())
    loop.close()
  end)

  it("returns what main returns, nils included", function()
    assert.same({ n = 4, 1, nil, "x", nil }, { n = select("#", loop.run(function(...) return ... end, 1, nil, "x", nil)),
      loop.run(function(...) return ... end, 1, nil, "x", nil) })
    assert.equal(0, select("#", loop.run(function() end)))
    assert.same({ n = 2 }, { n = select("#", loop.run(function() return nil, nil end)) })
  end)

  it("waits for all ordinary tasks, also those of tasks", function()
    local log = {}
    assert.equal("main", loop.run(function()
      loop.spawn(function()
        loop.sleep(0)
        loop.spawn(function()
          loop.sleep(0.002)
          log[#log + 1] = "inner"
        end)
        log[#log + 1] = "outer"
      end)
      log[#log + 1] = "main"
      return "main"
    end))
    assert.same({ "main", "outer", "inner" }, log)
  end)

  it("cancels background tasks when all others have ended", function()
    local how, cleaned, began
    loop.run(function()
      loop.background(function()
        local ok, err = pcall(loop.sleep, 3600)
        how = { ok, err.kind }
        loop.background(function() began = true end) -- made too late: cancelled before it begins
        pcall(loop.sleep, 3600)
        cleaned = true
      end)
      loop.sleep(0)
    end)
    assert.same({ false, "cancelled" }, how)
    assert.is_true(cleaned)
    assert.is_nil(began)
  end)

  it("cancels the rest when main raises, and raises it again", function()
    local cancelled
    local ok, err = pcall(loop.run, function()
      loop.spawn(function()
        local _, problem = pcall(loop.sleep, 3600)
        cancelled = problem.kind
      end)
      loop.sleep(0)
      error "broken on purpose"
    end)
    assert.is_false(ok)
    assert.equal("cancelled", cancelled)
    assert.matches("run_spec.lua:%d+: broken on purpose\nstack traceback:.*run_spec.lua", tostring(err))
    assert.matches("^failed: .*broken on purpose", "failed: " .. err)
    assert.equal("raised", err.kind)
  end)

  it("leaves tables that are raised untouched", function()
    local mine = setmetatable({}, { __index = function() error "asked" end })
    local ok, err = pcall(loop.run, function() error(mine) end)
    assert.is_false(ok)
    assert.is_true(rawequal(mine, err))
    assert.is_nil(next(mine))
  end)

  it("says what was raised that is neither text nor table", function()
    for value, text in pairs { [42] = "a number was raised: 42", [false] = "a boolean was raised: false" } do
      local ok, err = pcall(loop.run, function() error(value, 0) end)
      assert.is_false(ok)
      assert.equal(value, err.value)
      assert.equal(text, err.message)
    end
    local ok, err = pcall(loop.run, function() error() end)
    assert.is_false(ok)
    assert.equal("a nil was raised: nil", err.message)
  end)

  it("refuses to run within itself, and goes on", function()
    assert.equal("fine", loop.run(function()
      local ok, message = pcall(loop.run, function() end)
      assert.is_false(ok)
      assert.matches("loop.run: the loop runs already; use loop.spawn", message)
      assert.error_matches(loop.close, "loop.close: the loop runs")
      loop.sleep(0)
      return "fine"
    end))
  end)

  it("names what is wrong with an argument", function()
    assert.error_matches(function() loop.run(1) end, "loop.run: function expected, got number")
    loop.run(function()
      for name, message in pairs { spawn = "loop.spawn: function expected, got nil",
        background = "loop.background: function expected, got nil", sleep = "loop.sleep: seconds must be a number, got nil",
        wait_fd = "loop.wait_fd: fd must be a number, got nil" } do
        assert.error_matches(function() loop[name]() end, message)
      end
      assert.error_matches(function() loop.sleep(-1) end, "seconds must not be negative")
      assert.error_matches(function() loop.sleep(0 / 0) end, "seconds must not be negative")
      assert.error_matches(function() loop.deadline(1) end, "loop.deadline: function expected, got nil")
      assert.error_matches(function() loop.deadline("1", print) end, "loop.deadline: seconds must be a number, got string")
      assert.error_matches(function() loop.on_error(1) end, "loop.on_error: function expected")
    end)
  end)

  describe("its functions", function()
    local calls = {
      ["loop.spawn"] = function() loop.spawn(print) end,
      ["loop.background"] = function() loop.background(print) end,
      ["loop.sleep"] = function() loop.sleep(0) end,
      ["loop.wait_fd"] = function() loop.wait_fd(0, "r") end,
      ["loop.map"] = function() loop.map({}, print) end,
      ["loop.all"] = function() loop.all {} end,
      ["loop.deadline"] = function() loop.deadline(1, print) end,
    }

    it("say outside of it where they belong", function()
      local task = loop.run(function() return loop.spawn(function() end) end)
      for name, call in pairs(calls) do
        assert.error_matches(call, name .. " must be called inside loop.run%(function%(%) … end%)")
      end
      assert.error_matches(function() task:wait() end, "task:wait%(%) must be called inside loop.run")
      assert.is_false(task:cancel())
      assert.is_false(loop.in_task())
      assert.is_true(loop.run(loop.in_task))
    end)

    it("refuse a coroutine of the program's own, and a callback of C, and nothing is broken", function()
      calls["loop.spawn"], calls["loop.background"] = nil, nil -- they do not wait
      assert.equal("fine", loop.run(function()
        local other = loop.spawn(loop.sleep, 0)
        calls["task:wait()"] = function() other:wait() end
        for name, call in pairs(calls) do
          local routine = coroutine.create(call)
          local ok, message = coroutine.resume(routine)
          assert.is_false(ok)
          assert.matches(name .. " was called inside a coroutine of the program's own", message, 1, true)
          assert.equal("dead", coroutine.status(routine))
          ok, message = pcall(string.gsub, "x", "x", call)
          assert.is_false(ok)
          assert.matches(name .. " was called inside a callback of a C function", message, 1, true)
        end
        loop.sleep(0.002)
        return "fine"
      end))
    end)
  end)

  it("does not let a task yield by itself", function()
    loop.run(function()
      local result, err = loop.spawn(function() coroutine.yield(1) end):wait()
      assert.is_nil(result)
      assert.matches("a task yielded by itself", tostring(err))
      assert.matches("run_spec.lua", err.traceback)
    end)
  end)

  it("raises instead of hanging when every task waits for another one", function()
    local first, second
    local ok, err = pcall(loop.run, function()
      first = loop.spawn(function() second:wait() end)
      second = loop.spawn(function() first:wait() end)
      first:wait()
    end)
    assert.is_false(ok)
    assert.matches("every task of the loop waits for another one:\nstack traceback:.*run_spec.lua", tostring(err))
    assert.equal(1, loop.run(function() return 1 end))
  end)

  it("runs again after any failure of a run before", function()
    local failures = {
      function() error "broken" end,
      function() error {} end,
      function()
        loop.spawn(function() error "broken" end)
        loop.sleep(0)
        error "also"
      end,
      function()
        local function deep() return deep() + 1 end
        deep()
      end,
      function()
        loop.spawn(function() pcall(loop.sleep, 3600) error "in its cleanup" end)
        loop.sleep(0)
        error "broken"
      end,
    }
    local reported = 0
    loop.on_error(function() reported = reported + 1 end)
    for _, fail in ipairs(failures) do
      -- A finalizer of somebody else's that meets the end of the stack is lost, and what it would have freed with it.
      collectgarbage()
      collectgarbage "stop"
      assert.is_false((pcall(loop.run, fail)))
      collectgarbage "restart"
      assert.equal(1, loop.run(function()
        loop.sleep(0)
        return loop.spawn(function() return 1 end):wait()
      end))
      assert.same(nothing, scheduler.counts())
    end
    loop.on_error(nil)
    assert.equal(2, reported)
  end)

  it("is another one in a forked child", function()
    loop.run(loop.sleep, 0)
    local how, status, output = process.fork(function()
      return tostring(loop.run(function()
        loop.sleep(0.001)
        return "child"
      end))
    end)
    assert.same({ "exit", 0, "child" }, { how, status, output })
    assert.equal("parent", loop.run(function()
      loop.sleep(0.001)
      return "parent"
    end))
  end)

  describe("and Ctrl-C", function()
    local function run(script)
      local child = sandbox.spawn({ "-e", [[
        local loop = require "avito_messenger.io.loop"
        local function say(...) io.stdout:write(...) io.stdout:write("\n") io.stdout:flush() end
      ]] .. script }, { stdout = "pipe", stderr = "pipe" })
      assert.equal("ready", child:read_line())
      child:kill "INT"
      local output = child:read_all(15)
      local how, code = child:wait()
      child:close()
      return output, how, code
    end

    it("ends a wait: tasks clean up, and it is raised", function()
      local output, how, code = run [[
        loop.run(function()
          loop.spawn(function()
            local _, err = pcall(loop.sleep, 3600)
            say("cleaned after ", err.kind)
          end)
          loop.spawn(function() say "ready" end)
          loop.sleep(3600)
        end)
      ]]
      assert.matches("cleaned after cancelled", output)
      assert.matches("interrupted!", output)
      assert.same({ "exit", 1 }, { how, code })
    end)

    it("lets a caught one be followed by another run", function()
      local output, how, code = run [[
        local ok, err = pcall(loop.run, function()
          loop.spawn(function() say "ready" end)
          loop.sleep(3600)
        end)
        say(tostring(ok), " ", tostring(err):match "interrupted!")
        say(loop.run(function() loop.sleep(0.001) return "again" end))
      ]]
      assert.equal("false interrupted!\nagain\n", output)
      assert.same({ "exit", 0 }, { how, code })
    end)

    it("comes between two turns, whatever runs: no task goes without its end", function()
      for _ = 1, 3 do
        local output, how, code = run [[
          loop.run(function()
            for i = 1, 20 do
              loop.spawn(function()
                if i == 20 then say "ready" end
                local _, err = pcall(function() while true do loop.sleep(0) end end)
                say("cleaned after ", err.kind)
              end)
            end
            loop.sleep(3600)
          end)
        ]]
        assert.equal(20, select(2, output:gsub("cleaned after cancelled", "")))
        assert.matches("interrupted!", output)
        assert.same({ "exit", 1 }, { how, code })
      end
    end)

    it("ends the process when it comes again", function()
      local child = sandbox.spawn({ "-e", [[
        local loop = require "avito_messenger.io.loop"
        loop.run(function()
          print "ready"
          io.stdout:flush()
          pcall(loop.sleep, 3600)
          print "stubborn"
          io.stdout:flush()
          while true do pcall(loop.sleep, 3600) end
        end)
      ]] }, { stdout = "pipe", stderr = "pipe" })
      assert.equal("ready", child:read_line())
      child:kill "INT"
      assert.equal("stubborn", child:read_line())
      child:kill "INT"
      assert.equal("signal", (child:wait()))
      child:close()
    end)
  end)
end)
