local flow = require "avito_messenger.bot.flow"
local rulebook = require "avito_messenger.bot.rulebook"

--- The names of the rules that can never fire, each with the rule that keeps it from it: "b: a".
local function unreachable(rules)
  rules.zone, rules.hours = "UTC+3", { ["пн"] = "9-20" }
  rules[#rules + 1] = flow.define { "обмен", function() end }
  local book, err = rulebook.compile(rules)
  if book then return {} end
  local list = {}
  for i, problem in ipairs(err.problems) do
    local other = problem.message:match "^can never fire: rule '(.-)'"
    assert.truthy(other, problem.text)
    list[i] = problem.where:match "^rule '(.*)'$" .. ": " .. other
  end
  return list
end

--- Rule a before rule b.
local function both(a, b)
  a[1], b[1] = "a", "b"
  a.act, b.act = a.act or not a.say and "ignore" or nil, b.act or "ignore"
  return unreachable { a, b }
end

local TAKEN, FREE = { "b: a" }, {}

describe("a rule can never fire", function()
  it("behind one without conditions", function()
    assert.same(TAKEN, both({}, {}))
    assert.same(TAKEN, both({}, { hears = "да", item = { price = 5 }, when = function() end }))
    assert.same(TAKEN, both({ cooldown = "1d", delay = "5s" }, { first = true }))
    assert.same(TAKEN, both({ say = "да" }, { hours = "closed" }))
    assert.same(TAKEN, both({ flow = "обмен", act = "mark_read" }, { hears = "да" }))
    assert.same(TAKEN, both({}, { on = "voice" }))
    assert.same({ "b: a", "c: a" },
      unreachable { { "a", act = "ignore" }, { "b", act = "ignore" }, { "c", hears = "да", act = "ignore" } })
  end)

  it("behind one with the same conditions, or some of them", function()
    assert.same(TAKEN, both({ hears = "торг*  | скид*" }, { hears = "торг* |  скид*" }))
    assert.same(TAKEN, both({ hears = "торг*" }, { hears = "торг*", item = { price = ">= 5000" } }))
    assert.same(TAKEN, both({ item = { price = ">=5000" } }, { hears = "торг*", item = { price = ">= 5 000", id = 5 } }))
    assert.same(TAKEN, both({ first = true }, { first = true, hours = "closed" }))
    assert.same(TAKEN, both({ buyer = { 5, 6 } }, { buyer = { 6, 5 }, phone = true }))
    assert.same(TAKEN, both({ chat_type = { "u2i", "a2u" } }, { chat_type = { "a2u", "u2i" } }))
    assert.same(TAKEN, both({ flow_id = "x" }, { flow_id = { "x" }, first = true }))
    assert.same(TAKEN, both({ on = { "voice", "image" } }, { on = "image" }))
    assert.same(TAKEN, both({ on = "own" }, { on = "own", hears = "да" }))
    assert.same(TAKEN, both({ hears = "да", links = true, first = false },
      { first = false, links = true, hours = "open", hears = "да" }))
  end)

  it("as a fallback, where another rule answers everything", function()
    assert.same(TAKEN, both({}, { fallback = true }))
    assert.same({ "b: a" }, unreachable { { "b", fallback = true, act = "ignore" }, { "a", act = "ignore" } })
    assert.same(TAKEN, both({ hears = "да" }, { fallback = true, hears = "да" }))
    assert.same(TAKEN, both({ fallback = true }, { fallback = true }))
    assert.same(TAKEN, both({ fallback = true, after = 2 }, { fallback = true, after = 3 }))
    assert.same(TAKEN, both({ fallback = true }, { fallback = true, after = 2, hears = "да" }))
  end)

  it("and says what can be done", function()
    local _, err = rulebook.compile {
      { "a", say = "да" }, { "b", hears = "да", say = "да" }, { "c", fallback = true, say = "да" },
    }
    assert.equal("rulebook: rule 'b': can never fire: rule 'a' comes before it and takes every such message; "
      .. "put this one before it, or give 'a' continue = true\n"
      .. "rulebook: rule 'c': can never fire: rule 'a' answers every message this fallback is for", err.message)
    _, err = rulebook.compile { { "a", fallback = true, say = "да" }, { "b", fallback = true, hears = "да", say = "да" } }
    assert.equal("rulebook: rule 'b': can never fire: rule 'a' comes before it and takes every such message; "
      .. "put this one before it, or give 'a' continue = true", err.message)
  end)
end)

describe("a rule can fire", function()
  it("behind one that lets messages pass", function()
    assert.same(FREE, both({ continue = true }, {}))
    assert.same(FREE, both({ once = true }, {}))
    assert.same(FREE, both({ once = "12h" }, {}))
    assert.same(FREE, both({ when = function() end }, {}))
    local function same() end
    assert.same(FREE, both({ when = same }, { when = same }))
    assert.same(FREE, both({ run = function() end }, {}))
  end)

  it("behind one whose text may not be known", function()
    assert.same(FREE, both({ say = "«{item.title}»" }, {}))
    assert.same(FREE, both({ say = { "да", "{buyer.name}" } }, {}))
    assert.same(TAKEN, both({ say = "«{item.title|это}»" }, {}))
    assert.same({ "b: a" }, unreachable { vars = { ["адрес"] = "у метро" }, { "a", say = "{адрес}" }, { "b", act = "ignore" } })
  end)

  it("behind one for less", function()
    for _, less in ipairs { { hears = "да" }, { first = true }, { first = false }, { hours = "closed" }, { item = { price = 5 } },
      { on = "text" }, { chat_type = "u2i" }, { phone = true }, { buyer = 5 }, { links = false }, { hours = "22:00-08:00" } } do
      assert.same(FREE, both(less, {}))
    end
    assert.same(FREE, both({ hears = "торг*" }, { hears = "скид*" }))
    assert.same(FREE, both({ item = { price = ">= 5" } }, { item = { price = "< 5" } }))
    assert.same(FREE, both({ on = "voice" }, { on = { "voice", "image" } }))
    assert.same(FREE, both({ first = true, hears = "да" }, { hears = "да" }))
    assert.same(FREE, both({ item = { id = 5 } }, { buyer = 5 }))
  end)

  it("where the other is for other messages", function()
    assert.same(FREE, both({}, { on = "system" }))
    assert.same(FREE, both({}, { flow_id = "x" }))
    assert.same(FREE, both({}, { on = "own" }))
    assert.same(FREE, both({}, { on = "deleted" }))
    assert.same(FREE, both({}, { on = { "text", "deleted" } }))
  end)

  it("in the chats of Avito, which only rules that ask for it look at", function()
    assert.same(FREE, both({}, { chat_type = "a2u" }))
    assert.same(FREE, both({}, { chat_type = { "u2i", "a2u" } }))
    assert.same(TAKEN, both({}, { chat_type = { "u2i", "u2u" } }))
    assert.same(FREE, both({ chat_type = "a2u" }, {}))
  end)

  it("as a fallback, where the others answer less", function()
    assert.same(FREE, both({ fallback = true }, { hears = "да" }))
    assert.same(FREE, both({ fallback = true, after = 2 }, { fallback = true }))
    assert.same(FREE, both({ hears = "да" }, { fallback = true }))
    assert.same(FREE, both({ continue = true }, { fallback = true }))
  end)

  it("where what a rule asks was not understood", function()
    local _, err = rulebook.compile { { "a", hears = 5, say = "да" }, { "b", say = "да" } }
    assert.equal(1, #err.problems)
    _, err = rulebook.compile { { "a", hears = "\"", say = "да" }, { "b", hears = "\"", say = "да" } }
    assert.equal(2, #err.problems)
    _, err = rulebook.compile { zone = "Europe/Nowhere", { "a", hours = "22:00-08:00", say = "да" }, { "b", say = "да" } }
    assert.equal(1, #err.problems)
  end)
end)
