local chats = require "support.chats"
local dispute = require "avito_messenger.bot.engine.dispute"
local flow = require "avito_messenger.bot.flow"

local HAGGLE = "Торг при осмотре."

describe("a dispute", function()
  local c

  before_each(function()
    c = chats.new { { "торг", hears = "торг*", say = HAGGLE, delay = "30s" },
      { "обмен", hears = "обмен*", flow = "обмен" },
      flow.define { "обмен", function(f) f:ask { "text", "Что на что?", within = "1d" } end } }
  end)

  local function news(open, at, listed)
    c:step { type = "dispute", open = open, at = at and chats.NOW + at, listed = listed }
  end

  it("takes back what was to be said, ends a dialogue, and calls a person", function()
    c:says "Обмен возможен?"
    assert.is_table(c.record.flow)
    news(true)
    assert.is_nil(c.record.flow)
    c.record, c.said = { id = "7001" }, {}
    c:buyer "Торг есть?"
    c:pass(10)
    assert.equal("send", c.record.outbox[1].kind)
    news(true)
    assert.same({}, c:pass(86400).said)
    assert.same({ "escalate" }, { c.did[#c.did].kind })
    assert.equal("dispute", c.did[#c.did].why)
    assert.equal("", c:says "Торг есть?")
    assert.equal("there is a dispute in this chat", c:note("silent").why)
  end)

  it("outlasts any other silence, and ends none", function()
    c:person "Я отвечу"
    news(true)
    c:step { type = "pause", seconds = 60 }
    news(false)
    assert.equal("", c:says "Торг есть?")
    assert.equal("a person is writing in this chat", c:note("silent").why)
  end)

  it("is over when the news of its end is newer, in whatever order it comes", function()
    local rows = {
      { { true, -10 }, { false, -5 }, false }, { { false, -5 }, { true, -10 }, false },
      { { true, -10 }, { true, -10 }, true }, { { true, -10 }, { false, -10 }, false }, { { false, -10 }, { true, -10 }, false },
      { { false, -10 }, { true, -5 }, true },
    }
    for i, row in ipairs(rows) do
      c.record = { id = "7001" }
      news(row[1][1], row[1][2])
      news(row[2][1], row[2][2])
      assert.equal(row[3], c.record.dispute.open, "row " .. i)
    end
  end)

  it("calls one person, however often it is told", function()
    news(true, -10)
    news(true, -5)
    c:pass(10)
    assert.equal(1, #c.did)
  end)

  it("is left by the program's own word, until there is another", function()
    news(true, -10)
    c:step { type = "resume" }
    assert.is_false(c.record.dispute.open)
    news(true, -10)
    assert.is_false(c.record.dispute.open)
    news(true, -5)
    assert.is_true(c.record.dispute.open)
  end)

  it("that was only found is not taken for news where somebody has told more", function()
    assert.same({ type = "dispute", open = true, listed = true }, dispute.found({}, true))
    assert.is_nil(dispute.found({}, false))
    news(true, -10, true)
    assert.is_nil(dispute.found(c.record, true))
    assert.is_false(dispute.found(c.record, false).open)
    news(false, -20) -- told, and of before it was found
    assert.is_false(c.record.dispute.open)
    assert.is_nil(dispute.found(c.record, true))
  end)
end)
