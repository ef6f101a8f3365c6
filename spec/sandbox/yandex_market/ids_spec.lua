local ids = require "avito_messenger.sandbox.yandex_market.ids"
local json = require "avito_messenger.json"

describe("ids of Yandex Market in the sandbox", function()
  it("are positive integers of 64 bits, as their digits", function()
    for _, good in ipairs { { 1, "1" }, { 2 ^ 53, "9007199254740992" }, { "7", "7" },
      { "9223372036854775807", "9223372036854775807" } } do
      assert.equal(good[2], ids.text(good[1]))
    end
    for _, bad in ipairs { 0, -1, 1.5, 2 ^ 60, 1 / 0, "", "0", "01", "1.0", "x", "9223372036854775808",
      "10000000000000000000", {} } do
      assert.is_nil(ids.text(bad))
    end
    assert.is_nil(ids.text(nil))
  end)

  it("have the order of their numbers", function()
    assert.is_true(ids.less("9", "10"))
    assert.is_false(ids.less("10", "9"))
    assert.is_true(ids.less("9223372036854775806", "9223372036854775807"))
    assert.is_false(ids.less("5", "5"))
  end)

  it("are written with all their digits", function()
    assert.equal('{"id":9223372036854775807}', json.encode { id = ids.shown "9223372036854775807" })
    assert.equal('{"id":41}', json.encode { id = ids.shown "41" })
    assert.equal('{"id":9007199254740993}', json.encode { id = ids.shown "9007199254740993" })
  end)
end)
