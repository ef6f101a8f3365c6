--- What several bots of one process are called where they are told apart: their accounts, or which of them it is.
local names = {}

---@param bots avito.Bot[]
---@return string[] each another
function names.of(bots)
  local list, taken = {}, {}
  for i, bot in ipairs(bots) do
    local name = bot:account()
    if not name or taken[name] then name = "bot " .. i end
    list[i], taken[name] = name, true
  end
  return list
end

return names
