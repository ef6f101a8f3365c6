--- A bot inside nginx: webhooks are stored before they are answered, and what follows happens after the answer.
---
---     init_worker_by_lua_block { require("avito_messenger.nginx").start(require "shop", { webhook = { path_secret = … } }) }
---     location /avito/   { content_by_lua_block { require("avito_messenger.nginx").webhook(require "shop") } }
---     location = /health { content_by_lua_block { require("avito_messenger.nginx").health(require "shop") } }
---
--- `shop` is a module of the program's own that returns an avito.bot whose client has io = require "avito_messenger.io.nginx".
local hooks = require "avito_messenger.bot.hooks"
local options = require "avito_messenger.options"
local outcomes = require "avito_messenger.outcomes"
local poll = require "avito_messenger.bot.poll"
local program = require "avito_messenger.bot.program"
local prometheus = require "avito_messenger.prometheus"
local shared = require "avito_messenger.nginx.shared"
local span = require "avito_messenger.bot.span"

local nginx = {}

---@class avito.nginx.Options
---@field webhook? avito.webhook.Options|avito.notifications.Options without it nothing that is posted is taken
---@field poll? avito.PollOptions|false default {}: also where webhooks are taken, for not every message makes one
---@field subscribe? string|{ url: string, every: number|string? } an address that Avito is to send webhooks to
---@field answer? boolean false: webhooks are only stored; another process that has the same store answers. Default true
---@field drain? number|string how long what is under way may take when the worker ends; default 10 s
---@field shared? string the lua_shared_dict that the workers share; default "avito"

local OPTIONS = { webhook = "table", poll = "table|boolean", subscribe = "string|table", answer = "boolean",
  drain = "number|string", shared = "string" }
local DRAIN = 10
local DICT = "avito"

local workers = setmetatable({}, { __mode = "k" }) -- by their bots
local dicts = {} -- names of those that bots of this worker share

local function refuse(message, level) error("nginx.start: " .. message, level + 1) end

local function check_place(bot, level)
  if ngx.get_phase() ~= "init_worker" then
    refuse(("it belongs into init_worker_by_lua, and this is the phase '%s'"):format(ngx.get_phase()), level + 1)
  end
  if type(bot) ~= "table" or type(bot.tell) ~= "function" then refuse("an avito.bot is expected", level + 1) end
  if workers[bot] then refuse("the bot was started before", level + 1) end
  if tostring(bot.driver.__name) ~= "avito_messenger.io.nginx" then
    refuse('the bot\'s client must have io = require "avito_messenger.io.nginx": any other blocks the worker', level + 1)
  end
  if not bot.store.shared and ngx.worker.count() > 1 then
    refuse(("%d workers do not share a store of memory: give avito.bot store = the path of a file"):format(ngx.worker.count()),
      level + 1)
  end
end

-- Health, metrics and the lease of one bot would be taken for the other's.
local function open_dict(name, level)
  if dicts[name] then
    refuse(("shared: another bot has the lua_shared_dict %s: give each bot one of its own"):format(name), level + 1)
  end
  return shared.new(name)
end

local function read_settings(bot, given, level)
  if given.answer == false then
    if given.poll or given.subscribe then refuse("answer = false leaves poll and subscribe to who answers", level + 1) end
    return nil
  end
  local polled = type(given.poll) == "table" and given.poll or {}
  if polled.rounds or polled.seconds then refuse("poll: a worker has no rounds and seconds: it ends with nginx", level + 1) end
  local settings = poll.settings("nginx.start: poll", polled, ngx.time(), level + 1, bot.market)
  if given.poll == false then settings.poll = nil end
  return settings
end

local function read_subscription(bot, given, level)
  if not given then return nil end
  local url, how = program.read_subscribe(given)
  local one = require("avito_messenger.bot.subscription").new(bot, url, how, level + 1)
  if bot.log then bot.log:hide_url(url) end
  return one
end

-- What each worker has for itself is spent by as many as there are.
local function warn_of_several(bot)
  if ngx.worker.count() == 1 then return end
  local client = bot.client
  local function warn(what, name)
    ngx.log(ngx.WARN, ("avito: each worker %s of its own: give the client %s = nginx.shared():%s"):format(what, name,
      name == "token_store" and 'tokens "…"' or 'pace "…"'))
  end
  if bot.market.renews_tokens and not client.token_store then warn("renews tokens", "token_store") end
  if not client.pace_store and client.session:pace() then warn("keeps a pace", "pace_store") end
end

local function log_error(problem)
  ngx.log(ngx.ERR, "avito.bot: ", problem.rule and ("rule '%s': "):format(problem.rule) or "", problem.message)
end

