local coroutines = require "avito_messenger.coroutines"

describe("the interpreter's own coroutines", function()
  it("give and take values, and keep what is raised", function()
    local co = coroutines.create(function(a)
      local b = coroutines.yield(a + 1)
      error("raised with " .. b, 0)
    end)
    assert.same({ true, 2 }, { coroutines.resume(co, 1) })
    assert.equal("suspended", coroutines.status(co))
    assert.same({ false, "raised with 5" }, { coroutines.resume(co, 5) })
    assert.equal("dead", coroutines.status(co))
  end)

  it("tell whether one is inside of them, also of one in another, and after one that failed", function()
    local seen = {}
    local function note() seen[#seen + 1] = coroutines.inside() end
    note()
    local outer = coroutines.create(function()
      note()
      coroutines.resume(coroutines.create(function() error "as the spec says" end))
      note()
      coroutines.yield()
    end)
    coroutines.resume(outer)
    note()
    assert.same({ false, true, true, false }, seen)
  end)

  it("tell whether one may yield", function()
    local seen
    coroutines.resume(coroutines.create(function()
      seen = { coroutines.isyieldable() }
      table.sort({ 1, 2 }, function(a, b)
        seen[2] = coroutines.isyieldable()
        return a < b
      end)
    end))
    assert.same({ true, false }, seen)
    assert.same(seen, { true, require("avito_messenger.core").isyieldable() })
  end)
end)
