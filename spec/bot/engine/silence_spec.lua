local chats = require "support.chats"
local flow = require "avito_messenger.bot.flow"

local HAGGLE = "Торг при осмотре."
local HOUR = 3600

local function shop(more)
  local given = { { "торг", hears = "торг*", say = HAGGLE }, { "человек", hears = "человек* | оператор*", act = "escalate" } }
  for name, value in pairs(more or {}) do given[name] = value end
  return chats.new(given)
end

describe("a person who typed", function()
  it("has the chat for twelve hours, or as long as the rulebook says", function()
    for pause, hours in pairs { ["12h"] = 12, ["1h"] = 1 } do
      local c = shop { human = pause ~= "12h" and { pause = pause } or nil }
      c:person "Добрый день"
      c:pass(hours * HOUR - 60)
      assert.equal("", c:says "Торг есть?")
      assert.equal("a person is writing in this chat", c:note("silent").why)
      c:pass(60)
      assert.equal(HAGGLE, c:says "Торг есть?")
    end
  end)

  it("has it for as long again with every message", function()
    local c = shop { human = { pause = "1h" } }
    c:person "Добрый день"
    c:pass(1800)
    c:person("Торг есть", { type = "image", content = { image = {} } })
    c:pass(2400)
    assert.equal("", c:says "Торг есть?")
  end)

  it("takes back what was to be said, before it is under way", function()
    local c = shop { { "торг", hears = "торг*", say = HAGGLE, delay = "30s" } }
    c:buyer "Торг есть?"
    c:pass(10)
    c:person "Уступлю 500"
    assert.equal(2, c:note("human").withdrawn)
    assert.same({}, c:pass(13 * HOUR).said)
    assert.equal(0, #c.did)
  end)

  it("takes back what was wanted and is not under way yet", function()
    local c = shop()
    c:buyer "Торг есть?"
    c.now = c.now + 3
    c:wake()
    local key = c:pending()[1].key
    c:person "Уступлю 500"
    assert.same({ [2] = "it was withdrawn" }, { c.engine:latch(c.record, key, c.now) })
    assert.is_nil(c.engine:wake_at(c.record))
  end)

  it("does not take back what is under way, but what follows it", function()
    local c = shop { { "торг", hears = "торг*", say = HAGGLE, image = "photo-1" } }
    local effect = c:replying "Торг есть?"
    c:person "Уступлю 500"
    c:step { type = "sent", key = effect.key, id = "b1" }
    assert.equal("", c:wants())
  end)

  it("after the reply silences the bot for what follows", function()
    local c = shop()
    c:says "Торг есть?"
    c:person "Уступлю 500"
    assert.equal("", c:says "Торг есть?")
  end)

  it("has answered what the buyer wrote before, and not what is written later", function()
    local c = shop { human = { pause = "1h" } }
    for _, ago in ipairs { 10, 2 * HOUR } do
      c:step { type = "message", messages = { c:message("Торг есть?", { created = c.now - ago - 10 }),
        c:message("Есть", { created = c.now - ago, author_id = chats.SELLER }) } }
      assert.same({}, c:pass(2 * HOUR).said)
    end
    c = chats.new { { "торг", hears = "торг*", say = HAGGLE }, human = { pause = "2s" } }
    c:buyer "Торг есть?"
    c:person("Есть", { created = c.now - 1 })
    assert.same({ HAGGLE }, c:pass(30).said)
  end)

  it("has met the buyer: nobody greets them afterwards", function()
    local c = chats.new { { "привет", first = true, say = "Здравствуйте!" }, human = { pause = "1h" } }
    c:buyer "Привет"
    c:person "Здравствуйте"
    c:pass(2 * HOUR)
    assert.equal("", c:says "Привет")
  end)

  it("long ago is nothing to be silent for", function()
    local c = shop()
    c:person("Добрый день", { created = c.now - 12 * HOUR })
    assert.is_nil(c:note "human")
    assert.equal(HAGGLE, c:says "Торг есть?")
    c:person("Добрый день", { created = c.now - 11 * HOUR })
    assert.equal("", c:says "Торг есть?")
    c:pass(HOUR)
    assert.equal(HAGGLE, c:says "Торг есть?")
  end)

  it("in the future is a person who types now", function()
    local c = shop()
    c:person("Добрый день", { created = c.now + 100 * HOUR })
    c:pass(12 * HOUR)
    assert.equal(HAGGLE, c:says "Торг есть?")
  end)

  it("ends a dialogue", function()
    local avito_flow = require "avito_messenger.bot.flow"
    local c = chats.new { { "обмен", hears = "обмен*", flow = "обмен" }, { "торг", hears = "торг*", say = HAGGLE },
      avito_flow.define { "обмен", function(f)
        f:ask { "text", "На что?", within = "2d" }
        f:say "Понял."
      end }, human = { pause = "1h" } }
    assert.equal("На что?", c:says "Обмен?")
    c:person "На что меняете?"
    assert.equal("human", c.notes[#c.notes - 2].outcome)
    c:pass(2 * HOUR)
    assert.equal(HAGGLE, c:says "Торг есть?")
    assert.same({ "На что?", HAGGLE }, c:pass(72 * HOUR).said)
  end)

  it("is called all the same when a call is queued", function()
    local c = shop { { "зову", hears = "человек*", say = "Зову.", act = "escalate", delay = "30s" } }
    c:buyer "Позовите человека"
    c:pass(5)
    c:person "Я здесь"
    c:pass(60)
    assert.same({}, c.said)
    assert.equal("escalated", c:has_done("escalate").why)
  end)

  it("forgets how many turns nobody understood", function()
    local c = chats.new { { "что", fallback = true, after = 2, say = "Не понял." }, human = { pause = "1s" } }
    c:says "бррр"
    c:person "Что?"
    c:pass(5)
    assert.equal("", c:says "бррр")
    assert.equal("Не понял.", c:says "бррр")
  end)
end)

describe("a rule on = 'own'", function()
  it("gives the chat back to the bot, or pauses it", function()
    local c = shop { { "бот", on = "own", hears = "бот", act = "resume" },
      { "пауза", on = "own", hears = "пауза", act = { "pause", time = "2d" } }, { "торг", hears = "торг*", say = HAGGLE } }
    c:person "Добрый день"
    c:person "бот"
    assert.equal(HAGGLE, c:says "Торг есть?")
    c:person "пауза"
    c:pass(47 * HOUR)
    assert.equal("", c:says "Торг есть?")
    c:pass(2 * HOUR)
    assert.equal(HAGGLE, c:says "Торг есть?")
    assert.equal("бот торг пауза торг", c:fired())
  end)

  it("never hears the bot itself", function()
    local c = shop { { "бот", on = "own", hears = "торг", act = "resume" }, { "торг", hears = "торг*", say = HAGGLE } }
    local effect = c:replying "Торг есть?"
    c:step { type = "sent", key = effect.key, id = "b1" }
    c:tell(c:message(HAGGLE, { id = "b1", author_id = chats.SELLER }))
    assert.equal("торг", c:fired())
  end)

  it("does not mark the chat as read, unless it says so", function()
    local c = shop { { "бот", on = "own", hears = "бот", act = "resume" } }
    c:person "бот"
    assert.same({}, c:pass(10).did)
    c = shop { { "бот", on = "own", hears = "бот", act = { "resume", "mark_read" } } }
    c:person "бот"
    assert.equal("read", c:pass(10).did[1].kind)
  end)

  it("begins a dialogue, where it gives the chat back", function()
    for _, resumes in ipairs { true, false } do
      local c = chats.new { { "обмен", on = "own", hears = "обмен", run = function(r)
        if resumes then r:resume() end
        r:start "обмен"
      end }, flow.define { "обмен", function(f)
        f:say(f:ask { "text", "На что?" })
      end } }
      c:person "обмен"
      assert.same(resumes and { "На что?" } or {}, c:pass(10).said)
      assert.equal(resumes and "Велосипед" or "", c:says "Велосипед")
    end
  end)

  it("never puts the own account on the blacklist", function()
    local c = chats.new { { "бан", on = "own", hears = "бан", act = "blacklist" } }
    c:person "бан"
    c:pass(10)
    assert.same({}, c.did)
    assert.matches("not known who the buyer is", c:note("error").message)
  end)
end)

describe("a pause of the program's", function()
  it("lasts as long as it says, or as a person's, and ends with resume", function()
    local c = shop()
    c:step { type = "pause", seconds = 60 }
    assert.equal("", c:says "Торг есть?")
    assert.equal("the bot is paused in this chat", c:note("silent").why)
    c:pass(60)
    assert.equal(HAGGLE, c:says "Торг есть?")
    c:step { type = "pause" }
    c:pass(11 * HOUR)
    assert.equal("", c:says "Торг есть?")
    c:step { type = "resume" }
    assert.equal(HAGGLE, c:says "Торг есть?")
  end)

  it("takes back what was to be said, and ends a dialogue, whose clock says nothing", function()
    local c = chats.new { { "торг", hears = "торг*", say = HAGGLE, delay = "30s" }, { "обмен", hears = "обмен*", flow = "обмен" },
      flow.define { "обмен", function(f)
        f:ask { "text", "На что?", within = "1h" }
        f:say "Жаль."
      end } }
    c:buyer "Торг есть?"
    c:pass(10)
    c:step { type = "pause", seconds = 60 }
    assert.same({}, c:pass(100).said)
    c:says "Обмен?"
    c:step { type = "pause", seconds = 60 }
    assert.same({ "На что?" }, c:pass(2 * HOUR).said)
  end)

  it("that is made longer is still the program's", function()
    local c = shop()
    c:step { type = "pause", seconds = 60 }
    c:step { type = "pause", seconds = 90 }
    c:says "Торг есть?"
    assert.equal("the bot is paused in this chat", c:note("silent").why)
  end)

  it("does not shorten a longer silence, nor make it another's", function()
    local c = shop()
    c:person "Добрый день"
    c:step { type = "pause", seconds = 60 }
    c:pass(2 * HOUR)
    assert.equal("", c:says "Торг есть?")
    assert.equal("a person is writing in this chat", c:note("silent").why)
  end)

  it("of a rule lets its own words through", function()
    local c = chats.new { { "стоп", hears = "стоп", say = "Молчу.", act = { "pause", time = "1h" } },
      { "торг", hears = "торг*", say = HAGGLE } }
    assert.equal("Молчу.", c:says "Стоп")
    assert.equal("", c:says "Торг есть?")
    c:pass(HOUR)
    assert.equal(HAGGLE, c:says "Торг есть?")
  end)
end)

describe("a call of a person", function()
  it("tells what the buyer wrote, leaves the chat unread, and silences the bot", function()
    local c = shop { { "зову", hears = "человек*", say = "Зову.", act = { "escalate", reason = "просят" } } }
    assert.equal("Зову.", c:says "Дайте человека")
    assert.same({ "просят", "Дайте человека" }, { c:has_done("escalate").note, c:has_done("escalate").text })
    assert.is_nil(c:has_done "read")
    assert.equal("просят", c:note("escalated").note)
    assert.equal("", c:says "Торг есть?")
    assert.equal("a person was called", c:note("silent").why)
  end)

  it("is noted with its reason though the answer does more", function()
    local c = shop { { "спам", hears = "спам", act = { { "escalate", reason = "спам" }, "blacklist" } } }
    c:says "спам"
    assert.equal("спам", c:note("escalated").note)
  end)

  --- A dialogue is under way, and a system message comes whose rule does this.
  local function complained(act)
    local c = chats.new { { "жалоба", on = "system", act = act }, { "обмен", hears = "обмен*", flow = "обмен" },
      flow.define { "обмен", function(f)
        f:ask { "text", "На что?", within = "1h" }
        f:say "Жаль."
      end } }
    c:says "Обмен?"
    c:buyer("Жалоба", { type = "system", author_id = 1 })
    return c
  end

  it("by a system message's rule ends a dialogue", function()
    assert.same({ "На что?" }, complained "escalate":pass(2 * HOUR).said)
  end)

  it("keeps a flow of the same rule from talking", function()
    local c = chats.new { { "обмен", hears = "обмен*", act = "escalate", flow = "обмен" },
      flow.define { "обмен", function(f) f:say "Меняю." end } }
    assert.equal("", c:says "Обмен?")
  end)

  it("on the blacklist ends a dialogue", function()
    local c = complained "blacklist"
    assert.same({ "На что?" }, c:pass(2 * HOUR).said)
    assert.equal(chats.BUYER, c:has_done("blacklist").user_id)
  end)
end)

describe("the clock", function()
  it("that is put back or forward leaves the silence to its end", function()
    local c = shop { human = { pause = "2h" } }
    c:person "Добрый день"
    c.now = c.now - HOUR
    c:wake()
    assert.equal("", c:says "Торг есть?")
    c.now = c.now + 24 * HOUR
    assert.equal(HAGGLE, c:says "Торг есть?")
  end)
end)
