--- The condition `on`: which kinds of messages a rule is for.
local Condition = require "avito_messenger.bot.rulebook.condition"
local enums = require "avito_messenger.enums"
local fields = require "avito_messenger.bot.rulebook.fields"

local kinds = {}

local OWN = "own" -- what the seller's side wrote
local KNOWN = { OWN }
for _, kind in pairs(enums.MessageType) do KNOWN[#KNOWN + 1] = kind end
table.sort(KNOWN)
local check = fields.word(KNOWN, "message type")

-- What a buyer may send; a type that the API has added since counts as well, and is what `*` stands for.
local BUYERS = fields.set(KNOWN)
BUYERS[OWN], BUYERS.system, BUYERS.deleted, BUYERS["*"] = nil, nil, nil, true

-- Own and system messages are heard by their text, so that nothing more is asked of them.
local WITH_TEXT = { text = true, own = true, system = true }

--- The types that remain when another condition is only ever met by some of them.
local function narrowed(types, able)
  local left = {}
  for kind in pairs(types) do
    if able[kind] then left[kind] = true end
  end
  return left
end

local function wanted(types)
  if types["*"] then return "a buyer's message" end
  local list = {}
  for kind in pairs(types) do list[#list + 1] = kind end
  table.sort(list)
  return table.concat(list, " or ")
end

local function got(turn)
  if turn.kind == OWN then return "an own message" end
  local list = {}
  for kind in pairs(turn.types) do list[#list + 1] = kind end
  if turn.kind == "system" or #list == 0 then return turn.kind .. " message" end
  table.sort(list)
  return table.concat(list, ", ")
end

local function test(types)
  return function(turn)
    if turn.kind ~= "buyer" then return types[turn.kind] == true end
    for kind in pairs(turn.types) do
      if types[kind] or types["*"] and kind ~= "deleted" and kind ~= "system" then return true end
    end
    return false
  end
end

--- The types that a field of the rule needs: nil when it does not care.
local function able(given)
  if given.flow_id then return { system = true }, "flow_id", "only a system message has one" end
  if given.hears then return WITH_TEXT, "hears", "it has no text to be heard" end
  if given.phone ~= nil then return WITH_TEXT, "phone", "it has no text with a number" end
  if given.links ~= nil then return { text = true, link = true, own = true, system = true }, "links", "it has no links" end
end

local function read(given, at)
  if given.on == nil then return nil end
  local list, message = fields.list(given.on, check)
  if not list then
    at("on", message)
    return nil
  end
  local types = fields.set(list)
  if types[OWN] and #list > 1 then at("on", "'own' stands alone, for such a rule may only act and run") end
  return types
end

--- The condition of a rule, and its types.
---@param given table the fields of the rule
---@param at fun(field: string?, message: string)
---@return avito_messenger.bot.Condition
---@return table<string, true> types "*": any a buyer may send
function kinds.read(given, at)
  local types = read(given, at)
  local able_types, field, why = able(given)
  if not types then
    types = BUYERS
    if able_types then types = given.flow_id and able_types or narrowed(BUYERS, able_types) end
  elseif able_types and next(narrowed(types, able_types)) == nil then
    at("on", ("'%s' and %s never come together: %s"):format(wanted(types), field, why))
  end
  return Condition.new("on", nil, test(types), function(turn, ok)
    if ok then return got(turn) end
    return ("%s is wanted, got %s"):format(wanted(types), got(turn))
  end), types
end

return kinds
