--- The rows of the endpoints against the facts of the contracts (spec/contract, written by tools/contract.lua).
local core = require "avito_messenger.core"
local json = require "avito_messenger.json"

--- The facts of a contract, and the rows of the marketplace by the contract's names for them.
local function read(marketplace, path)
  local file = assert(io.open(path, "rb"))
  local contract = assert(json.decode(file:read "*a"))
  file:close()
  local rows = {}
  for _, row in ipairs(core.endpoints(marketplace)) do rows[row.contract_id] = row end
  return contract, rows
end

-- What the contract leaves open and the client requires: without these the request says nothing.
local STRICTER = { users = true, ["users[].user_id"] = true }

local TYPES = {
  account = "integer", constant = "string", id = "string", string = "string", url = "string", integer = "integer",
  boolean = "boolean", strings = "array", integers = "array", objects = "array", image = "string", file = "string",
}
local ITEMS = { strings = "string", integers = "integer", objects = "object" }

local function values_of(param)
  local values = {}
  for value in (param.values or ""):gmatch("[^|]+") do values[#values + 1] = tonumber(value) or value end
  return #values > 0 and values or nil
end

--- A parameter of a row as the contract would describe it.
local function described(param)
  local fact = { type = TYPES[param.type], items = ITEMS[param.type], required = param.required, enum = values_of(param) }
  if param.type == "integer" and param.place == "query" then
    fact.minimum, fact.maximum = param.min, param.max
  elseif param.type == "string" and param.place == "json" then
    fact.max_length = param.max
  end
  return fact
end

--- The members of a row's body by path, those of objects in lists included.
local function body_of(params, prefix, into)
  for _, param in ipairs(params) do
    if param.place == "json" or param.place == "multipart" then
      into[prefix .. param.wire] = param
      if param.fields then body_of(param.fields, prefix .. param.wire .. "[].", into) end
    end
  end
  return into
end

--- The operations of the contract are rows, but for those in `more`.
local function names_match(contract, rows, more)
  local ids, ours = more, {}
  for _, operation in ipairs(contract) do ids[#ids + 1] = operation.id end
  for id in pairs(rows) do ours[#ours + 1] = id end
  table.sort(ids)
  table.sort(ours)
  assert.same(ids, ours)
end

local function matches(operation, row)
  it("has its method, path, scope and limit", function()
    assert.same({ operation.method, operation.path, operation.scope, operation.hourly or 0 },
      { row.method, row.path, row.scope, row.hourly })
  end)

  it("has its parameters, with their types, bounds and required flags", function()
    local theirs, ours = {}, {}
    for _, parameter in ipairs(operation.parameters) do
      local bounded = parameter.place == "query"
      theirs[parameter.place .. " " .. parameter.name] = {
        type = parameter.type, items = parameter.items, required = parameter.required, enum = parameter.enum,
        minimum = bounded and parameter.minimum or nil, maximum = bounded and parameter.maximum or nil,
      }
    end
    for _, param in ipairs(row.params) do
      if param.place == "path" or param.place == "query" then ours[param.place .. " " .. param.wire] = described(param) end
    end
    assert.same(theirs, ours)
  end)

  it("has its body", function()
    local ours = body_of(row.params, "", {})
    for _, field in ipairs(operation.fields) do
      local param = ours[field.path]
      assert.is_truthy(param, field.path)
      local fact = described(param)
      assert.equal(field.type, fact.type, field.path)
      assert.equal(field.items, fact.items, field.path)
      assert.equal(field.required or STRICTER[field.path] or false, fact.required, field.path)
      if param.type ~= "constant" then assert.same(field.enum, fact.enum, field.path) end
      if field.max_length then assert.equal(field.max_length, fact.max_length, field.path) end
      if field.minimum or field.min_length then assert.equal(field.minimum or field.min_length, param.min, field.path) end
      ours[field.path] = nil
    end
    assert.same({}, ours) -- and nothing else
  end)

  it("finds in its answer what it returns", function()
    if operation.answers then -- of all that Yandex Market answers the rest is in one object
      local kind = operation.answers.result and (row.answer == "list" and "array" or "object")
      assert.equal(kind, row.answer_key and operation.answers[row.answer_key])
    end
  end)
end

describe("the rows of Avito", function()
  local contract, rows = read("avito", "spec/contract/avito-messenger.json")

  it("are all the operations of the contract, and get_self", function()
    names_match(contract, rows, { "" })
    assert.same(core.endpoints "avito", core.endpoints())
    assert.equal(14, #core.endpoints())
    assert.same({ "GET", "/core/v1/accounts/self", "user:read" }, { rows[""].method, rows[""].path, rows[""].scope })
  end)

  for _, operation in ipairs(contract) do
    describe(operation.id, function() matches(operation, rows[operation.id]) end)
  end
end)

describe("the rows of Yandex Market", function()
  local contract, rows = read("yandex_market", "spec/contract/yandex-market-chats.json")

  it("are all the operations of the contract", function()
    names_match(contract, rows, {})
    assert.equal(7, #core.endpoints "yandex_market")
  end)

  for _, operation in ipairs(contract) do
    describe(operation.id, function() matches(operation, rows[operation.id]) end)
  end
end)

it("other marketplaces have no rows", function()
  for _, name in ipairs { "ozon", "", 5, false } do
    assert.has_error(function() core.endpoints(name) end,
      'core.endpoints: marketplace must be "avito" or "yandex_market"')
  end
end)

describe("what is derived from the rows", function()
  local reference = dofile "tools/reference.lua"

  for path, text_of in pairs(reference.files) do
    it(path .. " is current (make reference)", function()
      local written = assert(io.open(path, "rb"))
      local text = written:read "*a"
      written:close()
      assert.equal(text_of(), text)
    end)
  end
end)
