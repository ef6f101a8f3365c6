--- What every store does. `start()` gives an empty store, and optionally a function that is called after its handles are closed.
local assert = require "luassert"
local busted = require "busted"
local problem = require "avito_messenger.store.problem"

local describe = busted.describe
local unpack = table.unpack or unpack -- luacheck: ignore 143

local function row(chat_id, key, body, replace)
  return { chat_id = chat_id, key = key, kind = "avito", body = body or "body of " .. key, replace = replace }
end

local function keys(rows)
  local list = {}
  for i, one in ipairs(rows) do list[i] = one.key end
  return table.concat(list, " ")
end

local function queued(key, more)
  local made = { key = key, kind = "send", state = "queued", at = 10, delay = 2, turn = key, text = "Да, " .. key }
  for name, value in pairs(more or {}) do made[name] = value end
  return made
end

-- A driver whose clock stands where it is put.
local function clock(at)
  return { at = at, time = function(self) return self.at end, now = function(self) return self.at end,
    sleep = function(self, seconds) self.at = self.at + seconds end }
end

local DAY = 86400

-- The specs of one group share how they reach the store.
local function group(describe_it)
  return function(start)
    local place = {}
    local handles, stop

    busted.before_each(function()
      place.store, stop = start()
      handles, place.driver = { place.store }, clock(1700000000)
      place.store:attach(place.driver)
    end)

    busted.after_each(function()
      for _, handle in ipairs(handles) do handle:close() end
      if stop then stop() end
    end)

    function place.other()
      local other = place.store:again()
      handles[#handles + 1] = other
      other:attach(place.driver)
      return other
    end
    function place.receive(...) return assert(place.store:receive("7", { ... })) end
    function place.claim(chat_id, store) return assert((store or place.store):claim("7", chat_id)) end
    function place.commit(claim, change, store)
      change.record = change.record or claim.record
      change.now = change.now or place.driver.at
      return (store or place.store):commit(claim, change)
    end
    function place.due(store, now)
      return table.concat(assert((store or place.store):due("7", now or place.driver.at, 100)), " ")
    end
    function place.reclaimed(chat_id)
      assert(place.store:release(place.claim(chat_id)))
      return place.claim(chat_id, place.other())
    end

    describe_it(place, busted.it)
  end
end

local inbox = group(function(place, it)
  it("takes a message once", function()
    assert.same({ true, true }, place.receive(row("c1", "m1"), row("c1", "m2")))
    assert.same({ false, true, false }, place.receive(row("c1", "m2"), row("c1", "m3"), row("c1", "m3")))
    local claim = place.claim "c1"
    assert.equal("m1 m2 m3", keys(claim.rows))
    assert(place.commit(claim, { taken = claim.rows[2].seq }))
    assert.same({ false }, place.receive(row("c1", "m1")))
    assert.equal("m3", keys(place.store:rows(claim)))
  end)

  it("hands out what it was given, in order", function()
    place.receive(row("c1", "b", '{"text":"Ещё\\u0000 продаёте?"}'), row("c2", "x"), row("c1", "a", ""))
    local rows = place.claim("c1").rows
    assert.is_true(rows[1].seq < rows[2].seq)
    for _, one in ipairs(rows) do one.seq = nil end
    assert.same({ { key = "b", kind = "avito", body = '{"text":"Ещё\\u0000 продаёте?"}' },
      { key = "a", kind = "avito", body = "" } }, rows)
  end)

  it("keeps accounts apart", function()
    place.receive(row("c1", "m1"))
    assert.same({ true }, place.store:receive("8", { row("c1", "m1") }))
    assert.equal(1, #assert(place.store:claim("8", "c1")).rows)
    assert.equal(1, #place.claim("c1").rows)
  end)

  it("gives a row that is replaced its new body, and a place after those who saw the old one", function()
    place.receive(row("c1", "m1", "old"), row("c1", "m2"))
    local claim = place.claim "c1"
    assert.same({ true }, place.receive(row("c1", "m1", "new", true)))
    assert(place.commit(claim, { taken = claim.rows[2].seq }))
    local rows = assert(place.store:rows(claim))
    assert.equal("m1", keys(rows))
    assert.equal("new", rows[1].body)
  end)

  it("makes a taken row that is replaced one that is not taken", function()
    place.receive(row("c1", "m1", "old"))
    local claim = place.claim "c1"
    assert(place.commit(claim, { taken = claim.rows[1].seq, release = true }))
    assert.equal("", place.due())
    assert.same({ true }, place.receive(row("c1", "m1", "new", true)))
    assert.equal("c1", place.due())
    assert.equal("new", place.claim("c1").rows[1].body)
  end)

  it("is shared by its handles", function()
    place.receive(row("c1", "m1"))
    local other = place.other()
    assert.same({ false, true }, other:receive("7", { row("c1", "m1"), row("c1", "m2") }))
    assert.equal("m1 m2", keys(place.claim("c1").rows))
  end)

  it("does not keep the tables that it is given", function()
    local given = row("c1", "m1", "as given")
    place.receive(given)
    given.body = "changed"
    local claim = place.claim "c1"
    assert.equal("as given", claim.rows[1].body)
    claim.rows[1].body = "changed"
    assert.equal("as given", place.store:rows(claim)[1].body)
  end)
end)

local chats = group(function(place, it)
  local function wake(chat_id, at)
    assert(place.commit(place.claim(chat_id), { wake = at, release = true }))
  end

  it("lists the chats whose time has come, the oldest first, and tells when the next is", function()
    local now = place.driver.at
    wake("c1", now + 50)
    wake("c2", now - 5)
    wake("c3", now - 60)
    wake("c4", now + 20)
    wake("c5", nil)
    assert.same({ { "c3", "c2" }, now + 20 }, { place.store:due("7", now, 10) })
    assert.same({ "c3" }, (place.store:due("7", now, 1)))
    assert.same({ { "c3", "c2", "c4" }, now + 50 }, { place.store:due("7", now + 20, 10) })
    assert.equal("c3 c2 c4 c1", place.due(nil, math.huge))
    local _, next_at = place.store:due("7", now + 50, 10)
    assert.is_nil(next_at)
    assert.same({}, (place.store:due("8", now, 10)))
  end)

  it("lists a chat that a message came to, also after the clock was put back", function()
    place.receive(row("c1", "m1"))
    assert.equal("c1", place.due())
    assert.equal("c1", place.due(nil, place.driver.at - 3600))
  end)

  it("loses no wake to a message, and no message to a wake", function()
    local now = place.driver.at
    wake("c2", now - 2 * DAY)
    place.receive(row("c1", "m1"), row("c2", "m2"))
    assert.equal("c2 c1", place.due())
    local claim = place.claim "c1"
    place.receive(row("c1", "m3"))
    assert(place.commit(claim, { taken = claim.rows[1].seq, wake = now + 1000, release = true }))
    assert.equal("c2 c1", place.due())
    claim = place.claim "c1"
    place.receive(row("c1", "m4"))
    assert(place.commit(claim, { taken = claim.rows[1].seq, release = true }))
    assert.matches("c1", place.due())
  end)

  it("are worked on by one owner at a time", function()
    local other = place.other()
    place.receive(row("c1", "m1"))
    local first = place.claim "c1"
    assert.is_false(other:claim("7", "c1"))
    assert.equal("", place.due(other))
    assert.equal("c1", place.due())
    assert.is_nil(select(2, other:due("7", place.driver.at - 3 * DAY, 10)))
    assert(place.store:release(first))
    assert.equal("c1", place.due(other))
    local second = place.claim("c1", other)
    assert.is_true(second.fence > first.fence)
    assert.is_false(place.store:claim("7", "c1"))
  end)

  it("keep their wake when they are given back", function()
    wake("c1", place.driver.at + 30)
    assert(place.store:release(place.claim "c1"))
    assert.same({ {}, place.driver.at + 30 }, { place.store:due("7", place.driver.at, 10) })
  end)

  it("are lost to whoever claims them next", function()
    local old = place.claim "c1"
    local new = place.claim "c1"
    assert.is_true(new.fence > old.fence)
    local ok, err = place.commit(old, { record = { id = "c1", turns = 1 }, wake = 5 })
    assert.is_nil(ok)
    assert.is_true(problem.is(err))
    assert.equal("fenced", err.code)
    assert.matches("chat c1 is another's by now %(fenced%): nothing was written", tostring(err))
    ok, err = place.store:release(old)
    assert.same({ nil, "fenced" }, { ok, err.code })
    assert.is_nil(place.store:peek("7", "c1"))
    assert.is_true(place.commit(new, { record = { id = "c1", turns = 2 }, release = true }))
    ok, err = place.commit(new, { record = { id = "c1", turns = 3 } })
    assert.same({ nil, "fenced" }, { ok, err.code })
    assert.equal(2, place.store:peek("7", "c1").turns)
  end)

  it("take nothing for one whose claim was lost", function()
    place.receive(row("c1", "m1"))
    local old = place.claim "c1"
    local new = place.claim "c1"
    assert.is_nil(place.commit(old, { taken = old.rows[1].seq }))
    assert.equal("m1", keys(place.store:rows(new)))
  end)

  it("are free and due when their owner is gone without a word", function()
    place.receive(row("c1", "m1"))
    local claim = place.claim "c1"
    assert(place.commit(claim, { taken = claim.rows[1].seq, record = { id = "c1", turns = 1 } }))
    local other = place.other()
    place.store:abandon()
    assert.equal("c1", place.due(other))
    local again = place.claim("c1", other)
    assert.equal(1, again.record.turns)
    assert.is_true(again.fence > claim.fence)
  end)

  it("are taken from an owner that is gone also by who asks for one alone", function()
    place.claim "c1"
    local other = place.other()
    place.store:abandon()
    assert.truthy(other:claim("7", "c1"))
  end)

  it("are free and due when their owner has closed", function()
    place.claim "c1"
    local other = place.other()
    place.store:close()
    assert.equal("c1", place.due(other))
    assert.truthy(other:claim("7", "c1"))
  end)
end)

local records = group(function(place, it)
  local function kept(record)
    assert(place.commit(place.claim "c1", { record = record, release = true }))
    return place.claim("c1", place.other()).record
  end

  it("are nothing but an id at first", function()
    assert.is_nil(place.store:peek("7", "c1"))
    assert.is_nil(select(2, place.store:peek("7", "c1")))
    assert.same({ id = "c1" }, place.claim("c1").record)
    place.receive(row("c2", "m1"))
    assert.is_nil(place.store:peek("7", "c2"))
  end)

  it("come back as they were", function()
    local record = {
      id = "c1", turns = 12, met = true, type = "u2i", sends = { 1700000000.25, 1700000001 }, waiting = {}, rules = {},
      facts = { at = 0.1, buyer = { id = 94235311, name = "«П» \\ \"\n\0/" }, item = { price = 1e15, price_text = "1 000 ₽" } },
      seen = { n = 301, ids = { ["a-1"] = 300, ["2"] = 301 }, newest = 1700000000, before = 5 },
      flow = { name = "торг", steps = { { "a", {} }, { false } }, answers = {} },
      memory = { deep = { { { list = { 1, 2, 3 } } } }, [""] = "empty key", ["1"] = "digit" },
      silent = { since = 1, until_ = 2 ^ 40, why = "typed" },
      outbox = { queued "k1", queued("k2", { args = { n = 1, list = {} } }) },
      burst = { from = -1.5, due = 1e-3 },
    }
    assert.same(record, kept(record))
    assert.same(record, place.store:peek("7", "c1"))
  end)

  it("keep integers beyond what a float holds", function()
    if not math.type then return end -- LuaJIT has none
    local record = { id = "c1", facts = { at = 1, item = { id = math.maxinteger }, buyer = { id = math.mininteger } } }
    assert.same(record, kept(record))
  end)

  it("are not shared with whoever keeps or reads them", function()
    local record = { id = "c1", memory = { list = { "as given" } }, outbox = { queued "k1" } }
    local claim = place.claim "c1"
    assert(place.commit(claim, { record = record }))
    record.memory.list[1], record.outbox[1].text = "changed", "changed"
    local peeked = place.store:peek("7", "c1")
    assert.equal("as given", peeked.memory.list[1])
    peeked.memory.list[1], peeked.outbox[1].text = "changed", "changed"
    assert(place.store:release(claim))
    local read = place.claim("c1").record
    assert.same({ "as given", "Да, k1" }, { read.memory.list[1], read.outbox[1].text })
    read.memory.list[1], read.outbox[1].text = "changed", "changed"
    peeked = place.store:peek("7", "c1")
    assert.same({ "as given", "Да, k1" }, { peeked.memory.list[1], peeked.outbox[1].text })
  end)

  it("change in parts, and lose what was taken out", function()
    local claim = place.claim "c1"
    local record = { id = "c1", turns = 1, memory = { a = 1 }, flow = { name = "f" }, seen = { n = 1, ids = { m1 = 1 } } }
    assert(place.commit(claim, { record = record }))
    record.memory, record.turns = nil, 2
    assert(place.commit(claim, { record = record }))
    record.seen = { n = 2, ids = { m1 = 1, m2 = 2 } }
    assert(place.commit(claim, { record = record }))
    record.flow = nil
    assert(place.commit(claim, { record = record, release = true }))
    assert.same({ id = "c1", turns = 2, seen = { n = 2, ids = { m1 = 1, m2 = 2 } } }, place.reclaimed("c1").record)
  end)

  it("keep the order of their outbox, whatever comes and goes", function()
    local claim = place.claim "c1"
    local function outbox(...)
      local list = {}
      for i, key in ipairs { ... } do list[i] = queued(key) end
      assert(place.commit(claim, { record = { id = "c1", outbox = list[1] and list } }))
      return keys(place.store:peek("7", "c1").outbox or {})
    end
    for _, order in ipairs { "z b a", "b a", "b a c", "c", "a b c d e", "a e", "e a", "x e y a z", "", "q", "b q", "a q b" } do
      local list = {}
      for key in order:gmatch "%S" do list[#list + 1] = key end
      assert.equal(order, outbox(unpack(list)))
    end
  end)

  it("write a row of the outbox that changed", function()
    local claim = place.claim "c1"
    local record = { id = "c1", outbox = { queued "k1", queued "k2" } }
    assert(place.commit(claim, { record = record }))
    record.outbox[1].state, record.outbox[1].latched_at = "latched", 17
    assert(place.commit(claim, { record = record }))
    assert.same(record.outbox, place.store:peek("7", "c1").outbox)
    record.outbox = { record.outbox[2] }
    assert(place.commit(claim, { record = record, finals = { { key = "k1", state = "confirmed", id = "m9" } } }))
    assert.same(record.outbox, place.store:peek("7", "c1").outbox)
    record.outbox = nil
    assert(place.commit(claim, { record = record }))
    assert.is_nil(place.store:peek("7", "c1").outbox)
    record.outbox = { queued "k1" } -- a key that was there before
    assert(place.commit(claim, { record = record }))
    assert.same(record.outbox, place.reclaimed("c1").record.outbox or place.store:peek("7", "c1").outbox)
  end)
end)

local tokens = group(function(place, it)
  it("come back as they were saved, each under its name", function()
    local store = place.store:tokens "shop"
    local got, message = store.load()
    assert.same({}, { got, message })
    local saved = { access_token = "dummy-a", refresh_token = "dummy-r", expires_at = 1700086400, scope = "messenger:read" }
    assert.is_true(store.save(saved))
    saved.access_token = "changed"
    assert.equal("dummy-a", store.load().access_token)
    assert.is_nil(place.store:tokens("another").load())
    assert.is_true(store.save { access_token = "dummy-b" })
    assert.same({ access_token = "dummy-b" }, place.other():tokens("shop").load())
  end)

  it("are renewed by one at a time", function()
    local other = place.other():tokens "shop"
    local store = place.store:tokens "shop"
    local lock = store.lock()
    assert.is_truthy(lock)
    assert.is_false(other.lock())
    assert.is_false(store.lock())
    assert.is_truthy(place.store:tokens("another").lock())
    assert.is_true(store.save { access_token = "dummy" })
    assert.is_false(other.lock())
    lock:unlock()
    local theirs = other.lock()
    assert.is_truthy(theirs)
    lock:unlock() -- again: not the other's
    assert.is_false(store.lock())
    theirs:unlock()
    local mine = store.lock()
    assert.is_truthy(mine)
    lock:unlock() -- of the same owner, and not the one that is held
    assert.is_false(other.lock())
    mine:unlock()
    assert.is_truthy(other.lock())
  end)

  it("are free when who renewed them is gone", function()
    assert.is_truthy(place.store:tokens("shop").lock())
    local other = place.other()
    place.store:abandon()
    assert.is_truthy(other:tokens("shop").lock())
  end)

  it("are not to be had from a closed store", function()
    local store = place.store:tokens "shop"
    place.store:close()
    for _, name in ipairs { "load", "save", "lock" } do
      local ok, message = store[name] {}
      assert.is_nil(ok)
      assert.matches("the store is closed %(closed%)", message)
    end
  end)
end)

local rest = group(function(place, it)
  it("keeps small strings", function()
    assert.is_nil(place.store:cursor("7", "poll"))
    assert.is_nil(select(2, place.store:cursor("7", "poll")))
    assert.is_true(place.store:set_cursor("7", "poll", "1700000000"))
    assert.is_true(place.store:set_cursor("7", "poll", "1700000001\0ё"))
    assert.is_true(place.store:set_cursor("7", "webhook", ""))
    local other = place.other()
    assert.equal("1700000001\0ё", other:cursor("7", "poll"))
    assert.equal("", other:cursor("7", "webhook"))
    assert.is_nil(other:cursor("8", "poll"))
  end)

  it("counts what it holds", function()
    local empty = { inbox = 0, outbox = { queued = 0, latched = 0, unknown = 0 }, chats = 0 }
    assert.same(empty, place.store:stats("7", place.driver.at))
    place.receive(row("c1", "m1"))
    place.driver.at = place.driver.at + 40
    place.receive(row("c1", "m2"), row("c2", "m3"))
    local claim = place.claim "c1"
    local outbox = { queued("k1", { state = "latched" }), queued "k2", queued "k3" }
    assert(place.commit(claim, { record = { id = "c1", outbox = outbox } }))
    assert.same({ inbox = 3, oldest = 42, outbox = { queued = 2, latched = 1, unknown = 0 }, chats = 2 },
      place.store:stats("7", place.driver.at + 2))
    assert(place.commit(claim, { record = { id = "c1", outbox = { outbox[2] } }, taken = claim.rows[1].seq }))
    assert.same({ inbox = 2, oldest = 0, outbox = { queued = 1, latched = 0, unknown = 0 }, chats = 2 },
      place.store:stats("7", place.driver.at - 100))
    assert.same(empty, place.store:stats("8", place.driver.at))
  end)

  it("forgets what was taken a week ago, in small bites, and nothing else", function()
    local many = {}
    for i = 1, 600 do many[i] = row("c1", "m" .. i) end
    place.receive(unpack(many))
    local claim = place.claim "c1"
    local last = claim.rows[599].seq
    assert(place.commit(claim, { taken = last }))
    local now = place.driver.at + 7 * DAY
    assert.same({ swept = 0, pruned = 0 }, place.store:maintain(now - 1))
    assert.same({ swept = 0, pruned = 500 }, place.store:maintain(now + 1))
    assert.same({ swept = 0, pruned = 99 }, place.store:maintain(now + 1))
    assert.same({ swept = 0, pruned = 0 }, place.store:maintain(now + 1))
    assert.same({ true, false }, place.receive(row("c1", "m1"), row("c1", "m600")))
    assert.equal("m600 m1", keys(place.store:rows(claim)))
  end)

  it("does not forget what came again", function()
    place.receive(row("c1", "m1"))
    local claim = place.claim "c1"
    assert(place.commit(claim, { taken = claim.rows[1].seq }))
    place.receive(row("c1", "m1", "new", true))
    assert.equal(0, place.store:maintain(place.driver.at + 30 * DAY).pruned)
    assert.equal("m1", keys(place.store:rows(claim)))
  end)

  it("tells how many owners were gone", function()
    place.claim "c1"
    local other = place.other()
    assert.equal(0, other:maintain(place.driver.at).swept)
    place.store:abandon()
    assert.equal(1, other:maintain(place.driver.at).swept)
    assert.equal(0, other:maintain(place.driver.at).swept)
  end)

  it("is whole", function()
    place.receive(row("c1", "m1"))
    assert.is_true(place.store:check())
  end)

  it("has not been changed by anybody else", function()
    place.store:changed()
    place.receive(row("c1", "m1"))
    assert.is_false(place.store:changed())
  end)

  it("does nothing after its end", function()
    local claim = place.claim "c1"
    place.store:close()
    place.store:close()
    place.store:abandon()
    local calls = { receive = { "7", {} }, due = { "7", 1, 1 }, claim = { "7", "c1" }, rows = { claim },
      commit = { claim, { record = {}, now = 1 } }, release = { claim }, peek = { "7", "c1" }, cursor = { "7", "a" },
      set_cursor = { "7", "a", "b" }, stats = { "7", 1 }, maintain = { 1 }, check = {} }
    for name, arguments in pairs(calls) do
      local ok, err = place.store[name](place.store, unpack(arguments))
      assert.is_nil(ok, name)
      assert.equal("closed", err.code, name)
    end
    assert.is_false(place.store:changed())
    assert.matches("%(closed%)$", tostring(place.store))
  end)

  it("names the argument that is wrong", function()
    local claim = place.claim "c1"
    local function refused(text, name, ...)
      local arguments = { n = select("#", ...), ... }
      local ok, message = pcall(function()
        local value = place.store[name](place.store, unpack(arguments, 1, arguments.n))
        return value
      end)
      assert.is_false(ok, name)
      assert.matches("contract.lua:%d+: store:" .. name .. ": " .. text, message)
    end
    refused("account must be a string, got number", "receive", 7, {})
    refused("rows%[1%].chat_id must be a string, got nil", "receive", "7", { { key = "m1" } })
    refused("rows%[1%] must be a table, got string", "receive", "7", { "m1" })
    refused("now must be a number, got nil", "due", "7")
    refused("limit must be a number, got string", "due", "7", 1, "2")
    refused("chat_id must be a string, got nil", "claim", "7")
    refused("claim must be a table, got boolean", "rows", false)
    refused("claim.fence must be a number, got nil", "release", {})
    refused("change must be a table, got nil", "commit", claim)
    refused("change.record must be a table, got nil", "commit", claim, {})
    refused("change.now must be a number, got nil", "commit", claim, { record = {} })
    refused("value must be a string, got nil", "set_cursor", "7", "poll")
    refused("now must be a number", "maintain")
    assert.has_error(function() place.store:tokens() end)
  end)
end)

return function(name, start)
  describe("a store in " .. name, function()
    for what, specs in pairs { ["its inbox"] = inbox, ["its chats"] = chats, ["its records"] = records, ["its tokens"] = tokens,
      ["the rest of it"] = rest } do
      describe(what, function() specs(start) end)
    end
  end)
end
