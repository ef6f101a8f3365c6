local errors = require "avito_messenger.errors"
local loop = require "avito_messenger.io.loop"
local sandbox = require "support.sandbox"
local scheduler = require "avito_messenger.io.loop.scheduler"

describe("loop.map", function()
  local nothing = scheduler.counts()
  local reported = 0

  setup(function() loop.on_error(function() reported = reported + 1 end) end)
  teardown(function() loop.on_error(nil) end)
  after_each(function()
    assert.same(nothing, scheduler.counts())
    assert.equal(0, reported)
    reported = 0
  end)

  it("gives results in the order of the items, and their number", function()
    loop.run(function()
      local results, problems = loop.map({ 3, 1, 2 }, function(item, index)
        loop.sleep(item / 1000)
        return item * 10, index
      end)
      assert.same({ n = 3, 30, 10, 20 }, results)
      assert.is_nil(problems)
      assert.same({ n = 3, [2] = "x" }, (loop.map({ 1, 2, 3 }, function(item) return item == 2 and "x" or nil end)))
      assert.same({ n = 2, false, false }, (loop.map({ 1, 2 }, function() return false end)))
    end)
  end)

  it("gives nothing for nothing", function()
    loop.run(function()
      assert.same({ { n = 0 } }, { loop.map({}, error) })
      assert.same({ { n = 0 } }, { loop.map(function() end, error) })
      assert.same({ { n = 0 } }, { loop.all {} })
    end)
  end)

  it("gives errors by index: those that are returned, and those of calls that are raised", function()
    loop.run(function()
      local mine = errors.new("not_found", "get_chat", "there is none")
      local results, problems = loop.map({ 1, 2, 3, 4 }, function(item)
        if item == 1 then return nil, "returned" end
        if item == 2 then error(mine) end
        if item == 3 then return nil end
        return item
      end)
      assert.same({ n = 4, [4] = 4 }, results)
      assert.same({ "returned", mine }, problems)
      assert.equal(mine, problems[2])
    end)
  end)

  for concurrency, expected in pairs { [false] = 10, [1] = 1, [3] = 3, [math.huge] = 30 } do
    it(("has %d at once, and never more"):format(expected), function()
      local items, active, most = {}, 0, 0
      for i = 1, 30 do items[i] = i end
      loop.run(function()
        loop.map(items, function()
          active = active + 1
          most = math.max(most, active)
          loop.sleep(0)
          active = active - 1
        end, concurrency and { concurrency = concurrency } or nil)
      end)
      assert.same({ 0, expected }, { active, most })
    end)
  end

  it("takes an iterator, also one that waits for pages", function()
    local avito = require "avito_messenger"
    loop.run(function()
      local box = require("avito_messenger.sandbox")()
      local server = assert(box:listen { port = 0 })
      local client = avito.client { io = loop, base_url = server.url, pace = false,
        client_id = sandbox.client_id, client_secret = sandbox.client_secret }
      local ids = {}
      for chat in client:chats { limit = 2 } do ids[#ids + 1] = chat.id end
      assert.is_true(#ids > 2)
      local results = loop.map(client:chats { limit = 2 }, function(chat) return assert(client:get_chat(chat.id)).id end)
      assert.equal(#ids, results.n)
      results.n = nil
      assert.same(ids, results)
      local left = 5
      assert.equal(5, loop.map(function()
        loop.sleep(0)
        left = left - 1
        return left >= 0 and left or nil
      end, function(item) return item end).n)
      client:close()
    end)
  end)

  it("cancels the others when one raises, and raises it with its traceback", function()
    loop.run(function()
      local cancelled, began = 0, 0
      local ok, err = pcall(loop.map, { 1, 2, 3, 4, 5 }, function(item)
        began = began + 1
        if item == 3 then error "broken on purpose" end
        local _, problem = pcall(loop.sleep, 3600)
        cancelled = cancelled + (problem.kind == "cancelled" and 1 or 0)
      end, { concurrency = 3 })
      assert.is_false(ok)
      assert.matches("gather_spec.lua:%d+: broken on purpose\nstack traceback:.*gather_spec.lua", tostring(err))
      assert.same({ 2, 3 }, { cancelled, began })
    end)
  end)

  it("cancels the others also when all have begun", function()
    loop.run(function()
      local kinds = {}
      local function body(item)
        if item == 2 then error "broken on purpose" end
        local _, problem = pcall(loop.sleep, 3600)
        kinds[item] = problem.kind
      end
      assert.is_false((pcall(loop.map, { 1, 2, 3 }, body)))
      assert.same({ [1] = "cancelled", [3] = "cancelled" }, kinds)
      assert.is_false((pcall(loop.all, { function() loop.sleep(3600) end, error })))
    end)
  end)

  it("asks for no more items when one has raised", function()
    loop.run(function()
      local asked = 0
      pcall(loop.map, function()
        asked = asked + 1
        return asked
      end, function(item)
        if item == 3 then error "broken on purpose" end
        loop.sleep(3600)
      end, { concurrency = 3 })
      assert.equal(3, asked)
    end)
  end)

  it("does not hide what others raise in their cleanup", function()
    loop.run(function()
      local function clumsy(item)
        if item == 3 then error "broken on purpose" end
        pcall(loop.sleep, 3600)
        error "in its cleanup"
      end
      pcall(loop.map, { 1, 2, 3 }, clumsy)
      local caller = loop.spawn(loop.map, { 1, 2 }, clumsy)
      loop.sleep(0)
      loop.sleep(0)
      caller:cancel()
    end)
    assert.equal(4, reported)
    reported = 0
  end)

  it("raises what the iterator raises, and cancels what has begun", function()
    loop.run(function()
      local kind
      local ok, err = pcall(loop.map, function()
        if kind == nil then
          kind = false
          return 1
        end
        loop.sleep(0)
        error "no more"
      end, function()
        local _, problem = pcall(loop.sleep, 3600)
        kind = problem.kind
      end)
      assert.is_false(ok)
      assert.matches("no more", err.message)
      loop.sleep(0.001)
      assert.equal("cancelled", kind)
    end)
  end)

  it("in a background task keeps the loop no longer than that task does", function()
    local kind
    loop.run(function()
      loop.background(function()
        loop.map({ 1 }, function()
          local _, problem = pcall(loop.sleep, 5)
          kind = problem and problem.kind or "slept"
        end)
      end)
      loop.sleep(0.001)
    end)
    assert.equal("cancelled", kind)
  end)

  it("names what is wrong with an argument", function()
    loop.run(function()
      assert.error_matches(function() loop.map(1, print) end, "loop.map: a list or an iterator expected, got number")
      assert.error_matches(function() loop.map({}, 1) end, "loop.map: function expected, got number")
      assert.error_matches(function() loop.map({}, print, { concurency = 1 }) end, "concurency")
      for _, wrong in ipairs { 0, -1, 2.5, 0 / 0 } do
        assert.error_matches(function() loop.map({}, print, { concurrency = wrong }) end,
          "loop.map: concurrency must be a whole number, 1 or more")
      end
    end)
  end)
end)

describe("loop.all", function()
  it("runs all at once", function()
    loop.run(function()
      local fns, active, most = {}, 0, 0
      for i = 1, 50 do
        fns[i] = function()
          active = active + 1
          most = math.max(most, active)
          loop.sleep(0)
          active = active - 1
          if i == 7 then return nil, "seven" end
          return i
        end
      end
      local results, problems = loop.all(fns)
      assert.same({ 50, 50, 1, 50 }, { most, results.n, results[1], results[50] })
      assert.same({ [7] = "seven" }, problems)
    end)
  end)

  it("names what is wrong with an argument", function()
    loop.run(function()
      assert.error_matches(function() loop.all(print) end, "loop.all: a list of functions expected, got function")
      assert.error_matches(function() loop.all { print, 2 } end, "loop.all: %[2%] must be a function, got number")
    end)
  end)
end)
