local avito = require "avito_messenger"
local loop = require "avito_messenger.io.loop"
local scheduler = require "avito_messenger.io.loop.scheduler"
local shop = require "support.shop"

local RULES = { burst = 0,
  { "торг", hears = "торг*", say = "Торг при осмотре." },
  { "доставка", hears = "доставк*", say = "Отправлю завтра." },
}

describe("the lanes of a bot in the loop", function()
  local nothing = scheduler.counts()
  local box, client, bot, notes, errors, reported

  before_each(function()
    box, notes, errors, reported = shop.sandbox(), {}, {}, {}
    loop.on_error(function(err) reported[#reported + 1] = tostring(err) end)
  end)
  after_each(function()
    loop.on_error(nil)
    loop.close()
    assert.same(nothing, scheduler.counts())
    assert.same({}, reported)
  end)

  local function make(server, given)
    client = avito.client { io = loop, base_url = server.url, pace = false, client_id = "dummy-client-id",
      client_secret = "dummy-client-secret", timeout = given.timeout, retries = 0 }
    local options = { client = client, rulebook = given.rulebook or RULES, calls = given.calls, on_escalate = given.on_escalate,
      store = given.store, user_id = given.user_id, on_event = function(note)
        notes[#notes + 1] = note
        if given.on_event then given.on_event(note) end
      end,
      on_error = function(note) errors[#errors + 1] = note.message end }
    bot = avito.bot(options)
  end

  --- Runs `fn` in the loop, beside a sandbox and a bot over it.
  local function serving(given, fn)
    if not fn then given, fn = {}, given end
    return loop.run(function()
      local server = assert(box:listen { port = 0 })
      make(server, given)
      return fn(server)
    end)
  end

  local function says(text, buyer)
    return box:say { buyer = buyer or shop.buyer, item = shop.phone, text = text }.chat_id
  end

  local function wait_for(condition)
    local ends = client.driver:now() + 20
    while not condition() do
      if client.driver:now() > ends then error("it did not happen", 2) end
      loop.sleep(0.005)
    end
  end

  local function polling(given)
    given = given or {}
    given.interval = given.interval or 1
    return loop.spawn(bot.poll, bot, given)
  end

  local function marks() return #box:log { operation = "mark_chat_as_read" } end

  it("let others have their turn, however little there is to wait for", function()
    serving(function()
      local had
      loop.spawn(function() had = true end)
      bot.lanes:wait(0)
      assert.is_true(had)
    end)
  end)

  local function messages_of(chat) return ("/messenger/v3/accounts/%d/chats/%s/messages"):format(shop.user_id, chat) end

  it("answer beside each other: a slow call of one chat holds up no other", function()
    serving(function()
      local slow, quick = says("Торг есть?", 1), says("Торг есть?", 2)
      bot.since = 0
      box:fault { method = "POST", path = ("/messenger/v1/accounts/%d/chats/%s/messages"):format(shop.user_id, slow),
        kind = "hang" }
      local task = polling { backlog = true }
      wait_for(function() return not box.market.unread(box.market.chats[quick]) end)
      assert.same({ "buyer: Торг есть?", "bot: Торг при осмотре." }, shop.conversation(box, quick))
      assert.same({ "buyer: Торг есть?" }, shop.conversation(box, slow))
      task:cancel()
    end)
  end)

  it("are as many as the driver has tasks for", function()
    serving(function()
      for buyer = 1, 4 do says("Торг есть?", buyer) end
      local driver, refused = client.driver, 0
      local spawn = driver.spawn
      function driver.spawn(...)
        if bot.lanes:busy() then
          refused = refused + 1
          error("no task, as the spec says", 0)
        end
        return spawn(...)
      end
      local task = polling { backlog = true, interval = 60 }
      wait_for(function() return marks() == 4 end)
      driver.spawn = nil
      assert.is_true(refused > 0 and refused < 100)
      task:cancel()
    end)
    assert.same({}, errors)
  end)

  it("are not held up by a look at the chats that hangs", function()
    serving({ rulebook = { burst = 0, { "торг", hears = "торг*", delay = "1s", say = "Торг при осмотре." } } }, function()
      local chat = says "Торг есть?"
      local task = polling { backlog = true }
      wait_for(function() return bot.lanes:chat(chat).outbox end)
      box:fault { operation = "get_chats", kind = "hang" }
      wait_for(function() return #box:sends() == 1 end)
      assert.is_true(#box:log { operation = "get_chats" } <= 2) -- no other look was begun beside it
      task:cancel()
    end)
  end)

  it("take a chat up while the round still reads others", function()
    serving(function()
      local slow, quick = says("Торг есть?", 1), says("Торг есть?", 2) -- the last one written in is the first of the list
      box:fault { method = "GET", path = messages_of(slow), kind = "hang" }
      local task = polling { backlog = true }
      wait_for(function() return not box.market.unread(box.market.chats[quick]) end)
      task:cancel()
    end)
  end)

  it("keep the order of a chat", function()
    serving(function()
      local chat = says "Торг есть?"
      box:fault { operation = "send_message", kind = "latency", seconds = 0.05 }
      local task = polling { backlog = true, interval = 1 }
      wait_for(function() return #box:log { operation = "send_message" } == 1 end)
      says "А доставка?"
      wait_for(function() return #box:sends() == 2 end)
      assert.same({ "buyer: Торг есть?", "buyer: А доставка?" }, { shop.conversation(box, chat)[1],
        shop.conversation(box, chat)[2] == "bot: Торг при осмотре." and shop.conversation(box, chat)[3]
          or shop.conversation(box, chat)[2] })
      bot:stop()
      task:wait()
      assert.equal("bot: Отправлю завтра.", shop.conversation(box, chat)[4])
    end)
  end)

  it("do not gather what is read again while a lane is busy", function()
    local go
    serving({ rulebook = { burst = 0, calls = { wait = function() while not go do loop.sleep(0.005) end end },
      { "бронь", hears = "бронь", flow = "бронь" },
      avito.flow { "бронь", function(c)
        c:call("wait")
        c:say "Готово."
      end } } }, function()
      local chat = says "бронь"
      local task = polling { backlog = true }
      wait_for(function() return #box:log { operation = "get_messages" } >= 1 and bot.lanes:busy() end)
      wait_for(function() return (bot.lanes:chat(chat).flow or {}).calling end)
      says "ау"
      wait_for(function() return #box:log { operation = "get_chats" } >= 4 end)
      assert.equal(2, #box:log { operation = "get_messages" })
      assert.equal(2, bot.store:stats(bot:account(), os.time()).inbox) -- it, and what the list told of the chat
      go = true
      wait_for(function() return #box:sends() == 1 end)
      bot:stop()
      task:wait()
    end)
    assert.same({}, errors)
  end)

  describe("end", function()
    it("what they are at when the bot is stopped", function()
      serving(function()
        local chat = says "Торг есть?"
        box:fault { operation = "send_message", kind = "latency", seconds = 0.05 }
        local task = polling { backlog = true, interval = 60 }
        wait_for(function() return #box:log { operation = "send_message" } == 1 end)
        bot:stop()
        task:wait()
        assert.equal(1, marks())
        assert.is_false(box.market.unread(box.market.chats[chat]))
        assert.equal(1, #box:log { operation = "get_chats" })
      end)
      assert.same({}, errors)
    end)

    it("what they are at when the time is over", function()
      serving(function()
        says "Торг есть?"
        box:fault { operation = "send_message", kind = "latency", seconds = 0.3 }
        bot:poll { backlog = true, interval = 60, seconds = 0.2 }
        assert.equal(1, marks())
      end)
    end)

    it("without waiting for a look that hangs", function()
      serving({ timeout = 60 }, function()
        local task = polling()
        wait_for(function() return #box:log { operation = "get_chats" } == 1 and #notes > 0 end)
        box:fault { operation = "get_chats", kind = "hang" }
        wait_for(function() return #box:log { operation = "get_chats" } >= 2 end)
        bot:stop()
        task:wait()
        assert.equal("avito_messenger.io.loop (0 requests under way)", tostring(client.driver))
      end)
      assert.same({}, errors)
    end)

    it("when the bot is stopped before it has looked", function()
      serving(function()
        bot:poll { rounds = 1 }
        local task = loop.spawn(bot.poll, bot, {})
        loop.spawn(bot.stop, bot)
        task:wait()
      end)
    end)

    it("with the loop, without a word", function()
      for _, fault in ipairs { "get_chats", "get_messages", "send_message", "mark_chat_as_read" } do
        box = shop.sandbox()
        serving({ timeout = 60 }, function()
          says "Торг есть?"
          loop.background(bot.poll, bot, { backlog = true, interval = 60 })
          box:fault { operation = fault, kind = "hang", apply = true }
          wait_for(function() return #box:log { operation = fault } == 1 end)
        end)
        assert.same({}, errors)
      end
    end)

    it("with an error of the program's, and answer once when it is run again", function()
      for _, fault in ipairs { "get_messages", "send_message", "mark_chat_as_read" } do
        box = shop.sandbox()
        local ok, problem = pcall(serving, { timeout = 60 }, function()
          says "Торг есть?"
          loop.background(bot.poll, bot, { backlog = true, interval = 60 })
          box:fault { operation = fault, kind = "hang", apply = true }
          wait_for(function() return #box:log { operation = fault } == 1 end)
          error "broken"
        end)
        assert.is_false(ok)
        assert.matches("broken", tostring(problem))
        serving({ store = bot.store }, function()
          notes = {}
          local task = polling { interval = 1 }
          wait_for(function() return #box:sends() == 1 and #notes > 0 and not bot.lanes:busy() end)
          wait_for(function() return marks() > (fault == "mark_chat_as_read" and 1 or 0) end)
          bot:stop()
          task:wait()
        end)
        assert.equal(1, #box:sends())
        assert.same({}, errors)
      end
    end)

    it("of a lane that had not begun, which begins the next time", function()
      pcall(serving, { user_id = shop.user_id }, function()
        bot:pause("u2i-quiet", "1h")
        error "broken"
      end)
      assert.is_false(bot.lanes:busy())
      assert.is_nil(bot.lanes:chat "u2i-quiet".silent)
      local lanes = bot.lanes
      loop.run(function()
        lanes:told()
        lanes:work()
        loop.sleep(0)
      end)
      assert.equal("paused", lanes:chat "u2i-quiet".silent.why)
    end)
  end)

  it("call functions that wait and use the client", function()
    serving({ rulebook = { burst = 0,
      calls = { count = function(args, c)
        loop.sleep(0)
        local chats = assert(c.client:get_chats {})
        return { chats = #chats, of = args.of, chat = c.chat.id, key = c.key ~= nil }
      end },
      { "сколько", hears = "сколько", flow = "счёт" },
      avito.flow { "счёт", function(c)
        local counted = c:call("count", { of = "чатов" })
        c:say(("%d %s %s"):format(counted.chats, counted.of, counted.chat == c.chat.id and "да" or "нет"))
      end },
    } }, function()
      says "Сколько?"
      local task = polling { backlog = true }
      wait_for(function() return #box:sends() == 1 end)
      assert.equal("1 чатов да", box:sends()[1].text)
      bot:stop()
      task:wait()
    end)
    assert.same({}, errors)
  end)

  it("are not told that a function failed which was broken off", function()
    local calls, told = 0, {}
    local rules = { burst = 0,
      calls = { wait = function()
        calls = calls + 1
        if calls == 1 then loop.sleep(600) end
        return "да"
      end },
      { "бронь", hears = "бронь", flow = "бронь" },
      avito.flow { "бронь", function(c)
        local value, why = c:call("wait")
        told[1] = value or why
      end } }
    local chat
    serving({ rulebook = rules }, function()
      chat = says "бронь"
      loop.background(bot.poll, bot, { backlog = true })
      wait_for(function() return calls == 1 end)
    end)
    assert.same({}, told)
    local lanes = bot.lanes
    loop.run(function()
      lanes:post(chat, { type = "wake" })
      lanes:work()
      wait_for(function() return told[1] end)
    end)
    assert.same({ "да" }, told)
    assert.same({}, errors)
  end)

  it("can be paused, resumed, asked and reloaded while they are busy", function()
    serving(function()
      local chat = says "Торг есть?"
      box:fault { operation = "get_messages", kind = "latency", seconds = 0.05, after = 1 } -- the look before speaking
      local task = polling { backlog = true }
      wait_for(function() return #box:log { operation = "get_messages" } == 2 end)
      assert.is_true(bot.lanes:busy())
      bot:pause(chat, "1h")
      assert.is_true(#bot:explain("Торг есть?", chat) > 0)
      assert.is_true(bot:reload())
      wait_for(function() return not bot.lanes:busy() end)
      says "А доставка?"
      wait_for(function()
        for _, note in ipairs(notes) do
          if note.kind == "silent" then return true end
        end
      end)
      bot:resume(chat)
      says "Так торг возможен?"
      wait_for(function() return #box:sends() == 2 end)
      bot:stop()
      task:wait()
    end)
    assert.same({}, errors)
  end)
end)

describe("a lane", function()
  it("reports a step that raises, keeps the record as it was, and goes on", function()
    local place = shop.open()
    local chat = place:says "Торг есть?"
    place:at(1, function() place.bot.lanes:post(chat, { type = "nonsense" }) end)
    place.bot:poll { interval = 5, seconds = 30 }
    assert.equal(1, #place.errors)
    assert.matches("^nonsense/.* of the inbox cannot be read: unknown event 'nonsense'", place.errors[1])
    assert.same({ "buyer: Торг есть?", "bot: Торг при осмотре." }, place:conversation(chat))
  end)

  it("that never comes to rest lets others have their turn", function()
    local place = shop.open { user_id = shop.user_id }
    function place.bot.engine.pending(_, chat) return { { kind = "about", chat_id = chat.id } } end
    function place.client.get_chat() return {} end
    place.bot.lanes:post("u2i-restless", { type = "wake" })
    for _ = 1, 2 do place.bot.lanes:work() end
    assert.is_false(place.bot.lanes:busy())
    assert.equal(1, place.bot.lanes:rest())
  end)

  it("that rested and is at work again is waited for, not looked at over and over", function()
    local place = shop.open { user_id = shop.user_id }
    local lanes = place.bot.lanes
    lanes:work()
    lanes.resting["u2i-a"] = { failures = 1, ends = place.driver:now() + 1 }
    assert.equal(1, lanes:rest())
    place.driver:sleep(2)
    lanes.running["u2i-a"] = true
    assert.equal(math.huge, lanes:rest())
  end)

  it("that breaks off is told of, and goes on a second later", function()
    local place = shop.open()
    local chat = place:says "Торг есть?"
    function place.bot.engine:pending()
      self.pending = nil
      error "a mistake"
    end
    place.bot:poll { interval = 5, seconds = 30 }
    assert.equal(1, #place.errors)
    assert.matches("a mistake", place.errors[1])
    assert.same({ "buyer: Торг есть?", "bot: Торг при осмотре." }, place:conversation(chat))
  end)

  it("whose engine fails over and over is tried more and more seldom, and answers when it is mended", function()
    local place = shop.open()
    local chat = place:says "Торг есть?"
    local step = place.bot.engine.step
    function place.bot.engine:step(record, event, now)
      if event.type == "wake" then error "a mistake" end
      return step(self, record, event, now)
    end
    place:at(60, function() place.bot.engine.step = nil end)
    place.bot:poll { interval = 5, seconds = 120 }
    assert.equal(6, #place.errors) -- 1, 2, 4, 8, 16 and 32 seconds apart
    assert.same({ "buyer: Торг есть?", "bot: Торг при осмотре." }, place:conversation(chat))
    assert.same({}, place.bot.lanes.resting)
  end)

  it("is not begun again by a hook that it calls", function()
    local place
    place = shop.open { on_event = function(note)
      if note.kind == "effect" and note.effect.kind == "send" then place.bot:pause(note.chat_id, "1h") end
    end }
    local chat = place:says "Торг есть?"
    place.bot:poll { interval = 60, seconds = 30 }
    assert.same({ "buyer: Торг есть?", "bot: Торг при осмотре." }, place:conversation(chat))
    assert.equal(2, #place:requests "get_messages") -- nobody had to find out what became of the message
    assert.equal("paused", place.bot.lanes:chat(chat).silent.why)
  end)

  it("is left alone until it is due", function()
    local place = shop.open()
    place:says "Торг есть?"
    place.bot:poll { interval = 60, seconds = 1 }
    function place.bot.engine.step() error "it is not due" end
    place.bot.lanes:work()
    assert.same({}, place.errors)
    assert.equal(2, place.bot.lanes:rest())
  end)

  it("passes Ctrl-C on that comes while the engine is at work", function()
    local place = shop.open()
    place:says "Торг есть?"
    function place.bot.engine.step() error("engine.lua:1: interrupted!", 0) end
    assert.error_matches(function() place.bot:poll { seconds = 30 } end, "interrupted!")
    assert.same({}, place.errors)
  end)

  it("does not look before it speaks where the bot does not run: what is written is told by the program then", function()
    local place = shop.open { user_id = shop.user_id }
    local said = place.box:say { buyer = shop.buyer, item = shop.phone, text = "Торг есть?" }
    place.bot.lanes:post(said.chat_id, { type = "message", message = { id = said.message_id, author_id = shop.buyer,
      created = said.created, type = "text", content = { text = "Торг есть?" } } })
    place.bot.lanes:work()
    place.driver:sleep(10)
    place.bot.lanes:work()
    assert.equal(1, #place.box:sends())
    local read, sent = place:requests "get_messages", place:requests "send_message"
    assert.is_true(#read == 1 and read[1].serial > sent[1].serial)
  end)

  it("finds out what became of an effect whose outcome could not be noted", function()
    local place = shop.open()
    local chat = place:says "Торг есть?"
    local step = place.bot.engine.step
    function place.bot.engine:step(record, event, now)
      if event.type == "sent" then
        self.step = nil
        error "a mistake"
      end
      return step(self, record, event, now)
    end
    place:at(20, function() place:says "Ау, торг?" end)
    place.bot:poll { interval = 5, seconds = 60 }
    assert.matches("^event sent: .*a mistake", place.errors[1])
    assert.same({ "buyer: Торг есть?", "bot: Торг при осмотре.", "buyer: Ау, торг?", "bot: Торг при осмотре." },
      place:conversation(chat))
  end)

  it("looks again before the next words, but not twice in a moment", function()
    local place = shop.open { rulebook = { { "торг", hears = "торг*", run = function(c)
      c:say "Торг при осмотре."
      c:say "Приезжайте."
    end } } }
    place:says "Торг есть?"
    place.bot:poll { interval = 60, seconds = 30 }
    assert.equal(3, #place:requests "get_messages") -- by the poll, before the two messages, after the mark
  end)

  it("says nothing where the look fails, and tries again", function()
    local place = shop.open { client = { retries = 0 } }
    local chat = place:says "Торг есть?"
    place.box:fault { operation = "get_messages", kind = "status", status = 500, after = 1, times = 2 }
    place.bot:poll { interval = 60, seconds = 50 }
    assert.same({ "buyer: Торг есть?", "bot: Торг при осмотре." }, place:conversation(chat))
    assert.equal(1, #place:requests "send_message")
    assert.equal(15, place.box:sends()[1].time - place.box:log()[1].time - 3)
  end)

  it("waits as long as the server asks where the look is refused", function()
    local place = shop.open { client = { retries = 0 } }
    place:says "Торг есть?"
    place.box:fault { operation = "get_messages", kind = "rate_limited", retry_after = 40, after = 1 }
    place.bot:poll { interval = 60, seconds = 100 }
    assert.is_true(place.box:sends()[1].time - place.box:log()[1].time >= 43)
  end)

  for name, hook in pairs { on_event = function() error "in the hook" end, log = { write = function() error "in the hook" end } } do
    it(("does not stop at a hook that raises: %s"):format(name), function()
      local stderr, written = io.stderr, {}
      io.stderr = { write = function(_, ...) written[#written + 1] = table.concat { ... } end } -- luacheck: ignore 122
      local place = shop.open { [name] = hook }
      local chat = place:says "Торг есть?"
      local ok, problem = pcall(place.bot.poll, place.bot, { interval = 5, seconds = 30 })
      io.stderr = stderr -- luacheck: ignore 122
      assert(ok, problem)
      assert.matches("in the hook", table.concat(written))
      assert.same({ "buyer: Торг есть?", "bot: Торг при осмотре." }, place:conversation(chat))
    end)
  end

  it("keeps nothing of a chat that is done, but its record in the store", function()
    local place = shop.open()
    for buyer = 1, 30 do place:says { buyer = 100 + buyer, text = "Торг есть?" } end
    place.bot:poll { interval = 5, seconds = 60 }
    local lanes, counts = place.bot.lanes, {}
    for _, name in ipairs { "posted", "running", "resting", "again" } do
      counts[name] = 0
      for _ in pairs(lanes[name]) do counts[name] = counts[name] + 1 end
    end
    assert.same({ posted = 0, running = 0, resting = 0, again = 0 }, counts)
    assert.equal(30, place.bot.store:stats(place.bot:account(), 0).chats)
  end)
end)
