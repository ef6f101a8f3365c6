--- Simulated marketplaces to develop and test against: Avito, and Yandex Market beside it.
---
--- `sandbox:handle(request, now)` is a function of the sandbox's state alone: no clock, no socket, no
--- chance from outside. Around it stand `sandbox:driver` (a client in the same process, on a virtual clock)
--- and `sandbox:serve` (real HTTP on loopback).
local codec = require "avito_messenger.sandbox.codec"
local control = require "avito_messenger.sandbox.control"
local core = require "avito_messenger.core"
local deliveries = require "avito_messenger.sandbox.deliveries"
local dispatch = require "avito_messenger.sandbox.dispatch"
local faults = require "avito_messenger.sandbox.faults"
local oauth = require "avito_messenger.sandbox.oauth"
local options = require "avito_messenger.sandbox.options"
local people = require "avito_messenger.sandbox.yandex_market.people"
local Random = require "avito_messenger.sandbox.random"
local webhooks = require "avito_messenger.sandbox.webhooks"
local words = require "avito_messenger.words"
local world = require "avito_messenger.sandbox.world"
local yandex_market_world = require "avito_messenger.sandbox.yandex_market.world"

---@class avito.sandbox.Request
---@field method string
---@field path string path and query as sent
---@field headers table<string, string> by lower-case name
---@field body string
---@field peer? string address of the client
---@field origin? string scheme and host, when not http and the Host header

---@class avito.Sandbox
---@field options table
---@field market avito.sandbox.Market Avito's
---@field yandex_market avito.sandbox.YandexMarket
---@field random avito.sandbox.Random
local Sandbox = {}
Sandbox.__index = Sandbox
Sandbox.__name = "avito.Sandbox"

local function start(self)
  local given = self.options
  self.random = Random.new(given.seed)
  self.market = world.build({ accounts = given.accounts, items = given.items, buyers = given.buyers,
    chats = given.chats }, self.random, math.floor(self:now()))
  self.yandex_market = yandex_market_world.build(given.yandex_market, given.seed, math.floor(self:now()))
  self.tokens = oauth.new_state()
  self.hooks, self.outgoing = webhooks.new_state(), deliveries.new_state()
  self.probes, self.windows = {}, {}
  self.requests, self.sent, self.delivery_history = {}, {}, {}
  self.serial = 0
  self.faults = {}
  for _, fault in ipairs(given.faults or {}) do self:fault(fault) end
end

-- Problems below are raised without a place: the public method adds the caller's.
local function at_caller(fn, ...)
  local ok, result = pcall(fn, ...)
  if not ok then error(result, 3) end
  return result
end

---@param given? avito.sandbox.Options
---@return avito.Sandbox
local function new(given)
  local self = setmetatable({ options = at_caller(options.read, given), offset = 0, servers = {} }, Sandbox)
  self.real_now = self.options.now
  at_caller(start, self)
  return self
end

--- The sandbox's time: the last time handed in, moved by advance and set_time.
---@return number
function Sandbox:now()
  return self.real_now + self.offset
end

-- Notes the time outside, and returns the time inside.
function Sandbox:see(now)
  if now ~= nil then
    if type(now) ~= "number" then error("now: number expected, got " .. type(now), 3) end
    self.real_now = now
  end
  return self:now()
end

--- Answers one request.
---@param request avito.sandbox.Request
---@param now number Unix seconds; the world's clock follows it
---@return avito.sandbox.Response
function Sandbox:handle(request, now)
  if type(now) ~= "number" then error("now: number expected, got " .. type(now), 2) end
  local time = self:see(now)
  local path = codec.split(request.path)
  if path:sub(1, 9) == "/sandbox/" or path == "/sandbox" then return control.handle(self, request, time) end
  return dispatch.handle(self, request, time)
end

--- What addresses in answers begin with.
function Sandbox:origin_of(request)
  return self.options.base_url or request.origin or ("http://" .. (request.headers.host or "127.0.0.1"))
end

function Sandbox:sign(...)
  return core.hmac_sha256("sandbox " .. self.options.seed, table.concat({ ... }, " ")):sub(1, 32)
end

function Sandbox:sign_webhook(body)
  return core.hmac_sha256(self.options.webhooks.key, body)
end

function Sandbox:log_request(entry)
  self.serial = self.serial + 1
  entry.serial = self.serial
  self:remember("requests", entry)
  return entry
