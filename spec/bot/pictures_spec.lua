local pictures = require "avito_messenger.bot.pictures"

describe("a file", function()
  it("is a picture by its name", function()
    for _, name in ipairs { "a.png", "IMG_0001.JPG", "a.b.jpeg", "фото.webp", ".heic" } do
      assert.is_true(pictures.is(name), name)
    end
    for _, name in ipairs { "a.pdf", "png", "a.png.exe", "a.", "", "a.png " } do assert.is_false(pictures.is(name), name) end
    assert.is_false(pictures.is(nil))
    assert.is_false(pictures.is(5))
  end)

  it("is found among others", function()
    local one, other = { name = "1.png" }, { name = "2.jpg" }
    assert.same({ one, other }, pictures.of { one, { name = "акт.pdf" }, {}, "3.png", other })
    assert.is_nil(pictures.of { { name = "акт.pdf" } })
    assert.is_nil(pictures.of {})
    assert.is_nil(pictures.of(nil))
    assert.is_nil(pictures.of "1.png")
  end)
end)
