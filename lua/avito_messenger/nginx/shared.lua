--- What the workers of an nginx share, over a lua_shared_dict: leases, tokens, an account's pace, counters, words.
---
---     local shared = require("avito_messenger.nginx.shared").new "avito"     lua_shared_dict avito 1m;
---
--- All of it may be used in any phase, and nothing waits. A worker may end at any moment, and a reload leaves all values as
--- they are. What is stored is never evicted for something else: a dict that is full is an error.
local json = require "avito_messenger.json"
local process = require "avito_messenger.nginx.process"

local shared = {}

local LEASE = 60        -- seconds for which tokens are locked by a worker that neither ends nor unlocks them
local PACE_LOCK = 0.02  -- seconds after which a worker that was killed within an exchange is in nobody's way
local PACE_TRIES = 200  -- looks whether the pace is free; then it is done without
local ROOM = 100        -- expired values that are taken away where there is no room
local MAX_NAME = 200    -- bytes

---@class avito.nginx.Shared
---@field package name string of the dict
---@field package dict table
local Shared = {}
Shared.__index = Shared
Shared.__name = "avito.nginx.Shared"

local self_pid, self_name

-- This worker. Not at the beginning: what the master has required is inherited.
local function me()
  local pid = ngx.worker.pid()
  if pid ~= self_pid then self_pid, self_name = pid, process.name(pid) end
  return self_name
end

-- One key for each kind and name, whatever is in the name.
local function key_of(kind, name, what, level)
  if type(name) ~= "string" or name == "" or #name > MAX_NAME or name:find("\0", 1, true) then
    error(("%s must be a string of 1 to %d bytes without NUL"):format(what, MAX_NAME), level + 1)
  end
  return ("%s\0%s"):format(kind, name)
end

local function check_seconds(seconds, what, level)
  if type(seconds) ~= "number" or not (seconds >= 0.001 and seconds <= 86400) then
    error(("%s: seconds must be a number from 0.001 to 86400"):format(what), level + 1)
  end
end

--- safe_set or safe_add: true; false where it is there already; nil and a message.
local function put(self, how, key, value, seconds)
  local dict = self.dict
  local ok, problem = dict[how](dict, key, value, seconds)
  if problem == "no memory" then
    dict:flush_expired(ROOM)
    ok, problem = dict[how](dict, key, value, seconds)
  end
  if ok or problem == "exists" then return ok end
  if problem ~= "no memory" then return nil, ("lua_shared_dict %s: %s"):format(self.name, problem) end
  return nil, ("lua_shared_dict %s is full: give it more than its %d KB in nginx's configuration"):format(self.name,
    dict:capacity() / 1024)
end

-- ---- who has it

-- Takes what nobody has, or one who is gone: true; false: another has it; nil and a message.
local function claim(self, key, mark, seconds)
  local ok, message = put(self, "safe_add", key, mark, seconds)
  if ok ~= false then return ok, message end
  local holder = self.dict:get(key)
  if not holder or not process.gone(holder) then return false end
  -- Of all that see it gone one takes it away: the others would take away what that one has put there.
  ok, message = put(self, "safe_add", key .. "\0" .. holder, mark, seconds)
  if not ok then return ok, message end
  if self.dict:get(key) == holder then self.dict:delete(key) end
  return put(self, "safe_add", key, mark, seconds)
end

local function let_go(self, key, mark)
  if self.dict:get(key) == mark then self.dict:delete(key) end
end

---@class avito.nginx.Lease
local Lease = {}
Lease.__index = Lease

--- Takes the lease where it is free, renews it where this worker has it.
---@return boolean? held true: this worker's for the lease's seconds from now on; false: another has it; nil: it cannot be known
---@return string? message
function Lease:hold()
  local dict, mark = self.shared.dict, me()
  if dict:get(self.key) == mark then
    dict:expire(self.key, self.seconds)
    if dict:get(self.key) == mark then return true end -- it may have ended before that, and be another's
  end
  return claim(self.shared, self.key, mark, self.seconds)
end

--- Gives it back, where this worker has it.
function Lease:release()
  let_go(self.shared, self.key, me())
end

--- What one worker at a time has. That of a worker that has ended is free at once; of one that hangs, after so many seconds.
---@param name string the same in all workers; within a worker all leases of a name are one
---@param seconds number 0.001 to 86400
---@return avito.nginx.Lease
function Shared:lease(name, seconds)
  local key = key_of("lease", name, "shared:lease: the name", 2)
  check_seconds(seconds, "shared:lease", 2)
  return setmetatable({ shared = self, key = key, seconds = seconds }, Lease)
end

-- ---- tokens

local locks = 0

local function lock_tokens(self, key)
  locks = locks + 1
  local mark = ("%s:%d"):format(me(), locks)
  local ok, message = claim(self, key, mark, LEASE)
  return ok and { unlock = function() let_go(self, key, mark) end } or ok, message
end

local function load_tokens(self, key, behind)
  local body = self.dict:get(key)
  if body then
    local tokens, problem = json.decode(body)
    if type(tokens) == "table" then return tokens end
    return nil, ("lua_shared_dict %s: its tokens cannot be read: %s"):format(self.name, problem or "no JSON object")
  end
  if not behind then return nil end
  local tokens, message = behind.load()
  if type(tokens) == "table" then
    put(self, "safe_add", key, json.encode(tokens)) -- not over what another has saved meanwhile
  end
  return tokens, message
end

