local avito = require "avito_messenger.bot.market.avito"

local NBSP, THIN, NARROW = "\194\160", "\226\128\137", "\226\128\175"

describe("what Avito tells of a chat:", function()
  it("prices, as they are written", function()
    local rows = {
      { "31" .. NBSP .. "500" .. NBSP .. "₽", 31500 }, { "31 500 ₽", 31500 }, { "31" .. THIN .. "500" .. NARROW .. "₽", 31500 },
      { "1" .. NBSP .. "250" .. NBSP .. "000" .. NBSP .. "₽", 1250000 }, { "500 ₽", 500 }, { "0 ₽", 0 },
      { "от 500 ₽", 500 }, { "1 000 – 2 000 ₽", 1000 }, { "12,50 ₽", 12.5 }, { "12.5 ₽", 12.5 }, { "1.500 ₽", 1500 },
      { "1,250,000 ₽", 1250000 }, { "500 ₽ за час", 500 }, { "500.", 500 },
    }
    for _, row in ipairs(rows) do assert.equal(row[2], avito.price(row[1]), row[1]) end
    for _, text in ipairs { "Бесплатно", "Цена не указана", "", "₽" } do assert.is_nil(avito.price(text), text) end
    for _, value in ipairs { 500, false, {} } do assert.is_nil(avito.price(value)) end
    assert.is_nil(avito.price(nil))
  end)

  it("the type, from the id, or else the context", function()
    assert.equal("u2i", avito.chat_type { id = "u2i-abc~def" })
    assert.equal("u2u", avito.chat_type { id = "u2u-abc", context = { type = "item" } })
    assert.equal("a2u", avito.chat_type { id = "a2u-abc" })
    assert.equal("u2i", avito.chat_type { id = "abc", context = { type = "item", value = {} } })
    assert.is_nil(avito.chat_type { id = "abc" })
    assert.is_nil(avito.chat_type { id = "u2iabc" })
    assert.is_nil(avito.chat_type { id = 17, context = "item" })
  end)

  it("buyer and item", function()
    local facts = avito.facts_of({ id = "u2i-a", users = { { id = 5, name = "Продавец" }, { id = 7, name = "Покупатель" },
      { id = 8, name = "Другой" } },
      context = { type = "item", value = { id = 1, title = "iPhone", url = "https://example.com/1", price_string = "500 ₽",
        location = { title = "Самара" } } } }, 5)
    assert.same({ type = "u2i", buyer = { id = 7, name = "Покупатель" }, item = { id = 1, title = "iPhone",
      url = "https://example.com/1", price = 500, price_text = "500 ₽", city = "Самара" } }, facts)
  end)

  it("the account, whichever way its id is written", function()
    assert.equal(7, avito.facts_of({ users = { { id = 5 }, { id = 7 } } }, "5").buyer.id)
    assert.equal("7", avito.facts_of({ users = { { id = "5" }, { id = "7" } } }, 5).buyer.id)
    assert.equal(7, avito.facts_of({ users = { { id = 94235311 }, { id = 7 } } }, 94235311 + 0.0).buyer.id)
    assert.equal(7, avito.facts_of({ users = { { id = 1000000000000001 }, { id = 7 } } }, "1000000000000001").buyer.id)
  end)

  it("nothing of a name that is none", function()
    for _, name in ipairs { "", "  ", 17, false } do
      assert.same({ id = 7 }, avito.facts_of({ users = { { id = 7, name = name } } }, 5).buyer)
    end
  end)

  it("nothing where nothing is told", function()
    assert.same({ type = "u2u" }, avito.facts_of({ id = "u2u-a" }, 5))
    assert.same({}, avito.facts_of({ users = { 17, {}, { name = "x" } }, context = { type = "other", value = { id = 1 } } }, 5))
    assert.same({}, avito.facts_of({ users = "none", context = { type = "item" } }, 5).buyer or {})
    assert.same({ id = 1 }, avito.facts_of({ context = { type = "item", value = { id = 1, location = "Самара" } } }, 5).item)
  end)
end)
