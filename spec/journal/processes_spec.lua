-- Several processes at one file.
local journal = require "avito_messenger.journal"
local process = require "spec_support.process"
local journals = require "support.journals"
local sandbox = require "support.sandbox"

local message, waiting, write = journals.message, journals.waiting, journals.write

--- A process that runs the program, which has `journal` and `path`, and `wait` for a line to come.
local function start(path, program)
  return process.spawn({ sandbox.lua, "-e", ([[
    local journal, path = require "avito_messenger.journal", %q
    local function wait() return io.read "*l" end
    io.stdout:setvbuf "line"
    %s]]):format(path, program) }, { stdin = "pipe", stdout = "pipe" })
end

describe("processes at one journal", function()
  local path, children

  before_each(function() path, children = journals.path(), {} end)
  after_each(function()
    for _, child in ipairs(children) do child:close() end
    journals.remove_all()
  end)

  local function spawn(program)
    children[#children + 1] = start(path, program)
    return children[#children]
  end

  it("wait for each other's transactions as long as they want", function()
    local j = journals.open(path)
    local child = spawn [[
      local j = assert(journal.open(path))
      assert(j:begin(10))
      print "begun"
      wait()
      j:run("inbox_insert", "1", "c", "k", "avito", "b", 1)
      assert(j:commit())
      print "committed"]]
    assert.equal("begun", child:read_line())
    local ok, problem = j:begin(0.05)
    assert.is_nil(ok)
    assert.same({ "busy", "database is locked (SQLite 5)" }, { problem.code, problem.message })
    assert.equal("", waiting(j, "c")) -- who reads does not wait
    child:write "\n"
    assert(j:begin(10))
    assert.equal("k", waiting(j, "c"))
    assert(j:commit())
    assert.is_true(j:changed())
    j:close()
  end)

  it("make and fill it together, and lose nothing", function()
    local PROGRAM = [[
      local name = wait()
      local j = assert(journal.open(path))
      for i = 1, 40 do
        assert(j:begin(30))
        j:run("inbox_insert", "1", "c", name .. i, "avito", "b", 1)
        assert(j:run("inbox_insert", "1", "c", "everybody" .. i, "avito", "b", 1) <= 1)
        assert(j:commit())
      end
      j:close()
      print "done"]]
    for _ = 1, 4 do spawn(PROGRAM) end
    for i, child in ipairs(children) do child:write("p" .. i .. "-\n") end
    for _, child in ipairs(children) do assert.equal("done", child:read_line(60)) end
    local j = journals.open(path)
    assert.equal(5 * 40, (j:run("inbox_stats", "1")))
    assert.is_true(j:check())
    j:close()
  end)

  it("lose what was not committed when they are killed, and nothing else", function()
    local child = spawn [[
      local j = assert(journal.open(path))
      for i = 1, 3 do
        assert(j:begin(10))
        j:run("inbox_insert", "1", "c", "k" .. i, "avito", "b", 1)
        if i < 3 then assert(j:commit()) end
      end
      print "ready"
      wait()]]
    assert.equal("ready", child:read_line())
    child:kill "KILL"
    assert.same({ "signal", 9 }, { child:wait() })
    local j = journals.open(path)
    assert.equal("k1 k2", waiting(j, "c"))
    assert.is_true(j:check())
    write(j, message("inbox_insert", "c", "k3"))
    j:close()
  end)

  it("are known to be alive until they end, however they do", function()
    local j = journals.open(path)
    local PROGRAM = [[
      local j = assert(journal.open(path))
      print(j:lock_owner(tonumber(wait())))
      wait()]]
    for id, how in ipairs { "kill", "close", "quit" } do
      local child = spawn(how == "quit" and PROGRAM or PROGRAM .. " j:close() print 'closed' wait()")
      assert.is_false(j:owner_alive(id))
      child:write(id .. "\n")
      assert.equal("true", child:read_line())
      assert.is_true(j:owner_alive(id))
      assert.is_false(j:owner_alive(id + 1))
      assert.is_false(j:lock_owner(id))
      if how == "kill" then child:kill "KILL" else child:write "\n" end
      if how == "close" then assert.equal("closed", child:read_line()) else child:wait() end
      assert.is_false(j:owner_alive(id))
      assert.is_true(j:lock_owner(id))
    end
    j:close()
  end)

  it("may be one and the same, with several handles", function()
    local j, k = journals.open(path), journals.open(path)
    assert.is_true(j:lock_owner(1))
    assert.is_true(j:lock_owner(1))
    assert.is_true(j:owner_alive(1))
    assert.is_true(k:owner_alive(1))
    assert.is_false(k:lock_owner(1))
    assert.is_true(k:lock_owner(2))
    assert.is_true(k:lock_owner(3))
    assert.is_false(j:owner_alive(2))
    k:close()
    assert.is_false(j:owner_alive(3))
    local again = journals.open(path) -- and closes the file without letting go of j's locks
    assert(j:begin(0))
    assert.same({ "busy" }, { select(2, again:begin(0)).code })
    again:close()
    local child = spawn [[
      local j = assert(journal.open(path))
      local ok, problem = j:begin(0)
      print(ok, problem and problem.code, j:owner_alive(1))]]
    assert.equal("nil\tbusy\ttrue", child:read_line())
    j:rollback()
    j:close()
  end)

  it("do not live on in the programs they started", function()
    local j, k = journals.open(path), journals.open(path)
    assert.is_true(j:lock_owner(1))
    children[1] = process.spawn({ "cat" }, { stdin = "pipe", stdout = "pipe" })
    j:close()
    assert.is_false(k:owner_alive(1))
    children[1]:write "still here\n"
    assert.equal("still here", children[1]:read_line())
    k:close()
  end)

  it("share a clock that never goes back", function()
    local j = journals.open(path)
    local before = j:uptime()
    local child = spawn [[
      local j = assert(journal.open(path))
      print(string.format("%.9f", j:uptime()))]]
    local there = tonumber(child:read_line())
    assert.is_true(before <= there and there <= j:uptime())
    j:close()
  end)

  it("are told when their lock file cannot be had", function()
    local j = journals.open(path)
    assert(os.execute(("ln -s %s-none %s-lock"):format(path, path)))
    local locked, problem = j:lock_owner(1)
    assert.is_nil(locked)
    assert.equal("open", problem.code)
    assert.matches("^its lock file cannot be opened: ", problem.message)
    os.remove(path .. "-lock")
    assert.is_true(j:lock_owner(1))
    j:close()
    assert.equal("3.", journal.SQLITE:sub(1, 2))
  end)
end)
