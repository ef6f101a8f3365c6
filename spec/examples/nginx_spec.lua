local clock = require "avito_messenger.clock"
local certificates = require "support.certificates"
local files = require "support.files"
local nginx = require "support.nginx"
local ports = require "support.ports"
local process = require "spec_support.process"
if not nginx.wanted() then return end

local function spawn(argv, more)
  local env = { COLUMNS = false, SETUP = "no" }
  for name, value in pairs(more or {}) do env[name] = value end
  return process.spawn(argv, { stdout = "pipe", stderr = "pipe", env = env })
end

local function run(argv, seconds, more)
  local child = spawn(argv, more)
  local text = child:read_all(seconds)
  local how, code = child:wait(10)
  child:close()
  return { how, code }, text
end

describe("examples/nginx", function()
  local directory

  before_each(function()
    directory = files.temporary()
    assert(os.execute(("mkdir -p '%s/temp' '%s/logs'"):format(directory, directory)))
    assert(os.execute(("cp examples/nginx/nginx.conf '%s'"):format(directory)))
  end)
  after_each(function() os.execute(("rm -r '%s'"):format(directory)) end)

  -- The example's own, on a port that is free.
  local function listen(change)
    local text = assert(files.read "examples/nginx/listen.conf")
    files.write(directory .. "/listen.conf", change(text))
  end

  local function check()
    return run({ "/usr/sbin/nginx", "-t", "-q", "-p", directory, "-c", "nginx.conf", "-e", "logs/error.log" }, 20)
  end

  it("is a configuration that nginx takes, without a warning", function()
    local port = ports.free(directory)
    listen(function(text) return (text:gsub("8080", port)) end)
    local ended, text = check()
    assert.equal("", text)
    assert.same({ "exit", 0 }, ended)
  end)

  local function begin()
    return { "/usr/sbin/nginx", "-p", directory, "-c", "nginx.conf", "-e", "logs/error.log", "-g", "daemon off;" }
  end

  local function paths()
    local here = os.getenv "PWD"
    return { LUA_PATH = ("%s/lua/?.lua;%s/lua/?/init.lua;;"):format(here, here),
      LUA_CPATH = ("%s/?.so;;"):format(os.getenv "AVITO_BUILD") }
  end

  it("does not begin with rules that have a mistake, and says which", function()
    local port = ports.free(directory)
    listen(function(text) return (text:gsub("8080", port)) end)
    files.write(directory .. "/shop_rules.lua",
      'return require("avito_messenger").rulebook { { "торг", hear = "торг", say = "Да" } }')
    local ended, text = run(begin(), 20, paths())
    assert.same({ "exit", 1 }, ended)
    assert.is_truthy(text:find("shop_rules.lua:1: rule 'торг': unknown field 'hear' (did you mean 'hears'?)", 1, true), text)
  end)

  -- What error.log holds when it says why a worker has no bot.
  local function complaint(env)
    local port = ports.free(directory)
    listen(function(text) return (text:gsub("8080", port)) end)
    assert(os.execute(("cp examples/nginx/shop.lua examples/shop_rules.lua examples/phone.png '%s'"):format(directory)))
    local conf = assert(files.read "examples/nginx/nginx.conf"):gsub("\nuser www%-data;", "\nuser root;") -- who can read this tree
    files.write(directory .. "/nginx.conf", conf)
    local all = paths()
    for name, value in pairs(env) do all[name] = value end
    files.write(directory .. "/logs/error.log", "")
    local child, ends = spawn(begin(), all), clock.now() + 20
    local log
    repeat
      clock.sleep(0.02)
      log = files.read(directory .. "/logs/error.log") or ""
    until log:find "init_worker_by_lua error: [^\n]*\n" or clock.now() >= ends
    child:kill "TERM"
    child:wait(10)
    child:close()
    return log
  end

  it("says in error.log why its bot does not begin", function()
    local all = { AVITO_CLIENT_ID = "dummy-client-id", AVITO_CLIENT_SECRET = "dummy-client-secret" }
    assert.matches("init_worker_by_lua error: AVITO_CLIENT_ID is not set", complaint { AVITO_CLIENT_ID = false }, nil, true)
    assert.matches("init_worker_by_lua error: [^\n]*data/shop.db: the file cannot be opened[^\n]*its directory must exist",
      complaint(all))
  end)

  it("is one with TLS as well", function()
    local made, port = certificates.make(), ports.free(directory)
    listen(function(text)
      text = text:gsub("listen 127[^\n]*", ""):gsub("\n# (%l[%l_]+ [^\n]*;)", "\n%1"):gsub("443", port)
      return (text:gsub("/etc/letsencrypt/live/shop%.example/fullchain%.pem", made.path "good.pem")
        :gsub("/etc/letsencrypt/live/shop%.example/privkey%.pem", made.path "good.key"))
    end)
    assert.is_truthy(files.read(directory .. "/listen.conf"):find("\nlisten %d+ ssl;"))
    local ended, text = check()
    made.remove()
    assert.equal("", text)
    assert.same({ "exit", 0 }, ended)
  end)
end)

describe("tools/demo-nginx", function()
  -- tools/demo-nginx >spec/examples/demo_nginx.txt, where the example has changed
  it("tells the same whenever it runs", function()
    local ended, text = run({ "tools/demo-nginx" }, 90)
    assert.equal(files.read "spec/examples/demo_nginx.txt", text)
    assert.same({ "exit", 0 }, ended)
  end)
end)
