--- What a scenario expects a text to be: exactly this, or something that it holds, or one of several.
local words = require "avito_messenger.words"

---@class avito.bot.test.Expectation
---@field [1]? string the whole text
---@field contains? string a part of it
---@field matches? string a Lua pattern
---@field one_of? string[] any of these whole texts
---@field rule? string the rule or dialogue it comes from; without a text, any text of it
---@field within? number|string how long to wait for it; default: the scene's `within`

---@class avito.bot.test.Wanted
---@field description string
---@field exact? string the text to compare with
---@field rule? string
---@field within? number|string
---@field accepts fun(text: string): boolean
local wanted = {}

local KNOWN = { contains = true, matches = true, one_of = true, rule = true, within = true }

local function quoted(text) return ("“%s”"):format(text) end

local readers = {}

function readers.exact(text)
  return { description = quoted(text), exact = text, accepts = function(came) return came == text end }
end

function readers.contains(part)
  return { description = "a text with " .. quoted(part),
    accepts = function(came) return came:find(part, 1, true) ~= nil end }
end

function readers.matches(pattern)
  return { description = "a text that matches " .. quoted(pattern),
    accepts = function(came) return came:find(pattern) ~= nil end }
end

function readers.one_of(texts)
  local shown = {}
  for i, text in ipairs(texts) do shown[i] = quoted(text) end
  return { description = "one of " .. table.concat(shown, ", "), exact = texts[1], accepts = function(came)
    for _, text in ipairs(texts) do
      if came == text then return true end
    end
    return false
  end }
end

local function read_text(where, how, value, level)
  local kind = how == "one_of" and "table" or "string"
  if type(value) ~= kind or (kind == "table" and type(value[1]) ~= "string") then
    error(("%s: %s must be a %s"):format(where, how == 1 and "the text" or how, kind == "table" and "list of texts" or kind),
      level + 1)
  end
  return readers[how == 1 and "exact" or how](value)
end

--- Reads what an expectation was given. Raises when it makes no sense.
---@param where string the method
---@param given string|avito.bot.test.Expectation
---@param level integer
---@return avito.bot.test.Wanted
function wanted.read(where, given, level)
  if type(given) == "string" then given = { given } end
  if type(given) ~= "table" then
    error(("%s: a text, or a table like { contains = \"…\" }, expected, got %s"):format(where, type(given)), level + 1)
  end
  local how
  for name in pairs(given) do
    if name ~= 1 and not KNOWN[name] then
      error(("%s: %s"):format(where, words.unknown(name, words.names(KNOWN), "field")), level + 1)
    end
    if name ~= "rule" and name ~= "within" then
      if how then error(("%s: a text, contains, matches, one_of: give one of them"):format(where), level + 1) end
      how = name
    end
  end
  if not how and type(given.rule) ~= "string" then
    error(("%s: what text? Give one, or contains, matches, one_of or rule"):format(where), level + 1)
  end
  local made = how and read_text(where, how, given[how], level + 1)
    or { description = "something", accepts = function() return true end }
  made.rule, made.within = given.rule, given.within
  if made.rule then made.description = ("%s by '%s'"):format(made.description, made.rule) end
  return made
end

return wanted
