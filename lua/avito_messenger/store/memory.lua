--- A store in memory: everything is forgotten with the process. Its handles (`again`) share what they hold as processes share
--- a file; a handle that was closed or abandoned is gone at once.
local clock = require "avito_messenger.clock"
local interface = require "avito_messenger.store.interface"
local problem = require "avito_messenger.store.problem"
local record = require "avito_messenger.bot.engine.record"
local retention = require "avito_messenger.store.retention"

---@class avito.MemoryStore: avito.Store
local Memory = { __name = "avito.MemoryStore" }
Memory.__index = Memory

local LOCK_LEASE = 60 -- seconds

local function account_of(self, name)
  local account = self.world.accounts[name]
  if not account then
    account = { rows = {}, chats = {}, waking = {}, cursors = {} }
    self.world.accounts[name] = account
  end
  return account
end

local function chat_of(account, chat_id)
  local chat = account.chats[chat_id]
  if not chat then
    chat = { id = chat_id, fence = 0, waiting = {} }
    account.chats[chat_id] = chat
  end
  return chat
end

local function set_wake(account, chat, wake)
  chat.wake = wake
  account.waking[chat.id] = wake and chat or nil
end

local function wake_soon(account, chat, now)
  set_wake(account, chat, math.min(chat.wake or math.huge, retention.soon(now)))
end

local function time(self)
  return self.driver and self.driver:time() or clock.time()
end

-- Frees what handles held that are gone. Returns how many were.
local function sweep(world, now)
  local gone = world.gone
  if #gone == 0 then return 0 end
  world.gone = {}
  for _, account in pairs(world.accounts) do
    for _, chat in pairs(account.chats) do
      if chat.owner and chat.owner.ended then
        chat.owner = nil
        wake_soon(account, chat, now)
      end
    end
  end
  return #gone
end

function Memory:attach(driver)
  self.driver = driver
end

local function forget(chat, row)
  for i, one in ipairs(chat.waiting) do
    if one == row then return table.remove(chat.waiting, i) end
  end
end

-- Whoever was handed a row of that key before must not take the new one for it: it gets a place of its own.
local function put(self, account, given, now)
  local world, chat = self.world, chat_of(account, given.chat_id)
  world.seq = world.seq + 1
  local row = { key = given.key, seq = world.seq, chat = chat, body = given.body, kind = given.kind, received = now }
  account.rows[given.key] = row
  table.insert(chat.waiting, row)
  wake_soon(account, chat, now)
end

-- True: it was new, or is to be taken anew.
local function receive(self, account, given, now)
  local row = account.rows[given.key]
  if row and not given.replace then return false end
  if row and not row.taken then forget(row.chat, row) end
  put(self, account, given, now)
  return true
end

function Memory:receive(name, rows)
  local account, flags, now = account_of(self, name), {}, time(self)
  for i, given in ipairs(rows) do flags[i] = receive(self, account, given, now) end
  return flags
end

local function sooner(one, other)
  if one.wake ~= other.wake then return one.wake < other.wake end
  return one.id < other.id
end

