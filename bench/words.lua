--- What a message of 12 words costs against a rulebook: folded, matched against all rules, the numbers of those that match
-- in a table. Prints microseconds a message.
--
--   words.lua <rules> index|naive [messages]
--
-- naive: the folded message is searched for the words of one rule after the other, with string.find. It is asked for fewer
-- messages, and only for what it can know: whether the words are there.

local text = require "avito_messenger.text"

local rules_count = tonumber(arg[1]) or 10000
local way = arg[2] or "index"
local messages_count = tonumber(arg[3]) or (way == "index" and 40000 or 400)

local state = 42
local function random(n)
  state = (state * 16807) % 2147483647
  return math.floor(state / 7) % n + 1
end

-- What buyers write around what they ask for, and what many rules have beside a word of their own.
local COMMON = {}
for word in ([[здравствуйте добрый день вечер подскажите пожалуйста еще продаете продается актуально есть в наличии
  какая цена сколько стоит торг уместен скидку сделаете если заберу сегодня завтра можно посмотреть где находится
  доставка доставку отправите авито почтой состояние новый работает все хорошо а что с ним комплект коробка документы
  чек гарантия обмен на интересует или нет спасибо буду после работы приеду забрать номер телефон адрес метро район
  подойдет для машины размер какой год выпуска пробег хозяин один]]):gmatch "[^%s]+" do
  COMMON[#COMMON + 1] = word
end

local CONCEPTS = {
  ["торг"] = "торг* | скид* | уступ* | дешевле | -торгов*",
  ["цена"] = 'цен* | "сколько стоит" | почем | -центр* -ценз*',
  ["доставка"] = "доставк* | отправ* | сдэк | почт* -почти",
}

local SYLLABLES = {}
for syllable in ("ба ве ги до жу за ки ло мя но пе ро сы ту фе хо ца че шу ря бор вал гри дун жел зим кор лис мор"):gmatch "%S+" do
  SYLLABLES[#SYLLABLES + 1] = syllable
end

-- A word of its own for each number.
local function own_word(number)
  local parts = { "т" }
  for _ = 1, 3 do
    parts[#parts + 1] = SYLLABLES[number % #SYLLABLES + 1]
    number = math.floor(number / #SYLLABLES)
  end
  return table.concat(parts)
end

-- A pattern about the word, and its words for the naive way.
local function rule(number)
  local word, other = own_word(2 * number), own_word(2 * number + 1)
  local common = COMMON[random(#COMMON)]
  local kind = number % 10 -- so that every rulebook has as many of each
  if kind == 0 then
    return ("%s* | %s"):format(word, other), { word, other }
  elseif kind == 1 then
    return ("%s %s"):format(common, word), { common, word }
  elseif kind == 2 then
    return ('"%s %s*"'):format(word, other), { word .. " " .. other }
  elseif kind == 3 then
    return ("%s* -%sвый -%s"):format(word, word, other), { word }
  elseif kind == 4 then
    return ("~торг %s* | ~цена %s"):format(word, word), { word }
  elseif kind == 5 then
    return ("%s | %s* | wi-fi %s"):format(word, other, word), { word, other }
  elseif kind == 6 then
    return ("%s* %s | -~доставка"):format(word, common), { word, common }
  elseif kind == 7 then
    return ('%s | "%s %s"'):format(word, common, other), { word, other }
  elseif kind == 8 then
    return ("%s* | -%s"):format(word, other), { word }
  end
  return ("%s* %d"):format(word, number), { word, tostring(number) }
end

-- Nine words that anybody writes, and three of which rules know.
local function message()
  local words = {}
  for i = 1, 9 do
    words[i] = COMMON[random(#COMMON)]
  end
  for _ = 1, 3 do
    table.insert(words, random(#words), own_word(2 * random(rules_count)))
  end
  words[1] = words[1]:gsub("^з", "З")
  return table.concat(words, " ", 1, 6) .. ", " .. table.concat(words, " ", 7) .. "?"
end

-- More of them than a cache remembers the way of.
local messages = {}
for i = 1, 1000 do
  messages[i] = message()
end

local function by_index()
  local patterns = {}
  for i = 1, rules_count do
    patterns[i] = rule(i)
  end
  local index = assert(text.index(patterns, CONCEPTS))
  return function(said)
    return index:match(said)
  end
end

local function naively()
  local words = {}
  for i = 1, rules_count do
    words[i] = select(2, rule(i))
  end
  return function(said)
    local numbers, folded = {}, text.fold(said)
    for i = 1, rules_count do
      for _, word in ipairs(words[i]) do
        if folded:find(word, 1, true) then
          numbers[#numbers + 1] = i
          break
        end
      end
    end
    return numbers
  end
end

local found = way == "index" and by_index() or naively()
collectgarbage()

local function run(count)
  local matched = 0
  local start = os.clock()
  for i = 1, count do
    matched = matched + #found(messages[(i - 1) % #messages + 1])
  end
  return (os.clock() - start) / count * 1e6, matched / count
end

run(math.min(messages_count, #messages))
local taken, matched = run(messages_count)
print(("%d rules, %s: %.1f match, us a message: %.3f"):format(rules_count, way, matched, taken))
