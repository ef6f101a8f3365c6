--- What marketplaces post to a program, as a function: a request goes in, a status and what is to be stored come out. What is
--- alike in all of them; webhook.lua and yandex_market/notifications.lua say how theirs differ.
local core = require "avito_messenger.core"
local options = require "avito_messenger.options"
local outcomes = require "avito_messenger.outcomes"

local hook = {}

local MAX_BODY = 65536
local MIN_SECRET = 16
local MAX_NOTE = 64 -- bytes of a word of somebody else's
local MAX_ID = 256  -- bytes

---@class avito.hook.Options
---@field path_secret string the last part of the path, 16 characters or more of A-Z a-z 0-9 - . _ ~
---@field path? string what stands before it; default "/"
---@field max_body? integer bytes, default 65536

---@class avito.hook.Request
---@field method string
---@field path string as it was sent, with or without a query
---@field headers? table<string, string> by their names in lower case
---@field body? string
---@field length? integer bytes of the body, where it was not read for being too long
---@field peer? string the address it came from

---@class avito.hook.Row
---@field chat_id string
---@field key string
---@field kind string
---@field body string the request's, as it came

---@alias avito.hook.Outcome "message"|"probe"|"ignored"|"not_found"|"method"|"sender"|"too_large"|"bad_request"|"signature"

---@class avito.hook.Answer
---@field status integer
---@field outcome avito.hook.Outcome "probe": the address is tried; "ignored": an event nobody here knows
---@field rows? avito.hook.Row[] of a message: to be stored before it is answered
---@field account? string which account the rows are for; nil: the request does not tell
---@field note? string what was wrong, or ignored, without texts and secrets

---@class avito.hook.Times seconds
---@field request number in which a request has to come in whole, where nothing else is said
---@field store number that the store may take
---@field whole number for a request, from its first byte on

---@class avito.hook.Kind in what the hooks of a marketplace differ
---@field name string
---@field options table<string, string> beside those that all have
---@field tail? string what the marketplace may add to the path that it was given
---@field times avito.hook.Times
---@field read fun(given: table, where: string, level: integer): any what it keeps of its options, out of sight
---@field take fun(body: string, request: avito.hook.Request, own: any): avito.hook.Outcome, string|table|nil, string?, string?
--- what comes of a body: an outcome and a note; or "message", its rows, their account (or nil), and a note
---@field admits? fun(request: avito.hook.Request, own: any): boolean, string? whether the sender may; why not, for the log
---@field reply fun(outcome: string, began: number, note: string?, own: any): integer, string, string, table?

---@class avito.hook.Hook
---@field max_body integer
local Hook = {}
Hook.__index = Hook
Hook.__name = "avito.hook"

-- Out of the hooks themselves, which a program may print.
local private = setmetatable({}, { __mode = "k" })

local OPTIONS = { path_secret = "string", path = "string", max_body = "number" }

-- Where it stands; or nil and what is wrong.
local function read_path(secret, path)
  local wanted = ("%d characters or more of A-Z a-z 0-9 - . _ ~"):format(MIN_SECRET)
  if not secret then return nil, "path_secret is missing: " .. wanted end
  if #secret < MIN_SECRET or secret:find "[^%w%-._~]" then return nil, "path_secret must be " .. wanted end
  if not path:find "^/[%w%-._~/]*$" then return nil, "path must begin with / and hold nothing but A-Z a-z 0-9 - . _ ~ /" end
  return path:gsub("/?$", "/", 1) .. secret
end

--- What makes hooks of a kind, for who passes options on: `where` is what errors name, `level` whom they blame. And the options.
---@param kind avito.hook.Kind
---@return fun(given: table, where: string, level: integer): avito.hook.Hook make
---@return table<string, string> options
function hook.define(kind)
  local known = {}
  for _, some in ipairs { OPTIONS, kind.options } do
    for name, types in pairs(some) do known[name] = types end
  end
  local function make(given, where, level)
    options.check(where, given, known, level + 1)
    local function refuse(message) error(("%s: %s"):format(where, message), level + 2) end
    local path, problem = read_path(given.path_secret, given.path or "/")
    if not path then refuse(problem) end
    local max_body = given.max_body or MAX_BODY
    if not (max_body >= 1024 and max_body <= 2 ^ 24 and max_body % 1 == 0) then
      refuse "max_body must be an integer from 1024 to 16777216"
    end
    local self = setmetatable({ max_body = max_body }, Hook)
    private[self] = { path = path, kind = kind, own = kind.read(given, where, level + 1) }
    return self
  end
  return make, known
