--- What the core sends to Yandex Market and makes of its answers; the rows themselves are in endpoints_spec.lua.
local core = require "avito_messenger.core"
local json = require "avito_messenger.json"
local script = require "support.script"

local answer, header = script.answer, script.header
local KEY = "dummy-api-key"
local BIG = "9007199254740993" -- a number of LuaJIT does not hold it
local ROOT = "https://api.example/v2/businesses/94235311"

local function session(more)
  local given = { marketplace = "yandex_market", base_url = "https://api.example", api_key = KEY, business_id = 94235311,
    seed = "x" }
  for name, value in pairs(more or {}) do given[name] = value or nil end
  return core.session(given)
end

--- The request of a call, or nil and its error.
local function request(name, ...)
  local step, made = session():operation(name, 0, ...):next(0)
  if step == "fail" then return nil, made end
  assert.equal("send", step)
  return made
end

--- What becomes of a call that gets one answer.
local function outcome(response, name, ...)
  local op = session { retries = 0 }:operation(name, 0, ...)
  op:next(0)
  op:feed(0, 0, response)
  local step, value, meta = op:next(0)
  if step == "fail" then return nil, value end
  assert.equal("done", step)
  return value, meta
end

describe("a session of Yandex Market", function()
  local function refuses(more, message)
    local ok, err = pcall(session, more)
    assert.is_false(ok)
    assert.equal("yandex_market.client: " .. message, (err:gsub("^[^ ]*:%d+: ", "")))
  end

  it("takes an api_key or an oauth_token, and not both", function()
    refuses({ api_key = false }, "api_key is missing (or give an oauth_token)")
    refuses({ oauth_token = "dummy-token" }, "api_key and oauth_token are both given: one of them is enough")
    refuses({ api_key = "" }, "api_key is empty")
    refuses({ api_key = 5 }, "api_key must be a string, got number")
    refuses({ api_key = false, oauth_token = 5 }, "oauth_token must be a string, got number")
  end)

  it("takes no key that would make a header of its own", function()
    for _, bad in ipairs { "dummy\r\nX-Other: 1", "dummy\nx", "dummy\0x", "dummy\127" } do
      refuses({ api_key = bad }, "api_key has a control character (NUL, CR, LF or the like)")
      refuses({ api_key = false, oauth_token = bad }, "oauth_token has a control character (NUL, CR, LF or the like)")
    end
  end)

  it("needs the business", function()
    refuses({ business_id = false }, "business_id is missing")
    for _, bad in ipairs { 0, -1, 1.5, "", "x", "9223372036854775808", {}, true } do
      refuses({ business_id = bad }, "business_id must be a positive integer")
    end
    assert.equal("94235311", session():account())
    assert.equal("9223372036854775807", session { business_id = "9223372036854775807" }:account())
  end)

  it("names itself in what is wrong with any option", function()
    refuses({ base_url = false }, "base_url is missing")
    refuses({ base_url = "http://api.example" }, "base_url is plain http, which is allowed only to loopback "
      .. "(localhost, 127.0.0.1, [::1]): use https://")
    refuses({ timeout = 0 }, "timeout must be more than 0 and at most 86400 seconds")
  end)

  it("is of a marketplace that there is", function()
    for _, bad in ipairs { "ozon", 5, true } do
      assert.has_error(function() session { marketplace = bad } end,
        'core.session: marketplace must be "avito" or "yandex_market"')
    end
    assert.equal("7", script.session():account()) -- Avito's, where none is named
  end)

  it("does not show its key", function()
    assert.equal("avito_messenger.session", tostring(session()))
  end)

  it("has no operations of Avito, and those of its own are not Avito's", function()
    assert.has_error(function() session():operation("get_messages", 0, "c") end, "no operation is called 'get_messages'")
    assert.has_error(function() script.session():operation("get_chat_history", 0, "c") end,
      "no operation is called 'get_chat_history'")
  end)
end)

