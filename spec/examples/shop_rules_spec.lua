local test = require "avito_messenger.bot.test"

local RULES = "examples/shop_rules.lua"
local NIGHT = "Сейчас мы закрыты, продавец на месте с 11:00 завтра. На простые вопросы отвечу и сейчас."
local FRIDAY_NIGHT, FRIDAY_NOON = "2026-11-20 23:12", "2026-11-20 12:00"

describe("examples/shop_rules.lua", function()
  local scene

  local function buyer_at(at, price)
    scene = test.scene { rulebook = RULES, at = at }
    return scene:buyer { name = "Покупатель", item = { title = "iPhone 12, 128 ГБ", price = price or 31500 } }
  end

  it("haggles at night: says that it is closed once, and answers all the same", function()
    local buyer = buyer_at(FRIDAY_NIGHT)
    buyer:says "Добрый вечер! Телефон ещё продаёте?"
    buyer:says "и торг есть?"
    buyer:expect { NIGHT, rule = "ночь" }
    buyer:expect { "Да, «iPhone 12, 128 ГБ» ещё в продаже.", rule = "наличие" }
    buyer:expect { "Небольшой торг при осмотре возможен.", rule = "торг" }
    scene:wait_until "2026-11-21 09:30"
    buyer:says "За 28 отдадите?"
    buyer:expect { "При осмотре уступлю процентов пять, не больше.", rule = "торг" }
    buyer:expect_nothing "1h"
  end)

  it("answers on Yandex Market, too, by what is known there", function()
    scene = test.scene { rulebook = RULES, at = FRIDAY_NOON, marketplace = "yandex_market" }
    local buyer = scene:buyer { order = { id = 42 } }
    buyer:says "Какая гарантия?"
    buyer:expect "Здравствуйте, Покупатель!"
    buyer:expect { rule = "гарантия" }
    buyer:says "А торг уместен?"
    buyer:expect { rule = "без торга" }
  end)

  it("greets by day, the first time", function()
    local buyer = buyer_at(FRIDAY_NOON)
    buyer:says "Телефон ещё продаёте?"
    buyer:expect "Здравствуйте, Покупатель!"
    buyer:expect { "Да, «iPhone 12, 128 ГБ» ещё в продаже.", rule = "наличие" }
    buyer:says "Какая цена?"
    buyer:expect "31\194\160500\194\160₽."
    buyer:expect_nothing "10m"
  end)

  it("does not haggle over what is cheap", function()
    local buyer = buyer_at(FRIDAY_NIGHT, 900)
    buyer:says "Торг уместен?"
    buyer:expect(NIGHT)
    buyer:expect { "Цена и так низкая, без торга.", rule = "без торга" }
  end)

  local function exchange(buyer)
    buyer:says "Здравствуйте, обмен интересует?"
    buyer:expect(NIGHT)
    buyer:expect "Обмен возможен. Какая у вас модель и сколько памяти?"
    buyer:says "iPhone 11 на 128, состояние хорошее"
    buyer:expect "Пришлите, пожалуйста, фото экрана и задней крышки."
    buyer:says "фото потом пришлю"
    buyer:expect "Нужно именно фото, без него не оценю."
    buyer:sends "image"
    buyer:expect "Сколько доплаты ждёте или готовы доплатить, в рублях?"
    buyer:says "доплачу 7 тысяч"
    buyer:expect "Хорошо, продавец посмотрит фото и ответит."
    buyer:expect_escalated "обмен на iPhone 11 на 128, состояние хорошее, доплата 7000"
    buyer:expect_flow(nil)
  end

  describe("talks an exchange over", function()
    it("to its end", function()
      local buyer = buyer_at(FRIDAY_NIGHT)
      exchange(buyer)
      buyer:says "Ну что там?"
      buyer:expect_nothing "1h" -- a person was called
    end)

    it("without a photo, and calls a person after three tries", function()
      local buyer = buyer_at(FRIDAY_NIGHT)
      buyer:says "Обмен?"
      scene:wait "1m"
      buyer:says "Xiaomi"
      for _ = 1, 3 do
        scene:wait "1m"
        buyer:says "нет фото"
      end
      buyer:expect_escalated "хочет обменять Xiaomi, фото не прислал"
    end)

    it("and lets the buyer leave it, or be silent for a day", function()
      local buyer = buyer_at(FRIDAY_NIGHT)
      buyer:says "Обмен?"
      buyer:expect_flow "обмен"
      scene:wait "1m"
      buyer:says "Передумал, доставка есть?"
      buyer:expect_rule "доставка"
      buyer:expect_flow(nil)
      buyer:says "Хотя давайте обмен"
      buyer:expect_flow "обмен"
      scene:wait "25h"
      buyer:expect_flow(nil)
    end)

    it("and promises nothing when much is asked for", function()
      local buyer = buyer_at(FRIDAY_NIGHT)
      buyer:says "Обмен?"
      scene:wait "1m"
      buyer:says "iPhone 13"
      scene:wait "1m"
      buyer:sends "image"
      scene:wait "1m"
      buyer:says "40000"
      buyer:expect(NIGHT)
      for _, part in ipairs { "Какая у вас модель", "Пришлите", "Сколько доплаты" } do buyer:expect { contains = part } end
      buyer:expect "Столько не получится, но продавец посмотрит и напишет."
      buyer:expect_escalated { contains = "доплата 40000" }
    end)
  end)

  it("blacklists a spammer, and hears nothing more of them", function()
    local buyer = buyer_at(FRIDAY_NOON)
    buyer:says "Заработок на дому без вложений! Подробности: https://example.com/rich"
    buyer:expect_blacklisted()
    assert.matches("put on the blacklist: spam", buyer:transcript(), 1, true)
    buyer:says "Вы посмотрели?"
    buyer:expect_nothing "1h"
  end)

  it("keeps out of a chat in which the seller writes, for twelve hours", function()
    local buyer = buyer_at(FRIDAY_NOON)
    buyer:says "Торг есть?"
    buyer:seller_says "Здравствуйте! За 29 отдам."
    buyer:says "А доставка?"
    buyer:expect_nothing "11h"
    scene:wait "2h"
    buyer:says "Так что с доставкой?"
    buyer:expect { contains = "Сейчас мы закрыты" } -- it is one in the morning
    buyer:expect { rule = "доставка", contains = "Авито Доставкой" }
  end)

  it("passes a phone number on", function()
    local buyer = buyer_at(FRIDAY_NOON)
    buyer:says "Перезвоните 8 900 000-00-01"
    buyer:expect { "Спасибо, передал номер продавцу, он перезвонит.", rule = "телефон" }
    buyer:expect_escalated()
  end)

  it("asks once what is meant, and calls the seller when it does not understand again", function()
    local buyer = buyer_at(FRIDAY_NOON)
    buyer:says "Добрый день"
    buyer:expect "Здравствуйте, Покупатель!"
    scene:wait "1m"
    buyer:says "Какого он цвета?"
    buyer:expect { "Уточните, пожалуйста, вопрос.", rule = "не понял" }
    buyer:says "Ну, корпус какой?"
    buyer:expect_rule "совсем не понял"
    buyer:expect_escalated()
    buyer:expect_nothing "1h"
  end)

  it("asks for text instead of a voice message, once a day", function()
    local buyer = buyer_at(FRIDAY_NOON)
    buyer:sends "voice"
    buyer:expect { contains = "Напишите, пожалуйста, текстом.", rule = "голос" }
    buyer:sends "voice"
    buyer:expect_nothing "1h"
  end)

  it("shows a photo of the condition", function()
    local buyer = buyer_at(FRIDAY_NOON)
    buyer:says "Какое состояние, царапины есть?"
    buyer:expect "Здравствуйте, Покупатель!"
    buyer:expect { rule = "состояние", contains = "Всё работает" }
    buyer:expect_image "phone.png"
  end)

  it("says the same whatever goes wrong", function()
    local runs = test.torture({ rulebook = RULES, at = FRIDAY_NIGHT }, function(one)
      local buyer = one:buyer { name = "Покупатель", item = { title = "iPhone 12, 128 ГБ", price = 31500 } }
      exchange(buyer)
      local other = one:buyer { name = "Другой", item = { title = "Xiaomi", price = 900 } }
      other:says "Торг уместен?"
      other:expect(NIGHT)
      other:expect { rule = "без торга", contains = "без торга" }
      other:says "Доставка есть?"
      other:expect { rule = "доставка", contains = "Авито Доставкой" }
    end, { seeds = 10 })
    assert.equal(10, runs)
  end)
end)
