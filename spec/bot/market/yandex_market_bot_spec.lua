local avito = require "avito_messenger"
local hooks = require "avito_messenger.bot.hooks"
local market = require "avito_messenger.bot.market.yandex_market"
local inbox = require "avito_messenger.bot.inbox"
local shop = require "support.yandex_shop"

local CHAT = "7001"
local ANSWERED = { "CUSTOMER: Торг есть?", "PARTNER: Торг при осмотре." }
local DAY = 86400

describe("a bot of Yandex Market", function()
  local place

  local function open(given)
    place = shop.open(given)
    return place
  end

  local function errors() return place.errors end

  describe("that is told of a message by its id", function()
    it("fetches it, answers it once, and knows its own words when it sees them", function()
      open()
      function place.on_sent(chat_id, id) place:notify(chat_id, id) end
      place:notify(CHAT, place:says(CHAT, "Торг есть?"))
      place:work()
      assert.same(ANSWERED, place:conversation(CHAT))
      assert.equal(1, #place:calls "get_chat_message")
      assert.same({}, place:told "human")
      assert.equal("502", place:told("done")[1].id)
      assert.is_nil(place:record(CHAT).echoes)
      assert.same({}, errors())
    end)

    it("does so again when it is told twice, or finds it by itself first", function()
      open()
      local id = place:says(CHAT, "Торг есть?")
      place:notify(CHAT, id)
      place:notify(CHAT, id)
      place:poll { seconds = 60 }
      place:notify(CHAT, id)
      place:work()
      assert.same(ANSWERED, place:conversation(CHAT))
      assert.equal(1, #place:calls "send_message")
    end)

    it("reads the chat for several, or for one that is not there", function()
      open()
      local one, two = place:says(CHAT, "Торг есть?"), place:says(CHAT, "А доставка?")
      place:notify(CHAT, two)
      place:notify(CHAT, one)
      place:work()
      assert.same({}, place:calls "get_chat_message")
      assert.same({ "CUSTOMER: Торг есть?", "CUSTOMER: А доставка?", "PARTNER: Торг при осмотре." }, place:conversation(CHAT))

      place:fail("get_chat_message", { kind = "not_found" })
      place:notify("7002", place:says("7002", "Торг есть?"))
      place:work()
      assert.same(ANSWERED, place:conversation "7002")
      function place.client.get_chat_message() return place.chats["7002"].messages[1] end
      place:notify("7003", place:says("7003", "Торг есть?"))
      place:work()
      assert.same(ANSWERED, place:conversation "7003")
      assert.same({}, errors())
    end)

    it("answers what was written after it together with it, unless it does not come for half a minute", function()
      for _, comes in ipairs { true, false } do
        open()
        local commits, store = 0, place.store
        local commit = store.commit
        function store.commit(...)
          commits = commits + 1
          return commit(...)
        end
        local one = place:says(CHAT, "Торг есть?", { hidden = true })
        place:notify(CHAT, place:says(CHAT, "А доставка?"))
        place:notify(CHAT, one)
        place:at(10, function() place.chats[CHAT].messages[1].hidden = not comes end)
        place:work(25)
        assert.equal(comes and "PARTNER: Торг при осмотре." or nil, place:conversation(CHAT)[3])
        assert.is_true(commits < 40, commits) -- it waits, and does not ask again and again whether it may go on
        place:work(60)
        assert.equal(comes and "PARTNER: Торг при осмотре." or "PARTNER: Отправлю завтра.", place:conversation(CHAT)[3])
      end
    end)

    it("answers what was written before it, and found meanwhile, first", function()
      open { rulebook = { burst = 0, { "торг", hears = "торг*", say = "Торг при осмотре." },
        { "доставка", hears = "доставк*", say = "Отправлю завтра." } } }
      local one, two = place:says(CHAT, "Торг есть?"), place:says(CHAT, "А доставка?")
      place:notify(CHAT, two)
      local client, lanes = place.client, place.bot.lanes
      local found = assert(market.message(client, CHAT, one))
      local fetch = client.get_chat_message
      function client.get_chat_message(...)
        assert(lanes:receive(inbox.rows(CHAT, { type = "message", message = found }, market.hook)))
        return fetch(...)
      end
      place:work()
      assert.equal("PARTNER: Торг при осмотре.", place:conversation(CHAT)[3])
    end)

    it("asks until it is there, also after a restart", function()
      open()
      place:fail("get_chat_message", { kind = "server" })
      place:fail("get_chat_history", { kind = "server" }, 2)
      place:fail("get_chat_history", { kind = "rate_limited", retry_after = 100 })
      local id = place:says(CHAT, "Торг есть?", { hidden = true })
      place:notify(CHAT, id)
      place:work(5)
      assert.equal(1, #place:calls "get_chat_history")
      place:restart()
      place:at(300, function() place.chats[CHAT].messages[1].hidden = nil end)
      place:work(800)
      assert.same(ANSWERED, place:conversation(CHAT))
      local calls = place:calls "get_chat_history"
      assert.is_true(calls[4].at - calls[3].at >= 100)
      assert.equal(1, #place:calls "get_chat_message")
      assert.is_nil(place:record(CHAT).told)
    end)

    it("answers once, whenever the program ends and begins again", function()
      local crash, crashes = 0, 0
      repeat
        crash = crash + 1
        open()
        place:notify(CHAT, place:says(CHAT, "Торг есть?"))
        function place.on_sent(chat_id, id) place:notify(chat_id, id) end
        place:moments(function(number)
          if number == crash then error("interrupted!", 0) end
        end)
        local whole = pcall(place.work, place, 30)
        place.on_moment = nil
        if not whole then
          crashes = crashes + 1
          place:restart()
          place:work(120)
        end
        assert.same(ANSWERED, place:conversation(CHAT), "crash " .. crash)
        assert.same({}, place:told "human")
        assert.is_nil(place:record(CHAT).told)
        assert.is_nil(place:record(CHAT).outbox)
        assert.same({}, errors())
      until whole
      assert.is_true(crashes > 15, crashes .. " moments")
    end)

    it("takes messages of two chats that have the same id", function()
      open()
      for _, chat in ipairs { "7002", "7003" } do
        place.serial = 500
        place:says(chat, "Торг есть?")
      end
      place:notify("7002", "501")
      place:notify("7003", "501")
      place:work()
      assert.same({ ANSWERED, ANSWERED }, { place:conversation "7002", place:conversation "7003" })
      for _, chat in ipairs { "7004", "7005" } do
        place.serial = 500
        place:says(chat, "Торг есть?")
      end
      place:poll { seconds = 30 }
      assert.same({ ANSWERED, ANSWERED }, { place:conversation "7004", place:conversation "7005" })
    end)

    it("says so when that is not there after a day, and takes it when it comes all the same", function()
      open()
      local id = place:says(CHAT, "Торг есть?", { hidden = true })
      place:notify(CHAT, id)
      place:work(DAY + 1000)
      assert.same({ "message 501 was told of, and is not in its chat" }, errors())
      assert.is_nil(place:record(CHAT).told)
      local count = #place.log
      place:work(5000)
      assert.equal(count, #place.log)
      place.chats[CHAT].messages[1].hidden, place.chats[CHAT].updated = nil, place.driver:time()
      place:poll { seconds = 60 }
      assert.same(ANSWERED, place:conversation(CHAT))
    end)

    it("takes it from the chat where that is read before it could be fetched", function()
      open()
      place:fail("get_chat_message", { kind = "server", retry_after = 3000 })
      place:notify(CHAT, place:says(CHAT, "Торг есть?"))
      place:poll { seconds = 60 }
      assert.same(ANSWERED, place:conversation(CHAT))
      assert.is_nil(place:record(CHAT).told)
    end)

    it("reads the chat at once where too many were asked for by their ids", function()
      open()
      place:fail("get_chat_message", { kind = "rate_limited", retry_after = 3000 })
      place:notify(CHAT, place:says(CHAT, "Торг есть?"))
      place:work(60)
      assert.same(ANSWERED, place:conversation(CHAT))
      assert.same({}, errors())
    end)

    it("gives up what is in a chat that is not there for a day, and the chat", function()
      open()
      place:fail("get_chat_message", { kind = "not_found" })
      place:fail("get_chat_history", { kind = "not_found" }, 5000)
      place:notify(CHAT, place:says(CHAT, "Торг есть?", { hidden = true }))
      place:chat "7002"
      place:post { notificationType = "CHAT_CREATED", chatId = "7002" }
      place:work(DAY + 1000)
      local count = #place.log
      place:work(5000)
      assert.equal(count, #place.log)
      assert.same({ place:record(CHAT).told, place:record("7002").told }, {})
      local told = table.concat(errors(), "\n")
      assert.matches("message 501 was told of, and the chat cannot be read: [^\n]*not_found", told)
      assert.matches("there is news of the chat, and the chat cannot be read: [^\n]*not_found", told)
    end)

    it("reports once that it cannot be read, and does not give up", function()
      open()
      place:fail("get_chat_message", { kind = "server" })
      place:fail("get_chat_history", { kind = "server" }, 200)
      place:notify(CHAT, place:says(CHAT, "Торг есть?"))
      place:work(2 * DAY)
      assert.equal(1, #errors(), table.concat(errors(), " / "))
      assert.matches("what was written cannot be read yet: .*server", errors()[1])
      assert.same(ANSWERED, place:conversation(CHAT))
    end)

    it("leaves what is from before the first start", function()
      open()
      local id = place:says(CHAT, "Торг есть?", { createdAt = shop.start - 60 })
      place:notify(CHAT, id, shop.start - 60)
      place:work()
      assert.same({}, place.log)
      place:notify(CHAT, place:says(CHAT, "Доставка?"))
      place:work()
      assert.same({ "CUSTOMER: Торг есть?", "CUSTOMER: Доставка?", "PARTNER: Отправлю завтра." }, place:conversation(CHAT))
      place:notify("7002", place:says("7002", "Торг есть?", { createdAt = shop.start - 60 }), 253402300800)
      place:work()
      assert.same({ "CUSTOMER: Торг есть?" }, place:conversation "7002")
    end)

    it("reads a chat that is new", function()
      open()
      place:says(CHAT, "Торг есть?")
      place:post { notificationType = "CHAT_CREATED", chatId = CHAT, createdAt = "2026-11-25T10:30:00Z" }
      place:work()
      assert.same(ANSWERED, place:conversation(CHAT))
      assert.is_nil(place:record(CHAT).told)
    end)

    it("takes a message of a chat whose id is beyond 2^53", function()
      open { first_id = 2 ^ 52 }
      local chat = "9223372036854775807"
      place:notify(chat, place:says(chat, "Торг есть?"))
      place:work()
      assert.same(ANSWERED, place:conversation(chat))
      assert.equal(chat, place:calls("send_message")[1][1])
    end)
  end)

  describe("that polls", function()
    it("answers, whatever the order of lists, over pages, and with a last page that repeats for ever", function()
      for _, order in ipairs { "ascending", "descending", "mixed" } do
        for _, repeats in ipairs { false, true } do
          open { order = order, repeats = repeats, page = 2 }
          for i = 1, 3 do
            local chat = ("70%d"):format(i)
            for number = 1, 5 do place:says(chat, ("раз %d"):format(number)) end
            place:says(chat, "Торг есть?")
          end
          place:poll { seconds = 60 }
          for i = 1, 3 do
            local lines = place:conversation(("70%d"):format(i))
            assert.same({ 7, "PARTNER: Торг при осмотре." }, { #lines, lines[7] }, order)
          end
          assert.same({}, errors())
        end
      end
    end)

    it("finds the last of a great many", function()
      open { page = 1, order = "ascending" }
      for id = 1, 120 do place:chat(tostring(6000 + id), { updated = shop.start - 100 }) end
      place:says(CHAT, "Торг есть?")
      place:poll { seconds = 15 }
      assert.same(ANSWERED, place:conversation(CHAT))
    end)

    it("finds a second message of the same second, which it did not see at first", function()
      open { rulebook = { burst = "3s", { "доставка", hears = "доставк*", say = "Отправлю завтра." } } }
      place:says(CHAT, "Торг есть?")
      place:says(CHAT, "А доставка?", { hidden = true })
      place:at(1, function() place.chats[CHAT].messages[2].hidden = nil end)
      place:poll { seconds = 30 }
      assert.equal("PARTNER: Отправлю завтра.", place:conversation(CHAT)[3])
    end)

    it("reads a chat again until it is certain that nothing of the same second is new, and not after that", function()
      open { rulebook = { { "молчит", hears = "нет такого", say = "…" } } }
      place:says(CHAT, "Торг есть?")
      place:poll { seconds = 100 }
      local calls = place:calls "get_chat_history"
      assert.equal(2, #calls)
      assert.is_true(calls[2].at - calls[1].at >= 5)
      place:says(CHAT, "Ау?")
      place:poll { seconds = 100 }
      assert.equal(4, #place:calls "get_chat_history")
    end)

    it("asks for chats that wait for the seller or the market, or as it is told", function()
      open()
      place:poll { rounds = 1 }
      assert.same({ "NEW", "WAITING_FOR_PARTNER", "WAITING_FOR_ARBITER", "WAITING_FOR_MARKET" },
        place:calls("get_chats")[1][1].statuses)
      assert.is_nil(place:calls("get_chats")[1][1].context_types)
      place:poll { rounds = 1, statuses = { "FINISHED" }, chat_types = { "return", "direct" } }
      local asked = place:calls("get_chats")[2][1]
      assert.same({ { "FINISHED" }, { "RETURN", "DIRECT" } }, { asked.statuses, asked.context_types })
    end)

    it("refuses what is no status and no type of a chat", function()
      open()
      for message, given in pairs { ["statuses: unknown status 'NEWS' %(did you mean 'NEW'%?%)"] = { statuses = { "NEWS" } },
        ["chat_types: unknown chat type 'u2i'"] = { chat_types = { "u2i" } }, ["statuses is empty"] = { statuses = {} } } do
        local ok, err = pcall(function() place.bot:poll(given) end)
        assert.is_false(ok)
        assert.matches("yandex_market_bot_spec%.lua:%d+: bot:poll: " .. message, err)
      end
    end)

    it("tells what is known of the chat to the rules", function()
      open { rulebook = { { "заказ", hears = "торг*", chat_type = "return",
        say = "{buyer.name}, заказ {order.id}, {return.id}" } } }
      place:chat(CHAT, { context = { type = "RETURN", orderId = 9001, returnId = 31, campaignId = 77,
        customer = { name = "Покупатель", publicId = "abc" } } })
      place:notify(CHAT, place:says(CHAT, "Торг есть?"))
      place:work()
      assert.equal("PARTNER: Покупатель, заказ 9001, 31", place:conversation(CHAT)[2])
    end)
  end)

  describe("that sends", function()
    local function replies(given)
      open(given)
      place:notify(CHAT, place:says(CHAT, "Торг есть?"))
    end

    it("answers what was written meanwhile, which no list of chats shows any more", function()
      replies()
      place:at(4, function() end)
      function place.on_sent(chat_id)
        place.on_sent = nil
        place:says(chat_id, "А доставка?")
        place.chats[chat_id].status = "WAITING_FOR_CUSTOMER"
      end
      place:work()
      assert.equal("PARTNER: Отправлю завтра.", place:conversation(CHAT)[4])
    end)

    it("reads the chat until it can, where it could not after that", function()
      replies()
      function place.on_sent(chat_id)
        place.on_sent = nil
        place:fail("get_chat_history", { kind = "server" }, 2)
        place:says(chat_id, "А доставка?")
        place.chats[chat_id].status = "WAITING_FOR_CUSTOMER"
      end
      place:work(120)
      assert.equal("PARTNER: Отправлю завтра.", place:conversation(CHAT)[4])
      assert.same({}, place:told "human")
      assert.is_nil(place:record(CHAT).echoes)
      assert.same({}, errors())
    end)

    it("reads the chat again where that lags behind, and answers what was written meanwhile", function()
      replies()
      local list = place.chats[CHAT].messages
      function place.on_sent(chat_id)
        place.on_sent = nil
        list[#list].hidden = true
        place:says(chat_id, "А доставка?", { hidden = true })
        place.chats[chat_id].status = "WAITING_FOR_CUSTOMER"
        place:at(place.driver.elapsed + 10, function()
          for _, message in ipairs(list) do message.hidden = nil end
        end)
      end
      place:work(120)
      assert.equal("PARTNER: Отправлю завтра.", place:conversation(CHAT)[4])
      assert.same({}, place:told "human")
      assert.is_nil(place:record(CHAT).told)
    end)

    it("reads the chat once where it does not lag behind, and not for ever where it never shows what was sent", function()
      replies()
      place:work(600)
      assert.equal(2, #place:calls "get_chat_history")
      function place.on_sent(chat_id)
        local list = place.chats[chat_id].messages
        list[#list].hidden = true
      end
      place:notify("7002", place:says("7002", "Торг есть?"))
      place:work(600)
      assert.is_nil(place:record("7002").told)
      assert.is_true(#place:calls "get_chat_history" < 12)
    end)

    it("the same once more, which is not there because the reply before it shows up late", function()
      replies()
      local list = place.chats[CHAT].messages
      function place.on_sent()
        place.on_sent = nil
        local late = list[#list]
        late.hidden = true
        place:at(place.driver.elapsed + 20, function() late.hidden = nil end)
      end
      place:at(10, function()
        place:fail("send_message", { kind = "timeout" })
        place:notify(CHAT, place:says(CHAT, "А торг?"))
      end)
      place:work(300)
      assert.equal("PARTNER: Торг при осмотре.", place:conversation(CHAT)[4])
      assert.equal(4, #place:conversation(CHAT))
      assert.same({}, place:told "human")
    end)

    it("once, where the answer was lost", function()
      replies()
      place:fail("send_message", { kind = "timeout", answered = false })
      place:work(120)
      assert.same(ANSWERED, place:conversation(CHAT))
      assert.same({}, place:told "human")
      assert.same({}, errors())
    end)

    it("again, where the message was", function()
      replies()
      place:fail("send_message", { kind = "timeout" })
      place:work(120)
      assert.same(ANSWERED, place:conversation(CHAT))
      assert.equal(2, #place:calls "send_message")
    end)

    it("nothing again where the chat cannot be read to its end", function()
      replies { repeats = true, order = "ascending" }
      place:fail("send_message", { kind = "timeout" })
      for _ = 1, 99 do place:says(CHAT, "раз") end
      place:work(5 * 3600)
      assert.equal(1, #place:calls "send_message")
      assert.matches("not certain that it was not sent", errors()[1])
      replies { repeats = true, order = "ascending" }
      place:fail("send_message", { kind = "timeout" })
      place:work(120)
      assert.same(ANSWERED, place:conversation(CHAT))
    end)

    it("a picture, which it knows by whatever name it gets", function()
      replies { rulebook = { { "фото", hears = "торг*", image = "examples/phone.png" } } }
      place.renames = "noname"
      place:work()
      assert.same({ "CUSTOMER: Торг есть?", "PARTNER: [file]" }, place:conversation(CHAT))
      assert.equal("examples/phone.png", place:calls("send_file")[1][2])
      assert.same({}, place:told "human")
      assert.is_nil(place:record(CHAT).echoes)
    end)

    it("and stays silent where a person has typed meanwhile", function()
      replies()
      place:at(2, function() place:says(CHAT, "Я сам отвечу", { sender = "PARTNER" }) end)
      place:work()
      assert.equal(1, #place:told "human")
      assert.same({}, place:calls "send_message")
    end)
  end)

  describe("that is refused", function()
    local function replies(kind, of_list, times)
      open()
      place:notify(CHAT, place:says(CHAT, "Торг есть?"))
      place:fail("send_message", { kind = kind }, times)
      if of_list then place:fail("get_chats", { kind = of_list }) end
      place:work()
    end

    it("one chat rejects the reply, when it is so a second time", function()
      replies("forbidden", nil, 2)
      assert.equal(2, #place:calls "get_chats")
      assert.equal(2, #place:calls "send_message")
      assert.matches("send was not done: .*forbidden", errors()[1])
      assert.is_nil(place.bot.parked)
      assert.is_nil(place:record(CHAT).outbox)
    end)

    it("for a moment, and not any more when that is looked into, sends the reply", function()
      replies "forbidden"
      assert.same(ANSWERED, place:conversation(CHAT))
      assert.is_nil(place.bot.parked)
    end)

    it("the chat for a moment, when it is read before the reply is sent, sends the reply", function()
      open()
      place:notify(CHAT, place:says(CHAT, "Торг есть?"))
      place:fail("get_chat_history", { kind = "forbidden" })
      place:work()
      assert.same(ANSWERED, place:conversation(CHAT))
      assert.same({}, errors())
    end)

    it("one chat rejects the reply, too, where the list of chats cannot be asked for in that way", function()
      replies("forbidden", "invalid")
      assert.matches("send was not done: .*forbidden", errors()[1])
      assert.is_nil(place.bot.parked)
    end)

    it("everything keeps the reply, parks, and sends it when it is served again", function()
      replies("forbidden", "forbidden")
      assert.equal("auth", place.bot.parked.kind)
      assert.same({ nil, "parked" }, { place.bot:health() })
      assert.equal("queued", place:record(CHAT).outbox[1].state)
      place:fail("get_chats", { kind = "forbidden" })
      place:work(10)
      assert.equal("auth", place.bot.parked.kind)
      place:work(2000)
      assert.is_nil(place.bot.parked)
      assert.same(ANSWERED, place:conversation(CHAT))
    end)

    it("what nobody can tell is tried again", function()
      replies("forbidden", "server")
      assert.is_nil(place.bot.parked)
      assert.same(ANSWERED, place:conversation(CHAT))
    end)

    it("the list of chats parks", function()
      open()
      place:fail("get_chats", { kind = "forbidden" })
      place:poll { seconds = 20 }
      assert.equal("auth", place.bot.parked.kind)
    end)
  end)

  describe("in whose chat a dispute begins", function()
    local function dispute(kind, field, at)
      place:post { notificationType = kind, chatId = CHAT, [field] = at }
    end

    local function begins(at) dispute("CHAT_ARBITRAGE_STARTED", "startedAt", at or "2026-11-25T10:30:02Z") end
    local function ends(at) dispute("CHAT_ARBITRAGE_FINISHED", "finishedAt", at or "2026-11-25T10:40:00Z") end

    it("takes back what it had not said, calls a person, and is silent until it is over", function()
      open()
      place:notify(CHAT, place:says(CHAT, "Торг есть?"))
      place:at(2, begins)
      place:work(13 * 3600)
      assert.same({}, place:calls "send_message")
      assert.equal("dispute", place.escalations[1].why)
      assert.equal(1, #place.escalations)
      assert.equal("there is a dispute in this chat", place:told("silent")[1].why)
      ends()
      place:work(10)
      place:notify(CHAT, place:says(CHAT, "А доставка?"))
      place:work()
      assert.equal("PARTNER: Отправлю завтра.", place:conversation(CHAT)[3])
    end)

    it("speaks again when it is told to", function()
      open()
      place:says(CHAT, "Торг есть?")
      begins()
      place:work(5)
      place.bot:resume(7001)
      begins()
      place:work(5)
      place:notify(CHAT, place.chats[CHAT].messages[1].messageId .. "")
      place:work()
      assert.same(ANSWERED, place:conversation(CHAT))
    end)

    it("sees its end in the list of chats, where nobody tells of that", function()
      open()
      place:says(CHAT, "Здравствуйте")
      begins()
      place:poll { seconds = 20 }
      assert.is_true(place:record(CHAT).dispute.open) -- the list may lag behind
      place.chats[CHAT].type, place.chats[CHAT].status = "ARBITRAGE", "WAITING_FOR_ARBITER"
      place:poll { seconds = 20 }
      assert.is_true(place:record(CHAT).dispute.open)
      place.chats[CHAT].type = "CHAT"
      place:says(CHAT, "Торг есть?")
      place:poll { seconds = 60 }
      assert.equal("PARTNER: Торг при осмотре.", place:conversation(CHAT)[3])
      assert.equal(1, #place.escalations)
    end)

    it("sees it in the list of chats, and its end", function()
      open()
      place:says(CHAT, "Торг есть?")
      place.chats[CHAT].type, place.chats[CHAT].status = "ARBITRAGE", "WAITING_FOR_ARBITER"
      place:poll { seconds = 60 }
      assert.equal("dispute", place.escalations[1].why)
      assert.same({}, place:calls "send_message")
      place.chats[CHAT].type, place.chats[CHAT].status = "CHAT", "WAITING_FOR_PARTNER"
      place:poll { seconds = 60 }
      assert.is_false(place:record(CHAT).dispute.open)
      place:says(CHAT, "А доставка?")
      place:poll { seconds = 60 }
      assert.equal("PARTNER: Отправлю завтра.", place:conversation(CHAT)[3])
      assert.equal(1, #place.escalations)
    end)
  end)

  describe("as a whole", function()
    it("is called by its business", function()
      open()
      assert.equal("yandex_market:880042", place.bot:account())
      assert.matches('account="yandex_market:880042"', place.bot.metrics:text())
    end)

    it("is so from the beginning: what is posted to others is not taken for its own", function()
      open()
      local bot = avito.bot { client = place.client, rulebook = shop.rules }
      assert.equal("yandex_market:880042", bot:account())
      local rows = { { chat_id = "1", key = "1", kind = "yandex_market", body = "{}" } }
      assert.same({ "foreign", "for account yandex_market:1, and the bot is that of yandex_market:880042" },
        { select(2, hooks.account(bot, { rows = rows, account = "yandex_market:1" })) })
    end)

    it("takes ids of chats as numbers, too, as long as they are exact", function()
      open()
      place.bot:pause(7001, "1h")
      place.bot:pause "7002"
      place:work(5)
      assert.equal("paused", place:record("7001").silent.why)
      assert.equal("paused", place:record("7002").silent.why)
      for _, wrong in ipairs { "u2i-1", "", "07", 1.5, -1, 0, true, ("9"):rep(20) } do
        assert.has_error(function() place.bot:pause(wrong) end)
      end
      assert.is_nil(market.chat_id(2.0 ^ 53 + 2.0))
    end)

    it("has no user_id of its own", function()
      open()
      local ok, err = pcall(require("avito_messenger").bot, { client = place.client, rulebook = shop.rules, user_id = 5 })
      assert.is_false(ok)
      assert.matches("user_id: the account of a bot of Yandex Market is its client's business_id", err)
    end)
  end)
end)
