--- What a rule says: its texts as templates, and which of several is taken.
local fields = require "avito_messenger.bot.rulebook.fields"
local template = require "avito_messenger.bot.template"
local text = require "avito_messenger.text"

local texts = {}

texts.NAMES = fields.set {
  "item.title", "item.price", "item.id", "item.url", "item.city", "buyer.name", "buyer.id", "chat.id", "hours.next_open",
  "hours.next_close", "message.text", "phone", "number", "link", "order.id", "return.id",
}

-- Which facts of the chat a group of names needs.
local NEEDS = { item = "item", buyer = "buyer", order = "order", ["return"] = "order" }

--- What the names of a template ask of the book.
local function use(compiled, book)
  for _, name in ipairs(compiled.names) do
    local part = texts.NAMES[name] and name:match "^(%a+)%."
    if NEEDS[part] then book.needs[NEEDS[part]] = true end
    if part == "hours" and not book.given.hours then
      return ("{%s} needs the hours of the book: hours = { ['пн-пт'] = '09:00-20:00' }"):format(name)
    end
  end
end

local function compile(written, book)
  local ok, message = fields.string(written)
  if not ok then return nil, message end
  local length
  length, message = text.length(written)
  if not length then return nil, message end
  local compiled
  compiled, message = template.compile(written, book.names)
  if not compiled then return nil, message end
  local limit = book.abilities.max_text
  if compiled.literal_length > limit then
    return nil, ("%s has %d characters, and a message of %s may have %d"):format(
      compiled.variable and "the text without its names" or "the text", compiled.literal_length, book.abilities.title, limit)
  end
  message = use(compiled, book)
  if message then return nil, message end
  return compiled
end

--- The texts of a table with their labels, or without any: they take turns.
local function many(given)
  local listed, labels = {}, {}
  for key in pairs(given) do
    if type(key) == "string" then labels[#labels + 1] = key end
  end
  table.sort(labels)
  for i, label in ipairs(labels) do listed[i] = given[label] end
  if #labels == 0 then return "turn", given end
  if given[1] ~= nil then return nil end
  return "label", listed, labels
end

--- The texts of `say`: one; a list, which takes turns; or texts by label, of which a chat always gets the same.
---@param given string|table
---@param at fun(field: string?, message: string)
---@param book table
---@return { mode: "one"|"turn"|"label", texts: avito_messenger.bot.Template[], labels: string[]?, fields: string[] }? say
--- fields: how each text is named where something is wrong with it
function texts.read(given, at, book)
  local mode, list, labels = "one", { given }, nil
  if type(given) == "table" then mode, list, labels = many(given) end
  if not mode then return at("say", "has texts with a label and without: give each of them one, or none") end
  local count = 0
  for _ in pairs(list) do count = count + 1 end
  if count == 0 then return at("say", "the list is empty") end
  if count ~= #list then return at("say", "has a gap where a text should be") end
  local say = { mode = mode, texts = {}, labels = labels, fields = {} }
  for i, written in ipairs(list) do
    local message
    say.texts[i], message = compile(written, book)
    say.fields[i] = mode == "one" and "say" or ("say[%s]"):format(labels and "'" .. labels[i] .. "'" or i)
    if not say.texts[i] then at(say.fields[i], message) end
  end
  return say
end

--- Is there always something to say: a name with neither a value nor a default stops a rule?
---@param say { texts: avito_messenger.bot.Template[] }
---@param vars table<string, string|number>
---@return boolean
function texts.always(say, vars)
  for _, compiled in pairs(say.texts) do
    if not compiled:render(function(name) return vars[name] end) then return false end
  end
  return true
end

return texts
