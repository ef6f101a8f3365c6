local text = require "avito_messenger.text"

local function utf8(...)
  local out = {}
  for i, code in ipairs { ... } do
    local tail = {}
    local first = 0x80
    while code >= first do
      table.insert(tail, 1, string.char(0x80 + code % 0x40))
      code = math.floor(code / 0x40)
      first = first == 0x80 and 0x20 or first / 2
    end
    local lead = #tail == 0 and 0 or 0x100 - 2 ^ (7 - #tail)
    out[i] = string.char(lead + code) .. table.concat(tail)
  end
  return table.concat(out)
end

describe("text.fold", function()
  for _, case in ipairs {
    { "case", "Здравствуйте, ПРОДАЁТЕ iPhone?", "здравствуйте, продаете iphone?" },
    { "case of other alphabets", "ÉCOLE Straße ΣΟΦΟΣ Ґанок", "école strasse σοφοσ ґанок" },
    { "ё", "Ёлка ещё", "елка еще" },
    { "ё of two characters", "е" .. utf8(0x308) .. "лка Е" .. utf8(0x308), "елка е" },
    { "й of two characters", "и" .. utf8(0x306) .. "од, и" .. utf8(0x306), "йод, й" },
    { "accents in one order", "q" .. utf8(0x307, 0x323) .. "е" .. utf8(0x301, 0x308), "qе" },
    { "a letter that takes the second of its accents", "a" .. utf8(0x323, 0x302), "ậ" },
    { "stress", "за" .. utf8(0x301) .. "мок, т" .. utf8(0x45d) .. "х, н" .. utf8(0x450) .. "т", "замок, тих, нет" },
    {
      "what takes no room",
      "тор" .. utf8(0x200b) .. "г с" .. utf8(0xad) .. "кид" .. utf8(0x2060, 0xfeff) .. "ка",
      "торг скидка",
    },
    { "the tint and the form of an emoji", "👍" .. utf8(0x1f3fd) .. " ❤" .. utf8(0xfe0f), "👍 ❤" },
    { "a key with a digit", "1" .. utf8(0xfe0f, 0x20e3), "1" },
    { "Latin letters in a Russian word", "cкидкa ОБMЕH Baшa кpeдит", "скидка обмен ваша кредит" },
    { "small b and h, which look like other letters", "семb hет", "семь hет" },
    { "accents on them", "ц" .. utf8(0xe9) .. "на д" .. utf8(0xf3) .. "м", "цена дом" },
    { "no Latin word", "Bosch cop HOT 5 мм", "bosch cop hot 5 мм" },
    { "a Latin word beside a Russian one", "ПК HP core-процессор", "пк hp core-процессор" },
    { "0 and 3 between Cyrillic letters", "тел3ф0н пp0шу м0ck", "телзфон прошу м0ck" },
    { "no 0 or 3 elsewhere", "а10б x3п 3д д3 а33б 30 руб30", "а10б x3п 3д д3 а33б 30 руб30" },
    {
      "bytes that are not UTF-8",
      "цена\255\208 a\237\160\128",
      "цена\239\191\189\239\191\189 a\239\191\189\239\191\189\239\191\189",
    },
    { "what is longer in lower case", ("İ"):rep(400), ("i"):rep(400) },
    { "nothing", "", "" },
  } do
    it("folds " .. case[1], function()
      assert.equal(case[3], text.fold(case[2]))
    end)
  end

  it("changes nothing the second time, and never fails", function()
    local ranges = {
      { 0x20, 0x7f }, { 0x400, 0x45f }, { 0xa0, 0x24f }, { 0x300, 0x345 }, { 0x200a, 0x2064 }, { 0x1f600, 0x1f64f },
    }
    local state = 1
    local function random(n)
      state = (state * 16807) % 2147483647
      return state % n
    end
    for _ = 1, 3000 do
      local codes = {}
      for i = 1, random(12) do
        local range = ranges[random(#ranges) + 1]
        codes[i] = range[1] + random(range[2] - range[1] + 1)
      end
      local written = utf8(unpack and unpack(codes) or table.unpack(codes)) -- luacheck: ignore 143
      local once = text.fold(written)
      assert.equal(once, text.fold(once))
    end
  end)

  it("takes any bytes", function()
    local state = 7
    for length = 1, 400 do
      local bytes = {}
      for i = 1, length do
        state = (state * 16807) % 2147483647
        bytes[i] = string.char(state % 256)
      end
      assert.is_string(text.fold(table.concat(bytes)))
    end
  end)

  it("folds a long text", function()
    assert.equal(("цена "):rep(20000), text.fold(("ЦеНА "):rep(20000)))
  end)

  it("wants a string", function()
    assert.error_matches(function() text.fold {} end, "string expected")
  end)
end)
