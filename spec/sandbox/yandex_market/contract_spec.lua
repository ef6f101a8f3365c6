local json = require "avito_messenger.json"
local options = require "avito_messenger.sandbox.yandex_market.options"
local routes = require "avito_messenger.sandbox.routes"
local support = require "support.sandbox"

-- The sandbox has rows of its own: were they the client's, a mistake there would be answered well here.
describe("the rows of the sandbox's Yandex Market", function()
  local file = assert(io.open("spec/contract/yandex-market-chats.json"))
  local contract = json.decode(file:read "*a")
  file:close()

  local function route_of(operation)
    for _, route in ipairs(routes.list) do
      if route.method == operation.method and route.path:gsub("{business_id}", "{businessId}") == operation.path then
        return route
      end
    end
  end

  it("are those of the contract, with its parameters, bounds and limits", function()
    local hourly = options.read().limits.hourly
    for _, operation in ipairs(contract) do
      local route = assert(route_of(operation), operation.id)
      assert.equal(operation.hourly, hourly[route.operation], operation.id)
      local known = { page_token = true } -- another name of pageToken
      for _, parameter in ipairs(operation.parameters) do
        if parameter.place == "query" then
          local rule = assert(route.query[parameter.name], operation.id .. " " .. parameter.name)
          known[parameter.name] = true
          assert.equal(parameter.required, rule.required or false)
          assert.equal(parameter.maximum, rule.most)
          if rule.least then assert.equal(parameter.minimum, rule.least) end
        end
      end
      for name in pairs(route.query) do assert.is_true(known[name], operation.id .. " has no " .. name) end
    end
    local count = 0
    for _ in pairs(hourly) do count = count + 1 end
    assert.equal(#contract, count)
  end)

  it("answer with what the contract has", function()
    local inside = support.inside()
    local chat = inside:yandex("POST", "chats", { contextTypes = { "RETURN" } }).result.chats[1].chatId
    local message = inside:yandex("POST", "chats/history?chatId=" .. chat, {}).result.messages[2].messageId
    local one = "?chatId=" .. chat
    local requests = { createChat = { "", { context = { type = "ORDER", id = 41000001 } } }, getChats = { "", {} },
      getChat = { one }, getChatHistory = { one, {} }, getChatMessage = { one .. "&messageId=" .. message },
      sendMessageToChat = { one, { message = "да" } } }
    for _, operation in ipairs(contract) do
      local request = requests[operation.id]
      if request then
        local path = operation.path:gsub("{businessId}", support.business_id)
        local _, status, response = inside:yandex(operation.method, path .. request[1], request[2])
        assert.equal(200, status, operation.id)
        for name, kind in pairs(operation.answers) do
          local value = response.body
          for part in name:gmatch "[^.]+" do value = value:match(('"%s":(.*)$'):format(part)) or "" end
          assert.equal(kind == "array" and "[" or "{", value:sub(1, 1), operation.id .. " " .. name)
        end
      end
    end
  end)
end)
