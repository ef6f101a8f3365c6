--- The lanes of the chats: each chat's events and effects one after another, chats beside each other where the driver has
--- tasks. Which chat is due, and whose it is, the store tells.
local ending = require "avito_messenger.bot.ending"
local inbox = require "avito_messenger.bot.inbox"
local Lane = require "avito_messenger.bot.lane"

---@class avito.bot.Lanes
---@field bot avito.Bot
---@field running table<string, table|true> the tasks of chats that are worked on
---@field stopping? boolean nothing new is begun
---@field held? boolean nothing is begun yet: the program begins, and does not know which messages count
local Lanes = {}
Lanes.__index = Lanes
Lanes.__name = "avito.bot.Lanes"

local MAX_RUNNING = 20  -- lanes at a time: what one turn of the loop does for them is what a webhook waits for
local MAX_PAUSE = 300   -- seconds
local ALL = 2 ^ 31 - 1
local FRESH = 2         -- seconds for which it is believed that nobody has typed in a chat since it was read

---@param bot avito.Bot
---@return avito.bot.Lanes
function Lanes.new(bot)
  return setmetatable({ bot = bot, posted = {}, running = {}, resting = {}, again = {}, looked = {}, looked_before = {},
    turned = 0, next = -math.huge, failures = 0 }, Lanes)
end

--- The record of a chat as it was committed last.
---@param chat_id string
---@return avito.bot.Chat
function Lanes:chat(chat_id)
  local account = self.bot:account()
  local record, err
  if account then record, err = self.bot.store:peek(account, chat_id) end
  if err then self.bot:store_failed("peek", err) end
  return record or { id = chat_id }
end

