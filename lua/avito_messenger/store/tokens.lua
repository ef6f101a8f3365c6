--- The tokens of a client as rows of a store's file. Who renews them holds a lease.
local json = require "avito_messenger.json"
local interface = require "avito_messenger.store.interface"

local tokens = {}

local LEASE = 60 -- seconds

local function load(store, name)
  local body, err = store.journal:run("token_read", name)
  if err then return nil, tostring(store.group:problem(err)) end
  if not body then return nil end
  local value, message = json.decode(body)
  if type(value) == "table" then return value end
  return nil, ("journal %s: the tokens '%s' cannot be read: %s"):format(store.path, name, message or "no JSON object")
end

-- A refresh token exists once: whatever becomes of the task, it is kept.
local function save(store, name, given)
  local body, message = json.encode(given)
  if not body then return nil, message end
  local ok, err = store.group:write_now(function()
    store.group:run("token_write", name, body)
    return true
  end)
  if not ok then return nil, tostring(err) end
  return true
end

local function unlock(store, name, mark)
  if store.ended then return end
  store.group:write_now(function()
    store.group:run("token_unlock", name, mark)
    return true
  end)
end

local function lock(store, name, look)
  store.locks = (store.locks or 0) + 1
  local mark
  local locked, err = store.group:write(function()
    look()
    mark = ("%d.%d"):format(store.owner, store.locks)
    local now = store.journal:uptime()
    return store.group:run("token_lock", name, mark, now + LEASE, now) > 0
  end)
  if err then return nil, tostring(err) end
  return locked and { unlock = function() unlock(store, name, mark) end }
end

--- A token store over a row of the file.
---@param store avito.SqliteStore
---@param name string
---@param look fun() within a transaction: takes away what those hold that are gone
---@return avito_messenger.TokenStore
function tokens.new(store, name, look)
  local function open(fn)
    return function(given)
      if not store.ended then return fn(given) end
      return nil, tostring(select(2, interface.closed(store)))
    end
  end
  return {
    load = open(function() return load(store, name) end),
    save = open(function(given) return save(store, name, given) end),
    lock = open(function() return lock(store, name, look) end),
  }
end

return tokens
