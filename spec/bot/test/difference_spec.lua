local difference = require "avito_messenger.bot.test.difference"

describe("the difference of two texts", function()
  it("marks what only one of them has", function()
    assert.equal("Небольшой торг{+ при осмотре+}", difference.inline("Небольшой торг", "Небольшой торг при осмотре"))
    assert.equal("торг [-есть-]{+уместен+} при осмотре", difference.inline("торг есть при осмотре", "торг уместен при осмотре"))
    assert.equal("[-да-]", difference.inline("да", ""))
    assert.equal("то же", difference.inline("то же", "то же"))
  end)

  it("shows a space that is one too many", function()
    assert.equal("торг[- -]{+  +}есть", difference.inline("торг есть", "торг  есть"))
  end)

  it("finds the text that has most words of another, in their order", function()
    local nearest, share = difference.nearest("Да, ещё в продаже", { "Нет", "Да, телефон ещё в продаже", "продаже в ещё Да," })
    assert.equal(2, nearest)
    assert.is_true(share > 0.8)
    assert.is_nil(difference.nearest("Да", {}))
  end)

  it("puts two lists of lines together", function()
    assert.same({ "  а", "- б", "+ в", "  г", "+ д" }, difference.lines({ "а", "б", "г" }, { "а", "в", "г", "д" }))
    assert.same({ "- а" }, difference.lines({ "а" }, {}))
  end)
end)
