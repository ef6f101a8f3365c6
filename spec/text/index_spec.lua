local text = require "avito_messenger.text"

local function book(patterns, concepts)
  return assert(text.index(patterns, concepts))
end

describe("an index", function()
  it("gives the numbers of all patterns that match, ascending", function()
    local index = book { "торг*", "цена", "торг | скидка", '"торг уместен"', "доставка" }
    assert.same({ 1, 3, 4 }, index:match "Торг уместен?")
    assert.same({ 3 }, index:match "скидка")
    assert.same({}, index:match "здравствуйте")
    assert.same({}, index:match "")
    assert.same({ 1, 2, 3 }, index:match "торг, цена")
  end)

  it("may have no pattern at all", function()
    assert.same({}, book({}):match "торг")
    assert.same({}, book({}, { ["торг"] = "торг" }):match "торг")
  end)

  it("sorts many", function()
    local patterns, all = {}, {}
    for i = 1, 1000 do
      patterns[i] = "слово" .. (i * 7919) % 1000 .. " | " .. "а*"
      all[i] = i
    end
    assert.same(all, book(patterns):match "а")
    assert.same(all, book(patterns):match "аб слово 5 17 911")
  end)

  it("fills a list that is given, and empties the rest of it", function()
    local index, into = book { "а", "б", "в" }, { 9, 9, 9, 9 }
    assert.equal(into, index:match("а в", into))
    assert.same({ 1, 3 }, into)
    index:match("нет", into)
    assert.same({}, into)
  end)

  it("knows nothing of the message before", function()
    local index = book({ "а б", "~в", "а -б" }, { ["в"] = "в г | -д" })
    for _ = 1, 3 do
      assert.same({ 3 }, index:match "а")
      assert.same({}, index:match "б")
      assert.same({ 1 }, index:match "б а")
      assert.same({}, index:match "в")
      assert.same({ 2 }, index:match "г в")
      assert.same({}, index:match "г в д")
    end
  end)

  it("does not take up what it met 65535 messages ago, when their numbers begin anew", function()
    local into = {}
    for _, case in ipairs { { "б", {} }, { "а", { 1 } } } do
      local index = book { "а", "б а" }
      index:match "а"
      for _ = 1, 65534 do
        index:match("нет", into)
      end
      assert.same(case[2], index:match(case[1]))
    end
  end)

  it("does not keep the tables it was made of", function()
    local name = ("к"):rep(50)
    local patterns, concepts = { ("~%s торг*"):format(name) }, { [name] = ("слово%d"):format(7) }
    local index = book(patterns, concepts)
    patterns[1], concepts[name], name = nil, nil, nil
    collectgarbage()
    collectgarbage()
    local others = {}
    for i = 1, 100 do
      others[i] = ("%d~м торг*"):format(i):rep(8)
    end
    assert.same({ 1 }, index:match "торги слово7")
    assert.equal("~" .. ("к"):rep(50) .. " торг*", index:why("торги", 1).alternative)
    assert.equal("~" .. ("к"):rep(50), index:why("торги", 1).missing)
    assert.is_nil(name and others)
  end)

  it("hangs a clause at words and concepts alike", function()
    local patterns = { "~к ~м", "~к -~м", "-~к ~м", '"а б*" ~к' }
    local index = book(patterns, { ["к"] = "к*", ["м"] = "м | ~н", ["н"] = "н" })
    assert.same({ 1 }, index:match "кот м")
    assert.same({ 1 }, index:match "кот н")
    assert.same({ 2 }, index:match "кот")
    assert.same({ 3 }, index:match "н")
    assert.same({ 2, 4 }, index:match "кот а бв")
  end)

  it("tells literals of one hash place apart in a large rulebook", function()
    local patterns = {}
    for i = 1, 1500 do
      patterns[i] = ("к%sв%s%s"):format(("аб"):rep(i % 7), ("гд"):rep(math.floor(i / 7) % 14),
        ("е"):rep(math.floor(i / 98))) .. (i % 2 == 0 and "*" or "")
    end
    local index = book(patterns)
    for i = 1, 1500, 7 do
      local expected = {}
      local word = patterns[i]:gsub("%*", "")
      for j, pattern in ipairs(patterns) do
        local letters, star = pattern:match "^(.-)(%*?)$"
        if word == letters or star == "*" and word:sub(1, #letters) == letters then
          expected[#expected + 1] = j
        end
      end
      assert.same(expected, index:match(word))
    end
  end)

  it("looks at 1000 words at least, and at a bounded part of more", function()
    local index = book { "последнее", "первое", "середина", '"слово последнее"' }
    local long = "первое " .. ("слово "):rep(1200) .. "последнее"
    assert.same({ 1, 2, 4 }, index:match(long))
    assert.same({ 2 }, index:match("первое " .. ("слово "):rep(100000) .. "последнее"))
    assert.same({ 3 }, index:match(("a1"):rep(500) .. " середина"))
    assert.same({}, index:match(("a1"):rep(4000) .. " середина"))
  end)

  it("does not take the beginning of a word that is cut for the word", function()
    local index = book { "торг", "торг*" }
    for length = 16300, 16400 do
      assert.same({}, index:match(("."):rep(length) .. "xторг"))
    end
    local found = {}
    for spaces = 16360, 16390 do
      found[table.concat(index:match((" "):rep(spaces) .. "торговаться"), " ")] = true
    end
    assert.same({ [""] = true, ["2"] = true }, found)
  end)

  it("takes any bytes", function()
    local index = book { "торг* | а -б", '"а б"' }
    local state = 3
    for length = 1, 300 do
      local bytes = {}
      for i = 1, length do
        state = (state * 16807) % 2147483647
        bytes[i] = string.char(state % 256)
      end
      assert.is_table(index:match(table.concat(bytes)))
    end
  end)

  it("is closed once, and says so", function()
    local index = book { "торг" }
    local close = debug.getmetatable(index).__gc
    close(index)
    close(index)
    assert.error_matches(function() index:match "торг" end, "the index is closed")
    assert.error_matches(function() index:why("торг", 1) end, "the index is closed")
    assert.equal("index of 1 patterns", tostring(index))
  end)

  it("raises for arguments of a wrong kind", function()
    assert.error_matches(function() text.index "торг" end, "table expected, got string")
    assert.error_matches(function() text.index { "торг", 5 } end, "pattern 2 must be a string, got number")
    assert.error_matches(function() text.index({}, "торг") end, "table expected, got string")
    assert.error_matches(function() text.index({}, { "торг" }) end, "name of a concept must be a string, got number")
    assert.error_matches(function() text.index({}, { a = {} }) end, "concept 'a' must be a string, got table")
    local index = book { "торг" }
    assert.error_matches(function() index:match {} end, "string expected")
    assert.error_matches(function() index:match("торг", 1) end, "table expected")
    for _, number in ipairs { 0, 2, 1.5, -1, 1e10, 0 / 0 } do
      assert.error_matches(function() index:why("торг", number) end, "the number of a pattern expected")
    end
    assert.error_matches(function() index.match({}, "торг") end, "avito_messenger.text.index expected")
    assert.error_matches(function() index.match(io.stdout, "торг") end, "avito_messenger.text.index expected")
    local many = {}
    for i = 1, 1001 do
      many["k" .. i] = "x"
    end
    assert.error_matches(function() text.index({}, many) end, "at most 1000 concepts expected")
    local patterns = {}
    for i = 1, 100001 do
      patterns[i] = "x"
    end
    assert.error_matches(function() text.index(patterns) end, "at most 100000 patterns expected")
  end)
end)

describe("why", function()
  local index = book({
    "цен* -центр* | почем",
    'доставк* "в город*" | сдэк',
    "доставк* -самовывоз*",
    "~торг ~скоро",
    'iphone13 -"без коробки"',
    "цена -~торг",
  }, { ["торг"] = "торг* скид* | уступ*", ["скоро"] = "~сегодня | завтра", ["сегодня"] = '"прямо сейчас"' })

  for _, case in ipairs {
    { "Почём?", 1, { matched = true, alternative = "почем", words = { "почем" } } },
    { "цена в центре", 1, { matched = true, alternative = "цен* -центр*", words = { "цена" } } },
    { "в центре", 1, { matched = false, alternative = "цен* -центр*", words = {}, excluded = "-центр*" } },
    { "привет", 1, { matched = false, alternative = "цен* -центр*", words = {}, missing = "цен*" } },
    {
      "доставка есть?", 2, -- of two as near, the one that found more
      { matched = false, alternative = 'доставк* "в город*"', words = { "доставка" }, missing = '"в город*"' },
    },
    { "доставка в города", 2, { matched = true, alternative = 'доставк* "в город*"', words = { "доставка", "в", "города" } } },
    {
      "доставка или самовывоз", 3,
      { matched = false, alternative = "доставк* -самовывоз*", words = { "доставка" }, excluded = "-самовывоз*" },
    },
    {
      "торг, скидка прямо сейчас", 4,
      { matched = true, alternative = "~торг ~скоро", words = { "торг", "скидка", "прямо", "сейчас" } },
    },
    { "уступите завтра", 4, { matched = true, alternative = "~торг ~скоро", words = { "уступите", "завтра" } } },
    { "уступите", 4, { matched = false, alternative = "~торг ~скоро", words = { "уступите" }, missing = "~скоро" } },
    {
      "iPhone13 без коробки", 5,
      { matched = false, alternative = 'iphone13 -"без коробки"', words = { "iphone", "13" }, excluded = '-"без коробки"' },
    },
    { "айфон", 5, { matched = false, alternative = 'iphone13 -"без коробки"', words = {}, missing = '"iphone 13"' } },
    { "цена, уступите", 6, { matched = false, alternative = "цена -~торг", words = { "цена" }, excluded = "-~торг" } },
  } do
    it(("tells about pattern %d: %s"):format(case[2], case[1]), function()
      assert.same(case[3], index:why(case[1], case[2]))
    end)
  end
end)
