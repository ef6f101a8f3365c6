--- `avito-messenger check`: the mistakes of a rulebook, what a marketplace has not of what it asks for, and what it would
--- answer.
local abilities = require "avito_messenger.bot.abilities"
local arguments = require "avito_messenger.cli.arguments"
local help = require "avito_messenger.cli.help"
local needed = require "avito_messenger.bot.needed"
local words = require "avito_messenger.words"

local check = {}

local function price(text)
  local value = tonumber(text)
  if value and value >= 0 and value < math.huge then return value end
  return nil, ("'%s' is no price"):format(text)
end

local function marketplace(text)
  local mistake = words.mistake(text, words.names(abilities), "marketplace")
  if mistake then return nil, mistake end
  return text
end

local rules = {
  help = {}, version = {}, say = { value = "TEXT", many = true }, at = { value = "TIME" }, title = { value = "TEXT" },
  price = { value = "N", read = price }, marketplace = { value = "NAME", many = true, read = marketplace },
}

local function fail(status, message)
  return arguments.fail("check", status, message)
end

-- What the bot would answer, and why. Returns how many errors were reported meanwhile.
local function converse(path, name, given)
  local test = require "avito_messenger.bot.test"
  local scene = test.scene { rulebook = path, marketplace = name, at = given.at }
  local buyer = scene:buyer { item = { title = given.title, price = given.price }, order = {} }
  for _, text in ipairs(given.say) do
    buyer:says(text)
    scene:wait "1m"
  end
  io.stdout:write("\n", buyer:transcript(), "\n\n", buyer:explain(), "\n")
  return buyer.talk.errors
end

local function tell(path, book, named)
  local flows = 0
  for _ in pairs(book.flows) do flows = flows + 1 end
  local warnings = #book.warnings > 0 and (", warnings: %d"):format(#book.warnings) or ""
  io.stdout:write(("%s%s: no mistakes%s; rules: %d, flows: %d\n"):format(path,
    named and " on " .. book.abilities.title or "", warnings, #book.rules, flows))
  for _, warning in ipairs(book.warnings) do io.stdout:write(warning.text, "\n") end
end

-- One marketplace. Returns the exit status, and the mistakes.
local function on(name, path, given)
  local book, err = require("avito_messenger.bot.rulebook").load(path, name)
  if not book then return 1, err.message end
  tell(path, book, given.marketplace ~= nil)
  if not given.say then return 0 end
  local ok, result = pcall(converse, path, name, given)
  if not ok then return fail(1, (tostring(result):gsub("^[^:]+:%d+: ", ""))) end
  return result > 0 and 1 or 0
end

--- Runs the command; returns the exit status.
---@param line string[] the arguments after the command's name
---@return integer
function check.main(line)
  local path, given, problem = arguments.read_with_path(line, rules)
  if not given then return fail(2, problem) end
  if given.help then
    io.stdout:write(help.check)
    return 0
  end
  if not path then return fail(2, "which rulebook? avito-messenger check shop_rules.lua") end
  local missing = needed()
  if missing then return fail(1, missing) end
  local worst, told = 0, nil
  for _, name in ipairs(given.marketplace or { "avito" }) do
    local status, mistakes = on(name, path, given)
    -- Most mistakes are the same everywhere.
    if mistakes and mistakes ~= told then io.stderr:write(mistakes, "\n") end
    worst, told = math.max(worst, status), mistakes or told
  end
  return worst
end

return check
