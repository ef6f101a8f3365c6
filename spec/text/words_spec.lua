local text = require "avito_messenger.text"

describe("text.words", function()
  for _, case in ipairs {
    { "Здравствуйте! Ещё продаёте?", { "здравствуйте", "еще", "продаете" } },
    { "64гб, iphone13 и 5G", { "64", "гб", "iphone", "13", "и", "5", "g" } },
    { "Wi-Fi/т.д.", { "wi", "fi", "т", "д" } },
    { "ок👍👍🏽 ❤️!", { "ок", "👍", "👍", "❤" } },
    { "5 000₽ за штуку — «торг»", { "5", "000", "за", "штуку", "торг" } },
    { "до" .. "\194\173" .. "ставка", { "доставка" } },
    { "м0сква 0м", { "москва", "0", "м" } },
    { "цена\255есть", { "цена", "есть" } },
    { "  ...\n", {} },
    { "", {} },
    { "हिन्दी ٣٤ 日本", { "हिन्दी", "٣٤", "日本" } },
  } do
    it("are told apart in " .. case[1], function()
      assert.same(case[2], text.words(case[1]))
    end)
  end

  it("are all there in a long text", function()
    local words = text.words(("слово é "):rep(5000))
    assert.equal(10000, #words)
    assert.equal("é", words[10000])
  end)
end)
