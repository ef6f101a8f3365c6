--- Texts with names in braces: "Здравствуйте, {buyer.name|покупатель}!".
---
--- `{name}` is filled in, `{name|default}` too, with something else where there is nothing; `{{` is a brace.
local spelling = require "avito_messenger.bot.spelling"
local words = require "avito_messenger.words"

local template = {}

---@class avito_messenger.bot.Template
---@field names string[] the names it uses, each once, as they come
---@field bare string[] those of them that stand somewhere without a default
---@field literal_length integer code points of what is always the same
---@field variable boolean has it any names?
local Template = {}
Template.__index = Template
Template.__name = "avito_messenger.bot.Template"

--- Where byte `at` of the text stands, as its writer counts.
local function place(text, at)
  local before = text:sub(1, at - 1)
  local column = ("column %d"):format(spelling.length(before:match "[^\n]*$") + 1)
  if not text:find("\n", 1, true) then return column end
  return ("line %d, %s"):format(select(2, before:gsub("\n", "")) + 1, column)
end

--- What stands between two braces, as { name=, default= }.
local function read(inside, known)
  local name, default = inside:match "^([^|]*)|(.*)$"
  name = spelling.trim(name or inside)
  if name == "" then return nil, "there is no name in the braces (a brace itself is written '{{')" end
  if not known[name] then return nil, words.unknown(name, words.names(known), "name") end
  return { name = name, default = default }
end

--- `{{name}}` is how others write a name; here it would be sent as it stands.
local function doubled(text, at, known)
  local name = text:match("^{{%s*([^{}|]-)%s*[|}]", at)
  if name and known[name] and text:match("^{{[^{}]*}}", at) then
    return ("a name stands in single braces: {%s}"):format(name)
  end
end

--- The part that begins with the brace at `at`, and where the next one begins; or nil and what is wrong.
local function brace(text, at, known)
  if text:sub(at + 1, at + 1) == "{" then
    local problem = doubled(text, at, known)
    if problem then return nil, problem end
    return "{", at + 2
  end
  local inside, after = text:match("^{([^{}]*)}()", at)
  if not inside then return nil, "the brace is not closed (a brace itself is written '{{')" end
  local part, problem = read(inside, known)
  if not part then return nil, problem end
  return part, after
end

--- The text as a list of strings and names.
local function parse(text, known)
  local parts, at = {}, 1
  while at <= #text do
    local open = text:find("{", at, true) or #text + 1
    if open > at then parts[#parts + 1] = text:sub(at, open - 1) end
    at = open
    if open <= #text then
      local part, after = brace(text, open, known)
      if not part then return nil, ("%s: %s"):format(place(text, open), after) end
      parts[#parts + 1], at = part, after
    end
  end
  return parts
end

local function add_once(list, seen, name)
  if not seen[name] then list[#list + 1] = name end
  seen[name] = true
end

--- Reads a text; a name that is not among the known ones is a mistake.
---@param text string
---@param known table<string, any> the names there are, as keys
---@return avito_messenger.bot.Template?
---@return string? message
function template.compile(text, known)
  if type(text) ~= "string" then error(("template.compile: text must be a string, got %s"):format(type(text)), 2) end
  if type(known) ~= "table" then error(("template.compile: known must be a table, got %s"):format(type(known)), 2) end
  local parts, message = parse(text, known)
  if not parts then return nil, message end
  local self = { parts = parts, names = {}, bare = {}, literal_length = 0, variable = false }
  local seen, bare = {}, {}
  for _, part in ipairs(parts) do
    if type(part) == "string" then
      self.literal_length = self.literal_length + spelling.length(part)
    else
      self.variable = true
      add_once(self.names, seen, part.name)
      if not part.default then add_once(self.bare, bare, part.name) end
    end
  end
  return setmetatable(self, Template)
end

local function written(value)
  if type(value) == "number" then return (value % 1 == 0 and "%.0f" or "%.14g"):format(value) end
  return value
end

--- Fills the names in. What is filled in is never read for names again.
---@param lookup fun(name: string): string|number|nil the default stands in for nil and for ""
---@return string?
---@return string? missing the name that has neither a value nor a default
function Template:render(lookup)
  local out = {}
  for i, part in ipairs(self.parts) do
    if type(part) == "string" then
      out[i] = part
    else
      local value = lookup(part.name)
      if value == nil or value == "" then value = part.default or value end
      if value == nil then return nil, part.name end
      out[i] = written(value)
    end
  end
  return table.concat(out)
end

return template
