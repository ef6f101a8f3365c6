--- The lanes of the chats: each chat's events and effects one after another, chats beside each other where the driver has
--- tasks. A record is changed on a copy, which takes its place when the step has succeeded.
local about = require "avito_messenger.bot.about"
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
  return setmetatable({ bot = bot, chats = {}, events = {}, wakes = {}, running = {}, looked = {} }, Lanes)
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
end

local function step(self, chat_id, event)
  local bot = self.bot
  local chat = record.copy(self:chat(chat_id))
  local ok, notes = xpcall(function() return bot.engine:step(chat, event, bot.driver:time()) end, debug.traceback)
  if not ok then
    return bot:tell { kind = "error", chat_id = chat_id, message = ("event %s: %s"):format(event.type, tostring(notes)) }
  end
  self.chats[chat_id] = chat
  for _, note in ipairs(notes) do bot:tell(note) end
end

--- Polling for unread chats does not tell that the seller has typed in one: so it is read right before the bot speaks.
--- False: it was read a moment ago.
local function look(self, chat_id, key)
  local bot = self.bot
  local now = bot.driver:time()
  local looked = self.looked[chat_id]
  if not bot.since or (looked and now - looked < FRESH and now >= looked) then return false end
  local messages, err = bot.client:get_messages(chat_id, { limit = 10 })
  if messages then
    self.looked[chat_id] = bot.driver:time()
    for _, event in ipairs(about.events(messages, bot.since)) do step(self, chat_id, event) end
  elseif bot.engine:latch(self.chats[chat_id], key, now) then
    step(self, chat_id, { type = "failed", key = key,
      error = { kind = err.kind, message = tostring(err), dispatched = false, retry_after = err.retry_after } })
  end
  return true
end

--- Does what is pending first. False: nothing is.
local function act(self, chat_id)
  local bot = self.bot
  local effect = bot.engine:pending(self:chat(chat_id), bot.driver:time())[1]
  if not effect then return false end
  if SPOKEN[effect.kind] and look(self, chat_id, effect.key) then return true end
  if effect.kind ~= "about" and effect.kind ~= "check" then
    local chat = record.copy(self:chat(chat_id))
    if not bot.engine:latch(chat, effect.key, bot.driver:time()) then
      -- A person took over between the row's turn and its sending; the row is gone with the next step.
      step(self, chat_id, { type = "wake" })
      return false
    end
    self.chats[chat_id] = chat
  end
  bot:tell { kind = "effect", chat_id = chat_id, effect = effect }
  local event, more = perform.effect(bot, effect)
  step(self, chat_id, event)
  for _, one in ipairs(more or {}) do step(self, chat_id, one) end
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

local function begin(self, chat_id)
  if self.running[chat_id] then return end
  self.running[chat_id], self.wakes[chat_id] = true, nil
  local function lane()
    local ok, err = xpcall(run, debug.traceback, self, chat_id)
    self.running[chat_id] = nil
    if not ok then
      -- A task that is cancelled ends here; what it left is done when the chat is looked at again.
      self.wakes[chat_id] = self.bot.driver:time() + 1
      self.bot:tell { kind = "error", chat_id = chat_id, message = tostring(err) }
    end
    if self.bot.driver.unpark then self.bot.driver:unpark(self) end
  end
  if self.bot.driver.spawn then self.bot.driver:spawn(lane) else lane() end
end

--- Works on all chats that have events or whose time has come.
function Lanes:work()
  local now, due = self.bot.driver:time(), {}
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
  return next(self.running) ~= nil
end

--- When the next chat has to be looked at, or nil.
---@return number?
function Lanes:next_wake()
  local least
  for _, wake in pairs(self.wakes) do
    if not least or wake < least then least = wake end
  end
  for chat_id in pairs(self.events) do
    if not self.running[chat_id] then return 0 end
  end
  return least
end

--- Waits until `unix`, or until a lane has something new.
---@param unix number
function Lanes:wait(unix)
  local driver = self.bot.driver
  local seconds = unix - driver:time()
  if seconds <= 0 then return end
  if driver.park then driver:park(seconds, self) else driver:sleep(seconds) end
end

return Lanes
