local chats = require "support.chats"

local function shop(facts)
  local c = chats.new { { "цена", hears = "цен*", say = "{item.title|Товар}: {item.price|не знаю}" } }
  c.facts = facts
  return c
end

describe("what texts name", function()
  it("is filled in from item, buyer, message and vars", function()
    local c = chats.new { vars = { ["адрес"] = "у метро", ["этаж"] = 3 }, { "всё", say = table.concat({ "{item.title}",
      "{item.price}", "{item.id}", "{item.url}", "{item.city}",
      "{buyer.name}", "{buyer.id}", "{chat.id}", "{message.text}", "{phone}",
      "{number}", "{link}", "{адрес}", "{этаж}" }, "; ") } }
    c.facts = { item = { id = 9007199254740991, title = "Диван", price = 1234567.5, url = "https://example.com/1",
      city = "Самара" }, buyer = { id = 123456789012345, name = "Покупатель" } }
    assert.equal("Диван; 1 234 568; 9007199254740991; https://example.com/1; Самара; Покупатель; 123456789012345; u2i-1; "
      .. "5 +7 900 000-00-01 https://example.com/; +79000000001; 5; https://example.com/; у метро; 3",
      c:says "5 +7 900 000-00-01 https://example.com/")
  end)

  it("is the order of a chat of Yandex Market", function()
    local c = chats.new({ { "где", say = "Заказ {order.id}, возврат {return.id|—}, {item.title|товар}" } },
      { marketplace = "yandex_market" })
    c.facts = { type = "order", order = { id = "9007199254740991" } }
    assert.equal("Заказ 9007199254740991, возврат —, товар", c:says "Где?")
    c.record.facts, c.facts = nil, { type = "return", order = { id = "9007199254740993", return_id = "7" } }
    assert.equal("Заказ 9007199254740993, возврат 7, товар", c:says "Где?")
  end)

  it("may be an id beyond 2^53, which is text", function()
    local c = chats.new { { "кто", say = "{buyer.id}" } }
    c.facts = { buyer = { id = "9007199254740993" } }
    assert.equal("9007199254740993", c:says "Привет")
  end)

  it("is the price as the API wrote it, or in groups of three", function()
    for price, written in pairs { [0] = "0", [5] = "5", [500] = "500", [5000] = "5 000", [35000] = "35 000",
      [123456] = "123 456", [1234567] = "1 234 567" } do
      assert.equal("Диван: " .. written, shop { item = { title = "Диван", price = price } }:says "Цена?")
    end
    assert.equal("Диван: 5 000 ₽", shop { item = { title = "Диван", price = 5000, price_text = "5 000 ₽" } }:says "Цена?")
    assert.equal("Товар: не знаю", shop { item = { title = "", price = "дорого" } }:says "Цена?")
  end)

  it("is when the shop opens and closes", function()
    local c = chats.new { zone = "Europe/Samara", hours = { ["пн-пт"] = "09:00-14:00" },
      { "ночь", hours = "closed", say = "Открыто с {hours.next_open} до {hours.next_close}." } }
    assert.equal("Открыто с 9:00 завтра до 14:00 завтра.", c:says "Привет")
  end)

  it("that is not there takes its default, or keeps the rule from speaking", function()
    local c = chats.new { { "кто", hears = "кто", say = "{buyer.name|Гость}" }, { "что", hears = "что", say = "{buyer.name}" },
      { "эхо", say = "{message.text|Тихо}" } }
    c.facts = { type = "u2i" }
    assert.equal("Гость", c:says "Кто?")
    c:buyer(nil, { type = "voice", content = {} })
    assert.same({ "Гость", "Тихо" }, c:pass(10).said)
  end)
end)