describe("a request to Yandex Market", function()
  it("carries the key and looks up no account", function()
    local made = request("get_chat", 5)
    assert.same({ "GET", ROOT .. "/chat?chatId=5", "call" }, { made.method, made.url, made.purpose })
    assert.equal(KEY, header(made, "Api-Key"))
    assert.is_nil(header(made, "Authorization"))
    assert.is_nil(made.body)
  end)

  it("carries an oauth_token the other way", function()
    local _, made = session { api_key = false, oauth_token = "dummy-token" }:operation("get_chat", 0, 5):next(0)
    assert.equal("Bearer dummy-token", header(made, "Authorization"))
    assert.is_nil(header(made, "Api-Key"))
  end)

  it("of any kind is made with the key", function()
    local _, made = session():request("GET", 0, "/v2/campaigns", "page=1"):next(0)
    assert.same({ "https://api.example/v2/campaigns?page=1", KEY }, { made.url, header(made, "Api-Key") })
  end)

  it("leaves the key out where it goes elsewhere", function()
    local _, made = session():download("https://cdn.example/act.pdf", 0):next(0)
    assert.is_nil(table.concat(made.headers, "\n"):find(KEY, 1, true))
  end)

  it("has a body, {} at least, where the operation has members of one", function()
    for _, options in ipairs { false, {}, { statuses = {}, contexts = {}, types = {}, context_types = {} } } do
      local made = request("get_chats", options or nil)
      assert.same({ "POST", ROOT .. "/chats", "{}" }, { made.method, made.url, made.body })
      assert.equal("application/json", header(made, "Content-Type"))
    end
    assert.equal("{}", request("get_chat_history", 5).body)
  end)

  it("has the filters", function()
    local made = request("get_chats", { limit = 20, page_token = "a b/=+&", context_types = { "ORDER", "DIRECT" },
      contexts = { { type = "RETURN", id = BIG }, { type = "ORDER", id = 7 } }, types = { "CHAT" }, statuses = { "NEW" } })
    assert.equal(ROOT .. "/chats?limit=20&pageToken=a%20b%2F%3D%2B%26", made.url)
    assert.equal('{"contexts":[{"type":"RETURN","id":' .. BIG .. '},{"type":"ORDER","id":7}],'
      .. '"contextTypes":["ORDER","DIRECT"],"types":["CHAT"],"statuses":["NEW"]}', made.body)
  end)

  it("has the ids of chats and messages whole", function()
    local history = request("get_chat_history", BIG, { message_id_from = BIG, limit = 100 })
    assert.same({ ROOT .. "/chats/history?chatId=" .. BIG .. "&limit=100", '{"messageIdFrom":' .. BIG .. "}" },
      { history.url, history.body })
    assert.equal(ROOT .. "/chats/message?chatId=1&messageId=" .. BIG, request("get_chat_message", 1, BIG).url)
    local created = request("create_chat", "ORDER", BIG)
    assert.same({ ROOT .. "/chats/new", '{"context":{"type":"ORDER","id":' .. BIG .. "}}" }, { created.url, created.body })
  end)

  it("has a text of 4096 characters at most", function()
    assert.equal('{"message":"да\\n\\"нет\\""}', request("send_message", 5, 'да\n"нет"').body)
    assert.equal(ROOT .. "/chats/message?chatId=5", request("send_message", 5, ("ы"):rep(4096)).url)
    local _, err = request("send_message", 5, ("ы"):rep(4097))
    assert.equal("message has 4097 characters; at most 4096 are allowed", err.message)
    _, err = request("send_message", 5, "")
    assert.equal("message is empty", err.message)
  end)

  it("is not made of values that are no good", function()
    for expected, call in pairs {
      ["chat_id must be an integer, got 'u2i-1'"] = { "get_chat", "u2i-1" },
      ["chat_id must be at least 1, got 0"] = { "get_chat", 0 },
      ["chat_id must be an integer, got '9223372036854775808'"] = { "send_message", "9223372036854775808", "a" },
      ["limit must be from 1 to 20, got 21"] = { "get_chats", { limit = 21 } },
      ["limit must be from 1 to 100, got 101"] = { "get_chat_history", 1, { limit = 101 } },
      ["page_token is empty"] = { "get_chats", { page_token = "" } },
      ["page_token has a control character (NUL, CR, LF or the like)"] = { "get_chats", { page_token = "a\r\n" } },
      ["statuses holds an empty string"] = { "get_chats", { statuses = { "NEW", "" } } },
      ["types is not valid UTF-8"] = { "get_chats", { types = { "\255" } } },
      ["id must be at least 1, got 0"] = { "get_chats", { contexts = { { type = "ORDER", id = 0 } } } },
      ["context_id must be an integer, got 'A-1'"] = { "create_chat", "ORDER", "A-1" },
      ["context_type is empty"] = { "create_chat", "", 1 },
      ["headers may not set a header that the client sets itself (Authorization, Api-Key, Host, Content-Length, "
        .. "Content-Type, Transfer-Encoding, Connection, Expect, Upgrade)"] =
        { "get_chat", 1, { headers = { ["api-key"] = "x" } } },
    } do
      local made, err = request((table.unpack or unpack)(call))
      assert.is_nil(made)
      assert.same({ "invalid", expected, false }, { err.kind, err.message, err.dispatched })
    end
    local many = {}
    for i = 1, 101 do many[i] = "NEW" end
    local _, err = request("get_chats", { statuses = many })
    assert.equal("statuses has 101 elements; at most 100 are allowed", err.message)
  end)

  it("is not made of things that are no values", function()
    local function raises(message, ...)
      local arguments, count = { ... }, select("#", ...)
      local ok, err = pcall(function() session():operation(arguments[1], 0, (table.unpack or unpack)(arguments, 2, count)) end)
      assert.is_false(ok)
      assert.truthy(err:find(message, 1, true), err)
    end
    raises("get_chats: unknown option 'status' (did you mean 'statuses'?)", "get_chats", { status = {} })
    raises("get_chats: statuses must be a list, got string", "get_chats", { statuses = "NEW" })
    raises("get_chats: statuses must be a list, got a table with other keys", "get_chats", { statuses = { NEW = true } })
    raises("get_chats: contexts[1] must be a table, got string", "get_chats", { contexts = { "ORDER" } })
    raises("get_chats: every element of contexts must have id", "get_chats", { contexts = { { type = "ORDER" } } })
    raises("get_chat: chat_id must be an integer, got nil", "get_chat")
    -- The business is the client's: none of a call.
    raises("get_chat: unknown option 'business_id'", "get_chat", 1, { business_id = 5 })
    raises("get_chat: unknown option 'user_id'", "get_chat", 1, { user_id = 5 })
  end)
end)

