--- A store in a file, which several processes share: see src/journal for what is in it.
---
--- A handle is an owner: while it lives it holds a lock of the system, and it renews a lease. An owner whose lock is free, or
--- whose lease has run out, is gone, and its chats are anybody's.
local clock = require "avito_messenger.clock"
local Group = require "avito_messenger.store.group"
local interface = require "avito_messenger.store.interface"
local journal = require "avito_messenger.journal"
local parts = require "avito_messenger.store.parts"
local problem = require "avito_messenger.store.problem"
local retention = require "avito_messenger.store.retention"
local tokens = require "avito_messenger.store.tokens"

---@class avito.SqliteStore: avito.Store
---@field path string
---@field changes integer how often others have written, or chats were freed, as far as that was asked
---@field repeated integer how many of what it sorted was known, or came twice
---@field told table<any, integer> how many of them whoever asks was told of
local Sqlite = { __name = "avito.SqliteStore", shared = true }
Sqlite.__index = Sqlite

local LEASE = 15   -- seconds
local PATIENCE = 5 -- seconds
local MAX_IDS = 10
local BITE = 100   -- arrivals that are sorted in one transaction

local function time(self)
  return self.driver and self.driver:time() or clock.time()
end

local function run(self, name, ...)
  return self.group:run(name, ...)
end

-- A statement outside of a transaction.
local function read(self, name, ...)
  local first, second, third = self.journal:run(name, ...)
  if first == nil and type(second) == "table" then return nil, self.group:problem(second) end
  return first, second, third
end

function Sqlite:attach(driver)
  self.driver = driver
  self.group:attach(driver)
end

-- ---- owners

-- A new owner. Within a transaction: nobody sees its id before it is locked.
local function enrol(self)
  for _ = 1, MAX_IDS do
    local id = run(self, "owner_new", self.journal:uptime() + self.lease)
    local locked, failure = self.journal:lock_owner(id)
    if failure then error(self.group:problem(failure), 0) end
    if locked then
      self.owner = id
      return
    end
    run(self, "owner_remove", id) -- of one whose transaction was taken back after it had locked it
  end
  error(problem.make("io", ("%d owners are locked that nobody is"):format(MAX_IDS), self.path), 0)
end

-- A process that was stopped for long finds itself given up: it goes on as another owner.
local function renew(self)
  self.renewed = self.journal:uptime()
  if run(self, "owner_renew", self.owner, self.renewed + self.lease) == 0 then enrol(self) end
end

local function is_alive(self, id, lease)
  if lease < self.journal:uptime() then return false end
  return self.journal:owner_alive(id) ~= false -- what cannot be asked for is not taken away
end

