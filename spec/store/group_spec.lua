local Group = require "avito_messenger.store.group"
local loop = require "avito_messenger.io.loop"
local problem = require "avito_messenger.store.problem"

-- A journal that only notes what it is told. `busy`: another process writes.
local function fake()
  local journal = { log = {}, begun = 0, commits = 0, waited = {} }
  function journal:begin(seconds)
    self.begun = self.begun + 1
    self.waited[self.begun] = seconds
    if self.busy then return nil, { code = "busy", message = "database is locked" } end
    if self.broken then return nil, self.broken end
    self.open = {}
    return true
  end
  function journal:run(name)
    if name == "fail" then return nil, { code = "full", message = "database or disk is full" } end
    assert(self.open, "no transaction")
    table.insert(self.open, name)
    return 1
  end
  function journal:commit()
    local open = self.open
    self.open = nil
    if self.torn then return nil, self.torn end
    self.commits = self.commits + 1
    for _, name in ipairs(open) do table.insert(self.log, name) end
    return true
  end
  function journal:rollback() self.open = nil end
  return journal
end

local function ended(tasks)
  local values = {}
  for i, task in ipairs(tasks) do
    local value, err = task:wait()
    values[i] = value or err
  end
  return values
end

describe("a group commit", function()
  local journal, group, driver

  before_each(function()
    journal = fake()
    group = Group.new(journal, { path = "shop.db", patience = 5, group = true })
    driver = loop.new()
  end)

  local function put(name)
    return group:write(function() return group:run(name) and "put " .. name end)
  end

  local function put_all(...)
    local tasks = {}
    for i, name in ipairs { ... } do tasks[i] = loop.spawn(put, name) end
    return tasks
  end

  -- Lets every task go as far as it can.
  local function settle()
    for _ = 1, 5 do loop.sleep(0) end
  end

  -- Waits until the tasks have had a look at the busy journal.
  local function until_begun(count)
    local ends = driver:now() + 10
    while journal.begun < count do
      assert(driver:now() < ends, "nobody looked at the journal")
      loop.sleep(0.001)
    end
  end

  it("is one for all that wait at the same time", function()
    group:attach(driver)
    loop.run(function()
      assert.same({ "put a", "put b", "put c" }, ended(put_all("a", "b", "c")))
      assert.same({ "a", "b", "c" }, journal.log)
      assert.equal(1, journal.commits)
      assert.equal("put d", put "d")
      assert.equal(2, journal.commits)
    end)
  end)

  it("is one a piece where it is asked for", function()
    group = Group.new(journal, { path = "shop.db", patience = 5, group = false })
    group:attach(driver)
    loop.run(function()
      assert.same({ "put a", "put b", "put c" }, ended(put_all("a", "b", "c")))
      assert.equal(3, journal.commits)
    end)
  end)

  it("is made at once where nobody can wait", function()
    assert.equal("put a", put "a")
    group:attach(driver)
    assert.equal("put b", put "b")
    group:attach { sleep = function() error "nobody waits here" end }
    loop.run(function() assert.equal("put c", put "c") end)
    assert.same({ 3, 5 }, { journal.commits, journal.waited[3] })
  end)

  it("lets others run while another process writes", function()
    group:attach(driver)
    journal.busy = true
    loop.run(function()
      local tasks = put_all("a", "b")
      until_begun(3)
      assert.same({ 0, 0 }, { journal.commits, journal.waited[1] })
      journal.busy = false
      assert.same({ "put a", "put b" }, ended(tasks))
      assert.equal(1, journal.commits)
    end)
  end)

  it("gives up when the other process takes too long, for each in its own time", function()
    group.patience = 0.02
    group:attach(driver)
    journal.busy = true
    loop.run(function()
      local early = put_all("a", "b")
      until_begun(1)
      group.patience = 60
      local late = put_all "c"
      for _, err in ipairs(ended(early)) do
        assert.equal("busy", err.code)
        assert.equal("journal shop.db: another process holds the file (database is locked) (busy): nothing was written; "
          .. "try again, or look for the process that holds the file", tostring(err))
      end
      journal.busy = false
      assert.same({ "put c" }, ended(late))
      assert.same({ "c" }, journal.log)
    end)
  end)

  it("tells all why it cannot begin", function()
    group:attach(driver)
    journal.broken = { code = "readonly", message = "attempt to write a readonly database" }
    loop.run(function()
      for _, err in ipairs(ended(put_all("a", "b"))) do assert.equal("readonly", err.code) end
    end)
    local ok, err = group:write_now(function() return true end)
    assert.same({ nil, "readonly" }, { ok, err.code })
  end)

  it("leaves the others alone where one refuses", function()
    group:attach(driver)
    loop.run(function()
      local refused = loop.spawn(function() return group:write(function() return nil, problem.fenced "c1" end) end)
      local tasks = put_all "a"
      assert.same({ nil, "fenced" }, { nil, select(2, refused:wait()).code })
      assert.same({ "put a" }, ended(tasks))
      assert.same({ "a" }, journal.log)
    end)
  end)

  it("is taken back as a whole where a statement fails", function()
    group:attach(driver)
    loop.run(function()
      for _, err in ipairs(ended(put_all("a", "fail", "b"))) do
        assert.equal("journal shop.db: the disk is full (database or disk is full) (full): free some space; nothing was written",
          tostring(err))
      end
      assert.same({}, journal.log)
      assert.equal("put c", put "c")
    end)
  end)

  it("is taken back as a whole where it fails at its end", function()
    group:attach(driver)
    journal.torn = { code = "io", message = "disk I/O error" }
    loop.run(function()
      for _, err in ipairs(ended(put_all("a", "b"))) do assert.equal("io", err.code) end
    end)
    local ok, err = group:write_now(function() return true end)
    assert.same({ nil, "io" }, { ok, err.code })
  end)

  it("raises a mistake in a piece of work, and goes on", function()
    group:attach(driver)
    loop.run(function()
      local task = loop.spawn(function() return group:write(function() error("a mistake", 0) end) end)
      local _, err = task:wait()
      assert.matches("a mistake", tostring(err))
      assert.equal("put a", put "a")
    end)
    assert.has_error(function() group:write_now(function() error("a mistake", 0) end) end, "a mistake")
    assert.same({ "a" }, journal.log)
  end)

  it("goes on without a task that was cancelled while it waited, whoever it was", function()
    group:attach(driver)
    for cancelled = 1, 3 do
      journal.busy, journal.log, journal.begun = true, {}, 0
      loop.run(function()
        local tasks = put_all("1", "2", "3")
        until_begun(1)
        tasks[cancelled]:cancel()
        settle()
        journal.busy = false
        local values = ended(tasks)
        for i = 1, 3 do
          if i == cancelled then assert.equal("cancelled", values[i].kind) else assert.equal("put " .. i, values[i]) end
        end
      end)
      assert.equal(2, #journal.log)
    end
  end)

  it("keeps to a deadline of the task", function()
    group:attach(driver)
    journal.busy = true
    loop.run(function()
      local value, err = loop.deadline(0.01, put, "a")
      assert.same({ nil, "timeout" }, { value, err.kind })
      journal.busy = false
      assert.equal("put b", put "b")
    end)
    assert.same({ "b" }, journal.log)
  end)

  it("ends for all when the store is closed", function()
    group:attach(driver)
    journal.busy = true
    loop.run(function()
      local tasks = put_all("a", "b")
      until_begun(1)
      group:close(problem.make("closed", "the store is closed"))
      for _, err in ipairs(ended(tasks)) do assert.equal("closed", err.code) end
    end)
    assert.same({}, journal.log)
  end)

  it("goes on after a loop that was broken off while it waited", function()
    local broken = { in_task = function() return true end, now = driver.now, sleep = coroutine.yield, unpark = function() end }
    group:attach(broken)
    coroutine.wrap(put) "a"
    group:attach(driver)
    loop.run(function() assert.equal("put b", loop.deadline(10, put, "b")) end)
    assert.same({ "a", "b" }, journal.log)
  end)

  it("works in one run of the loop after another", function()
    group:attach(driver)
    for i = 1, 2 do loop.run(function() assert.equal("put " .. i, put(tostring(i))) end) end
    journal.busy = true
    assert.has_error(function()
      loop.run(function()
        put_all("a", "b")
        until_begun(1)
        error("the program fails", 0)
      end)
    end)
    journal.busy = false
    loop.run(function() assert.equal("put c", put "c") end)
    assert.same({ "1", "2", "c" }, journal.log)
  end)
end)
