-- What is said when the file cannot be used.
local journal = require "avito_messenger.journal"
local process = require "spec_support.process"
local sqlite = require "spec_support.sqlite"
local vfs = require "spec_support.vfs"
local files = require "support.files"
local journals = require "support.journals"
local sandbox = require "support.sandbox"

local message, waiting, write = journals.message, journals.waiting, journals.write

--- Opens what cannot be opened: code and message.
local function refused(path)
  local opened, problem = journal.open(path)
  assert.is_nil(opened)
  return problem.code, problem.message
end

--- Writes over bytes of a file. A negative offset counts from its end.
local function overwrite(path, offset, bytes)
  local file = assert(io.open(path, "r+b"))
  file:seek(offset < 0 and "end" or "set", offset)
  file:write(bytes)
  file:close()
end

local USER_VERSION, APPLICATION_ID = 60, 68 -- where they are in the header of the file

describe("a journal", function()
  local path

  before_each(function() path = journals.path() end)
  after_each(function()
    vfs.off()
    sqlite.allow(nil)
    journals.remove_all()
  end)

  it("is not opened where there can be no file", function()
    for _, case in ipairs {
      { path .. "/journal", "open", "it cannot be made: No such file or directory" },
      { "/proc/journal", "open", "it cannot be made: No such file or directory" },
      { "/tmp", "open", "it is no file, but a directory" },
      { "/dev/null", "open", "it is no file, but a device or pipe" },
      { "/dev/full", "open", "it is no file, but a device or pipe" },
      { "/tmp/" .. ("x"):rep(300), "open", "it cannot be made: File name too long" },
      { "/tmp/" .. ("x/"):rep(5000), "open", "it cannot be made: File name too long" },
    } do
      assert.same({ case[2], case[3] }, { refused(case[1]) })
    end
    assert(os.execute(("ln -s %s-none %s"):format(path, path)))
    assert.same({ "open", "it cannot be opened: No such file or directory" }, { refused(path) })
  end)

  it("does not touch a file that is not its own", function()
    files.write(path, "hello")
    local code, text = refused(path)
    assert.same({ "damaged", "file is not a database (SQLite 26)" }, { code, text })
    assert.equal("hello", files.read(path))

    local OTHERS = {
      "CREATE TABLE t(x)", "PRAGMA user_version = 1; PRAGMA journal_mode = DELETE", "PRAGMA application_id = 5; CREATE TABLE t(x)",
      "PRAGMA application_id = 1096173898", "PRAGMA application_id = 1096173898; PRAGMA user_version = -1",
    }
    for _, sql in ipairs(OTHERS) do
      os.remove(path)
      sqlite.run(path, sql)
      local before = files.read(path)
      code, text = refused(path)
      assert.same({ "damaged", "it is a database of another program: give the journal a file of its own" }, { code, text })
      assert.equal(before, files.read(path))
    end
  end)

  it("takes an empty file", function()
    files.write(path, "")
    journals.open(path):close()
    local j = journals.open(path)
    assert.is_true(j:check())
    j:close()
  end)

  it("does not touch one that was made by a newer version", function()
    journals.open(path):close()
    overwrite(path, USER_VERSION, ("\0\0\0%c"):format(journal.VERSION + 1))
    local before = files.read(path)
    assert.same({ "version", ("it was made by a newer version of this program (%d, this one knows up to %d)"):format(
      journal.VERSION + 1, journal.VERSION) }, { refused(path) })
    assert.equal(before, files.read(path))
    overwrite(path, USER_VERSION, ("\0\0\0%c"):format(journal.VERSION))
    journals.open(path):close()
    overwrite(path, APPLICATION_ID, "NONE")
    assert.equal("damaged", (refused(path)))
  end)

  it("says that it is damaged, where it is read and where it is checked", function()
    local j = journals.open(path)
    assert(j:begin(0))
    for i = 1, 500 do j:run("inbox_insert", "1", "c", "k" .. i, "avito", ("b"):rep(500), i) end
    assert(j:commit())
    assert.is_true(j:check())
    j:close()
    local whole = files.read(path)

    overwrite(path, 100, ("\255"):rep(1000)) -- the schema
    assert.equal("damaged", (refused(path)))

    local function check()
      j = journals.open(path)
      local fine, found, code = j:check()
      assert.same({ nil, "damaged" }, { fine, code })
      return found
    end
    files.write(path, (whole:gsub("k250", "z250", 1):gsub("k350", "z350", 1)))
    assert.matches("missing from index[^\n]*\n[^\n]*missing from index", check())
    j:close()

    files.write(path, whole)
    overwrite(path, -40960, ("\255"):rep(40960)) -- rows
    check()
    local rows, problem = j:run("inbox_rows", "1", "c", -1)
    assert.is_nil(rows)
    assert.same({ "damaged", "database disk image is malformed (SQLite 11)" }, { problem.code, problem.message })
    j:close()

    files.write(path, whole:sub(1, 20000)) -- it was cut off
    local opened
    opened, problem = journal.open(path)
    if opened then
      opened:close()
      check()
      j:close()
    else
      assert.equal("damaged", problem.code)
    end
  end)

  it("says so when its tables are not there", function()
    journals.open(path):close()
    sqlite.run(path, "DROP TABLE inbox")
    local j = journals.open(path)
    local rows, problem = j:run("inbox_rows", "1", "c", -1)
    assert.is_nil(rows)
    assert.same({ "damaged", "no such table: inbox (SQLite 1)" }, { problem.code, problem.message })
    j:close()
  end)

  it("says that it may not be written", function()
    journals.open(path):close()
    vfs.readonly(true)
    assert.same({ "readonly", "the file may be read, but not written" }, { refused(path) })
    vfs.readonly(false)
    journals.open(path):close()
  end)

  -- Root may write whatever the mode says, so it gives that up for this.
  it("says that it may not be written by this user", function()
    local directory = journals.path()
    assert(os.execute(("mkdir -m 755 %s"):format(directory)))
    path = directory .. "/journal"
    journals.open(path):close()
    assert(os.execute(("chmod 444 %s; chmod 555 %s"):format(path, directory)))
    local program = ([[
      for _, path in ipairs { %q, %q } do
        local _, problem = require "avito_messenger.journal".open(path)
        print(problem.code, problem.message)
      end]]):format(path, directory .. "/other")
    local child = process.spawn({ "sh", "-c", [[
      [ "$(id -u)" != 0 ] || exec setpriv --bounding-set=-dac_override,-dac_read_search "$0" -e "$1"
      exec "$0" -e "$1"]], sandbox.lua, program }, { stdout = "pipe", stderr = "pipe" })
    local said = child:read_all(30)
    child:close()
    os.execute(("chmod 755 %s && rm -r %s"):format(directory, directory))
    assert.equal("readonly\tattempt to write a readonly database (SQLite 1544)\nopen\tit cannot be made: Permission denied\n", said)
  end)

  it("is not kept where processes cannot share memory", function()
    vfs.without_wal(true)
    assert.same({ "open", "write-ahead logging does not work on this file system: choose another one" }, { refused(path) })
  end)

  it("syncs each commit, unless it is not wanted to", function()
    local function operations(options)
      local j = journals.open(journals.path(), options)
      write(j, message("inbox_insert", "c", "k"))
      vfs.fail {}
      write(j, message("inbox_insert", "c", "l"))
      local count = vfs.count()
      vfs.off()
      j:close()
      return count
    end
    local without = operations { synchronous = "normal" }
    assert.equal(without + 1, operations { synchronous = "full" })
    assert.equal(without + 1, operations())
    assert.equal(without + 1, operations {})
  end)

  it("waits for whoever is in its way, wherever that is", function()
    for _, new in ipairs { true, false } do
      local at = 0
      repeat
        at = at + 1
        if new then path = journals.path() end
        vfs.fail { at = at, code = "busy" }
        local j = journals.open(path)
        write(j, message("inbox_replace", "c", "k"))
        assert.equal("k", waiting(j, "c"))
        j:changed()
        j:close()
      until vfs.failed() == 0
      assert.is_true(at > 10)
    end
  end)

  it("says that its file was taken away, and writes no more to it", function()
    local j = journals.open(path)
    write(j, message("inbox_insert", "c", "k"))
    assert(os.rename(path, path .. "-lock"))
    local ok, problem = j:begin(0)
    assert.is_nil(ok)
    assert.same({ "io", "the file was moved, removed or replaced: start the program again" }, { problem.code, problem.message })
    assert(os.rename(path .. "-lock", path))
    write(j, message("inbox_insert", "c", "l"))
    assert.equal("k l", waiting(j, "c"))
    j:close()
  end)

  it("says that the disk is full, and goes on when it is not", function()
    local j = journals.open(path)
    assert(j:begin(0))
    assert.equal(1, j:run("inbox_insert", "1", "c", "k", "avito", "b", 1))
    vfs.fail { at = 1, code = "full" }
    local ok, problem = j:commit()
    assert.is_nil(ok)
    assert.same({ "full", "database or disk is full (SQLite 13, No space left on device)" }, { problem.code, problem.message })
    assert.equal("", waiting(j, "c"))
    write(j, message("inbox_insert", "c", "k"))
    assert.equal("k", waiting(j, "c"))
    j:close()
  end)

  it("says that the disk fails, and that it is full where only the sync tells", function()
    local j = journals.open(path)
    write(j, message("inbox_insert", "c", "k"))
    local function syncing(code)
      assert(j:begin(0))
      j:run("inbox_insert", "1", "c", "l", "avito", "b", 1)
      local at, what, problem = 0
      repeat -- until the sync is it that fails
        at = at + 1
        vfs.fail { at = at, code = code }
        local _
        _, problem = j:commit()
        _, what = vfs.failed()
        assert(j:begin(0))
        j:run("inbox_insert", "1", "c", "l" .. at, "avito", "b", 1)
      until what == "sync" or at == 20
      assert.equal("sync", what)
      j:rollback()
      return problem
    end
    local problem = syncing "io"
    assert.same({ "io", "disk I/O error (SQLite 1034, Input/output error)" }, { problem.code, problem.message })
    problem = syncing "full"
    assert.same({ "full", "disk I/O error (SQLite 1034, No space left on device)" }, { problem.code, problem.message })
    j:close()
  end)

  it("runs nothing in a transaction that is over before its end", function()
    local j = journals.open(path)
    write(j, message("inbox_insert", "c", "k0", ("x"):rep(20000000)))
    j:close()
    j = journals.open(path)
    assert(j:begin(0))
    assert.equal(1, j:run("inbox_insert", "1", "c", "k1", "avito", "b", 1))
    vfs.fail { at = 1, code = "full" } -- so much is written before the commit
    local done, first = j:run("inbox_insert", "1", "c", "k2", "avito", ("x"):rep(20000000), 1)
    vfs.off()
    assert.same({ nil, "full" }, { done, first.code })
    local other = journals.open(path)
    assert.is_true(other:begin(0)) -- it is in nobody's way
    other:close()
    local result, second = j:run("inbox_insert", "1", "c", "k3", "avito", "b", 1)
    assert.same({ nil, first }, { result, second })
    result, second = j:run("inbox_stats", "1")
    assert.same({ nil, first }, { result, second })
    result, second = j:commit()
    assert.same({ nil, first }, { result, second })
    assert.same({ 1 }, { (j:run("inbox_stats", "1")) })
    write(j, message("inbox_insert", "c", "k4"))
    assert.same({ 2 }, { (j:run("inbox_stats", "1")) })
    j:close()
  end)
end)
