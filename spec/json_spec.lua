local json = require "avito_messenger.json"

describe("json", function()
  it("writes numbers with all their digits", function()
    assert.equal("[9007199254740991]", json.encode { 9007199254740991 })
    assert.equal("[1000000000000000]", json.encode { 1e15 })
    assert.equal("[0.1]", json.encode { 0.1 })
    assert.equal("[0.30000000000000004]", json.encode { 0.1 + 0.2 })
    assert.equal("[94235311]", json.encode { 94235311 })
    if math.type then assert.equal("[9223372036854775807]", json.encode { math.maxinteger }) end
  end)

  it("writes an empty list where asked, an empty object otherwise", function()
    assert.equal('{"a":[]}', json.encode { a = json.list {} })
    assert.equal('{"a":[1]}', json.encode { a = json.list { 1 } })
    assert.equal('{"a":{}}', json.encode { a = {} })
  end)

  it("writes null and leaves slashes alone", function()
    assert.equal('["\\\\/",null]', json.encode { "\\/", json.null() })
  end)

  it("says why a value cannot be written", function()
    for _, value in ipairs { { 0 / 0 }, { 1 / 0 }, { print } } do
      local text, message = json.encode(value)
      assert.is_nil(text)
      assert.is_string(message)
    end
    local cycle = {}
    cycle[1] = cycle
    assert.is_nil((json.encode(cycle)))
  end)

  it("reads what it writes", function()
    local value = { a = { 1, 2.5, "x\n\"ы", true }, b = { c = "d" } }
    assert.same(value, json.decode(json.encode(value)))
  end)
end)
