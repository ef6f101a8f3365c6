local avito = require "avito_messenger"
local script = require "support.script"

local unpack = table.unpack or unpack
local answer, failure, header = script.answer, script.failure, script.header
local make, with_credentials = script.client, script.client_with_credentials
local CHAT = '{"id":"c1"}'
local SENT = '{"id":"m1","type":"text"}'

describe("requests", function()
  it("are made by the rows", function()
    local client, driver = make { answer(200, '{"chats":[]}') }
    client:get_chats { unread_only = true, chat_types = { "u2i", "u2u" }, item_ids = { 4098549657, 5 }, limit = 50, offset = 0 }
    local request = driver.requests[1]
    assert.equal("GET", request.method)
    assert.equal("https://api.example/messenger/v2/accounts/7/chats?item_ids=4098549657,5&unread_only=true"
      .. "&chat_types=u2i,u2u&limit=50&offset=0", request.url)
    assert.equal("Bearer dummy-token-0", header(request, "Authorization"))
    assert.is_nil(request.body)
    assert.equal("call", request.purpose)
  end)

  it("repeat list keys when asked to", function()
    local client, driver = make({ answer(200, '{"chats":[]}') }, { array_style = "repeat" })
    client:get_chats { item_ids = { 1, 2 } }
    assert.truthy(driver.requests[1].url:find("?item_ids=1&item_ids=2", 1, true))
  end)

  it("encode ids as one path segment", function()
    local client, driver = make { answer(200, CHAT) }
    client:get_chat("u2i-~a/../b?c#d %ы")
    assert.equal("https://api.example/messenger/v2/accounts/7/chats/u2i-~a%2F..%2Fb%3Fc%23d%20%25%D1%8B",
      driver.requests[1].url)
  end)

  it("write JSON bodies", function()
    local client, driver = make { answer(200, SENT), answer(200, ""), answer(200, '{"ok":true}') }
    client:send_message("c1", 'Да, "торг"\n\\ \1 уместен 🙂')
    assert.equal([[{"message":{"text":"Да, \"торг\"\n\\ \u0001 уместен 🙂"},"type":"text"}]],
      driver.requests[1].body)
    assert.equal("application/json", header(driver.requests[1], "Content-Type"))
    client:add_to_blacklist {
      { user_id = "9007199254740993", context = { item_id = 2, reason_id = avito.BlacklistReason.SPAM } }, { user_id = 3 },
    }
    assert.equal('{"users":[{"user_id":9007199254740993,"context":{"item_id":2,"reason_id":1}},{"user_id":3}]}',
      driver.requests[2].body)
    client:subscribe_webhook("http://example.com/hook")
    assert.equal('{"url":"http://example.com/hook"}', driver.requests[3].body)
  end)

  it("write one multipart part for an image", function()
    local client, driver = make { answer(200, '{"1.abc":{"32x32":"https://img.example/32"}}') }
    local jpeg = "\255\216\255\224 not much of one"
    local id, sizes = client:upload_image { data = jpeg, filename = "phone.jpg" }
    assert.equal("1.abc", id)
    assert.same({ ["32x32"] = "https://img.example/32" }, sizes)
    local request = driver.requests[1]
    local boundary = header(request, "Content-Type"):match("^multipart/form%-data; boundary=(%x+)$")
    assert.equal("--" .. boundary .. '\r\nContent-Disposition: form-data; name="uploadfile[]"; filename="phone.jpg"\r\n'
      .. "Content-Type: image/jpeg\r\n\r\n" .. jpeg .. "\r\n--" .. boundary .. "--\r\n", request.body)
  end)

  it("take headers, a timeout and another user for one call", function()
    local client, driver = make { answer(200, CHAT) }
    client:get_chat("c1", { headers = { ["X-Request-Id"] = "42" }, timeout = 2, user_id = 8 })
    assert.equal("42", header(driver.requests[1], "X-Request-Id"))
    assert.equal(2, driver.requests[1].timeout)
    assert.truthy(driver.requests[1].url:find("/accounts/8/", 1, true))
  end)

  it("look the user id up once", function()
    local client, driver = make({ answer(200, '{"id":94235311}'), answer(200, CHAT), answer(200, CHAT) }, { user_id = false })
    assert(client:get_chat("c1"))
    assert(client:get_chat("c1"))
    assert.equal("https://api.example/core/v1/accounts/self", driver.requests[1].url)
    assert.truthy(driver.requests[2].url:find("/accounts/94235311/chats/c1", 1, true))
    assert.equal(3, #driver.requests)
  end)

  it("may be any other call of the API", function()
    local client, driver = make { answer(200, '{"a":1}'), answer(200, ""), answer(200, "plain",
      { ["Content-Type"] = "text/plain" }) }
    local value = client:request("GET", "/core/v1/x", { query = { b = { 1, 2 }, a = "я&", c = true } })
    assert.same({ a = 1 }, value)
    assert.equal("https://api.example/core/v1/x?a=%D1%8F%26&b=1&b=2&c=true", driver.requests[1].url)
    assert.is_true(client:request("POST", "/y", { json = { n = 5 } }))
    assert.equal('{"n":5}', driver.requests[2].body)
    assert.equal("plain", client:request("POST", "/z", { form = { k = "v w" } }))
    assert.equal("k=v%20w", driver.requests[3].body)
    assert.equal("application/x-www-form-urlencoded", header(driver.requests[3], "Content-Type"))
  end)
end)

describe("misuse raises and names the argument:", function()
  local cases = {
    { "get_chats", { { limit = "many" } }, false },
    { "get_chats", { { limt = 1 } }, "unknown option 'limt' %(did you mean 'limit'%?%)" },
    { "get_chats", { { unread_only = 1 } }, "unread_only must be true or false, got number" },
    { "get_chats", { { item_ids = 5 } }, "item_ids must be a list, got number" },
    { "get_chats", { { item_ids = { a = 1 } } }, "item_ids must be a list, got a table with other keys" },
    { "get_chats", { "x" }, "the options must be a table, got string" },
    { "get_chats", { {}, { tmeout = 1 } }, "unknown option 'tmeout' %(did you mean 'timeout'%?%)" },
    { "get_chats", { {}, { timeout = "1" } }, "timeout must be a number of seconds, got string" },
    { "get_chat", {}, "chat_id must be a string, got nil" },
    { "get_chat", { 5 }, "chat_id must be a string, got number" },
    { "get_chat", { "c", {}, 1 }, "1 arguments too many" },
    { "send_message", { "c1", { text = "x" } }, "text must be a string, got table" },
    { "upload_image", { 1 }, "image must be a path or a table with data, got number" },
    { "upload_image", { { date = "x" } }, "unknown option 'date' %(did you mean 'data'%?%)" },
    { "add_to_blacklist", { { { context = {} } } }, "every element of users must have user_id" },
    { "add_to_blacklist", { { { user_id = 1, contxt = {} } } }, "unknown option 'contxt' %(did you mean 'context'%?%)" },
    { "add_to_blacklist", { { { user_id = 1, context = { reason = 1 } } } }, "unknown option 'reason'" },
    { "get_chat", { "c", { headers = { a = 1 } } }, "headers must hold strings by name" },
  }
  for _, case in ipairs(cases) do
    local name, arguments, pattern = case[1], case[2], case[3]
    if pattern then
      it(name .. ": " .. pattern, function()
        local client, driver = make {}
        local ok, message = pcall(client[name], client, unpack(arguments))
        assert.is_false(ok)
        assert.truthy(message:find(name .. ": .*" .. pattern), message)
        assert.equal(0, #driver.requests)
      end)
    end
  end

  it("with the line that called", function()
    local client = make {}
    local _, message = pcall(function() return (client:get_chat(5)) end)
    assert.truthy(message:find("operation_spec.lua:%d+: get_chat"), message)
  end)
end)

describe("values that cannot be sent are errors of kind invalid, before anything leaves:", function()
  local long = ("ы"):rep(1001)
  local cases = {
    { "get_chats", { { limit = 0 } }, "limit", "from 1 to 100, got 0" },
    { "get_chats", { { limit = 101 } }, "limit", "from 1 to 100" },
    { "get_chats", { { limit = 1.5 } }, "limit", "must be an integer" },
    { "get_chats", { { limit = "many" } }, "limit", "must be an integer" },
    { "get_chats", { { offset = 1001 } }, "offset", "from 0 to 1000" },
    { "get_chats", { { item_ids = {} } }, "item_ids", "must not be an empty list" },
    { "get_chats", { { item_ids = { 0 } } }, "item_ids", "at least 1" },
    { "get_chats", { { chat_types = { "" } } }, "chat_types", "empty string" },
    { "get_chats", { { chat_types = { "a\rb" } } }, "chat_types", "control character" },
    { "get_chat", { "" }, "chat_id", "is empty" },
    { "get_chat", { "." }, "chat_id", "no id" },
    { "get_chat", { ".." }, "chat_id", "no id" },
    { "get_chat", { "a\0b" }, "chat_id", "control character" },
    { "get_chat", { "a\r\nb" }, "chat_id", "control character" },
    { "get_chat", { ("x"):rep(513) }, "chat_id", "at most 512" },
    { "get_chat", { "\255" }, "chat_id", "UTF%-8" },
    { "send_message", { "c", "" }, "text", "is empty" },
    { "send_message", { "c", long }, "text", "has 1001 characters; at most 1000" },
    { "send_message", { "c", "\237\160\128" }, "text", "UTF%-8" },
    { "subscribe_webhook", { "ftp://x" }, "url", "https://" },
    { "subscribe_webhook", { "https://x/\n" }, "url", "control character" },
    { "get_voice_files", { {} }, "voice_ids", "empty list" },
    { "add_to_blacklist", { { { user_id = 1, context = { reason_id = 5 } } } }, "reason_id", "from 1 to 4" },
    { "upload_image", { { data = "%PDF-1.4" } }, "image", "is not a JPEG" },
    { "upload_image", { { data = "\255\216\255", filename = "a\nb" } }, "image", "control character" },
    { "upload_image", { "/nonexistent/image.jpg" }, nil, "No such file" },
    { "get_chat", { "c", { timeout = 0 } }, "timeout", "more than 0" },
    { "get_chat", { "c", { retries = 11 } }, "retries", "from 0 to 10" },
    { "get_chat", { "c", { user_id = 0 } }, "user_id", "positive" },
    { "get_chat", { "c", { headers = { ["A\r\nB"] = "x" } } }, "headers", "character that none may have" },
    { "get_chat", { "c", { headers = { A = "x\r\nB: y" } } }, "headers", "control character" },
    { "get_chat", { "c", { headers = { authorization = "x" } } }, "headers", "sets itself" },
    { "request", { "GET", "x" }, "path", "begin with /" },
    { "request", { "GET", "/a/../b" }, "path", "segment" },
    { "request", { "GET", "/a b" }, "path", "space" },
    { "request", { "GET", "/a?b" }, "path", "query" },
  }
  for _, case in ipairs(cases) do
    local name, arguments, field, pattern = case[1], case[2], case[3], case[4]
    it(name .. ": " .. pattern, function()
      local client, driver = make {}
      local value, err = client[name](client, unpack(arguments))
      assert.is_nil(value)
      assert.equal("invalid", err.kind)
      assert.is_false(err.dispatched)
      assert.truthy(err.message:find(pattern), err.message)
      if field then assert.truthy(err.fields[field]:find(pattern)) end
      assert.equal(0, #driver.requests)
    end)
  end

  it("a text of 1000 characters is sent, however many bytes it has", function()
    local client = make { answer(200, SENT) }
    assert(client:send_message("c", ("ы"):rep(1000)))
  end)
end)

describe("what is repeated:", function()
  local down = { failure("network", true), failure("timeout", true), failure("network", false), answer(500), answer(502),
    answer(503), answer(504), answer(429), answer(408) }
  for _, first in ipairs(down) do
    local what = first.error and first.error .. (first.dispatched and ", bytes left" or ", nothing left") or first.status
    it("a read after " .. what, function()
      local client, driver = make { first, answer(200, CHAT) }
      assert.equal("c1", client:get_chat("c1").id)
      assert.equal(2, #driver.requests)
      assert.equal(1, #driver.waits)
    end)

    local harmless = first.status == 429 or first.dispatched == false
    it("a send after " .. what .. ": " .. (harmless and "yes" or "never"), function()
      local client, driver = make { first, answer(200, SENT) }
      local sent, err = client:send_message("c1", "да")
      if harmless then
        assert.equal("m1", sent.id)
        assert.equal(2, #driver.requests)
      else
        assert.is_nil(sent)
        assert.is_true(err.dispatched)
        assert.equal(1, #driver.requests)
      end
    end)
  end

  for _, status in ipairs { 400, 402, 403, 404, 413, 301, 501 } do
    it("nothing after " .. status, function()
      local client, driver = make { answer(status, "{}") }
      local _, err = client:get_chat("c1")
      assert.equal(status, err.status)
      assert.equal(1, #driver.requests)
    end)
  end

  it("at once where a kept connection had died", function()
    local client, driver = make { failure("network", true, true), answer(200, CHAT) }
    assert(client:get_chat("c1"))
    assert.same({}, driver.waits)
  end)

  it("as often as retries says", function()
    local client, driver = make({ answer(500), answer(500), answer(500) }, { retries = 2 })
    local _, err = client:get_chat("c1")
    assert.equal("server", err.kind)
    assert.equal(3, #driver.requests)
    client, driver = make { answer(500) }
    client:get_chat("c1", { retries = 0 })
    assert.equal(1, #driver.requests)
  end)

  it("less than a tenth of the traffic of an API that is down", function()
    local client, driver = make(function() return answer(503) end)
    for _ = 1, 1000 do client:get_chat("c1") end
    assert.is_true(#driver.requests < 1100, #driver.requests .. " requests")
    assert.is_true(#driver.requests > 1000)
  end)

  it("freely where the API answers most of the time", function()
    local client, driver = make(function(_, number) return number % 10 == 0 and answer(503) or answer(200, CHAT) end)
    for _ = 1, 1000 do assert(client:get_chat("c1")) end
    assert.is_true(#driver.requests > 1100)
  end)
end)

describe("waits", function()
  it("are random below a bound that doubles", function()
    local most, least = {}, {}
    for _ = 1, 200 do
      local client, driver = make({ answer(500), answer(500), answer(500), answer(200, CHAT) }, { retries = 3, timeout = 100 })
      assert(client:get_chat("c1"))
      for i = 1, 3 do
        most[i] = math.max(most[i] or 0, driver.waits[i])
        least[i] = math.min(least[i] or 1e9, driver.waits[i])
      end
    end
    for i, bound in ipairs { 0.5, 1, 2 } do
      assert.is_true(most[i] <= bound and most[i] > bound * 0.8, most[i])
      assert.is_true(least[i] < bound * 0.2, least[i])
    end
  end)

  it("follow Retry-After in seconds", function()
    local client, driver = make { answer(429, "", { ["Retry-After"] = "3" }), answer(200, CHAT) }
    assert(client:get_chat("c1"))
    assert.is_true(driver.waits[1] >= 3 and driver.waits[1] < 4)
  end)

  it("follow Retry-After as a date, by the server's own clock", function()
    for _, date in ipairs { "Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994" } do
      local client, driver = make {
        answer(503, "", { ["retry-after"] = date, Date = "Sun, 06 Nov 1994 08:49:33 GMT" }), answer(200, CHAT) }
      assert(client:get_chat("c1"))
      assert.is_true(driver.waits[1] >= 4 and driver.waits[1] < 5, driver.waits[1])
    end
  end)

  it("follow Retry-After as a date, by the local clock where the server has none", function()
    local client, driver = make { answer(503, "", { ["retry-after"] = "Tue, 14 Nov 2023 22:30:05 GMT" }), answer(200, CHAT) }
    driver.unix = 1700001000 - 1000 -- 22:30:00
    assert(client:get_chat("c1"))
    assert.is_true(driver.waits[1] > 4 and driver.waits[1] < 6, driver.waits[1])
  end)

  it("are not begun when the deadline comes first", function()
    local client, driver = make { answer(429, "", { ["Retry-After"] = "60" }) }
    local _, err = client:get_chat("c1")
    assert.equal("rate_limited", err.kind)
    assert.equal(60, err.retry_after)
    assert.same({}, driver.waits)
  end)

  it("ignore a Retry-After that is neither", function()
    local client, driver = make { answer(429, "", { ["Retry-After"] = "soon" }), answer(200, CHAT) }
    assert(client:get_chat("c1"))
    assert.is_true(driver.waits[1] <= 0.5)
  end)
end)

describe("the deadline", function()
  it("is one for the whole call", function()
    local late = answer(500)
    late.takes = 4
    local client, driver = make({ late, late, late }, { timeout = 10, retries = 5 })
    local start = driver.clock
    local _, err = client:get_chat("c1")
    assert.equal("timeout", err.kind)
    assert.is_true(driver.clock - start <= 10)
    assert.equal(3, #driver.requests)
    assert.is_true(driver.requests[3].timeout <= 2)
  end)

  it("counts the token and the account too", function()
    local token = answer(200, script.TOKEN)
    token.takes = 6
    local client, driver = with_credentials({ token, answer(200, CHAT) })
    assert(client:get_chat("c1"))
    assert.is_true(driver.requests[2].timeout <= 4)
  end)

  it("ends a call that comes to it before its request", function()
    local token = answer(200, script.TOKEN)
    token.takes = 11
    local client, driver = with_credentials { token }
    local _, err = client:send_message("c1", "да")
    assert.equal("timeout", err.kind)
    assert.is_false(err.dispatched)
    assert.equal(1, #driver.requests)
  end)
end)

describe("answers", function()
  it("give a list and its meta", function()
    local client = make { answer(200, '{"chats":[{"id":"a"},{"id":"b"}],"meta":{"has_more":true}}') }
    local chats, meta = client:get_chats()
    assert.equal(2, #chats)
    assert.is_true(meta.has_more)
  end)

  it("give the same messages in either shape", function()
    local client = make { answer(200, '{"messages":[{"id":"a"}],"meta":{"has_more":false}}'), answer(200, ' [{"id":"a"}]') }
    assert.same(client:get_messages("c"), (client:get_messages("c")))
  end)

  it("may say null for an empty list", function()
    local client = make { answer(200, '{"chats":null}'), answer(200, '{"voices_urls":null}'), answer(200, '{"messages":[]}') }
    assert.same({}, (client:get_chats()))
    assert.same({}, (client:get_voice_files { "x" }))
    assert.same({}, (client:get_messages("c")))
  end)

  it("that hold nothing give true, empty or not", function()
    local client = make { answer(200, ""), answer(200, '{"ok":true}'), answer(201, "{}"), answer(200, "null") }
    for _ = 1, 4 do assert.is_true(client:mark_chat_as_read("c")) end
  end)

  it("that contradict themselves are errors", function()
    local client = make { answer(200, '{"ok":false}'), answer(200, '{"error":{"code":5,"message":"no"}}') }
    local _, err = client:mark_chat_as_read("c")
    assert.equal("server", err.kind)
    _, err = client:get_chat("c")
    assert.equal("no", err.message)
    assert.equal(5, err.code)
  end)

  for _, body in ipairs { "", "<html>", '{"id":', "5", "\255", '{"a":1}x' } do
    it(("that cannot be read are decode errors: %q"):format(body), function()
      local client = make { answer(200, body) }
      local sent, err = client:send_message("c", "да")
      assert.is_nil(sent)
      assert.equal("decode", err.kind)
      assert.is_true(err.dispatched)
      assert.equal(body, err.body)
    end)
  end

  it("keep ids exact", function()
    local client = make { answer(200, '{"id":"c1","users":[{"id":9223372036854775807},{"id":4098549657}]}') }
    local chat = client:get_chat("c1")
    assert.equal("9223372036854775807", tostring(chat.users[1].id))
    assert.equal("4098549657", tostring(chat.users[2].id))
  end)

  it("may have members nobody has heard of", function()
    local client = make { answer(200, '{"id":"c1","parsing_allowed":true,"isRead":{"x":[1]}}') }
    assert.is_true(client:get_chat("c1").parsing_allowed)
  end)
end)

describe("errors", function()
  local cases = {
    { 400, '{"error":{"code":400,"message":"Validation error","fields":{"limit":"too large"}}}', "invalid",
      "Validation error", 400 },
    { 401, '{"error":{"code":401,"message":"Unauthorized"}}', "auth", "Unauthorized", 401 },
    { 402, '{"error":{"code":402,"message":"Payment required"}}', "payment_required", "Payment required", 402 },
    { 403, '{"error":{"code":403,"message":"Forbidden"}}', "forbidden", "Forbidden", 403 },
    { 404, '{"error":{"code":404,"message":"Not found"}}', "not_found", "Not found", 404 },
    { 403, '{"result":{"status":false,"message":"access token expired"}}', "auth", "access token expired" },
    { 429, "", "rate_limited", "the server answered 429" },
    { 500, '{"error":"boom"}', "server", "boom", "boom" },
    { 400, '{"error":"invalid_request","error_description":"no grant"}', "invalid", "no grant", "invalid_request" },
    { 400, '{"message":"odd"}', "invalid", "odd" },
    { 502, "<html>Bad Gateway</html>", "server", "the server answered 502" },
    { 302, "", "server", "the server answered 302" },
    { 418, "[1,2]", "invalid", "the server answered 418" },
  }
  for _, case in ipairs(cases) do
    local status, body, kind, message, code = case[1], case[2], case[3], case[4], case[5]
    it(status .. " " .. body, function()
      local client = make { answer(status, body) }
      local _, err = client:get_chat("c1", { retries = 0 })
      assert.equal(kind, err.kind)
      assert.equal(message, err.message)
      assert.equal(code, err.code)
      assert.equal(status, err.status)
      assert.equal("get_chat", err.endpoint)
      assert.is_true(err.dispatched)
      assert.truthy(tostring(err):find("get_chat: " .. kind .. " (" .. status .. "): " .. message, 1, true))
    end)
  end

  it("tell what to do about 402, 403 and 404", function()
    for status, word in pairs { [402] = "tariff", [403] = "employee", [404] = "user_id" } do
      local client = make { answer(status) }
      local _, err = client:get_chat("c1")
      assert.truthy(err.hint:find(word))
      assert.truthy(tostring(err):find(word))
    end
  end)

  it("keep a body of unknown shape, bounded", function()
    local client = make { answer(502, ("x"):rep(10000)) }
    local _, err = client:get_chat("c1", { retries = 0 })
    assert.equal(4096, #err.body)
  end)

  it("carry the fields", function()
    local client = make { answer(400, cases[1][2]) }
    local _, err = client:get_chat("c1")
    assert.same({ limit = "too large" }, err.fields)
  end)
end)
