--- Conditions about the item and the buyer. Either may be unknown; then they are not met, and say so.
local Condition = require "avito_messenger.bot.rulebook.condition"
local digits = require "avito_messenger.digits"
local fields = require "avito_messenger.bot.rulebook.fields"

local facts = {}

local number = digits.text

local function sorted_key(list)
  local texts = {}
  for i, id in ipairs(list) do texts[i] = number(id) end
  table.sort(texts)
  return table.concat(texts, " ")
end

local function one_of_ids(name, about, given, at)
  local list, message = fields.list(given, fields.id)
  if not list then return at(name, message) end
  local set = {}
  for _, id in ipairs(list) do set[digits.text(id)] = true end
  local function value(turn) return turn.facts[about] and turn.facts[about].id end
  return Condition.new(name, sorted_key(list), function(turn)
    local id = value(turn)
    if id == nil then return nil end
    return set[digits.text(id)] == true
  end, function(turn, ok)
    return ok and number(value(turn)) or ("%s is not %s"):format(number(value(turn)), #list == 1 and number(list[1])
      or "among those of the rule")
  end)
end

local function pattern(name, about, field, patterns, given, at)
  local written, message = fields.string(given)
  if not written then return at(name, message) end
  local place = patterns:add(written, at, name)
  return Condition.new(name, written:gsub("%s+", " "), function(turn) return patterns:matches(turn, place) end,
    function(turn, ok)
      local value = turn.facts[about][field]
      return ok and ("'%s'"):format(value) or ("'%s' does not match %s"):format(value, written)
    end)
end

local COMPARE = {
  ["<"] = function(a, b) return a < b end,
  ["<="] = function(a, b) return a <= b end,
  [">"] = function(a, b) return a > b end,
  [">="] = function(a, b) return a >= b end,
  ["="] = function(a, b) return a == b end,
}

--- A function that compares a price, and the comparison as it is best written; or nil and what is wrong.
local function comparison(given)
  local written = tostring(given):gsub("%s", "")
  local least, most = written:match "^(%d+)%.%.(%d+)$"
  if least then
    local low, high = tonumber(least), tonumber(most)
    if low > high then return nil, ("'%s' begins with more than it ends with"):format(given) end
    return function(price) return price >= low and price <= high end, ("%s..%s"):format(least, most)
  end
  local sign, amount = written:match "^([<>=]*)(%d+%.?%d*)$"
  if sign == "" or sign == "==" then sign = "=" end
  local compare = sign and COMPARE[sign]
  if not compare then
    return nil, ("'%s' is no price: write '>= 5000', '< 100', '5000' or '1000..5000'"):format(given)
  end
  local bound = tonumber(amount)
  return function(price) return compare(price, bound) end,
    sign == "=" and number(bound) or ("%s %s"):format(sign, number(bound))
end

local function price(given, at)
  local compare, written = comparison(given)
  if not compare then return at("item.price", written) end
  local function value(turn) return turn.facts.item and turn.facts.item.price end
  return Condition.new("item.price", written, function(turn)
    if value(turn) == nil then return nil end
    return compare(value(turn))
  end, function(turn, ok)
    return ("%s %s %s"):format(number(value(turn)), ok and "is" or "is not", written)
  end)
end

local ITEM = { id = "number|string|table", title = "string", price = "string|number" }

--- The conditions of the field `item`.
---@param given table
---@param at fun(field: string?, message: string)
---@param titles avito_messenger.bot.Patterns
---@return avito_messenger.bot.Condition[]
function facts.item(given, at, titles)
  fields.no_list(given, at, "item")
  if next(given) == nil then at("item", "is empty: write { price = '>= 5000' }, { title = '…' } or { id = … }") end
  local good, list = fields.read(given, ITEM, at, "item."), {}
  if good.id then list[#list + 1] = one_of_ids("item.id", "item", good.id, at) end
  if good.price then list[#list + 1] = price(good.price, at) end
  if good.title then list[#list + 1] = pattern("item.title", "item", "title", titles, good.title, at) end
  return list
end

local BUYER = { id = "number|string|table", name = "string" }

--- The conditions of the field `buyer`: an id, a list of them, or { name = pattern }.
---@param given number|table
---@param at fun(field: string?, message: string)
---@param names avito_messenger.bot.Patterns
---@return avito_messenger.bot.Condition[]
function facts.buyer(given, at, names)
  if type(given) ~= "table" or given[1] ~= nil then return { one_of_ids("buyer.id", "buyer", given, at) } end
  if next(given) == nil then at("buyer", "is empty: write an id, a list of ids or { name = '…' }") end
  local good, list = fields.read(given, BUYER, at, "buyer."), {}
  if good.id then list[#list + 1] = one_of_ids("buyer.id", "buyer", good.id, at) end
  if good.name then list[#list + 1] = pattern("buyer.name", "buyer", "name", names, good.name, at) end
  return list
end

return facts
