-- The rock, made into an empty tree for the Lua that runs the specs, is what a fresh interpreter uses:
-- the modules of this directory are not on its paths.

local process = require "spec_support.process"
local sandbox = require "support.sandbox"

-- luarocks builds the same sources whatever build the specs run on: once a Lua is enough.
if os.getenv "AVITO_SANITIZED" then return end

local lua = rawget(_G, "jit") and "luajit" or "lua5.4"
local version = _VERSION:match "%d%.%d"

local function run(argv, env)
  local child = process.spawn(argv, { stdout = "pipe", stderr = "pipe", env = env })
  local output = assert(child:read_all(300))
  local how, code = child:wait()
  child:close()
  return output, how .. " " .. code
end

describe("the rock", function()
  local tree, running

  setup(function()
    tree = run({ "mktemp", "-d" }):gsub("%s+$", "")
    local output, ended = run { "tools/install", lua, tree }
    assert(ended == "exit 0", output)
    running = sandbox.start()
  end)

  teardown(function()
    if running then running:stop() end
    if tree then run { "rm", "-rf", tree } end
  end)

  -- Only the tree, and where the system keeps lua-cjson.
  local function environment()
    local share = ("%s/share/lua/%s/"):format(tree, version)
    return {
      LUA_INIT = false,
      LUA_PATH = share .. "?.lua;" .. share .. "?/init.lua;;",
      LUA_CPATH = ("%s/lib/lua/%s/?.so;;"):format(tree, version),
      AVITO_BASE_URL = running.base_url,
    }
  end

  it("makes a call of each marketplace", function()
    local program = tree .. "/program.lua"
    local file = assert(io.open(program, "w"))
    file:write(([[
      local avito = require "avito_messenger"
      local client = avito.client { client_id = "%s", client_secret = "%s", base_url = os.getenv "AVITO_BASE_URL" }
      local account = assert(client:get_self())
      print(account.id)
      print(package.searchpath and package.searchpath("avito_messenger.core", package.cpath) or "")
      client:close()
      local market = require "avito_messenger.yandex_market"
      client = market.client { api_key = "%s", business_id = %d, base_url = os.getenv "AVITO_BASE_URL" }
      print(#assert(client:get_chats()))
      client:close()
      market.notifications { path_secret = "dummy-path-secret" }
    ]]):format(sandbox.client_id, sandbox.client_secret, sandbox.api_key, sandbox.business_id))
    assert(file:close())
    -- From another directory: "./?.lua" must not find the sources.
    local output, ended = run({ "env", "-C", tree, lua, program }, environment())
    assert.equal("exit 0", ended, output)
    local id, module, chats = output:match "^(%d+)\n(.*)\n(%d+)\n$"
    assert.equal("4", chats)
    assert.equal(tostring(sandbox.user_id), id)
    assert.equal(("%s/lib/lua/%s/avito_messenger/core.so"):format(tree, version), module)
  end)

  -- A rulebook beside a program that plays a scene of it, in a directory of their own.
  local function shop()
    for name, text in pairs {
      ["rules.lua"] = [[
        local avito = require "avito_messenger"
        return avito.rulebook {
          { "торг", hears = "~торг", say = "Небольшой торг." },
          { "обмен", hears = "~обмен", flow = "обмен" },
          avito.flow { "обмен", function(c) c:to_human(c:ask { "text", "На что меняете?" }) end },
        }
      ]],
      ["scene.lua"] = [[
        local test = require "avito_messenger.bot.test"
        local scene = test.scene { rulebook = "rules.lua" }
        local buyer = scene:buyer()
        buyer:says "Торг уместен?"
        buyer:expect { "Небольшой торг.", rule = "торг" }
        buyer:says "А обмен?"
        buyer:expect "На что меняете?"
        buyer:says "На iPhone 11"
        buyer:expect_escalated "На iPhone 11"
        print "played"
      ]],
      ["bot.lua"] = [[
        local avito = require "avito_messenger"
        local server = avito.sandbox { seed = 1 }
        local client = avito.client { client_id = "dummy-client-id", client_secret = "dummy-client-secret", io = server:driver() }
        local bot = avito.bot { client = client, rulebook = "rules.lua" }
        bot:poll { rounds = 1 }
        server:say { buyer = 200000004, item = 4098549657, text = "Торг есть?" }
        bot:poll { seconds = 30 }
        print(server:sends()[1].text)
      ]],
    } do
      local file = assert(io.open(tree .. "/" .. name, "w"))
      file:write(text)
      assert(file:close())
    end
  end

  it("plays a scene and runs a bot", function()
    shop()
    local output, ended = run({ "env", "-C", tree, lua, "scene.lua" }, environment())
    assert.equal("exit 0", ended, output)
    assert.equal("played\n", output)
    output, ended = run({ "env", "-C", tree, lua, "bot.lua" }, environment())
    assert.equal("exit 0", ended, output)
    assert.equal("Небольшой торг.\n", output)
    output, ended = run({ "env", "-C", tree, "bin/avito-messenger", "check", "rules.lua", "--say", "торг?" },
      { LUA_PATH = false, LUA_CPATH = false, LUA_INIT = false })
    assert.equal("exit 0", ended, output)
    assert.matches("Небольшой торг.", output, 1, true)
  end)

  it("says what the bot lacks where it was built without utf8proc", function()
    shop()
    local module = ("%s/lib/lua/%s/avito_messenger/text.so"):format(tree, version)
    assert(os.rename(module, module .. ".away"))
    local wanted = "the bot needs utf8proc: apt-get install libutf8proc-dev, then build again"
    for _, name in ipairs { "scene.lua", "bot.lua" } do
      local output, ended = run({ "env", "-C", tree, lua, name }, environment())
      assert.equal("exit 1", ended, output)
      assert.matches(wanted, output, 1, true)
    end
    local output = run({ "env", "-C", tree, "bin/avito-messenger", "check", "rules.lua" },
      { LUA_PATH = false, LUA_CPATH = false, LUA_INIT = false })
    assert.equal("avito-messenger check: " .. wanted, output:sub(1, #wanted + 23))
    assert(os.rename(module .. ".away", module))
  end)

  it("installs the program avito-messenger", function()
    local output, ended = run({ "env", "-C", "/", tree .. "/bin/avito-messenger", "--version" },
      { LUA_PATH = false, LUA_CPATH = false, LUA_INIT = false })
    assert.equal("exit 0", ended, output)
    assert.matches("0%.1%.0", output)
  end)

  it("leaves nothing behind in the sources", function()
    local file = io.open("build.luarocks")
    assert.is_nil(file)
  end)
end)
