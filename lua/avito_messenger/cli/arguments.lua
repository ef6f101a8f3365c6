--- Command line options: `--name value`, `--name=value`, `--flag`.
local words = require "avito_messenger.words"

local arguments = {}

-- One option, its value at the place behind it where that is a word of its own. Returns the last place that it took.
local function read_option(options, given, i, rules)
  local word = given[i]
  local name, value = word:match("^%-%-([%w-]+)=(.*)$")
  name = name or word:match("^%-%-([%w-]+)$")
  if word == "-h" then name = "help" end
  if not name then return nil, ("what is '%s'? Options begin with --"):format(word) end
  local rule = rules[name]
  if not rule then
    local known = {}
    for _, one in ipairs(words.names(rules)) do known[#known + 1] = "--" .. one end
    return nil, words.unknown("--" .. name, known, "option")
  end
  if not rule.value then
    if value then return nil, ("option --%s takes no value"):format(name) end
    value = true
  elseif not value then
    i = i + 1
    value = given[i]
    if not value then return nil, ("option --%s needs a value: --%s %s"):format(name, name, rule.value) end
  end
  if rule.read then
    local clean, problem = rule.read(value)
    if clean == nil then return nil, ("option --%s: %s"):format(name, problem) end
    value = clean
  end
  if rule.many then
    options[name] = options[name] or {}
    table.insert(options[name], value)
  elseif options[name] ~= nil then
    return nil, ("option --%s is given twice"):format(name)
  else
    options[name] = value
  end
  return i
end

local function read(given, rules, takes_path)
  local options, path, i = {}, nil, 1
  while i <= #given do
    if takes_path and not path and given[i]:sub(1, 1) ~= "-" then
      path, i = given[i], i + 1
    else
      local last, problem = read_option(options, given, i, rules)
      if not last then return path, nil, problem end
      i = last + 1
    end
  end
  return path, options
end

--- Reads options by their rules: `{ name = { value = "N", many = true, read = fn } }`; a rule without
--- `value` is a flag.
---@param given string[]
---@param rules table<string, table>
---@return table<string, any>? options
---@return string? problem
function arguments.read(given, rules)
  local _, options, problem = read(given, rules, false)
  return options, problem
end

--- The same for a command that is given a path, before the options or after them.
---@param given string[]
---@param rules table<string, table>
---@return string? path nil when there is none
---@return table<string, any>? options
---@return string? problem
function arguments.read_with_path(given, rules)
  return read(given, rules, true)
end

--- Seconds written as 50ms, 1.5s, 2m, 1h, 1d, or a plain number of seconds.
---@param text string
---@return number? seconds
---@return string? problem
function arguments.duration(text)
  local number, unit = text:match("^(%d+%.?%d*)(%a*)$")
  local scale = ({ ms = 0.001, s = 1, [""] = 1, m = 60, h = 3600, d = 86400 })[unit or "?"]
  if not scale then return nil, ("'%s' is no duration: 50ms, 1.5s, 2m"):format(text) end
  return tonumber(number) * scale
end

--- A duration, or a range written as 50ms-2s.
---@param text string
---@return number|number[]? seconds
---@return string? problem
function arguments.range(text)
  local from, to = text:match("^(%w+%.?%w*)%-(%w+%.?%w*)$")
  if not from then return arguments.duration(text) end
  local low, problem = arguments.duration(from)
  if not low then return nil, problem end
  local high
  high, problem = arguments.duration(to)
  if not high then return nil, problem end
  if high < low then return nil, ("'%s' runs backwards"):format(text) end
  return { low, high }
end

--- An integer in a range.
---@param least integer
---@param most integer
function arguments.integer(least, most)
  return function(text)
    local value = text:match("^%d+$") and tonumber(text)
    if not value or value < least or value > most then
      return nil, ("'%s' is no integer from %.0f to %.0f"):format(text, least, most)
    end
    return value
  end
end

--- Writes why a command failed.
---@param command string
---@param status integer 2: it was called wrongly
---@param message string
---@return integer status
function arguments.fail(command, status, message)
  io.stderr:write(("avito-messenger %s: %s\n"):format(command, message))
  if status == 2 then io.stderr:write(("Try: avito-messenger %s --help\n"):format(command)) end
  return status
end

return arguments
