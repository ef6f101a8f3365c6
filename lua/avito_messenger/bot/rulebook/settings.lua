--- The fields of a book beside its rules.
local concepts = require "avito_messenger.bot.concepts"
local fields = require "avito_messenger.bot.rulebook.fields"
local hours = require "avito_messenger.bot.hours"
local Patterns = require "avito_messenger.bot.rulebook.patterns"
local span = require "avito_messenger.bot.span"
local texts = require "avito_messenger.bot.rulebook.texts"
local words = require "avito_messenger.words"

local settings = {}

local FIELDS = {
  zone = "string", hours = "string|table", holidays = "table", burst = "string|number", human = "table", flood = "table|boolean",
  unclear = "string", settle = "string|number", mark_read = "boolean", concepts = "table", vars = "table", calls = "table",
}

local BURST, HUMAN_PAUSE, SETTLE = 3, 12 * 3600, 30
local FLOOD = { replies = 10, within = 600, pause = 3600 }

local function seconds(field, value, at, default)
  if value == nil then return default end
  local length, message = span.seconds(value)
  if not length then at(field, message) end
  return length or default
end

local function read_hours(book, given, at)
  if given.zone then
    local message
    book.zone, message = hours.zone(given.zone)
    if not book.zone then at("zone", message) end
  end
  if given.holidays and not given.hours then at("holidays", "need the hours of the book as well") end
  if not given.hours then return end
  if not given.zone then
    at("hours", "need the zone of the book: zone = 'Europe/Moscow'")
  elseif book.zone then
    local message
    book.hours, message = hours.read(book.zone, given.hours, given.holidays)
    if message then fields.pass_on(message, "hours", at) end
  end
end

local function read_human(given, at)
  fields.no_list(given or {}, at, "human")
  local good = fields.read(given or {}, { pause = "string|number" }, at, "human.")
  return { pause = seconds("human.pause", good.pause, at, HUMAN_PAUSE) }
end

local function read_flood(given, at)
  if given == false then return false end
  if given == true then given = nil end
  fields.no_list(given or {}, at, "flood")
  local good = fields.read(given or {}, { replies = "number", within = "string|number", pause = "string|number" }, at, "flood.")
  local replies = good.replies or FLOOD.replies
  if replies < 1 or replies % 1 ~= 0 then at("flood.replies", "must be a whole number of at least 1") end
  return { replies = replies, within = seconds("flood.within", good.within, at, FLOOD.within),
    pause = seconds("flood.pause", good.pause, at, FLOOD.pause) }
end

local UNCLEAR = { "resend", "hold" }

local function read_unclear(given, at)
  if given ~= nil and given ~= "resend" and given ~= "hold" then at("unclear", words.unknown(given, UNCLEAR, "value")) end
  return given or "resend"
end

--- A table of the seller's own names, each with a value of the right type.
local function named(given, field, types, at)
  local good = {}
  fields.no_list(given or {}, at, field)
  for _, name in ipairs(fields.names(given or {})) do
    local message = fields.mistyped(given[name], types)
    if type(name) ~= "string" then message = "a name must be a string, got " .. type(name) end
    if message then at(("%s['%s']"):format(field, tostring(name)), message) else good[name] = given[name] end
  end
  return good
end

local function wrong_var(name, value)
  if texts.NAMES[name] then return "is a name that texts have already; choose another" end
  if name:find "[{}|]" or name:find "^%s" or name:find "%s$" or name == "" then
    return "a name has no braces, no | and no space at its ends"
  end
  if type(value) == "string" and value:find("{", 1, true) then return "has a brace: names in it would not be filled in" end
end

local function read_names(book, given, at)
  book.vars = named(given.vars, "vars", "string|number", at)
  book.names = {}
  for name in pairs(texts.NAMES) do book.names[name] = true end
  for _, name in ipairs(fields.names(book.vars)) do
    local message = wrong_var(name, book.vars[name])
    if message then at(("vars['%s']"):format(name), message) end
    book.names[name] = true
  end
end

local function read_concepts(given, at)
  local all, written = {}, named(given, "concepts", "string", at)
  for _, list in ipairs { concepts, written } do
    for name, pattern in pairs(list) do all[name] = pattern end
  end
  return Patterns.concepts(all, written, at)
end

--- Reads the fields into the book.
---@param book table
---@param given table as it was written; its list part is left alone
---@param at fun(field: string?, message: string)
function settings.read(book, given, at)
  local good = fields.read(given, FIELDS, at)
  book.given = good
  read_hours(book, good, at)
  book.burst = seconds("burst", good.burst, at, BURST)
  book.human = read_human(good.human, at)
  book.flood = read_flood(good.flood, at)
  book.unclear = read_unclear(good.unclear, at)
  book.settle = seconds("settle", good.settle, at, SETTLE)
  book.mark_read = good.mark_read ~= false
  book.calls = named(good.calls, "calls", "function", at)
  read_names(book, good, at)
  book.concepts = read_concepts(good.concepts, at)
end

return settings
