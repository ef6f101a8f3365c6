--- The condition `hears`.
local Condition = require "avito_messenger.bot.rulebook.condition"

--- What the pattern looks for, without what it excludes: "торг*, скид*".
local function looked_for(pattern)
  local list = {}
  for term in pattern:gsub('%-"[^"]*"', " "):gmatch '"?[^%s|"][^|"]*"?' do
    for word in term:gmatch "%S+" do
      if word:sub(1, 1) ~= "-" then list[#list + 1] = word end
    end
  end
  return table.concat(list, ", ")
end

---@param pattern string
---@param at fun(field: string?, message: string)
---@param book table with `heard`, its patterns
---@return avito_messenger.bot.Condition
return function(pattern, at, book)
  local number = book.heard:add(pattern, at, "hears")
  local condition = Condition.new("hears", pattern:gsub("%s+", " "), function(turn)
    return book.heard:matches(turn, number) == true
  end, function(turn, ok)
    if not ok then return "no word like " .. looked_for(pattern) end
    local why = book.heard.index:why(turn.text, number)
    return "heard " .. table.concat(why.words, ", ")
  end)
  condition.number = number
  return condition
end
