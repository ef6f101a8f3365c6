-- The client of Yandex Market over a scripted driver: what it sends, what it makes of answers, whom it blames.
local blame = require "support.blame"
local files = require "support.files"
local market = require "avito_messenger.yandex_market"
local script = require "support.script"

local answer, header = script.answer, script.header
local OK = answer(200, '{"status":"OK"}')
local KEY = "dummy-key-of-a-business"

--- The options of a client; one that is false is left out.
local function options_of(driver, more)
  local given = { api_key = KEY, business_id = 7, base_url = "https://market.example", io = driver }
  for name, value in pairs(more or {}) do
    given[name] = value
    if value == false and name ~= "pace" then given[name] = nil end
  end
  return given
end

local function make(answers, more)
  local driver = script.driver(answers)
  return market.client(options_of(driver, more)), driver
end

describe("a client of Yandex Market", function()
  it("tells what it is and whose, and no key", function()
    local client = make {}
    assert.equal("yandex_market", client.marketplace)
    assert.equal("avito_messenger.yandex_market.Client (business 7)", tostring(client))
    client:close()
    assert.equal("avito_messenger.yandex_market.Client (closed)", tostring(client))
  end)

  it("has its marketplace's methods, and none of the other's", function()
    local client = make {}
    for _, name in ipairs { "create_chat", "get_chats", "get_chat", "get_chat_history", "send_message", "get_chat_message",
      "send_file", "download_file", "chats", "messages", "request", "close" } do
      assert.is_function(client[name], name)
    end
    for _, name in ipairs { "get_messages", "mark_chat_as_read", "upload_image", "get_self", "subscribe_webhook" } do
      assert.is_nil(client[name], name)
    end
  end)

  it("says so when it is closed", function()
    local client = make {}
    client:close()
    for name, arguments in pairs { get_chat = { 1 }, send_message = { 1, "x" }, send_file = { 1, "x" }, request = { "GET", "/x" },
      download_file = { "https://files.example/1", "x" } } do
      local value, err = client[name](client, arguments[1], arguments[2])
      assert.is_nil(value)
      assert.same({ "cancelled", name, "the client is closed", false }, { err.kind, err.endpoint, err.message, err.dispatched })
    end
    assert.has_error(function() client:chats()() end)
  end)

  it("sends the key in a header of its own, or a token", function()
    local client, driver = make { OK }
    assert.is_true(client:send_message(1, "да"))
    assert.equal(KEY, header(driver.requests[1], "Api-Key"))
    assert.is_nil(header(driver.requests[1], "Authorization"))
    client, driver = make({ OK }, { api_key = false, oauth_token = "dummy-token-of-a-business" })
    assert.is_true(client:send_message(1, "да"))
    assert.equal("Bearer dummy-token-of-a-business", header(driver.requests[1], "Authorization"))
    assert.is_nil(header(driver.requests[1], "Api-Key"))
  end)

  it("names the option that is wrong, and the line that called", function()
    for _, case in ipairs {
      { { api_key = false }, "api_key" },
      { { oauth_token = "dummy-token" }, "oauth_token" },
      { { api_key = "" }, "api_key" },
      { { api_key = "dummy\r\nX: y" }, "api_key" },
      { { business_id = false }, "business_id" },
      { { business_id = 0 }, "business_id" },
      { { business_id = -5 }, "business_id" },
      { { business_id = 1.5 }, "business_id" },
      { { business_id = "12a" }, "business_id" },
      { { business_id = "9223372036854775808" }, "business_id" },
      { { busines_id = 5 }, "unknown option 'busines_id' %(did you mean 'business_id'?" },
      { { client_id = "dummy" }, "unknown option 'client_id'" },
      { { token_store = {} }, "unknown option 'token_store'" },
      { { pace = { rate = 5 } }, "unknown field of pace 'rate'" },
      { { pace = { at_once = 0 } }, "pace.at_once" },
      { { pace = { at_once = 5 } }, "pace.at_once" },
      { { pace = { at_once = 1.5 } }, "pace.at_once" },
      { { pace_store = {} }, "pace_store must have the function exchange" },
      { { io = {} }, "io must be a driver" },
      { { timeout = 0 }, "timeout" },
    } do
      local given = options_of(script.driver {}, case[1])
      local message = blame(function() return (market.client(given)) end)
      assert.truthy(message:find("^yandex_market.client: .*" .. case[2]), message)
      assert.is_nil(message:find("dummy", 1, true), message)
    end
  end)

  it("takes digits for ids", function()
    local client, driver = make({ OK }, { business_id = "9223372036854775807" })
    assert.is_true(client:send_message("9007199254740993", "да"))
    assert.equal("https://market.example/v2/businesses/9223372036854775807/chats/message?chatId=9007199254740993",
      driver.requests[1].url)
    assert.equal("avito_messenger.yandex_market.Client (business 9223372036854775807)", tostring(client))
  end)

  it("keeps the gate's state in a store also where no pace is wanted", function()
    local asked = 0
    local client = make({ OK }, { pace = false, pace_store = { exchange = function(change)
      asked = asked + 1
      change(nil)
    end } })
    assert.is_true(client:send_message(1, "да"))
    assert.is_true(asked > 0)
  end)
end)

