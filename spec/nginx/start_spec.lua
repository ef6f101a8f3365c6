local json = require "avito_messenger.json"
local nginx = require "support.nginx"
if not nginx.wanted() then return end

-- What `fn`, Lua, raises in init_worker_by_lua and in other phases is what a location prints.
local PROGRAM = [[
  local avito = require "avito_messenger"
  local nginx = require "avito_messenger.nginx"
  local SECRET = { path_secret = "dummy-path-secret" }
  local function bot(more)
    local given = { rulebook = avito.rulebook { { "r", hears = "a", say = "b" } }, store = avito.memory_store(),
      client = avito.client { io = require "avito_messenger.io.nginx", access_token = "dummy", user_id = 7 } }
    for name, value in pairs(more or {}) do given[name] = value end
    return avito.bot(given)
  end
  problems = {}
  local function try(name, fn)
    local ok, problem = pcall(fn)
    problems[name] = ok and "nothing" or tostring(problem)
  end
  try("bot", function() nginx.start {} end)
  try("unknown", function() nginx.start(bot(), { webhok = {} }) end)
  try("secret", function() nginx.start(bot(), { webhook = {} }) end)
  try("rounds", function() nginx.start(bot(), { webhook = SECRET, poll = { rounds = 1 } }) end)
  try("interval", function() nginx.start(bot(), { poll = { interval = 0.1 } }) end)
  try("drain", function() nginx.start(bot(), { drain = "soon" }) end)
  try("url", function() nginx.start(bot(), { subscribe = "http://shop.example/" }) end)
  try("often", function() nginx.start(bot(), { subscribe = { url = "https://shop.example/x", often = 5 } }) end)
  try("answer", function() nginx.start(bot(), { answer = false, subscribe = "https://shop.example/x" }) end)
  try("dict", function() nginx.start(bot(), { shared = "none" }) end)
  try("blocking", function()
    local client = avito.client { access_token = "dummy", user_id = 7 }
    nginx.start(bot { client = client })
  end)
  local one = bot()
  try("memory", function() nginx.start(one, { webhook = SECRET, poll = false }) end)
  try("twice", function() nginx.start(one) end)
  try("second", function() nginx.start(bot(), { poll = false }) end)
  local other = bot()
  other:stop()
  try("run", function() other:run { poll = false, signals = false } end)
  try("listen", function() other:listen(SECRET) end)
  try("subscribe", function() other:subscribe "https://shop.example/x" end)
]]

local SERVER = [[
  location = /problems { content_by_lua_block { ngx.print(require("avito_messenger.json").encode(problems)) } }
  location = /late { content_by_lua_block {
    local ok, problem = pcall(require("avito_messenger.nginx").start, {})
    ngx.print(problem)
  } }
  location = /stranger { content_by_lua_block { require("avito_messenger.nginx").webhook {} } }
]]

describe("nginx.start", function()
  local function problems_with(workers)
    local server = nginx.start { workers = workers, init_worker = PROGRAM, server = SERVER, expected = { "was not started" } }
    local problems = json.decode(server:get("/problems").body)
    local late, stranger = server:get("/late").body, server:get("/stranger")
    server:stop()
    return problems, late, stranger
  end

  it("says what is wrong with the options, and with the place", function()
    local problems, late, stranger = problems_with(1)
    for name, pattern in pairs {
      bot = "nginx.start: an avito.bot is expected", unknown = "unknown option 'webhok'.*webhook",
      secret = "nginx.start: webhook: path_secret is missing", rounds = "has no rounds", interval = "interval must be at least 1 s",
      drain = "nginx.start: drain:", url = "plain http", often = "unknown option 'often'", answer = "answer = false",
      dict = "lua_shared_dict none", blocking = "io.nginx", memory = "^nothing$", twice = "was started before",
      second = "another bot has the lua_shared_dict avito", run = "nginx.conf.*bot:run: inside nginx .*start",
      listen = "nginx.conf.*bot:listen: inside nginx .*start", subscribe = "nginx.conf.*bot:subscribe: inside nginx .*start" } do
      assert.matches(pattern, problems[name], nil, nil)
    end
    assert.matches("init_worker_by_lua.*content", late)
    assert.same({ 503, "try again\n" }, { stranger.status, stranger.body })
  end)

  it("refuses a store of memory where there are several workers", function()
    assert.matches("2 workers do not share a store of memory", problems_with(2).memory)
  end)

  it("warns of what several workers do not share, where their client could", function()
    local function warnings(client)
      local server = nginx.start { workers = 2, init_worker = ([[
        local avito, io = require "avito_messenger", require "avito_messenger.io.nginx"
        local bot = avito.bot { client = %s, rulebook = avito.rulebook { { "r", hears = "a", say = "b" } },
          store = ngx.config.prefix() .. "/shop.db" }
        require("avito_messenger.nginx").start(bot, { poll = false })
      ]]):format(client) }
      local text = server:log()
      server:stop()
      return text
    end
    local text = warnings [[avito.client { io = io, base_url = "http://127.0.0.1:1", access_token = "dummy", user_id = 7 }]]
    assert.matches("renews tokens of its own", text)
    assert.matches("keeps a pace of its own", text)
    text = warnings [[require("avito_messenger.yandex_market").client { io = io, base_url = "http://127.0.0.1:1",
      api_key = "dummy-api-key", business_id = 7 }]]
    assert.is_nil(text:find("renews tokens", 1, true)) -- a key is for ever
    assert.matches("keeps a pace of its own", text)
  end)
end)
