-- Bots that are killed at any moment, while answers are lost, and webhooks come twice and out of order: by the sandbox's own
-- record, every question is answered once.
--
-- KILLS=500 kills so often; PROOF_SEED=… repeats the chances of a run that failed.
local clock = require "avito_messenger.curl"
local trial = require "proof.support.trial"

local SEED = trial.seed()
local KILLS = tonumber(os.getenv "KILLS") or os.getenv "AVITO_SANITIZED" and 6 or 15

describe("a shop whose bots are killed, PROOF_SEED=" .. SEED, function()
  local shop

  before_each(function() shop = trial.start { seed = SEED } end)
  after_each(function() shop:close() end)

  -- Mostly in the midst of work; sometimes before it is up.
  local function die(bot)
    if shop.random:chance(0.15) then
      shop:live(shop.random:within { 0, 0.15 })
    else
      bot:wait_for "started"
      shop:live(shop.random:within { 0, 0.8 })
    end
    bot:kill()
  end

  it("answers every question once", function()
    local began = clock.now()
    for _ = 1, KILLS do die(shop:bot()) end
    local minutes = (clock.now() - began) / 60
    shop:bot()
    shop:settle(120)
    shop:verdict()
    local stats = shop:inspect()
    assert.same({ inbox = 0, outbox = { queued = 0, latched = 0, unknown = 0 } }, { inbox = stats.inbox, outbox = stats.outbox })
    print(("%d kills, %.0f a minute, %d questions; a message was under way at %d, something else at %d"):format(KILLS,
      KILLS / minutes, #shop.asked, shop.counts["recovered send"] or 0, shop.counts["recovered read"] or 0))
    print(shop:report())
  end)
end)
