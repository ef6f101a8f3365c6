local avito = require "avito_messenger"
local contract = require "store.contract"

contract("memory", function()
  local store = avito.memory_store()
  local handles = { store }
  return {
    store = store,
    other = function()
      handles[#handles + 1] = store:again()
      return handles[#handles]
    end,
    stop = function()
      for _, handle in ipairs(handles) do handle:close() end
    end,
  }
end)
