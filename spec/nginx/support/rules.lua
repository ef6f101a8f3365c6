--- What both bots of transcript_spec.lua answer by: some of everything, and nothing by chance.
local avito = require "avito_messenger"

return avito.rulebook {
  zone = "Europe/Samara", hours = { ["пн"] = "03:00-03:01" }, burst = "0.3s", settle = "1s", flood = false,
  human = { pause = "1h" }, vars = { ["адрес"] = "ТЦ «Космопорт»" },
  { "ночь", hours = "closed", once = "12h", continue = true, say = "Сейчас закрыто." },
  { "человек", hears = "~оператор", say = "Зову продавца.", act = "escalate" },
  { "обмен", hears = "~обмен", flow = "обмен" },
  { "наличие", hears = "~наличие", continue = true, say = "Да, «{item.title}» ещё в продаже." },
  { "торг", hears = "~торг", item = { price = ">= 5000" }, delay = "0.2s", say = "Небольшой торг при осмотре." },
  { "адрес", hears = "~адрес", say = "{адрес}." },
  { "фото", hears = "фото", say = "Вот.", image = "../../../examples/phone.png" },
  { "не понял", fallback = true, say = "Уточните, пожалуйста, вопрос." },
  avito.flow { "обмен", version = 1, ttl = "2d", leave = "~оператор", function(c)
    local model = c:ask { "text", "Какая модель?", within = "1d" }
    local extra = c:ask { "number", "Доплата?", again = "Напишите число.", min = 0, max = 200000 }
    c:say(("Обмен на %s, доплата %d."):format(model, extra))
  end },
}