--- Begins to work in this worker. To be called in init_worker_by_lua, once for a bot. Raises what is wrong with the options.
---@param bot avito.Bot made in the worker: not in init_by_lua
---@param given? avito.nginx.Options
function nginx.start(bot, given)
  given = given or {}
  options.check("nginx.start", given, OPTIONS, 2)
  if not ngx.worker.id() then return end -- the privileged agent, which takes no requests
  check_place(bot, 2)
  local dict = given.shared or DICT
  local drain, problem = span.seconds(given.drain or DRAIN)
  if not drain then refuse("drain: " .. problem, 2) end
  if not (bot.on_error or bot.log) then bot.on_error = log_error end
  local worker = require("avito_messenger.nginx.worker").new {
    bot = bot, drain = drain, shared = open_dict(dict, 2), intake = require("avito_messenger.nginx.intake").new(bot),
    hook = given.webhook and hooks.make(bot, given.webhook, "nginx.start: webhook", 2), settings = read_settings(bot, given, 2),
    subscription = read_subscription(bot, given.subscribe, 2) }
  warn_of_several(bot)
  workers[bot], dicts[dict] = worker, true
  worker:begin()
end

-- ---- requests

local function respond(status, content_type, text, headers)
  if status ~= 200 then ngx.status = status end
  ngx.header["Content-Type"] = content_type
  ngx.header["Content-Length"] = #text
  if headers then
    for name, value in pairs(headers) do ngx.header[name] = value end
  end
  ngx.print(text)
end

local function started(bot)
  local worker = workers[bot]
  if worker then return worker end
  ngx.log(ngx.ERR, "avito: the bot was not started in this worker: \"init_worker_by_lua error\" above says why; where there is ",
    "none, call require(\"avito_messenger.nginx\").start(bot) in init_worker_by_lua, with lua_code_cache on")
  respond(outcomes.reply "unavailable")
end

-- The body, at most so long and a byte; nil: it cannot be had.
local function read_body(most)
  ngx.req.read_body()
  local body = ngx.req.get_body_data()
  if body then return body end
  local path = ngx.req.get_body_file()
  if not path then return "" end
  local file = io.open(path, "rb")
  if not file then return nil end
  body = file:read(most + 1) or ""
  file:close()
  return body
end

-- The request's own, read when a signature is asked for.
local HEADERS = setmetatable({}, { __index = function(_, name)
  local value = ngx.req.get_headers()[name]
  return type(value) == "string" and value or nil -- sent twice, it is no signature
end })

--- What comes of the request, and a note.
local function take(worker)
  local hook, bot = worker.hook, worker.bot
  local request = { method = ngx.req.get_method(), path = ngx.var.request_uri, headers = HEADERS, peer = ngx.var.remote_addr,
    length = tonumber(ngx.var.content_length) }
  if request.length and request.length > hook.max_body then return hook:answer(request).outcome end
  request.length, request.body = nil, read_body(hook.max_body)
  if not request.body then return "unavailable", "the body in its temporary file cannot be read" end
  local answer = hook:answer(request)
  local account, outcome, note = hooks.account(bot, answer)
  if not account then return outcome, note end
  if answer.note then worker:count("unsigned", answer.note) end
  return worker.intake:take(account, answer.rows, hook:patience(ngx.now() - ngx.req.start_time()))
end

--- Takes a webhook: what it brought is durable before it is answered 200. To be called in content_by_lua.
---@param bot avito.Bot that was started with the option webhook
function nginx.webhook(bot)
  local worker = started(bot)
  if not worker then return end
  if not worker.hook then error("nginx.webhook: nginx.start was not given webhook = { path_secret = … }", 2) end
  local outcome, note = take(worker)
  worker:count(outcome, note)
  respond(worker.hook:reply(outcome, ngx.req.start_time(), note))
end

-- Pages that are read; true: it was one.
local function may_read()
  local method = ngx.req.get_method()
  if method == "GET" or method == "HEAD" then return true end
  respond(outcomes.reply("method", "GET, HEAD"))
end

-- What is wrong with any worker; that one of them begins is no trouble where others work.
local function health_of(words)
  local starting, working
  for _, word in pairs(words) do
    if word == "starting" then starting = true
    elseif word == "ok" then working = true
    else return nil, word end
  end
  if starting and not working then return nil, "starting" end
  return true
end

--- 200, or 503 and a word when a worker cannot do its work. To be called in content_by_lua.
---@param bot avito.Bot
function nginx.health(bot)
  local worker = started(bot)
  if not worker or not may_read() then return end
  local words = { worker:share() } -- also where there is no room for it
  for _, word in pairs(worker.words:all()) do words[#words + 1] = word end
  local well, word = health_of(words)
  respond(well and 200 or 503, outcomes.TYPE, (well and "ok" or word) .. "\n")
end

--- The metrics of all workers, for Prometheus. To be called in content_by_lua, where nobody from outside gets to.
---@param bot avito.Bot
function nginx.metrics(bot)
  local worker = started(bot)
  if not worker or not may_read() then return end
  respond(200, prometheus.CONTENT_TYPE, worker:metrics())
end

--- What the workers share, over a lua_shared_dict: stores of tokens and of the pace for avito.client.
---@param name? string of the lua_shared_dict; default "avito"
---@return avito.nginx.Shared
function nginx.shared(name)
  return shared.new(name or DICT)
end

return nginx
