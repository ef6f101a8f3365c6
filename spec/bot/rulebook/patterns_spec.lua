local Patterns = require "avito_messenger.bot.rulebook.patterns"

describe("the patterns of a rulebook", function()
  it("may each be right and be too many together", function()
    local patterns, told = Patterns.new "hears", {}
    local function at(field, message) told[#told + 1] = field .. ": " .. message end
    for _ = 1, 100001 do patterns:add("да", at, "hears") end
    patterns:compile {}
    assert.equal(1, #told)
    assert.equal("hears: at most 100000 patterns expected", told[1])
  end)

  it("have concepts that are each right and too many together", function()
    local concepts, told = {}, {}
    for i = 1, 1001 do concepts["c" .. i] = "да" end
    Patterns.concepts(concepts, concepts, function(field, message) told[#told + 1] = field .. ": " .. message end)
    assert.equal(1, #told)
    assert.equal("concepts: at most 1000 concepts expected", told[1])
  end)

  it("have concepts that go in a circle", function()
    local told = {}
    local concepts = { a = "~b", b = "~a", c = "~b | да" }
    local good = Patterns.concepts(concepts, concepts, function(field, message)
      told[#told + 1] = field .. ": " .. message
    end)
    assert.equal(1, #told)
    assert.truthy(told[1]:find "^concepts%['[ab]'%]: column 1: ")
    assert.equal("~b | да", good.c)
  end)
end)
