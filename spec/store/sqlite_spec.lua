local avito = require "avito_messenger"
local contract = require "store.contract"
local files = require "support.files"

contract("a file", function()
  local path = files.temporary()
  local store = assert(avito.store(path, { synchronous = "normal" }))
  local handles = { store }
  return {
    store = store,
    other = function()
      handles[#handles + 1] = store:again()
      return handles[#handles]
    end,
    stop = function()
      for _, handle in ipairs(handles) do handle:close() end
      for _, name in ipairs(files.beginning(path)) do os.remove(name) end
    end,
  }
end)
