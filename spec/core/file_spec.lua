local core = require "avito_messenger.core"

describe("a private file", function()
  local path

  before_each(function()
    path = os.tmpname()
    os.remove(path)
  end)

  after_each(function()
    os.remove(path)
    os.remove(path .. ".target")
  end)

  it("is not locked through a link", function()
    os.execute(("ln -s %s.target %s"):format(path, path))
    local lock, message = core.lock_file(path)
    assert.is_nil(lock)
    assert.truthy(message:find(path, 1, true))
    assert.is_nil((io.open(path .. ".target")))
  end)

  it("of any length is written whole", function()
    for _, length in ipairs { 0, 1, 1000000 } do
      assert.is_true(core.write_private(path, ("x"):rep(length)))
      local file = assert(io.open(path, "rb"))
      assert.equal(length, #file:read "*a")
      file:close()
    end
  end)

  it("leaves nothing behind where it cannot take its place", function()
    os.execute("mkdir " .. path)
    local ok, message = core.write_private(path, "x")
    local found = io.popen("ls -d " .. path .. "*"):read "*a"
    os.execute("rmdir " .. path)
    assert.is_nil(ok)
    assert.truthy(message:find(path, 1, true))
    assert.equal(path .. "\n", found)
  end)

  it("may have no directory in its name", function()
    local name = "avito-guards-" .. path:match("[^/]*$")
    assert.is_true(core.write_private(name, "x"))
    assert.is_true(os.remove(name))
  end)

  it("is unlocked by the collector, and only once by hand", function()
    local lock = core.lock_file(path)
    assert.is_userdata(lock)
    assert.is_false(core.lock_file(path))
    lock = nil -- luacheck: ignore
    collectgarbage()
    collectgarbage()
    lock = core.lock_file(path)
    assert.is_userdata(lock)
    lock:unlock()
    local second = core.lock_file(path)
    lock:unlock()
    assert.is_false(core.lock_file(path))
    second:unlock()
    assert.has_error(function() lock.unlock(io.stdout) end)
  end)
end)
