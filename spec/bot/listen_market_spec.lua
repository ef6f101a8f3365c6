-- Notifications of Yandex Market over HTTP; and several bots behind one listener.
local clock = require "avito_messenger.clock"
local datetime = require "avito_messenger.datetime"
local exposition = require "support.exposition"
local hooks = require "avito_messenger.bot.hooks"
local httpd = require "avito_messenger.httpd"
local json = require "avito_messenger.json"
local listen = require "avito_messenger.bot.listen"
local listening = require "support.listening"
local loop = require "avito_messenger.io.loop"
local metrics = require "avito_messenger.bot.metrics"
local problem = require "avito_messenger.store.problem"

local ACCOUNT = "yandex_market:123"
local PING = '{"notificationType":"PING","time":"2017-11-21T00:00:00.213Z"}'

describe("the listener of a bot on Yandex Market", function()
  local h = listening.new()
  local serving, send, post, told, hold, until_ = h.serving, h.send, h.post, h.told, h.hold, h.until_

  before_each(function()
    h.begin()
    h.bot.market = require "avito_messenger.bot.market.yandex_market"
    h.bot.account = function() return ACCOUNT end
  end)
  after_each(h.finish)

  local function message(id, business)
    return ('{"notificationType":"CHAT_MESSAGE_SENT","businessId":%d,"chatId":456,"messageId":"%s",' ..
      '"sentAt":"2017-11-21T00:00:00Z"}'):format(business or 123, id)
  end

  local function stored() return h.bot.store:stats(ACCOUNT, h.driver:time()).inbox end

  local function is_taken(response)
    assert.equal(200, response.status, response.body)
    assert.is_truthy(response.head:find("Content-Type: application/json", 1, true))
    local told_back = json.decode(response.body)
    assert.equal("avito-messenger", told_back.name)
    assert.equal(require("avito_messenger")._VERSION, told_back.version)
    assert.is_true(math.abs(datetime.read(told_back.time) - clock.time()) < 60)
  end

  local function is_error(status, kind, response)
    assert.same({ status, kind }, { response.status, json.decode(response.body).error.type })
  end

  it("stores a notification, then says so in JSON", function()
    serving({}, function()
      is_taken(post(message "7"))
      local claim = h.bot.store:claim(ACCOUNT, "456")
      assert.same({ key = "told/456/7", kind = "yandex_market", body = message "7", seq = claim.rows[1].seq }, claim.rows[1])
    end)
    assert.equal(1, h.bot.told)
    assert.same({ { kind = "webhook", outcome = "message", count = 1 } }, h.notes)
  end)

  it("answers a trial whatever the store does, and whoever's it is", function()
    local held, let_go = hold()
    serving({}, function()
      local task = loop.spawn(post, message "7")
      until_(function() return #held == 1 end)
      is_taken(post(PING))
      assert.is_false(task.ended)
      let_go()
      is_taken(task:wait())
    end)
    h.bot.account = function() return nil end
    serving({}, function() is_taken(post(PING)) end)
    assert.equal(2, told "probe")
  end)

  it("tells what is wrong in the marketplace's words", function()
    local receive = h.bot.store.receive
    h.bot.store.receive = function() return nil, problem.make("full", "the disk is full", "shop.db") end
    serving({}, function()
      is_error(500, "UNKNOWN", post(message "7"))
      h.bot.store.receive = receive
      is_error(400, "WRONG_EVENT_FORMAT", post '{"notificationType":"CHAT_CREATED"}')
      is_taken(post '{"notificationType":"ORDER_CREATED","campaignId":1}')
      is_taken(post(message("7", 124)))
      assert.equal("not found\n", post(message "7", "/").body)
    end)
    assert.equal(0, stored())
    for _, outcome in ipairs { "unavailable", "bad_request", "ignored", "foreign", "not_found" } do
      assert.equal(1, told(outcome), outcome)
    end
  end)

  it("takes what came before as well, or says so where it is told to", function()
    serving({}, function()
      for _ = 1, 2 do is_taken(post(message "7")) end
    end)
    serving({ duplicates = "error" }, function()
      is_error(400, "DUPLICATED_EVENT", post(message "7"))
      is_taken(post(message "8"))
    end)
    assert.equal(2, stored())
    assert.equal(2, told "known")
  end)

  it("takes nothing from strangers where it is told whom to take it from", function()
    serving({ ranges = true }, function()
      local response = post(message "7")
      assert.same({ 403, "forbidden\n" }, { response.status, response.body })
    end)
    serving({ ranges = { "127.0.0.0/8" } }, function() is_taken(post(message "7")) end)
    serving({ ranges = true, address_header = "X-Real-IP" }, function()
      local function by(address)
        return send { method = "POST", path = "/" .. listening.SECRET, body = message "8", headers = { "X-Real-IP: " .. address } }
      end
      assert.equal(403, by("10.0.0.1").status)
      is_taken(by "141.8.142.9")
    end)
    assert.equal(2, stored())
    assert.equal(2, told "sender")
  end)

  it("knows options of its own only", function()
    loop.run(function()
      for option, value in pairs { signature = { key = "k" }, ranges = { "here" }, rangs = true } do
        local ok, why = pcall(listen.new, h.bot, { port = 0, path_secret = listening.SECRET, [option] = value })
        assert.is_false(ok)
        assert.matches("bot:listen: .*rang", why)
      end
    end)
  end)

  describe("together with one on Avito", function()
    local other, third, words, counted

    before_each(function()
      other, third, words, counted = listening.bot(h), listening.bot(h), {}, {}
      for i, bot in ipairs { h.bot, other, third } do
        bot.health = function() return words[i] == nil, words[i] end
        bot.metrics = metrics.new(function() return 0 end)
        counted[i] = 0
        bot.tell = function(_, note)
          bot.metrics:note(note)
          counted[i] = counted[i] + (note.outcome == "message" and note.count or 0)
        end
      end
    end)

    local function with_hook(bot, path, max_body)
      return { bot = bot, hook = hooks.make(bot, { path_secret = "dummy-path-secret", path = path, max_body = max_body }, "x", 1) }
    end

    local function both(fn)
      loop.run(function()
        h.server = assert(listen.open({ port = 0, metrics = true },
          { with_hook(h.bot, "/market"), with_hook(other, "/avito", 1024), { bot = third } }))
        fn()
        h.server:close()
      end)
    end

    local function market(id) return post(message(id), "/market/dummy-path-secret") end
    local function avito(id, more) return post(h.message(id, more), "/avito/dummy-path-secret") end

    it("gives each what is posted to its path", function()
      both(function()
        is_taken(market "7")
        assert.equal("ok\n", avito("m1").body)
        assert.equal(404, post(message "7").status)
        assert.equal(413, avito("m2", { content = { text = ("x"):rep(2000) } }).status)
        is_taken(post(message "8" .. (" "):rep(2000), "/market/dummy-path-secret"))
      end)
      assert.same({ 2, 1 }, { stored(), other.store:stats(listening.ACCOUNT, 0).inbox })
      assert.same({ 2, 1, 0 }, counted)
    end)

    it("is well only where all are, and says who is not", function()
      both(function()
        assert.equal("ok\n", send({ path = "/healthz" }).body)
        words[2] = "parked"
        local response = send { path = "/healthz" }
        assert.same({ 503, "100000001: parked\n" }, { response.status, response.body })
        words[1] = "store"
        assert.equal(ACCOUNT .. ": store\n100000001: parked\n", send({ path = "/healthz" }).body)
      end)
    end)

    it("shows the metrics of all, each family once", function()
      both(function()
        avito "m1"
        local families = exposition.read(send({ path = "/metrics" }).body)
        local function value(account)
          for _, sample in ipairs(families.avito_bot_webhooks_total.samples) do
            if sample.labels.account == account and sample.labels.outcome == "message" then return sample.value end
          end
        end
        assert.same({ 0, 1, 0 }, { value(ACCOUNT), value(listening.ACCOUNT), value "bot 3" })
      end)
    end)

    it("has the marketplace of one that works no more come again, and serves the other", function()
      both(function()
        h.server:leave(h.bot, "failed")
        is_error(500, "UNKNOWN", market "7")
        is_taken(post(PING, "/market/dummy-path-secret"))
        assert.equal("ok\n", avito("m1").body)
        assert.equal(ACCOUNT .. ": failed\n", send({ path = "/healthz" }).body)
        assert.is_nil(h.server.closing)
        h.server:leave(other, "stopped")
        h.server:leave(third, "stopped")
        assert.equal("network", send({ path = "/healthz" }).error)
      end)
      assert.equal(0, stored())
    end)

    it("gives requests the time that the slowest of them may take, unless it is told one", function()
      local seen, open = nil, httpd.listen
      function httpd.listen(given) -- luacheck: ignore 122
        seen = given.timeout
        return open(given)
      end
      finally(function() httpd.listen = open end) -- luacheck: ignore 122
      both(function() end)
      assert.equal(5, seen)
      serving({ deadline = 2 }, function() end)
      assert.equal(2, seen)
    end)
  end)
end)
