-- A million messages, of which a fifth comes twice and all come out of order, through the webhook's reader, a store in a file, the
-- lanes and the engine: each is answered once, and the replies of a chat are in the order in which the messages were written.
--
-- Time is the spec's own: the marketplace is a table, and nobody waits. MILLION=n says how many messages; PROOF_SEED=… repeats
-- the chances of a run that failed.
local avito = require "avito_messenger"
local journals = require "support.journals"
local json = require "avito_messenger.json"
local proof = require "support.proof"
local Random = require "avito_messenger.sandbox.random"
local webhook = require "avito_messenger.webhook"

local SEED = proof.size("PROOF_SEED", { short = os.time() % 1000000, full = os.time() % 1000000 })
local COUNT = proof.size("MILLION", { short = os.getenv "AVITO_SANITIZED" and 500 or 2000, full = 1000000 })
local CHATS = math.min(300, math.ceil(COUNT / 10))
local UNDER_WAY = 8   -- seconds that a webhook takes at most
local BURST = 10      -- seconds of silence after which the bot answers
local ROUND = 60      -- seconds; in each a chat has a few messages
local MOST = 4        -- of them
local KEEP = 5        -- seconds between two rounds of the store's own work
local AGAIN = 0.2     -- of the messages come twice
local BEGIN = 1800000000
local SELLER, SECRET = 94235311, "dummy-path-secret"
local KEPT = 20       -- messages of a chat that the marketplace shows

-- ---- the marketplace: what was said, and what is to be told

local Market = {}
Market.__index = Market

local function new_market()
  return setmetatable({ now = BEGIN, random = Random.new(SEED), chats = {}, told = {}, number = 0, sends = 0, again = 0 }, Market)
end

local function chat_of(market, number)
  local chat = market.chats[number]
  if not chat then
    chat = { id = ("u2i-%06d"):format(number), asked = {}, answered = {}, messages = {} }
    market.chats[number], market.chats[chat.id] = chat, chat
  end
  return chat
end

local function keep(chat, message)
  table.insert(chat.messages, 1, message)
  chat.messages[KEPT + 1] = nil
end

function Market:tell_at(moment, body)
  local second = math.floor(moment)
  local list = self.told[second] or {}
  self.told[second] = list
  list[#list + 1] = body
end

-- A buyer writes: the webhook is under way for a while, and perhaps comes once more, now or much later.
function Market:ask(chat, created)
  self.number = self.number + 1
  local value = { id = ("%032x"):format(self.number), chat_id = chat.id, user_id = SELLER, author_id = 7, created = created,
    type = "text", chat_type = "u2i", content = { text = ("Вопрос %d"):format(self.number) }, item_id = 5 }
  local body = json.encode { id = "dummy", version = "v3.0.0", timestamp = created, payload = { type = "message", value = value } }
  chat.asked[#chat.asked + 1] = self.number
  self:tell_at(created + self.random:within { 0, UNDER_WAY }, body)
  if self.random:chance(AGAIN) then
    self.again = self.again + 1
    self:tell_at(created + self.random:within { 0, self.random:chance(0.5) and UNDER_WAY or 3 * ROUND }, body)
  end
  return value
end

-- What a chat is asked in the round that begins; no two messages in the same second, for those have no order.
function Market:plan(chat)
  local created = self.now
  for _ = 1, self.random:pick(MOST) do
    if self.number == COUNT then return end
    created = created + self.random:pick(2)
    self.planned[created] = self.planned[created] or {}
    table.insert(self.planned[created], { chat = chat, value = self:ask(chat, created) })
  end
end

-- ---- the client and its driver, as the bot sees them

local function client_of(market)
  local driver = {}
  function driver.time() return market.now end
  function driver.now() return market.now - BEGIN end
  function driver.sleep(_, seconds)
    market.now = market.now + seconds
    return true
  end
  local client = { driver = driver }
  function client.send_message(_, chat_id, text)
    local chat = market.chats[chat_id]
    market.sends = market.sends + 1
    chat.answered[#chat.answered + 1] = assert(tonumber(text:match "^Ответ (%d+)$"), text)
    local message = { id = ("f%031x"):format(market.sends), author_id = SELLER, created = market.now, type = "text",
      direction = "out", content = { text = text } }
    keep(chat, message)
    return message
  end
  function client.get_messages(_, chat_id)
    return market.chats[chat_id].messages, { has_more = false }
  end
  function client.mark_chat_as_read() return true end
  return client
end

local RULES = { burst = BURST, flood = false,
  { "ответ", hears = "вопрос*", run = function(c)
    for _, number in ipairs(c.numbers) do c:say(("Ответ %d"):format(number)) end
  end },
}

describe(("%d messages, PROOF_SEED=%d"):format(COUNT, SEED), function()
  local market, store, bot, problems

  before_each(function()
    market, problems = new_market(), {}
    store = assert(avito.store(journals.path(), { synchronous = "normal", keep = "10m" }))
    bot = avito.bot { client = client_of(market), store = store, user_id = SELLER, rulebook = avito.rulebook(RULES),
      on_error = function(problem) problems[#problems + 1] = problem.message end }
    bot.since, bot.started = BEGIN, BEGIN
  end)
  after_each(function()
    store:close()
    journals.remove_all()
  end)

  local hook = webhook.new { path_secret = SECRET }

  -- A second passes: what buyers write then is in the chats, what is told then comes, and the bot does what is due.
  local function pass()
    for _, one in ipairs(market.planned[market.now] or {}) do keep(one.chat, one.value) end
    local rows = {}
    for _, body in ipairs(market.told[market.now] or {}) do
      local answer = hook:answer { method = "POST", path = "/" .. SECRET, headers = {}, body = body }
      for _, row in ipairs(answer.rows) do rows[#rows + 1] = row end
    end
    market.planned[market.now], market.told[market.now] = nil, nil
    if #rows > 0 then assert.is_not_nil(bot.lanes:receive(rows)) end
    repeat bot.lanes:work() until bot.lanes:rest() > 0
    market.now = market.now + 1
  end

  local function run()
    market.planned = {}
    repeat
      for number = 1, CHATS do market:plan(chat_of(market, number)) end
      for second = 1, ROUND do
        pass()
        if second % KEEP == 0 then assert(store:maintain(market.now)) end
      end
      assert.same({}, problems)
    until market.number == COUNT
    for _ = 1, 5 * ROUND do pass() end
  end

  it("are answered once each, in the order of their chats", function()
    run()
    assert.same({}, problems)
    assert.equal(COUNT, market.sends)
    for number = 1, CHATS do
      local chat = market.chats[number]
      assert.equal(table.concat(chat.asked, " "), table.concat(chat.answered, " "), chat.id)
    end
    local stats = store:stats(bot:account(), market.now)
    assert.same({ queued = 0, latched = 0, unknown = 0 }, stats.outbox)
    assert.equal(0, stats.inbox)
    assert.is_true(market.again > COUNT * AGAIN / 2)
  end)
end)
