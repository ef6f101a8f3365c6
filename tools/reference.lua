--- What is derived from the rows of the endpoints: docs/reference.md and lua/avito_messenger/types.lua.
--- `make reference` writes both; a spec fails when they are not current.
local core = require "avito_messenger.core"

local reference = {}

-- The shapes answers have (lua/avito_messenger/shapes.lua); others are tables. `metas` those of the rest of a list's answer.
local MARKETPLACES = {
  {
    name = "avito", title = "Avito", class = "avito_messenger.Client", variable = "Client",
    options = "`timeout` (seconds), `retries`, `headers`, `user_id`",
    refused = "no connection, 429, a refreshed token",
    shapes = {
      get_chats = "avito_messenger.Chat[]",
      get_chat = "avito_messenger.Chat",
      get_messages = "avito_messenger.Message[]",
      send_message = "avito_messenger.Message",
      send_image_message = "avito_messenger.Message",
      get_voice_files = "table<string, string>",
      get_webhook_subscriptions = "avito_messenger.Subscription[]",
      get_self = "avito_messenger.Self",
    },
    metas = {},
  },
  {
    name = "yandex_market", title = "Yandex Market", class = "avito_messenger.yandex_market.Client", variable = "MarketClient",
    options = "`timeout` (seconds), `retries`, `headers`. Ids may be strings of digits",
    refused = "no connection, 420",
    shapes = {
      create_chat = "{ chatId: integer }",
      get_chats = "avito_messenger.yandex_market.Chat[]",
      get_chat = "avito_messenger.yandex_market.Chat",
      get_chat_history = "avito_messenger.yandex_market.Message[]",
      get_chat_message = "avito_messenger.yandex_market.Message",
    },
    metas = {
      get_chats = "avito_messenger.yandex_market.ChatsMeta",
      get_chat_history = "avito_messenger.yandex_market.HistoryMeta",
    },
  },
}

local TYPES = {
  id = "string", string = "string", url = "string", integer = "integer", boolean = "boolean", strings = "string[]",
  integers = "integer[]", objects = "table[]", image = "string|{ data: string, filename?: string }",
  file = "string|{ data: string, filename: string }",
}

local fields_type

--- An id may be more than a number holds.
local function type_of(param)
  if param.type == "integer" and not param.max then return "integer|string" end
  if param.fields then return fields_type(param.fields) .. "[]" end
  return TYPES[param.type]
end

