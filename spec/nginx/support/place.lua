--- For specs: a sandbox, and an nginx that runs the bot of support/shop.lua.
---   local place = places.open { workers = 2, plan = { … }, … }
---     webhooks = true: the marketplace sends them here; poll = false: nobody looks; start: Lua, the options of nginx.start
---   place.market, place.server, place.secret
---   place:hook(body, fields)              a webhook as the marketplace sends it: the response
---   place:message{ id =, text =, … }      the body of one
---   place:say(text, chat_number)          a buyer writes: { chat_id, message_id }
---   place:sent() -> texts of the bot, as the sandbox's record has them
---   place:until_true(what, fn)
---   place:stop(), :close()
--- or, of a spec of its own, with a store whose files are removed after it:
---   local own = places.own();  before_each(own.begin); after_each(own.finish)
---   local place = own.open { … };  own.path
local clock = require "avito_messenger.clock"
local files = require "support.files"
local json = require "avito_messenger.json"
local nginx = require "support.nginx"
local ports = require "support.ports"
local sandbox = require "support.sandbox"

local places = {}

local Place = {}
Place.__index = Place

local SECRET = "dummy-path-secret"
local LONGEST = 20

places.LOCATIONS = [[
    location /avito/    { content_by_lua_block { require("avito_messenger.nginx").webhook(require "nginx.support.shop") } }
    location = /health  { content_by_lua_block { require("avito_messenger.nginx").health(require "nginx.support.shop") } }
    location = /metrics { content_by_lua_block { require("avito_messenger.nginx").metrics(require "nginx.support.shop") } }
    location = /pid     { content_by_lua_block { ngx.print(ngx.worker.pid()) } }
]]

local WORLD = { latency = { 0, 0.01 }, items = { { id = 5000, account = sandbox.user_id, title = "Товар", price = "5 000 ₽" } },
  accounts = { { user_id = sandbox.user_id, client_id = sandbox.client_id, client_secret = sandbox.client_secret } },
  buyers = json.list {}, chats = json.list {} }

local function start_market(self, given)
  local world = {}
  for name, value in pairs(WORLD) do world[name] = value end
  for name, value in pairs(given.world or {}) do world[name] = value end
  self.world = files.temporary() .. ".lua"
  files.write(self.world, ('return require("avito_messenger.json").decode [==[%s]==]'):format(assert(json.encode(world))))
  return sandbox.start { "--world", self.world, "--seed", "1", "--rate-limit", "off" }
end

--- The marketplace without nginx.
function places.alone(given)
  local self = setmetatable({ secret = SECRET }, Place)
  self.market = start_market(self, given or {})
  return self
end

local function start_of(given, port)
  local url = ("http://127.0.0.1:%d/avito/%s"):format(port, SECRET)
  return ('{ webhook = { path_secret = "%s", path = "/avito" }, poll = %s, subscribe = %s }'):format(SECRET,
    given.poll == false and "false" or "{ interval = 1 }", given.webhooks and '"' .. url .. '"' or "nil")
end

--- `plan` of the bot; `start`: Lua, the options of nginx.start; the rest as for support.nginx.
function places.open(given)
  local self = places.alone(given)
  local plan = { base_url = self.market.base_url, user_id = sandbox.user_id, pace = false }
  for name, value in pairs(given.plan or {}) do plan[name] = value end
  local of_server = {}
  for name, value in pairs(given) do of_server[name] = value end
  of_server.env = { SPEC_PLAN = assert(json.encode(plan)) }
  of_server.main = "env SPEC_PLAN; " .. (given.main or "")
  of_server.server = places.LOCATIONS .. (given.server or "")
  of_server.port = ports.free(files.temporary())
  of_server.init_worker = ([[require("avito_messenger.nginx").start(require "nginx.support.shop", %s)]]):format(
    given.start or start_of(given, of_server.port))
  self.server = nginx.start(of_server)
  return self
end

--- A place for each spec of a file: where the store of its bot is, unless the plan says otherwise, and an end of both.
function places.own()
  local own = {}

  function own.begin() own.path = files.temporary() end

  function own.open(given)
    local plan, all = { store = own.path }, {}
    for name, value in pairs(given.plan or {}) do plan[name] = value end
    for name, value in pairs(given) do all[name] = value end
    all.plan = plan
    own.place = places.open(all)
    return own.place
  end

  function own.alone()
    own.place = places.alone()
    return own.place
  end

  function own.finish()
    if own.place then own.place:close() end
    own.place = nil
    for _, name in ipairs(files.beginning(own.path)) do os.remove(name) end
  end

  return own
end

function Place:message(fields) -- luacheck: no self
  local value = { id = "m1", chat_id = "u2i-dummy-1", user_id = sandbox.user_id, author_id = 200000001, created = os.time(),
    type = "text", chat_type = "u2i", content = { text = fields.text or "Вопрос 1" }, item_id = 5000 }
  for name, text in pairs(fields) do
    if name ~= "text" then value[name] = text end
  end
  return assert(json.encode { id = "dummy-event", version = "v3.0.0", timestamp = os.time(),
    payload = { type = "message", value = value } })
end

function Place:hook(body, fields)
  local request = { method = "POST", path = "/avito/" .. SECRET, headers = { "Content-Type: application/json" }, body = body }
  for name, value in pairs(fields or {}) do request[name] = value end
  return self.server:request(request)
end

function Place:say(text, chat)
  local said, status = self.market:control("POST", "say", { buyer = 200000000 + (chat or 1), item = 5000, text = text })
  assert(status == 200, "a buyer could not write")
  return said
end

function Place:sent()
  local texts = {}
  for i, send in ipairs(self.market:control("GET", "sends").sends) do texts[i] = send.text end
  return texts
end

function Place:until_true(what, fn)
  local ends = clock.now() + LONGEST
  while not fn() do
    if clock.now() > ends then error(("waited in vain: %s\n%s"):format(what, self.server and self.server:report() or ""), 2) end
    clock.sleep(0.02)
  end
end

--- Until the workers know whose chats they answer.
function Place:until_well()
  self:until_true("health", function() return self.server:get("/health").body == "ok\n" end)
end

--- Until the marketplace knows where to send webhooks.
function Place:until_subscribed()
  self:until_true("the subscription", function() return #self.market:control("GET", "state").subscriptions > 0 end)
end

--- The value of a metric, 0 where it is not there.
function Place:metric(name)
  for line in self.server:get("/metrics").body:gmatch "[^\n]+" do
    if line:sub(1, #name + 1) == name .. " " then return tonumber(line:sub(#name + 2)) end
  end
  return 0
end

--- Raises what nginx logged that nobody expects.
function Place:stop()
  local ok, problem = true, nil
  if self.server then ok, problem = pcall(self.server.stop, self.server) end
  self.server = nil
  self:close()
  if not ok then error(problem, 2) end
end

--- Ends whatever still runs. May be called again.
function Place:close()
  if self.server then self.server:close() end
  if self.market then self.market:stop() end
  if self.world then os.remove(self.world) end
  self.server, self.market, self.world = nil, nil, nil
end

return places
