--- The client: a method for every operation of the API, over a driver that moves the bytes.
local core = require "avito_messenger.core"
local errors = require "avito_messenger.errors"
local files = require "avito_messenger.files"
local json = require "avito_messenger.json"
local options = require "avito_messenger.options"
local pages = require "avito_messenger.pages"
local run = require "avito_messenger.run"
local words = require "avito_messenger.words"

local client = {}

local BASE_URL = "https://api.avito.ru"
local USER_AGENT = "avito-messenger/0.1.0"

local OPTIONS = {
  client_id = "string",
  client_secret = "string",
  code = "string",
  refresh_token = "string",
  access_token = "string",
  user_id = "number|string",
  base_url = "string",
  token_store = "table",
  timeout = "number",
  retries = "number",
  user_agent = "string",
  proxy = "string",
  ca_file = "string",
  array_style = "string",
  pace = "table|boolean",
  pace_store = "table",
  on_event = "function",
  io = "table",
}

local methods = {}
local metatable = { __index = methods, __name = "avito_messenger.Client" }

--- Neither the credentials nor the tokens stand in here.
function metatable.__tostring(self)
  local id = self.session:account()
  return ("avito_messenger.Client (%s)"):format(self.closed and "closed" or id and "user " .. id or "open")
end

local function finish(self, operation, now)
  return run.operation(operation, now, self)
end

for _, row in ipairs(core.endpoints()) do
  local name = row.name
  methods[name] = function(self, ...)
    if self.closed then return errors.closed(name) end
    local now = self.driver:now()
    return finish(self, self.session:operation(name, now, ...), now)
  end
end

for name, method in pairs(files) do methods[name] = method end

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

--- Any other call of the API, with the same tokens, retries and errors. Only a GET is repeated after an unclear failure.
---@param method "GET"|"POST"|"PUT"|"PATCH"|"DELETE"
---@param path string begins with "/"; percent-encoded by the caller
---@param request? { query?: table, json?: any, form?: table }
---@param call_options? avito_messenger.CallOptions
---@return any value the decoded JSON; the body as a string when it is something else; true when there is none
---@return avito_messenger.Error?
function methods:request(method, path, request, call_options)
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

--- An iterator over all chats that match. Raises the error of a page that fails. With prefetch = n up to
--- n pages are read ahead while one is gone over (0 to 10; where the driver has tasks, as the loop has).
---@param filter? { unread_only?: boolean, chat_types?: string[], item_ids?: integer[], limit?: integer, offset?: integer,
--- prefetch?: integer }
---@param call_options? avito_messenger.CallOptions
---@return avito_messenger.Pages
function methods:chats(filter, call_options)
  return pages.new("chats", filter, self.driver, function(page)
    return self:get_chats(page, call_options)
  end)
end

--- An iterator over the messages of a chat, newest first. Raises the error of a page that fails; prefetch as for chats.
---@param chat_id string
---@param range? { limit?: integer, offset?: integer, prefetch?: integer }
---@param call_options? avito_messenger.CallOptions
---@return avito_messenger.Pages
function methods:messages(chat_id, range, call_options)
  return pages.new("messages", range, self.driver, function(page)
    return self:get_messages(chat_id, page, call_options)
  end)
end

--- Gives back connections. Calls under way in other tasks, and those made from now on, return an error of kind "cancelled".
function methods:close()
  if self.closed then return end
  self.closed = true
  if self.driver.end_calls then self.driver:end_calls(self) end
  if self.owns_driver then self.driver:close() end
end

metatable.__close = methods.close

local function check_store(store)
  if type(store.load) ~= "function" or type(store.save) ~= "function" then
    error("avito.client: token_store must have the functions load and save", 3)
  end
  if store.lock ~= nil and type(store.lock) ~= "function" then
    error("avito.client: token_store.lock must be a function", 3)
  end
end

local function check_pace_store(given)
  if type(given.pace_store.exchange) ~= "function" then
    error("avito.client: pace_store must have the function exchange", 3)
  end
  if given.pace == false then error("avito.client: there is nothing to keep in pace_store with pace = false", 3) end
end

