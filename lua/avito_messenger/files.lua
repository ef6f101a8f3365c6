--- The methods of a client that read and write files. A large one is never in memory as a whole.
local errors = require "avito_messenger.errors"
local run = require "avito_messenger.run"

---@class avito_messenger.Client
local files = {}

local IMAGE_START = 512 * 1024 -- the size in pixels stands in it, behind all that cameras write before it

--- A file as the core wants it told: how long it is, and how it begins.
local function describe(path)
  local file, message = io.open(path, "rb")
  if not file then return nil, message end
  local start, size
  start, message = file:read(IMAGE_START)
  if start then size, message = file:seek "end" end
  file:close()
  if not size then return nil, ("%s: %s"):format(path, message or "the file is empty") end
  return { path = path, size = size, start = start, filename = path:match("[^/]*$") }
end

--- Uploads a JPEG, HEIC, GIF, BMP or PNG of at most 24 MB and 75 megapixels; its format and size are read from its own bytes.
---@param image string|{ data: string, filename?: string } a path, or the bytes
---@param call_options? avito_messenger.CallOptions
---@return string? image_id for send_image_message
---@return table<string, string>|avito_messenger.Error sizes_or_error the address of each size, by "WxH"
function files:upload_image(image, call_options)
  if self.closed then return errors.closed "upload_image" end
  if type(image) == "string" then
    local message
    image, message = describe(image)
    if not image then return nil, errors.new("invalid", "upload_image", message) end
  end
  local now = self.driver:now()
  return run.operation(self.session:operation("upload_image", now, image, call_options), now, self)
end

local function check_string(method, name, value, level)
  if type(value) ~= "string" then
    error(("%s: %s must be a string, got %s"):format(method, name, type(value)), (level or 2) + 1)
  end
end

--- Lua's os functions, and C, would take what stands before a zero byte for the path: the name of another file.
local function zero_byte(method)
  return nil, errors.new("invalid", method, "the path of the file has a zero byte")
end

--- Beside the target, so that the rename stays within one file system.
local function temporary_name(self, path)
  return ("%s.%s.part"):format(path, self.session:nonce())
end

--- Carries a download to the temporary file out and gives that its name: the target is whole or as it was.
local function save(self, method, operation, now, temporary, path)
  local ok, value, err = pcall(run.operation, operation, now, self)
  if ok and value then
    local message
    value, message = os.rename(temporary, path)
    if value then return true end
    err = errors.new("invalid", method, ("cannot write %s: %s"):format(path, message:match("[^:]+$"):match("%S.*")))
    err.dispatched = true
  end
  os.remove(temporary)
  if not ok then error(value, 0) end
  return nil, err
end

--- Saves a voice message (Opus in MP4) to a file, whole or not at all.
---@param voice_id string content.voice.voice_id of the message
---@param path string
---@param call_options? avito_messenger.CallOptions
---@return true?
---@return avito_messenger.Error?
function files:download_voice(voice_id, path, call_options)
  check_string("download_voice", "path", path)
  check_string("download_voice", "voice_id", voice_id)
  if self.closed then return errors.closed "download_voice" end
  if path:find("\0", 1, true) then return zero_byte "download_voice" end
  local started = self.driver:now()
  local operation = self.session:operation("get_voice_files", started, { voice_id }, call_options)
  local urls, err = run.operation(operation, started, self)
  if not urls then return nil, err end
  local url = urls[voice_id]
  if type(url) ~= "string" then
    return nil, errors.new("not_found", "download_voice", ("the API gave no address for voice '%s'"):format(voice_id))
  end
  -- One deadline covers both requests.
  local timeout = call_options and call_options.timeout or self.timeout
  local now = self.driver:now()
  local left = math.max(timeout - (now - started), 0.001)
  local retries = call_options and call_options.retries
  local temporary = temporary_name(self, path)
  operation = self.session:download(url, now, { timeout = left, retries = retries }, temporary)
  return save(self, "download_voice", operation, now, temporary, path)
end

--- The address of the largest size; nil when no size is told as "WxH".
local function largest(sizes)
  local url, most = nil, 0
  for size, address in pairs(sizes) do
    if type(size) ~= "string" then
      error(("download_image: image must hold addresses by size, got a %s for a size"):format(type(size)), 3)
    end
    check_string("download_image", ("image['%s']"):format(size), address, 3)
    local width, height = size:match("^(%d+)x(%d+)$")
    local pixels = width and width * height or 0
    if pixels > most then url, most = address, pixels end
  end
  return url
end

--- Saves an image to a file, whole or not at all: of several sizes the largest.
---@param image string|table<string, string> an address, or addresses by "WxH": content.image.sizes of a message, or what
--- upload_image returned
---@param path string
---@param call_options? avito_messenger.CallOptions
---@return true?
---@return avito_messenger.Error?
function files:download_image(image, path, call_options)
  check_string("download_image", "path", path)
  local url = image
  if type(image) == "table" then
    url = largest(image)
  elseif type(image) ~= "string" then
    error(("download_image: image must be a string or a table, got %s"):format(type(image)), 2)
  end
  if self.closed then return errors.closed "download_image" end
  if path:find("\0", 1, true) then return zero_byte "download_image" end
  if not url then
    return nil, errors.new("not_found", "download_image", 'the image has no address for a size of the form "WxH"')
  end
  local now = self.driver:now()
  local temporary = temporary_name(self, path)
  local operation = self.session:download(url, now, call_options, temporary)
  return save(self, "download_image", operation, now, temporary, path)
end

return files
