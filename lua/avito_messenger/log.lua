--- Structured lines of what a bot and its client do. No secret is in them, and no message unless asked for.
---
---     local bot = avito.bot { client = client, rulebook = "shop_rules.lua", log = "logfmt" }
---
--- A logger is a listener: of the bot's notes, and of the client's events. What is written of each is in log/kinds.lua.
local errors = require "avito_messenger.errors"
local formats = require "avito_messenger.log.formats"
local kinds = require "avito_messenger.log.kinds"
local options = require "avito_messenger.options"
local readable = require "avito_messenger.readable"
local secrets = require "avito_messenger.secrets"
local words = require "avito_messenger.words"

---@class avito_messenger.Log
local Log = {}
Log.__index = Log
Log.__name = "avito_messenger.Log"

local log = {}

local LEVELS = { debug = 1, info = 2, warn = 3, error = 4 }
local LEVEL_NAMES = { "debug", "info", "warn", "error" }
local LONGEST = 2000 -- bytes of a value
local SAYING = 1000  -- chats whose texts are kept, to be known again in an error

local OPTIONS = { format = "string", level = "string", write = "function", texts = "boolean", clock = "function",
  secrets = "table" }

---@class avito_messenger.LogOptions
---@field format? "logfmt"|"json" default "logfmt"
---@field level? "debug"|"info"|"warn"|"error" the least that is written; default "info"
---@field write? fun(line: string) gets each line, with its end; default: stderr
---@field texts? boolean are messages written, too? default false
---@field clock? fun(): number Unix seconds
---@field secrets? string[] values that are written as ***

local function check_word(where, value, known, what, level)
  local mistake = words.mistake(value, known, what)
  if mistake then error(("%s: %s"):format(where, mistake), level + 1) end
end

local function check(where, given, level)
  options.check(where, given, OPTIONS, level + 1)
  if given.format then check_word(where, given.format, words.names(formats), "format", level + 1) end
  if given.level then check_word(where, given.level, LEVEL_NAMES, "level", level + 1) end
  for i, value in ipairs(given.secrets or {}) do
    if type(value) ~= "string" then
      error(("%s: secrets[%d] must be a string, got %s"):format(where, i, type(value)), level + 1)
    end
  end
end

-- In one call, so that lines of several processes do not mix.
local function to_stderr(line)
  io.stderr:write(line)
end

local function build(given)
  return setmetatable({ format = formats[given.format or "logfmt"], least = LEVELS[given.level or "info"],
    write = given.write or to_stderr, texts = given.texts or false,
    clock = given.clock or require("avito_messenger.clock").time, secrets = secrets.new(given.secrets),
    saying = {}, chats = 0 }, Log)
end

---@param given? avito_messenger.LogOptions
---@return avito_messenger.Log
function log.new(given)
  given = given or {}
  check("log.new", given, 2)
  return build(given)
end

--- What a program gives as a log: a format, options, a logger, or nothing.
---@param value nil|false|"logfmt"|"json"|avito_messenger.LogOptions|avito_messenger.Log
---@param where? string what an error names; default "log"
---@param level? integer as for error()
---@return avito_messenger.Log?
function log.read(value, where, level)
  where, level = where or "log", (level or 1) + 1
  if not value or getmetatable(value) == Log then return value or nil end
  if type(value) == "string" then value = { format = value } end
  if type(value) ~= "table" then
    error(("%s must be \"logfmt\", \"json\", options or a logger, got %s"):format(where, type(value)), level)
  end
  check(where, value, level)
  return build(value)
end

--- One more value that is written as ***.
---@param secret string
function Log:hide(secret)
  self.secrets:add(secret)
end

--- What follows the host of a URL is written as *** from now on, as a whole and in its parts.
---@param url string
function Log:hide_url(url)
  self.secrets:add_url(url)
end

--- RFC 3339, in UTC.
local function timestamp(seconds)
  local milliseconds = math.floor(seconds * 1000 + 0.5)
  local whole = math.floor(milliseconds / 1000)
  return ("%s.%03dZ"):format(os.date("!%Y-%m-%dT%H:%M:%S", whole), milliseconds - whole * 1000)
end