end

--- Do both stand at the same path?
---@param a avito.hook.Hook
---@param b avito.hook.Hook
---@return boolean
function hook.collide(a, b)
  return private[a].path == private[b].path
end

-- ---- what a body says

--- Somebody else's word, for a note.
---@param text string
---@return string
function hook.word(text)
  return (text:sub(1, MAX_NOTE):gsub("[^%w%-._ ]", "?"))
end

--- Why a value cannot be stored, logged and asked for by; nil when it can.
---@param name string
---@param value any
---@return string?
function hook.id_problem(name, value)
  if type(value) ~= "string" then return name .. " must be a string" end
  if value == "" or value == "." or value == ".." then return name .. " is no id" end
  if #value > MAX_ID then return ("%s is longer than %d bytes"):format(name, MAX_ID) end
  if core.has_control(value) then return name .. " holds control characters" end
end

--- Reads members of a body, which is an object. What else it holds is nobody's before it is answered: making no tables of it
--- halves what a webhook costs.
---@param paths string[] "payload.value"
---@return fun(body: string): true|nil, any, ... nil and why, or true and the members
function hook.reader(paths)
  local pick = core.picker(paths)
  local function check(body, ok, first, ...)
    if not ok then return nil, "no JSON: " .. first end
    if not body:find "^%s*{" then return nil, "no JSON object" end
    return true, first, ...
  end
  return function(body) return check(body, pick(body)) end
end

-- ---- requests

-- The path, without its query.
local function path_of(target)
  local mark = target:find("?", 1, true)
  return mark and target:sub(1, mark - 1) or target
end

local function stands_at(mine, path)
  return core.equal(path, mine.path) or mine.kind.tail ~= nil and core.equal(path, mine.path .. mine.kind.tail)
end

local function outcome_of(self, request)
  local mine, body = private[self], request.body or ""
  local kind, own = mine.kind, mine.own
  if not stands_at(mine, path_of(request.path)) then return "not_found" end
  if kind.admits then
    local admitted, note = kind.admits(request, own)
    if not admitted then return "sender", note end
  end
  if request.method ~= "POST" then return "method" end
  if (request.length or #body) > self.max_body then return "too_large" end
  return kind.take(body, request, own)
end

--- What is to be answered to a request, and stored before.
---@param request avito.hook.Request
---@return avito.hook.Answer
function Hook:answer(request)
  local outcome, rows, account, note = outcome_of(self, request)
  if outcome ~= "message" then rows, note = nil, rows end
  return { status = (self:reply(outcome)), outcome = outcome, rows = rows, account = account, note = note }
end

--- How an outcome is told, also one that the hook does not know of: "known", "foreign", "unavailable", "failed".
---@param outcome string
---@param began? number Unix time at which the request began to be handled
---@param note? string of the answer
---@return integer status
---@return string content_type
---@return string body
---@return table<string, string|integer>? headers
function Hook:reply(outcome, began, note)
  local mine = private[self]
  return mine.kind.reply(outcome, began or 0, note, mine.own)
end

--- Seconds that the store has for a request of that age.
---@param age number seconds
---@return number
function Hook:patience(age)
  local times = private[self].kind.times
  return math.max(outcomes.LEAST, math.min(times.store, times.whole - age))
end

--- Seconds in which a request has to come in whole, where nothing else is said.
---@return number
function Hook:deadline()
  return private[self].kind.times.request
end

function Hook:__tostring()
  return ("%s (bodies up to %d bytes)"):format(private[self].kind.name, self.max_body)
end

return hook
