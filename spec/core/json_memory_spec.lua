-- Every allocation of a decode is made to fail once.

local alloc = require "spec_support.alloc"
local core = require "avito_messenger.core"

-- Grows the block of tokens, fills the memory of names, unescapes, nests.
local function document()
  local parts = {}
  for i = 1, 150 do
    parts[i] = ('{"id":%d,"name%d":"a \\"quoted\\" value \\u0416 %d","list":[1,2.5,null,[]],"none":null,'
      .. '"url":"https://www.avito.st/stub_avatars/_/14_256x256.png"}'):format(i, i % 20, i)
  end
  return "[" .. table.concat(parts, ",") .. "," .. ("[0,"):rep(30) .. "0" .. ("]"):rep(30) .. "]"
end

-- The module anew, so that each try begins with an empty decoder.
local function fresh_module()
  local path = assert(package.searchpath("avito_messenger.core", package.cpath))
  return assert(package.loadlib(path, "luaopen_avito_messenger_core"))()
end

local function kilobytes()
  collectgarbage()
  collectgarbage()
  return collectgarbage("count")
end

describe("decode without memory", function()
  before_each(function()
    collectgarbage("stop")
  end)

  after_each(function()
    collectgarbage("restart")
  end)

  for _, mode in ipairs { "fail_at", "fail_from" } do
    it("raises and is as good as new afterwards: " .. mode, function()
      local text = document()
      local expected = core.decode(text)
      local decode = fresh_module().decode
      local allocations = 0
      repeat
        allocations = allocations + 1
        -- Every other time the decoder has its memory already, or a fresh one has to ask for it.
        if allocations % 2 == 0 then
          decode = fresh_module().decode
        end
        local ok, result, fired = alloc[mode](allocations, decode, text)
        if fired then
          assert.is_false(ok)
          assert.equal("not enough memory", result)
        else
          assert.is_true(ok)
          assert.same(expected, result)
        end
        if allocations % 16 == 0 then
          assert.same(expected, decode(text))
          collectgarbage()
        end
      until not fired
      assert.is_true(allocations > 300)
    end)
  end

  it("keeps nothing of what failed", function()
    local text = document()
    local decode = fresh_module().decode
    local last = alloc.count(decode, text)
    local function round()
      for n = 1, last, 7 do
        alloc.fail_from(n, decode, text)
      end
    end
    round()
    local before = kilobytes()
    for _ = 1, 5 do
      round()
    end
    assert.is_true(kilobytes() - before < 16)
  end)

  it("asks for no memory of its own once it is warm", function()
    local decode = fresh_module().decode
    local text = '{"a":{"b":1},"c":"\\n"}'
    decode(text)
    decode(text)
    decode(text)
    -- Two tables, each with a hash part.
    assert.equal(4, alloc.count(decode, text))
  end)

  it("gives memory back after an unusually large text", function()
    local decode = fresh_module().decode
    local text = "[" .. ("[],"):rep(1e6) .. "[]]"
    decode("[]")
    local before = kilobytes()
    decode(text)
    assert.is_true(kilobytes() - before < 64)
    assert.same({ 1 }, decode("[1]"))
    assert.is_true(#text > 3e6) -- alive until here
  end)

  it("remembers a bounded number of names", function()
    local decode = fresh_module().decode
    local names = {}
    for i = 1, 20000 do
      names[i] = ('"name number %d of them":1'):format(i)
    end
    local text = "[{" .. table.concat(names, ",") .. "},{" .. table.concat(names, ",") .. "}]"
    names = nil
    decode("[]")
    local before = kilobytes()
    for _ = 1, 5 do
      decode(text)
    end
    assert.is_nil(names)
    -- 512 strings of at most 128 bytes, and a kept block of at most 1 MB
    assert.is_true(kilobytes() - before < 1024 + 100)
  end)

  it("leaves the error of bad JSON to the caller even when memory is short", function()
    local ok, value = alloc.fail_from(1e9, core.decode, "[1")
    assert.is_true(ok)
    assert.is_nil(value)
  end)
end)

describe("pick without memory", function()
  local TEXT = '{"a":"\\u0416","b":{"c":"' .. ("x"):rep(50) .. '","d":[' .. ("1,"):rep(200) .. '1]}}'

  for _, mode in ipairs { "fail_at", "fail_from" } do
    it("raises and is as good as new afterwards: " .. mode, function()
      local allocations = 0
      local fired
      local function make_and_pick()
        return { fresh_module().picker { "a", "b", "b.c" } (TEXT) }
      end
      local pick = fresh_module().picker { "a", "b", "b.c" }
      repeat
        allocations = allocations + 1
        local ok, result
        ok, result, fired = alloc[mode](allocations, make_and_pick)
        if fired then
          assert.is_false(ok)
          assert.equal("not enough memory", result)
        else
          assert.same({ true, "Ж", {}, ("x"):rep(50) }, result)
        end
        alloc[mode](allocations, pick, TEXT)
        assert.same({ true, "Ж", {}, ("x"):rep(50) }, { pick(TEXT) })
      until not fired
      assert.is_true(allocations > 5)
    end)
  end
end)

describe("decode within a decode", function()
  -- A finalizer runs in the middle of a decode whenever the collector likes.
  local function with_finalizer(finalizer)
    if newproxy then
      local proxy = newproxy(true)
      getmetatable(proxy).__gc = finalizer
      return
    end
    setmetatable({}, { __gc = finalizer })
  end

  it("does not disturb the outer one", function()
    local parts = {}
    for i = 1, 3000 do
      parts[i] = ('{"id":%d,"text":"\\u0416 %d"}'):format(i, i)
    end
    local text = "[" .. table.concat(parts, ",") .. "]"
    local inner = "[" .. ("true,"):rep(19999) .. "true]" -- more tokens than the outer text has
    local decoding, runs = false, 0
    local function finalizer()
      if decoding then
        runs = runs + 1
        assert(#core.decode(inner) == 20000)
      end
    end
    collectgarbage()
    local pause = collectgarbage("setpause", 1)
    local speed = collectgarbage("setstepmul", 1000)
    for _ = 1, 200 do
      for _ = 1, 20 do
        with_finalizer(finalizer)
      end
      decoding = true
      local list = core.decode(text)
      decoding = false
      for i = 1, 3000 do
        if list[i].id ~= i or list[i].text ~= "Ж " .. i then
          error("element " .. i .. " is wrong")
        end
      end
      if runs > 50 then
        break
      end
    end
    collectgarbage("setpause", pause)
    collectgarbage("setstepmul", speed)
    collectgarbage()
    assert.is_true(runs > 0)
  end)
end)
