-- Opening, closing, and transactions.
local journal = require "avito_messenger.journal"
local process = require "spec_support.process"
local files = require "support.files"
local journals = require "support.journals"
local sandbox = require "support.sandbox"

local message, waiting, write = journals.message, journals.waiting, journals.write

local function raised(fn, ...)
  local ok, text = pcall(fn, ...)
  assert.is_false(ok)
  return text
end

describe("a journal", function()
  local path

  before_each(function() path = journals.path() end)
  after_each(journals.remove_all)

  it("is one file that only its owner reads, whatever stands beside it", function()
    local j = journals.open(path)
    write(j, message("inbox_insert", "c", "k"))
    j:lock_owner(1)
    local pipe = assert(io.popen(("stat -c %%a %s %s-wal %s-shm %s-lock"):format(path, path, path, path)))
    assert.equal("600\n600\n600\n600\n", pipe:read "*a")
    pipe:close()
    j:close()
    assert.same({ path, path .. "-lock" }, files.beginning(path))
  end)

  it("keeps what was committed, byte by byte", function()
    local body = "\0Здравствуйте\255'\"" .. ("x"):rep(70000)
    local j = journals.open(path)
    write(j, message("inbox_insert", "c", "k", body))
    j:close()
    j = journals.open(path)
    assert.equal(body, j:run("inbox_rows", "1", "c", -1)[1][4])
    j:close()
  end)

  it("keeps nothing of what was rolled back", function()
    local j = journals.open(path)
    assert(j:begin(0))
    j:run("inbox_insert", "1", "c", "k", "avito", "b", 1)
    assert.equal("k", waiting(j, "c"))
    j:rollback()
    j:rollback()
    assert.equal("", waiting(j, "c"))
    assert(j:begin(0))
    j:run("inbox_insert", "1", "c", "k", "avito", "b", 1)
    j:close()
    j = journals.open(path)
    assert.equal("", waiting(j, "c"))
    j:close()
  end)

  it("gives nil, booleans and numbers back as they were, whole ones as whole ones", function()
    local j = journals.open(path)
    write(j, { "owner_new", 1.25 }, { "owner_new", 2 ^ 53 }, { "owner_new", -3 }, { "owner_new", 0.1 + 0.2 })
    assert.same({ { 1, 1.25 }, { 2, 2 ^ 53 }, { 3, -3 }, { 4, 0.1 + 0.2 } }, j:run "owner_list")
    write(j, { "chat_wake", "1", "c", math.huge }, { "cursor_write", "1", "n", nil, n = 4 }, { "cursor_write", "1", "m", true })
    assert.equal(math.huge, (select(3, j:run("chat_read", "1", "c"))))
    assert.equal(nil, (j:run("cursor_read", "1", "n")))
    assert.equal(1, select("#", j:run("cursor_read", "1", "n")))
    assert.equal(0, select("#", j:run("cursor_read", "1", "none")))
    assert.equal("1", (j:run("cursor_read", "1", "m")))
    write(j, { "chat_wake", "1", "d", 5 })
    write(j, { "chat_claim", "1", "d", 2 ^ 53, nil, n = 5 })
    local fence, owner, wake = j:run("chat_read", "1", "d")
    assert.same({ 1, 2 ^ 53, 5 }, { fence, owner, wake })
    if math.type then assert.same({ "integer", "integer" }, { math.type(fence), math.type(owner) }) end
    j:close()
  end)

  it("tells whether another handle has written", function()
    local j, k = journals.open(path), journals.open(path)
    assert.is_false(j:changed())
    write(k, message("inbox_insert", "c", "k"))
    assert.is_true(j:changed())
    assert.is_false(j:changed())
    write(j, message("inbox_insert", "c", "l"))
    assert.is_false(j:changed())
    assert.is_true(k:changed())
    j:close()
    assert.is_false(j:changed())
    k:close()
  end)

  it("can be closed again, and then says so", function()
    local j = journals.open(path)
    assert.equal("journal", tostring(j))
    j:close()
    j:close()
    assert.equal("journal (closed)", tostring(j))
    local function closed(result, problem) return result == nil and problem.code == "closed" end
    assert.is_true(closed(j:begin(1)))
    assert.is_true(closed(j:commit()))
    assert.is_true(closed(j:run "owner_list"))
    assert.is_true(closed(j:lock_owner(1)))
    assert.is_true(closed(j:owner_alive(1)))
    assert.same({ nil, "the journal is closed", "closed" }, { j:check() })
    j:rollback()
  end)

  it("is closed when it is collected", function()
    do
      local j = journals.open(path)
      write(j, message("inbox_insert", "c", "k"))
      assert.is_true(files.open_at(path) > 0)
    end
    collectgarbage()
    collectgarbage()
    assert.equal(0, files.open_at(path))
  end)

  it("raises for misuse", function()
    for _, wrong in ipairs { {}, { "" }, { "a\0b" }, { 5, 5 }, { path, { synchronous = "off" } }, { path, { synchronous = 5 } } } do
      assert.matches("^bad argument #%d to '", raised(journal.open, wrong[1], wrong[2]))
    end
    local j = journals.open(path)
    for _, seconds in ipairs { -1, 1e9, "x", 0 / 0 } do
      assert.matches("^bad argument #2 to", raised(j.begin, j, seconds))
    end
    assert.matches("commit: there is no transaction", raised(j.commit, j))
    assert.matches("there is no statement 'DROP TABLE inbox'", raised(j.run, j, "DROP TABLE inbox"))
    assert.matches("owner_remove writes: begin a transaction first", raised(j.run, j, "owner_remove", 1))
    assert.matches("owner_list takes 0 parameters, got 1", raised(j.run, j, "owner_list", nil))
    assert.matches("cursor_read takes 2 parameters, got 1", raised(j.run, j, "cursor_read", "1"))
    assert.matches("bad argument #4 to .*%(nil, boolean, number or string expected%)", raised(j.run, j, "cursor_read", "1", {}))
    for _, id in ipairs { 0, -1, 1.5, 2 ^ 54, "x" } do
      assert.matches("bad argument", raised(j.lock_owner, j, id))
      assert.matches("bad argument", raised(j.owner_alive, j, id))
    end
    assert(j:begin(0))
    assert.matches("begin: there is a transaction already", raised(j.begin, j, 0))
    assert.matches("NaN", raised(j.run, j, "chat_wake", "1", "c", 0 / 0))
    assert(j:commit())
    j:close()
    assert.matches("avito_messenger.journal", raised(j.run, io.stdout, "owner_list"))
  end)

  it("ends the transaction of a statement that was given what it cannot keep", function()
    local j = journals.open(path)
    assert(j:begin(0))
    j:run("inbox_insert", "1", "c", "k", "avito", "b", 1)
    assert.matches("inbox_insert: NOT NULL constraint failed", raised(j.run, j, "inbox_insert", "1", nil, "l", "avito", "b", 1))
    local result, problem = j:commit()
    assert.is_nil(result)
    assert.matches("NOT NULL", problem.message)
    assert.equal("", waiting(j, "c"))
    write(j, message("inbox_insert", "c", "k"))
    assert.equal("k", waiting(j, "c"))
    j:close()
  end)

  it("is refused to a forked child, which harms nothing", function()
    local j = journals.open(path)
    j:lock_owner(7)
    write(j, message("inbox_insert", "c", "k"))
    local how, status, output = process.fork(function()
      local function refused(...)
        return raised(...):find("the journal belongs to the parent process: open it anew after fork", 1, true)
      end
      for _, name in ipairs { "begin", "commit", "rollback", "check", "changed" } do
        if not refused(j[name], j, 0) then return name end
      end
      if not refused(j.run, j, "owner_list") or not refused(j.lock_owner, j, 1) then return "run" end
      j:close()
      local own = journals.open(path)
      local alive = own:owner_alive(7)
      own:close()
      return tostring(alive)
    end)
    assert.same({ "exit", 0, "true" }, { how, status, output })
    write(j, message("inbox_insert", "c", "l"))
    assert.equal("k l", waiting(j, "c"))
    assert.is_true(j:check())
    local other = journals.open(path)
    assert.is_true(other:owner_alive(7))
    other:close()
    j:close()
  end)

  it("goes on with its transaction when a forked child closes it", function()
    local j, body = journals.open(path), ("x"):rep(20000000) -- more than is kept in memory
    assert(j:begin(0))
    j:run("inbox_insert", "1", "c", "k", "avito", body, 1)
    local how, status = process.fork(function() j:close() end)
    assert.same({ "exit", 0 }, { how, status })
    j:run("inbox_insert", "1", "c", "l", "avito", "b", 1)
    assert(j:commit())
    assert.is_true(j:check())
    assert.is_true(j:run("inbox_rows", "1", "c", 1)[1][4] == body)
    j:close()
  end)

  it("takes every file name for a name", function()
    local directory = files.temporary()
    assert(os.execute("mkdir " .. directory))
    for _, name in ipairs { "file:a?mode=memory", ":memory:", "b c" } do
      local program = ("local j = assert(require 'avito_messenger.journal'.open(%q)) j:close()"):format(name)
      local child = process.spawn({ "sh", "-c", 'cd "$0" && exec "$1" -e "$2"', directory, sandbox.lua, program })
      assert.same({ "exit", 0 }, { child:wait() })
      assert.same({ directory .. "/" .. name }, files.beginning(directory .. "/" .. name:sub(1, 1)))
    end
    os.execute("rm -r " .. directory)
  end)
end)
