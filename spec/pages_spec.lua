local avito = require "avito_messenger"
local script = require "support.script"

--- A server with a list of `count` messages, newest first, that may grow between pages.
local function server(count, options)
  options = options or {}
  local list = {}
  for i = 1, count do list[i] = i end
  return function(request, number)
    local limit = tonumber(request.url:match("limit=(%d+)"))
    local offset = tonumber(request.url:match("offset=(%d+)"))
    if options.fail_at == number then return script.answer(400, '{"error":{"code":400,"message":"no"}}') end
    for _ = 1, options.grows or 0 do
      count = count + 1
      table.insert(list, 1, count)
    end
    if options.ignores_offset then offset = 0 end
    local page = {}
    for i = offset + 1, math.min(offset + limit, #list) do page[#page + 1] = ('{"id":"%d"}'):format(list[i]) end
    local meta = ""
    if options.has_more ~= false then
      meta = (',"meta":{"has_more":%s}'):format(tostring(options.always_more or offset + limit < #list))
    end
    return script.answer(200, ('{"messages":[%s]%s}'):format(table.concat(page, ","), meta))
  end
end

local function all(options, count, range)
  local driver = script.driver(server(count, options))
  local client = avito.client { access_token = "dummy", user_id = 7, base_url = "https://api.example", io = driver, retries = 0 }
  local pages = client:messages("c", range)
  local ids = {}
  for message in pages do ids[#ids + 1] = tonumber(message.id) end
  return ids, pages, driver
end

describe("an iterator over pages", function()
  for _, count in ipairs { 0, 1, 99, 100, 101, 250, 1000 } do
    for _, has_more in ipairs { true, false } do
      it(("gives all of %d, %s has_more"):format(count, has_more and "with" or "without"), function()
        local ids, pages = all({ has_more = has_more }, count)
        assert.equal(count, #ids)
        for i = 1, count do assert.equal(i, ids[i]) end
        assert.is_false(pages.truncated)
      end)
    end
  end

  it("says when the server's offset ends before the list does", function()
    local ids, pages, driver = all({}, 1500)
    assert.equal(1100, #ids)
    assert.is_true(pages.truncated)
    assert.equal(11, #driver.requests)
  end)

  it("does not say so when the list ends there too", function()
    local ids, pages = all({}, 1100)
    assert.equal(1100, #ids)
    assert.is_false(pages.truncated)
  end)

  it("gives nothing twice while the list grows", function()
    local ids = all({ grows = 3 }, 300)
    local seen = {}
    for _, id in ipairs(ids) do
      assert.is_nil(seen[id])
      seen[id] = true
    end
    for id = 1, 300 do assert.is_true(seen[id]) end
  end)

  it("ends when a server promises more for ever", function()
    local ids, pages, driver = all({ always_more = true, ignores_offset = true }, 150)
    assert.equal(100, #ids)
    assert.is_true(pages.truncated)
    assert.equal(2, #driver.requests)
  end)

  it("begins and steps where it is told to", function()
    local ids, _, driver = all({}, 30, { limit = 10, offset = 5 })
    assert.equal(25, #ids)
    assert.truthy(driver.requests[2].url:find("limit=10&offset=15", 1, true))
  end)

  it("raises the error of a page that fails, and is over then", function()
    local driver = script.driver(server(250, { fail_at = 2 }))
    local client = avito.client { access_token = "dummy", user_id = 7, base_url = "https://api.example", io = driver }
    local pages = client:messages("c")
    local count = 0
    local ok, err = pcall(function()
      for _ in pages do count = count + 1 end
    end)
    assert.is_false(ok)
    assert.equal("invalid", err.kind)
    assert.equal(100, count)
    assert.is_nil(pages())
  end)

  it("refuses options it does not know", function()
    local client = avito.client { access_token = "dummy", user_id = 7, io = script.driver {} }
    assert.has_error(function() client:chats { unread = true } end)
    local _, message = pcall(function() return (client:chats { unread_onli = true }) end)
    assert.truthy(message:find("pages_spec.lua:%d+: chats: unknown option 'unread_onli' %(did you mean 'unread_only'"), message)
  end)

  it("goes over chats with a filter", function()
    local driver = script.driver { script.answer(200, '{"chats":[{"id":"a"},{"id":"b"}],"meta":{}}') }
    local client = avito.client { access_token = "dummy", user_id = 7, base_url = "https://api.example", io = driver }
    local ids = {}
    for chat in client:chats { unread_only = true } do ids[#ids + 1] = chat.id end
    assert.same({ "a", "b" }, ids)
    assert.truthy(driver.requests[1].url:find("unread_only=true&limit=100&offset=0", 1, true))
  end)
end)
