local support = require "support.sandbox"
local json = require "avito_messenger.json"

describe("the sandbox's Yandex Market", function()
  local inside

  local function start(yandex_market, more)
    local options = { yandex_market = yandex_market }
    for name, value in pairs(more or {}) do options[name] = value end
    inside = support.inside(options)
  end

  before_each(function() start() end)

  -- What a request is refused with: status, code, and the message.
  local function refused(method, what, body, headers)
    local answer, status = inside:yandex(method, what, body, headers)
    if status == 200 then return 200 end
    assert.equal("ERROR", answer.status)
    return status, answer.errors[1].code, answer.errors[1].message
  end

  local function chats(body, query)
    return inside:yandex("POST", "chats" .. (query or ""), body or {}).result.chats
  end

  local function field(list, name)
    local values = {}
    for i, one in ipairs(list) do values[i] = one[name] end
    return values
  end

  local function chat_of(kind)
    return chats({ contextTypes = { kind } })[1]
  end

  local function history(chat, body, query)
    return inside:yandex("POST", ("chats/history?chatId=%s%s"):format(chat.chatId, query or ""), body or {}).result
  end

  describe("admits", function()
    it("by an Api-Key or by a Bearer token, which stand for a business", function()
      assert.equal(200, (refused("POST", "chats", {})))
      assert.equal(200, (refused("POST", "chats", {}, { authorization = "Bearer dummy-oauth-token" })))
      local status, code = refused("POST", "chats", {}, {})
      assert.same({ 401, "UNAUTHORIZED" }, { status, code })
      assert.equal(403, (refused("POST", "chats", {}, { ["api-key"] = "dummy-wrong" })))
      assert.equal(403, (refused("POST", "chats", {}, { authorization = "Bearer dummy-api-key" })))
      assert.equal(401, (refused("POST", "chats", {}, { authorization = "dummy-oauth-token" })))
      assert.equal(403, (refused("POST", "chats", {}, { ["api-key"] = "dummy-wrong", authorization = "Bearer dummy-oauth-token" })))
    end)

    it("to its own business only", function()
      start { businesses = { { business_id = 2200001, api_key = "dummy-api-key" }, { business_id = 7 } } }
      assert.equal(200, (refused("POST", "chats", {})))
      assert.equal(403, (refused("POST", "/v2/businesses/7/chats", {})))
      assert.equal(200, (refused("POST", "/v2/businesses/7/chats", {}, { ["api-key"] = "dummy-api-key-7" })))
      assert.equal(403, (refused("POST", "/v2/businesses/8/chats", {})))
      assert.equal(400, (refused("POST", "/v2/businesses/x/chats", {})))
    end)

    it("no path without its version, and one method a path", function()
      local _, status = inside:yandex("POST", "/businesses/2200001/chats", {})
      assert.equal(404, status)
      assert.equal(404, (refused("GET", "messages")))
      local refusal, code = refused("GET", "chats")
      assert.same({ 405, "METHOD_NOT_ALLOWED" }, { refusal, code })
      local _, _, response = inside:yandex("GET", "chats")
      assert.equal("POST", response.headers.Allow)
    end)
  end)

  describe("get_chats", function()
    it("lists chats, the last written first, with what a chat holds", function()
      local list = chats()
      assert.same({ "WAITING_FOR_PARTNER", "WAITING_FOR_PARTNER", "WAITING_FOR_CUSTOMER", "FINISHED" }, field(list, "status"))
      local first = list[1]
      assert.same({ type = "ORDER", orderId = 41000001, campaignId = 2300001,
        customer = { name = "Покупатель 1", publicId = "customer1" } }, first.context)
      assert.equal("CHAT", first.type)
      assert.equal("2026-01-01T02:53:00+03:00", first.updatedAt)
      assert.equal("2026-01-01T02:10:00+03:00", first.createdAt)
      local returned = chat_of "RETURN"
      assert.equal(51000001, returned.context.returnId)
      assert.equal(41000002, returned.context.orderId)
      assert.is_nil(chat_of("DIRECT").context.orderId)
    end)

    it("lists the other way round", function()
      start { chats_order = "oldest" }
      assert.same({ "FINISHED", "WAITING_FOR_CUSTOMER", "WAITING_FOR_PARTNER", "WAITING_FOR_PARTNER" },
        field(chats(), "status"))
    end)

    it("filters", function()
      assert.equal(3, #chats { statuses = { "WAITING_FOR_PARTNER", "FINISHED" } })
      assert.equal(2, #chats { contextTypes = { "DIRECT", "RETURN" } })
      assert.equal(0, #chats { types = { "ARBITRAGE" } })
      assert.equal(4, #chats { types = { "CHAT", "ARBITRAGE" } })
      assert.equal(2, #chats { contexts = { { type = "ORDER", id = 41000001 }, { type = "RETURN", id = 51000001 } } })
      assert.equal(0, #chats { contexts = { { type = "ORDER", id = 41000002 } } })
      assert.equal(1, #chats { contextTypes = { "ORDER" }, statuses = { "FINISHED" } })
      assert.equal(4, #chats '{"statuses":null}')
      assert.equal(2, #chats { orderIds = { 41000001, 41000002 } })
    end)

    it("refuses what the contract does", function()
      for _, case in ipairs { { '{"statuses":[]}', "statuses" }, { '{"contexts":[]}', "contexts" },
        { '{"types":["CHAT","CHAT"]}', "types" }, { '{"types":{"a":"CHAT"}}', "types" }, { '{"statuses":["OLD"]}', "statuses[0]" },
        { '{"contextTypes":"ORDER"}', "contextTypes" },
        { '{"types":5}', "types" }, { '{"contexts":[{"type":"DIRECT","id":1}]}', "contexts[0].type" },
        { '{"contexts":[{"type":"ORDER"}]}', "contexts[0].id" }, { '{"contexts":[{"type":"ORDER","id":"1"}]}', "contexts[0].id" },
        { '{"unread":true}', "unread" } } do
        local status, code, message = refused("POST", "chats", case[1])
        assert.same({ 400, "BAD_REQUEST" }, { status, code }, case[1])
        assert.equal(case[2] .. ":", message:match("^%S+"))
      end
      for _, query in ipairs { "?limit=0", "?limit=21", "?limit=x", "?colour=1", "?pageToken=", "?pageToken=later" } do
        assert.equal(400, (refused("POST", "chats" .. query, {})), query)
      end
      assert.equal(400, (refused("POST", "chats", "")))
      assert.equal(415, (refused("POST", "chats", "{}", { ["api-key"] = "dummy-api-key", ["content-type"] = "text/plain" })))
      assert.equal(413, (refused("POST", "chats", "{" .. (" "):rep(512 * 1024) .. "}")))
    end)
  end)

  describe("pages", function()
    local function walk(most)
      local seen, query, tokens = {}, "?limit=2", {}
      for _ = 1, most do
        local result = inside:yandex("POST", "chats" .. query, {}).result
        for _, chat in ipairs(result.chats) do seen[#seen + 1] = chat.chatId end
        local token = result.paging.nextPageToken
        if not token then break end
        tokens[#tokens + 1] = token
        query = "?limit=2&" .. (#tokens % 2 == 1 and "pageToken" or "page_token") .. "=" .. token
      end
      return seen, tokens
    end

    it("end without a token", function()
      for _, order in ipairs { "newest", "oldest" } do
        start { chats_order = order }
        local seen, tokens = walk(9)
        assert.same(field(chats(), "chatId"), seen)
        assert.equal(1, #tokens)
      end
    end)

    it("are moved by nothing that is written meanwhile", function()
      local all = field(chats(), "chatId")
      local first = inside:yandex("POST", "chats?limit=2", {}).result
      inside.box.yandex_market:add_message(inside.box.yandex_market.chat_list[4], { text = "Ещё вопрос" }, inside.now + 1)
      local rest = inside:yandex("POST", "chats?limit=2&pageToken=" .. first.paging.nextPageToken, {}).result
      assert.same({ all[3] }, field(rest.chats, "chatId")) -- the fourth is the newest now
    end)

    it("may end with an empty one, or with the same token for ever", function()
      start { paging = "trailing" }
      local seen, tokens = walk(9)
      assert.same({ 4, 2 }, { #seen, #tokens })
      start { paging = "repeat" }
      seen, tokens = walk(5)
      assert.equal(10, #seen)
      assert.equal(tokens[1], tokens[5])
      assert.same({ seen[3], seen[4] }, { seen[9], seen[10] })
    end)

    it("take a token for its own list only", function()
      local token = history(chat_of "ORDER", {}, "&limit=1").paging.nextPageToken
      assert.equal(400, (refused("POST", "chats?pageToken=" .. token, {})))
      assert.equal(400, (refused("POST", ("chats/history?chatId=%d&pageToken=%s"):format(chat_of("RETURN").chatId, token), {})))
    end)
  end)

  it("get_chat gives one chat", function()
    local chat = chat_of "RETURN"
    assert.same(chat, inside:yandex("GET", "chat?chatId=" .. chat.chatId).result)
    assert.equal(404, (refused("GET", "chat?chatId=1")))
    for _, id in ipairs { "0", "-1", "1.5", "x", "", "01", "9223372036854775808" } do
      assert.equal(400, (refused("GET", "chat?chatId=" .. id)), id)
    end
    assert.equal(400, (refused("GET", "chat")))
    assert.equal(404, (refused("GET", "chat?chatId=9223372036854775807")))
  end)

  it("closes the chats of other businesses", function()
    local businesses = { { business_id = 2200001, api_key = "dummy-api-key" }, { business_id = 7 } }
    for _, status in ipairs { 403, 404 } do
      start({ businesses = businesses, chats = { { business = 7, customer = "a", id = 5 } } }, { foreign_chat = status })
      assert.equal(status, (refused("GET", "chat?chatId=5")))
      assert.equal(status, (refused("POST", "chats/history?chatId=5", {})))
      assert.equal(status, (refused("POST", "chats/message?chatId=5", { message = "да" })))
      assert.equal(0, #chats())
    end
  end)

  describe("get_chat_history", function()
    it("lists messages with their senders, the newest first", function()
      local chat = chat_of "RETURN"
      local result = history(chat)
      assert.same(chat.context, result.context)
      assert.same({ "PARTNER", "CUSTOMER", "MARKET" }, field(result.messages, "sender"))
      assert.is_true(result.messages[1].messageId > result.messages[2].messageId)
      assert.is_nil(result.paging.nextPageToken)
      local file = result.messages[2].payload[1]
      assert.equal("photo.jpg", file.name)
      local _, status, response = inside:yandex("GET", file.url:match("^http://[^/]+(.*)$"), nil, {})
      assert.equal(200, status)
      assert.equal(file.size, #response.body)
      local last = inside:yandex("GET", ("chats/message?chatId=%d&messageId=%d"):format(chat.chatId,
        result.messages[2].messageId)).result
      assert.same(result.messages[2], last)
    end)

    it("lists the oldest first, when told so", function()
      start { history_order = "oldest" }
      local chat = chat_of "RETURN"
      assert.same({ "MARKET", "CUSTOMER", "PARTNER" }, field(history(chat).messages, "sender"))
      assert.same({ "PARTNER" }, field(history(chat, {}, "&limit=2&pageToken=" ..
        history(chat, {}, "&limit=2").paging.nextPageToken).messages, "sender"))
    end)

    it("begins with a message, or after it", function()
      local chat = chat_of "RETURN"
      local second = history(chat).messages[2].messageId
      assert.same({ "PARTNER", "CUSTOMER" }, field(history(chat, { messageIdFrom = second }).messages, "sender"))
      start { message_id_from = "excluded" }
      assert.same({ "PARTNER" }, field(history(chat_of "RETURN", { messageIdFrom = second }).messages, "sender"))
    end)

    it("keeps the contract's bounds", function()
      local path = "chats/history?chatId=" .. chat_of("ORDER").chatId
      for _, body in ipairs { '{"messageIdFrom":0}', '{"messageIdFrom":"12"}', '{"messageIdFrom":1.5}', '{"from":1}', "[]" } do
        assert.equal(400, (refused("POST", path, body)), body)
      end
      assert.equal(400, (refused("POST", path .. "&limit=101", {})))
      assert.equal(200, (refused("POST", path .. "&limit=100", {})))
    end)

    it("refuses a key where a file is downloaded", function()
      local url = history(chat_of "RETURN").messages[2].payload[1].url
      local _, status = inside:yandex("GET", url:match("^http://[^/]+(.*)$"))
      assert.equal(400, status)
      _, status = inside:yandex("GET", url:match("^http://[^/]+(.*)photo.jpg$") .. "another.jpg", nil, {})
      assert.equal(404, status)
      _, status = inside:yandex("GET", "/files/yandex_market/none/photo.jpg", nil, {})
      assert.equal(404, status)
    end)
  end)

  describe("sends", function()
    local chat, path
    before_each(function()
      chat = chat_of "ORDER"
      path = "chats/message?chatId=" .. chat.chatId
    end)

    it("add the message, and do not tell its id", function()
      inside.now = inside.now + 3
      local answer, status = inside:yandex("POST", path, { message = "Подходит" })
      assert.equal(200, status)
      assert.same({ status = "OK" }, answer)
      local newest = history(chat).messages[1]
      assert.same({ "Подходит", "PARTNER", "2026-01-01T03:00:03+03:00" }, { newest.message, newest.sender, newest.createdAt })
      assert.equal("WAITING_FOR_CUSTOMER", inside:yandex("GET", "chat?chatId=" .. chat.chatId).result.status)
      local sent, logged = inside.box:sends()[1], inside.box:log { operation = "yandex_market.send_message" }[1]
      assert.equal(("%d"):format(newest.messageId), sent.message_id)
      assert.same({ "yandex_market", support.business_id, logged.serial }, { sent.marketplace, sent.account, sent.serial })
      assert.is_true(logged.applied)
    end)

    it("take 4096 characters, whatever their bytes, and not one more", function()
      assert.equal(200, (refused("POST", path, { message = ("щ"):rep(4096) })))
      assert.equal(400, (refused("POST", path, { message = ("щ"):rep(4097) })))
      for _, body in ipairs { '{"message":""}', "{}", '{"message":5}', '{"message":"a","type":"text"}' } do
        assert.equal(400, (refused("POST", path, body)), body)
      end
      assert.equal(1, #inside.box:sends())
    end)

    local function upload(parts, headers)
      headers = headers or { ["api-key"] = "dummy-api-key", ["content-type"] = "multipart/form-data; boundary=b" }
      return refused("POST", "chats/file/send?chatId=" .. chat.chatId, table.concat(parts) .. "--b--\r\n", headers)
    end

    local function part(name, data, filename)
      return ("--b\r\nContent-Disposition: form-data; name=\"%s\"%s\r\n\r\n%s\r\n"):format(name,
        filename and ('; filename="' .. filename .. '"') or "", data)
    end

    it("take a file of 5 MB", function()
      assert.equal(200, (upload { part("file", ("\0"):rep(5 * 1024 * 1024), "акт.pdf") }))
      local file = history(chat).messages[1].payload[1]
      assert.same({ "акт.pdf", 5 * 1024 * 1024 }, { file.name, file.size })
      assert.same({ "file", "акт.pdf" }, { inside.box:sends()[1].type, inside.box:sends()[1].file })
      assert.equal(400, (upload { part("file", ("\0"):rep(5 * 1024 * 1024 + 1), "акт.pdf") }))
    end)

    it("take one file, which has a name", function()
      assert.equal(400, (upload { part("file", "a") }))
      assert.equal(400, (upload {}))
      assert.equal(400, (upload { part("file", "a", "a.txt"), part("file", "b", "b.txt") }))
      assert.equal(400, (upload { part("file", "a", "a.txt"), part("note", "b") }))
      assert.equal(415, (upload({}, { ["api-key"] = "dummy-api-key", ["content-type"] = "application/json" })))
      assert.equal(0, #inside.box:sends())
    end)
  end)

  describe("create_chat", function()
    it("gives the chat that is there, or makes one", function()
      local known = chat_of "ORDER"
      local answer = inside:yandex("POST", "chats/new", { context = { type = "ORDER", id = 41000001 } })
      assert.equal(known.chatId, answer.result.chatId)
      assert.equal(4, #chats())
      answer = inside:yandex("POST", "chats/new", { context = { type = "ORDER", id = 41000002 } })
      local made = inside:yandex("GET", "chat?chatId=" .. answer.result.chatId).result
      assert.same({ "NEW", "ORDER", 41000002 }, { made.status, made.context.type, made.context.orderId })
      assert.equal(made.chatId, inside:yandex("POST", "chats/new", { orderId = 41000002 }).result.chatId)
      assert.equal(5, #chats())
      assert.equal(0, #history(made).messages)
    end)

    it("validates", function()
      assert.equal(404, (refused("POST", "chats/new", { context = { type = "ORDER", id = 1 } })))
      assert.equal(404, (refused("POST", "chats/new", { context = { type = "RETURN", id = 41000001 } })))
      inside.box.yandex_market:add_business { business_id = 7 }
      inside.box.yandex_market:add_order { id = 70, business = 7 }
      assert.equal(404, (refused("POST", "chats/new", { context = { type = "ORDER", id = 70 } })))
      for _, body in ipairs { "{}", '{"context":{"type":"DIRECT","id":1}}', '{"context":{"id":1}}', '{"context":{"type":"ORDER"}}',
        '{"context":5}', '{"context":{"type":"ORDER","id":41000001,"x":1}}' } do
        assert.equal(400, (refused("POST", "chats/new", body)), body)
      end
    end)
  end)

  it("is lenient when told so", function()
    start(nil, { strict = false })
    local headers = { ["api-key"] = "dummy-api-key", ["content-type"] = "text/plain" }
    assert.equal(200, (refused("POST", "chats", '{"statuses":[],"x":1}', headers)))
  end)

  it("has ids past 2^53 on request", function()
    start { wide_ids = true }
    local _, _, response = inside:yandex("POST", "chats", {})
    local id = response.body:match('"chatId":(%d+)')
    assert.equal(19, #id)
    local chat = inside:yandex("GET", "chat?chatId=" .. id).result
    assert.equal(id, ("%s"):format(chat.chatId))
    local newest = history(chat).messages[1].messageId
    local from = ('{"messageIdFrom":%s}'):format(newest)
    assert.equal(1, #history(chat, from).messages)
    assert.equal(newest, inside:yandex("GET", ("chats/message?chatId=%s&messageId=%s"):format(id, newest)).result.messageId)
  end)

  it("may hold what nobody announced", function()
    start(nil, { surprises = 1 })
    assert.is_table(chats()[1].sandbox_surprise)
    assert.is_table(history(chats()[1]).messages[1].sandbox_surprise)
  end)

  it("answers an empty list as one", function()
    local _, _, response = inside:yandex("POST", "chats", { types = { "ARBITRAGE" } })
    assert.is_truthy(response.body:find('"chats":[]', 1, true))
    assert.same({}, json.decode(response.body).result.paging)
  end)
end)