--- The members of an object, by their names in requests; those of an options table by their own.
function fields_type(params, key)
  local members = {}
  for _, param in ipairs(params) do
    local optional = param.required and "" or "?"
    local name = param[key or "wire"]
    local outer, inner = name:match("^(.-)%.(.*)$")
    if outer then
      members[outer] = members[outer] or {}
      table.insert(members[outer], ("%s%s: %s"):format(inner, optional, type_of(param)))
      if #members[outer] == 1 then members[#members + 1] = outer end
    else
      members[#members + 1] = ("%s%s: %s"):format(name, optional, type_of(param))
    end
  end
  for i, member in ipairs(members) do
    if members[member] then members[i] = ("%s?: { %s }"):format(member, table.concat(members[member], ", ")) end
  end
  return "{ " .. table.concat(members, ", ") .. " }"
end

local function bounds_of(param)
  if not param.min or param.type == "constant" then return nil end
  if param.type == "file" then return ("at most %d MB"):format(param.max / 1048576) end
  if param.min == 0 and param.type ~= "integer" then return ("up to %d elements; an empty list is none"):format(param.max) end
  local unit = ({ string = " characters", url = " characters", strings = " elements", integers = " elements",
    objects = " elements" })[param.type] or ""
  if param.max then return ("%d to %d%s"):format(param.min, param.max, unit) end
  return ("at least %d%s"):format(param.min, unit)
end

local function described(param)
  local parts = { param.doc }
  parts[#parts + 1] = bounds_of(param)
  if param.values then parts[#parts + 1] = "known: " .. (param.values:gsub("|", ", ")) end
  return table.concat(parts, "; ")
end

--- The arguments of a method: the positional ones, and the options, if it has any.
local function arguments_of(row)
  local positional, optional = {}, {}
  for _, param in ipairs(row.params) do
    if param.positional then
      positional[#positional + 1] = param
    elseif not param.required then
      optional[#optional + 1] = param
    end
  end
  return positional, optional
end

local function returns_of(marketplace, row)
  if row.answer == "nothing" then return "true", "avito_messenger.Error?" end
  if row.answer == "image" then return "string", "table<string, string>|avito_messenger.Error sizes_or_error" end
  local shape = marketplace.shapes[row.name] or "table"
  if row.answer == "list" then
    return shape, (marketplace.metas[row.name] or "table") .. "|avito_messenger.Error meta_or_error"
  end
  return shape, "avito_messenger.Error?"
end

--- The names of a method's arguments, as a call has them.
local function names_of(positional, optional)
  local names = {}
  for _, param in ipairs(positional) do names[#names + 1] = param.name end
  if #optional > 0 then names[#names + 1] = "options" end
  names[#names + 1] = "call_options"
  return table.concat(names, ", ")
end

local WIDTH = 132

--- A comment goes on in a line of its own.
local function wrapped(line)
  local lines = {}
  while #line > WIDTH do
    local first, rest = line:sub(1, WIDTH):match "^(.*,) ()"
    lines[#lines + 1], line = first, "--- " .. line:sub(rest)
  end
  lines[#lines + 1] = line
  return table.concat(lines, "\n")
end

local function adder(out)
  return function(format, ...) out[#out + 1] = select("#", ...) > 0 and format:format(...) or format end
end

local function add_type(add, marketplace, row)
  local positional, optional = arguments_of(row)
  add("")
  add("--- %s", row.doc)
  add("--- `%s %s`; scope %s.", row.method, row.path, row.scope)
  for _, param in ipairs(positional) do
    add(wrapped(("---@param %s %s %s"):format(param.name, type_of(param), described(param))))
  end
  if #optional > 0 then add(wrapped("---@param options? " .. fields_type(optional, "name"))) end
  add("---@param call_options? avito_messenger.CallOptions")
  local value, second = returns_of(marketplace, row)
  add("---@return %s?", value)
  add("---@return %s", second)
  add("function %s:%s(%s) end", marketplace.variable, row.name, names_of(positional, optional))
end

function reference.types()
  local out = { "---@meta avito_messenger.types", "--- The methods of a client, for editors; never loaded.",
    "--- Written by tools/reference.lua from src/core/endpoints/*.def: change the row, then run `make reference`." }
  local add = adder(out)
  for _, marketplace in ipairs(MARKETPLACES) do
    add("")
    add("---@class %s", marketplace.class)
    add("local %s = {}", marketplace.variable)
    for _, row in ipairs(core.endpoints(marketplace.name)) do add_type(add, marketplace, row) end
  end
  return table.concat(out, "\n") .. "\n"
end

local function cell(text) return (text:gsub("|", "\\|")) end

local function add_method(add, marketplace, row)
  local positional, optional = arguments_of(row)
  add("")
  add("### client:%s(%s)", row.name, names_of(positional, optional))
  add("")
  add("%s", row.doc)
  add("")
  local value, second = returns_of(marketplace, row)
  add("| | |")
  add("|---|---|")
  add("| request | `%s %s` |", row.method, row.path)
  add("| scope | `%s` |", row.scope)
  if row.hourly > 0 then add("| limit | %d an hour |", row.hourly) end
  add("| repeated | %s |", row.repeats == "safe" and "after any failure that may pass"
    or "only when the server cannot have acted on it: " .. marketplace.refused)
  add("| returns | `%s`, `%s` |", cell(value), cell(second))
  if #positional + #optional > 0 then
    add("")
    add("| argument | type | |")
    add("|---|---|---|")
    for _, param in ipairs(positional) do
      add("| `%s` | `%s` | %s |", param.name, cell(type_of(param)), cell(described(param)))
    end
    for _, param in ipairs(optional) do
      add("| `options.%s` | `%s` | %s |", param.name, cell(type_of(param)), cell(described(param)))
    end
  end
end

function reference.markdown()
  local out = { "# Reference of the clients' methods", "",
    "Written by `tools/reference.lua` from `src/core/endpoints/*.def`; change the row, then run `make reference`.", "",
    "Every method takes a last table of options for one call, and returns its value, or `nil` and an error. *Repeated*: after",
    "which failures the request is made again by itself." }
  local add = adder(out)
  for _, marketplace in ipairs(MARKETPLACES) do
    add("")
    add("## %s", marketplace.title)
    add("")
    add("Options for one call: %s.", marketplace.options)
    for _, row in ipairs(core.endpoints(marketplace.name)) do add_method(add, marketplace, row) end
  end
  return table.concat(out, "\n") .. "\n"
end

reference.files = { ["docs/reference.md"] = reference.markdown, ["lua/avito_messenger/types.lua"] = reference.types }

if arg and arg[1] == "write" then
  for path, text in pairs(reference.files) do
    local file = assert(io.open(path, "wb"))
    assert(file:write(text()))
    assert(file:close())
  end
end

return reference
