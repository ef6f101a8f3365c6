local support = require "support.sandbox"
local json = require "avito_messenger.json"

local USER = support.user_id
local function v(version, path) return ("/messenger/v%d/accounts/%d/%s"):format(version, USER, path) end

describe("sandbox operations", function()
  local inside

  before_each(function() inside = support.inside { empty_read = 0 } end)

  -- What a request is refused with: status, and the field that is named.
  local function refused(method, path, body)
    local answer, status = inside:api(method, path, body)
    return status, answer and answer.error and answer.error.fields and next(answer.error.fields)
  end

  it("tells who the account is", function()
    local self, status = inside:api("GET", "/core/v1/accounts/self")
    assert.equal(200, status)
    assert.equal(USER, self.id)
    assert.is_string(self.name)
  end)

  describe("get_chats", function()
    it("lists u2i chats only, the last written first, with what a chat holds", function()
      local answer = inside:api("GET", v(2, "chats"))
      local last
      for _, chat in ipairs(answer.chats) do
        assert.equal("u2i", chat.id:sub(1, 3))
        assert.is_true(last == nil or chat.updated <= last)
        last = chat.updated
        assert.equal(2, #chat.users)
        assert.equal("item", chat.context.type)
        assert.is_table(chat.last_message.content)
      end
      assert.equal(4, #answer.chats)
      assert.is_false(answer.meta.has_more)
      assert.is_truthy(answer.chats[1].context.value.price_string:find("31\194\160500", 1, true))
      assert.is_true(answer.chats[1].context.value.id > 2 ^ 31)
    end)

    it("gives the other types when asked, in both array styles", function()
      assert.equal(1, #inside:api("GET", v(2, "chats?chat_types=u2u")).chats)
      assert.equal(2, #inside:api("GET", v(2, "chats?chat_types=u2u,a2u")).chats)
      assert.equal(2, #inside:api("GET", v(2, "chats?chat_types=u2u&chat_types=a2u")).chats)
      assert.equal(2, #inside:api("GET", v(2, "chats?chat_types%5B%5D=u2u&chat_types%5B%5D=a2u")).chats)
    end)

    it("filters by item and by what is unread", function()
      assert.equal(1, #inside:api("GET", v(2, "chats?item_ids=4098549657")).chats)
      assert.equal(2, #inside:api("GET", v(2, "chats?item_ids=4098549657,4101230042")).chats)
      assert.equal(2, #inside:api("GET", v(2, "chats?item_ids=4098549657&item_ids=4101230042")).chats)
      local unread = inside:api("GET", v(2, "chats?unread_only=true")).chats
      assert.equal(2, #unread)
      assert.equal(4, #inside:api("GET", v(2, "chats?unread_only=false")).chats)
    end)

    it("pages, and says whether there are more", function()
      local first = inside:api("GET", v(2, "chats?limit=3"))
      local rest = inside:api("GET", v(2, "chats?limit=3&offset=3"))
      assert.equal(3, #first.chats)
      assert.is_true(first.meta.has_more)
      assert.equal(1, #rest.chats)
      assert.is_false(rest.meta.has_more)
      assert.is_truthy(inside:send { path = v(2, "chats?offset=1000"), headers = {
        authorization = "Bearer " .. inside.token } }.body:find('"chats":[]', 1, true))
    end)

    it("keeps the contract's bounds", function()
      for _, query in ipairs { "limit=0", "limit=101", "limit=x", "limit=1.5", "limit=", "limit=1&limit=2" } do
        assert.same({ 400, "limit" }, { refused("GET", v(2, "chats?" .. query)) })
      end
      for _, query in ipairs { "offset=-1", "offset=1001" } do
        assert.same({ 400, "offset" }, { refused("GET", v(2, "chats?" .. query)) })
      end
      assert.same({ 400, "chat_types" }, { refused("GET", v(2, "chats?chat_types=u2x")) })
      assert.same({ 400, "item_ids" }, { refused("GET", v(2, "chats?item_ids=1,,2")) })
      assert.same({ 400, "unread_only" }, { refused("GET", v(2, "chats?unread_only=1")) })
      assert.same({ 400, "colour" }, { refused("GET", v(2, "chats?colour=red")) })
      assert.equal(400, (refused("GET", v(2, "chats?limit=%zz"))))
      local _, status = inside:api("GET", v(2, "chats?limit=100&offset=1000"))
      assert.equal(200, status)
    end)
  end)

  describe("get_chat", function()
    it("gives one chat", function()
      local chat = inside:chat()
      assert.equal(chat.id, inside:api("GET", v(2, "chats/" .. chat.id)).id)
      assert.equal(chat.id, inside:api("GET", v(2, "chats/" .. chat.id:gsub("~", "%%7E"))).id)
    end)

    it("knows no unknown chat, and refuses another account's", function()
      assert.equal(404, (refused("GET", v(2, "chats/u2i-none"))))
      local foreign = inside.box.market.account_list[2].chats[1]
      assert.equal(403, (refused("GET", v(2, "chats/" .. foreign.id))))
      local other = support.inside { foreign_chat = 404 }
      local _, status = other:api("GET", v(2, "chats/" .. other.box.market.account_list[2].chats[1].id))
      assert.equal(404, status)
    end)
  end)

  describe("get_messages", function()
    it("lists the newest first, and marks nothing as read", function()
      local chat = inside:chat()
      local answer = inside:api("GET", v(3, "chats/" .. chat.id .. "/messages/"))
      assert.equal(4, #answer.messages)
      assert.is_false(answer.meta.has_more)
      assert.is_true(answer.messages[1].created > answer.messages[4].created)
      assert.equal("in", answer.messages[1].direction)
      assert.is_false(answer.messages[1].is_read)
      assert.equal("out", answer.messages[3].direction)
      assert.equal(32, #answer.messages[1].id)
      assert.is_true(inside.box.market.unread(chat))
    end)

    it("pages within the bounds", function()
      local path = v(3, "chats/" .. inside:chat().id .. "/messages/")
      local answer = inside:api("GET", path .. "?limit=1&offset=1")
      assert.equal(1, #answer.messages)
      assert.is_true(answer.meta.has_more)
      assert.same({ 400, "limit" }, { refused("GET", path .. "?limit=101") })
      assert.same({ 400, "offset" }, { refused("GET", path .. "?offset=1001") })
    end)

    it("has its trailing slash, and no other operation has one", function()
      local chat = inside:chat().id
      assert.equal(405, (refused("GET", v(1, "chats/" .. chat .. "/messages"))))
      assert.equal(404, (refused("GET", v(3, "chats/" .. chat .. "/messages"))))
      assert.equal(404, (refused("GET", v(2, "chats/"))))
      assert.equal(404, (refused("POST", v(1, "chats/" .. chat .. "/messages/"), {})))
    end)

    it("answers a bare list in the contract's shapes", function()
      local other = support.inside { shapes = "contract" }
      local list = other:api("GET", v(3, "chats/" .. other:chat().id .. "/messages/"))
      assert.equal(4, #list)
      assert.is_nil(other:api("GET", v(2, "chats")).meta)
    end)

    it("shows every type of message", function()
      local chat = inside:chat()
      for _, one in ipairs { { type = "text", text = "да" }, { type = "image" }, { type = "link", url = "https://e.ru" },
        { type = "item", item_id = 4098549657 }, { type = "location" }, { type = "call" }, { type = "deleted" },
        { type = "voice" }, { type = "system" }, { type = "appCall" }, { type = "file" }, { type = "video" },
        { type = "reaction", content = { emoji = "ok" } } } do
        one.chat_id = chat.id
        inside.box:say(one)
        local last = inside:api("GET", v(3, "chats/" .. chat.id .. "/messages/?limit=1")).messages[1]
        assert.equal(one.type, last.type)
        assert.is_table(last.content)
      end
    end)
  end)

  describe("send_message", function()
    local path
    before_each(function() path = v(1, "chats/" .. inside:chat().id .. "/messages") end)

    local function text(value) return { type = "text", message = { text = value } } end

    it("adds the message, and remembers by which request", function()
      inside.now = inside.now + 5
      local answer, status = inside:api("POST", path, text("Здравствуйте"))
      assert.equal(200, status)
      assert.equal("out", answer.direction)
      assert.equal("Здравствуйте", answer.content.text)
      assert.equal(inside.now, answer.created)
      local sent = inside.box:sends()
      assert.equal(1, #sent)
      local logged = inside.box:log { operation = "send_message" }[1]
      assert.equal(logged.serial, sent[1].serial)
      assert.is_true(logged.applied)
      assert.equal(answer.id, sent[1].message_id)
      local kept = inside.box:state().chats[1].messages
      assert.equal(logged.serial, kept[#kept].request)
      assert.equal(answer.id, inside:api("GET", v(3, "chats/" .. inside:chat().id .. "/messages/")).messages[1].id)
    end)

    it("takes 1000 characters, whatever their bytes, and not one more", function()
      local _, status = inside:api("POST", path, text(("щ"):rep(1000)))
      assert.equal(200, status)
      assert.same({ 400, "message.text" }, { refused("POST", path, text(("щ"):rep(1001))) })
      assert.equal(1, #inside.box:sends())
    end)

    it("validates the body", function()
      assert.same({ 400, "message.text" }, { refused("POST", path, text("")) })
      assert.same({ 400, "message.text" }, { refused("POST", path, { type = "text", message = json.decode "{}" }) })
      assert.same({ 400, "message.text" }, { refused("POST", path, text(5)) })
      assert.same({ 400, "message" }, { refused("POST", path, { type = "text" }) })
      assert.same({ 400, "type" }, { refused("POST", path, { message = { text = "a" } }) })
      assert.same({ 400, "type" }, { refused("POST", path, { type = "image", message = { text = "a" } }) })
      assert.same({ 400, "url" }, { refused("POST", path, { type = "text", message = { text = "a" }, url = "b" }) })
      for _, body in ipairs { "", "[]", "null", "{", "5", '{"a":1}x' } do
        assert.equal(400, (refused("POST", path, body)))
      end
      assert.equal(0, #inside.box:sends())
    end)

    it("wants JSON announced as JSON", function()
      inside:api("GET", v(2, "chats"))
      local response = inside:send { method = "POST", path = path, body = '{"type":"text","message":{"text":"a"}}',
        headers = { authorization = "Bearer " .. inside.token, ["content-type"] = "text/plain" } }
      assert.equal(415, response.status)
    end)

    it("is lenient when told so", function()
      local other = support.inside { strict = false }
      local response = other:send { method = "POST", path = v(1, "chats/" .. other:chat().id .. "/messages"),
        body = '{"message":{"text":"a"},"x":1}', headers = { authorization = "Bearer " .. other:grant().access_token } }
      assert.equal(200, response.status)
    end)
  end)

  describe("delete_message", function()
    local chat, path
    before_each(function()
      chat = inside:chat()
      path = v(1, "chats/" .. chat.id .. "/messages/")
    end)

    it("leaves a message of type deleted", function()
      local id = inside.box:write { chat_id = chat.id, text = "ой" }.message_id
      local _, status, response = inside:api("POST", path .. id)
      assert.equal(200, status)
      assert.equal("{}", response.body)
      local last = inside:api("GET", v(3, "chats/" .. chat.id .. "/messages/")).messages[1]
      assert.equal("deleted", last.type)
      assert.is_nil(last.content.text)
    end)

    it("works for an hour", function()
      local id = inside.box:write { chat_id = chat.id, text = "ой" }.message_id
      local late = inside.box:write { chat_id = chat.id, text = "ай" }.message_id
      inside.now = inside.now + 3600
      assert.equal(200, select(2, inside:api("POST", path .. id)))
      inside.now = inside.now + 1
      assert.equal(400, (refused("POST", path .. late)))
    end)

    it("refuses another's message, and one that is not there", function()
      local id = inside.box:say { chat_id = chat.id, text = "да" }.message_id
      assert.equal(403, (refused("POST", path .. id)))
      assert.equal(404, (refused("POST", path .. ("0"):rep(32))))
    end)
  end)

  describe("mark_chat_as_read", function()
    it("reads what is unread", function()
      local chat = inside:chat()
      local answer = inside:api("POST", v(1, "chats/" .. chat.id .. "/read"))
      assert.is_true(answer.ok)
      assert.is_false(inside.box.market.unread(chat))
      assert.equal(1, #inside:api("GET", v(2, "chats?unread_only=true")).chats)
    end)

    it("answers nothing at times", function()
      local other = support.inside { empty_read = 1 }
      local answer, status = other:api("POST", v(1, "chats/" .. other:chat().id .. "/read"))
      assert.is_nil(answer)
      assert.equal(200, status)
    end)

    it("takes no body", function()
      local path = v(1, "chats/" .. inside:chat().id .. "/read")
      assert.equal(400, (refused("POST", path, { read = true })))
      assert.equal(200, select(2, inside:api("POST", path, "{}")))
    end)
  end)

  describe("add_to_blacklist", function()
    local path = v(2, "blacklist")

    it("takes users with reasons and answers nothing", function()
      local answer, status = inside:api("POST", path, { users = { { user_id = 200000001,
        context = { item_id = 4098549657, reason_id = 4 } }, { user_id = 200000002 } } })
      assert.is_nil(answer)
      assert.equal(200, status)
      assert.equal(2, #inside.box:state().blacklist)
    end)

    it("validates", function()
      assert.same({ 400, "users" }, { refused("POST", path, {}) })
      assert.same({ 400, "users" }, { refused("POST", path, '{"users":[]}') })
      assert.same({ 400, "users[0]" }, { refused("POST", path, '{"users":[5]}') })
      assert.same({ 400, "users[0].user_id" }, { refused("POST", path, '{"users":[{}]}') })
      assert.same({ 400, "users[0].user_id" }, { refused("POST", path, '{"users":[{"user_id":"1"}]}') })
      for _, reason in ipairs { "0", "5", "1.5" } do
        assert.same({ 400, "users[0].context.reason_id" }, { refused("POST", path,
          '{"users":[{"user_id":1,"context":{"reason_id":' .. reason .. "}}]}") })
      end
      assert.same({ 400, "users[0].context.item_id" }, { refused("POST", path,
        '{"users":[{"user_id":1,"context":{"item_id":"7"}}]}') })
      assert.equal(0, #inside.box.market.blacklist)
    end)
  end)

  describe("any operation", function()
    it("has one method", function()
      local _, status, response = inside:api("POST", v(2, "chats"), {})
      assert.equal(405, status)
      assert.equal("GET", response.headers.Allow)
      assert.equal(405, (refused("GET", "/messenger/v1/subscriptions")))
    end)

    it("belongs to the token's account", function()
      assert.equal(403, (refused("GET", "/messenger/v2/accounts/100000002/chats")))
      assert.same({ 400, "user_id" }, { refused("GET", "/messenger/v2/accounts/me/chats") })
    end)

    it("is not found elsewhere", function()
      assert.equal(404, (refused("GET", "/messenger/v9/nothing")))
    end)

    it("costs 402 without the tariff, except get_self", function()
      local other = support.inside { accounts = { { user_id = USER, client_id = "dummy-client-id", tariff = false } } }
      local answer, status = other:api("GET", v(2, "chats"))
      assert.equal(402, status)
      assert.equal(402, answer.error.code)
      assert.equal(200, select(2, other:api("GET", "/core/v1/accounts/self")))
    end)

    it("is closed to an employee's key where the company's chats are", function()
      local other = support.inside { accounts = { { user_id = USER, client_id = "dummy-client-id", employee = true } },
        chats = { { account = USER, buyer = 5, type = "u2u" }, { account = USER, buyer = 6, type = "u2u",
          company = false } } }
      local company, own = other.box.market.account_list[1].chats[1].id, other.box.market.account_list[1].chats[2].id
      assert.equal(1, #other:api("GET", v(2, "chats?chat_types=u2u")).chats)
      assert.equal(403, select(2, other:api("GET", v(2, "chats/" .. company))))
      assert.equal(403, select(2, other:api("GET", v(3, "chats/" .. company .. "/messages/"))))
      assert.equal(403, select(2, other:api("POST", v(1, "chats/" .. company .. "/read"))))
      assert.equal(403, select(2, other:api("POST", v(2, "blacklist"), { users = { { user_id = 1 } } })))
      assert.equal(403, select(2, other:api("GET", v(1, "getVoiceFiles?voice_ids=a"))))
      assert.equal(200, select(2, other:api("GET", v(2, "chats/" .. own))))
    end)

    it("counts against the limit of the minute", function()
      local other = support.inside { rate_limit = { per_minute = 2, retry_after = "seconds" } }
      other.now = other.now + 10
      local _, _, first = other:api("GET", v(2, "chats"))
      assert.equal("2", first.headers["X-RateLimit-Limit"])
      assert.equal("1", first.headers["X-RateLimit-Remaining"])
      other:api("GET", v(2, "chats"))
      local _, status, third = other:api("GET", v(2, "chats"))
      assert.equal(429, status)
      assert.equal("", third.body)
      assert.equal("50", third.headers["Retry-After"])
      other.now = other.now + 50
      assert.equal(200, select(2, other:api("GET", v(2, "chats"))))
    end)

    it("says when to come back as a date, or not at all", function()
      local other = support.inside { rate_limit = { per_minute = 1, retry_after = "date", headers = false } }
      other:api("GET", v(2, "chats"))
      local _, _, response = other:api("GET", v(2, "chats"))
      assert.equal("Thu, 01 Jan 2026 00:01:00 GMT", response.headers["Retry-After"])
      assert.is_nil(response.headers["X-RateLimit-Limit"])
      local silent = support.inside { rate_limit = { per_minute = 1 } }
      silent:api("GET", v(2, "chats"))
      assert.is_nil(select(3, silent:api("GET", v(2, "chats"))).headers["Retry-After"])
    end)

    it("may hold what nobody announced", function()
      local other = support.inside { surprises = 1 }
      assert.is_table(other:api("GET", v(2, "chats")).chats[1].sandbox_surprise)
    end)
  end)

  it("answers the same to the same seed", function()
    local ids = {}
    for i = 1, 2 do
      local one = support.inside { seed = 7 }
      ids[i] = one:api("GET", v(2, "chats")).chats[1].id .. one.token
    end
    assert.equal(ids[1], ids[2])
    assert.are_not.equal(ids[1], support.inside { seed = 8 }:api("GET", v(2, "chats")).chats[1].id)
  end)
end)
