--- What every store refuses: arguments of the wrong kind, which raise, and calls after its end, which return an error.
local problem = require "avito_messenger.store.problem"

local guard = {}

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

local function wrong_row(i, row)
  local wrong = mistake(("rows[%d]"):format(i), row, "table")
  if wrong then return wrong end
  for _, name in ipairs(ROW) do
    wrong = mistake(("rows[%d].%s"):format(i, name), row[name], "string")
    if wrong then return wrong end
  end
end

local function wrong_receive(account, rows)
  local wrong = mistake("account", account, "string") or mistake("rows", rows, "table")
  if wrong then return wrong end
  for i, row in ipairs(rows) do
    wrong = wrong_row(i, row)
    if wrong then return wrong end
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
function guard.closed(store)
  return nil, problem.make("closed", "the store is closed", store.path)
end

--- Puts the checks before the functions of a store's class. A store is closed when its field `ended` is true.
---@param class table
function guard.put(class)
  for name, mistake_of in pairs(MISTAKES) do
    local method = class[name]
    class[name] = function(self, ...)
      local wrong = mistake_of(...)
      if wrong then error(("store:%s: %s"):format(name, wrong), 2) end
      if self.ended then return guard.closed(self) end
      return method(self, ...)
    end
  end
end

return guard
