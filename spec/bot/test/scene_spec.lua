local avito = require "avito_messenger"
local test = require "avito_messenger.bot.test"
local Engine = require "avito_messenger.bot.engine"
local files = require "support.files"
local blame = require "support.blame"

describe("a scene", function()
  setup(function() test.colour = false end)
  teardown(function() test.colour = "auto" end)

  local night = {
    zone = "Europe/Samara", hours = { ["пн-пт"] = "09:00-20:00" }, burst = 2,
    { "ночь", hours = "closed", say = "Закрыто до {hours.next_open}." },
    { "день", say = "Открыто." },
  }

  it("begins when it is told to, in the zone of the rulebook", function()
    local scene = test.scene { rulebook = night, at = "2026-11-20 22:15" }
    assert.equal(1795198500, scene:now())
    local buyer = scene:buyer()
    buyer:says "Можно посмотреть?"
    buyer:expect "Закрыто до 9:00 в понедельник."
    scene:wait_until "2026-11-23 09:00"
    buyer:says "А теперь?"
    buyer:expect "Открыто."
  end)

  it("begins on a Monday at noon when it is not told, and in UTC when the rulebook has no zone", function()
    local scene = test.scene { rulebook = { { "да", say = "Да" } } }
    assert.equal("Mon 12:00", os.date("!%a %H:%M", scene:now()))
  end)

  it("takes a second for each thing that is said, so that `created` tells the order", function()
    local scene = test.scene { rulebook = night }
    local start = scene:now()
    local buyer = scene:buyer()
    buyer:says "Раз"
    buyer:sends "image"
    buyer:seller_says "Два"
    assert.equal(start + 3, scene:now())
    local created = {}
    for i, message in ipairs(buyer.talk.market.messages) do created[i] = message.created end
    assert.same({ start + 1, start + 2, start + 3 }, created)
  end)

  it("waits for spans and moments", function()
    local scene = test.scene { rulebook = night, at = "2026-11-20 22:15" }
    local start = scene:now()
    scene:wait "1h30m"
    assert.equal(start + 5400, scene:now())
    scene:wait(10)
    assert.equal(start + 5410, scene:now())
    scene:wait_until "09:00"
    assert.equal(start + 10 * 3600 + 45 * 60, scene:now())
    scene:wait_until(start + 86400)
    assert.equal(start + 86400, scene:now())
  end)

  it("says what is wrong with a wait, where it was written", function()
    local scene = test.scene { rulebook = night, at = "2026-11-20 22:15" }
    assert.matches("scene:wait: .*'вечность'", blame(function() scene:wait "вечность" end))
    assert.matches("scene:wait_until: 'потом' is no time", blame(function() scene:wait_until "потом" end))
    assert.equal("scene:wait_until: '2026-11-19 10:00' is over",
      blame(function() scene:wait_until "2026-11-19 10:00" end))
  end)

  it("says what is wrong with its options, where they were written", function()
    local function problem(options) return blame(function() test.scene(options) end) end
    assert.equal("test.scene: unknown option 'rulebok' (did you mean 'rulebook'?)", problem { rulebok = night })
    assert.equal("test.scene: rulebook is missing: its path, or the table itself", problem {})
    assert.matches("test.scene: at: 'вчера' is no time", problem { rulebook = night, at = "вчера" })
    assert.matches("test.scene: within: ", problem { rulebook = night, within = "скоро" })
    assert.matches(".*spec/нет.lua", problem { rulebook = "spec/нет.lua" })
    local wrong = problem { rulebook = { { "торг", hear = "торг*", say = "Да" } } }
    assert.matches("rulebook: rule 'торг': unknown field 'hear' %(did you mean 'hears'%?%)", wrong)
  end)

  it("says what is wrong with a buyer", function()
    local scene = test.scene { rulebook = night }
    assert.equal("scene:buyer: unknown option 'nam' (did you mean 'name'?)", blame(function() scene:buyer { nam = "А" } end))
    assert.equal("scene:buyer: item: price must be a number, got string",
      blame(function() scene:buyer { item = { price = "35 000 ₽" } } end))
  end)

  it("loads a rulebook from its path", function()
    local path = files.temporary() .. ".lua"
    files.write(path, 'return require("avito_messenger").rulebook { { "да", say = "Да." } }')
    local scene = test.scene { rulebook = path }
    local buyer = scene:buyer()
    buyer:says "Есть?"
    buyer:expect "Да."
    os.remove(path)
  end)

  it("tells the rulebook about buyer and item", function()
    local scene = test.scene { rulebook = { burst = 1,
      { "да", item = { price = ">= 5000" },
        say = "{buyer.name}: {item.title} за {item.price}, {item.city}, {item.url}, {chat.id}" },
      { "нет", say = "{item.price|?} {buyer.name|?} {item.title|?}" } } }
    local one = scene:buyer { name = "Покупатель из Самары", item = { title = "iPhone 13", price = 35000, city = "Самара" } }
    one:says "Сколько?"
    one:expect "Покупатель из Самары: iPhone 13 за 35\194\160000\194\160₽, Самара, https://example.com/items/1, u2i-test-1"
    local cheap = scene:buyer { item = { title = "Чехол", price = 500, price_text = "500 рублей" } }
    cheap:says "Сколько?"
    cheap:expect "500 рублей Покупатель Чехол"
    local other = scene:buyer()
    other:says "Сколько?"
    other:expect "? Покупатель ?"
    assert.equal("u2u", other.talk.market.chat_type)
  end)

  it("knows the types of chats", function()
    local scene = test.scene { rulebook = { { "да", say = "Да." } } }
    assert.error_matches(function() scene:buyer { chat_type = "u2b" } end,
      "scene:buyer: unknown chat type 'u2b' %(did you mean 'u2i'%?%)")
  end)

  it("can have a marketplace that does not tell", function()
    local scene = test.scene { facts = false, rulebook = { burst = 1, { "да", say = "{item.title|Товар} в продаже." } } }
    local buyer = scene:buyer { item = { title = "iPhone 13" } }
    buyer:says "Есть?"
    buyer:expect "Товар в продаже."
  end)

  it("can have messages from before it", function()
    local rules = { burst = 1, { "привет", first = true, say = "Здравствуйте!" }, { "ещё", say = "Слушаю." } }
    local scene = test.scene { rulebook = rules }
    local new, old = scene:buyer(), scene:buyer { earlier = true }
    new:says "Ау"
    new:expect "Здравствуйте!"
    old:says "Ау"
    old:expect "Слушаю."
  end)

  it("answers calls by its own functions, then by the rulebook's, with the key of the call", function()
    local rules = { burst = 1,
      calls = { where = function(args) return args.city .. ", у метро" end, price = function() return 1 end },
      { "да", flow = "узнать" },
      avito.flow { "узнать", function(c)
        c:say(c:call("where", { city = "Самара" }))
        c:say(tostring(c:call("price")))
        local value, why = c:call "broken"
        c:say(tostring(value) .. " " .. tostring(why))
      end } }
    local keys = {}
    local scene = test.scene { rulebook = rules, calls = {
      price = function(_, c)
        keys[#keys + 1] = c.key
        return c.item.title .. " " .. c.buyer.name .. " " .. c.chat.id
      end,
      broken = function() error("нет связи", 0) end,
    } }
    local buyer = scene:buyer { item = { title = "Чехол" } }
    buyer:says "Где?"
    buyer:expect "Самара, у метро"
    buyer:expect "Чехол Покупатель u2i-test-1"
    buyer:expect "nil нет связи"
    assert.equal("string", type(keys[1]))
    assert.matches("call broken: нет связи", buyer:transcript())
  end)

  it("says which function of a call is missing, where the clock was moved", function()
    local rules = { burst = 1, { "да", flow = "узнать" }, avito.flow { "узнать", function(c) c:say(c:call "price") end } }
    local scene = test.scene { rulebook = rules }
    local buyer = scene:buyer()
    buyer:says "Где?"
    assert.equal("c:call: unknown call 'price'; a function of the program is given to the scene: " ..
      "calls = { [\"price\"] = function(args, c) … end }", blame(function() scene:wait "1m" end))
    scene = test.scene { rulebook = rules, calls = { prices = function() return "5" end } }
    scene:buyer():says "Где?"
    assert.matches("unknown call 'price' %(did you mean 'prices'%?%)", blame(function() scene:wait "1m" end))
  end)

  describe("that is told to fail", function()
    local rules = { burst = 1, human = { pause = "1h" }, { "да", say = "Да, {message.text}" } }

    it("drops the answer to a message that was sent: it is not sent again", function()
      local scene = test.scene { rulebook = rules }
      local buyer = scene:buyer()
      scene:fail "dropped"
      buyer:says "раз"
      buyer:expect "Да, раз"
      buyer:expect_nothing "1h"
      buyer:says "два"
      buyer:expect "Да, два"
    end)

    for _, kind in ipairs { "lost", "offline", "limited", "broken" } do
      it(kind .. ": the message is sent again, once", function()
        local scene = test.scene { rulebook = rules }
        local buyer = scene:buyer()
        scene:fail(kind, 2)
        buyer:says "раз"
        buyer:expect { "Да, раз", within = "10m" }
        buyer:expect_nothing "1h"
      end)
    end

    it("refused: it is given up, and the conversation tells", function()
      local scene = test.scene { rulebook = rules }
      local buyer = scene:buyer()
      scene:fail "refused"
      buyer:says "раз"
      buyer:expect_nothing "1h"
      assert.matches("error in rule 'да': send was not done: the chat is closed", buyer:transcript(), 1, true)
    end)

    it("fails the request that is named", function()
      local scene = test.scene { rulebook = { burst = 1, { "да", say = "{item.title|Товар}", act = "escalate" } } }
      local buyer = scene:buyer { item = { title = "Чехол" } }
      scene:fail("broken", 10, "about")
      scene:fail("broken", 1, "escalate")
      buyer:says "раз"
      buyer:expect "Товар"
      buyer:expect_escalated()
    end)

    it("says what is wrong with the failure", function()
      local scene = test.scene { rulebook = rules }
      assert.matches("scene:fail: unknown failure 'droped' %(did you mean 'dropped'%?%)", blame(function() scene:fail "droped" end))
      assert.matches("scene:fail: unknown request 'sends' %(did you mean 'send'%?%)",
        blame(function() scene:fail("lost", 1, "sends") end))
      assert.matches("scene:fail: the count must be 1 or more", blame(function() scene:fail("lost", 0) end))
    end)
  end)

  it("plays a week in few steps", function()
    local steps = 0
    local scene = test.scene { rulebook = "examples/shop_rules.lua", at = "2026-11-20 22:15", engine = function(given)
      local engine = Engine.new(given)
      return setmetatable({ step = function(_, ...)
        steps = steps + 1
        return engine:step(...)
      end }, { __index = function(_, name) return function(_, ...) return engine[name](engine, ...) end end })
    end }
    local buyer = scene:buyer { item = { title = "iPhone 13", price = 35000 } }
    buyer:says "Здравствуйте, обмен интересует?"
    scene:wait "1w"
    assert.is_true(steps < 30, steps .. " steps")
    assert.matches("2026%-11%-20", buyer:transcript())
  end)

  local function engine_that(more)
    return function(given)
      local engine = Engine.new(given)
      return setmetatable(more, { __index = function(_, name) return function(_, ...) return engine[name](engine, ...) end end })
    end
  end

  it("does not do what the engine withdraws at the last moment", function()
    local wakes, effect = 0, { kind = "send", key = "1", text = "Торг" }
    local scene = test.scene { rulebook = night, engine = engine_that {
      pending = function() return { wakes == 0 and effect or nil } end,
      latch = function() return nil, "it was withdrawn" end,
      step = function(_, _, event)
        if event.type == "wake" then wakes = wakes + 1 end
        return {}
      end } }
    scene:buyer():expect_nothing()
    assert.equal(1, wakes)
  end)

  describe("that never comes to rest", function()
    it("is an error that names the effect that is wanted again and again", function()
      local scene = test.scene { rulebook = night, engine = engine_that {
        pending = function() return { { kind = "send", key = "1", rule = "торг", text = "Торг" } } end } }
      local buyer = scene:buyer()
      local problem = blame(function() buyer:says "Ау" end)
      assert.equal("the scene does not come to rest: "
        .. "the effect 'send' of rule 'торг' is wanted: “Торг” again and again at one moment",
        problem)
    end)

    it("also when it only wants to be woken", function()
      local scene = test.scene { rulebook = night, engine = engine_that { wake_at = function() return 5 end } }
      scene:buyer()
      assert.matches("does not come to rest: a wake of the engine is wanted again and again at one moment",
        blame(function() scene:wait "1m" end))
    end)

    it("also when every step takes its time", function()
      local time = 0
      local scene = test.scene { rulebook = night, engine = engine_that {
        wake_at = function() return time + 1 end,
        step = function(_, _, _, now) time = now return {} end } }
      time = scene:now()
      scene:buyer()
      assert.matches("does not come to rest: a wake of the engine is wanted again and again$",
        blame(function() scene:wait "1w" end))
      local buyer = scene:buyer() -- what somebody says begins a new count
      buyer:says "раз"
      scene:wait(15000)
      buyer:says "два"
      scene:wait(15000)
    end)
  end)

  it("prints every conversation", function()
    local scene = test.scene { rulebook = night, at = "2026-11-20 22:15" }
    local one = scene:buyer { item = { title = "iPhone 13" } }
    scene:buyer { name = "Второй" }
    one:says "Можно посмотреть?"
    scene:wait "1m"
    assert.equal([[
Покупатель (“iPhone 13”, u2i-test-1)
── 2026-11-20, Friday ──────────────────────────────────────
22:15:01  Покупатель Можно посмотреть?
22:15:03  bot [ночь] Закрыто до 9:00 в понедельник.

Второй (u2u-test-2)
(nobody has said anything)]], tostring(scene))
  end)

  it("is coloured when asked, and only true, false and \"auto\" are asked for", function()
    local scene = test.scene { rulebook = night }
    scene:buyer():says "Ау"
    assert.not_matches("\27", tostring(scene))
    test.colour = true
    assert.matches("\27%[36mПокупатель", tostring(scene))
    assert.is_true(test.colour)
    test.colour = false
    assert.matches("test.colour: true, false or \"auto\" expected", blame(function() test.colour = "red" end))
  end)
end)
