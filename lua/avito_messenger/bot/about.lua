--- What the marketplace tells of a chat, as the facts that rules and templates use.
local digits = require "avito_messenger.bot.digits"

local about = {}

--- The number in a price as the API writes it ("31 500 ₽", its spaces U+00A0); nil for "Бесплатно" and the like.
---@param text any
---@return number?
function about.price(text)
  if type(text) ~= "string" then return nil end
  local number = text:gsub("\194\160", ""):gsub("\226\128[\130-\143\175]", ""):gsub("%s", ""):match "%d[%d.,]*"
  if not number then return nil end
  local whole, kopecks = number:match "^(%d+)[.,](%d%d?)$"
  if whole then return tonumber(whole .. "." .. kopecks) end
  return tonumber((number:gsub("[.,]", "")))
end

--- The kind of a chat, which its id begins with.
---@param chat table
---@return string?
function about.chat_type(chat)
  local prefix = type(chat.id) == "string" and chat.id:match "^(%w2%w)%-"
  if prefix then return prefix end
  local context = type(chat.context) == "table" and chat.context or {}
  return context.type == "item" and "u2i" or nil
end

--- Facts of a chat of the API.
---@param chat table
---@param user_id integer|string the account
---@return avito.bot.Facts
function about.facts(chat, user_id)
  local facts = { type = about.chat_type(chat) }
  for _, user in ipairs(type(chat.users) == "table" and chat.users or {}) do
    if type(user) == "table" and user.id ~= nil and not digits.same(user.id, user_id) and not facts.buyer then
      local name = type(user.name) == "string" and user.name:find "%S" and user.name or nil
      facts.buyer = { id = user.id, name = name }
    end
  end
  local context = type(chat.context) == "table" and chat.context or {}
  local item = type(context.value) == "table" and context.value
  if item and context.type == "item" then
    local city = type(item.location) == "table" and item.location.title or nil
    facts.item = { id = item.id, title = item.title, url = item.url, price = about.price(item.price_string),
      price_text = item.price_string, city = city }
  end
  return facts
end

--- Is it a message?
---@param value any
---@return boolean
function about.is_message(value)
  return type(value) == "table" and type(value.id) == "string" and type(value.type) == "string"
end

--- New messages of the API as an event, oldest first; what is no message is left out.
---@param messages table[] newest first
---@param more? { chat_type?: string, earlier?: boolean }
---@return table? event nil: there is none
function about.event(messages, more)
  local list = {}
  for i = #messages, 1, -1 do
    if about.is_message(messages[i]) then list[#list + 1] = messages[i] end
  end
  if #list == 0 then return nil end
  return { type = "message", messages = list, chat_type = more and more.chat_type, earlier = more and more.earlier }
end

return about
