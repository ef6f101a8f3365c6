--- Reads an OpenAPI contract of the Messenger API and writes the facts the specs hold the endpoint rows against:
---   lua tools/contract.lua openapi.json > spec/contract/avito-messenger.json
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
    max_length = of.maxLength, enum = of.enum,
  }
end

--- The leaves of an object schema, each with its dotted path.
local function add_fields(fields, schema, prefix)
  schema = resolve(schema)
  for _, name in ipairs(sorted_keys(schema.properties or {})) do
    local property = resolve(schema.properties[name])
    local path = prefix .. name
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
end

local function operation_facts(path, method, operation, shared)
  local facts = { id = operation.operationId, method = method:upper(), path = path, parameters = {}, fields = {} }
  for _, security in ipairs(operation.security) do
    facts.scope = facts.scope or (security.AuthorizationCode or {})[1]
  end
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
