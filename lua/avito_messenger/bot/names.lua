--- What several bots of one process are called where they are told apart: their accounts, or which of them it is.
local names = {}

---@param bot avito.Bot
---@param number integer which of them it is
---@return string
function names.one(bot, number)
  return bot:account() or "bot " .. number
end

---@param bots avito.Bot[]
---@return string[] each another
function names.of(bots)
  local list, taken = {}, {}
  for i, bot in ipairs(bots) do
    local name = names.one(bot, i)
    if taken[name] then name = "bot " .. i end
    list[i], taken[name] = name, true
  end
  return list
end

return names
