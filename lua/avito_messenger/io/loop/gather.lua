--- Many tasks for one: they run at the same time, and whoever made them waits for all.
local failure = require "avito_messenger.io.loop.failure"
local options = require "avito_messenger.options"
local scheduler = require "avito_messenger.io.loop.scheduler"

local gather = {}

local CONCURRENCY = 10

-- The children of one call of all or map.
local Group = {}
Group.__index = Group

local GROUP_WAIT = { give_up = function(_, group) group.waiter = nil end }

-- Keeps what became of a child. False when there is nobody to be told of its error.
local function keep(self, task)
  local index = task.index
  if not task.failed then
    local value, err = task:outcome()
    self.results[index] = value
    if value == nil and err ~= nil then self:note(index, err) end
    return true
  end
  if failure.is_of_call(task.err) then
    self:note(index, task.err)
    return true
  end
  if self.broken or self.abandoned then return false end
  self.broken, self.problem = true, task.err
  return true
end

--- A child has ended.
function Group:ended(task)
  self.tasks[task] = nil
  self.active = self.active - 1
  local kept = keep(self, task)
  local waiter = self.waiter
  if waiter then
    self.waiter = nil
    scheduler.wake(waiter, true)
  end
  return kept
end

function Group:note(index, err)
  self.errors = self.errors or {}
  self.errors[index] = err
end

function Group:spawn(index, fn, ...)
  local task = scheduler.spawn(self.background, fn, ...)
  task.group, task.index = self, index
  self.tasks[task] = true
  self.active = self.active + 1
end

-- Waits until one more of the children has ended.
function Group:wait()
  local task = scheduler.waiting_task("loop.map")
  self.waiter = task
  local one, err = scheduler.suspend(task, GROUP_WAIT, self)
  if not one then error(err, 0) end
end

function Group:cancel()
  for task in pairs(self.tasks) do task:cancel() end
end

local function lead(group, items, fn, concurrency)
  local index = 0
  while not group.broken do
    local item = items()
    if item == nil then break end
    index = index + 1
    group.results.n = index
    group:spawn(index, fn, item, index)
    while group.active >= concurrency and not group.broken do group:wait() end
  end
  while group.active > 0 and not group.broken do group:wait() end
  if group.broken then group:cancel() end
  while group.active > 0 do group:wait() end
end

local function run(caller, items, fn, concurrency)
  local group = setmetatable({ background = caller.background, tasks = {}, active = 0, results = { n = 0 } }, Group)
  local ok, problem = xpcall(lead, failure.keep, group, items, fn, concurrency)
  if not ok then
    group.abandoned = true
    group:cancel()
    error(problem, 0)
  end
  if group.broken then error(group.problem, 0) end
  return group.results, group.errors
end

local function call(fn) return fn() end

local function iterate(list)
  local position = 0
  return function()
    position = position + 1
    return list[position]
  end
end

function gather.all(fns)
  if type(fns) ~= "table" then error(("loop.all: a list of functions expected, got %s"):format(type(fns)), 3) end
  for i, fn in ipairs(fns) do
    if type(fn) ~= "function" then error(("loop.all: [%d] must be a function, got %s"):format(i, type(fn)), 3) end
  end
  return run(scheduler.running_task("loop.all"), iterate(fns), call, math.huge)
end

local OPTIONS = { concurrency = "number" }

local function is_callable(value)
  if type(value) == "function" then return true end
  local metatable = getmetatable(value)
  return type(metatable) == "table" and metatable.__call ~= nil
end

function gather.map(items, fn, given)
  if type(items) ~= "table" and not is_callable(items) then
    error(("loop.map: a list or an iterator expected, got %s"):format(type(items)), 3)
  end
  if type(fn) ~= "function" then error(("loop.map: function expected, got %s"):format(type(fn)), 3) end
  given = given or {}
  options.check("loop.map", given, OPTIONS, 3)
  local concurrency = given.concurrency or CONCURRENCY
  if not (concurrency >= 1 and concurrency == math.floor(concurrency)) then
    error("loop.map: concurrency must be a whole number, 1 or more", 3)
  end
  return run(scheduler.running_task("loop.map"), is_callable(items) and items or iterate(items), fn, concurrency)
end

return gather
