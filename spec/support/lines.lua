--- For specs: reads the lines of a log back, strictly.
---
---   lines.logfmt('time=… msg="a b" count=3') -> { { "time", "…" }, { "msg", "a b" }, { "count", "3" } }
---   lines.json('{"time":"…","count":3}')     -> { { "time", "…" }, { "count", 3 } }
local json = require "avito_messenger.json"

local lines = {}

local ESCAPED = { n = "\n", r = "\r", t = "\t", ['"'] = '"', ["\\"] = "\\" }

local function utf8_of(code)
  if code < 128 then return string.char(code) end
  if code < 2048 then return string.char(192 + math.floor(code / 64), 128 + code % 64) end
  return string.char(224 + math.floor(code / 4096), 128 + math.floor(code / 64) % 64, 128 + code % 64)
end

-- A quoted value that begins at `at`, and where it ends.
local function quoted(line, at)
  local out, i = {}, at + 1
  while true do
    local character = line:sub(i, i)
    if character == "" then error("a quoted value does not end: " .. line) end
    if character == '"' then return table.concat(out), i + 1 end
    if character:find "%c" then error("a control character in: " .. line) end
    if character == "\\" then
      local code = line:match("^u(%x%x%x%x)", i + 1)
      local short = ESCAPED[line:sub(i + 1, i + 1)]
      if not code and not short then error("an unknown escape in: " .. line) end
      out[#out + 1] = code and utf8_of(tonumber(code, 16)) or short
      i = i + (code and 6 or 2)
    else
      out[#out + 1] = character
      i = i + 1
    end
  end
end

local function value_at(line, at)
  if line:sub(at, at) == '"' then return quoted(line, at) end
  local value, after = line:match('^([^%s"=\\%c]+)()', at)
  if not value then error(("no value at byte %d of: %s"):format(at, line)) end
  return value, after
end

function lines.logfmt(line)
  local fields, at = {}, 1
  repeat
    local name, from = line:match("^([%a_][%w_]*)=()", at)
    if not name then error(("no field at byte %d of: %s"):format(at, line)) end
    local value, after = value_at(line, from)
    fields[#fields + 1] = { name, value }
    if after <= #line and line:sub(after, after) ~= " " then error("no space between fields of: " .. line) end
    at = after + 1
  until at > #line
  return fields
end

function lines.json(line)
  local values, message = json.decode(line)
  if type(values) ~= "table" then error(("no JSON object (%s): %s"):format(tostring(message), line)) end
  local fields = {}
  for name in line:gmatch '[{,]"([%a_][%w_]*)":' do
    if values[name] ~= nil then fields[#fields + 1] = { name, values[name] } end
  end
  return fields, values
end

--- The fields by their names.
function lines.named(fields)
  local named = {}
  for _, field in ipairs(fields) do named[field[1]] = field[2] end
  return named
end

return lines
