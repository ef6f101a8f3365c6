--- The simulation: the real bot over a real store against the sandbox, on a clock of its own, with all that may happen to it
--- drawn from a seed. The same seed gives the same run, to the last line of its transcript.
local avito = require "avito_messenger"
local clockwork = require "proof.support.clockwork"
local judge = require "proof.support.judge"
local places = require "proof.support.places"
local poll = require "avito_messenger.bot.poll"
local problem = require "avito_messenger.store.problem"
local run = require "avito_messenger.bot.run"
local sandbox_driver = require "avito_messenger.sandbox.driver"
local stores = require "proof.support.stores"
local story = require "proof.support.story"

local simulation = {}

local START = 1800000000
local QUIET = 90      -- seconds for which nothing may happen any more
local LONGEST = 10800 -- seconds for the bot to come to rest

local Sim = {}
Sim.__index = Sim

--- A line of the transcript; put together only when somebody wants to read it.
function Sim:note(format, ...)
  local lines = self.lines
  lines[#lines + 1] = { self.world.elapsed, format, ... }
end

function Sim:time() return START + self.world.elapsed end

-- ---- the marketplace

-- What the transport needs of a sandbox. Time and deliveries are the world's.
local function still(box)
  return { real_now = START, see = function() end, next_due = function() end,
    handle = function(_, request, now) return box:handle(request, now) end }
end

-- The request arrives, and its answer comes back, whatever becomes of who sent it.
local function exchange(sim, process, request, answer)
  local random, name = sim.random, sim.place.operation(request)
  local way = random:within { 0.01, 0.2 }
  if sim.drawn.late and sim.chaos and random:chance(0.05) then
    way = random:within { 1, 8 }
    -- Nobody waits for it any more when it arrives. A mark that does so hides from polling what was written meanwhile: there is
    -- no remedy but webhooks.
    if name ~= "mark_chat_as_read" and random:chance(0.5) then
      sim.world:after(0.5, function() answer { error = "network", message = "the connection broke", dispatched = true } end)
    end
  end
  sim.world:after(way, function()
    local transport, sent = sim.transport, #sim.box:sends()
    transport.elapsed = sim.world.elapsed
    local response = transport:perform(request)
    local seconds = transport.elapsed - sim.world.elapsed
    sim:note("%s %s: %s", process.name, name, response.status or response.error)
    local chat_id = sim.place.refused_chat(response, request)
    if chat_id then sim.given_up[chat_id] = true end
    local entry = sim.box:sends()[sent + 1]
    if entry then sim:sent(entry) end
    sim:pump()
    sim.world:after(seconds + random:within { 0.01, 0.2 }, function() answer(response) end)
  end)
end

-- ---- what happens to a process

local function die(sim, process, why)
  sim:note("%s dies: %s", process.name, why)
  process:kill()
  process.store:abandon()
  sim:restart(process, process.doom and process.doom.delay or 1)
end

-- A call of the store or the marketplace begins, or is over.
local function moment(sim, process, what, after)
  local doom = process.doom
  if not doom or not sim.chaos then return end
  if doom.what ~= "any" and (doom.what ~= what or doom.after ~= after) then return end
  doom.count = doom.count - 1
  if doom.count > 0 then return end
  die(sim, process, (after and "after " or "before ") .. what)
  coroutine.yield() -- for ever
end

local function freeze(sim, process, seconds)
  sim:note("%s is stopped for %.1f s", process.name, seconds)
  process:freeze(seconds)
  if seconds > stores.LEASE then
    sim.world:after(stores.LEASE, function()
      if process.alive then stores.run_out(sim.root, process.store) end
    end)
  end
end

local READS = { peek = true, rows = true, due = true, cursor = true, changed = true }
local WRITES = { receive = true, claim = true, commit = true, release = true, set_cursor = true, maintain = true }

local function trouble(sim, name)
  for _, one in ipairs(sim.drawn.stores) do
    local fits = WRITES[name] or one.code == "io" or one.code == "busy"
    if sim.chaos and fits and sim.world.elapsed >= one.at and sim.world.elapsed < one.ends and sim.random:chance(one.share) then
      return problem.make(one.code, "drawn from the seed")
    end
  end
end

-- A store whose calls take time, may fail, and may be the last that the process does.
local function wrap(sim, process, store)
  local wrapped = { shared = store.shared or sim.drawn.bots > 1 }
  local function linger()
    if sim.drawn.slow_store and sim.random:chance(0.3) then process:sleep(sim.random:within { 0, 0.3 }) end
  end
  local function call(name)
    wrapped[name] = function(_, ...)
      moment(sim, process, name, false)
      if name ~= "changed" then linger() end
      local err = name ~= "changed" and trouble(sim, name)
      if err then
        sim:note("%s store %s: %s", process.name, name, err.code)
        return nil, err
      end
      local first, second = store[name](store, ...)
      if name == "receive" and first then sim:received((select(2, ...)), first) end
      if name == "commit" then
        sim:note("%s commit %s: %s", process.name, (...).chat_id, first or second.code)
        if process.stops_for and sim.chaos then
          freeze(sim, process, process.stops_for)
          process.stops_for = nil
          process:sleep(0)
        end
      end
      moment(sim, process, name, true)
      if name ~= "changed" then linger() end
      return first, second
    end
  end
  for name in pairs(READS) do call(name) end
  for name in pairs(WRITES) do call(name) end
  function wrapped:changed() return true end -- luacheck: no self
  if store.shared then call "changed" end
  function wrapped:attach() store:attach(process) end -- luacheck: no self
  function wrapped:close() store:close() end -- luacheck: no self
  return wrapped
end

-- ---- processes

local function rulebook(sim, process)
  return avito.rulebook { burst = "2s", flood = false, human = { pause = "10m" }, settle = simulation.settle,
    calls = { note = function(args, about)
      moment(sim, process, "call", false)
      process:sleep(1)
      sim:called(args[1], about.key)
      moment(sim, process, "call", true)
      return true
    end },
    { "два", hears = "продолжением", delay = "0s-5s", run = function(c)
      for _, number in ipairs(c.numbers) do
        c:say(("Ответ %d"):format(number))
        c:say(("Ещё %d"):format(number))
      end
    end },
    { "ответ", hears = "вопрос*", delay = "0s-20s", run = function(c)
      for _, number in ipairs(c.numbers) do c:say(("Ответ %d"):format(number)) end
    end },
    { "бронь", hears = "бронь*", run = function(c)
      c.memory.number = c.number
      c:start "бронь"
    end },
    { "привет", hears = "здравствуйте", once = true, say = "Добрый день!" },
    { "адрес", hears = "адрес*", cooldown = "2h", say = "Улица Садовая." },
    avito.flow { "бронь", function(c)
      local number = c:get "number"
      local people = c:ask { "number", ("Бронь %d: сколько вас?"):format(number), within = "1d" }
      if not people then return end
      c:call("note", { number })
      c:say(("Бронь %d записана."):format(number))
    end },
  }
end

local TOLD = { effect = true, done = true, error = true, parked = true, unparked = true, fenced = true, recovered = true,
  human = true, turn = true, flow = true, fired = true, silent = true, store = true, stall = true, reloaded = true }

local function told(sim, process, note)
  sim.counts[note.kind] = (sim.counts[note.kind] or 0) + 1
  if not TOLD[note.kind] then return end
  local what = type(note.effect) == "table" and note.effect.kind or note.key or note.message or note.outcome or note.rule or
    note.what or ""
  sim:note("%s %s %s %s", process.name, note.kind, note.chat_id or "", what)
end

local function main(sim, process)
  local settings = poll.settings("simulation", { interval = sim.drawn.interval }, process:time(), 1)
  if sim.drawn.way == "webhook" then settings.poll = nil end
  run.loop(process.bot, settings)
  sim:note("%s has stopped", process.name)
  process:kill()
  process.store:close()
  sim:restart(process, process.stop_delay or 1)
end

--- A process begins, over what the store holds.
function Sim:start(index)
  self.lives = self.lives + 1
  local process = clockwork.process(self.world, { unix = START, tasks = self.drawn.tasks,
    exchange = function(process, request, answer) exchange(self, process, request, answer) end,
    broken = function(why) self.broken = self.broken or why end })
  process.index, process.name, process.skew = index, ("bot %d.%d"):format(index, self.lives), self.skews[index] or 0
  local perform = process.perform
  function process.perform(_, request)
    local name = self.place.operation(request)
    moment(self, process, name, false)
    local response = perform(process, request)
    moment(self, process, name, true)
    return response
  end
  self:note("%s starts", process.name)
  process.doom = self.chaos and table.remove(self.drawn.dooms) or nil
  process.store = self.root:again()
  process.client = self.place.client(process, self.drawn)
  process.bot = avito.bot { client = process.client, rulebook = rulebook(self, process),
    store = wrap(self, process, process.store), on_error = function() end, on_event = function(note) told(self, process, note) end }
  self.processes[index] = process
  process.main = clockwork.spawn(process, function() main(self, process) end)
end

--- Another life, after a while.
function Sim:restart(process, delay)
  if self.ended then return end
  self.world:after(delay, function()
    if not self.ended and self.processes[process.index] == process then self:start(process.index) end
  end)
end

function Sim:living()
  local list = {}
  for _, process in ipairs(self.processes) do
    if process.alive then list[#list + 1] = process end
  end
  return list
end

-- ---- webhooks

local function take_webhook(sim, process, delivery, reply)
  local place = sim.place
  local answer = place.hook:answer { method = "POST", path = place.path, headers = delivery.headers, body = delivery.body }
  local account = process.bot:account()
  if not account then return reply(place.taken(place.hook, 503)) end
  local flags = simulation.receive(process.bot.store, account, answer.rows, reply, delivery.id % 2 == 0)
  if flags then process.bot.lanes:told() end
  reply(place.taken(place.hook, flags and answer.status or 503))
end

local function deliver(sim, delivery)
  local over
  local function reply(result)
    if over then return end
    over = true
    sim:note("webhook %d: %s", delivery.id, result.status or result.error)
    sim.box:delivered(delivery.id, result, sim:time())
    sim:pump()
  end
  local is_lost = sim.drawn.way == "both" and sim.chaos and sim.random:chance(0.2)
  if is_lost then return reply(sim.place.taken(sim.place.hook, 200)) end
  local living = sim:living()
  if #living == 0 then return reply { error = "network" } end
  local process = living[sim.random:pick(#living)]
  clockwork.spawn(process, function() take_webhook(sim, process, delivery, reply) end)
  sim.world:after(delivery.timeout, function() reply { error = "timeout" } end)
end

--- Sees to it that webhooks leave when they are due.
function Sim:pump()
  local at = self.box:next_due()
  if not at or (self.pumped and self.pumped <= at) then return end
  self.pumped = at
  self.world:at(at - START, function()
    if self.pumped ~= at then return end
    self.pumped = nil
    for _, delivery in ipairs(self.box:due(self:time())) do deliver(self, delivery) end
    self:pump()
  end)
end

-- ---- people

--- Somebody writes in a chat.
function Sim:write(chat, text, who)
  self.box:see(self:time())
  local spec = self.place.address(chat)
  spec.text = text
  local message = self.box[who == "seller" and "write" or "say"](self.box, spec)
  self.numbers[message.message_id] = tonumber(text:match "^Вопрос.- (%d+)$")
  if not chat.id then
    chat.id = message.chat_id
    self.kinds[chat.id] = chat
  end
  self:note("%s writes in %s: %s", who, chat.id, text)
  self:pump()
  return message
end

function Sim:ask(line)
  local chat = self.drawn.chats[line.chat]
  if line.word == "Бронь" then
    if chat.busy then -- one talk after another
      chat.later = chat.later or {}
      table.insert(chat.later, line)
      return
    end
    chat.busy = true
  end
  local message = self:write(chat, line.text, "buyer")
  line.asked, line.created, line.chat_id = true, message.created, chat.id
end

-- What the bot has said is read, and answered where it was a question.
function Sim:sent(entry)
  self:note("said in %s: %s", entry.chat_id, entry.text)
  local chat = self.kinds[entry.chat_id]
  if entry.text:find "сколько вас" then
    self.world:after(self.random:within { 0.5, 20 }, function() self:write(chat, "2", "buyer") end)
  elseif entry.text:find "записана" then
    chat.busy = false
    local line = chat.later and table.remove(chat.later, 1)
    if line then self.world:after(self.random:within { 0.5, 20 }, function() self:ask(line) end) end
  end
end

local function arrived(self, list, number)
  if not number or list[number] then return end
  self.arrivals = self.arrivals + 1
  list[number] = self.arrivals
end

--- Rows were taken into the inbox. Those that only tell of a message do not have its text, which may be had from then on.
function Sim:received(rows, flags)
  for i, row in ipairs(rows) do
    if flags[i] then
      arrived(self, self.order, tonumber(row.body:match 'Вопрос[^"]- (%d+)"'))
      arrived(self, self.told, self.numbers[row.body:match '"messageId":"(%d+)"'])
    end
  end
end

--- A function of the program was called.
function Sim:called(number, key)
  self:note("called for %d", number)
  self.calls[number] = self.calls[number] or {}
  self.calls[number][key] = true
end

-- ---- what goes wrong, and its end

local function each_bot(sim, fn)
  for _, process in ipairs(sim:living()) do fn(process) end
end


-- Somebody is stopped: at once, or right after its next commit.
local function stop_one(sim, one)
  local living = sim:living()
  if #living == 0 then return end
  local process = living[sim.random:pick(#living)]
  if one.at_commit then process.stops_for = one.seconds else freeze(sim, process, one.seconds) end
end

local function refuse(sim, one, yes)
  sim.place.refuse(sim.box, one.kind, yes)
end

local function jump(sim, by)
  for index = 1, sim.drawn.bots do sim.skews[index] = by end
  sim:note("the clock is %.0f s off", by)
  for _, process in ipairs(sim.processes) do process.skew = by end
end

local function plan(sim)
  local drawn, began = sim.drawn, sim.world.elapsed
  local function each(list, fn)
    for _, one in ipairs(list) do sim.world:at(began + one.at, function() fn(one) end) end
  end
  each(drawn.lines, function(line) sim:ask(line) end)
  each(drawn.typing, function(one)
    local chat = drawn.chats[one.chat]
    one.created = sim:write(chat, one.own or "Это я сам", "seller").created
  end)
  each(drawn.faults, function(one)
    local fault = places.fault(sim.place, one.fault)
    sim:note("fault: %s of %s, %d times", fault.kind .. (fault.status or ""), fault.operation, fault.times)
    sim.box:fault(fault)
  end)
  each(drawn.jumps, function(one) jump(sim, one.by) end)
  each(drawn.freezes, function(one) stop_one(sim, one) end)
  each(drawn.reloads, function() each_bot(sim, function(process) process.bot:reload() end) end)
  each(drawn.stops, function(one)
    each_bot(sim, function(process)
      process.stop_delay = one.delay
      process.bot:stop(5)
    end)
  end)
  for _, one in ipairs(drawn.stores) do one.at, one.ends = one.at + began, one.ends + began end
  for _, one in ipairs(drawn.refusals) do
    sim.world:at(began + one.at, function() refuse(sim, one, true) end)
    sim.world:at(began + one.ends, function() refuse(sim, one, false) end)
  end
end

local function mend(sim)
  sim:note("everything is mended")
  sim.chaos = false
  sim.box:clear_faults()
  if sim.skews[1] then jump(sim, 0) end
end

-- ---- the run

local function new(seed, place)
  local drawn = story.draw(seed)
  for _, one in ipairs(drawn.dooms) do one.what = place.named[one.what] or one.what end
  local sim = setmetatable({ seed = seed, place = place, drawn = drawn, random = drawn.random, world = clockwork.world(),
    lines = {}, lives = 0, processes = {}, skews = {}, kinds = {}, order = {}, told = {}, numbers = {}, arrivals = 0,
    calls = {}, counts = {}, given_up = {}, chaos = false, ended = false }, Sim)
  sim.box = place.open(seed, drawn, START)
  sim.transport = sandbox_driver.new(still(sim.box), { now = START })
  return sim
end

local function go_on(sim, seconds) sim.world:run(sim.world.elapsed + seconds) end

-- Whoever writes before the bot was ever there is not answered.
local function begin(sim)
  for index = 1, sim.drawn.bots do sim:start(index) end
  go_on(sim, 3)
end

local function play(sim)
  begin(sim)
  for _, process in ipairs(sim.processes) do process.doom = table.remove(sim.drawn.dooms) end
  sim.chaos = true
  plan(sim)
  go_on(sim, story.CHAOS)
  mend(sim)
  local ends = sim.world.elapsed + LONGEST
  local function until_at_rest()
    while not judge.at_rest(sim) and sim.world.elapsed < ends do go_on(sim, 15) end
  end
  until_at_rest()
  go_on(sim, QUIET)
  until_at_rest()
end

--- One run. The verdict is the sandbox's record of what was sent.
---@param seed integer
---@param where? string the path of a file for its store; memory without
---@param marketplace? "avito"|"yandex_market" default "avito"
---@return { problems: string[], sim: table, transcript: fun(): string }
function simulation.run(seed, where, marketplace)
  local sim = new(seed, places[marketplace or "avito"])
  sim.root = stores.open(where)
  play(sim)
  local problems = judge.problems(sim)
  sim.ended = true
  for _, process in ipairs(sim.processes) do process.store:abandon() end
  sim.root:close()
  return { problems = problems, sim = sim, transcript = function() return judge.transcript(sim) end }
end

--- How the listener gives rows to the store; a mutation may do it otherwise.
function simulation.receive(store, account, rows, _, unsorted)
  if unsorted and store.accept then return store:accept(account, rows) end
  return store:receive(account, rows)
end

return simulation
