-- The client of Yandex Market against the sandbox's: in its own driver, where time is virtual, and over HTTP.
local avito = require "avito_messenger"
local files = require "support.files"
local market = require "avito_messenger.yandex_market"
local sandbox = require "support.sandbox"

local ORDER, RETURN = 41000001, 51000001

local function make(given, options)
  local box = avito.sandbox { seed = 1, yandex_market = given }
  local client_options = { api_key = sandbox.api_key, business_id = sandbox.business_id, io = box:driver() }
  for name, value in pairs(options or {}) do client_options[name] = value or nil end
  return market.client(client_options), box
end

local function gather(pages, name)
  local values = {}
  for element in pages do values[#values + 1] = element[name] end
  return values
end

describe("a client of the sandbox's Yandex Market", function()
  it("goes over chats by filters, in pages, whatever their order and the last token", function()
    for _, given in ipairs { {}, { chats_order = "oldest" }, { paging = "trailing" }, { wide_ids = true } } do
      local client = make(given)
      for _, limit in ipairs { 1, 2, 20 } do
        assert.equal(4, #gather(client:chats { limit = limit }, "chatId"))
        assert.same({ "FINISHED" }, gather(client:chats { statuses = { "FINISHED" }, limit = limit }, "status"))
      end
      assert.equal(4, #gather(client:chats { statuses = {}, contexts = {} }, "chatId"))
      assert.equal(2, #gather(client:chats { contexts = { { type = "ORDER", id = ORDER }, { type = "RETURN", id = RETURN } } },
        "chatId"))
    end
  end)

  it("is not led in circles", function()
    local client = make { paging = "repeat" }
    local pages, count = client:chats { limit = 3 }, 0
    local ok, err = pcall(function()
      for _ in pages do count = count + 1 end
    end)
    assert.is_false(ok)
    assert.equal("decode", err.kind)
    assert.is_true(count >= 3)
  end)

  it("makes a chat, writes into it and finds its message, without an id from the send", function()
    local client, box = make()
    local chat = assert(client:create_chat("ORDER", 41000002))
    assert.same(chat, client:create_chat("ORDER", 41000002))
    assert.is_true(client:send_message(chat.chatId, "Здравствуйте!"))
    local messages, meta = client:get_chat_history(chat.chatId)
    assert.same({ "PARTNER", "Здравствуйте!" }, { messages[#messages].sender, messages[#messages].message })
    assert.equal(41000002, meta.context.orderId)
    assert.same(messages[#messages], client:get_chat_message(chat.chatId, messages[#messages].messageId))
    assert.equal("WAITING_FOR_CUSTOMER", client:get_chat(chat.chatId).status)
    assert.equal(1, #box:sends())
  end)

  it("uses ids past 2^53 as they came", function()
    local client = make { wide_ids = true }
    local chat = client:get_chats({ context_types = { "RETURN" } })[1]
    assert.equal(chat.chatId, client:get_chat(chat.chatId).chatId)
    local ids = gather(client:messages(chat.chatId, { limit = 1 }), "messageId")
    assert.equal(3, #ids)
    for _, id in ipairs(ids) do assert.equal(id, client:get_chat_message(chat.chatId, id).messageId) end
    assert.is_true(#gather(client:messages(chat.chatId, { message_id_from = ids[2] }), "messageId") < 3)
  end)

  it("sends a file and has it back", function()
    local path, copy = files.temporary(), files.temporary()
    files.write(path, "%PDF-1.4 \0\1\2 of a dummy")
    local client = make()
    local chat = client:get_chats()[1]
    assert.is_true(client:send_file(chat.chatId, path))
    assert.is_true(client:send_file(chat.chatId, { data = "bytes", filename = "акт.pdf" }))
    local sent = {}
    for message in client:messages(chat.chatId) do
      for _, file in ipairs(message.payload or {}) do sent[file.name] = file end
    end
    assert.equal(5, sent["акт.pdf"].size)
    assert.is_true(client:download_file(sent[path:match "[^/]*$"].url, copy))
    assert.equal(files.read(path), files.read(copy))
    os.remove(path)
    os.remove(copy)
  end)

  it("is told what is wrong with a key and a business", function()
    local _, err = make(nil, { api_key = "dummy-wrong-key" }):get_chats()
    assert.same({ "forbidden", 403, "get_chats" }, { err.kind, err.status, err.endpoint })
    _, err = make(nil, { business_id = 8 }):get_chats()
    assert.equal("forbidden", err.kind)
    assert(make(nil, { api_key = false, oauth_token = "dummy-oauth-token" }):get_chats())
  end)

  it("waits for the hour of a method, and not for that of another", function()
    local client = make({ limits = { hourly = { get_chat = 2 } } }, { pace = false, retries = 1, timeout = 5000 })
    local chat = client:get_chats()[1]
    for _ = 1, 2 do assert(client:get_chat(chat.chatId)) end
    local before = client.driver:time()
    assert(client:get_chats())
    assert.equal(before, client.driver:time())
    assert(client:get_chat(chat.chatId))
    assert.is_true(client.driver:time() > before)
  end)

  it("says when the hour would be over, where its call cannot wait", function()
    local client = make({ limits = { hourly = { get_chat = 1 } } }, { pace = false })
    local chat = client:get_chats()[1]
    assert(client:get_chat(chat.chatId))
    local value, err = client:get_chat(chat.chatId)
    assert.is_nil(value)
    assert.equal("rate_limited", err.kind)
    assert.is_true(err.retry_after > 10 and err.retry_after <= 3600)
  end)
end)

describe("a client of the sandbox's Yandex Market over HTTP", function()
  local running

  setup(function() running = sandbox.start() end)
  teardown(function() running:stop() end)

  it("does the same", function()
    local path, copy = files.temporary(), files.temporary()
    files.write(path, ("dummy"):rep(100000))
    local client = market.client { api_key = sandbox.api_key, business_id = sandbox.business_id, base_url = running.base_url }
    local chat = assert(client:get_chats { statuses = { "WAITING_FOR_PARTNER" } })[1]
    assert.is_true(client:send_message(chat.chatId, "Да, подходит."))
    assert.is_true(client:send_file(chat.chatId, path))
    local file
    for message in client:messages(chat.chatId) do file = message.payload and message.payload[1] or file end
    assert.equal(500000, file.size)
    assert.is_true(client:download_file(file.url, copy))
    assert.equal(files.read(path), files.read(copy))
    client:close()
    os.remove(path)
    os.remove(copy)
  end)
end)