describe("a good answer of Yandex Market", function()
  local function list(body) return outcome(answer(200, body), "get_chats") end

  it("is the list, and the rest beside it", function()
    local chats, meta = list('{"status":"OK","result":{"chats":[{"chatId":' .. BIG .. '}],"paging":{"nextPageToken":"x"}}}')
    assert.equal(BIG, tostring(chats[1].chatId))
    assert.same({ paging = { nextPageToken = "x" } }, meta)
    local history = '{"status":"OK","result":{"context":{"type":"DIRECT"},"messages":[]}}'
    chats, meta = outcome(answer(200, history), "get_chat_history", 1)
    assert.same({ {}, { context = { type = "DIRECT" } } }, { chats, meta })
  end)

  it("may have nothing to list", function()
    for _, body in ipairs { '{"status":"OK"}', '{"status":"OK","result":null}', '{"status":"OK","result":{}}',
      '{"status":"OK","result":{"chats":null}}' } do
      local chats, meta = list(body)
      assert.same({ {}, {} }, { chats, meta }, body)
    end
    assert.same({ paging = {} }, select(2, list '{"status":"OK","result":{"chats": null,"paging":{}}}'))
  end)

  it("is not taken for a list when it is none", function()
    for _, body in ipairs { "{}", "[]", '[{"chatId":1}]', '{"result":null}', '{"status":"OK","result":5}',
      '{"result":{}}', '{"status":"OK","result":{"paging":{}}}', '{"status":"OK","result":{"chats":{"a":1}}}',
      '{"status":"OK","result":{"chats":5}}', '{"chats":[]}' } do
      local value, err = list(body)
      assert.is_nil(value, body)
      assert.same({ "decode", 'the answer is not what was expected: no list "result.chats"', body, 200 },
        { err.kind, err.message, err.body, err.status })
    end
  end)

  it("is the object it has", function()
    assert.same({ chatId = 5 }, (outcome(answer(200, '{"status":"OK","result":{"chatId":5}}'), "get_chat", 5)))
    assert.same({ chatId = 5 }, (outcome(answer(200, '{"status":"OK","result":{"chatId":5}}'), "create_chat", "ORDER", 1)))
    for _, body in ipairs { '{"status":"OK"}', '{"status":"OK","result":null}', '{"status":"OK","result":[]}x', '{"chatId":5}' } do
      local value, err = outcome(answer(200, body), "get_chat_message", 5, 6)
      assert.is_nil(value, body)
      assert.equal("decode", err.kind)
    end
  end)

  it("to a sent message has no id", function()
    for _, body in ipairs { '{"status":"OK"}', "{}" } do
      assert.is_true((outcome(answer(200, body), "send_message", 5, "да")))
    end
    local value, err = outcome(answer(200, ""), "send_message", 5, "да") -- whoever answered this may not have sent it
    assert.is_nil(value)
    assert.same({ "decode", "the answer is empty", true }, { err.kind, err.message, err.dispatched })
  end)

  it("is none when it says so", function()
    local value, err = outcome(answer(200, '{"status":"ERROR","errors":[{"code":"LOCKED","message":"not now"}]}'),
      "send_message", 5, "да")
    assert.is_nil(value)
    assert.same({ "server", "not now", "LOCKED", true }, { err.kind, err.message, err.code, err.dispatched })
    value, err = outcome(answer(200, '{"status":"ERROR"}'), "get_chats")
    assert.is_nil(value)
    assert.same({ "server", "the server answered 200" }, { err.kind, err.message })
    assert.same({ status = "ERROR" }, (outcome(answer(200, '{"status":"OK","result":{"status":"ERROR"}}'), "get_chat", 5)))
  end)
end)

