--- How an answer of each kind is understood.
local text = require "avito_messenger.text"

local answers = {}

-- ---- yes and no

local YES = { ["да"] = true, ["ага"] = true, ["конечно"] = true }
local NO = { ["нет"] = true, ["не"] = true }
local SIGNS = { ["+"] = true, ["👍"] = true, ["-"] = false, ["👎"] = false }

local function yes_or_no(_, turn)
  local sign = SIGNS[turn.text:match "^%s*(.-)%s*$"]
  if sign ~= nil then return sign end
  local yes, no
  for _, word in ipairs(text.words(turn.text)) do
    yes, no = yes or YES[word], no or NO[word]
  end
  if yes == no then return nil end
  return yes == true
end

-- ---- choices

local function joined(written)
  return " " .. table.concat(text.words(written), " ") .. " "
end

--- Does the text have the words of the label, side by side?
---@param written string
---@param label string
---@return boolean
function answers.names(written, label)
  return joined(written):find(joined(label), 1, true) ~= nil
end

--- What is wrong with a pattern.
---@param pattern string
---@return string?
function answers.pattern_problem(pattern)
  if not text.index then return nil end
  local index, problem = text.index({ pattern }, {})
  if not index then return problem.message end
end

local function matches(choice, written)
  if type(choice) == "string" then return answers.names(written, choice) end
  if answers.names(written, choice[1]) then return true end
  return choice[2] and text.index and #text.index({ choice[2] }, {}):match(written) > 0
end

local function choice(open, turn)
  local number = tonumber(turn.text:match "^%s*(%d+)%s*[%.%)]?%s*$")
  local found = number and open.choices[number]
  if not found then
    for _, candidate in ipairs(open.choices) do
      if matches(candidate, turn.text) then
        if found then return nil end
        found = candidate
      end
    end
  end
  return type(found) == "table" and found[1] or found
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
  local trimmed = turn.text:match "^%s*(.-)%s*$"
  if trimmed ~= "" and within(open, #trimmed:gsub("[\128-\191]", "")) then return trimmed end
end

local function phone(_, turn)
  return turn:phones()[1]
end

local function image(_, turn)
  for _, message in ipairs(turn.messages) do
    local content = message.type == "image" and (message.content or {}).image
    if content then return { message_id = message.id, id = content.id, sizes = content.sizes } end
  end
end

--- By the kind of a question: returns the value, or nil.
answers.kinds = {
  text = written, number = number, phone = phone, image = image, ["yes/no"] = yes_or_no, choice = choice,
}

return answers
