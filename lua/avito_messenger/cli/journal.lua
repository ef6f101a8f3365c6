--- `avito-messenger journal`: what is in the store of a bot.
local arguments = require "avito_messenger.cli.arguments"
local help = require "avito_messenger.cli.help"
local needed = require "avito_messenger.bot.needed"

local journal = {}

local rules = { help = {}, version = {}, check = {} }

local function fail(status, message)
  return arguments.fail("journal", status, message)
end

-- A statement that gives something; raises what went wrong.
local function ask(file, name, ...)
  local first, second, third = file:run(name, ...)
  if first == nil and type(second) == "table" then error(second, 0) end
  return first, second, third
end

local function print_account(file, account, now)
  local span = require "avito_messenger.bot.span"
  local waiting, oldest = ask(file, "inbox_stats", account)
  local unsorted, first = ask(file, "arrivals_stats", account)
  oldest = oldest and first and math.min(oldest, first) or oldest or first
  io.stdout:write(("account %s: %d chats\n"):format(account, (ask(file, "chats_count", account))))
  io.stdout:write(("  inbox   %d waiting%s\n"):format(waiting + unsorted,
    oldest and ", the oldest for " .. span.text(math.max(0, math.floor(now - oldest))) or ""))
  local live = { queued = 0, latched = 0, unknown = 0 }
  for _, row in ipairs(ask(file, "outbox_stats", account)) do live[row[1]] = row[2] end
  io.stdout:write(("  outbox  %d queued, %d latched, %d unknown; ended: %d confirmed, %d rejected, %d withdrawn\n"):format(
    live.queued, live.latched, live.unknown, ask(file, "outbox_history", account)))
end

local function print_owners(file)
  local uptime, alive, gone = file:uptime(), 0, 0
  for _, owner in ipairs(ask(file, "owner_list")) do
    if owner[2] >= uptime and file:owner_alive(owner[1]) then alive = alive + 1 else gone = gone + 1 end
  end
  io.stdout:write(("owners: %d at work, %d gone\n"):format(alive, gone))
end

local function print_all(file, path, bytes)
  local clock = require "avito_messenger.clock"
  io.stdout:write(bytes < 1e6 and ("%s: %.0f kB\n"):format(path, bytes / 1e3) or ("%s: %.1f MB\n"):format(path, bytes / 1e6))
  local account = ask(file, "account_next", "")
  while account do
    print_account(file, account, clock.time())
    account = ask(file, "account_next", account)
  end
  print_owners(file)
end

local function check(file)
  local whole, findings = file:check()
  io.stdout:write("integrity: ", whole and "nothing is wrong" or findings, "\n")
  return whole and 0 or 1
end

-- A file that is not there would be made.
local function size(path)
  local file, problem = io.open(path, "rb")
  if not file then return nil, problem end
  local bytes, why = file:seek "end"
  file:close()
  if not bytes then return nil, ("%s: %s"):format(path, why) end
  return bytes
end

local function show(path, given)
  local bytes, problem = size(path)
  if not bytes then return fail(1, problem) end
  if bytes == 0 then return fail(1, path .. " is empty: no bot has used it yet") end
  local errors = require "avito_messenger.store.problem"
  local file, failure = require("avito_messenger.journal").open(path)
  if not file then return fail(1, tostring(errors.from(failure, path))) end
  local ok, raised = pcall(print_all, file, path, bytes + (size(path .. "-wal") or 0))
  local status = ok and given.check and check(file) or 0
  file:close()
  if ok then return status end
  if type(raised) == "table" then raised = errors.from(raised, path) end
  return fail(1, tostring(raised))
end

--- Runs the command; returns the exit status.
---@param words string[] the arguments after the command's name
---@return integer
function journal.main(words)
  local path, given, problem = arguments.read_with_path(words, rules)
  if not given then return fail(2, problem) end
  if given.help then
    io.stdout:write(help.journal)
    return 0
  end
  if not path then return fail(2, "which file? avito-messenger journal shop.db") end
  local missing = needed "journal"
  if missing then return fail(1, missing) end
  return show(path, given)
end

return journal
