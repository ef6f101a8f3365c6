--- Two buyers write to the shop of nginx.conf while nginx is reloaded and its workers are killed. Avito is the sandbox, nginx and
--- time are real.
---
---     make demo-nginx               tools/demo-nginx starts both, and calls: demo.lua SANDBOX NGINX PID
local blocking = require "avito_messenger.io.blocking"
local json = require "avito_messenger.json"
local terminal = require "avito_messenger.terminal"
local transcript = require "avito_messenger.bot.transcript"

local SANDBOX, NGINX, MASTER = arg[1], arg[2], arg[3]
local PHONE, GALAXY = 4098549657, 4101230042
local PATIENCE = 60 -- seconds that anything may take

io.stdout:setvbuf "line"

local driver = blocking.new()

local function fetch(method, url, value)
  local response = driver:perform { method = method, url = url, headers = { "Content-Type: application/json" },
    body = value and assert(json.encode(value)), timeout = 10, max_bytes = 2 ^ 20, max_head_bytes = 2 ^ 14 }
  return response.status, response.body or response.message
end

local function control(method, what, value)
  local status, body = fetch(method, SANDBOX .. "/sandbox/" .. what, value)
  if status ~= 200 then error(("the sandbox answered %s to %s: %s"):format(status, what, body)) end
  return assert(json.decode(body))
end

local function await(what, condition)
  local ends = driver:now() + PATIENCE
  while true do
    local found = condition()
    if found then return found end
    if driver:now() > ends then error(what .. " was waited for in vain", 0) end
    driver:sleep(0.05)
  end
end

-- ---- what is printed

local function show(who, text)
  local column = 11
  for i, line in ipairs(transcript.wrap(text, terminal.width() - column)) do
    local head = i == 1 and who or ""
    print(head .. (" "):rep(column - #head) .. line)
  end
end

-- ---- the workers of nginx

local function workers()
  local list, pipe = {}, assert(io.popen("ps -o pid= -o args= --ppid " .. MASTER))
  for line in pipe:lines() do
    local pid, title = line:match "^%s*(%d+)%s+(.*)$"
    if title and title:find("worker process", 1, true) and not title:find("shutting down", 1, true) then list[#list + 1] = pid end
  end
  pipe:close()
  return list
end

-- Until none of these takes requests any more, and as many others do.
local function await_others(old)
  await("new workers", function()
    local new = workers()
    for _, pid in ipairs(new) do
      for _, before in ipairs(old) do
        if pid == before then return false end
      end
    end
    return #new == #old
  end)
end

-- ---- a buyer

local Buyer = {}
Buyer.__index = Buyer

local function buyer(name, id, item)
  return setmetatable({ name = name, id = id, item = item, seen = 0 }, Buyer)
end

function Buyer:says(text)
  self.chat_id = control("POST", "say", { buyer = self.id, item = self.item, text = text }).chat_id
  show(self.name, text)
end

function Buyer:sends_photo()
  control("POST", "say", { chat_id = self.chat_id, type = "image" })
  show(self.name, "[image]")
end

local function texts_to(chat_id)
  local texts = {}
  for _, send in ipairs(control("GET", "sends").sends) do
    if send.chat_id == chat_id then texts[#texts + 1] = send.text end
  end
  return texts
end

--- Shows so many answers as they come.
function Buyer:hears(count)
  for _ = 1, count do
    local text = await("the answer to " .. self.name, function() return texts_to(self.chat_id)[self.seen + 1] end)
    self.seen = self.seen + 1
    show("bot", text)
  end
end

-- ---- the play

await("the bot", function() return fetch("GET", NGINX .. "/healthz") == 200 end)
await("the workers", function() return #workers() == 2 end)
await("the subscription", function() return control("GET", "state").subscriptions[1] end)
show("*", "nginx runs two workers, and the bot in them is subscribed to webhooks")

local first, second = buyer("buyer 1", 200000004, PHONE), buyer("buyer 2", 200000003, GALAXY)
first:says "Добрый вечер! Доставкой отправите?"
first:hears(2)
second:says "Обмен интересует?"
second:hears(2)

local old = workers()
os.execute("kill -HUP " .. MASTER)
await_others(old)
show("*", "nginx was reloaded, in the middle of a dialogue: other workers go on")
second:says "iPhone 11 на 128 ГБ"
second:hears(1)

old = workers()
first:says "А оплата как?"
os.execute("kill -KILL " .. table.concat(old, " "))
await_others(old)
show("*", "all workers were killed before they answered: nginx began others")
first:hears(1)
second:sends_photo()
second:hears(1)
second:says "доплачу 7 тысяч"
second:hears(1)

await("health", function() return fetch("GET", NGINX .. "/healthz") == 200 end)
show("*", ("/healthz answers: %s"):format(select(2, fetch("GET", NGINX .. "/healthz")):match "^[^\n]*"))
local sent = #texts_to(first.chat_id) + #texts_to(second.chat_id)
show("*", ("%d messages were sent by the bot, for %d that were due"):format(sent, first.seen + second.seen))
driver:close()