-- The ids of the owners that are gone.
local function gone(self, owners)
  local ids = {}
  for _, owner in ipairs(owners) do
    local id, lease = owner[1], owner[2]
    if id ~= self.owner and not is_alive(self, id, lease) then ids[#ids + 1] = id end
  end
  return ids
end

-- Within a transaction. Returns how many owners were gone.
local function sweep(self, now)
  local ids = gone(self, run(self, "owner_list"))
  for _, id in ipairs(ids) do
    run(self, "owner_sweep", id, retention.soon(now))
    run(self, "tokens_sweep", ("%d"):format(id))
    run(self, "owner_remove", id)
  end
  if #ids > 0 then self.changes = self.changes + 1 end -- chats became due by no write of others
  return #ids
end

-- Sweeps where somebody is gone; asking costs no transaction.
local function sweep_if_gone(self)
  local owners, err = read(self, "owner_list")
  if not owners then return nil, err end
  if #gone(self, owners) == 0 then return true end
  return self.group:write(function() return sweep(self, time(self)) end)
end

-- ---- inbox

-- Within a transaction. Returns which were new.
local function insert_rows(self, account, given, now)
  local flags = {}
  for i, row in ipairs(given) do
    flags[i] = run(self, row[5], account, row[1], row[2], row[3], row[4], now) > 0
    if flags[i] then run(self, "chat_wake", account, row[1], retention.soon(now)) end
  end
  return flags
end

local function add_arrivals(self, account, given, now)
  for _, row in ipairs(given) do run(self, "arrival_add", account, row[1], row[2], row[3], row[4], now) end
  return true
end

-- Whoever waits may change its rows meanwhile.
local function copy(rows)
  local given = {}
  for i, row in ipairs(rows) do
    given[i] = { row.chat_id, row.key, row.kind, row.body, row.replace and "inbox_replace" or "inbox_insert" }
  end
  return given
end

function Sqlite:receive(account, rows)
  return self.group:write(insert_rows, self, account, copy(rows), time(self))
end

function Sqlite:accept(account, rows)
  return self.group:write(add_arrivals, self, account, copy(rows), time(self))
end

-- Within a transaction: puts what came first into the inbox.
local function sort_bite(self)
  local first = run(self, "arrivals_first")
  if not first then return true end -- another process has done it
  local last = first + BITE - 1
  local new = run(self, "arrivals_sort", last)
  run(self, "arrivals_wake", last, retention.soon(time(self)))
  self.repeated = self.repeated + run(self, "arrivals_drop", last) - new
  return true
end

-- In bites: others have their turn in between.
local function sort_arrivals(self)
  while true do
    local first, err = read(self, "arrivals_first")
    if err then return nil, err end
    if not first then return true end
    local ok
    ok, err = self.group:write(sort_bite, self)
    if not ok then return nil, err end
  end
end

function Sqlite:due(account, now, limit)
  local ok, err = sweep_if_gone(self)
  if ok then ok, err = sort_arrivals(self) end
  if not ok then return nil, err end
  local list
  list, err = read(self, "chats_due", account, now, self.owner, limit < 2 ^ 31 and math.floor(limit) or -1)
  if not list then return nil, err end
  local ids = {}
  for i, row in ipairs(list) do ids[i] = row[1] end
  local next_at
  next_at, err = read(self, "chats_next", account, now, self.owner)
  if err then return nil, err end
  return ids, next_at
end

local function rows_of(list)
  local rows = {}
  for i, row in ipairs(list) do rows[i] = { seq = row[1], key = row[2], kind = row[3], body = row[4] } end
  return rows
end

-- The record from what record_read gives: parts, and rows of the outbox.
local function record_of(self, chat_id, list)
  local texts, outbox = {}, {}
  for _, row in ipairs(list) do
    local place = row[1]
    if place then outbox[#outbox + 1] = { row[2], place, row[3] } else texts[#texts + 1] = { row[2], row[3] } end
  end
  table.sort(outbox, function(one, other) return one[2] < other[2] end)
  local record, kept = parts.read(chat_id, texts, outbox)
  if record then return record, kept end
  return nil, problem.make("damaged", ("the record of chat %s cannot be read: %s"):format(chat_id, kept), self.path)
end

-- ---- chats

local function claim_chat(self, account, chat_id)
  local fence = run(self, "chat_claim", account, chat_id, self.owner, nil)
  if not fence and sweep(self, time(self)) > 0 then fence = run(self, "chat_claim", account, chat_id, self.owner, nil) end
  return fence
end

function Sqlite:claim(account, chat_id)
  return self.group:write(function()
    renew(self)
    local record, kept = record_of(self, chat_id, run(self, "record_read", account, chat_id))
    if not record then return nil, kept end
    local fence = claim_chat(self, account, chat_id)
    if not fence then return false end
    return { account = account, chat_id = chat_id, fence = fence, owner = self.owner, kept = kept, record = record,
      rows = rows_of(run(self, "inbox_rows", account, chat_id, -1)) }
  end)
end

function Sqlite:rows(claim)
  local list, err = read(self, "inbox_rows", claim.account, claim.chat_id, -1)
  if not list then return nil, err end
  return rows_of(list)
end

-- Is the claim the chat's last?
local function holds(self, claim)
  local fence, owner = run(self, "chat_read", claim.account, claim.chat_id)
  return fence == claim.fence and owner == claim.owner
end

local function write_record(self, claim, difference, now)
  local account, chat_id = claim.account, claim.chat_id
  for name, body in pairs(difference.write) do run(self, "part_write", account, chat_id, name, body) end
  for _, name in ipairs(difference.remove) do run(self, "part_remove", account, chat_id, name) end
  for _, row in ipairs(difference.ended) do
    run(self, "outbox_end", account, chat_id, row.key, row.state, row.id, now)
  end
  for _, row in ipairs(difference.rows) do
    run(self, "outbox_write", account, chat_id, row.key, row.place, row.kind, row.state, row.body)
  end
end

function Sqlite:commit(claim, change)
  local difference = parts.difference(change.record, claim.kept, change.finals, claim.chat_id)
  local taken, wake, release, now = change.taken, change.wake, change.release or false, change.now
  local ok, err = self.group:write(function()
    if not holds(self, claim) then return nil, problem.fenced(claim.chat_id, self.path) end
    -- What is latched now is sent within the lease, also where nobody has had the time to call maintain.
    if self.journal:uptime() - self.renewed > self.lease / 3 then renew(self) end
    if taken then run(self, "inbox_take", claim.account, claim.chat_id, taken, now) end
    write_record(self, claim, difference, now)
    run(self, "chat_commit", claim.account, claim.chat_id, claim.fence, claim.owner, wake, release, retention.soon(now))
    return true
  end)
  if ok then claim.kept = difference.kept end
  return ok, err
end

function Sqlite:release(claim)
  return self.group:write(function()
    if run(self, "chat_release", claim.account, claim.chat_id, claim.fence, claim.owner) > 0 then return true end
    return nil, problem.fenced(claim.chat_id, self.path)
  end)
end

function Sqlite:peek(account, chat_id)
  local list, err = read(self, "record_read", account, chat_id)
  if not list then return nil, err end
  if #list == 0 then return nil end
  local record
  record, err = record_of(self, chat_id, list)
  if record then return record end
  return nil, err
end

-- ---- the rest

function Sqlite:cursor(account, name)
  local value, err = read(self, "cursor_read", account, name)
  if err then return nil, err end
  return value
end

function Sqlite:set_cursor(account, name, value)
  return self.group:write(function()
    run(self, "cursor_write", account, name, value)
    return true
  end)
end

function Sqlite:tokens(name)
  if type(name) ~= "string" then error(("store:tokens: name must be a string, got %s"):format(type(name)), 2) end
  return tokens.new(self, name, function()
    renew(self)
    sweep(self, time(self))
  end)
end

function Sqlite:stats(account, now)
  local count, oldest = read(self, "inbox_stats", account)
  if not count then return nil, oldest end
  local unsorted, first = read(self, "arrivals_stats", account)
  if not unsorted then return nil, first end
  count, oldest = count + unsorted, oldest and first and math.min(oldest, first) or oldest or first
  local chats, err = read(self, "chats_count", account)
  if not chats then return nil, err end
  local states
  states, err = read(self, "outbox_stats", account)
  if not states then return nil, err end
  local outbox = { queued = 0, latched = 0, unknown = 0 }
  for _, row in ipairs(states) do outbox[row[1]] = row[2] end
  return { inbox = count, oldest = oldest and math.max(0, now - oldest), outbox = outbox, chats = chats }
end

function Sqlite:maintain(now)
  return self.group:write(function()
    renew(self)
    local swept = sweep(self, now)
    local pruned = run(self, "inbox_prune", now - self.keep, retention.BITE)
    if pruned < retention.BITE then pruned = pruned + run(self, "outbox_prune", now - self.keep, retention.BITE - pruned) end
    return { swept = swept, pruned = pruned }
  end)
end

function Sqlite:changed(asker)
  if self.ended then return false end
  if self.journal:changed() then self.changes = self.changes + 1 end
  asker = asker or self
  local told = self.told[asker] or 0
  self.told[asker] = self.changes
  return told ~= self.changes
end

function Sqlite:check()
  local ok, findings, code = self.journal:check()
  if ok then return true end
  return nil, problem.make(code or "damaged", findings, self.path)
end

-- ---- the end

function Sqlite:abandon()
  if self.ended then return end
  self.ended = true
  self.journal:close()
  self.group:close(select(2, interface.closed(self)))
end

function Sqlite:close()
  if self.ended then return end
  -- Whoever cannot say so is found gone: the lock is free.
  pcall(self.group.write_now, self.group, function()
    run(self, "owner_sweep", self.owner, retention.soon(time(self)))
    run(self, "tokens_sweep", ("%d"):format(self.owner))
    run(self, "owner_remove", self.owner)
    return true
  end, 0)
  self:abandon()
end

function Sqlite:__tostring()
  return ("%s %s (%s)"):format(Sqlite.__name, self.path, self.ended and "closed" or "open")
end

interface.put(Sqlite)

local sqlite = {}

local function begin(self)
  return self.group:write(function()
    enrol(self)
    sweep(self, clock.time())
    return true
  end)
end

---@class avito.StoreOptions
---@field synchronous? "full"|"normal" "full", the default: what was acknowledged outlives a loss of power; "normal": it
--- outlives the end of the process
---@field keep? number|string how long what was taken and what ended is kept: seconds or a span; default "7d"
---@field patience? number seconds for which another process may hold the file; default 5
---@field group? boolean writers that wait at the same time share a commit; default true
---@field lease? number seconds after which an owner that says nothing is gone; default 15

---@param path string
---@param options? avito.StoreOptions checked already
---@return avito.SqliteStore?
---@return avito.StoreError? err
function sqlite.open(path, options)
  options = options or {}
  local keep = retention.seconds("avito.store", options.keep, 3)
  local opened, failure = journal.open(path, { synchronous = options.synchronous or "full" })
  if not opened then return nil, problem.from(failure, path) end
  local settings = { path = path, patience = options.patience or PATIENCE, group = options.group ~= false }
  local self = setmetatable({ path = path, options = options, journal = opened, keep = keep, lease = options.lease or LEASE,
    group = Group.new(opened, settings), ended = false, renewed = 0, changes = 0, repeated = 0,
    told = setmetatable({}, { __mode = "k" }) }, Sqlite)
  local ok, err = begin(self)
  if ok then return self end
  self:abandon()
  return nil, err
end

--- Another handle on the file. Raises where it cannot be opened.
---@return avito.SqliteStore
function Sqlite:again()
  local store, err = sqlite.open(self.path, self.options)
  if not store then error(err, 2) end
  return store
end

return sqlite
