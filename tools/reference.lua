--- What is derived from the rows of the endpoints: docs/reference.md and lua/avito_messenger/types.lua.
--- `make reference` writes both; a spec fails when they are not current.
local core = require "avito_messenger.core"

local reference = {}

-- The shapes answers have (lua/avito_messenger/shapes.lua); others are tables.
local SHAPES = {
  get_chats = "avito_messenger.Chat[]",
  get_chat = "avito_messenger.Chat",
  get_messages = "avito_messenger.Message[]",
  send_message = "avito_messenger.Message",
  send_image_message = "avito_messenger.Message",
  get_voice_files = "table<string, string>",
  get_webhook_subscriptions = "avito_messenger.Subscription[]",
  get_self = "avito_messenger.Self",
}

local TYPES = {
  id = "string", string = "string", url = "string", integer = "integer", boolean = "boolean", strings = "string[]",
  integers = "integer[]", objects = "table[]", image = "string|{ data: string, filename?: string }",
}

local function fields_type(params)
  local members = {}
  for _, param in ipairs(params) do
    local optional = param.required and "" or "?"
    local outer, inner = param.wire:match("^(.-)%.(.*)$")
    if outer then
      members[outer] = members[outer] or {}
      table.insert(members[outer], ("%s%s: %s"):format(inner, optional, TYPES[param.type]))
      if #members[outer] == 1 then members[#members + 1] = outer end
    else
      members[#members + 1] = ("%s%s: %s"):format(param.wire, optional, TYPES[param.type])
    end
  end
  for i, member in ipairs(members) do
    if members[member] then members[i] = ("%s?: { %s }"):format(member, table.concat(members[member], ", ")) end
  end
  return "{ " .. table.concat(members, ", ") .. " }"
end

local function type_of(param)
  if param.fields then return fields_type(param.fields) .. "[]" end
  return TYPES[param.type]
end

local function bounds_of(param)
  if not param.min or param.type == "constant" then return nil end
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

local function returns_of(row)
  if row.answer == "nothing" then return "true", "avito_messenger.Error?" end
  if row.answer == "image" then return "string", "table<string, string>|avito_messenger.Error sizes_or_error" end
  local shape = SHAPES[row.name] or "table"
  if row.answer == "list" then return shape, "table|avito_messenger.Error meta_or_error" end
  return shape, "avito_messenger.Error?"
end

function reference.types()
  local out = { "---@meta avito_messenger.types", "--- The methods of a client, for editors; never loaded.",
    "--- Written by tools/reference.lua from src/core/endpoints/*.def: change the row, then run `make reference`.", "",
    "---@class avito_messenger.Client", "local Client = {}" }
  local function add(format, ...) out[#out + 1] = select("#", ...) > 0 and format:format(...) or format end
  for _, row in ipairs(core.endpoints()) do
    local positional, optional = arguments_of(row)
    local names = {}
    add("")
    add("--- %s", row.doc)
    add("--- `%s %s`; scope %s.", row.method, row.path, row.scope)
    for _, param in ipairs(positional) do
      names[#names + 1] = param.name
      add("---@param %s %s %s", param.name, type_of(param), described(param))
    end
    if #optional > 0 then
      names[#names + 1] = "options"
      add("---@param options? %s", fields_type(optional))
    end
    names[#names + 1] = "call_options"
    add("---@param call_options? avito_messenger.CallOptions")
    local value, second = returns_of(row)
    add("---@return %s?", value)
    add("---@return %s", second)
    add("function Client:%s(%s) end", row.name, table.concat(names, ", "))
  end
  return table.concat(out, "\n") .. "\n"
end

function reference.markdown()
  local out = { "# Reference of the client's methods", "",
    "Written by `tools/reference.lua` from `src/core/endpoints/*.def`; change the row, then run `make reference`.", "",
    "Every method takes a last table of options for one call: `timeout` (seconds), `retries`, `headers`, `user_id`.",
    "It returns its value, or `nil` and an error. *Repeated*: after which failures the request is made again by itself." }
  local function add(format, ...) out[#out + 1] = select("#", ...) > 0 and format:format(...) or format end
  local function cell(text) return (text:gsub("|", "\\|")) end
  for _, row in ipairs(core.endpoints()) do
    local positional, optional = arguments_of(row)
    local names = {}
    for _, param in ipairs(positional) do names[#names + 1] = param.name end
    if #optional > 0 then names[#names + 1] = "options" end
    names[#names + 1] = "call_options"
    add("")
    add("## client:%s(%s)", row.name, table.concat(names, ", "))
    add("")
    add("%s", row.doc)
    add("")
    local value, second = returns_of(row)
    add("| | |")
    add("|---|---|")
    add("| request | `%s %s` |", row.method, row.path)
    add("| scope | `%s` |", row.scope)
    add("| repeated | %s |", row.repeats == "safe" and "after any failure that may pass"
      or "only when the server cannot have acted on it: no connection, 429, a refreshed token")
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
