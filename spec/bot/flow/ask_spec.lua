local ask = require "avito_messenger.bot.flow.ask"
local flows = require "support.flows"

local function open(given, now, expires)
  local question = assert(ask.check(given))
  return ask.open(question, now or 1000, expires or 5000, function(text)
    if text == "{bad}" then return nil, "unknown name 'bad'" end
    return (text:gsub("{item}", "диван"))
  end)
end

local function read(given, text, turn)
  local understood, value = ask.read(open(given), flows.turn(text, turn))
  if understood then return value end
  assert.is_nil(value)
  return "?"
end

describe("flow.ask", function()
  describe("check", function()
    local function refuses(message, given)
      local question, problem = ask.check(given)
      assert.is_nil(question)
      assert.equal(message, problem)
    end

    it("names what is wrong", function()
      refuses("the options must be a table, got string", "text")
      refuses('the kind is missing: c:ask { "text", "…" }', {})
      refuses("unknown kind 'txt' (did you mean 'text'?)", { "txt", "Что?" })
      refuses('the prompt is missing: c:ask { kind, "…" }', { "text" })
      refuses('the prompt is missing: c:ask { kind, "…" }', { "text", " " })
      refuses("unknown option 'witin' (did you mean 'within'?)", { "text", "Что?", witin = "1h" })
      refuses("min must be a number, got string", { "number", "Сколько?", min = "1" })
      refuses("again is empty", { "text", "Что?", again = " " })
      refuses("min is 5, which is above max, 2", { "number", "Сколько?", min = 5, max = 2 })
      refuses("min and max are only for number and text, this is phone", { "phone", "Телефон?", min = 1 })
      refuses("tries must be an integer from 1 to 100, got 0", { "text", "Что?", tries = 0 })
      refuses("tries must be an integer from 1 to 100, got 1.5", { "text", "Что?", tries = 1.5 })
      refuses("tries must be an integer from 1 to 100, got 101", { "text", "Что?", tries = 101 })
      refuses("within must be more than 0 seconds", { "text", "Что?", within = 0 })
      refuses("within: unknown unit 'x' in the span '3x' (known: s, m, h, d, w, с, м, ч, д, н)", { "text", "Что?", within = "3x" })
      refuses("it holds a number that is not a number (0/0)", { "number", "Сколько?", min = 0 / 0 })
    end)

    it("names what is wrong with choices", function()
      refuses("choices are only for the kind choice, this is text", { "text", "Что?", choices = { "а", "б" } })
      refuses("a choice needs choices, two or more", { "choice", "Что?" })
      refuses("a choice needs choices, two or more", { "choice", "Что?", choices = { "а" } })
      refuses("choices hold a function", { "choice", "Что?", choices = { "а", print } })
      refuses("choice 2 must be a label, or { label, pattern }", { "choice", "Что?", choices = { "а", 2 } })
      refuses("choice 1 must be a label, or { label, pattern }", { "choice", "Что?", choices = { { " " }, "б" } })
      refuses("the choice 'а' is there twice", { "choice", "Что?", choices = { "а", { "а", "б" } } })
      refuses("the pattern of the choice 'а' must be a string", { "choice", "Что?", choices = { { "а", 1 }, "б" } })
      refuses("the pattern of the choice 'а': there are no parentheses: write the alternatives out, or give them a name as a "
        .. "concept (column 3)", { "choice", "Что?", choices = { { "а", "б (" }, "б" } })
    end)
  end)

  describe("open", function()
    it("is plain, and has the defaults", function()
      assert.same({ kind = "number", prompt = "Сколько за диван?", again = "Сколько за диван?", deadline = 5000, tries_left = 3,
        min = 1 }, open { "number", "Сколько за {item}?", min = 1 })
      assert.same({ kind = "text", prompt = "Что?", again = "Что за диван?", deadline = 4600, tries_left = 2 },
        open { "text", "Что?", again = "Что за {item}?", within = "1h", tries = 2 })
    end)

    it("ends no later than the run", function()
      assert.equal(1500, open({ "text", "Что?", within = "1h" }, 1000, 1500).deadline)
    end)

    it("says what cannot be filled in", function()
      assert.same({ [2] = "unknown name 'bad'" }, { open { "text", "{bad}" } })
      assert.same({ [2] = "unknown name 'bad'" }, { open { "text", "Что?", again = "{bad}" } })
    end)

    it("lists the choices, unless the text names them all", function()
      local choices = { "синий", { "красный", "крас*" } }
      local opened = open { "choice", "Какой?", again = "Так синий или красный?", choices = choices }
      assert.equal("Какой?\n1. синий\n2. красный", opened.prompt)
      assert.equal("Так синий или красный?", ask.again(opened))
      assert.equal("Синий, или…?\n1. синий\n2. красный", open({ "choice", "Синий, или…?", choices = choices }).prompt)
      assert.equal("Какой?\n1. синий\n2. красный", ask.again(open { "choice", "Какой?", choices = choices }))
    end)
  end)

  it("reads texts, trimmed, with bounds in characters", function()
    assert.equal("до завтра", read({ "text", "Что?" }, "  до завтра\n"))
    assert.equal("?", read({ "text", "Что?" }, " \n"))
    assert.equal("ёлка", read({ "text", "Что?", min = 4, max = 4 }, "ёлка"))
    assert.equal("?", read({ "text", "Что?", min = 5 }, "ёлка"))
    assert.equal("?", read({ "text", "Что?", max = 3 }, "ёлка"))
    assert.equal("?", read({ "text", "Что?" }, ("я"):rep(10001)))
    assert.equal(("я"):rep(10000), read({ "text", "Что?", max = 20000 }, ("я"):rep(10000)))
  end)

  it("reads the first number within the bounds", function()
    assert.equal(2, read({ "number", "Сколько?" }, "2 или 3"))
    assert.equal(35000, read({ "number", "Сколько?", min = 1000 }, "2 комнаты, 35000"))
    assert.equal(3, read({ "number", "Сколько?", max = 10 }, "35000 или 3"))
    assert.equal("?", read({ "number", "Сколько?", min = 1, max = 10 }, "35000"))
    assert.equal("?", read({ "number", "Сколько?" }, "много"))
  end)

  it("reads phone numbers", function()
    local function phones() return { "+79000000001", "+79000000002" } end
    assert.equal("+79000000001", read({ "phone", "Телефон?" }, "8 900 000-00-01", { phones = phones }))
    assert.equal("?", read({ "phone", "Телефон?" }, "не дам"))
  end)

  it("reads images", function()
    local messages = {
      { id = "m1", type = "text", content = { text = "вот" } },
      { id = "m2", type = "image", content = { image = { sizes = { ["640x480"] = "https://example.com/1.jpg" } } } },
    }
    assert.same({ message_id = "m2", sizes = { ["640x480"] = "https://example.com/1.jpg" } },
      read({ "image", "Фото?" }, "вот", { messages = messages }))
    local files = { { name = "1.jpg", url = "https://example.com/1.jpg", size = 5 } }
    assert.same({ message_id = "5", files = files },
      read({ "image", "Фото?" }, "вот", { messages = { { id = "5", type = "image", content = { files = files } } } }))
    assert.equal("?", read({ "image", "Фото?" }, "вот"))
    assert.equal("?", read({ "image", "Фото?" }, "", { messages = { { id = "m1", type = "image" } } }))
  end)

  describe("yes/no", function()
    local function means(value, list)
      for _, said in ipairs(list) do
        local understood, answer = ask.read(open { "yes/no", "Да?" }, flows.turn(said))
        assert.same({ said, true, value }, { said, understood, answer })
      end
    end

    it("understands yes", function()
      means(true, { "да", "Да.", "ДА!!", "ага", "угу", "конечно", "+", "++", "👍", "ок", "Хорошо, давайте", "да, конечно",
        "подходит", "меня устраивает", "не против", "почему бы и нет", "почему нет", "без проблем", "беру",
        "Да, нужна доставка", "согласна" })
    end)

    it("understands no", function()
      means(false, { "нет", "Нет.", "не", "неа", "не надо", "не нужно", "не хочу", "-", "—", "👎", "да нет", "нет, спасибо",
        "конечно нет", "не подходит", "меня не устраивает", "нет конечно", "не согласен", "Да не, не буду" })
    end)

    it("does not guess", function()
      for _, said in ipairs { "а сколько стоит?", "", "да или нет", "хорошо, не надо", "+7", "1" } do
        assert.same({ said, "?" }, { said, read({ "yes/no", "Да?" }, said) })
      end
    end)
  end)

  describe("choice", function()
    local function choose(choices, text)
      return read({ "choice", "Что?", choices = choices }, text)
    end

    it("goes by the label, whole, in a sentence or in part", function()
      local choices = { "64 ГБ", "128 ГБ", "Тёмно-синий" }
      assert.equal("128 ГБ", choose(choices, "128 гб"))
      assert.equal("128 ГБ", choose(choices, "мне 128гб, пожалуйста"))
      assert.equal("128 ГБ", choose(choices, "128"))
      assert.equal("Тёмно-синий", choose(choices, "темно синий"))
      assert.equal("?", choose(choices, "гб"))
      assert.equal("?", choose(choices, "64 гб или 128 гб"))
      assert.equal("?", choose(choices, "не знаю"))
      assert.equal("?", choose(choices, ""))
      assert.equal("?", choose(choices, "?"))
    end)

    it("takes a label without words as it is written only", function()
      assert.equal("-", choose({ "+", "-" }, " - "))
      assert.equal("?", choose({ "+", "-" }, "?"))
      assert.equal("-", choose({ "+", "-" }, "2"))
    end)

    it("keeps the patterns of one list apart from those of another", function()
      assert.equal("а", choose({ { "а", "белый" }, { "б", "шкаф" } }, "белый"))
      assert.equal("?", choose({ { "а", "белый\nшкаф" }, "б" }, "белый"))
      assert.equal("а", choose({ { "а", "белый\nшкаф" }, "б" }, "белый шкаф"))
    end)

    it("goes by the number, where it is no label", function()
      assert.equal("б", choose({ "а", "б" }, "2"))
      assert.equal("б", choose({ "а", "б" }, " №2) "))
      assert.equal("?", choose({ "а", "б" }, "3"))
      assert.equal("?", choose({ "а", "б" }, "2 3"))
      assert.equal("3", choose({ "2", "3" }, "3"))
      assert.equal("2", choose({ "3", "2" }, "2"))
      assert.equal("2", choose({ "1", "3", "2" }, "2"))
      assert.equal("?", choose({ "2 шт", "1 шт" }, "2"))
    end)

    it("goes by the pattern", function()
      local choices = { { "самовывоз", "сам* | забер*" }, { "доставка", "достав* | привез*" }, "почта" }
      assert.equal("самовывоз", choose(choices, "сама заберу"))
      assert.equal("доставка", choose(choices, "привезите"))
      assert.equal("доставка", choose(choices, "доставка"))
      assert.equal("почта", choose(choices, "лучше почта"))
      assert.equal("?", choose(choices, "заберу или привезите"))
    end)

    it("takes the longer of two labels that begin alike", function()
      assert.equal("тёмно-синий", choose({ "синий", "тёмно-синий" }, "хочу тёмно-синий"))
      assert.equal("синий", choose({ "синий", "тёмно-синий" }, "хочу синий"))
    end)
  end)
end)
