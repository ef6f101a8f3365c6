local chats = require "support.chats"

local function shop()
  return chats.new { { "спам", hears = "спам", act = { "blacklist", "escalate" } },
    { "торг", hears = "торг*", say = "Торг.", image = "photo-1" } }
end

--- The chat with the n-th of what the text brings under way.
local function under_way(said, n)
  local c = shop()
  c:buyer(said)
  c.now = c.now + 3
  c:wake()
  for i = 1, n - 1 do
    local effect = c:latch()
    c:step { type = "sent", key = effect.key, id = (effect.kind == "send" or effect.kind == "image") and "b" .. i or nil }
  end
  return c, c:latch()
end

describe("after a restart", function()
  it("a message under way is looked for, and not sent again when it is there", function()
    for n, text in ipairs { "Торг.", "photo-1" } do
      local c, effect = under_way("Торг?", n)
      assert.equal(text, effect.text or effect.image)
      assert.equal("", c:wants())
      c.now = c.now + 60
      c.engine:recover(c.record, c.now)
      assert.equal("check", c:wants())
      c:step { type = "history", key = effect.key, messages = { { id = "own", author_id = chats.SELLER, created = c.now - 60,
        type = effect.kind == "image" and "image" or "text", content = { text = effect.text } } } }
      assert.equal(n == 1 and "image" or "read", c:wants())
    end
  end)

  it("a message under way that is not there is sent again", function()
    local c, effect = under_way("Торг?", 1)
    c.now = c.now + 60
    c.engine:recover(c.record, c.now)
    c:step { type = "history", key = effect.key, messages = {} }
    assert.same({ "Торг.", "photo-1" }, c:pass(1).said)
  end)

  it("a message that was told already is done", function()
    local c, effect = under_way("Торг?", 1)
    local message = c:message(effect.text, { author_id = chats.SELLER })
    c:tell(message)
    assert.same({ { kind = "done", key = effect.key, effect = "send", rule = "торг", id = message.id, chat_id = c.record.id } },
      c.engine:recover(c.record, c.now))
    assert.same({ "photo-1" }, c:pass(1).said)
  end)

  it("what can be done twice is done again", function()
    for _, case in ipairs { { "спам", 1, "blacklist" }, { "спам", 2, "escalate" }, { "Торг?", 3, "read" } } do
      local c, effect = under_way(case[1], case[2])
      assert.equal(case[3], effect.kind)
      c.engine:recover(c.record, c.now)
      assert.same({ case[3], effect.key }, { c:pending()[1].kind, c:pending()[1].key })
      c:pass(1)
      assert.equal(effect.key, c.did[1].key)
    end
  end)

  it("what was not begun, or is looked for already, stays as it is", function()
    local c = shop()
    c.engine:recover(c.record, c.now)
    assert.same({ id = "u2i-1" }, c.record)
    c:buyer "Торг?"
    c.now = c.now + 3
    c:wake()
    c.engine:recover(c.record, c.now)
    assert.equal("send", c:wants())
    local effect = c:latch()
    c:step { type = "failed", key = effect.key, error = { kind = "timeout", dispatched = true } }
    c:step { type = "history", key = effect.key, messages = {} }
    c.engine:recover(c.record, c.now)
    assert.equal(c.now + 30, c.engine:wake_at(c.record))
  end)
end)
