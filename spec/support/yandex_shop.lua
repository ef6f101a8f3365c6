--- For specs: a business on Yandex Market in memory, behind a client that is none, and its bot on the same clock.
---
---   local place = yandex_shop.open { rulebook = { … }, order = "ascending"|"descending"|"mixed", repeats = true, page = 2 }
---   local id = place:says("7001", "Торг есть?")             a buyer writes; more: { sender =, message =, payload =, created = }
---   place:notify("7001", id)                                CHAT_MESSAGE_SENT; place:post { notificationType = … } the others
---   place:fail("get_chat_message", { kind = "server" }, 2)  the next two calls; { answered = false }: it was done all the same
---   place:moments(function(number) … end)                   called before and after each request and commit of the bot
---   place:at(5, function() … end), place:poll { seconds = 60 }, place:calls "get_chats", place:conversation "7001"
local avito = require "avito_messenger"
local datetime = require "avito_messenger.datetime"
local errors = require "avito_messenger.errors"
local json = require "avito_messenger.json"
local notifications = require "avito_messenger.yandex_market.notifications"
local shop = require "support.shop"

local yandex_shop = { business = 880042, start = 1795602600 }

local SECRET = "dummy-secret-of-a-path"
local hook = notifications.new { path_secret = SECRET }

local Place = {}
Place.__index = Place

local function driver_of(place)
  local driver = { start = yandex_shop.start, elapsed = 0 }
  function driver:now() return self.elapsed end
  function driver:time() return self.start + self.elapsed end
  function driver:sleep(seconds)
    local ends = self.elapsed + seconds
    while place.planned[1] and place.planned[1].at <= ends do
      local one = table.remove(place.planned, 1)
      self.elapsed = math.max(self.elapsed, one.at)
      one.fn()
    end
    self.elapsed = ends
    return true
  end
  return driver
end

