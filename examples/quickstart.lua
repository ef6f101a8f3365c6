--- Logs in, lists the chats, reads one and answers it with a text and a photo.
---
---     avito-messenger sandbox                    (in one terminal)
---     lua examples/quickstart.lua                (in another)
---
--- Against Avito itself: AVITO_BASE_URL=https://api.avito.ru and your own AVITO_CLIENT_ID and AVITO_CLIENT_SECRET.
local avito = require "avito_messenger"

local client = avito.client {
  base_url = os.getenv "AVITO_BASE_URL" or "http://127.0.0.1:8077",
  client_id = os.getenv "AVITO_CLIENT_ID" or "dummy-client-id",
  client_secret = os.getenv "AVITO_CLIENT_SECRET" or "dummy-client-secret",
  timeout = 10,
  on_event = os.getenv "AVITO_LOG" and function(event)
    io.stderr:write(("  [%s %s: %s, %.1f ms]\n"):format(event.type, event.endpoint or "", event.status or event.error or "",
      (event.seconds or 0) * 1000))
  end or nil,
}

--- One line for a message of any type, those that nobody has thought of yet included.
local function describe(message)
  local content = message.content
  if message.type == avito.MessageType.TEXT then return content.text end
  if message.type == avito.MessageType.IMAGE then return "(photo)" end
  if message.type == avito.MessageType.VOICE then return "(voice message)" end
  if message.type == avito.MessageType.SYSTEM then return "(Avito: " .. (content.text or content.flow_id or "") .. ")" end
  return "(" .. message.type .. ")"
end

local function title(chat)
  return chat.context and chat.context.value and chat.context.value.title or "no item"
end

local self = assert(client:get_self())
print(("Logged in as %s (user %s)"):format(self.name, self.id))

print("\nChats with unread messages:")
local first
for chat in client:chats { unread_only = true, chat_types = { "u2i", "u2u" } } do
  first = first or chat
  print(("  %s  %s: %s"):format(chat.id, title(chat), describe(chat.last_message)))
end
if not first then
  print("  none")
  os.exit(0)
end

print("\n" .. title(first))
local messages = assert(client:get_messages(first.id, { limit = 20 }))
for i = #messages, 1, -1 do -- they come newest first
  local message = messages[i]
  local who = message.direction == avito.MessageDirection.IN and "buyer" or "you"
  print(("  %s  %-5s  %s"):format(os.date("%d.%m %H:%M", message.created), who, describe(message)))
end

print("\nAnswering:")
local sent = assert(client:send_message(first.id, "Здравствуйте! Да, ещё в продаже. Сейчас пришлю фото."))
print("  sent " .. sent.id)

local image_id = assert(client:upload_image((arg[0]:match("^(.*/)") or "") .. "phone.png"))
sent = assert(client:send_image_message(first.id, image_id))
print("  sent " .. sent.id .. " with image " .. image_id)

assert(client:mark_chat_as_read(first.id))
print("  marked as read")

-- What goes wrong comes back as nil and an error that says what it was and what to do.
local chat, err = client:get_chat("u2i-no-such-chat")
assert(chat == nil)
print("\nA chat that is not there:\n  " .. tostring(err))

client:close()
