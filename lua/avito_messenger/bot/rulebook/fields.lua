--- Reading the fields of the tables a seller writes: names, types and lists of words. Mistakes go to `at(field, message)`.
local words = require "avito_messenger.words"

local fields = {}

--- The names of a table without its list, in an order, so that mistakes are told in the same order every time.
---@param given table
---@return any[]
function fields.names(given)
  local names = {}
  for name in pairs(given) do
    if type(name) ~= "number" then names[#names + 1] = name end
  end
  table.sort(names, function(a, b) return tostring(a) < tostring(b) end)
  return names
end

-- How those are written that are no plain text or number.
local EXAMPLES = {
  human = "{ pause = '12h' }", flood = "{ replies = 10, within = '10m', pause = '1h' }", holidays = "{ '01-07', '12-31..01-08' }",
  concepts = "{ ['торг'] = 'торг* | скид*' }", vars = "{ ['адрес'] = '…' }", calls = "{ name = function(args) … end }",
  item = "{ price = '>= 5000' }", buyer = "an id, or { name = '…' }", phone = "true", links = "true", first = "true",
  continue = "true", fallback = "true", once = "true or '12h'", when = "function(c) … end", run = "function(c) … end",
}

--- What is wrong with the type of a value, or nil.
---@param value any
---@param types string separated by |
---@return string?
function fields.mistyped(value, types)
  if ("|" .. types .. "|"):find("|" .. type(value) .. "|", 1, true) then return nil end
  return ("must be a %s, got %s"):format(types:gsub("|", " or "), type(value))
end

--- The named fields that are known and have their type; the others are reported.
---@param given table its list part is left to the caller
---@param known table<string, string> the types of each, separated by |
---@param at fun(field: string?, message: string)
---@param prefix? string of a field within a field, "item."
---@return table<string, any>
function fields.read(given, known, at, prefix)
  local good = {}
  for _, name in ipairs(fields.names(given)) do
    local value, types = given[name], known[name]
    if not types then
      at(prefix and prefix:sub(1, -2), words.unknown(name, words.names(known), "field"), name)
    else
      local message = fields.mistyped(value, types)
      if message and not prefix and EXAMPLES[name] then message = ("%s: write %s"):format(message, EXAMPLES[name]) end
      if message then at((prefix or "") .. name, message) else good[name] = value end
    end
  end
  return good
end

--- Reports every entry that stands without a name where none may.
---@param given table
---@param at fun(field: string?, message: string)
---@param field? string
---@param from? integer the first that may not; default 1
function fields.no_list(given, at, field, from)
  for key, value in pairs(given) do
    if type(key) == "number" and key >= (from or 1) then
      at(field, ("%s stands there without a name of a field"):format(type(value) == "string" and "'" .. value .. "'"
        or "a " .. type(value)))
    end
  end
end

--- A value or a list of them as a list, every element checked.
---@param value any
---@param check fun(element: any): any, string? the element as it is wanted; or nil and what is wrong
---@return any[]? list
---@return string? message of the first that is wrong
function fields.list(value, check)
  local given = type(value) == "table" and value or { value }
  local count = 0
  for _ in pairs(given) do count = count + 1 end
  if count == 0 then return nil, "the list is empty" end
  if count ~= #given then return nil, "must be a list without names and gaps" end
  local list = {}
  for i, element in ipairs(given) do
    local message
    list[i], message = check(element)
    if list[i] == nil then return nil, message end
  end
  return list
end

--- A check for fields.list: one of the known words.
---@param known string[]
---@param what string for example "message type"
---@return fun(element: any): string?, string?
function fields.word(known, what)
  local set = fields.set(known)
  return function(element)
    if type(element) ~= "string" then return nil, ("the %s must be a string, got %s"):format(what, type(element)) end
    if not set[element] then return nil, words.unknown(element, known, what) end
    return element
  end
end

--- A check for fields.list: a string with something in it.
---@param element any
---@return string?
---@return string? message
function fields.string(element)
  if type(element) ~= "string" then return nil, "must be a string, got " .. type(element) end
  if not element:find "%S" then return nil, "is empty" end
  return element
end

--- A check for fields.list: the number of an item or a user.
---@param element any
---@return number|string? id a string where a number would lose its digits
---@return string? message
function fields.id(element)
  local id = type(element) == "string" and element:match "^%d+$" and tonumber(element) or element
  if type(id) ~= "number" or id < 1 or id % 1 ~= 0 then
    return nil, ("an id is a positive integer, got '%s'"):format(tostring(element))
  end
  if id >= 2 ^ 53 and type(element) == "string" then return element end
  return id
end

--- Tells a message that may begin with the name of its field.
---@param message string "holidays: …"
---@param field string where it does not
---@param at fun(field: string?, message: string)
function fields.pass_on(message, field, at)
  local named, rest = message:match "^(%l+): (.*)$"
  at(named or field, rest or message)
end

--- A list as the keys of a table.
---@param list any[]
---@return table<any, true>
function fields.set(list)
  local set = {}
  for _, element in ipairs(list) do set[element] = true end
  return set
end

return fields
