--- What the marketplace tells of a chat, as the facts that rules and templates use.
local about = {}

--- The number in a price as the API writes it ("31 500 ₽", its spaces U+00A0); nil for "Бесплатно" and the like.
---@param text any
---@return number?
function about.price(text)
  if type(text) ~= "string" then return nil end
  local digits = text:gsub("\194\160", ""):gsub("\226\128[\130-\143\175]", ""):gsub("%s", ""):match "%d[%d.,]*"
  if not digits then return nil end
  local whole, kopecks = digits:match "^(%d+)[.,](%d%d?)$"
  if whole then return tonumber(whole .. "." .. kopecks) end
  return tonumber((digits:gsub("[.,]", "")))
end

local function same(a, b)
  return tostring(a) == tostring(b)
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
    if type(user) == "table" and user.id ~= nil and not same(user.id, user_id) and not facts.buyer then
      local name = type(user.name) == "string" and user.name:find "%S" and user.name or nil
      facts.buyer = { id = user.id, name = name }
    end
  end
  local context = type(chat.context) == "table" and chat.context or {}
  local item = type(context.value) == "table" and context.value or nil
  if item and context.type == "item" then
    local city = type(item.location) == "table" and item.location.title or nil
    facts.item = { id = item.id, title = item.title, url = item.url, price = about.price(item.price_string),
      price_text = item.price_string, city = city }
  end
  return facts
end

--- Messages of the API as events, oldest first; those from before `since` are only noted.
---@param messages table[] newest first
---@param since number Unix time
---@param more? { chat_type?: string, earlier?: boolean }
---@return table[] events
function about.events(messages, since, more)
  more = more or {}
  local old, new = {}, {}
  for i = #messages, 1, -1 do
    local message = messages[i]
    local list = (message.created or 0) < since and old or new
    list[#list + 1] = message
  end
  local events = {}
  local function add(list, is_old)
    if #list == 0 then return end
    events[#events + 1] = { type = "message", messages = list, old = is_old, chat_type = more.chat_type,
      earlier = more.earlier or nil }
  end
  add(old, true)
  add(new, nil)
  return events
end

return about
