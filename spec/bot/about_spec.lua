local about = require "avito_messenger.bot.about"

local NBSP, THIN, NARROW = "\194\160", "\226\128\137", "\226\128\175"

describe("what the marketplace tells of a chat:", function()
  it("prices, as they are written", function()
    local rows = {
      { "31" .. NBSP .. "500" .. NBSP .. "₽", 31500 }, { "31 500 ₽", 31500 }, { "31" .. THIN .. "500" .. NARROW .. "₽", 31500 },
      { "1" .. NBSP .. "250" .. NBSP .. "000" .. NBSP .. "₽", 1250000 }, { "500 ₽", 500 }, { "0 ₽", 0 },
      { "от 500 ₽", 500 }, { "1 000 – 2 000 ₽", 1000 }, { "12,50 ₽", 12.5 }, { "12.5 ₽", 12.5 }, { "1.500 ₽", 1500 },
      { "1,250,000 ₽", 1250000 }, { "500 ₽ за час", 500 }, { "500.", 500 },
    }
    for _, row in ipairs(rows) do assert.equal(row[2], about.price(row[1]), row[1]) end
    for _, text in ipairs { "Бесплатно", "Цена не указана", "", "₽" } do assert.is_nil(about.price(text), text) end
    for _, value in ipairs { 500, false, {} } do assert.is_nil(about.price(value)) end
    assert.is_nil(about.price(nil))
  end)

  it("the type, from the id, or else the context", function()
    assert.equal("u2i", about.chat_type { id = "u2i-abc~def" })
    assert.equal("u2u", about.chat_type { id = "u2u-abc", context = { type = "item" } })
    assert.equal("a2u", about.chat_type { id = "a2u-abc" })
    assert.equal("u2i", about.chat_type { id = "abc", context = { type = "item", value = {} } })
    assert.is_nil(about.chat_type { id = "abc" })
    assert.is_nil(about.chat_type { id = "u2iabc" })
    assert.is_nil(about.chat_type { id = 17, context = "item" })
  end)

  it("buyer and item", function()
    local facts = about.facts({ id = "u2i-a", users = { { id = 5, name = "Продавец" }, { id = 7, name = "Покупатель" },
      { id = 8, name = "Другой" } },
      context = { type = "item", value = { id = 1, title = "iPhone", url = "https://example.com/1", price_string = "500 ₽",
        location = { title = "Самара" } } } }, 5)
    assert.same({ type = "u2i", buyer = { id = 7, name = "Покупатель" }, item = { id = 1, title = "iPhone",
      url = "https://example.com/1", price = 500, price_text = "500 ₽", city = "Самара" } }, facts)
  end)

  it("the account, whichever way its id is written", function()
    assert.equal(7, about.facts({ users = { { id = 5 }, { id = 7 } } }, "5").buyer.id)
    assert.equal("7", about.facts({ users = { { id = "5" }, { id = "7" } } }, 5).buyer.id)
    assert.equal(7, about.facts({ users = { { id = 94235311 }, { id = 7 } } }, 94235311 + 0.0).buyer.id)
    assert.equal(7, about.facts({ users = { { id = 1000000000000001 }, { id = 7 } } }, "1000000000000001").buyer.id)
  end)

  it("nothing of a name that is none", function()
    for _, name in ipairs { "", "  ", 17, false } do
      assert.same({ id = 7 }, about.facts({ users = { { id = 7, name = name } } }, 5).buyer)
    end
  end)

  it("nothing where nothing is told", function()
    assert.same({ type = "u2u" }, about.facts({ id = "u2u-a" }, 5))
    assert.same({}, about.facts({ users = { 17, {}, { name = "x" } }, context = { type = "other", value = { id = 1 } } }, 5))
    assert.same({}, about.facts({ users = "none", context = { type = "item" } }, 5).buyer or {})
    assert.same({ id = 1 }, about.facts({ context = { type = "item", value = { id = 1, location = "Самара" } } }, 5).item)
  end)

  it("messages, the oldest first, without what is none", function()
    local a, b = { id = "a", type = "text" }, { id = "b", type = "text" }
    assert.same({ type = "message", messages = { a, b }, chat_type = "u2i", earlier = true },
      about.event({ b, 17, { id = 5, type = "text" }, { id = "c" }, a }, { chat_type = "u2i", earlier = true }))
    assert.same({ type = "message", messages = { a } }, about.event { a })
    assert.is_nil(about.event {})
    assert.is_nil(about.event { "text" })
  end)
end)
