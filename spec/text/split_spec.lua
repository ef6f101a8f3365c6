local text = require "avito_messenger.text"

local family = "👨‍👩‍👧" -- five code points
local white = "^[ \t\n\r\f\v]"

describe("text.length", function()
  it("counts code points", function()
    local cases = { [""] = 0, abc = 3, ["привет"] = 6, ["👍🏻"] = 2, [family] = 5, ["a\0b"] = 3, ["\239\191\191"] = 1 }
    for written, length in pairs(cases) do
      assert.same({ written, length }, { written, (text.length(written)) })
    end
  end)

  it("tells the first byte that is not UTF-8", function()
    local cases = { ["\255"] = 1, ["аб\208"] = 5, ["a\192\128"] = 2, ["\237\160\128"] = 1, ["\244\144\128\128"] = 1 }
    for written, byte in pairs(cases) do
      local length, message = text.length(written)
      assert.is_nil(length)
      assert.equal(("the text is not UTF-8: byte %d of it"):format(byte), message)
    end
  end)

  it("wants a string", function()
    assert.has_error(function() text.length() end, "bad argument #1 to 'length' (string expected, got no value)")
  end)
end)

describe("text.split", function()
  local function splits(cases)
    for _, case in ipairs(cases) do
      assert.same({ case[1], case[3] }, { case[1], text.split(case[1], case[2]) })
    end
  end

  it("leaves what is short enough", function()
    splits {
      { "Да.", 3, { "Да." } },
      { "Раз. Два.\nТри", 100, { "Раз. Два.\nТри" } },
      { "абв", 3, { "абв" } },
      { "абв   ", 3, { "абв" } },
      { "  абв\n", 3, { "абв" } },
      { "", 10, {} },
      { " \n\t ", 1, {} },
    }
  end)

  it("cuts behind sentences", function()
    splits {
      { "Раз. Два. Три и ещё", 14, { "Раз. Два.", "Три и ещё" } },
      { "Правда? Нет! Вот ещё", 18, { "Правда? Нет!", "Вот ещё" } },
      { "Ну... Вот так вот", 14, { "Ну...", "Вот так вот" } },
      { "Ну… Вот так вот", 12, { "Ну…", "Вот так вот" } },
      { "Как?! Вот так вот", 14, { "Как?!", "Вот так вот" } },
      { "Да?.. Вот так вот", 14, { "Да?..", "Вот так вот" } },
      { "«Ну.» Вот так вот", 14, { "«Ну.»", "Вот так вот" } },
      { "(Ну!) Вот так вот", 14, { "(Ну!)", "Вот так вот" } },
      { "Великолепнейшее. Вот так", 20, { "Великолепнейшее.", "Вот так" } },
      { "Да! вот так вот", 12, { "Да!", "вот так вот" } },
      { "Да. 5 штук всего", 14, { "Да.", "5 штук всего" } },
      { "Стоит 500. Вот так вот", 20, { "Стоит 500.", "Вот так вот" } },
      { "Раз.\n\nДва три четыре", 18, { "Раз.", "Два три четыре" } },
    }
  end)

  it("cuts behind no abbreviation, initial, number", function()
    splits {
      { "Еду в г. Самара вот", 14, { "Еду в г.", "Самара вот" } }, -- the last space
      { "Тут. Еду в г. Самара", 16, { "Тут.", "Еду в г. Самара" } },
      { "Тут. На ул. Мира там", 18, { "Тут.", "На ул. Мира там" } },
      { "Тут. На УЛ. Мира там", 18, { "Тут.", "На УЛ. Мира там" } },
      { "Тут. А. С. Попов был", 18, { "Тут.", "А. С. Попов был" } },
      { "Тут. 5 руб. за всё вот", 20, { "Тут.", "5 руб. за всё вот" } },
      { "Тут. Цена 5.000 рублей", 20, { "Тут.", "Цена 5.000 рублей" } },
      { "Тут. И т.е. Самара вот", 20, { "Тут.", "И т.е. Самара вот" } },
      { "Тут. Ну… ладно уж вот", 20, { "Тут.", "Ну… ладно уж вот" } },
      { "Тут.\n1. Раз два три", 16, { "Тут.", "1. Раз два три" } },
      { "1. Раз два три", 13, { "1. Раз два", "три" } },
    }
  end)

  it("cuts behind lines as behind sentences, else at the last space", function()
    splits {
      { "раз\nдва три четыре", 16, { "раз", "два три четыре" } },
      { "раз\r\nдва три четыре", 16, { "раз", "два три четыре" } },
      { "раз\226\128\168два три четыре", 16, { "раз", "два три четыре" } },
      { "раз два три", 7, { "раз два", "три" } },
      { "раз два три", 8, { "раз два", "три" } },
      { "раз два три", 6, { "раз", "два", "три" } },
      { "раз    два", 4, { "раз", "два" } },
      { "раз    два", 6, { "раз", "два" } },
      { "раз\226\128\137два", 4, { "раз", "два" } },
    }
  end)

  it("keeps together what a space that does not break holds", function()
    splits {
      { "за 5\194\160000 руб", 7, { "за", "5\194\160000", "руб" } },
      { "за 5\226\128\135000 руб", 7, { "за", "5\226\128\135000", "руб" } },
      { "за 5\226\128\175000 руб", 7, { "за", "5\226\128\175000", "руб" } },
    }
  end)

  it("cuts words that are too long, and no character as its reader sees it", function()
    splits {
      { "абвгдежз", 3, { "абв", "где", "жз" } },
      { "раз абвгдежз", 5, { "раз", "абвгд", "ежз" } },
      { family .. family, 9, { family, family } },
      { "аб" .. family, 6, { "аб", family } },
      { "🇷🇺🇧🇾🇰🇿", 3, { "🇷🇺", "🇧🇾", "🇰🇿" } },
      { "е\204\129е\204\129", 3, { "е\204\129", "е\204\129" } },
      { "👍🏻👍🏻", 3, { "👍🏻", "👍🏻" } },
    }
  end)

  it("cuts a character only when it is longer than the limit", function()
    splits {
      { "👍🏻", 1, { "👍", "🏻" } },
      { "а" .. family, 4, { "а", "👨‍👩‍", "👧" } },
    }
  end)

  it("takes a byte that is not UTF-8 for a code point", function()
    splits {
      { "\255\255\255", 2, { "\255\255", "\255" } },
      { "а\208", 1, { "а", "\208" } },
      { "аб. \255в", 4, { "аб.", "\255в" } },
    }
  end)

  it("wants a text and a whole number of at least 1", function()
    local message = "bad argument #2 to 'split' (limit must be a whole number of code points, 1 or more)"
    for _, limit in ipairs { 0, -1, 1.5, 1 / 0, 0 / 0 } do
      assert.has_error(function() text.split("a", limit) end, message)
    end
    assert.has_error(function() text.split("a") end, "bad argument #2 to 'split' (number expected, got no value)")
    assert.has_error(function() text.split() end, "bad argument #1 to 'split' (string expected, got no value)")
  end)

  -- Characters as a reader sees them: no two of them grow together, whatever their order.
  local characters = { "а", "б", "Я", "g", "1", "5", ".", "!", "?", "…", "»", ")", " ", " ", " ", "\n", "\r\n", "\t", family, "👍🏻",
    "🇷🇺", "е\204\129", "й", "и\204\134", "각", "\225\132\128\225\133\161", "❤️", "1️⃣", "\216\128ا", "\216\128 ", " \204\129", "г",
    "\194\160", "\226\128\168" }

  local function length_of(piece)
    return text.length(piece) or #piece
  end

  local function check(message, limit, ends)
    local at = 1
    for _, piece in ipairs(text.split(message, limit)) do
      assert.is_true(#piece > 0 and length_of(piece) <= limit)
      while message:sub(at, at + #piece - 1) ~= piece do
        local skipped = message:match("^\226\128\168", at) or message:sub(at, at)
        assert.is_true(skipped == "\226\128\168" or skipped:find(white) ~= nil, ("%q"):format(message))
        at = at + #skipped
      end
      assert.is_true(not ends or ends[at - 1] == true, ("cut inside: %q, %d"):format(message, limit))
      at = at + #piece
      assert.is_true(not ends or ends[at - 1] == true, ("cut inside: %q, %d"):format(message, limit))
    end
    local rest = message:sub(at):gsub("\226\128\168", "")
    assert.equal("", (rest:gsub("%s+", "")))
  end

  it("loses nothing but white space and cuts no character of a random text", function()
    math.randomseed(17)
    for _ = 1, 4000 do
      local parts, ends, size = {}, { [0] = true }, 0
      for i = 1, math.random(1, 40) do
        parts[i] = characters[math.random(#characters)]
        size = size + #parts[i]
        ends[size] = true
      end
      check(table.concat(parts), math.random(5, 30), ends)
    end
  end)

  it("loses nothing of random bytes", function()
    math.randomseed(19)
    for _ = 1, 2000 do
      local parts = {}
      for i = 1, math.random(0, 60) do
        parts[i] = math.random(3) == 1 and string.char(math.random(0, 255)) or characters[math.random(#characters)]
      end
      local message = table.concat(parts):gsub("\194\133", ""):gsub("\225\154\128", "")
      local pieces, kept = text.split(message, math.random(1, 20)), 0
      local bare = message:gsub("\226\128\168", ""):gsub("%s", "")
      for i, piece in ipairs(pieces) do
        assert.is_true(#piece > 0)
        pieces[i] = piece:gsub("\226\128\168", ""):gsub("%s", "")
        kept = kept + #pieces[i]
      end
      assert.equal(bare, table.concat(pieces))
      assert.equal(#bare, kept)
    end
  end)

  it("puts a long text together again", function()
    local pieces = text.split(("слово и ещё одно. "):rep(6000), 1000)
    assert.is_true(#pieces >= 100)
    assert.equal(("слово и ещё одно. "):rep(6000), table.concat(pieces, " ") .. " ")
  end)
end)
