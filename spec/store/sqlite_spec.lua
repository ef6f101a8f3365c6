local avito = require "avito_messenger"
local contract = require "store.contract"
local clock = require "avito_messenger.clock"
local files = require "support.files"
local journal = require "avito_messenger.journal"
local loop = require "avito_messenger.io.loop"
local sandbox = require "support.sandbox"
local sqlite = require "spec_support.sqlite"

local function remove(path)
  for _, name in ipairs(files.beginning(path)) do os.remove(name) end
end

contract("a file", function()
  local path = files.temporary()
  return assert(avito.store(path, { synchronous = "normal" })), function() remove(path) end
end)

local function row(chat_id, key) return { chat_id = chat_id, key = key, kind = "avito", body = "body of " .. key } end

describe("a store in a file", function()
  local path, opened, children

  before_each(function()
    path, opened, children = files.temporary(), {}, {}
  end)

  after_each(function()
    for _, child in ipairs(children) do child:close() end
    for _, handle in ipairs(opened) do handle:close() end
    remove(path)
  end)

  local function keep(handle)
    opened[#opened + 1] = handle
    return handle
  end

  local function open(options)
    local given = { synchronous = "normal" }
    for name, value in pairs(options or {}) do given[name] = value end
    return keep(assert(avito.store(path, given)))
  end

  local function spawn(...)
    local child = sandbox.spawn({ "spec/store/worker.lua", path, ... }, { stdin = "pipe", stdout = "pipe" })
    children[#children + 1] = child
    return child
  end

  -- Another process that writes, as far as the store can tell.
  local function writer()
    local other = keep(assert(journal.open(path)))
    assert(other:begin(0))
    return other
  end

  local function until_true(what, seconds)
    local ends = clock.now() + seconds
    local value = what()
    while not value do
      assert(clock.now() < ends, "waited in vain")
      clock.sleep(0.01)
      value = what()
    end
    return value
  end

  -- Counts the commits of a store.
  local function counted(store)
    local real, count = store.group.journal, { commits = 0 }
    store.group.journal = setmetatable({}, { __index = function(_, name)
      return function(_, ...)
        if name == "commit" then count.commits = count.commits + 1 end
        return real[name](real, ...)
      end
    end })
    return count
  end

  describe("that accepts what it does not look at", function()
    local function accept(store, ...)
      local rows = {}
      for i, key in ipairs { ... } do rows[i] = row("c" .. key:sub(1, 1), key) end
      assert.is_true(store:accept("7", rows))
    end

    local function keys(store, chat_id)
      local claim, list = assert(store:claim("7", chat_id)), {}
      for i, one in ipairs(claim.rows) do list[i] = one.key end
      assert(store:release(claim))
      return list
    end

    it("has it for whoever asks what is due, in order, and once", function()
      local store, other = open(), open()
      accept(store, "a1", "b1", "a2", "a1")
      accept(other, "a2", "b2")
      assert.equal(6, store:stats("7", clock.time()).inbox)
      local chats = assert(other:due("7", clock.time(), 10))
      table.sort(chats)
      assert.same({ "ca", "cb" }, chats)
      assert.same({ "a1", "a2" }, keys(other, "ca"))
      assert.same({ "b1", "b2" }, keys(store, "cb"))
      assert.same({ 0, 2 }, { store.repeated, other.repeated })
      assert.equal(4, store:stats("7", clock.time()).inbox)
    end)

    it("knows what came by another way, before and after, and wakes nobody for it", function()
      local store = open()
      assert(store:receive("7", { row("ca", "a1") }))
      local claim = assert(store:claim("7", "ca"))
      assert(store:commit(claim, { record = { id = "ca" }, taken = claim.rows[1].seq, now = clock.time(), release = true }))
      accept(store, "a1", "b1")
      assert.same({ "cb" }, assert(store:due("7", clock.time(), 10)))
      assert.equal(1, store.repeated)
      assert.same({ false }, store:receive("7", { row("cb", "b1") }))
    end)

    it("keeps it through the end of the process, and sorts more than a bite", function()
      local store, all = open(), {}
      for i = 1, 250 do all[i] = ("a%03d"):format(i) end
      accept(store, (table.unpack or unpack)(all)) -- luacheck: ignore 143 113
      store:abandon()
      local other = open()
      assert.same({ "ca" }, assert(other:due("7", clock.time(), 10)))
      assert.same(all, keys(other, "ca"))
    end)

    it("tells how long it has waited", function()
      local store = open()
      accept(store, "a1")
      assert.is_true(store:stats("7", clock.time() + 100).oldest >= 100)
      assert.is_nil(store:stats("8", clock.time()).oldest)
    end)

    it("takes a file of the version before", function()
      local before = open()
      before:receive("7", { row("ca", "a1") })
      before:close()
      sqlite.run(path, "DROP TABLE arrivals; PRAGMA user_version = 1")
      local store = open()
      accept(store, "a2")
      assert.same({ "ca" }, assert(store:due("7", clock.time(), 10)))
      assert.same({ "a1", "a2" }, keys(store, "ca"))
    end)
  end)

  it("keeps everything from one process to the next", function()
    local store = open()
    assert(store:receive("7", { row("c1", "m1"), row("c1", "m2") }))
    local claim = store:claim("7", "c1")
    local record = { id = "c1", turns = 1, outbox = { { key = "k1", kind = "send", state = "latched", text = "Да" } } }
    assert(store:commit(claim, { record = record, taken = claim.rows[1].seq, now = 5 }))
    assert(store:set_cursor("7", "poll", "5"))
    assert(store:tokens("shop").save { access_token = "dummy" })
    store:close()
    store = open()
    assert.same({ false, false }, store:receive("7", { row("c1", "m1"), row("c1", "m2") }))
    assert.same(record, store:peek("7", "c1"))
    assert.equal("5", store:cursor("7", "poll"))
    assert.same({ access_token = "dummy" }, store:tokens("shop").load())
    assert.equal("m2", store:claim("7", "c1").rows[1].key)
    assert.is_true(store:check())
  end)

  it("keeps how a row of the outbox ended", function()
    local store = open()
    local claim = store:claim("7", "c1")
    local outbox = {}
    for i = 1, 3 do outbox[i] = { key = "k" .. i, kind = "send", state = "queued" } end
    assert(store:commit(claim, { record = { id = "c1", outbox = outbox }, now = 5 }))
    assert(store:commit(claim, { record = { id = "c1" }, now = 5,
      finals = { { key = "k1", state = "confirmed", id = "m1" }, { key = "k2", state = "rejected" } } }))
    assert.same({ { "k1", "confirmed", "m1" }, { "k2", "rejected" }, { "k3", "withdrawn" } },
      sqlite.run(path, "SELECT key, state, message_id FROM outbox ORDER BY key"))
    assert.equal(3, store:maintain(6 + 7 * 86400).pruned)
    assert.same({}, sqlite.run(path, "SELECT key FROM outbox"))
  end)

  it("is free at once when it is opened after a process that was killed", function()
    local child = spawn("3600", "hold", "c1")
    assert.equal("fence 1", child:read_line())
    local store = open()
    assert.is_false(store:claim("7", "c1"))
    assert.same({}, (store:due("7", math.huge, 10)))
    child:kill "KILL"
    child:wait()
    assert.same({ "c1" }, (store:due("7", clock.time(), 10)))
    assert.equal(2, store:claim("7", "c1").fence)
    child = spawn("3600", "hold", "c2")
    assert.equal("fence 1", child:read_line())
    child:kill "KILL"
    child:wait()
    assert.same({ "c2" }, assert(open().journal:run("chats_due", "7", clock.time(), 0, 10))[1]) -- swept by opening
  end)

  it("takes the chats of a process that was stopped when its lease is over, and fences it", function()
    local child = spawn("0.5", "hold", "c1")
    assert.equal("fence 1", child:read_line())
    child:kill "STOP"
    local store = open()
    local claim = until_true(function() return store:claim("7", "c1") end, 20)
    child:kill "CONT"
    child:write "commit\n"
    assert.matches("chat c1 is another's by now %(fenced%)", child:read_line())
    child:write "maintain\n"
    assert.equal("true", child:read_line())
    child:write "claim\n"
    assert.equal("nil", child:read_line()) -- false: it is the store's
    assert(store:release(claim))
    child:write "claim\n"
    assert.equal("fence " .. claim.fence + 1, child:read_line())
  end)

  it("does not give itself up, however long it has said nothing", function()
    local store = open { lease = 0 }
    assert(store:receive("7", { row("c1", "m1") }))
    local claim = store:claim("7", "c1")
    assert.same({ "c1" }, (store:due("7", clock.time(), 10)))
    assert.equal(0, store:maintain(clock.time()).swept)
    assert.is_true(store:commit(claim, { record = { id = "c1" }, now = 5 }))
  end)

  it("leaves an id that somebody has locked to whoever that is", function()
    local store = open()
    local other = keep(assert(journal.open(path)))
    assert.is_true(other:lock_owner(store.owner + 1))
    assert.equal(store.owner + 2, open().owner)
    assert.equal(2, #other:run "owner_list")
  end)

  it("keeps the lease of a process that renews it", function()
    local child = spawn("2", "hold", "c1")
    assert.equal("fence 1", child:read_line())
    local store = open()
    local ends = clock.now() + 2.5
    while clock.now() < ends do
      child:write "maintain\n"
      assert.equal("true", child:read_line())
      assert.is_false(store:claim("7", "c1"))
      clock.sleep(0.1)
    end
  end)

  it("loses nothing and takes nothing twice where several processes work on the same chats", function()
    local KEYS, CHATS = 120, 5
    for i = 1, 4 do spawn("15", "work", "worker" .. i, tostring(KEYS), tostring(CHATS)) end
    local new, taken, fences = {}, {}, {}
    for _, child in ipairs(children) do
      local output = assert(child:read_all(90))
      assert.same({ "exit", 0 }, { child:wait() }, output)
      assert.matches("finished\n$", output)
      for key in output:gmatch "new (%S+)" do new[key] = (new[key] or 0) + 1 end
      local last = {}
      for chat_id, fence, keys in output:gmatch "took (%S+) (%d+) ([^\n]*)" do
        assert.is_true(tonumber(fence) > (last[chat_id] or 0), "the fence did not grow")
        last[chat_id] = tonumber(fence)
        assert.is_nil(fences[chat_id .. " " .. fence], "a fence was given twice")
        fences[chat_id .. " " .. fence] = true
        for key in keys:gmatch "%S+" do taken[key] = (taken[key] or 0) + 1 end
      end
    end
    for i = 1, KEYS do
      assert.same({ 1, 1 }, { new["m" .. i], taken["m" .. i] }, "m" .. i)
    end
    local store, turns = open(), 0
    for i = 0, CHATS - 1 do turns = turns + store:peek("7", "c" .. i).turns end
    assert.equal(KEYS, turns)
    assert.is_true(store:check())
  end)

  it("lets writers that wait at the same time share a commit", function()
    local store = open()
    local count = counted(store)
    store:attach(loop.new())
    loop.run(function()
      local _, errors = loop.map({ n = 50, (" "):rep(50):byte(1, -1) }, function(_, i)
        return store:receive("7", { row("c" .. i, "m" .. i) })
      end, { concurrency = 50 })
      assert.is_nil(errors)
    end)
    assert.is_true(count.commits <= 2, count.commits)
    assert.equal(50, store:stats("7", 0).inbox)
    store:close()
    store = open { group = false }
    count = counted(store)
    store:attach(loop.new())
    loop.run(function()
      loop.map({ 1, 2, 3, 4 }, function(_, i) return store:receive("7", { row("d" .. i, "n" .. i) }) end)
    end)
    assert.equal(4, count.commits)
  end)

  it("waits for another process, and not for ever", function()
    local store = open { patience = 0.05 }
    local other = writer()
    local ok, err = store:receive("7", { row("c1", "m1") })
    assert.same({ nil, "busy" }, { ok, err.code })
    assert.matches("^journal " .. path:gsub("%p", "%%%0") .. ": another process holds the file", tostring(err))
    store:attach(loop.new())
    loop.run(function()
      ok, err = store:receive("7", { row("c1", "m1") })
      assert.same({ nil, "busy" }, { ok, err.code })
      assert.same({}, (store:due("7", math.huge, 10))) -- reading waits for nobody
    end)
    other:close()
    assert.same({ true }, store:receive("7", { row("c1", "m1") }))
  end)

  it("writes nothing for a task that was cancelled while it waited", function()
    local store = open()
    store:attach(loop.new())
    local other = writer()
    loop.run(function()
      local first = loop.spawn(store.receive, store, "7", { row("c1", "m1") })
      local second = loop.spawn(store.receive, store, "7", { row("c1", "m2") })
      loop.sleep(0)
      first:cancel()
      local _, err = first:wait()
      assert.equal("cancelled", err.kind)
      other:close()
      assert.same({ true }, (second:wait()))
    end)
    assert.equal("m2", store:claim("7", "c1").rows[1].key)
  end)

  it("serves whoever asks: before the loop, in it, after it", function()
    local store = open()
    local tokens = store:tokens "shop"
    assert(tokens.save { access_token = "dummy-1" })
    for i = 2, 3 do
      store:attach(loop.new())
      loop.run(function()
        local lock = tokens.lock()
        assert.is_truthy(lock)
        assert.equal("dummy-" .. i - 1, tokens.load().access_token)
        assert(tokens.save { access_token = "dummy-" .. i })
        lock:unlock()
        assert(store:receive("7", { row("c1", "m" .. i) }))
      end)
      assert.equal("dummy-" .. i, tokens.load().access_token)
      assert.equal(i - 1, store:stats("7", 0).inbox)
    end
  end)

  it("keeps tokens that exist once, whatever becomes of the task", function()
    local store = open()
    store:attach(loop.new())
    local tokens = store:tokens "shop"
    loop.run(function()
      local lock, saved = tokens.lock(), nil
      local task
      task = loop.spawn(function()
        task:cancel()
        saved = tokens.save { refresh_token = "dummy" }
        lock:unlock()
      end)
      task:wait()
      assert.is_true(saved)
      assert.is_truthy(tokens.lock())
    end)
    assert.same({ refresh_token = "dummy" }, tokens.load())
  end)

  it("keeps the tokens of a client", function()
    local store = open()
    local box = sandbox.inside()
    local function client()
      return avito.client { io = box.box:driver(), base_url = box.box.base_url, client_id = sandbox.client_id,
        client_secret = sandbox.client_secret, token_store = store:tokens "shop", pace = false }
    end
    assert(client():get_self())
    local token = store:tokens("shop").load().access_token
    assert.is_string(token)
    assert(client():get_self())
    assert.equal(token, store:tokens("shop").load().access_token)
  end)

  it("knows that another process has written", function()
    local store, other = open(), open()
    store:changed()
    assert.is_false(store:changed())
    assert(other:receive("7", { row("c1", "m1") }))
    assert.is_true(store:changed())
    assert.is_false(store:changed())
  end)

  it("refuses a record that could not be read again, and goes on", function()
    local store = open()
    local claim = store:claim("7", "c1")
    for _, bad in ipairs { print, 0 / 0, "\255" } do
      assert.error_matches(function() store:commit(claim, { record = { id = "c1", turns = bad }, now = 5 }) end,
        "store:commit: the record of chat c1 cannot be kept: ")
    end
    assert.is_true(store:commit(claim, { record = { id = "c1", turns = 1 }, now = 5 }))
  end)

  it("names the chat whose record is damaged, and serves the others", function()
    local store = open()
    for _, chat_id in ipairs { "c1", "c2" } do
      assert(store:commit(store:claim("7", chat_id), { record = { id = chat_id, turns = 1 }, now = 5, release = true }))
    end
    local other = writer()
    other:run("part_write", "7", "c1", "state", "{")
    other:commit()
    local claim, err = store:claim("7", "c1")
    assert.same({ nil, "damaged" }, { claim, err.code })
    assert.matches("the record of chat c1 cannot be read: the part 'state' is no JSON object", tostring(err))
    claim, err = store:peek("7", "c1")
    assert.same({ nil, "damaged" }, { claim, err.code })
    assert.equal(1, store:claim("7", "c2").record.turns)
  end)

  it("says what is wrong with a file", function()
    local function refused(code, where)
      local store, err = avito.store(where or path)
      assert.is_nil(store)
      assert.equal(code, err.code)
      assert.equal(1, (tostring(err):find("journal " .. (where or path) .. ": ", 1, true)))
    end
    files.write(path, ("this is no journal\n"):rep(100))
    refused "damaged"
    assert.equal(("this is no journal\n"):rep(100), files.read(path))
    refused("open", "/nonexistent/shop.db")
    refused("open", "/tmp")
  end)

  it("finds damage when it is asked to", function()
    local store = open()
    local rows = {}
    for i = 1, 500 do rows[i] = row("c" .. i, "m" .. i) end
    assert(store:receive("7", rows))
    store:close()
    local data = files.read(path)
    files.write(path, data:sub(1, 4096 * 20) .. ("\255"):rep(4096) .. data:sub(4096 * 21 + 1))
    store = avito.store(path)
    if not store then return end -- opening has found it already
    keep(store)
    local ok, err = store:check()
    assert.same({ nil, "damaged" }, { ok, err.code })
  end)

  it("refuses a wrong option", function()
    local function refused(text, ...)
      local ok, message = pcall(avito.store, ...)
      assert.is_false(ok)
      assert.matches("avito%.store: " .. text, message)
    end
    refused("the path must be a string that is not empty", "")
    refused("the path must be a string that is not empty", "a\0b")
    refused("the path must be a string that is not empty")
    refused("unknown option 'sync'", path, { sync = "full" })
    refused("synchronous must be 'full' or 'normal', got 'off'", path, { synchronous = "off" })
    refused("keep: the span '7' has no unit", path, { keep = "7" })
    assert.matches("sqlite_spec%.lua:%d+: avito%.store: keep: ", select(2, pcall(function()
      local store = avito.store(path, { keep = "7" })
      return store
    end)))
    refused("patience must be from 0 to 3600 seconds", path, { patience = -1 })
    refused("patience must be from 0 to 3600 seconds", path, { patience = 0 / 0 })
    assert.is_nil(files.read(path))
  end)
end)
