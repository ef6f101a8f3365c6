--- What the tasks of the torture do: one of all the methods of a client, with arguments that chance picks, and judge its end.
---
--- An actor has a client and a generator of its own; `place` is what all of them share:
---   chats, voice, directory               what to ask for, and where downloads go: there stands the voice, voice-0
---   images, messages                      ids of what was uploaded and not sent, and of what was sent and not deleted
---   calls, successes, started             counters
---   send(key, state)                      called with "started", and then "sent", "not sent" or "unclear"
---   problem(text)                         called with what must not happen
local core = require "avito_messenger.core"
local errors = require "avito_messenger.errors"
local files = require "support.files"
local loop = require "avito_messenger.io.loop"
local now = require("avito_messenger.clock").now

local PHONE = "examples/phone.png"
local KEPT = 100 -- ids of each kind at most
local URLS = 4
local FILES = 20

-- What no call may take, whatever its timeout was: not even on a machine that has other things to do.
local ENDLESS = 20

local KINDS = {}
for kind in ("auth forbidden payment_required not_found invalid rate_limited server network timeout decode cancelled")
  :gmatch "%S+" do
  KINDS[kind] = true
end

local Actor = {}
Actor.__index = Actor

local acts = {} -- methods of the client by name, iterators, and what the loop has for several at once

--- Notes an error that is not as calls return or raise it.
---@param place table
---@param where string
---@param err any
---@return boolean good
local function check_error(place, where, err)
  local good = errors.is(err) and KINDS[err.kind] and type(err.message) == "string" and type(err.dispatched) == "boolean"
  if not good then
    place.problem(("%s: %s"):format(where, type(err) == "table" and err.traceback or tostring(err)))
  end
  return good and true or false
end

local function judge(self, name, began, ok, value, ...)
  local place = self.place
  place.calls = place.calls + 1
  local seconds = now() - began
  if seconds > ENDLESS then place.problem(("%s took %.1f s"):format(name, seconds)) end
  if not ok then
    check_error(place, name .. " raised", value)
    error(value, 0)
  end
  if value == nil then
    check_error(place, name, (...))
  else
    place.successes = place.successes + 1
  end
  return value, ...
end

--- Calls a method of the client.
function Actor:call(name, ...)
  return judge(self, name, now(), pcall(self.client[name], self.client, ...))
end

function Actor:options()
  if self.random:chance(0.5) then return nil end
  return { timeout = self.random:within { 0.02, 1 }, retries = self.random:pick(4) - 1 }
end

