--- Names that somebody typed: whether they are known, and which known one was probably meant.
local core = require "avito_messenger.core"

local words = {}

local FAR = 32

--- The known word nearest to `word`, or nil when none is near.
---@param word string
---@param known string[]
---@return string?
function words.nearest(word, known)
  local best, least
  for _, candidate in ipairs(known) do
    local d = core.distance(word:lower(), candidate:lower(), FAR)
    if not least or d < least then best, least = candidate, d end
  end
  local _, letters = word:gsub("[^\128-\191]", "")
  if least and least <= math.max(2, math.floor(letters / 3)) then return best end
end

--- "unknown <what> 'x'", with the word that was probably meant, or else with all there are.
---@param word any
---@param known string[]
---@param what string
---@return string
function words.unknown(word, known, what)
  word = tostring(word)
  local nearest = words.nearest(word, known)
  if nearest then return ("unknown %s '%s' (did you mean '%s'?)"):format(what, word, nearest) end
  if #known == 0 then return ("unknown %s '%s'"):format(what, word) end
  return ("unknown %s '%s' (known: %s)"):format(what, word, table.concat(known, ", "))
end

--- What words.unknown says of a word that is not among the known ones; nil for one that is.
---@param word any
---@param known string[]
---@param what string
---@return string?
function words.mistake(word, known, what)
  for _, one in ipairs(known) do
    if one == word then return nil end
  end
  return words.unknown(word, known, what)
end

--- What is wrong with a list that has to hold known words, and at least one; nil: nothing.
---@param name string of the list
---@param list any[]
---@param known string[]
---@param what string
---@return string?
function words.problem(name, list, known, what)
  if #list == 0 then return name .. " is empty" end
  for _, word in ipairs(list) do
    local mistake = words.mistake(word, known, what)
    if mistake then return ("%s: %s"):format(name, mistake) end
  end
end

--- The names of a table, sorted.
---@param set table<string, any>
---@return string[]
function words.names(set)
  local names = {}
  for name in pairs(set) do names[#names + 1] = tostring(name) end
  table.sort(names)
  return names
end

--- Raises when `options` is no table or has a name that `known` has not.
---@param options table
---@param known table<string, any>
---@param what string for example "option"
---@param level? integer as for error()
function words.check(options, known, what, level)
  if level ~= 0 then level = (level or 1) + 1 end
  if type(options) ~= "table" then
    error(("%ss: table expected, got %s"):format(what, type(options)), level)
  end
  for name in pairs(options) do
    if known[name] == nil then error(words.unknown(name, words.names(known), what), level) end
  end
end

return words
