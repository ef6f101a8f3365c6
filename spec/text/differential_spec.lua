--- The index against the plain matcher: random patterns and random texts over a few words, so that they meet often.
local plain = require "support.plain_patterns"
local text = require "avito_messenger.text"

local BOOKS, PATTERNS, TEXTS = 60, 12, 15

-- Park and Miller: the same numbers on every Lua.
local function generator(seed)
  return function(n)
    seed = seed * 16807 % 2147483647
    return seed % n + 1
  end
end

-- Words that begin alike, one that the splitter parts, one of digits.
local WORDS = { "це", "цен", "цена", "ценам", "центр", "центра", "торг", "торгов", "а", "аб", "64гб", "64", "wi-fi" }
local SAID = { "це", "цен", "цена", "ЦЕНАМ", "центр", "центра,", "Торг", "торгов", "а", "аб", "абв", "64гб", "64", "wi", "fi", "👍" }

local function word(random)
  local chosen = WORDS[random(#WORDS)]
  return random(3) == 1 and chosen .. "*" or chosen
end

local function phrase(random)
  local list = {}
  for i = 1, random(3) do list[i] = word(random) end
  return '"' .. table.concat(list, " ") .. '"'
end

local function term(random, names)
  local kind = random(8)
  if kind == 1 then return phrase(random) end
  if kind == 2 and #names > 0 then return "~" .. names[random(#names)] end
  return word(random)
end

local function alternative(random, names)
  local list = {}
  for _ = 1, random(3) do list[#list + 1] = term(random, names) end
  for _ = 2, random(3) do table.insert(list, random(#list + 1), "-" .. term(random, names)) end
  return table.concat(list, " ")
end

local function pattern(random, names)
  local list = {}
  for i = 1, random(3) do list[i] = alternative(random, names) end
  if random(4) == 1 then list[#list + 1] = "-" .. term(random, names) end
  return table.concat(list, " | ")
end

local function message(random)
  local list = {}
  for i = 1, random(7) - 1 do list[i] = SAID[random(#SAID)] end
  return table.concat(list, " ")
end

local function book(random)
  local names, concepts, patterns = {}, {}, {}
  for i = 1, 3 do
    local name = "c" .. i
    concepts[name] = pattern(random, names)
    names[i] = name
  end
  for i = 1, PATTERNS do patterns[i] = pattern(random, names) end
  return patterns, concepts
end

local function expected(matchers, said)
  local list, words = {}, plain.words(said)
  for i, matches in ipairs(matchers) do
    if matches(words) then list[#list + 1] = i end
  end
  return list
end

describe("the index of patterns", function()
  it("finds what the plain matcher finds", function()
    local random = generator(20260105)
    local found, all = 0, 0
    for _ = 1, BOOKS do
      local patterns, concepts = book(random)
      local index = assert(text.index(patterns, concepts))
      local matchers = {}
      for i, p in ipairs(patterns) do matchers[i] = plain.compile(p, concepts) end
      for _ = 1, TEXTS do
        local said = message(random)
        local want, got = expected(matchers, said), index:match(said)
        for i, p in ipairs(patterns) do concepts[i] = ("%d: %s"):format(i, p) end
        assert.same(want, got, ("'%s' among\n%s\nc1: %s\nc2: %s\nc3: %s"):format(said, table.concat(concepts, "\n"),
          concepts.c1, concepts.c2, concepts.c3))
        found, all = found + #want, all + #patterns
      end
    end
    -- Worth something only while hits and misses are both common.
    assert.is_true(found > all / 5 and found < all * 4 / 5, ("%d of %d matched"):format(found, all))
  end)
end)
