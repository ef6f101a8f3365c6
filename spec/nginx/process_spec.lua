local files = require "support.files"
local process = require "avito_messenger.nginx.process"
local spawning = require "spec_support.process"

-- A directory that is as /proc would be: { [pid] = what its stat holds }.
local function proc_of(stats)
  local root = files.temporary()
  for pid, text in pairs(stats) do
    assert(os.execute(("mkdir -p '%s/%d'"):format(root, pid)))
    files.write(("%s/%d/stat"):format(root, pid), text)
  end
  finally(function() os.execute(("rm -r '%s'"):format(root)) end)
  return root
end

local function stat(pid, name, state, started)
  return ("%d (%s) %s 1"):format(pid, name, state) .. (" 7"):rep(17) .. (" %d 8 9\n"):format(started)
end

describe("the name of a process", function()
  it("is its id and when it was started", function()
    local root = proc_of { [1] = stat(1, "init", "S", 5), [77] = stat(77, "nginx: worker", "R", 123456) }
    assert.equal("77:123456", process.name(77, root))
  end)

  it("is told apart from what the program is called", function()
    local root = proc_of { [1] = stat(1, "init", "S", 5), [77] = stat(77, "a) S 1 (b", "Z", 9) }
    assert.equal("77:9", process.name(77, root))
    assert.is_true(process.gone("77:9", root))
  end)

  it("has no start where processes cannot be looked up", function()
    assert.equal("77:?", process.name(77, proc_of { [1] = stat(1, "init", "S", 5) }))
    assert.equal("77:?", process.name(77, proc_of { [1] = "junk", [77] = "junk" }))
  end)

  it("has no start where only one's own can be looked up: the others would all be gone", function()
    assert.equal("77:?", process.name(77, proc_of { [77] = stat(77, "nginx", "S", 3) }))
  end)
end)

describe("a process has gone", function()
  it("where there is none of that id", function()
    local root = proc_of { [77] = stat(77, "nginx", "S", 3) }
    assert.is_false(process.gone("77:3", root))
    assert.is_true(process.gone("78:3", root))
  end)

  it("where its id is another's now", function()
    assert.is_true(process.gone("77:2", proc_of { [77] = stat(77, "nginx", "S", 3) }))
  end)

  it("where it only waits for its parent to ask", function()
    for _, state in ipairs { "Z", "X" } do
      assert.is_true(process.gone("77:3", proc_of { [77] = stat(77, "nginx", state, 3) }), state)
    end
    for _, state in ipairs { "S", "R", "D", "T" } do
      assert.is_false(process.gone("77:3", proc_of { [77] = stat(77, "nginx", state, 3) }), state)
    end
  end)

  it("never where that cannot be known", function()
    local root = proc_of { [77] = "junk", [78] = "" }
    for _, name in ipairs { "77:3", "78:3", "99:?", "", "nobody" } do assert.is_false(process.gone(name, root), name) end
    assert.is_false(process.gone(("1:3"), "/proc/version")) -- ENOTDIR
  end)

  it("once it was killed", function()
    local child = spawning.spawn({ "/bin/sleep", "60" }, {})
    local name = process.name(child:pid())
    assert.truthy(name:match "^%d+:%d+$")
    assert.is_false(process.gone(name))
    child:kill "KILL"
    child:wait(10)
    assert.is_true(process.gone(name))
    child:close()
  end)
end)
