local avito = require "avito_messenger"
local loop = require "avito_messenger.io.loop"
local raw_server = require "support.raw_server"
local scheduler = require "avito_messenger.io.loop.scheduler"
local support = require "support.sandbox"

describe("what the loop leaves behind", function()
  local nothing = scheduler.counts()
  local server

  setup(function() server = raw_server.start() end)
  teardown(function() server:stop() end)

  -- Sockets and what waits for them; whether this pipe counts is a matter of chance.
  local function open_descriptors()
    local pipe = assert(io.popen("ls -l /proc/$PPID/fd | grep -c 'socket:\\|eventpoll\\|eventfd'"))
    local count = tonumber(pipe:read "*a")
    pipe:close()
    return count
  end

  local function size(set)
    local count = 0
    for _ in pairs(set) do count = count + 1 end
    return count
  end

  it("is nothing: no descriptor, no task, no place in a queue", function()
    loop.close()
    local before = open_descriptors()
    local box = require("avito_messenger.sandbox")()
    local client
    loop.run(function()
      local listening = assert(box:listen { port = 0 })
      client = avito.client { io = loop.new { max_connections = 20 }, base_url = listening.url, pace = false,
        client_id = support.client_id, client_secret = support.client_secret }
      local tasks = {}
      for i = 1, 2000 do
        tasks[i] = loop.spawn(function()
          return loop.deadline(60, client.get_self, client)
        end)
        if i % 7 == 0 then loop.sleep(0) end
        if i % 3 == 0 then tasks[i - 1]:cancel() end
      end
      for i = 1, 2000 do
        local value, err = tasks[i]:wait()
        assert.is_true(value ~= nil or err.kind == "cancelled", tostring(err))
      end
      local counts = scheduler.counts() -- what serves the sandbox, and this
      assert.same({ 2, 1, 0, 0 }, { counts.tasks, counts.ordinary, counts.transfers, counts.unclaimed })
    end)
    assert.same(nothing, scheduler.counts())
    local driver = client.driver
    assert.same({ 0, driver.last }, { driver.active, driver.first })
    assert.equal(0, size(driver.queue))
    for _, parked in pairs(driver.parked) do assert.equal(0, size(parked)) end
    loop.close()
    assert.equal(before, open_descriptors())
  end)

  it("are connections for the next run, until they are given back", function()
    loop.close()
    local before = open_descriptors()
    local client = avito.client { io = loop, base_url = server.url, access_token = "dummy", user_id = 7, pace = false }
    for _ = 1, 2 do assert.equal("ok", loop.run(function() return client:request("GET", "/text") end)) end
    assert.is_true(open_descriptors() > before)
    local seen = server:requests()
    assert.equal(seen[1]:match "^%d+", seen[2]:match "^%d+")
    loop.close()
    loop.close()
    assert.equal(before, open_descriptors())
    assert.equal("ok", loop.run(function() return client:request("GET", "/text") end))
    loop.close()
  end)

  it("after a run that was broken off is nothing either", function()
    loop.close()
    local before = open_descriptors()
    local client = avito.client { io = loop, base_url = server.url, access_token = "dummy", user_id = 7, pace = false }
    for _ = 1, 20 do
      assert.is_false((pcall(loop.run, function()
        for _ = 1, 10 do loop.spawn(client.request, client, "GET", "/hold") end
        loop.spawn(loop.sleep, 3600)
        loop.sleep(0.001)
        error "broken on purpose"
      end)))
      assert.same(nothing, scheduler.counts())
      assert.equal(0, client.driver.active)
    end
    loop.close()
    assert.equal(before, open_descriptors())
  end)

  it("is no memory of tasks that have ended", function()
    local kept = setmetatable({}, { __mode = "k" })
    loop.run(function()
      for _ = 1, 300 do
        local own = {}
        kept[own] = true
        kept[loop.spawn(function(given)
          loop.sleep(0)
          return given
        end, own)] = true
      end
      loop.sleep(0.001)
    end)
    collectgarbage()
    collectgarbage()
    assert.is_true(size(kept) <= 2, size(kept) .. " are kept") -- what the turn handled last may lie about
  end)
end)
