-- A shop whose bot lives in nginx, while workers are killed, nginx is reloaded, ended and begun: by the sandbox's own record,
-- every question is answered once.
--
-- NGINX_KILLS=200 kills so often, and reloads half as often; PROOF_SEED=… repeats the chances of a run that failed.
local json = require "avito_messenger.json"
local nginx = require "support.nginx"
if not nginx.wanted() then return end

local clock = require "avito_messenger.clock"
local proof = require "support.proof"
local trial = require "proof.support.trial"

local SEED = trial.seed()
local KILLS = proof.size("NGINX_KILLS", { short = 4, full = 200, long = 2000 })
local RELOADS, STARTS = math.ceil(KILLS / 2), math.ceil(KILLS / 6)
local SLOW_RELOADS = proof.choose { short = 1, full = 20 }

local LEASE = 4 -- seconds
local PATIENCE = 120 -- seconds until everything is answered

-- In short, those of Yandex Market are left to kill_spec.lua.
for _, marketplace in ipairs(proof.choose { short = { "avito" }, full = { "avito", "yandex_market" } }) do
describe(("a shop at %s in nginx, PROOF_SEED=%d"):format(marketplace, SEED), function()
  local shop

  before_each(function() shop = nil end)
  after_each(function() if shop then shop:close() end end)

  local function open(more)
    local given = { seed = SEED, marketplace = marketplace }
    for name, value in pairs(more or {}) do given[name] = value end
    shop = trial.start(given)
  end

  local function start(given)
    local options = { lease = LEASE, timeout = 2 }
    for name, value in pairs(given) do options[name] = value end
    local bot = shop:nginx(options)
    bot:wait_for "started"
    return bot
  end

  local function judge(wanted)
    shop:settle(PATIENCE, wanted)
    shop:verdict(wanted)
    shop:inspect()
  end

  local function tell(what, count, began)
    print(("%d %s, %.0f a minute, %d questions; under way were %d messages, %d reads"):format(count, what,
      60 * count / (clock.now() - began), #shop.asked, shop.counts["recovered send"] or 0, shop.counts["recovered read"] or 0))
  end

  local function breathe() shop:live(shop.random:within { 0, 0.6 }) end

  for _, workers in ipairs { 1, 2 } do
    it(("answers every question once with %d worker(s), of which one is killed again and again"):format(workers), function()
      open()
      local bot, began = start { workers = workers }, clock.now()
      for _ = 1, KILLS do
        breathe()
        local pids = bot.server:workers()
        bot.server:kill(pids[shop.random:pick(#pids)])
      end
      tell("kills", KILLS, began)
      judge()
    end)

    it(("answers every question once with %d worker(s), while nginx is reloaded"):format(workers), function()
      open()
      local bot, began = start { workers = workers }, clock.now()
      for _ = 1, RELOADS do
        breathe()
        bot.server:reload()
      end
      tell("reloads", RELOADS, began)
      judge()
      assert.is_nil(shop.counts["recovered send"], shop:report()) -- those that end finish what they have begun
    end)
  end

  it("finishes what it has begun, though the API takes its time, when nginx is reloaded", function()
    -- Yandex Market takes four requests at a time: more than these would wait for their turn longer than there is time to end.
    open { latency = { 0.3, 0.6 }, rate = marketplace == "avito" and 5 or 1, faults = json.list {} }
    local bot = start { workers = 2, timeout = 5 }
    for _ = 1, SLOW_RELOADS do
      shop:live(1)
      bot.server:reload()
    end
    judge()
    assert.is_nil(shop.counts["recovered send"], shop:report())
  end)

  it("answers every question once where nginx ends in order, or at once, and begins again", function()
    open()
    for turn = 1, 2 * STARTS do
      local bot = start { workers = 2 }
      breathe()
      if turn % 2 == 0 then bot:quit() else bot:kill() end
      breathe()
    end
    start { workers = 2 }
    judge()
  end)

  it("takes in for a process beside it that answers, and both are killed", function()
    open()
    local server = start { workers = 2, answer = false }
    local answering = { listen = false, subscribe = true, lease = LEASE, timeout = 1 }
    local bot = shop:bot(answering)
    for turn = 1, KILLS do
      bot:wait_for "started"
      breathe()
      if turn % 2 == 0 then
        bot:kill()
        bot = shop:bot(answering)
      else
        local pids = server.server:workers()
        server.server:kill(pids[shop.random:pick(#pids)])
      end
    end
    judge()
  end)

  it("answers every webhook that it has answered 200, though it does not look at the chats", function()
    local comes = { avito = { duplicate = 0, reorder = 0.1, retries = { 0.3, 0.3 } }, yandex_market = { reorder = 0.1 } }
    open { apart = true, log_limit = 1000 * KILLS, webhooks = comes[marketplace] }
    local bot = start { workers = 2, poll = false }
    for turn = 1, KILLS do
      breathe()
      local pids = bot.server:workers()
      if turn % 3 == 0 then bot.server:reload() else bot.server:kill(pids[shop.random:pick(#pids)]) end
    end
    shop:fall_silent(PATIENCE)
    judge(shop:delivered())
  end)
end)
end
