--- What messages of each type hold. A message is described shortly, as somebody writes it by hand
--- (`{ type = "link", url = "…" }`), and gets the API's `content`.
local codec = require "avito_messenger.sandbox.codec"
local words = require "avito_messenger.words"

local content = {}

local function want(spec, field)
  local value = spec[field]
  if type(value) ~= "string" or value == "" then
    error(("message of type '%s': field '%s' must be a non-empty string"):format(spec.type, field), 0)
  end
  return value
end

local builders = {}

function builders.text(spec)
  local text = want(spec, "text")
  if codec.characters(text) > 10000 then error("message text: over 10000 characters", 0) end
  return { text = text }
end

function builders.link(spec)
  local url = want(spec, "url")
  return { link = { text = spec.text or url, url = url, preview = spec.preview } }
end

function builders.item(spec, market)
  local item = market.items[spec.item_id]
  if not item then error("message of type 'item': field 'item_id' must be a known item", 0) end
  return { item = { title = item.title, price_string = item.price, item_url = item.url,
    image_url = { file = "item" .. item.id, size = "640x480.jpg" } } }
end

function builders.location(spec)
  local title = spec.text or spec.title or "Москва, Варшавское шоссе"
  return { location = { kind = spec.kind or "street", lat = spec.lat or 55.599799, lon = spec.lon or 37.603954,
    text = title, title = spec.title or title } }
end

function builders.call(spec, _, chat)
  return { call = { status = spec.status or "missed", target_user_id = spec.target_user_id or chat.account } }
end

function builders.voice(spec, market)
  local id = spec.voice_id or market.random:hex(32)
  market.voices[id] = market.voices[id] or { id = id }
  return { voice = { voice_id = id } }
end

function builders.image(spec, market)
  local id = spec.image_id or market:new_image_id()
  market.images[id] = market.images[id] or { id = id }
  return { image = { file = id } }
end

function builders.system(spec)
  return { flow_id = spec.flow_id or "seller_audience_discount", text = spec.text or "Системное сообщение" }
end

local function empty() return {} end
builders.deleted, builders.appCall, builders.file, builders.video = empty, empty, empty, empty

content.types = builders

--- The content of a described message. Raises for a type nobody knows, unless its content is given.
---@param spec table
---@param market avito.sandbox.Market
---@param chat table
---@return table
function content.build(spec, market, chat)
  if spec.content ~= nil then
    if type(spec.content) ~= "table" then error("message: field 'content' must be a table", 0) end
    return spec.content
  end
  local builder = builders[spec.type]
  if not builder then
    error(words.unknown(spec.type, words.names(builders), "message type") .. ", or give its 'content'", 0)
  end
  return builder(spec, market, chat)
end

local SIZES = { "1280x960", "640x480", "140x105", "32x32" }

--- The four addresses of an image.
---@param id string
---@param origin string
---@return table<string, string>
function content.sizes(id, origin)
  local sizes = {}
  for _, size in ipairs(SIZES) do
    sizes[size] = ("%s/files/images/%s/%s.jpg"):format(origin, codec.escape(id), size)
  end
  return sizes
end

--- Content as the API gives it: stored images become addresses under `origin`.
---@param stored table
---@param origin string
---@return table
function content.shown(stored, origin)
  local image, item = stored.image, stored.item
  if image and image.file then return { image = { sizes = content.sizes(image.file, origin) } } end
  if item and type(item.image_url) == "table" then
    local shown = {}
    for name, value in pairs(item) do shown[name] = value end
    shown.image_url = ("%s/files/images/%s/%s"):format(origin, item.image_url.file, item.image_url.size)
    return { item = shown }
  end
  return stored
end

return content
