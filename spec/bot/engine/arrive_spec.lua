local chats = require "support.chats"

local HAGGLE, ADDRESS = "Торг при осмотре.", "У метро."

local function shop(more, about)
  local given = { { "торг", hears = "торг*", say = HAGGLE }, { "адрес", hears = "адрес*", say = ADDRESS } }
  for name, value in pairs(more or {}) do given[name] = value end
  return chats.new(given, about)
end

--- A chat in which a reply is under way.
local function replying(more, text)
  local c = shop(more)
  return c, c:replying(text or "Торг есть?")
end

local function reply(c, effect, id, more)
  local message = c:message(effect.text, { id = id, author_id = chats.SELLER })
  for name, value in pairs(more or {}) do message[name] = value end
  return c:tell(message)
end

describe("a message", function()
  it("is answered once, however often and in whatever form it comes", function()
    local c = shop()
    local message = c:buyer "Торг есть?"
    c:tell(message)
    c:pass(10)
    c:tell(message)
    c:step { type = "message", messages = { message, message } }
    c:pass(10)
    assert.same({ HAGGLE }, c.said)
    assert.equal("it was taken before", c:note("dropped").why)
  end)

  it("is known again after more messages than are remembered", function()
    local c = shop()
    local first = c:buyer "Торг есть?"
    c:pass(10)
    for _ = 1, 700 do
      c.now = c.now + 60
      c:buyer "Ау"
    end
    c:pass(20)
    c:tell(first)
    c:pass(20)
    assert.same({ HAGGLE }, c.said)
  end)

  it("is not taken for an old one when it comes in the second of one that is forgotten", function()
    local c = shop()
    for _ = 1, 700 do c:buyer "Ау" end
    assert.equal(HAGGLE, c:says "Торг есть?")
  end)

  it("of the future does not make later ones old", function()
    local c = shop()
    c:buyer("Ау", { created = c.now + 1e6 })
    for _ = 1, 700 do c:buyer "Ау" end
    c.now = c.now + 60
    assert.equal(HAGGLE, c:says "Торг есть?")
  end)

  it("without an id or a type is passed over, and those beside it are answered", function()
    local c = shop()
    local good = c:message "Торг есть?"
    c:step { type = "message", messages = { { id = "x", content = {} }, { type = "text" }, 5, good } }
    c:pass(10)
    assert.same({ HAGGLE }, c.said)
    assert.equal("a message needs an id and a type", c:note("dropped").why)
  end)

  it("without a time, or without content, is taken as of now", function()
    local c = shop()
    local message = c:message "Торг есть?"
    message.created = nil
    c:tell(message)
    c:tell { id = "x", author_id = chats.BUYER, type = "voice" }
    c:tell { id = "y", author_id = chats.BUYER, type = "voice", created = "сегодня" }
    c:pass(3)
    assert.same({ HAGGLE }, c.said)
  end)

  it("from before the bot is noted, and makes the next no first one", function()
    local c = chats.new { { "привет", first = true, say = "Здравствуйте!" }, { "торг", hears = "торг*", say = HAGGLE } }
    local old = c:message("Торг есть?", { created = c.now - 100 })
    c:tell(old, { old = true })
    assert.same({}, c:pass(60).said)
    assert.equal(HAGGLE, c:says "Торг есть?")
    c:tell(old)
    assert.equal(1, #c:pass(60).said)
  end)

  it("of the seller's from before the bot does not silence it", function()
    local c = shop()
    c:tell(c:message("Добрый день", { author_id = chats.SELLER }), { old = true })
    assert.equal(HAGGLE, c:says "Торг есть?")
  end)

  it("that the buyer takes back before it is answered is not answered", function()
    local c = shop()
    local message = c:buyer "Торг есть?"
    c:tell { id = message.id, author_id = chats.BUYER, created = message.created, type = "deleted", content = {} }
    assert.is_nil(c.engine:wake_at(c.record))
    assert.same({}, c:pass(60).said)
  end)

  it("that was taken back leaves those beside it", function()
    for _, kept in ipairs { ADDRESS, HAGGLE } do
      local c = shop()
      local haggle, address = c:buyer "Торг есть?", c:buyer "Адрес какой?"
      c:tell { id = (kept == ADDRESS and haggle or address).id, author_id = chats.BUYER, type = "deleted" }
      assert.same({ kept }, c:pass(60).said)
    end
  end)

  it("that was taken back before it came is not answered", function()
    local c = shop()
    local message = c:message "Торг есть?"
    c:tell { id = message.id, author_id = chats.BUYER, type = "deleted" }
    c:tell(message)
    assert.same({}, c:pass(60).said)
  end)

  it("of a buyer who was put on the blacklist is dropped, but for the seller's own", function()
    local c = chats.new { { "ссылка", links = true, act = { "blacklist", reason = "spam" } },
      { "торг", hears = "торг*", say = HAGGLE } }
    c:says "https://example.com/win"
    assert.same({ chats.BUYER, 1 }, { c:has_done("blacklist").user_id, c:has_done("blacklist").reason })
    assert.equal("", c:says "Торг есть?")
    assert.equal("the buyer is on the blacklist", c:note("dropped").why)
    c:step { type = "resume" }
    assert.equal(HAGGLE, c:says "Торг есть?")
  end)

  describe("is heard again when the blacklist", function()
    local HAGGLES = { "торг", hears = "торг*", say = HAGGLE }
    local function banning(more)
      local rule = { "ссылка", links = true, act = "blacklist" }
      for name, value in pairs(more or {}) do rule[name] = value end
      local c = chats.new { rule, HAGGLES }
      c:buyer "https://example.com/win"
      c.now = c.now + 3
      c:wake()
      return c
    end

    it("was refused", function()
      local c = banning()
      c.fails = { { kind = "forbidden", message = "no" } }
      c:work()
      assert.equal(HAGGLE, c:says "Торг есть?")
    end)

    it("was not asked before a person typed", function()
      local c = banning { say = "Пока.", delay = "9s" }
      c:person "Стоп"
      c:pass(12 * 3600)
      assert.equal(HAGGLE, c:says "Торг есть?")
    end)

    it("failed when a person had typed", function()
      local c = banning()
      local effect = c:latch()
      c:person "Стоп"
      c:step { type = "failed", key = effect.key, error = { kind = "network" } }
      c:pass(12 * 3600)
      assert.equal(HAGGLE, c:says "Торг есть?")
      assert.is_nil(c:has_done "blacklist")
    end)
  end)
end)

describe("the bot's own message", function()
  it("is known before its answer, after it and without it", function()
    local c, effect = replying()
    reply(c, effect, "b1")
    assert.equal("", c:wants())
    c:step { type = "sent", key = effect.key, id = "b1" }
    assert.equal("read", c:wants())
    c:pass(10)
    assert.equal(ADDRESS, c:says "Адрес?")

    c, effect = replying()
    c:step { type = "sent", key = effect.key, id = "b1" }
    reply(c, effect, "b1")
    assert.equal(ADDRESS, c:says "Адрес?")

    c, effect = replying()
    reply(c, effect, "b1")
    c:step { type = "failed", key = effect.key, error = { kind = "timeout", dispatched = true } }
    assert.equal(ADDRESS, c:says "Адрес?")
  end)

  it("is known though the answer had no id, be it text or image", function()
    local c, effect = replying()
    c:step { type = "sent", key = effect.key }
    c.now = c.now + 60
    reply(c, effect, "b1", { created = c.now - 60 })
    assert.equal(ADDRESS, c:says "Адрес?")

    c = chats.new { { "фото", hears = "фото", image = "photo-1" }, { "адрес", hears = "адрес*", say = ADDRESS } }
    c:buyer "Фото есть?"
    c.now = c.now + 3
    c:wake()
    effect = c:latch()
    assert.equal("photo-1", effect.image)
    c:step { type = "sent", key = effect.key }
    c:tell(c:message(nil, { author_id = chats.SELLER, type = "image", content = { image = {} } }))
    assert.equal(ADDRESS, c:says "Адрес?")
  end)

  it("is told from a person's who says the same later", function()
    local c, effect = replying()
    c:step { type = "sent", key = effect.key }
    c:pass(600)
    c:person(HAGGLE)
    assert.equal("", c:says "Адрес?")
  end)

  it("is told from a person's who said the same earlier", function()
    local c = replying()
    c:person(HAGGLE, { created = c.now - 200 })
    assert.is_table(c:note "human")
    local effect
    c, effect = replying()
    c:step { type = "sent", key = effect.key }
    c:person(HAGGLE, { created = c.now - 200 })
    assert.is_table(c:note "human")
    c, effect = replying()
    c:step { type = "sent", key = effect.key }
    c:person "Уступлю"
    assert.is_table(c:note "human")
  end)

  it("is told from a person's who says the same twice", function()
    local c, effect = replying()
    c:step { type = "sent", key = effect.key }
    reply(c, effect, "b1")
    assert.is_nil(c:note "human")
    c:person(HAGGLE)
    assert.is_table(c:note "human")
  end)

  it("is known by its id alone", function()
    local c, effect = replying()
    c:step { type = "sent", key = effect.key, id = "b1" }
    reply(c, effect, "b1", { content = { text = "Торг при *******." } })
    assert.is_nil(c:note "human")
  end)

  it("is known though it tells no time", function()
    local c, effect = replying()
    c:tell { id = "b1", author_id = chats.SELLER, type = "text", content = { text = effect.text } }
    assert.is_nil(c:note "human")
  end)

  it("is known once", function()
    for _, answer in ipairs { "none", "without an id" } do
      local c, effect = replying()
      reply(c, effect, "b1")
      if answer ~= "none" then c:step { type = "sent", key = effect.key } end
      assert.is_nil(c:note "human")
      reply(c, effect, "p1")
      assert.is_table(c:note "human")
    end
  end)

  it("is known of several whose answers had no id", function()
    local c = shop()
    local effects = {}
    for i, said in ipairs { "Торг?", "Адрес?" } do
      c:buyer(said)
      c.now = c.now + 3
      c:wake()
      effects[i] = c:latch()
      c:step { type = "sent", key = effects[i].key }
      c:step { type = "sent", key = c:latch().key }
    end
    reply(c, effects[2], "b2")
    reply(c, effects[1], "b1")
    assert.is_nil(c:note "human")
  end)

  it("is told from a person's, who says something else or sends an image", function()
    for _, message in ipairs { { content = { text = "Уступлю" } }, { type = "image", content = { image = {} } } } do
      local c, effect = replying()
      reply(c, effect, "p1", message)
      assert.is_table(c:note "human")
    end
  end)

  it("is known when the server took white space away or made a link of it", function()
    local c, effect = replying({ { "торг", hears = "торг*", say = " Смотрите\n\nhttps://example.com/ " } })
    reply(c, effect, "b1", { content = { text = "Смотрите https://example.com/" } })
    assert.is_nil(c:note "human")
    c, effect = replying({ { "торг", hears = "торг*", say = "Смотрите https://example.com/" } })
    reply(c, effect, "b1", { type = "link",
      content = { link = { text = "Смотрите https://example.com/", url = "https://example.com/" } } })
    assert.is_nil(c:note "human")
  end)

  it("that comes when it was given up and is to be sent again is not sent again", function()
    for _, late in ipairs { "message", "answer" } do
      local c, effect = replying()
      c:step { type = "failed", key = effect.key, error = { kind = "timeout", dispatched = true } }
      c.now = c.now + 31
      c:step { type = "history", key = effect.key, messages = {} }
      assert.equal("send", c:wants())
      if late == "message" then
        reply(c, effect, "b1", { created = c.now - 31 })
      else
        c:step { type = "sent", key = effect.key, id = "b1" }
      end
      assert.same({}, c:pass(100).said)
      assert.equal(ADDRESS, c:says "Адрес?")
    end
  end)

  it("is not what a person typed when it is certain that it did not leave", function()
    for _, kind in ipairs { "network", "auth" } do
      local c, effect = replying()
      c:step { type = "failed", key = effect.key, error = { kind = kind, dispatched = false } }
      reply(c, effect, "p1")
      assert.is_table(c:note "human")
    end
  end)

  it("is known though sending it again failed for certain", function()
    local c, effect = replying()
    c:step { type = "failed", key = effect.key, error = { kind = "timeout", dispatched = true } }
    c.now = c.now + 31
    c:step { type = "history", key = effect.key, messages = {} }
    c:latch()
    c:step { type = "failed", key = effect.key, error = { kind = "network", dispatched = false } }
    c:wake()
    reply(c, effect, "b1", { created = c.now - 31 })
    assert.is_nil(c:note "human")
    assert.same({}, c:pass(100).said)
  end)
end)

describe("the account", function()
  local LONG = { "123456789012345", 123456789012345 }

  it("is known by direction, and by number and text alike", function()
    for _, ids in ipairs { { 94235311, 94235311 }, { "94235311", 94235311 }, { 94235311, "94235311" }, { LONG[1], LONG[2] },
      { LONG[2], LONG[1] }, { "9007199254740993", "9007199254740993" } } do
      local c = shop(nil, { user_id = ids[1] })
      c:person("Добрый день", { author_id = ids[2] })
      assert.is_table(c:note "human", tostring(ids[2]))
    end
    local c = shop(nil, { user_id = "" })
    c:person("Добрый день", { author_id = 1, direction = "out" })
    assert.is_table(c:note "human")
  end)

  it("is not the buyer whose id is beyond 2^53 and differs in its last digit", function()
    local c = shop(nil, { user_id = "9007199254740993" })
    assert.equal(HAGGLE, c:says("Торг есть?", { author_id = "9007199254740992" }))
    c = shop()
    local message = c:message "Торг есть?"
    message.author_id = nil
    c:tell(message)
    assert.same({ HAGGLE }, c:pass(10).said)
  end)
end)

describe("messages in a row", function()
  it("are one question, in the order in which they were written", function()
    local c = chats.new { { "эхо", hears = "раз*", say = "{message.text}" }, burst = "6s" }
    local one, two, three = c:message("раз", { created = c.now }), c:message("два", { created = c.now + 1 }),
      c:message("три", { created = c.now + 1 })
    c.now = c.now + 2
    c:tell(two)
    c:tell(three)
    c:tell(one)
    assert.same({ "раз два три" }, { (c:pass(20).said[1]:gsub("\n", " ")) })
  end)

  it("are waited for from the last one, though it is told late", function()
    local c = shop()
    c:buyer "Торг"
    c.now = c.now + 2
    c:buyer "есть?"
    assert.equal(chats.NOW + 5, c.engine:wake_at(c.record))
    c.now = c.now + 2
    c:tell(c:message("Ау", { created = chats.NOW }))
    assert.equal(chats.NOW + 5, c.engine:wake_at(c.record))
  end)

  it("of a buyer who never stops are answered all the same", function()
    local c = shop()
    for _ = 1, 20 do
      c:buyer "торг"
      c.now = c.now + 1
      c:wake()
    end
    c:work()
    assert.equal(HAGGLE, c.said[1])
    assert.equal(chats.NOW + 20, c.now)
  end)

  it("are not waited for when they were told long after they were written", function()
    local c = shop()
    c:buyer("Торг есть?", { created = c.now - 60 })
    c:work()
    assert.same({ HAGGLE }, c.said)
  end)

  it("of which there are too many are answered by the newest hundred", function()
    local c = chats.new { { "счет", say = "{message.text}" } }
    for i = 1, 150 do c:buyer(tostring(i)) end
    c:pass(10)
    assert.matches("^51\n", c.said[1])
    assert.matches("\n150$", c.said[1])
  end)
end)

describe("what the event says beside the message", function()
  it("is the kind of the chat, its item and whether it is new", function()
    local c = chats.new { { "привет", first = true, say = "Здравствуйте!" } }
    c:tell(c:message "Привет", { earlier = true, chat_type = "u2u" })
    c:pass(10)
    assert.same({}, c.said)
    assert.equal("u2u", c.record.type)

    c = chats.new { { "цена", hears = "цен*", say = "{item.price}" } }
    c:tell(c:message "Цена?", { item_id = 77 })
    assert.equal(77, c:pending()[1].item_id)
  end)

  it("does not make the second look at the first messages a later one", function()
    local c = chats.new { { "привет", first = true, say = "Здравствуйте!" } }
    c:buyer "Привет"
    c:tell(c:message "Это кто?", { earlier = true })
    assert.same({ "Здравствуйте!" }, c:pass(10).said)
  end)
end)
