local avito = require "avito_messenger"
local contract = require "store.contract"

contract("memory", avito.memory_store)

describe("a store in memory", function()
  it("refuses a wrong option", function()
    assert.error_matches(function() avito.memory_store { keep = "7" } end, "avito%.memory_store: keep: the span '7' has no unit")
    assert.error_matches(function() avito.memory_store { sync = 1 } end, "avito%.memory_store: unknown option 'sync'")
  end)
end)