describe("facts", function()
  it("are asked for at once, where the rulebook needs them, and once an hour", function()
    local c = shop { item = { title = "Диван", price = 5000 } }
    c:buyer "Цена?"
    assert.equal("about", c:wants())
    c:work()
    assert.equal("", c:wants())
    assert.same({ "Диван: 5 000" }, c:pass(10).said)
    c.facts.item.price = 4000
    c:pass(3500)
    assert.equal("Диван: 5 000", c:says "Цена?")
    c:pass(100)
    assert.equal("Диван: 4 000", c:says "Цена?")
    local without = chats.new { { "торг", say = "Торг." } }
    without:buyer "Торг?"
    assert.equal("", without:wants())
  end)

  it("that come late are waited for, and change the answer", function()
    local c = shop()
    c:buyer "Цена?"
    c.now = c.now + 30
    c:wake()
    assert.equal("about", c:wants())
    c:step { type = "about", facts = { item = { title = "Диван", price = 5000 } } }
    assert.same({ "Диван: 5 000" }, c:pass(0).said)
  end)

  it("that cannot be had are asked for again, then the turn goes on without, and the next asks again", function()
    local c = shop()
    c:buyer "Цена?"
    for _, seconds in ipairs { 2, 5, 15 } do
      c:step { type = "about", error = "no answer" }
      c:wake()
      assert.equal("", c:wants())
      assert.equal(c.now + math.max(seconds, chats.NOW + 3 - c.now), c.engine:wake_at(c.record))
      c.now = c.now + seconds
      assert.equal("about", c:wants())
    end
    c:step { type = "about", error = "no answer" }
    assert.same({ "Товар: не знаю" }, c:pass(0).said)
    c:pass(30)
    assert.equal("Товар: не знаю", c:says "Цена?")
    c.facts = { item = { title = "Диван", price = 5000 } }
    c:pass(100)
    assert.equal("Диван: 5 000", c:says "Цена?")
  end)

  it("that were known stay known when they cannot be asked for again", function()
    local c = shop { item = { title = "Диван", price = 5000 } }
    c:says "Цена?"
    c:pass(7200)
    c.facts = nil
    c:buyer "Цена?"
    assert.same({ "Диван: 5 000", "Диван: 5 000" }, c:pass(100).said)
  end)

  it("that came in time count nothing of former failures", function()
    local c = shop()
    c:buyer "Цена?"
    c:step { type = "about", error = "no answer" }
    c.now = c.now + 2
    c:step { type = "about", facts = { item = { title = "Диван" } } }
    c:pass(2 * 3600)
    c:buyer "Цена?"
    for _ = 1, 3 do c:step { type = "about", error = "no answer" } end
    assert.is_nil(c.said[2])
  end)

  it("are asked for again when the clock was put back by hours, and failures wait no longer", function()
    local c = shop { item = { title = "Диван", price = 5000 } }
    c:says "Цена?"
    c.now = c.now - 2 * 3600
    c:buyer "Цена?"
    assert.equal("about", c:wants())
    c:step { type = "about", error = "no answer" }
    c.now = c.now - 3600
    c:wake()
    assert.equal("about", c:wants())
  end)

  it("are the record's own", function()
    local c = shop()
    local facts = { item = { title = "Диван", price = 5000 } }
    c:buyer "Цена?"
    c.engine:step(c.record, { type = "about", facts = facts }, c.now)
    facts.item.title = "Другое"
    assert.is_nil(facts.at)
    assert.same({ "Диван: 5 000" }, c:pass(10).said)
  end)

  it("tell the kind of the chat and whether it is new", function()
    local c = chats.new { { "привет", first = true, say = "{buyer.name}, здравствуйте!" },
      { "людям", chat_type = "u2u", say = "Привет." } }
    c.facts = { type = "u2u", earlier = true, buyer = { name = "Покупатель" } }
    assert.equal("Привет.", c:says "Привет")
    c.facts = { buyer = { name = "Покупатель" } }
    c:pass(7200)
    assert.equal("Привет.", c:says "Привет")
  end)
end)
