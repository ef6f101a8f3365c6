--- Rules that can never fire, because an earlier one takes every message they could have.
---
--- An earlier rule does so when all that it asks is asked by the later one as well, it is for every type of message the
--- later one is for, and nothing makes it pass a message on that it matches: not `continue`, not `once`, not a text with a
--- name that may have no value. Two functions are never taken for equal. So no rule that could fire is ever reported.
local texts = require "avito_messenger.bot.rulebook.texts"

--- Rules do not look into the chats of Avito itself unless they ask for a type of chat.
local NOT_AVITO = "not a2u"

--- The conditions as sorted texts, and whether two rules with these are known to match alike.
local function keys_of(rule)
  local keys, sure, avito = {}, true, false
  for _, condition in ipairs(rule.conditions) do
    if condition.key then keys[#keys + 1] = condition.key elseif condition.name ~= "on" then sure = false end
    if condition.name == "chat_type" and condition.key:find("a2u", 1, true) then avito = true end
  end
  if not avito then keys[#keys + 1] = NOT_AVITO end
  table.sort(keys)
  return keys, sure
end

local function takes_all(rule, vars)
  return not rule.continue and not rule.once and not rule.run and (not rule.say or texts.always(rule.say, vars))
end

local function includes(types, others)
  for kind in pairs(others) do
    if not types[kind] then return false end
  end
  return true
end

local function later(first, second)
  return first.fallback and (first.after or 1) > (second.after or 1)
end

--- The rule that takes all the messages of this one: its conditions are some of these, so it hangs on a path of the tree
--- that leaves keys out. Only paths that some rule made are walked.
local function taker(node, rule, keys, from)
  for _, other in ipairs(node) do
    if includes(other.types, rule.types) and not later(other, rule) then return other end
  end
  for i = from, #keys do
    local child = node[keys[i]]
    local found = child and taker(child, rule, keys, i + 1)
    if found then return found end
  end
end

local function hang(node, rule, keys)
  for _, key in ipairs(keys) do
    node[key] = node[key] or {}
    node = node[key]
  end
  node[#node + 1] = rule
end

local function told(rule, other)
  local who = ("'%s'%s"):format(other.name, other.line and (" (line %d)"):format(other.line) or "")
  if rule.fallback and not other.fallback then
    return ("can never fire: rule %s answers every message this fallback is for"):format(who)
  end
  return ("can never fire: rule %s comes before it and takes every such message; put this one before it, or give '%s' " ..
    "continue = true"):format(who, other.name)
end

--- Reports every rule that can never fire.
---@param book { rules: avito_messenger.bot.Rule[], vars: table }
---@param places table<avito_messenger.bot.Rule, { order: integer, at: fun(field: string?, message: string) }>
---@param problems avito_messenger.bot.Problems rules with a mistake are left out: what they meant is not known
return function(book, places, problems)
  local wrong = problems:orders()
  local tree = {}
  local function go_through(fallback)
    for _, rule in ipairs(book.rules) do
      if rule.fallback == fallback and not wrong[places[rule].order] then
        local keys, sure = keys_of(rule)
        local other = taker(tree, rule, keys, 1)
        if other then
          places[rule].at(nil, told(rule, other))
        elseif sure and takes_all(rule, book.vars) then
          hang(tree, rule, keys)
        end
      end
    end
  end
  -- The fallbacks get what all the others left, wherever they stand.
  go_through(false)
  go_through(true)
end
