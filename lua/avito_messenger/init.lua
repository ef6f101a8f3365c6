--- avito_messenger: the Avito Messenger API for Lua 5.4 and LuaJIT.
---
---     local avito = require "avito_messenger"
---     local client = avito.client { client_id = "…", client_secret = "…" }
---     for chat in client:chats { unread_only = true } do print(chat.id, chat.last_message.content.text) end
local core = require "avito_messenger.core"
local client = require "avito_messenger.client"
local enums = require "avito_messenger.enums"
local needed = require "avito_messenger.bot.needed"
local options = require "avito_messenger.options"

local avito = { _VERSION = "0.1.0" }

--- Makes a client of Avito. Nothing is sent until the first call.
---@type fun(given: avito_messenger.ClientOptions): avito_messenger.Client
avito.client = client.of(require "avito_messenger.client.avito")
avito.ChatType = enums.ChatType
avito.MessageType = enums.MessageType
avito.MessageDirection = enums.MessageDirection
avito.BlacklistReason = enums.BlacklistReason

local function need_bot(module, journal)
  local missing = needed() or journal and needed "journal"
  if missing then error(missing, 3) end
  return require(module)
end

--- A token store in a file of mode 0600, safe between processes. Needs lua-cjson.
---@param path string
---@return avito_messenger.TokenStore
function avito.file_token_store(path)
  return require("avito_messenger.token_store").file(path)
end

local STORE = { synchronous = "string", keep = "number|string", patience = "number", group = "boolean", lease = "number" }

local function check_store(path, given)
  if type(path) ~= "string" or path == "" or path:find("\0", 1, true) then
    error("avito.store: the path must be a string that is not empty", 3)
  end
  options.check("avito.store", given, STORE, 3)
  if given.synchronous and given.synchronous ~= "full" and given.synchronous ~= "normal" then
    error(("avito.store: synchronous must be 'full' or 'normal', got '%s'"):format(given.synchronous), 3)
  end
  for name, most in pairs { patience = 3600, lease = 3600 } do
    local seconds = given[name]
    if seconds and not (seconds >= 0 and seconds <= most) then
      error(("avito.store: %s must be from 0 to %d seconds"):format(name, most), 3)
    end
  end
end

--- A store of a bot in a file, which several processes may share: what came, what is to be sent, and what is remembered of
--- each chat outlive the process. Its token rows keep the tokens of clients: token_store = store:tokens("shop").
---@param path string
---@param given? avito.StoreOptions
---@return avito.Store?
---@return avito.StoreError? err
function avito.store(path, given)
  check_store(path, given or {})
  return need_bot("avito_messenger.store.sqlite", true).open(path, given)
end

--- A store of a bot that is forgotten with the process: for developing, and where nothing need be remembered.
---@param given? { keep?: number|string } how long taken messages are known again: seconds or a span; default "7d"
---@return avito.Store
function avito.memory_store(given)
  options.check("avito.memory_store", given or {}, { keep = "number|string" }, 2)
  return require("avito_messenger.store.memory").new(given)
end

--- A simulated Avito to develop and test against. See avito_messenger.sandbox.
---@param given? table
function avito.sandbox(given)
  return require("avito_messenger.sandbox").new(given)
end

--- A bot that answers the chats of an account by a rulebook. See avito_messenger.bot.
---@param given avito.BotOptions
---@return avito.Bot
function avito.bot(given)
  return need_bot("avito_messenger.bot").new(given)
end

--- Runs several bots in one process: one loop, one listener, one set of signal handlers, as bot:run does for one. Bots may share
--- a store. A bot that ends with an error is told (on_error), and does not end the others. Runs the loop itself where it does
--- not run; returns when all have ended.
---
---     avito.run { { bot = avito_bot, webhook = { path_secret = … } }, { bot = market_bot, webhook = { path_secret = … } },
---       listen = { port = 8080 } }
---@param given avito.RunAllOptions
---@return boolean? ok
---@return string? message why it could not begin, or which bots have ended with an error
function avito.run(given)
  local ok, message = need_bot("avito_messenger.bot.program").run_all(given, 2)
  return ok, message
end

--- The rules of a bot, as a table. They are checked when a bot loads them. See avito_messenger.bot.rulebook.
---@param rules avito.RulebookSource
---@return avito.RulebookSource
function avito.rulebook(rules)
  return need_bot("avito_messenger.bot.rulebook").mark(rules)
end

--- A dialogue of a rulebook. See avito_messenger.bot.flow.
---@param definition avito_messenger.bot.FlowOptions
---@return avito_messenger.bot.Flow
function avito.flow(definition)
  return need_bot("avito_messenger.bot.flow").define(definition)
end

local AUTHORIZE = { client_id = "string", scope = "table|string", state = "string", url = "string" }

---@class avito_messenger.Authorize
---@field client_id string
---@field scope? string|string[] default: messenger:read, messenger:write and user:read (to look the account up)
---@field state? string a value only you can know, to be compared when it comes back
---@field url? string the page; for a sandbox

--- The page on which another seller allows the program to read and write their messages. Afterwards they are sent to the
--- redirect address registered with Avito, with `code` (for avito.client) and `state` in its query.
---@param given avito_messenger.Authorize
---@return string
function avito.authorize_url(given)
  options.check("authorize_url", given, AUTHORIZE, 2)
  if not given.client_id then error("authorize_url: client_id is missing", 2) end
  local scope = given.scope or { "messenger:read", "messenger:write", "user:read" }
  if type(scope) == "table" then scope = table.concat(scope, ",") end
  local query = {
    { "response_type", "code" },
    { "pro_users_flow", "true" },
    { "client_id", given.client_id },
    { "scope", scope },
  }
  if given.state then query[#query + 1] = { "state", given.state } end
  -- Colons and commas may stand in a query as they are, and do on the API's own pages.
  local encoded = core.encode_query(query):gsub("%%3A", ":"):gsub("%%2C", ",")
  return (given.url or "https://avito.ru/oauth") .. "?" .. encoded
end

return avito
