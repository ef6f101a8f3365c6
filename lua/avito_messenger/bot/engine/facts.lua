--- The values that templates may name: what is known of item, buyer, order, hours and the message.
local digits = require "avito_messenger.digits"

local facts = {}

--- A price as people write it: "35 000".
---@param price number
---@return string
function facts.price(price)
  return (("%.0f"):format(price):reverse():gsub("(%d%d%d)", "%1 "):reverse():gsub("^(-?) ", "%1"))
end

local find = {}

for about, names in pairs { item = { "title", "id", "url", "city" }, buyer = { "name", "id" } } do
  for _, name in ipairs(names) do
    find[about .. "." .. name] = function(turn) return turn.facts[about] and turn.facts[about][name] end
  end
end

find["item.price"] = function(turn)
  local item = turn.facts.item or {}
  return item.price_text or type(item.price) == "number" and facts.price(item.price) or nil
end
find["order.id"] = function(turn) return turn.facts.order and turn.facts.order.id end
find["return.id"] = function(turn) return turn.facts.order and turn.facts.order.return_id end
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
---@param book avito_messenger.bot.Book
---@param turn avito.bot.Turn
---@param name string
---@return string?
function facts.value(book, turn, name)
  local value
  if find[name] then value = find[name](turn, book) else value = book.vars and book.vars[name] end
  return value ~= nil and digits.text(value) or nil
end

return facts
