local blame = require "support.blame"
local json = require "avito_messenger.json"
local notifications = require "avito_messenger.yandex_market.notifications"

local SECRET = "dummy-path-secret~._"
local VERSION = require("avito_messenger")._VERSION
local MESSAGE = '{"notificationType":"CHAT_MESSAGE_SENT","businessId":123,"chatId":456,"messageId":"789",'
  .. '"sentAt":"2017-11-21T00:00:00.213Z"}'

describe("notifications of Yandex Market", function()
  local function post(body, more)
    local request = { method = "POST", path = "/" .. SECRET, headers = {}, body = body }
    for name, value in pairs(more or {}) do request[name] = value end
    return request
  end

  local function make(more)
    local given = { path_secret = SECRET }
    for name, value in pairs(more or {}) do given[name] = value end
    return notifications.new(given)
  end

  local function answer(request, more) return make(more):answer(request) end

  local function body_of(kind, fields)
    local parts = { ('"notificationType":"%s"'):format(kind) }
    for name, value in pairs(fields) do parts[#parts + 1] = ('"%s":%s'):format(name, value) end
    return "{" .. table.concat(parts, ",") .. "}"
  end

  -- A message with other members; false takes one out.
  local function with(changes)
    local fields = { businessId = "123", chatId = "456", messageId = '"789"', sentAt = '"2017-11-21T00:00:00Z"' }
    for name, value in pairs(changes) do fields[name] = value or nil end
    return body_of("CHAT_MESSAGE_SENT", fields)
  end

  local function refused(body, note)
    local got = answer(post(body))
    assert.same({ status = 400, outcome = "bad_request", note = note or got.note }, got, body)
    local event, why = notifications.event(body)
    assert.is_nil(event)
    assert.equal(got.note, why)
  end

  local function row_of(body)
    local got = answer(post(body))
    assert.same({ "message", 200, "yandex_market:123", 1 }, { got.outcome, got.status, got.account, got.rows and #got.rows }, body)
    assert.same({ "yandex_market", body, "456" }, { got.rows[1].kind, got.rows[1].body, got.rows[1].chat_id })
    return got.rows[1].key
  end

  it("bring a message, whose row is another than that of the same message from the history", function()
    assert.equal("told/456/789", row_of(MESSAGE))
    assert.equal("456/789", notifications.key({ id = "789" }, "456"))
    assert.same({ type = "told", id = "789", chat_id = "456", sent = 1511222400.213 }, notifications.event(MESSAGE))
    assert.equal("told/456/789", row_of(with { messageId = "789" }))
  end)

  it("are taken with what the contract calls their path behind the address, too", function()
    for path, outcome in pairs { ["/" .. SECRET .. "/notification"] = "message", ["/" .. SECRET .. "/notification?x=1"] = "message",
      ["/" .. SECRET .. "/"] = "not_found", ["/" .. SECRET .. "/notifications"] = "not_found", ["/notification"] = "not_found" } do
      assert.equal(outcome, answer(post(MESSAGE, { path = path })).outcome, path)
    end
  end)

  it("bring a message also where its time is none", function()
    for _, sent in ipairs { false, '"yesterday"', "5", "null" } do
      local body = with { sentAt = sent }
      assert.equal("told/456/789", row_of(body))
      assert.same({ type = "told", id = "789", chat_id = "456" }, notifications.event(body))
    end
  end)

  it("bring a new chat", function()
    local body = body_of("CHAT_CREATED", { businessId = "123", chatId = "456", createdAt = '"2017-11-21T00:00:00Z"' })
    assert.equal("created/456", row_of(body))
    assert.same({ type = "created", chat_id = "456" }, notifications.event(body))
  end)

  it("bring a dispute's beginning and its end", function()
    local at = '"2017-11-21T00:00:00Z"'
    local body = body_of("CHAT_ARBITRAGE_STARTED", { businessId = "123", chatId = "456", startedAt = at })
    assert.equal("dispute/456/2017-11-21T00:00:00Z", row_of(body))
    assert.same({ type = "dispute", chat_id = "456", open = true, at = 1511222400 }, notifications.event(body))
    body = body_of("CHAT_ARBITRAGE_FINISHED", { businessId = "123", chatId = "456", finishedAt = at })
    assert.equal("dispute/456/2017-11-21T00:00:00Z/finished", row_of(body))
    assert.same({ type = "dispute", chat_id = "456", open = false, at = 1511222400 }, notifications.event(body))
    refused(body_of("CHAT_ARBITRAGE_STARTED", { businessId = "123", chatId = "456", finishedAt = at }),
      "startedAt must be a string")
    refused(body_of("CHAT_ARBITRAGE_FINISHED", { businessId = "123", chatId = "456" }), "finishedAt must be a string")
  end)

  it("have ids of 64 bits with all their digits", function()
    for _, id in ipairs { "9223372036854775807", "9007199254740993", "1" } do
      for _, quote in ipairs { "", '"' } do
        local body = with { businessId = quote .. id .. quote, chatId = quote .. id .. quote, messageId = quote .. id .. quote }
        local got = answer(post(body))
        assert.equal("yandex_market:" .. id, got.account)
        assert.same({ id, ("told/%s/%s"):format(id, id) }, { got.rows[1].chat_id, got.rows[1].key })
        assert.same({ id, id }, { notifications.event(body).id, notifications.event(body).chat_id })
      end
    end
    assert.equal("yandex_market:123", notifications.account(123))
  end)

  it("are a trial, of any account", function()
    for _, body in ipairs { '{"notificationType":"PING","time":"2017-11-21T00:00:00.213Z"}', '{"notificationType":"PING"}' } do
      assert.same({ status = 200, outcome = "probe" }, answer(post(body)))
      assert.same({ nil, "it is a trial" }, { notifications.event(body) })
    end
  end)

  it("of other kinds are ignored", function()
    for _, kind in ipairs { "ORDER_CREATED", "GOODS_FEEDBACK_CREATED", "QUESTION_CREATED", "CHAT_SOMETHING_NEW" } do
      assert.same({ status = 200, outcome = "ignored", note = "type " .. kind }, answer(post(body_of(kind, {}))))
    end
    assert.equal("type a?b?" .. ("x"):rep(60), answer(post(body_of("a\\nb<" .. ("x"):rep(1000), {}))).note)
  end)

  describe("are refused", function()
    it("where they are no JSON object, or have no type", function()
      for _, body in ipairs { "", "[]", "null", "5", "{", MESSAGE .. "\0", "{}{}", '{"a":"\255"}' } do refused(body) end
      for _, body in ipairs { "{}", '{"notificationType":5}', '{"notificationType":""}', '{"notificationType":null}',
        '{"notificationType":["PING"]}' } do
        refused(body, "notificationType must be a string")
      end
    end)

    it("where their ids are none", function()
      for _, name in ipairs { "businessId", "chatId", "messageId" } do
        for _, odd in ipairs { false, "null", "0", "-1", "1.5", "true", "[1]", '""', '"007"', '"1x"', '"-5"', "1e300",
          '"9223372036854775808"', "9223372036854775808", '"92233720368547758070"' } do
          refused(with { [name] = odd }, name .. " must be a positive integer")
        end
      end
    end)

    it("at other paths, before anything else is looked at", function()
      for _, path in ipairs { "/", "/" .. SECRET .. "x", "/hooks/" .. SECRET } do
        assert.same({ status = 404, outcome = "not_found" }, answer({ method = "GET", path = path, body = ("x"):rep(70000) },
          { ranges = true }))
      end
      assert.equal("message", answer(post(MESSAGE, { path = "/hooks/" .. SECRET .. "?a=b" }), { path = "/hooks" }).outcome)
    end)

    it("by other methods, and where they are too large", function()
      assert.same({ status = 405, outcome = "method" }, answer(post(MESSAGE, { method = "GET" })))
      assert.same({ status = 413, outcome = "too_large" }, answer(post((" "):rep(65537))))
    end)
  end)

  describe("of senders", function()
    local function outcome(peer, more, headers)
      return answer(post(MESSAGE, { peer = peer, headers = headers }), more).outcome
    end

    it("that are not the marketplace's are refused, where that is asked for", function()
      assert.equal("message", outcome "10.0.0.1")
      assert.equal("sender", outcome("10.0.0.1", { ranges = true }))
      for _, peer in ipairs { "5.45.207.0", "5.45.207.127", "141.8.142.5", "5.255.253.127", "::ffff:141.8.142.5" } do
        assert.equal("message", outcome(peer, { ranges = true }))
      end
      for _, peer in ipairs { "5.45.207.128", "141.8.143.0", "2a02:6b8::1", "unix:", false } do
        assert.equal("sender", outcome(peer or nil, { ranges = true }))
      end
      assert.equal("message", outcome("10.0.0.1", { ranges = { "10.0.0.0/8" } }))
      assert.equal("sender", outcome("5.45.207.1", { ranges = { "10.0.0.0/8" } }))
    end)

    it("are refused before their request is looked at", function()
      assert.same({ status = 403, outcome = "sender", note = "from 10.0.0.1" },
        answer({ method = "GET", path = "/" .. SECRET, peer = "10.0.0.1" }, { ranges = true }))
    end)

    it("are named to the seller when they are refused", function()
      local by_header = { ranges = true, address_header = "X-Real-IP" }
      local function note(more, address) return answer(post(MESSAGE, { headers = { ["x-real-ip"] = address } }), more).note end
      assert.equal("no address", note { ranges = true })
      assert.equal("no address in the header x-real-ip", note(by_header))
      assert.equal("from 1.2.3.4", note(by_header, "1.2.3.4"))
      assert.equal("from " .. ("a"):rep(45), note(by_header, ("a"):rep(5000)))
    end)

    it("may be told by a header, of which the nearest proxy wrote the end", function()
      local given = { ranges = true, address_header = "X-Forwarded-For" }
      local function by(text) return outcome("10.0.0.1", given, { ["x-forwarded-for"] = text }) end
      assert.equal("message", by "5.45.207.1")
      assert.equal("message", by "1.2.3.4, 5.45.207.1 ")
      assert.equal("sender", by "5.45.207.1, 1.2.3.4")
      assert.equal("sender", by "")
      assert.equal("sender", by(nil))
      assert.equal("sender", outcome("5.45.207.1", given, nil))
    end)
  end)

  describe("are told", function()
    local function reply(outcome, more, note) return make(more):reply(outcome, 1511222400.213, note) end

    local function is_taken(...)
      local status, kind, body, headers = ...
      assert.same({ 200, "application/json; charset=utf-8", nil }, { status, kind, headers })
      assert.same({ version = VERSION, name = "avito-messenger", time = "2017-11-21T00:00:00.213Z" }, json.decode(body))
    end

    it("who took them, and when", function()
      for _, outcome in ipairs { "message", "probe", "ignored", "foreign", "known" } do is_taken(reply(outcome)) end
      is_taken(reply("known", { duplicates = "ok" }))
    end)

    it("what is wrong", function()
      for outcome, row in pairs { bad_request = { 400, "WRONG_EVENT_FORMAT", 'chatId "must"', 'chatId "must"' },
        too_large = { 413, "WRONG_EVENT_FORMAT", nil, "too large" }, unavailable = { 500, "UNKNOWN", nil, "try again" },
        failed = { 500, "UNKNOWN", nil, "internal error" } } do
        local status, kind, body = reply(outcome, nil, row[3])
        assert.same({ row[1], "application/json; charset=utf-8" }, { status, kind })
        assert.same({ error = { type = row[2], message = row[4] } }, json.decode(body))
      end
    end)

    it("that they came before, where that is asked for", function()
      local status, _, body = reply("known", { duplicates = "error" })
      assert.equal(400, status)
      assert.same({ error = { type = "DUPLICATED_EVENT", message = "it came before" } }, json.decode(body))
      is_taken(reply("message", { duplicates = "error" }))
    end)

    it("nothing where they are not the marketplace's", function()
      assert.same({ 404, "text/plain; charset=utf-8", "not found\n" }, { reply "not_found" })
      assert.same({ 403, "text/plain; charset=utf-8", "forbidden\n" }, { reply "sender" })
      assert.same({ 405, "text/plain; charset=utf-8", "method not allowed\n", { Allow = "POST" } }, { reply "method" })
    end)
  end)

  it("may take their store longer than those of Avito", function()
    assert.equal(5, make():patience(0))
    assert.equal(3, make():patience(6))
    assert.equal(0.1, make():patience(20))
    assert.equal(5, make():deadline())
  end)

  it("show no secret", function()
    local hook = make { ranges = true }
    assert.equal("yandex_market.notifications (bodies up to 65536 bytes)", tostring(hook))
    for _, value in pairs(hook) do assert.equal("number", type(value)) end
  end)

  it("raise for options that they cannot take", function()
    for text, given in pairs {
      ["path_secret is missing"] = { path_secret = false },
      ["path_secret must be 16 characters or more"] = { path_secret = "short" },
      ["did you mean 'ranges'?"] = { range = true },
      ["signature"] = { signature = { key = "k" } },
      ['duplicates must be "ok" or "error"'] = { duplicates = "no" },
      ["ranges: 5.45.207.1/25 is no range"] = { ranges = { "5.45.207.1/25" } },
      ["ranges must not be empty"] = { ranges = {} },
      ["address_header is no name of a header"] = { ranges = true, address_header = "a b" },
      ["address_header is for ranges: give ranges = true as well"] = { address_header = "X-Real-IP" },
    } do
      local all = { path_secret = SECRET }
      for name, value in pairs(given) do all[name] = value or nil end
      local message = blame(function() notifications.new(all) end)
      assert.is_truthy(message:find("yandex_market.notifications: ", 1, true), message)
      assert.is_truthy(message:find(text, 1, true), message)
      assert.is_nil(message:find(SECRET, 1, true))
    end
  end)
end)
