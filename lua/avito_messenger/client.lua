--- What the clients of all marketplaces share: a method for every operation, over a driver that moves the bytes. What one has
--- of its own is data: client/avito.lua, client/yandex_market.lua.
local core = require "avito_messenger.core"
local errors = require "avito_messenger.errors"
local json = require "avito_messenger.json"
local options = require "avito_messenger.options"
local run = require "avito_messenger.run"
local words = require "avito_messenger.words"

local client = {}

local USER_AGENT = "avito-messenger/0.1.0"

local OPTIONS = {
  base_url = "string",
  timeout = "number",
  retries = "number",
  user_agent = "string",
  proxy = "string",
  ca_file = "string",
  pace = "table|boolean",
  pace_store = "table",
  on_event = "function",
  io = "table",
}

---@class avito_messenger.AnyClient
---@field marketplace "avito"|"yandex_market"
local shared = {}

local function finish(self, operation, now)
  return run.operation(operation, now, self)
end

local function method_of(name)
  return function(self, ...)
    if self.closed then return errors.closed(name) end
    local now = self.driver:now()
    return finish(self, self.session:operation(name, now, ...), now)
  end
end

local METHODS = { GET = true, POST = true, PUT = true, PATCH = true, DELETE = true }
local REQUEST_OPTIONS = { query = "table", json = "table|string|number|boolean", form = "table" }

