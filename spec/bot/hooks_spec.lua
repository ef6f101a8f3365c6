local hooks = require "avito_messenger.bot.hooks"
local markets = require "avito_messenger.bot.market"

local SECRET = { path_secret = "dummy-path-secret", signature = { key = "dummy-key" } }

describe("what is posted to a bot", function()
  local function bot(account, marketplace)
    return { account = function() return account end, market = markets.named(marketplace or "avito") }
  end

  it("is read by the hook of its marketplace", function()
    assert.matches("^avito.webhook ", tostring(hooks.make(bot("1"), { path_secret = SECRET.path_secret }, "x", 1)))
    assert.matches("^avito.webhook ", tostring(hooks.make(bot("1", "avito"), SECRET, "x", 1)))
    local market = bot("yandex_market:1", "yandex_market")
    assert.matches("^yandex_market.notifications ", tostring(hooks.make(market, { path_secret = SECRET.path_secret }, "x", 1)))
    assert.is_string(hooks.options(bot "1").signature)
    assert.is_nil(hooks.options(market).signature)
    assert.is_string(hooks.options(market).ranges)
  end)

  it("has secrets, which the bot's log shows no more", function()
    local hidden, one = {}, bot "1"
    one.log = { hide = function(_, text) hidden[#hidden + 1] = text end }
    hooks.make(one, SECRET, "x", 1)
    assert.same({ "dummy-path-secret", "dummy-key" }, hidden)
  end)

  it("is the bot's own, another's, or nobody's yet", function()
    local rows = { {} }
    local function account(own, answer) return { hooks.account(bot(own), answer) } end
    assert.same({ "1" }, account("1", { rows = rows, account = "1" }))
    assert.same({ "1" }, account("1", { rows = rows }))
    assert.same({ "1" }, account(nil, { rows = rows, account = "1" }))
    assert.same({ nil, "unavailable", "why" }, account(nil, { rows = rows, note = "why" }))
    assert.same({ nil, "foreign", "for account 2, and the bot is that of 1" }, account("1", { rows = rows, account = "2" }))
    assert.same({ nil, "ignored", "why" }, account("1", { outcome = "ignored", note = "why" }))
  end)
end)
