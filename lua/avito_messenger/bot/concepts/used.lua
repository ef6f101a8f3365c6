--- Of many concepts those that patterns name, and those that these name in turn: an index takes as long to make as its
--- concepts are long, and most rulebooks use few.
---@param list string[] patterns
---@param concepts table<string, string>
---@return table<string, string>
local function used(list, concepts)
  local found = {}
  local function look(pattern)
    for name in pattern:gmatch '~([^%s|"]+)' do
      if concepts[name] and not found[name] then
        found[name] = concepts[name]
        look(concepts[name])
      end
    end
  end
  for _, pattern in ipairs(list) do look(pattern) end
  return found
end

return used
