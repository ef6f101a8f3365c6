--- The marketplace of a scene: what is in a chat, whoever wrote it, and what is known of buyer, item and order.
local record = require "avito_messenger.bot.engine.record"
local words = require "avito_messenger.words"

---@class avito.bot.test.Market
---@field abilities avito_messenger.bot.Abilities
---@field chat_id string
---@field chat_type string
---@field user_id integer|string the seller's account
---@field buyer { id: integer|string, name: string }
---@field earlier? boolean messages from before the scene exist
---@field item? { id: integer, title: string?, price: number?, price_text: string?, url: string?, city: string? }
---@field order? { id: string, return_id: string?, campaign_id: string? }
---@field messages table[] as the bot is told them, oldest first
---@field blacklisted boolean
local Market = {}
Market.__index = Market
Market.__name = "avito.bot.test.Market"

local HISTORY = 100
local MARKETPLACE = 1 -- the author of what is from no party of the chat

--- Raises unless messages of this type come on the marketplace.
---@param kind any
---@param level integer
function Market:check_type(kind, level)
  local known = {}
  for _, name in ipairs(words.names(self.abilities.messages)) do
    if name ~= "own" then known[#known + 1] = name end
  end
  local mistake = words.mistake(kind, known, "message type")
  if mistake then error(mistake, level + 1) end
end

local contents = {}

function contents.text(text) return { text = text } end
function contents.link(text) return { link = { text = text or "https://example.com/", url = text or "https://example.com/" } } end
function contents.image(_, id) return { image = { sizes = { ["640x480"] = ("https://example.com/%s.jpg"):format(id) } } } end
function contents.voice(_, id) return { voice = { voice_id = "voice-" .. id } } end
function contents.location(text)
  return { location = { kind = "street", lat = 55.6, lon = 37.6, title = text or "Москва", text = text or "Москва" } }
end
function contents.call(text, _, user_id) return { call = { status = text or "missed", target_user_id = user_id } } end
function contents.system(text) return { text = text or "Системное сообщение" } end
function contents.item(text) return { item = { title = text or "Товар", item_url = "https://example.com/item" } } end

local function one_file(ending)
  return function(text, id)
    local name = text or ("%s.%s"):format(id, ending)
    return { files = { { name = name, url = "https://example.com/" .. name, size = 1000 } } }
  end
end

local CONTENTS = { avito = contents,
  yandex_market = { text = contents.text, system = contents.system, image = one_file "jpg", file = one_file "pdf" } }

---@param given table the fields
---@return avito.bot.test.Market
function Market.new(given)
  given.messages, given.blacklisted = {}, false
  return setmetatable(given, Market)
end

--- Adds a message of the buyer ("in"), of the account ("out") or of the marketplace itself ("system").
---@param direction "in"|"out"|"system"
---@param kind string
---@param content table|string|nil a text stands for what such a message says
---@param now number
---@return table message
function Market:add(direction, kind, content, now)
  local id = (self.abilities.name == "avito" and "%s-m%d" or "%s%04d"):format(self.chat_id, #self.messages + 1)
  if type(content) ~= "table" then
    local make = CONTENTS[self.abilities.name][kind]
    content = make and make(content, id, self.user_id) or {}
  end
  local authors = { ["in"] = self.buyer.id, out = self.user_id, system = MARKETPLACE }
  local message = { id = id, author_id = authors[direction], created = math.floor(now), type = kind, content = content,
    direction = direction == "out" and "out" or "in" }
  self.messages[#self.messages + 1] = message
  return message
end

--- The buyer takes a message back: it stays, without its content.
---@param place integer
---@return table message as it is now
function Market:delete(place)
  local message = {}
  for name, value in pairs(self.messages[place]) do message[name] = value end
  message.type, message.content = "deleted", {}
  self.messages[place] = message
  return message
end

--- The newest messages first, as get_messages lists them.
---@return table[]
function Market:history()
  local list = {}
  for i = #self.messages, math.max(1, #self.messages - HISTORY + 1), -1 do list[#list + 1] = record.copy(self.messages[i]) end
  return list
end

--- What looking the chat up tells.
---@return table facts
function Market:facts()
  return { type = self.chat_type, buyer = record.copy(self.buyer), item = record.copy(self.item),
    order = record.copy(self.order), earlier = self.earlier or false }
end

return Market
