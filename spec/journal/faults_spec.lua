-- The disk fails at every operation in turn: whatever was acknowledged is there, and nothing is there in part.
local journal = require "avito_messenger.journal"
local vfs = require "spec_support.vfs"
local journals = require "support.journals"

local unpack = table.unpack or unpack

--- Transactions, each a list of statements, which must be there as one or not at all.
local SCRIPT = {
  { { "owner_new", 15 }, { "cursor_write", "1", "poll", "5" } },
  { { "inbox_insert", "1", "c", "k1", "avito", ("x"):rep(9000), 1 }, { "chat_wake", "1", "c", 1 },
    { "inbox_insert", "1", "d", "k2", "avito", "b", 2 }, { "chat_wake", "1", "d", 2 } },
  { { "chat_claim", "1", "c", 1, 0 } },
  { { "inbox_take", "1", "c", 1, 5 }, { "part_write", "1", "c", "state", "{}" }, { "part_write", "1", "c", "seen", "[1]" },
    { "outbox_write", "1", "c", "o1", 1, "send", "queued", "b" }, { "chat_commit", "1", "c", 1, 1, 9, false, 5 } },
  { { "outbox_write", "1", "c", "o1", 1, "send", "latched", "b" }, { "chat_commit", "1", "c", 1, 1, 9, false, 5 } },
  { { "outbox_end", "1", "c", "o1", "confirmed", "m1", 6 }, { "chat_commit", "1", "c", 1, 1, 0, true, 5 } },
  { { "inbox_prune", 100, 10 }, { "outbox_prune", 100, 10 }, { "cursor_write", "1", "poll", "6" } },
}

