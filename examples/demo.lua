--- A day of the shop: the bot of examples/shop_rules.lua against the sandbox, three buyers, and the seller who steps in.
--- Time is the sandbox's, so a night passes in a moment.
---
---     make demo
local avito = require "avito_messenger"
local blocking = require "avito_messenger.io.blocking"
local hours = require "avito_messenger.bot.hours"
local terminal = require "avito_messenger.terminal"
local transcript = require "avito_messenger.bot.transcript"

local here = arg[0]:match("^(.*/)") or ""
local zone = assert(hours.zone "Europe/Samara")

local sandbox = avito.sandbox { seed = 1 }
local driver = sandbox:driver { now = zone:unix { year = 2026, month = 11, day = 20, hour = 23, min = 12, sec = 0 } }
local client = avito.client { client_id = "dummy-client-id", client_secret = "dummy-client-secret", io = driver }

-- What is printed: on a terminal in colour, and slowly enough to be read.
local colour = terminal.colour()
local reader = colour and blocking.new() or nil
local lines = transcript.new { zone = zone, colour = colour, width = terminal.width(), column = 26 }
local names, taken_over = {}, {}

local function show(entry)
  entry.time = driver:time()
  print(lines:line(entry))
  if reader then reader:sleep(0.6 + 0.01 * transcript.columns(entry.text or "")) end
end

local function name_of(chat_id) return names[chat_id] or chat_id end

local bot = avito.bot {
  client = client,
  rulebook = here .. "shop_rules.lua",
  on_event = function(note)
    local effect = note.effect
    if note.kind == "effect" and (effect.kind == "send" or effect.kind == "image") then
      show { who = "bot", rule = ("%s, to %s"):format(effect.rule or "", name_of(note.chat_id)),
        type = effect.kind == "image" and "image" or "text", text = effect.text or effect.image }
    elseif note.kind == "effect" and effect.kind == "blacklist" then
      show { who = "note", text = ("%s is put on the blacklist"):format(name_of(note.chat_id)) }
    elseif note.kind == "human" and not taken_over[note.chat_id] then
      taken_over[note.chat_id] = true
      show { who = "note", text = ("the seller writes to %s: the bot is silent there for 12 hours"):format(name_of(note.chat_id)) }
    end
  end,
  on_escalate = function(call)
    show { who = "note", text = ("the seller is called to %s: %s"):format(name_of(call.chat_id), call.note or call.text or "") }
  end,
}

local PHONE, GALAXY, REDMI = 4098549657, 4101230042, 3987654321

--- A buyer of the script: says what a buyer says, about an item.
local function buyer(name, id, item)
  return function(message)
    if type(message) == "string" then message = { text = message } end
    message.buyer, message.item = id, item
    local said = sandbox:say(message)
    names[said.chat_id] = name
    show { who = "buyer", name = name, type = message.type, text = message.text }
    return said.chat_id
  end
end

-- Chats of their own: nobody has written in them before.
local haggler, exchanger, spammer = buyer("buyer 1", 200000004, PHONE), buyer("buyer 2", 200000003, GALAXY),
  buyer("buyer 3", 200000002, REDMI)
local haggling

local function seller(text)
  sandbox:write { chat_id = haggling, text = text }
  show { who = "seller", text = text }
end

local script = {
  { 10, function() haggling = haggler "Добрый вечер! Телефон ещё продаёте?" end },
  { 3, function() haggler "и торг есть?" end },
  { 60, function() exchanger "Здравствуйте, обмен интересует?" end },
  { 40, function() exchanger "iPhone 11 на 128, состояние хорошее" end },
  { 30, function() exchanger "фото потом пришлю" end },
  { 50, function() exchanger { type = "image" } end },
  { 40, function() exchanger "доплачу 7 тысяч" end },
  { 300, function() spammer "Заработок на дому без вложений! Подробности: https://example.com/rich" end },
  { 20, function() spammer "Вы посмотрели?" end },
  { 10 * 3600 + 20 * 60, function() haggler "А за 28 отдадите? Приеду сегодня" end },
  { 90, function() seller "Здравствуйте! За 29 отдам, если сегодня до шести." end },
  { 120, function() haggler "Хорошо, буду к пяти. Адрес какой?" end },
  { 60, function() seller "ТЦ «Космопорт», наберите, как подъедете." end },
  { 60, function() haggler "Спасибо!" end },
}

print "A shop in Samara, late in the evening; times are the sandbox's.\n"
for _, act in ipairs(script) do
  bot:poll { interval = act[1] > 3600 and 60 or 5, seconds = act[1] }
  act[2]()
end
bot:poll { interval = 5, seconds = 60 }

print(("\n%d messages were sent by the bot."):format(#sandbox:sends()))
print "Its rules: examples/shop_rules.lua"
print "Its program, for a real account: examples/shop_bot.lua"
client:close()
