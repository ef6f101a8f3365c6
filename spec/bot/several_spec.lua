-- Several bots in one process: avito.run.
local avito = require "avito_messenger"
local blame = require "support.blame"
local loop = require "avito_messenger.io.loop"
local programs = require "support.programs"
local shop = require "support.shop"

local RULES = { burst = 0, settle = "1s", { "торг", hears = "торг*", say = "Торг при осмотре." } }
local PHONES = { 5001, 5002 } -- of each
local NOWHERE = "http://127.0.0.1:9"

local wait_for, free_port = programs.wait_for, programs.free_port

describe("several bots in one process", function()
  local box, bots, notes, store, lines

  before_each(function()
    local accounts, items = {}, {}
    for i, phone in ipairs(PHONES) do
      accounts[i] = { user_id = i, client_id = "dummy-client-id-" .. i, client_secret = "dummy-client-secret" }
      items[i] = { id = phone, account = i, title = "iPhone 12" }
    end
    box = shop.sandbox { accounts = accounts, items = items }
    notes, store, lines = { {}, {} }, avito.memory_store(), {}
  end)
  after_each(function() loop.close() end)

  local function make(url)
    bots = {}
    for i = 1, 2 do
      bots[i] = avito.bot { rulebook = RULES, store = store, on_event = function(note) table.insert(notes[i], note) end,
        on_error = function() end, log = { level = "debug", write = function(line) lines[#lines + 1] = line end },
        client = avito.client { io = loop, base_url = url, pace = false, client_id = "dummy-client-id-" .. i,
          client_secret = "dummy-client-secret" } }
    end
  end

  local function told(i, kind) return programs.told(notes[i], kind) end

  local function stop()
    for _, bot in ipairs(bots) do bot:stop(5) end
  end

  -- Runs both beside a sandbox and a program, which may end them.
  local function running(given, program)
    local failed, problem
    local ok, message = loop.run(function()
      local server = assert(box:listen { port = 0 })
      make(server.url)
      local all = { { bot = bots[1], poll = { interval = 1 } }, { bot = bots[2], poll = { interval = 1 } } }
      for name, value in pairs(given or {}) do all[name] = value end
      if all.quiet then -- nobody posts
        all.quiet = nil
      elseif all.listen then
        for i = 1, 2 do
          local path = ("/%d/"):format(i)
          all[i].webhook = { path_secret = "dummy-path-secret", path = path }
          all[i].subscribe = ("http://127.0.0.1:%d%sdummy-path-secret"):format(all.listen.port, path)
          all[i].poll = false
        end
      end
      loop.spawn(function()
        local done
        done, problem = pcall(program)
        failed = not done
        stop()
      end)
      return avito.run(all)
    end)
    if failed then error(problem, 0) end
    return ok, message
  end

  local function is_answered(i)
    local chat = box:say { buyer = shop.buyer, item = PHONES[i], text = "Торг есть?" }.chat_id
    wait_for(function() return not box.market.unread(box.market.chats[chat]) end)
    assert.same({ "buyer: Торг есть?", "bot: Торг при осмотре." }, shop.conversation(box, chat))
  end

  it("take what is posted to each, with one listener and one store, until all have ended", function()
    assert.is_true(running({ listen = { port = free_port() } }, function()
      for i = 1, 2 do
        wait_for(function() return told(i, "subscribed") end)
        is_answered(i)
      end
      bots[1]:stop(5)
      wait_for(function() return told(1, "stopped") end)
      assert.is_nil(told(2, "stopping"))
    end))
    for i = 1, 2 do
      assert.same({ kind = "stopped", left = 0 }, notes[i][#notes[i]])
      assert.is_truthy(told(i, "webhook"))
    end
    local log = table.concat(lines)
    for _, words in ipairs { "msg=started kind=started account=\"bot 2\"", "kind=stopped account=1 ", "kind=stopped account=2 ",
      "kind=request account=2 endpoint=send_message " } do
      assert.is_truthy(log:find(words, 1, true), words)
    end
    assert.same({}, box:log { operation = "get_chats" })
  end)

  it("go on where one ends with an error, and tell of it", function()
    local port, cancelled = free_port(), 0
    local ok, message = running({ listen = { port = port }, quiet = true }, function()
      wait_for(function() return told(1, "poll") and told(2, "poll") end)
      bots[1].lanes.cancel = function() cancelled = cancelled + 1 end
      bots[1].client:close()
      wait_for(function() return told(1, "error") end)
      is_answered(2)
      local health = bots[2].driver:perform { method = "GET", url = ("http://127.0.0.1:%d/healthz"):format(port), headers = {},
        timeout = 10, connect_timeout = 5, max_bytes = 65536, max_head_bytes = 65536, purpose = "call" }
      assert.same({ 503, "1: failed\n" }, { health.status, health.body })
      assert.same({ true, 1 }, { bots[1].stopped, cancelled })
    end)
    assert.is_nil(ok)
    assert.matches("^bot 1: .*closed", message)
    assert.matches("^the bot has ended: .*closed", told(1, "error").message)
    assert.is_nil(told(1, "stopped"))
    assert.is_nil(told(2, "error"))
    assert.is_truthy(told(2, "stopped"))
  end)

  it("have one set of signal handlers", function()
    local handlers, set, on_signal = {}, 0, loop.on_signal
    loop.on_signal = function(name, fn) -- luacheck: ignore 122
      handlers[name], set = fn, set + 1
    end
    local ok, problem = pcall(running, nil, function()
      wait_for(function() return told(1, "poll") and told(2, "poll") end)
      handlers.HUP()
      assert.is_truthy(told(1, "reloaded") and told(2, "reloaded"))
      handlers.TERM()
      wait_for(function() return told(1, "stopped") and told(2, "stopped") end)
      assert.equal(10, told(1, "stopping").seconds)
    end)
    loop.on_signal = on_signal -- luacheck: ignore 122
    assert.is_true(ok, tostring(problem))
    assert.same({}, handlers)
    assert.equal(6, set)
  end)

  it("end together where their task is cancelled, without a word of errors", function()
    loop.run(function()
      make(assert(box:listen { port = 0 }).url)
      local task = loop.spawn(avito.run, { { bot = bots[1] }, { bot = bots[2] } })
      wait_for(function() return told(1, "poll") and told(2, "poll") end)
      task:cancel()
      local ok, err = task:wait()
      assert.same({ nil, "cancelled" }, { ok, err.kind })
    end)
    for i = 1, 2 do assert.is_nil(told(i, "error")) end
  end)

  it("end together with Ctrl-C", function()
    make(NOWHERE)
    bots[1].lanes.wait = function() error("interrupted!", 0) end
    assert.error_matches(function() avito.run { { bot = bots[1] }, { bot = bots[2] } } end, "^interrupted!")
    assert.is_nil(told(1, "error") and told(1, "error").message:match "has ended")
  end)

  it("say why they cannot listen", function()
    loop.run(function()
      local taken = assert(require("avito_messenger.httpd").listen {})
      make(NOWHERE)
      local ok, message = avito.run { { bot = bots[1] }, { bot = bots[2] }, listen = { port = taken:port() } }
      assert.is_nil(ok)
      assert.matches("^EADDRINUSE", message)
      taken:close()
    end)
    assert.is_nil(told(1, "started"))
  end)

  it("may be one, with the blocking driver", function()
    local place = shop.open()
    local chat = place:says "Торг есть?"
    assert.is_true(avito.run { { bot = place.bot, poll = { interval = 5, seconds = 30 } } })
    assert.is_nil(place.bot:called())
    assert.same({ "buyer: Торг есть?", "bot: Торг при осмотре." }, place:conversation(chat))
  end)

  it("are refused where something is wrong with them, before the loop runs", function()
    make(NOWHERE)
    local one, two, hook = bots[1], bots[2], { path_secret = "dummy-path-secret" }
    local blocking = shop.open().bot
    local market = avito.bot { rulebook = RULES, on_error = function() end,
      client = require("avito_messenger.yandex_market").client { io = loop, api_key = "dummy-api-key", business_id = 1 } }
    local again = avito.bot { rulebook = RULES, client = market.client }
    for text, given in pairs {
      ["avito.run: a table expected, got string"] = "bots",
      ["avito.run: no bot is given"] = { listen = { port = 0 } },
      ["avito.run: unknown option 'lisen' (did you mean 'listen'?)"] = { { bot = one }, lisen = {} },
      ["avito.run: drain: "] = { { bot = one }, drain = "5" },
      ["avito.run: bot 1: a table expected, got string"] = { "bot" },
      ["avito.run: bot 1: bot must be an avito.bot"] = { {} },
      ["avito.run: bot 1: a bot stands where a table is expected: { bot = "] = { one, two },
      ["avito.run: bot 2: bot must be an avito.bot"] = { { bot = one }, { bot = {} } },
      ["avito.run: bot 2: unknown option 'pol' (did you mean 'poll'?)"] = { { bot = one }, { bot = two, pol = {} } },
      ["avito.run: bot 2: poll: interval must be at least 1 s"] = { { bot = one }, { bot = two, poll = { interval = 0.1 } } },
      ["avito.run: bot 2: the same bot as bot 1"] = { { bot = one }, { bot = one } },
      ["avito.run: bot 2: the same account as that of bot 1"] = { { bot = market }, { bot = again } },
      ["avito.run: bot 2: several bots need the loop"] = { { bot = one }, { bot = blocking } },
      ["avito.run: bot 1: webhooks need the loop"] = { { bot = blocking, webhook = hook }, listen = { port = 0 } },
      ["avito.run: listen needs the loop"] = { { bot = blocking }, listen = { port = 0 } },
      ["avito.run: bot 1: webhook needs a listener: listen = { port = "] = { { bot = one, webhook = hook } },
      ["avito.run: bot 1: webhook: path_secret is missing"] = { { bot = one, webhook = {} }, listen = { port = 0 } },
      ["avito.run: bot 2: webhook: the same path as that of bot 1"] =
        { { bot = one, webhook = hook }, { bot = two, webhook = hook }, listen = { port = 0 } },
      ["avito.run: listen: unknown option 'path_secret'"] = { { bot = one }, listen = hook },
      ["avito.run: listen: metrics.port is missing"] = { { bot = one }, listen = { metrics = {} } },
      ["subscribe: every: must be at least 60 s"] = { { bot = one, subscribe = { url = "https://shop.example/hook", every = 1 } } },
      ["subscribe: the API of this marketplace subscribes nobody"] = { { bot = market, subscribe = "https://shop.example/hook" } },
    } do
      local message = blame(function() avito.run(given) end)
      assert.is_truthy(message:find(text, 1, true), ("%s, not: %s"):format(message, text))
      assert.is_nil(message:find("dummy-path-secret", 1, true))
    end
  end)
end)
