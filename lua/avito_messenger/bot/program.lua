--- A bot as a program of its own, or several: what they listen to, signals, and their end.
local ending = require "avito_messenger.bot.ending"
local errors = require "avito_messenger.errors"
local hook = require "avito_messenger.hook"
local hooks = require "avito_messenger.bot.hooks"
local options = require "avito_messenger.options"
local poll = require "avito_messenger.bot.poll"
local run = require "avito_messenger.bot.run"
local span = require "avito_messenger.bot.span"

local program = {}

local OPTIONS = { poll = "table|boolean", listen = "table", subscribe = "string|table", drain = "number|string",
  signals = "boolean" }
local ALL = { listen = "table", drain = "number|string", signals = "boolean" }
local ONE = { bot = "table", poll = "table|boolean", webhook = "table", subscribe = "string|table" }
local DRAIN = 10

---@class avito.RunOptions
---@field poll? avito.PollOptions|false default {}: also where webhooks are taken, for not every message makes one
---@field listen? avito.ListenOptions
---@field subscribe? string|{ url: string, every: number|string? } an address that Avito is to send webhooks to
---@field drain? number|string how long what is under way may take at the end; default 10 s
---@field signals? boolean false: signals are left to the program

---@class avito.RunOne one bot of several
---@field bot avito.Bot
---@field poll? avito.PollOptions|false default {}
---@field webhook? avito.webhook.Options|avito.notifications.Options where the listener takes what is posted to it
---@field subscribe? string|{ url: string, every: number|string? } an address that Avito is to send webhooks to

---@class avito.RunAllOptions
---@field [integer] avito.RunOne
---@field listen? avito.ServerOptions one listener for all of them
---@field drain? number|string how long what is under way may take at the end; default 10 s
---@field signals? boolean false: signals are left to the program

---@class avito.bot.Part one bot of a plan
---@field bot avito.Bot
---@field settings avito.bot.Settings
---@field hook? avito.hook.Hook
---@field subscription? avito.bot.Subscription

---@class avito.bot.Plan
---@field parts avito.bot.Part[]
---@field alone? boolean what is raised is raised to the caller
---@field listen? avito.ServerOptions
---@field server? avito.bot.Server
---@field drain number seconds
---@field signals boolean
---@field over? boolean all of them are to end

--- The loop would hold up everything else that a worker of nginx does.
---@param bot avito.Bot
---@param where string
---@param level integer
function program.refuse_nginx(bot, where, level)
  if bot.driver.__name ~= "avito_messenger.io.nginx" then return end
  error(where .. ': inside nginx require("avito_messenger.nginx").start does it', level + 1)
end

--- The address, and the options of bot:subscribe.
---@param given string|table
---@return string url
---@return table? options
function program.read_subscribe(given)
  if type(given) ~= "table" then return given end
  local how = {}
  for name, value in pairs(given) do
    if name ~= "url" then how[name] = value end
  end
  return given.url, how
end

local function need_loop(where, level)
  local loop = require "avito_messenger.io.loop"
  if not loop.is_running() then error(where .. " must be called inside loop.run(function() … end)", level + 1) end
  return loop
end

local function begin_subscription(loop, bot, one)
  return loop.background(one.run, one, function() return bot.stopped end)
end

-- Does nothing yet.
local function new_subscription(bot, url, given, level)
  local one = require("avito_messenger.bot.subscription").new(bot, url, given, level + 1)
  if bot.log then bot.log:hide_url(url) end
  return one
end

--- See Bot:subscribe.
---@param bot avito.Bot
---@param url string
---@param given? { every?: number|string }
---@param level integer
---@return avito_messenger.Task
function program.subscribe(bot, url, given, level)
  program.refuse_nginx(bot, "bot:subscribe", level + 1)
  local one = new_subscription(bot, url, given, level + 1)
  return begin_subscription(need_loop("bot:subscribe", level + 1), bot, one)