--- { name = value | list of values } as an encoded query, names in order.
local function encode_query(where, values, level)
  local names, pairs_list = {}, {}
  for name in pairs(values) do
    if type(name) ~= "string" then error(where .. " must hold values by name", level + 1) end
    names[#names + 1] = name
  end
  table.sort(names)
  for _, name in ipairs(names) do
    local value = values[name]
    for _, one in ipairs(type(value) == "table" and value or { value }) do
      local kind = type(one)
      if kind ~= "string" and kind ~= "number" and kind ~= "boolean" then
        error(("%s.%s must be a string, a number, a boolean or a list of them, got %s"):format(where, name, kind),
          level + 1)
      end
      local text = kind == "number" and json.digits(one) or kind ~= "number" and tostring(one)
      if not text then error(("%s.%s is %s, which is no number"):format(where, name, tostring(one)), level + 1) end
      pairs_list[#pairs_list + 1] = { name, text }
    end
  end
  return core.encode_query(pairs_list)
end

--- Any other call of the API, with the same credentials, retries and errors. Only a GET is repeated after an unclear failure.
---@param method "GET"|"POST"|"PUT"|"PATCH"|"DELETE"
---@param path string begins with "/"; percent-encoded by the caller
---@param request? { query?: table, json?: any, form?: table }
---@param call_options? avito_messenger.CallOptions
---@return any value the decoded JSON; the body as a string when it is something else; true when there is none
---@return avito_messenger.Error?
function shared:request(method, path, request, call_options)
  if self.closed then return errors.closed("request") end
  if not METHODS[method] then
    error(("request: method must be GET, POST, PUT, PATCH or DELETE, got %s"):format(tostring(method)), 2)
  end
  if type(path) ~= "string" then error(("request: path must be a string, got %s"):format(type(path)), 2) end
  request = request or {}
  options.check("request", request, REQUEST_OPTIONS, 2)
  local query = request.query and encode_query("request: query", request.query, 2)
  local body, content_type, message
  if request.json ~= nil then
    if request.form then error("request: give json or form, not both", 2) end
    content_type = "application/json"
    body, message = json.encode(request.json)
    if not body then error("request: json cannot be written: " .. message, 2) end
  elseif request.form then
    content_type = "application/x-www-form-urlencoded"
    body = encode_query("request: form", request.form, 2)
  end
  local now = self.driver:now()
  return finish(self, self.session:request(method, now, path, query, body, content_type, call_options), now)
end

--- Gives back connections. Calls under way in other tasks, and those made from now on, return an error of kind "cancelled".
function shared:close()
  if self.closed then return end
  self.closed = true
  if self.driver.end_calls then self.driver:end_calls(self) end
  if self.owns_driver then self.driver:close() end
end

local function check_store(market, store)
  if type(store.load) ~= "function" or type(store.save) ~= "function" then
    error(market.where .. ": token_store must have the functions load and save", 3)
  end
  if store.lock ~= nil and type(store.lock) ~= "function" then
    error(market.where .. ": token_store.lock must be a function", 3)
  end
end

local function check_pace_store(market, given)
  if type(given.pace_store.exchange) ~= "function" then
    error(market.where .. ": pace_store must have the function exchange", 3)
  end
  if given.pace == false and not market.paced_anyway then
    error(market.where .. ": there is nothing to keep in pace_store with pace = false", 3)
  end
end

--- Bytes that no other client has: the order of its random waits comes from them.
local function seed()
  local file = io.open("/dev/urandom", "rb")
  local bytes = file and file:read(16)
  if file then file:close() end
  return bytes or ("%s %s %s"):format(os.time(), os.clock(), tostring({}))
end

--- What the session is to have: the default pace where nothing is said. Its values are the core's to check.
local function pace_of(market, given)
  if given.pace == nil then return {} end
  for name in pairs(type(given.pace) == "table" and given.pace or {}) do
    if not market.pace[name] then
      error(("%s: %s"):format(market.where, words.unknown(name, words.names(market.pace), "field of pace")), 3)
    end
  end
  return given.pace
end

local function make_driver(market, given)
  local io_option = given.io or require "avito_messenger.io.blocking"
  if type(io_option.perform) == "function" then return io_option, false end
  if type(io_option.new) ~= "function" then
    error(market.where .. ": io must be a driver such as require \"avito_messenger.io.blocking\"", 3)
  end
  local ok, driver = pcall(io_option.new, { proxy = given.proxy, ca_file = given.ca_file })
  if not ok then error(driver, 3) end
  return driver, true
end

local function settings_of(market, given)
  local settings = { marketplace = market.name, base_url = market.base_url, user_agent = USER_AGENT, seed = seed() }
  for name, value in pairs(given) do settings[name] = value end
  settings.has_store = given.token_store ~= nil
  settings.has_lock = given.token_store ~= nil and given.token_store.lock ~= nil
  return settings
end

--- The class of a marketplace's clients: what all have, its operations and its own methods.
local function class_of(market)
  local methods = {}
  for name, method in pairs(shared) do methods[name] = method end
  for _, row in ipairs(core.endpoints(market.name)) do methods[row.name] = method_of(row.name) end
  for name, method in pairs(market.methods) do methods[name] = method end
  local metatable = { __index = methods, __name = market.title, __close = shared.close }

  --- Neither the credentials nor the tokens stand in here.
  function metatable.__tostring(self)
    local id = self.session:account()
    return ("%s (%s)"):format(market.title, self.closed and "closed" or id and market.account .. " " .. id or "open")
  end
  return metatable
end

---@class avito_messenger.ClientKind what the clients of one marketplace have of their own
---@field name "avito"|"yandex_market"
---@field title string what tostring begins with
---@field where string what errors about options begin with
---@field account string what an account is called there
---@field base_url string
---@field options table<string, string> beside those that all have, for options.check
---@field pace table<string, true> the fields of the option pace
---@field paced_anyway? boolean is there something to keep in a pace_store with pace = false, too?
---@field methods table<string, function> beside those of the operations

--- Makes the function that makes clients of a marketplace. Nothing is sent until the first call of one.
---@param market avito_messenger.ClientKind
---@return fun(given: table): avito_messenger.AnyClient
function client.of(market)
  local metatable, known = class_of(market), {}
  for _, own in ipairs { OPTIONS, market.options } do
    for name, types in pairs(own) do known[name] = types end
  end
  return function(given)
    options.check(market.where, given, known, 2)
    if given.token_store then check_store(market, given.token_store) end
    if given.pace_store then check_pace_store(market, given) end
    local settings = settings_of(market, given)
    settings.pace = pace_of(market, given)
    local ok, session = pcall(core.session, settings)
    if not ok then error(session, 2) end
    local driver, owned = make_driver(market, given)
    return setmetatable({
      marketplace = market.name,
      session = session,
      driver = driver,
      owns_driver = owned,
      token_store = given.token_store,
      pace_store = given.pace_store,
      on_event = given.on_event,
      timeout = given.timeout or 10,
    }, metatable)
  end
end

---@class avito_messenger.AnyClientOptions what every client can be told
---@field base_url? string the API's when absent; plain http only to loopback
---@field timeout? number seconds for a whole call, waits and retries included; default 10
---@field retries? integer repeats of requests a call may make, 0 to 10; default 2
---@field pace_store? avito_messenger.PaceStore where several processes use the account: they keep to one pace together
---@field user_agent? string
---@field proxy? string
---@field ca_file? string a PEM file of certificates to trust instead of the system's
---@field on_event? fun(event: avito_messenger.Event) sees every request, retry, wait and refresh, never a secret
---@field io? table the driver; default avito_messenger.io.blocking

---@class avito_messenger.PaceStore keeps the state of an account's pace for clients on one machine whose drivers go by the
--- monotonic clock, as all do that come with the module
---@field exchange fun(change: fun(state?: string): string?) calls `change` once, with what it holds, and holds what that
--- returns; nobody else does so meanwhile, as far as it can. It must be quick, and is asked about three times a call

---@class avito_messenger.CallOptions
---@field timeout? number
---@field retries? integer
---@field headers? table<string, string>
---@field user_id? integer Avito: another account of the company

return client
