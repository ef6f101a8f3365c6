--- The chats of Yandex Market, as a bot sees them.
---
--- Nobody promises in which order they are listed, a list may repeat its last page for ever, and what is sent is answered
--- without an id. So lists are gone through to their end and put in order here.
local datetime = require "avito_messenger.datetime"
local digits = require "avito_messenger.digits"
local errors = require "avito_messenger.errors"
local images = require "avito_messenger.bot.rulebook.images"
local is_picture = require("avito_messenger.bot.pictures").is
local notifications = require "avito_messenger.yandex_market.notifications"
local words = require "avito_messenger.words"

local yandex_market = { name = "yandex_market", title = "Yandex Market", account_option = "business_id", of_one = true,
  poll_options = { chat_types = "table", statuses = "table" },
  settles = 5, -- a chat tells when its newest message was written by the second, and two may share it
  refuses = { payment_required = true, auth = true, forbidden = true }, hook = notifications }

local CHATS, MESSAGES = 20, 100 -- on a page, the most
local MAX_PAGES = 500
local KNOWN, OVERLAP = 200, 50  -- of a chat of which more messages are known only the last so many are read again

local CHAT_TYPES = { order = "ORDER", ["return"] = "RETURN", direct = "DIRECT" }
local STATUSES = { NEW = true, WAITING_FOR_CUSTOMER = true, WAITING_FOR_PARTNER = true, WAITING_FOR_ARBITER = true,
  WAITING_FOR_MARKET = true, FINISHED = true }
local OPEN = { "NEW", "WAITING_FOR_PARTNER", "WAITING_FOR_ARBITER", "WAITING_FOR_MARKET" }

-- ---- the account

function yandex_market.id_of(client)
  return client.session:account()
end

function yandex_market.account_key(id) return notifications.account(id) end

-- A float beyond 2^53, as all numbers of LuaJIT are, may be another id than was meant.
function yandex_market.chat_id(value)
  local text = value
  if type(value) == "number" then
    local exact = value % 1 == 0 and (math.abs(value) < 2 ^ 53 or math.type ~= nil and math.type(value) == "integer")
    if not exact then return nil, "must be an integer that a number can hold exactly, or a string of digits" end
    text = digits.text(value)
  end
  if type(text) == "string" and text:find "^[1-9]%d*$" and #text <= 19 then return text end
  return nil, ("must be an integer, or a string of digits, got %s"):format(
    type(text) == "string" and ("'%s'"):format(text) or type(text))
end

local function forbids(err) return err.kind == "forbidden" end

-- A key that was revoked and a chat that is another's are refused alike: the list of chats tells which it is. Where that is
-- allowed, the key may be good again meanwhile.
function yandex_market.refused(client, err)
  if not forbids(err) then return err end
  local chats, problem = client:get_chats { limit = 1 }
  if chats then return err, true end
  local certain = errors.new(forbids(problem) and "auth" or problem.kind, err.endpoint, err.message)
  certain.status, certain.dispatched, certain.retry_after = err.status, false, problem.retry_after
  return certain
end

-- ---- lists

local function id_of(value)
  local text = (type(value) == "number" or type(value) == "string") and digits.text(value)
  return text and text:find "^%d+$" and text or nil
end

--- Goes through the pages of a list, until `each` has seen the last one, or says that it has seen enough.
---@param limit integer how much a page holds
---@param fetch fun(token?: string): table[]?, table the page and what stands beside it, or nil and an error
---@param each fun(page: table[]): boolean? enough
---@return boolean? ok
---@return avito_messenger.Error|boolean|nil cut true where there may be more that cannot be had; or the error
local function go_through(limit, fetch, each)
  local seen, token = {}, nil
  for _ = 1, MAX_PAGES do
    local page, meta = fetch(token)
    if not page then return nil, meta end
    if each(page) then return true end
    local paging = type(meta) == "table" and type(meta.paging) == "table" and meta.paging or {}
    token = paging.nextPageToken
    if token == nil or token == "" then return true end
    if seen[token] then return true, #page >= limit or nil end
    seen[token] = true
  end
  return true, true
end

-- ---- chats

--- Facts of a chat of the API.
---@param chat table
---@return avito.bot.Facts
function yandex_market.facts_of(chat)
  local context = type(chat.context) == "table" and chat.context or {}
  local facts = {}
  for name, kind in pairs(CHAT_TYPES) do
    if context.type == kind then facts.type = name end
  end
  local customer = type(context.customer) == "table" and context.customer or {}
  local name = type(customer.name) == "string" and customer.name:find "%S" and customer.name or nil
  local id = type(customer.publicId) == "string" and customer.publicId:find "%S" and customer.publicId or nil
  if name or id then facts.buyer = { id = id, name = name } end
  local order = { id = id_of(context.orderId or chat.orderId), return_id = id_of(context.returnId),
    campaign_id = id_of(context.campaignId) }
  if next(order) ~= nil then facts.order = order end
  return facts
end

function yandex_market.facts(client, chat_id)
  local chat, err = client:get_chat(chat_id)
  if not chat then return nil, err end
  return yandex_market.facts_of(chat)
end

function yandex_market.poll_settings(given)
  local types, statuses = given.chat_types, given.statuses or OPEN
  local problem = words.problem("statuses", statuses, words.names(STATUSES), "status")
    or types and words.problem("chat_types", types, words.names(CHAT_TYPES), "chat type")
  if problem then return nil, problem end
  local context_types = types and {}
  for i, name in ipairs(types or {}) do context_types[i] = CHAT_TYPES[name] end
  return { statuses = statuses, context_types = context_types }
end

