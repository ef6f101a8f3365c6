local market = require "avito_messenger.bot.market.yandex_market"

describe("a message of Yandex Market", function()
  local function shape(more)
    local message = { messageId = 17, createdAt = "2026-11-25T14:30:00+04:00", sender = "CUSTOMER" }
    for name, value in pairs(more) do message[name] = value end
    return market.shape(message)
  end

  local function file(name) return { name = name, url = "https://example.com/" .. name, size = 5 } end

  it("is told as all messages are", function()
    assert.same({ id = "17", created = 1795602600, type = "text", content = { text = "Привет" }, direction = "in" },
      shape { message = "Привет" })
    assert.equal("out", shape({ message = "Привет", sender = "PARTNER" }).direction)
    for _, sender in ipairs { "MARKET", "SUPPORT", "SOMEBODY" } do
      local message = shape { message = "Привет", sender = sender }
      assert.same({ "system", "in" }, { message.type, message.direction })
    end
    assert.equal("9223372036854775807", shape({ messageId = "9223372036854775807" }).id)
  end)

  it("is an image where all its files are pictures, and a file where not, or where nothing is told", function()
    assert.same({ "image", { file "a.JPG", file "b.png" } }, { shape({ payload = { file "a.JPG", file "b.png" } }).type,
      shape({ payload = { file "a.JPG", file "b.png" } }).content.files })
    assert.equal("file", shape({ payload = { file "a.jpg", file "b.pdf" } }).type)
    assert.equal("file", shape({}).type)
    assert.same({ "text", { file "a.jpg" } }, { shape({ message = "Вот", payload = { file "a.jpg" } }).type,
      shape({ message = "Вот", payload = { file "a.jpg" } }).content.files })
    assert.equal("file", shape({ message = " ", payload = { { name = 5 }, "x" } }).type)
  end)

  it("is none without an id", function()
    for _, value in ipairs { 17, {}, { messageId = {} }, { messageId = "a" }, { messageId = 1.5 } } do
      assert.is_nil(market.shape(value))
    end
    assert.is_nil(shape({ message = "Привет", createdAt = "yesterday" }).created)
  end)
end)

describe("the chats of Yandex Market", function()
  local asked, pages, client

  before_each(function()
    asked, pages = 0, nil
    local function page(_, options, more)
      asked = asked + 1
      local number = tonumber((more or options).page_token or 1)
      return pages[number], { paging = { nextPageToken = pages[number + 1] and ("%d"):format(number + 1) or pages.last } }
    end
    client = { get_chat_history = page, get_chats = page }
  end)

  local function message(id, second)
    return { messageId = id, sender = "CUSTOMER", message = "x", createdAt = ("2026-11-25T10:30:%02dZ"):format(second or id) }
  end

  -- The ids that are found where those up to `known` are not wanted.
  local function read(known)
    local ids, found, cut = {}, market.read_chat(client, "1", function(one) return tonumber(one.id) > known end)
    for i, one in ipairs(found) do ids[i] = tonumber(one.id) end
    return ids, cut
  end

  it("are read no further than to what is known, where they are listed with the newest first", function()
    pages = { { message(6), message(5) }, { message(4), message(3) }, { message(2), message(1) } }
    assert.same({ 6, 5 }, (read(4)))
    assert.equal(2, asked)
    assert.same({ 6, 5, 4 }, (read(3)))
  end)

  it("are read to their end where that is not certain", function()
    pages = { { message(1), message(2) }, { message(3), message(4) }, { message(5), message(6) } }
    assert.same({ 6, 5 }, (read(4)))
    pages = { { message(2), message(6) }, { message(1), message(5) }, { message(3), message(4) } }
    assert.same({ 6, 5 }, (read(4)))
    pages = { { message(2, 7), message(1, 7) }, { message(5, 7) }, { message(4, 7) } }
    assert.same({ 5, 4 }, (read(3)))
    pages = { { message(1) }, { message(5) } }
    assert.same({ 5 }, (read(1)))
  end)

  it("are in order by the time, and then by the id", function()
    pages = { { message(9, 7), message(10, 7), message(11, 5), { messageId = 12, sender = "CUSTOMER", message = "x" } } }
    assert.same({ 10, 9, 11, 12 }, (read(0)))
  end)

  it("are told once, and that they may go on, where the last page repeats", function()
    pages = { { message(1), message(2) }, last = "1" }
    assert.same({ { 2, 1 } }, { read(0) })
    pages = { {}, last = "1" }
    for id = 1, 100 do pages[1][id] = message(id, 7) end
    assert.is_true(select(2, read(99)))
    pages = { { { chatId = 1, type = "CHAT" }, { chatId = "x" }, 5 }, last = "1" }
    local chats = market.chats(client, {})
    assert.same({ 1, "1" }, { #chats, chats[1].id })
  end)
end)

describe("a long chat of Yandex Market", function()
  local record = require "avito_messenger.bot.engine.record"
  local asked, client, chat

  -- Messages 1 to 300, of which 1 to 299 are known.
  before_each(function()
    asked, chat = {}, { id = "1" }
    for id = 1, 299 do record.mark(chat, tostring(id), id) end
    client = { get_chat_history = function(_, _, options)
      asked[#asked + 1] = options
      local list, from = {}, tonumber(options.message_id_from or 1)
      for id = from, 300 do
        list[#list + 1] = { messageId = id, sender = "CUSTOMER", message = "x", createdAt = "2026-11-25T10:30:00Z" }
      end
      if client.alters then return client.alters(options, list) end
      return list, {}
    end }
  end)

  local function read()
    local found = market.read_chat(client, "1", function(message) return not record.marked(chat, message.id) end, chat)
    local ids = {}
    for i, message in ipairs(found) do ids[i] = message.id end
    return ids
  end

  it("is read from a message on that is well behind the last", function()
    assert.same({ "300" }, read())
    assert.equal(1, #asked)
    assert.equal("249", asked[1].message_id_from)
  end)

  it("is read whole where that is refused, or gives what cannot be", function()
    for _, alters in ipairs {
      function() return nil, { kind = "invalid" } end,
      function() return {}, {} end,
      function() return { { messageId = 3, sender = "CUSTOMER", message = "x" } }, {} end,
    } do
      asked = {}
      function client.alters(options, list)
        if options.message_id_from then return alters() end
        return list, {}
      end
      assert.same({ "300" }, read())
      assert.is_nil(asked[2].message_id_from)
    end
  end)

  it("is not read twice where nothing could be", function()
    function client.alters() return nil, { kind = "network" } end
    local found, err = market.read_chat(client, "1", function() return true end, chat)
    assert.same({ nil, "network", 1 }, { found, err.kind, #asked })
  end)
end)