--- All that is in it.
local function contents(j)
  local all = { j:run("cursor_read", "1", "poll") or false, #j:run "owner_list", { j:run("inbox_stats", "1") } }
  for _, chat in ipairs { "c", "d" } do
    all[#all + 1] = { j:run("inbox_rows", "1", chat, -1), { j:run("chat_read", "1", chat) }, j:run("parts_read", "1", chat),
      j:run("outbox_rows", "1", chat) }
  end
  return all
end

local CODES = { full = { full = true, open = true }, io = { io = true, open = true } }

describe("a journal whose disk fails", function()
  local path

  before_each(function() path = journals.path() end)
  after_each(function()
    vfs.off()
    journals.remove_all()
  end)

  local expected -- what is in it after each transaction, from [0]

  setup(function()
    local j = journals.open(journals.path())
    expected = { [0] = contents(j) }
    for i, transaction in ipairs(SCRIPT) do
      journals.write(j, unpack(transaction))
      expected[i] = contents(j)
      assert.is_not.same(expected[i - 1], expected[i])
    end
    j:close()
    journals.remove_all()
  end)

  local function clear(problem, code)
    assert.is_truthy(problem and CODES[code][problem.code], problem and problem.code .. ": " .. problem.message)
    assert.is_truthy(#problem.message > 10)
  end

  --- One transaction; true, or the problem, which every call from the one that failed told.
  local function transact(j, transaction)
    local ok, problem = j:begin(0)
    if not ok then return nil, problem end
    local first
    for _, statement in ipairs(transaction) do
      local result
      result, problem = j:run(unpack(statement))
      if first then assert.same({ nil, first }, { result, problem }) end
      if result == nil then first = first or problem end
    end
    ok, problem = j:commit()
    if first then assert.same({ nil, first }, { ok, problem }) end
    return ok, problem
  end

  --- Runs the script while operation n fails. Returns how many transactions were acknowledged, and whether the next one
  --- was begun and failed.
  local function run(code, from_then_on)
    local j, problem = journal.open(path)
    if not j then
      clear(problem, code)
      if from_then_on then return 0 end
      j = journals.open(path)
    end
    for i, transaction in ipairs(SCRIPT) do
      local ok
      ok, problem = transact(j, transaction)
      if not ok then
        clear(problem, code)
        if from_then_on then
          j:close()
          return i - 1, true
        end
        assert.same(expected[i - 1], contents(j))
        assert.is_true(transact(j, transaction))
      end
      assert.same(expected[i], contents(j))
    end
    j:close()
    return #SCRIPT
  end

  --- The script, with operation `at` failing: is there one?
  local function survives(at, code, from_then_on)
    vfs.fail { at = at, code = code, from_then_on = from_then_on }
    local done, begun = run(code, from_then_on)
    local failures = vfs.failed()
    vfs.fail {}
    local j = journals.open(path)
    assert.is_true(j:check())
    local found = contents(j)
    -- What failed for good may be there as a whole: the sync that failed may have come after the write.
    local whole = begun and pcall(assert.same, expected[done + 1], found)
    if not whole then assert.same(expected[done], found) end
    j:close()
    journals.remove_all()
    path = journals.path()
    return failures > 0
  end

  for _, code in ipairs { "full", "io" } do
    for _, from_then_on in ipairs { false, true } do
      it(("loses nothing and keeps nothing in part: %s, %s"):format(code, from_then_on and "for good" or "once"), function()
        local at = 0
        repeat at = at + 1 until not survives(at, code, from_then_on) or at == 1000
        assert.is_true(at > 100 and at < 1000)
      end)
    end
  end

  it("can be made afterwards, whatever failed when it was made", function()
    local at, opened, problem = 0
    repeat
      at = at + 1
      vfs.fail { at = at, code = "full", from_then_on = true }
      opened, problem = journal.open(path)
      if opened then opened:close() else clear(problem, "full") end
      vfs.fail {}
      local again = journals.open(path)
      assert.same(expected[0], contents(again))
      assert.is_true(again:check())
      again:close()
      journals.remove_all()
      path = journals.path()
    until opened
    assert.is_true(at > 20)
  end)

  it("says so when it cannot be read, and can be read afterwards", function()
    local j = journals.open(path)
    for _, transaction in ipairs(SCRIPT) do journals.write(j, unpack(transaction)) end
    j:close()
    local failures, at = 0, 0
    repeat
      at = at + 1
      vfs.fail { at = at, code = "io", reads = true }
      local opened, problem = journal.open(path)
      if opened then
        local rows
        rows, problem = opened:run("inbox_rows", "1", "d", -1)
        if rows then problem = nil end
        opened:close()
      end
      if problem then
        failures = failures + 1
        clear(problem, "io")
      end
      local reached = vfs.failed() > 0
      vfs.fail {}
      opened = journals.open(path)
      assert.same(expected[#SCRIPT], contents(opened))
      opened:close()
    until not reached
    assert.is_true(failures > 3)
  end)

  -- A commit that makes the log long enough writes it back to the file, which may fail while the commit does not.
  it("commits though the log cannot be written back", function()
    local function fill(j, name)
      assert(j:begin(0))
      for i = 1, 50 do
        if not j:run("inbox_insert", "1", "e", name .. i, "avito", ("x"):rep(100000), 1) then break end
      end
      return j:commit()
    end
    local j = journals.open(path)
    vfs.fail {}
    assert.is_true(fill(j, "a"))
    local last = vfs.count()
    for i = 1, 12 do
      vfs.fail { at = math.floor(last * i / 12), code = "io", from_then_on = true }
      local before = j:run("inbox_stats", "1")
      local ok, problem = fill(j, "b" .. i)
      if not ok then clear(problem, "io") end
      vfs.fail {}
      assert.equal(before + (ok and 50 or 0), (j:run("inbox_stats", "1")))
      assert.is_true(j:check())
    end
    local count = j:run("inbox_stats", "1")
    assert.is_true(count > 50)
    j:close()
    j = journals.open(path)
    assert.equal(count, (j:run("inbox_stats", "1")))
    j:close()
  end)
end)