end

-- Sets the handlers of signals; gives back what takes them away.
local function handle_signals(loop, plan)
  local function stop()
    for _, part in ipairs(plan.parts) do part.bot:stop(part.bot.stopped and 0 or plan.drain) end -- told twice: at once
  end
  loop.on_signal("TERM", stop)
  loop.on_signal("INT", stop)
  loop.on_signal("HUP", function()
    for _, part in ipairs(plan.parts) do part.bot:reload() end
  end)
  return function()
    for _, name in ipairs { "TERM", "INT", "HUP" } do loop.on_signal(name, nil) end
  end
end

-- ---- the work

local function work(loop, plan, part)
  local bot = part.bot
  if part.subscription then begin_subscription(loop, bot, part.subscription) end
  bot:tell { kind = "started" }
  local left = run.loop(bot, part.settings, function()
    bot:tell { kind = "stopping", seconds = plan.drain }
    if plan.server then plan.server:leave(bot, "stopped") end
  end)
  bot:tell { kind = "stopped", left = left }
end

-- What one of them raises is told, and the others go on; unless the program is to end.
local function work_beside(loop, plan, part)
  local bot = part.bot
  local ok, problem = pcall(work, loop, plan, part)
  if ok then return true end
  if plan.over or not errors.is(problem) and ending.is(problem) then
    plan.over = true
    error(problem, 0)
  end
  bot.stopped = true
  pcall(bot.lanes.cancel, bot.lanes)
  bot:tell { kind = "error", message = "the bot has ended: " .. tostring(problem) }
  if plan.server then plan.server:leave(bot, "failed") end
  return nil, tostring(problem)
end