--- Bytes that no other client has: the order of its random waits comes from them.
local function seed()
  local file = io.open("/dev/urandom", "rb")
  local bytes = file and file:read(16)
  if file then file:close() end
  return bytes or ("%s %s %s"):format(os.time(), os.clock(), tostring({}))
end

local PACE = { rate = true, burst = true }

--- What the session is to have: the default pace where nothing is said. Its values are the core's to check.
local function pace_of(given)
  if given.pace == nil then return {} end
  for name in pairs(type(given.pace) == "table" and given.pace or {}) do
    if not PACE[name] then error("avito.client: " .. words.unknown(name, words.names(PACE), "field of pace"), 3) end
  end
  return given.pace
end

local function make_driver(given)
  local io_option = given.io or require "avito_messenger.io.blocking"
  if type(io_option.perform) == "function" then return io_option, false end
  if type(io_option.new) ~= "function" then
    error("avito.client: io must be a driver such as require \"avito_messenger.io.blocking\"", 3)
  end
  local ok, driver = pcall(io_option.new, { proxy = given.proxy, ca_file = given.ca_file })
  if not ok then error(driver, 3) end
  return driver, true
end

--- Makes a client. Nothing is sent until the first call.
---@param given avito_messenger.ClientOptions
---@return avito_messenger.Client
function client.new(given)
  options.check("avito.client", given, OPTIONS, 2)
  if given.token_store then check_store(given.token_store) end
  if given.pace_store then check_pace_store(given) end
  local settings = { base_url = BASE_URL, user_agent = USER_AGENT, seed = seed() }
  for name, value in pairs(given) do settings[name] = value end
  settings.pace = pace_of(given)
  settings.has_store = given.token_store ~= nil
  settings.has_lock = given.token_store ~= nil and given.token_store.lock ~= nil
  local ok, session = pcall(core.session, settings)
  if not ok then error(session, 2) end
  local driver, owned = make_driver(given)
  return setmetatable({
    session = session,
    driver = driver,
    owns_driver = owned,
    token_store = given.token_store,
    pace_store = given.pace_store,
    on_event = given.on_event,
    timeout = given.timeout or 10,
  }, metatable)
end

---@class avito_messenger.ClientOptions
---@field client_id? string
---@field client_secret? string
---@field code? string from the authorize page: for another seller's account
---@field refresh_token? string instead of a code
---@field access_token? string alone, when tokens are cared for elsewhere; or to begin with
---@field user_id? integer the account; looked up once with get_self when absent
---@field base_url? string default "https://api.avito.ru"; plain http only to loopback
---@field token_store? avito_messenger.TokenStore
---@field timeout? number seconds for a whole call, waits and retries included; default 10
---@field retries? integer repeats of requests a call may make, 0 to 10; default 2
---@field pace? avito_messenger.Pace|false how fast the account's requests may go, so that they do not run into the API's rate
--- limit; false for as fast as they are made
---@field pace_store? avito_messenger.PaceStore where several processes use the account: they keep to one pace together
---@field user_agent? string
---@field proxy? string
---@field ca_file? string a PEM file of certificates to trust instead of the system's
---@field array_style? "comma"|"repeat" how lists are written in a query; default "comma"
---@field on_event? fun(event: avito_messenger.Event) sees every request, retry, wait and refresh, never a secret
---@field io? table the driver; default avito_messenger.io.blocking

---@class avito_messenger.Pace calls beyond it wait for their turn, first come, first served, as long as their timeout allows;
--- repeats count, requests for a token and downloads do not
---@field rate? number requests a second, more than 0 and at most 1000; default 6. Answers teach the client more: their
--- X-RateLimit-Limit replaces the default and lowers a given rate; a 429 halves it for a while
---@field burst? integer how many may go at once after a while without calls, 1 to 1000; default 12

---@class avito_messenger.PaceStore keeps the state of an account's pace for clients on one machine whose drivers go by the
--- monotonic clock, as all do that come with the module
---@field exchange fun(change: fun(state?: string): string?) calls `change` once, with what it holds, and holds what that
--- returns; nobody else does so meanwhile, as far as it can. It must be quick, and is asked about three times a call

---@class avito_messenger.CallOptions
---@field timeout? number
---@field retries? integer
---@field headers? table<string, string>
---@field user_id? integer another account of the company

return client
