--- For the simulation: the stores it runs over, and what becomes of the chats of a process that was stopped for too long.
local avito = require "avito_messenger"

local stores = {}

stores.LEASE = 15 -- seconds

--- @param where? string a path; memory without
function stores.open(where)
  if not where then return avito.memory_store() end
  return assert(avito.store(where, { synchronous = "normal" }))
end

-- Handles of a store in memory know no lease, for a stopped process has no use for it: here one is stopped alone.
local function let_go(store)
  for _, account in pairs(store.world.accounts) do
    for _, chat in pairs(account.chats) do
      if chat.owner == store then
        chat.owner = nil
        chat.wake = 0
        account.waking[chat.id] = chat
      end
    end
  end
end

--- The lease of a handle runs out.
function stores.run_out(root, store)
  if store.world then return let_go(store) end
  assert(root.group:write_now(function()
    root.group:run("owner_renew", store.owner, 0)
    return true
  end))
end

return stores
