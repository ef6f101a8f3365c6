-- The pattern grammar, told as plainly as it goes: what the index of avito_messenger.text is measured against. It shares
-- no code and no idea with the index; it is slow, and obvious.
--
--   pattern      a | b           one of the alternatives matches
--   alternative  a b             every positive term is in the message, in any order; one word may serve several terms
--   term         word            a word of the message that is exactly this
--                word*           a word of the message that begins so, the word itself included
--                "a b* c"        words side by side, each of which may be a prefix
--                ~name           the concept of that name matches the message (as a whole, by its own pattern)
--                -term           not; any of the four
--   A word that the splitter parts is a phrase: wi-fi is "wi fi", iphone13* is "iphone 13*". A phrase of one word is
--   that word. `-` is an exclusion only before a term, never inside of a word. A `*` stands at the end of a word only.
--
-- What an exclusion E means in an alternative:
--   (a) P is a positive prefix term of that alternative (not a phrase, not a concept), E is a word or prefix, and E's
--       letters begin with P's letters (equal ones included): the words E covers do not count for P. Nothing else
--       follows from E: with `цен* -центр*`, "центр" is no match, "цена в центре" is one. E acts so on every such P of
--       the alternative, and on no other term of it: the word may still serve a term that E does not fall under.
--   (b) There is no such P: a message that has E does not match that alternative. So it is for every excluded phrase
--       and concept, and for an exclusion shorter than the prefixes, or none of their kind (`доставк* -самовывоз*`).
-- Exclusions never act inside of phrases and concepts; a phrase is no P even if its words are prefixes.
-- An alternative without a positive term is a stand-alone one: its exclusions are for the whole pattern. One that (a) holds
-- of in some alternative acts so wherever (a) holds of it, and nowhere else; any other forbids every alternative, by (b):
--   `цен* | почем | -центр*`: "почем в центре" matches, "центр" does not. `цен* | почем | -опт`: "цена опт" does not.
-- A concept's stand-alone exclusions are its own: they stay inside of the concept.
-- A pattern needs something positive. Concepts may use concepts, but not in a circle.

local plain = {}

local SMALL = { ["Ё"] = "е", ["ё"] = "е" }
do
  local large = "АБВГДЕЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯ"
  local small = "абвгдежзийклмнопрстуфхцчшщъыьэюя"
  for at = 1, #large, 2 do
    SMALL[large:sub(at, at + 1)] = small:sub(at, at + 1)
  end
end

local function kind(character)
  if character:find "^%d$" then
    return "digit"
  elseif character:find "^%a$" or character:find "^[\208\209]" then
    return "letter"
  elseif character:find "^\240\159" or character:find "^\226[\152-\158]" then
    return "emoji"
  end
end

