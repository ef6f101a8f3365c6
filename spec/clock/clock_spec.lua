local clock = require "avito_messenger.clock"
local process = require "spec_support.process"
local raw_server = require "support.raw_server"

describe("the clocks", function()
  it("tell seconds, and never go back", function()
    local before = clock.now()
    assert.is_true(clock.now() >= before)
    assert.is_true(math.abs(clock.time() - os.time()) <= 2)
  end)

  it("sleep at least as long as asked, when no signal comes", function()
    local before = clock.now()
    clock.sleep(0.01)
    assert.is_true(clock.now() - before >= 0.01)
    clock.sleep(0)
    clock.sleep(-1)
    clock.sleep(0 / 0)
    assert.error_matches(function() clock.sleep "soon" end, "number expected")
  end)

  it("let Ctrl-C end a long sleep of a driver", function()
    local child = process.spawn({ raw_server.lua(), "-e", [[
      local driver = require "avito_messenger.io.blocking".new()
      io.stdout:write("ready\n")
      io.stdout:flush()
      driver:sleep(60)
    ]] }, { stdout = "pipe", stderr = "pipe" })
    assert.equal("ready", child:read_line())
    child:kill "INT"
    assert.matches("interrupted!", (child:read_all()))
    assert.same({ "exit", 1 }, { child:wait() })
  end)
end)
