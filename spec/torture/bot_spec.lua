-- A bot that polls a sandbox with every fault: by the sandbox's own record, each question is answered once. Seeds are chances
-- of what is said, what goes wrong and when; BOT_SEEDS=n runs more of them, BOT_SEED=n only that one.

local avito = require "avito_messenger"
local Random = require "avito_messenger.sandbox.random"

local CHATS, STEPS = 4, 60
local OPERATIONS = { "send_message", "get_messages", "get_chats", "get_chat", "mark_chat_as_read" }

--- One fault, of those that an answer can have.
local function fault(random)
  local faults = {
    { kind = "apply_and_close" }, { kind = "apply_and_close" }, { kind = "close" }, { kind = "hang", apply = true },
    { kind = "hang" }, { kind = "status", status = 500 }, { kind = "status", status = 500, apply = true },
    { kind = "status", status = 502, body = "<html>" }, { kind = "html", apply = true }, { kind = "empty", apply = true },
    { kind = "invalid_json", apply = true }, { kind = "cut", bytes = 7 }, { kind = "rate_limited", retry_after = 3 },
    { kind = "latency", seconds = 8 }, { kind = "token_expired" }, { kind = "drip", seconds = 0.5 },
  }
  local one = faults[random:pick(#faults)]
  one.operation = OPERATIONS[random:chance(0.5) and 1 or random:pick(#OPERATIONS)]
  one.times = random:pick(3)
  return one
end

local function world()
  local buyers, items = {}, {}
  for i = 1, CHATS + 1 do
    buyers[i] = { id = 1000 + i, name = "Покупатель" }
    items[i] = { id = 5000 + i, account = 94235311, title = "Товар", price = "5 000 ₽" }
  end
  return { accounts = { { user_id = 94235311, client_id = "dummy-client-id", client_secret = "dummy-client-secret",
    name = "Магазин" } }, buyers = buyers, items = items, chats = {} }
end

local function place(seed)
  local given = world()
  given.seed, given.now = seed, 1800000000
  local sandbox = avito.sandbox(given)
  local driver = sandbox:driver()
  local client = avito.client { client_id = "dummy-client-id", client_secret = "dummy-client-secret", io = driver,
    user_id = 94235311, timeout = 20 }
  local problems = {}
  local bot = avito.bot { client = client, on_error = function(problem) problems[#problems + 1] = problem.message end,
    rulebook = avito.rulebook {
      burst = "2s", flood = false, human = { pause = "10m" },
      { "ответ", hears = "вопрос*", delay = "0s-20s", run = function(c)
        for _, number in ipairs(c.numbers) do c:say(("Ответ %d"):format(number)) end
      end },
    } }
  return { sandbox = sandbox, driver = driver, bot = bot, problems = problems }
end

local function run(seed)
  local random = Random.new(seed)
  local it = place(seed)
  local asked = {}
  it.bot:poll { rounds = 1, interval = 5 }
  for number = 1, STEPS do
    local chat = random:pick(CHATS + 1)
    it.sandbox:say { buyer = 1000 + chat, item = 5000 + chat, text = ("Вопрос %d"):format(number) }
    asked[number] = chat
    -- In the last chat a person types now and then, also the very words of the bot.
    if chat == CHATS + 1 and random:chance(0.3) then
      it.sandbox:write { buyer = 1000 + chat, item = 5000 + chat, text = random:chance(0.5) and "Это я сам" or "Ответ 0" }
    end
    if random:chance(0.7) then it.sandbox:fault(fault(random)) end
    if random:chance(0.05) then it.sandbox:expire_tokens() end
    it.bot:poll { interval = 5, seconds = random:within { 1, 40 } }
  end
  it.sandbox:clear_faults()
  it.bot:poll { interval = 5, seconds = 3600 }
  local answers = {}
  for _, send in ipairs(it.sandbox:sends()) do
    local number = tonumber(send.text:match "%d+")
    answers[number] = (answers[number] or 0) + 1
  end
  return asked, answers, it
end

describe("a bot under every fault of the marketplace", function()
  local first, last = 1, tonumber(os.getenv "BOT_SEEDS") or 12
  if os.getenv "BOT_SEED" then
    first = tonumber(os.getenv "BOT_SEED")
    last = first
  end

  for seed = first, last do
    it("answers every question once, seed " .. seed, function()
      local asked, answers, at = run(seed)
      for number, chat in ipairs(asked) do
        local count = answers[number] or 0
        local what = ("question %d of chat %d was answered %d times\n%s"):format(number, chat, count,
          table.concat(at.problems, "\n"))
        assert.is_true(count <= 1, what)
        assert.is_true(count == 1 or chat == CHATS + 1, what)
      end
    end)
  end
end)
