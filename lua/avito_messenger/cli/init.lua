--- The command line: `avito-messenger COMMAND …`.
local help = require "avito_messenger.cli.help"
local words = require "avito_messenger.words"

local cli = {}

local commands = { check = "avito_messenger.cli.check", journal = "avito_messenger.cli.journal",
  sandbox = "avito_messenger.cli.sandbox" }

local function version()
  local found, avito = pcall(require, "avito_messenger")
  return found and avito._VERSION or "unknown"
end

--- Runs a command; returns the exit status.
---@param given string[] the program's arguments
---@return integer
function cli.main(given)
  local name = given[1]
  if name == "--version" then
    io.stdout:write("avito-messenger ", version(), "\n")
    return 0
  end
  if name == "help" and commands[given[2]] then return require(commands[given[2]]).main { "--help" } end
  if name == nil or name == "--help" or name == "-h" or name == "help" then
    (name and io.stdout or io.stderr):write(help.program)
    return name and 0 or 2
  end
  if not commands[name] then
    io.stderr:write("avito-messenger: ", words.unknown(name, words.names(commands), "command"), "\n", help.program)
    return 2
  end
  local rest = {}
  for i = 2, #given do rest[#rest + 1] = given[i] end
  for _, word in ipairs(rest) do
    if word == "--version" then return cli.main { "--version" } end
  end
  return require(commands[name]).main(rest)
end

return cli
