--- The values the API is known to use. It adds new ones without notice, so answers are never checked against these.
local enums = {}

local function enum(name, values)
  return setmetatable(values, {
    __index = function(_, key)
      error(("%s has no value '%s'"):format(name, tostring(key)), 2)
    end,
  })
end

---@enum avito_messenger.ChatType
enums.ChatType = enum("ChatType", {
  U2I = "u2i", -- about an item
  U2U = "u2u", -- from a profile
  A2U = "a2u", -- from Avito itself
})

---@enum avito_messenger.MessageType
enums.MessageType = enum("MessageType", {
  TEXT = "text",
  IMAGE = "image",
  LINK = "link",
  ITEM = "item",
  LOCATION = "location",
  CALL = "call",
  DELETED = "deleted",
  VOICE = "voice",
  SYSTEM = "system", -- from one of Avito's own bots; content.flow_id says which
  APP_CALL = "appCall",
  FILE = "file",
  VIDEO = "video",
})

---@enum avito_messenger.MessageDirection
enums.MessageDirection = enum("MessageDirection", { IN = "in", OUT = "out" })

---@enum avito_messenger.BlacklistReason
enums.BlacklistReason = enum("BlacklistReason", { SPAM = 1, FRAUD = 2, INSULT = 3, OTHER = 4 })

enums.yandex_market = {}

---@enum avito_messenger.yandex_market.ContextType
enums.yandex_market.ContextType = enum("ContextType", {
  ORDER = "ORDER",
  RETURN = "RETURN",
  DIRECT = "DIRECT", -- begun by a buyer, about no order; not for create_chat
})

---@enum avito_messenger.yandex_market.ChatType
enums.yandex_market.ChatType = enum("ChatType", {
  CHAT = "CHAT",
  ARBITRAGE = "ARBITRAGE", -- a dispute
})

---@enum avito_messenger.yandex_market.ChatStatus
enums.yandex_market.ChatStatus = enum("ChatStatus", {
  NEW = "NEW",
  WAITING_FOR_CUSTOMER = "WAITING_FOR_CUSTOMER",
  WAITING_FOR_PARTNER = "WAITING_FOR_PARTNER", -- for the seller
  WAITING_FOR_ARBITER = "WAITING_FOR_ARBITER",
  WAITING_FOR_MARKET = "WAITING_FOR_MARKET",
  FINISHED = "FINISHED",
})

---@enum avito_messenger.yandex_market.Sender
enums.yandex_market.Sender = enum("Sender", {
  PARTNER = "PARTNER", -- the seller
  CUSTOMER = "CUSTOMER",
  MARKET = "MARKET", -- by itself
  SUPPORT = "SUPPORT", -- a person of Yandex Market
})

--- The values of one of them, sorted.
---@param of table<string, string>
---@return string[]
function enums.values(of)
  local list = {}
  for _, value in pairs(of) do list[#list + 1] = value end
  table.sort(list)
  return list
end

return enums
