local avito = require "avito_messenger"
local ending = require "avito_messenger.bot.ending"
local errors = require "avito_messenger.errors"
local loop = require "avito_messenger.io.loop"
local shop = require "support.shop"
local subscription = require "avito_messenger.bot.subscription"

local SECRET = "dummy-secret-path"
local URL = "https://bot.example/hook/" .. SECRET

describe("the subscription", function()
  local place, answers, probes

  before_each(function()
    answers, probes = { status = 200 }, {}
    place = shop.open { driver = { webhook = function(delivery)
      probes[#probes + 1] = delivery
      return answers
    end } }
  end)

  local function open(given, url)
    given = given or {}
    given.random = given.random or function() return 0 end
    return subscription.new(place.bot, url or URL, given)
  end

  local function stays_hidden(text)
    assert.is_nil(tostring(text):find(SECRET, 1, true), text)
  end

  --- Looks for so long.
  local function run(one, seconds)
    local ends = place.driver:now() + seconds
    one:run(function() return place.driver:now() >= ends end)
  end

  local function looks()
    local times = {}
    for i, entry in ipairs(place:requests "get_webhook_subscriptions") do
      times[i] = entry.time - place:requests("get_webhook_subscriptions")[1].time
    end
    return times
  end

  it("is made where it is missing, and tried with an empty object", function()
    local one = open()
    assert.is_true(one:check())
    assert.equal(URL, probes[1].url)
    assert.equal("{}", probes[1].body)
    assert.same({ { kind = "subscribed", again = false } }, place:told "subscribed")
    assert.same({ { url = URL, version = "3" } }, place.client:get_webhook_subscriptions())
  end)

  it("is left alone where it is there", function()
    assert.is_true(place.client:subscribe_webhook(URL))
    assert.is_true(open():check())
    assert.equal(1, #place:requests "subscribe_webhook")
    assert.same({}, place:told "subscribed")
  end)

  it("is made again when it is gone, and says so", function()
    local one = open()
    assert.is_true(one:check())
    assert.is_true(place.client:unsubscribe_webhook(URL))
    assert.is_true(one:check())
    assert.same({ { kind = "subscribed", again = false }, { kind = "subscribed", again = true } }, place:told "subscribed")
    assert.equal(1, #place.client:get_webhook_subscriptions())
  end)

  it("is made beside those of others", function()
    assert.is_true(place.client:subscribe_webhook "https://other.example/hook")
    assert.is_true(open():check())
    assert.equal(2, #place.client:get_webhook_subscriptions())
  end)

  it("is made where it is one of another version", function()
    for version, count in pairs { ["2"] = 1, ["1"] = 1, ["3"] = 0, ["v3.0.0"] = 0, [3] = 0, [2] = 1 } do
      local made = 0
      local client = { get_webhook_subscriptions = function() return { { url = URL, version = version } } end,
        subscribe_webhook = function(_, url)
          assert.equal(URL, url)
          made = made + 1
          return true
        end }
      assert.is_true(subscription.new({ client = client, driver = place.driver, tell = function() end }, URL):check())
      assert.equal(count, made, tostring(version))
    end
  end)

  describe("refuses", function()
    local rows = {
      { nil, "url must be a string, got nil" },
      { "bot.example/hook", "url must begin with https:// and a host" },
      { "HTTPS://bot.example/hook", "url must begin with https:// and a host" },
      { "ftp://bot.example/hook", "url must begin with https:// and a host" },
      { "https:///hook", "url must begin with https:// and a host" },
      { "http://bot.example/hook", "url is plain http, which is allowed only to loopback: use https://" },
      { "http://127.0.0.1.bot.example/hook", "url is plain http" },
      { "http://127.0.0.256/hook", "url is plain http" },
      { "http://localhost.bot.example/hook", "url is plain http" },
      { "https://me@bot.example/hook", "url has a user name before the host" },
      { "http://127.0.0.1@bot.example/hook", "url has a user name before the host" },
      { "https://bot.example:https/hook", "url has a host that no address has" },
      { "https://b!t/hook", "url has a host that no address has" },
      { "https://bot.example/ho ok", "url has a space, a control character or a byte past ASCII: percent%-encode it" },
      { "https://bot.example/hook\n", "url has a space" },
      { "https://бот.рф/hook", "url has a space, a control character or a byte past ASCII" },
      { "https://bot.example/hook#top", "url has a fragment %(#%), which is never sent" },
      { "https://bot.example/" .. ("x"):rep(2048), "url is longer than 2048 bytes" },
    }
    for _, row in ipairs(rows) do
      it(tostring(row[1]):sub(1, 60), function()
        local ok, problem = pcall(function() subscription.new(place.bot, row[1]) end)
        assert.is_false(ok)
        assert.matches("^spec/bot/subscription_spec.lua:%d+: subscribe: " .. row[2], problem)
        if row[1] then assert.is_nil(problem:find("hook", 1, true)) end
      end)
    end

    for message, given in pairs {
      ["every must be a number or string, got boolean"] = { every = true },
      ["every: the span '10' has no unit"] = { every = "10" },
      ["every: must be at least 60 s"] = { every = 59 },
      ["unknown option 'evry' %(did you mean 'every'%?%)"] = { evry = 60 },
    } do
      it(message, function()
        local ok, problem = pcall(function() subscription.new(place.bot, URL, given) end)
        assert.is_false(ok)
        assert.matches("^spec/bot/subscription_spec.lua:%d+: subscribe: " .. message, problem)
      end)
    end
  end)

  it("takes plain http to loopback", function()
    for _, url in ipairs { "http://127.0.0.1:8080/hook", "http://localhost/hook", "http://[::1]:80/hook", "https://bot.example" } do
      assert.is_true(open(nil, url):check())
    end
  end)

  describe("tells why it was not made, without the URL:", function()
    it("the address did not answer", function()
      answers = { status = 404 }
      local ok, err = open():check()
      assert.is_nil(ok)
      assert.equal("invalid", err.kind)
      assert.equal(400, err.status)
      assert.matches("the address was tried: it answered 404", tostring(err))
      assert.same({}, place:told "subscribed")
    end)

    it("the API said no, and quoted it", function()
      for _, body in ipairs { '{"error":{"message":"cannot reach %s","fields":{"url":"%s is bad"}}}', "no: %s", '"%s"' } do
        local quoted = body:gsub("%%s", (URL:gsub("/", "\\/")))
        for _, said in ipairs { body:gsub("%%s", URL), quoted } do
          place.box:fault { kind = "status", status = 400, operation = "subscribe_webhook", body = said }
          local ok, err = open():check()
          assert.is_nil(ok)
          assert.equal("subscribe_webhook", err.endpoint)
          for _, value in pairs(err) do stays_hidden(value) end
          stays_hidden(err)
        end
      end
    end)

    it("the list could not be read", function()
      place.box:fault { kind = "status", status = 403, operation = "get_webhook_subscriptions", body = '{"error":"' .. URL .. '"}' }
      local ok, err = open():check()
      assert.is_nil(ok)
      assert.equal("forbidden", err.kind)
      assert.matches("scopes", err.hint)
      stays_hidden(err)
      assert.same({}, place:requests "subscribe_webhook")
    end)
  end)

  it("shows its host, and no more of its URL", function()
    assert.equal("avito.bot.Subscription (https://bot.example)", tostring(open()))
  end)

  describe("when it is kept", function()
    it("is looked at now and again, and made when it is gone", function()
      place:at(700, function() assert.is_true(place.client:unsubscribe_webhook(URL)) end)
      run(open { every = "10m" }, 2000)
      assert.same({ 0, 600, 1200, 1800 }, looks())
      assert.equal(2, #place:requests "subscribe_webhook")
      assert.same({}, place.errors)
    end)

    it("spreads its looks as chance says", function()
      local chances = { 0.5, 1, 0 }
      run(open { every = 1000, random = function() return table.remove(chances, 1) or 0 end }, 3200)
      assert.same({ 0, 1050, 2150, 3150 }, looks())
    end)

    it("looks sooner after a failure, and then more and more seldom", function()
      place.box:fault { kind = "status", status = 403, operation = "subscribe_webhook", times = 7 }
      run(open { every = 100 }, 470)
      assert.same({ 0, 5, 15, 35, 75, 155, 255, 355, 455 }, looks()) -- 100 s at most; the eighth was well
      assert.equal(7, #place.errors)
      assert.matches("^subscription: subscribe_webhook: forbidden %(403%)", place.errors[1])
      stays_hidden(place.errors[1])
      assert.equal("subscription", place:told("error")[1].what)
    end)

    it("begins with short pauses again after it was well", function()
      place.box:fault { kind = "status", status = 403, operation = "get_webhook_subscriptions", times = 2 }
      place:at(100, function()
        place.box:fault { kind = "status", status = 403, operation = "get_webhook_subscriptions", times = 1 }
      end)
      run(open { every = 100 }, 130)
      assert.same({ 0, 5, 15, 115, 120 }, looks())
    end)

    it("waits as long as the API asks it to", function()
      local err = errors.new("rate_limited", "get_webhook_subscriptions", "slowly")
      err.retry_after = 200
      place.client.get_webhook_subscriptions = function(client)
        place.client.get_webhook_subscriptions = nil
        return nil, err, client
      end
      run(open { every = 100 }, 201)
      assert.equal(1, #place.errors)
      assert.equal(1, #looks())
    end)

    it("takes what raises for an error as another", function()
      place.client.get_webhook_subscriptions = function() error("this driver is closed: " .. URL, 0) end
      run(open(), 8)
      assert.equal(2, #place.errors)
      assert.matches("this driver is closed", place.errors[1])
      stays_hidden(place.errors[1])
    end)

    it("ends with the client, and with the program", function()
      for _, problem in ipairs { errors.new("cancelled", "get_webhook_subscriptions", "the client is closed"), "interrupted!" } do
        place.client.get_webhook_subscriptions = function() error(problem, 0) end
        local ok, raised = pcall(run, open(), 100)
        assert.is_false(ok)
        assert.is_true(ending.is(raised))
      end
      place.client.get_webhook_subscriptions = nil
      place.client:close()
      assert.is_true(ending.is(select(2, pcall(run, open(), 100))))
      assert.same({}, place.errors)
    end)

    it("raises what ends its wait", function()
      local late, now = errors.new("timeout", "task", "the time has passed"), 0
      local driver = { now = function() now = now + 1 return now end, sleep = function() return nil, late end }
      local client = { get_webhook_subscriptions = function() return { { url = URL, version = "3" } } end,
        subscribe_webhook = function() end }
      local one = subscription.new({ client = client, driver = driver, tell = function() end }, URL)
      assert.equal(late, select(2, pcall(one.run, one, function() return now > 100 end)))
    end)

    it("does nothing more when it is told to stop", function()
      open():run(function() return true end)
      assert.same({}, place:requests())
    end)
  end)

  it("is kept beside the bot in the loop, until it is told to stop, or its task is cancelled", function()
    local box = shop.sandbox { webhooks = { probe = false } }
    loop.run(function()
      local server = assert(box:listen { port = 0 })
      local client = avito.client { client_id = "dummy-client-id", client_secret = "dummy-client-secret", io = loop,
        base_url = server.url }
      local told, watcher = {}, {}
      local one = subscription.new({ client = client, driver = client.driver, tell = function(_, note)
        told[#told + 1] = note.kind
        client.driver:unpark(watcher)
      end }, URL)
      local function until_subscribed()
        for _ = 1, 100 do
          if told[1] then return end
          client.driver:park(1, watcher)
        end
      end
      local stopped = false
      local task = loop.spawn(function() one:run(function() return stopped end) return "stopped" end)
      until_subscribed()
      stopped = true
      one:wake()
      assert.equal("stopped", task:wait())
      task = loop.spawn(function() one:run(function() return false end) end)
      loop.sleep(0)
      assert.is_true(task:cancel())
      assert.is_true(ending.is(select(2, task:wait())))
      assert.same({ "subscribed" }, told)
      server:close()
      client:close()
    end)
  end)
end)
