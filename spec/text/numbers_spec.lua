local alloc = require "spec_support.alloc"
local found_in = require "support.found"
local text = require "avito_messenger.text"

local nbsp, thin, narrow = "\194\160", "\226\128\137", "\226\128\175"

-- What is written and the numbers in it.
local cases = {
  digits = {
    { "5000", 5000 },
    { "0", 0 },
    { "007", 7 },
    { "отдам за 4500!", 4500 },
    { "5000р", 5000 },
    { "5000₽, не меньше", 5000 },
    { "$100", 100 },
    { "(300)", 300 },
    { "№5", 5 },
    { "от 3000 до 4000", 3000, 4000 },
    { "2 штуки по 150", 2, 150 },
    { "Цена 15.000р, торг 1.000", 15000, 1000 },
    { "100х200", 100, 200 },
    { "100x200x300", 100, 200, 300 },
    { "2/3", 2, 3 },
    { "5️⃣", 5 },
    { "1️⃣0️⃣", 10 },
    { "５０００", 5000 },
    { "➀ и ②", 1, 2 },
    { "999999999999999", 999999999999999 },
    { "1000000000000000" },
    { "1\0002", 1, 2 },
  },
  ["thousands"] = {
    { "5 000", 5000 },
    { "5" .. nbsp .. "000", 5000 },
    { "5" .. thin .. "000", 5000 },
    { "5" .. narrow .. "000" .. narrow .. "000", 5000000 },
    { "5.000", 5000 },
    { "5,000", 5000 },
    { "5'000", 5000 },
    { "5’000", 5000 },
    { "1.250.000", 1250000 },
    { "1 200 300", 1200300 },
    { "120 000 км", 120000 },
    { "5  000", 5, 0 },
    { "5\n000", 5, 0 },
    { "5 00", 5, 0 },
    { "5 0000", 5, 0 },
    { "5000 000", 5000, 0 },
    { "0 500", 0, 500 },
    { "айфон 13 256гб", 13, 256 },
    { "13 256 GB", 13, 256 },
    { "1 000.000", 1000, 0 },
    { "1,000,50", 1000, 50 },
  },
  decimals = {
    { "4,5", 4.5 },
    { "4.5", 4.5 },
    { "0,5", 0.5 },
    { "0,125", 0.125 },
    { "0.1234", 0.1234 },
    { "2.71828", 2.71828 },
    { "5 000,50", 5000.5 },
    { "5.000,50", 5000.5 },
    { "5,000.50", 5000.5 },
    { "5000.50", 5000.5 },
    { "5.", 5 },
    { "их 5. Тысяч так не бывает", 5 },
    { "5, 6", 5, 6 },
    { "1,2,3", 1, 2, 3 },
    { "5000,6000", 5000, 6000 },
    { "5000,500 тыс", 5000, 500000 },
    { "0.1234567", 0, 1234567 },
  },
  multipliers = {
    { "5к", 5000 },
    { "5k", 5000 },
    { "5K торг?", 5000 },
    { "2кк", 2000000 },
    { "5 тыс", 5000 },
    { "5тыс.", 5000 },
    { "5 ТЫСЯЧ", 5000 },
    { "5 тыщ", 5000 },
    { "5 тыр", 5000 },
    { "5т", 5000 },
    { "5т.р", 5000 },
    { "5 т.р.", 5000 },
    { "5 т р", 5000 },
    { "5т/р", 5000 },
    { "5 т. руб", 5000 },
    { "5тр", 5000 },
    { "5 косарей", 5000 },
    { "4,5 тыс.", 4500 },
    { "4,35 тыс", 4350 },
    { "1,15 тыс", 1150 },
    { "1,2 млн", 1200000 },
    { "1.250 млн", 1250000 },
    { "2 миллиона", 2000000 },
    { "3 ляма", 3000000 },
    { "1 млрд", 1000000000 },
    { "3 сотни", 300 },
    { "1 млн 200 тыс", 1200000 },
    { "1 млн. 200 тыс.", 1200000 },
    { "5 тыс 500", 5500 },
    { "5 тыс. 500 руб.", 5500 },
    { "5 тысяч 200 км", 5000, 200 },
    { "5 тысяч 2 штуки", 5000, 2 },
    { "5 тысяч 20 отдам", 5000, 20 },
    { "5тыс500", 5500 },
    { "5 тыс 500%", 5000 },
    { "5 тысяч 6 тысяч", 5000, 6000 },
    { "3 сотни 500", 300, 500 },
    { "приеду в 5 к вам", 5 },
    { "весит 5 т", 5 },
    { "5 т.к. рано", 5 },
    { "5 кг", 5 },
    { "несколько тысяч" },
    { "тысячи отзывов" },
    { "9999999999999 млрд" },
  },
  ranges = {
    { "5-6 тысяч", 5000, 6000 },
    { "5 - 6 тыс.", 5000, 6000 },
    { "5—6к", 5000, 6000 },
    { "от 5 до 6 тысяч", 5000, 6000 },
    { "5 или 6 тысяч", 5000, 6000 },
    { "4,5-5 тыс", 4500, 5000 },
    { "пять-шесть тысяч", 5000, 6000 },
    { "1-1,5 млн", 1000000, 1500000 },
    { "500-1 тыс", 500, 1000 },
    { "5к-6к", 5000, 6000 },
    { "3 сотни - 500 тыс", 300, 500000 },
    { "5 тыс - 10%", 5000 },
    { "5 и 6 тысяч", 5, 6000 },
    { "5000-6000", 5000, 6000 },
    { "-500", 500 },
    { "− 500", 500 },
  },
  words = {
    { "пять тысяч", 5000 },
    { "Полторы тысячи", 1500 },
    { "полтора", 1.5 },
    { "двадцать пять", 25 },
    { "за двадцать пять тысяч триста", 25300 },
    { "сто двадцать три", 123 },
    { "девятьсот девяносто девять тысяч девятьсот девяносто девять", 999999 },
    { "миллион", 1000000 },
    { "миллион двести тысяч", 1000000, 200000 },
    { "два миллиона двести тысяч", 2200000 },
    { "за тысячу отдадите?", 1000 },
    { "ЧЕТЫРНАДЦАТЬ", 14 },
    { "четырнадцати", 14 },
    { "двумя", 2 },
    { "трёх", 3 },
    { "тре\204\136х", 3 },
    { "ноль", 0 },
    { "две с половиной тысячи", 2500 },
    { "3 с половиной", 3.5 },
    { "3 с доставкой, 2 половиной", 3, 2 },
    { "пару тысяч", 2000 },
    { "пара вопросов" },
    { "пол миллиона", 500000 },
    { "полмиллиона", 500000 },
    { "пол дня" },
    { "двадцать двадцать", 20, 20 },
    { "пять шесть", 5, 6 },
    { "сорок одиннадцать", 40, 11 },
    { "двадцать ноль", 20, 0 },
    { "5 тысяч двести", 5200 },
    { "пять тысяч. Двести доставка", 5000, 200 },
    { "стол, стоит, пятно, тройник, семья" },
    { "раздва" },
    { "2пять", 2 },
  },
  ["what is no amount"] = {
    { "" },
    { "сколько?" },
    { "скидка 10%" },
    { "-10 %" },
    { "5-10%" },
    { "10 процентов" },
    { "десять процентов скидки с 5000", 5000 },
    { "18:30" },
    { "100:50", 100, 50 },
    { "счёт 5:1", 5, 1 },
    { "в 18:30:15 или 9:00" },
    { "12.05.2026" },
    { "12.05.26 в 5 часов", 5 },
    { "2026-01-02" },
    { "02/01/2026" },
    { "iOS 16.4.1" },
    { "192.168.0.1" },
    { "карта 2200 7000 0000 0001, 5000", 5000 },
    { "2200-7000-0000-0001" },
    { "1000 2000 3000 и 4000", 1000, 2000, 3000, 4000 },
    { "iphone13" },
    { "айфон13 и 2 чехла", 2 },
    { "А4, S21" },
    { "A1B2" },
    { "4f5g6 и 7", 7 },
    { "IMG_2024.jpg" },
    { "12345678901234567890" },
    { "89000000001 за 5000", 5000 },
    { "+7 900 000-00-01" },
    { "восемь девятьсот ноль ноль ноль ноль ноль ноль один" },
    { "example.com/5000 7", 7 },
    { "https://example.com/a?price=5000" },
    { "@seller5000" },
    { "buyer77@example.com" },
    { "wa.me/79000000001" },
    { "wa.me/1234567" },
    { "wa.me/79000000001abc" },
  },
  ["bytes that are not UTF-8"] = {
    { "5\2550", 5, 0 },
    { "\204\1295", 5 },
    { "5 000\255", 5000 },
    { "\2085\208", 5 },
    { "5\226\128", 5 },
    { "\237\160\1285", 5 },
  },
}

