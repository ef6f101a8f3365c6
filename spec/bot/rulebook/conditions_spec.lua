local rulebook = require "avito_messenger.bot.rulebook"
local turn = require "support.turn"

local ZONE, HOURS = "Europe/Samara", { ["пн-пт"] = "09:00-20:00" }

--- The rule of a book that has this one alone.
local function rule_of(fields, book)
  local given = book or {}
  fields[1], fields.act = "r", "mark_read"
  given[1] = fields
  return assert(rulebook.compile(given)).rules[1]
end

--- "yes", or what does not fit as a seller reads it.
local function check(rule, given)
  local ok, name, why = rule:check(turn.new(given))
  if ok then return "yes" end
  return ("%s: %s"):format(name, why)
end

--- What explain says of the one condition beside `on`, met and not.
local function explained(rule, given)
  local list = rule:explain(turn.new(given))
  assert.equal("on", list[1].name)
  assert.equal(2, #list)
  return (list[2].ok and "yes " or "no ") .. list[2].why
end

describe("on", function()
  it("is every message of the buyer without a word of it", function()
    local rule = rule_of {}
    for _, kind in ipairs { "text", "image", "voice", "location", "appCall", "newType" } do
      assert.equal("yes", check(rule, { types = { [kind] = true } }))
    end
    assert.equal("on: a buyer's message is wanted, got deleted", check(rule, { types = { deleted = true } }))
    assert.equal("on: a buyer's message is wanted, got system message", check(rule, { kind = "system", types = { system = true } }))
    assert.equal("on: a buyer's message is wanted, got an own message", check(rule, { kind = "own" }))
    assert.equal("on: a buyer's message is wanted, got buyer message", check(rule, { types = {} }))
  end)

  it("is one of the types that are named", function()
    local rule = rule_of { on = { "voice", "image" } }
    assert.equal("yes", check(rule, { types = { image = true, text = true } }))
    assert.equal("on: image or voice is wanted, got link, text", check(rule, { types = { text = true, link = true } }))
    assert.equal("on: image or voice is wanted, got an own message", check(rule, { kind = "own", types = { image = true } }))
    assert.equal("yes", check(rule_of { on = "deleted" }, { types = { deleted = true } }))
    assert.equal("yes", check(rule_of { on = "own" }, { kind = "own" }))
    assert.equal("on: own is wanted, got text", check(rule_of { on = "own" }, "да"))
    assert.equal("yes", check(rule_of { on = "system" }, { kind = "system", types = { system = true } }))
  end)

  it("is text where something is heard, a system message where a flow_id is wanted", function()
    for _, fields in ipairs { { hears = "да" }, { phone = true } } do
      local photo = { text = "да", phones = { "+79000000001" }, types = { image = true } }
      assert.equal("on: text is wanted, got image", check(rule_of(fields), photo))
    end
    assert.equal("yes", check(rule_of { links = true }, { types = { link = true }, links = { "example.ru" } }))
    assert.equal("on: link or text is wanted, got voice", check(rule_of { links = true }, { types = { voice = true } }))
    assert.equal("on: system is wanted, got text", check(rule_of { flow_id = "x" }, "да"))
  end)

  it("is told when it is met", function()
    assert.equal("on: image, text", rule_of {}:explain(turn.new { types = { text = true, image = true } })[1].why)
    assert.equal("on: an own message", rule_of { on = "own" }:explain(turn.new { kind = "own" })[1].why)
  end)
end)

describe("hears", function()
  it("is a pattern, with the shipped concepts and those of the book", function()
    assert.equal("yes", check(rule_of { hears = "торг* | скид*" }, "А Скидочку сделаете?"))
    assert.equal("yes", check(rule_of { hears = "~торг" }, "скидка будет?"))
    assert.equal("yes", check(rule_of { hears = "~haggling" }, "скидка будет?"))
    local own = { concepts = { ["торг"] = "уступ*", ["бронь"] = "брон* | ~торг" } }
    assert.equal("yes", check(rule_of({ hears = "~бронь" }, own), "уступите?"))
    assert.equal("hears: nothing like ~торг", check(rule_of({ hears = "~торг" }, own), "скидка будет?"))
    assert.equal("yes", check(rule_of({ hears = "~haggling" }, own), "уступите?"))
  end)

  it("is told in words", function()
    local rule = rule_of { hears = "торг* | скид*" }
    assert.equal("no hears: no word like торг*, скид*", explained(rule, "Ещё продаёте?"))
    assert.equal("no hears: no word like торг*, скид*", explained(rule, ""))
    assert.equal("yes hears: heard торг", explained(rule, "Торг есть?"))
    rule = rule_of { hears = "сколько стои* | \"по чем\"" }
    assert.equal("no hears: nothing like сколько стои*, \"по чем\"", explained(rule, "Привет"))
    assert.equal("no hears: heard сколько, but nothing like стои*", explained(rule, "Сколько весит?"))
    assert.equal("yes hears: heard сколько стоит", explained(rule, "а сколько это стоит"))
    rule = rule_of { hears = "доставк* -самовывоз* | \"привезите мне\" -\"не надо\"" }
    assert.equal("no hears: -самовывоз* excludes it", explained(rule, "Доставка или самовывоз?"))
    assert.equal("no hears: nothing like доставк*, \"привезите мне\"", explained(rule, "Привет"))
    assert.equal("no hears: -\"не надо\" excludes it", explained(rule, "Привезите мне… нет, не надо"))
    rule = rule_of { hears = "доставк* | -самовывоз* | привез*" }
    assert.equal("no hears: no word like доставк*, привез*", explained(rule, "да"))
    assert.equal("no hears: -центр* excludes it", explained(rule_of { hears = "цен* -центр*" }, "вы в центре?"))
    assert.equal("no hears: no word like а, б, в, г, д, е, ж, з, …", explained(rule_of { hears = "а|б|в|г|д|е|ж|з|и|к" }, "ы"))
  end)
end)

describe("first, phone and links", function()
  it("are wanted or not wanted", function()
    assert.equal("yes first: the first message of the chat", explained(rule_of { first = true }, { first = true }))
    assert.equal("no first: not the first message of the chat", explained(rule_of { first = true }, {}))
    assert.equal("yes first: not the first message of the chat", explained(rule_of { first = false }, {}))
    assert.equal("no first: the first message of the chat", explained(rule_of { first = false }, { first = true }))
    assert.equal("yes phone: a phone number is there", explained(rule_of { phone = true }, { phones = { "+79000000001" } }))
    assert.equal("no phone: no phone number", explained(rule_of { phone = true }, {}))
    assert.equal("yes phone: no phone number", explained(rule_of { phone = false }, {}))
    assert.equal("yes links: a link is there", explained(rule_of { links = true }, { links = { "example.ru" } }))
    assert.equal("no links: a link is there", explained(rule_of { links = false }, { links = { "example.ru" } }))
  end)
end)

describe("hours", function()
  it("are those of the book", function()
    local night = turn.NOW + 8 * 3600
    local function book() return { zone = ZONE, hours = HOURS } end
    assert.equal("no hours: open now (closed is wanted)", explained(rule_of({ hours = "closed" }, book()), {}))
    assert.equal("yes hours: closed now", explained(rule_of({ hours = "closed" }, book()), { now = night }))
    assert.equal("yes hours: open now", explained(rule_of({ hours = "open" }, book()), {}))
    assert.equal("no hours: closed now (open is wanted)", explained(rule_of({ hours = "open" }, book()), { now = night }))
  end)

  it("are those of every day, in the zone of the book", function()
    local rule = rule_of({ hours = "14:00-15:00" }, { zone = ZONE })
    assert.equal("yes hours: now is within 14:00-15:00", explained(rule, {}))
    assert.equal("no hours: now is outside of 14:00-15:00", explained(rule, { now = turn.NOW + 3600 }))
    assert.equal("yes hours: now is within 22:00-15:00", explained(rule_of({ hours = "22:00-15:00" }, { zone = ZONE }), {}))
  end)
end)

describe("chat_type and flow_id", function()
  it("are one of those named", function()
    assert.equal("yes chat_type: u2i", explained(rule_of { chat_type = "u2i" }, {}))
    assert.equal("no chat_type: u2i is not a2u or u2u", explained(rule_of { chat_type = { "u2u", "a2u" } }, {}))
    assert.equal("no chat_type: unknown", explained(rule_of { chat_type = "u2i" }, { chat = { id = "x" } }))
    local rule = rule_of { flow_id = { "seller_audience_discount", "other" } }
    local system = { kind = "system", types = { system = true }, flow_ids = { other = true } }
    assert.equal("yes flow_id: other", explained(rule, system))
    system.flow_ids = { another = true }
    assert.equal("no flow_id: not of other or seller_audience_discount", explained(rule, system))
  end)
end)

describe("item", function()
  local function item(fields) return { facts = { item = fields } } end

  it("has a price", function()
    local table_of = {
      { ">= 5000", 5000, 4999, ">= 5000" }, { "> 5000", 5001, 5000, "> 5000" }, { "<=5000", 5000, 5001, "<= 5000" },
      { "< 100", 99.5, 100, "< 100" }, { "1000..5000", 1000, 5001, "1000..5000" }, { "1000 .. 5000", 5000, 999, "1000..5000" },
      { "5 000", 5000, 5001, "5000" }, { 5000, 5000, 4999, "5000" }, { "= 5000", 5000, 1, "5000" }, { "== 5000", 5000, 1, "5000" },
    }
    for _, row in ipairs(table_of) do
      local rule = rule_of { item = { price = row[1] } }
      assert.equal(("yes item.price: %s is %s"):format(row[2], row[4]), explained(rule, item { price = row[2] }))
      assert.equal(("no item.price: %s is not %s"):format(row[3], row[4]), explained(rule, item { price = row[3] }))
    end
  end)

  it("has an id and a title", function()
    assert.equal("yes item.id: 5", explained(rule_of { item = { id = 5 } }, item { id = 5 }))
    assert.equal("no item.id: 6 is not 5", explained(rule_of { item = { id = "5" } }, item { id = 6 }))
    assert.equal("yes item.id: 9007199254740993", explained(rule_of { item = { id = "9007199254740993" } },
      item { id = "9007199254740993" })) -- as LuaJIT has it
    assert.equal("no item.id: 4098549657 is not among those of the rule", explained(rule_of { item = { id = { 5, 6 } } },
      item { id = 4098549657 }))
    local rule = rule_of { item = { title = "диван* -кресл*" } }
    assert.equal("yes item.title: 'Диван угловой'", explained(rule, item { title = "Диван угловой" }))
    assert.equal("no item.title: 'Диван и кресло' does not match диван* -кресл*",
      explained(rule, item { title = "Диван и кресло" }))
  end)

  it("may be unknown", function()
    for _, facts in ipairs { {}, { item = {} } } do
      assert.equal("item.id: unknown", check(rule_of { item = { id = 5 } }, { facts = facts }))
      assert.equal("item.price: unknown", check(rule_of { item = { price = 5 } }, { facts = facts }))
      assert.equal("item.title: unknown", check(rule_of { item = { title = "диван" } }, { facts = facts }))
    end
  end)
end)

describe("buyer", function()
  local function buyer(fields) return { facts = { buyer = fields } } end

  it("is one, or one of several, or one of a name", function()
    assert.equal("yes buyer.id: 5", explained(rule_of { buyer = 5 }, buyer { id = 5 }))
    assert.equal("no buyer.id: 6 is not 5", explained(rule_of { buyer = 5 }, buyer { id = 6 }))
    assert.equal("yes buyer.id: 6", explained(rule_of { buyer = { 5, 6 } }, buyer { id = 6 }))
    assert.equal("yes buyer.id: 6", explained(rule_of { buyer = { id = { 5, 6 } } }, buyer { id = 6 }))
    local rule = rule_of { buyer = { name = "магазин* | салон*" } }
    assert.equal("yes buyer.name: 'Салон связи'", explained(rule, buyer { name = "Салон связи" }))
    assert.equal("no buyer.name: 'Покупатель' does not match магазин* | салон*", explained(rule, buyer { name = "Покупатель" }))
    assert.equal("buyer.name: unknown", check(rule, {}))
    assert.equal("buyer.id: unknown", check(rule_of { buyer = 5 }, {}))
  end)
end)

describe("when", function()
  it("is asked with the turn's context", function()
    local rule = rule_of { when = function(c) return c.wanted end }
    assert.equal("yes when: the function says yes", explained(rule, { c = { wanted = 1 } }))
    assert.equal("no when: the function says no", explained(rule, { c = {} }))
  end)

  it("is not asked when anything else does not fit", function()
    local rule = rule_of { when = function() error "asked" end, hears = "да" }
    assert.equal("hears: no word like да", check(rule, "нет"))
  end)

  it("has its error told, with where it happened", function()
    local rule = rule_of { when = function(c) return c.item.price > 5 end }
    local ok, name, why, traceback = rule:check(turn.new { c = {} })
    assert.is_false(ok)
    assert.equal("when", name)
    assert.truthy(why:find "^spec/bot/rulebook/conditions_spec.lua:%d+: attempt to index")
    assert.equal(why, traceback:sub(1, #why))
    assert.truthy(traceback:find("stack traceback:", 1, true))
    ok, name, why, traceback = rule_of { when = function() error({}) end }:check(turn.new "")
    assert.is_false(ok)
    assert.equal("when", name)
    assert.truthy(why:find "^table: ")
    assert.truthy(traceback:find("stack traceback:", 1, true))
    local unspeakable = setmetatable({}, { __tostring = error })
    assert.equal("when: raised a table", check(rule_of { when = function() error(unspeakable) end }, ""))
    local line = rule:explain(turn.new { c = {} })[2]
    assert.is_false(line.ok)
    assert.truthy(line.why:find "^when: spec/bot/rulebook/conditions_spec.lua:%d+: attempt to index")
  end)
end)
