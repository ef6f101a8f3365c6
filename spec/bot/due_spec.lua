local shop = require "support.shop"

describe("a chat that is due", function()
  describe("whose store refuses to tell what is due", function()
    local refusal = setmetatable({ code = "busy" }, { __tostring = function() return "busy" end })

    local function refuses(place, seconds)
      local due, ends = place.bot.store.due, place.driver:now() + seconds
      function place.bot.store:due(...)
        if place.driver:now() < ends then return nil, refusal end
        return due(self, ...)
      end
    end

    it("is begun when it works again, though the clock was put back meanwhile", function()
      local place = shop.open()
      place.bot:poll { seconds = 5 }
      local chat = place:says "Торг есть?"
      refuses(place, 0.2)
      place:at(0.5, function() place.driver.unix = place.driver.unix - 3600 end)
      place.bot:poll { seconds = 60, interval = 100 }
      assert.same({ "buyer: Торг есть?", "bot: Торг при осмотре." }, place:conversation(chat))
    end)

    it("is looked at anew after the clock was put back, when the store works again", function()
      local place = shop.open { rulebook = { burst = 0, { "торг", hears = "торг*", delay = "1h", say = "Торг при осмотре." } } }
      place.bot:poll { seconds = 5 }
      local chat = place:says "Торг есть?"
      place.bot:poll { seconds = 10, interval = 100 }
      place.driver.unix = place.driver.unix - 86400
      refuses(place, 3)
      place.bot:poll { seconds = 4000, interval = 5000 }
      assert.same({ "buyer: Торг есть?", "bot: Торг при осмотре." }, place:conversation(chat))
    end)

    it("is waited for", function()
      local place = shop.open { user_id = shop.user_id }
      place.bot.lanes:work()
      refuses(place, 3)
      place.bot.lanes:told()
      place.bot.lanes:work()
      for _, seconds in ipairs { 1, 2, math.huge } do
        assert.equal(seconds, place.bot.lanes:rest())
        place.driver:sleep(math.min(seconds, 10))
        place.bot.lanes:work()
      end
    end)

    it("is not asked for where as many are at work as may be", function()
      local place = shop.open { user_id = shop.user_id }
      refuses(place, 1)
      place.bot.lanes:work()
      for i = 1, 100 do place.bot.lanes.running["u2i-" .. i] = true end
      place.driver:sleep(1)
      place.bot.lanes:work()
      assert.equal(math.huge, place.bot.lanes:rest())
    end)
  end)

  it("is begun however many others are due for longer and rest", function()
    local place = shop.open { user_id = shop.user_id }
    local lanes, account, rows = place.bot.lanes, place.bot:account(), {}
    for i = 1, 300 do
      rows[i] = { chat_id = "u2i-resting" .. i, key = "message" .. i, kind = "event", body = '{"type":"wake"}' }
      lanes.resting[rows[i].chat_id] = { failures = 9, ends = place.driver:now() + 300 }
    end
    lanes:receive(rows)
    place.driver:sleep(1)
    lanes:receive { { chat_id = "u2i-well", key = "message", kind = "event", body = '{"type":"pause","seconds":60}' } }
    lanes:work()
    assert.equal("paused", lanes:chat "u2i-well".silent.why)
    assert.equal(300, place.bot.store:stats(account, 0).inbox)
  end)

  it("is waited for where as many are at work as may be, whatever is due meanwhile", function()
    local place = shop.open { user_id = shop.user_id }
    local account, now, lanes = place.bot:account(), place.driver:time(), place.bot.lanes
    local claim = place.bot.store:claim(account, "u2i-later")
    assert(place.bot.store:commit(claim, { record = claim.record, wake = now + 10, release = true, now = now }))
    lanes:work()
    assert.equal(10, lanes:rest())
    for i = 1, 100 do lanes.running["u2i-" .. i] = true end
    place.driver:sleep(20)
    lanes:work()
    assert.equal(math.huge, lanes:rest())
    lanes.running = {}
    lanes:told() -- as the end of each does
    lanes:work()
    assert.is_nil((place.bot.store:due(account, math.huge, 10))[1])
  end)
end)
