local readable = require "avito_messenger.readable"

local BAD = "\239\191\189"

describe("readable text", function()
  describe("is UTF-8, with U+FFFD for each byte that is not:", function()
    local rows = {
      { "", "" }, { "plain", "plain" }, { "торг \240\159\152\128 €", "торг \240\159\152\128 €" },
      { "\128", BAD }, { "a\255b", "a" .. BAD .. "b" }, { "\208", BAD }, { "т\209", "т" .. BAD },
      { "\192\175", BAD:rep(2) }, { "\193\191", BAD:rep(2) }, { "\224\159\191", BAD:rep(3) }, -- too long
      { "\237\160\128", BAD:rep(3) }, { "\237\159\191", "\237\159\191" }, -- a surrogate, and what stands before them
      { "\240\143\191\191", BAD:rep(4) }, { "\244\144\128\128", BAD:rep(4) }, { "\244\143\191\191", "\244\143\191\191" },
      { "\245\128\128\128", BAD:rep(4) }, { "\226\130x", BAD:rep(2) .. "x" }, { "\0\208\159", "\0П" },
    }
    for _, row in ipairs(rows) do
      it(("%q"):format(row[1]), function() assert.equal(row[2], readable.utf8(row[1])) end)
    end
  end)

  it("is cut between characters", function()
    assert.equal("торг", readable.cut("торг", 8))
    assert.equal("то…", readable.cut("торги", 8)) -- 5 bytes are left, of which the third letter would need a sixth
    assert.equal("тор…", readable.cut("торги", 9))
    assert.equal("ab…", readable.cut("abcdef", 5))
    assert.equal("…", readable.cut("торг", 3))
    for bytes = 3, 40 do
      local cut = readable.cut(("\240\159\152\128"):rep(20), bytes)
      assert.is_true(#cut <= bytes)
      assert.equal(cut, readable.utf8(cut))
    end
  end)
end)
