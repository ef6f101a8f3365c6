local spelling = require "avito_messenger.bot.spelling"

describe("spelling", function()
  it("lowers ASCII and the Russian letters, and nothing else", function()
    assert.equal("абвгдеёжзийклмнопрстуфхцчшщъыьэюя", spelling.lower "АБВГДЕЁЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯ")
    assert.equal("абвгдеёжзийклмнопрстуфхцчшщъыьэюя xyz 1", spelling.lower "абвгдеёжзийклмнопрстуфхцчшщъыьэюя XYZ 1")
    assert.equal("Ђ–👍 \208", spelling.lower "Ђ–👍 \208")
  end)

  it("has one dash", function()
    assert.equal("a-b-c-d-e-f-g", spelling.dashes "a-b–c—d−e‐f‑g")
    assert.equal("«…»", spelling.dashes "«…»")
  end)

  it("trims", function()
    assert.equal("a  b", spelling.trim "\t a  b\n")
    assert.equal("", spelling.trim "  ")
    assert.equal("", spelling.trim "")
    assert.equal("я", spelling.trim " я ")
  end)

  it("counts code points", function()
    assert.equal(0, spelling.length "")
    assert.equal(5, spelling.length "ё–👍\n\0")
  end)
end)
