local files = require "support.files"
local sandbox = require "support.sandbox"

local HUP = 1

--- The environment of a program of this project that is to write as to a file.
local function environment(more)
  local env = { LD_PRELOAD = os.getenv("LD_PRELOAD") or false, COLUMNS = false, NO_COLOR = false, TERM = "xterm",
    SHOP_BOT_ROUNDS = false }
  for name, value in pairs(more or {}) do env[name] = value end
  return env
end

describe("examples/demo.lua", function()
  -- lua5.4 examples/demo.lua >spec/examples/demo.txt, where the example has changed
  it("tells the same day of the shop on every Lua, without colour where nobody looks", function()
    local child = sandbox.spawn({ "examples/demo.lua" }, { stdout = "pipe", stderr = "pipe", env = environment() })
    local text = child:read_all(60)
    assert.same({ "exit", 0 }, { child:wait(10) })
    child:close()
    assert.equal(files.read "spec/examples/demo.txt", text)
    assert.is_nil(text:find("\27", 1, true))
    for _, part in ipairs { "bot [торг, to buyer 1]", "the seller is called to buyer 2: обмен на iPhone 11",
      "buyer 3 is put on the blacklist", "the seller writes to buyer 1", "10 messages were sent by the bot" } do
      assert.is_truthy(text:find(part, 1, true), part)
    end
  end)
end)

describe("examples/shop_bot.lua", function()
  local running, directory, child

  before_each(function()
    running = sandbox.start()
    directory = files.temporary()
    assert(os.execute(("mkdir '%s' && cp examples/shop_bot.lua examples/shop_rules.lua examples/phone.png '%s'"):format(directory,
      directory)))
  end)
  after_each(function()
    if child then child:close() end
    child = nil
    running:stop()
    os.execute("rm -r '" .. directory .. "'")
  end)

  local function start(rounds)
    child = sandbox.spawn({ directory .. "/shop_bot.lua" }, { stdout = "pipe", stderr = "pipe",
      env = environment { AVITO_BASE_URL = running.base_url, SHOP_BOT_ROUNDS = rounds or false } })
    assert.equal("Answering. Ctrl-C ends it.", child:read_line(30))
  end

  --- A buyer has written a minute ago.
  local function said(text)
    running:control("POST", "clock", { advance = -60 })
    local message = running:control("POST", "say", { buyer = 200000003, item = 4101230042, text = text })
    running:control("POST", "clock", { advance = 60 })
    return message.chat_id
  end

  local function sends()
    local texts = {}
    for _, send in ipairs(running:control("GET", "sends").sends) do texts[#texts + 1] = send.chat_id .. " " .. send.text end
    return texts
  end

  it("answers who has written within the last hour, by the rules beside it, and tells what it says", function()
    local chat = said "Здравствуйте, отправите доставкой?"
    start "1"
    local printed = child:read_all(60)
    assert.same({ "exit", 0 }, { child:wait(10) })
    local texts = sends()
    local answer = chat .. " Отправлю Авито Доставкой в день оплаты, упакую надёжно."
    assert.equal(answer, texts[#texts]) -- at night or by day something stands before it
    assert.equal(2, #texts)
    assert.is_truthy(printed:find((answer:gsub(" ", "  bot: ", 1)), 1, true))
  end)

  local function rules(text)
    local file = assert(io.open(directory .. "/shop_rules.lua", "w"))
    file:write('return require("avito_messenger").rulebook { ', text, " }")
    file:close()
  end

  --- The next line that is not about a chat.
  local function line()
    local text
    repeat text = child:read_line(30) until not text or not text:find "^u2"
    return text
  end

  it("reads its rules again on HUP, tells what is wrong with them, and ends on TERM", function()
    start()
    rules '{ "торг", hears = "торг", say = "Да." }'
    child:kill(HUP)
    assert.equal("The rules are read again.", line())
    rules '{ "торг", hear = "торг", say = "Да." }'
    child:kill(HUP)
    assert.equal("avito.bot: the rulebook was not reloaded:", line())
    assert.equal(directory .. "/shop_rules.lua:1: rule 'торг': unknown field 'hear' (did you mean 'hears'?)", line())
    child:kill "TERM"
    assert.is_nil((line()))
    assert.same({ "exit", 0 }, { child:wait(10) })
  end)

  it("ends on Ctrl-C", function()
    start()
    child:kill "INT"
    assert.equal("", child:read_all(30))
    assert.same({ "exit", 0 }, { child:wait(10) })
  end)
end)
