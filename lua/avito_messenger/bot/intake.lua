--- Messages that came in and are not answered yet. What came together is stored together, and answered after it; in time,
--- whatever the store does.
local ending = require "avito_messenger.bot.ending"
local loop = require "avito_messenger.io.loop"
local Timers = require "avito_messenger.io.loop.timers"

---@class avito.bot.Intake
local Intake = {}
Intake.__index = Intake
Intake.__name = "avito.bot.Intake"

---@param bot { store: table, lanes: table, driver: avito.Driver, tell: fun(self: any, note: table), store_failed: function }
---@param answer fun(request: table, outcome: "message"|"known"|"unavailable") sends what a request is told
---@param stored fun() called when a store has come back
---@return avito.bot.Intake
function Intake.new(bot, answer, stored)
  return setmetatable({ bot = bot, answer = answer, stored = stored, waiting = {}, flying = {},
    open = Timers.new() }, Intake)
end

--- Takes a message; it is answered by and by.
---@param request table of httpd
---@param account string
---@param rows avito.hook.Row[]
---@param seconds number that the store has
function Intake:add(request, account, rows, seconds)
  local entry = { request = request, rows = rows }
  self.open:add(entry, self.bot.driver:now() + seconds)
  local waiting = self.waiting[account] or {}
  self.waiting[account] = waiting
  waiting[#waiting + 1] = entry
end

local function settle(self, entry, outcome)
  if entry.settled then return false end
  entry.settled = true
  self.open:remove(entry)
  self.answer(entry.request, outcome)
  return true
end

-- Tells each the outcome of its rows, and the bot how many had which.
local function settle_all(self, batch, outcome_of)
  local counts = {}
  for _, entry in ipairs(batch) do
    local outcome = outcome_of(entry)
    if settle(self, entry, outcome) then counts[outcome] = (counts[outcome] or 0) + 1 end
  end
  for outcome, count in pairs(counts) do self.bot:tell { kind = "webhook", outcome = outcome, count = count } end
end

local function store_failed(self, batch, err)
  settle_all(self, batch, function() return "unavailable" end)
  self.bot:store_failed("receive", err)
end

local function store(self, account, batch)
  local rows = {}
  for _, entry in ipairs(batch) do
    for _, row in ipairs(entry.rows) do
      rows[#rows + 1] = row
      entry.last = #rows
    end
  end
  return self.bot.store:receive(account, rows)
end

local function receive(self, account, batch)
  local ok, flags, err = xpcall(store, debug.traceback, self, account, batch)
  self.flying[account] = nil
  if not ok then ending.pass(flags) end
  if ok and flags then
    settle_all(self, batch, function(entry) return flags[entry.last] and "message" or "known" end)
    self.bot.trouble = nil
    self.bot.lanes:told()
  else
    store_failed(self, batch, ok and err or flags)
  end
  self.stored()
end

-- Without those that were told to come again: it is as if they had not come.
local function unsettled(list)
  local left = {}
  for _, entry in ipairs(list) do
    if not entry.settled then left[#left + 1] = entry end
  end
  return left
end

--- Hands what waits to the store, beside the caller. An account's next rows wait for its last to be stored.
function Intake:hand_over()
  for account, batch in pairs(self.waiting) do
    if not self.flying[account] then
      loop.background(receive, self, account, batch)
      self.waiting[account], self.flying[account] = nil, true
    end
  end
end

--- Tells those whose time is over to come again.
function Intake:expire()
  local now, count = self.bot.driver:now(), 0
  local first = self.open:first()
  while first and first.at <= now do
    settle(self, first, "unavailable")
    count = count + 1
    first = self.open:first()
  end
  if count == 0 then return end
  for account, list in pairs(self.waiting) do
    list = unsettled(list)
    self.waiting[account] = #list > 0 and list or nil
  end
  self.bot:tell { kind = "webhook", outcome = "unavailable", count = count }
end

--- When `expire` has something to do; nil: never, as things are.
---@return number?
function Intake:next()
  local first = self.open:first()
  return first and first.at
end

return Intake
