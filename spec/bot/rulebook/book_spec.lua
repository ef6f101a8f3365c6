local flow = require "avito_messenger.bot.flow"
local rulebook = require "avito_messenger.bot.rulebook"
local turn = require "support.turn"

local function compile(given) return assert(rulebook.compile(given)) end

local function names_of(rules)
  local names = {}
  for i, rule in ipairs(rules) do names[i] = rule.name end
  return table.concat(names, " ")
end

--- What a seller might write.
local function shop()
  return rulebook.mark {
    zone = "Europe/Samara", hours = { ["пн-пт"] = "09:00-20:00", ["сб"] = "10:00-16:00" },
    holidays = { "2026-01-01", "05-09" }, burst = "6s", human = { pause = "1d" },
    flood = { replies = 5, within = "1m" }, unclear = "hold", mark_read = false,
    concepts = { ["бронь"] = "брон* | отлож* -ложк*" }, vars = { ["адрес"] = "у метро", ["скидка"] = 5 },
    calls = { reserve = function() end },
    { "ночь", hours = "closed", once = "12h", say = "Сейчас закрыто, отвечу после {hours.next_open}." },
    { "голос", on = "voice", cooldown = "1d", say = "Напишите, пожалуйста, текстом." },
    { "привет", first = true, continue = true, say = "Здравствуйте, {buyer.name|покупатель}! «{item.title}» ещё в продаже." },
    { "торг", hears = "~торг", item = { price = ">= 5000" }, say = { "Небольшой торг.", "Уступлю {скидка}%." } },
    { "обмен", hears = "обмен* | меня*", flow = "обмен" },
    { "бронь", hears = "~бронь", say = "Забрать можно здесь: {адрес}." },
    { "телефон", phone = true, act = "escalate" },
    { "ушёл", on = "own", hears = "продано", act = "pause" },
    { "скидка авито", flow_id = "seller_audience_discount", act = "mark_read" },
    { "не понял", fallback = true, after = 2, act = "escalate" },
    flow.define { "обмен", version = 2, function(c) c:say("нет") end },
    flow.define { "обмен", version = 1, ttl = "2d", steps = 50, leave = "~оператор", function(c) c:say("да") end },
  }
end