-- An error quotes what it is about; the texts of its chat are not shown by that either.
local function without_texts(self, chat_id, text)
  for _, said in ipairs(self.saying[chat_id] or {}) do
    local at = text:find(said, 1, true)
    while at do
      text = text:sub(1, at - 1) .. "(text)" .. text:sub(at + #said)
      at = text:find(said, at + #"(text)", true)
    end
  end
  return text
end

local function value_of(self, value, chat_id)
  local kind = type(value)
  if kind == "number" or kind == "boolean" then return value end
  if kind ~= "string" then return ("(a %s)"):format(kind) end
  value = self.secrets:hide(value)
  if chat_id and not self.texts then value = without_texts(self, chat_id, value) end
  return readable.cut(readable.utf8(value), LONGEST)
end

local function head(self, level, msg)
  return { { "time", timestamp(self.clock()) }, { "level", level }, { "msg", value_of(self, msg) } }
end

local function at(note, path)
  local value = note
  for _, name in ipairs(path) do
    if type(value) ~= "table" then return nil end
    value = rawget(value, name)
  end
  return value
end

-- What is below a millionth of a second is noise, and long to read.
local function whole_microseconds(seconds)
  return math.floor(seconds * 1e6 + 0.5) / 1e6
end

local function add(self, line, note, fields)
  for _, field in ipairs(fields) do
    local value = at(note, field.path)
    if field.name == "seconds" and type(value) == "number" then value = whole_microseconds(value) end
    if value ~= nil then
      line[#line + 1] = { field.name, value_of(self, value, field.name == "message" and note.chat_id) }
    end
  end
end

-- `name`: what the note calls its kind; `account`: of which of several bots it is.
local function put(self, note, kind, name, account)
  local level = kind.level
  if type(level) == "function" then level = level(note) end
  if LEVELS[level] < self.least then return end
  local line = head(self, level, kind.msg)
  line[#line + 1] = { "kind", value_of(self, name) }
  if account then line[#line + 1] = { "account", value_of(self, account) } end
  add(self, line, note, kind.fields)
  if self.texts then add(self, line, note, kind.texts) end
  self.write(self.format(line) .. "\n")
end

local function forget(self, chat_id)
  if self.saying[chat_id] then
    self.saying[chat_id], self.chats = nil, self.chats - 1
  end
end

--- Keeps what is being said in a chat, until it is said.
local function listen(self, note)
  if note.kind == "done" then return forget(self, note.chat_id) end
  local effect = note.kind == "effect" and note.effect
  if type(effect) ~= "table" or note.chat_id == nil then return end
  local texts = {}
  for _, name in ipairs { "text", "note" } do
    local text = effect[name]
    if type(text) == "string" and text ~= "" then texts[#texts + 1] = text end
  end
  if #texts == 0 then return end
  if self.chats >= SAYING then self.saying, self.chats = {}, 0 end
  forget(self, note.chat_id)
  self.saying[note.chat_id], self.chats = texts, self.chats + 1
end

--- A note of a bot.
---@param note table
---@param account? string of which of several bots it is
function Log:note(note, account)
  if not self.texts and note.chat_id ~= nil then listen(self, note) end
  put(self, note, kinds.notes[note.kind] or kinds.unknown, tostring(note.kind), account)
end

--- An event of a client.
---@param event avito_messenger.Event
---@param account? string of which of several bots it is
function Log:event(event, account)
  put(self, event, kinds.events[event.type] or kinds.unknown, tostring(event.type), account)
end

local RESERVED = { time = true, level = true, msg = true, kind = true }

--- A line of the program's own. Texts in it are the program's business; secrets are hidden all the same.
---@param level "debug"|"info"|"warn"|"error"
---@param msg string
---@param fields? table<string, any> written in the order of their names; a name has letters, digits and _
function Log:line(level, msg, fields)
  check_word("log:line", level, LEVEL_NAMES, "level", 2)
  if type(msg) ~= "string" then error(("log:line: msg must be a string, got %s"):format(type(msg)), 2) end
  if fields ~= nil and type(fields) ~= "table" then
    error(("log:line: fields must be a table, got %s"):format(type(fields)), 2)
  end
  for name in pairs(fields or {}) do
    if type(name) ~= "string" or RESERVED[name] or not name:find "^[%a_][%w_]*$" then
      error(("log:line: no field can be named '%s'"):format(tostring(name)), 2)
    end
  end
  if LEVELS[level] < self.least then return end
  local line = head(self, level, msg)
  for _, name in ipairs(words.names(fields or {})) do
    local value = fields[name]
    if errors.is(value) then value = tostring(value) end
    line[#line + 1] = { name, value_of(self, value) }
  end
  self.write(self.format(line) .. "\n")
end

function Log:__tostring()
  return ("avito_messenger.Log (%s and up)"):format(LEVEL_NAMES[self.least])
end

return log
