--- From what a rule or a flow asks for to rows of the outbox: texts filled in and cut to the length the API takes.
local facts = require "avito_messenger.bot.engine.facts"
local template = require "avito_messenger.bot.template"
local text = require "avito_messenger.text"

local compose = {}

--- Fills in a compiled template. Raises a text when a name has no value.
---@param compiled avito_messenger.bot.Template
---@param book avito_messenger.bot.Book
---@param turn avito.bot.Turn
---@param extra? table<string, string|number> more names
---@return string
function compose.fill(compiled, book, turn, extra)
  local filled, missing = compiled:render(function(name)
    local own = extra and extra[name]
    if own ~= nil then return own end
    return facts.value(book, turn, name)
  end)
  if not filled then
    error(("{%s} is not known here: give it a default, {%s|…}"):format(missing, missing), 0)
  end
  return filled
end

--- Fills in a text that a function gave.
---@param source string
---@param book avito_messenger.bot.Book
---@param turn avito.bot.Turn
---@param extra? table<string, string|number>
---@return string
function compose.text(source, book, turn, extra)
  if not source:find("{", 1, true) then return source end
  local known = {}
  for name in pairs(book.names) do known[name] = true end
  for name in pairs(extra or {}) do known[name] = true end
  local compiled, problem = template.compile(source, known)
  if not compiled then error(problem, 0) end
  return compose.fill(compiled, book, turn, extra)
end

--- One row for each piece that is short enough to be sent.
---@param rows avito.bot.Row[] they are added here
---@param key string
---@param said string
---@param fields table what every row of it holds
---@param limit integer characters of a message
function compose.say(rows, key, said, fields, limit)
  if not said:find "%S" then error("the text to say is empty", 0) end
  local length, problem = text.length(said)
  if not length then error("the text to say: " .. problem, 0) end
  local pieces = text.split(said, limit)
  for i, piece in ipairs(pieces) do
    local row = { kind = "send", key = i == 1 and key or ("%s.%d"):format(key, i), text = piece }
    for name, value in pairs(fields) do row[name] = value end
    rows[#rows + 1] = row
  end
end

return compose