describe("text.numbers", function()
  for name, list in pairs(cases) do
    it("reads " .. name, function()
      assert.same(list, found_in(text.numbers, list))
    end)
  end

  it("gives whole numbers as integers, where the Lua has them", function()
    if math.type then
      assert.equal("integer", math.type(text.numbers("4,5 тыс")[1]))
      assert.equal("float", math.type(text.numbers("4,5")[1]))
    end
  end)

  it("reads back what was written in any of the ways", function()
    math.randomseed(7)
    local function grouped(n, mark)
      local digits = ("%d"):format(n)
      local head = #digits % 3
      local parts = head > 0 and { digits:sub(1, head) } or {}
      for i = head + 1, #digits, 3 do
        parts[#parts + 1] = digits:sub(i, i + 2)
      end
      return table.concat(parts, mark)
    end
    local ways = {
      function(n) return ("%d"):format(n), n end,
      function(n) return grouped(n, " "), n end,
      function(n) return grouped(n, nbsp), n end,
      function(n) return grouped(n, "."), n end,
      function(n) return grouped(n, " ") .. ",50", n + 0.5 end,
      function(n) return ("%d тыс"):format(n), n * 1000 end,
      function(n) return ("%d,%d млн"):format(n, n % 9 + 1), n * 1000000 + (n % 9 + 1) * 100000 end,
    }
    for _ = 1, 2000 do
      local n = math.random(1, 10 ^ math.random(1, 8))
      local written, value = ways[math.random(#ways)](n)
      local message = ("отдадите за %s руб, ок?"):format(written)
      assert.same({ message, { value } }, { message, text.numbers(message) })
    end
  end)

  it("finds at most 64", function()
    assert.equal(64, #text.numbers(("7 и "):rep(64)))
    assert.equal(64, #text.numbers(("7 и "):rep(65)))
  end)

  it("looks at the first 65,536 bytes", function()
    assert.same({ 5 }, text.numbers((" "):rep(65535) .. "5"))
    assert.same({ 5 }, text.numbers((" "):rep(65535) .. "50"))
    assert.same({}, text.numbers((" "):rep(65536) .. "5"))
  end)

  it("wants a string", function()
    assert.has_error(function() text.numbers() end, "bad argument #1 to 'numbers' (string expected, got no value)")
  end)

  it("survives any bytes", function()
    math.randomseed(11)
    local bits = { "5", "0", " ", ".", ",", "-", "к", "тыс", "т", "р", "пять", "сто", "%", ":", "х", "a", "\208", "\255", "\n",
      "до", "8900", "@", "млн", "/", "\204\129" }
    for _ = 1, 3000 do
      local parts = {}
      for i = 1, math.random(0, 30) do
        parts[i] = bits[math.random(#bits)]
      end
      for _, value in ipairs(text.numbers(table.concat(parts))) do
        assert.is_true(value >= 0 and value <= 2 ^ 53)
      end
    end
  end)
end)

describe("text without memory", function()
  local sample = "5 000 и 7, пять тысяч; +7 900 000-00-01, 8 900 000-00-02; example.com/a, @seller_name"
  local place = 0 -- a new message each time, as strings are kept
  local calls = {
    numbers = function() return text.numbers(sample) end,
    phones = function() return text.phones(sample) end,
    links = function() return text.links(sample) end,
    split = function() return text.split(sample, 20) end,
    length = function()
      place = place + 1
      local _, message = text.length(("a"):rep(place) .. "\255")
      return message:match "^the text is not UTF%-8"
    end,
  }

  for name, call in pairs(calls) do
    it("raises in " .. name .. " and finds the same afterwards", function()
      collectgarbage()
      collectgarbage "stop"
      local expected = call()
      for _, mode in ipairs { "fail_at", "fail_from" } do
        local allocations = 0
        repeat
          allocations = allocations + 1
          local ok, result, fired = alloc[mode](allocations, call)
          if fired and not ok then
            assert.equal("not enough memory", result)
          else
            assert.is_true(ok)
            assert.same(expected, result)
          end
        until not fired
        assert.is_true(allocations > 1)
      end
      collectgarbage "restart"
    end)
  end
end)
