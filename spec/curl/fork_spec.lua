local curl = require "avito_messenger.curl"
local process = require "spec_support.process"
local certificates = require "support.certificates"
local raw_server = require "support.raw_server"

-- TLS, because a child that closes its copy of a plain socket cannot be noticed.
describe("a forked child", function()
  local made, server, options

  setup(function()
    made = certificates.make()
    server = raw_server.start { certificate = made.path "good.pem", key = made.path "good.key" }
    options = { ca_file = made.path "ca.pem" }
  end)
  teardown(function()
    server:stop()
    made.remove()
  end)

  local function one_connection(seen)
    local first = seen[1]:match "^%d+"
    for _, line in ipairs(seen) do
      if line:match "^%d+" ~= first then return false end
    end
    return true
  end

  it("may not use its parent's handle, but its own", function()
    local handle = curl.easy(options)
    handle:perform(server:request "/ok")
    local how, status, output = process.fork(function()
      local _, message = pcall(handle.perform, handle, server:request "/ok")
      return message .. "; " .. curl.easy(options):perform(server:request "/ok").body
    end)
    assert.same({ "exit", 0 }, { how, status })
    assert.matches("belongs to the parent process: make a new one after fork; ok$", output)
    handle:close()
  end)

  it("does not disturb its parent's connection by closing or collecting the handle", function()
    local handle = curl.easy(options)
    server:requests()
    handle:perform(server:request "/ok")
    local how, status = process.fork(function()
      handle:close()
    end)
    assert.same({ "exit", 0 }, { how, status })
    assert.equal("ok", handle:perform(server:request "/ok").body)
    how, status = process.fork(function()
      handle = nil
      collectgarbage()
      collectgarbage()
    end)
    assert.same({ "exit", 0 }, { how, status })
    assert.equal("ok", handle:perform(server:request "/ok").body)
    local seen = server:requests()
    assert.equal(3, #seen)
    assert.is_true(one_connection(seen))
    handle:close()
  end)

  it("does not disturb its parent's multi either", function()
    local multi = curl.multi()
    local transport = multi:transport(options)
    local function run()
      local finished = {}
      multi:add(server:request "/ok", transport)
      repeat until multi:step(10, finished, {}) == 1
      return finished[2].body
    end
    server:requests()
    assert.equal("ok", run())
    local how, status, output = process.fork(function()
      local _, message = pcall(multi.step, multi, 0, {}, {})
      multi:close()
      return message
    end)
    assert.same({ "exit", 0 }, { how, status })
    assert.matches("belongs to the parent process", output)
    assert.equal("ok", run())
    assert.is_true(one_connection(server:requests()))
    multi:close()
  end)
end)
