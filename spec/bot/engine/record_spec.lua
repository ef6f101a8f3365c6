local chats = require "support.chats"
local define = require("avito_messenger.bot.flow").define
local json = require "avito_messenger.json"
local record = require "avito_messenger.bot.engine.record"

describe("a record", function()
  it("stays small through ten thousand messages", function()
    local c = chats.new { { "счёт", hears = "счёт", run = function(r) r.memory.n = (r.memory.n or 0) + 1 end },
      { "обмен", hears = "обмен*", flow = "обмен" }, { "торг", hears = "торг*", say = { "А", "Б" } },
      { "человек", hears = "человек*", act = { "pause", time = "1s" } },
      define { "обмен", function(f) f:say(f:ask { "yes/no", "Да?", tries = 1 } and "Да." or "Нет.") end },
      flood = { replies = 30 } }
    function c:step(event) -- as it is: its JSON is read at the end
      self.notes = {}
      return self.engine:step(self.record, event, self.now)
    end
    local texts, largest = { "торг?", "обмен?", "да", "счёт", "бррр", "человек" }, 0
    for i = 1, 10000 do
      c:buyer(texts[i % #texts + 1], { id = ("message-%d"):format(i) })
      if i % 3 == 0 then
        c.now = c.now + 5
        c:wake()
        for _ = 1, 10 do
          local effect = c:pending()[1]
          if not effect then break end
          if effect.kind == "about" then
            c:step { type = "about", facts = { item = { title = "Диван" } } }
          else
            c:latch()
            c:step { type = "sent", key = effect.key, id = i % 2 == 0 and effect.text and ("b%d"):format(i) or nil }
          end
        end
      end
      if i % 1000 == 0 then largest = math.max(largest, #json.encode(c.record)) end
    end
    assert.is_true(largest < 40000, tostring(largest))
    assert.is_true(c.record.memory.n > 100)
  end)

  it("forgets old answers without an id", function()
    local c = chats.new { { "торг", say = "Торг." } }
    for _ = 1, 50 do
      c:step { type = "sent", key = c:replying("Торг?").key }
      c:step { type = "sent", key = c:latch().key }
    end
    assert.equal(10, #c.record.echoes)
  end)

  it("knows the last three hundred messages, and which are older", function()
    local chat = { id = "u2i-1" }
    assert.is_false(record.marked(chat, "m1", 1))
    for i = 1, 900 do record.mark(chat, "m" .. i, i) end
    for i = 1, 900 do assert.is_true(record.marked(chat, "m" .. i, i)) end
    assert.is_true(record.marked(chat, "m601"))
    assert.is_false(record.marked(chat, "m600"))
    assert.is_false(record.marked(chat, "new", 901))
    assert.is_false(record.marked(chat, "late", 601))
    record.mark(chat, "m900", 900)
    assert.equal(900, chat.seen.n)
  end)

  it("can be copied for a step that may be thrown away", function()
    local chat = { id = "u2i-1", outbox = { { key = "a", state = "queued" } } }
    for i = 1, 599 do record.mark(chat, "m" .. i, i) end
    local before, copy = record.copy(chat), record.fork(chat)
    record.mark(copy, "m600", 600)
    record.mark(copy, "m601", 601)
    copy.outbox[1].state = "latched"
    assert.same(before, chat)
    assert.same({ 601, 301 }, { copy.seen.n, (function()
      local count = 0
      for _ in pairs(copy.seen.ids) do count = count + 1 end
      return count
    end)() })
  end)

  it("knows messages of which no time is told", function()
    local chat = { id = "u2i-1" }
    for i = 1, 1300 do record.mark(chat, "m" .. i, i <= 600 and i or nil) end
    assert.is_true(record.marked(chat, "m500", 500))
    assert.is_false(record.marked(chat, "new", 601))
  end)
end)