-- Disputes end, and begin, without a message.
local function market_chat(chat)
  local id = type(chat) == "table" and id_of(chat.chatId)
  if not id then return nil end
  local updated = type(chat.updatedAt) == "string" and chat.updatedAt or nil
  local facts, dispute = yandex_market.facts_of(chat), nil
  if chat.type == "ARBITRAGE" then dispute = chat.status ~= "FINISHED" elseif chat.type == "CHAT" then dispute = false end
  return { id = id, mark = updated and ("%s %s"):format(updated, dispute), written = datetime.read(updated), type = facts.type,
    facts = facts, dispute = dispute }
end

--- The chats that wait for somebody else than the buyer, the one that has waited longest first.
function yandex_market.chats(client, settings)
  local chats, known = {}, {}
  local ok, err = go_through(CHATS, function(token)
    return client:get_chats { statuses = settings.statuses, context_types = settings.context_types, limit = CHATS,
      page_token = token }
  end, function(page)
    for _, one in ipairs(page) do
      local chat = market_chat(one)
      if chat and not known[chat.id] then
        chats[#chats + 1], known[chat.id] = chat, true
      end
    end
  end)
  if not ok then return nil, err end
  table.sort(chats, function(a, b)
    local at, bt = a.written or 0, b.written or 0
    return at < bt or at == bt and a.id < b.id
  end)
  return chats
end

-- ---- messages

local function files_of(payload)
  local files, pictures = {}, true
  for _, one in ipairs(type(payload) == "table" and payload or {}) do
    if type(one) == "table" then
      local file = { name = type(one.name) == "string" and one.name or "", url = type(one.url) == "string" and one.url or nil,
        size = type(one.size) == "number" and one.size or nil }
      files[#files + 1] = file
      pictures = pictures and is_picture(file.name)
    end
  end
  if #files == 0 then return nil end
  return files, pictures
end

--- A message of the API in the bot's shape; nil: it is none.
---@param message any
---@return table?
function yandex_market.shape(message)
  local id = type(message) == "table" and id_of(message.messageId)
  if not id then return nil end
  local text = type(message.message) == "string" and message.message:find "%S" and message.message or nil
  local files, pictures = files_of(message.payload)
  local kind = text and "text" or pictures and "image" or "file" -- of a sticker nothing is told: a file without any
  if message.sender ~= "PARTNER" and message.sender ~= "CUSTOMER" then kind = "system" end
  return { id = id, created = datetime.read(message.createdAt), type = kind, content = { text = text, files = files },
    direction = message.sender == "PARTNER" and "out" or "in" }
end

local function before(a, b)
  local at, bt = a.created or 0, b.created or 0
  if at ~= bt then return at < bt end
  return #a.id < #b.id or #a.id == #b.id and a.id < b.id
end

-- Everything on the pages so far is in descending order, and not only of one second: what follows is older.
local function descends(list)
  for i = 2, #list do
    if not list[i].created or (list[i - 1].created or 0) < list[i].created then return false end
  end
  return #list > 1 and list[1].created ~= nil and list[1].created > list[#list].created
end

-- A message from which on a long chat is read: far enough behind what is known last for whatever comes out of order.
local function anchor_of(chat)
  local marks = chat and chat.seen
  if not marks or marks.n < KNOWN then return nil end
  local wanted, best, found = marks.n - OVERLAP, -1, nil
  for id, place in pairs(marks.ids) do
    if place <= wanted and place > best and id:find "^%d+$" then best, found = place, id end
  end
  return found
end

local function read(client, chat_id, wanted, anchor)
  local all, found, ids, refused = {}, {}, {}, false
  local ok, cut = go_through(MESSAGES, function(token)
    return client:get_chat_history(chat_id, { limit = MESSAGES, page_token = token, message_id_from = anchor })
  end, function(page)
    for _, one in ipairs(page) do
      local message = yandex_market.shape(one)
      if message and not ids[message.id] then
        ids[message.id], all[#all + 1] = true, message
        if wanted(message, message.created or 0) then found[#found + 1] = message else refused = true end
      end
    end
    return refused and descends(all)
  end)
  if not ok then return nil, cut, ids end
  table.sort(found, function(a, b) return before(b, a) end)
  return found, cut, ids
end

-- Does what was read from the anchor on hold what is known to come after it?
local function holds(ids, chat, anchor)
  local place = chat.seen.ids[anchor]
  for id, one in pairs(chat.seen.ids) do
    if one > place and ids[id] then return true end
  end
  return false
end

function yandex_market.read_chat(client, chat_id, wanted, chat)
  local anchor = anchor_of(chat)
  if anchor then
    local found, cut, ids = read(client, chat_id, wanted, anchor)
    if found and holds(ids, chat, anchor) then return found, cut end
    if not found and cut.kind ~= "invalid" and cut.kind ~= "not_found" then return nil, cut end
  end
  local found, cut = read(client, chat_id, wanted)
  return found, cut
end

function yandex_market.message(client, chat_id, id)
  local message, err = client:get_chat_message(chat_id, id)
  if not message then return nil, err end
  local shaped = yandex_market.shape(message)
  if shaped then return shaped end
  return nil, errors.new("not_found", "get_chat_message", "what came is no message")
end

-- ---- what is done

function yandex_market.send(bot, effect)
  local ok, err = bot.client:send_message(effect.chat_id, effect.text)
  return ok and true, err
end

function yandex_market.send_image(bot, effect)
  local path = images.path(effect.image, bot.engine.book.directory)
  if not path then return {} end -- ids of images are of another marketplace
  local ok, err = bot.client:send_file(effect.chat_id, path)
  return ok and true, err
end

return yandex_market
