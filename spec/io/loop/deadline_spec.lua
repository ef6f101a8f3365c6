local clock = require "avito_messenger.clock"
local loop = require "avito_messenger.io.loop"
local scheduler = require "avito_messenger.io.loop.scheduler"

describe("loop.deadline", function()
  local nothing = scheduler.counts()

  after_each(function() assert.same(nothing, scheduler.counts()) end)

  local function count(...) return { n = select("#", ...), ... } end

  it("passes arguments and results through", function()
    loop.run(function()
      assert.same({ n = 3, 1, nil, nil }, count(loop.deadline(3600, function(...)
        loop.sleep(0)
        return ...
      end, 1, nil, nil)))
      assert.equal(1, loop.deadline(math.huge, function() return 1 end))
    end)
  end)

  it("passes errors through", function()
    loop.run(function()
      local mine = {}
      local ok, err = pcall(loop.deadline, 3600, error, mine)
      assert.same({ false, true }, { ok, rawequal(mine, err) })
      ok, err = pcall(loop.deadline, 3600, function() error "broken on purpose" end)
      assert.is_false(ok)
      assert.matches("deadline_spec.lua:%d+: broken on purpose\nstack traceback", tostring(err))
      loop.sleep(0)
    end)
  end)

  it("breaks off a wait, and the task goes on", function()
    loop.run(function()
      local cleaned
      local result, err = loop.deadline(0.001, function()
        local ok, problem = pcall(loop.sleep, 3600)
        cleaned = not ok and problem.kind
        loop.sleep(3600) -- and every other
      end)
      assert.is_nil(result)
      assert.equal("timeout", err.kind)
      assert.equal("loop.deadline: timeout: the deadline of 0.001 s passed", tostring(err))
      assert.equal("timeout", cleaned)
      loop.sleep(0)
      assert.equal("x", loop.spawn(function() return "x" end):wait())
    end)
  end)

  it("leaves alone what was in time but is told of its end", function()
    loop.run(function()
      local value = loop.deadline(0, function()
        pcall(loop.sleep, 1)
        return "all the same"
      end)
      assert.equal("all the same", value)
    end)
  end)

  it("may stand in another: the outer one is earlier", function()
    loop.run(function()
      local inner, reached
      local result, err = loop.deadline(0.001, function()
        inner = { loop.deadline(3600, loop.sleep, 3600) }
        reached = true
      end)
      assert.is_nil(result)
      assert.matches("0.001 s", err.message)
      assert.is_nil(inner)
      assert.is_nil(reached)
    end)
  end)

  it("may stand in another: the inner one is earlier", function()
    loop.run(function()
      local value, err = loop.deadline(3600, function()
        local result, problem = loop.deadline(0.001, loop.sleep, 3600)
        assert.is_nil(result)
        assert.matches("0.001 s", problem.message)
        loop.sleep(0)
        return "went on"
      end)
      assert.same({ "went on" }, { value, err })
    end)
  end)

  it("may stand in another: both are over when the task is told", function()
    loop.run(function()
      local reached
      loop.spawn(function()
        local began = clock.now()
        repeat until clock.now() - began > 0.005
      end)
      local result, err = loop.deadline(0.002, function()
        loop.deadline(0.001, function()
          pcall(loop.sleep, 3600)
          loop.sleep(3600)
        end)
        reached = true
      end)
      assert.is_nil(result)
      assert.matches("0.002 s", err.message)
      assert.is_nil(reached)
    end)
  end)

  it("gives way to the end of the whole task", function()
    loop.run(function()
      local task = loop.spawn(loop.deadline, 3600, loop.sleep, 3600)
      loop.sleep(0)
      task:cancel()
      local _, err = task:wait()
      assert.equal("cancelled", err.kind)
    end)
  end)

  it("tells calls the earliest end", function()
    loop.run(function()
      local task = scheduler.running_task "the spec"
      assert.is_nil(scheduler.deadline(task))
      loop.deadline(100, function()
        local outer = scheduler.deadline(task)
        loop.deadline(3600, function() assert.equal(outer, scheduler.deadline(task)) end)
        loop.deadline(10, function() assert.is_true(scheduler.deadline(task) < outer) end)
        assert.equal(outer, scheduler.deadline(task))
      end)
      assert.is_nil(scheduler.deadline(task))
    end)
  end)
end)
