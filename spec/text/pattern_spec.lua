local text = require "avito_messenger.text"

local CONCEPTS = { ["торг"] = "торг* | скид*", ["цена"] = "цен*" }

local function matches(pattern, said, concepts)
  return #assert(text.index({ pattern }, concepts or CONCEPTS)):match(said) == 1
end

describe("a pattern", function()
  for _, case in ipairs {
    { "a word", "торг", { "Торг?", "а торг, есть" }, { "торга нет", "" } },
    { "two words in any order", "торг уместен", { "уместен ли торг", "торг уместен" }, { "торг", "уместен" } },
    { "alternatives", "торг | скидка", { "скидка", "торг" }, { "цена" } },
    { "a prefix", "торг*", { "торг", "торговаться" }, { "тор", "поторгуемся" } },
    { "a phrase", '"в наличии"', { "он в наличии?", "В, наличии" }, { "наличии в", "в магазине наличии" } },
    { "prefixes in a phrase", '"как* цен*"', { "какова цена", "как цены" }, { "цена как" } },
    { "a phrase of one word", '"торг"', { "торг" }, { "торги" } },
    { "a phrase that is met the second time", '"в наличии"', { "в Самаре в наличии" }, { "в Самаре наличии" } },
    { "a word that is parted", "wi-fi", { "есть wi fi", "Wi-Fi" }, { "wi", "fi wi" } },
    { "letters and digits", "iphone13*", { "iphone 13", "айфон iphone 132" }, { "iphone", "13 iphone" } },
    { "an emoji", "👍 | да", { "👍🏽", "ок👍" }, { "👎" } },
    { "а word not to be there", "доставк* -самовывоз*", { "доставка" }, { "доставка или самовывоз" } },
    { "words that do not count", "цен* -центр*", { "цена в центре", "цены" }, { "в центре", "центры" } },
    { "words that do not count, exactly", "цен* -ценник", { "ценники" }, { "ценник" } },
    { "words that do not count for one of two", "цен* в* -центр*", { "цена в центре" }, { "в центре" } },
    { "what would exclude itself", "цен* -цен*", {}, { "цена", "цен" } },
    { "an exclusion that is shorter", "центр* -цен*", {}, { "центр", "центр цена" } },
    { "an excluded phrase", 'торг* -"без торга"', { "торг" }, { "без торга", "торг без торга" } },
    { "an excluded concept", "цена -~торг", { "цена" }, { "цена со скидкой" } },
    { "an exclusion of words for all", "цен* | почем | -центр*", { "цена", "почем", "цена в центре", "почем в центре" },
      { "центр" } },
    { "an exclusion of messages for all", "цен* | почем | -опт*", { "цена", "почем" }, { "цена опт", "почем оптом" } },
    { "several of them", "цен* | почем | -опт -б/у", { "цена" }, { "цена опт", "почем б у" } },
    { "a concept", "~торг", { "скидку дадите" }, { "цена" } },
    { "a concept with a word", "~торг ~цена", { "цена со скидкой" }, { "цена", "скидка" } },
    { "spaces and lines", "\n  цена\t\n | торг \194\160 уместен ", { "цена", "торг уместен" }, { "торг" } },
    { "a Latin word, whatever its case", "bosch* | hp", { "BOSCH", "Bosch", "HP" }, { "ВОЅСН" } },
    { "other letters of the same look", "cкидкa", { "скидка" }, { "cop" } },
  } do
    it("is " .. case[1], function()
      for _, said in ipairs(case[3]) do
        assert.is_true(matches(case[2], said), said)
      end
      for _, said in ipairs(case[4]) do
        assert.is_false(matches(case[2], said), said)
      end
    end)
  end

  for _, case in ipairs {
    { "", 1, "the pattern is empty" },
    { " \n", 1, "the pattern is empty" },
    { "цена | ", 8, "an alternative is empty: a word is missing beside '|'" },
    { "| цена", 1, "an alternative is empty" },
    { "цена || торг", 7, "an alternative is empty" },
    { "цена *", 6, "'*' stands at the end of a word, as in торг*; alone it means nothing" },
    { "до*ка", 3, "'*' stands only at the end of a word" },
    { "до**", 3, "'*' stands only at the end of a word" },
    { '"цен*ы"', 5, "'*' stands only at the end of a word" },
    { '"без торга"*', 12, "'*' belongs to a word inside of the quotes" },
    { '"без торга', 1, "the quote that begins here is not closed" },
    { 'цена -"без торга', 7, "the quote that begins here is not closed" },
    { '" "', 1, "there is no word between the quotes" },
    { '"без"торга', 6, "a space is missing after the quote" },
    { 'торг"без"', 5, "a space is missing before the quote" },
    { '"а | б"', 4, "'|' parts alternatives and does not work inside of quotes" },
    { "цена (опт | торг)", 6, "there are no parentheses: write the alternatives out, or give them a name as a concept" },
    { "цена, торг", 5, "the symbol ',' parts words in a message and is never met: leave it out" },
    { "5€", 2, "the symbol '€' parts" },
    { "wi-", 3, "'-' stands directly before the word that is not to be there, and after a space" },
    { "цена - опт", 6, "'-' stands directly before the word that is not to be there" },
    { "цена --опт", 6, "'-' stands directly before the word that is not to be there" },
    { "-опт | -розница", 1, "the pattern only says what is not to be there: add a word that is" },
    { "цена ~", 6, "'~' stands directly before the name of a concept, as in ~торг" },
    { "цена~торг", 5, "'~' stands before the name of a concept, and after a space" },
    { "~торг*", 6, "the symbol '*' parts" },
    { "цена ~торк", 6, "unknown concept 'торк' (did you mean 'торг'?)" },
    { "цена -~самокат", 6, "unknown concept 'самокат' (known: торг, цена)" },
    { "цена\255", 5, "the pattern is not UTF-8 here" },
    { "\226\128\139", 1, "there is no letter, digit or emoji in this word" },
    { ("б"):rep(64), 1, "the word is too long: 63 letters at most" },
    { '"' .. ("а "):rep(17) .. '"', 1, "the phrase is too long: 16 words at most" },
    { ("а "):rep(65), 129, "the alternative has too many terms: 64 at most" },
    { ("а | "):rep(1024) .. "а", 4097, "the pattern has too many alternatives: 1024 at most" },
    { ("а | "):rep(1) .. ("-а | "):rep(64) .. "-б", 325, "too many exclusions stand alone: 64 at most" },
    { ("а "):rep(5462), 1, "the pattern is too long: 16384 bytes at most" },
    { (('"' .. ("а "):rep(16) .. '"|'):rep(129)):sub(1, -2), 4482, "the pattern has too many words: 2048 at most" },
    { ((("а "):rep(64) .. "|"):rep(33)):sub(1, -2), 4129, "the pattern has too many terms: 2048 at most" },
  } do
    it(("is told as wrong, and where: %.30s"):format(case[1]), function()
      local index, problem = text.index({ "торг", case[1] }, CONCEPTS)
      assert.is_nil(index)
      assert.equal(case[3], problem.message:sub(1, #case[3]))
      assert.equal(case[2], problem.column)
      assert.equal(2, problem.pattern)
      assert.is_nil(problem.concept)
    end)
  end

  it("may be as long as is allowed", function()
    assert.is_true(matches(("б"):rep(63), ("б"):rep(63)))
    assert.is_true(matches(("б"):rep(63) .. "*", ("б"):rep(70)))
    assert.is_false(matches(("б"):rep(63), ("б"):rep(64)))
    assert.is_true(matches('"' .. ("а "):rep(16) .. '"', ("а "):rep(16)))
    assert.is_true(matches((("а "):rep(63) .. "б|"):rep(32):sub(1, -2), "а б"))
  end)
end)

describe("a concept", function()
  local function problem_of(concepts)
    local index, problem = text.index({ "торг" }, concepts)
    assert.is_nil(index)
    return problem
  end

  it("may use others", function()
    local concepts = { a = "~b | x", b = "~c y", c = "z* | -zz*" }
    assert.is_true(matches("~a", "zip y", concepts))
    assert.is_true(matches("~a", "x", concepts))
    assert.is_false(matches("~a", "zzz y", concepts))
  end)

  it("keeps its exclusions to itself", function()
    assert.is_true(matches("~торг | почем", "почем торговый центр", { ["торг"] = "торг* | -торгов*" }))
    assert.is_true(matches("~торг | торгов*", "торговый центр", { ["торг"] = "торг* | -торгов*" }))
    assert.is_false(matches("~торг -торгов*", "торг, торговый", { ["торг"] = "торг*" }))
  end)

  it("has a problem of its own", function()
    local problem = problem_of { ["торг"] = "цена (б)" }
    assert.equal("торг", problem.concept)
    assert.equal(6, problem.column)
    assert.is_nil(problem.pattern)
  end)

  it("does not go in a circle", function()
    local problem = problem_of { a = "~b", b = "x ~c", c = "-~a y" }
    assert.equal("the concepts go in a circle: 'a' uses this one in turn", problem.message)
    assert.equal("c", problem.concept)
    assert.equal(1, problem.column)
    assert.equal("the concept uses itself", problem_of({ a = "x | ~a" }).message)
  end)

  it("names what it does not know", function()
    local problem = problem_of { ["торг"] = "скид*", ["цена"] = "~тарг" }
    assert.equal("unknown concept 'тарг' (did you mean 'торг'?)", problem.message)
    assert.equal("цена", problem.concept)
  end)

  it("has a name that can be written", function()
    for _, name in ipairs { "", "a b", "a|b", 'a"', "a*", "(a", "a~" } do
      local problem = problem_of { [name] = "x" }
      assert.matches("has no spaces and none of", problem.message, 1, true)
      assert.equal(name, problem.concept)
    end
  end)

  it("stands on 31 others in a row, not on more", function()
    local function chain(length)
      local concepts = { k1 = "x" }
      for i = 2, length do
        concepts["k" .. i] = "~k" .. i - 1
      end
      return concepts
    end
    assert.is_true(matches("~k32", "x", chain(32)))
    assert.equal("the concepts use each other more than 32 deep here", problem_of(chain(33)).message)
    assert.equal("the concepts use each other more than 32 deep here", problem_of(chain(900)).message)
  end)

  it("is looked at whether a pattern uses it or not", function()
    assert.equal("торг", problem_of({ ["торг"] = "(" }).concept)
  end)
end)
