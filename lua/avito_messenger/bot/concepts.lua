--- What buyers write, under names for the rules of a bot: `hears = "~цена"`. A concept of the same name in a rulebook
--- replaces it. Each is a pattern of the grammar of avito_messenger.text, in a file of its own.
local NAMES = {
  price = "цена",
  haggling = "торг",
  delivery = "доставка",
  availability = "наличие",
  address = "адрес",
  exchange = "обмен",
  condition = "состояние",
  warranty = "гарантия",
  payment = "оплата",
  greeting = "привет",
  thanks = "спасибо",
  meeting = "встреча",
  phone = "телефон",
  operator = "оператор",
  spam = "спам",
}

---@type table<string, string> name → pattern; the English names are aliases
local concepts = {}

for english, russian in pairs(NAMES) do
  concepts[russian] = require("avito_messenger.bot.concepts." .. english)
  concepts[english] = "~" .. russian
end

return concepts
