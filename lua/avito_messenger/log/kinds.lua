--- What is written of each kind of note and event: its level, a few words, and these fields in this order. Nothing else of
--- it is: what is not named here cannot slip in.
---
--- A field is "name", or "name=where.it.is". Those of `texts` hold what was said or heard.
local kinds = {}

local EXPECTED = { message = true, known = true, probe = true, ignored = true } -- outcomes of what the API posts

local function webhook_level(note)
  return EXPECTED[note.outcome] and "debug" or "warn"
end

local function request_level(event)
  return (event.error or (event.status or 0) >= 400) and "warn" or "debug"
end

local NOTES = {
  -- the engine's
  fired = { "info", "a rule answered", "chat_id rule turn" },
  resting = { "debug", "a rule is resting", "chat_id rule turn" },
  turn = { "debug", "a turn is over", "chat_id turn handled" },
  silent = { "info", "the bot says nothing", "chat_id turn why" },
  human = { "info", "a person typed", "chat_id withdrawn until=until_" },
  flow = { "info", "a dialogue went on", "chat_id flow outcome" },
  flood = { "warn", "too many replies", "chat_id rule" },
  escalated = { "warn", "a person is called", "chat_id rule why", "note" },
  dropped = { "debug", "a message was not taken", "chat_id message why" },
  done = { "info", "done", "chat_id effect key rule label id" },
  error = { "error", "something failed",
    "chat_id rule flow effect key what why result problem=error.kind status=error.status endpoint=error.endpoint message" },
  warning = { "warn", "the marketplace has not what is asked for", "chat_id rule message" },
  -- the lanes' and the polling's
  effect = { "debug", "about to be done", "chat_id effect=effect.kind key=effect.key", "text=effect.text note=effect.note" },
  taken = { "debug", "messages were taken", "chat_id count" },
  fenced = { "warn", "another process has the chat", "chat_id" },
  recovered = { "warn", "left unclear by a crash", "chat_id key" },
  poll = { "debug", "the chats were looked at", "chats" },
  stall = { "warn", "nobody looked at the chats", "seconds" },
  -- the bot's
  webhook = { webhook_level, "webhooks came", "outcome count note" },
  store = { "error", "the store failed", "code what message" },
  subscribed = { "info", "the webhook is subscribed", "again" },
  parked = { "error", "the account is parked", "code message" },
  unparked = { "info", "the account works again", "" },
  reloaded = { "info", "the rulebook was read again", "" },
  started = { "info", "started", "" },
  stopping = { "info", "stopping", "seconds" },
  stopped = { "info", "stopped", "left" },
}

local EVENTS = {
  request = { request_level, "request", "endpoint purpose method attempt status bytes error dispatched seconds message" },
  refresh = { request_level, "a token was asked for", "endpoint attempt status error dispatched seconds message" },
  retry = { "info", "a request is repeated", "endpoint purpose attempt status error seconds" },
  pace = { "debug", "a request waits for its turn", "endpoint seconds" },
  token_store = { "error", "the tokens could not be stored", "message" },
}

---@class avito_messenger.log.Field
---@field name string
---@field path string[]

---@param text string?
---@return avito_messenger.log.Field[]
local function fields(text)
  local list = {}
  for word in (text or ""):gmatch "%S+" do
    local name, where = word:match "^(.-)=(.*)$"
    local path = {}
    for step in (where or word):gmatch "[^.]+" do path[#path + 1] = step end
    list[#list + 1] = { name = name or word, path = path }
  end
  return list
end

---@class avito_messenger.log.Kind
---@field level string|fun(note: table): string
---@field msg string
---@field fields avito_messenger.log.Field[]
---@field texts avito_messenger.log.Field[]

local function read(rows)
  local read_rows = {}
  for kind, row in pairs(rows) do
    read_rows[kind] = { level = row[1], msg = row[2], fields = fields(row[3]), texts = fields(row[4]) }
  end
  return read_rows
end

kinds.notes = read(NOTES) ---@type table<string, avito_messenger.log.Kind>
kinds.events = read(EVENTS) ---@type table<string, avito_messenger.log.Kind>
--- Of a kind that is not known here.
kinds.unknown = { level = "info", msg = "unknown kind", fields = {}, texts = {} } ---@type avito_messenger.log.Kind

return kinds
