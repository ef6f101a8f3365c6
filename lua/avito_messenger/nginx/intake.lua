--- Webhooks that wait for the store inside nginx: what came together is stored together, by a task of its own, for the
--- request that brought it may be gone at any moment.
local semaphore = require "ngx.semaphore"

---@class avito.nginx.Intake
local Intake = {}
Intake.__index = Intake
Intake.__name = "avito.nginx.Intake"

---@class avito.nginx.Batch of one account
---@field rows avito.store.Row[]
---@field waiters integer
---@field stored any a semaphore
---@field flags? boolean[]|true which rows were new; once it is done, and all is well
---@field done? boolean

---@param bot { store: avito.Store, lanes: table, driver: avito.Driver, tell: fun(self: any, note: table), store_failed: function }
---@return avito.nginx.Intake
function Intake.new(bot)
  return setmetatable({ bot = bot, waiting = {}, flying = {} }, Intake)
end

-- Which of them are new; true: that is not known yet.
local function receive(self, account, rows)
  local bot = self.bot
  local ok, flags, err = pcall(bot.store.accept or bot.store.receive, bot.store, account, rows)
  if ok and flags then
    bot.trouble = nil
    bot.lanes:told()
    return flags
  end
  bot:store_failed("receive", ok and err or flags)
end

-- Stores what waits until nothing does. Rows that come meanwhile are the next batch.
local function store_all(self, account)
  local batch = self.waiting[account]
  while batch do
    self.waiting[account] = nil
    batch.flags = receive(self, account, batch.rows)
    batch.done = true
    if batch.waiters > 0 then batch.stored:post(batch.waiters) end
    batch = self.waiting[account]
  end
  self.flying[account] = nil
end

-- Where no task can be had, the request stores what there is.
local function launch(self, account)
  local flying = self.flying[account]
  if flying and not flying.ended then return end -- one that never began has ended, too
  local ok, task = pcall(self.bot.driver.spawn, self.bot.driver, store_all, self, account)
  if ok then self.flying[account] = task else store_all(self, account) end
end

local function join(self, account, rows)
  local batch = self.waiting[account]
  if not batch then
    batch = { rows = {}, waiters = 0, stored = semaphore.new(0) }
    self.waiting[account] = batch
  end
  for _, row in ipairs(rows) do batch.rows[#batch.rows + 1] = row end
  return batch, #batch.rows
end

local function outcome_of(flags, last)
  if not flags then return "unavailable" end
  return (flags == true or flags[last]) and "message" or "known"
end

--- Has rows stored, and waits until they are. Where the store does not say at once what it knew, everything is a "message".
---@param account string
---@param rows avito.hook.Row[]
---@param seconds number that it may take
---@return "message"|"known"|"unavailable"
function Intake:take(account, rows, seconds)
  if not self.bot.store.shared then -- a store of memory never waits
    local flags = receive(self, account, rows)
    return outcome_of(flags, #rows)
  end
  local batch, last = join(self, account, rows)
  launch(self, account)
  if not batch.done then
    batch.waiters = batch.waiters + 1
    batch.stored:wait(seconds)
    batch.waiters = batch.waiters - 1
  end
  return outcome_of(batch.flags, last)
end

--- Is anything on its way to the store?
---@return boolean
function Intake:busy()
  return next(self.flying) ~= nil
end

return Intake
