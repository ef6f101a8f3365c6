--- The program of a bot: looks at the chats now and then, keeps the lanes and the store going, and ends in order.
local account = require "avito_messenger.bot.account"
local ending = require "avito_messenger.bot.ending"
local json = require "avito_messenger.json"
local poll = require "avito_messenger.bot.poll"

local run = {}

local KEEP = 5      -- seconds between two rounds of the store's own work, at most
local WATCH = 0.2   -- seconds between two looks whether another process has written
local CLOCK = 60    -- seconds between two notes of the time

---@class avito.bot.Settings
---@field poll? table interval: number; and what the marketplace adds
---@field began integer Unix time
---@field backlog number seconds
---@field rounds number
---@field seconds number
---@field leads? fun(): boolean is this the process that is to look at the chats?

---@class avito.bot.Looking the rounds: when the next is, and whether one is under way
---@field settings avito.bot.Settings
---@field rounds integer
---@field failures integer
---@field next number by the monotonic clock
---@field expected? number by the wall clock
---@field busy? boolean
---@field task? table
---@field problem? any what a round raised

local function interval_of(settings) return settings.poll and settings.poll.interval or 10 end

--- How much later than meant the next look is, in seconds; nil: not so late that it is worth telling.
---@param bot avito.Bot
---@param looking avito.bot.Looking
---@return number?
function run.stalled(bot, looking)
  local late = looking.expected and bot.driver:time() - looking.expected
  return late and late > math.max(3 * interval_of(looking.settings), 30) and late or nil
end

local function note_stall(bot, looking)
  local late = run.stalled(bot, looking)
  if late then
    bot:tell { kind = "stall", seconds = late,
      message = ("nobody looked at the chats for %.0f s longer than meant"):format(late) }
  end
end

local function look_at_chats(bot, settings)
  local count
  local ok, err = account.identify(bot, settings)
  if ok and settings.poll then count, err = poll.round(bot, settings.poll) end
  if err then
    ending.pass(err)
    bot:tell { kind = "error", what = "poll", message = "poll: " .. tostring(err), error = err }
    if err.kind then account.heed(bot, err, true) end
  elseif count then
    bot:tell { kind = "poll", chats = count }
  end
  return err
end

--- One round, and when the next is.
local function round(bot, looking)
  local settings, driver = looking.settings, bot.driver
  if bot.parked then
    account.look(bot)
    if bot.parked then return end
  end
  note_stall(bot, looking)
  local err = look_at_chats(bot, settings)
  looking.failures = err and looking.failures + 1 or 0
  looking.rounds = looking.rounds + 1
  local pause = poll.pause(interval_of(settings), looking.failures, err)
  looking.next, looking.expected = driver:now() + pause, driver:time() + pause
  if not settings.poll and not err then looking.next, looking.expected = math.huge, nil end
  bot.looking = looking
end

--- Begins a round: beside the lanes, where the driver has tasks.
local function look(bot, looking)
  local function task()
    local ok, problem = xpcall(round, debug.traceback, bot, looking)
    looking.busy = false
    if not ok then looking.problem = problem end
    bot.lanes:told()
  end
  if bot.driver.spawn then
    looking.task = bot.driver:spawn(task)
    looking.busy = true
  else
    task()
  end
end

-- ---- the store

local function keep_store(bot, keeping, now)
  keeping.next = now + math.min(KEEP, (bot.store.lease or math.huge) / 3)
  local done, err = bot.store:maintain(bot.driver:time())
  if not done then return bot:store_failed("maintain", err) end
  bot.trouble = nil
  if done.swept > 0 then bot.lanes:told() end
end

-- How far the wall clock is from the one that is never put back tells when it was.
local function watch_clock(bot)
  local ahead = bot.driver:time() - bot.driver:now()
  local seconds = (bot.ahead or ahead) - ahead
  bot.ahead = ahead
  if seconds <= 1 then return end
  account.put_back(bot, seconds)
  bot.lanes:look_at_all()
end

-- A clock that was put back while nobody was there makes all that was to happen late.
local function keep_time(bot, keeping, now)
  local name, time = bot:account(), bot.driver:time()
  if not name then return end
  keeping.clock = now + KEEP -- soon again, should the store refuse
  if not keeping.compared then
    local before, err = bot.store:cursor(name, "clock")
    if err then return bot:store_failed("cursor", err) end
    if time < (tonumber(before) or time) then bot.lanes:look_at_all() end
    keeping.compared = true
  end
  local ok, err = bot.store:set_cursor(name, "clock", json.digits(time))
  if not ok then return bot:store_failed("set_cursor", err) end
  keeping.clock = now + CLOCK
