--- What a seller of used phones answers. Read from top to bottom: the first rule that fits answers.
---
--- hears: words of the buyer, in any form that the pattern takes.   a | b  either   a b  both   "a b"  side by side
---        word*  beginning so   -word  not   ~name  a concept: a list of words that comes with the bot, or stands below
local avito = require "avito_messenger"

return avito.rulebook {
  zone = "Europe/Samara",
  hours = { ["пн-пт"] = "10:00-20:00", ["сб"] = "11:00-16:00" },
  holidays = { "01-01", "01-02", "01-07", "05-09" },
  burst = "6s",             -- short messages in a row are one question
  human = { pause = "12h" }, -- after you have typed in a chat, the bot keeps out of it

  vars = { ["адрес"] = "ТЦ «Космопорт», у главного входа" },
  concepts = {
    ["батарея"] = "батаре* | аккум* | акб | заряд* -зарядк* -зарядн* | \"держит заряд\"",
  },

  { "спам", hears = "~спам", links = true, act = { { "blacklist", reason = "spam" }, "mark_read" } },
  { "человек", hears = "~оператор", say = "Сейчас позову продавца, он ответит сам.", act = "escalate" },
  { "телефон", phone = true, say = "Спасибо, передал номер продавцу, он перезвонит.", act = "escalate" },
  { "голос", on = "voice", cooldown = "1d", say = "Не могу прослушать голосовое. Напишите, пожалуйста, текстом." },
  { "ночь", hours = "closed", once = "12h", continue = true,
    say = "Сейчас мы закрыты, продавец на месте с {hours.next_open}. На простые вопросы отвечу и сейчас." },
  { "привет", first = true, hours = "open", continue = true, say = "Здравствуйте, {buyer.name|уважаемый покупатель}!" },

  { "обмен", hears = "~обмен", flow = "обмен" },
  { "наличие", hears = "~наличие", continue = true, delay = "2s-5s", say = "Да, «{item.title}» ещё в продаже." },
  { "торг", hears = "~торг", item = { price = ">= 5000" }, delay = "3s-8s",
    say = { "Небольшой торг при осмотре возможен.", "При осмотре уступлю процентов пять, не больше." } },
  { "без торга", hears = "~торг", say = "Цена и так низкая, без торга." },
  { "цена", hears = "~цена", say = "{item.price|Цена указана в объявлении}." },
  { "доставка", hears = "~доставка", say = "Отправлю Авито Доставкой в день оплаты, упакую надёжно." },
  { "адрес", hears = "~адрес | ~встреча", say = "{адрес}. Напишите, когда подойдёте." },
  { "батарея", hears = "~батарея", say = {
    A = "Ёмкость батареи больше 85 %, скриншот пришлю по просьбе.",
    B = "Батарея в порядке: больше 85 %." } },
  { "состояние", hears = "~состояние", say = "Всё работает, следы использования есть на фото.", image = "phone.png" },
  { "гарантия", hears = "~гарантия", say = "Даю две недели на проверку, чек и коробка есть." },
  { "оплата", hears = "~оплата", say = "Наличными или переводом при встрече." },
  { "спасибо", hears = "~спасибо", cooldown = "1d", say = "Пожалуйста!" },
  { "только привет", hears = "~привет", first = false, cooldown = "1d", say = "Здравствуйте! Чем помочь?" },

  { "не понял", fallback = true, say = "Уточните, пожалуйста, вопрос.", once = "1d" },
  { "совсем не понял", fallback = true, after = 2, act = "escalate" },

  avito.flow { "обмен", version = 1, ttl = "2d", leave = "~оператор | отмен* | передумал*", function(c)
    local model = c:ask { "text", "Обмен возможен. Какая у вас модель и сколько памяти?", within = "1d" }
    if not model then return end
    local photo = c:ask { "image", "Пришлите, пожалуйста, фото экрана и задней крышки.",
      again = "Нужно именно фото, без него не оценю.", within = "1d", tries = 3 }
    if not photo then return c:to_human("хочет обменять " .. model .. ", фото не прислал") end
    local extra = c:ask { "number", "Сколько доплаты ждёте или готовы доплатить, в рублях?",
      again = "Напишите число, например 5000.", min = 0, max = 200000 }
    if extra and extra > 20000 then
      c:say("Столько не получится, но продавец посмотрит и напишет.")
    else
      c:say("Хорошо, продавец посмотрит фото и ответит.")
    end
    c:to_human(("обмен на %s, доплата %s"):format(model, extra or "не названа"))
  end },
}
