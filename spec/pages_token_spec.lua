-- Lists whose pages are asked for by token.
local errors = require "avito_messenger.errors"
local loop = require "avito_messenger.io.loop"
local pages = require "avito_messenger.pages"
local blame = require "support.blame"

local LIST = { name = "chats", cursor = pages.token, limit = 20, id = "chatId",
  filter = { statuses = "table", limit = "number", page_token = "string" } }

--- An iterator over pages of { tokens = { page, … } }: by the token they are asked for, { { ids }, next token }. It keeps what it
--- was asked.
local function over(by_token, filter, driver)
  local asked = {}
  local list = pages.new(LIST, filter, driver or {}, function(page)
    asked[#asked + 1] = page
    local told = by_token(page.page_token)
    if told.err then return nil, told.err end
    local elements = {}
    for i, id in ipairs(told[1]) do elements[i] = { chatId = id } end
    return elements, told.meta or { paging = { nextPageToken = told[2] } }
  end)
  return list, asked
end

local function table_of(tokens)
  return function(token) return assert(tokens[token or "first"], "asked for an unknown page") end
end

--- Pages of two, and the last may be empty.
local function counted(count)
  return function(token)
    local from = tonumber(token or 1)
    local ids = {}
    for id = from, math.min(from + 1, count) do ids[#ids + 1] = id end
    return { ids, from + 2 <= count + 1 and ("%d"):format(from + 2) or nil }
  end
end

local function ids_of(list)
  local ids = {}
  for chat in list do ids[#ids + 1] = chat.chatId end
  return ids
end

--- What an iterator gives before it raises, and the error.
local function until_raised(list)
  local ids = {}
  local ok, err = pcall(function()
    for chat in list do ids[#ids + 1] = chat.chatId end
  end)
  assert.is_false(ok)
  return ids, err
end

describe("an iterator over tokens", function()
  it("gives all, asking for each page once and without a token for the first", function()
    for count = 0, 9 do
      local list, asked = over(counted(count), { statuses = { "NEW" } })
      local ids = ids_of(list)
      assert.equal(count, #ids)
      for i = 1, count do assert.equal(i, ids[i]) end
      assert.equal(math.floor(count / 2) + 1, #asked)
      assert.same({ statuses = { "NEW" }, limit = 20 }, asked[1])
      if asked[2] then assert.same({ statuses = { "NEW" }, limit = 20, page_token = "3" }, asked[2]) end
      assert.is_false(list.truncated)
      assert.is_nil(list())
    end
  end)

  it("ends where no next page is named, however that is said", function()
    for _, meta in ipairs { {}, { paging = {} }, { paging = { nextPageToken = "" } }, { paging = "" }, { paging = false } } do
      local list, asked = over(function() return { { 1 }, meta = meta } end)
      assert.same({ 1 }, ids_of(list))
      assert.equal(1, #asked)
    end
  end)

  it("begins where it is told to, with pages as long as it is told", function()
    local list, asked = over(counted(6), { page_token = "3", limit = 2 })
    assert.same({ 3, 4, 5, 6 }, ids_of(list))
    assert.same({ page_token = "3", limit = 2 }, asked[1])
  end)

  it("gives what comes on two pages once, and goes on after pages with nothing new", function()
    local list = over(table_of { first = { { 1, 2 }, "a" }, a = { { 2, 1 }, "b" }, b = { {}, "c" }, c = { { 3 } } })
    assert.same({ 1, 2, 3 }, ids_of(list))
    assert.is_false(list.truncated)
  end)

  it("raises an error that names a token which comes again, after what its page has", function()
    for name, case in pairs {
      itself = { { first = { { 1 }, "a" }, a = { { 2 }, "a" } }, 2, "a" },
      circle = { { first = { { 1 }, "a" }, a = { { 2 }, "b" }, b = { { 3 }, "a" } }, 3, "a" },
    } do
      local list, asked = over(table_of(case[1]))
      local ids, err = until_raised(list)
      assert.equal(case[2], #ids, name)
      assert.equal(case[2], #asked, name)
      assert.is_true(errors.is(err))
      assert.equal("decode", err.kind)
      assert.is_true(err.dispatched)
      assert.equal(("chats: decode: the server gave the page token '%s' again; the list cannot be read to its end; what came"
        .. " until here is not all"):format(case[3]), tostring(err))
      assert.is_nil(list())
    end
  end)

  it("knows a token that it was told to begin with", function()
    local _, err = until_raised((over(table_of { a = { { 1 }, "a" } }, { page_token = "a" })))
    assert.truthy(err.message:find("'a' again", 1, true))
  end)

  it("shows no more of a token than fits, and nothing that a terminal obeys", function()
    local token = "\27[2J" .. ("x"):rep(500)
    local _, err = until_raised((over(table_of { first = { { 1 }, token }, [token] = { { 2 }, token } })))
    assert.truthy(err.message:find("'?[2Jxxx", 1, true))
    assert.is_nil(err.message:find("\27", 1, true))
    assert.is_true(#err.message < 200)
  end)

  it("raises where a token is no text", function()
    local ids, err = until_raised((over(function() return { { 1 }, 5 } end)))
    assert.same({ 1 }, ids)
    assert.equal("chats: decode: the token of the next page is a number; the list cannot be read to its end; what came until"
      .. " here is not all", tostring(err))
  end)

  it("ends after a hundred pages with nothing new, and says so", function()
    local count = 0
    local list = over(function()
      count = count + 1
      return { { 1 }, ("t%d"):format(count) }
    end)
    assert.same({ 1 }, ids_of(list))
    assert.is_true(list.truncated)
    assert.equal(101, count)
  end)

  it("raises the error of a page that fails, and is over then", function()
    local failed = errors.new("forbidden", "get_chats", "no")
    local list, asked = over(table_of { first = { { 1, 2 }, "a" }, a = { err = failed } })
    local ids, err = until_raised(list)
    assert.same({ 1, 2 }, ids)
    assert.equal(failed, err)
    assert.is_nil(list())
    assert.equal(2, #asked)
  end)

  it("refuses options it does not know", function()
    local function chats(filter) return pages.new(LIST, filter, {}, print) end
    assert.equal("chats: unknown option 'offset' (known: limit, page_token, prefetch, statuses)",
      blame(function() local list = chats { offset = 5 } return list end))
  end)

  describe("that reads ahead", function()
    local driver = {}
    function driver:spawn(fn) return loop.background(fn) end -- luacheck: no self

    local function slowly(by_token)
      return function(token)
        loop.sleep(0)
        return by_token(token)
      end
    end

    it("gives the same in the same order", function()
      loop.run(function()
        for count = 0, 9 do
          for prefetch = 1, 3 do
            local list, asked = over(slowly(counted(count)), { prefetch = prefetch }, driver)
            local ids = ids_of(list)
            assert.equal(count, #ids)
            for i = 1, count do assert.equal(i, ids[i]) end
            assert.equal(math.floor(count / 2) + 1, #asked)
          end
        end
      end)
    end)

    it("raises where a token comes again, and does not follow it", function()
      loop.run(function()
        local list, asked = over(slowly(table_of { first = { { 1 }, "a" }, a = { { 2 }, "b" }, b = { { 3 }, "a" } }),
          { prefetch = 10 }, driver)
        local ids, err = until_raised(list)
        assert.same({ 1, 2, 3 }, ids)
        assert.equal("decode", err.kind)
        assert.equal(3, #asked)
      end)
    end)
  end)
end)
