local curl = require "avito_messenger.curl"
local process = require "spec_support.process"
local raw_server = require "support.raw_server"

describe("curl.signals", function()
  local pid = tostring(io.open("/proc/self/stat"):read("*n"))

  local function kill(name, whom) process.spawn({ "kill", "-" .. name, whom or pid }):wait() end

  it("come as a descriptor, and stop nothing", function()
    local watch = curl.signals { "USR1", "TERM" }
    assert.is_nil(watch:caught())
    kill "TERM"
    kill "USR1"
    assert.equal("TERM", watch:caught())
    assert.equal("USR1", watch:caught())
    assert.is_nil(watch:caught())
    assert.is_number(watch:fd())
    watch:close()
    watch:close()
    assert.is_nil(watch:caught())
    assert.error_matches(function() watch:fd() end, "the signal watch is closed")
  end)

  it("end a wait", function()
    local watch = curl.signals { "HUP" }
    local multi = curl.multi()
    multi:watch(watch:fd(), "r")
    kill "HUP"
    local ready = {}
    local _, count = multi:step(60, {}, ready)
    assert.same({ 1, watch:fd(), "r" }, { count, ready[1], ready[2] })
    multi:close()
    watch:close()
  end)

  it("do again what they did before, once nobody watches", function()
    for _, ending in ipairs { "watch:close()", "watch = nil; collectgarbage()" } do
      local child = process.spawn({ raw_server.lua(), "-e", ([[
        local watch = require("avito_messenger.curl").signals { "TERM" }
        %s
        print("ready")
        io.stdout:flush()
        require("avito_messenger.clock").sleep(60)
      ]]):format(ending) }, { stdout = "pipe" })
      assert.equal("ready", child:read_line())
      child:kill "TERM"
      assert.equal("signal", (child:wait()))
      child:close()
    end
  end)

  it("are watched once, and known by name", function()
    local watch = curl.signals { "USR2", "USR1" }
    assert.error_matches(function() curl.signals { "INT", "USR1" } end, "the signal USR1 is watched already")
    curl.signals { "INT" }:close() -- the refused watch took none
    watch:close()
    assert.error_matches(function() curl.signals { "KILL" } end, "unknown signal 'KILL' %(known: INT, TERM")
    assert.error_matches(function() curl.signals { 15 } end, "unknown signal")
    assert.error_matches(function() curl.signals() end, "table expected")
  end)

  it("are a forked child's own, whatever its parent watches", function()
    local watch = curl.signals { "USR1", "USR2" }
    local how, status, output = process.fork(function()
      local child = tostring(io.open("/proc/self/stat"):read("*n"))
      local own = curl.signals { "USR1" }
      watch:close() -- the parent's
      kill("USR1", child)
      local caught = own:caught()
      own:close()
      return caught
    end)
    assert.same({ "exit", 0, "USR1" }, { how, status, output })
    how = process.fork(function()
      local child = tostring(io.open("/proc/self/stat"):read("*n"))
      curl.signals { "TERM" }
      kill("USR2", child)
    end)
    assert.equal("signal", how)
    assert.is_nil(watch:caught())
    kill "USR1"
    assert.equal("USR1", watch:caught())
    watch:close()
  end)

  it("are not blocked for programs started meanwhile", function()
    local watch = curl.signals { "TERM" }
    local child = process.spawn({ "sleep", "60" })
    child:kill "TERM"
    assert.equal("signal", (child:wait()))
    watch:close()
  end)
end)
