--- A shop whose bots are killed: a sandbox as a process of its own, buyers that write at a steady rate, and bots that share a
--- store. The sandbox's record is the judge.
---
---   local shop = trial.start { seed = 1 }     at Avito, or at the marketplace given
---   local bot = shop:bot { }                  a process; see telling.lua for what it prints
---   local bot = shop:nginx { workers = 2 }    an nginx whose workers are bots
---   shop:live(2)                              for so long buyers write
---   bot:kill()
---   shop:settle(60)                           the buyers stop; until every question has an answer
---   shop:verdict()                            raises what was lost or doubled
---   shop:inspect()                            ends the bots, and raises what is wrong with the store
---   shop:close()
local avito = require "avito_messenger"
local clock = require "avito_messenger.clock"
local files = require "support.files"
local json = require "avito_messenger.json"
local nginx = require "support.nginx"
local ports = require "support.ports"
local proof = require "support.proof"
local Random = require "avito_messenger.sandbox.random"
local sandbox = require "support.sandbox"
local shops = require "proof.support.shops"

local trial = {}

local Trial = {}
Trial.__index = Trial

local Bot = {}
Bot.__index = Bot

local CHATS = 10         -- that buyers write in at a time
local QUESTIONS = 60     -- until a buyer goes, and another comes
local SECRET = "dummy-path-secret"
local TIMEOUT = 5        -- seconds of a call
local QUIT = 3           -- the signal by which nginx ends in order
local ENDING = 30        -- seconds that an end in order may take
local START = 30         -- seconds that a process may take to start

trial.rules = [[
return require("avito_messenger").rulebook {
  burst = "0.05s", flood = false, settle = "1s",
  { "ответ", hears = "вопрос*", run = function(c)
    for _, number in ipairs(c.numbers) do c:say(("%s %%d"):format(number)) end
  end },
}
]]

local function address(self) return ("http://127.0.0.1:%d/%s"):format(self.port, SECRET) end

--- The seed of a run: PROOF_SEED repeats the chances of one that failed.
---@return integer
function trial.seed()
  local any = os.time() % 1000000
  return proof.size("PROOF_SEED", { short = any, full = any })
end

local function world(shop, given)
  local all = shop.world(given)
  all.latency, all.faults, all.log_limit = given.latency or { 0, 0.04 }, given.faults or shop.faults, given.log_limit or 1000
  return all
end

---@param given { seed: integer, marketplace: string?, rate: number?, apart: boolean?, webhooks: table?, faults: table?,
--- latency: number[]?, log_limit: integer? } rate: questions a second; apart: each in a chat of its own
function trial.start(given)
  local directory = files.temporary()
  assert(os.execute(("mkdir -m 700 '%s'"):format(directory)))
  local marketplace = given.marketplace or "avito"
  local at = shops[marketplace]
  local self = setmetatable({ marketplace = marketplace, at = at, seed = given.seed, random = Random.new(given.seed),
    rate = given.rate or at.rate, apart = given.apart,
    directory = directory, port = ports.free(directory), bots = {}, asked = {}, counts = {}, errors = {} }, Trial)
  self.rules, self.store = self.directory .. "/rules.lua", self.directory .. "/shop.db"
  self:rule "Ответ"
  local path = self.directory .. "/world.lua"
  files.write(path, ('return require("avito_messenger.json").decode [==[%s]==]'):format(assert(json.encode(world(at, given)))))
  self.market = sandbox.start { "--world", path, "--seed", tostring(given.seed), "--rate-limit", "off" }
  -- What was written before the first start of all is left to the seller.
  self:bot({ listen = false, run = { poll = { rounds = 1 } } }):reap(START)
  at.open(self.market, address(self))
  self.next_question, self.counts = clock.now(), {}
  return self
end

--- The rulebook, whose answers begin with the word.
function Trial:rule(word)
  files.write(self.rules, trial.rules:format(word))
end

-- ---- bots

---@class proof.Bot
---@field child userdata
---@field shop table
---@field server? table of support.nginx, where it is one

local function plan(self, given, run)
  return assert(json.encode { marketplace = self.marketplace, base_url = self.market.base_url, credentials = self.at.credentials,
    store = self.store, rules = self.rules, timeout = given.timeout or TIMEOUT, lease = given.lease, run = run })
end

