--- The Yandex Market a sandbox begins with: a shop of small things, and its chats.
local Market = require "avito_messenger.sandbox.yandex_market.market"
local Random = require "avito_messenger.sandbox.random"

local world = {}

local MINUTE, HOUR, DAY = 60, 3600, 86400

--- The default world, fresh at each call.
---@return { businesses: table[], orders: table[], returns: table[], chats: table[] }
function world.default()
  local shop, campaign = 2200001, 2300001
  return {
    businesses = { { business_id = shop, api_key = "dummy-api-key", oauth_token = "dummy-oauth-token",
      name = "Чехлы и зарядки" } },
    orders = {
      { id = 41000001, business = shop, campaign_id = campaign, customer = { public_id = "customer1", name = "Покупатель 1" } },
      { id = 41000002, business = shop, campaign_id = campaign, customer = { public_id = "customer2", name = "Покупатель 2" } },
      { id = 41000003, business = shop, campaign_id = campaign, customer = { public_id = "customer3", name = "Покупатель 3" } },
    },
    returns = { { id = 51000001, order_id = 41000002 } },
    chats = {
      { order_id = 41000001, messages = {
        { from = "buyer", ago = 50 * MINUTE, text = "Здравствуйте! Когда отправите заказ?" },
        { from = "seller", ago = 45 * MINUTE, text = "Здравствуйте! Завтра до полудня." },
        { from = "buyer", ago = 7 * MINUTE, text = "А чехол точно к этой модели подходит?" },
      } },
      { return_id = 51000001, messages = {
        { from = "market", ago = 2 * DAY, text = "Покупатель оформил возврат" },
        { from = "buyer", ago = 2 * DAY - 5 * MINUTE, text = "Зарядка не работает, фото приложил", files = { "photo.jpg" } },
        { from = "seller", ago = 2 * DAY - 20 * MINUTE, text = "Примем, оформляйте возврат." },
      } },
      { business = shop, customer = { public_id = "customer4", name = "Покупатель 4" }, messages = {
        { from = "buyer", ago = 3 * HOUR, text = "Добрый день, кабель два метра бывает?" },
      } },
      { order_id = 41000003, status = "FINISHED", messages = {
        { from = "buyer", ago = 9 * DAY, text = "Спасибо, всё пришло" },
        { from = "seller", ago = 9 * DAY - MINUTE, text = "Рады помочь!" },
      } },
    },
  }
end

--- Fills a new market. Parts that are not given are the default world's, unless what they are about is your own.
---@param spec table businesses, orders, returns, chats, wide_ids
---@param seed integer
---@param now integer
---@return avito.sandbox.YandexMarket
function world.build(spec, seed, now)
  local default = world.default()
  if spec.businesses then default.orders, default.returns, default.chats = {}, {}, {} end
  if spec.orders then default.returns, default.chats = {}, {} end
  if spec.returns then default.chats = {} end
  local market = Market.new(Random.new(seed), spec.wide_ids) -- chances of its own: the other marketplace keeps its
  for _, part in ipairs { { "businesses", "add_business" }, { "orders", "add_order" }, { "returns", "add_return" },
    { "chats", "add_chat" } } do
    for _, one in ipairs(spec[part[1]] or default[part[1]]) do market[part[2]](market, one, now) end
  end
  return market
end

return world
