-- Bots that are killed at any moment, while answers are lost, and webhooks come twice and out of order: by the sandbox's own
-- record, every question is answered once.
--
-- KILLS=500 kills so often, STOPS=10 stops so often; PROOF_SEED=… repeats the chances of a run that failed.
-- What of it is C runs under the sanitizers in specs of its own, and many times faster.
local proof = require "support.proof"
if os.getenv "AVITO_SANITIZED" or proof.is_left_out() then return end

local clock = require "avito_messenger.clock"
local trial = require "proof.support.trial"

local SEED = trial.seed()
local KILLS = proof.size("KILLS", { short = 8, full = 500, long = 10000 })
local STOPS = proof.size("STOPS", { short = 1, full = 10, long = 100 }) -- in short only of Avito: no lease knows the marketplace

local LEASE = 4 -- seconds: a stopped process is given up soon
local PATIENCE = 120 -- seconds until everything is answered

local TITLE = "a shop at %s whose bots are killed, PROOF_SEED=%d"

-- Of those that nobody looks at the chats for: questions a second, and how webhooks and notifications come.
local RATES = { avito = 60, yandex_market = 6 }
local WEBHOOKS = { avito = { duplicate = 0, reorder = 0.1, retries = { 0.3, 0.3 } }, yandex_market = { reorder = 0.1 } }

for _, marketplace in ipairs { "avito", "yandex_market" } do describe(TITLE:format(marketplace, SEED), function()
  local shop

  local function open(more)
    local given = { seed = SEED, marketplace = marketplace }
    for name, value in pairs(more or {}) do given[name] = value end
    shop = trial.start(given)
  end
  after_each(function() shop:close() end)

  local function judge(wanted)
    shop:settle(PATIENCE, wanted)
    shop:verdict(wanted)
    shop:inspect()
  end

  -- Mostly in the midst of work; sometimes before it is up.
  local function die(bot)
    if shop.random:chance(0.15) then
      shop:live(shop.random:within { 0, 0.15 })
    else
      bot:wait_for "started"
      shop:live(shop.random:within { 0, 0.5 })
    end
    bot:kill()
  end

  local function tell(began)
    print(("%d kills, %.0f a minute, %d questions; under way were %d messages, %d reads"):format(KILLS,
      60 * KILLS / (clock.now() - began), #shop.asked, shop.counts["recovered send"] or 0, shop.counts["recovered read"] or 0))
  end

  it("answers every question once", function()
    open()
    local began = clock.now()
    for _ = 1, KILLS do die(shop:bot()) end
    tell(began)
    shop:bot()
    judge()
    -- Else nothing was proven.
    if KILLS >= 50 then assert.is_true(shop.counts["recovered send"] > KILLS / 10, shop:report()) end
  end)

  it("answers every webhook that it has answered 200, though it does not look at the chats", function()
    local kills = math.min(KILLS, 500)
    -- Nobody reads a chat of which there was no webhook.
    open { apart = true, rate = RATES[marketplace], log_limit = 1000 * kills, webhooks = WEBHOOKS[marketplace] }
    for _ = 1, kills do die(shop:bot { poll = false }) end
    if marketplace == "avito" then shop:fall_silent(PATIENCE) end -- the other tells of it until somebody listens
    shop:bot { poll = false }
    judge(marketplace == "avito" and shop:delivered() or nil)
  end)

  it("answers every question once with two processes on a store, of which one is killed or stopped", function()
    open()
    local began = clock.now()
    local settings = { { lease = LEASE, timeout = 1 }, { lease = LEASE, timeout = 1, listen = false } }
    local bots = { shop:bot(settings[1]), shop:bot(settings[2]) }
    for turn = 1, KILLS do
      local one = turn % 2 + 1
      die(bots[one])
      bots[one] = shop:bot(settings[one])
    end
    tell(began)
    for turn = 1, marketplace == "avito" and STOPS or proof.choose { short = 0, full = STOPS } do
      local bot = bots[turn % 2 + 1]
      bot:wait_for "started"
      shop:live(shop.random:within { 0, 0.5 })
      bot.child:kill "STOP"
      shop:live(LEASE + 1.5)
      bot.child:kill "CONT"
      shop:live(1)
    end
    judge()
  end)
end) end
