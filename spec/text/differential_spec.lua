-- The index against the plain matcher of spec/support: random patterns, concepts and messages, always the same ones.
local plain = require "support.plain_patterns"
local text = require "avito_messenger.text"

-- Few words that begin like each other, so that most terms are met now and then.
local WORDS = { "а", "аб", "абв", "абг", "аг", "б", "ба", "баа", "в", "вб", "1", "12", "x", "👍" }
local BEGINNINGS = { "а", "аб", "абв", "аг", "б", "ба", "в", "1" }

local state = 20260101
local function random(n)
  state = (state * 16807) % 2147483647
  return math.floor(state / 7) % n + 1
end

local function word()
  if random(3) == 1 then
    return BEGINNINGS[random(#BEGINNINGS)] .. "*"
  end
  return WORDS[random(#WORDS)]
end

local function term(concepts)
  local kind = random(8)
  if kind == 1 and concepts > 0 then
    return "~к" .. random(concepts)
  elseif kind == 2 then
    local words = {}
    for i = 1, random(3) do
      words[i] = word()
    end
    return '"' .. table.concat(words, " ") .. '"'
  elseif kind == 3 then
    return ({ "а-б", "б/аб*", "аб12", "x1*" })[random(4)]
  end
  return word()
end

local function alternative(concepts)
  if random(8) == 1 then
    return "-" .. term(concepts)
  end
  local terms = { term(concepts) }
  for _ = 1, random(4) - 1 do
    terms[#terms + 1] = (random(2) == 1 and "-" or "") .. term(concepts)
  end
  return table.concat(terms, " ")
end

-- May use the first `concepts` concepts. Something in it is positive.
local function pattern(concepts)
  local alternatives = {}
  for i = 1, random(3) do
    alternatives[i] = alternative(concepts)
  end
  alternatives[#alternatives + 1] = term(concepts)
  return table.concat(alternatives, " | ")
end

local function message()
  local words = {}
  for i = 1, random(9) - 1 do
    words[i] = WORDS[random(#WORDS)]
  end
  return table.concat(words, " ")
end

local function expected(compiled, words)
  local numbers = {}
  for i, matches in ipairs(compiled) do
    if matches(words) then
      numbers[#numbers + 1] = i
    end
  end
  return numbers
end

describe("an index and the plain matcher", function()
  it("agree", function()
    local matched, refused = 0, 0
    for book = 1, 60 do
      local concepts, patterns, compiled = {}, {}, {}
      for i = 1, random(7) - 1 do
        concepts["к" .. i] = pattern(i - 1)
      end
      local count = 0
      for _ in pairs(concepts) do
        count = count + 1
      end
      for i = 1, random(25) do
        patterns[i] = pattern(count)
        compiled[i] = plain.compile(patterns[i], concepts)
      end
      local index = assert(text.index(patterns, concepts))
      local into = {}
      for _ = 1, 30 do
        local said = message()
        local numbers = expected(compiled, text.words(said))
        local found = index:match(said)
        if table.concat(found, " ") ~= table.concat(numbers, " ") then
          error(("book %d, %q: %s, not %s\n%s"):format(book, said, table.concat(found, " "), table.concat(numbers, " "),
            table.concat(patterns, "\n")))
        end
        assert.same(numbers, index:match(said, into))
        local one = random(#patterns)
        local why = index:why(said, one)
        assert.equal(compiled[one](text.words(said)), why.matched)
        assert.equal(why.matched, not why.missing and not why.excluded)
        matched = matched + #numbers
        refused = refused + #patterns - #numbers
      end
    end
    assert.is_true(matched > 3000 and refused > 3000)
  end)
end)