---The folded words of a text; enough of the real splitting for Russian, ASCII and the common emoji.
---@param text string UTF-8
---@return string[]
function plain.words(text)
  local words, before = {}, nil
  for character in text:gmatch "[^\128-\191][\128-\191]*" do
    local now = kind(character)
    character = SMALL[character] or character:lower()
    if now and now == before and now ~= "emoji" then
      words[#words] = words[#words] .. character
    elseif now then
      words[#words + 1] = character
    end
    before = now
  end
  return words
end

-- One token without its `-` and quotes → a list of { text, prefix }.
local function pieces(token)
  local list = {}
  for chunk in token:gmatch "%S+" do
    local body, star = chunk:match "^([^*]+)(%*?)$"
    local words = plain.words(body or "")
    if #words == 0 then
      error("no word in '" .. chunk .. "'", 0)
    end
    for i, word in ipairs(words) do
      list[#list + 1] = { text = word, prefix = star == "*" and i == #words }
    end
  end
  if #list == 0 then
    error("an empty phrase", 0)
  end
  return list
end

-- The term that stands at `at`, and where the next one begins.
local function read_term(pattern, at)
  local sign, quoted, after = pattern:match('^(%-?)"([^"]*)"()', at)
  if quoted then
    return { excluded = sign == "-", pieces = pieces(quoted) }, after
  end
  local name
  sign, name, after = pattern:match('^(%-?)~([^%s|"]+)()', at)
  if name then
    return { excluded = sign == "-", concept = name }, after
  end
  local word
  sign, word, after = pattern:match('^(%-?)([^%s|"]+)()', at)
  if not word then
    error("unclosed quote or stray sign", 0)
  end
  return { excluded = sign == "-", pieces = pieces(word) }, after
end

-- Rule (a) of the head comment.
local function falls_under(excluded, positive)
  if excluded.concept or positive.concept or #excluded.pieces > 1 or #positive.pieces > 1 then
    return false
  end
  local e, p = excluded.pieces[1], positive.pieces[1]
  return p.prefix and e.text:sub(1, #p.text) == p.text
end

-- A pattern → alternatives { positive = terms, excluded = terms }, each with what stands alone.
local function parse(pattern)
  local alternatives, alone = {}, {}
  local at = 1
  repeat
    local alternative = { positive = {}, excluded = {} }
    at = pattern:match("^%s*()", at)
    while at <= #pattern and pattern:sub(at, at) ~= "|" do
      local term
      term, at = read_term(pattern, at)
      local list = term.excluded and alternative.excluded or alternative.positive
      list[#list + 1] = term
      at = pattern:match("^%s*()", at)
    end
    if #alternative.positive > 0 then
      alternatives[#alternatives + 1] = alternative
    elseif #alternative.excluded > 0 then
      for _, term in ipairs(alternative.excluded) do
        alone[#alone + 1] = term
      end
    else
      error("an empty alternative", 0)
    end
    local more = pattern:sub(at, at) == "|"
    at = at + 1
  until not more
  if #alternatives == 0 then
    error("nothing positive", 0)
  end
  for _, term in ipairs(alone) do
    for _, alternative in ipairs(alternatives) do
      table.insert(alternative.excluded, term)
      for _, positive in ipairs(alternative.positive) do
        term.on_words = term.on_words or falls_under(term, positive)
      end
    end
  end
  return alternatives
end

local function covers(piece, word)
  if piece.prefix then
    return word:sub(1, #piece.text) == piece.text
  end
  return word == piece.text
end

-- Are the pieces somewhere side by side, no word of them covered by an exception?
local function occurs(list, words, exceptions)
  for first = 1, #words - #list + 1 do
    local all = true
    for i, piece in ipairs(list) do
      all = all and covers(piece, words[first + i - 1])
    end
    for _, exception in ipairs(exceptions or {}) do
      all = all and not covers(exception, words[first])
    end
    if all then
      return true
    end
  end
  return false
end

local function alternative_matches(alternative, words, concept_matches)
  local exceptions = {}
  for _, term in ipairs(alternative.positive) do
    exceptions[term] = {}
  end
  for _, excluded in ipairs(alternative.excluded) do
    local acts_on_words = false
    for _, term in ipairs(alternative.positive) do
      if falls_under(excluded, term) then
        acts_on_words = true
        table.insert(exceptions[term], excluded.pieces[1])
      end
    end
    if not acts_on_words and not excluded.on_words then
      local there
      if excluded.concept then
        there = concept_matches(excluded.concept, words)
      else
        there = occurs(excluded.pieces, words)
      end
      if there then
        return false
      end
    end
  end
  for _, term in ipairs(alternative.positive) do
    local there
    if term.concept then
      there = concept_matches(term.concept, words)
    else
      there = occurs(term.pieces, words, exceptions[term])
    end
    if not there then
      return false
    end
  end
  return true
end

---Raises where the pattern, or a concept it uses, is no pattern.
---@param pattern string
---@param concepts table<string, string>? name → pattern
---@return fun(words: string[]): boolean matches takes the folded words of a message
function plain.compile(pattern, concepts)
  local compiled, under_way = {}, {}

  local function concept_matches(name, words)
    return compiled[name](words)
  end

  local function compile(text)
    local alternatives = parse(text)
    local function need(name)
      if under_way[name] then
        error("a circle of concepts at '" .. name .. "'", 0)
      elseif not (concepts and concepts[name]) then
        error("unknown concept '" .. name .. "'", 0)
      elseif not compiled[name] then
        under_way[name] = true
        compiled[name] = compile(concepts[name])
        under_way[name] = nil
      end
    end
    for _, alternative in ipairs(alternatives) do
      for _, list in ipairs { alternative.positive, alternative.excluded } do
        for _, term in ipairs(list) do
          if term.concept then
            need(term.concept)
          end
        end
      end
    end
    return function(words)
      for _, alternative in ipairs(alternatives) do
        if alternative_matches(alternative, words, concept_matches) then
          return true
        end
      end
      return false
    end
  end

  return compile(pattern)
end

return plain
