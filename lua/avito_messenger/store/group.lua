--- Group commit: writers that wait at the same time share one transaction, and one sync of the disk.
---
--- The first that waits has a task begun that leads: when the others of the turn have joined, it carries out what all of them
--- have, commits, and wakes them. While another process writes it looks again in growing steps, so that nothing else waits.
--- It is a task of its own because those that wait may be gone at any moment, as a request of nginx is.
local ending = require "avito_messenger.bot.ending"
local problem = require "avito_messenger.store.problem"

---@class avito.store.Group
local Group = {}
Group.__index = Group

local FIRST_STEP, LAST_STEP = 0.001, 0.05 -- seconds between two looks at a file that is busy

---@class avito.store.Piece
---@field work function
---@field a? any its arguments
---@field b? any
---@field c? any
---@field d? any
---@field driver avito.Driver
---@field ends number until when it waits, on the driver's clock
---@field done? boolean
---@field value any what `work` returned
---@field err? avito.StoreError
---@field raised? any

---@param journal table
---@param settings { path: string, patience: number, group: boolean }
---@return avito.store.Group
function Group.new(journal, settings)
  return setmetatable({ journal = journal, path = settings.path, patience = settings.patience, shared = settings.group,
    queue = {} }, Group)
end

---@param driver avito.Driver
function Group:attach(driver)
  self.driver = driver
  self.leader = nil -- of a loop that was broken off
end

--- An error of the journal as the store returns it.
---@param failure { code: string, message: string }
---@return avito.StoreError
function Group:problem(failure)
  return problem.from(failure, self.path)
end

local function finish(pieces, err, raised)
  for _, piece in ipairs(pieces) do
    piece.done = true
    piece.err, piece.raised = err or piece.err, raised
  end
end

-- The transaction has begun. A piece that refuses has written nothing, and leaves the others alone.
local function carry_out(self, pieces)
  local ok, failure = pcall(function()
    for _, piece in ipairs(pieces) do
      piece.value, piece.err = piece.work(piece.a, piece.b, piece.c, piece.d)
    end
  end)
  if ok then
    ok, failure = self.journal:commit()
    return finish(pieces, not ok and self:problem(failure) or nil)
  end
  self.journal:rollback()
  if problem.is(failure) then return finish(pieces, failure) end
  finish(pieces, nil, failure)
end

local function outcome(piece)
  if piece.raised ~= nil then error(piece.raised, 0) end
  if piece.err then return nil, piece.err end
  return piece.value
end

-- Ctrl-C may have come right after a transaction had begun.
local function begin(self, patience)
  self.journal:rollback()
  return self.journal:begin(patience)
end

local function at_once(self, piece, patience)
  local ok, failure = begin(self, patience)
  if not ok then return nil, self:problem(failure) end
  carry_out(self, { piece })
  return outcome(piece)
end

local function remove(self, piece)
  for i, one in ipairs(self.queue) do
    if one == piece then return table.remove(self.queue, i) end
  end
end

-- Raises why the task is not to wait.
local function pause(driver, seconds, owner)
  local _, err
  if owner then _, err = driver:park(seconds, owner) else _, err = driver:sleep(seconds) end
  if err then error(err, 0) end
end

local function next_pieces(self)
  if not self.shared then return { table.remove(self.queue, 1) } end
  local pieces = self.queue
  self.queue = {}
  return pieces
end

-- Those that have waited long enough for the file.
local function give_up(self, failure, now)
  local late, queue = {}, {}
  for _, piece in ipairs(self.queue) do table.insert(piece.ends <= now and late or queue, piece) end
  self.queue = queue
  finish(late, self:problem(failure))
  return late
end

local function tell(self, pieces)
  for _, piece in ipairs(pieces) do piece.driver:unpark(self) end
end

-- Until nobody waits. Several may lead: from taking the pieces to telling them nothing waits.
local function lead(self, driver)
  local step = 0
  while self.queue[1] do
    local ok, failure = begin(self, 0)
    if ok then
      local pieces = next_pieces(self)
      carry_out(self, pieces)
      tell(self, pieces)
      step = 0
    elseif failure.code ~= "busy" then
      tell(self, give_up(self, failure, math.huge))
    else
      tell(self, give_up(self, failure, driver:now()))
      step = math.min(math.max(2 * step, FIRST_STEP), LAST_STEP)
    end
    if self.queue[1] then pause(driver, step) end
  end
end

-- Begins the task that leads. Where none can be had, the caller leads.
local function begin_to_lead(self, driver)
  local function task()
    local ok, raised = pcall(lead, self, driver)
    self.leader = nil
    if ok then return end
    local left = self.queue
    if not ending.is(raised) then
      self.queue = {}
      finish(left, nil, raised)
    end
    tell(self, left) -- those that are not told an outcome have another lead
  end
  local spawned, leader = pcall(driver.spawn, driver, task)
  if spawned then self.leader = leader else task() end
end

-- Until the piece is done, by whomever.
local function wait(self, piece)
  while not piece.done do
    if not self.leader or self.leader.ended then begin_to_lead(self, piece.driver) end
    if not piece.done then pause(piece.driver, 1, self) end
  end
end

--- Carries a piece of work out in a transaction, and waits until that is durable. `work` returns a value; or nil and an
--- error, when it has written nothing. What fails in it (see run) takes the whole transaction back, for all that share it.
--- Raises what `work` raises, and when the task is cancelled: then nothing was written.
---
--- A request of nginx may be gone before its work is carried out, and its local variables with it: what it writes is in the
--- arguments, and not in upvalues.
---@param work fun(a: any, b: any, c: any, d: any): any, avito.StoreError?
---@param a any its arguments
---@param b any
---@param c any
---@param d any
---@return any value
---@return avito.StoreError? err
function Group:write(work, a, b, c, d)
  local driver = self.driver
  if not (driver and driver.in_task and driver:in_task()) then
    return at_once(self, { work = work, a = a, b = b, c = c, d = d }, self.patience)
  end
  local piece = { work = work, a = a, b = b, c = c, d = d, driver = driver, ends = driver:now() + self.patience }
  table.insert(self.queue, piece)
  local ok, raised = pcall(wait, self, piece)
  if not ok and not piece.done then
    remove(self, piece)
    error(raised, 0)
  end
  return outcome(piece)
end

--- The same in a transaction of its own, which no cancellation breaks off: nothing else runs meanwhile.
---@param work fun(): any, avito.StoreError?
---@param seconds? number for which another process may write; default: as long as the store waits
---@return any value
---@return avito.StoreError? err
function Group:write_now(work, seconds)
  return at_once(self, { work = work }, seconds or self.patience)
end

--- Runs a statement for a piece of work. Raises when it fails.
---@param name string
---@param ... any
---@return any ...
function Group:run(name, ...)
  local first, second, third = self.journal:run(name, ...)
  if first == nil and type(second) == "table" then error(self:problem(second), 0) end
  return first, second, third
end

--- Nobody waits any more.
---@param err avito.StoreError
function Group:close(err)
  local pieces = self.queue
  self.queue = {}
  finish(pieces, err)
  tell(self, pieces)
end

return Group
