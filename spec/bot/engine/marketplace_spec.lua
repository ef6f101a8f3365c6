-- What the engine does on a marketplace that has not all that rules and dialogues may ask for.
local chats = require "support.chats"
local flow = require "avito_messenger.bot.flow"

local function market(given)
  local c = chats.new(given, { marketplace = "yandex_market", user_id = "yandex_market:1" })
  c.facts = { type = "order", buyer = { id = "abc", name = "Покупатель" }, order = { id = "5", campaign_id = "3" } }
  return c
end

local function warnings(c)
  local list = {}
  for _, note in ipairs(c.notes) do
    if note.kind == "warning" then list[#list + 1] = ("%s: %s"):format(note.rule, note.message) end
  end
  return list
end

describe("on Yandex Market", function()
  it("what a function asks for and the marketplace has not is left out, and told; the rest is done", function()
    local c = market { { "всё", run = function(c)
      c:blacklist "spam"
      c:mark_read()
      c:image "12345.0a1b"
      c:image "photo.jpg"
      c:say "Готово."
    end } }
    assert.equal("photo.jpg / Готово.", c:says "Привет")
    assert.same({ "всё: c:blacklist did nothing: Yandex Market has no blacklist",
      "всё: c:mark_read did nothing: Yandex Market chats cannot be marked as read",
      "всё: '12345.0a1b' is left out there: it is the id of an uploaded image, and Yandex Market takes files only" }, warnings(c))
    assert.same({}, c.did)
    assert.is_nil(c:note "error")
    assert.matches("Готово%.$", c:says "Ещё?") -- nobody is on a blacklist
    assert.equal("u2i-1", c:note("warning").chat_id)
  end)

  it("nothing is told on Avito, which has it", function()
    local c = chats.new { { "всё", run = function(c)
      c:mark_read()
      c:image "12345.0a1b"
      c:blacklist "spam"
    end } }
    assert.equal("12345.0a1b", c:says "Привет")
    assert.same({}, warnings(c))
    assert.truthy(c:has_done "blacklist")
    assert.truthy(c:has_done "read")
  end)

  it("a text that names what it does not tell leaves the turn to the others", function()
    local c = market { { "есть", say = { "{item.title}", "Да.", "Есть." } } }
    assert.same({ "Да.", "Есть.", "Да." }, { c:says "Есть?", c:says "А есть?", c:says "Есть или нет?" })
    for number = 1, 8 do
      c = market { { "есть", say = { a = "{item.title}", b = "Да " .. number } } }
      assert.equal("Да " .. number, c:says "Есть?")
      assert.equal("b", c:note("done").label)
    end
    assert.is_nil(c:note "error")
    c = market { { "есть", say = { a = "{item.title}", b = "{item.id}" } } }
    assert.equal("", c:says "Есть?")
    assert.matches("{item.[ti].*} is not known here", c:note("error").message)
  end)

  it("a chat that was answered is not marked as read", function()
    local c = market { { "да", say = "Да." } }
    assert.equal("Да.", c:says "Есть?")
    assert.same({}, c.did)
  end)

  it("what a rule was warned of when it was loaded is not told again", function()
    local c = market { { "спам", act = { "blacklist", "mark_read" }, image = "12345.0a1b", say = "Нет." } }
    assert.equal("Нет.", c:says "Купите!")
    assert.same({}, warnings(c))
    assert.equal("Нет.", c:says "Купите!")
  end)

  it("rules and dialogues know the order", function()
    local seen
    local c = market { { "обмен", hears = "обмен", flow = "обмен" },
      { "заказ", when = function(c) return c.order.id == "5" and c.item.id == nil end,
        run = function(c)
          seen = c.order.campaign_id
          c:say(("%s %s"):format(c.order.id, c.chat.type))
        end },
      flow.define { "обмен", function(c) c:say(("заказ %s, {order.id}"):format(c.order.id)) end } }
    assert.equal("5 order", c:says "Где?")
    assert.equal("3", seen)
    assert.equal("заказ 5, 5", c:says "обмен")
  end)

  it("a function that the program has is told of the order", function()
    local c = market { calls = { f = function() end }, { "обмен", flow = "обмен" },
      flow.define { "обмен", function(c) c:call("f") end } }
    c:says "да"
    assert.same({ id = "5", campaign_id = "3" }, c:has_done("call").about.order)
  end)

  it("a dialogue leaves out the id of an image, and goes on", function()
    local c = market { { "фото", flow = "фото" }, flow.define { "фото", function(c)
      c:image "12345.0a1b"
      c:image "photo.jpg"
      c:say "Вот."
    end } }
    assert.equal("photo.jpg / Вот.", c:says "Фото?")
    assert.same({ "фото: '12345.0a1b' is left out there: it is the id of an uploaded image, and Yandex Market takes files only" },
      warnings(c))
  end)

  it("a dialogue takes photos as files, also where a text comes with them", function()
    local picture = { name = "IMG_1.JPG", url = "https://example.com/1", size = 5 }
    local c = market { { "фото", flow = "фото" }, flow.define { "фото", function(c)
      local photo = c:ask { "image", "Фото?", again = "Нужно фото." }
      c:say(("%s %s %d"):format(photo.message_id, photo.files[1].name, #photo.files))
    end } }
    assert.equal("Фото?", c:says "Обмен")
    assert.equal("Нужно фото.", c:says("вот", { content = { text = "вот", files = { { name = "акт.pdf" } } } }))
    local id = "m" .. c.ids + 1
    assert.equal(id .. " IMG_1.JPG 1", c:says("вот", { content = { text = "вот", files = { { name = "акт.pdf" }, picture } } }))
  end)

  it("a text that comes with a file is both", function()
    local c = market { { "фото", on = "image", continue = true, say = "Фото." },
      { "файл", on = "file", continue = true, say = "Файл." }, { "текст", on = "text", hears = "вот", say = "Текст." } }
    local function says(kind, name, text)
      return c:says(nil, { type = kind, content = { text = text, files = name and { { name = name } } } })
    end
    assert.equal("Фото. / Текст.", says("text", "1.jpg", "вот"))
    assert.equal("Файл. / Текст.", says("text", "акт.pdf", "вот"))
    assert.equal("Текст.", says("text", nil, "вот"))
    assert.equal("Фото.", says("image", "1.jpg"))
    assert.equal("Файл.", says("file", "акт.pdf"))
  end)

  it("the type of a chat is looked up where no message told it, once", function()
    local c = market { { "заказ", chat_type = "order", say = "По заказу." }, { "нет", say = "Не по заказу." } }
    c:buyer "Где?"
    assert.equal("about", c:wants())
    c:pass(20)
    assert.same({ "По заказу." }, c.said)
    c.now = c.now + 7200
    c:buyer "Где?"
    assert.equal("", c:wants())
    local told = market { { "заказ", chat_type = "order", say = "По заказу." }, { "нет", say = "Не по заказу." } }
    told:tell(told:message "Где?", { chat_type = "direct" })
    assert.equal("", told:wants())
    told:pass(20)
    assert.same({ "Не по заказу." }, told.said)
  end)
end)