-- In one of the orders in which nobody promises that lists do not come.
local function ordered(list, order)
  local copy = {}
  for i, one in ipairs(list) do copy[order == "descending" and #list + 1 - i or i] = one end
  if order == "mixed" then
    for i = 1, #copy - 1, 2 do copy[i], copy[i + 1] = copy[i + 1], copy[i] end
  end
  return copy
end

local function page_of(place, list, options)
  local size = place.page or options.limit
  local first = tonumber((options.page_token or "p1"):match "%d+")
  local page = {}
  for i = first, math.min(#list, first + size - 1) do page[#page + 1] = list[i] end
  local token = first + size <= #list and ("p%d"):format(first + size) or place.repeats and options.page_token or nil
  if place.repeats and not token then token = "p" .. first end
  return page, { paging = { nextPageToken = token } }
end

local answers = {}

function answers.get_chats(place, options)
  local wanted, list = {}, {}
  for _, status in ipairs(options.statuses or {}) do wanted[status] = true end
  for _, id in ipairs(place.ids) do
    local chat = place.chats[id]
    if not options.statuses or wanted[chat.status] then
      list[#list + 1] = { chatId = chat.chatId, context = chat.context, type = chat.type, status = chat.status,
        updatedAt = datetime.write(chat.updated):gsub("%.%d+Z", "Z") }
    end
  end
  return page_of(place, ordered(list, place.order), options)
end

function answers.get_chat(place, chat_id) return place.chats[chat_id] end

function answers.get_chat_history(place, chat_id, options)
  local list, from = {}, tonumber(options.message_id_from or 0)
  for _, message in ipairs(place.chats[chat_id].messages) do
    if tonumber(message.messageId) >= from and not message.hidden then list[#list + 1] = message end
  end
  return page_of(place, ordered(list, place.order), options)
end

function answers.get_chat_message(place, chat_id, id)
  for _, message in ipairs(place.chats[chat_id].messages) do
    if tostring(message.messageId) == id and not message.hidden then return message end
  end
  return nil, errors.new("not_found", "get_chat_message", "no such message")
end

local function sent(place, chat_id, fields)
  fields.sender = "PARTNER"
  local id = place:says(chat_id, nil, fields)
  place.chats[chat_id].status = "WAITING_FOR_CUSTOMER"
  if place.on_sent then place.on_sent(chat_id, id) end
  return true
end

function answers.send_message(place, chat_id, text) return sent(place, chat_id, { message = text }) end

function answers.send_file(place, chat_id, path)
  local name = place.renames or path:match "[^/]*$"
  return sent(place, chat_id, { payload = { { name = name, url = "https://example.com/f", size = 5 } } })
end

local function answered(place, ...)
  place:moment()
  return ...
end

local function client_of(place)
  local client = { marketplace = "yandex_market", driver = place.driver,
    session = { account = function() return yandex_shop.business end } }
  for name, answer in pairs(answers) do
    client[name] = function(_, ...)
      place:moment()
      table.insert(place.log, { name = name, at = place.driver.elapsed, ... })
      local fault = place.faults[name] and table.remove(place.faults[name], 1)
      if not fault then return answered(place, answer(place, ...)) end
      if fault.answered == false then answer(place, ...) end
      local err = errors.new(fault.kind, name, fault.kind .. ", says the spec")
      err.dispatched, err.retry_after = fault.dispatched ~= false, fault.retry_after
      return nil, err
    end
  end
  return client
end

function Place:moment()
  if not self.on_moment then return end
  self.passed = self.passed + 1
  self.on_moment(self.passed)
end

function Place:moments(fn) self.on_moment, self.passed = fn, 0 end

local function watched(place, store)
  local commit = store.commit
  function store.commit(...)
    place:moment()
    return answered(place, commit(...))
  end
  return store
end

--- Another bot of the same place: as after a restart, with what the store has kept.
function Place:restart()
  local given = self.given
  if self.store then self.store:close() end
  self.store = watched(self, self.root:again())
  self.client = client_of(self)
  self.bot = avito.bot { client = self.client, store = self.store, rulebook = given.rulebook or yandex_shop.rules,
    calls = given.calls, on_escalate = function(call) table.insert(self.escalations, call) end,
    on_event = function(note) table.insert(self.notes, note) end,
    on_error = function(note) table.insert(self.errors, note.message) end }
  self.bot:poll { rounds = 1, seconds = 1 } -- it learns whose it is, and since when
end

yandex_shop.rules = { burst = "3s",
  { "торг", hears = "торг*", say = "Торг при осмотре." },
  { "доставка", hears = "доставк*", say = "Отправлю завтра." },
}

function yandex_shop.open(given)
  given = given or {}
  local place = setmetatable({ given = given, order = given.order or "descending", repeats = given.repeats, page = given.page,
    ids = {}, chats = {}, serial = given.first_id or 500, log = {}, faults = {}, planned = {}, notes = {}, errors = {},
    escalations = {} }, Place)
  place.driver = driver_of(place)
  place.root = avito.memory_store()
  place:restart()
  place.log = {}
  return place
end

--- A chat about an order, unless told otherwise.
function Place:chat(id, fields)
  local chat = { chatId = tonumber(id) < 2 ^ 53 and math.floor(tonumber(id)) or id, type = "CHAT", status = "NEW",
    context = { type = "ORDER", orderId = 9001, campaignId = 77, customer = { name = "Покупатель", publicId = "abc" } },
    messages = {}, updated = self.driver:time() }
  for name, value in pairs(fields or {}) do chat[name] = value end
  self.ids[#self.ids + 1], self.chats[id] = id, chat
  return chat
end

--- Somebody writes. Returns the message's id, as text.
function Place:says(chat_id, text, more)
  local chat = self.chats[chat_id] or self:chat(chat_id)
  self.serial = self.serial + 1
  local message = { messageId = self.serial, sender = "CUSTOMER", message = text, createdAt = self.driver:time() }
  for name, value in pairs(more or {}) do message[name] = value end
  chat.updated = math.max(chat.updated, message.createdAt)
  message.createdAt = datetime.write(math.floor(message.createdAt)):gsub("%.%d+Z", "Z")
  if message.sender == "CUSTOMER" then chat.status = "WAITING_FOR_PARTNER" end
  table.insert(chat.messages, message)
  return ("%.0f"):format(message.messageId)
end

--- A notification comes.
function Place:post(body)
  body.businessId = yandex_shop.business
  local answer = hook:answer { method = "POST", path = "/" .. SECRET, body = assert(json.encode(body)) }
  assert(self.store:receive(answer.account, assert(answer.rows, answer.note)))
  self.bot.lanes:told()
end

function Place:notify(chat_id, id, sent_at)
  self:post { notificationType = "CHAT_MESSAGE_SENT", chatId = chat_id, messageId = id,
    sentAt = datetime.write(sent_at or self.driver:time()) }
end

function Place:fail(name, fault, times)
  self.faults[name] = self.faults[name] or {}
  for _ = 1, times or 1 do table.insert(self.faults[name], fault) end
end

Place.at, Place.told = shop.Place.at, shop.Place.told

function Place:poll(given)
  given.interval = given.interval or 10
  self.bot:poll(given)
end

--- Without looking at the chats: only what is told.
function Place:work(seconds)
  local poll = require "avito_messenger.bot.poll"
  local settings = poll.settings("spec", { seconds = seconds or 60 }, self.driver:time(), 1, self.bot.market)
  settings.poll = nil
  require("avito_messenger.bot.run").loop(self.bot, settings)
end

function Place:calls(name)
  local list = {}
  for _, one in ipairs(self.log) do
    if one.name == name then list[#list + 1] = one end
  end
  return list
end

function Place:conversation(chat_id)
  local lines = {}
  for i, message in ipairs(self.chats[chat_id].messages) do
    lines[i] = ("%s: %s"):format(message.sender, message.message or "[file]")
  end
  return lines
end

function Place:record(chat_id) return self.store:peek(self.bot:account(), chat_id) end

return yandex_shop
