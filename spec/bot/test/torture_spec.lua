local avito = require "avito_messenger"
local test = require "avito_messenger.bot.test"
local Engine = require "avito_messenger.bot.engine"
local blame = require "support.blame"

-- An engine of which some methods are others: each is called with the real engine and its arguments.
local function engine_with(changes)
  return function(given)
    local real = Engine.new(given)
    return setmetatable({}, { __index = function(_, name)
      if changes[name] then return function(_, ...) return changes[name](real, ...) end end
      return function(_, ...) return real[name](real, ...) end
    end })
  end
end

describe("torture", function()
  setup(function() test.colour = false end)
  teardown(function() test.colour = "auto" end)

  local rules = {
    zone = "Europe/Samara", burst = "6s", human = { pause = "12h" },
    { "голос", on = "voice", cooldown = "1d", say = "Напишите, пожалуйста, текстом." },
    { "фото", hears = "фото*", say = "Вот фото:", image = "photo.jpg" },
    { "спам", hears = "казино", act = "blacklist" },
    { "обмен", hears = "обмен*", flow = "обмен" },
    { "торг", hears = "торг*", delay = "2s-6s", say = { "Небольшой торг: {message.text}", "Уступлю 5%." } },
    { "не понял", fallback = true, after = 2, act = "escalate" },
    avito.flow { "обмен", function(c)
      local model = c:ask { "text", "На что меняете?" }
      c:say(("%s, %d"):format(c:call("note", model), c:random(1000)))
    end },
  }

  local function scenario(scene)
    local buyer = scene:buyer { item = { title = "iPhone 13", price = 35000 } }
    local other = scene:buyer { name = "Второй" }
    buyer:says "Здравствуйте"
    buyer:says "а торг"
    buyer:says "уместен?"
    buyer:expect "Небольшой торг: Здравствуйте\nа торг\nуместен?"
    other:sends "voice"
    other:expect { contains = "текстом" }
    buyer:says "фото"
    buyer:expect "Вот фото:"
    buyer:expect_image "photo.jpg"
    buyer:says "обмен"
    buyer:expect "На что меняете?"
    buyer:says "Самсунг"
    buyer:expect { contains = "записано: Самсунг, " }
    buyer:says "ыыы"
    scene:wait "1m"
    buyer:says "эээ"
    buyer:expect_escalated()
    scene:wait "1d"
    other:seller_says "Это я сам"
    other:says "торг?"
    other:expect_nothing()
    other:says "казино"
    scene:wait "1d"
    buyer:says "казино"
    buyer:expect_blacklisted()
  end

  local function note(model) return "записано: " .. model end

  local function options(more)
    local given = { rulebook = rules, at = "2026-11-20 12:00", calls = { note = note } }
    for name, value in pairs(more or {}) do given[name] = value end
    return given
  end

  it("changes nothing where nothing is wrong", function()
    assert.equal(8, test.torture(options(), scenario, { seeds = 8 }))
    assert.equal(1, test.torture(options(), scenario, { seed = 8 }))
  end)

  it("changes nothing where answers go wrong, too", function()
    assert.equal(6, test.torture(options(), function(scene)
      local buyer = scene:buyer()
      scene:fail "dropped"
      buyer:says "торг"
      buyer:expect { contains = "торг" }
      scene:fail("limited", 2)
      buyer:says "и ещё торг"
      buyer:expect { "Уступлю 5%.", within = "10m" }
    end, { seeds = 6 }))
  end)

  it("restarts the program: dialogues go on from the chat's record", function()
    local engines = 0
    test.torture(options { engine = function(given)
      engines = engines + 1
      return Engine.new(given)
    end }, scenario, { seed = 3 })
    assert.is_true(engines > 10)
  end)

  it("finds an engine that takes a message twice, and says what it takes", function()
    local forgetful = engine_with { step = function(real, chat, event, now)
      if event.type == "message" and event.message.direction == "in" then chat.seen = nil end
      return real:step(chat, event, now)
    end }
    local problem = blame(function() test.torture(options { engine = forgetful }, scenario, { seeds = 1 }) end)
    assert.matches("^torture: seed 1 changes the conversation; { seed = 1 } shows it again%. It takes:\n"
      .. "  step 1, 12:00:01: “Здравствуйте” came again [^\n]+\n\n"
      .. "the conversation as it should be %(%-%) and as it became %(%+%):\n", problem)
  end)

  it("finds an engine that sends again what it does not know to be sent", function()
    local careless = engine_with { recover = function(_, chat)
      local row = chat.outbox and chat.outbox[1]
      if row and row.state == "latched" then row.state = "queued" end
    end }
    local problem = blame(function() test.torture(options { engine = careless }, scenario) end)
    assert.matches("the program restarted before it had the answer to the send", problem)
    assert.matches("\n- bot [фото]: Вот фото:\n", problem, 1, true)
    assert.matches("it said “Небольшой торг", problem, 1, true)
  end)

  it("finds an engine that takes its own words for a person's", function()
    local stranger = engine_with { step = function(real, chat, event, now)
      if event.type == "message" and event.message.created < now - 1 then
        if chat.seen then chat.seen.ids[event.message.id] = nil end
      end
      return real:step(chat, event, now)
    end }
    assert.matches("the send “Небольшой торг: Здравствуйте / а торг / уместен?” was told twice", blame(function() test.torture(options { engine = stranger }, scenario, { seed = 2 }) end), 1, true)
  end)

  it("finds an engine that takes messages in the order in which they come", function()
    local hasty = engine_with { step = function(real, chat, event, now)
      if event.type == "message" then event.message.created = nil end
      return real:step(chat, event, now)
    end }
    local problem = blame(function() test.torture(options { engine = hasty }, scenario, { seed = 2 }) end)
    assert.matches("“а торг” was told late, and not in order", problem)
    assert.matches("the scenario then said:\nspec/bot/test/torture_spec.lua:%d+: expected the bot to say “Небольшой торг: Здравствуйте", problem)
    assert.matches("(the scenario broke off here)", problem, 1, true)
  end)

  it("finds a record that cannot be kept as JSON", function()
    local loose = engine_with { step = function(real, chat, event, now)
      chat.memory = { print = print }
      return real:step(chat, event, now)
    end }
    assert.matches("the chat's record cannot be kept as JSON: ", blame(function() test.torture(options { engine = loose }, scenario, { seed = 3 }) end))
  end)

  it("finds an escalation that is missing", function()
    local deaf = engine_with { recover = function(real, chat, now)
      local row = chat.outbox and chat.outbox[1]
      if row and row.kind == "escalate" then chat.outbox = nil end
      chat.misses = nil
      return real:recover(chat, now)
    end }
    local problem = blame(function() test.torture(options { engine = deaf }, scenario, { seed = 3 }) end)
    assert.matches("expected a person to be called\n  nobody was called within 1m", problem)
  end)

  it("finds a function that does something else when it is called again", function()
    local count = 0
    local function counting(model)
      count = count + 1
      return ("записано: %s, №%d"):format(model, count)
    end
    local function script(scene)
      count = 0
      local buyer = scene:buyer()
      buyer:says "обмен"
      buyer:expect "На что меняете?"
      buyer:says "Самсунг"
      scene:wait "5m"
    end
    local problem = blame(function() test.torture(options { calls = { note = counting } }, script) end)
    assert.matches("the program restarted before it had the answer to the call of 'note' with the key ", problem)
    assert.matches("\n%- bot %[обмен%]: записано: Самсунг, №1, %d+\n%+ bot %[обмен%]: записано: Самсунг, №2, %d+", problem)
    local known = {}
    local function keeping(model, c)
      known[c.key] = known[c.key] or counting(model)
      return known[c.key]
    end
    assert.equal(20, test.torture(options { calls = { note = keeping } }, function(scene)
      known = {}
      script(scene)
    end))
  end)

  it("notices a scenario that does not do the same each time", function()
    local times = 0
    local problem = blame(function() test.torture(options(), function(scene) times = times + 1 scene:buyer():says("торг " .. times) end) end)
    assert.matches("It takes:\n  nothing: the scenario does not do the same each time\n", problem)
    assert.matches("\n- Покупатель: торг 1\n", problem, 1, true)
  end)

  it("raises what the scenario itself raises, as it is", function()
    local err = {}
    local ok, problem = pcall(test.torture, options(), function() error(err) end)
    assert.is_false(ok)
    assert.equal(err, problem)
    assert.matches("^spec/bot/test/torture_spec.lua:%d+: expected the bot to say “Да”", select(2, pcall(test.torture, options(), function(scene)
      local buyer = scene:buyer()
      buyer:says "торг"
      buyer:expect "Да"
    end)))
  end)

  it("says what is wrong with its arguments", function()
    assert.equal("test.torture: the scenario must be a function(scene), got nil", blame(function() test.torture(options()) end))
    assert.matches("test.torture: unknown option 'sead' %(did you mean 'seed'%?%)", blame(function() test.torture(options(), scenario, { sead = 1 }) end))
    assert.equal("test.scene: rulebook is missing: its path, or the table itself", blame(function() test.torture({}, scenario) end))
  end)
end)