describe("an error of Yandex Market", function()
  local function fails(status, body)
    local value, err = outcome(answer(status, body), "get_chat", 5)
    assert.is_nil(value)
    assert.equal(status, err.status)
    return err
  end

  for status, kind in pairs { [400] = "invalid", [401] = "auth", [403] = "forbidden", [404] = "not_found", [405] = "invalid",
    [415] = "invalid", [420] = "rate_limited", [429] = "rate_limited", [423] = "server", [499] = "invalid", [500] = "server",
    [503] = "server" } do
    it(("with %d is of kind %s, whatever it says"):format(status, kind), function()
      for _, body in ipairs { '{"status":"ERROR","errors":[{"code":"NOT_FOUND","message":"access token"}]}', "", "<html>" } do
        assert.equal(kind, fails(status, body).kind)
      end
    end)
  end

  it("has the first code and all messages", function()
    local err = fails(400, '{"status":"ERROR","errors":[{"code":"A","message":"one"},{"code":"B"},{"code":7},{},5,'
      .. '{"code":"C","message":"two"}]}')
    assert.same({ "A", "one; B; 7; two" }, { err.code, err.message })
    assert.is_nil(err.body)
    assert.is_nil(err.fields)
    err = fails(400, '{"errors":[{"message":""},{"code":77}]}')
    assert.same({ 77, "77" }, { err.code, err.message })
  end)

  it("has a bound number of messages", function()
    local errors = {}
    for i = 1, 20 do errors[i] = { code = "C", message = "m" .. i } end
    local err = fails(400, json.encode { errors = errors })
    assert.truthy(err.message:find("m16$"))
  end)

  it("that says nothing keeps its body", function()
    for _, body in ipairs { '{"status":"ERROR","errors":null}', '{"status":"ERROR"}', '{"status":"ERROR","errors":[]}',
      '{"status":"ERROR","errors":"no"}', '{"errors":[{}]}', "<html>busy</html>", "[1]", "5" } do
      local err = fails(500, body)
      assert.same({ "the server answered 500", body }, { err.message, err.body })
    end
    assert.equal("no such path", fails(404, '{"message":"no such path"}').message)
  end)

  it("does not show the key", function()
    for _, text in ipairs { '{"errors":[{"code":"KEY","message":"dummy-api-key is revoked"}]}', "<html>dummy-api-key</html>",
      '{"errors":[{"code":"dummy-api-key"}]}' } do
      for _, value in pairs(fails(403, text)) do
        assert.is_nil(tostring(value):find(KEY, 1, true))
      end
    end
  end)

  it("says what to do", function()
    assert.truthy(fails(401, "").hint:find("api_key", 1, true))
    assert.truthy(fails(403, "").hint:find("communication", 1, true))
    assert.truthy(fails(404, '{"status":"ERROR","errors":[{"code":"NOT_FOUND"}]}').hint:find("business_id", 1, true))
    assert.is_nil(fails(404, "").hint) -- of a file's address, say
    assert.truthy(fails(423, "").hint:find("later", 1, true))
    assert.is_nil(fails(500, "").hint)
  end)

  it("with 401 is the end: there is no other key", function()
    local op = session():operation("get_chat", 0, 5)
    op:next(0)
    assert.is_true(op:feed(0, 0, answer(401, '{"status":"ERROR","errors":null}')))
    assert.same({ "fail", "auth" }, { op:next(0), select(2, op:next(0)).kind })
  end)

  it("that may pass is repeated, but for what a buyer would see", function()
    local function again(status, name, ...)
      local op = session():operation(name, 0, ...)
      op:next(0)
      return not op:feed(0, 0, answer(status, ""))
    end
    assert.is_true(again(500, "get_chats"))
    assert.is_true(again(503, "create_chat", "ORDER", 1))
    assert.is_false(again(423, "get_chats")) -- a lock outlasts the seconds of a repeat
    assert.is_false(again(500, "send_message", 1, "да"))
    assert.is_false(again(500, "send_file", 1, { data = "x", filename = "a.txt" }))
  end)
end)
