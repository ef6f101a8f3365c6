local support = require "support.sandbox"
local json = require "avito_messenger.json"

describe("the people of the sandbox's Yandex Market", function()
  local inside, box

  before_each(function()
    inside = support.inside()
    box = inside.box
  end)

  local function chat(id) return inside:yandex("GET", "chat?chatId=" .. id).result end
  local function newest(id) return inside:yandex("POST", "chats/history?chatId=" .. id, {}).result.messages[1] end

  it("write about an order, a return, or nothing", function()
    local known = inside:yandex("POST", "chats", { contexts = { { type = "ORDER", id = 41000001 } } }).result.chats[1].chatId
    assert.equal(("%d"):format(known), box:say({ order_id = 41000001, text = "а" }).chat_id)
    assert.equal(("%d"):format(known), box:say({ order_id = "41000001", text = "б" }).chat_id)
    local returned = box:say { return_id = 51000001, text = "в" }
    assert.equal("RETURN", chat(returned.chat_id).context.type)
    local direct = box:say { customer = "customer4", text = "г" }
    assert.same({ "DIRECT", "Покупатель 4" }, { chat(direct.chat_id).context.type, chat(direct.chat_id).context.customer.name })
    assert.equal(4, #box:state().yandex_market.chats)
    local other = box:say { customer = { public_id = "customer5", name = "Новый" }, business = support.business_id, text = "д" }
    assert.equal("Новый", chat(other.chat_id).context.customer.name)
    assert.equal(5, #box:state().yandex_market.chats)
  end)

  it("write about a new order", function()
    local said = box:say { order_id = 77, customer = "customer7", text = "Где заказ?" }
    local context = chat(said.chat_id).context
    assert.same({ 77, "customer7" }, { context.orderId, context.customer.publicId })
    assert.equal(said.chat_id, box:say({ order_id = 77, text = "Алло" }).chat_id)
  end)

  it("write to a chat by its id, as digits or as a number, with files", function()
    local id = box:say({ customer = "customer4", text = "а" }).chat_id
    local said = box:say { chat_id = tonumber(id), files = { "чек.pdf", { name = "a.txt", data = "abc" } } }
    assert.equal(id, said.chat_id)
    local message = newest(id)
    assert.is_nil(message.message)
    assert.same({ "чек.pdf", "a.txt", 3 }, { message.payload[1].name, message.payload[2].name, message.payload[2].size })
    assert.equal(said.message_id, ("%d"):format(message.messageId))
    box:say { chat_id = id, text = "б", files = { "b.txt" } }
    assert.same({ "б", "b.txt" }, { newest(id).message, newest(id).payload[1].name })
  end)

  it("change whom the chat waits for", function()
    local id = box:say({ customer = "customer4", text = "а" }).chat_id
    local function after(method, spec)
      spec.chat_id, spec.text = id, "б"
      box[method](box, spec)
      return newest(id).sender .. " " .. chat(id).status
    end
    assert.equal("PARTNER WAITING_FOR_CUSTOMER", after("write", {}))
    assert.equal("MARKET WAITING_FOR_CUSTOMER", after("say", { from = "market" }))
    assert.equal("CUSTOMER WAITING_FOR_PARTNER", after("say", {}))
    assert.equal("SUPPORT WAITING_FOR_PARTNER", after("say", { from = "support" }))
  end)

  it("move the chat's time, and its messages' ids rise", function()
    local first = box:say { order_id = 41000001, text = "а" }
    inside.now = inside.now + 61
    box:see(inside.now)
    local second = box:say { order_id = 41000001, text = "б" }
    assert.equal("2026-01-01T03:01:01+03:00", chat(first.chat_id).updatedAt)
    assert.is_true(tonumber(second.message_id) > tonumber(first.message_id))
    assert.equal(first.created + 61, second.created)
  end)

  it("say what is wrong with a message", function()
    for _, case in ipairs { { { order_id = 41000001 }, "'text' or 'files'" }, { { order_id = 41000001, text = "" }, "non-empty" },
      { { order_id = 41000001, text = "а", type = "voice" }, "type" }, { { return_id = 1, text = "а" }, "return_id" },
      { { customer = "a", business = 5, text = "а" }, "business" }, { { order_id = 41000001, files = {} }, "files" },
      { { order_id = 41000001, files = { {} } }, "name" }, { { business = support.business_id, text = "а" }, "customer" },
      { { business = support.business_id, chat_id = 1, text = "а" }, "chat_id" },
      { { order_id = 41000001, from = "buyers", text = "а" }, "buyer" } } do
      local ok, problem = pcall(box.say, box, case[1])
      assert.is_false(ok)
      assert.is_truthy(problem:find(case[2], 1, true), problem)
      assert.is_truthy(problem:find("people_spec", 1, true) or problem:find("chat_id", 1, true), problem)
    end
  end)

  it("leave those of Avito alone", function()
    local said = box:say { buyer = 200000001, item = 4098549657, text = "а" }
    assert.equal(said.chat_id, inside:chat().id)
    assert.is_false(pcall(box.say, box, { chat_id = "12345", text = "а" }))
  end)

  it("are played over the control API, which shows what there is", function()
    local function control(method, what, body)
      local response = inside:send { method = method, path = "/sandbox/" .. what, body = body and json.encode(body),
        peer = "127.0.0.1" }
      assert.equal(200, response.status)
      return response.headers["Content-Type"]:find("json", 1, true) and json.decode(response.body) or response.body
    end
    local id = control("POST", "say", { order_id = 41000001, text = "а", files = { "a.txt" } }).chat_id
    assert.equal("ARBITRAGE", control("POST", "dispute", { chat_id = id }).type)
    assert.equal("waiting", control("POST", "notify", { url = "http://127.0.0.1:9/" }).state)
    local state = control("GET", "state").yandex_market
    assert.same({ business_id = support.business_id, api_key = support.api_key, oauth_token = "dummy-oauth-token",
      name = "Чехлы и зарядки" }, state.businesses[1])
    assert.equal("http://127.0.0.1:9/", state.notifications[1].url)
    local one = state.chats[1]
    assert.same({ id, "ORDER", "41000001", "WAITING_FOR_ARBITER", "customer1" },
      { one.id, one.context_type, one.order_id, one.status, one.customer.public_id })
    assert.same({ "CUSTOMER", "а", "a.txt" }, { one.messages[4].sender, one.messages[4].text, one.messages[4].files[1].name })
    assert.is_truthy(control("GET", ""):find("business_id 2200001  api_key dummy-api-key", 1, true))
    assert.same({ "yandex_market", "PING" }, { control("GET", "deliveries").deliveries[1].marketplace,
      json.decode(control("GET", "deliveries").deliveries[1].body).notificationType })
  end)

  it("begin anew after a reset", function()
    local before = #box:state().yandex_market.chats
    box:say { order_id = 77, text = "а" }
    box:notify { url = "http://127.0.0.1:9/" }
    box:reset()
    assert.equal(before, #box:state().yandex_market.chats)
    assert.is_nil(box:next_due())
  end)
end)
