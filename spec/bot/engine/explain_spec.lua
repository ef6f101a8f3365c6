local chats = require "support.chats"
local chance = require "avito_messenger.bot.engine.chance"
local define = require("avito_messenger.bot.flow").define
local record = require "avito_messenger.bot.engine.record"

local function explain(c, text, more)
  local message = c:message(text, more)
  local before = record.copy(c.record)
  local turn_at = c.now + (message.type == "system" and 0 or 3) -- when its burst is over
  local lines = c.engine:explain(c.record, message, turn_at)
  assert.same(before, c.record)
  local why, fires = {}, {}
  for _, line in ipairs(lines) do
    why[line.rule] = line.why
    if line.fires then fires[#fires + 1] = line.rule end
  end
  return why, table.concat(fires, " "), lines
end

--- The rules that a step fires on the message.
local function fired(c, text, more)
  c.notes = {}
  c:buyer(text, more)
  c:pass(60)
  return c:fired()
end

local function agrees(c, text, more)
  local _, fires = explain(c, text, more)
  assert.equal(fires, fired(c, text, more))
  return fires
end

describe("an explanation", function()
  it("tells for each rule whether it fires, and why not", function()
    local c = chats.new { { "привет", first = true, continue = true, say = "Здравствуйте!" },
      { "дорого", hears = "торг*", item = { price = "> 9000" }, say = "Нет." }, { "торг", hears = "торг*", say = "Да." },
      { "ещё", hears = "торг* | скид*", say = "Ещё." }, { "цена", hears = "цен*", say = "5000" },
      { "что", fallback = true, after = 2, say = "Не понял." } }
    c.record.facts = { at = c.now, item = c.facts.item }
    local why, fires, lines = explain(c, "Торг есть?")
    assert.equal("привет торг", fires)
    assert.equal("everything matches", why["торг"])
    assert.equal("item.price: 5000 is not > 9000", why["дорого"])
    assert.equal("everything matches, but 'торг' comes before it", why["ещё"])
    assert.equal("hears: no word like цен*", why["цена"])
    assert.equal("fallback: 'торг' answers", why["что"])
    assert.same({ "on", "hears", "item.price" }, { lines[2].conditions[1].name, lines[2].conditions[2].name,
      lines[2].conditions[3].name })
    assert.equal("привет торг", fired(c, "Торг есть?"))
    why, fires = explain(c, "бррр")
    assert.equal("", fires)
    assert.equal("fallback: 1 of 2 turns in a row that no rule understood", why["что"])
    c:says "бррр"
    assert.equal("что", agrees(c, "бррр"))
  end)

  it("names what stands before the rules", function()
    local c = chats.new { { "торг", hears = "торг*", say = "Да." }, { "обмен", hears = "обмен*", flow = "обмен" },
      define { "обмен", function(f) f:ask { "text", "На что?" } end, leave = "отмена", ttl = "1d" } }
    local why, fires = explain(c, nil, { type = "deleted" })
    assert.equal("the message is deleted", why["(guard)"])
    assert.equal("", fires)
    c:says "Обмен?"
    why, fires = explain(c, "Торг")
    assert.equal("the dialogue 'обмен' takes the message", why["(flow)"])
    assert.equal("everything matches", why["торг"])
    assert.equal("", fires)
    assert.is_nil((explain(c, "Торг", { type = "system" }))["(flow)"])
    assert.equal("торг", agrees(c, "отмена, торг"))
    c:says "Обмен?"
    c.now = c.now + 2 * 86400
    assert.equal("торг", agrees(c, "торг"))
    c:person "Добрый день"
    why, fires = explain(c, "Торг")
    assert.equal("a person is writing in this chat", why["(human)"])
    assert.equal("", fires)
    c.record.blocked = true
    assert.equal("the buyer is on the blacklist", (explain(c, "Торг"))["(guard)"])
    why, fires = explain(c, "Торг", { author_id = chats.SELLER })
    assert.matches("a person typed this", why["(human)"])
    assert.equal("", fires)
  end)

  it("of own words names the rules for them", function()
    local c = chats.new { { "бот", on = "own", hears = "бот", act = "resume" }, { "что", fallback = true, say = "?" } }
    c.record.blocked = true
    local why, fires = explain(c, "бот", { author_id = chats.SELLER })
    assert.equal("бот", fires)
    assert.matches("own", why["что"])
  end)

  it("knows rules that rest, and what that does to fallback", function()
    local c = chats.new { { "раз", once = true, hears = "торг*", say = "А" }, { "два", once = "1d", hears = "торг*", say = "Б" },
      { "три", cooldown = "1d", continue = true, hears = "торг*", say = "В" },
      { "четыре", cooldown = "1d", hears = "торг*", act = "ignore" }, { "что", fallback = true, say = "?" } }
    for _, fires in ipairs { "раз", "два", "три четыре", "" } do assert.equal(fires, agrees(c, "торг")) end
    local why = explain(c, "торг")
    assert.equal("once: it has fired in this chat", why["раз"])
    assert.equal("once: it fired less than 1d ago", why["два"])
    assert.equal("cooldown: it fired less than 1d ago, so it takes the message and says nothing", why["три"])
    assert.equal("fallback: 'четыре' answers", why["что"])
  end)

  it("knows rules that cannot say what they want", function()
    local c = chats.new { { "цена", hears = "цен*", say = "{phone}" },
      { "когда", when = function() error "сломано" end, say = "?" },
      { "что", fallback = true, say = "?" } }
    assert.equal("что", agrees(c, "Цена?"))
    local why = explain(c, "Цена?")
    assert.matches("it fails: {phone} is not known here", why["цена"], 1, true)
    assert.matches("when: .*сломано", why["когда"])
  end)

  it("knows that a dialogue ends the rules, and that Avito's own chats are none of theirs", function()
    local c = chats.new { { "обмен", hears = "обмен*", continue = true, flow = "обмен" }, { "все", say = "Да." },
      define { "обмен", function(f) f:say "Меняю." end } }
    assert.equal("обмен", agrees(c, "обмен"))
    assert.equal("read", c.did[1].kind)
    c.record.type, c.facts.type = "a2u", "a2u"
    assert.equal("", agrees(c, "обмен"))
    assert.matches("Avito's own chat", (explain(c, "обмен"))["все"])
  end)

  it("knows that fallback is only for what a buyer writes", function()
    local c = chats.new { { "что", fallback = true, on = { "system", "text" }, say = "?" } }
    assert.equal("", agrees(c, "Заказ", { type = "system", author_id = 1 }))
    assert.equal("fallback: only for what a buyer writes", (explain(c, "Заказ", { type = "system", author_id = 1 }))["что"])
  end)

  it("knows the flood guard, and runs no function of the program's", function()
    local runs = 0
    local c = chats.new { { "раз", continue = true, say = "А" }, { "два", run = function() runs = runs + 1 end },
      flood = { replies = 2, within = "1h", pause = "1s" } }
    for _, fires in ipairs { "раз два", "раз два", "раз" } do assert.equal(fires, agrees(c, "торг")) end
    assert.equal(2, runs)
  end)
end)

describe("random rulebooks and chats", function()
  local CHATS, MESSAGES = 60, 12
  local WORDS = { "торг", "цена", "обмен", "скидка", "привет", "бррр", "торг и цена", "+7 900 000-00-01",
    "https://example.com/", "скидка и обмен" }

  --- Integers drawn from a seed, the same on both Luas.
  local function drawing(seed)
    local count = 0
    return function(n)
      count = count + 1
      return chance.pick(("%d %d"):format(seed, count), n)
    end
  end

  local function rulebook(draw)
    local given = { define { "диалог", function(f) f:ask { "text", "Что?", within = "1h" } end, leave = "отмена | цен*" } }
    local hears = { "торг*", "цен*", "обмен*", "скид* | торг*", "привет* | цен* | обмен*" }
    for i = 1, draw(8) do
      local rule = { "правило" .. i }
      if draw(4) > 1 then rule.hears = hears[draw(#hears)] end
      if draw(6) == 1 then rule.first = draw(2) == 1 end
      if draw(6) == 1 then rule.item = { price = draw(2) == 1 and "> 100" or "< 100" } end
      if draw(6) == 1 and not rule.hears then rule.phone = true end
      if draw(3) == 1 then rule.continue = true end
      if draw(4) == 1 then rule.once = draw(2) == 1 or "2m" end
      if draw(4) == 1 then rule.cooldown = "2m" end
      if draw(4) == 1 then
        rule.fallback = true
        if draw(2) == 1 then rule.after = draw(3) end
      end
      local does = draw(8)
      if does == 1 then rule.act = "ignore" elseif does == 2 then rule.flow = "диалог" elseif does == 3 then
        rule.say = "{phone} {item.title}"
      elseif does == 4 then rule.say = { "А", "Б" } elseif does == 5 and draw(3) == 1 then
        rule.act = { "pause", time = "3m" }
      else rule.say = "А" end
      if draw(8) == 1 then rule.when = function(c) return #c.text % 2 == 0 end end
      given[#given + 1] = rule
    end
    given.flood = draw(3) == 1 and { replies = 3, within = "5m", pause = "2m" } or false
    return given
  end

  it("fire the rules that are explained", function()
    local tried = 0
    for seed = 1, CHATS * 20 do
      local draw = drawing(seed)
      local ok, c = pcall(chats.new, rulebook(draw))
      if ok then -- others have rules that can never fire
        tried = tried + 1
        for at = 1, MESSAGES do
          local text, kind = WORDS[draw(#WORDS)], draw(12) == 1 and "system" or nil
          local more = { type = kind, author_id = kind and 1 or nil }
          -- The facts of the item are there before the rules are asked.
          c.record.facts = { at = c.now, item = c.facts.item }
          local _, fires = explain(c, text, more)
          assert.equal(fires, fired(c, text, more), ("seed %d, message %d: %s"):format(seed, at, text))
        end
      end
      if tried == CHATS then break end
    end
    assert.equal(CHATS, tried)
  end)
end)
