local avito = require "avito_messenger"
local test = require "avito_messenger.bot.test"
local blame = require "support.blame"

describe("a buyer", function()
  setup(function() test.colour = false end)
  teardown(function() test.colour = "auto" end)

  local rules = {
    zone = "Europe/Samara", burst = "6s", human = { pause = "12h" },
    { "голос", on = "voice", say = "Напишите, пожалуйста, текстом." },
    { "скидка", on = "system", flow_id = "seller_audience_discount", act = "escalate" },
    { "фото", hears = "фото*", say = "Вот фото:", image = "photo.jpg" },
    { "спам", hears = "казино", act = "blacklist" },
    { "человек", hears = "человек*", act = "escalate" },
    { "обмен", hears = "обмен*", flow = "обмен" },
    { "торг", hears = "торг*", item = { price = ">= 5000" }, delay = "2s-6s", say = "Небольшой торг при осмотре." },
    { "длинно", hears = "долго", delay = "5m", say = "Минут пять." },
    avito.flow { "обмен", function(c)
      local model = c:ask { "text", "На что меняете?" }
      c:to_human("обмен на " .. tostring(model))
    end },
  }

  local scene, buyer
  before_each(function()
    scene = test.scene { rulebook = rules, at = "2026-11-20 12:00" }
    buyer = scene:buyer { item = { title = "iPhone 13", price = 35000 } }
  end)

  describe("expects", function()
    it("the next reply, after burst and delay", function()
      buyer:says "Здравствуйте"
      buyer:says "а торг есть?"
      buyer:expect "Небольшой торг при осмотре."
      assert.is_true(scene:now() >= buyer.talk.market.messages[2].created + 8)
      assert.same({ "Небольшой торг при осмотре." }, buyer:replies())
    end)

    it("a part of it, a pattern, one of several, and its rule", function()
      for _, expectation in ipairs { { contains = "торг при" }, { matches = "^Небольшой.*%.$" }, { "Небольшой торг при осмотре." },
        { one_of = { "Нет", "Небольшой торг при осмотре." } }, { contains = "торг", rule = "торг" },
        { rule = "торг" } } do
        buyer:says "торг"
        buyer:expect(expectation)
      end
    end)

    it("no more than was said", function()
      local small = test.scene { at = "2026-11-20 12:00", rulebook = { zone = "Europe/Samara", burst = "6s",
        { "торг", hears = "торг*", delay = "4s", say = "Небольшой торг при осмотре." }, { "да", hears = "да", say = "Да." } } }
      buyer = small:buyer { item = { title = "iPhone 13", price = 35000 } }
      buyer:says "торг"
      buyer:expect "Небольшой торг при осмотре."
      assert.equal([[
expected the bot to say “Небольшой торг при осмотре.”
  it said nothing more within 1m
  it said this before, and that was expected already

Покупатель (“iPhone 13”, u2i-test-1)
── 2026-11-20, Friday ──────────────────────────────────────
12:00:01  Покупатель торг
12:00:11  bot [торг] Небольшой торг при осмотре.

why, on “торг” (+ fires, - does not):
  + торг  everything matches
  - да    hears: no word like да]], blame(function() buyer:expect "Небольшой торг при осмотре." end))
    end)

    it("this text and no other: the difference is shown", function()
      buyer:says "торг"
      local problem = blame(function() buyer:expect "Небольшой торг при встрече." end)
      assert.matches("expected the bot to say “Небольшой торг при встрече.”\n  it said “Небольшой торг при осмотре.” by 'торг'\n"
        .. "  they differ: Небольшой торг при [-встрече.-]{+осмотре.+}\n\n", problem, 1, true)
      buyer:expect "Небольшой торг при осмотре." -- it is still the next
    end)

    it("this text: nothing is compared with what is quite another", function()
      buyer:says "торг"
      assert.matches("expected the bot to say “Здравствуйте!”\n  it said “Небольшой торг при осмотре.” by 'торг'\n\nПокупатель",
        blame(function() buyer:expect "Здравствуйте!" end), 1, true)
    end)

    it("a text and not an image", function()
      buyer:says "фото"
      buyer:expect "Вот фото:"
      assert.matches("expected the bot to say “Ещё фото”\n  it said an image, photo.jpg by 'фото'\n",
        blame(function() buyer:expect "Ещё фото" end), 1, true)
    end)

    it("replies in their order: it tells when the wanted one came later", function()
      buyer:says "торг"
      buyer:expect "Небольшой торг при осмотре."
      buyer:says "фото"
      scene:wait "1m"
      buyer:expect "Вот фото:"
      buyer:sends "voice"
      scene:wait "1m"
      local problem = blame(function() buyer:expect "Напишите, пожалуйста, текстом." end)
      assert.matches("  it said an image, photo.jpg by 'фото'\n  it said this later: what came before was not expected\n",
        problem, 1, true)
      problem = blame(function() buyer:expect "Напишите, пожалуйста, письмом." end)
      assert.matches("  the most like it was “Напишите, пожалуйста, текстом.” by 'голос': "
        .. "Напишите, пожалуйста,\n    [-письмом.-]{+текстом.+}\n", problem, 1, true)
    end)

    it("this rule and no other", function()
      buyer:says "торг"
      assert.matches("expected the bot to say a text with “торг” by 'обмен'\n  it said “Небольшой торг при осмотре.” by 'торг'\n",
        blame(function() buyer:expect { contains = "торг", rule = "обмен" } end), 1, true)
      assert.matches("expected the bot to say something by 'обмен'\n  it said “Небольшой торг при осмотре.” by 'торг'\n",
        blame(function() buyer:expect { rule = "обмен" } end), 1, true)
    end)

    it("a part, a pattern, one of several that are not there", function()
      buyer:says "торг"
      assert.matches("expected the bot to say a text with “обмен”\n",
        blame(function() buyer:expect { contains = "обмен" } end), 1, true)
      assert.matches("expected the bot to say a text that matches “^торг”\n",
        blame(function() buyer:expect { matches = "^торг" } end), 1, true)
      assert.matches("expected the bot to say one of “Да”, “Нет”\n",
        blame(function() buyer:expect { one_of = { "Да", "Нет" } } end), 1, true)
    end)

    it("as long as it is told to", function()
      buyer:says "долго"
      assert.matches("it said nothing more within 10s",
        blame(function() buyer:expect { "Минут пять.", within = "10s" } end), 1, true)
      buyer:expect { "Минут пять.", within = "10m" }
    end)

    it("something that makes sense", function()
      local function problem(expectation) return blame(function() buyer:expect(expectation) end) end
      assert.equal("buyer:expect: a text, or a table like { contains = \"…\" }, expected, got nil", problem(nil))
      assert.equal("buyer:expect: unknown field 'contain' (did you mean 'contains'?)", problem { contain = "торг" })
      assert.equal("buyer:expect: a text, contains, matches, one_of: give one of them", problem { "торг", contains = "торг" })
      assert.equal("buyer:expect: what text? Give one, or contains, matches, one_of or rule", problem {})
      assert.equal("buyer:expect: contains must be a string", problem { contains = 5 })
      assert.equal("buyer:expect: one_of must be a list of texts", problem { one_of = "торг" })
      assert.equal("buyer:expect: one_of must be a list of texts", problem { one_of = {} })
      assert.matches("buyer:expect: within: ", problem { "торг", within = "скоро" })
    end)
  end)

  it("expects an image", function()
    buyer:says "фото"
    buyer:expect "Вот фото:"
    assert.matches("expected the bot to send an image, other.jpg\n  it said an image, photo.jpg by 'фото'\n",
      blame(function() buyer:expect_image "other.jpg" end), 1, true)
    buyer:expect_image "photo.jpg"
    buyer:says "фото"
    assert.matches("expected the bot to send an image\n  it said “Вот фото:” by 'фото'\n",
      blame(function() buyer:expect_image() end), 1, true)
    buyer:expect "Вот фото:"
    buyer:expect_image()
    assert.matches("expected the bot to send an image\n  it sent nothing within 1m\n",
      blame(function() buyer:expect_image() end), 1, true)
    assert.same({ "Вот фото:", "[image] photo.jpg", "Вот фото:", "[image] photo.jpg" }, buyer:replies())
  end)

  it("expects nothing", function()
    buyer:says "ыыы"
    local before = scene:now()
    buyer:expect_nothing()
    assert.equal(before + 60, scene:now())
    buyer:expect_nothing "2h"
    assert.equal(before + 7260, scene:now())
    buyer:says "долго"
    buyer:expect_nothing()
    assert.matches("expected the bot to say nothing within 10m\n  it said “Минут пять.” by 'длинно'\n",
      blame(function() buyer:expect_nothing "10m" end), 1, true)
    assert.matches("it said “Минут пять.”", blame(function() buyer:expect_nothing(1) end), 1, true)
    buyer:expect "Минут пять."
    buyer:expect_nothing(1)
  end)

  it("expects a person to be called", function()
    buyer:says "торг"
    assert.matches("expected a person to be called\n  nobody was called within 1m\n",
      blame(function() buyer:expect_escalated() end), 1, true)
    buyer:says "человек"
    buyer:expect_escalated()
    assert.matches("expected a person to be called\n  nobody was called within 1m\n",
      blame(function() buyer:expect_escalated() end), 1, true)
    assert.matches("*          a person is called [человек]", buyer:transcript(), 1, true)
  end)

  it("expects what the person is told", function()
    buyer:says "обмен"
    buyer:expect "На что меняете?"
    buyer:says "Самсунг"
    assert.matches("expected a person to be called: “обмен на”\n  one was called by 'обмен', and told “обмен на Самсунг”\n",
      blame(function() buyer:expect_escalated "обмен на" end), 1, true)
    assert.matches("expected a person to be called: a text with “обмен” by 'торг'\n",
      blame(function() buyer:expect_escalated { contains = "обмен", rule = "торг" } end), 1, true)
    buyer:expect_escalated { contains = "Самсунг", rule = "обмен" }
  end)

  it("expects to be put on the blacklist", function()
    buyer:says "торг"
    assert.matches("expected the buyer to be put on the blacklist\n  they are not on it\n",
      blame(function() buyer:expect_blacklisted() end), 1, true)
    buyer:says "казино"
    buyer:expect_blacklisted()
    assert.matches("put on the blacklist: other", buyer:transcript())
  end)

  it("expects a rule to fire on what was said last", function()
    buyer:says "торг"
    buyer:expect_rule "торг"
    assert.matches("expected the rule 'фото' to fire\n  fired: 'торг'\n",
      blame(function() buyer:expect_rule "фото" end), 1, true)
    assert.matches("expected no rule to fire\n  fired: 'торг'\n", blame(function() buyer:expect_rule(nil) end), 1, true)
    buyer:says "ыыы"
    buyer:expect_rule(nil)
    assert.matches("expected the rule 'торг' to fire\n  none fired\n",
      blame(function() buyer:expect_rule "торг" end), 1, true)
  end)

  it("expects a dialogue", function()
    buyer:expect_flow(nil)
    buyer:says "обмен"
    assert.matches("expected the chat to be in the dialogue 'торг'\n  it is in 'обмен'\n",
      blame(function() buyer:expect_flow "торг" end), 1, true)
    buyer:expect_flow "обмен"
    assert.matches("expected the chat to be in no dialogue\n  it is in 'обмен'\n",
      blame(function() buyer:expect_flow(nil) end), 1, true)
    buyer:says "Самсунг"
    buyer:expect_flow(nil)
    assert.matches("expected the chat to be in the dialogue 'обмен'\n  it is in none\n",
      blame(function() buyer:expect_flow "обмен" end), 1, true)
  end)

  it("sends what is no text", function()
    buyer:sends "voice"
    buyer:expect "Напишите, пожалуйста, текстом."
    buyer:sends("location", "Самара, вокзал")
    buyer:sends("link", "https://example.com/torg")
    buyer:sends("image", { image = { sizes = {} } })
    local said = {}
    for body in buyer:transcript():gmatch "Покупатель  (%b[][^\n]*)" do said[#said + 1] = body end
    assert.same({ "[voice]", "[location] Самара, вокзал", "[link] https://example.com/torg", "[image]" }, said)
    assert.equal("unknown message type 'vioce' (did you mean 'voice'?)", blame(function() buyer:sends "vioce" end))
  end)

  it("gets messages of Avito's own bots", function()
    buyer:system("seller_audience_discount", "Скидка для ваших покупателей")
    buyer:expect_escalated()
    assert.matches("avito +%[system%] Скидка для ваших покупателей", buyer:transcript())
  end)

  it("takes a message back before it is answered", function()
    buyer:says "торг"
    buyer:deletes()
    buyer:expect_nothing()
    buyer:says "торг"
    buyer:says "фото"
    buyer:deletes(2)
    buyer:expect "Вот фото:"
    buyer:expect_image()
    buyer:expect_nothing()
    assert.matches("%[deleted%] торг", buyer:transcript())
    assert.matches("^why, on “фото” ", buyer:explain())
    assert.equal("buyer:deletes: there is no such message of the buyer", blame(function() buyer:deletes(2) end))
  end)

  it("hears the seller, and then nothing of the bot for a while", function()
    buyer:says "торг"
    buyer:seller_says "Это я сам, торга нет"
    buyer:expect_nothing()
    buyer:says "а обмен?"
    buyer:expect_nothing "11h"
    scene:wait "2h"
    buyer:says "обмен"
    buyer:expect "На что меняете?"
    assert.matches("seller +Это я сам, торга нет", buyer:transcript())
  end)

  it("is left alone while the program says so", function()
    buyer:pause "1h"
    buyer:says "торг"
    buyer:expect_nothing()
    buyer:resume()
    buyer:says "торг"
    buyer:expect "Небольшой торг при осмотре."
    assert.matches("buyer:pause: ", blame(function() buyer:pause "скоро" end))
  end)

  it("says a text", function()
    assert.equal("buyer:says: text expected, got an empty one", blame(function() buyer:says "" end))
    assert.equal("buyer:says: text expected, got nil", blame(function() buyer:says() end))
    assert.equal("buyer:seller_says: text expected, got number", blame(function() buyer:seller_says(5) end))
    assert.equal("buyer:system: text expected, got nil", blame(function() buyer:system() end))
  end)

  it("is told why each rule fires or does not, as it was when the message came", function()
    assert.equal("the buyer has not said anything", buyer:explain())
    local once = test.scene { rulebook = { burst = 1, { "да", hears = "да", once = true, say = "Да." }, { "нет", say = "Нет." } } }
    local other = once:buyer()
    other:says "да"
    other:expect "Да."
    assert.equal([[
why, on “да” (+ fires, - does not):
  + да   everything matches
  - нет  everything matches, but 'да' comes before it]], other:explain())
    other:says "да"
    assert.matches("  - да   once: it has fired in this chat\n  + нет  everything matches", other:explain(), 1, true)
  end)

  it("is told that a rule which calls a person fires", function()
    local calls = test.scene { rulebook = { burst = 1, { "человек", hears = "человек*", act = "escalate" } } }
    local other = calls:buyer()
    other:says "человека!"
    assert.matches("+ человек  everything matches", other:explain(), 1, true)
  end)

  it("is told about an item that was looked up only after the message", function()
    buyer:says "торг"
    buyer:expect_rule "торг"
    assert.matches("+ торг     everything matches", buyer:explain(), 1, true)
  end)

  it("is told about the kind of the chat", function()
    local shy = test.scene { rulebook = { burst = 1, { "профиль", chat_type = "u2u", say = "Да." } } }
    local other = shy:buyer()
    other:says "да"
    assert.matches("+ профиль  everything matches", other:explain(), 1, true)
  end)

  it("sees mistakes of rules in the conversation", function()
    local broken = test.scene { rulebook = { burst = 1, { "плохо", run = function() error("не вышло", 0) end } } }
    local other = broken:buyer()
    other:says "да"
    other:expect_nothing()
    assert.matches("error in rule 'плохо': не вышло", other:transcript())
  end)
end)
