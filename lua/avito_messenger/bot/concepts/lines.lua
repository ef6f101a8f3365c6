--- How the patterns of the shipped concepts are put together: lines of alternatives.
---
--- An exclusion stands in the alternative it belongs to: alone it would forbid the message to the others, too. Endings
--- are spelled out, or a prefix is cut long, where a short one would cover words of another kind.
local lines = {}

--- One pattern of many lines.
---@param list string[]
---@return string
function lines.any(list) return table.concat(list, " | ") end

--- The alternatives once with each of the words in place of {}.
---@param words string parted by spaces
---@param alternatives string
---@return string
function lines.each(words, alternatives)
  local list = {}
  for word in words:gmatch "%S+" do list[#list + 1] = (alternatives:gsub("{}", word)) end
  return table.concat(list, " | ")
end

--- What is sent in a chat and not by post, thrown into it and not off the price: скиньте фото, отправьте на карту.
lines.SENT = " -фот* -видео* -видос* -сообщен* -ссылк* -скрин* -номер* -адрес* -гео* -локац* -координат* -точку -карт*"
  .. " -деньг* -денег -реквизит* -размер* -замер* -документ* -описан* -характер* -прайс* -каталог* -чек* -инфо* -вес"
  .. " -килограмм* -объявлен* -контакт* -схем* -чертеж* -список -списка -паспорт* -птс -отчет* -бирк* -тел"
  .. ' -"скинь* телефон" -"телефон скинь*"'

return lines
