--- The lanes of the chats: each chat's events and effects one after another, chats beside each other where the driver has
--- tasks. A record is changed on a copy, which takes its place when the step has succeeded.
local ending = require "avito_messenger.bot.ending"
local outbox = require "avito_messenger.bot.engine.outbox"
local perform = require "avito_messenger.bot.perform"
local record = require "avito_messenger.bot.engine.record"

---@class avito.bot.Lanes
local Lanes = {}
Lanes.__index = Lanes
Lanes.__name = "avito.bot.Lanes"

local MAX_WORK = 10000 -- steps of a lane before others get their turn
local MAX_PAUSE = 300  -- seconds
local FRESH = 2        -- seconds for which it is believed that nobody has typed in a chat since it was read

---@param bot avito.Bot
---@return avito.bot.Lanes
function Lanes.new(bot)
  return setmetatable({ bot = bot, chats = {}, events = {}, wakes = {}, running = {}, looked = {}, failures = {},
    last = 0 }, Lanes)
end

--- The record of a chat, as it was after its last step.
---@param chat_id string
---@return avito.bot.Chat
function Lanes:chat(chat_id)
  return self.chats[chat_id] or { id = chat_id }
end

--- Adds an event to the lane of a chat; `work` takes it from there.
---@param chat_id string
---@param event table
function Lanes:post(chat_id, event)
  local events = self.events[chat_id]
  if not events then
    events = {}
    self.events[chat_id] = events
  end
  events[#events + 1] = event
  self:told()
end

--- Has the chat events that its lane has not come to?
---@param chat_id string
---@return boolean
function Lanes:waiting(chat_id)
  return self.events[chat_id] ~= nil
end

--- Everything in the chat is known as of now.
---@param chat_id string
function Lanes:looked_at(chat_id)
  self.looked[chat_id] = self.bot.driver:time()
end

--- Ends `wait`.
function Lanes:told()
  if self.bot.driver.unpark then self.bot.driver:unpark(self) end
end

--- One event. False: the engine raised, and the record is as before.
local function step(self, chat_id, event)
  local bot = self.bot
  local chat = record.copy(self:chat(chat_id))
  local ok, notes = xpcall(function() return bot.engine:step(chat, event, bot.driver:time()) end, debug.traceback)
  if not ok then
    ending.pass(notes)
    bot:tell { kind = "error", chat_id = chat_id, message = ("event %s: %s"):format(event.type, tostring(notes)) }
    return false
  end
  self.chats[chat_id] = chat
  for _, note in ipairs(notes) do bot:tell(note) end
  return true
end

--- Makes the effect one that may have left. Refused, it is withdrawn: a person took over since it was queued.
local function latch(self, chat_id, key)
  local chat = record.copy(self:chat(chat_id))
  local row = self.bot.engine:latch(chat, key, self.bot.driver:time())
  self.chats[chat_id] = chat
  return row ~= nil
end

--- Has the chat to be read before the bot speaks? Polling for unread chats does not tell that the seller has typed in one.
local function is_stale(self, chat_id)
  local now, looked = self.bot.driver:time(), self.looked[chat_id]
  return self.bot.since and not (looked and now - looked < FRESH and now >= looked)
end

local function look(self, chat_id, effect)
  local ok, news = perform.news(self.bot, chat_id)
  if ok then return not news or step(self, chat_id, news) end
  return not latch(self, chat_id, effect.key) or step(self, chat_id, perform.failed(effect, news, false))
end

--- Does what is to be done first. False: the engine raised over what came of it.
local function act(self, chat_id, effect)
  local bot = self.bot
  if outbox.spoken(effect) and is_stale(self, chat_id) then return look(self, chat_id, effect) end
  if effect.kind ~= "about" and effect.kind ~= "check" and not latch(self, chat_id, effect.key) then return true end
  bot:tell { kind = "effect", chat_id = chat_id, effect = effect }
  local event, more = perform.effect(bot, effect)
  local ok = step(self, chat_id, event)
  return (not more or step(self, chat_id, more)) and ok
end

local function take(self, chat_id, events)
  local ok = true
  self.events[chat_id] = nil
  for _, event in ipairs(events) do ok = step(self, chat_id, event) and ok end
  return ok
end

--- What failed once would most likely fail again at once: the lane rests, longer each time.
local function fall_back(self, chat_id)
  local failures = (self.failures[chat_id] or 0) + 1
  self.failures[chat_id] = failures
  self.wakes[chat_id] = self.bot.driver:time() + math.min(2 ^ (failures - 1), MAX_PAUSE)
end

-- Until the chat has neither events nor anything to do now.
local function run(self, chat_id)
  local driver, engine = self.bot.driver, self.bot.engine
  for _ = 1, MAX_WORK do
    local events = self.events[chat_id]
    local effect = not events and engine:pending(self:chat(chat_id), driver:time())[1]
    local ok
    if events then
      ok = take(self, chat_id, events)
    elseif effect then
      ok = act(self, chat_id, effect)
    else
      local wake = engine:wake_at(self:chat(chat_id))
      if not wake or wake > driver:time() then
        self.wakes[chat_id], self.failures[chat_id] = wake, nil
        return
      end
      ok = step(self, chat_id, { type = "wake" })
    end
    if not ok then return fall_back(self, chat_id) end
  end
  self.wakes[chat_id] = driver:time() + 1
end

--- A lane that broke off has left an effect of which nobody knows whether it was done.
local function recover(self, chat_id)
  local chat = record.copy(self:chat(chat_id))
  self.bot.engine:recover(chat, self.bot.driver:time())
  self.chats[chat_id] = chat
end

local function is_running(task)
  return task == true or (task ~= nil and not task.ended) -- one that was cancelled before it began has ended, too
end

local function begin(self, chat_id)
  if is_running(self.running[chat_id]) then return end
  self.wakes[chat_id] = nil
  local function lane()
    local ok, err = xpcall(function()
      recover(self, chat_id)
      run(self, chat_id)
    end, debug.traceback)
    self.running[chat_id] = nil
    if not ok then
      fall_back(self, chat_id)
      ending.pass(err)
      self.bot:tell { kind = "error", chat_id = chat_id, message = tostring(err) }
    end
    self:told()
  end
  if self.bot.driver.spawn then
    self.running[chat_id] = self.bot.driver:spawn(lane)
  else
    self.running[chat_id] = true
    lane()
  end
end

--- Works on all chats that have events or whose time has come.
function Lanes:work()
  local now, due = self.bot.driver:time(), {}
  if now < self.last then -- the clock was put back: what was to happen at a time is looked at anew
    for chat_id in pairs(self.wakes) do self:post(chat_id, { type = "wake" }) end
  end
  self.last = now
  for chat_id in pairs(self.events) do due[#due + 1] = chat_id end
  for chat_id, wake in pairs(self.wakes) do
    if wake <= now and not self.events[chat_id] then due[#due + 1] = chat_id end
  end
  table.sort(due)
  for _, chat_id in ipairs(due) do begin(self, chat_id) end
end

--- Is any chat being worked on?
---@return boolean
function Lanes:busy()
  for _, task in pairs(self.running) do
    if is_running(task) then return true end
  end
  return false
end

--- Seconds until a chat has to be looked at; math.huge: none has.
---@return number
function Lanes:rest()
  local least = math.huge
  for _, wake in pairs(self.wakes) do least = math.min(least, wake) end
  for chat_id in pairs(self.events) do
    if not is_running(self.running[chat_id]) then return 0 end
  end
  return math.max(0, least - self.bot.driver:time())
end

--- Waits so long, or until a lane has something new. Raises when the task is cancelled.
---@param seconds number
function Lanes:wait(seconds)
  local driver = self.bot.driver
  if seconds <= 0 then return end
  local _, err
  if driver.park then _, err = driver:park(seconds, self) else _, err = driver:sleep(seconds) end
  if err then error(err, 0) end
end

return Lanes
