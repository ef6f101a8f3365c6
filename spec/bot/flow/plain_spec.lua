local json = require "avito_messenger.json"
local plain = require "avito_messenger.bot.flow.plain"

describe("flow.plain", function()
  local function problem_of(value)
    local copy, problem = plain.copy(value)
    assert.is_nil(copy)
    return problem
  end

  local function back(value)
    return json.decode(assert(json.encode { value = value })).value
  end

  it("copies what JSON can hold, sharing nothing", function()
    local value = { name = "диван", tags = { "a", "b" }, price = 4500.5, sold = false }
    local copy = plain.copy(value)
    assert.same(value, copy)
    copy.tags[1] = "x"
    assert.equal("a", value.tags[1])
    assert.is_nil(plain.copy(nil))
    assert.is_false(plain.copy(false))
  end)

  it("copies to what comes back from JSON", function()
    for _, value in ipairs { 3.0, -0.0, 1e15, 2 ^ 53, 1e300, 0.1, -2.5, "ы\0\n", "", { 1, { 2 } }, { ["1"] = 1 }, {} } do
      local copy = plain.copy(value)
      local again = back(copy)
      assert.same(copy, again)
      assert.equal(tostring(copy), type(copy) == "table" and tostring(copy) or tostring(again))
    end
    assert.equal("0", tostring(plain.copy(-0.0)))
    assert.equal("3", tostring(plain.copy(3.0)))
    if math.type then assert.equal(math.maxinteger, back(plain.copy(math.maxinteger))) end
  end)

  it("refuses integers that LuaJIT would read as text", function()
    if math.type then return assert.equal("integer", math.type(plain.copy(2 ^ 60))) end
    assert.equal("an integer beyond 2^53, which LuaJIT cannot keep: give it as a string", problem_of(2 ^ 60))
    assert.equal("an integer beyond 2^53, which LuaJIT cannot keep: give it as a string", problem_of(-2 ^ 60))
  end)

  it("names what cannot be kept", function()
    assert.equal("a function", problem_of(print))
    assert.equal("a thread", problem_of { a = coroutine.create(print) })
    assert.equal("a userdata", problem_of { io.stdout })
    assert.equal("a number that is not a number (0/0)", problem_of { 0 / 0 })
    assert.equal("an infinite number", problem_of(-1 / 0))
    assert.equal("a string that is not UTF-8", problem_of "\255")
    assert.equal("a string that is not UTF-8", problem_of { ["\237\160\128"] = 1 })
    assert.equal("a table with both names and numbers for keys", problem_of { 1, a = 2 })
    assert.equal("a table with both names and numbers for keys, or a list with a hole", problem_of { [2] = 1, a = 2 })
    assert.equal("a list with a hole, or with other keys than 1, 2, 3…", problem_of { 1, [3] = 1 })
    assert.equal("a list with a hole, or with other keys than 1, 2, 3…", problem_of { 1, [1.5] = 1 })
    assert.equal("a table with a boolean for a key", problem_of { [true] = 1 })
    assert.equal("a table with a metatable", problem_of(setmetatable({}, {})))
  end)

  it("bounds depth and size", function()
    local cycle = {}
    cycle.again = cycle
    assert.equal("tables nested deeper than 16, or a table that holds itself", problem_of(cycle))
    local deep = {}
    local inner = deep
    for _ = 2, 16 do
      inner[1] = {}
      inner = inner[1]
    end
    assert.same(deep, plain.copy(deep))
    inner[1] = {}
    assert.equal("tables nested deeper than 16, or a table that holds itself", problem_of(deep))
    assert.equal("more than 64 KB", problem_of(("x"):rep(65536)))
    assert.equal("more than 64 KB", problem_of { [("x"):rep(65536)] = 1 })
    local numbers = {}
    for at = 1, 10000 do numbers[at] = at end
    assert.equal("more than 64 KB", problem_of(numbers))
    local doubled = {}
    for _ = 1, 15 do doubled = { doubled, doubled } end
    assert.equal("more than 64 KB", problem_of(doubled))
    assert.equal(65000, #plain.copy(("x"):rep(65000)))
  end)

  it("tells unequal values apart by their digest, whatever the order of names", function()
    local seen = {}
    for _, value in ipairs { 1, "1", true, "true", "", {}, { {} }, { 1, 22 }, { 12, 2 }, { "a", "b" }, { "ab" }, { a = "b" },
      1.5, -1 } do
      local digest = plain.digest(value)
      assert.matches("^%x%x%x%x%x%x%x%x$", digest)
      assert.is_nil(seen[digest])
      seen[digest] = true
    end
    local one, other = {}, {}
    for at = 1, 20 do one["k" .. at], other["k" .. (21 - at)] = at, 21 - at end
    assert.equal(plain.digest(one), plain.digest(other))
    assert.equal("98dbba5d", plain.digest "привет") -- the same in every process, on both Luas
  end)

  it("compares by what is held", function()
    assert.is_true(plain.equal({ a = { 1 } }, { a = { 1 } }))
    assert.is_false(plain.equal({ a = { 1 } }, { a = { 2 } }))
    assert.is_false(plain.equal({ a = 1 }, { a = 1, b = 2 }))
    assert.is_false(plain.equal({ a = 1, b = 2 }, { a = 1 }))
    assert.is_false(plain.equal({}, false))
  end)
end)