end

local function keep(bot, keeping)
  local now, store = bot.driver:now(), bot.store
  watch_clock(bot)
  if now >= keeping.next then keep_store(bot, keeping, now) end
  if store.shared and now >= keeping.watch then
    keeping.watch = now + WATCH
    if store:changed(bot) then bot.lanes:told() end
  end
  if now >= (keeping.clock or 0) then keep_time(bot, keeping, now) end
end

-- ---- the end

-- Waits for what is under way, as long as there is. A round is not waited for: nothing is lost by not looking.
local function finish(bot, looking, keeping)
  if looking.task and looking.task:cancel() then
    looking.task:wait()
  elseif looking.problem then
    error(looking.problem, 0)
  end
  local lanes, now = bot.lanes, bot.driver:now()
  while lanes:busy() and now < (bot.drain_ends or math.huge) do
    if now >= keeping.next then keep_store(bot, keeping, now) end -- or the chats would be taken for abandoned
    lanes:wait(math.min(1, (bot.drain_ends or math.huge) - now, math.max(0, keeping.next - now)))
    now = bot.driver:now()
  end
  local left = lanes:at_work()
  if left > 0 then lanes:cancel() end
  if bot:account() then lanes:hand_in() end
  return left
end

-- Of several processes one looks; all learn whose chats they are, and whether they are served.
local function is_to_look(bot, looking)
  local leads = looking.settings.leads
  if not leads or bot.parked or not bot.since or leads() then return true end
  looking.expected = nil
  return false
end

local function next_look(bot, looking)
  if looking.busy and not looking.task.ended then return math.huge end -- one that never began has ended, too
  if bot.parked then return bot.parked.again end
  if not is_to_look(bot, looking) then return math.huge end
  return looking.rounds >= looking.settings.rounds and math.huge or looking.next
end

-- ---- the work

---@class avito.bot.Work what run.begin hands out
local Work = {}
Work.__index = Work

--- Begins to work. Whoever hosts the bot calls `turn`, waits, and calls it again, until it is over; then `finish`.
---@param bot avito.Bot
---@param settings avito.bot.Settings
---@return avito.bot.Work
function run.begin(bot, settings)
  local driver, lanes = bot.driver, bot.lanes
  bot.stopped, bot.drain_ends, lanes.stopping, lanes.held = false, nil, nil, not bot.since
  lanes:told()
  if bot.parked then bot.parked.again = driver:now() end -- somebody may have mended it
  return setmetatable({ bot = bot, ends = driver:now() + settings.seconds,
    looking = { settings = settings, rounds = 0, failures = 0, next = driver:now() },
    keeping = { next = driver:now(), watch = driver:now() + WATCH },
    longest = bot.store.shared and WATCH or KEEP }, Work)
end

--- Does what is to be done now.
---@return number? seconds until there is more, unless lanes are told of something before; nil: it is over
function Work:turn()
  local bot, looking = self.bot, self.looking
  local driver, lanes, settings = bot.driver, bot.lanes, looking.settings
  if bot.stopped or looking.problem or driver:now() >= self.ends then return nil end
  if driver:now() >= next_look(bot, looking) then look(bot, looking) end
  keep(bot, self.keeping)
  lanes:work()
  if looking.rounds >= settings.rounds and not lanes:busy() and lanes:rest() > 0 then return nil end
  if bot.stopped or looking.problem then return nil end
  return math.min(math.min(next_look(bot, looking), self.ends) - driver:now(), lanes:rest(), self.longest)
end

--- For a host that nobody starts again: what a round raised is taken for a failure of that round, and the work goes on.
---@return any problem nil: none raised
function Work:forgive()
  local looking = self.looking
  local problem = looking.problem
  if problem == nil then return nil end
  looking.problem, looking.failures = nil, looking.failures + 1
  looking.next = self.bot.driver:now() + poll.pause(interval_of(looking.settings), looking.failures)
  return problem
end

--- Waits for what is under way, and hands in what was posted.
---@return integer left how many chats were left in the middle of their work
function Work:finish()
  self.bot.lanes.held = nil
  return finish(self.bot, self.looking, self.keeping)
end

--- Works until bot:stop(), or as long as the settings say.
---@param bot avito.Bot
---@param settings avito.bot.Settings
---@param at_end? fun() called when it is to end, before what is under way is waited for
---@return integer left how many chats were left in the middle of their work
function run.loop(bot, settings, at_end)
  local work = run.begin(bot, settings)
  local seconds = work:turn()
  while seconds do
    bot.lanes:wait(seconds)
    seconds = work:turn()
  end
  if at_end then at_end() end
  return work:finish()
end

return run
