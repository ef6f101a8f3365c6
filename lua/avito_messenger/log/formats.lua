--- One line of a log, from its fields in their order: logfmt, or JSON.
local json = require "avito_messenger.json"
local readable = require "avito_messenger.readable"

local formats = {}

local SHORT = { ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t", ['"'] = '\\"', ["\\"] = "\\\\" }

local function by_number(character)
  return ("\\u%04x"):format(character:byte())
end

local function short_of(character)
  return SHORT[character] or by_number(character)
end

-- C1 controls steer a terminal, U+2028 and U+2029 end lines, and the others turn the direction of what follows.
local function second_control(lead, last)
  if lead == "\194" then return by_number(last) end
  local point = (lead == "\226\128" and 0x2000 or 0x2040) + last:byte() - 128
  return ("\\u%04x"):format(point)
end

--- Control characters, quotes and backslashes as JSON escapes them.
local function escaped(text)
  text = readable.utf8(text):gsub('[%c"\\]', short_of)
  if text:find "[\194\226]" then
    text = text:gsub("(\194)([\128-\159])", second_control):gsub("(\226\128)([\168-\174])", second_control)
      :gsub("(\226\129)([\166-\169])", second_control)
  end
  return text
end

local function quoted(text)
  return '"' .. escaped(text) .. '"'
end

--- A value as JSON has it. NaN and the infinities, which it has not, are strings.
local function json_value(value)
  if type(value) == "number" then return json.digits(value) or quoted(tostring(value)) end
  if type(value) == "boolean" then return tostring(value) end
  return quoted(value)
end

local function logfmt_value(value)
  if type(value) ~= "string" then return type(value) == "number" and json.digits(value) or tostring(value) end
  local text = escaped(value)
  if text == "" or text ~= value or text:find '[ ="]' then return '"' .. text .. '"' end
  return text
end

--- `time=… level=info msg="a rule answered" rule=торг`
---@param fields { [1]: string, [2]: string|number|boolean }[]
---@return string
function formats.logfmt(fields)
  local parts = {}
  for i, field in ipairs(fields) do parts[i] = field[1] .. "=" .. logfmt_value(field[2]) end
  return table.concat(parts, " ")
end

--- `{"time":"…","level":"info","msg":"a rule answered","rule":"торг"}`
---@param fields { [1]: string, [2]: string|number|boolean }[]
---@return string
function formats.json(fields)
  local parts = {}
  for i, field in ipairs(fields) do parts[i] = quoted(field[1]) .. ":" .. json_value(field[2]) end
  return "{" .. table.concat(parts, ",") .. "}"
end

return formats
