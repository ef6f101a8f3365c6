--- The lanes of the chats: each chat's events and effects one after another, chats beside each other where the driver has
--- tasks. A record is changed on a copy, which takes its place when the step has succeeded.
local ending = require "avito_messenger.bot.ending"
local perform = require "avito_messenger.bot.perform"
local record = require "avito_messenger.bot.engine.record"

---@class avito.bot.Lanes
local Lanes = {}
Lanes.__index = Lanes
Lanes.__name = "avito.bot.Lanes"

local MAX_WORK = 10000 -- steps of a lane before others get their turn
local FRESH = 2        -- seconds for which it is believed that nobody has typed in a chat since it was read
local SPOKEN = { send = true, image = true }

---@param bot avito.Bot
---@return avito.bot.Lanes
function Lanes.new(bot)
  return setmetatable({ bot = bot, chats = {}, events = {}, wakes = {}, running = {}, looked = {}, last = 0 }, Lanes)
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

local function step(self, chat_id, event)
  local bot = self.bot
  local chat = record.copy(self:chat(chat_id))
  local ok, notes = xpcall(function() return bot.engine:step(chat, event, bot.driver:time()) end, debug.traceback)
  if not ok then
    ending.pass(notes)
    return bot:tell { kind = "error", chat_id = chat_id, message = ("event %s: %s"):format(event.type, tostring(notes)) }
  end
  self.chats[chat_id] = chat
  for _, note in ipairs(notes) do bot:tell(note) end
end

--- Makes the effect one that may have left. Refused, it is withdrawn: a person took over since it was queued.
local function latch(self, chat_id, key)
  local chat = record.copy(self:chat(chat_id))
  local row = self.bot.engine:latch(chat, key, self.bot.driver:time())
  self.chats[chat_id] = chat
  return row ~= nil
end

--- Polling for unread chats does not tell that the seller has typed in one: so it is read right before the bot speaks.
--- False: it was read a moment ago.
local function look(self, chat_id, key)
  local now, looked = self.bot.driver:time(), self.looked[chat_id]
  if not self.bot.since or (looked and now - looked < FRESH and now >= looked) then return false end
  local ok, news = perform.news(self.bot, chat_id)
  if ok then
    if news then step(self, chat_id, news) end
  elseif latch(self, chat_id, key) then
    step(self, chat_id, { type = "failed", key = key,
      error = { kind = news.kind, message = tostring(news), dispatched = false, retry_after = news.retry_after } })
  end
  return true
end

--- Does what is pending first. False: nothing is.
local function act(self, chat_id)
  local bot = self.bot
  local effect = bot.engine:pending(self:chat(chat_id), bot.driver:time())[1]
  if not effect then return false end
  if SPOKEN[effect.kind] and look(self, chat_id, effect.key) then return true end
  if effect.kind ~= "about" and effect.kind ~= "check" and not latch(self, chat_id, effect.key) then return true end
  bot:tell { kind = "effect", chat_id = chat_id, effect = effect }
  local event, more = perform.effect(bot, effect)
  step(self, chat_id, event)
  if more then step(self, chat_id, more) end
  return true
end

-- Until the chat has neither events nor anything to do now.
local function run(self, chat_id)
  for _ = 1, MAX_WORK do
    local events = self.events[chat_id]
    if events then
      self.events[chat_id] = nil
      for _, event in ipairs(events) do step(self, chat_id, event) end
    elseif not act(self, chat_id) then
      local wake = self.bot.engine:wake_at(self:chat(chat_id))
      if not wake or wake > self.bot.driver:time() then
        self.wakes[chat_id] = wake
        return
      end
      step(self, chat_id, { type = "wake" })
    end
  end
  self.wakes[chat_id] = self.bot.driver:time() + 1
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
      self.wakes[chat_id] = self.bot.driver:time() + 1
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
