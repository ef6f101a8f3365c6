local avito = require "avito_messenger"
local market = require "avito_messenger.yandex_market"
local notifications = require "avito_messenger.yandex_market.notifications"

local BUSINESS, KEY = 880042, "dummy-api-key"
local SECRET = ("x"):rep(16)

describe("a bot at the sandbox's Yandex Market", function()
  local box, bot, driver, errors, notes

  local function open(yandex_market, client)
    yandex_market.businesses = { { business_id = BUSINESS, api_key = KEY, name = "Магазин" } }
    yandex_market.orders, yandex_market.returns, yandex_market.chats = {}, {}, {}
    box = avito.sandbox { yandex_market = yandex_market }
    driver, errors, notes = box:driver(), {}, {}
    local given = { api_key = KEY, business_id = BUSINESS, io = driver }
    for name, value in pairs(client or {}) do given[name] = value end
    bot = avito.bot { client = market.client(given), rulebook = { burst = "2s",
      { "торг", hears = "торг*", say = "{buyer.name|Покупатель}, торг по заказу {order.id|—} при осмотре." },
      { "фото", hears = "фото*", image = "examples/phone.png" },
      { "доставка", hears = "доставк*", say = "Отправлю завтра." } },
      on_error = function(note) errors[#errors + 1] = note.message end,
      on_event = function(note) notes[note.kind] = (notes[note.kind] or 0) + 1 end }
    bot:poll { rounds = 1 }
  end

  local function says(text, more)
    local spec = { order_id = 9001, business = BUSINESS, text = text }
    for name, value in pairs(more or {}) do spec[name] = value end
    return box:say(spec).chat_id
  end

  local function sent()
    local texts = {}
    for i, one in ipairs(box:sends()) do texts[i] = one.text or one.type end
    return texts
  end

  it("answers once, in whatever order lists come and whatever the ids are", function()
    for _, order in ipairs { "newest", "oldest" } do
      for _, paging in ipairs { "exact", "trailing", "repeat" } do
        for _, wide in ipairs { false, true } do
          open { chats_order = order, history_order = order, paging = paging, wide_ids = wide }
          says "Добрый день"
          says "Торг есть?"
          says("Доставка?", { order_id = 9002 })
          bot:poll { interval = 5, seconds = 40 }
          local texts = sent()
          table.sort(texts)
          assert.equal("Отправлю завтра.", texts[1])
          assert.matches("торг по заказу 9001 при осмотре", texts[2])
          assert.equal(2, #texts)
          assert.same({}, errors)
          assert.is_nil(notes.human)
        end
      end
    end
  end)

  it("sends a picture, and knows it for its own", function()
    open {}
    says "Фото?"
    bot:poll { interval = 5, seconds = 40 }
    assert.equal(1, #box:sends())
    assert.is_nil(notes.human)
    assert.same({}, errors)
  end)

  it("answers what it is notified of", function()
    open {}
    local hook = notifications.new { path_secret = SECRET }
    box:notify { business_id = BUSINESS, url = "http://127.0.0.1/" .. SECRET }
    local function deliver()
      for _, one in ipairs(box:due()) do
        local answer = hook:answer { method = "POST", path = "/" .. SECRET, headers = {}, body = one.body }
        if answer.rows then assert(bot.store:receive(answer.account, answer.rows)) end
        local status, _, body = hook:reply(answer.outcome, driver:time(), answer.note)
        box:delivered(one.id, { status = status, body = body })
      end
      bot.lanes:told()
    end
    deliver()
    local chat = says "Торг есть?"
    deliver()
    local settings = { began = driver:time(), backlog = 0, rounds = math.huge, seconds = 20 } -- without a look at the chats
    require("avito_messenger.bot.run").loop(bot, settings)
    assert.equal(1, #box:sends())
    deliver() -- its own words, too
    box:dispute { chat_id = chat }
    deliver()
    says "Доставка?"
    deliver()
    require("avito_messenger.bot.run").loop(bot, settings)
    assert.equal(1, #box:sends())
    assert.same({ nil, 1 }, { notes.human, notes.escalated })
    assert.same({}, errors)
  end)
end)
