--- What a book asks for and its marketplace has not: told as warnings, and left out of the book, so that one book serves
--- several marketplaces.
local images = require "avito_messenger.bot.rulebook.images"
local words = require "avito_messenger.words"

local fit = {}

local function any(set, known)
  for word in pairs(set) do
    if known[word] then return true end
  end
  return false
end

--- Tells each condition that is never met. Is there one?
local function never_fires(rule, abilities, warn)
  local found = false
  local function never(field, why)
    found = true
    warn(field, why .. ": the rule never fires there")
  end
  if not any(rule.types, abilities.messages) then
    never("on", ("no message of type %s comes on %s"):format(table.concat(words.names(rule.types), " or "), abilities.title))
  end
  for _, condition in ipairs(rule.conditions) do
    local why = abilities:lacks("conditions", condition.name)
    if why then never(condition.name, why) end
    if condition.chats and not any(condition.chats, abilities.chats) then
      never(condition.name, ("%s has no %s chats"):format(abilities.title, table.concat(words.names(condition.chats), " or ")))
    end
  end
  return found
end

local function warn_of_text(text, field, abilities, warn)
  local never = false
  for _, name in ipairs(text.bare) do
    local why = abilities:lacks("names", name)
    if why then
      never = true
      warn(field, ("{%s}: %s: it is never said there, unless the name has a default, {%s|…}"):format(name, why, name))
    end
  end
  return never
end

-- A text that is never said must not stand in the way of those whose turn comes after it.
local function without_texts(rule, abilities, warn)
  local say = rule.say
  local left = { mode = say.mode, texts = {}, labels = say.labels and {}, fields = {} }
  for i, text in ipairs(say.texts) do
    if not warn_of_text(text, say.fields[i], abilities, warn) then
      local place = #left.texts + 1
      left.texts[place], left.fields[place] = text, say.fields[i]
      if say.labels then left.labels[place] = say.labels[i] end
    end
  end
  if left.texts[1] then rule.say = left end
end

local function does_something(rule)
  return rule.say or rule.image or rule.acts[1] or rule.flow or rule.run
end

local function without_acts(rule, abilities, warn)
  local left = {}
  for _, act in ipairs(rule.acts) do
    local why = abilities:lacks("acts", act.kind)
    if why then warn("act", ("'%s' is left out there: %s"):format(act.kind, why)) else left[#left + 1] = act end
  end
  rule.acts = left
end

local function without_ids(rule, abilities, warn)
  local left = {}
  for _, image in ipairs(rule.image or {}) do
    local why = fit.image(image, abilities)
    if why then warn("image", why) else left[#left + 1] = image end
  end
  rule.image = left[1] and left or nil
end

--- Why an image is left out on the marketplace; nil: it is not.
---@param image string
---@param abilities avito_messenger.bot.Abilities
---@return string?
function fit.image(image, abilities)
  if abilities.image_ids or images.path(image) then return nil end
  return ("'%s' is left out there: it is the id of an uploaded image, and %s takes files only"):format(image, abilities.title)
end

--- Fits a book that has no mistakes.
---@param book avito_messenger.bot.Book
---@param warn fun(field: string?, message: string) whom what is wrong with the book's own fields is told
---@param warn_of table<avito_messenger.bot.Rule, fun(field: string?, message: string)> the same of the rules
function fit.book(book, warn, warn_of)
  local abilities = book.abilities
  local unread = abilities:lacks("acts", "mark_read")
  if unread and book.given.mark_read then warn("mark_read", "is left out there: " .. unread) end
  book.mark_read = book.mark_read and not unread
  for name in pairs(book.needs) do book.needs[name] = book.needs[name] and abilities.facts[name] or false end
  for _, rule in ipairs(book.rules) do
    local warn_rule = warn_of[rule]
    if never_fires(rule, abilities, warn_rule) then warn_rule = function() end end -- what it would do does not matter
    if rule.say then without_texts(rule, abilities, warn_rule) end
    without_acts(rule, abilities, warn_rule)
    without_ids(rule, abilities, warn_rule)
    if not does_something(rule) then warn_rule(nil, "takes the message there, and does nothing") end
  end
end

return fit
