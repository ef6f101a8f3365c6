--- What a bot knows of a store, and what every store refuses: arguments of the wrong kind, which raise, and calls after its
--- end, which return an error.
---
--- What comes from outside is a row of the inbox, durable before it is acknowledged, and known by its key. Whoever works on a
--- chat claims it; each step is one commit, of the record, the rows it took and the outbox, and is refused ("fenced") once
--- somebody else has claimed the chat. An owner, that is a handle of a store, may be gone at any time: then its chats are free,
--- and due at once.
---
--- Functions may wait; in a task of the loop others run meanwhile. They return something, or nil and an avito.StoreError, and
--- raise where the task is cancelled while it waits: then nothing was written. They keep no table that they are given and
--- hand out none that they keep.
local problem = require "avito_messenger.store.problem"

---@class avito.Store
---@field shared? boolean other processes may write: `changed` is worth asking, a few times a second
---@field lease? number seconds after which an owner that has not called `maintain` is gone
---@field attach fun(self, driver: avito.Driver) how to wait, and what time it is; called before the others; may be called again
---@field receive fun(self, account: string, rows: avito.store.Row[]): boolean[]?, avito.StoreError? which were new; the rest
--- was known. All of them are durable when it returns, or none. Their chats are due
---@field accept? fun(self, account: string, rows: avito.store.Row[]): true?, avito.StoreError? as receive, and much cheaper: which
--- of them are new shows when `due` is asked next, in any process. No row replaces another
---@field repeated? integer how many were not, of what this handle has sorted so
---@field due fun(self, account: string, now: number, limit: number): string[]?, number|avito.StoreError|nil chats that have
--- rows not taken, or whose wake is not later than `now`, the oldest first, without those of other owners; and the next wake
--- after `now`. math.huge: all that have a wake
---@field claim fun(self, account: string, chat_id: string): avito.store.Claim|false|nil, avito.StoreError? false: another
--- owner has the chat. Earlier claims are fenced, also one's own
---@field rows fun(self, claim: avito.store.Claim): avito.store.Taken[]?, avito.StoreError? those not taken now
---@field commit fun(self, claim: avito.store.Claim, change: avito.store.Change): true?, avito.StoreError? all or nothing. With
--- rows left the chat is due, whatever `wake` says
---@field release fun(self, claim: avito.store.Claim): true?, avito.StoreError? gives the chat back as it is
---@field peek fun(self, account: string, chat_id: string): avito.bot.Chat?, avito.StoreError? nil alone: nothing is known
---@field cursor fun(self, account: string, name: string): string?, avito.StoreError?
---@field set_cursor fun(self, account: string, name: string, value: string): true?, avito.StoreError?
---@field tokens fun(self, name: string): avito_messenger.TokenStore usable without attach, from any driver
---@field stats fun(self, account: string, now: number): avito.store.Stats?, avito.StoreError?
---@field maintain fun(self, now: number): { swept: integer, pruned: integer }?, avito.StoreError? to be called every few
--- seconds: says that the owner lives, frees what those held that are gone, forgets what was kept long enough, in small bites
---@field changed fun(self, asker: any): boolean has another process written, or was a chat freed, since the same asker
--- asked last?
---@field check fun(self): true?, avito.StoreError? reads all there is, and tells what is damaged
---@field close fun(self) frees what it holds; may be called again
---@field abandon fun(self) ends as a process that is killed: for specs
---@field again fun(self): avito.Store another handle on the same data, as another process has: for specs

---@class avito.store.Row
---@field chat_id string
---@field key string of the message: what is known by it is not taken in again
---@field kind string
---@field body string
---@field replace? boolean a row of that key gets the new body, and is to be taken (again)

---@class avito.store.Taken
---@field seq integer grows
---@field key string
---@field kind string
---@field body string

---@class avito.store.Claim
---@field chat_id string
---@field fence integer grows with each claim
---@field record avito.bot.Chat
---@field rows avito.store.Taken[]

---@class avito.store.Change
---@field record avito.bot.Chat
---@field now number
---@field taken? integer rows up to this seq are taken
---@field finals? { key: string, state: "confirmed"|"rejected"|"withdrawn", id: string? }[] how rows ended that are in the
--- outbox no more; "withdrawn" without
---@field wake? number when the chat is due again; nil: when a row comes
---@field release? boolean the claim ends

---@class avito.store.Stats
---@field inbox integer rows that are not taken
---@field oldest? number seconds that the oldest of them waits
---@field outbox { queued: integer, latched: integer, unknown: integer }
---@field chats integer

local interface = {}

-- What is wrong with the argument, or nil.
local function mistake(name, value, kind)
  if type(value) ~= kind then return ("%s must be a %s, got %s"):format(name, kind, type(value)) end
end

local function arguments(...)
  local expected = { ... }
  return function(...)
    for i = 1, #expected, 2 do
      local wrong = mistake(expected[i], (select((i + 1) / 2, ...)), expected[i + 1])
      if wrong then return wrong end
    end
  end
end

local ROW = { "chat_id", "key", "kind", "body" }

local function is_row(row)
  return type(row) == "table" and type(row.chat_id) == "string" and type(row.key) == "string" and type(row.kind) == "string"
    and type(row.body) == "string"
end

local function wrong_row(i, row)
  local wrong = mistake(("rows[%d]"):format(i), row, "table")
  for _, name in ipairs(ROW) do
    wrong = wrong or mistake(("rows[%d].%s"):format(i, name), row[name], "string")
  end
  return wrong
end

local function wrong_receive(account, rows)
  local wrong = mistake("account", account, "string") or mistake("rows", rows, "table")
  if wrong then return wrong end
  for i, row in ipairs(rows) do
    if not is_row(row) then return wrong_row(i, row) end
  end
end

local function wrong_claim(claim)
  return mistake("claim", claim, "table") or mistake("claim.fence", claim.fence, "number")
end

local function wrong_commit(claim, change)
  return wrong_claim(claim) or mistake("change", change, "table") or mistake("change.record", change.record, "table")
    or mistake("change.now", change.now, "number")
end

local MISTAKES = {
  receive = wrong_receive,
  accept = wrong_receive,
  due = arguments("account", "string", "now", "number", "limit", "number"),
  claim = arguments("account", "string", "chat_id", "string"),
  rows = wrong_claim,
  commit = wrong_commit,
  release = wrong_claim,
  peek = arguments("account", "string", "chat_id", "string"),
  cursor = arguments("account", "string", "name", "string"),
  set_cursor = arguments("account", "string", "name", "string", "value", "string"),
  stats = arguments("account", "string", "now", "number"),
  maintain = arguments("now", "number"),
  check = arguments(),
}

--- What every function of a closed store returns.
---@param store { path: string? }
---@return nil
---@return avito.StoreError
function interface.closed(store)
  return nil, problem.make("closed", "the store is closed", store.path)
end

--- Puts the checks before the functions of a store's class. A store is closed when its field `ended` is true.
---@param class table
function interface.put(class)
  for name, mistake_of in pairs(MISTAKES) do
    local method = class[name]
    class[name] = method and function(self, ...)
      local wrong = mistake_of(...)
      if wrong then error(("store:%s: %s"):format(name, wrong), 2) end
      if self.ended then return interface.closed(self) end
      return method(self, ...)
    end
  end
end

return interface
