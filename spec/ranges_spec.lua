local ranges = require "avito_messenger.ranges"

describe("ranges of addresses", function()
  local own = assert(ranges.new { "5.45.207.0/25", "10.0.0.7", "192.168.0.0/16" })

  it("hold what is in one of them", function()
    for _, address in ipairs { "5.45.207.0", "5.45.207.127", "10.0.0.7", "192.168.255.255", "::ffff:5.45.207.1" } do
      assert.is_true(own:hold(address), address)
    end
    assert.is_true(ranges.new({ "0.0.0.0/0" }):hold "255.255.255.255")
  end)

  it("hold nothing else", function()
    for _, address in ipairs { "5.45.207.128", "5.45.206.255", "10.0.0.6", "10.0.0.8", "193.168.0.0", "::1", "2a02:6b8::1",
      "::fffe:5.45.207.1", "unix:", "", "5.45.207", "5.45.207.1.1", "5.45.207.0x1", "5.45.207.1 ",
      "5.45.207.256", "5.301.207.1" } do
      assert.is_false(own:hold(address), address)
    end
    assert.is_false(own:hold(nil))
    assert.is_false(own:hold(5))
  end)

  it("are refused where they are none", function()
    for _, text in ipairs { "", "5.45.207.0/33", "5.45.207.1/25", "5.45.207.0/", "5.45.207/25", "2a02:6b8::/32", "256.0.0.0/8",
      "example.com" } do
      local list, problem = ranges.new { "10.0.0.0/8", text }
      assert.is_nil(list, text)
      assert.equal(text .. " is no range: a.b.c.d/bits, with nothing set behind the bits", problem)
    end
    assert.is_nil((ranges.new { 5 }))
  end)
end)
