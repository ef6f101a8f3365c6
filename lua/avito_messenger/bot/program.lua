--- A bot as a program of its own: what it listens to, signals, and its end.
local options = require "avito_messenger.options"
local poll = require "avito_messenger.bot.poll"
local run = require "avito_messenger.bot.run"
local span = require "avito_messenger.bot.span"

local program = {}

local OPTIONS = { poll = "table|boolean", listen = "table", subscribe = "string|table", drain = "number|string",
  signals = "boolean" }
local DRAIN = 10

---@class avito.RunOptions
---@field poll? avito.PollOptions|false default {}: also where webhooks are taken, for not every message makes one
---@field listen? avito.ListenOptions
---@field subscribe? string|{ url: string, every: number|string? } an address that Avito is to send webhooks to
---@field drain? number|string how long what is under way may take at the end; default 10 s
---@field signals? boolean false: signals are left to the program

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

-- Before the loop runs: there, a mistake would be told with a traceback of the loop.
local function check_webhooks(bot, given, level)
  if given.listen then require("avito_messenger.bot.listen").check(given.listen, level + 1) end
  if given.subscribe then
    local url, how = program.read_subscribe(given.subscribe)
    require("avito_messenger.bot.subscription").new(bot, url, how, level + 1)
  end
end

local function need_loop(where, level)
  local loop = require "avito_messenger.io.loop"
  if not loop.is_running() then error(where .. " must be called inside loop.run(function() … end)", level + 1) end
  return loop
end

--- See Bot:subscribe.
---@param bot avito.Bot
---@param url string
---@param given? { every?: number|string }
---@param level integer
---@return avito_messenger.Task
function program.subscribe(bot, url, given, level)
  program.refuse_nginx(bot, "bot:subscribe", level + 1)
  local subscription = require "avito_messenger.bot.subscription"
  local one = subscription.new(bot, url, given, level + 1)
  if bot.log then bot.log:hide_url(url) end
  local loop = need_loop("bot:subscribe", level + 1)
  return loop.background(one.run, one, function() return bot.stopped end)
end

-- Sets the handlers of signals; gives back what takes them away.
local function handle_signals(bot, loop, drain)
  local function stop() bot:stop(bot.stopped and 0 or drain) end -- told twice: at once
  loop.on_signal("TERM", stop)
  loop.on_signal("INT", stop)
  loop.on_signal("HUP", function() bot:reload() end)
  return function()
    for _, name in ipairs { "TERM", "INT", "HUP" } do loop.on_signal(name, nil) end
  end
end

local function work(bot, settings, given, drain)
  local server, message
  if given.listen then
    server, message = bot:listen(given.listen)
    if not server then return nil, message end
  end
  local ok, left = pcall(function()
    if given.subscribe then bot:subscribe(program.read_subscribe(given.subscribe)) end
    bot:tell { kind = "started" }
    return run.loop(bot, settings, function()
      bot:tell { kind = "stopping", seconds = drain }
      if server then server:close() end
    end)
  end)
  if server then server:close() end
  if not ok then error(left, 0) end
  bot:tell { kind = "stopped", left = left }
  return true
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
  local drain, problem = span.seconds(given.drain or DRAIN)
  if not drain then error("bot:run: drain: " .. problem, level + 1) end
  local polled = type(given.poll) == "table" and given.poll or {}
  local settings = poll.settings("bot:run: poll", polled, bot.driver:time(), level + 1, bot.market)
  if given.poll == false then settings.poll = nil end
  if not bot.driver.spawn then
    if given.listen or given.subscribe then
      error("bot:run: webhooks need the loop: io = require \"avito_messenger.io.loop\" in avito.client", level + 1)
    end
    run.loop(bot, settings)
    return true
  end
  check_webhooks(bot, given, level + 1)
  local loop = require "avito_messenger.io.loop"
  if not loop.is_running() then return loop.run(program.run, bot, given, level) end
  local restore = given.signals ~= false and handle_signals(bot, loop, drain) or function() end
  local ok, done, message = pcall(work, bot, settings, given, drain)
  restore()
  if not ok then error(done, 0) end
  return done, message
end

return program
