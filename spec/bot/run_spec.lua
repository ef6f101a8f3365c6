local avito = require "avito_messenger"
local files = require "support.files"
local journal = require "avito_messenger.journal"
local json = require "avito_messenger.json"
local loop = require "avito_messenger.io.loop"
local problem = require "avito_messenger.store.problem"
local shop = require "support.shop"

local ACCOUNT = tostring(shop.user_id)

describe("a bot on a file", function()
  local path, handles

  before_each(function()
    path, handles = files.temporary(), {}
  end)
  after_each(function()
    for _, handle in ipairs(handles) do handle:close() end
    for _, name in ipairs(files.beginning(path)) do os.remove(name) end
  end)

  local function open(options)
    local store = assert(avito.store(path, options))
    handles[#handles + 1] = store
    return store
  end

  --- Another process stores what a buyer wrote.
  local function is_stored_by(other, place)
    other:attach(place.driver)
    local said = place.box:say { buyer = shop.buyer, item = shop.phone, text = "Торг есть?" }
    local message = { id = said.message_id, author_id = shop.buyer, created = said.created, type = "text",
      content = { text = "Торг есть?" } }
    assert(other:receive(ACCOUNT, { { chat_id = said.chat_id, key = said.message_id, kind = "event",
      body = json.encode { type = "message", message = message } } }))
    return said.chat_id
  end

  it("answers what another process has stored, without waiting for its next look", function()
    local store, other, chat = open(), open(), nil
    local place = shop.open { store = store }
    place:at(5, function() chat = is_stored_by(other, place) end)
    place.bot:poll { interval = 3600, seconds = 20 }
    assert.same({ "buyer: Торг есть?", "bot: Торг при осмотре." }, place:conversation(chat))
  end)

  it("works on other chats beside one whose record is damaged", function()
    local store = open()
    local broken = assert(journal.open(path))
    assert(broken:begin(5))
    broken:run("part_write", ACCOUNT, "u2i-damaged", "state", "{")
    assert(broken:commit())
    broken:close()
    loop.run(function()
      store:attach(require "avito_messenger.io.loop.driver".new())
      local results, errors = loop.map({ "u2i-well", "u2i-damaged" }, function(chat) return store:claim(ACCOUNT, chat) end)
      assert.equal("u2i-well", results[1] and results[1].chat_id)
      assert.equal("damaged", errors[2].code)
    end)
    loop.close()
  end)

  it("goes on after Ctrl-C that came when a transaction had just begun", function()
    local store, pressed = open(), false
    local own = store.group.journal
    store.group.journal = setmetatable({ begin = function(_, seconds)
      local ok, failure = own:begin(seconds)
      if pressed then return ok, failure end
      pressed = true
      error("somewhere.lua:7: interrupted!", 0)
    end }, { __index = function(_, name) return function(_, ...) return own[name](own, ...) end end })
    assert.error_matches(function() store:set_cursor(ACCOUNT, "a", "b") end, "interrupted!")
    assert.is_true(store:set_cursor(ACCOUNT, "a", "c"))
    assert.equal("c", store:cursor(ACCOUNT, "a"))
  end)

  it("has its lease renewed by what it commits", function()
    local uptime, stores = 0, {}
    for i = 1, 2 do
      local store = open()
      local own = store.journal
      uptime = own:uptime()
      store.journal = setmetatable({ uptime = function() return uptime end },
        { __index = function(_, name) return function(_, ...) return own[name](own, ...) end end })
      stores[i] = store
    end
    local claim = assert(stores[1]:claim(ACCOUNT, "u2i-slow"))
    for _ = 1, 3 do
      uptime = uptime + 10
      assert(stores[1]:commit(claim, { record = claim.record, now = 0 }))
      assert.is_false((stores[2]:claim(ACCOUNT, "u2i-slow")))
    end
  end)

  it("is told of what others write, though another bot of the process has been", function()
    local store, other, one, two = open(), open(), {}, {}
    assert.is_true(store:changed(one) and store:changed(two))
    assert.is_false(store:changed(one) or store:changed(two))
    assert(other:set_cursor(ACCOUNT, "a", "b"))
    assert.is_true(store:changed(one) and store:changed(two))
    assert.is_false(store:changed(one) or store:changed(two))
  end)

  it("is told of chats that became free while a token was renewed", function()
    local store, other = open(), open()
    local place = shop.open { store = store }
    is_stored_by(other, place)
    local claim = assert(other:claim(ACCOUNT, store:due(ACCOUNT, math.huge, 1)[1]))
    assert(other:commit(claim, { record = claim.record, now = 0 }))
    store:changed(place.bot)
    other:abandon()
    assert(store:tokens("shop").lock()).unlock()
    assert.is_true(store:changed(place.bot))
  end)

  it("does not begin what it was stopped before for longer than others may wait for it", function()
    for lease, late in pairs { [6] = true, [10] = false } do
      local store = assert(avito.store(path .. lease, { lease = lease }))
      handles[#handles + 1] = store
      local place, commit, ends = shop.open { store = store }, store.commit, nil
      function store.commit(...)
        local ok, err = commit(...)
        local row = (select(3, ...)).record.outbox
        if row and row[1].kind == "send" and row[1].state == "latched" and not ends then
          place.driver:sleep(4) -- as if it was stopped
          ends = place.driver:now()
        end
        return ok, err
      end
      place:at(1, function() place:says { text = "Торг есть?" } end)
      local sent
      place:before("POST .*/messages$", function() sent = place.driver:now() end)
      place.bot:poll { interval = 5, seconds = 60 }
      assert.equal(late, sent - ends > 4, ("a lease of %d s: %g s later"):format(lease, sent - ends))
      assert.equal(1, #place:requests "send_message")
    end
  end)

  it("renews its lease before it runs out", function()
    local store, count = open { lease = 3 }, 0
    function store.maintain(...)
      count = count + 1
      return getmetatable(store).maintain(...)
    end
    shop.open({ store = store }).bot:poll { interval = 60, seconds = 30 }
    assert.is_true(count > 20)
  end)
end)

describe("the end of a bot", function()
  it("keeps what a hook asked for last", function()
    local place
    place = shop.open { on_event = function(note)
      if note.kind == "done" and note.effect == "read" then
        place.bot:pause("u2i-other", "1h")
        place.bot:stop()
      end
    end }
    place:says "Торг есть?"
    place.bot:poll { seconds = 60 }
    assert.equal(1, place.bot.store:stats(ACCOUNT, 0).inbox)
  end)

  it("says that it lives as long as it is at work", function()
    local box, kept = shop.sandbox(), 0
    loop.run(function()
      local server = assert(box:listen { port = 0 })
      local client = avito.client { io = loop, base_url = server.url, pace = false, client_id = "dummy-client-id",
        client_secret = "dummy-client-secret", retries = 0 }
      local bot = avito.bot { client = client, rulebook = { burst = 0, { "торг", hears = "торг*", say = "Торг при осмотре." } } }
      bot.store.lease = 0.03
      local maintain = bot.store.maintain
      function bot.store:maintain(now)
        kept = kept + 1
        return maintain(self, now)
      end
      box:say { buyer = shop.buyer, item = shop.phone, text = "Торг есть?" }
      box:fault { operation = "send_message", kind = "hang" }
      local task, ends = loop.spawn(bot.poll, bot, { backlog = true }), client.driver:now() + 20
      local function wait_for(condition)
        while not condition() do
          assert.is_true(client.driver:now() < ends)
          loop.sleep(0.005)
        end
      end
      wait_for(function() return #box:log { operation = "send_message" } == 1 end)
      bot:stop()
      loop.sleep(0)
      local before = kept
      wait_for(function() return kept > before + 1 end)
      assert.is_true(bot.lanes:busy())
      bot:stop(0)
      task:wait()
    end)
    loop.close()
  end)
end)

describe("a bot keeps", function()
  local place, store

  before_each(function()
    store = avito.memory_store()
    place = shop.open { store = store }
  end)
  after_each(function() store:close() end)

  local function refusal() return problem.make("io", "as the spec says") end

  local function poll(seconds) place.bot:poll { interval = 1, seconds = seconds } end

  it("its store, all few seconds", function()
    local times = {}
    function store:maintain(now)
      times[#times + 1] = now - place.driver.unix
      return getmetatable(self).maintain(self, now)
    end
    poll(21)
    assert.same({ 0, 5, 10, 15, 20 }, times)
  end)

  it("to what it is to do when the store cannot be kept, says so, and is well again with the store", function()
    local refused, health, chat = 0, {}, nil
    function store:maintain(now)
      if refused == 3 then return getmetatable(self).maintain(self, now) end
      refused = refused + 1
      return nil, refusal()
    end
    place:at(8, function() health[1] = select(2, place.bot:health()) end)
    place:at(9, function() chat = place:says "Торг есть?" end)
    poll(60)
    assert.same({ "buyer: Торг есть?", "bot: Торг при осмотре." }, place:conversation(chat))
    assert.same({ "store" }, health)
    assert.is_true(place.bot:health())
    assert.equal(3, #place:told "store")
    assert.equal("maintain", place:told "store"[1].what)
  end)

  it("well again with the store though nobody writes", function()
    local refused
    function store:maintain(now)
      if refused then return getmetatable(self).maintain(self, now) end
      refused = true
      return nil, refusal()
    end
    poll(20)
    assert.is_true(place.bot:health())
  end)

  it("to the chats of who is gone", function()
    poll(5)
    local other, chat = store:again(), place:says "Торг есть?"
    assert(other:claim(ACCOUNT, chat))
    place:at(30, function() other:abandon() end)
    place.bot:poll { interval = 7, seconds = 29 }
    assert.equal(0, #place.box:sends())
    place.bot:poll { interval = 1000, seconds = 20 }
    assert.same({ "buyer: Торг есть?", "bot: Торг при осмотре." }, place:conversation(chat))
  end)

  it("the time, once a minute, and soon again where the store refuses", function()
    local times, refused = {}, nil
    function store:set_cursor(account, name, value)
      if name == "clock" then
        if #times == 2 and not refused then
          refused = true
          return nil, refusal()
        end
        times[#times + 1] = tonumber(value) - place.driver.unix
      end
      return getmetatable(self).set_cursor(self, account, name, value)
    end
    poll(191)
    assert.same({ 0, 60, 125, 185 }, times)
    assert.equal("set_cursor", place:told "store"[1].what)
  end)

  it("to what was to be done at a time, when its clock was put back between two starts", function()
    place = shop.open { store = store,
      rulebook = { burst = 0, { "торг", hears = "торг*", delay = "1h", say = "Торг при осмотре." } } }
    poll(5)
    local chat = place:says "Торг есть?"
    poll(20)
    place = shop.open { store = store, box = place.box, rulebook = place.bot.source,
      driver = { now = place.driver:time() - 86400 } }
    local refused
    function store:cursor(account, name)
      if name == "clock" and not refused then
        refused = true
        return nil, refusal()
      end
      return getmetatable(self).cursor(self, account, name)
    end
    place.bot:poll { interval = 5000, seconds = 3700 }
    assert.same({ "buyer: Торг есть?", "bot: Торг при осмотре." }, place:conversation(chat))
    assert.equal("cursor", place:told "store"[1].what)
  end)
end)
