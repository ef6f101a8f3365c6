--- What is found in the texts of a list of cases, in their shape: { text, what is in it… }.
---@param find fun(text: string): any[]
---@param cases any[][]
---@return any[][]
return function(find, cases)
  local found = {}
  for i, case in ipairs(cases) do
    found[i] = { case[1] }
    for _, value in ipairs(find(case[1])) do table.insert(found[i], value) end
  end
  return found
end
