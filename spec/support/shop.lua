--- For specs: a shop in a sandbox of its own, its bot in the same process on the sandbox's clock, and nobody in the chats yet.
---
---   local place = shop.open { rulebook = { … }, on_escalate = …, sandbox = { … }, client = { … } }
---   local chat = place:says "Торг есть?"                 a buyer writes about the phone; { buyer =, item =, … } otherwise
---   place:at(5, function() … end)                        five seconds from now, when the bot waits across that moment
---   place:before("POST .*/read$", function() … end)      once, when the bot is about to send such a request; `behind`: after it
---   place.bot:poll { seconds = 20 }
---   place:conversation(chat) -> { "buyer: Торг есть?", "bot: Торг при осмотре." }
---   place:requests("get_messages"), place:unread(chat), place.notes, place.errors
local avito = require "avito_messenger"

local shop = {}

local Place = {}
Place.__index = Place

shop.user_id, shop.phone, shop.buyer = 94235311, 4098549657, 200000001

shop.rules = { burst = "3s",
  { "торг", hears = "торг*", say = "Торг при осмотре." },
  { "доставка", hears = "доставк*", say = "Отправлю завтра." },
}

--- A sandbox whose seller has one phone, and no chat unless given.
function shop.sandbox(given)
  local options = { accounts = { { user_id = shop.user_id, client_id = "dummy-client-id", client_secret = "dummy-client-secret" } },
    items = { { id = shop.phone, account = shop.user_id, title = "iPhone 12", price = "31\194\160500\194\160₽" } } }
  for name, value in pairs(given or {}) do options[name] = value end
  return avito.sandbox(options)
end

-- Lets the spec act while the bot sleeps, and around its requests.
local function watched(place, driver)
  local sleep, perform = driver.sleep, driver.perform
  function driver:sleep(seconds)
    local ends = self.elapsed + seconds
    while place.planned[1] and place.planned[1].at <= ends do
      local one = table.remove(place.planned, 1)
      sleep(self, one.at - self.elapsed)
      one.fn()
    end
    sleep(self, ends - self.elapsed)
  end
  local function meet(list, what)
    for i, one in ipairs(list) do
      if what:find(one.pattern) then return table.remove(list, i).fn() end
    end
  end
  function driver:perform(request)
    local what = request.method .. " " .. request.url:gsub("%?.*", "")
    meet(place.before_requests, what)
    local response = perform(self, request)
    meet(place.behind_requests, what)
    return response
  end
  return driver
end

function shop.open(given)
  given = given or {}
  local place = setmetatable({ box = given.box or shop.sandbox(given.sandbox), notes = {}, errors = {}, planned = {},
    before_requests = {}, behind_requests = {} }, Place)
  place.driver = watched(place, place.box:driver(given.driver))
  local settings = { client_id = "dummy-client-id", client_secret = "dummy-client-secret", io = place.driver, pace = false }
  for name, value in pairs(given.client or {}) do settings[name] = value end
  place.client = avito.client(settings)
  local options = { client = place.client, rulebook = shop.rules,
    on_event = function(note)
      place.notes[#place.notes + 1] = note
      if given.on_event then given.on_event(note) end
    end,
    on_error = function(note) place.errors[#place.errors + 1] = note.message end }
  for _, name in ipairs { "rulebook", "calls", "on_escalate", "on_error", "user_id", "store", "log" } do
    if given[name] ~= nil then options[name] = given[name] end
  end
  place.bot = avito.bot(options)
  return place
end

--- A buyer writes. Returns the id of the chat.
function Place:says(message)
  if type(message) == "string" then message = { text = message } end
  local spec = { buyer = shop.buyer, item = shop.phone }
  if message.chat_id then spec = {} end
  for name, value in pairs(message) do spec[name] = value end
  return self.box:say(spec).chat_id
end

--- The seller types in the app.
function Place:writes(chat_id, text)
  self.box:write { chat_id = chat_id, text = text }
end

function Place:at(seconds, fn)
  local one, place = { at = self.driver.elapsed + seconds, fn = fn }, #self.planned + 1
  while place > 1 and self.planned[place - 1].at > one.at do place = place - 1 end
  table.insert(self.planned, place, one)
end

function Place:before(pattern, fn) table.insert(self.before_requests, { pattern = pattern, fn = fn }) end

function Place:behind(pattern, fn) table.insert(self.behind_requests, { pattern = pattern, fn = fn }) end

--- What is in a chat, oldest first: who said what.
function Place:conversation(chat_id)
  return shop.conversation(self.box, chat_id)
end

function shop.conversation(box, chat_id)
  local lines = {}
  for _, message in ipairs(box.market.chats[chat_id].messages) do
    local who = message.request and "bot" or message.from
    lines[#lines + 1] = ("%s: %s"):format(who, message.content.text or ("[%s]"):format(message.type))
  end
  return lines
end

function Place:unread(chat_id)
  return self.box.market.unread(self.box.market.chats[chat_id])
end

--- The requests of an operation that the sandbox has seen.
function Place:requests(operation)
  return self.box:log { operation = operation }
end

--- The notes of a kind.
function Place:told(kind)
  local list = {}
  for _, note in ipairs(self.notes) do
    if note.kind == kind then list[#list + 1] = note end
  end
  return list
end

shop.Place = Place

return shop