local function add(self, bot)
  bot.shop, bot.told = self, {}
  self.bots[#self.bots + 1] = bot
  return setmetatable(bot, Bot)
end

--- Starts one. `run`: what bot:run is given beside polling and the listener; `listen = false`: it takes no webhooks, and
--- `subscribe` nevertheless for another that does.
---@param given? { run: table?, listen: boolean?, subscribe: boolean?, poll: boolean?, lease: number?, timeout: number? }
---@return proof.Bot
function Trial:bot(given)
  given = given or {}
  local run = { poll = given.poll ~= false and { interval = 1 } }
  if given.listen ~= false then run.listen = { port = self.port, path_secret = SECRET } end
  if self.at.subscribes and (given.listen ~= false or given.subscribe) then run.subscribe = address(self) end
  for name, value in pairs(given.run or {}) do run[name] = value end
  return add(self, { child = sandbox.spawn({ "spec/proof/support/bot.lua", plan(self, given, run) },
    { stdout = "pipe", stderr = "pipe" }) })
end

local INSIDE = [[
location / { content_by_lua_block { require("avito_messenger.nginx").webhook(require("proof.support.inside").bot) } }
location = /healthz { content_by_lua_block { require("avito_messenger.nginx").health(require("proof.support.inside").bot) } }
location = /metrics { content_by_lua_block { require("avito_messenger.nginx").metrics(require("proof.support.inside").bot) } }
]]

--- Starts one that is an nginx: it polls and takes webhooks. `answer = false`: it only takes them.
---@param given? { workers: integer?, poll: boolean?, answer: boolean?, lease: number?, timeout: number?, expected: string[]? }
---@return proof.Bot
function Trial:nginx(given)
  given = given or {}
  local run = { webhook = { path_secret = SECRET }, answer = given.answer }
  if given.answer ~= false then
    run.poll, run.subscribe = given.poll ~= false and { interval = 1 }, self.at.subscribes and address(self) or nil
  end
  local server = nginx.start { workers = given.workers, port = self.port, stdout = "pipe", server = INSIDE,
    init_worker = 'require("proof.support.inside").start()', main = "env AVITO_PLAN; worker_shutdown_timeout 20s;",
    http = "lua_socket_log_errors off;", env = { AVITO_PLAN = plan(self, given, run) },
    expected = given.expected or { "exited on signal 9" } }
  local bot = add(self, { child = server.child, server = server })
  bot.told.started = given.answer == false -- which no worker tells then
  return bot
end

local function heard(bot, line)
  local shop = bot.shop
  bot.told[line:match "^%S*"] = true
  shop.counts[line] = (shop.counts[line] or 0) + 1
  if line:find "^error" then shop.errors[#shop.errors + 1] = line end
  if not line:find "^%l+" or line:find "stack traceback" then shop.strange = shop.strange or line end
end

--- Reads what it printed until there is no more, or the time is over. False: it prints nothing any more.
function Bot:hear(seconds)
  local line, why = self.child:read_line(seconds)
  while line do
    heard(self, line)
    line, why = self.child:read_line(0)
  end
  self.ended = why == "eof"
  return not self.ended
end

--- Ends it as the system would: nothing is tidied up.
function Bot:kill()
  if self.server then self.server:close() else self.child:kill "KILL" end
  self:reap()
end

--- At once, whatever it does.
function Bot:close()
  if self.server then self.server:close() else self.child:close() end
end

-- Everything it printed, how it ended, and what else is wrong.
function Bot:reap(seconds)
  local how, code, problem
  local ends = clock.now() + (seconds or 10)
  while self:hear(0.05) and clock.now() < ends do end
  how, code = self.child:wait(math.max(0, ends - clock.now()))
  problem = self.server and self.server:unexpected()
  self:close()
  for i, one in ipairs(self.shop.bots) do
    if one == self then table.remove(self.shop.bots, i) end
  end
  return how, code, problem
end

--- Ends it in order. Raises where that fails.
function Bot:quit()
  self:wait_for "started"
  self.child:kill(self.server and QUIT or "TERM")
  local how, code, problem = self:reap(ENDING)
  if how ~= "exit" or code ~= 0 or problem then
    error(("a bot ended with %s %s: %s\n%s"):format(how, code, problem or "", self.shop:report()), 3)
  end
end

--- Waits until it has told of something; buyers go on writing.
function Bot:wait_for(what, seconds)
  local ends = clock.now() + (seconds or START)
  while not self.told[what] do
    if self.ended or clock.now() > ends then error(("the bot never said '%s'\n%s"):format(what, self.shop:report()), 2) end
    self.shop:live(0.02)
  end
end

-- ---- buyers

function Trial:ask(chat)
  local number = #self.asked + 1
  if self.apart then chat = number end
  chat = chat or math.floor(number / (CHATS * QUESTIONS)) * CHATS + self.random:pick(CHATS)
  local question = self.at.question(chat)
  question.text = ("Вопрос %d"):format(number)
  local said, status = self.market:control("POST", "say", question)
  assert(status == 200, "a buyer could not write")
  self.asked[number] = said
  return said
end

--- For so long buyers write, and what bots print is read.
function Trial:live(seconds)
  local ends = clock.now() + seconds
  repeat
    local now = clock.now()
    if now >= self.next_question then
      self:ask()
      self.next_question = math.max(self.next_question, now - 1) + self.random:fraction() * 2 / self.rate
    end
    local left = math.min(ends, self.next_question) - clock.now()
    local count = #self.bots
    for _, bot in ipairs(self.bots) do bot:hear(math.max(0, math.min(left / count, 0.02))) end
    if count == 0 then break end
  until clock.now() >= ends
end

-- ---- the judge

--- How often each question was answered, and answers in the wrong chat.
function Trial:answers()
  local answers, astray = {}, {}
  for _, send in ipairs(self.market:control("GET", "sends").sends) do
    local number = tonumber(tostring(send.text):match "(%d+)$")
    local question = self.asked[number]
    if not question or question.chat_id ~= send.chat_id then astray[#astray + 1] = send.text end
    answers[number] = answers[number] or {}
    table.insert(answers[number], send)
  end
  return answers, astray
end

local function missing(self, wanted)
  local answers, list = self:answers(), {}
  for number, question in ipairs(self.asked) do
    if not answers[number] and (not wanted or wanted[question.message_id]) then list[#list + 1] = number end
  end
  return list
end

--- The deliveries of webhooks that are in a state.
---@param state "waiting"|"sending"|"delivered"|"failed"
---@return table[]
function Trial:deliveries(state)
  local list = {}
  for _, one in ipairs(self.market:control("GET", "deliveries").deliveries) do
    if one.state == state then list[#list + 1] = one end
  end
  return list
end

--- Ids of the messages whose webhooks were answered 200.
---@return table<string, true>
function Trial:delivered()
  local ids = {}
  for _, one in ipairs(self:deliveries "delivered") do
    if one.message_id then ids[one.message_id] = true end -- some tell of no message
  end
  return ids
end

local function under_way(self)
  return #self:deliveries "waiting" + #self:deliveries "sending" > 0
end

-- What waits in the file, in words; nil: nothing does.
local function left_in(self)
  local store = assert(avito.store(self.store))
  local stats = assert(store:stats(self.at.account, os.time()))
  store:close()
  local list = {}
  if stats.inbox > 0 then list[1] = ("%d rows of the inbox"):format(stats.inbox) end
  for state, count in pairs(stats.outbox) do
    if count > 0 then list[#list + 1] = ("%d %s rows of the outbox"):format(count, state) end
  end
  return #list > 0 and table.concat(list, ", ") or nil
end

--- The buyers stop.
function Trial:stop_asking()
  self.next_question = math.huge
end

--- The buyers stop, all webhooks come, or are given up.
---@param seconds number
function Trial:fall_silent(seconds)
  self:stop_asking()
  local ends = clock.now() + seconds
  while under_way(self) and clock.now() < ends do self:live(0.2) end
end

--- The buyers stop, and nothing goes wrong any more: waits until every question has its answer, or those that are wanted,
--- every webhook has come, and all that is in the store has its end.
---@param seconds number
---@param wanted? table<string, true> ids of messages
function Trial:settle(seconds, wanted)
  self.market:control("DELETE", "faults")
  self:stop_asking()
  local ends = clock.now() + seconds
  for _, waits in ipairs { function() return #missing(self, wanted) > 0 end, under_way, left_in } do
    while waits(self) and clock.now() < ends do self:live(0.2) end
  end
end

--- What happened, for who reads of a failure.
function Trial:report()
  local lines = { ("PROOF_SEED=%d, %d questions"):format(self.seed, #self.asked) }
  for line, count in pairs(self.counts) do
    if not line:find "^error" then lines[#lines + 1] = ("%5d %s"):format(count, line) end
  end
  table.sort(lines)
  for i = math.max(1, #self.errors - 10), #self.errors do lines[#lines + 1] = self.errors[i] end
  return table.concat(lines, "\n")
end

-- The chats of these questions, as the sandbox has them.
local function chats_of(self, numbers)
  local wanted, lines = {}, {}
  for i = 1, math.min(3, #numbers) do
    local question = self.asked[numbers[i]]
    if question then wanted[question.chat_id] = true end
  end
  for _, chat in ipairs(self.at.chats(self.market:control("GET", "state"))) do
    for _, message in ipairs(wanted[chat.id] and chat.messages or {}) do
      lines[#lines + 1] = ("  %s  %s  %s  %s: %s"):format(chat.id, message.id, message.created, message.from, message.text)
    end
  end
  return table.concat(lines, "\n")
end

--- Raises where a question was lost or answered twice.
---@param wanted? table<string, true> ids of the messages that must be answered; default: all
function Trial:verdict(wanted)
  local answers, astray = self:answers()
  local lost, doubled = missing(self, wanted), {}
  for number, list in pairs(answers) do
    if #list > 1 then doubled[#doubled + 1] = number end
  end
  table.sort(doubled)
  local function check(what, list)
    if #list > 0 then error(("%s: %s\n%s\n%s"):format(what, table.concat(list, ", "), chats_of(self, list), self:report()), 3) end
  end
  check("questions were lost", lost)
  check("questions were answered more than once", doubled)
  check("answers to what nobody asked there", astray)
  if self.strange then error(("a bot said: %s\n%s"):format(self.strange, self:report()), 2) end
end

--- Ends every bot in order, and looks at what they leave: the file is sound, and nothing waits in it.
function Trial:inspect()
  while self.bots[1] do self.bots[1]:quit() end
  local store = assert(avito.store(self.store))
  local ok, err = store:check()
  store:close()
  if not ok then error(err.message, 2) end
  local left = left_in(self)
  if left then error(("%s are left\n%s"):format(left, self:report()), 2) end
end

function Trial:close()
  for _, bot in ipairs(self.bots) do bot:close() end
  self.market:stop()
  os.execute(("rm -r '%s'"):format(self.directory))
end

return trial