function Actor:one_of(list)
  return list[self.random:pick(#list)]
end

function Actor:chat()
  return self:one_of(self.place.chats)
end

local function keep(list, value)
  if #list < KEPT then list[#list + 1] = value end
end

local function fate(ok, value, err)
  if not ok then err = value elseif value then return "sent" end
  return type(err) == "table" and err.dispatched == false and "not sent" or "unclear"
end

-- A send is known by its key: what is sent, which nobody else sends.
function Actor:send(key, name, chat)
  local place = self.place
  place.send(key, "started")
  local ok, value, err = pcall(self.call, self, name, chat, key, self:options())
  place.send(key, fate(ok, value, err))
  if not ok then error(value, 0) end
  if value then keep(place.messages, { chat, value.id }) end
end

function acts:send_message()
  self.place.texts = self.place.texts + 1
  self:send(("Это сообщение %d"):format(self.place.texts), "send_message", self:chat())
end

function acts:upload_image()
  local image = PHONE
  if self.random:chance(0.5) then image = { data = self.place.phone, filename = "phone.png" } end
  local id, sizes = self:call("upload_image", image, self:options())
  if not id then return end
  keep(self.place.images, id)
  self.place.sizes = sizes
end

function acts:send_image_message()
  local id = table.remove(self.place.images)
  if not id then return acts.upload_image(self) end
  self:send(id, "send_image_message", self:chat())
end

function acts:delete_message()
  local message = table.remove(self.place.messages)
  if not message then return acts.send_message(self) end
  self:call("delete_message", message[1], message[2], self:options())
end

function acts:get_chats()
  local filter = { limit = self.random:pick(100), unread_only = self.random:chance(0.2) }
  if self.random:chance(0.5) then filter.chat_types = { "u2i", "u2u", "a2u" } end
  self:call("get_chats", filter, self:options())
end

function acts:get_messages()
  self:call("get_messages", self:chat(), { limit = self.random:pick(20), offset = self.random:pick(20) }, self:options())
end

function acts:get_chat() self:call("get_chat", self:chat(), self:options()) end
function acts:mark_chat_as_read() self:call("mark_chat_as_read", self:chat(), self:options()) end
function acts:get_voice_files() self:call("get_voice_files", { self.place.voice }, self:options()) end
function acts:get_webhook_subscriptions() self:call("get_webhook_subscriptions", self:options()) end
function acts:get_self() self:call("get_self", self:options()) end

-- Port 9, "discard", where nobody listens.
local function webhook(self)
  return ("http://127.0.0.1:9/%d"):format(self.random:pick(URLS))
end

function acts:subscribe_webhook() self:call("subscribe_webhook", webhook(self), self:options()) end
function acts:unsubscribe_webhook() self:call("unsubscribe_webhook", webhook(self), self:options()) end

function acts:add_to_blacklist()
  self:call("add_to_blacklist", { { user_id = 200000001, context = { reason_id = self.random:pick(4) } } }, self:options())
end

-- A file is whole whoever reads it, also while others replace it.
function Actor:check_file(path, expected)
  local data = files.read(path)
  if data and data ~= expected then self.place.problem(("%s is not whole: %d bytes"):format(path, #data)) end
end

function acts:download_voice()
  local path = ("%s/voice-%d"):format(self.place.directory, self.random:pick(FILES))
  self:call("download_voice", self.place.voice, path, self:options())
  self:check_file(path, self.place.voice_data)
end

function acts:download_image()
  local sizes = self.place.sizes
  if not sizes then return acts.upload_image(self) end
  local path = ("%s/image-%d"):format(self.place.directory, self.random:pick(FILES))
  self:call("download_image", self.random:chance(0.5) and sizes or select(2, next(sizes)), path, self:options())
  self:check_file(path, self.place.phone)
end

function acts:request()
  if self.random:chance(0.5) then
    self:call("request", "GET", "/core/v1/accounts/self", nil, self:options())
  else
    self:call("request", "POST", "/messenger/v1/messages", { json = { text = "no such path" } }, self:options())
  end
end

-- ---- several calls

local function read(self, name, pages)
  local count, page = 0, now()
  local ok, problem = pcall(function()
    for _ in pages do
      count = count + 1
      if count % 50 == 0 then loop.sleep(0) end
      page = now()
    end
  end)
  judge(self, name, page, ok, ok and true or problem)
end

function acts:chats()
  read(self, "chats", self.client:chats({ limit = self.random:pick(5), prefetch = self.random:pick(4) - 1 }, self:options()))
end

function acts:messages()
  local range = { limit = 5 + self.random:pick(95), prefetch = self.random:pick(4) - 1 }
  read(self, "messages", self.client:messages(self:chat(), range, self:options()))
end

--- Does one thing, or several.
function Actor:act()
  return acts[self:one_of(self.place.names)](self)
end

local function check_errors(self, name, found)
  for _, err in pairs(found or {}) do check_error(self.place, name, err) end
end

function acts:all()
  local fns = {}
  for i = 1, self.random:pick(4) do
    fns[i] = function() self:act() end
  end
  check_errors(self, "all", select(2, loop.all(fns)))
end

function acts:map()
  local _, found = loop.map(self.client:chats({ limit = 2 }, self:options()), function(chat)
    return self:call("get_messages", chat.id, { limit = 3 }, self:options())
  end, { concurrency = self.random:pick(4) })
  check_errors(self, "map", found)
end

function acts:deadline()
  local began = now()
  local seconds = self.random:within { 0, 0.3 }
  local _, err = loop.deadline(seconds, function()
    for _ = 1, self.random:pick(4) do self:act() end
  end)
  if err then check_error(self.place, "deadline", err) end
  if now() - began > ENDLESS then self.place.problem "a deadline did not end in time" end
end

function acts:background()
  loop.background(function() self:act() end)
  self:act()
end

local module = { check_error = check_error }

--- What all share, with its counters.
---@param place table
function module.prepare(place)
  place.names = {}
  for name in pairs(acts) do place.names[#place.names + 1] = name end
  table.sort(place.names)
  for _, row in ipairs(core.endpoints()) do
    assert(acts[row.name], "the torture does not know the operation " .. row.name)
  end
  place.phone, place.voice_data = files.read(PHONE), files.read(place.directory .. "/voice-0")
  place.images, place.messages = {}, {}
  place.calls, place.successes, place.texts = 0, 0, 0
end

function module.new(place, client, random)
  return setmetatable({ place = place, client = client, random = random }, Actor)
end

return module
