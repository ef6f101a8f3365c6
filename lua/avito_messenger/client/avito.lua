--- What the clients of Avito have of their own.
local errors = require "avito_messenger.errors"
local files = require "avito_messenger.files"
local pages = require "avito_messenger.pages"
local run = require "avito_messenger.run"

---@class avito_messenger.Client : avito_messenger.AnyClient
local methods = {}

local CHATS = {
  name = "chats", cursor = pages.offset, limit = 100, id = "id",
  filter = { unread_only = "boolean", chat_types = "table", item_ids = "table", limit = "number", offset = "number" },
}
local MESSAGES = {
  name = "messages", cursor = pages.offset, limit = 100, id = "id",
  filter = { limit = "number", offset = "number" },
}

--- An iterator over all chats that match. Raises the error of a page that fails. With prefetch = n up to
--- n pages are read ahead while one is gone over (0 to 10; where the driver has tasks, as the loop has).
---@param filter? { unread_only?: boolean, chat_types?: string[], item_ids?: integer[], limit?: integer, offset?: integer,
--- prefetch?: integer }
---@param call_options? avito_messenger.CallOptions
---@return avito_messenger.Pages
function methods:chats(filter, call_options)
  return pages.new(CHATS, filter, self.driver, function(page)
    return self:get_chats(page, call_options)
  end)
end

--- An iterator over the messages of a chat, newest first. Raises the error of a page that fails; prefetch as for chats.
---@param chat_id string
---@param range? { limit?: integer, offset?: integer, prefetch?: integer }
---@param call_options? avito_messenger.CallOptions
---@return avito_messenger.Pages
function methods:messages(chat_id, range, call_options)
  return pages.new(MESSAGES, range, self.driver, function(page)
    return self:get_messages(chat_id, page, call_options)
  end)
end

--- Uploads a JPEG, HEIC, GIF, BMP or PNG of at most 24 MB and 75 megapixels; its format and size are read from its own bytes.
---@param image string|{ data: string, filename?: string } a path, or the bytes
---@param call_options? avito_messenger.CallOptions
---@return string? image_id for send_image_message
---@return table<string, string>|avito_messenger.Error sizes_or_error the address of each size, by "WxH"
function methods:upload_image(image, call_options)
  if self.closed then return errors.closed "upload_image" end
  local told, err = files.describe("upload_image", image)
  if err then return nil, err end
  local now = self.driver:now()
  return run.operation(self.session:operation("upload_image", now, told, call_options), now, self)
end

--- Saves a voice message (Opus in MP4) to a file, whole or not at all.
---@param voice_id string content.voice.voice_id of the message
---@param path string
---@param call_options? avito_messenger.CallOptions
---@return true?
---@return avito_messenger.Error?
function methods:download_voice(voice_id, path, call_options)
  files.check_string("download_voice", "path", path)
  files.check_string("download_voice", "voice_id", voice_id)
  if self.closed then return errors.closed "download_voice" end
  local bad = files.path_problem("download_voice", path)
  if bad then return nil, bad end
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
  local left = math.max(timeout - (self.driver:now() - started), 0.001)
  return files.fetch(self, "download_voice", url, path, { timeout = left, retries = call_options and call_options.retries })
end

--- The address of the largest size; nil when no size is told as "WxH".
local function largest(sizes)
  local url, most = nil, 0
  for size, address in pairs(sizes) do
    if type(size) ~= "string" then
      error(("download_image: image must hold addresses by size, got a %s for a size"):format(type(size)), 3)
    end
    files.check_string("download_image", ("image['%s']"):format(size), address, 3)
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
function methods:download_image(image, path, call_options)
  files.check_string("download_image", "path", path)
  local url = image
  if type(image) == "table" then
    url = largest(image)
  elseif type(image) ~= "string" then
    error(("download_image: image must be a string or a table, got %s"):format(type(image)), 2)
  end
  if not url and not self.closed then
    return nil, files.path_problem("download_image", path)
      or errors.new("not_found", "download_image", 'the image has no address for a size of the form "WxH"')
  end
  return files.fetch(self, "download_image", url, path, call_options)
end

---@class avito_messenger.ClientOptions : avito_messenger.AnyClientOptions
---@field client_id? string
---@field client_secret? string
---@field code? string from the authorize page: for another seller's account
---@field refresh_token? string instead of a code
---@field access_token? string alone, when tokens are cared for elsewhere; or to begin with
---@field user_id? integer the account; looked up once with get_self when absent
---@field token_store? avito_messenger.TokenStore
---@field pace? avito_messenger.Pace|false how fast the account's requests may go, so that they do not run into the API's rate
--- limit; false for as fast as they are made
---@field array_style? "comma"|"repeat" how lists are written in a query; default "comma"

---@class avito_messenger.Pace calls beyond it wait for their turn, first come, first served, as long as their timeout allows;
--- repeats count, requests for a token and downloads do not
---@field rate? number requests a second, more than 0 and at most 1000; default 6. Answers teach the client more: their
--- X-RateLimit-Limit replaces the default and lowers a given rate; a 429 halves it for a while
---@field burst? integer how many may go at once after a while without calls, 1 to 1000; default 12

---@type avito_messenger.ClientKind
return {
  name = "avito",
  title = "avito_messenger.Client",
  where = "avito.client",
  account = "user",
  base_url = "https://api.avito.ru",
  options = {
    client_id = "string", client_secret = "string", code = "string", refresh_token = "string", access_token = "string",
    user_id = "number|string", token_store = "table", array_style = "string",
  },
  pace = { rate = true, burst = true },
  methods = methods,
}
