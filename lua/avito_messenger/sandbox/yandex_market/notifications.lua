--- What the businesses are told, and what became of it.
local notifications = {}

--- Adds a message and tells of it.
---@param sandbox avito.Sandbox
---@param chat table
---@param spec table
---@param now number
---@return table message
function notifications.add_message(sandbox, chat, spec, now)
  return sandbox.yandex_market:add_message(chat, spec, math.floor(now))
end

function notifications.created() end

return notifications