end

-- Old entries go many at once: taking the first of a long list for every new one is slow.
function Sandbox:remember(list_name, entry)
  local list, limit = self[list_name], self.options.log_limit
  if #list >= 2 * limit then
    local recent = {}
    for i = #list - limit + 1, #list do recent[#recent + 1] = list[i] end
    list = recent
    self[list_name] = list
  end
  list[#list + 1] = entry
end

--- Adds a message and tells the webhooks.
function Sandbox:add_message(chat, spec, now)
  local message = self.market:add_message(chat, spec, math.floor(now))
  webhooks.announce(self, chat, message, now)
  self:wake()
  return message
end

-- There may be something to deliver.
function Sandbox:wake()
  for server in pairs(self.servers) do server.event:set() end
end

local ADDRESS = { chat_id = true, account = true, buyer = true, item = true }

local function add_by_hand(self, spec, from)
  if people.are_meant(self, spec) then return people.add(self, spec, from) end
  if type(spec) ~= "table" then error("message: table expected, got " .. type(spec), 0) end
  local message, address = { from = from }, {}
  for name, value in pairs(spec) do
    if ADDRESS[name] then address[name] = value else message[name] = value end
  end
  local chat
  if address.chat_id then
    chat = self.market.chats[address.chat_id]
    if not chat then error("message: field 'chat_id' is no known chat", 0) end
  else
    local item = address.item and self.market.items[address.item]
    if address.item and not item then error("message: field 'item' is no known item", 0) end
    local account = address.account or (item and item.account) or self.market.account_list[1].user_id
    if not self.market.accounts[account] then error("message: field 'account' is no known account", 0) end
    if not address.buyer then error("message: field 'chat_id' or 'buyer' is required", 0) end
    chat = self.market:chat_with(self.market.accounts[account], address.buyer, address.item, math.floor(self:now()))
  end
  local added = self:add_message(chat, message, self:now())
  return { chat_id = chat.id, message_id = added.id, created = added.created }
end

--- A buyer writes: `{ chat_id }` or `{ buyer, item, account }` says where (a new chat is made when there is
--- none), the rest is the message: `text`, or `type` and the fields of that type. At Yandex Market `{ chat_id }`,
--- `{ order_id, business }`, `{ return_id }` or `{ customer, business }`, with `text` and `files`, also `from` "market" or
--- "support".
---@param spec table
---@return { chat_id: string, message_id: string, created: integer }
function Sandbox:say(spec)
  return at_caller(add_by_hand, self, spec, spec and spec.from or "buyer")
end

--- The seller writes by hand, past the API: what a bot must notice.
---@param spec table
---@return { chat_id: string, message_id: string, created: integer }
function Sandbox:write(spec)
  return at_caller(add_by_hand, self, spec, "seller")
end

--- A dispute about a chat of Yandex Market begins, or is over where `open` is false.
---@param spec { chat_id: integer|string, open?: boolean }
---@return { chat_id: string, type: string, status: string }
function Sandbox:dispute(spec)
  return at_caller(people.dispute, self, spec)
end

--- Sets where a business of Yandex Market is notified, as its cabinet does: after a PING that is answered. `url = false`
--- ends it.
---@param spec { business_id?: integer|string, url: string|false }
---@return { business_id: integer, url?: string, state: "waiting"|"on"|"off" }
function Sandbox:notify(spec)
  return at_caller(people.notify, self, spec)
end

--- Sets a fault; returns it, with the counters `seen` and `struck`.
---@param spec avito.sandbox.Fault
---@return table
function Sandbox:fault(spec)
  local fault = at_caller(faults.read, spec)
  table.insert(self.faults, fault)
  return fault
end

function Sandbox:clear_faults()
  self.faults = {}
end

--- Moves the sandbox's clock forward.
---@param seconds number
function Sandbox:advance(seconds)
  if type(seconds) ~= "number" then error("seconds: number expected, got " .. type(seconds), 2) end
  self.offset = self.offset + seconds
  self:wake()
end

--- Sets the sandbox's clock.
---@param time number Unix seconds
function Sandbox:set_time(time)
  if type(time) ~= "number" then error("time: number expected, got " .. type(time), 2) end
  self.offset = time - self.real_now
  self:wake()
end

--- Back to the beginning: the world, tokens, faults, logs and chances of a new sandbox.
function Sandbox:reset()
  self.offset = 0
  start(self)
end

--- An authorization code, as if a seller had allowed the client.
---@param spec? { client_id?: string, user_id?: integer, scope?: string }
---@return string
function Sandbox:code(spec)
  words.check(spec or {}, { client_id = true, user_id = true, scope = true }, "field", 2)
  return at_caller(oauth.code, self, spec or {}, self:now())
end

--- Ends access tokens now, all or an account's; returns how many.
---@param user_id? integer
---@return integer
function Sandbox:expire_tokens(user_id)
  return oauth.expire(self, user_id, self:now())
end

--- How many tokens were issued by each grant, and how many requests for one were refused.
---@return table<string, integer>
function Sandbox:token_counts()
  local counts = {}
  for name, count in pairs(self.tokens.counts) do counts[name] = count end
  return counts
end

--- The requests seen, oldest first: serial, time, method, path, operation, account, status, applied, fault;
--- sends with chat_id, message_id and text.
---@param filter? { operation?: string, since?: integer } since: only serials above
---@return table[]
function Sandbox:log(filter)
  filter = filter or {}
  words.check(filter, { operation = true, since = true }, "filter", 2)
  local list = {}
  for _, entry in ipairs(self.requests) do
    if entry.serial > (filter.since or 0) and (not filter.operation or entry.operation == filter.operation) then
      list[#list + 1] = entry
    end
  end
  return list
end

--- Every send the sandbox accepted: serial of the request, time, account, chat_id, message_id, type, text.
---@return table[]
function Sandbox:sends()
  return self.sent
end

--- Every delivery of a webhook or a notification: state (waiting, sending, delivered, failed, duplicate), attempts, body.
---@return table[]
function Sandbox:deliveries()
  return deliveries.list(self)
end

--- Takes the deliveries that are due. Each must be handed back with `delivered`.
---@param now? number Unix seconds
---@return avito.sandbox.Delivery[]
function Sandbox:due(now)
  return deliveries.due(self, self:see(now))
end

--- When the next delivery is due, in the time that is handed in; nil when none waits.
---@return number?
function Sandbox:next_due()
  local at = deliveries.next_due(self)
  return at and at - self.offset
end

--- What became of a delivery or a probe.
---@param id integer
---@param result avito.sandbox.Result
---@param now? number Unix seconds
---@return avito.sandbox.Response? response of the request that waited for this probe
function Sandbox:delivered(id, result, now)
  local time = self:see(now)
  return at_caller(deliveries.delivered, self, id, result, time)
end

--- Everything the sandbox knows, as plain tables.
---@return table
function Sandbox:state()
  return control.state(self)
end

--- Accounts with the credentials of their clients.
---@return { user_id: integer, client_id: string, client_secret: string, name: string }[]
function Sandbox:credentials()
  local list = {}
  for i, account in ipairs(self.market.account_list) do
    list[i] = { user_id = account.user_id, client_id = account.client_id, client_secret = account.client_secret,
      name = account.name }
  end
  return list
end

--- Businesses of Yandex Market with their keys.
---@return { business_id: integer, api_key: string, oauth_token: string, name: string }[]
function Sandbox:businesses()
  local list = {}
  for i, one in ipairs(self.yandex_market.business_list) do
    list[i] = { business_id = one.business_id, api_key = one.api_key, oauth_token = one.oauth_token, name = one.name }
  end
  return list
end

--- A driver for a client in the same process, on a virtual clock.
---@param given? { webhook?: fun(delivery: avito.sandbox.Delivery): avito.sandbox.Result }
---@return table
function Sandbox:driver(given)
  return require("avito_messenger.sandbox.driver").new(self, given)
end

--- Serves HTTP on loopback in the background of the running loop (avito_messenger.io.loop), beside a client or a bot.
---@param given? avito.sandbox.ListenOptions
---@return avito.sandbox.Server? server with its `url`, and `close`
---@return string? message
function Sandbox:listen(given)
  return require("avito_messenger.sandbox.server").listen(self, given)
end

--- Serves HTTP on loopback until told to stop.
---@param given? avito.sandbox.ServeOptions
---@return boolean? ok
---@return string? message
function Sandbox:serve(given)
  return require("avito_messenger.sandbox.server").serve(self, given)
end

return setmetatable({ new = new, default_world = world.default },
  { __call = function(_, given) return new(given) end })
