--- Journals for specs: files of their own, and what is done with them again and again.
local journal = require "avito_messenger.journal"
local files = require "support.files"

local unpack = table.unpack or unpack
local journals = {}

local made = {}

--- A path where there is nothing yet; `remove_all` removes what comes there.
---@return string
function journals.path()
  local path = files.temporary()
  made[#made + 1] = path
  return path
end

--- For after_each: closes nothing.
function journals.remove_all()
  for _, path in ipairs(made) do
    for _, suffix in ipairs { "", "-wal", "-shm", "-lock", "-journal" } do os.remove(path .. suffix) end
  end
  made = {}
end

--- A journal that is open; raises when it cannot be.
---@param path? string
---@param options? table
function journals.open(path, options)
  local opened, problem = journal.open(path or journals.path(), options)
  return opened or error(problem.code .. ": " .. problem.message, 2)
end

--- One transaction of statements, each { name, …, n = with nil at the end }. Raises what goes wrong.
---@return any result of the last
function journals.write(opened, ...)
  local result
  assert(opened:begin(10))
  for _, statement in ipairs { ... } do
    result = opened:run(unpack(statement, 1, statement.n or #statement))
  end
  assert(opened:commit())
  return result
end

--- A row of the inbox, as parameters of inbox_insert and inbox_replace.
function journals.message(name, chat, key, body)
  return { name, "1", chat, key, "avito", body or ("body of " .. key), 1000 }
end

--- The keys of the rows that a chat has not taken, in order.
---@return string
function journals.waiting(opened, chat)
  local keys = {}
  for i, row in ipairs(assert(opened:run("inbox_rows", "1", chat, -1))) do keys[i] = row[2] end
  return table.concat(keys, " ")
end

return journals