describe("chats and messages", function()
  local function page(name, id, ids, token)
    for i, value in ipairs(ids) do ids[i] = ('{"%s":%s}'):format(id, value) end
    return answer(200, ('{"status":"OK","result":{"%s":[%s]%s}}'):format(name, table.concat(ids, ","),
      token and (',"paging":{"nextPageToken":"%s"}'):format(token) or ""))
  end

  it("are gone over page by page, each as long as the API allows", function()
    local client, driver = make { page("chats", "chatId", { 1, 2 }, "t+1"), page("chats", "chatId", { 2, 3 }) }
    local ids = {}
    for chat in client:chats { statuses = { market.ChatStatus.NEW } } do ids[#ids + 1] = chat.chatId end
    assert.same({ 1, 2, 3 }, ids)
    assert.equal("https://market.example/v2/businesses/7/chats?limit=20", driver.requests[1].url)
    assert.equal("https://market.example/v2/businesses/7/chats?limit=20&pageToken=t%2B1", driver.requests[2].url)
    for i = 1, 2 do assert.equal('{"statuses":["NEW"]}', driver.requests[i].body) end
  end)

  it("are known again by ids that no number holds", function()
    local client, driver = make { page("messages", "messageId", { "9007199254740993" }, "a"),
      page("messages", "messageId", { "9007199254740993", "9007199254740992" }) }
    local ids = {}
    for message in client:messages(5, { message_id_from = 3 }) do ids[#ids + 1] = message.messageId end
    assert.equal(2, #ids)
    assert.equal("https://market.example/v2/businesses/7/chats/history?chatId=5&limit=100", driver.requests[1].url)
    assert.equal('{"messageIdFrom":3}', driver.requests[1].body)
  end)

  it("end with an error where the server gives one page for ever", function()
    local client, driver = make(function() return page("messages", "messageId", { 1 }, "again") end)
    local pages, ids = client:messages(5), {}
    local ok, err = pcall(function()
      for message in pages do ids[#ids + 1] = message.messageId end
    end)
    assert.is_false(ok)
    assert.same({ 1 }, ids)
    assert.same({ "decode", "messages", true }, { err.kind, err.endpoint, err.dispatched })
    assert.equal("the server gave the page token 'again' again", err.message)
    assert.equal(2, #driver.requests)
  end)

  it("refuse options of the other marketplace", function()
    local client = make {}
    assert.truthy(blame(function() local list = client:chats { unread_only = true } return list end)
      :find("^chats: unknown option 'unread_only'"))
    assert.truthy(blame(function() local list = client:messages(1, { offset = 5 }) return list end)
      :find("^messages: unknown option 'offset'"))
  end)
end)

describe("send_file", function()
  local path

  before_each(function() path = files.temporary() end)
  after_each(function() os.remove(path) end)

  it("leaves the bytes of a file in it", function()
    files.write(path, "%PDF-1.4 of a dummy")
    local client, driver = make { OK }
    assert.is_true(client:send_file(5, path))
    local request = driver.requests[1]
    assert.equal("https://market.example/v2/businesses/7/chats/file/send?chatId=5", request.url)
    assert.same({ path, 19 }, { request.upload.path, request.upload.size })
    local name = path:match "[^/]*$"
    assert.truthy(request.upload.head:find(('name="file"; filename="%s"'):format(name), 1, true), request.upload.head)
  end)

  it("sends of bytes what it sends of a file", function()
    local client, driver = make { OK }
    assert.is_true(client:send_file(5, { data = "%PDF-1.4", filename = "акт.pdf" }))
    assert.truthy(driver.requests[1].body:find('name="file"; filename="акт.pdf"', 1, true), driver.requests[1].body)
    assert.truthy(driver.requests[1].body:find("%PDF-1.4", 1, true))
  end)

  it("is not repeated where the server may have seen it", function()
    local client, driver = make { script.failure("network", true) }
    local sent, err = client:send_file(5, { data = "x", filename = "a.txt" })
    assert.is_nil(sent)
    assert.is_true(err.dispatched)
    assert.equal(1, #driver.requests)
  end)

  it("refuses what is no file, is empty or more than 5 MB, and sends nothing", function()
    local client, driver = make {}
    local function refused(file, words)
      local sent, err = client:send_file(5, file)
      assert.is_nil(sent)
      assert.same({ "invalid", "send_file", false }, { err.kind, err.endpoint, err.dispatched })
      assert.truthy(err.message:find(words, 1, true), err.message)
    end
    refused("/nonexistent/x", "/nonexistent/x: No such file or directory")
    refused("/tmp", "/tmp: Is a directory")
    files.write(path, "")
    refused(path, path .. ": the file is empty")
    files.write(path, ("x"):rep(5 * 1024 * 1024 + 1))
    refused(path, "file has 5242881 bytes; at most 5 MB are allowed")
    refused({ data = ("x"):rep(5 * 1024 * 1024 + 1), filename = "a.txt" }, "file has 5242881 bytes; at most 5 MB are allowed")
    assert.equal(0, #driver.requests)
  end)

  it("takes 5 MB", function()
    files.write(path, ("x"):rep(5 * 1024 * 1024))
    local client, driver = make { OK }
    assert.is_true(client:send_file(5, path))
    assert.equal(5 * 1024 * 1024, driver.requests[1].upload.size)
  end)

  it("names what it cannot take, and the line that called", function()
    local client = make {}
    for _, file in ipairs { 5, true, {} } do
      assert.truthy(blame(function() local sent = client:send_file(5, file) return sent end):find("^send_file: file"))
    end
  end)
end)

describe("download_file", function()
  local path
  local URL = "https://files.example/1?sign=x"

  before_each(function() path = files.temporary() end)
  after_each(function() os.remove(path) end)

  it("saves what is there, and shows its key to nobody", function()
    local client, driver = make { answer(200, "%PDF-1.4") }
    assert.is_true(client:download_file(URL, path))
    assert.equal("%PDF-1.4", files.read(path))
    assert.equal(URL, driver.requests[1].url)
    for _, line in ipairs(driver.requests[1].headers) do assert.is_nil(line:find(KEY, 1, true), line) end
  end)

  it("takes an address with the name of a file as its sender wrote it", function()
    local client, driver = make { answer(200, "%PDF-1.4") }
    assert.is_true(client:download_file("https://files.example/акт 1%20.pdf?a=ё", path))
    assert.equal("https://files.example/%D0%B0%D0%BA%D1%82%201%20.pdf?a=%D1%91", driver.requests[1].url)
  end)

  it("keeps the file as it was where it cannot be had, and shows no key either", function()
    files.write(path, "before")
    for _, status in ipairs { 302, 403, 404, 500 } do
      local client, driver = make({ answer(status, "no", { Location = "https://other.example/" }) }, { retries = 0 })
      local saved, err = client:download_file(URL, path)
      assert.is_nil(saved)
      assert.equal(status, err.status)
      assert.is_nil(tostring(err):find(KEY, 1, true))
      assert.equal("before", files.read(path))
      assert.equal(1, #driver.requests)
    end
  end)

  it("names what it cannot take, and the line that called", function()
    local client = make {}
    assert.equal("download_file: url must be a string, got nil", blame(function() return (client:download_file(nil, "x")) end))
    assert.equal("download_file: url must be a string, got table", blame(function() return (client:download_file({}, "x")) end))
    assert.equal("download_file: path must be a string, got nil", blame(function() return (client:download_file(URL)) end))
  end)

  it("refuses a path with a zero byte, and an address that is none", function()
    local client, driver = make {}
    local _, err = client:download_file(URL, "a\0b")
    assert.same({ "invalid", "download_file", "the path of the file has a zero byte" }, { err.kind, err.endpoint, err.message })
    for _, url in ipairs { "", "file:///etc/passwd", "http://files.example/1", "/1", "https://файлы.example/1",
      "https://files.example/\n" } do
      _, err = client:download_file(url, path)
      assert.equal("invalid", err.kind)
    end
    assert.equal(0, #driver.requests)
  end)
end)

describe("request", function()
  it("makes any call with the key, and only of the API's host", function()
    local client, driver = make { answer(200, '{"status":"OK","result":{"campaigns":[]}}') }
    local value = client:request("GET", "/v2/campaigns")
    assert.equal("OK", value.status)
    assert.equal("https://market.example/v2/campaigns", driver.requests[1].url)
    assert.equal(KEY, header(driver.requests[1], "Api-Key"))
  end)
end)

describe("the module", function()
  it("has the API's values and nothing else", function()
    assert.equal("ORDER", market.ContextType.ORDER)
    assert.equal("ARBITRAGE", market.ChatType.ARBITRAGE)
    assert.equal("WAITING_FOR_PARTNER", market.ChatStatus.WAITING_FOR_PARTNER)
    assert.equal("CUSTOMER", market.Sender.CUSTOMER)
    assert.has_error(function() return market.ChatStatus.OPEN end)
  end)

  it("loads the reader of notifications only where it is wanted", function()
    package.loaded["avito_messenger.yandex_market.notifications"] = nil
    package.loaded["avito_messenger.yandex_market"] = nil
    local again = require "avito_messenger.yandex_market"
    assert.is_nil(package.loaded["avito_messenger.yandex_market.notifications"])
    assert.is_table(again.notifications { path_secret = "dummy-path-secret" })
  end)
end)
