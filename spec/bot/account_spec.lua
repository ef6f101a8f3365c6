local account = require "avito_messenger.bot.account"
local avito = require "avito_messenger"
local problem = require "avito_messenger.store.problem"
local shop = require "support.shop"

local ACCOUNT = tostring(shop.user_id)
local DAY = 86400

describe("an account that the marketplace refuses", function()
  local place

  local function seller() return place.box.market.accounts[shop.user_id] end
  local function poll(seconds) place.bot:poll { interval = 5, seconds = seconds } end

  before_each(function() place = shop.open() end)

  --- The times at which the bot asked anything, from the first refusal on.
  local function asked()
    local times, began = {}, nil
    for _, entry in ipairs(place.box:log()) do
      if entry.status == 402 then began = began or entry.time end
      if began and entry.status then times[#times + 1] = entry.time - began end
    end
    return times
  end

  it("is parked, told of once, and asked for more and more seldom, up to an hour", function()
    poll(10)
    seller().tariff = false
    poll(4 * 3600)
    assert.same({ 0, 60, 180, 420, 900, 1860, 3780, 7380, 10980 }, asked())
    assert.equal(1, #place:told "parked")
    assert.equal("payment_required", place:told "parked"[1].code)
    assert.matches("^the account %d+ is refused, and asked for again later: ", place:told "parked"[1].message)
    assert.equal(2, #place.errors) -- the look that failed, and that it is parked
    assert.equal("payment_required", place.bot.parked.kind)
    assert.same({ nil, "parked" }, { place.bot:health() })
  end)

  it("is parked once, however many calls are refused", function()
    for _ = 1, 2 do account.heed(place.bot, { kind = "payment_required", message = "no tariff" }) end
    assert.equal(1, #place:told "parked")
  end)

  it("is parked where its credentials are, too", function()
    poll(10)
    seller().client_secret = "another-dummy-secret"
    place.box:expire_tokens()
    poll(30)
    assert.equal("auth", place.bot.parked.kind)
  end)

  it("is served again as soon as that is found, and what was written meanwhile is answered", function()
    poll(10)
    seller().tariff = false
    poll(10)
    local chat = place:says "Торг есть?"
    seller().tariff = true
    poll(120)
    assert.same({ "buyer: Торг есть?", "bot: Торг при осмотре." }, place:conversation(chat))
    assert.equal(1, #place:told "unparked")
    assert.is_nil(place.bot.parked)
    assert.is_true(place.bot:health())
  end)

  it("is asked for at once by whom is told that it was mended: a reload, a new start", function()
    poll(10)
    seller().tariff = false
    poll(100)
    place:at(10, function()
      seller().tariff = true
      place.bot:reload()
    end)
    poll(20)
    assert.is_nil(place.bot.parked)
    seller().tariff = false
    poll(1000)
    seller().tariff = true
    poll(1)
    assert.is_nil(place.bot.parked)
  end)

  it("is parked by a reply that is refused, which is held, and said when it is served again", function()
    poll(10)
    local chat, other = place:says "Торг есть?", nil
    place:before("POST .*/messages$", function() seller().tariff = false end)
    poll(10)
    assert.equal("payment_required", place.bot.parked.kind)
    assert.equal("queued", place.bot.lanes:chat(chat).outbox[1].state)
    place:at(5, function() -- a webhook came
      other = place:says { text = "А доставка?", buyer = 200000002 }
      place.bot.lanes:receive { { chat_id = other, key = "m-1", kind = "event", body = [[{"type":"wake"}]] } }
    end)
    poll(40)
    assert.equal(1, place.bot.store:stats(ACCOUNT, place.driver:time()).inbox)
    assert.equal(1, #place:requests "send_message")
    seller().tariff = true
    poll(700)
    assert.same({ "buyer: Торг есть?", "bot: Торг при осмотре." }, place:conversation(chat))
    assert.same({ "buyer: А доставка?", "bot: Отправлю завтра." }, place:conversation(other))
  end)

  it("stays parked where nobody answers or the server fails, and is not where it is answered otherwise", function()
    poll(10)
    seller().tariff = false
    poll(10)
    seller().tariff = true
    place.box:fault { operation = "get_chats", kind = "close", times = 3 } -- with the client's repeats
    poll(70)
    assert.equal("payment_required", place.bot.parked.kind)
    place.box:fault { operation = "get_chats", kind = "status", status = 500, times = 3 }
    poll(120)
    assert.equal("payment_required", place.bot.parked.kind)
    local fault = place.box:fault { operation = "get_chats", kind = "status", status = 403 }
    poll(600)
    assert.equal(1, fault.struck)
    assert.is_nil(place.bot.parked)
  end)
end)

describe("a bot remembers what it began with", function()
  local store, box, now

  before_each(function()
    store, box, now = avito.memory_store(), shop.sandbox(), 1767225600
  end)
  after_each(function() store:close() end)

  --- Another start, so many seconds after the last.
  local function start(seconds, given)
    now = now + seconds
    box:see(now)
    local options = { box = box, store = store, driver = { now = now } }
    for name, value in pairs(given or {}) do options[name] = value end
    return shop.open(options)
  end

  local function poll(place, given)
    given = given or {}
    given.interval, given.seconds = 5, given.seconds or 30
    place.bot:poll(given)
    now = place.driver:time()
  end

  local function sends() return #box:sends() end

  it("and answers what came while it was not there, also what was read, and nothing from before its first start", function()
    start(0):says "Торг есть?"
    poll(start(60))
    assert.equal(0, sends())
    start(600):says { text = "Торг есть?", buyer = 200000002, read = true }
    local place = start(60)
    place:says { text = "Ау", buyer = 200000002 }
    poll(place)
    assert.equal(1, sends())
    assert.equal("1767225660", (store:cursor(ACCOUNT, "since")))
    assert.equal("1767225660", (store:cursor(ACCOUNT, "started")))
  end)

  it("but not of what is older than a day", function()
    poll(start(0))
    start(600):says "Торг есть?"
    poll(start(DAY - 60))
    assert.equal(1, sends())
    start(600):says { text = "Торг есть?", buyer = 200000002 }
    poll(start(DAY + 60))
    assert.equal(1, sends())
  end)

  it("and looks further back where it is told to", function()
    poll(start(0))
    start(600):says "Торг есть?"
    poll(start(3 * DAY), { backlog = "1w" })
    assert.equal(1, sends())
  end)

  it("and answers where its clock is behind at a start", function()
    poll(start(0))
    start(600):says "Торг есть?"
    poll(start(-3600))
    assert.equal(1, sends())
  end)

  it("and counts from now on where its clock was ahead at its first start", function()
    poll(start(3600))
    local place = start(-3600)
    place:at(7, function()
      place:says { text = "Торг есть?", read = true }
      place:says "Ау"
    end)
    poll(place)
    assert.equal(1, sends())
  end)

  for _, name in ipairs { "since", "started" } do
    it(("and begins nothing anew when the store refuses to tell '%s'"):format(name), function()
      poll(start(0))
      local cursor, refused = store.cursor, 0
      function store:cursor(of, wanted)
        if wanted ~= name or refused == 3 then return cursor(self, of, wanted) end
        refused = refused + 1
        return nil, problem.make("io", "the disk failed")
      end
      start(600):says "Торг есть?"
      local place = start(60)
      poll(place, { seconds = 300 })
      assert.equal(3, refused)
      assert.equal("1767225600", (cursor(store, ACCOUNT, "since")))
      assert.equal(1, sends())
    end)
  end

  it("and says nothing before the store has told it", function()
    local place = start(0)
    poll(place)
    local chat = place:says "Торг есть?"
    assert(store:receive(ACCOUNT, { { chat_id = chat, key = "pause", kind = "event", body = [[{"type":"wake"}]] } }))
    local cursor, ends = store.cursor, now + 100
    place = start(60, { user_id = shop.user_id })
    function store:cursor(...)
      if place.driver:time() < ends then return nil, problem.make("busy", "another process writes") end
      return cursor(self, ...)
    end
    local claimed
    function store:claim(...)
      claimed = claimed or place.driver:time()
      return getmetatable(self).claim(self, ...)
    end
    assert.same({ nil, "starting" }, { place.bot:health() })
    poll(place, { seconds = 300 })
    assert.is_true(claimed >= ends)
    assert.equal(1, sends())
  end)
end)
