local alloc = require "spec_support.alloc"
local httpd = require "avito_messenger.httpd"
local transfers = require "support.transfers"

-- Under the sanitizer a block that nobody owns when Lua runs out of memory is a leak.
describe("httpd without memory", function()
  local server

  after_each(function()
    if server then server:close() end
    server = nil
  end)

  local function answer_all()
    for _, request in ipairs(server:accept()) do
      request:respond(200, { ["X-A"] = { "1", "2" }, ["X-B"] = "3" }, "ok")
    end
  end

  -- One request to a server that fails at its n-th allocation; how it ended, and whether there were so many.
  local function try(n)
    local multi = transfers.new()
    multi:add { method = "POST", url = ("http://127.0.0.1:%d/"):format(server:port()), headers = { "A: 1", "B: 2" },
      body = "abc", timeout = 10, connect_timeout = 5, max_bytes = 1000, max_head_bytes = 10000, purpose = "call" }
    local finished, reached
    repeat
      if reached then
        answer_all()
      else
        local ok, problem, there = alloc.fail_at(n, answer_all)
        reached = there
        if not ok then assert.is_truthy(tostring(problem):find("memory", 1, true)) end
      end
      collectgarbage()
      finished = multi:step(0.01)[1]
    until finished
    multi:close()
    return finished.response, reached
  end

  it("answers the request or drops it, and serves on", function()
    server = assert(httpd.listen {})
    local n, dropped = 0, 0
    repeat
      n = n + 1
      local response, reached = try(n)
      if response.error then dropped = dropped + 1 else assert.equal(200, response.status) end
    until not reached or n > 300
    assert.is_true(n <= 300)
    assert.is_true(dropped > 0)
    assert.equal(200, try(1e9).status)
  end)

  it("opens and closes, or does neither", function()
    local function open_and_close()
      local one = assert(httpd.listen {})
      one:close()
    end
    local n, reached = 0, true
    while reached do
      n = n + 1
      local _
      _, _, reached = alloc.fail_at(n, open_and_close)
      collectgarbage()
    end
    assert.is_true(n > 1)
  end)
end)
