--- Webhooks of Avito, as a function: a request goes in, a status and what is to be stored come out. No socket, no store: the
--- listener of the bot stands around it, and any other server can.
---
---     local hook = webhook.new { path_secret = os.getenv "HOOK_SECRET" }
---     local answer = hook:answer { method = "POST", path = "/…", headers = {…}, body = "…" }
---     if answer.rows then store them durably, then answer.status else answer.status at once end
local core = require "avito_messenger.core"
local digits = require "avito_messenger.bot.digits"
local json = require "avito_messenger.json"
local options = require "avito_messenger.options"
local outcomes = require "avito_messenger.bot.outcomes"

local webhook = {}

local MAX_BODY = 65536
local MAX_ID = 256  -- bytes
local MAX_NOTE = 64 -- bytes of a word of somebody else's
local MIN_SECRET = 16
local VERSION = "v3.0.0" -- what is sent in fact
local HEADER = "x-avito-messenger-signature"

---@class avito.webhook.Signature
---@field key string
---@field algorithm? "hmac-sha256"|fun(body: string, key: string): string gives the hexadecimal digits that the header must
--- hold, in any case; default "hmac-sha256"
---@field header? string default "x-avito-messenger-signature"
---@field report_only? boolean a wrong signature is noted, and the message taken all the same

---@class avito.webhook.Options
---@field path_secret string the last part of the path, 16 characters or more of A-Z a-z 0-9 - . _ ~
---@field path? string what stands before it; default "/"
---@field signature? avito.webhook.Signature
---@field max_body? integer bytes, default 65536

---@class avito.webhook.Request
---@field method string
---@field path string as it was sent, with or without a query
---@field headers? table<string, string> by their names in lower case
---@field body? string

---@class avito.webhook.Row
---@field chat_id string
---@field key string
---@field kind "avito"
---@field body string the request's, as it came

---@alias avito.webhook.Outcome "message"|"probe"|"ignored"|"not_found"|"method"|"too_large"|"bad_request"|"signature"

---@class avito.webhook.Answer
---@field status integer
---@field outcome avito.webhook.Outcome "probe": a registration is tried; "ignored": an event nobody here knows
---@field rows? avito.webhook.Row[] of a message: to be stored before it is answered
---@field account? string which account the rows are for; nil: the request does not tell
---@field note? string what was wrong, or ignored, without texts and secrets

---@class avito.webhook.Hook
---@field max_body integer
local Hook = {}
Hook.__index = Hook
Hook.__name = "avito.webhook"

-- Out of the hooks themselves, which a program may print.
local secrets = setmetatable({}, { __mode = "k" })

local OPTIONS = { path_secret = "string", path = "string", signature = "table", max_body = "number" }
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

--- As webhook.new, for who passes options on: `where` is what errors name, `level` whom they blame.
---@param given avito.webhook.Options
---@param where string
---@param level integer
---@return avito.webhook.Hook
function webhook.make(given, where, level)
  options.check(where, given, OPTIONS, level + 1)
  local function refuse(message) error(("%s: %s"):format(where, message), level + 2) end
  local secret, path, max_body = given.path_secret, given.path or "/", given.max_body or MAX_BODY
  local wanted = ("%d characters or more of A-Z a-z 0-9 - . _ ~"):format(MIN_SECRET)
  if not secret then refuse("path_secret is missing: " .. wanted) end
  if #secret < MIN_SECRET or secret:find "[^%w%-._~]" then refuse("path_secret must be " .. wanted) end
  if not path:find "^/[%w%-._~/]*$" then refuse "path must begin with / and hold nothing but A-Z a-z 0-9 - . _ ~ /" end
  if not (max_body >= 1024 and max_body <= 2 ^ 24 and max_body % 1 == 0) then
    refuse "max_body must be an integer from 1024 to 16777216"
  end
  local self = setmetatable({ max_body = max_body }, Hook)
  secrets[self] = { path = path:gsub("/?$", "/", 1) .. secret,
    signature = given.signature and read_signature(given.signature, where, level + 1) }
  return self
end

--- Raises what is wrong with the options.
---@param given avito.webhook.Options
---@return avito.webhook.Hook
function webhook.new(given)
  return webhook.make(given, "avito.webhook", 1)
end

-- ---- what a body says

-- Somebody else's word, for a note.
local function word(text)
  return (text:sub(1, MAX_NOTE):gsub("[^%w%-._ ]", "?"))
end

