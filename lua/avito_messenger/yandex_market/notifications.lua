--- Notifications of Yandex Market, as a function: a request goes in, a status and what is to be stored come out. No socket, no
--- store: the listener of the bot stands around it, and any other server can.
---
---     local hook = notifications.new { path_secret = os.getenv "HOOK_SECRET", ranges = true }
---     local answer = hook:answer { method = "POST", path = "/…", headers = {…}, body = "…", peer = "5.45.207.1" }
---     if answer.rows then store them durably end
---     local status, content_type, body = hook:reply(answer.outcome, os.time(), answer.note)
---
--- A notification holds no text: what was said is fetched by its id. It has no signature either: the secret path tells that it
--- is the marketplace's, and the ranges its addresses are in.
local datetime = require "avito_messenger.datetime"
local digits = require "avito_messenger.digits"
local hook = require "avito_messenger.hook"
local json = require "avito_messenger.json"
local outcomes = require "avito_messenger.outcomes"
local ranges = require "avito_messenger.ranges"

local notifications = {}

local NAME = "avito-messenger"
local SENDERS = { "5.45.207.0/25", "141.8.142.0/25", "5.255.253.0/25" }

---@class avito.notifications.Options: avito.hook.Options
---@field ranges? true|string[] whom notifications are taken from: the marketplace's own addresses, or these; default: anybody
--- who knows the path
---@field address_header? string which header tells the sender's address, behind a proxy that writes it; default: the
--- connection's
---@field duplicates? "ok"|"error" what a notification is told that came before, where that is known at once; default "ok"

local OPTIONS = { ranges = "boolean|table", address_header = "string", duplicates = "string" }

local LONGEST_ADDRESS = 45 -- of IPv6; what a header holds may be longer

local function read_options(given, where, level)
  local function refuse(message) error(("%s: %s"):format(where, message), level + 2) end
  local own = { duplicates = given.duplicates }
  if own.duplicates and own.duplicates ~= "ok" and own.duplicates ~= "error" then
    refuse 'duplicates must be "ok" or "error"'
  end
  if given.ranges then
    local problem
    own.ranges, problem = ranges.new(given.ranges == true and SENDERS or given.ranges)
    if not own.ranges then refuse("ranges: " .. problem) end
    if #own.ranges == 0 then refuse "ranges must not be empty: nobody could send anything" end
  end
  local header = given.address_header
  if header and not header:find "^[%w%-_]+$" then refuse "address_header is no name of a header" end
  if header and not own.ranges then refuse "address_header is for ranges: give ranges = true as well" end
  own.header = header and header:lower()
  return own
end

-- ---- what a body says

local MOST = "9223372036854775807" -- ids are integers of 64 bits

-- An id as text; nil: it is none. JSON's beyond what Lua has numbers for come as text.
local function id_of(value)
  if type(value) == "number" then value = digits.text(value) end
  if type(value) ~= "string" or not value:find "^[1-9]%d*$" then return nil end
  if #value > #MOST or #value == #MOST and value > MOST then return nil end
  return value
end

--- What a message is known by. Nobody says that its id is not also one of another chat.
---@param message { id: string }
---@param chat_id string
---@return string
function notifications.key(message, chat_id)
  return ("%s/%s"):format(chat_id, message.id)
end

-- The message itself, found in its chat, is another row than the news of it: whichever comes first must not shut out the other.
local function told(chat_id, message_id, sent)
  local id = id_of(message_id)
  if not id then return nil, "messageId must be a positive integer" end
  return { type = "told", id = id, chat_id = chat_id, sent = datetime.read(sent) },
    "told/" .. notifications.key({ id = id }, chat_id)
end

local function created(chat_id)
  return { type = "created", chat_id = chat_id }, "created/" .. chat_id
end

-- Of a chat there may be several in time.
local function dispute(chat_id, open, at, name)
  local problem = hook.id_problem(name, at)
  if problem then return nil, problem end
  return { type = "dispute", chat_id = chat_id, open = open, at = datetime.read(at) },
    ("dispute/%s/%s%s"):format(chat_id, at, open and "" or "/finished")
end

-- What is done with those that are looked at: an event, and what it is known by; or nil and what is wrong.
local KINDS = {
  CHAT_MESSAGE_SENT = told,
  CHAT_CREATED = created,
  CHAT_ARBITRAGE_STARTED = function(chat_id, _, _, started) return dispute(chat_id, true, started, "startedAt") end,
  CHAT_ARBITRAGE_FINISHED = function(chat_id, _, _, _, finished) return dispute(chat_id, false, finished, "finishedAt") end,
}

