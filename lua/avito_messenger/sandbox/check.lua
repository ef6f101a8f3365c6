--- The contract's bounds on parameters and bodies. Each check returns the clean value or refuses with 400
--- and the name of the field, as the API's validation errors do.
local codec = require "avito_messenger.sandbox.codec"
local ids = require "avito_messenger.sandbox.yandex_market.ids"
local json = require "avito_messenger.json"
local reply = require "avito_messenger.sandbox.reply"

local check = {}

local EXACT = 2 ^ 53
local function refuse(name, message)
  reply.refuse(reply.error(400, "Validation error", { [name] = message }))
end
check.refuse = refuse

--- A decimal integer from least to most.
---@return integer
function check.integer(name, text, least, most)
  local value = text:match("^%-?%d+$") and tonumber(text)
  if not value or value < least or value > most then
    refuse(name, ("an integer from %.0f to %.0f expected"):format(least, most))
  end
  return value --[[@as integer]]
end

-- Both array styles: repeated keys and commas.
local function elements(values)
  local list = {}
  for _, value in ipairs(values) do
    for element in (value .. ","):gmatch("([^,]*),") do list[#list + 1] = element end
  end
  return list
end

local readers = {}

function readers.integer(name, values, rule)
  return check.integer(name, values[1], rule.least, rule.most)
end

function readers.boolean(name, values)
  if values[1] ~= "true" and values[1] ~= "false" then refuse(name, "true or false expected") end
  return values[1] == "true"
end

function readers.integers(name, values)
  local list = {}
  for i, text in ipairs(elements(values)) do list[i] = check.integer(name, text, 1, EXACT) end
  return list
end

function readers.id(name, values)
  return ids.text(values[1]) or refuse(name, "a positive integer expected")
end

function readers.text(name, values)
  if values[1] == "" then refuse(name, "must not be empty") end
  return values[1]
end

function readers.words(name, values, rule)
  local list = elements(values)
  for _, word in ipairs(list) do
    if word == "" then refuse(name, "an empty element") end
    if rule.among and not rule.among[word] then refuse(name, "'" .. word .. "' is not a known value") end
  end
  return list
end

--- Reads the query by the rules of an operation.
---@param query string
---@param rules table<string, table>
---@param strict boolean refuse names the contract does not have
---@return table<string, any>
function check.query(query, rules, strict)
  local given = codec.form(query)
  if not given then reply.refuse(reply.error(400, "Bad Request: the query has a broken escape")) end
  local values = {}
  for name, texts in pairs(given --[[@as table]]) do
    local rule = rules[name] or rules[name:gsub("%[%]$", "")]
    if rule then
      if #texts > 1 and not rule.list then refuse(name, "given more than once") end
      values[(name:gsub("%[%]$", ""))] = readers[rule.type](name, texts, rule)
    elseif strict then
      refuse(name, "the contract has no such parameter")
    end
  end
  for name, rule in pairs(rules) do
    if values[name] == nil then
      if rule.required then refuse(name, "required") end
      values[name] = rule.default
    end
  end
  return values
end

local function media_type(request)
  local value = request.headers["content-type"]
  return value and value:match("^%s*([^;%s]+)"):lower()
end
check.media_type = media_type

--- The JSON object in the body.
---@param request avito.sandbox.Request
---@param strict boolean refuse another Content-Type
---@return table
function check.object(request, strict)
  if strict and media_type(request) ~= "application/json" then
    reply.refuse(reply.error(415, "Unsupported Media Type: application/json expected"))
  end
  local ok, value, problem = pcall(json.decode, request.body)
  if not ok then value, problem = nil, value end
  if type(value) ~= "table" or not request.body:find("^%s*{") then
    reply.refuse(reply.error(400, "Bad Request: a JSON object expected" ..
      (problem and (", " .. tostring(problem)) or "")))
  end
  return value
end

--- No body, or an empty JSON object: for operations that take none.
function check.no_body(request, strict)
  if strict and request.body ~= "" and not request.body:find("^%s*{%s*}%s*$") then
    reply.refuse(reply.error(400, "Bad Request: this operation takes no body"))
  end
end

--- Refuses members the contract does not have.
function check.members(object, known, strict, prefix)
  if not strict then return end
  for name in pairs(object) do
    if not known[name] then refuse((prefix or "") .. tostring(name), "the contract has no such field") end
  end
end

--- A member that is a non-empty string.
---@return string
function check.string(object, name, prefix)
  local value = object[name]
  local field = (prefix or "") .. name
  if value == nil then refuse(field, "required") end
  if type(value) ~= "string" then refuse(field, "a string expected") end
  if value == "" then refuse(field, "must not be empty") end
  return value
end

--- A member that is an integer.
---@return integer
function check.whole(object, name, prefix)
  local value = object[name]
  if type(value) ~= "number" or value % 1 ~= 0 or value < 1 or value > EXACT then
    refuse((prefix or "") .. name, "a positive integer expected")
  end
  return value
end

--- A member that is an id of 64 bits, as its digits.
---@return string
function check.id(object, name, prefix)
  local value = object[name]
  -- LuaJIT reads a number past 2^53 as its digits: no other text is one.
  if type(value) == "string" and #value < 16 then value = nil end
  return ids.text(value) or refuse((prefix or "") .. name, "a positive integer expected")
end

return check
