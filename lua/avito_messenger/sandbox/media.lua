--- Images and voice messages: taken, found, and served under /files/.
local check = require "avito_messenger.sandbox.check"
local codec = require "avito_messenger.sandbox.codec"
local content = require "avito_messenger.sandbox.content"
local images = require "avito_messenger.sandbox.images"
local multipart = require "avito_messenger.sandbox.multipart"
local reply = require "avito_messenger.sandbox.reply"

local media = {}

local FILE_MAX = 24 * 1024 * 1024
local PIXELS_MAX = 75 * 1000 * 1000
local VOICE_LIVES = 3600

-- One grey pixel stands for every picture nobody uploaded.
local PIXEL = "\137PNG\r\n\026\n\0\0\0\013IHDR\0\0\0\001\0\0\0\001\008\0\0\0\0\058\126\155\085" ..
  "\0\0\0\010IDAT\120\218\099\104\0\0\0\130\0\129\218\069\008\059\0\0\0\0IEND\174\066\096\130"

local function box(kind, body)
  local size = #body + 8
  return string.char(math.floor(size / 16777216) % 256, math.floor(size / 65536) % 256,
    math.floor(size / 256) % 256, size % 256) .. kind .. body
end

-- The frame of an MP4 with an Opus track. It names the codec; nothing in it sounds.
local function voice_bytes(id)
  local opus = box("dOps", "\0\1\1\56\0\0\187\128\0\0\0")
  return box("ftyp", "isom\0\0\2\0isomiso2mp41") .. box("moov", box("trak", box("stsd", box("Opus", opus)))) ..
    box("mdat", ("sandbox voice %s "):format(id):rep(32))
end

function media.upload_image(call)
  local file = multipart.file(call.request, "uploadfile[]", call.sandbox.options.strict)
  if #file.data > FILE_MAX then reply.refuse(reply.error(413, "the file is over 24 MB")) end
  local format, width, height = images.inspect(file.data)
  if not format then check.refuse("uploadfile[]", "JPEG, HEIC, GIF, BMP or PNG expected") end
  if width * height > PIXELS_MAX then check.refuse("uploadfile[]", "over 75 megapixels") end
  local id = call.market:new_image_id()
  call.market.images[id] = { id = id, account = call.account.user_id, data = file.data, format = format,
    width = width, height = height }
  call.entry.applied, call.entry.image_id = true, id
  return reply.json(200, { [id] = content.sizes(id, call.origin) })
end

function media.download_image(call)
  local image = call.market.images[call.parameters.image_id]
  if not image and call.parameters.image_id ~= "avatar" then return reply.text(404, "no such image\n") end
  local known = image and image.data
  return reply.text(200, known or PIXEL, known and "image/" .. image.format or "image/png")
end

local function key(sandbox, id, expires)
  return sandbox:sign("voice", id, expires)
end

-- The voice messages of the account's chats, by id.
local function own_voices(call)
  local own = {}
  for _, chat in ipairs(call.account.chats) do
    for _, message in ipairs(chat.messages) do
      local voice = message.content.voice
      if voice and voice.voice_id then own[voice.voice_id] = true end
    end
  end
  return own
end

function media.get_voice_files(call)
  local own = own_voices(call)
  local expires = math.floor(call.now) + VOICE_LIVES
  local urls = {}
  for _, id in ipairs(call.query.voice_ids) do
    if own[id] then
      urls[id] = ("%s/files/voices/%s/%s?expires=%.0f"):format(call.origin, codec.escape(id),
        key(call.sandbox, id, expires), expires)
    end
  end
  return reply.json(200, { voices_urls = urls })
end

function media.download_voice(call)
  local id, expires = call.parameters.voice_id, call.query.expires
  if not call.market.voices[id] or call.parameters.key ~= key(call.sandbox, id, expires) then
    return reply.text(404, "no such file\n")
  end
  if call.now > expires then return reply.text(403, "the link has expired\n") end
  return reply.text(200, voice_bytes(id), "audio/mp4")
end

return media
