local Timers = require "avito_messenger.io.loop.timers"

describe("the loop's timers", function()
  local function by_time(a, b) return a.at < b.at end

  it("give the earliest first, whatever was added and taken out", function()
    math.randomseed(7)
    for _ = 1, 20 do
      local timers, list = Timers.new(), {}
      for _ = 1, 400 do
        if #list > 0 and math.random() < 0.4 then
          timers:remove(table.remove(list, math.random(#list)))
        else
          local entry = {}
          timers:add(entry, math.random(50))
          list[#list + 1] = entry
        end
        table.sort(list, by_time)
        assert.equal(#list, timers.count)
        assert.equal(list[1] and list[1].at, timers:first() and timers:first().at)
      end
      for _, expected in ipairs(list) do
        local first = timers:first()
        assert.equal(expected.at, first.at)
        timers:remove(first)
      end
      assert.is_nil(timers:first())
      assert.equal(0, timers.count)
    end
  end)

  it("do nothing about an entry that is not in there, and take one again", function()
    local timers = Timers.new()
    local one, other = {}, {}
    timers:add(one, 2)
    timers:add(other, 1)
    timers:remove {}
    timers:remove(other)
    timers:remove(other)
    assert.same({ 1, one }, { timers.count, timers:first() })
    timers:add(other, 3)
    timers:remove(one)
    assert.equal(other, timers:first())
  end)
end)
