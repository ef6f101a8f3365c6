local core = require "avito_messenger.core"

describe("secret", function()
  local hmac = core.hmac_sha256

  -- RFC 4231; the fifth is cut short there.
  local VECTORS = {
    { ("\11"):rep(20), "Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7" },
    { "Jefe", "what do ya want for nothing?", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843" },
    { ("\170"):rep(20), ("\221"):rep(50), "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe" },
    { "\1\2\3\4\5\6\7\8\9\10\11\12\13\14\15\16\17\18\19\20\21\22\23\24\25", ("\205"):rep(50),
      "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b" },
    { ("\170"):rep(131), "Test Using Larger Than Block-Size Key - Hash Key First",
      "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54" },
    { ("\170"):rep(131), "This is a test using a larger than block-size key and a larger than block-size data. " ..
      "The key needs to be hashed before being used by the HMAC algorithm.",
      "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2" },
  }

  it("gives the HMACs of RFC 4231", function()
    for _, vector in ipairs(VECTORS) do assert.equal(vector[3], hmac(vector[1], vector[2])) end
  end)

  it("takes keys and texts that are empty or hold NUL", function()
    assert.equal("b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad", hmac("", ""))
    assert.not_equal(hmac("a", "b"), hmac("a", "b\0"))
    assert.equal(hmac("a", "b"), hmac("a\0", "b")) -- a key is filled up with zeros
  end)

  it("pads every length", function()
    -- Against Python's hmac, of all lengths at once.
    local texts, keys = {}, {}
    for length = 0, 200 do texts[#texts + 1] = hmac("k", ("x"):rep(length)) end
    for length = 0, 130 do keys[#keys + 1] = hmac(("x"):rep(length), "t") end
    assert.equal("dc7f33d5f6d808c15250b5ea2b4230bb708705e0ce870d8970a22d70846759c0", hmac("k", table.concat(texts)))
    assert.equal("2866bf1d7e1d8b255c7d078954cdda57369d78d4776e1d612837758188cdedab", hmac("k", table.concat(keys)))
  end)

  it("finds texts equal only when they are", function()
    assert.is_true(core.equal("", ""))
    assert.is_true(core.equal("a\0b", "a\0b"))
    for _, pair in ipairs { { "a", "" }, { "", "a" }, { "a", "b" }, { "ab", "a" }, { "a", "ab" }, { "a\0b", "a\0c" },
      { "\128", "\0" }, { "xa", "ya" }, { "ax", "ay" }, { "secret\0", "secret" } } do
      assert.is_false(core.equal(pair[1], pair[2]))
    end
  end)

  it("refuses what is no text", function()
    for _, name in ipairs { "equal", "hmac_sha256" } do
      assert.has_error(function() core[name]() end)
      assert.has_error(function() core[name]("a") end)
      assert.has_error(function() core[name]({}, "a") end)
      assert.has_error(function() core[name]("a", true) end)
    end
  end)
end)
