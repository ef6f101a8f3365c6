--- Files that methods of a client read and write. A large one is never in memory as a whole.
local errors = require "avito_messenger.errors"
local run = require "avito_messenger.run"

local files = {}

local START = 512 * 1024 -- of an image the size in pixels stands in it, behind all that cameras write before it

local function look(path)
  local file, message = io.open(path, "rb")
  if not file then return nil, message end
  local start, size
  start, message = file:read(START)
  if start then size, message = file:seek "end" end
  file:close()
  if not size then return nil, ("%s: %s"):format(path, message or "the file is empty") end
  return { path = path, size = size, start = start, filename = path:match("[^/]*$") }
end

--- A path as the core wants a file told: how long it is, and how it begins. What is no path is passed on for the core to judge.
---@param method string
---@param file any
---@return any told
---@return avito_messenger.Error?
function files.describe(method, file)
  if type(file) ~= "string" then return file end
  local told, message = look(file)
  if not told then return nil, errors.new("invalid", method, message) end
  return told
end

---@param level? integer the stack level the error is blamed on; default 2, the caller of the method
function files.check_string(method, name, value, level)
  if type(value) ~= "string" then
    error(("%s: %s must be a string, got %s"):format(method, name, type(value)), (level or 2) + 1)
  end
end

--- Lua's os functions, and C, would take what stands before a zero byte for the path: the name of another file.
---@return avito_messenger.Error?
function files.path_problem(method, path)
  if path:find("\0", 1, true) then return errors.new("invalid", method, "the path of the file has a zero byte") end
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

--- Saves what an address holds to a file, whole or not at all. A method calls this as its last act: what the core refuses is
--- blamed on the line that called the method. Credentials are not sent there.
---@return true?
---@return avito_messenger.Error?
function files.fetch(self, method, url, path, call_options)
  if self.closed then return errors.closed(method) end
  local bad = files.path_problem(method, path)
  if bad then return nil, bad end
  local now = self.driver:now()
  local temporary = temporary_name(self, path)
  local operation = self.session:download(url, now, call_options, temporary)
  return save(self, method, operation, now, temporary, path)
end

return files
