local files = require "support.files"
local ports = require "support.ports"
local sandbox = require "support.sandbox"

-- Its parts are looked at on every build elsewhere; most of this is waiting.
if os.getenv "AVITO_SANITIZED" then return end

describe("examples/two_marketplaces.lua", function()
  -- tools/demo examples/two_marketplaces.lua | grep ': ' >spec/examples/two_marketplaces.txt, where the example has changed
  local expected = assert(files.read "spec/examples/two_marketplaces.txt")
  local running, directory

  before_each(function()
    running = sandbox.start()
    directory = files.temporary()
    assert(os.execute(("mkdir '%s'"):format(directory)))
  end)
  after_each(function()
    running:stop()
    os.execute("rm -r '" .. directory .. "'")
  end)

  local function told(more)
    local env = { LD_PRELOAD = os.getenv("LD_PRELOAD") or false, AVITO_BASE_URL = running.base_url, MARKET_BASE_URL = false,
      AVITO_STORE = directory .. "/shop.db", WEBHOOK_PORT = false, WEBHOOK_URL = false }
    for name, value in pairs(more) do env[name] = value end
    local child = sandbox.spawn({ "examples/two_marketplaces.lua" }, { stdout = "pipe", stderr = "pipe", env = env })
    local text = child:read_all(60)
    assert.same({ "exit", 0 }, { child:wait(10) }, text)
    child:close()
    return text
  end

  if _VERSION ~= "Lua 5.1" then -- it waits for seconds, which is the same on both
    it("answers on both by polls, and tells what it answers", function()
      assert.equal(expected, told {})
    end)
  end

  it("answers the same by webhooks and notifications", function()
    local port = ("%d"):format(ports.free(directory))
    assert.equal(expected, told { WEBHOOK_PORT = port, AVITO_WEBHOOK_SECRET = "dummy-path-secret-1",
      MARKET_WEBHOOK_SECRET = "dummy-path-secret-2" })
    local states = {}
    for _, delivery in ipairs(running:control("GET", "deliveries").deliveries) do
      states[delivery.state] = (states[delivery.state] or 0) + 1
    end
    assert.is_nil(states.failed)
    assert.is_true(states.delivered > 10)
  end)
end)
