-- A bot that is told to end, or to read its rulebook again, in the midst of work: by the sandbox's own record, every question
-- is answered once.
-- What of it is C runs under the sanitizers in specs of its own, and many times faster.
if os.getenv "AVITO_SANITIZED" or require("support.proof").is_left_out() then return end

local clock = require "avito_messenger.clock"
local files = require "support.files"
local journal = require "avito_messenger.journal"
local trial = require "proof.support.trial"

local HUP = 1
local PATIENCE = 60

describe("a bot under load, PROOF_SEED=" .. trial.seed(), function()
  local shop

  local function open(given)
    given.seed = trial.seed()
    given.webhooks = given.webhooks or { reorder = 0 }
    shop = trial.start(given)
  end
  after_each(function() shop:close() end)

  local function judge(wanted)
    shop:settle(PATIENCE, wanted)
    shop:verdict(wanted)
    shop:inspect()
  end

  local function comes_to_its_end(bot)
    local how, code = bot:reap(10)
    assert.same({ "exit", 0 }, { how, code }, shop:report())
    assert.is_true(bot.told.ended)
  end

  local function end_by(bot, signal)
    bot.child:kill(signal)
    comes_to_its_end(bot)
  end

  it("ends on TERM and INT within ten seconds, and goes on where it was", function()
    open {}
    for _, signal in ipairs { "TERM", "INT", "TERM" } do
      local bot = shop:bot()
      bot:wait_for "done"
      shop:live(shop.random:within { 0, 0.6 })
      end_by(bot, signal)
      assert.equal(0, shop.counts["recovered send"] or 0, "what was under way was not waited for")
    end
    shop:bot()
    judge()
  end)

  it("waits no longer than it is told to, and makes certain at the next start what was under way", function()
    open { faults = { { operation = "send_message", kind = "hang", apply = true } } }
    local bot = shop:bot { timeout = 60, run = { drain = "1s" } }
    shop:ask(1)
    while shop.market:control("GET", "faults").faults[1].struck == 0 do shop:live(0.05) end
    end_by(bot, "TERM")
    assert.equal(1, shop.counts["stopped 1"], shop:report())
    local next_one = shop:bot()
    next_one:wait_for "recovered"
    judge()
    assert.equal(1, shop.counts["recovered send"], shop:report())
  end)

  it("ends at once when it is told so twice", function()
    open { faults = { { operation = "send_message", kind = "hang", apply = true } } }
    local bot = shop:bot { timeout = 60, run = { drain = "1h" } }
    shop:ask(1)
    while shop.market:control("GET", "faults").faults[1].struck == 0 do shop:live(0.05) end
    bot.child:kill "TERM"
    bot:wait_for "stopping"
    end_by(bot, "TERM")
    shop:bot()
    judge()
  end)

  it("answers a webhook with 200 only when it is stored, also while it ends", function()
    open { faults = {}, rate = 60, webhooks = { retries = {}, duplicate = 0, reorder = 0 } }
    local bots = 4
    for i = 1, bots do
      local bot = shop:bot { poll = false }
      bot:wait_for "done"
      shop:live(0.3)
      bot.child:kill "TERM"
      shop:live(0.1) -- of what comes now, some is stored and some refused
      comes_to_its_end(bot)
      assert.equal(i, shop.counts.stopping)
    end
    shop:stop_asking()
    assert.is_true(#shop:deliveries "failed" > 0)
    local stored = shop:delivered()
    shop:bot { poll = false }
    judge(stored)
  end)

  it("does so while the file is locked at its end", function()
    open { faults = {}, webhooks = { retries = {}, duplicate = 0, reorder = 0 } }
    shop:stop_asking()
    for _, released in ipairs { true, false } do
      local bot = shop:bot { poll = false }
      bot:wait_for "started"
      -- The first may come before the bot knows whose messages it is to take.
      repeat
        shop:ask(1)
        shop:live(0.2)
      until bot.told.done
      local lock = assert(journal.open(shop.store, {}))
      assert(lock:begin(5))
      local asked = {}
      for i = 1, 5 do asked[i] = shop:ask(1 + i).message_id end
      while #shop:deliveries "sending" < 5 and #shop:deliveries "failed" == 0 do shop:live(0.01) end
      bot.child:kill "TERM"
      bot:wait_for "stopping"
      if released then lock:rollback() end
      while #shop:deliveries "sending" > 0 do shop:live(0.01) end
      lock:close()
      comes_to_its_end(bot)
      local answered = shop:delivered()
      for _, id in ipairs(released and {} or asked) do assert.is_nil(answered[id]) end
    end
    local answered = shop:delivered()
    shop:bot { poll = false }
    judge(answered)
  end)

  -- How many answers begin with the word.
  local function count(word)
    local number = 0
    for _, send in ipairs(shop.market:control("GET", "sends").sends) do
      if send.text:find(word, 1, true) == 1 then number = number + 1 end
    end
    return number
  end

  local function wait_for_answers(word, number)
    local limit = clock.now() + PATIENCE
    while count(word) < number do
      assert.is_true(clock.now() < limit, shop:report())
      shop:live(0.1)
    end
  end

  it("answers by a changed rulebook from HUP on, and by the old one where the new one is broken", function()
    open {}
    local bot = shop:bot()
    wait_for_answers("Ответ", 5)
    shop:rule "Сообщаю"
    bot.child:kill(HUP)
    bot:wait_for "reloaded"
    local before = #shop.asked
    wait_for_answers("Сообщаю", 5)
    files.write(shop.rules, "return {")
    bot.child:kill(HUP)
    bot:wait_for "error"
    assert.matches("the rulebook was not reloaded", shop.errors[#shop.errors])
    wait_for_answers("Сообщаю", count "Сообщаю" + 5)
    shop:settle(PATIENCE)
    for number, sends in pairs(shop:answers()) do
      if number > before then assert.matches("^Сообщаю", sends[1].text) end
    end
    shop:rule "Сообщаю"
    judge()
  end)
end)
