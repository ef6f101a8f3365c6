local curl = require "avito_messenger.curl"
local process = require "spec_support.process"
local raw_server = require "support.raw_server"

describe("the clocks", function()
  it("tell seconds, and never go back", function()
    local before = curl.now()
    assert.is_true(curl.now() >= before)
    assert.is_true(math.abs(curl.time() - os.time()) <= 2)
  end)

  it("sleep at least as long as asked, when no signal comes", function()
    local before = curl.now()
    curl.sleep(0.01)
    assert.is_true(curl.now() - before >= 0.01)
    curl.sleep(0)
    curl.sleep(-1)
    curl.sleep(0 / 0)
    assert.error_matches(function() curl.sleep "soon" end, "number expected")
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
