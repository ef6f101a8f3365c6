local flow = require "avito_messenger.bot.flow"
local rulebook = require "avito_messenger.bot.rulebook"

local function rule_of(fields, book)
  local given = book or {}
  fields[1] = "r"
  given[#given + 1] = fields
  return assert(rulebook.compile(given)).rules[1]
end

local function rendered(say)
  local list = {}
  for i, compiled in ipairs(say.texts) do list[i] = compiled:render(function(name) return "<" .. name .. ">" end) end
  return list
end

describe("say", function()
  it("is one text, several that take turns, or several with labels", function()
    local say = rule_of { say = "Да, «{item.title}»" }.say
    assert.equal("one", say.mode)
    assert.same({ "Да, «<item.title>»" }, rendered(say))
    say = rule_of { say = { "Да", "Ага" } }.say
    assert.equal("turn", say.mode)
    assert.same({ "Да", "Ага" }, rendered(say))
    say = rule_of { say = { long = "Да, продаю", brief = "Да" } }.say
    assert.equal("label", say.mode)
    assert.same({ "brief", "long" }, say.labels)
    assert.same({ "Да", "Да, продаю" }, rendered(say))
  end)

  it("may name what is known, and the vars of the book", function()
    local names = { "item.title", "item.price", "item.id", "item.url", "item.city", "buyer.name", "buyer.id", "chat.id",
      "hours.next_open", "hours.next_close", "message.text", "phone", "number", "link", "адрес" }
    for _, name in ipairs(names) do
      local book = { vars = { ["адрес"] = "у метро" }, zone = "UTC+3", hours = { ["пн"] = "9-20" } }
      assert.same({ "<" .. name .. ">" }, rendered(rule_of({ say = "{" .. name .. "}" }, book).say))
    end
  end)
end)

describe("act", function()
  it("is one, a list, or one with details", function()
    assert.same({ { kind = "escalate" } }, rule_of { act = "escalate" }.acts)
    assert.same({ { kind = "mark_read" }, { kind = "ignore" }, { kind = "resume" } },
      rule_of { act = { "mark_read", "ignore", "resume" } }.acts)
    assert.same({ { kind = "blacklist", reason = "spam" } }, rule_of { act = { "blacklist", reason = "spam" } }.acts)
    assert.same({ { kind = "mark_read" }, { kind = "pause", seconds = 7200 }, { kind = "escalate", reason = "грубит" } },
      rule_of { act = { "mark_read", { "pause", time = "2h" }, { "escalate", reason = "грубит" } } }.acts)
    assert.same({ { kind = "blacklist" }, { kind = "pause" } }, rule_of { act = { "blacklist", { "pause" } } }.acts)
    assert.same({}, rule_of { say = "да" }.acts)
  end)
end)

describe("the other actions", function()
  it("are read", function()
    local function run() end
    local rule = rule_of({ image = "a.png", run = run, flow = "обмен", delay = "2s-6s" },
      { flow.define { "обмен", function() end } })
    assert.same({ "a.png" }, rule.image)
    assert.equal(run, rule.run)
    assert.equal("обмен", rule.flow)
    assert.same({ min = 2, max = 6 }, rule.delay)
    assert.same({ "a.png", "b.png" }, rule_of { image = { "a.png", "b.png" } }.image)
    local delay = rule_of { say = "да", delay = "1m" }.delay
    assert.same({ 60, 60 }, { delay.min, delay.max })
  end)

  it("are none of a rule without them", function()
    local rule = rule_of { act = "ignore" }
    for _, name in ipairs { "say", "image", "run", "flow", "delay", "once", "cooldown", "after", "hears", "line" } do
      assert.is_nil(rule[name], name)
    end
    assert.is_false(rule.continue)
    assert.is_false(rule.fallback)
  end)
end)

describe("once, cooldown, continue and fallback", function()
  it("are read", function()
    local rule = rule_of { say = "да", once = true, cooldown = "1d", continue = true, fallback = true, after = 2 }
    assert.same({ true, 86400, true, true, 2 }, { rule.once, rule.cooldown, rule.continue, rule.fallback, rule.after })
    assert.equal(12 * 3600, rule_of { say = "да", once = "12h" }.once)
    assert.is_nil(rule_of { say = "да", once = false }.once)
  end)
end)
