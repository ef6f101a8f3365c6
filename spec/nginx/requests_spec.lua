local core = require "avito_messenger.core"
local journal = require "avito_messenger.journal"
local nginx = require "support.nginx"
if not nginx.wanted() then return end
local places = require "nginx.support.place"

local SECRET = "dummy-path-secret"

describe("requests to a bot inside nginx", function()
  local own, place = places.own(), nil

  before_each(own.begin)
  after_each(own.finish)

  local function open(given)
    place = own.open(given)
  end

  local function outcome(name)
    place:until_true("the count of " .. name, function()
      return place:metric(('avito_bot_webhooks_total{outcome="%s"}'):format(name)) > 0
    end)
  end

  it("are told what is wrong with them", function()
    open { poll = false }
    place:until_well()
    for name, case in pairs {
      not_found = { 404, "not found\n", { path = "/avito/dummy-path-secreu" } },
      method = { 405, "method not allowed\n", { method = "PUT" } },
      bad_request = { 400, "bad request\n", { body = '{"payload":' } }, probe = { 200, "ok\n", { body = "{}" } },
      ignored = { 200, "ok\n", { body = '{"payload":{"type":"new"}}' } },
      too_large = { 413, "too large\n", { body = ("x"):rep(70000) } },
      foreign = { 200, "ok\n", { body = place:message { user_id = 7 } } } } do
      local response = place:hook(place:message {}, case[3])
      assert.same({ name, case[1], case[2] }, { name, response.status, response.body })
      outcome(name)
    end
    assert.matches("\r\nAllow: POST\r\n", place:hook("", { method = "DELETE", body = "" }).head)
    assert.matches("\r\nAllow: GET, HEAD\r\n", place.server:post("/health", "").head)
    assert.equal(405, place.server:post("/metrics", "").status)
    assert.matches('avito_bot_webhooks_total{outcome="foreign"} 1\n', place.server:get("/metrics").body)
    place:stop()
  end)

  it("are signed where that is asked for", function()
    open { start = ([[{ poll = false, webhook = { path_secret = "%s", path = "/avito", signature = { key = "dummy-key" } } }]])
      :format(SECRET) }
    place:until_well()
    local body = place:message {}
    local function signed(...)
      local headers = {}
      for i, text in ipairs { ... } do headers[i] = "X-Avito-Messenger-Signature: " .. text end
      return place:hook(body, { headers = headers }).status
    end
    local right = core.hmac_sha256("dummy-key", body)
    assert.equal(401, signed())
    assert.equal(401, signed(("0"):rep(64)))
    assert.equal(401, signed(right, right))
    assert.equal(200, signed(right))
    place:stop()
  end)

  it("wait no longer than Avito does for a store that others hold, and nobody waits for them", function()
    open { poll = false, expected = { "another process" } }
    place:until_well()
    local other = assert(journal.open(own.path, {}))
    assert(other:begin(5))
    local response = place:hook(place:message {})
    assert.same({ 503, "try again\n" }, { response.status, response.body })
    assert.matches("\r\nRetry%-After: 1\r\n", response.head)
    assert.equal(200, place.server:get("/pid").status)
    other:rollback()
    other:close()
    place:until_true("the webhook to be taken again", function() return place:hook(place:message {}).status == 200 end)
    place:stop()
  end)

  it("are told to come again while it is not known whose messages they bring", function()
    open { poll = false, plan = { user_id = false, client_id = "dummy-stranger" }, expected = { "poll:", "refused" } }
    place:until_true("the end of its start", function() return place.server:get("/health").body ~= "starting\n" end)
    local body = place:message { user_id = false }:gsub(',"user_id":false', ""):gsub('"user_id":false,', "") -- wherever it stands
    assert.equal(503, place:hook(body).status)
    assert.equal("parked\n", place.server:get("/health").body)
    place:stop()
  end)

  it("are stored for another process where nginx is not to answer", function()
    open { start = ([[{ answer = false, webhook = { path_secret = "%s", path = "/avito" } }]]):format(SECRET) }
    place:until_well()
    assert.equal(200, place:hook(place:message {}).status)
    local store = assert(require("avito_messenger").store(own.path))
    assert.equal(1, store:stats("94235311", os.time()).inbox)
    store:close()
    outcome "message"
    assert.same({}, place:sent())
    place:stop()
  end)
end)
