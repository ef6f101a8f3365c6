--- `avito-messenger check`: the mistakes of a rulebook, and what it would answer.
local arguments = require "avito_messenger.cli.arguments"
local help = require "avito_messenger.cli.help"
local needed = require "avito_messenger.bot.needed"

local check = {}

local function price(text)
  local value = tonumber(text)
  if value and value >= 0 and value < math.huge then return value end
  return nil, ("'%s' is no price"):format(text)
end

local rules = {
  help = {}, version = {}, say = { value = "TEXT", many = true }, at = { value = "TIME" }, title = { value = "TEXT" },
  price = { value = "N", read = price },
}

local function fail(status, message)
  return arguments.fail("check", status, message)
end

-- What the bot would answer, and why. Returns how many errors were reported meanwhile.
local function converse(path, given)
  local test = require "avito_messenger.bot.test"
  local scene = test.scene { rulebook = path, at = given.at }
  local buyer = scene:buyer { item = { title = given.title, price = given.price } }
  for _, text in ipairs(given.say) do
    buyer:says(text)
    scene:wait "1m"
  end
  io.stdout:write("\n", buyer:transcript(), "\n\n", buyer:explain(), "\n")
  return buyer.talk.errors
end

--- Runs the command; returns the exit status.
---@param words string[] the arguments after the command's name
---@return integer
function check.main(words)
  local path, given, problem = arguments.read_with_path(words, rules)
  if not given then return fail(2, problem) end
  if given.help then
    io.stdout:write(help.check)
    return 0
  end
  if not path then return fail(2, "which rulebook? avito-messenger check shop_rules.lua") end
  local missing = needed()
  if missing then return fail(1, missing) end
  local rulebook = require "avito_messenger.bot.rulebook"
  local book, err = rulebook.load(path)
  if not book then
    io.stderr:write(err.message, "\n")
    return 1
  end
  local flows = 0
  for _ in pairs(book.flows) do flows = flows + 1 end
  io.stdout:write(("%s: no mistakes; rules: %d, flows: %d\n"):format(path, #book.rules, flows))
  if given.say then
    local ok, result = pcall(converse, path, given)
    if not ok then return fail(1, (tostring(result):gsub("^[^:]+:%d+: ", ""))) end
    if result > 0 then return 1 end
  end
  return 0
end

return check
