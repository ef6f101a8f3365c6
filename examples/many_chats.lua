--- Which buyers wait for an answer? Reads all chats and the messages of the unread ones, several at once, and saves the photos
--- and voice messages in them.
---
---     tools/demo examples/many_chats.lua [directory]         against the sandbox
---
--- Against Avito itself: AVITO_BASE_URL=https://api.avito.ru and your own AVITO_CLIENT_ID and AVITO_CLIENT_SECRET.
local avito = require "avito_messenger"
local loop = require "avito_messenger.io.loop"

local directory = arg[1]

local client = avito.client {
  io = loop,
  base_url = os.getenv "AVITO_BASE_URL" or "http://127.0.0.1:8077",
  client_id = os.getenv "AVITO_CLIENT_ID" or "dummy-client-id",
  client_secret = os.getenv "AVITO_CLIENT_SECRET" or "dummy-client-secret",
  timeout = 60, -- a call may have to wait for its turn: the client paces itself
}

--- Saves what the message carries, if anything. Returns the file's path.
local function save(message)
  local path = ("%s/%s"):format(directory, message.id)
  if message.type == avito.MessageType.VOICE then
    path = path .. ".mp4"
    assert(client:download_voice(message.content.voice.voice_id, path))
  elseif message.type == avito.MessageType.IMAGE then
    path = path .. ".jpg"
    assert(client:download_image(message.content.image.sizes, path))
  else
    return nil
  end
  return path
end

--- What is new in a chat: how many messages of the buyer's since the seller's last, and since when the first of them waits.
local function look(chat)
  local messages, err = client:get_messages(chat.id, { limit = 50 })
  if not messages then return nil, err end
  local waiting = { chat = chat, count = 0, files = {} }
  for _, message in ipairs(messages) do -- the newest first
    if message.direction == avito.MessageDirection.OUT then break end
    if message.type ~= avito.MessageType.SYSTEM then
      waiting.count, waiting.since = waiting.count + 1, message.created
      waiting.files[#waiting.files + 1] = directory and save(message)
    end
  end
  return waiting
end

local function report(chats, found, errors)
  for i, chat in ipairs(chats) do
    local waiting = found[i]
    local title = chat.context and chat.context.value and chat.context.value.title or "no item"
    if not waiting then
      print(("  %s: %s"):format(title, errors[i]))
    elseif waiting.count > 0 then
      print(("  %s: %d unanswered since %s"):format(title, waiting.count, os.date("%d.%m %H:%M", waiting.since)))
      for _, path in ipairs(waiting.files) do print("    saved " .. path) end
    end
  end
end

loop.run(function()
  local chats = {}
  for chat in client:chats { unread_only = true, chat_types = { "u2i", "u2u" }, prefetch = 2 } do
    chats[#chats + 1] = chat
  end
  print(("%d chats with unread messages:"):format(#chats))
  local found, errors = loop.map(chats, look, { concurrency = 20 })
  report(chats, found, errors)
end)
