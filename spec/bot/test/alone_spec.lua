-- The kit in a plain Lua program, where nothing of busted is.
local files = require "support.files"
local sandbox = require "support.sandbox"

describe("the kit without busted", function()
  local path

  before_each(function() path = files.temporary() .. ".lua" end)
  after_each(function() os.remove(path) end)

  -- What the program prints, and how it ends.
  local function run(program, env)
    files.write(path, program)
    env = env or {}
    env.LD_PRELOAD = os.getenv "LD_PRELOAD" or false
    local child = sandbox.spawn({ path }, { stdout = "pipe", stderr = "pipe", env = env })
    local output = assert(child:read_all(60))
    local how, code = child:wait()
    child:close()
    return output, how .. " " .. code
  end

  local BEGINNING = [[
    local test = require "avito_messenger.bot.test"
    local rules = { zone = "Europe/Samara", burst = "6s", { "торг", hears = "торг*", say = "Небольшой торг." } }
    local function script(scene)
      local buyer = scene:buyer { item = { title = "iPhone 13" } }
      buyer:says "Торг есть?"
      buyer:expect "Небольшой торг."
    end
    local scene = test.scene { rulebook = rules, at = "2026-11-20 22:15" }
    script(scene)
  ]]

  it("runs scenarios, tortures them and prints them", function()
    local output, ended = run(BEGINNING .. [[
      print(test.torture({ rulebook = rules }, script, { seeds = 5 }))
      print(scene)
      print(package.loaded.busted, package.loaded.luassert, package.loaded["avito_messenger.bot"])
    ]])
    assert.equal("exit 0", ended, output)
    assert.equal([[
5
Покупатель (“iPhone 13”, u2i-test-1)
── 2026-11-20, Friday ──────────────────────────────────────
22:15:01  Покупатель Торг есть?
22:15:07  bot [торг] Небольшой торг.
nil	nil	nil
]], output)
  end)

  it("writes as wide as COLUMNS says, and 100 columns without it; in no colour where nobody looks", function()
    local program = [[
      local terminal = require "avito_messenger.terminal"
      io.write(terminal.width(), " ", tostring(terminal.colour()))
    ]]
    assert.equal("100 false", (run(program, { COLUMNS = false, TERM = "xterm" })))
    assert.equal("120 false", (run(program, { COLUMNS = "120" })))
    assert.equal("100 false", (run(program, { COLUMNS = "10" })))
  end)

  it("writes no line wider than that", function()
    local output = run(BEGINNING .. [[
      local scene = test.scene { rulebook = { burst = "1s",
        { "торг", hears = "торг* | скид* | уступ* | дешевл* | подвин*", on = "text", say = "Да." } } }
      local buyer = scene:buyer()
      buyer:sends "voice"
      print(select(2, pcall(buyer.expect, buyer, "Небольшой торг при осмотре, приезжайте и посмотрите сами.")))
    ]], { COLUMNS = "60" })
    assert.matches("why, on", output, 1, true)
    for line in output:gmatch "[^\n]+" do
      assert.is_true(require("avito_messenger.bot.transcript").columns(line) <= 60, line)
    end
  end)

  it("ends with the conversation when an expectation is missed", function()
    local output, ended = run(BEGINNING .. [[
      local ok, problem = pcall(script, test.scene { rulebook = { { "нет", say = "Нет." } } })
      print(ok, (problem:gsub("^.-:(%d+:)", "line %1")))
      os.exit(ok and 0 or 3, true)
    ]])
    assert.equal("exit 3", ended, output)
    assert.matches("^false\tline 6: expected the bot to say “Небольшой торг.”\n  it said “Нет.” by 'нет'\n", output)
  end)
end)
