--- The bot's work in a worker of nginx: turns in a timer, beside the requests. Whatever calls the API is a task, and so a
--- timer, of its own: what nginx keeps for a timer, it gives back when that ends.
local json = require "avito_messenger.json"
local run = require "avito_messenger.bot.run"

---@class avito.nginx.Worker
---@field bot avito.Bot
---@field shared table what workers share, of avito_messenger.nginx.shared
---@field intake avito.nginx.Intake
---@field hook? avito.hook.Hook
---@field settings? avito.bot.Settings nil: somebody else answers
---@field subscription? avito.bot.Subscription
---@field drain number seconds
---@field counts table<string, { count: integer, note: string? }> outcomes of requests that the bot has not been told of
local Worker = {}
Worker.__index = Worker
Worker.__name = "avito.nginx.Worker"

local RENEW = 60    -- seconds after which the turns go on in a new timer
local TICK = 1      -- seconds between two rounds of what is shared
local LEASE = 5     -- seconds after which a worker that says nothing does not lead any more
local WORD = 10     -- seconds for which a worker's word of its health counts
local POLLED = 86400
local COMPLAIN = 60 -- seconds between two errors of what is shared
local PAUSE = 1     -- seconds after a turn that failed
local LOOK = 0.05   -- seconds between two looks at webhooks under way, at the end
local WEBHOOKS = 2  -- seconds that they are waited for

---@param given table the fields above, without counts
---@return avito.nginx.Worker
function Worker.new(given)
  local self = setmetatable({ bot = given.bot, shared = given.shared, intake = given.intake, hook = given.hook,
    settings = given.settings, subscription = given.subscription, drain = given.drain, counts = {}, tick = 0,
    complained = -math.huge, next_subscription = 0, repeated = 0 }, Worker)
  self.bot.fleeting = true
  self.lease = self.shared:lease("poll", LEASE)
  self.words, self.polls, self.sums = self.shared:words "health", self.shared:words "polled", self.shared:counters "metrics"
  if self.settings then
    self.settings.leads = function() return self.leads end
  end
  return self
end

--- One more request had that outcome.
---@param outcome string
---@param note? string
function Worker:count(outcome, note)
  local entry = self.counts[outcome]
  if not entry then
    entry = { count = 0 }
    self.counts[outcome] = entry
  end
  entry.count, entry.note = entry.count + 1, note or entry.note
end

-- Tells the bot of them; a line of the log is for many requests.
local function tell_counts(self)
  local counts = self.counts
  if next(counts) == nil then return end
  self.counts = {}
  for outcome, entry in pairs(counts) do
    self.bot:tell { kind = "webhook", outcome = outcome, count = entry.count, note = entry.note }
  end
end

-- What turned out to be known when it was sorted.
local function tell_repeated(self)
  local known = self.bot.store.repeated
  if not known or known == self.repeated then return end
  self.bot:tell { kind = "webhook", outcome = "known", count = known - self.repeated }
  self.repeated = known
end

-- What is shared is no promise to buyers: the bot works on without it, and says so now and then.
local function complain(self, problem)
  local now = self.bot.driver:now()
  if not problem or now < self.complained + COMPLAIN then return end
  self.complained = now
  self.bot:tell { kind = "error", message = "nginx: " .. tostring(problem) }
end

--- Hands to all workers what only this one knows.
---@return string word of its health
function Worker:share()
  tell_counts(self)
  tell_repeated(self)
  local metrics = self.bot.metrics
  local _, problem = metrics:share(self.sums)
  complain(self, problem)
  local well, word = true, nil
  if self.settings then well, word = self.bot:health() end
  word = well and "ok" or word
  _, problem = self.words:set(word, WORD)
  complain(self, problem)
  if metrics.last_poll then self.polls:set(json.digits(metrics.last_poll), POLLED) end
  return word
end

--- The metrics of all workers as text: sums of what they counted; the store's figures, and those of this worker.
---@return string
function Worker:metrics()
  self:share()
  local metrics = self.bot.metrics
  local extra = metrics.ask()
  for _, time in pairs(self.polls:all()) do extra.last_poll = math.max(extra.last_poll or 0, tonumber(time)) end
  return metrics:text(nil, extra, self.sums:get())
end

