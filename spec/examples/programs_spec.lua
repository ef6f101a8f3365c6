local files = require "support.files"
local ports = require "support.ports"
local sandbox = require "support.sandbox"

local HUP = 1

--- The environment of a program of this project that is to write as to a file.
local function environment(more)
  local env = { LD_PRELOAD = os.getenv("LD_PRELOAD") or false, COLUMNS = false, NO_COLOR = false, TERM = "xterm",
    SHOP_BOT_ROUNDS = false, AVITO_LOG = false, AVITO_WEBHOOK_PORT = false, AVITO_WEBHOOK_SECRET = false,
    AVITO_WEBHOOK_URL = false }
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

  local function start(more)
    local env = environment { AVITO_BASE_URL = running.base_url, AVITO_STORE = directory .. "/shop.db" }
    for name, value in pairs(more or {}) do env[name] = value end
    child = sandbox.spawn({ directory .. "/shop_bot.lua" }, { stdout = "pipe", stderr = "pipe", env = env })
    local line
    repeat line = child:read_line(30) until not line or not line:find "^time="
    assert.equal("Answering. Ctrl-C ends it.", line)
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
    start { SHOP_BOT_ROUNDS = "1" }
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

  --- Reads up to a line of the log that has the text; nil: there is none.
  local function logged(text)
    local line
    repeat line = child:read_line(30) until not line or line:find(text, 1, true)
    return line
  end

  it("reads its rules again on HUP, tells what is wrong with them, and ends on TERM", function()
    start()
    rules '{ "торг", hears = "торг", say = "Да." }'
    child:kill(HUP)
    assert.is_string(logged 'msg="the rulebook was read again"')
    rules '{ "торг", hear = "торг", say = "Да." }'
    child:kill(HUP)
    assert.is_string(logged((directory .. "/shop_rules.lua:1: rule 'торг': unknown field 'hear' (did you mean 'hears'?)")))
    child:kill "TERM"
    assert.is_string(logged "msg=stopped")
    assert.same({ "exit", 0 }, { child:wait(10) })
  end)

  it("keeps what it knows, and its token, in a file", function()
    said "Здравствуйте, отправите доставкой?"
    for _ = 1, 2 do
      start { SHOP_BOT_ROUNDS = "1" }
      child:read_all(60)
      assert.same({ "exit", 0 }, { child:wait(10) })
      child:close()
    end
    assert.equal(2, #sends())
    assert.equal(1, running:control("GET", "tokens").client_credentials)
  end)

  it("takes webhooks where it is told a port and a secret", function()
    local port = ("%d"):format(ports.free(directory))
    start { AVITO_WEBHOOK_PORT = port, AVITO_WEBHOOK_SECRET = "dummy-path-secret", AVITO_WEBHOOK_URL = "http://127.0.0.1:" .. port }
    assert.is_string(logged 'msg="the webhook is subscribed"')
    said "Здравствуйте, отправите доставкой?"
    assert.is_string(logged "  bot: ")
    local delivery = running:control("GET", "deliveries").deliveries[1]
    assert.equal("delivered", delivery.state)
    assert.equal(("http://127.0.0.1:%s/dummy-path-secret"):format(port), delivery.url)
  end)

  it("ends on Ctrl-C, without an error", function()
    start()
    child:kill "INT"
    assert.is_string(logged "msg=stopped")
    assert.equal("", child:read_all(30))
    assert.same({ "exit", 0 }, { child:wait(10) })
  end)
end)
