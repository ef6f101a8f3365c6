-- Every allocation of Lua is refused once, and all from it on.
local alloc = require "spec_support.alloc"
local journal = require "avito_messenger.journal"
local journals = require "support.journals"
local sqlite = require "spec_support.sqlite"

local message, waiting, write = journals.message, journals.waiting, journals.write

describe("a journal without memory", function()
  local path

  before_each(function() path = journals.path() end)
  after_each(journals.remove_all)

  local function transact(j, body)
    assert(j:begin(0))
    j:run("inbox_insert", "1", "c", "k2", "avito", body, 1)
    local rows = j:run("inbox_rows", "1", "c", -1)
    j:run("chat_claim", "1", "c", 1, nil)
    j:run("inbox_take", "1", "c", rows[1][1], 5)
    j:run("chat_read", "1", "c")
    return j:commit()
  end

  for _, mode in ipairs { "fail_at", "fail_from" } do
    it("is opened or is not, and leaves no file open: " .. mode, function()
      journals.open(path):close()
      local n, ok, result, reached = 0
      repeat
        n = n + 1
        ok, result, reached = alloc[mode](n, journal.open, path)
        if reached and not ok then assert.equal("not enough memory", result) end
        if ok then result:close() end
        collectgarbage()
        collectgarbage()
        local other = journals.open(path)
        assert.is_true(other:begin(0)) -- nobody holds it
        other:close()
      until not reached
      assert.is_true(n > 1)
    end)

    it("takes back a transaction, or does all of it: " .. mode, function()
      local reached
      local j, body, n = journals.open(path), ("b"):rep(1000), 0
      write(j, message("inbox_insert", "c", "k1"))
      write(j, { "chat_claim", "1", "c", 1, nil, n = 5 })
      repeat
        n = n + 1
        local ok, result
        ok, result, reached = alloc[mode](n, transact, j, body)
        if not ok then
          assert.equal("not enough memory", result)
          j:rollback()
          assert.equal("k1", waiting(j, "c"))
        end
        collectgarbage()
      until not reached
      assert.is_true(n > 5)
      assert.equal("k2", waiting(j, "c"))
      assert.is_true(j:check())
      j:close()
    end)

    it("is read and checked, or says that it is not: " .. mode, function()
      local j = journals.open(path)
      for i = 1, 5 do write(j, message("inbox_insert", "c", "k" .. i)) end
      local calls = {
        function() return #j:run("inbox_rows", "1", "c", -1) == 5 end,
        function() return j:check() end,
        function() return select(2, j:begin(0)) == nil and (j:rollback() or true) end,
        function() return j:changed() == false end,
        function() return j:lock_owner(1) and j:owner_alive(1) end,
        function() return j:uptime() > 0 and tostring(j) == "journal" end,
      }
      local all = 0
      for _, call in ipairs(calls) do
        local n, ok, result, reached = 0
        repeat
          n = n + 1
          ok, result, reached = alloc[mode](n, call)
          if ok then assert.is_true(result) else assert.equal("not enough memory", result) end
          j:rollback()
          write(j, message("inbox_replace", "c", "k5")) -- what was left running is in nobody's way
          j:changed()
        until not reached
        all = all + n
      end
      assert.is_true(all > #calls)
      j:close()
    end)
  end

  it("tells a problem, or raises", function()
    local j, k = journals.open(path), journals.open(path)
    assert(k:begin(0))
    local n, told = 0, 0
    repeat
      n = n + 1
      local ok, problem, reached = alloc.fail_from(n, function() return select(2, j:begin(0)) end)
      if ok then
        told = told + 1
        assert.equal("busy", problem.code)
      else
        assert.equal("not enough memory", problem)
      end
    until not reached
    assert.equal(1, told)
    assert.is_true(n > 2)
    j:close()
    k:close()
  end)

  it("is loaded or is not", function()
    local open = assert(package.loadlib(assert(package.searchpath("avito_messenger.journal", package.cpath)),
      "luaopen_avito_messenger_journal"))
    local n, reached = 0
    repeat
      n = n + 1
      local ok, result
      ok, result, reached = alloc.fail_from(n, open)
      if ok then assert.equal(2, result.VERSION) else assert.equal("not enough memory", result) end
    until not reached
    assert.is_true(n > 10)
    local j = journals.open(path)
    write(j, message("inbox_insert", "c", "k"))
    j:close()
  end)
end)

describe("a journal whose SQLite has no memory", function()
  local path

  before_each(function() path = journals.path() end)
  after_each(function()
    sqlite.allow(nil)
    journals.remove_all()
  end)

  it("says that there is no memory, and goes on when there is", function()
    journals.open(path):close()
    local codes, opened = {}
    for more = 0, 400 do
      sqlite.allow(more * 500)
      local problem
      opened, problem = journal.open(path)
      if opened then break end
      codes[problem.code] = (codes[problem.code] or 0) + 1
      collectgarbage()
    end
    assert.is_truthy(opened)
    assert.is_true(codes.memory > 10)
    codes.memory = nil
    assert.same({}, codes)

    sqlite.allow(100000)
    assert(opened:begin(0))
    local done, problem = opened:run("inbox_insert", "1", "c", "k", "avito", ("x"):rep(1000000), 1)
    assert.same({ nil, "memory" }, { done, problem.code })
    opened:rollback()
    sqlite.allow(nil)
    write(opened, message("inbox_insert", "c", "k"))
    assert.equal("k", waiting(opened, "c"))
    opened:close()
  end)
end)