-- An integer; one that Lua has no number for is a string of digits.
local function is_integer(value)
  if type(value) == "string" then return #value <= 20 and value:find "^%-?%d+$" ~= nil end
  return type(value) == "number" and value % 1 == 0 and value >= -2 ^ 63 and value < 2 ^ 63
end

-- What can be stored, logged and asked for by its id.
local function id_problem(name, value)
  if type(value) ~= "string" then return name .. " must be a string" end
  if value == "" or value == "." or value == ".." then return name .. " is no id" end
  if #value > MAX_ID then return ("%s is longer than %d bytes"):format(name, MAX_ID) end
  if core.has_control(value) then return name .. " holds control characters" end
end

local function value_problem(id, chat_id, author_id, user_id, created, kind, content)
  local problem = id_problem("id", id) or id_problem("chat_id", chat_id)
  if problem then return problem end
  if not is_integer(author_id) then return "author_id must be an integer" end
  if user_id ~= nil and not is_integer(user_id) then return "user_id must be an integer" end
  if type(created) ~= "number" or created < 0 or created > 2 ^ 53 then return "created must be a Unix time" end
  if type(kind) ~= "string" or kind == "" then return "type must be a string" end
  if content ~= nil and type(content) ~= "table" then return "content must be an object" end
end

-- The rest of a body is nobody's before its message is answered: making no tables of it halves what a webhook costs.
local pick = core.picker { "version", "payload", "payload.type", "payload.value", "payload.value.id", "payload.value.chat_id",
  "payload.value.author_id", "payload.value.user_id", "payload.value.created", "payload.value.type", "payload.value.content" }

local function is_known(version)
  return version == nil or version == VERSION or type(version) == "string" and (version .. "."):find "^v?3%." ~= nil
end

--- "message", and its id, chat, account (or nil) and type; or "bad_request" or "ignored", and why.
local function read(body)
  local ok, version, payload, what, value, id, chat_id, author_id, user_id, created, kind, content = pick(body)
  if not ok then return "bad_request", "no JSON: " .. version end
  if payload == nil and not body:find "^%s*{" then return "bad_request", "no JSON object" end
  if not is_known(version) then return "ignored", "version " .. word(tostring(version)) end
  if type(payload) ~= "table" then return "bad_request", "payload must be an object" end
  if type(what) ~= "string" then return "bad_request", "payload.type must be a string" end
  if what ~= "message" then return "ignored", "type " .. word(what) end
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
local function signature_problem(signature, request)
  local given = request.headers and request.headers[signature.header]
  if not given then return "the signature is missing" end
  local expected = expected_signature(signature, request.body)
  if not expected then return "the algorithm gave no signature" end
  if not core.equal(given:lower(), expected) then return "the signature is wrong" end
end

local function answer(outcome, note)
  return { status = outcomes.STATUS[outcome], outcome = outcome, note = note }
end

--- What a message is known by. That it was taken back is another piece of news than the message itself.
---@param message { id: string, type: string }
---@return string
function webhook.key(message)
  return message.type == "deleted" and message.id .. "/deleted" or message.id
end

local function take(body, note)
  local outcome, id, chat_id, user_id, kind = read(body)
  if outcome ~= "message" then return answer(outcome, id or note) end
  return { status = outcomes.STATUS.message, outcome = "message", note = note, account = user_id and digits.text(user_id),
    rows = { { chat_id = chat_id, key = webhook.key { id = id, type = kind }, kind = "avito", body = body } } }
end

-- A registration is tried with {}.
local function is_probe(body)
  if body:find('"', 1, true) then return false end
  return body:find "^%s*$" ~= nil or body:find "^%s*{%s*}%s*$" ~= nil
end

-- The path, without its query.
local function path_of(target)
  local mark = target:find("?", 1, true)
  return mark and target:sub(1, mark - 1) or target
end

--- What is to be answered to a request, and stored before.
---@param request avito.webhook.Request
---@return avito.webhook.Answer
function Hook:answer(request)
  local secret, body = secrets[self], request.body or ""
  if not core.equal(path_of(request.path), secret.path) then return answer "not_found" end
  if request.method ~= "POST" then return answer "method" end
  if #body > self.max_body then return answer "too_large" end
  if is_probe(body) then return answer "probe" end -- need not be signed: nothing comes of it
  local problem = secret.signature and signature_problem(secret.signature, { headers = request.headers, body = body })
  if problem and not secret.signature.report_only then return answer("signature", problem) end
  return take(body, problem)
end

function Hook:__tostring()
  return ("avito.webhook (bodies up to %d bytes)"):format(self.max_body)
end

return webhook
