local shop = require "support.shop"

local DAY, HOUR, MINUTE = 86400, 3600, 60

describe("polling", function()
  local place

  local function open(given)
    place = shop.open(given)
    return place
  end

  local function poll(given)
    given = given or {}
    given.interval = given.interval or 5
    given.seconds = given.seconds or 60
    place.bot:poll(given)
  end

  local function times(operation)
    local list, first = {}, nil
    for i, entry in ipairs(place:requests(operation)) do
      first = first or entry.time
      list[i] = entry.time - first
    end
    return list
  end

  it("answers what is written while it runs, once, and marks it as read after that", function()
    open()
    local chat
    place:at(7, function() chat = place:says "Торг есть?" end)
    poll()
    assert.same({ "buyer: Торг есть?", "bot: Торг при осмотре." }, place:conversation(chat))
    assert.is_false(place:unread(chat))
    assert.equal("Торг при осмотре.", place:told("effect")[1].effect.text)
    assert.same({}, place:told "dropped") -- nothing is told twice
    local counts = {}
    for _, note in ipairs(place:told "poll") do counts[#counts + 1] = note.chats end
    assert.same({ 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0 }, counts)
    assert.is_true(place:requests("send_message")[1].serial < place:requests("mark_chat_as_read")[1].serial)
    assert.same({}, place.errors)
  end)

  it("costs a turn one reading of the list, three of the chat, a message and a mark", function()
    open()
    poll { rounds = 1 } -- the token and the account
    local before = #place.box:log()
    place:says "Торг есть?"
    poll { interval = 20, rounds = 1, seconds = 60 } -- ends when nothing is to be done at once: the burst has not ended
    poll { interval = 100, seconds = 5 }
    local seen = {}
    for i = before + 1, #place.box:log() do seen[#seen + 1] = place.box:log()[i].operation end
    assert.same({ "get_chats", "get_messages", "get_chats", "get_messages", "send_message", "mark_chat_as_read",
      "get_messages" }, seen)
  end)

  describe("finds what was written before:", function()
    local function chats()
      local now = 1767225600
      return { now = now, buyers = {}, chats = {
        { id = "u2i-long", account = shop.user_id, buyer = 1, item = shop.phone, messages = {
          { from = "buyer", ago = 5 * DAY, text = "Торг возможен?" },
          { from = "seller", ago = 4 * DAY, text = "Нет." },
          { from = "buyer", ago = 2 * HOUR, text = "А доставка есть?" } } },
        { id = "u2i-just", account = shop.user_id, buyer = 2, item = shop.phone, messages = {
          { from = "buyer", ago = 9 * MINUTE, text = "Торг есть?" } } },
      } }
    end

    local function said(id)
      local lines = {}
      for _, line in ipairs(place:conversation(id)) do
        if line:find "^bot" then lines[#lines + 1] = line end
      end
      return lines
    end

    it("nothing of it is answered, read or asked for", function()
      open { sandbox = chats() }
      poll()
      assert.same({}, place.box:sends())
      assert.same({}, place:requests "get_messages")
      assert.is_true(place:unread "u2i-just" and place:unread "u2i-long")
      place:says { chat_id = "u2i-long", text = "Ау, доставка?" }
      poll()
      assert.same({ "bot: Отправлю завтра." }, said "u2i-long")
    end)

    it("with backlog = true all that nobody has read", function()
      open { sandbox = chats() }
      poll { backlog = true }
      assert.same({ "bot: Отправлю завтра." }, said "u2i-long") -- the seller has answered the rest
      assert.same({ "bot: Торг при осмотре." }, said "u2i-just")
      assert.is_false(place:unread "u2i-just" or place:unread "u2i-long")
    end)

    it("with a span what is not older", function()
      open { sandbox = chats() }
      poll { backlog = "1h" }
      assert.same({}, said "u2i-long")
      assert.same({ "bot: Торг при осмотре." }, said "u2i-just")
    end)

    local function one_chat(messages)
      return { chats = { { id = "u2i-one", account = shop.user_id, buyer = 1, item = shop.phone, messages = messages } } }
    end

    it("but nothing that the seller has read and left", function()
      open { sandbox = one_chat { { from = "buyer", ago = 5 * HOUR, text = "Торг возможен?", read = true },
        { from = "buyer", ago = 2 * HOUR, text = "А доставка есть?" } } }
      poll { backlog = true }
      assert.same({ "bot: Отправлю завтра." }, said "u2i-one")
    end)

    it("and nothing in a chat in which the seller has just typed", function()
      open { sandbox = one_chat { { from = "buyer", ago = 3 * HOUR, text = "Здравствуйте" },
        { from = "seller", ago = HOUR, text = "Добрый день" }, { from = "buyer", ago = 30 * MINUTE, text = "Торг есть?" } } }
      poll { backlog = true }
      assert.same({}, said "u2i-one")
      assert.equal(1, #place:told "human")
    end)

    it("reading no more of a long chat than is new", function()
      local messages = {}
      for i = 1, 300 do messages[i] = { from = "buyer", ago = DAY + 300 - i, text = "Торг", read = true } end
      open { sandbox = one_chat(messages) }
      place:says { chat_id = "u2i-one", text = "Доставка есть?" }
      poll { seconds = 2 }
      assert.equal(1, #place:requests "get_messages")
    end)

    it("and of one that is too long as much as can be had", function()
      local messages = {}
      for i = 1, 1200 do messages[i] = { from = "buyer", ago = 1300 - i, text = "Торг есть?" } end
      open { sandbox = one_chat(messages) }
      poll { backlog = true }
      assert.same({}, place.errors)
      assert.same({ "bot: Торг при осмотре." }, said "u2i-one")
    end)

    it("and older words make later ones not the first", function()
      open { sandbox = chats(), rulebook = { { "привет", first = true, say = "Здравствуйте!" },
        { "иначе", say = "Слушаю." } } }
      place:says { chat_id = "u2i-just", text = "Ау" }
      local fresh = place:says { buyer = 77, text = "Добрый день" }
      poll()
      assert.same({ "bot: Слушаю." }, said "u2i-just")
      assert.same({ "bot: Здравствуйте!" }, said(fresh))
    end)
  end)

  it("knows a buyer's first turn though it was read in two goes", function()
    open { rulebook = { burst = "6s", { "привет", first = true, say = "Здравствуйте!" }, { "иначе", say = "Слушаю." } } }
    local chat = place:says "Добрый день"
    place:at(4, function() place:says "Телефон ещё продаёте?" end)
    poll()
    assert.same({ "buyer: Добрый день", "buyer: Телефон ещё продаёте?", "bot: Здравствуйте!" }, place:conversation(chat))
  end)

  it("does not answer what the buyer takes back", function()
    open { rulebook = { burst = "6s", shop.rules[1], shop.rules[2] } }
    local chat = place:says "Торг есть?"
    place:at(4, function()
      local message = place.box.market.chats[chat].messages[1]
      message.type, message.content = "deleted", {}
      place:says "Доставка есть?"
    end)
    poll()
    assert.same({ "buyer: [deleted]", "buyer: Доставка есть?", "bot: Отправлю завтра." }, place:conversation(chat))
  end)

  it("reads more than a page of unread chats, and answers each once", function()
    open()
    for buyer = 1, 230 do place:says { buyer = 1000 + buyer, text = "Торг есть?" } end
    poll()
    local sends = {}
    for _, send in ipairs(place.box:sends()) do sends[send.chat_id] = (sends[send.chat_id] or 0) + 1 end
    local count = 0
    for _, many in pairs(sends) do
      count = count + 1
      assert.equal(1, many)
    end
    assert.equal(230, count)
  end)

  describe("of a chat with more than a page of messages", function()
    local taken
    local rules = { burst = "3s", { "всё", run = function(c)
      for _, message in ipairs(c.messages) do taken[#taken + 1] = message.content.text end
      c:say "Понял."
    end } }
    local function numbers(count)
      local list = {}
      for i = 1, count do list[i] = tostring(i) end
      return list
    end
    before_each(function() taken = {} end)

    it("takes them all, in order", function()
      open { rulebook = rules }
      for i = 1, 90 do place:says(tostring(i)) end
      poll()
      assert.same(numbers(90), taken)
      assert.equal(1, #place.box:sends())
    end)

    it("takes them all where the server does not say that there are more", function()
      open { rulebook = rules, sandbox = { shapes = "contract" } }
      for i = 1, 90 do place:says(tostring(i)) end
      poll()
      assert.same(numbers(90), taken)
    end)

    it("takes each once though the chat grows meanwhile", function()
      open { rulebook = rules }
      for i = 1, 90 do place:says(tostring(i)) end
      place:behind("GET .*/messages/?$", function() place:says "91" end)
      poll()
      assert.same(numbers(91), taken)
    end)

    it("takes all that came since the bot had looked and before the chat was marked as read", function()
      open { rulebook = rules }
      local chat = place:says "1"
      place:before("POST .*/read$", function()
        for i = 2, 70 do place:says(tostring(i)) end
      end)
      poll()
      assert.same(numbers(70), taken)
      assert.equal(2, #place.box:sends())
      assert.is_false(place:unread(chat))
    end)
  end)

  it("does not lose what the buyer writes between the reading and the mark, though reading again fails", function()
    open()
    local chat = place:says "Торг есть?"
    place:before("POST .*/read$", function()
      place:says "А доставка?"
      place.box:fault { operation = "get_messages", kind = "status", status = 503, times = 6 }
    end)
    poll { seconds = 120 }
    assert.same({ "buyer: Торг есть?", "bot: Торг при осмотре.", "buyer: А доставка?", "bot: Отправлю завтра." },
      place:conversation(chat))
  end)

  it("leaves unread what nobody can answer, and asks only for the list then", function()
    open()
    local chat = place:says "Какого он цвета?"
    poll { seconds = 300 }
    assert.is_true(place:unread(chat))
    assert.equal(1, #place:requests "get_messages")
    assert.equal(60, #place:requests "get_chats")
    place:says "Торг есть?"
    poll()
    assert.is_false(place:unread(chat))
  end)

  it("asks for the types of chats it is told", function()
    local rules = { { "всё", chat_type = { "u2i", "u2u", "a2u" }, say = "Слушаю." } }
    for _, case in ipairs { { nil, 1 }, { { "u2i" }, 0 }, { { "u2u" }, 1 } } do
      open { rulebook = rules }
      local chat = place.box:say { buyer = 5, text = "Добрый день" }.chat_id
      assert.matches("^u2u", chat)
      poll { chat_types = case[1] }
      assert.equal(case[2], #place.box:sends())
    end
  end)

  describe("leaves a chat to the seller who types in it", function()
    local slow = { burst = "3s", { "торг", hears = "торг*", say = { "Торг при осмотре." }, delay = "20s" } }

    it("while the buyer's burst lasts", function()
      open()
      local chat = place:says "Торг есть?"
      place:at(2, function() place:writes(chat, "Сейчас отвечу") end)
      poll()
      assert.same({}, place.box:sends())
      assert.equal(1, #place:told "human")
    end)

    it("while the answer is delayed", function()
      open { rulebook = slow }
      local chat = place:says "Торг есть?"
      place:at(15, function() place:writes(chat, "Уступлю тысячу") end)
      poll()
      assert.same({ "buyer: Торг есть?", "seller: Уступлю тысячу" }, place:conversation(chat))
    end)

    it("though what they typed is far up the chat", function()
      open { rulebook = slow }
      local chat = place:says "Торг есть?"
      place:at(10, function()
        place:writes(chat, "Уступлю тысячу")
        for i = 1, 60 do place:says(("Фото %d"):format(i)) end
      end)
      poll()
      assert.same({}, place.box:sends())
    end)

    it("between two parts of an answer", function()
      open { rulebook = { { "торг", hears = "торг*", run = function(c)
        c:say "Торг при осмотре."
        c:say "Когда приедете?"
      end } } }
      place.box:fault { operation = "send_message", kind = "latency", seconds = 3 }
      local chat = place:says "Торг есть?"
      place:behind("POST .*/messages/?$", function() place:writes(chat, "Я здесь") end)
      poll()
      assert.same({ "buyer: Торг есть?", "bot: Торг при осмотре.", "seller: Я здесь" }, place:conversation(chat))
    end)

    it("and does not say afterwards what failed when they typed", function()
      open()
      local chat = place:says "Торг есть?"
      place.box:fault { operation = "send_message", kind = "status", status = 503, times = 3 }
      place:before("POST .*/messages/?$", function() place:writes(chat, "Я здесь") end)
      poll { seconds = 14 * HOUR, interval = 60 }
      assert.same({ "buyer: Торг есть?", "seller: Я здесь" }, place:conversation(chat))
      assert.is_true(#place:requests "get_messages" < 10)
    end)

    it("which may be another bot", function()
      open()
      local other = shop.open { box = place.box, driver = { now = place.driver:time() } }
      local chat = place:says "Торг есть?"
      other.client:send_message(chat, "Торг уместен, приезжайте.")
      poll()
      assert.same({ "buyer: Торг есть?", "bot: Торг уместен, приезжайте." }, place:conversation(chat))
    end)
  end)

  describe("goes on after errors:", function()
    local rows = {
      { name = "403", fault = { kind = "status", status = 403 } },
      { name = "500", fault = { kind = "status", status = 500 } },
      { name = "network", fault = { kind = "close" } },
    }
    for _, row in ipairs(rows) do
      it(row.name .. ", ever more rarely, and then as before", function()
        open { client = { retries = 0 } }
        poll { rounds = 1 }
        local chat = place:says "Торг есть?"
        row.fault.operation, row.fault.times = "get_chats", 12
        local fault = place.box:fault(row.fault)
        local asked = #place:requests "get_chats"
        poll { seconds = 5000, interval = 10 }
        assert.equal(12, fault.struck)
        local waits = times "get_chats"
        local longest = 0
        for i = asked + 1, #waits do longest = math.max(longest, waits[i] - (waits[i - 1] or 0)) end
        local last = waits[#waits] - waits[#waits - 1]
        assert.equal(300, math.floor(longest))
        assert.equal(10, math.floor(last + 0.5))
        assert.same({ "buyer: Торг есть?", "bot: Торг при осмотре." }, place:conversation(chat))
        assert.matches("^poll: get_chats: ", place.errors[1])
      end)
    end

    it("429, and not before the time it names", function()
      open { client = { retries = 0 } }
      poll { rounds = 1 }
      place.box:fault { operation = "get_chats", kind = "rate_limited", retry_after = 200 }
      place.notes = {}
      poll { seconds = 1000, interval = 10 }
      local waits = times "get_chats"
      assert.is_true(waits[3] - waits[2] >= 200)
      assert.equal(1, #place.errors)
    end)

    it("the account cannot be asked for", function()
      open { client = { retries = 0 } }
      place.box:fault { operation = "get_self", kind = "status", status = 500 }
      local chat = place:says "Торг есть?"
      poll()
      assert.equal(1, #place.errors)
      assert.matches("get_self", place.errors[1])
      assert.equal(2, #place:conversation(chat))
    end)

    it("one chat that cannot be read does not hold up the others, and is asked for more and more seldom", function()
      open { client = { retries = 0 } }
      local bad = place:says { buyer = 7, text = "Торг есть?" }
      local good = place:says { buyer = 8, text = "Торг есть?" }
      place.box:fault { method = "GET", path = ("/messenger/v3/accounts/%d/chats/%s/messages"):format(shop.user_id, bad),
        kind = "status", status = 403, times = 3 }
      place:at(30, function() place:says { buyer = 9, text = "Торг есть?" } end)
      poll { interval = 5, seconds = 34 }
      assert.equal(2, #place:conversation(good))
      assert.same({ "buyer: Торг есть?" }, place:conversation(bad))
      assert.equal(3, #place.errors) -- after 5 and 10 seconds; and the next time 20 seconds later
      assert.matches(bad, place.errors[1], 1, true)
      assert.equal(7, #place:requests "get_chats") -- no wait was longer for it
      poll { interval = 5, seconds = 26 }
      assert.equal(3, #place.box:sends())
      assert.same({ "buyer: Торг есть?", "bot: Торг при осмотре." }, place:conversation(bad))
      assert.equal(3, #place.errors)
    end)

    it("a chat that the server fails on is asked for in the next round", function()
      open { client = { retries = 0 } }
      local chat = place:says "Торг есть?"
      place.box:fault { operation = "get_messages", kind = "status", status = 500, times = 2 }
      poll { interval = 5 }
      assert.equal(2, #place.errors)
      assert.equal(12, #place:requests "get_chats")
      assert.same({ "buyer: Торг есть?", "bot: Торг при осмотре." }, place:conversation(chat))
    end)

    it("where the account is at fault, the other chats are not tried", function()
      open { client = { retries = 0 } }
      for buyer = 1, 5 do place:says { buyer = buyer, text = "Торг есть?" } end
      place.box:fault { operation = "get_messages", kind = "status", status = 402 }
      poll { rounds = 1 }
      assert.equal(1, #place:requests "get_messages")
      poll { interval = 5 }
      assert.equal(5, #place.box:sends())
    end)
  end)

  describe("with odd answers:", function()
    it("no last message, no users, no context", function()
      open { rulebook = { { "торг", hears = "торг*", say = "Торг, {buyer.name|покупатель}, {item.title|товар}." } } }
      local chat = place:says "Торг есть?"
      local get_chats = place.client.get_chats
      function place.client:get_chats(...) -- luacheck: no self
        local list, meta = get_chats(self, ...)
        for i, one in ipairs(list or {}) do list[i] = { id = one.id } end
        return list, meta
      end
      poll()
      assert.same({ "buyer: Торг есть?", "bot: Торг, покупатель, товар." }, place:conversation(chat))
      assert.same({}, place.errors)
    end)

    it("a chat that is unread, and has nothing in it", function()
      open()
      local chat = place:says "Торг есть?"
      function place.client.get_messages() return {}, {} end
      poll { rounds = 1 }
      assert.equal(0, place:told("poll")[1].chats)
      assert.same({ id = chat }, place.bot.lanes:chat(chat))
    end)

    it("elements that are no chats and no messages", function()
      open()
      local chat = place:says "Торг есть?"
      local get_chats, get_messages = place.client.get_chats, place.client.get_messages
      function place.client:get_chats(...)
        local list, meta = get_chats(self, ...)
        table.insert(list, 1, 17)
        table.insert(list, 1, { id = 17 })
        return list, meta
      end
      function place.client:get_messages(...)
        local list, meta = get_messages(self, ...)
        table.insert(list, 1, { type = "text", content = {} })
        table.insert(list, 1, { id = "no-type" })
        table.insert(list, 1, 17)
        table.insert(list, 2, { id = "other-time", type = "text", created = "today", content = {} })
        return list, meta
      end
      poll()
      assert.same({ "buyer: Торг есть?", "bot: Торг при осмотре." }, place:conversation(chat))
      assert.same({}, place.errors)
    end)
  end)

  it("looks as often as it is told", function()
    open()
    poll { interval = "7s", seconds = 30 }
    assert.same({ 0, 7, 14, 21, 28 }, times "get_chats")
    assert.equal(30, place.driver:now())
  end)

  it("looks every ten seconds when nothing is said", function()
    open()
    place.bot:poll { seconds = 25 }
    assert.same({ 0, 10, 20 }, times "get_chats")
  end)

  it("ends after so many rounds, and works off what is due", function()
    open()
    local chat = place:says "Торг есть?"
    place.driver:sleep(60) -- its burst is over
    place.bot:poll { interval = 5, rounds = 1, backlog = "1h" }
    assert.equal(2, #place:conversation(chat))
    place.bot:poll { interval = 5, rounds = 3 }
    assert.same({ 0, 0, 5, 10 }, times "get_chats")
  end)

  it("ends when a hook says so, without waiting", function()
    local bot
    open { on_event = function(note) if note.kind == "poll" then bot:stop() end end }
    bot = place.bot
    place.bot:poll { interval = 3600 }
    assert.equal(0, place.driver:now())
    assert.equal(1, #place:requests "get_chats")
    place.bot:poll { interval = 3600 } -- and may be begun again
    assert.equal(2, #place:requests "get_chats")
  end)

  it("says when nobody has looked for long", function()
    open()
    place:says "Торг есть?"
    place.box:fault { operation = "send_message", kind = "latency", seconds = 9, times = 1 }
    poll { interval = 5 }
    assert.same({}, place:told "stall")
    place:at(3, function() place.driver:sleep(600) end)
    poll { interval = 5, seconds = 1200 }
    local stalls = place:told "stall"
    assert.equal(1, #stalls)
    assert.equal("nobody looked at the chats for 598 s longer than meant", stalls[1].message)
  end)

  it("goes on when the clock is put back", function()
    open()
    poll { seconds = 5 }
    local chat = place:says "Торг есть?"
    place:at(1, function() place.driver.unix = place.driver.unix - 600 end)
    poll { seconds = 60, interval = 5 }
    assert.same({ "buyer: Торг есть?", "bot: Торг при осмотре." }, place:conversation(chat))
  end)

  it("answers what is written after a clock that was ahead at the start was put right", function()
    open()
    local chat
    place:at(30, function() place.driver.unix = place.driver.unix - 3600 end)
    place:at(40, function() chat = place:says "Торг есть?" end)
    poll { seconds = 100, interval = 20 }
    assert.same({ "buyer: Торг есть?", "bot: Торг при осмотре." }, place:conversation(chat))
  end)

  it("knows nothing of a chat whose messages it could not store", function()
    open()
    poll { rounds = 1 }
    local bot, row = place.bot, { chat_id = "u2i-1", key = "k", kind = "event", body = '{"type":"wake"}' }
    local function receive()
      bot.lanes:looked_at "u2i-1"
      assert.is_false(bot.lanes:is_stale "u2i-1")
      return (bot.lanes:receive { row })
    end
    assert.is_not_nil(receive())
    assert.is_false(bot.lanes:is_stale "u2i-1")
    function bot.store.receive() return nil, { code = "full" } end
    assert.is_nil(receive())
    assert.is_true(bot.lanes:is_stale "u2i-1")
  end)

  describe("is broken off", function()
    it("by Ctrl-C, wherever it is, and has lost nothing when it is begun again", function()
      for _, request in ipairs { "GET .*/chats$", "GET .*/messages/?$", "POST .*/messages/?$", "POST .*/read$" } do
        open()
        local chat = place:says "Торг есть?"
        place:before(request, function() error("somewhere.lua:7: interrupted!", 0) end)
        assert.error_matches(function() poll() end, "interrupted!")
        assert.same({}, place.errors)
        poll { seconds = 120 }
        assert.same({ "buyer: Торг есть?", "bot: Торг при осмотре." }, place:conversation(chat))
        assert.is_false(place:unread(chat))
      end
    end)

    it("by Ctrl-C in a hook", function()
      open { on_event = function() error("hook.lua:1: interrupted!", 0) end }
      assert.error_matches(function() poll() end, "interrupted!")
    end)

    it("by the end of the client", function()
      open()
      poll()
      place.client:close()
      local ok, err = pcall(poll)
      assert.is_false(ok)
      assert.matches("the client is closed", tostring(err))
      assert.same({}, place.errors)
    end)

    it("by a mistake of the bot's own, which is no error of the world", function()
      open()
      function place.client.get_chats() error "a mistake" end
      assert.error_matches(poll, "a mistake")
    end)
  end)
end)
