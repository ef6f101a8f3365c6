-- The disk fails under a store at every operation in turn: what was acknowledged is there, what was refused is not, and the
-- store works again when the disk does.
local vfs = require "spec_support.vfs" -- before any database is opened
local avito = require "avito_messenger"
local files = require "support.files"
local problem = require "avito_messenger.store.problem"
local proof = require "support.proof"

local function row(chat_id, key, replace)
  return { chat_id = chat_id, key = key, kind = "avito", body = ("x"):rep(3000), replace = replace }
end

local function commit(change)
  return function(store, life)
    change.now = 1000
    return store:commit(life.claim, change)
  end
end

local function sending(state, turns)
  return { id = "c1", turns = turns, memory = { text = ("m"):rep(2000) }, seen = { n = turns, ids = { m1 = turns } },
    outbox = { { key = "k1", kind = "send", state = state }, { key = "k2", kind = "read", state = "queued" } } }
end

-- Each writes something that `contents` shows, all of it or nothing. Returns something, or nil and an error.
local LIFE = {
  function(store) return store:receive("7", { row("c1", "m1"), row("c1", "m2"), row("c2", "m3") }) end,
  function(store, life)
    local err
    life.claim, err = store:claim("7", "c1")
    if not life.claim then return nil, err end
    return store:set_cursor("7", "poll", "claimed")
  end,
  commit { record = sending("queued", 1), taken = 2, wake = 5 },
  commit { record = sending("latched", 1) },
  commit { record = { id = "c1", turns = 2, seen = { n = 2, ids = { m1 = 1, m2 = 2 } } }, release = true,
    finals = { { key = "k1", state = "confirmed", id = "m9" } } },
  function(store) return store:receive("7", { row("c1", "m1", true), row("c2", "m3"), row("c3", "m4") }) end,
  function(store) return store:tokens("shop").save { access_token = "dummy" } end,
  function(store) return store:set_cursor("7", "poll", "5") end,
  function(store)
    local done, err = store:maintain(1000 + 8 * 86400)
    return done and done.pruned > 0, err
  end,
}

local function keys(store, chat_id)
  local list = {}
  for i, one in ipairs(assert(store:rows { account = "7", chat_id = chat_id, fence = 0 })) do list[i] = one.key end
  return table.concat(list, " ")
end

local function contents(store)
  local stats = assert(store:stats("7", 0))
  stats.oldest = nil
  return { stats, store:peek("7", "c1") or false, store:cursor("7", "poll") or false, store:tokens("shop").load() or false,
    keys(store, "c1"), keys(store, "c2"), keys(store, "c3"), { store.journal:run("outbox_history", "7") } }
end

describe("a store whose disk fails", function()
  local path, store, expected

  local function open()
    local err
    store, err = avito.store(path)
    return store, err
  end

  local function remove()
    if store then store:abandon() end
    store = nil
    for _, name in ipairs(files.beginning(path)) do os.remove(name) end
  end

  -- What the store said must tell the way out.
  local function clear(err, code)
    if type(err) == "string" then return assert.matches("^journal " .. path:gsub("%p", "%%%0") .. ": .+ %(%l+%): ", err) end
    assert.is_true(problem.is(err), tostring(err))
    assert.is_true(err.code == code or err.code == "open", tostring(err))
    assert.equal(path, err.path)
  end

  before_each(function() path = files.temporary() end)

  after_each(function()
    vfs.off()
    remove()
  end)

  before_each(function()
    if expected then return end
    assert(open())
    local life = {}
    expected = { [0] = contents(store) }
    for i, step in ipairs(LIFE) do
      assert(step(store, life))
      expected[i] = contents(store)
      assert.is_not.same(expected[i - 1], expected[i])
    end
    remove()
  end)

  -- One step, of which an operation fails; and again, when the disk works.
  local function once(i, life, code)
    local ok, err = LIFE[i](store, life)
    if not ok then
      clear(err, code)
      -- The second step writes twice: what was acknowledged of it is there.
      if i ~= 2 then assert.same(expected[i - 1], contents(store)) end
      assert.is_truthy(LIFE[i](store, life))
    end
    assert.same(expected[i], contents(store))
  end

  -- The life, while operation `at` fails. Returns the last step that was done, and whether it was cut short.
  local function live(code, for_good)
    local life = {}
    local ok, err = open()
    if not ok then
      clear(err, code)
      if for_good then return 0, true end
      assert(open())
    end
    for i = 1, #LIFE do
      if for_good then
        ok, err = LIFE[i](store, life)
        if not ok then
          clear(err, code)
          return i - 1, true
        end
      else
        once(i, life, code)
      end
    end
    store:close()
    return #LIFE, false
  end

  local function survives(at, code, for_good)
    vfs.fail { at = at, code = code, from_then_on = for_good }
    local done, cut = live(code, for_good)
    local failures = vfs.failed()
    if store then store:abandon() end
    vfs.fail {}
    assert(open())
    local found = contents(store)
    -- A step that was refused may be there as a whole when the process ends at once: the sync may have failed after the write.
    local whole = cut and pcall(assert.same, expected[done + 1], found)
    if not whole then assert.same(expected[done], found) end
    assert.is_true(store:check())
    if cut then assert.is_truthy(LIFE[1](store, {})) end -- it works again
    remove()
    path = files.temporary()
    return failures > 0
  end

  for _, case in ipairs(proof.choose { short = { { "full", false }, { "io", true } },
    full = { { "full", false }, { "full", true }, { "io", false }, { "io", true } } }) do
    local code, for_good = case[1], case[2]
    it(("keeps what it acknowledged, and nothing in part: %s, %s"):format(code, for_good and "for good" or "once"), function()
      local at = 0
      repeat at = at + 1 until not survives(at, code, for_good) or at == 1000
      assert.is_true(at > 50 and at < 1000)
    end)
  end

  it("tells tasks that share a commit all the same", function()
    local loop = require "avito_messenger.io.loop"
    assert(open())
    store:attach(loop.new())
    loop.run(function()
      assert(store:receive("7", { row("c1", "m0") }))
      vfs.fail { at = 1, code = "full", from_then_on = true }
      local _, errors = loop.map({ 1, 2, 3 }, function(i) return store:receive("7", { row("c1", "m" .. i) }) end)
      for i = 1, 3 do assert.equal("full", errors[i].code) end
      vfs.fail {}
      assert.equal("m0", keys(store, "c1"))
      assert.same({ true }, store:receive("7", { row("c1", "m1") }))
    end)
  end)

  it("frees its chats though it cannot say so", function()
    assert(open())
    assert(store:claim("7", "c1"))
    vfs.fail { at = 1, code = "io", from_then_on = true }
    store:close()
    vfs.fail {}
    assert(open())
    assert.is_truthy(store:claim("7", "c1"))
  end)
end)
