-- A bot whose clock jumps by an hour, forth and back, at any moment and while it is not running; the marketplace's own goes on as
-- it should. Every question is answered once, and hardly later than it would have been.
--
-- CLOCKS=100 has so many runs; PROOF_SEED=… begins with the chances of one that failed.
local avito = require "avito_messenger"
local proof = require "support.proof"
local Random = require "avito_messenger.sandbox.random"
local trial = require "proof.support.trial"
local webhook = require "avito_messenger.webhook"

local RUNS = proof.size("CLOCKS", { short = os.getenv "AVITO_SANITIZED" and 1 or 3, full = 100 })
local CHATS, STEPS, HOUR = 4, 40, 3600
local BURST, INTERVAL = 3, 5
local SLACK = 1 -- second: requests take their time, and times of messages are whole
local SELLER, ITEM = 94235311, 5000
local SECRET = "dummy-path-secret"

local rules = { burst = BURST, flood = false, settle = "1s",
  { "ответ", hears = "вопрос*", run = function(c)
    for _, number in ipairs(c.numbers) do c:say(("Ответ %d"):format(number)) end
  end } }

local faults = { { operation = "send_message", kind = "apply_and_close", probability = 0.2 },
  { operation = "send_message", kind = "close", probability = 0.1 },
  { operation = "mark_chat_as_read", kind = "close", probability = 0.1 },
  { operation = "get_messages", kind = "status", status = 500, probability = 0.05 } }

local Shop = {}
Shop.__index = Shop

-- Webhooks are stored as the listener stores them; there is no loop here in which it could listen.
local function take(self, delivery)
  local answer = self.hook:answer { method = "POST", path = delivery.url:match "^%a+://[^/]+(.*)$", headers = delivery.headers,
    body = delivery.body }
  if not answer.rows then return { status = answer.status } end
  local flags = self.store:receive(answer.account, answer.rows)
  self.bot.lanes:told()
  return { status = flags and 200 or 503 }
end

function Shop:start()
  local before = self.store
  self.store = before:again()
  before:close()
  self.bot = avito.bot { client = self.client, rulebook = avito.rulebook(rules), store = self.store, on_error = function() end }
end

local function open(seed, more)
  local self = setmetatable({ asked = {}, waits = {}, store = avito.memory_store(),
    hook = webhook.new { path_secret = SECRET } }, Shop)
  self.box = avito.sandbox { seed = seed, now = 1800000000, latency = 0.1, rate_limit = false, buyers = {}, chats = {},
    accounts = { { user_id = SELLER, client_id = "dummy-client-id", client_secret = "dummy-client-secret" } },
    items = { { id = ITEM, account = SELLER, title = "Товар", price = "5 000 ₽" } },
    webhooks = { duplicate = 0.2, reorder = more.faults and 0.2 or 0, delay = 0.5 }, faults = more.faults }
  self.driver = self.box:driver { webhook = function(delivery) return take(self, delivery) end }
  local perform = self.driver.perform
  function self.driver.perform(driver, request)
    local sends = self.box:sends()
    local count = #sends
    local response = perform(driver, request)
    for i = count + 1, #sends do
      local number = tonumber(sends[i].text:match "%d+")
      self.waits[number] = self.waits[number] or {}
      table.insert(self.waits[number], driver:now() - self.asked[number])
    end
    return response
  end
  self.client = avito.client { client_id = "dummy-client-id", client_secret = "dummy-client-secret", io = self.driver,
    user_id = SELLER, pace = false }
  self:start()
  self:wait(1)
  assert(self.client:subscribe_webhook("http://127.0.0.1/" .. SECRET))
  return self
end

function Shop:wait(seconds)
  self.bot:poll { interval = INTERVAL, seconds = seconds }
end

-- The bot's clock jumps, and nobody else's.
function Shop:jump(seconds)
  self.driver.unix = self.driver.unix + seconds
  self.box:advance(-seconds)
end

--- What buyers do and when is drawn by the seed alone: two runs of a seed differ only in what goes wrong.
local function run(seed, given)
  local random, trouble = Random.new(seed), Random.new(seed + 1)
  local shop, off = open(seed, given), false
  for number = 1, STEPS do
    -- Questions of a chat that come close together are answered together.
    local chat = random:pick(CHATS)
    shop.box:say { buyer = 1000 + (given.faults and chat or number), item = ITEM, text = ("Вопрос %d"):format(number) }
    shop.asked[number] = shop.driver:now()
    local jumps, wait, restart = trouble:chance(0.4), random:within { 0, 12 }, random:chance(0.15)
    local first = random:fraction() * wait
    shop:wait(first)
    if restart then shop.store:close() end
    if given.jumps and jumps then
      shop:jump(off and -given.jumps or given.jumps)
      off = not off
    end
    if restart then shop:start() end
    shop:wait(wait - first)
  end
  shop.box:clear_faults()
  shop:wait(given.faults and HOUR or 60)
  return shop
end

describe("a bot whose clock jumps, PROOF_SEED=" .. trial.seed(), function()
  local function each_seed(check)
    for seed = trial.seed(), trial.seed() + RUNS - 1 do
      for _, jumps in ipairs { HOUR, -HOUR } do check(seed, jumps) end
    end
  end

  local function answered_once(shop, seed, jumps)
    for number = 1, STEPS do
      local count = #(shop.waits[number] or {})
      assert.equal(1, count, ("PROOF_SEED=%d, jumps of %d s: question %d was answered %d times"):format(seed, jumps, number, count))
    end
  end

  it("answers every question once, and later by no more than the burst", function()
    each_seed(function(seed, jumps)
      local steady, shop = run(seed, {}), run(seed, { jumps = jumps })
      answered_once(steady, seed, 0)
      answered_once(shop, seed, jumps)
      for number = 1, STEPS do
        local late = shop.waits[number][1] - steady.waits[number][1]
        assert.is_true(late <= BURST + SLACK,
          ("PROOF_SEED=%d, jumps of %d s: answer %d came %g s late"):format(seed, jumps, number, late))
      end
    end)
  end)

  it("does so where answers of the marketplace are lost", function()
    each_seed(function(seed, jumps) answered_once(run(seed, { jumps = jumps, faults = faults }), seed, jumps) end)
  end)
end)
