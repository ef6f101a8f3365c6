--- The chats of Yandex Market: a client of the Partner API, and what takes its notifications. The bot, its store and the sandbox
--- are those of avito_messenger.
---
---   local market = require "avito_messenger.yandex_market"
---   local client = market.client { api_key = "…", business_id = 1234567 }
---   for chat in client:chats { statuses = { market.ChatStatus.WAITING_FOR_PARTNER } } do … end
local client = require "avito_messenger.client"
local enums = require "avito_messenger.enums"

local yandex_market = {}

--- Makes a client of Yandex Market. Nothing is sent until the first call.
---@type fun(given: avito_messenger.yandex_market.ClientOptions): avito_messenger.yandex_market.Client
yandex_market.client = client.of(require "avito_messenger.client.yandex_market")

yandex_market.ContextType = enums.yandex_market.ContextType
yandex_market.ChatType = enums.yandex_market.ChatType
yandex_market.ChatStatus = enums.yandex_market.ChatStatus
yandex_market.Sender = enums.yandex_market.Sender

--- What answers the notifications that the cabinet sends, for a web server of your own: bot:listen and nginx have one already.
--- See avito_messenger.yandex_market.notifications.
---@param given avito.notifications.Options
---@return avito.hook.Hook
function yandex_market.notifications(given)
  return require("avito_messenger.yandex_market.notifications").new(given)
end

return yandex_market
