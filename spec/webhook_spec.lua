local blame = require "support.blame"
local core = require "avito_messenger.core"
local digits = require "avito_messenger.digits"
local json = require "avito_messenger.json"
local support = require "support.sandbox"
local webhook = require "avito_messenger.webhook"

local SECRET = "dummy-path-secret~._"
local VALUE = { id = "c1348bb968650a00e693d87e0e5e0000", chat_id = "u2i-YvRiaEtf8Qn~N4sh3mMAAA", user_id = 100000001,
  author_id = 200000002, created = 1706865998, type = "text", chat_type = "u2i", content = { text = "Торг есть?" },
  item_id = 4098549657, published_at = "2025-08-11T12:44:44Z" }

local function body_of(value, payload, more)
  local whole = { id = "d8e51513", version = "v3.0.0", timestamp = 1706865998,
    payload = payload or { type = "message", value = value } }
  for name, member in pairs(more or {}) do whole[name] = member end
  return assert(json.encode(whole))
end

-- The message with other members; json.null() takes one out.
local function with(changes)
  local value = {}
  for name, member in pairs(VALUE) do value[name] = member end
  for name, member in pairs(changes) do value[name] = member end
  return body_of(value)
end

local BODY = body_of(VALUE)

describe("webhook", function()
  local function post(body, more)
    local request = { method = "POST", path = "/" .. SECRET, headers = {}, body = body }
    for name, value in pairs(more or {}) do request[name] = value end
    return request
  end

  local function answer(request, more)
    local given = { path_secret = SECRET }
    for name, value in pairs(more or {}) do given[name] = value end
    return webhook.new(given):answer(request)
  end

  local function outcome(body)
    local got = answer(post(body))
    if got.outcome ~= "message" then assert.is_nil(got.rows) end
    return got.outcome, got.status, got.note
  end

  local function refused(body, note)
    local what, status, why = outcome(body)
    assert.same({ "bad_request", 400 }, { what, status }, body)
    if note then assert.equal(note, why) end
    local event, problem = webhook.event(body)
    assert.is_nil(event)
    assert.equal(why, problem)
  end

  describe("takes", function()
    it("a message, to be stored as it came", function()
      assert.same({ status = 200, outcome = "message", account = "100000001",
        rows = { { chat_id = VALUE.chat_id, key = VALUE.id, kind = "avito", body = BODY } } }, answer(post(BODY)))
    end)

    it("its deletion beside it", function()
      local body = with { type = "deleted", content = json.null() }
      assert.equal(VALUE.id .. "/deleted", answer(post(body)).rows[1].key)
      assert.equal("deleted", webhook.event(body).message.type)
    end)

    it("its own words, for the engine to tell", function()
      assert.equal("message", outcome(with { author_id = VALUE.user_id }))
    end)

    it("types, members and kinds of chats nobody knows", function()
      local body = with { type = "hologram", content = { beam = { 1, 2 } }, chat_type = "x2y", surprise = { a = 1 } }
      assert.equal("message", outcome(body))
      local event = webhook.event(body)
      assert.equal("hologram", event.message.type)
      assert.same({ beam = { 1, 2 } }, event.message.content)
      assert.equal("x2y", event.chat_type)
      assert.is_nil(event.message.surprise)
      assert.equal("message", outcome(body_of(VALUE, nil, { version = "v3.7.1", more = true })))
      assert.equal("message", outcome(body_of(VALUE, nil, { version = json.null() })))
    end)

    it("a message without an account as the bot's own", function()
      local got = answer(post(with { user_id = json.null() }))
      assert.equal("message", got.outcome)
      assert.is_nil(got.account)
    end)

    it("ids of 64 bits with all their digits", function()
      for _, id in ipairs { "9223372036854775807", "9007199254740993", "4098549657", "-1", "18446744073709551615" } do
        local body = with({ user_id = "@u", author_id = "@a", item_id = "@i" }):gsub('"@[uai]"', id)
        assert.equal(id, answer(post(body)).account)
        local event = webhook.event(body)
        assert.equal(id, digits.text(event.message.author_id))
        assert.equal(id, digits.text(event.item_id))
      end
    end)

    it("ids with odd characters", function()
      for _, id in ipairs { "a/b?c#d%00", "чат", "' OR 1=1 --", "<b>", "a b", "…", ("x"):rep(256), "\\", "{}" } do
        local got = answer(post(with { id = id, chat_id = id }))
        assert.equal(id, got.rows[1].chat_id)
        assert.equal(id, got.rows[1].key)
      end
    end)

    it("members it can do without, whatever they are", function()
      for _, odd in ipairs { true, "x", { 1 } } do
        local event = assert(webhook.event(with { chat_type = { odd }, item_id = odd }))
        assert.is_nil(event.chat_type)
        assert.is_nil(event.item_id)
      end
      assert.equal(4098549657, webhook.event(BODY).item_id)
    end)
  end)

  it("gives a body as an event of the engine", function()
    assert.same({ type = "message", chat_type = "u2i", item_id = 4098549657, message = { id = VALUE.id,
      author_id = 200000002, created = 1706865998, type = "text", content = { text = "Торг есть?" } } },
      webhook.event(BODY))
  end)

  it("takes what the sandbox delivers, and its signature", function()
    local inside = support.inside { webhooks = { probe = false, key = "dummy-key" } }
    inside:api("POST", "/messenger/v3/webhook", { url = "http://127.0.0.1:9/hook" })
    inside.box:say { chat_id = inside:chat().id, text = "Торг есть?" }
    local delivery = inside.box:due(inside.now + 60)[1]
    local headers = {}
    for name, value in pairs(delivery.headers) do headers[name:lower()] = value end
    local got = answer(post(delivery.body, { headers = headers }), { signature = { key = "dummy-key" } })
    assert.same({ "message", tostring(support.user_id) }, { got.outcome, got.account })
    assert.equal("Торг есть?", webhook.event(delivery.body).message.content.text)
  end)

  it("has an answer to whatever comes", function()
    local known = { message = true, bad_request = true, ignored = true }
    for at = 1, #BODY do
      for _, body in ipairs { BODY:sub(1, at - 1), BODY:sub(at), BODY:sub(1, at - 1) .. "\255" .. BODY:sub(at + 1),
        BODY:sub(1, at - 1) .. "0" .. BODY:sub(at + 1), BODY:sub(1, at - 1) .. BODY:sub(at + 1) } do
        if body ~= "" then assert.is_true(known[outcome(body)]) end
      end
    end
  end)

  it("answers the trial of a registration", function()
    for _, body in ipairs { "{}", "", " \r\n{\t} \n", "\n" } do
      assert.same({ status = 200, outcome = "probe" }, answer(post(body)))
      assert.same({ status = 200, outcome = "probe" }, answer(post(body), { signature = { key = "k" } }))
    end
    assert.same({ status = 200, outcome = "probe" }, answer { method = "POST", path = "/" .. SECRET })
  end)

  it("ignores events and versions it does not know", function()
    assert.same({ "ignored", 200, "type typing" }, { outcome(body_of(nil, { type = "typing", value = { 1 } })) })
    assert.same({ "ignored", 200, "version v4.0.0" }, { outcome(body_of(VALUE, nil, { version = "v4.0.0" })) })
    for _, version in ipairs { "v30", "3a", "", "2", 3, true } do
      assert.equal("ignored", (outcome(body_of(VALUE, nil, { version = version }))), tostring(version))
    end
    local _, _, note = outcome(body_of(nil, { type = "a\nb<" .. ("x"):rep(1000) }))
    assert.equal("type a?b?" .. ("x"):rep(60), note)
  end)

  describe("refuses", function()
    it("what is no JSON object", function()
      for _, body in ipairs { "[]", "null", "5", '"{}"', "true", "[{}]", "{", "{}{}", "\0", BODY .. "\0", BODY:sub(1, -2),
        "{'a':1}", "payload=1", '{"a":"\255"}', ('{"a":'):rep(1000) .. "1" .. ("}"):rep(1000), ("["):rep(60000) } do
        refused(body)
      end
      refused("[]", "no JSON object")
      refused('{"a":"SECRET TEXT', "no JSON: unexpected end of the text at byte 18 (line 1)")
    end)

    it("an envelope that is none", function()
      for _, body in ipairs { '{"a":1}', '{"payload":5}', '{"payload":null}', '{"payload":[]}', '{"payload":{}}',
        '{"payload":{"type":5}}', '{"payload":{"type":"message"}}', '{"payload":{"type":"message","value":"x"}}',
        '{"payload":{"type":"message","value":{}}}', '{"payload":{"type":"message","value":[]}}' } do
        refused(body)
      end
    end)

    it("ids nobody could use", function()
      for _, name in ipairs { "id", "chat_id" } do
        refused(with { [name] = json.null() }, "payload.value." .. name .. " must be a string")
        refused(with { [name] = 5 }, "payload.value." .. name .. " must be a string")
        refused(with { [name] = { "x" } }, "payload.value." .. name .. " must be a string")
        for _, odd in ipairs { "", ".", ".." } do refused(with { [name] = odd }, "payload.value." .. name .. " is no id") end
        refused(with { [name] = ("x"):rep(257) }, "payload.value." .. name .. " is longer than 256 bytes")
        for _, odd in ipairs { "a\0b", "a\nb", "\127", "\31" } do
          refused(with { [name] = odd }, "payload.value." .. name .. " holds control characters")
        end
      end
    end)

    it("members of the wrong type", function()
      for _, name in ipairs { "author_id", "created", "type" } do refused(with { [name] = json.null() }) end
      for _, odd in ipairs { 1.5, "x", "1e5", "", ("1"):rep(21), true, { 1 }, 1e300 } do
        refused(with { author_id = odd }, "payload.value.author_id must be an integer")
        refused(with { user_id = odd }, "payload.value.user_id must be an integer")
      end
      for _, odd in ipairs { -1, "x", "1706865998", true, 1e300 } do
        refused(with { created = odd }, "payload.value.created must be a Unix time")
      end
      for _, odd in ipairs { 5, "", true, { "text" } } do
        refused(with { type = odd }, "payload.value.type must be a string")
      end
      for _, odd in ipairs { 5, "x", true } do
        refused(with { content = odd }, "payload.value.content must be an object")
      end
    end)

    it("other paths, before it looks at anything else", function()
      for _, path in ipairs { "/", "", "//" .. SECRET, "/" .. SECRET .. "/", "/" .. SECRET:sub(1, -2), "/" .. SECRET .. "x",
        "/" .. SECRET:upper(), SECRET, "?" .. SECRET, "/?" .. SECRET, "/" .. SECRET .. "%20", "/hooks/" .. SECRET } do
        for _, method in ipairs { "POST", "GET" } do
          for _, body in ipairs { BODY, ("x"):rep(70000) } do
            assert.same({ status = 404, outcome = "not_found" }, answer { method = method, path = path, headers = {},
              body = body }, path)
          end
        end
      end
      assert.equal("message", answer(post(BODY, { path = "/" .. SECRET .. "?source=avito" })).outcome)
    end)

    it("other methods", function()
      for _, method in ipairs { "GET", "HEAD", "PUT", "DELETE", "post" } do
        assert.same({ status = 405, outcome = "method" }, answer(post(BODY, { method = method })))
      end
    end)

    it("bodies that are too large", function()
      local room = (" "):rep(65536 - #BODY)
      assert.equal("message", outcome(BODY .. room))
      assert.same({ "too_large", 413 }, { outcome(BODY .. room .. " ") })
      assert.equal(413, answer(post((" "):rep(1025)), { max_body = 1024 }).status)
    end)
  end)

  it("stands below the path it is given", function()
    for _, path in ipairs { "/a/b", "/a/b/" } do
      assert.equal(200, answer(post(BODY, { path = "/a/b/" .. SECRET }), { path = path }).status)
      assert.equal(404, answer(post(BODY), { path = path }).status)
    end
  end)

  it("gives the store 1.2 s, and less for a request that was slow to come in", function()
    local hook = webhook.new { path_secret = SECRET }
    for age, seconds in pairs { [0] = 1.2, [0.7] = 1.2, [1] = 0.9, [1.4] = 0.5, [1.8] = 0.1, [30] = 0.1 } do
      assert.is_true(math.abs(hook:patience(age) - seconds) < 1e-6, tostring(age))
    end
    assert.equal(1.5, hook:deadline())
  end)

  it("says how each outcome is told", function()
    local hook = webhook.new { path_secret = SECRET }
    local plain = "text/plain; charset=utf-8"
    for _, word in ipairs { "message", "known", "probe", "ignored", "foreign" } do
      assert.same({ 200, plain, "ok\n" }, { hook:reply(word) })
    end
    assert.same({ 503, plain, "try again\n", { ["Retry-After"] = 1 } }, { hook:reply "unavailable" })
    assert.same({ 405, plain, "method not allowed\n", { Allow = "POST" } }, { hook:reply "method" })
    assert.same({ 401, plain, "unauthorized\n" }, { hook:reply "signature" })
  end)

  describe("signature", function()
    local good = core.hmac_sha256("dummy-key", BODY)

    local function signed(header, more, name)
      local signature = { key = "dummy-key" }
      for option, value in pairs(more or {}) do signature[option] = value end
      return answer(post(BODY, { headers = { [name or "x-avito-messenger-signature"] = header } }),
        { signature = signature })
    end

    it("is of the body, in any case", function()
      assert.equal("message", signed(good).outcome)
      assert.equal("message", signed(good:upper()).outcome)
      assert.is_nil(signed(good).note)
    end)

    it("that is wrong or missing is refused", function()
      for _, header in ipairs { "", "x", good:sub(1, -2), good .. "0", good .. ", " .. good, core.hmac_sha256("k", BODY),
        core.hmac_sha256("dummy-key", BODY .. " ") } do
        assert.same({ status = 401, outcome = "signature", note = "the signature is wrong" }, signed(header))
      end
      assert.same({ status = 401, outcome = "signature", note = "the signature is missing" }, signed(nil))
    end)

    it("that is wrong is noted when it is only reported", function()
      for header, note in pairs { [good:reverse()] = "the signature is wrong", [false] = "the signature is missing" } do
        local got = signed(header or nil, { report_only = true })
        assert.same({ 200, "message", note }, { got.status, got.outcome, got.note })
        assert.equal(1, #got.rows)
      end
    end)

    it("is checked before the body is read", function()
      local got = answer(post "{", { signature = { key = "dummy-key" } })
      assert.equal(401, got.status)
      got = answer(post "{", { signature = { key = "dummy-key", report_only = true } })
      assert.equal(400, got.status)
      assert.is_truthy(got.note:find("no JSON", 1, true))
    end)

    it("may come by another algorithm, in another header", function()
      local seen
      local function algorithm(body, key)
        seen = { body, key }
        return "ABC"
      end
      assert.equal("message", signed("aBc", { algorithm = algorithm, header = "X-Other" }, "x-other").outcome)
      assert.same({ BODY, "dummy-key" }, seen)
      assert.equal("signature", signed("abd", { algorithm = algorithm, header = "X-Other" }, "x-other").outcome)
    end)

    it("of an algorithm that gives none is no signature", function()
      for _, algorithm in ipairs { function() return nil end, function() return "" end, function() return 5 end,
        function() error("dummy-key") end } do
        for _, header in ipairs { "", "5", "nil" } do
          assert.same({ status = 401, outcome = "signature", note = "the algorithm gave no signature" },
            signed(header, { algorithm = algorithm }))
        end
      end
    end)
  end)

  describe("raises for", function()
    local function problem(given)
      local message = blame(function() webhook.new(given) end)
      assert.is_truthy(message:find("avito.webhook", 1, true))
      return message
    end

    local function saying(given, text)
      local all = { path_secret = SECRET }
      for name, value in pairs(given) do all[name] = value end
      local message = problem(all)
      assert.is_truthy(message:find(text, 1, true), message)
      assert.is_nil(message:find(SECRET, 1, true))
    end

    it("a secret that is easy to guess, without saying it", function()
      assert.is_truthy(problem({}):find("path_secret is missing", 1, true))
      for _, secret in ipairs { "", "dummy", ("x"):rep(15), "dummy-path-secret/", "dummy path secret", "dummy-path-secret%",
        "dummy-path-secret\0", "секретсекретсекрет" } do
        local message = problem { path_secret = secret }
        assert.is_truthy(message:find("path_secret must be 16 characters or more", 1, true))
        assert.is_nil(secret ~= "" and message:find(secret, 1, true) or nil)
      end
      assert.is_truthy(problem({ path_secret = 5 }):find("path_secret must be a string", 1, true))
    end)

    it("options it cannot take", function()
      assert.has_error(function() webhook.new() end)
      saying({ path_secert = 1 }, "did you mean 'path_secret'?")
      for _, path in ipairs { "", "hooks", "/a b", "/a?b", "/%20" } do saying({ path = path }, "path must begin with /") end
      for _, size in ipairs { 0, 1023, 1e9, 2000.5, 0 / 0 } do saying({ max_body = size }, "max_body must be an integer") end
      saying({ signature = {} }, "signature.key is missing")
      saying({ signature = { key = "" } }, "signature.key is missing")
      saying({ signature = { key = "k", algorithm = "md5" } }, "signature.algorithm must be")
      saying({ signature = { key = "k", algorithm = 5 } }, "algorithm must be a string or function")
      saying({ signature = { key = "k", header = "a b" } }, "signature.header is no name of a header")
      saying({ signature = { key = "k", report_onyl = true } }, "did you mean 'report_only'?")
    end)
  end)

  it("shows no secret", function()
    local hook = webhook.new { path_secret = SECRET, signature = { key = "dummy-key" } }
    assert.equal("avito.webhook (bodies up to 65536 bytes)", tostring(hook))
    for _, value in pairs(hook) do assert.equal("number", type(value)) end
  end)
end)
