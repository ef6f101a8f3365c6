--- Keeping tokens between runs and between processes.
---
--- A token store is a table of functions:
---   load() -> tokens | nil [, message]     nil without a message: nothing is stored yet
---   save(tokens) -> true | nil, message
---   lock() -> lock | false | nil, message  optional: held while a token is renewed, so that two processes never renew at once;
---                                          false when another process has it; lock:unlock() gives it back
--- tokens: access_token, refresh_token, expires_at (Unix seconds), scope; any of them may be nil.
local core = require "avito_messenger.core"
local json = require "avito_messenger.json"

local token_store = {}

local MAX_BYTES = 65536

--- A store in one file: mode 0600, replaced whole (the old file stays as it was whatever fails), safe between processes
--- (beside it stands PATH.lock).
---@param path string
---@return avito_messenger.TokenStore
function token_store.file(path)
  if type(path) ~= "string" or path == "" or path:find("\0", 1, true) then
    error("file_token_store: the path must be a string that is not empty", 2)
  end
  local store = {}

  function store.load()
    local file, message, code = io.open(path, "rb")
    if not file then
      if code == 2 then return nil end -- ENOENT: nothing is stored yet
      return nil, message
    end
    local text, problem = file:read(MAX_BYTES)
    file:close()
    if not text then return nil, ("%s: %s"):format(path, problem or "the file is empty") end
    local tokens
    tokens, problem = json.decode(text)
    if type(tokens) ~= "table" then
      return nil, ("%s is not a token file: %s"):format(path, problem or "it holds no JSON object")
    end
    return tokens
  end

  function store.save(tokens)
    local text, problem = json.encode(tokens)
    if not text then return nil, problem end
    return core.write_private(path, text .. "\n")
  end

  function store.lock()
    return core.lock_file(path .. ".lock")
  end

  return store
end

---@class avito_messenger.Tokens
---@field access_token? string
---@field refresh_token? string
---@field expires_at? number Unix seconds
---@field scope? string

---@class avito_messenger.TokenStore
---@field load fun(): avito_messenger.Tokens?, string?
---@field save fun(tokens: avito_messenger.Tokens): true?, string?
---@field lock? fun(): table|false|nil, string?

return token_store
