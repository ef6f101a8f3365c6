local curl = require "avito_messenger.curl"
local loop = require "avito_messenger.io.loop"
local sandbox = require "support.sandbox"
local scheduler = require "avito_messenger.io.loop.scheduler"

describe("loop.on_signal", function()
  local function start(script)
    local child = sandbox.spawn({ "-e", [[
      local loop = require "avito_messenger.io.loop"
      local function say(...) io.stdout:write(...) io.stdout:write("\n") io.stdout:flush() end
    ]] .. script }, { stdout = "pipe" })
    assert.equal("ready", child:read_line())
    return child
  end

  it("calls the function in a task of its own, for each of several signals", function()
    local child = start [[
      local Event = require "avito_messenger.io.loop.event"
      local event, left = Event.new(), 2
      for _, name in ipairs { "INT", "TERM" } do
        loop.on_signal(name, function(got)
          loop.sleep(0)
          say("got ", got)
          left = left - 1
          event:set()
        end)
      end
      loop.run(function()
        say "ready"
        while left > 0 do event:wait(60) end
      end)
      say "end"
    ]]
    for _, name in ipairs { "INT", "TERM" } do
      child:kill(name)
      assert.equal("got " .. name, child:read_line())
    end
    assert.equal("end", child:read_line())
    assert.same({ "exit", 0 }, { child:wait() })
    child:close()
  end)

  it("takes Ctrl-C, so that a program may end in order", function()
    local child = start [[
      loop.run(function()
        local worker = loop.spawn(function() local _, err = pcall(loop.sleep, 60) say(err.kind) end)
        loop.on_signal("INT", function() worker:cancel() end)
        loop.sleep(0)
        say "ready"
      end)
    ]]
    child:kill "INT"
    assert.equal("cancelled", child:read_line())
    assert.same({ "exit", 0 }, { child:wait() })
    child:close()
  end)

  it("leaves a signal to do what it always does outside of the loop, and once the function is taken away", function()
    for _, script in ipairs {
      [[loop.on_signal("TERM", print) loop.run(loop.sleep, 0) say "ready" require("avito_messenger.clock").sleep(60)]],
      [[loop.run(function()
        loop.on_signal("TERM", print)
        loop.sleep(0)
        loop.on_signal("TERM", nil)
        say "ready"
        loop.sleep(60)
      end)]],
    } do
      local child = start(script)
      child:kill "TERM"
      assert.equal("signal", (child:wait()))
      child:close()
    end
  end)

  it("comes again in every run, and gives its descriptors back after it", function()
    local nothing = scheduler.counts()
    loop.on_signal("USR1", print)
    for _ = 1, 2 do
      loop.run(function()
        loop.sleep(0)
        assert.error_matches(function() curl.signals { "USR1" } end, "watched already")
      end)
      assert.same(nothing, scheduler.counts())
      curl.signals({ "USR1" }):close()
    end
    loop.on_signal("USR1", nil)
  end)

  it("calls the function that was set last", function()
    local child = start [[
      loop.run(function()
        local done = require("avito_messenger.io.loop.event").new()
        loop.on_signal("TERM", function() say "first" done:set() end)
        loop.on_signal("TERM", function() say "second" done:set() end)
        say "ready"
        done:wait(60)
      end)
    ]]
    child:kill "TERM"
    assert.equal("second", child:read_line())
    assert.same({ "exit", 0 }, { child:wait() })
    child:close()
  end)

  it("names what is wrong", function()
    assert.error_matches(function() loop.on_signal("KILL", print) end, "loop.on_signal: .*KILL")
    assert.error_matches(function() loop.on_signal("TERM", 1) end, "loop.on_signal: function expected, got number")
    local watch = curl.signals { "HUP" }
    loop.on_signal("HUP", print)
    assert.error_matches(function() loop.run(function() end) end, "the signal HUP is watched already")
    watch:close()
    loop.on_signal("HUP", nil)
    assert.equal(1, loop.run(function() return 1 end))
  end)
end)
