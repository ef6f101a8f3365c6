--- The bot of nginx.conf: shop_rules.lua beside it, what must not be lost in data/shop.db. Each worker of nginx has its own copy of
--- this module, made when the worker begins; what they share is the store and the dictionary of nginx.conf.
local avito = require "avito_messenger"
local inside = require "avito_messenger.nginx"

local directory = ngx.config.prefix()
local shared = inside.shared "avito"

local function setting(name)
  local value = os.getenv(name)
  if not value then error(name .. " is not set: nginx begins with it, and nginx.conf says env " .. name .. ";", 0) end
  return value
end

local client_id = setting "AVITO_CLIENT_ID"
local store, problem = avito.store(directory .. "data/shop.db")
if not store then error(tostring(problem), 0) end -- of errors that are not text, nginx tells nothing
local client = avito.client {
  io = require "avito_messenger.io.nginx",
  base_url = os.getenv "AVITO_BASE_URL",
  client_id = client_id,
  client_secret = setting "AVITO_CLIENT_SECRET",
  token_store = shared:tokens("shop", store:tokens(client_id)), -- one worker renews the token, for all of them
  pace_store = shared:pace "shop",                              -- all of them together keep the API's limit
  timeout = 60,
}

local shop = {}

shop.bot = avito.bot {
  client = client,
  store = store,
  rulebook = directory .. "shop_rules.lua",
  log = "logfmt", -- to logs/error.log
  -- Here you would write to yourself: an e-mail, a message to your phone.
  on_escalate = function(call) ngx.log(ngx.WARN, call.chat_id, " needs you: ", call.note or call.text or "") end,
}

--- For init_worker_by_lua_block.
function shop.start()
  local secret, url = setting "AVITO_WEBHOOK_SECRET", os.getenv "AVITO_WEBHOOK_URL"
  inside.start(shop.bot, {
    webhook = { path_secret = secret },
    subscribe = url and ("%s/%s"):format(url, secret),
    poll = { interval = 10, backlog = "1h" },
  })
end

return shop
