local sandbox = require "avito_messenger.sandbox"

describe("sandbox options", function()
  local function problem(options)
    local ok, message = pcall(sandbox.new, options)
    assert.is_false(ok)
    return message
  end

  it("are known by name, and the nearest name is told", function()
    assert.is_truthy(problem({ sead = 1 }):find("unknown option 'sead' (did you mean 'seed'?)", 1, true))
    assert.is_truthy(problem({ webhooks = { dealy = 1 } }):find("did you mean 'delay'?", 1, true))
    assert.is_truthy(problem({ rate_limit = { per_minut = 1 } }):find("did you mean 'per_minute'?", 1, true))
    assert.is_truthy(problem({ shapes = "rael" }):find("did you mean 'real'?", 1, true))
  end)

  it("have their types and bounds", function()
    for _, options in ipairs { { seed = "1" }, { seed = 1.5 }, { shapes = true }, { strict = 1 }, { latency = -1 },
      { latency = { 1 } }, { token_lifetime = 0 }, { token_error_status = 99 }, { refresh_reuse = "x" },
      { foreign_chat = 200 }, { surprises = 2 }, { empty_read = "x" }, { base_url = 1 }, { log_limit = 0 },
      { webhooks = { retries = { "x" } } }, { webhooks = { duplicate = 2 } }, { webhooks = 1 },
      { rate_limit = { per_minute = 0 } }, { rate_limit = { retry_after = "x" } }, { accounts = 1 }, { now = "x" } } do
      local name = next(options)
      assert.is_truthy(problem(options):find(name, 1, true), name)
    end
    assert.has_error(function() sandbox.new("x") end)
  end)

  it("blame the caller", function()
    local ok, message = pcall(function() return (sandbox.new { sead = 1 }) end)
    assert.is_false(ok)
    assert.is_truthy(message:find("options_spec.lua:", 1, true))
  end)

  it("of the seed give other chances from the first one on", function()
    local Random = require "avito_messenger.sandbox.random"
    for seed = 1, 5 do
      assert.is_true(Random.new(seed):fraction() > 0.001)
      assert.equal(Random.new(seed):hex(32), Random.new(seed):hex(32))
      assert.are_not.equal(Random.new(seed):hex(32), Random.new(seed + 1):hex(32))
    end
  end)

  describe("of the world", function()
    local ACCOUNT = { user_id = 5, client_id = "a", client_secret = "b" }

    it("take the place of the default one", function()
      local box = sandbox { accounts = { ACCOUNT }, items = { { id = 4200000000, account = 5, title = "Стол" } },
        chats = { { account = 5, buyer = 6, item = 4200000000, messages = { { text = "да", ago = 60 } } } } }
      local state = box:state()
      assert.equal(1, #state.accounts)
      assert.equal(1, #state.chats)
      assert.equal(box.options.now - 60, state.chats[1].messages[1].created)
      assert.equal(6, state.buyers[1].id)
      assert.equal(0, #sandbox({ accounts = { ACCOUNT } }).market.account_list[1].chats)
    end)

    it("are checked, every field of them", function()
      local function world(part, value)
        local options = { accounts = { ACCOUNT } }
        options[part] = value
        return problem(options)
      end
      assert.is_truthy(world("accounts", { { user_id = 5, clientid = "a" } }):find("'client_id'?", 1, true))
      assert.is_truthy(world("accounts", { ACCOUNT, ACCOUNT }):find("twice", 1, true))
      world("accounts", { { user_id = "5" } })
      world("accounts", { { user_id = 0 } })
      assert.is_truthy(world("items", { { id = 1, account = 9, title = "x" } }):find("account", 1, true))
      world("items", { { id = 1, account = 5 } })
      world("items", { { id = 1, account = 5, title = "x", prise = "5" } })
      world("chats", { { account = 9, buyer = 1 } })
      world("chats", { { account = 5, buyer = 1, item = 77 } })
      world("chats", { { account = 5 } })
      world("chats", { { account = 5, buyer = 1, messages = { { text = "" } } } })
      world("chats", { { account = 5, buyer = 1, messages = { { type = "link" } } } })
      world("chats", { { account = 5, buyer = 1, messages = { { type = "item", item_id = 7 } } } })
      world("chats", { { account = 5, buyer = 1, messages = { { txet = "a" } } } })
      world("chats", { { account = 5, buyer = 1, messages = { { text = "a", from = "byer" } } } })
      world("chats", { { account = 5, buyer = 1, messages = { { text = "a", quote = "none" } } } })
      world("chats", { { id = "u2u-a", account = 5, buyer = 1 }, { id = "u2u-a", account = 5, buyer = 2 } })
      assert.is_truthy(world("chats", { { account = 5, buyer = 1, messages = { { type = "voise" } } } })
        :find("did you mean 'voice'?", 1, true))
    end)

    it("can be changed from the default", function()
      local world = sandbox.default_world()
      world.items[1].title = "Велосипед"
      assert.equal("Велосипед", sandbox(world):state().items[3].title)
    end)
  end)

  describe("and methods", function()
    local box
    before_each(function() box = sandbox() end)

    it("make a chat for a buyer who has none, once", function()
      local first = box:say { buyer = 77, item = 4098549657, text = "а" }
      local second = box:say { buyer = 77, item = 4098549657, text = "б" }
      assert.equal(first.chat_id, second.chat_id)
      assert.equal("u2u", box:say({ buyer = 77, text = "в" }).chat_id:sub(1, 3))
    end)

    it("name what is wrong", function()
      for _, spec in ipairs { { text = "a" }, { chat_id = "none", text = "a" }, { buyer = 1, item = 2, text = "a" },
        { buyer = 1, account = 2, text = "a" }, { buyer = 1 }, { buyer = 1, text = "a", colour = 1 } } do
        assert.has_error(function() box:say(spec) end)
      end
      assert.has_error(function() box:say("a") end)
      assert.has_error(function() box:advance("1") end)
      assert.has_error(function() box:set_time() end)
      assert.has_error(function() box:handle({ method = "GET", path = "/", headers = {} }) end)
      assert.has_error(function() box:log { operatoin = "x" } end)
      assert.has_error(function() box:code { client = "x" } end)
      assert.has_error(function() box:code { client_id = "x" } end)
    end)

    it("quote", function()
      local first = box:say { buyer = 77, text = "а" }
      box:write { chat_id = first.chat_id, text = "б", quote = first.message_id }
      local view = require "avito_messenger.sandbox.view"
      local chat = box.market.chats[first.chat_id]
      local shown = view.message(box, box.market, chat, chat.messages[2], "http://a")
      assert.equal("а", shown.quote.content.text)
    end)

    it("move the clock and put it back", function()
      local before = box:now()
      box:advance(10)
      assert.equal(before + 10, box:now())
      box:set_time(5000)
      assert.equal(5000, box:now())
      box:handle({ method = "GET", path = "/", headers = {}, body = "" }, box.real_now + 7)
      assert.equal(5007, box:now())
      box:reset()
      assert.equal(box.real_now, box:now())
      assert.equal(0, #box:log())
    end)

    it("remember a bounded number of requests", function()
      box = sandbox { log_limit = 10 }
      for _ = 1, 100 do box:handle({ method = "GET", path = "/", headers = {}, body = "" }, 5) end
      assert.is_true(#box:log() <= 20 and #box:log() >= 10)
      assert.equal(100, box:log()[#box:log()].serial)
      assert.equal(1, #box:log { since = 99 })
    end)
  end)
end)