local pick = hook.reader { "notificationType", "businessId", "chatId", "messageId", "sentAt", "startedAt", "finishedAt" }

--- "message", an event, what it is known by, and its business; or another outcome, and why.
local function read(body)
  local ok, kind, business, chat, message, sent, started, finished = pick(body)
  if not ok then return "bad_request", kind end
  if type(kind) ~= "string" or kind == "" then return "bad_request", "notificationType must be a string" end
  if kind == "PING" then return "probe" end
  if not KINDS[kind] then return "ignored", "type " .. hook.word(kind) end
  local business_id, chat_id = id_of(business), id_of(chat)
  if not business_id then return "bad_request", "businessId must be a positive integer" end
  if not chat_id then return "bad_request", "chatId must be a positive integer" end
  local event, key = KINDS[kind](chat_id, message, sent, started, finished)
  if not event then return "bad_request", key end
  return "message", event, key, business_id
end

--- The body of a notification as an event of the engine. Moments are Unix times, nil where the text is none.
---@param body string
---@return table? event { type = "told", id, chat_id, sent }, { type = "created", chat_id } or
--- { type = "dispute", chat_id, open, at }
---@return string? why it is none
function notifications.event(body)
  local outcome, event = read(body)
  if outcome ~= "message" then return nil, event or "it is a trial" end
  return event
end

--- What the account of a business is called.
---@param business_id integer|string
---@return string
function notifications.account(business_id)
  return "yandex_market:" .. digits.text(business_id)
end

-- ---- requests

-- Proxies add to the end of a list: the last is the one whom the nearest of them has seen.
local function admits(request, own)
  if not own.ranges then return true end
  local address = request.peer
  if own.header then
    local list = request.headers and request.headers[own.header]
    address = type(list) == "string" and list:match "([^,%s]+)%s*$" or nil
  end
  if own.ranges:hold(address) then return true end
  if not address then return false, own.header and "no address in the header " .. own.header or "no address" end
  return false, "from " .. tostring(address):sub(1, LONGEST_ADDRESS)
end

local function take(body)
  local outcome, event, key, business_id = read(body)
  if outcome ~= "message" then return outcome, event end
  return "message", { { chat_id = event.chat_id, key = key, kind = "yandex_market", body = body } },
    notifications.account(business_id)
end

local JSON = "application/json; charset=utf-8"

local ERRORS = { bad_request = "WRONG_EVENT_FORMAT", too_large = "WRONG_EVENT_FORMAT", known = "DUPLICATED_EVENT",
  unavailable = "UNKNOWN", failed = "UNKNOWN" }
local STATUS = { known = 400, unavailable = 500 }

-- Of others than the marketplace nobody expects JSON.
local function reply(outcome, began, note, own)
  local status = outcomes.STATUS[outcome]
  if status == 200 and not (outcome == "known" and own.duplicates == "error") then
    return status, JSON, ('{"version":"%s","name":"%s","time":"%s"}'):format(require("avito_messenger")._VERSION, NAME,
      datetime.write(began))
  end
  local kind = ERRORS[outcome]
  if not kind then return outcomes.reply(outcome) end
  local message = outcome == "known" and "it came before" or note or outcomes.WORDS[outcome]
  return STATUS[outcome] or status, JSON, ('{"error":{"type":"%s","message":%s}}'):format(kind, assert(json.encode(message)))
end

--- As notifications.new, for who passes options on: `where` is what errors name, `level` whom they blame.
---@type fun(given: avito.notifications.Options, where: string, level: integer): avito.hook.Hook
notifications.make, notifications.OPTIONS = hook.define { name = "yandex_market.notifications", options = OPTIONS,
  tail = "/notification", -- how its contract calls the path; whether it is added to the address of the cabinet is not told
  times = { request = 5, store = 5, whole = 9 }, -- Yandex Market waits for 10 s; a trial, for 1 s, needs no store
  admits = admits, take = take, reply = reply, read = read_options }

--- Raises what is wrong with the options.
---@param given avito.notifications.Options
---@return avito.hook.Hook
function notifications.new(given)
  return notifications.make(given, "yandex_market.notifications", 1)
end

return notifications
