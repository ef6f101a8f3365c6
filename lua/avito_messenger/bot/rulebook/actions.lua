--- What a rule does: say, image, act, flow, run, and how long it waits before.
local fields = require "avito_messenger.bot.rulebook.fields"
local images = require "avito_messenger.bot.rulebook.images"
local reasons = require "avito_messenger.bot.reasons"
local span = require "avito_messenger.bot.span"
local texts = require "avito_messenger.bot.rulebook.texts"
local words = require "avito_messenger.words"

local actions = {}

actions.FIELDS = {
  say = "string|table", image = "string|table", act = "string|table", flow = "string", run = "function",
  delay = "string|number|table",
}

local ACTS = { "escalate", "blacklist", "mark_read", "ignore", "pause", "resume" }
local act_name, reason_name = fields.word(ACTS, "act"), fields.word(reasons, "reason")

-- What an act may be told beside its name.
local DETAILS = { blacklist = { reason = "string" }, escalate = { reason = "string" }, pause = { time = "string|number" } }

local function detail(act, good, at)
  if act.kind == "blacklist" and good.reason then
    local reason, message = reason_name(good.reason)
    if not reason then return at("act", message) end
  end
  act.reason = good.reason
  if good.time then
    local seconds, message = span.seconds(good.time)
    if not seconds then return at("act.time", message) end
    act.seconds = seconds
  end
end

local function one_act(given, at)
  local written = type(given) == "table" and given or { given }
  local kind, message = act_name(written[1])
  if not kind then return at("act", message) end
  local act = { kind = kind }
  fields.no_list(written, at, "act", 2)
  local details = DETAILS[kind]
  if details then
    detail(act, fields.read(written, details, at, "act."), at)
  else
    for name in pairs(written) do
      if type(name) == "string" then at("act", ("'%s' takes no '%s'"):format(kind, name)) end
    end
  end
  return act
end

--- "escalate"; { "blacklist", reason = "spam" }; or a list of such.
local function acts(given, at)
  local several = type(given) == "table"
  for key in pairs(several and given or {}) do
    if type(key) == "string" then several = false end
  end
  local list = {}
  if several and #given == 0 then at("act", "the list is empty") end
  for _, act in ipairs(several and given or { given }) do list[#list + 1] = one_act(act, at) end
  return list
end

local function delay(given, at)
  local least, most = span.range(given)
  if not least then return at("delay", most) end
  return { min = least, max = most }
end

local function image_list(given, at, book)
  local list, message = fields.list(given, fields.string)
  if not list then return at("image", message) end
  for _, image in ipairs(book.directory and list or {}) do
    message = images.problem(image, book.directory)
    if message then at("image", message) end
  end
  return list
end

local function flow(given, at, book)
  if not book.flows[given] then
    if next(book.flows) == nil then return at("flow", ("there is no avito.flow { '%s', … } in the book"):format(given)) end
    return at("flow", words.unknown(given, words.names(book.flows), "flow"))
  end
  return given
end

local SPEAK = { "say", "image", "flow" }

--- Reads what the rule does into it.
---@param rule avito_messenger.bot.Rule
---@param given table<string, any>
---@param at fun(field: string?, message: string)
---@param book table
function actions.read(rule, given, at, book)
  if given.say ~= nil then rule.say = texts.read(given.say, at, book) end
  if given.image ~= nil then rule.image = image_list(given.image, at, book) end
  if given.delay ~= nil then rule.delay = delay(given.delay, at) end
  if given.flow ~= nil then rule.flow = flow(given.flow, at, book) end
  rule.acts = given.act ~= nil and acts(given.act, at) or {}
  rule.run = given.run
  if not rule.types.own then return end
  for _, name in ipairs(SPEAK) do
    if given[name] ~= nil then at(name, "a rule on = 'own' may only act and run: nobody waits for an answer") end
  end
end

return actions
