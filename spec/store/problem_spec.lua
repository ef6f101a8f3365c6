local problem = require "avito_messenger.store.problem"

describe("an error of a store", function()
  it("says what was wrong, where, and what to do", function()
    local err = problem.make("full", "the disk is full", "shop.db")
    assert.equal("journal shop.db: the disk is full (full): free some space; nothing was written", tostring(err))
    assert.equal("store: chat c1 is another's by now (fenced): nothing was written; claim the chat again",
      tostring(problem.fenced "c1"))
    assert.equal("why: " .. tostring(err), "why: " .. err)
  end)

  it("has words for all that the journal meets", function()
    for _, code in ipairs { "full", "io", "busy", "readonly", "damaged", "version", "open", "memory", "closed" } do
      local err = problem.from({ code = code, message = "as SQLite says it" }, "shop.db")
      assert.equal(code, err.code)
      assert.matches("^journal shop%.db: [%l%s,]+ %(as SQLite says it%) %(" .. code .. "%): %l", tostring(err))
    end
  end)

  it("is told from anything else", function()
    assert.is_true(problem.is(problem.fenced "c1"))
    for _, other in ipairs { "text", { code = "full" }, 5, false } do assert.is_false(problem.is(other)) end
    assert.has_error(function() problem.make("odd", "no such code") end, "'odd' is no code of a store's error")
  end)
end)
