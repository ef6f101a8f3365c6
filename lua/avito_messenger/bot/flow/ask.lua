--- What a flow asks, and how the buyer's answers are read.
local answers = require "avito_messenger.bot.flow.answers"
local options = require "avito_messenger.options"
local patterns = require "avito_messenger.bot.flow.patterns"
local plain = require "avito_messenger.bot.flow.plain"
local span = require "avito_messenger.bot.span"
local words = require "avito_messenger.words"

local ask = {}

local TRIES = 3
local FIELDS = {
  [1] = "string", [2] = "string", again = "string", within = "number|string", tries = "number", min = "number", max = "number",
  choices = "table",
}
local BOUNDED = { number = true, text = true }

---@class avito_messenger.bot.AskOptions
---@field [1] "text"|"number"|"phone"|"image"|"yes/no"|"choice" what is asked for
---@field [2] string the prompt; names in braces are filled in
---@field again? string what is said when an answer was not understood; default: the prompt
---@field within? number|string how long the answer is waited for: "1h"; the run's ttl ends every wait
---@field tries? integer how many answers may not be understood: 1 to 100, 3 by default
---@field min? number the least number, or the fewest characters
---@field max? number the greatest number, or the most characters
---@field choices? (string|{ [1]: string, [2]: string })[] labels, each with a pattern of other answers that mean it

---@class avito_messenger.bot.FlowQuestion plain
---@field kind string
---@field prompt string as it was said
---@field again string
---@field deadline number when the answer is nil, "timeout"
---@field tries_left integer answers that may still be not understood; at 0 the answer is nil, "tries"
---@field min? number
---@field max? number
---@field choices? (string|{ [1]: string, [2]: string })[]

local function check_choice(at, choice, seen)
  local label, pattern = answers.label(choice), type(choice) == "table" and choice[2] or nil
  if type(label) ~= "string" or not label:find "%S" then
    return ("choice %d must be a label, or { label, pattern }"):format(at)
  end
  if seen[label] then return ("the choice '%s' is there twice"):format(label) end
  seen[label] = true
  if pattern == nil then return nil end
  if type(pattern) ~= "string" then return ("the pattern of the choice '%s' must be a string"):format(label) end
  local problem = patterns.problem(pattern)
  return problem and ("the pattern of the choice '%s': %s"):format(label, problem)
end

local function check_choices(question)
  local choices = question.choices
  if question.kind ~= "choice" then
    return choices and "choices are only for the kind choice, this is " .. question.kind
  end
  if not choices or #choices < 2 then return "a choice needs choices, two or more" end
  local copy, problem = plain.copy(choices)
  if problem then return "choices hold " .. problem end
  question.choices = copy
  local seen = {}
  for at, choice in ipairs(copy) do
    problem = check_choice(at, choice, seen)
    if problem then return problem end
  end
end

local function check_bounds(question)
  local min, max = question.min, question.max
  if (min or max) and not BOUNDED[question.kind] then
    return ("min and max are only for number and text, this is %s"):format(question.kind)
  end
  if min and max and min > max then return ("min is %s, which is above max, %s"):format(min, max) end
end

local function check_tries(tries)
  if tries % 1 ~= 0 or tries < 1 or tries > 100 then
    return ("tries must be an integer from 1 to 100, got %s"):format(tostring(tries))
  end
end

local function check_within(question)
  if question.within == nil then return end
  local seconds, problem = span.seconds(question.within)
  if problem then return "within: " .. problem end
  if seconds <= 0 then return "within must be more than 0 seconds" end
  question.within = seconds
end

--- Reads what was given to c:ask.
---@param given avito_messenger.bot.AskOptions
---@return table? question
---@return string? problem
function ask.check(given)
  local ok, problem = pcall(options.check, "", given, FIELDS, -1) -- so that the message has no place in this file
  if not ok then return nil, (problem:gsub("^: ", "")) end
  local kind, prompt, again = given[1], given[2], given.again
  if not kind then return nil, "the kind is missing: c:ask { \"text\", \"…\" }" end
  if not answers.kinds[kind] then return nil, words.unknown(kind, words.names(answers.kinds), "kind") end
  if not prompt or not prompt:find "%S" then return nil, "the prompt is missing: c:ask { kind, \"…\" }" end
  if again and not again:find "%S" then return nil, "again is empty" end
  local question = {
    kind = kind, prompt = prompt, again = again, within = given.within, tries = given.tries or TRIES,
    min = given.min, max = given.max, choices = given.choices,
  }
  problem = check_tries(question.tries) or check_within(question) or check_bounds(question) or check_choices(question)
  if problem then return nil, problem end
  question, problem = plain.copy(question)
  return question, problem and "it holds " .. problem
end

local function labels(question)
  local list = {}
  for at, choice in ipairs(question.choices or {}) do list[at] = answers.label(choice) end
  return list
end

--- What of a question is the same whenever it is asked again.
---@param question table
---@return table
function ask.identity(question)
  return { question.kind, question.prompt, labels(question) }
end

--- The number of a choice.
---@param question table
---@param label string
---@return integer?
function ask.number_of(question, label)
  for number, candidate in ipairs(labels(question)) do
    if candidate == label then return number end
  end
end

--- The text, followed by the numbered choices unless it names them all itself.
local function with_choices(question, text)
  local lines, lists_all = { text }, true
  for number, label in ipairs(labels(question)) do
    lines[#lines + 1] = ("%d. %s"):format(number, label)
    lists_all = lists_all and answers.names(text, label)
  end
  return lists_all and text or table.concat(lines, "\n")
end

--- The question as it stands in the state of the run.
---@param question table what `check` returned
---@param now number
---@param expires number when the run's ttl ends
---@param render fun(text: string): string?, string?
---@return avito_messenger.bot.FlowQuestion?
---@return string? problem
function ask.open(question, now, expires, render)
  local prompt, problem = render(question.prompt)
  local again = prompt
  if prompt and question.again then again, problem = render(question.again) end
  if not again then return nil, problem end
  return plain.copy {
    kind = question.kind, prompt = with_choices(question, prompt), again = with_choices(question, again),
    deadline = math.min(expires, now + (question.within or math.huge)), tries_left = question.tries,
    min = question.min, max = question.max, choices = question.choices,
  }
end

--- Reads an answer.
---@param open avito_messenger.bot.FlowQuestion
---@param turn { text: string, messages: table[], numbers: function, phones: function }
---@return boolean understood
---@return any value
function ask.read(open, turn)
  local value = answers.kinds[open.kind](open, turn)
  if value == nil then return false end
  return true, value
end

--- What is said when an answer was not understood. Whoever counts takes one from `tries_left` before.
---@param open avito_messenger.bot.FlowQuestion
---@return string
function ask.again(open)
  return open.again
end

return ask
