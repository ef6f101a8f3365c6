local exposition = require "support.exposition"
local metrics = require "avito_messenger.bot.metrics"
local shop = require "support.shop"

describe("the metrics of a bot", function()
  local now, m, place

  before_each(function()
    now = 1767225600
    m = metrics.new(function() return now end)
  end)

  --- A bot that is counted.
  local function open(given)
    given = given or {}
    given.on_event = function(note) m:note(note) end
    given.client = given.client or {}
    given.client.on_event = function(event) m:event(event) end
    place = shop.open(given)
  end

  local function value(name, labels, extra)
    return exposition.value(m:text(now, extra), "avito_bot_" .. name, labels)
  end

  it("are all there before anything has happened, at 0", function()
    local families = exposition.read(m:text(now))
    for _, name in ipairs { "messages", "messages_dropped", "human_takeovers", "escalations", "errors", "polls", "poll_failures",
      "stalls", "fenced", "recovered", "api_forbidden", "api_payment_required", "withdrawn", "subscriptions" } do
      assert.equal(0, families["avito_bot_" .. name .. "_total"].samples[1].value, name)
    end
    for name, labels in pairs { replies_total = { result = "rejected" }, parked = { reason = "auth" },
      turns_total = { handled = "false" }, webhooks_total = { outcome = "message" } } do
      assert.equal(0, value(name, labels), name)
    end
    assert.is_nil(value "last_poll_timestamp_seconds") -- not 1970
  end)

  it("say the version, the account and the bot's clock", function()
    assert.equal(1, value("info", { version = require("avito_messenger")._VERSION, account = "94235311" }, { account = 94235311 }))
    assert.equal(1, value("info", { version = require("avito_messenger")._VERSION, account = "" }))
    assert.equal(now, value "clock_seconds")
  end)

  it("of several bots are one page", function()
    local other = metrics.new(function() return now + 1 end, function() return { account = "somebody", lanes = 2 } end)
    m:note { kind = "poll" }
    local page = metrics.page({ m, other }, { "1", "yandex_market:2" })
    local function of(name, account) return exposition.value(page, "avito_bot_" .. name, { account = account }) end
    assert.same({ 1, 0 }, { of("polls_total", "1"), of("polls_total", "yandex_market:2") })
    assert.same({ now, now + 1 }, { of("clock_seconds", "1"), of("clock_seconds", "yandex_market:2") })
    assert.same({ nil, 2 }, { of("lanes", "1"), of("lanes", "yandex_market:2") })
    local version = require("avito_messenger")._VERSION
    for _, account in ipairs { "1", "yandex_market:2" } do
      assert.equal(1, exposition.value(page, "avito_bot_info", { version = version, account = account }))
    end
  end)

  it("count a bot's day", function()
    open()
    local chat = place:says "Торг есть?"
    place.bot:poll { interval = 5, seconds = 30 }
    place:writes(chat, "Это я")
    place:says "А доставка?"
    place.bot:poll { interval = 5, seconds = 30 }
    assert.equal(1, value("rule_fired_total", { rule = "торг" }))
    assert.equal(1, value("replies_total", { result = "confirmed" }))
    assert.equal(0, value("replies_total", { result = "rejected" }))
    assert.equal(1, value("turns_total", { handled = "true" }))
    assert.equal(1, value "human_takeovers_total")
    assert.equal(#place:told "poll", value "polls_total")
    assert.equal(now, value "last_poll_timestamp_seconds")
    assert.equal(#place:requests "get_chats", value("api_requests_total", { endpoint = "get_chats", status = "2xx" }))
    assert.equal(1, value("api_requests_total", { endpoint = "token", status = "2xx" }))
    assert.equal(1, value("api_request_seconds_count", { endpoint = "send_message" }))
    assert.equal(0, value "errors_total")
  end)

  it("tell the replies that were refused", function()
    open()
    place.box:fault { kind = "status", status = 403, operation = "send_message" }
    place:says "Торг есть?"
    place.bot:poll { interval = 5, seconds = 30 }
    assert.equal(1, value("replies_total", { result = "rejected" }))
    assert.equal(0, value("replies_total", { result = "confirmed" }))
    assert.equal(1, value "errors_total")
    assert.equal(1, value "api_forbidden_total")
    assert.equal(1, value("api_requests_total", { endpoint = "send_message", status = "4xx" }))
  end)

  it("tell the replies of which it is not known", function()
    open { rulebook = { unclear = "hold", burst = "3s", { "торг", hears = "торг*", say = "Торг при осмотре." } } }
    place.box:fault { kind = "hang", operation = "send_message" }
    place:says "Торг есть?"
    place.bot:poll { interval = 5, seconds = 120 }
    assert.equal(1, value("replies_total", { result = "unknown" }))
    assert.equal(1, value("api_requests_total", { endpoint = "send_message", status = "timeout" }))
    local families = exposition.read(m:text(now))
    assert.is_not_nil(families.avito_bot_api_request_seconds)
    assert.equal(0, value("api_request_seconds_bucket", { endpoint = "send_message", le = "5" }))
    assert.equal(10, value("api_request_seconds_sum", { endpoint = "send_message" }))
  end)

  it("do not take an account that has to pay for a reply that was refused", function()
    open()
    place.box:fault { kind = "status", status = 402, operation = "send_message" }
    place:says "Торг есть?"
    place.bot:poll { interval = 5, seconds = 30 }
    assert.equal(0, value("replies_total", { result = "rejected" }))
    assert.equal(1, value "api_payment_required_total")
  end)

  it("count looks that fail, and requests that are repeated", function()
    open()
    place.box:fault { kind = "status", status = 500, operation = "get_chats", times = 100 }
    place.bot:poll { interval = 5, rounds = 1 }
    assert.equal(1, value "poll_failures_total")
    assert.equal(0, value "polls_total")
    assert.equal(2, value("api_retries_total", { endpoint = "get_chats" }))
    assert.equal(3, value("api_requests_total", { endpoint = "get_chats", status = "5xx" }))
  end)

  it("count what was taken back", function()
    open { rulebook = { burst = "0s", { "торг", hears = "торг*", say = "Торг при осмотре.", delay = "1m" } } }
    local chat = place:says "Торг есть?"
    place:at(20, function() place:writes(chat, "Уступлю") end)
    place:at(21, function() place:says "Ага" end)
    place.bot:poll { interval = 5, seconds = 50 }
    assert.equal(place:told("human")[1].withdrawn, value "withdrawn_total")
    assert.is_true(value "withdrawn_total" > 0)
    assert.equal(0, value("replies_total", { result = "confirmed" }))
  end)

  it("begin at 0 where something may be raised for the first of them", function()
    for _, code in ipairs { "full", "io", "busy", "readonly", "damaged" } do
      assert.equal(0, value("store_errors_total", { code = code }))
    end
  end)

  it("count every other note there is", function()
    local notes = {
      { "webhooks_total", { outcome = "not_found" }, { kind = "webhook", outcome = "not_found", count = 3 }, 3 },
      { "messages_total", nil, { kind = "taken", count = 2, chat_id = "c" }, 2 },
      { "messages_dropped_total", nil, { kind = "dropped", why = "it was taken before" } },
      { "escalations_total", nil, { kind = "escalated" } },
      { "floods_total", nil, { kind = "flood" } },
      { "stalls_total", nil, { kind = "stall", seconds = 60 } },
      { "subscriptions_total", nil, { kind = "subscribed", again = false } },
      { "store_errors_total", { code = "full" }, { kind = "store", code = "full" } },
      { "fenced_total", nil, { kind = "fenced" } },
      { "recovered_total", nil, { kind = "recovered" } },
      { "errors_total", nil, { kind = "error", message = "x" } },
    }
    for _, row in ipairs(notes) do
      m:note(row[3])
      assert.equal(row[4] or 1, value(row[1], row[2]), row[1])
    end
    m:note { kind = "done", effect = "read" }
    assert.equal(0, value("replies_total", { result = "confirmed" })) -- no buyer reads that
    m:note { kind = "done", effect = "image" }
    assert.equal(1, value("replies_total", { result = "confirmed" }))
    local events = {
      { "api_paced_total", { endpoint = "get_chats" }, { type = "pace", endpoint = "get_chats", seconds = 1 } },
      { "token_store_failures_total", nil, { type = "token_store", message = "x" } },
      { "api_requests_total", { endpoint = "get_self", status = "network" }, { type = "request", endpoint = "get_chats",
        purpose = "self", error = "network", seconds = 0.1 } },
    }
    for _, row in ipairs(events) do
      m:event(row[3])
      assert.equal(1, value(row[1], row[2]), row[1])
    end
    local before = m:text(now)
    m:note { kind = "new" }
    m:event { type = "newer" }
    assert.equal(before, m:text(now))
  end)

  it("show what the store knows, as long as it is told", function()
    local extra = { lanes = 3, stats = { inbox = 5, oldest = 1.5, outbox = { queued = 2, latched = 1, unknown = 0 }, chats = 7 } }
    assert.equal(5, value("inbox_waiting", nil, extra))
    assert.equal(1.5, value("inbox_oldest_seconds", nil, extra))
    assert.equal(2, value("outbox", { state = "queued" }, extra))
    assert.equal(0, value("outbox", { state = "unknown" }, extra))
    assert.equal(7, value("chats", nil, extra))
    assert.equal(3, value("lanes", nil, extra))
    extra.stats.oldest = nil
    assert.equal(0, value("inbox_oldest_seconds", nil, extra))
    for _, name in ipairs { "inbox_waiting", "inbox_oldest_seconds", "chats", "lanes" } do assert.is_nil(value(name)) end
    assert.is_nil(value("outbox", { state = "queued" })) -- a store that fails has no numbers, rather than old ones
  end)

  it("ask for what they are not told", function()
    m = metrics.new(function() return 5 end, function() return { lanes = 2 } end)
    assert.equal(2, exposition.value(m:text(), "avito_bot_lanes"))
    assert.equal(5, exposition.value(m:text(), "avito_bot_clock_seconds"))
    assert.equal(3, value("lanes", nil, { lanes = 3 }))
  end)

  it("are shared by processes, and lose nothing where there is no room", function()
    local sums, full = {}, false
    local counters = { add = function(_, key, amount)
      if full then return nil, "no room" end
      sums[key] = (sums[key] or 0) + amount
      return true
    end }
    local other = metrics.new(function() return now end)
    m:note { kind = "human", withdrawn = 2 }
    assert.is_true(m:share(counters))
    full = true
    m:note { kind = "human", withdrawn = 1 }
    m:event { type = "request", endpoint = "get_chats", status = 200, seconds = 0.1 }
    assert.same({ nil, "no room" }, { m:share(counters) })
    full = false
    other:note { kind = "human" }
    assert.is_true(m:share(counters))
    assert.is_true(other:share(counters))
    assert.is_true(m:share(counters)) -- nothing new
    local text = other:text(now, { last_poll = 5, stats = { inbox = 3, outbox = {}, chats = 1 } }, sums)
    local function shown(name, labels) return exposition.value(text, "avito_bot_" .. name, labels) end
    assert.equal(3, shown "human_takeovers_total")
    assert.equal(3, shown "withdrawn_total")
    assert.equal(1, shown("api_request_seconds_count", { endpoint = "get_chats" }))
    assert.equal(3, shown "inbox_waiting")
    assert.equal(5, shown "last_poll_timestamp_seconds")
    assert.equal(0, shown "errors_total")
  end)

  it("show why the account is parked, and that it is no more", function()
    local function parked(reason, why) return value("parked", { reason = reason }, { parked = why }) end
    assert.equal(1, parked("payment_required", "payment_required"))
    assert.equal(0, parked("auth", "payment_required"))
    assert.equal(0, parked("payment_required", "auth"))
    assert.equal(0, parked("auth", nil))
    assert.equal(1, parked("other", "other"))
    assert.equal(0, parked("other", nil))
  end)

  it("stay bounded, however many rules there are", function()
    for i = 1, 3000 do m:note { kind = "fired", rule = "rule " .. i } end
    assert.is_true(#m:text(now) < 100000)
    assert.is_true(value("rule_fired_total", { rule = "(other)" }) > 2000)
  end)
end)
