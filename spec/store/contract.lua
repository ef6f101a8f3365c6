--- What every store does. `start()` gives an environment:
---   store          an empty store
---   other()        another handle on the same data, as another process would have
---   stop()
local assert = require "luassert"
local busted = require "busted"

local describe, it = busted.describe, busted.it
local before_each, after_each = busted.before_each, busted.after_each

local function row(chat_id, key, body)
  return { chat_id = chat_id, key = key, kind = "avito", body = body or "body of " .. key }
end

local function keys(rows)
  local list = {}
  for i, one in ipairs(rows) do list[i] = one.key end
  return table.concat(list, " ")
end

return function(name, start)
  describe("a store in " .. name, function()
    local place, store

    before_each(function()
      place = start()
      store = place.store
    end)

    after_each(function() place.stop() end)

    local function receive(...) return assert(store:receive("7", { ... })) end
    local function claim(chat_id, from) return assert((from or store):claim("7", chat_id)) end

    it("takes a message once", function()
      assert.same({ true, true }, receive(row("c1", "m1"), row("c1", "m2")))
      assert.same({ false, true }, receive(row("c1", "m2"), row("c1", "m3")))
      assert.equal("m1 m2 m3", keys(claim("c1").rows))
    end)
  end)
end
