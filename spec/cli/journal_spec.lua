-- `avito-messenger journal`, as a seller runs it.
local avito = require "avito_messenger"
local clock = require "avito_messenger.clock"
local files = require "support.files"
local support = require "support.sandbox"

local function run(...) return support.command("journal", ...) end

describe("avito-messenger journal", function()
  local path, store

  before_each(function()
    path = files.temporary()
    store = assert(avito.store(path))
    local now = clock.time()
    assert(store:receive("7", { { chat_id = "c1", key = "m1", kind = "avito", body = "secret words" },
      { chat_id = "c2", key = "m2", kind = "avito", body = "secret words" } }))
    assert(store:receive("8", { { chat_id = "c1", key = "m1", kind = "avito", body = "secret words" } }))
    local claim = store:claim("7", "c1")
    local row = { key = "k1", kind = "send", state = "queued", text = "secret words" }
    local other = { key = "k2", kind = "send", state = "queued" }
    assert(store:commit(claim, { record = { id = "c1", outbox = { row, other } }, taken = claim.rows[1].seq, now = now }))
    row.state = "latched"
    assert(store:commit(claim, { record = { id = "c1", outbox = { row } }, now = now,
      finals = { { key = "k2", state = "confirmed", id = "m9" } } }))
  end)

  after_each(function()
    store:close()
    for _, name in ipairs(files.beginning(path)) do os.remove(name) end
  end)

  it("tells what is in the file of a bot that runs, without the texts", function()
    assert(store:accept("8", { { chat_id = "c9", key = "k9", kind = "avito", body = "secret words" } }))
    local code, output = run(path)
    assert.equal(0, code)
    output = output:gsub("oldest for %w+", "oldest for a while"):gsub("[1-9]%d* kB", "SIZE")
    assert.equal(path .. [[: SIZE
account 7: 2 chats
  inbox   1 waiting, the oldest for a while
  outbox  0 queued, 1 latched, 0 unknown; ended: 1 confirmed, 0 rejected, 0 withdrawn
account 8: 1 chats
  inbox   2 waiting, the oldest for a while
  outbox  0 queued, 0 latched, 0 unknown; ended: 0 confirmed, 0 rejected, 0 withdrawn
owners: 1 at work, 0 gone
]], output)
  end)

  it("disturbs no bot", function()
    local claim = store:claim("7", "c2")
    run(path, "--check")
    assert.is_true(store:commit(claim, { record = { id = "c2" }, now = clock.time() }))
    store:changed()
    run(path)
    assert.is_false(store:changed())
  end)

  it("counts an owner that is gone", function()
    store:abandon()
    assert.matches("owners: 0 at work, 1 gone\n", select(2, run(path)))
  end)

  it("tells whether the file is whole", function()
    local code, output = run(path, "--check")
    assert.equal(0, code)
    assert.matches("integrity: nothing is wrong\n$", output)
  end)

  it("fails where it is not", function()
    store:close()
    require("spec_support.sqlite").run(path, [[
      PRAGMA writable_schema = ON;
      UPDATE sqlite_schema SET sql = replace(sql, 'received REAL NOT NULL', 'received REAL CHECK(received < 0)')
        WHERE name = 'inbox']])
    local code, output = run(path, "--check")
    assert.equal(1, code)
    assert.matches("integrity: .*CHECK constraint failed in inbox", output)
  end)

  it("says what it cannot read, and makes no file", function()
    local code, output = run(path .. ".none")
    assert.equal(1, code)
    assert.matches("journal: .*%.none: No such file or directory", output)
    assert.is_nil(files.read(path .. ".none"))
    files.write(path .. ".text", "this is no journal, but a text\n")
    code, output = run(path .. ".text")
    assert.equal(1, code)
    assert.matches("journal: journal .*%.text: the file is no journal, or damaged", output)
    files.write(path .. ".text", "")
    code, output = run(path .. ".text")
    assert.equal(1, code)
    assert.matches("%.text is empty", output)
    assert.equal("", files.read(path .. ".text"))
    code, output = run "/tmp"
    assert.equal(1, code)
    assert.matches("/tmp", output)
  end)

  it("says how it is called", function()
    local code, output = run()
    assert.equal(2, code)
    assert.matches("which file%?", output)
    code, output = run(path, "--chek")
    assert.equal(2, code)
    assert.matches("unknown option '%-%-chek' %(did you mean '%-%-check'%?%)", output)
    code, output = run "--help"
    assert.equal(0, code)
    assert.matches("avito%-messenger journal PATH %[%-%-check%]", output)
  end)
end)