local function save_tokens(self, key, behind, tokens)
  local body, message = json.encode(tokens)
  if not body then return nil, message end
  local kept = not behind
  if behind then kept, message = behind.save(tokens) end
  local ok, problem = put(self, "safe_set", key, body)
  if not kept then return nil, message end
  if ok then return true end
  if not behind then return nil, problem end
  ngx.log(ngx.WARN, "avito_messenger: the tokens are not shared by memory: ", problem)
  return true
end

--- Tokens that all workers use: one renews them, the others take what it has got. Without `behind` they are lost with nginx.
---@param name string the same in all workers
---@param behind? avito_messenger.TokenStore where they outlive nginx: written first, read where the workers know none. It is
--- nginx's alone: where other processes renew the same tokens, give the client that store itself
---@return avito_messenger.TokenStore
function Shared:tokens(name, behind)
  local key = key_of("tokens", name, "shared:tokens: the name", 2)
  if behind ~= nil and (type(behind) ~= "table" or type(behind.load) ~= "function" or type(behind.save) ~= "function") then
    error("shared:tokens: behind must be a token store: a table with the functions load and save", 2)
  end
  return {
    load = function() return load_tokens(self, key, behind) end,
    save = function(tokens) return save_tokens(self, key, behind, tokens) end,
    lock = function() return lock_tokens(self, key .. "\0lock") end,
  }
end

-- ---- the pace

-- Never waits: a lock that is not to be had is done without, for a pace is no promise.
local function exchange(self, pace, change)
  local dict, key, lock, tries = self.dict, pace.key, pace.lock, 1
  local locked = dict:safe_add(lock, true, PACE_LOCK)
  while not locked and tries < PACE_TRIES do
    locked, tries = dict:safe_add(lock, true, PACE_LOCK), tries + 1
  end
  local before = dict:get(key)
  local after = change(before)
  if after and after ~= before then
    local ok, problem = put(self, "safe_set", key, after)
    if not ok and not pace.told then ngx.log(ngx.WARN, "avito_messenger: the pace is not shared: ", problem) end
    pace.told = not ok -- once is enough, until it works again
  end
  if locked then dict:delete(lock) end
end

--- The pace of an account's requests, for the client option `pace_store`: all workers together keep to it.
---@param name string the same in all workers: of the account
---@return avito_messenger.PaceStore
function Shared:pace(name)
  local key = key_of("pace", name, "shared:pace: the name", 2)
  local pace = { key = key, lock = key .. "\0lock" }
  return { exchange = function(change) return exchange(self, pace, change) end }
end

-- ---- sums

-- What is there under a prefix: fn(the rest of the key, the value).
local function each(self, prefix, fn)
  for _, key in ipairs(self.dict:get_keys(0)) do
    if key:sub(1, #prefix) == prefix then
      local value = self.dict:get(key)
      if value ~= nil then fn(key:sub(#prefix + 1), value) end
    end
  end
end

---@class avito.nginx.Counters
local Counters = {}
Counters.__index = Counters

--- Adds to a sum; one that is not there begins at 0.
---@param key string
---@param amount number
---@return boolean? done
---@return string? message
function Counters:add(key, amount)
  key = self.prefix .. key
  local dict = self.shared.dict
  if dict:incr(key, amount) then return true end
  local ok, message = put(self.shared, "safe_add", key, amount)
  if ok ~= false then return ok, message end
  ok, message = dict:incr(key, amount) -- another worker was first
  return ok and true, message
end

--- All sums. Looks through the whole dict.
---@return table<string, number>
function Counters:get()
  local sums = {}
  each(self.shared, self.prefix, function(key, sum) sums[key] = sum end)
  return sums
end

--- Sums over all workers, those that have ended included.
---@param prefix string
---@return avito.nginx.Counters
function Shared:counters(prefix)
  return setmetatable({ shared = self, prefix = key_of("sum", prefix, "shared:counters: the prefix", 2) .. "\0" }, Counters)
end

-- ---- words

---@class avito.nginx.Words
local Words = {}
Words.__index = Words

--- What this worker has to say, for so long.
---@param text string
---@param seconds number 0.001 to 86400
---@return boolean? done
---@return string? message
function Words:set(text, seconds)
  if type(text) ~= "string" then error("words:set: the text must be a string", 2) end
  check_seconds(seconds, "words:set", 2)
  return put(self.shared, "safe_set", self.prefix .. me(), text, seconds)
end

--- What all workers have to say that are there. Looks through the whole dict.
---@return table<string, string> by the name of the worker
function Words:all()
  local list = {}
  each(self.shared, self.prefix, function(owner, text)
    if not process.gone(owner) then list[owner] = text end
  end)
  return list
end

--- A word of each worker.
---@param prefix string
---@return avito.nginx.Words
function Shared:words(prefix)
  return setmetatable({ shared = self, prefix = key_of("word", prefix, "shared:words: the prefix", 2) .. "\0" }, Words)
end

--- What the workers share in the dict of that name. Raises where there is none.
---@param name string
---@return avito.nginx.Shared
function shared.new(name)
  if not ngx or not ngx.shared then error("avito_messenger.nginx.shared: only inside nginx", 2) end
  if type(name) ~= "string" then error("shared: the name of the dict must be a string", 2) end
  local dict = ngx.shared[name]
  if not dict then
    error(("shared: there is no dict '%s': nginx's configuration needs `lua_shared_dict %s 1m;` in http { }"):format(name, name), 2)
  end
  return setmetatable({ name = name, dict = dict }, Shared)
end

return shared
