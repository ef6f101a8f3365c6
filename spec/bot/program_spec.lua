local avito = require "avito_messenger"
local loop = require "avito_messenger.io.loop"
local programs = require "support.programs"
local shop = require "support.shop"

local SECRET = "dummy-path-secret-1"
local RULES = { burst = 0, settle = "1s", { "торг", hears = "торг*", say = "Торг при осмотре." } }

local wait_for, free_port = programs.wait_for, programs.free_port

describe("a bot as a program", function()
  local box, bot, notes

  before_each(function() box, notes = shop.sandbox(), {} end)
  after_each(function() loop.close() end)

  local function make(url, given)
    local options = { rulebook = RULES, on_event = function(note) notes[#notes + 1] = note end,
      on_error = function(problem) error(problem.message) end,
      client = avito.client { io = loop, base_url = url, pace = false, client_id = "dummy-client-id",
        client_secret = "dummy-client-secret" } }
    for name, value in pairs(given or {}) do options[name] = value end
    bot = avito.bot(options)
  end

  local function told(kind) return programs.told(notes, kind) end

  --- Runs the bot beside a sandbox and a program, which ends it.
  local function running(given, program)
    return loop.run(function()
      local server = assert(box:listen { port = 0 })
      make(server.url)
      local port = free_port()
      local options = given(port)
      loop.spawn(function()
        program(port)
        bot:stop(5)
      end)
      return bot:run(options)
    end)
  end

  local function address(port) return ("http://127.0.0.1:%d/%s"):format(port, SECRET) end

  it("registers for webhooks, takes them, and answers", function()
    local chat
    assert.is_true(running(function(port)
      return { poll = false, listen = { port = port, path_secret = SECRET }, subscribe = address(port) }
    end, function()
      wait_for(function() return told "subscribed" end)
      chat = box:say { buyer = shop.buyer, item = shop.phone, text = "Торг есть?" }.chat_id
      wait_for(function() return not box.market.unread(box.market.chats[chat]) end)
    end))
    assert.same({ "buyer: Торг есть?", "bot: Торг при осмотре." }, shop.conversation(box, chat))
    assert.same({}, box:log { operation = "get_chats" })
    assert.same({ kind = "stopped", left = 0 }, notes[#notes])
    assert.equal(10, told("stopping").seconds)
  end)

  it("finds by polling what no webhook told of", function()
    local chat
    running(function(port)
      return { poll = { interval = 1 }, listen = { port = port, path_secret = SECRET } }
    end, function()
      wait_for(function() return told "poll" end)
      chat = box:say { buyer = shop.buyer, item = shop.phone, text = "Торг есть?" }.chat_id -- nobody is subscribed
      wait_for(function() return not box.market.unread(box.market.chats[chat]) end)
    end)
    assert.same({ "buyer: Торг есть?", "bot: Торг при осмотре." }, shop.conversation(box, chat))
  end)

  it("reads by polling what came before a message that a webhook told of", function()
    local chat
    running(function(port)
      return { poll = { interval = 1 }, listen = { port = port, path_secret = SECRET },
        subscribe = { url = address(port), every = "1h" } }
    end, function(port)
      wait_for(function() return told "subscribed" and told "poll" end)
      bot.client:unsubscribe_webhook(address(port))
      chat = box:say { buyer = shop.buyer, item = shop.phone, text = "Торг есть?" }.chat_id
      bot.client:subscribe_webhook(address(port))
      box:say { chat_id = chat, text = "Ау" }
      wait_for(function() return #box:sends() == 1 end)
    end)
    assert.equal("Торг при осмотре.", box:sends()[1].text)
  end)

  it("runs the loop itself", function()
    local said
    make "http://127.0.0.1:9"
    bot.on_error = function(problem) -- nobody is there
      said = problem.message
      bot:stop(1)
    end
    assert.is_true(bot:run { poll = { interval = 1 } })
    assert.matches("^poll: get_self: network", said)
  end)

  it("ends in the midst of a subscription, without a word of it", function()
    local unclaimed = {}
    loop.on_error(function(err) unclaimed[#unclaimed + 1] = tostring(err) end)
    box:fault { operation = "get_webhook_subscriptions", kind = "hang" }
    assert.is_true(running(function(port)
      return { poll = false, subscribe = address(port) }
    end, function()
      wait_for(function() return #box:log { operation = "get_webhook_subscriptions" } > 0 end)
    end))
    loop.on_error(nil)
    assert.same({}, unclaimed)
    assert.is_nil(told "error")
  end)

  it("says why it cannot listen", function()
    loop.run(function()
      local taken = assert(require("avito_messenger.httpd").listen {})
      make "http://127.0.0.1:9"
      local ok, message = bot:run { listen = { port = taken:port(), path_secret = SECRET } }
      assert.is_nil(ok)
      assert.matches("^EADDRINUSE: cannot listen on 127.0.0.1 port ", message)
      assert.matches(": end the program that has the port, or take another$", message)
      taken:close()
    end)
    assert.is_nil(told "started")
  end)

  it("listens no more where it cannot begin", function()
    loop.run(function()
      make "http://127.0.0.1:9"
      local port = free_port()
      assert.is_false((pcall(bot.run, bot, { listen = { port = port, path_secret = SECRET }, subscribe = "http://shop.example/" })))
      assert(require("avito_messenger.httpd").listen { port = port }):close()
    end)
  end)

  it("leaves signals to the program where it is told to, and gives them back", function()
    local set = {}
    local on_signal = loop.on_signal
    loop.on_signal = function(name, fn) -- luacheck: ignore 122
      set[#set + 1] = name .. (fn and " on" or " off")
      return on_signal(name, fn)
    end
    running(function() return { poll = false, signals = false } end, function() end)
    assert.same({}, set)
    running(function() return { poll = false } end, function() end)
    loop.on_signal = on_signal -- luacheck: ignore 122
    assert.same({ "TERM on", "INT on", "HUP on", "TERM off", "INT off", "HUP off" }, set)
  end)

  describe("refuses", function()
    local rows = {
      { "bot:run: unknown option 'pol' %(did you mean 'poll'%?%)", { pol = {} } },
      { "bot:run: poll: interval must be at least 1 s", { poll = { interval = 0.1 } } },
      { "bot:run: drain: ", { drain = "5" } },
      { "bot:listen: path_secret is missing", { listen = {} } },
      { "bot:listen: path_secret must be 16 characters or more", { listen = { path_secret = "short" } } },
      { "bot:listen: unknown option 'prt'", { listen = { prt = 1, path_secret = SECRET } } },
      { "subscribe: url ", { subscribe = "http://shop.example/hook" } },
      { "subscribe: every: must be at least 60 s", { subscribe = { url = "https://shop.example/hook", every = 1 } } },
      { "subscribe: unknown option 'evry'", { subscribe = { url = "https://shop.example/hook", evry = "1h" } } },
    }
    for _, row in ipairs(rows) do
      it(row[1], function()
        loop.run(function()
          make "http://127.0.0.1:9"
          local ok, message = pcall(function() bot:run(row[2]) end)
          assert.is_false(ok)
          assert.matches(row[1], tostring(message))
        end)
      end)

      it("and blames who called it, before the loop runs: " .. row[1], function()
        make "http://127.0.0.1:9"
        local ok, message = pcall(function() bot:run(row[2]) end)
        assert.is_false(ok)
        assert.matches("^[^\n]*program_spec%.lua:%d+: " .. row[1] .. "[^\n]*$", message)
      end)
    end

    it("a stop in a time that is none, and goes on", function()
      make "http://127.0.0.1:9"
      local ok, message = pcall(function() bot:stop "soon" end)
      assert.is_false(ok)
      assert.matches("program_spec%.lua:%d+: bot:stop: 'soon' is no span", message)
      assert.is_falsy(bot.stopped)
    end)

    it("webhooks without the loop", function()
      local place = shop.open()
      local ok, message = pcall(function() place.bot:run { listen = { path_secret = SECRET } } end)
      assert.is_false(ok)
      assert.matches("program_spec.lua:%d+: bot:run: webhooks need the loop", message)
    end)

    it("a store that is none, or that cannot be opened", function()
      local client = shop.open().client
      assert.error_matches(function() avito.bot { client = client, rulebook = RULES, store = {} } end,
        "avito.bot: store must be a path or a store: it has no function attach")
      assert.error_matches(function() avito.bot { client = client, rulebook = RULES, store = "no/such/place/shop.db" } end,
        "avito.bot: store: .*no/such/place/shop.db")
    end)
  end)

  it("polls with the blocking driver, too", function()
    local place = shop.open()
    local chat = place:says "Торг есть?"
    assert.is_true(place.bot:run { poll = { interval = 5, seconds = 30 } })
    assert.same({ "buyer: Торг есть?", "bot: Торг при осмотре." }, place:conversation(chat))
  end)

  it("remembers across restarts what it has answered, where it has a store", function()
    local path = os.tmpname()
    os.remove(path)
    local store = assert(avito.store(path))
    local place = shop.open { store = store }
    local chat = place:says "Торг есть?"
    place.bot:poll { interval = 5, seconds = 30 }
    place.box:write { chat_id = place:says { buyer = 7, text = "Здравствуйте" }, text = "Это я" }
    store:close()
    place:says "А доставка?" -- while nobody is there
    local again = shop.open { store = assert(avito.store(path)), box = place.box }
    again.bot:poll { interval = 5, seconds = 30 }
    assert.same({ "buyer: Торг есть?", "bot: Торг при осмотре.", "buyer: А доставка?", "bot: Отправлю завтра." },
      again:conversation(chat))
    again.bot.store:close()
    for _, suffix in ipairs { "", "-wal", "-shm", "-lock" } do os.remove(path .. suffix) end
  end)
end)
