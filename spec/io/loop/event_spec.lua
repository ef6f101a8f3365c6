local Event = require "avito_messenger.io.loop.event"
local loop = require "avito_messenger.io.loop"
local scheduler = require "avito_messenger.io.loop.scheduler"
local socket = require "socket"

describe("a wait of the loop", function()
  local nothing = scheduler.counts()
  local one, other

  before_each(function()
    local listener = assert(socket.bind("127.0.0.1", 0))
    one = assert(socket.connect("127.0.0.1", (select(2, listener:getsockname()))))
    other = assert(listener:accept())
    listener:close()
  end)
  after_each(function()
    one:close()
    other:close()
    assert.same(nothing, scheduler.counts())
  end)

  describe("for a descriptor", function()
    it("ends when it is ready, and says for what", function()
      loop.run(function()
        assert.equal("w", loop.wait_fd(one:getfd(), "rw"))
        assert.equal("w", loop.wait_fd(one:getfd(), "w", 3600))
        local reader = loop.spawn(loop.wait_fd, one:getfd(), "r")
        loop.sleep(0)
        assert.equal("avito_messenger.Task (running)", tostring(reader))
        other:send "x"
        assert.equal("r", reader:wait())
        assert.equal("rw", loop.wait_fd(one:getfd(), "rw"))
      end)
    end)

    it("ends with its time", function()
      loop.run(function()
        assert.is_false(loop.wait_fd(one:getfd(), "r", 0.001))
        other:send "x"
        assert.equal("r", loop.wait_fd(one:getfd(), "r", 3600))
      end)
    end)

    it("may be waited for by one task, and names misuse", function()
      loop.run(function()
        local reader = loop.spawn(loop.wait_fd, one:getfd(), "r")
        loop.sleep(0)
        assert.error_matches(function() loop.wait_fd(one:getfd(), "w") end,
          ("loop.wait_fd: descriptor %d is waited for already"):format(one:getfd()))
        other:send "x"
        assert.equal("r", reader:wait())
        assert.error_matches(function() loop.wait_fd(1000000, "r") end, "loop.wait_fd: .*descriptor 1000000 cannot be watched")
        assert.error_matches(function() loop.wait_fd(-1, "r") end, "no descriptor")
        assert.error_matches(function() loop.wait_fd(one:getfd() + 0.5, "r", 0) end, "no descriptor")
        assert.error_matches(function() loop.wait_fd(0 / 0, "r", 0) end, "no descriptor")
        assert.error_matches(function() loop.wait_fd(0, "x") end, '"r", "w" or "rw" expected')
        assert.error_matches(function() loop.wait_fd(0, "r", -1) end, "seconds must not be negative")
      end)
    end)

    it("may be waited for again when the one that waited is cancelled", function()
      loop.run(function()
        local reader = loop.spawn(loop.wait_fd, one:getfd(), "r")
        loop.sleep(0)
        reader:cancel()
        assert.is_false(loop.wait_fd(one:getfd(), "r", 0))
      end)
    end)

    it("is not mistaken for one of the same number that was opened meanwhile", function()
      loop.run(function()
        local fd = one:getfd()
        local reader = loop.spawn(loop.wait_fd, fd, "r")
        loop.sleep(0)
        other:send "x"
        assert.equal("r", reader:wait())
        one:receive(1)
        assert.is_false(loop.wait_fd(fd, "r", 0))
      end)
    end)
  end)

  describe("for an event", function()
    it("ends when it is set, or has been", function()
      loop.run(function()
        local event = Event.new()
        event:set()
        event:set()
        assert.is_true(event:wait(3600))
        assert.is_false(event:wait(0.001)) -- it counts once
        loop.spawn(function() event:set() end)
        assert.is_true(event:wait(3600))
        assert.is_false(event:wait(0))
        event:set() -- wakes nobody
        assert.equal(0, scheduler.counts().ready)
        assert.is_true(event:wait(3600))
      end)
    end)

    it("ends when a descriptor that sets it can be read", function()
      loop.run(function()
        local event = Event.new()
        event:watch(one:getfd())
        loop.spawn(function() other:send "x" end)
        assert.is_true(event:wait(3600))
        event:unwatch(one:getfd())
        event:unwatch(one:getfd())
        event:wait(0) -- set once more by the turn before, perhaps
        assert.is_false(event:wait(0.001))
      end)
    end)
  end)
end)
