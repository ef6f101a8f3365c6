local found_in = require "support.found"
local text = require "avito_messenger.text"

local one = "+79000000001"

-- What is written and the phone numbers in it.
local cases = {
  ["numbers of Russia"] = {
    { "+79000000001", one },
    { "+7 900 000-00-01", one },
    { "+7 (900) 000-00-01", one },
    { "+7(900)0000001", one },
    { "79000000001", one },
    { "89000000001", one },
    { "8 900 000 00 01", one },
    { "8-900-000-00-01", one },
    { "8.900.000.00.01", one },
    { "8 (900) 000-00-01", one },
    { "8(900)000 00 01.", one },
    { "8/900/000/00/01", one },
    { "(8 900) 000 00 01", one },
    { "8‑900‑000–00—01", one },
    { "8 900\194\160000\226\128\13700 01", one },
    { "9000000001", one },
    { "900 000-00-01", one },
    { "(900) 000-00-01", one },
    { "+8 900 000 00 01", one },
    { "+ 7 900 000 00 01", one },
    { "8 495 000-00-01", "+74950000001" },
    { "8 812 000 00 01", "+78120000001" },
    { "+7 700 000 00 01", "+77000000001" },
    { "Звоните 89000000001, жду", one },
    { "тел:89000000001", one },
    { "тел.89000000001", one },
    { "тел89000000001", one },
    { "89000000001звоните", one },
    { "мой номер:\n+7 900 000-00-01\nзвоните", one },
    { "5000 89000000001", one },
    { "цена 5 000, 8 900 000 00 01", one },
    { "на карту 89000000001", one },
    { "+79000000001 р. за доставку", one },
    { "+9000000001", one },
  },
  ["several in a message"] = {
    { "89000000001, 89000000002", one, "+79000000002" },
    { "8 900 000 00 01, 8 900 000 00 02", one, "+79000000002" },
    { "89000000001/89000000002", one, "+79000000002" },
    { "89000000001 или +375 29 000-00-01", one, "+375290000001" },
    { "89000000001 89000000001", one, one },
  },
  ["numbers in disguise"] = {
    { "8 9OO OOO OO O1", one },
    { "8 9оо ооо оо о1", one },
    { "89ОООООООО1", one },
    { "8 900 12З-45-67", "+79001234567" },
    { "8 900 12з 45 67", "+79001234567" },
    { "8 9 0 0 0 0 0 0 0 0 1", one },
    { "8,9,0,0,0,0,0,0,0,0,1", one },
    { "8, 9, 0, 0, 0, 0, 0, 0, 0, 0, 1", one },
    { "8 9 0 0 0 0 0 0 123", "+79000000123" },
    { "55 8 9 0 0 0 0 0 0 0 0 1", one },
    { "8 9 о о 0 0 0 0 0 0 1", one },
    { "8_900_000_00_01", one },
    { "8*900*000*00*01", one },
    { "8•900•000•00•01", one },
    { "8️⃣9️⃣0️⃣0️⃣0️⃣0️⃣0️⃣0️⃣0️⃣0️⃣1️⃣", one },
    { "８９００００００００１", one },
    { "＋７９００００００００１", one },
    { "⑧⑨⓪⓪⓪⓪⓪⓪⓪⓪①", one },
    { "8\226\128\139900\226\128\139000\226\128\1390001", one },
    { "восемь девятьсот ноль ноль ноль ноль ноль ноль один", one },
    { "Восемь, девятьсот, сто двадцать три, сорок пять, шестьдесят семь", "+79001234567" },
    { "плюс семь девятьсот 000 00 01", one },
    { "восемь 900 000-00-01", one },
    { "wa.me/79000000001", one },
    { "https://wa.me/79000000001?text=a", one },
    { "https://wa.me/+375290000001", "+375290000001" },
    { "https://api.whatsapp.com/send?phone=79000000001", one },
    { "t.me/+79000000001", one },
  },
  ["numbers of other countries"] = {
    { "+375 29 000-00-01", "+375290000001" },
    { "+375 29 000-00-01 5000", "+375290000001" },
    { "+998900000001", "+998900000001" },
    { "+1 202 000 0001", "+12020000001" },
    { "+49 151 00000001", "+4915100000001" },
    { "+81 90 0000 0001", "+819000000001" },
    { "375290000001" },
    { "+1234567" },
    { "+012345678" },
    { "+81 90000000abc" },
  },
  ["what is none"] = {
    { "" },
    { "8 900 000 рублей" },
    { "8 900 000" },
    { "8 900 000 9 000" },
    { "900 000 9 000" },
    { "8 900 000 - 9 500 000" },
    { "9 000 000 000 руб" },
    { "89 000 000 001 руб." },
    { "9000000001 ₽" },
    { "+10 000 000 рублей" },
    { "8900000000" },
    { "890000000012" },
    { "+7900000000" },
    { "+790000000012" },
    { "356789012345678" },
    { "35 678901 234567 8" },
    { "2200 7000 0000 0001" },
    { "8900 1234 5678 9012" },
    { "4 2 7 6 3 8 9 0 1 2 3 4 5 6 7 8" },
    { "8 900 оооо 001" },
    { "40817810099910004312" },
    { "заказ 89000000001" },
    { "номер заказа: 89000000001" },
    { "№ 89000000001" },
    { "#89000000001" },
    { "трек-номер 1, трек 89000000001" },
    { "ИНН 9700000001" },
    { "IMEI 89000000001" },
    { "id 9000000001" },
    { "объявление 9000000001" },
    { "AB89000000001" },
    { "89000000001abc" },
    { "12.05.2026 9:00" },
    { "9.10.2025 100" },
    { "2345678901" },
    { "7012345678" },
    { "8 100 000 00 01" },
    { "8 900\n000 00 01" },
    { "8 900 000      00 01" },
    { "8 900 000 \255 00 01" },
    { "8900000000 о чём речь" },
    { "https://example.com/item_9000000001" },
    { "https://example.com/89000000001" },
    { "wa.me/1234567" },
    { "89000000001@example.com" },
    { "три, четыре, пять, шесть" },
  },
}