local function look_at_subscription(self)
  local one, driver = self.subscription, self.bot.driver
  if not (one and self.leads and self.bot.since) or driver:now() < self.next_subscription then return end
  if self.subscribing and not self.subscribing.ended then return end
  self.subscribing = driver:spawn(function()
    self.next_subscription = driver:now() + PAUSE
    self.next_subscription = driver:now() + one:look()
  end)
end

-- Who cannot know leads: that two look at the chats is harmless, that nobody does is not.
local function leads(self)
  local held, problem = self.lease:hold()
  complain(self, problem)
  return held ~= false
end

local function keep_shared(self)
  local now = self.bot.driver:now()
  if now < self.tick then return end
  self.tick = now + TICK
  self.leads = self.settings ~= nil and leads(self)
  self:share()
end

local function report(self, problem)
  self.bot:tell { kind = "error", message = "nginx: " .. tostring(problem) }
end

-- A worker is not started again because a round raised something.
local function forgive(self)
  local problem = self.work:forgive()
  if problem ~= nil then report(self, problem) end
  return problem ~= nil
end

-- Seconds to the next turn; nil: it is over.
local function turn(self)
  if ngx.worker.exiting() then return nil end
  keep_shared(self)
  if not self.work then return TICK end
  look_at_subscription(self)
  local seconds = self.work:turn()
  if not seconds and forgive(self) then return 0 end
  return seconds and math.min(seconds, math.max(0, self.tick - self.bot.driver:now()))
end

-- Until the work has ended: requests under way come to their own end, and that may take longer than the store's lease, after
-- which another worker would have their chats.
local function keep_lease(self)
  local bot, driver = self.bot, self.bot.driver
  while self.ending do
    driver:park(bot.store.lease / 3, self)
    if self.ending then bot.store:maintain(driver:time()) end
  end
end

local function finish_work(self)
  if not self.work then return 0 end
  forgive(self)
  self.ending = true
  if self.bot.store.lease then pcall(self.bot.driver.spawn, self.bot.driver, keep_lease, self) end
  local ok, left = xpcall(self.work.finish, debug.traceback, self.work)
  self.ending = nil
  self.bot.driver:unpark(self)
  if ok then return left end
  report(self, left)
end

-- Nothing is lost whatever becomes of this: what is not done is left for another worker, or the next start.
local function finish(self)
  local bot = self.bot
  if self.finished then return end
  self.finished = true
  bot:tell { kind = "stopping", seconds = self.drain }
  if self.leads then self.lease:release() end
  self.leads = false
  bot:stop(self.drain)
  local left = finish_work(self)
  local ends = bot.driver:now() + WEBHOOKS
  while self.intake:busy() and bot.driver:now() < ends do bot.driver:sleep(LOOK) end
  bot:tell { kind = "stopped", left = left }
  self:share()
  bot:close()
end

local go_on

-- nginx says in its log alone that it never began a timer: until the next one has begun, this one goes on.
local function hand_over(self, mine)
  local driver = self.bot.driver
  if not go_on(self) then return false end
  local ends = driver:now() + PAUSE
  repeat driver:sleep(LOOK) until self.turning ~= mine or driver:now() >= ends
  return self.turning ~= mine
end

local function turns(self)
  local driver, mine = self.bot.driver, {}
  local ends = driver:now() + RENEW
  self.turning = mine
  repeat
    local ok, seconds = xpcall(turn, debug.traceback, self)
    if not seconds then return finish(self) end
    if ok then
      self.bot.lanes:wait(seconds)
    else
      report(self, seconds)
      driver:sleep(PAUSE) -- whatever lanes are told meanwhile
    end
  until self.turning ~= mine or (driver:now() >= ends and hand_over(self, mine))
end

-- The turns go on in a timer of their own. False: there is none.
function go_on(self, seconds)
  local ok, problem = ngx.timer.at(seconds or 0, function() -- also where it is called before its time: the worker ends then
    local done, raised = xpcall(turns, debug.traceback, self)
    if done then return end
    report(self, raised)
    go_on(self, PAUSE)
  end)
  if not ok then report(self, "no timer could be had: " .. tostring(problem)) end
  return ok
end

--- Begins. May be called where nothing can wait.
function Worker:begin()
  if self.settings then
    self.work = run.begin(self.bot, self.settings)
    self.bot:tell { kind = "started" }
  end
  if not go_on(self) then error("nginx.start: no timer could be had: raise lua_max_pending_timers", 0) end
end

return Worker
