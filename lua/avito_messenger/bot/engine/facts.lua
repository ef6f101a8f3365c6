--- The values that templates may name: what is known of item, buyer, hours and the message.
local json = require "avito_messenger.json"

local facts = {}

--- A price as people write it: 35 000.
local function grouped(price)
  if type(price) ~= "number" then return nil end
  local digits = ("%.0f"):format(price)
  return (digits:reverse():gsub("(%d%d%d)", "%1 "):reverse():gsub("^(-?) ", "%1"))
end

local find = {}

find["item.title"] = function(turn) return turn.facts.item and turn.facts.item.title end
find["item.id"] = function(turn) return turn.facts.item and turn.facts.item.id end
find["item.url"] = function(turn) return turn.facts.item and turn.facts.item.url end
find["item.city"] = function(turn) return turn.facts.item and turn.facts.item.city end
find["item.price"] = function(turn)
  local item = turn.facts.item
  return item and (item.price_text or grouped(item.price))
end
find["buyer.name"] = function(turn) return turn.facts.buyer and turn.facts.buyer.name end
find["buyer.id"] = function(turn) return turn.facts.buyer and turn.facts.buyer.id end
find["chat.id"] = function(turn) return turn.chat.id end
find["message.text"] = function(turn) return turn.text ~= "" and turn.text or nil end
find.phone = function(turn) return turn:phones()[1] end
find.number = function(turn) return turn:numbers()[1] end
find.link = function(turn) return turn:links()[1] end
find["hours.next_open"] = function(turn, book)
  local hours = book.hours
  local from = hours and hours:is_open(turn.now) and hours:next_close(turn.now) or turn.now -- the next time, not this one
  local moment = hours and hours:next_open(from)
  return moment and book.hours:say(turn.now, moment)
end
find["hours.next_close"] = function(turn, book)
  local moment = book.hours and book.hours:next_close(turn.now)
  return moment and book.hours:say(turn.now, moment)
end

--- The value of a template's name; nil when it is not known.
---@param book table
---@param turn avito.bot.Turn
---@param name string
---@return string?
function facts.value(book, turn, name)
  local value
  if find[name] then value = find[name](turn, book) else value = book.vars and book.vars[name] end
  if value == nil or value == "" then return nil end
  return type(value) == "number" and json.digits(value) or tostring(value)
end

return facts
