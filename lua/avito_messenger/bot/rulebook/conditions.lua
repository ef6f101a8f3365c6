--- The fields of a rule that ask something of a turn, as conditions.
local Condition = require "avito_messenger.bot.rulebook.condition"
local abilities = require "avito_messenger.bot.abilities"
local errors = require "avito_messenger.errors"
local facts = require "avito_messenger.bot.rulebook.facts"
local fields = require "avito_messenger.bot.rulebook.fields"
local heard = require "avito_messenger.bot.rulebook.heard"
local hours = require "avito_messenger.bot.hours"
local words = require "avito_messenger.words"

local conditions = {}

conditions.FIELDS = {
  on = "string|table", hears = "string", first = "boolean", hours = "string", item = "table", chat_type = "string|table",
  flow_id = "string|table", buyer = "number|table", phone = "boolean", links = "boolean", when = "function",
}

local readers = {}

--- One that says "the first message" or "not the first message".
local function yes_or_no(name, test, yes, no)
  readers[name] = function(wanted)
    return Condition.new(name, tostring(wanted), function(turn) return test(turn) == wanted end,
      function(turn) return test(turn) and yes or no end)
  end
end

yes_or_no("first", function(turn) return turn.first == true end,
  "the first message of the chat", "not the first message of the chat")
yes_or_no("phone", function(turn) return #turn:phones() > 0 end, "a phone number is there", "no phone number")
yes_or_no("links", function(turn) return #turn:links() > 0 end, "a link is there", "no link")

function readers.hears(given, at, book)
  local pattern, message = fields.string(given)
  if not pattern then return at("hears", message) end
  return heard(pattern, at, book)
end

local function open_or_closed(given, at, book)
  if not book.given.hours then
    return at("hours", ("'%s' needs the hours of the book: hours = { ['пн-пт'] = '09:00-20:00' }"):format(given))
  end
  local open = given == "open"
  return Condition.new("hours", given, function(turn) return book.hours:is_open(turn.now) == open end,
    function(turn, ok)
      local now = book.hours:is_open(turn.now) and "open now" or "closed now"
      return ok and now or ("%s (%s is wanted)"):format(now, given)
    end)
end

function readers.hours(given, at, book)
  if given == "open" or given == "closed" then return open_or_closed(given, at, book) end
  if not given:find "%d" then
    return at("hours", words.unknown(given, { "open", "closed", "22:00-08:00" }, "hours"))
  end
  if not book.given.zone then return at("hours", "needs the zone of the book: zone = 'Europe/Moscow'") end
  -- Where the zone itself is the mistake, there is nothing more to say.
  if not book.zone then return Condition.new("hours") end
  local span, message = hours.daily(given, book.zone)
  if not span then return fields.pass_on(message, "hours", at) end
  return Condition.new("hours", given:gsub("%s", ""), function(turn) return span:is_open(turn.now) end,
    function(_, ok) return ("now is %s %s"):format(ok and "within" or "outside of", given) end)
end

local function all_chats()
  local all = {}
  for _, marketplace in pairs(abilities) do
    for kind in pairs(marketplace.chats) do all[kind] = true end
  end
  return words.names(all)
end

local chat_type = fields.word(all_chats(), "chat type")

function readers.chat_type(given, at)
  local list, message = fields.list(given, chat_type)
  if not list then return at("chat_type", message) end
  local set = fields.set(list)
  table.sort(list)
  local wanted = table.concat(list, " or ")
  local condition = Condition.new("chat_type", wanted, function(turn)
    if turn.chat.type == nil then return nil end
    return set[turn.chat.type] == true
  end, function(turn, ok) return ok and turn.chat.type or ("%s is not %s"):format(turn.chat.type, wanted) end)
  condition.chats = set
  return condition
end

function readers.flow_id(given, at)
  local list, message = fields.list(given, fields.string)
  if not list then return at("flow_id", message) end
  table.sort(list)
  local wanted = table.concat(list, " or ")
  local function found(turn)
    for _, id in ipairs(list) do
      if turn.flow_ids[id] then return id end
    end
  end
  return Condition.new("flow_id", wanted, function(turn) return found(turn) ~= nil end,
    function(turn) return found(turn) or "not of " .. wanted end)
end

local function traced(problem)
  local message = errors.text(problem, "raised a ")
  return { message = message, traceback = debug.traceback(message, 2) }
end

function readers.when(given)
  return Condition.new("when", nil, function(turn)
    local ok, result = xpcall(given, traced, turn.c)
    if ok then return result and true or false end
    return false, result.message, result.traceback
  end, function(_, ok) return ok and "the function says yes" or "the function says no" end)
end

-- What costs least to ask, or fails most, comes first; the seller's own function last.
local ORDER = { "hears", "first", "chat_type", "flow_id", "hours", "item", "buyer", "phone", "links", "when" }
local MANY = { item = { facts.item, "titles" }, buyer = { facts.buyer, "names_of_buyers" } }

--- The conditions of a rule, but for `on`.
---@param given table<string, any> its fields, each of its type
---@param at fun(field: string?, message: string)
---@param book table the book as far as it is read, with `given`, its own fields
---@return avito_messenger.bot.Condition[]
function conditions.read(given, at, book)
  local list = {}
  for _, name in ipairs(ORDER) do
    local value = given[name]
    if value ~= nil and MANY[name] then
      for _, condition in ipairs(MANY[name][1](value, at, book[MANY[name][2]])) do list[#list + 1] = condition end
    elseif value ~= nil then
      list[#list + 1] = readers[name](value, at, book)
    end
  end
  return list
end

return conditions
