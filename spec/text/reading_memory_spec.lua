-- What reads a text, without memory. Stands apart from the other specs of it, for `make test` runs such specs in a process of
-- their own: a finalizer of somebody else's that meets a refused allocation is lost, and what it would have freed with it.

local alloc = require "spec_support.alloc"
local text = require "avito_messenger.text"

describe("words without memory", function()
  it("raise, and only then", function()
    local written = ("Сколько стоит доставка? é "):rep(60)
    local n = 0
    repeat
      n = n + 1
      local ok, result, fired = alloc.fail_from(n, text.words, written)
      assert.equal(not fired, ok)
      if fired then assert.equal("not enough memory", result) end
    until not fired
    assert.is_true(n > 8)
  end)
end)

describe("fold without memory", function()
  it("raises, and only then", function()
    for _, written in ipairs { "Цена?", ("Цена é "):rep(1000) } do
      local n = 0
      repeat
        n = n + 1
        local ok, result, fired = alloc.fail_from(n, text.fold, written)
        assert.equal(not fired, ok)
        if fired then assert.equal("not enough memory", result) end
      until not fired
      assert.is_true(n > 1 or #written < 100)
    end
  end)
end)

describe("text without memory", function()
  local sample = "5 000 и 7, пять тысяч; +7 900 000-00-01, 8 900 000-00-02; example.com/a, @seller_name"
  local place = 0 -- a new message each time, as strings are kept
  local calls = {
    numbers = function() return text.numbers(sample) end,
    phones = function() return text.phones(sample) end,
    links = function() return text.links(sample) end,
    split = function() return text.split(sample, 20) end,
    length = function()
      place = place + 1
      local _, message = text.length(("a"):rep(place) .. "\255")
      return message:match "^the text is not UTF%-8"
    end,
  }

  for name, call in pairs(calls) do
    it("raises in " .. name .. " and finds the same afterwards", function()
      collectgarbage()
      collectgarbage "stop"
      local expected = call()
      for _, mode in ipairs { "fail_at", "fail_from" } do
        local allocations = 0
        repeat
          allocations = allocations + 1
          local ok, result, fired = alloc[mode](allocations, call)
          if fired and not ok then
            assert.equal("not enough memory", result)
          else
            assert.is_true(ok)
            assert.same(expected, result)
          end
        until not fired
        assert.is_true(allocations > 1)
      end
      collectgarbage "restart"
    end)
  end
end)
