local chats = require "support.chats"

local HAGGLE = "Торг при осмотре."
local TIMEOUT = { kind = "timeout", message = "no answer", dispatched = true }
local DOWN = { kind = "network", message = "no connection", dispatched = false }

local function shop(more)
  local given = { { "торг", hears = "торг*", say = HAGGLE }, { "фото", hears = "фото", image = "photo-1" } }
  for name, value in pairs(more or {}) do given[name] = value end
  return chats.new(given)
end

--- A reply of which nobody knows whether it was sent.
local function uncertain(more, text)
  local c = shop(more)
  c:buyer(text or "Торг есть?")
  c.now = c.now + 3
  c:wake()
  if c:wants() == "about" then c:work() end
  local effect = c:latch()
  c:step { type = "failed", key = effect.key, error = TIMEOUT }
  return c, effect
end

describe("what a person who typed takes back", function()
  it("is a reply that failed, and was to be tried again", function()
    local c = shop()
    c:buyer "Торг есть?"
    c.now = c.now + 3
    c:wake()
    local effect = c:latch()
    c:person "Здравствуйте, уступлю 500"
    c:step { type = "failed", key = effect.key, error = DOWN }
    assert.equal("", c:wants())
    assert.is_nil(c.engine:wake_at(c.record))
    assert.same({}, c:pass(24 * 3600).said)
  end)

  it("is a reply that is not in the chat", function()
    for _, unclear in ipairs { "resend", "hold" } do
      local c = uncertain { unclear = unclear }
      c:person "Здравствуйте, уступлю 500"
      c:pass(24 * 3600)
      assert.same({}, c.said)
      assert.is_nil(c:note "error")
    end
  end)

  it("is a reply that was under way when the program ended, but for its reading back", function()
    local c = shop()
    c:buyer "Торг есть?"
    c.now = c.now + 3
    c:wake()
    c:latch()
    c:person "Здравствуйте, уступлю 500"
    c.engine:recover(c.record, c.now)
    assert.equal("check", c:wants())
    assert.same({}, c:pass(24 * 3600).said)
  end)

  it("is the mark that the chat was read, which is not made good after a restart", function()
    local c = shop()
    c:buyer "Торг есть?"
    c.now = c.now + 3
    c:wake()
    local effect = c:latch()
    c:step { type = "sent", key = effect.key, id = "b1" }
    assert.equal("read", c:latch().kind)
    c:person "Здравствуйте"
    c.engine:recover(c.record, c.now)
    assert.equal("", c:wants())
  end)
end)

describe("a rule on = 'own'", function()
  it("does what the person who typed asks for, though the bot is silent", function()
    local c = chats.new { { "бан", on = "own", hears = "бан", act = { "blacklist", reason = "spam" } },
      { "цена", hears = "цен*", say = "{buyer.name}, 5000." } }
    c:says "Цена какая?"
    c:person "бан"
    c:pass(10)
    assert.same({ chats.BUYER, 1 }, { c:has_done("blacklist").user_id, c:has_done("blacklist").reason })
  end)
end)
