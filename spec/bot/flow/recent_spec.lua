local Recent = require "avito_messenger.bot.flow.recent"

describe("flow.recent", function()
  local function filled(limit, last)
    local recent = Recent.new(limit)
    for number = 1, last do recent:put("k" .. number, number) end
    return recent
  end

  local function count(recent, last)
    local found = 0
    for number = 1, last do found = found + (recent:take("k" .. number) and 1 or 0) end
    return found
  end

  it("gives what was put, once", function()
    local recent = filled(10, 8)
    assert.same({ 8, 1 }, { recent:take "k8", recent:take "k1" })
    assert.same({}, { recent:take "k8", recent:take "k1" })
    assert.is_nil(recent:take "none")
  end)

  it("keeps at most so many, the last ones", function()
    assert.equal(10, count(filled(10, 10), 10))
    local recent = filled(10, 1000)
    assert.equal(1000, recent:take "k1000")
    assert.equal(996, recent:take "k996")
    assert.is_nil(recent:take "k990")
    assert.is_true(count(filled(10, 1000), 1000) <= 10)
  end)

  it("keeps what is used again and again", function()
    local recent = filled(10, 1)
    for number = 2, 1000 do
      recent:put("k" .. number, number)
      recent:put("k1", recent:take "k1")
    end
    assert.equal(1, recent:take "k1")
  end)

  it("counts what was taken out", function()
    local recent = filled(10, 5)
    for _ = 1, 100 do recent:put("k5", recent:take "k5") end
    assert.equal(5, count(recent, 5))
  end)
end)