function Memory:due(name, now, limit)
  sweep(self.world, time(self))
  local list, next_at = {}, nil
  for _, chat in pairs(account_of(self, name).waking) do
    if chat.owner == nil or chat.owner == self then
      if chat.wake <= now then
        list[#list + 1] = chat
      else
        next_at = math.min(next_at or math.huge, chat.wake)
      end
    end
  end
  table.sort(list, sooner)
  local ids = {}
  for i = 1, math.min(#list, limit) do ids[i] = list[i].id end
  return ids, next_at
end

local function rows_of(chat)
  local rows = {}
  for i, row in ipairs(chat.waiting) do rows[i] = { seq = row.seq, key = row.key, kind = row.kind, body = row.body } end
  return rows
end

function Memory:claim(name, chat_id)
  sweep(self.world, time(self))
  local chat = chat_of(account_of(self, name), chat_id)
  if chat.owner and chat.owner ~= self then return false end
  chat.owner, chat.fence = self, chat.fence + 1
  return { account = name, chat_id = chat_id, fence = chat.fence, rows = rows_of(chat),
    record = chat.record and record.fork(chat.record) or { id = chat_id } }
end

local function claimed(self, claim)
  local account = account_of(self, claim.account)
  local chat = chat_of(account, claim.chat_id)
  if chat.owner ~= self or chat.fence ~= claim.fence then return nil, problem.fenced(claim.chat_id) end
  return chat, account
end

function Memory:rows(claim)
  return rows_of(chat_of(account_of(self, claim.account), claim.chat_id))
end

local function take(self, account, chat, seq, now)
  while chat.waiting[1] and chat.waiting[1].seq <= seq do
    local row = table.remove(chat.waiting, 1)
    row.taken, row.body = now, nil
    local taken = self.world.taken
    taken.last = taken.last + 1
    taken[taken.last] = { row = row, at = now, account = account }
  end
end

function Memory:commit(claim, change)
  local chat, account = claimed(self, claim)
  if not chat then return nil, account end
  chat.record = record.fork(change.record)
  if change.taken then take(self, account, chat, change.taken, change.now) end
  set_wake(account, chat, change.wake)
  if chat.waiting[1] then wake_soon(account, chat, change.now) end
  if change.release then chat.owner = nil end
  return true
end

function Memory:release(claim)
  local chat, err = claimed(self, claim)
  if not chat then return nil, err end
  chat.owner = nil
  return true
end

function Memory:peek(name, chat_id)
  local chat = account_of(self, name).chats[chat_id]
  return chat and chat.record and record.fork(chat.record)
end

function Memory:cursor(name, cursor)
  return account_of(self, name).cursors[cursor]
end

function Memory:set_cursor(name, cursor, value)
  account_of(self, name).cursors[cursor] = value
  return true
end

-- ---- tokens

local function closed(self)
  local _, err = interface.closed(self)
  return nil, tostring(err)
end

local function lock(self, row)
  local held = row.lock
  if held and not held.owner.ended and clock.now() < held.ends then return false end
  local mine = { owner = self, ends = clock.now() + LOCK_LEASE }
  row.lock = mine
  function mine.unlock()
    if row.lock == mine then row.lock = nil end
  end
  return mine
end

function Memory:tokens(name)
  if type(name) ~= "string" then error(("store:tokens: name must be a string, got %s"):format(type(name)), 2) end
  local row = self.world.tokens[name] or {}
  self.world.tokens[name] = row
  return {
    load = function()
      if self.ended then return closed(self) end
      return record.copy(row.tokens)
    end,
    save = function(tokens)
      if self.ended then return closed(self) end
      row.tokens = record.copy(tokens)
      return true
    end,
    lock = function()
      if self.ended then return closed(self) end
      return lock(self, row)
    end,
  }
end

-- ---- what is kept, and for how long

function Memory:stats(name, now)
  local stats = { inbox = 0, outbox = { queued = 0, latched = 0, unknown = 0 }, chats = 0 }
  local oldest
  for _, chat in pairs(account_of(self, name).chats) do
    stats.chats = stats.chats + 1
    stats.inbox = stats.inbox + #chat.waiting
    for _, row in ipairs(chat.waiting) do oldest = math.min(oldest or math.huge, row.received) end
    for _, row in ipairs(chat.record and chat.record.outbox or {}) do
      stats.outbox[row.state] = stats.outbox[row.state] + 1
    end
  end
  stats.oldest = oldest and math.max(0, now - oldest)
  return stats
end

local function prune(world, before)
  local taken, count = world.taken, 0
  while taken.first <= taken.last and taken[taken.first].at < before and count < retention.BITE do
    local entry = taken[taken.first]
    taken[taken.first] = nil
    taken.first = taken.first + 1
    local rows, row = entry.account.rows, entry.row
    if rows[row.key] == row then -- else it came again
      rows[row.key] = nil
      count = count + 1
    end
  end
  return count
end

function Memory:maintain(now)
  return { swept = sweep(self.world, now), pruned = prune(self.world, now - self.world.keep) }
end

function Memory:changed() -- luacheck: no self
  return false
end

function Memory:check() -- luacheck: no self
  return true
end

function Memory:abandon()
  if self.ended then return end
  self.ended = true
  table.insert(self.world.gone, self)
end

function Memory:close()
  self:abandon()
  sweep(self.world, time(self))
end

function Memory:__tostring()
  return ("%s (%s)"):format(Memory.__name, self.ended and "closed" or "open")
end

local function handle(world)
  return setmetatable({ world = world, ended = false }, Memory)
end

function Memory:again()
  return handle(self.world)
end

interface.put(Memory)

local memory = {}

---@param options? { keep?: number|string } how long what was taken is known again: seconds or a span; default "7d"
---@return avito.MemoryStore
function memory.new(options)
  options = options or {}
  return handle { keep = retention.seconds("avito.memory_store", options.keep, 3), seq = 0, accounts = {}, tokens = {},
    taken = { first = 1, last = 0 }, gone = {} }
end

return memory
