-- What the statements do, and that none of them looks at more rows than it must.
local journal = require "avito_messenger.journal"
local sqlite = require "spec_support.sqlite"
local files = require "support.files"
local journals = require "support.journals"

local message, waiting, write = journals.message, journals.waiting, journals.write

describe("the journal", function()
  local j, path

  before_each(function()
    path = journals.path()
    j = journals.open(path)
  end)
  after_each(function()
    j:close()
    journals.remove_all()
  end)

  describe("inbox", function()
    it("takes a key once, whatever chat it is of and whether it is taken", function()
      assert.equal(1, write(j, message("inbox_insert", "c", "k")))
      assert.equal(0, write(j, message("inbox_insert", "d", "k")))
      write(j, { "inbox_take", "1", "c", 1, 5 })
      assert.equal(0, write(j, message("inbox_insert", "c", "k")))
      assert.equal(1, write(j, { "inbox_insert", "2", "c", "k", "avito", "b", 1 }))
      assert.equal("", waiting(j, "c") .. waiting(j, "d"))
    end)

    it("hands rows out in the order they came, as many as are wanted", function()
      for _, key in ipairs { "z", "a", "m" } do write(j, message("inbox_insert", "c", key)) end
      write(j, message("inbox_insert", "d", "other"))
      assert.equal("z a m", waiting(j, "c"))
      assert.same({ { 1, "z", "avito", "body of z" }, { 2, "a", "avito", "body of a" } }, j:run("inbox_rows", "1", "c", 2))
    end)

    it("takes the rows up to one, and forgets their bodies", function()
      for _, key in ipairs { "k1", "k2", "k3" } do write(j, message("inbox_insert", "c", key)) end
      write(j, message("inbox_insert", "d", "other"))
      assert.equal(2, write(j, { "inbox_take", "1", "c", 2, 50 }))
      assert.equal("k3", waiting(j, "c"))
      assert.equal("other", waiting(j, "d"))
      assert.same({ { "k1", nil, "50.0" }, { "k2", nil, "50.0" } },
        sqlite.run(path, "SELECT key, body, taken FROM inbox WHERE taken IS NOT NULL"))
    end)

    it("replaces a row so that who has read the old one does not take the new one", function()
      for _, key in ipairs { "k1", "k2" } do write(j, message("inbox_insert", "c", key)) end
      write(j, message("inbox_replace", "c", "k2", "again"))
      write(j, message("inbox_replace", "c", "k1", "new"))
      write(j, { "inbox_take", "1", "c", 2, 50 })
      assert.same({ { 3, "k2", "avito", "again" }, { 4, "k1", "avito", "new" } }, j:run("inbox_rows", "1", "c", -1))
      write(j, { "inbox_take", "1", "c", 4, 50 }, message("inbox_replace", "c", "k2", "once more"))
      assert.same({ { 5, "k2", "avito", "once more" } }, j:run("inbox_rows", "1", "c", -1))
      assert.equal(1, write(j, message("inbox_replace", "c", "k3")))
      assert.equal("k2 k3", waiting(j, "c"))
    end)

    it("forgets what was taken long ago, in bites, and never gives a seq a second time", function()
      for i = 1, 5 do write(j, message("inbox_insert", "c", "k" .. i), { "inbox_take", "1", "c", i, i * 10 }) end
      assert.equal(1, write(j, { "inbox_prune", 30, 1 }))
      assert.equal(1, write(j, { "inbox_prune", 30, 100 }))
      assert.equal(0, write(j, { "inbox_prune", 30, 100 }))
      assert.equal(1, write(j, message("inbox_insert", "c", "k1")))
      assert.equal("k1", waiting(j, "c"))
      write(j, { "inbox_take", "1", "c", 6, 60 })
      assert.equal(3, write(j, { "inbox_prune", 1000, 100 }))
      write(j, message("inbox_insert", "c", "k9"))
      assert.equal(7, j:run("inbox_rows", "1", "c", -1)[1][1])
    end)

    it("counts what was not taken, and knows the oldest", function()
      assert.same({ 0 }, { j:run("inbox_stats", "1") })
      write(j, { "inbox_insert", "1", "c", "k1", "avito", "b", 30 }, { "inbox_insert", "1", "d", "k2", "avito", "b", 20 },
        { "inbox_insert", "1", "d", "k3", "avito", "b", 40 }, { "inbox_insert", "2", "d", "k2", "avito", "b", 10 })
      assert.same({ 3, 20 }, { j:run("inbox_stats", "1") })
      write(j, { "inbox_take", "1", "d", 2, 50 })
      assert.same({ 2, 30 }, { j:run("inbox_stats", "1") })
    end)
  end)

  describe("chats", function()
    local function due(now, owner, limit)
      local chats = {}
      for i, row in ipairs(j:run("chats_due", "1", now, owner, limit or -1)) do chats[i] = row[1] end
      return table.concat(chats, " ")
    end

    it("are due by their wake, the oldest first, and never later than they were told", function()
      write(j, { "chat_wake", "1", "c", 30 }, { "chat_wake", "1", "d", 20 }, { "chat_wake", "1", "e", 50 },
        { "chat_wake", "2", "f", 1 })
      assert.equal("d c", due(30, 1))
      assert.equal("d", due(30, 1, 1))
      assert.equal("d c e", due(math.huge, 1))
      assert.equal(30, (j:run("chats_next", "1", 20, 1)))
      assert.equal(0, select("#", j:run("chats_next", "1", 50, 1)))
      write(j, { "chat_wake", "1", "c", 10 }, { "chat_wake", "1", "d", 60 })
      assert.equal("c d", due(30, 1))
      assert.equal(3, (j:run("chats_count", "1")))
    end)

    it("are claimed by one owner, each time with a fence of its own", function()
      assert.equal(1, write(j, { "chat_claim", "1", "c", 7, nil, n = 5 }))
      assert.equal(2, write(j, { "chat_claim", "1", "c", 7, nil, n = 5 }))
      assert.equal(nil, write(j, { "chat_claim", "1", "c", 8, nil, n = 5 }))
      assert.equal(nil, write(j, { "chat_claim", "1", "c", 8, 9 }))
      assert.same({ 2, 7 }, { j:run("chat_read", "1", "c") })
      assert.equal(3, write(j, { "chat_claim", "1", "c", 8, 7 }))
      assert.equal(0, select("#", j:run("chat_read", "1", "d")))
    end)

    it("of other owners are not listed", function()
      write(j, { "chat_wake", "1", "c", 10 }, { "chat_wake", "1", "d", 20 }, { "chat_claim", "1", "c", 7, nil, n = 5 })
      assert.equal("c d", due(30, 7))
      assert.equal("d", due(30, 8))
      assert.equal(20, (j:run("chats_next", "1", 0, 8)))
      assert.equal(10, (j:run("chats_next", "1", 0, 7)))
    end)

    it("change by the claim that holds only", function()
      write(j, { "chat_claim", "1", "c", 7, nil, n = 5 })
      assert.equal(1, write(j, { "chat_commit", "1", "c", 1, 7, 90, false, 50 }))
      assert.same({ 1, 7, 90 }, { j:run("chat_read", "1", "c") })
      assert.equal(0, write(j, { "chat_commit", "1", "c", 0, 7, 5, false, 50 }))
      assert.equal(0, write(j, { "chat_commit", "1", "c", 1, 8, 5, false, 50 }))
      assert.equal(0, write(j, { "chat_release", "1", "c", 1, 8 }))
      assert.equal(0, write(j, { "chat_release", "1", "c", 2, 7 }))
      assert.same({ 1, 7, 90 }, { j:run("chat_read", "1", "c") })
      assert.equal(1, write(j, { "chat_commit", "1", "c", 1, 7, nil, true, 50, n = 8 }))
      assert.same({ 1 }, { j:run("chat_read", "1", "c") })
      write(j, { "chat_claim", "1", "c", 7, nil, n = 5 }, { "chat_wake", "1", "c", 70 })
      assert.equal(1, write(j, { "chat_release", "1", "c", 2, 7 }))
      assert.same({ 2, nil, 70 }, { j:run("chat_read", "1", "c") })
    end)

    it("with rows left are due at once, whatever they want", function()
      write(j, { "chat_claim", "1", "c", 7, nil, n = 5 }, message("inbox_insert", "c", "k"))
      local function wake_after(wake, now)
        write(j, { "chat_commit", "1", "c", 1, 7, wake, false, now, n = 8 })
        return (select(3, j:run("chat_read", "1", "c")))
      end
      assert.equal(50, wake_after(90, 50))
      assert.equal(50, wake_after(nil, 60))
      assert.equal(40, wake_after(nil, 40))
      write(j, { "inbox_take", "1", "c", 1, 50 })
      assert.equal(90, wake_after(90, 50))
      assert.equal(nil, wake_after(nil, 50))
    end)

    it("of an owner that is gone are free and due, and fenced to it", function()
      write(j, { "chat_claim", "1", "c", 7, nil, n = 5 }, { "chat_claim", "1", "d", 7, nil, n = 5 },
        { "chat_wake", "1", "d", 10 },
        { "chat_claim", "1", "e", 8, nil, n = 5 })
      assert.equal(2, write(j, { "owner_sweep", 7, 50 }))
      assert.equal("d c", due(math.huge, 9))
      assert.equal(0, write(j, { "chat_commit", "1", "c", 1, 7, 5, false, 50 }))
      assert.equal(2, write(j, { "chat_claim", "1", "c", 9, nil, n = 5 }))
    end)
  end)

  it("keeps the parts of a record", function()
    write(j, { "part_write", "1", "c", "state", "{}" }, { "part_write", "1", "c", "flow", "1" },
      { "part_write", "1", "d", "flow", "2" })
    write(j, { "part_write", "1", "c", "state", "{5}" })
    assert.same({ { "flow", "1" }, { "state", "{5}" } }, j:run("parts_read", "1", "c"))
    assert.equal(1, write(j, { "part_remove", "1", "c", "flow" }))
    assert.same({ { "state", "{5}" } }, j:run("parts_read", "1", "c"))
    assert.same({ { "flow", "2" } }, j:run("parts_read", "1", "d"))
  end)

  it("keeps the outbox in its order, and for a while what ended", function()
    write(j, { "outbox_write", "1", "c", "b", 1, "send", "queued", "B" },
      { "outbox_write", "1", "c", "a", 2, "read", "queued", "A" },
      { "outbox_write", "1", "d", "b", 1, "send", "unknown", "D" })
    assert.same({ { "b", 1, "send", "queued", "B" }, { "a", 2, "read", "queued", "A" } }, j:run("outbox_rows", "1", "c"))
    write(j, { "outbox_write", "1", "c", "b", 5, "send", "latched", "B2" })
    assert.same({ { "a", 2, "read", "queued", "A" }, { "b", 5, "send", "latched", "B2" } }, j:run("outbox_rows", "1", "c"))
    assert.same({ { "latched", 1 }, { "queued", 1 }, { "unknown", 1 } }, j:run("outbox_stats", "1"))
    assert.equal(1, write(j, { "outbox_end", "1", "c", "b", "confirmed", "m1", 40 }))
    assert.equal(0, write(j, { "outbox_end", "1", "c", "b", "rejected", nil, 41, n = 7 }))
    assert.equal(1, write(j, { "outbox_end", "1", "c", "a", "withdrawn", nil, 50, n = 7 }))
    assert.same({}, j:run("outbox_rows", "1", "c"))
    assert.same({ { "unknown", 1 } }, j:run("outbox_stats", "1"))
    assert.same({ { "a", "withdrawn", nil, nil, "50.0" }, { "b", "confirmed", "m1", nil, "40.0" } },
      sqlite.run(path, "SELECT key, state, message_id, body, ended FROM outbox WHERE chat = 'c' ORDER BY key"))
    assert.equal(1, write(j, { "outbox_prune", 60, 1 }))
    assert.equal(0, write(j, { "outbox_prune", 50, 100 }))
    assert.equal(1, write(j, { "outbox_prune", 60, 100 }))
    assert.equal(1, #j:run("outbox_rows", "1", "d"))
    write(j, { "outbox_end", "1", "d", "b", "confirmed", "m2", 40 }, { "outbox_write", "1", "d", "b", 1, "send", "queued", "D" })
    assert.same({ { "b", 1, "send", "queued", "D" } }, j:run("outbox_rows", "1", "d"))
    assert.same({ { nil } }, sqlite.run(path, "SELECT message_id FROM outbox WHERE chat = 'd'"))
  end)

  it("keeps cursors", function()
    write(j, { "cursor_write", "1", "poll", "5" }, { "cursor_write", "2", "poll", "6" }, { "cursor_write", "1", "poll", "7" })
    assert.equal("7", (j:run("cursor_read", "1", "poll")))
    assert.equal("6", (j:run("cursor_read", "2", "poll")))
  end)

  it("keeps tokens, and lets one renew them at a time", function()
    assert.equal(1, write(j, { "token_lock", "t", "a", 160, 100 }))
    assert.equal(nil, (j:run("token_read", "t")))
    assert.equal(0, write(j, { "token_lock", "t", "b", 170, 110 }))
    write(j, { "token_write", "t", "{}" })
    assert.equal("{}", (j:run("token_read", "t")))
    assert.equal(0, write(j, { "token_unlock", "t", "b" }))
    assert.equal(0, write(j, { "token_lock", "t", "b", 170, 110 }))
    assert.equal(1, write(j, { "token_unlock", "t", "a" }))
    assert.equal(1, write(j, { "token_lock", "t", "b", 170, 110 }))
    assert.equal(1, write(j, { "token_lock", "t", "c", 230, 170 }))
    assert.equal(1, write(j, { "token_lock", "t", "d", 65, 5 })) -- the machine was started anew
    assert.equal("{}", (j:run("token_read", "t")))
    write(j, { "token_write", "u", "1" })
    assert.equal(1, write(j, { "token_lock", "u", "a", 160, 100 }))
  end)

  it("never gives the number of an owner a second time", function()
    assert.equal(1, write(j, { "owner_new", 15 }))
    assert.equal(2, write(j, { "owner_new", 16 }))
    assert.equal(1, write(j, { "owner_renew", 1, 30 }))
    assert.same({ { 1, 30 }, { 2, 16 } }, j:run "owner_list")
    assert.equal(1, write(j, { "owner_remove", 2 }))
    assert.equal(0, write(j, { "owner_renew", 2, 30 }))
    assert.equal(3, write(j, { "owner_new", 17 }))
  end)
end)

--- name -> SQL, as they are written.
local function statements()
  local source, found = files.read("src/journal/statements.def"):gsub("/%*.-%*/", ""), {}
  for name, body in source:gmatch "STATEMENT%((%w[%w_]*), %u+,(.-)\"%)" do
    local parts = {}
    for part in (body .. '"'):gmatch '"(.-)"' do parts[#parts + 1] = part end
    found[name] = table.concat(parts)
  end
  return found
end

describe("a statement of the journal", function()
  local path, sql

  setup(function()
    path, sql = journals.path(), statements()
    journals.open(path):close()
  end)
  teardown(journals.remove_all)

  --- How the statement is done, a line a step.
  local function plan(name)
    local lines = {}
    for i, row in ipairs(sqlite.run(path, "EXPLAIN QUERY PLAN " .. sql[name])) do lines[i] = row[4] end
    return table.concat(lines, "\n")
  end

  -- They say what they look at, in any order.
  local INDEXES = {
    inbox_rows = { "SEARCH inbox USING INDEX inbox_waiting (account=? AND chat=?)" },
    inbox_take = { "SEARCH inbox USING INDEX inbox_waiting (account=? AND chat=? AND seq<?)" },
    inbox_prune = { "SEARCH inbox USING INTEGER PRIMARY KEY (rowid=?)",
      "SEARCH inbox USING COVERING INDEX inbox_taken (taken>? AND taken<?)", "SEARCH inbox" },
    inbox_replace = { "SEARCH inbox" },
    arrivals_first = { "SEARCH arrivals USING INTEGER PRIMARY KEY (rowid>?)" },
    arrivals_sort = { "SEARCH arrivals USING INTEGER PRIMARY KEY (rowid<?)" },
    arrivals_wake = { "SEARCH arrivals USING INTEGER PRIMARY KEY (rowid<?)",
      "SEARCH inbox USING INDEX inbox_waiting (account=? AND chat=?)" },
    arrivals_drop = { "SEARCH arrivals USING INTEGER PRIMARY KEY (rowid<?)" },
    inbox_stats = { "SEARCH inbox USING COVERING INDEX inbox_oldest (account=?)" },
    chats_due = { "SEARCH chats USING INDEX chats_wake (account=? AND wake<?)" },
    chats_next = { "SEARCH chats USING INDEX chats_wake (account=? AND wake>?)" },
    chats_count = { "SEARCH chats USING PRIMARY KEY (account=?)" },
    chat_read = { "SEARCH chats USING PRIMARY KEY (account=? AND chat=?)" },
    chat_commit = { "SEARCH chats USING PRIMARY KEY (account=? AND chat=?)",
      "SEARCH inbox USING INDEX inbox_waiting (account=? AND chat=?)" },
    chat_release = { "SEARCH chats USING PRIMARY KEY (account=? AND chat=?)" },
    parts_read = { "SEARCH parts USING PRIMARY KEY (account=? AND chat=?)" },
    part_remove = { "SEARCH parts USING PRIMARY KEY (account=? AND chat=? AND name=?)" },
    outbox_rows = { "SEARCH outbox USING INDEX outbox_live (account=? AND chat=?)" },
    outbox_end = { "SEARCH outbox USING PRIMARY KEY (account=? AND chat=? AND key=?)" },
    outbox_prune = { "SEARCH outbox USING PRIMARY KEY (account=? AND chat=? AND key=?)",
      "SEARCH outbox USING COVERING INDEX outbox_ended (ended>? AND ended<?)" },
    outbox_stats = { "SEARCH outbox USING COVERING INDEX outbox_live (account=?)" },
    owner_sweep = { "SEARCH chats USING COVERING INDEX chats_owner (owner=?)" },
  }

  for name, wanted in pairs(INDEXES) do
    it("finds its rows by an index: " .. name, function()
      local seen = plan(name)
      for _, step in ipairs(wanted) do assert.truthy((seen .. "\n"):find(step .. "\n", 1, true), seen) end
    end)
  end

  it("never looks at all rows of a table, but for the few owners and tokens", function()
    local count = 0
    for name in pairs(sql) do
      count = count + 1
      local few = name == "owner_list" or name == "tokens_sweep"
      local seen = few and "" or plan(name)
      assert.is_nil(seen:find "SCAN", name .. ": " .. seen)
      local sorts = name ~= "outbox_stats" and seen:find "TEMP B%-TREE" -- by its three states
      assert.is_falsy(sorts, name .. ": " .. seen)
    end
    assert.is_true(count > 25)
    assert.equal(2, journal.VERSION)
  end)
end)
