local avito = require "avito_messenger"
local ending = require "avito_messenger.bot.ending"
local errors = require "avito_messenger.errors"
local shop = require "support.shop"

describe("avito.bot", function()
  local client

  before_each(function()
    client = avito.client { client_id = "dummy-client-id", client_secret = "dummy-client-secret", io = shop.sandbox():driver() }
  end)

  describe("refuses", function()
    local rows = {
      { "avito.bot: the options must be a table, got nil", nil },
      { "avito.bot: client is missing", {} },
      { "avito.bot: client must be an avito.client", { client = {} } },
      { "avito.bot: client must be a table, got string", { client = "me" } },
      { "avito.bot: rulebook is missing: a path, or avito.rulebook {…}", { client = true } },
      { "avito.bot: rulebook must be a string or table, got number", { client = true, rulebook = 5 } },
      { "avito.bot: unknown option 'rulebok' %(did you mean 'rulebook'%?%)", { client = true, rulebok = "x" } },
      { "avito.bot: calls.price must be a function, got string", { client = true, rulebook = shop.rules,
        calls = { price = "5" } } },
      { "avito.bot: on_event must be a function, got table", { client = true, rulebook = shop.rules, on_event = {} } },
    }
    for _, row in ipairs(rows) do
      it(row[1], function()
        if row[2] and row[2].client == true then row[2].client = client end
        assert.error_matches(function() avito.bot(row[2]) end, row[1])
      end)
    end

    it("a rulebook with mistakes, and tells all of them", function()
      local ok, message = pcall(avito.bot, { client = client, rulebook = { { "а", hear = "торг", say = "Да" }, { "б" } } })
      assert.is_false(ok)
      assert.equal([[avito.bot: the rulebook cannot be used:
rulebook: rule 'а': unknown field 'hear' (did you mean 'hears'?)
rulebook: rule 'б': does nothing: it needs say, image, act, flow or run]], (message:gsub("^[^\n]-%.lua:%d+: ", "")))
    end)

    it("a file that is not there", function()
      assert.error_matches(function() avito.bot { client = client, rulebook = "no/rules.lua" } end,
        "no/rules.lua: cannot be read: No such file")
    end)
  end)

  it("says what it is", function()
    assert.equal("avito.Bot (2 rules)", tostring(avito.bot { client = client, rulebook = shop.rules }))
  end)

  it("writes errors to stderr where nobody asks for them", function()
    local stderr, written = io.stderr, {}
    io.stderr = { write = function(_, ...) written[#written + 1] = table.concat { ... } end } -- luacheck: ignore 122
    local bot = avito.bot { client = client, rulebook = shop.rules }
    bot:tell { kind = "error", message = "one" }
    bot:tell { kind = "error", message = "two", rule = "торг" }
    bot:tell { kind = "fired", message = "three" }
    io.stderr = stderr -- luacheck: ignore 122
    assert.same({ "avito.bot: one\n", "avito.bot: rule 'торг': two\n" }, written)
  end)

  describe("warns of what the marketplace has not:", function()
    local rules = { { "заказ", chat_type = "order", say = "Едет." }, { "всё", say = "Да." } }
    local WARNING = "rulebook: rule 'заказ': chat_type: Avito has no order chats: the rule never fires there"

    it("on stderr, where nobody asks for it", function()
      local stderr, written = io.stderr, {}
      io.stderr = { write = function(_, ...) written[#written + 1] = table.concat { ... } end } -- luacheck: ignore 122
      local bot = avito.bot { client = client, rulebook = rules }
      bot:tell { kind = "warning", message = "two", rule = "торг" }
      io.stderr = stderr -- luacheck: ignore 122
      assert.same({ "avito.bot: warning: " .. WARNING .. "\n", "avito.bot: warning: rule 'торг': two\n" }, written)
    end)

    it("to the hooks and in the log, again when the rules are read again", function()
      local told, lines = {}, {}
      local function note(hook)
        return function(one)
          if one.kind == "warning" then told[#told + 1] = ("%s %s %s"):format(hook, one.where, one.message) end
        end
      end
      local bot = avito.bot { client = client, rulebook = rules, on_error = note "error", on_event = note "event",
        log = { write = function(line) lines[#lines + 1] = line end } }
      local once = { "error rule 'заказ' " .. WARNING, "event rule 'заказ' " .. WARNING }
      assert.same(once, told)
      assert.equal(1, #lines)
      assert.matches(" level=warn .*kind=warning .*Avito has no order chats", lines[1])
      assert.is_nil(bot.metrics:text(0, {}):match "errors_total [1-9]")
      assert.is_true(bot:reload())
      assert.same({ once[1], once[2], once[1], once[2] }, told)
    end)

    it("of the client's marketplace", function()
      local told = {}
      client.marketplace = "yandex_market"
      local bot = avito.bot { client = client, rulebook = { { "торг", item = { price = 5 }, say = "Да." } },
        on_error = function(one) told[#told + 1] = one.message end }
      assert.same({ "rulebook: rule 'торг': item.price: Yandex Market chats tell no item: the rule never fires there" }, told)
      assert.equal("Yandex Market", bot.engine.book.abilities.title)
    end)
  end)

  it("tells errors to on_error and to on_event", function()
    local told = {}
    local function note(kind) return function(one) told[#told + 1] = kind .. " " .. one.message end end
    local bot = avito.bot { client = client, rulebook = shop.rules, on_error = note "error", on_event = note "event" }
    bot:tell { kind = "error", message = "one" }
    bot:tell { kind = "fired", message = "two" }
    assert.same({ "error one", "event one", "event two" }, told)
  end)

  describe("when it polls, refuses", function()
    local rows = {
      { "bot:poll: interval must be at least 1 s", { interval = 0.5 } },
      { "bot:poll: interval: ", { interval = "5" } },
      { "bot:poll: interval: ", { interval = 0 / 0 } },
      { "bot:poll: unknown option 'intervall'", { intervall = 5 } },
      { "bot:poll: backlog: ", { backlog = "one hour" } },
      { "bot:poll: chat_types is empty", { chat_types = {} } },
      { "bot:poll: chat_types: unknown chat type 'u2x' %(did you mean 'u2i'%?%)", { chat_types = { "u2i", "u2x" } } },
      { "bot:poll: rounds must be a number", { rounds = "1" } },
    }
    for _, row in ipairs(rows) do
      it(row[1] .. tostring(next(row[2])), function()
        local bot = avito.bot { client = client, rulebook = shop.rules }
        local ok, message = pcall(function() bot:poll(row[2]) end)
        assert.is_false(ok)
        assert.matches("^spec/bot/bot_spec.lua:%d+: " .. row[1], message)
        bot:poll { rounds = 1 }
        assert.error_matches(function() bot:poll(row[2]) end, row[1]) -- the second time as well
      end)
    end
  end)

  it("refuses chats that have no name", function()
    local bot = avito.bot { client = client, rulebook = shop.rules }
    for name, call in pairs {
      ["bot:pause: chat_id must be a string, got nil"] = function() bot:pause() end,
      ["bot:resume: chat_id must be a string, got table"] = function() bot:resume {} end,
      ["bot:explain: chat_id must be a string, got number"] = function() bot:explain("Торг?", 5) end,
      ["bot:explain: message must be a text or a message"] = function() bot:explain() end,
      ["bot:explain: message must be a text or a message, which has an id"] = function() bot:explain { type = "text" } end,
      ["bot:explain: message must be a text or a message, which has an id and a type"] = function() bot:explain { id = "a" } end,
      ["bot:pause: the span '5' has no unit"] = function() bot:pause("u2i-a", "5") end,
    } do
      local ok, message = pcall(call)
      assert.is_false(ok)
      assert.matches("^spec/bot/bot_spec.lua:%d+: " .. name, message)
    end
  end)
end)

describe("a bot", function()
  local place

  local function poll(seconds) place.bot:poll { interval = 5, seconds = seconds or 60 } end

  describe("knows whose it is", function()
    local function answers()
      local chat = place:says "Торг есть?"
      poll()
      assert.same({ "buyer: Торг есть?", "bot: Торг при осмотре." }, place:conversation(chat))
      assert.equal("Покупатель " .. shop.buyer, place.bot.lanes:chat(chat).facts.buyer.name)
      place:writes(chat, "Это я")
      place:says "А доставка?"
      local get_messages = place.client.get_messages
      function place.client:get_messages(...)
        local list, meta = get_messages(self, ...)
        for _, message in ipairs(list or {}) do message.direction = nil end
        return list, meta
      end
      poll()
      assert.equal(1, #place.box:sends()) -- the seller was told from the buyer
    end

    it("when its client knows", function()
      place = shop.open { client = { user_id = shop.user_id } }
      answers()
      assert.same({}, place:requests "get_self")
    end)

    it("when it is told, in whatever way", function()
      for _, id in ipairs { shop.user_id, tostring(shop.user_id) } do
        place = shop.open { user_id = id }
        function place.client.get_self() error "it is known" end
        answers()
      end
    end)

    it("when it has asked", function()
      place = shop.open()
      answers()
      assert.equal(shop.user_id, place.bot.user_id)
    end)
  end)

  it("is silent in a chat while it is paused, and speaks again afterwards", function()
    place = shop.open()
    local chat = place:says "Торг есть?"
    poll(1)
    place.bot:pause(chat, "1h")
    poll()
    assert.same({}, place.box:sends())
    place.bot:resume(chat)
    place:says "Ау, торг?"
    poll()
    assert.equal(1, #place.box:sends())
    place.bot:pause(chat) -- as long as after a person
    place:at(11 * 3600, function() place:says "Торг?" end)
    place:at(12 * 3600 + 10, function() place:says "Доставка?" end)
    place.bot:poll { interval = 60, seconds = 13 * 3600 }
    assert.equal("Отправлю завтра.", place.box:sends()[2].text)
    assert.equal(2, #place.box:sends())
  end)

  it("explains why a rule would answer, and does nothing", function()
    place = shop.open()
    local chat = place:says "Добрый день"
    poll(1)
    local lines = place.bot:explain "Торг есть?"
    assert.same({ "торг", true, "доставка", false }, { lines[1].rule, lines[1].fires, lines[2].rule, lines[2].fires })
    assert.is_true(place.bot:explain({ id = "x", type = "text", content = { text = "торг" } }, chat)[1].fires)
    place.bot:pause(chat, "1h")
    local record = require "avito_messenger.bot.engine.record"
    local before = record.copy(place.bot.lanes:chat(chat))
    assert.equal("(human)", place.bot:explain("Торг есть?", chat)[1].rule)
    assert.same(before, place.bot.lanes:chat(chat))
    assert.same({}, place.box:sends())
  end)

  describe("reads its rulebook again", function()
    local path

    before_each(function() path = os.tmpname() end)
    after_each(function() os.remove(path) end)

    local function write(text)
      local file = assert(io.open(path, "w"))
      file:write('local avito = require "avito_messenger" return avito.rulebook { burst = "1s", ', text, " }")
      file:close()
    end

    it("and answers by it from the next message on", function()
      write '{ "торг", hears = "торг", say = "Нет." }'
      place = shop.open { rulebook = path }
      local chat = place:says "Торг?"
      poll()
      write '{ "торг", hears = "торг", say = "Да." }'
      assert.is_true(place.bot:reload())
      assert.equal(1, #place:told "reloaded")
      place:says "Торг?"
      poll()
      assert.same({ "buyer: Торг?", "bot: Нет.", "buyer: Торг?", "bot: Да." }, place:conversation(chat))
    end)

    it("and keeps the old one when the new one is broken, and says what is wrong", function()
      write '{ "торг", hears = "торг", say = "Нет." }'
      place = shop.open { rulebook = path }
      write '{ "торг", hear = "торг", say = "Да." }'
      local ok, err = place.bot:reload()
      assert.is_nil(ok)
      assert.matches("unknown field 'hear'", err.message)
      assert.equal(("the rulebook was not reloaded:\n%s:1: rule 'торг': unknown field 'hear' (did you mean 'hears'?)"):format(path),
        place.errors[1])
      local chat = place:says "Торг?"
      poll()
      assert.equal("bot: Нет.", place:conversation(chat)[2])
      assert.same({}, place:told "reloaded")
    end)

    it("in the middle of a dialogue, which goes on as it began", function()
      local flow = [[{ "обмен", hears = "обмен", flow = "обмен" }, avito.flow { "обмен", version = %d, function(c)
        local model = c:ask { "text", "Модель?" }
        c:say("%s: " .. model)
      end }]]
      write(flow:format(1, "Старая"))
      place = shop.open { rulebook = path }
      local chat = place:says "Обмен?"
      poll()
      write(flow:format(2, "Новая"))
      assert.is_true(place.bot:reload())
      place:says "iPhone 11"
      poll()
      place:says "Обмен?"
      poll()
      place:says "iPhone 12"
      poll()
      assert.same({ "buyer: Обмен?", "bot: Модель?", "buyer: iPhone 11", "bot: Старая: iPhone 11", "buyer: Обмен?",
        "bot: Модель?", "buyer: iPhone 12", "bot: Новая: iPhone 12" }, place:conversation(chat))
    end)

    it("with the functions of its options", function()
      write [[{ "цена", hears = "цена", flow = "ц" },
        avito.flow { "ц", function(c) c:say("Цена " .. c:call("price")) end }]]
      place = shop.open { rulebook = path, calls = { price = function() return "5" end } }
      place.bot:reload()
      local chat = place:says "Цена?"
      poll()
      assert.equal("bot: Цена 5", place:conversation(chat)[2])
    end)
  end)

  it("takes an ending for what it is", function()
    assert.is_true(ending.is "program.lua:7: interrupted!")
    assert.is_true(ending.is "program.lua:7: interrupted!\nstack traceback:\n\tmore")
    assert.is_true(ending.is(errors.new("cancelled", "task", "the task was cancelled")))
    for _, other in ipairs { "it was interrupted! by somebody", "failed\ninterrupted!", errors.new("network", "get_chats", "x"),
      { kind = "cancelled" }, 17 } do
      assert.is_false(ending.is(other))
    end
    assert.is_false(ending.is(nil))
  end)
end)
