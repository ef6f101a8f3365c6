-- Scenes on Yandex Market, and one scenario on both.
local avito = require "avito_messenger"
local test = require "avito_messenger.bot.test"
local blame = require "support.blame"

local rules = {
  burst = 1,
  { "голос", on = "voice", say = "Напишите, пожалуйста." },
  { "возврат", chat_type = "return", say = "Возврат {return.id} по заказу {order.id}." },
  { "заказ", hears = "где", chat_type = "order", say = "Заказ {order.id} в пути, {buyer.name|покупатель}." },
  { "товар", hears = "где", say = "{item.title|Товар} у нас." },
  { "спам", hears = "казино", act = { "blacklist", "pause" } },
  { "жалоба", on = "system", act = "escalate" },
  { "фото", hears = "фото", flow = "фото" },
  { "тот самый", when = function(c) return c.order.id == "5005" end, say = "Тот." },
  { "всё", run = function(c)
    c:mark_read()
    c:say(("%s: %s"):format(c.chat.type, c.buyer.id))
  end },
  avito.flow { "фото", function(c)
    local photo = c:ask { "image", "Пришлите фото." }
    local files = photo.files or {}
    c:say(files[1] and files[1].name or photo.sizes["640x480"])
  end },
}

local function market()
  return test.scene { rulebook = rules, marketplace = "yandex_market" }
end

describe("a scene on Yandex Market", function()
  setup(function() test.colour = false end)
  teardown(function() test.colour = "auto" end)

  it("has chats about orders and returns, and those that a buyer began", function()
    local scene = market()
    local order = scene:buyer { order = { id = 42 } }
    order:says "Где заказ?"
    order:expect "Заказ 42 в пути, Покупатель."
    local back = scene:buyer { order = { id = 42, return_id = "9007199254740993" } }
    back:says "Где деньги?"
    back:expect "Возврат 9007199254740993 по заказу 42."
    local direct = scene:buyer { id = "abc" }
    direct:says "Привет"
    direct:expect "direct: abc"
    local forced = scene:buyer { type = "direct", order = {} }
    forced:says "Привет"
    forced:expect { contains = "direct" }
    local fifth = scene:buyer { order = {} }
    fifth:says "Привет"
    fifth:expect "Тот."
    assert.matches("^Покупатель %(order 42, 7001%)", order:transcript())
  end)

  it("has pictures and files, and no message of Avito alone", function()
    local buyer = market():buyer()
    buyer:says "фото"
    buyer:expect "Пришлите фото."
    buyer:sends("image", "стул.jpg")
    buyer:expect "стул.jpg"
    buyer:says "фото"
    buyer:expect "Пришлите фото."
    buyer:sends "image"
    buyer:expect { matches = "^%d+%.jpg$" }
    assert.equal("unknown message type 'voice' (known: file, image, system, text)",
      blame(function() buyer:sends "voice" end))
    assert.equal("unknown message type 'deleted' (known: file, image, system, text)",
      blame(function() buyer:deletes() end))
  end)

  it("hears what the marketplace and its support say", function()
    local scene = market()
    local buyer = scene:buyer { order = {} }
    buyer:system("support", "Разберёмся.")
    buyer:expect_escalated()
    assert.matches("support +%[system%] Разберёмся%.", buyer:transcript())
    assert.equal("buyer:system: unknown speaker 'supprt' (did you mean 'support'?)",
      blame(function() buyer:system "supprt" end))
  end)

  it("has disputes, in which the bot leaves the chat to a person", function()
    local buyer = market():buyer { order = { id = 42 } }
    buyer:says "фото"
    buyer:expect "Пришлите фото."
    buyer:begins_dispute()
    buyer:expect_escalated()
    buyer:expect_flow(nil)
    buyer:says "Где заказ?"
    buyer:expect_nothing "30d"
    buyer:ends_dispute()
    buyer:says "Где заказ?"
    buyer:expect "Заказ 42 в пути, Покупатель."
    assert.matches("%* +a dispute begins\n", buyer:transcript())
    local other = test.scene { rulebook = rules }:buyer()
    assert.equal("buyer:begins_dispute: Avito has no disputes", blame(function() other:begins_dispute() end))
    assert.equal("buyer:ends_dispute: Avito has no disputes", blame(function() other:ends_dispute() end))
  end)

  it("has no blacklist, and tells what was left out", function()
    local scene = market()
    local spammer = scene:buyer()
    spammer:says "казино"
    spammer:expect_nothing()
    assert.error_matches(function() spammer:expect_blacklisted() end, "they are not on it")
    spammer:resume()
    spammer:says "ещё"
    spammer:expect { contains = "direct" }
    assert.matches("%* +warning of rule 'всё': c:mark_read did nothing", spammer:transcript())
  end)

  it("says what is wrong with it", function()
    local scene = market()
    assert.equal("scene:buyer: unknown chat type 'u2i' (known: direct, order, return)",
      blame(function() scene:buyer { type = "u2i" } end))
    assert.equal("scene:buyer: order: unknown option 'retrun_id' (did you mean 'return_id'?)",
      blame(function() scene:buyer { order = { retrun_id = 5 } } end))
    assert.equal("test.scene: unknown marketplace 'yandex' (known: avito, yandex_market)",
      blame(function() test.scene { rulebook = rules, marketplace = "yandex" } end))
  end)
end)

describe("one scenario", function()
  it("plays on both marketplaces, each taking what it has", function()
    for name, said in pairs { avito = "iPhone 13 у нас.", yandex_market = "Заказ 42 в пути, Покупатель." } do
      local scene = test.scene { rulebook = rules, marketplace = name }
      local buyer = scene:buyer { item = { title = "iPhone 13" }, order = { id = 42 } }
      buyer:says "Где?"
      buyer:expect(said)
      buyer:sends "image"
      buyer:expect { rule = "всё" }
    end
  end)

  it("stays the same under mischief", function()
    local runs = test.torture({ rulebook = rules, marketplace = "yandex_market" }, function(scene)
      local buyer = scene:buyer { order = { id = 42 } }
      buyer:says "Где?"
      buyer:expect "Заказ 42 в пути, Покупатель."
      buyer:says "фото"
      buyer:expect "Пришлите фото."
      buyer:sends("image", "стул.jpg")
      buyer:expect "стул.jpg"
    end, { seeds = 5 })
    assert.equal(5, runs)
  end)
end)
