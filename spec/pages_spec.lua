local avito = require "avito_messenger"
local loop = require "avito_messenger.io.loop"
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

  describe("that reads ahead", function()
    -- A scripted driver with tasks: other tasks run while a request is under way.
    local function driver_with_tasks(answers)
      local driver = script.driver(answers)
      local under_way, perform = 0, driver.perform
      driver.most = 0
      function driver:perform(request)
        under_way = under_way + 1
        self.most = math.max(self.most, under_way)
        loop.sleep(0)
        loop.sleep(0)
        under_way = under_way - 1
        return perform(self, request)
      end
      function driver:spawn(fn) return loop.background(fn) end -- luacheck: no self
      return driver
    end

    local function pages_of(answers, range)
      local driver = driver_with_tasks(answers)
      local client = avito.client { access_token = "dummy", user_id = 7, base_url = "https://api.example", io = driver,
        retries = 0, pace = false }
      return client:messages("c", range), driver
    end

    local function let_others_run()
      for _ = 1, 100 do loop.sleep(0) end
    end

    for _, has_more in ipairs { true, false } do
      it("gives the same in the same order, " .. (has_more and "with" or "without") .. " has_more", function()
        loop.run(function()
          for _, count in ipairs { 0, 9, 10, 11, 95, 100 } do
            for _, prefetch in ipairs { 1, 3, 10 } do
              local pages, driver = pages_of(server(count, { has_more = has_more }), { limit = 10, prefetch = prefetch })
              local ids = {}
              for message in pages do ids[#ids + 1] = tonumber(message.id) end
              assert.equal(count, #ids)
              for i = 1, count do assert.equal(i, ids[i]) end
              assert.equal(1, driver.most)
              let_others_run()
              assert.is_true(#driver.requests <= math.floor(count / 10) + 1)
            end
          end
        end)
      end)
    end

    it("is ahead by as many pages as it is told, and not before the first is known", function()
      loop.run(function()
        local pages, driver = pages_of(server(1000), { limit = 10, prefetch = 3 })
        let_others_run()
        assert.equal(0, #driver.requests)
        for page = 1, 5 do
          for _ = 1, 10 do pages() end
          let_others_run()
          assert.equal(page + 3, #driver.requests)
        end
      end)
    end)

    it("loses nothing and gives nothing twice while the list grows", function()
      loop.run(function()
        local seen = {}
        for message in pages_of(server(300, { grows = 3 }), { limit = 10, prefetch = 5 }) do
          assert.is_nil(seen[message.id])
          seen[message.id] = true
        end
        for id = 1, 300 do assert.is_true(seen[tostring(id)]) end
      end)
    end)

    it("raises the error of a page where it stands, and reads no more", function()
      loop.run(function()
        local pages, driver = pages_of(server(1000, { fail_at = 3 }), { limit = 10, prefetch = 5 })
        pages()
        let_others_run()
        for _ = 2, 20 do assert.truthy(pages()) end
        local ok, err = pcall(pages)
        assert.is_false(ok)
        assert.equal("invalid", err.kind)
        assert.is_nil(pages())
        let_others_run()
        assert.equal(3, #driver.requests)
      end)
    end)

    it("says how far it may read", function()
      local client = avito.client { access_token = "dummy", user_id = 7, io = script.driver {} }
      for _, wrong in ipairs { -1, 11, 1.5 } do
        assert.error_matches(function() return (client:chats { prefetch = wrong }) end,
          "chats: prefetch must be an integer from 0 to 10")
      end
    end)

    it("reads page by page where the driver has no tasks", function()
      local ids = all({}, 250, { prefetch = 5 })
      assert.equal(250, #ids)
    end)
  end)
end)
