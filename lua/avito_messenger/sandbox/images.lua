--- Which image format some bytes are, and how many pixels they claim.
local images = {}

local function be(data, at, size)
  local value = 0
  for i = at, at + size - 1 do
    local byte = data:byte(i)
    if not byte then return nil end
    value = value * 256 + byte
  end
  return value
end

local function le(data, at, size)
  local value = 0
  for i = at + size - 1, at, -1 do
    local byte = data:byte(i)
    if not byte then return nil end
    value = value * 256 + byte
  end
  return value
end

local function png(data)
  if data:sub(1, 8) ~= "\137PNG\r\n\26\n" or data:sub(13, 16) ~= "IHDR" then return nil end
  return be(data, 17, 4), be(data, 21, 4)
end

local function gif(data)
  if data:sub(1, 6) ~= "GIF87a" and data:sub(1, 6) ~= "GIF89a" then return nil end
  return le(data, 7, 2), le(data, 9, 2)
end

local function bmp(data)
  if data:sub(1, 2) ~= "BM" then return nil end
  local height = le(data, 23, 4)
  if height and height >= 2 ^ 31 then height = 2 ^ 32 - height end -- negative: rows from the top
  return le(data, 19, 4), height
end

-- Walks the segments up to the frame header (SOF), which alone has the size.
local function jpeg(data)
  if data:sub(1, 3) ~= "\255\216\255" then return nil end
  local at = 3
  while true do
    if data:byte(at) ~= 255 then return nil end
    while data:byte(at) == 255 do at = at + 1 end
    local marker = data:byte(at)
    if not marker or marker == 0xD9 or marker == 0xDA then return nil end
    if marker >= 0xC0 and marker <= 0xCF and marker ~= 0xC4 and marker ~= 0xC8 and marker ~= 0xCC then
      return be(data, at + 6, 2), be(data, at + 4, 2)
    end
    local length = be(data, at + 1, 2)
    if not length then return nil end
    at = at + 1 + length
  end
end

local BRANDS = { heic = true, heix = true, hevc = true, hevx = true, heim = true, heis = true, mif1 = true,
  msf1 = true }

local function heic(data)
  if data:sub(5, 8) ~= "ftyp" or not BRANDS[data:sub(9, 12)] then return nil end
  local at = data:find("ispe", 1, true)
  if not at then return nil end
  return be(data, at + 8, 4), be(data, at + 12, 4)
end

local readers = { { "jpeg", jpeg }, { "png", png }, { "gif", gif }, { "bmp", bmp }, { "heic", heic } }

--- The format of an image and its size in pixels; nil when it is none of the five.
---@param data string
---@return string? format
---@return integer? width
---@return integer? height
function images.inspect(data)
  for _, reader in ipairs(readers) do
    local width, height = reader[2](data)
    if width and height then return reader[1], width, height end
  end
end

return images
