--- How an answer of each kind is understood.
local pictures = require "avito_messenger.bot.pictures"
local patterns = require "avito_messenger.bot.flow.patterns"
local spelling = require "avito_messenger.bot.spelling"
local text = require "avito_messenger.text"

local answers = {}

local MAX_TEXT = 10000 -- characters; what a journal keeps of one answer is bounded

-- ---- yes and no

local AGREED, YES, WILLING, NO, REFUSED = 1, 2, 3, 4, 5
local SAID = {
  [AGREED] = '"не против" | "не возражаю" | "не вопрос" | "почему нет" | "почему бы" | "без проблем"',
  [YES] = "да | ага | угу | ок | окей | ok | okay | yes | конечно | разумеется | ладно | хорошо | давай* | 👍 | 👌 | ✅",
  [WILLING] = "надо | нужн* | хочу | хотим | хотел* | можно | подходит | подойдет | устраивает | устроит | верно | точно"
    .. " | правильно | соглас* | буду | будем | беру | берем | готов* | -не | -нет",
  [NO] = "нет | не | неа | нету | нельзя | ненадо | ненужно | отказ* | no | nope | 👎 | ❌",
  [REFUSED] = '"да нет" | "да не" | "конечно нет" | "нет конечно" | "конечно не"',
}

local SIGNS = { ["+"] = true, ["++"] = true, ["-"] = false, ["–"] = false, ["—"] = false }

local function yes_or_no(_, turn)
  local sign = SIGNS[spelling.trim(turn.text)]
  if sign ~= nil then return sign end
  local said = {}
  for _, number in ipairs(patterns.match(SAID, turn.text)) do said[number] = true end
  if said[REFUSED] then return false end
  if said[AGREED] then return true end
  local yes = said[YES] or said[WILLING] or false
  if yes == (said[NO] or false) then return nil end -- neither, or both
  return yes
end

-- ---- choices

local function joined(written)
  return " " .. table.concat(text.words(written), " ") .. " "
end

local NO_WORDS = joined ""

--- Does the text have the words of the label, side by side?
---@param written string
---@param label string
---@return boolean
function answers.names(written, label)
  return joined(written):find(joined(label), 1, true) ~= nil
end

--- What a choice is called.
---@param choice string|{ [1]: string, [2]: string }
---@return string
function answers.label(choice)
  return type(choice) == "table" and choice[1] or choice
end

local function add_by_pattern(found, choices, written)
  local list, numbers = {}, {}
  for number, choice in ipairs(choices) do
    if type(choice) == "table" and choice[2] then
      list[#list + 1], numbers[#numbers + 1] = choice[2], number
    end
  end
  if not list[1] then return end
  for _, at in ipairs(patterns.match(list, written)) do found[numbers[at]] = true end
end

-- Of labels that are in the text, one that is part of another does not count: "синий" in "тёмно-синий".
local function add_named(found, labels, words)
  for number, label in ipairs(labels) do
    local longer = false
    for _, other in ipairs(labels) do
      longer = longer or (other ~= label and other:find(label, 1, true) and words:find(other, 1, true))
    end
    if words:find(label, 1, true) and not longer then found[number] = true end
  end
end

local function only(set)
  local number = next(set)
  if number and next(set, number) == nil then return number end
end

-- By the label, or a part of it ("128" for "128 ГБ"), by the number, by the pattern; not where that is more than one choice.
local function choose(open, turn)
  local choices, said, words = open.choices, spelling.trim(turn.text), joined(turn.text)
  for _, choice in ipairs(choices) do
    if answers.label(choice) == said then return said end
  end
  if words == NO_WORDS then return nil end
  local labels, found = {}, {}
  for number, choice in ipairs(choices) do
    labels[number] = joined(answers.label(choice))
    if labels[number] == words then return answers.label(choice) end
    if labels[number]:find(words, 1, true) then found[number] = true end
  end
  add_named(found, labels, words)
  add_by_pattern(found, choices, turn.text)
  local number = tonumber(words:match "^ (%d+) $")
  if number and choices[number] then found[number] = true end
  return answers.label(choices[only(found)])
end

-- ---- the others

local function within(open, size)
  return not (open.min and size < open.min) and not (open.max and size > open.max)
end

-- The first number that is within the bounds: "2 комнаты, 35000" answers a question for a price.
local function number(open, turn)
  for _, value in ipairs(turn:numbers()) do
    if within(open, value) then return value end
  end
end

local function written(open, turn)
  local trimmed = spelling.trim(turn.text)
  local length = spelling.length(trimmed)
  if length > 0 and length <= MAX_TEXT and within(open, length) then return trimmed end
end

local function phone(_, turn)
  return turn:phones()[1]
end

local function image(_, turn)
  for _, message in ipairs(turn.messages) do
    local content = type(message.content) == "table" and message.content or {}
    local one = message.type == "image" and content.image
    if one then return { message_id = message.id, id = one.id, sizes = one.sizes } end
    local files = pictures.of(content.files) -- a text may come with some
    if files then return { message_id = message.id, files = files } end
  end
end

--- By the kind of a question: returns the value, or nil.
answers.kinds = {
  text = written, number = number, phone = phone, image = image, ["yes/no"] = yes_or_no, choice = choose,
}

return answers
