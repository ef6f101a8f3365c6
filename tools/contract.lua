--- Reads the OpenAPI contract of a marketplace and writes the facts the specs hold its endpoint rows against:
---   lua tools/contract.lua openapi.json > spec/contract/avito-messenger.json (or yandex-market-chats.json)
--- Run it on a new edition of the contract; spec/core/endpoints_spec.lua then says which rows differ.
local json = require "avito_messenger.json"

local document

local function resolve(node)
  while node and node["$ref"] do
    local at = document
    for segment in node["$ref"]:gmatch("[^#/]+") do at = at[segment] end
    node = at
  end
  return node
end

local function sorted_keys(map)
  local keys = {}
  for key in pairs(map) do keys[#keys + 1] = key end
  table.sort(keys)
  return keys
end

local function contains(list, value)
  for _, element in ipairs(list or {}) do
    if element == value then return true end
  end
  return false
end

local function facts_of(schema)
  local items = resolve(schema.items)
  local of = items or schema
  return {
    type = schema.type, items = items and items.type, minimum = of.minimum, maximum = of.maximum,
    min_length = of.minLength, max_length = of.maxLength, enum = of.enum,
  }
end

local add_fields

local function add_field(fields, schema, name, path)
  local property = resolve(schema.properties[name])
  local element = property.type == "array" and resolve(property.items)
  if property.type == "object" then
    add_fields(fields, property, path .. ".")
  elseif element and element.type == "object" then
    fields[#fields + 1] = { path = path, type = "array", items = "object", required = contains(schema.required, name) }
    add_fields(fields, element, path .. "[].")
  else
    local field = facts_of(property)
    field.path, field.required = path, contains(schema.required, name)
    fields[#fields + 1] = field
  end
end

--- The leaves of an object schema, each with its dotted path; not those that new clients are to do without.
function add_fields(fields, schema, prefix)
  schema = resolve(schema)
  for _, name in ipairs(sorted_keys(schema.properties or {})) do
    if not resolve(schema.properties[name]).deprecated then add_field(fields, schema, name, prefix .. name) end
  end
end

--- The members of an answer that are objects or lists, and theirs, by dotted path: what a call may return.
local function add_answer(answers, schema, prefix)
  schema = resolve(schema)
  for _, part in ipairs(schema.allOf or {}) do add_answer(answers, part, prefix) end
  for _, name in ipairs(sorted_keys(schema.properties or {})) do
    local property = resolve(schema.properties[name])
    if property.type == "array" or property.type == "object" then
      answers[prefix .. name] = property.type
      if prefix == "" then add_answer(answers, property, name .. ".") end
    end
  end
  return answers
end

local function operation_facts(path, method, operation, shared)
  local facts = { id = operation.operationId, method = method:upper(), path = path, parameters = {}, fields = {} }
  for _, security in ipairs(operation.security or {}) do
    facts.scope = facts.scope or (security.AuthorizationCode or {})[1]
  end
  for _, scope in ipairs(operation["x-auth-scopes"] or {}) do facts.scope = scope end -- the narrowest is the last
  local limit = (operation["x-resource-limit-config"] or {}).none
  if limit then
    assert(limit.period == "hours" and limit["period-duration"] == 1, "a limit that is not one of an hour")
    facts.hourly = limit.amount
  end
  local answer = (resolve(operation.responses["200"]).content or {})["application/json"]
  facts.answers = answer and add_answer({}, answer.schema, "")
  for _, list in ipairs { shared or {}, operation.parameters or {} } do
    for _, parameter in ipairs(list) do
      parameter = resolve(parameter)
      if parameter["in"] ~= "header" then -- Authorization, on every operation
        local fact = facts_of(parameter.schema)
        fact.name, fact.place, fact.required = parameter.name, parameter["in"], parameter.required or false
        facts.parameters[#facts.parameters + 1] = fact
      end
    end
  end
  local body = operation.requestBody and resolve(operation.requestBody).content
  for content_type, media in pairs(body or {}) do
    facts.content_type = content_type
    add_fields(facts.fields, media.schema, "")
  end
  facts.parameters, facts.fields = json.list(facts.parameters), json.list(facts.fields)
  return facts
end

local file = assert(io.open(assert(arg[1], "usage: lua tools/contract.lua openapi.json"), "rb"))
document = assert(json.decode(file:read "*a"))
file:close()

local lines = {}
for _, path in ipairs(sorted_keys(document.paths)) do
  local item = document.paths[path]
  for _, method in ipairs { "get", "post", "put", "patch", "delete" } do
    if item[method] then
      lines[#lines + 1] = assert(json.encode(operation_facts(path, method, item[method], item.parameters)))
    end
  end
end
io.write("[\n", table.concat(lines, ",\n"), "\n]\n")