describe("a rulebook", function()
  it("has what was written", function()
    local book = compile(shop())
    assert.equal("rulebook", book.name)
    assert.equal("Europe/Samara", book.zone.name)
    assert.is_true(book.hours:is_open(turn.NOW))
    assert.equal(6, book.burst)
    assert.same({ pause = 86400 }, book.human)
    assert.same({ replies = 5, within = 60, pause = 3600 }, book.flood)
    assert.equal("hold", book.unclear)
    assert.is_false(book.mark_read)
    assert.equal("function", type(book.calls.reserve))
    assert.equal("у метро", book.vars["адрес"])
    assert.is_true(book.names["адрес"] and book.names["item.title"])
    assert.equal(10, #book.rules)
    for i, rule in ipairs(book.rules) do assert.equal(i, rule.index) end
    assert.equal(2, book.flows["обмен"].version)
    local state = book.runner:start("обмен", "id", {}, turn.NOW)
    assert.equal(2, state.version)
  end)

  it("has what a seller would expect where nothing is said", function()
    local book = compile { { "a", act = "ignore" } }
    assert.equal(3, book.burst)
    assert.same({ pause = 43200 }, book.human)
    assert.same({ replies = 10, within = 600, pause = 3600 }, book.flood)
    assert.equal("resend", book.unclear)
    assert.is_true(book.mark_read)
    assert.same({ {}, {}, {} }, { book.calls, book.vars, book.flows })
    assert.is_nil(book.hours)
    assert.is_nil(book.zone)
    assert.is_false(compile { flood = false }.flood)
    assert.same({ replies = 10, within = 600, pause = 3600 }, compile { flood = true }.flood)
    assert.same({}, compile {}.rules)
  end)

  it("gives flows the concepts of the book", function()
    local book = compile { concepts = { ["бронь"] = "брон*" },
      flow.define { "обмен", leave = "~бронь", function(c) c:say("да") end } }
    local state = book.runner:start("обмен", "id", {}, turn.NOW)
    assert.is_true(book.runner:leaves(state, "забронируйте, бронь"))
    assert.is_false(book.runner:leaves(state, "торг"))
  end)

  it("tells the date in its zone", function()
    assert.equal("14:30", compile({ zone = "Europe/Samara" }):date(turn.NOW + 0.5, "%H:%M"))
    assert.equal("10:30", compile({}):date(turn.NOW, "%H:%M"))
    assert.equal("10:30", compile({}):date(turn.NOW, "!%H:%M"))
  end)

  it("is not changed by being read", function()
    local given = shop()
    compile(given)
    assert.truthy(rulebook.compile(given))
    assert.equal("~торг", given[4].hears)
  end)
end)

describe("what must be known of item and buyer", function()
  local function needs(rule, more)
    rule[1] = "r"
    local given = more or {}
    given[#given + 1] = rule
    local found = compile(given).needs
    return (found.item and "item " or "") .. (found.buyer and "buyer" or "")
  end

  it("follows from conditions and texts", function()
    assert.equal("", needs { hears = "да", phone = true, say = "да {phone} {chat.id}" })
    assert.equal("item ", needs { item = { price = 5 }, act = "ignore" })
    assert.equal("buyer", needs { buyer = { name = "магазин" }, act = "ignore" })
    assert.equal("item ", needs { say = { "да", "{item.city|здесь}" } })
    assert.equal("buyer", needs { say = { a = "{buyer.name|покупатель}" } })
  end)

  it("is all where a function of the seller's may look at it", function()
    assert.equal("item buyer", needs { when = function() end, act = "ignore" })
    assert.equal("item buyer", needs { run = function() end })
    assert.equal("item buyer", needs({ flow = "обмен" }, { flow.define { "обмен", function() end } }))
  end)
end)

describe("the rules that can match a turn", function()
  it("are those that hear something in it, and those that hear nothing, in their order", function()
    local book = compile(shop())
    local always = "ночь голос привет телефон скидка авито не понял"
    assert.equal(always, names_of(book:candidates(turn.new "Добрый день")))
    assert.equal(always, names_of(book:candidates(turn.new "")))
    assert.equal("ночь голос привет торг обмен бронь телефон скидка авито не понял",
      names_of(book:candidates(turn.new "обмен, бронь, скидка?")))
    assert.equal("ночь голос привет телефон ушёл скидка авито не понял", names_of(book:candidates(turn.new "продано")))
    assert.equal("", names_of(compile({}):candidates(turn.new "да")))
    assert.equal("a", names_of(compile({ { "a", hears = "да", act = "ignore" } }):candidates(turn.new "да")))
  end)

  it("are matched once a turn", function()
    local book = compile(shop())
    local asked = turn.new "торг есть?"
    asked.facts = { item = { price = 9000 } }
    book:candidates(asked)
    local rule = book.rules[4]
    assert.is_true(rule:check(asked))
    asked.text = "привет"
    assert.is_true(rule:check(asked))
    asked.matched = nil
    assert.is_false((rule:check(asked)))
  end)

  it("can be asked without them", function()
    local book = compile(shop())
    assert.is_true(book.rules[5]:check(turn.new "меняете?"))
    assert.is_false((book.rules[5]:check(turn.new "нет")))
  end)

  it("have titles and names matched by themselves", function()
    local book = compile {
      { "a", item = { title = "диван*" }, act = "ignore" }, { "b", item = { title = "стол*" }, act = "ignore" },
      { "c", buyer = { name = "стол*" }, act = "ignore" }, { "d", hears = "стул*", act = "ignore" },
    }
    local asked = turn.new { text = "стулья", facts = { item = { title = "Стол" }, buyer = { name = "Диван" } } }
    local matching = {}
    for _, rule in ipairs(book.rules) do
      if rule:check(asked) then matching[#matching + 1] = rule end
    end
    assert.equal("b d", names_of(matching))
  end)

  it("are few among ten thousand", function()
    local given = {}
    for i = 1, 10000 do
      given[i] = { "правило " .. i, hears = ("слово%d | другое%d"):format(i, i), item = { price = i }, say = "Ответ " .. i }
    end
    local book = compile(given)
    assert.equal("правило 77 правило 5000", names_of(book:candidates(turn.new "другое5000 слово77")))
    given[9999].hears, given[9999].sya = "слово 5*", "да"
    local _, err = rulebook.compile(given)
    assert.equal("rulebook: rule 'правило 9999': unknown field 'sya' (did you mean 'say'?)", err.message)
  end)
end)
