--- Keeps the account's messages being posted to a URL: the subscription is looked at again and again, and made where it is
--- missing.
---
--- The URL holds a secret, the path by which posts are known to come from the API: it is in no note and in no error.
local ending = require "avito_messenger.bot.ending"
local errors = require "avito_messenger.errors"
local options = require "avito_messenger.options"
local secrets = require "avito_messenger.secrets"
local span = require "avito_messenger.bot.span"

---@class avito.bot.Subscription
local Subscription = {}
Subscription.__index = Subscription
Subscription.__name = "avito.bot.Subscription"

local subscription = {}

local VERSION = "3"         -- of the posts
local FIRST_RETRY = 5       -- seconds
local SPREAD = 0.1          -- of a pause, so that many accounts do not ask in the same second
local SHORTEST, DEFAULT = 60, "10m"
local LONGEST_URL = 2048    -- bytes; what the API is sent at most

local OPTIONS = { every = "number|string", random = "function" }

---@class avito.SubscriptionOptions
---@field every? number|string between two looks, a minute or more; default "10m"
---@field random? fun(): number from 0 to 1, for the spread of the looks; default math.random

local function is_loopback(host)
  if host == "localhost" or host == "[::1]" then return true end
  local rest = host:match "^127%.(%d+%.%d+%.%d+)$"
  if not rest then return false end
  for number in rest:gmatch "%d+" do
    if #number > 3 or tonumber(number) > 255 then return false end
  end
  return true
end

--- What is wrong with the URL, without showing it; nil when nothing is.
local function problem_of(url)
  if type(url) ~= "string" then return ("must be a string, got %s"):format(type(url)) end
  if #url > LONGEST_URL then return ("is longer than %d bytes"):format(LONGEST_URL) end
  if url:find "[^\33-\126]" then return "has a space, a control character or a byte past ASCII: percent-encode it" end
  local scheme, authority = url:match "^(%l+)://([^/?#]+)"
  if scheme ~= "https" and scheme ~= "http" then return "must begin with https:// and a host" end
  if authority:find("@", 1, true) then return "has a user name before the host" end
  local host = authority:match "^(%[[%x:.]+%])$" or authority:match "^(%[[%x:.]+%]):%d+$"
    or authority:match "^([%w._-]+)$" or authority:match "^([%w._-]+):%d+$"
  if not host then return "has a host that no address has" end
  if url:find("#", 1, true) then return "has a fragment (#), which is never sent" end
  if scheme == "http" and not is_loopback(host) then
    return "is plain http, which is allowed only to loopback: use https://"
  end
end

local function read_interval(value)
  local seconds, problem = span.seconds(value)
  if not seconds then return nil, problem end
  if seconds < SHORTEST then return nil, ("must be at least %d s"):format(SHORTEST) end
  return seconds
end

--- Does nothing yet. Raises what is wrong with the URL or the options.
---@param bot { client: avito_messenger.Client, driver: avito.Driver, tell: fun(bot: any, note: table) }
---@param url string of the listener as the API reaches it: https, with the secret path
---@param given? avito.SubscriptionOptions
---@param level? integer as for error()
---@return avito.bot.Subscription
function subscription.new(bot, url, given, level)
  level = (level or 1) + 1
  if not bot.client.get_webhook_subscriptions then
    error("subscribe: the API of this marketplace subscribes nobody: give the address in the seller's cabinet", level)
  end
  local problem = problem_of(url)
  if problem then error("subscribe: url " .. problem, level) end
  given = given or {}
  options.check("subscribe", given, OPTIONS, level)
  local every
  every, problem = read_interval(given.every or DEFAULT)
  if not every then error("subscribe: every: " .. problem, level) end
  local self = setmetatable({ bot = bot, url = url, every = every, random = given.random or math.random, failures = 0,
    secrets = secrets.new { url } }, Subscription)
  self.secrets:add_url(url)
  return self
end

--- The error without the URL. What the API says of the URL (`fields`) becomes a part of the message.
local function without_url(self, err)
  if not errors.is(err) then return errors.new("server", "subscribe_webhook", self.secrets:hide(errors.text(err))) end
  local message = err.message
  local said = type(err.fields) == "table" and err.fields.url
  if type(said) == "string" and not message:find(said, 1, true) then message = ("%s: %s"):format(message, said) end
  local shown = errors.new(err.kind, err.endpoint, self.secrets:hide(message))
  shown.dispatched, shown.status, shown.retry_after, shown.hint = err.dispatched, err.status, err.retry_after, err.hint
  return shown
end

local function is_subscribed(list, url)
  for _, one in ipairs(list) do
    if type(one) == "table" and one.url == url and tostring(one.version):match "^v?(%d+)" == VERSION then return true end
  end
  return false
end

--- Looks once, and subscribes where it has to. Raises only where the task is cancelled or the client closed.
---@return boolean? ok
---@return avito_messenger.Error? err without the URL
function Subscription:check()
  local client = self.bot.client
  local list, err = client:get_webhook_subscriptions()
  local ok = list ~= nil
  if list and not is_subscribed(list, self.url) then
    ok, err = client:subscribe_webhook(self.url)
    if ok then self.bot:tell { kind = "subscribed", again = self.known == true } end
  end
  if not ok then
    ending.pass(err)
    return nil, without_url(self, err)
  end
  self.known = true
  return true
end

--- Seconds to the next look.
local function pause(self, err)
  local seconds = self.every
  if err then
    self.failures = self.failures + 1
    seconds = math.min(FIRST_RETRY * 2 ^ math.min(self.failures - 1, 20), self.every)
    seconds = math.max(seconds, err.retry_after or 0)
  else
    self.failures = 0
  end
  return seconds * (1 + SPREAD * self.random())
end

-- In short waits: stopping does not have to wait for the next look.
local function wait(self, seconds, stopped)
  local driver = self.bot.driver
  local ends = driver:now() + seconds
  while not stopped() and driver:now() < ends do
    local _, err
    local left = math.min(ends - driver:now(), 1)
    if driver.park then _, err = driver:park(left, self) else _, err = driver:sleep(left) end
    if err then error(err, 0) end
  end
end

--- Looks once; what fails is told to the bot, also what raises, as a closed driver does. Raises where the task is cancelled.
---@return number seconds to the next look
function Subscription:look()
  local returned, ok, err = pcall(self.check, self)
  if not returned then
    ending.pass(ok)
    ok, err = nil, without_url(self, ok)
  end
  if not ok then self.bot:tell { kind = "error", what = "subscription", message = "subscription: " .. err, error = err } end
  return pause(self, err)
end

--- Looks again and again until it is told to stop. Raises where the task is cancelled.
---@param stopped fun(): boolean
function Subscription:run(stopped)
  while not stopped() do wait(self, self:look(), stopped) end
end

--- Ends the wait for the next look.
function Subscription:wake()
  if self.bot.driver.unpark then self.bot.driver:unpark(self) end
end

--- Without the secret.
function Subscription:__tostring()
  return ("avito.bot.Subscription (%s)"):format(self.url:match "^%a+://[^/?#]+")
end

return subscription