describe("text.phones", function()
  for name, list in pairs(cases) do
    it("knows " .. name, function()
      assert.same(list, found_in(text.phones, list))
    end)
  end

  it("finds a number whatever it is parted by, and hides it from text.numbers", function()
    math.randomseed(3)
    local marks = { " ", "-", ".", ",", " - ", "–", "\194\160", "", ", ", "_" }
    local zeros = { "0", "0", "0", "О", "o", "0️⃣", "０" }
    local groupings = { { 3, 3, 2, 2 }, { 3, 7 }, { 3, 2, 2, 3 }, { 5, 5 }, { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 }, { 3, 4, 3 } }
    for _ = 1, 2000 do
      local grouping, mark = groupings[math.random(#groupings)], marks[math.random(#marks)]
      local digits, written, at = ("900%06d%d"):format(math.random(0, 999999), math.random(1, 9)), {}, 1
      for i, size in ipairs(grouping) do
        local group = digits:sub(at, at + size - 1)
        at = at + size
        -- A group that is letters only may be a word.
        local real = group:find "[1-9]" and group:gsub("0", function() return zeros[math.random(#zeros)] end)
        written[i] = real or group
      end
      local head = ({ "8", "+7", "7" })[math.random(3)]
      local message = ("Пишите на %s%s%s, обсудим"):format(head, mark, table.concat(written, mark))
      assert.same({ message, { "+7" .. digits } }, { message, text.phones(message) })
      assert.same({ message, {} }, { message, text.numbers(message) })
    end
  end)

  it("gives + and 8 to 15 digits, whatever the bytes", function()
    math.randomseed(5)
    local bits = { "8", "9", "0", "900", "7", "+", " ", "-", "(", ")", "о", "З", "восемь", "девятьсот", "\255", "\208", ".", ",",
      "a", "руб", "wa.me/", "375", "№", "\n", "плюс " }
    local found = 0
    for _ = 1, 5000 do
      local parts = {}
      for i = 1, math.random(0, 40) do
        parts[i] = bits[math.random(#bits)]
      end
      for _, phone in ipairs(text.phones(table.concat(parts))) do
        found = found + 1
        local digits = phone:match "^%+(%d+)$"
        assert.is_true(digits and #digits >= 8 and #digits <= 15, phone)
      end
    end
    assert.is_true(found > 20)
  end)

  it("finds at most 64, in the first 65,536 bytes", function()
    assert.equal(64, #text.phones(("89000000001 "):rep(65)))
    assert.same({}, text.phones((" "):rep(65536) .. "89000000001"))
  end)

  it("wants a string", function()
    assert.has_error(function() text.phones {} end, "bad argument #1 to 'phones' (string expected, got table)")
  end)
end)
