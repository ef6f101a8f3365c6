-- Notifications of Yandex Market inside nginx.
local journal = require "avito_messenger.journal"
local json = require "avito_messenger.json"
local nginx = require "support.nginx"
if not nginx.wanted() then return end
local places = require "nginx.support.place"

describe("notifications inside nginx", function()
  local own, place = places.own(), nil

  before_each(own.begin)
  after_each(own.finish)

  local function message(id, business)
    return ('{"notificationType":"CHAT_MESSAGE_SENT","businessId":%d,"chatId":456,"messageId":"%s",' ..
      '"sentAt":"2017-11-21T00:00:00Z"}'):format(business or 123, id)
  end

  local function post(body, address, path)
    return place:hook(body, { path = path, headers = { "X-Real-IP: " .. (address or "5.45.207.9") } })
  end

  local function is_taken(response)
    assert.same({ 200, "avito-messenger" }, { response.status, (json.decode(response.body) or {}).name })
    assert.matches("\r\nContent%-Type: application/json", response.head)
  end

  local function is_wrong(status, response)
    assert.same({ status, "WRONG_EVENT_FORMAT" }, { response.status, json.decode(response.body).error.type })
  end

  it("are stored, and the marketplace is told so in its JSON", function()
    place = own.open { plan = { business_id = 123 }, expected = { "another process" }, start = [[{ answer = false, webhook = {
      path_secret = "dummy-path-secret", path = "/avito", ranges = true, address_header = "X-Real-IP", duplicates = "error" } }]] }
    place:until_well()
    is_taken(post(message "7"))
    is_taken(post(message "7")) -- not known at once
    is_taken(post(message("8", 124)))
    is_taken(post '{"notificationType":"ORDER_CREATED"}')
    is_wrong(400, post '{"notificationType":"CHAT_CREATED"}')
    is_wrong(413, post(("x"):rep(70000)))
    assert.equal(404, post(message "9", nil, "/avito/dummy-path-secreu").status)
    local response = post(message "9", "5.45.207.128")
    assert.same({ 403, "forbidden\n" }, { response.status, response.body })

    local other = assert(journal.open(own.path, {}))
    assert(other:begin(5)) -- whatever the store does
    is_taken(post '{"notificationType":"PING","time":"2017-11-21T00:00:00Z"}')
    other:rollback()
    other:close()

    local store = assert(require("avito_messenger").store(own.path))
    store:due("yandex_market:123", os.time(), 10) -- sorts what has arrived
    assert.same({ 1, 1 }, { store:stats("yandex_market:123", os.time()).inbox, store.repeated })
    store:close()
    place:until_true("the count of strangers", function()
      return place:metric 'avito_bot_webhooks_total{outcome="sender"}' == 1
    end)
    place:stop()
  end)

  it("are answered in their chats", function()
    place = own.open { plan = { business_id = 2200001 }, start =
      [[{ poll = false, webhook = { path_secret = "dummy-path-secret", path = "/avito", ranges = { "127.0.0.1" } } }]] }
    place:until_well()
    place.market:control("POST", "notify", { business_id = 2200001, url = place.server.url .. "/avito/" .. place.secret })
    place:until_true("its trial", function()
      return place.market:control("GET", "state").yandex_market.notifications[1].state == "on"
    end)
    place.market:control("POST", "say", { order_id = 41000002, text = "Вопрос 1" })
    place:until_true("the answer", function() return #place:sent() > 0 end)
    assert.same({ "Ответ 1" }, place:sent())
    place:until_true("the count of messages", function()
      return place:metric 'avito_bot_webhooks_total{outcome="message"}' >= 2 -- the bot's own as well
    end)
    place:stop()
  end)
end)
