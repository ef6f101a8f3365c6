--- What a store returns beside nil: what became of the write, and what to do about it.
local problem = {}

---@class avito.StoreError
---@field code avito.StoreErrorCode
---@field message string what was wrong
---@field hint string what to do about it
---@field path? string the store's file
---
---@alias avito.StoreErrorCode
---| "full"     no space is left, or no quota
---| "io"       the disk failed
---| "busy"     another process held the file for longer than the store waits
---| "readonly" the file, or its directory, may not be written
---| "damaged"  the file is no journal, or not whole
---| "version"  a newer version made the file
---| "open"     the file cannot be opened
---| "memory"   no memory was left
---| "fenced"   the chat is another's by now
---| "closed"   the store was closed

local metatable = { __name = "avito.StoreError" }

local HINTS = {
  full = "free some space; nothing was written",
  io = "nothing was written; look at the disk, then check the file: avito-messenger journal PATH --check",
  busy = "nothing was written; try again, or look for the process that holds the file",
  readonly = "give the process the right to write the file and its directory",
  damaged = "keep a copy, and begin with a new file or a backup",
  version = "install the version that made it, or a newer one",
  open = "look at the path: its directory must exist, and the process may write there",
  memory = "nothing was written; give the process more memory",
  fenced = "nothing was written; claim the chat again",
  closed = "open the store again",
}

--- "journal shop.db: the disk is full (full): free some space; nothing was written"
function metatable.__tostring(err)
  local where = err.path and "journal " .. err.path or "store"
  return ("%s: %s (%s): %s"):format(where, err.message, err.code, err.hint)
end

--- So that a raised error can be joined to other text.
function metatable.__concat(left, right)
  return tostring(left) .. tostring(right)
end

---@param code avito.StoreErrorCode
---@param message string
---@param path? string
---@return avito.StoreError
function problem.make(code, message, path)
  local hint = HINTS[code]
  if not hint then error(("'%s' is no code of a store's error"):format(tostring(code)), 2) end
  return setmetatable({ code = code, message = message, hint = hint, path = path }, metatable)
end

local SENTENCES = {
  full = "the disk is full",
  io = "the disk failed",
  busy = "another process holds the file",
  readonly = "the file cannot be written",
  damaged = "the file is no journal, or damaged",
  version = "a newer version made the file",
  open = "the file cannot be opened",
  memory = "no memory was left",
  closed = "the store is closed",
}

--- What the journal met, in words of the store.
---@param failure { code: avito.StoreErrorCode, message: string }
---@param path string
---@return avito.StoreError
function problem.from(failure, path)
  return problem.make(failure.code, ("%s (%s)"):format(SENTENCES[failure.code], failure.message), path)
end

---@param chat_id string
---@param path? string
---@return avito.StoreError
function problem.fenced(chat_id, path)
  return problem.make("fenced", ("chat %s is another's by now"):format(chat_id), path)
end

--- Is the value one of these errors?
---@param value any
---@return boolean
function problem.is(value)
  return getmetatable(value) == metatable
end

return problem
