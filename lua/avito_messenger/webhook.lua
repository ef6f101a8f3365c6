--- Webhooks of Avito, as a function: a request goes in, a status and what is to be stored come out. No socket, no store: the
--- listener of the bot stands around it, and any other server can.
---
---     local hook = webhook.new { path_secret = os.getenv "HOOK_SECRET" }
---     local answer = hook:answer { method = "POST", path = "/…", headers = {…}, body = "…" }
---     if answer.rows then store them durably, then answer.status else answer.status at once end
local core = require "avito_messenger.core"
local digits = require "avito_messenger.digits"
local hook = require "avito_messenger.hook"
local json = require "avito_messenger.json"
local options = require "avito_messenger.options"
local outcomes = require "avito_messenger.outcomes"

local webhook = {}

local VERSION = "v3.0.0" -- what is sent in fact
local HEADER = "x-avito-messenger-signature"

---@class avito.webhook.Signature
---@field key string
---@field algorithm? "hmac-sha256"|fun(body: string, key: string): string gives the hexadecimal digits that the header must
--- hold, in any case; default "hmac-sha256"
---@field header? string default "x-avito-messenger-signature"
---@field report_only? boolean a wrong signature is noted, and the message taken all the same

---@class avito.webhook.Options: avito.hook.Options
---@field signature? avito.webhook.Signature

local SIGNATURE = { key = "string", algorithm = "string|function", header = "string", report_only = "boolean" }

local function read_signature(given, where, level)
  options.check(where .. ": signature", given, SIGNATURE, level + 1)
  local function refuse(message) error(("%s: signature.%s"):format(where, message), level + 2) end
  if not given.key or given.key == "" then refuse "key is missing" end
  if type(given.algorithm) == "string" and given.algorithm ~= "hmac-sha256" then
    refuse('algorithm must be "hmac-sha256" or a function')
  end
  local header = given.header or HEADER
  if not header:find "^[%w%-_]+$" then refuse "header is no name of a header" end
  return { key = given.key, algorithm = type(given.algorithm) == "function" and given.algorithm or nil,
    header = header:lower(), report_only = given.report_only }
end

-- ---- what a body says

-- An integer; one that Lua has no number for is a string of digits.
local function is_integer(value)
  if type(value) == "string" then return #value <= 20 and value:find "^%-?%d+$" ~= nil end
  return type(value) == "number" and value % 1 == 0 and value >= -2 ^ 63 and value < 2 ^ 63
end

local function value_problem(id, chat_id, author_id, user_id, created, kind, content)
  local problem = hook.id_problem("id", id) or hook.id_problem("chat_id", chat_id)
  if problem then return problem end
  if not is_integer(author_id) then return "author_id must be an integer" end
  if user_id ~= nil and not is_integer(user_id) then return "user_id must be an integer" end
  if type(created) ~= "number" or created < 0 or created > 2 ^ 53 then return "created must be a Unix time" end
  if type(kind) ~= "string" or kind == "" then return "type must be a string" end
  if content ~= nil and type(content) ~= "table" then return "content must be an object" end
end

local pick = hook.reader { "version", "payload", "payload.type", "payload.value", "payload.value.id", "payload.value.chat_id",
  "payload.value.author_id", "payload.value.user_id", "payload.value.created", "payload.value.type", "payload.value.content" }

local function is_known(version)
  return version == nil or version == VERSION or type(version) == "string" and (version .. "."):find "^v?3%." ~= nil
end

--- "message", and its id, chat, account (or nil) and type; or "bad_request" or "ignored", and why.
local function read(body)
  local ok, version, payload, what, value, id, chat_id, author_id, user_id, created, kind, content = pick(body)
  if not ok then return "bad_request", version end
  if not is_known(version) then return "ignored", "version " .. hook.word(tostring(version)) end
  if type(payload) ~= "table" then return "bad_request", "payload must be an object" end
  if type(what) ~= "string" then return "bad_request", "payload.type must be a string" end
  if what ~= "message" then return "ignored", "type " .. hook.word(what) end
  if type(value) ~= "table" then return "bad_request", "payload.value must be an object" end
  local problem = value_problem(id, chat_id, author_id, user_id, created, kind, content)
  if problem then return "bad_request", "payload.value." .. problem end
  return "message", id, chat_id, user_id, kind
end

--- The body of a message as an event of the engine.
---@param body string
---@return table? event { type = "message", message = { id, author_id, created, type, content }, chat_type, item_id }
---@return string? why it is none
function webhook.event(body)
  local outcome, why = read(body)
  if outcome ~= "message" then return nil, why end
  local value = json.decode(body).payload.value
  return { type = "message", chat_type = type(value.chat_type) == "string" and value.chat_type or nil,
    item_id = is_integer(value.item_id) and value.item_id or nil,
    message = { id = value.id, author_id = value.author_id, created = value.created, type = value.type,
      content = value.content } }
end

-- ---- requests

local function expected_signature(signature, body)
  if not signature.algorithm then return core.hmac_sha256(signature.key, body) end
  local ok, hex = pcall(signature.algorithm, body, signature.key)
  if not ok or type(hex) ~= "string" or hex == "" then return nil end
  return hex:lower()
end

--- Why the signature is not the body's; nil when it is.
local function signature_problem(signature, headers, body)
  local given = headers and headers[signature.header]
  if not given then return "the signature is missing" end
  local expected = expected_signature(signature, body)
  if not expected then return "the algorithm gave no signature" end
  if not core.equal(given:lower(), expected) then return "the signature is wrong" end
end

--- What a message is known by. That it was taken back is another piece of news than the message itself.
---@param message { id: string, type: string }
---@return string
function webhook.key(message)
  return message.type == "deleted" and message.id .. "/deleted" or message.id
end

-- A registration is tried with {}.
local function is_probe(body)
  if body:find('"', 1, true) then return false end
  return body:find "^%s*$" ~= nil or body:find "^%s*{%s*}%s*$" ~= nil
end

local function take(body, request, signature)
  if is_probe(body) then return "probe" end -- need not be signed: nothing comes of it
  local note = signature and signature_problem(signature, request.headers, body)
  if note and not signature.report_only then return "signature", note end
  local outcome, id, chat_id, user_id, kind = read(body)
  if outcome ~= "message" then return outcome, id or note end
  local rows = { { chat_id = chat_id, key = webhook.key { id = id, type = kind }, kind = "avito", body = body } }
  return "message", rows, user_id and digits.text(user_id), note
end

--- As webhook.new, for who passes options on: `where` is what errors name, `level` whom they blame.
---@type fun(given: avito.webhook.Options, where: string, level: integer): avito.hook.Hook
webhook.make, webhook.OPTIONS = hook.define { name = "avito.webhook", options = { signature = "table" },
  times = { request = 1.5, store = 1.2, whole = 1.9 }, -- Avito waits for 2 s
  take = take, reply = function(outcome) return outcomes.reply(outcome) end,
  read = function(given, where, level) return given.signature and read_signature(given.signature, where, level + 1) end }

--- Raises what is wrong with the options.
---@param given avito.webhook.Options
---@return avito.hook.Hook
function webhook.new(given)
  return webhook.make(given, "avito.webhook", 1)
end

return webhook
