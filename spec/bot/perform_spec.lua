local avito = require "avito_messenger"
local avito_market = require "avito_messenger.bot.market.avito"
local files = require "support.files"
local perform = require "avito_messenger.bot.perform"
local shop = require "support.shop"

describe("what a bot does:", function()
  local place

  local function open(given)
    place = shop.open(given)
    return place
  end

  local function poll(seconds)
    place.bot:poll { interval = 5, seconds = seconds or 60 }
  end

  describe("a message", function()
    it("whose answer was lost is in the chat once", function()
      for _, kind in ipairs { "apply_and_close", "close", "hang", "cut", "invalid_json", "empty" } do
        for _, apply in ipairs { true, false } do
          open()
          local chat = place:says "Торг есть?"
          local fault = { operation = "send_message", kind = kind }
          if kind ~= "close" and kind ~= "cut" and kind ~= "apply_and_close" then fault.apply = apply end
          place.box:fault(fault)
          poll(120)
          assert.same({ "buyer: Торг есть?", "bot: Торг при осмотре." }, place:conversation(chat), kind)
          assert.is_false(place:unread(chat))
          assert.same({}, place.errors)
        end
      end
    end)

    it("whose answer was lost is held where the rulebook wants that", function()
      open { rulebook = { unclear = "hold", { "торг", hears = "торг*", say = "Торг при осмотре." } } }
      local chat = place:says "Торг есть?"
      place.box:fault { operation = "send_message", kind = "close" }
      poll(120)
      assert.same({ "buyer: Торг есть?" }, place:conversation(chat))
      assert.equal(1, #place.errors)
    end)

    it("whose answer was lost is looked for again when that fails, too", function()
      open { client = { retries = 0 } }
      local chat = place:says "Торг есть?"
      place.box:fault { operation = "send_message", kind = "apply_and_close" }
      local fault = place.box:fault { operation = "get_messages", kind = "status", status = 500, after = 2 }
      poll()
      assert.equal(1, fault.struck)
      assert.same({ "buyer: Торг есть?", "bot: Торг при осмотре." }, place:conversation(chat))
      assert.equal(1, #place:requests "mark_chat_as_read")
      assert.same({}, place.errors)
    end)

    it("is looked for in the chat as it was when the reading began", function()
      local now = 1000
      local bot = { market = avito_market, driver = { time = function() return now end }, client = { get_messages = function()
        now = now + 40
        return {}, { has_more = false }
      end } }
      local effect = { kind = "check", chat_id = "u2i-1", key = "m1/0/1", since = 900 }
      assert.same({ type = "history", key = "m1/0/1", messages = {}, asked = 1000 }, perform.effect(bot, effect))
    end)

    it("which the server refuses is reported, and not sent again", function()
      open()
      local chat = place:says "Торг есть?"
      place.box:fault { operation = "send_message", kind = "status", status = 403, times = 100 }
      poll()
      assert.equal(1, #place:requests "send_message")
      assert.matches("send was not done: .*403", place.errors[1])
      assert.equal(1, #place:conversation(chat))
    end)

    it("that is limited waits as long as it is told", function()
      open { client = { retries = 0 } }
      place:says "Торг есть?"
      place.box:fault { operation = "send_message", kind = "rate_limited", retry_after = 50 }
      poll(100)
      local sends = place:requests "send_message"
      assert.equal(2, #sends)
      assert.is_true(sends[2].time - sends[1].time >= 50)
    end)
  end)

  describe("an image", function()
    local directory, path

    before_each(function()
      directory = files.temporary()
      assert(os.execute("mkdir -p '" .. directory .. "/photos'"))
      path = directory .. "/photos/front.png"
      assert(os.execute(("cp examples/phone.png '%s'"):format(path)))
    end)
    after_each(function() os.execute("rm -r '" .. directory .. "'") end)

    local function write(text)
      local file = assert(io.open(directory .. "/rules.lua", "w"))
      file:write('return require("avito_messenger").rulebook { burst = "1s", ', text, " }")
      file:close()
      return directory .. "/rules.lua"
    end

    it("lies beside the rulebook, is uploaded once, and then sent by its id", function()
      open { rulebook = write '{ "фото", hears = "фото", image = "photos/front.png" }' }
      place:says { buyer = 1, text = "Фото?" }
      place:at(20, function() place:says { buyer = 2, text = "Фото?" } end)
      poll()
      assert.equal(1, #place:requests "upload_image")
      local sends = place.box:sends()
      assert.equal(2, #sends)
      assert.equal("image", sends[1].type)
      assert.equal(sends[1].image_id, sends[2].image_id)
      assert.same({}, place.errors)
    end)

    it("is uploaded again when the rulebook was read again", function()
      open { rulebook = write '{ "фото", hears = "фото", image = "photos/front.png" }' }
      place:says { buyer = 1, text = "Фото?" }
      place:at(20, function()
        place.bot:reload()
        place:says { buyer = 2, text = "Фото?" }
      end)
      poll()
      assert.equal(2, #place:requests "upload_image")
    end)

    it("whose upload fails is sent later", function()
      open { rulebook = write '{ "фото", hears = "фото", image = "photos/front.png" }', client = { retries = 0 } }
      local chat = place:says "Фото?"
      place.box:fault { operation = "upload_image", kind = "apply_and_close" }
      poll()
      assert.same({ "buyer: Фото?", "bot: [image]" }, place:conversation(chat))
      assert.same({}, place.errors)
      -- Nobody had to find out whether it was in the chat.
      assert.is_true(place.box:sends()[1].time - place:requests("upload_image")[1].time < 30)
    end)

    it("whose answer was lost is in the chat once", function()
      open { rulebook = write '{ "фото", hears = "фото", image = "photos/front.png" }' }
      local chat = place:says "Фото?"
      place.box:fault { operation = "send_image_message", kind = "apply_and_close" }
      poll(120)
      assert.same({ "buyer: Фото?", "bot: [image]" }, place:conversation(chat))
      assert.is_false(place:unread(chat))
    end)

    it("that is gone when it is wanted is reported, and what follows it is not said", function()
      open { rulebook = write [[ { "фото", hears = "фото", run = function(c)
        c:image("photos/back.png")
        c:say("Как вам?")
      end } ]] }
      local chat = place:says "Фото?"
      poll()
      assert.same({ "buyer: Фото?" }, place:conversation(chat))
      assert.equal(1, #place.errors)
      assert.matches("image was not done: .*photos/back.png", place.errors[1])
    end)

    it("may have an id, as uploads give it", function()
      open { rulebook = shop.rules }
      place.bot:poll { rounds = 1 }
      local id = assert(place.client:upload_image "examples/phone.png")
      assert.matches("^%d+%.%x+$", id)
      local before = place.bot
      place.bot = avito.bot { client = place.client, rulebook = { burst = "1s", { "фото", hears = "фото", image = id } },
        on_error = before.on_error }
      local chat = place:says "Фото?"
      poll()
      assert.same({ "buyer: Фото?", "bot: [image]" }, place:conversation(chat))
      assert.equal(id, place.box:sends()[1].image_id)
      assert.same({}, place.errors)
    end)
  end)

  describe("the blacklist", function()
    local rules = { burst = "1s", { "спам", hears = "~спам", act = { { "blacklist", reason = "spam" }, "mark_read" } },
      { "всё", say = "Слушаю." } }

    it("gets the buyer, with the item the chat is about", function()
      open { rulebook = rules }
      local chat = place:says "Заработок на дому"
      place:at(20, function() place:says "Ау?" end)
      poll()
      local listed = place.box:state().blacklist
      assert.equal(1, #listed)
      assert.same({ shop.buyer, shop.phone, 1 }, { listed[1].user_id, listed[1].item_id, listed[1].reason_id })
      assert.same({ "buyer: Заработок на дому", "buyer: Ау?" }, place:conversation(chat))
      assert.same({}, place.errors)
    end)

    it("gets the buyer of a chat without an item", function()
      open { rulebook = rules }
      place.box:say { buyer = 17, text = "Заработок на дому" }
      poll()
      local listed = place.box:state().blacklist
      assert.equal(1, #listed)
      assert.equal(17, listed[1].user_id)
      assert.same({}, place.errors)
    end)
  end)

  describe("marking as read", function()
    it("is content with an empty answer", function()
      open { sandbox = { empty_read = 1 } }
      local chat = place:says "Торг есть?"
      poll()
      assert.equal(1, #place:requests "mark_chat_as_read")
      assert.is_false(place:unread(chat))
    end)

    it("finds what the buyer wrote meanwhile, also where it was done and the answer got lost, and is refused then", function()
      open { client = { retries = 0 } }
      local chat = place:says "Торг есть?"
      place.box:fault { operation = "mark_chat_as_read", kind = "apply_and_close" }
      place.box:fault { operation = "mark_chat_as_read", kind = "status", status = 403 }
      place:before("POST .*/read$", function() place:says { chat_id = chat, text = "А доставка?" } end)
      poll()
      assert.same({ "buyer: Торг есть?", "bot: Торг при осмотре.", "buyer: А доставка?", "bot: Отправлю завтра." },
        place:conversation(chat))
    end)

    it("is tried again", function()
      open { client = { retries = 0 } }
      local chat = place:says "Торг есть?"
      place.box:fault { operation = "mark_chat_as_read", kind = "status", status = 500 }
      poll()
      assert.is_false(place:unread(chat))
      assert.equal(1, #place.box:sends())
    end)
  end)

  describe("calling a person", function()
    local rules = { burst = "1s", { "оператор", hears = "~оператор", act = { "escalate", reason = "просит человека" } } }

    it("tells who is wanted where, once, and leaves the chat unread", function()
      local calls = {}
      open { rulebook = rules, on_escalate = function(call) calls[#calls + 1] = call end }
      local chat = place:says "Позовите оператора"
      poll()
      assert.equal(1, #calls)
      assert.same({ chat, "просит человека", "оператор", "Позовите оператора", "escalated" },
        { calls[1].chat_id, calls[1].note, calls[1].rule, calls[1].text, calls[1].why })
      assert.is_true(place:unread(chat))
      assert.equal(1, #place:requests "get_messages") -- nobody looks before what the buyer does not see
    end)

    it("does nothing where the program has no use for it", function()
      open { rulebook = rules }
      local chat = place:says "Позовите оператора"
      poll()
      assert.same({}, place.errors)
      assert.is_nil(place.bot.lanes:chat(chat).outbox)
    end)

    it("is tried again when it raises", function()
      local calls = 0
      open { rulebook = rules, on_escalate = function()
        calls = calls + 1
        if calls < 3 then error "no e-mail today" end
      end }
      place:says "Позовите оператора"
      poll(120)
      assert.equal(3, calls)
      assert.equal(2, #place.errors)
      assert.matches("^on_escalate: .*no e%-mail today", place.errors[1])
    end)
  end)

  describe("a function of calls", function()
    local function rules(call)
      return { burst = "1s", calls = { price = call },
        { "цена", hears = "цена", flow = "цена" },
        avito.flow { "цена", function(c)
          local value, why = c:call("price", { model = "12" })
          c:say(("%s %s"):format(tostring(value), tostring(why)))
        end } }
    end

    local function said(given)
      open(given)
      local chat = place:says "Цена?"
      poll()
      local lines = place:conversation(chat)
      return lines[2] and lines[2]:gsub("^bot: ", "")
    end

    it("is given what was asked, and whom it is about", function()
      local seen
      assert.equal("30000 nil", said { rulebook = rules(function(args, c)
        seen = { args, c }
        return 30000
      end) })
      assert.same({ model = "12" }, seen[1])
      assert.equal(shop.phone, seen[2].item.id)
      assert.equal(shop.buyer, seen[2].buyer.id)
      assert.same({}, seen[2].order)
      assert.matches("^u2i%-", seen[2].chat.id)
      assert.equal(place.client, seen[2].client)
      assert.matches("цена", seen[2].key)
    end)

    it("may come from the options, which come first", function()
      assert.equal("2 nil", said { rulebook = rules(function() return 1 end), calls = { price = function() return 2 end } })
    end)

    it("that raises is reported, and tells the dialogue why", function()
      local text = said { rulebook = rules(function() error "no prices today" end) }
      assert.matches("^nil .*no prices today$", text)
      assert.matches("^call 'price': .*no prices today", place.errors[1])
    end)

    it("that raises a table tells what it says", function()
      local text = said { rulebook = rules(function()
        error(setmetatable({}, { __tostring = function() return "no prices" end }))
      end) }
      assert.equal("nil no prices", text)
    end)

    it("that returns nothing gives nothing", function()
      assert.equal("nil nil", said { rulebook = rules(function() end) })
    end)

    it("that returns what cannot be kept ends the dialogue, and a person is called", function()
      local called
      for _, value in ipairs { print, io.stdout, coroutine.create(print), 0 / 0 } do
        assert.is_nil(said { rulebook = rules(function() return { value } end), on_escalate = function(call) called = call end })
        assert.matches("what it returned cannot be kept", called.note)
      end
    end)

    it("that is not there tells so", function()
      open { rulebook = rules(function() return 1 end) }
      place.bot.engine.book.calls.price = nil
      local chat = place:says "Цена?"
      poll()
      assert.equal("bot: nil c:call: unknown call 'price'", place:conversation(chat)[2])
    end)
  end)

  describe("looking a chat up", function()
    local rules = { burst = "1s", { "торг", hears = "торг*", item = { price = ">= 5000" }, say = "Торг по «{item.title}»." } }
    -- Facts are an hour old when the next message comes through a webhook, and no list of chats brings them.
    local function open_late()
      open { rulebook = rules, client = { retries = 0 } }
      local chat = place:says "Добрый день"
      poll(10)
      place.driver:sleep(5000)
      local message = place.box:say { chat_id = chat, text = "Торг есть?" }
      place.bot.lanes:post(chat, { type = "message", message = { id = message.message_id, author_id = shop.buyer,
        created = message.created, type = "text", content = { text = "Торг есть?" } } })
      return chat
    end

    it("is done where nothing else told of it", function()
      local chat = open_late()
      place.bot:poll { interval = 3600, seconds = 60, chat_types = { "a2u" } }
      assert.equal(1, #place:requests "get_chat")
      assert.equal("bot: Торг по «iPhone 12».", place:conversation(chat)[3])
    end)

    it("is tried again", function()
      local chat = open_late()
      place.box:fault { operation = "get_chat", kind = "status", status = 500 }
      place.bot:poll { interval = 3600, seconds = 60, chat_types = { "a2u" } }
      assert.equal(2, #place:requests "get_chat")
      assert.equal("bot: Торг по «iPhone 12».", place:conversation(chat)[3])
    end)

    it("which raises is an answer like another", function()
      open_late()
      function place.client.get_chat() error "a mistake" end
      place.bot:poll { interval = 3600, seconds = 60, chat_types = { "a2u" } }
      assert.is_false(place.bot.lanes:busy())
    end)
  end)

  it("what the client refuses as misuse is reported, and not tried again", function()
    open()
    place:says "Торг есть?"
    local count = 0
    function place.client.send_message()
      count = count + 1
      error "misuse"
    end
    poll()
    assert.equal(1, count)
    assert.equal(1, #place.errors)
    assert.matches("send was not done: .*misuse", place.errors[1])
  end)
end)
