--- The condition `hears`.
local Condition = require "avito_messenger.bot.rulebook.condition"
local spelling = require "avito_messenger.bot.spelling"

local SHOWN = 8 -- alternatives of a pattern

--- The alternatives of a pattern without what they exclude; only to be shown.
local function alternatives(pattern)
  local list, words = {}, true
  for written in pattern:gsub('%-"[^"]*"', ""):gmatch "[^|]+" do
    local alternative = spelling.trim((" " .. written):gsub("%s%-%S+", ""))
    if alternative ~= "" then
      list[#list + 1] = alternative
      words = words and not alternative:find '[%s"~]'
    end
  end
  return list, words
end

local function looked_for(pattern)
  local list, words = alternatives(pattern)
  local more = #list > SHOWN and ", …" or ""
  return (words and "no word like " or "nothing like ") .. table.concat(list, ", ", 1, math.min(#list, SHOWN)) .. more
end

--- Why the pattern does not match, by the alternative that came nearest.
local function unheard(pattern, why)
  local heard = table.concat(why.words, " ")
  if why.excluded then return ("%s excludes it"):format(why.excluded) end
  if heard == "" then return looked_for(pattern) end
  return ("heard %s, but nothing like %s"):format(heard, why.missing)
end

---@param pattern string
---@param at fun(field: string?, message: string)
---@param book table with `heard`, its patterns
---@return avito_messenger.bot.Condition condition with the `number` of the pattern
return function(pattern, at, book)
  local patterns = book.heard
  local number = patterns:add(pattern, at, "hears")
  local condition = Condition.new("hears", pattern:gsub("%s+", " "), function(turn)
    return patterns:matches(turn, number)
  end, function(turn, ok)
    local why = patterns.index:why(turn.text, number)
    return ok and "heard " .. table.concat(why.words, " ") or unheard(pattern, why)
  end)
  condition.number = number
  return condition
end
