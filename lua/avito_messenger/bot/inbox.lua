--- What comes to a chat from outside of its lane, as rows of the store's inbox and back as events of the engine.
---
--- A message is known by its id, however often and from wherever it comes: a webhook, a poll, the redelivery of either.
local clock = require "avito_messenger.clock"
local json = require "avito_messenger.json"
local markets = require "avito_messenger.bot.market"
local messages = require "avito_messenger.bot.messages"
local webhook = require "avito_messenger.webhook"

local inbox = {}

---@class avito.store.Row
---@field chat_id string
---@field key string what it is known by in its account
---@field kind "avito"|"yandex_market"|"event" of a marketplace: `body` is what it posted, as it came; "event": the JSON of an
--- event of the engine
---@field body string
---@field replace? boolean the newest of its key counts

local serial, address = 0, tostring({}):match "%w+$"

-- A command is never the same as another; a process that was forked differs from its parent in the time only.
local function unique(event)
  serial = serial + 1
  return ("%s/%.6f-%s/%d"):format(event.type, clock.time(), address, serial)
end

local function row(chat_id, key, event, replace)
  return { chat_id = chat_id, key = key, kind = "event", body = assert(json.encode(event)), replace = replace }
end

--- The rows of an event.
---@param chat_id string
---@param event table
---@param hook? table of the marketplace, which says what its messages are known by; default Avito's
---@return avito.store.Row[]
function inbox.rows(chat_id, event, hook)
  if event.type == "about" then return { row(chat_id, "about/" .. chat_id, event, true) } end
  if event.type ~= "message" then return { row(chat_id, unique(event), event) } end
  local rows, key = {}, (hook or webhook).key
  for i, message in ipairs(event.messages or { event.message }) do
    rows[i] = row(chat_id, key(message, chat_id), { type = "message", message = message, chat_type = event.chat_type,
      item_id = event.item_id, earlier = event.earlier })
  end
  return rows
end

local POSTED = {} -- what reads the rows of a kind, which is called as its marketplace
for _, name in ipairs(markets.NAMES) do POSTED[name] = markets.named(name).hook.event end

local TYPES = { message = true, about = true, pause = true, resume = true, wake = true, told = true, created = true,
  dispute = true }

-- A row that nobody understands must not stand in the way of those behind it.
local function read(one)
  local reader = POSTED[one.kind] or one.kind == "event" and json.decode
  if not reader then return nil, ("unknown kind '%s'"):format(tostring(one.kind)) end
  local event, why = reader(one.body)
  if type(event) ~= "table" then return nil, why or "it is no event" end
  if not TYPES[event.type] then return nil, ("unknown event '%s'"):format(tostring(event.type)) end
  if event.type == "message" and not messages.is_message(event.message) then return nil, "it has no message" end
  if event.type == "told" and type(event.id) ~= "string" then return nil, "it has no id of a message" end
  return event
end

-- Messages in a row are one event: what came together is answered together, in the order in which it was written.
local function join(event, into)
  local message = event.message
  message.item_id = message.item_id or event.item_id
  into.messages[#into.messages + 1] = message
  into.chat_type = into.chat_type or event.chat_type
  into.earlier = into.earlier or event.earlier
end

-- A stable sort: messages of the same second stay as they came.
local function in_order(list)
  local written = messages.written
  for i = 2, #list do
    local message, place = list[i], i
    while place > 1 and written(list[place - 1]) > written(message) do
      list[place] = list[place - 1]
      place = place - 1
    end
    list[place] = message
  end
end

--- The events of rows, in order.
---@param rows { kind: string, body: string, key: string }[]
---@param since number messages from before are old: only noted
---@return table[] events
---@return string[] problems of rows that cannot be read
function inbox.events(rows, since)
  local events, problems = {}, {}
  for _, one in ipairs(rows) do
    local event, why = read(one)
    if not event then
      problems[#problems + 1] = ("%s of the inbox cannot be read: %s"):format(one.key, why)
    elseif event.type ~= "message" then
      event.old = event.sent and event.sent < since or nil
      events[#events + 1] = event
    else
      local last, old = events[#events], POSTED[one.kind] and messages.written(event.message) < since or nil
      if not (last and last.type == "message" and last.old == old) then
        last = { type = "message", messages = {}, old = old }
        events[#events + 1] = last
      end
      join(event, last)
    end
  end
  for _, event in ipairs(events) do
    if event.messages then in_order(event.messages) end
  end
  return events, problems
end

return inbox