--- Adds an event to the inbox of a chat, with the next work.
---@param chat_id string
---@param event table
function Lanes:post(chat_id, event)
  for _, row in ipairs(inbox.rows(chat_id, event)) do self.posted[#self.posted + 1] = row end
  self:told()
end

--- Puts rows in the inbox at once. True: one of them was new.
---@param rows avito.store.Row[]
---@return boolean?
---@return avito.StoreError?
function Lanes:receive(rows)
  local flags, err = self.bot.store:receive(self.bot:account(), rows)
  if not flags then
    for _, row in ipairs(rows) do self:unlooked(row.chat_id) end
    return nil, err
  end
  local new = false
  for i, row in ipairs(rows) do new = new or (flags[i] and not row.replace) end
  self:told()
  return new
end

--- Everything in the chat is known as of now.
---@param chat_id string
function Lanes:looked_at(chat_id)
  local now = self.bot.driver:now()
  if now - self.turned > FRESH then
    self.looked_before, self.looked, self.turned = self.looked, {}, now
  end
  self.looked[chat_id] = now
end

--- What was seen in the chat was not kept: nobody knows it any more.
---@param chat_id string
function Lanes:unlooked(chat_id)
  self.looked[chat_id], self.looked_before[chat_id] = nil, nil
end

--- Has the chat to be read before the bot speaks? Neither polling for unread chats nor a webhook tells for certain that the
--- seller has typed in one.
---@param chat_id string
---@return boolean
function Lanes:is_stale(chat_id)
  local looked = self.looked[chat_id] or self.looked_before[chat_id]
  return self.bot.since ~= nil and not (looked and self.bot.driver:now() - looked < FRESH)
end

--- Something may be due: ends `wait`.
function Lanes:told()
  self.dirty = true
  if self.bot.driver.unpark then self.bot.driver:unpark(self) end
end

--- What failed once would most likely fail again at once: the chat rests, longer each time.
local function rest_a_while(self, chat_id)
  local failures = (self.resting[chat_id] and self.resting[chat_id].failures or 0) + 1
  self.resting[chat_id] = { failures = failures, ends = self.bot.driver:now() + math.min(2 ^ (failures - 1), MAX_PAUSE) }
end

local function run(self, chat_id)
  local bot = self.bot
  local claim, err = bot.store:claim(bot:account(), chat_id)
  if err then
    bot:store_failed("claim", err)
    return false
  end
  return not claim or Lane.new(self, claim):run()
end

local function is_running(task)
  return task == true or (task ~= nil and not task.ended) -- one that was cancelled before it began has ended, too
end

-- True; or false and why the driver has no task for it.
local function begin(self, chat_id)
  if is_running(self.running[chat_id]) then return true end
  local function lane()
    local ok, done = xpcall(run, debug.traceback, self, chat_id)
    self.running[chat_id] = nil
    if not ok then ending.pass(done) end
    if ok and done then self.resting[chat_id] = nil else rest_a_while(self, chat_id) end
    self:told()
    if not ok then
      self.bot:tell { kind = "error", chat_id = chat_id, message = tostring(done) }
    end
  end
  local driver = self.bot.driver
  if not driver.spawn then
    self.running[chat_id] = true
    lane()
    return true
  end
  local made, task = pcall(driver.spawn, driver, lane)
  if made then self.running[chat_id] = task else ending.pass(task) end
  return made, task
end

-- The store refuses: it is asked again later and later.
---@return boolean false
local function refused(self, what, err)
  self.bot:store_failed(what, err)
  self.failures = self.failures + 1
  self.retry, self.dirty = self.bot.driver:now() + math.min(2 ^ (self.failures - 1), 30), false
  return false
end

--- Puts what was posted in the inbox. False: it is tried again later.
---@return boolean
function Lanes:hand_in()
  local rows = self.posted
  if #rows == 0 then return true end
  self.posted = {}
  local ok, flags, err = pcall(self.bot.store.receive, self.bot.store, self.bot:account(), rows)
  if ok and flags then return true end
  for _, row in ipairs(self.posted) do rows[#rows + 1] = row end -- that came meanwhile
  self.posted = rows
  if not ok then error(flags, 0) end
  return refused(self, "receive", err)
end

local function size(set)
  local count = 0
  for _ in pairs(set) do count = count + 1 end
  return count
end

-- How many lanes are at work. One whose task never began is to be begun again.
local function running(self)
  local count = 0
  for chat_id, task in pairs(self.running) do
    if is_running(task) then
      count = count + 1
    else
      self.running[chat_id], self.again[chat_id] = nil, true
    end
  end
  return count
end

local function may_begin(self, chat_id)
  local resting = self.resting[chat_id]
  return not is_running(self.running[chat_id]) and not (resting and self.bot.driver:now() < resting.ends)
end

--- The clock was put back: what was to happen at a time is looked at anew, with the next work.
function Lanes:look_at_all()
  self.put_back = true
  self:told()
end

-- False: it is tried again later.
local function look_at_all(self, account)
  local chats, err = self.bot.store:due(account, math.huge, ALL)
  if not chats then return refused(self, "due", err) end
  for _, chat_id in ipairs(chats) do self.again[chat_id] = true end
  self.put_back = nil
  return true
end

-- Chats to begin with, as many as there is room for; and whether there may be more.
local function choose(self, account, now)
  local room = MAX_RUNNING - running(self)
  if room <= 0 then
    self.failures, self.next = 0, math.huge -- the end of a lane is told
    return {}, false
  end
  local chosen = {}
  for chat_id in pairs(self.again) do
    if #chosen == room then break end
    if may_begin(self, chat_id) then chosen[#chosen + 1] = chat_id end
  end
  table.sort(chosen)
  -- As many as are passed over below may come first.
  local due, following = self.bot.store:due(account, now, MAX_RUNNING + #chosen + size(self.resting))
  if not due then return chosen, refused(self, "due", following) end
  self.failures, self.next = 0, following or math.huge
  for _, chat_id in ipairs(due) do
    if #chosen < room and not self.again[chat_id] and may_begin(self, chat_id) then chosen[#chosen + 1] = chat_id end
  end
  return chosen, #chosen == room
end

-- Seconds until a chat is due. What rests does so by the monotonic clock: a sum of both would be too coarse to wait for.
-- The end of a lane is told: there is nothing to wait for where one is at work.
local function until_due(self)
  local driver = self.bot.driver
  local least, now = self.next - driver:time(), driver:now()
  for chat_id, resting in pairs(self.resting) do
    if not is_running(self.running[chat_id]) then least = math.min(least, resting.ends - now) end
  end
  return math.max(0, least)
end

local function work(self)
  local bot = self.bot
  local account, now = bot:account(), bot.driver:time()
  if not account then return end
  if self.failures > 0 and bot.driver:now() < self.retry then return end
  if not self:hand_in() or bot.parked or self.held or self.stopping then return end
  if self.put_back and not look_at_all(self, account) then return end
  running(self)
  if self.failures == 0 and not self.dirty and until_due(self) > 0 and next(self.again) == nil then return end
  self.dirty = false
  local chosen, more = choose(self, account, now)
  for _, chat_id in ipairs(chosen) do self.again[chat_id] = true end -- until it is begun
  for _, chat_id in ipairs(chosen) do
    local begun, problem = begin(self, chat_id)
    if not begun then
      if running(self) == 0 then error(problem, 0) end
      break -- there is room for fewer than that: the end of a lane is told
    end
    self.again[chat_id] = nil
  end
  self.dirty = self.dirty or more
  for chat_id, resting in pairs(self.resting) do -- another process has done what was left
    if bot.driver:now() >= resting.ends and not self.running[chat_id] then self.resting[chat_id] = nil end
  end
end

--- Hands in what was posted, and begins to work on the chats that are due.
function Lanes:work()
  if self.working then
    self.dirty = true
    return
  end
  self.working = true
  local ok, problem = pcall(work, self)
  self.working = false
  if not ok then error(problem, 0) end
end

--- Is any chat being worked on?
---@return boolean
function Lanes:busy()
  return running(self) > 0
end

--- How many are.
---@return integer
function Lanes:at_work()
  return running(self)
end

--- Seconds until something is to be begun; math.huge: nothing is.
---@return number
function Lanes:rest()
  local bot = self.bot
  if bot.parked or self.held or not bot:account() then return math.huge end
  if self.failures > 0 then return math.max(0, self.retry - bot.driver:now()) end
  if self.dirty or #self.posted > 0 then return 0 end
  return until_due(self)
end

--- Waits so long, or until a lane has something new; others have their turn in any case. Raises when the task is cancelled.
---@param seconds number
function Lanes:wait(seconds)
  local driver = self.bot.driver
  seconds = math.max(0, seconds)
  local _, err
  if driver.park then _, err = driver:park(seconds, self) else _, err = driver:sleep(seconds) end
  if err then error(err, 0) end
end

--- Ends what is under way, as it is: what was latched is made certain at the next start.
function Lanes:cancel()
  self.stopping = true
  local tasks = {}
  for _, task in pairs(self.running) do
    if task ~= true then tasks[#tasks + 1] = task end
  end
  for _, task in ipairs(tasks) do task:cancel() end
  for _, task in ipairs(tasks) do task:wait() end
end

return Lanes
