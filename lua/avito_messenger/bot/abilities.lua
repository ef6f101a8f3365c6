--- What rules and dialogues can use on each marketplace. Data: the rulebook warns by it when it is loaded, and the engine
--- leaves out what the marketplace has not.
local enums = require "avito_messenger.enums"

---@class avito_messenger.bot.Abilities
---@field name string as the client calls it
---@field title string as people do
---@field max_text integer characters of a message
---@field messages table<string, true> the types that come; "system": from the marketplace itself, "own": of the seller's side
---@field chats table<string, true> the types of chats
---@field facts table<string, true> what is known of a chat only when it is looked up: "item", "buyer", "order", "type"
---@field image_ids boolean can an image be sent by the id of an earlier upload?
---@field disputes boolean may the marketplace judge between buyer and seller in a chat?
---@field conditions table<string, string> those it has not, or a whole group ("item"), and why
---@field names table<string, string> the same of the names of texts
---@field acts table<string, string> the same of what a rule does beside speaking
local Abilities = {}
Abilities.__index = Abilities
Abilities.__name = "avito_messenger.bot.Abilities"

--- Why the marketplace has it not; nil: it has.
---@param of "conditions"|"names"|"acts"
---@param name string "item.price", "blacklist"
---@return string?
function Abilities:lacks(of, name)
  return self[of][name] or self[of][name:match "^[^.]*"]
end

local function set(list)
  local all = {}
  for _, word in ipairs(list) do all[word] = true end
  return all
end

local NO_ITEM = "Yandex Market chats tell no item"
local NO_ORDER = "Avito chats are about no order"

local messages = set(enums.values(enums.MessageType))
messages.own = true

local abilities = {
  avito = {
    name = "avito", title = "Avito",
    max_text = 1000, image_ids = true, disputes = false,
    messages = messages,
    chats = set(enums.values(enums.ChatType)),
    facts = set { "item", "buyer" }, -- the type comes with every message
    conditions = {}, acts = {},
    names = { order = NO_ORDER, ["return"] = NO_ORDER },
  },
  yandex_market = {
    name = "yandex_market", title = "Yandex Market",
    max_text = 4096, image_ids = false, disputes = true,
    messages = set { "text", "image", "file", "system", "own" },
    chats = set { "order", "return", "direct" },
    facts = set { "buyer", "order", "type" },
    conditions = { item = NO_ITEM, ["buyer.id"] = "Yandex Market tells no number of a buyer",
      flow_id = "system messages of Yandex Market have none" },
    names = { item = NO_ITEM },
    acts = { blacklist = "Yandex Market has no blacklist", mark_read = "Yandex Market chats cannot be marked as read" },
  },
}

for _, one in pairs(abilities) do setmetatable(one, Abilities) end

return abilities ---@type table<string, avito_messenger.bot.Abilities>