local function work_all(loop, plan)
  local failures, works = {}, {}
  for i, part in ipairs(plan.parts) do
    works[i] = function()
      local ok, message = work_beside(loop, plan, part)
      if not ok then failures[#failures + 1] = ("bot %d: %s"):format(i, message) end
    end
  end
  local ok, problem = pcall(loop.all, works)
  plan.over = true -- those that are cancelled have not failed
  if not ok then error(problem, 0) end
  if #failures > 0 then return nil, table.concat(failures, "\n") end
  return true
end

local function work_alone(loop, plan)
  work(loop, plan, plan.parts[1])
  return true
end

local function serve(loop, plan)
  if plan.listen then
    local message
    plan.server, message = require("avito_messenger.bot.listen").open(plan.listen, plan.parts)
    if not plan.server then return nil, message end
  end
  local ok, done, message = pcall(plan.alone and work_alone or work_all, loop, plan)
  if plan.server then plan.server:close() end
  if not ok then error(done, 0) end
  return done, message
end

local function begin(plan)
  local first = plan.parts[1]
  if not first.bot.driver.spawn then
    run.loop(first.bot, first.settings)
    return true
  end
  local loop = require "avito_messenger.io.loop"
  if not loop.is_running() then return loop.run(begin, plan) end
  local restore = plan.signals and handle_signals(loop, plan) or function() end
  local ok, done, message = pcall(serve, loop, plan)
  restore()
  if not ok then error(done, 0) end
  return done, message
end

-- ---- plans: before the loop runs, for there a mistake would be told with a traceback of the loop

local function read_plan(given, where, level)
  local drain, problem = span.seconds(given.drain or DRAIN)
  if not drain then error(("%s: drain: %s"):format(where, problem), level + 1) end
  return { drain = drain, signals = given.signals ~= false, parts = {} }
end

local function read_part(bot, given, where, level)
  local polled = type(given.poll) == "table" and given.poll or {}
  local part = { bot = bot, settings = poll.settings(where .. ": poll", polled, bot.driver:time(), level + 1, bot.market) }
  if given.poll == false then part.settings.poll = nil end
  if not bot.driver.spawn and (given.listen or given.webhook or given.subscribe) then
    error(where .. ": webhooks need the loop: io = require \"avito_messenger.io.loop\" in the client", level + 1)
  end
  if given.subscribe then
    local url, how = program.read_subscribe(given.subscribe)
    part.subscription = new_subscription(bot, url, how, level + 1)
  end
  return part
end

--- See Bot:run.
---@param bot avito.Bot
---@param given avito.RunOptions
---@param level integer
---@return boolean? ok
---@return string? message
function program.run(bot, given, level)
  options.check("bot:run", given, OPTIONS, level + 1)
  program.refuse_nginx(bot, "bot:run", level + 1)
  local plan = read_plan(given, "bot:run", level + 1)
  local part = read_part(bot, given, "bot:run", level + 1)
  plan.alone, plan.parts[1] = true, part
  if given.listen then
    plan.listen, part.hook = require("avito_messenger.bot.listen").read(bot, given.listen, "bot:listen", level + 1)
  end
  return begin(plan)
end

-- As far as it is known without asking for it.
local function account_of(bot)
  local id = bot.user_id or bot.client.session:account()
  return id and bot.market.account_key(id)
end

-- What is wrong with one beside another.
local function discord(one, other)
  local bot, account = one.bot, account_of(one.bot)
  if other.bot == bot then return "the same bot as bot %d" end
  if account and account == account_of(other.bot) then return "the same account as that of bot %d: both would answer" end
  if not (bot.driver.spawn and other.bot.driver.spawn) then
    return "several bots need the loop: io = require \"avito_messenger.io.loop\" in the client"
  end
  if one.hook and other.hook and hook.collide(one.hook, other.hook) then
    return "webhook: the same path as that of bot %d: give each a path_secret of its own"
  end
end

local function read_one(one, where, before, level)
  if type(one) ~= "table" then error(("%s: a table expected, got %s"):format(where, type(one)), level + 1) end
  if type(one.tell) == "function" then
    error(where .. ": a bot stands where a table is expected: { bot = …, webhook = … }", level + 1)
  end
  options.check(where, one, ONE, level + 1)
  local bot = one.bot
  if not bot or type(bot.tell) ~= "function" then error(where .. ": bot must be an avito.bot", level + 1) end
  program.refuse_nginx(bot, where, level + 1)
  local part = read_part(bot, one, where, level + 1)
  if one.webhook then part.hook = hooks.make(bot, one.webhook, where .. ": webhook", level + 1) end
  for i, other in ipairs(before) do
    local problem = discord(part, other)
    if problem then error(("%s: %s"):format(where, problem:format(i)), level + 1) end
  end
  return part
end

--- See avito.run.
---@param given avito.RunAllOptions
---@param level integer
---@return boolean? ok
---@return string? message
function program.run_all(given, level)
  if type(given) ~= "table" then error(("avito.run: a table expected, got %s"):format(type(given)), level + 1) end
  local named = {}
  for name, value in pairs(given) do
    if type(name) ~= "number" then named[name] = value end
  end
  options.check("avito.run", named, ALL, level + 1)
  if #given == 0 then error("avito.run: no bot is given: avito.run { { bot = … }, … }", level + 1) end
  local plan = read_plan(given, "avito.run", level + 1)
  for i, one in ipairs(given) do
    local where = "avito.run: bot " .. i
    plan.parts[i] = read_one(one, where, plan.parts, level + 1)
    if one.webhook and not given.listen then error(where .. ": webhook needs a listener: listen = { port = … }", level + 1) end
  end
  for i, part in ipairs(plan.parts) do part.bot.number = #plan.parts > 1 and i or nil end
  if given.listen then
    if not plan.parts[1].bot.driver.spawn then
      error("avito.run: listen needs the loop: io = require \"avito_messenger.io.loop\" in the client", level + 1)
    end
    require("avito_messenger.bot.listen").check(given.listen, "avito.run: listen", level + 1)
    plan.listen = given.listen
  end
  return begin(plan)
end

return program
