--- The marketplace a sandbox begins with: two sellers of used phones, and their chats.
local Market = require "avito_messenger.sandbox.market"
local words = require "avito_messenger.words"

local world = {}

-- U+00A0 stands in prices, as it does in real ones.
local function price(rubles)
  local digits = tostring(rubles):reverse():gsub("(%d%d%d)", "%1\160\194"):reverse()
  return (digits:gsub("^\194\160", "")) .. "\194\160₽"
end

local MINUTE, HOUR, DAY = 60, 3600, 86400

--- The default world, fresh at each call: change it as you like and hand it to the sandbox.
---@return { accounts: table[], items: table[], buyers: table[], chats: table[] }
function world.default()
  local phones, parts = 94235311, 100000002
  return {
    accounts = {
      { user_id = phones, client_id = "dummy-client-id", client_secret = "dummy-client-secret",
        name = "Телефоны с рук" },
      { user_id = parts, client_id = "dummy-client-id-2", client_secret = "dummy-client-secret-2",
        name = "Запчасти и ремонт" },
    },
    items = {
      { id = 4098549657, account = phones, title = "iPhone 12, 128 ГБ, синий", price = price(31500) },
      { id = 4101230042, account = phones, title = "Samsung Galaxy S21, 256 ГБ", price = price(27900) },
      { id = 3987654321, account = phones, title = "Xiaomi Redmi Note 11, 64 ГБ", price = price(9800) },
      { id = 2555000111, account = phones, title = "Google Pixel 6, 128 ГБ", price = price(24000), status_id = 20 },
      { id = 4200000001, account = parts, title = "Дисплей для iPhone 12, оригинал", price = price(7200) },
    },
    buyers = {
      { id = 200000001, name = "Покупатель 1" }, { id = 200000002, name = "Покупатель 2" },
      { id = 200000003, name = "Покупатель 3" }, { id = 200000004, name = "Покупатель 4" },
      { id = 200000005, name = "Авито" },
    },
    chats = {
      { account = phones, buyer = 200000001, item = 4098549657, messages = {
        { from = "buyer", ago = 26 * MINUTE, text = "Здравствуйте! Телефон ещё продаёте?" },
        { from = "seller", ago = 24 * MINUTE, text = "Здравствуйте! Да, в наличии." },
        { from = "buyer", ago = 9 * MINUTE, text = "Сколько держит батарея?" },
        { from = "buyer", ago = 8 * MINUTE, text = "И торг возможен?" },
      } },
      { account = phones, buyer = 200000002, item = 4101230042, messages = {
        { from = "buyer", ago = 3 * HOUR, text = "Добрый день. Можно фото экрана?" },
        { from = "seller", ago = 3 * HOUR - 5 * MINUTE, type = "image" },
        { from = "buyer", ago = 2 * HOUR, type = "voice" },
      } },
      { account = phones, buyer = 200000003, item = 3987654321, messages = {
        { from = "buyer", ago = 2 * DAY, text = "Отправите доставкой?" },
        { from = "seller", ago = 2 * DAY - 10 * MINUTE, text = "Да, Авито Доставкой, завтра." },
        { from = "buyer", ago = 2 * DAY - 12 * MINUTE, type = "location", text = "Самара, Московское шоссе" },
        { from = "system", ago = 1 * DAY, flow_id = "seller_audience_discount", read = true,
          text = "Отправьте покупателям предложение со скидкой" },
      } },
      { account = phones, buyer = 200000004, item = 2555000111, messages = {
        { from = "buyer", ago = 5 * DAY, type = "call" },
        { from = "buyer", ago = 5 * DAY - 2 * MINUTE, text = "Не дозвонился. Забрал бы сегодня." },
        { from = "seller", ago = 5 * DAY - 30 * MINUTE, text = "Уже продан, извините." },
      } },
      { account = phones, buyer = 200000002, type = "u2u", messages = {
        { from = "buyer", ago = 6 * HOUR, text = "А у вас есть ещё телефоны до 15 000?" },
      } },
      { account = phones, buyer = 200000005, type = "a2u", messages = {
        { from = "system", ago = 3 * DAY, flow_id = "two_way_chats", text = "Напишите покупателям первыми" },
      } },
      { account = parts, buyer = 200000001, item = 4200000001, messages = {
        { from = "buyer", ago = 40 * MINUTE, text = "Поставите за сколько?" },
      } },
    },
  }
end

local PARTS = { accounts = true, items = true, buyers = true, chats = true }

--- Fills a new market. Parts that are not given are the default world's, unless the accounts are your own.
---@param spec table accounts, items, buyers, chats
---@param random avito.sandbox.Random
---@param now integer
---@return avito.sandbox.Market
function world.build(spec, random, now)
  words.check(spec, PARTS, "part of a world")
  local default = spec.accounts and { items = {}, buyers = {}, chats = {} } or world.default()
  local market = Market.new(random)
  for _, part in ipairs { "accounts", "items", "buyers", "chats" } do
    local list = spec[part] or default[part]
    if type(list) ~= "table" then error(("world: '%s' must be a list"):format(part), 0) end
    local add = market["add_" .. part:sub(1, -2)]
    for _, one in ipairs(list) do add(market, one, now) end
  end
  return market
end

return world
