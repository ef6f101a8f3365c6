local avito = require "avito_messenger"
local process = require "spec_support.process"
local sandbox = require "support.sandbox"
local files = require "support.files"
local script = require "support.script"

local temporary, write, read = files.temporary, files.write, files.read

local function output_of(argv)
  local child = process.spawn(argv, { stdout = "pipe" })
  local text = child:read_all()
  child:wait()
  return text
end

--- Runs a program that may not make any file longer than nothing: what a full disk looks like to it.
local function run_limited(path, program)
  local script_path = temporary()
  write(script_path, program)
  return process.spawn({ "sh", "-c", [[trap '' XFSZ; ulimit -f 0; export LD_PRELOAD="$3"; exec $0 "$1" "$2"]],
    sandbox.lua, script_path, path, os.getenv "LD_PRELOAD" or "" }, { stdout = "pipe" })
end

describe("a file token store", function()
  local path, store

  before_each(function()
    path = temporary()
    store = avito.file_token_store(path)
  end)

  after_each(function()
    os.remove(path)
    os.remove(path .. ".lock")
  end)

  it("is empty where there is no file", function()
    local tokens, message = store.load()
    assert.is_nil(tokens)
    assert.is_nil(message)
  end)

  it("gives back what it was given", function()
    local tokens = { access_token = "dummy-a", refresh_token = "dummy-r", expires_at = 1700086400, scope = "messenger:read" }
    assert(store.save(tokens))
    assert.same(tokens, store.load())
  end)

  it("keeps its file to its owner, also one that was not", function()
    write(path, "{}")
    os.execute("chmod 644 " .. path)
    assert(store.save { access_token = "dummy" })
    assert.equal("600\n", output_of { "stat", "-c", "%a", path })
  end)

  it("leaves nothing else behind", function()
    assert(store.save { access_token = "dummy" })
    assert.equal(path .. "\n", output_of { "sh", "-c", "ls " .. path .. "*" })
  end)

  it("says what is wrong with a file, and leaves it as it is", function()
    for _, text in ipairs { "", "{", "5", '{"access_token":"a"' } do
      write(path, text)
      local tokens, message = store.load()
      assert.is_nil(tokens)
      assert.truthy(message:find(path, 1, true))
      assert.equal(text, read(path))
    end
  end)

  it("says what is wrong when it cannot write, and leaves the old file as it was", function()
    local missing = avito.file_token_store("/nonexistent/tokens.json")
    local ok, message = missing.save { access_token = "dummy" }
    assert.is_nil(ok)
    assert.truthy(message:find("No such file or directory"))
  end)

  it("leaves the old file as it was when the disk is full", function()
    assert(store.save { access_token = "dummy-old" })
    local child = run_limited(path, [[
      local ok, message = require("avito_messenger").file_token_store(arg[1]).save { access_token = "dummy-new" }
      print(ok, message)]])
    assert.truthy(child:read_line():find("^nil\t.*File too large"))
    assert.same({ "exit", 0 }, { child:wait() })
    assert.equal("dummy-old", store.load().access_token)
    assert.equal(path .. "\n", output_of { "sh", "-c", "ls " .. path .. "*" })
  end)

  it("is not written through a link at its temporary name", function()
    local target = temporary()
    write(target, "precious")
    local how, code, message = process.fork(function()
      local pid = read("/proc/self/stat"):match("^%d+")
      os.execute(("ln -s %s %s.%s.new"):format(target, path, pid))
      assert(store.save { access_token = "dummy" })
    end)
    assert.same({ "exit", 0 }, { how, code }, message)
    assert.equal("precious", read(target))
    assert.equal("dummy", store.load().access_token)
    os.remove(target)
  end)

  it("is locked by one at a time, in one process and in several", function()
    local lock = store.lock()
    assert.is_truthy(lock)
    assert.is_false(store.lock())
    local _, code, text = process.fork(function() return tostring(store.lock()) end)
    assert.same({ 0, "false" }, { code, text })
    lock:unlock()
    lock:unlock()
    lock = store.lock()
    assert.is_truthy(lock)
    lock:unlock()
  end)

  it("is free again when the process that locked it was killed", function()
    local child = sandbox.spawn({ "-e", ([[
      lock = require("avito_messenger").file_token_store(%q).lock()
      print(lock and "locked")
      io.stdout:flush()
      io.read()]]):format(path) }, { stdin = "pipe", stdout = "pipe" })
    assert.equal("locked", child:read_line())
    assert.is_false(store.lock())
    child:kill "KILL"
    child:wait()
    local lock = store.lock()
    assert.is_truthy(lock)
    lock:unlock()
  end)

  it("says why it cannot be locked", function()
    local lock, message = avito.file_token_store("/nonexistent/tokens.json").lock()
    assert.is_nil(lock)
    assert.truthy(message:find("No such file or directory"))
  end)

  it("lets two processes of one account renew once between them", function()
    local answers = { script.answer(200, '{"access_token":"dummy-1","refresh_token":"dummy-r1","expires_in":86400}'),
      script.answer(200, '{"id":"c1"}') }
    local function client(list)
      local driver = script.driver(list)
      return avito.client { client_id = "dummy", client_secret = "dummy", refresh_token = "dummy-r0", user_id = 7,
        base_url = "https://api.example", io = driver, token_store = store }, driver
    end
    local first = client(answers)
    local second, driver = client { answers[2] }
    assert(first:get_chat("c1"))
    assert(second:get_chat("c1"))
    assert.equal("Bearer dummy-1", script.header(driver.requests[1], "Authorization"))
  end)

  it("refuses a path that is none", function()
    for _, bad in ipairs { "", "a\0b", 5, {} } do
      assert.has_error(function() avito.file_token_store(bad) end)
    end
  end)
end)
