-- Every allocation of an index is refused once.

local alloc = require "spec_support.alloc"
local text = require "avito_messenger.text"

local CONCEPTS = { ["торг"] = "торг* | ~скидка | -торгов*", ["скидка"] = "скид* -скидывай*", ["иное"] = "иное" }

local function rulebook()
  local patterns = { "~торг", 'цен* -центр* | "сколько стоит"', "доставк* ~скидка", "слово-за-слово*" }
  for i = #patterns + 1, 700 do
    patterns[i] = ("слово%d и* | -нет"):format(i)
  end
  return patterns
end

local function kilobytes()
  collectgarbage()
  collectgarbage()
  return collectgarbage "count"
end

--- Calls `act` many times while finalizers run that call `finalize`. Returns how often one did.
local function among_finalizers(finalize, act)
  local running, runs = false, 0
  local function finalizer()
    if not running then return end
    runs = runs + 1
    finalize()
  end
  local function leave_finalizer()
    if newproxy then
      getmetatable(newproxy(true)).__gc = finalizer
    else
      setmetatable({}, { __gc = finalizer })
    end
  end
  local mode = not newproxy and collectgarbage "incremental" -- busted has 5.4 collect by generations
  local pause, speed = collectgarbage("setpause", 1), collectgarbage("setstepmul", 1000)
  collectgarbage() -- the next collection begins by the pause that is set when this one ends
  for _ = 1, 20 do
    for _ = 1, 20 do leave_finalizer() end
    running = true
    act()
    running = false
  end
  collectgarbage("setpause", pause)
  collectgarbage("setstepmul", speed)
  if mode then collectgarbage(mode) end
  return runs
end

describe("an index without memory", function()
  for _, mode in ipairs { "fail_at", "fail_from" } do
    it("is not made, and raises: " .. mode, function()
      local patterns, n = rulebook(), 0
      repeat
        n = n + 1
        local ok, result, fired = alloc[mode](n, text.index, patterns, CONCEPTS)
        if fired then
          assert.is_false(ok)
          assert.equal("not enough memory", result)
        else
          assert.same({ 1, 2 }, result:match "торг, цена")
        end
      until not fired
      assert.is_true(n > 60)
    end)

    it("does not tell what is wrong, and raises: " .. mode, function()
      text.index({ "~тор" }, CONCEPTS) -- what it requires is there
      local n = 0
      repeat
        n = n + 1
        local ok, result, fired = alloc[mode](n, text.index, { "торг", "~тор" }, CONCEPTS)
        if fired then
          assert.is_false(ok)
          assert.equal("not enough memory", result)
        end
      until not fired
      assert.is_true(n > 20)
    end)
  end

  it("keeps nothing of what failed", function()
    local patterns = rulebook()
    local last = alloc.count(text.index, patterns, CONCEPTS)
    local function round()
      for n = 1, last, 5 do
        alloc.fail_from(n, text.index, patterns, CONCEPTS)
      end
    end
    round()
    local before = kilobytes()
    for _ = 1, 3 do
      round()
    end
    assert.is_true(kilobytes() - before < 16)
  end)

  it("matches without any of its own", function()
    local index, into = assert(text.index(rulebook(), CONCEPTS)), { 0, 0, 0, 0 }
    local said = ("торг, сколько стоит доставка со скидкой, слово7 и é "):rep(50)
    index:match(said, into)
    assert.same({ 1, 2, 3, 7 }, into)
    assert.equal(0, alloc.count(index.match, index, said, into))
    assert.same({ 1, 2, 3, 7 }, into)
    assert.is_true(alloc.count(index.match, index, said) <= 2)
  end)

  it("raises where the result has no room, and is as good as new", function()
    local index = assert(text.index(rulebook(), CONCEPTS))
    for _, call in ipairs {
      { index.match, index, "торг и слово7" },
      { index.why, index, "сколько стоит торг", 2 },
      { index.why, index, "в центре", 2 },
      { index.why, index, "доставка", 3 },
    } do
      local n = 0
      repeat
        n = n + 1
        local ok, result, fired = alloc.fail_from(n, call[1], call[2], call[3], call[4])
        if fired then
          assert.is_false(ok)
          assert.equal("not enough memory", result)
        end
        assert.same({ 1, 2 }, index:match "торг, цена")
      until not fired
    end
  end)

  it("is unharmed by a finalizer that matches, too", function()
    local index = assert(text.index { "торг*", "цена", "скидка" })
    local runs = among_finalizers(function() index:match "цена скидка" end, function()
      for _ = 1, 100 do -- hardly anything else asks for memory, and thus for finalizers, meanwhile
        local numbers = index:match "торг"
        if #numbers ~= 1 or numbers[1] ~= 1 then
          error "what the finalizer matched came out"
        end
      end
      for _ = 1, 10 do
        local why = index:why("торг возможен", 1)
        if not why.matched or why.words[1] ~= "торг" or why.words[2] then
          error "what the finalizer matched came out"
        end
      end
    end)
    assert.is_true(runs > 0)
  end)

  it("is unharmed by a finalizer that changes what it is made of", function()
    local patterns, concepts = {}, {}
    local runs = among_finalizers(function() patterns[1], concepts["б"] = 5, 6 end, function()
      for _ = 1, 10 do
        patterns, concepts = {}, { ["а"] = "торг", ["б"] = "скидка" }
        for i = 1, 50 do patterns[i] = "~а | ~б" end
        local ok, index = pcall(text.index, patterns, concepts)
        if ok and (#index:match "5 6" > 0 or #index:match "торг" ~= 50 or #index:match "скидка" ~= 50) then
          error "what the finalizer wrote came in"
        end
      end
    end)
    assert.is_true(runs > 0)
  end)
end)
