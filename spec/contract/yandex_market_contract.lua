--- What a client of Yandex Market does over any driver. `start` is that of client_contract.lua.
local assert = require "luassert"
local busted = require "busted"
local files = require "support.files"
local json = require "avito_messenger.json"
local market = require "avito_messenger.yandex_market"
local sandbox = require "support.sandbox"
local stage = require "contract.stage"
local trouble = require "contract.trouble"

-- busted gives its words to spec files only.
local describe, before_each, after_each = busted.describe, busted.before_each, busted.after_each

local ORDER, RETURN = 41000001, 51000001 -- of the sandbox's world

return function(driver_name, start)
  describe("a client of Yandex Market over " .. driver_name, function()
    local place, it = stage(start)

    local function make(options)
      local given = { base_url = place.base_url, io = place.io, api_key = sandbox.api_key, business_id = sandbox.business_id }
      for name, value in pairs(options or {}) do given[name] = value or nil end
      return market.client(given)
    end

    local function fault(spec)
      spec.operation = "yandex_market." .. spec.operation
      place.control("POST", "faults", spec)
    end

    local function sends() return place.control("GET", "sends").sends end

    local function find_chat(client)
      return assert(client:get_chats { contexts = { { type = "ORDER", id = ORDER } } })[1]
    end

    local function newest(client, chat_id)
      local last
      for message in client:messages(chat_id) do
        if not last or message.messageId > last.messageId then last = message end
      end
      return last
    end

    it("lists chats by what they are about, by type and by status", function()
      local client = make()
      local chats, meta = assert(client:get_chats())
      assert.equal(4, #chats)
      assert.same({}, meta.paging)
      assert.equal(4, #assert(client:get_chats { statuses = {} }))
      for _, kind in ipairs { "ORDER", "RETURN", "DIRECT" } do
        for _, chat in ipairs(assert(client:get_chats { context_types = { kind }, types = { "CHAT" } })) do
          assert.equal(kind, chat.context.type)
        end
      end
      assert.equal(1, #assert(client:get_chats { contexts = { { type = "RETURN", id = RETURN } } }))
      for _, chat in ipairs(assert(client:get_chats { statuses = { "FINISHED" } })) do assert.equal("FINISHED", chat.status) end
    end)

    it("goes over pages of chats and of messages", function()
      local client = make()
      local seen, count = {}, 0
      for chat in client:chats { limit = 1 } do
        assert.is_nil(seen[chat.chatId])
        seen[chat.chatId], count = true, count + 1
      end
      assert.equal(4, count)
      local id = find_chat(client).chatId
      for i = 1, 7 do place.control("POST", "say", { chat_id = id, text = "сообщение " .. i }) end
      local texts = {}
      for message in client:messages(id, { limit = 3 }) do texts[message.message or ""] = message.messageId end
      for i = 1, 7 do assert.is_number(texts["сообщение " .. i]) end
      local later = {}
      for message in client:messages(id, { message_id_from = texts["сообщение 6"] }) do later[#later + 1] = message.message end
      table.sort(later)
      assert.same({ "сообщение 6", "сообщение 7" }, later)
    end)

    it("reads a chat, and a message of it", function()
      local client = make()
      local one = find_chat(client)
      local chat = assert(client:get_chat(one.chatId))
      assert.same(one, chat)
      local messages, meta = assert(client:get_chat_history(chat.chatId, { limit = 2 }))
      assert.equal(2, #messages)
      assert.is_string(meta.paging.nextPageToken)
      assert.same(chat.context, meta.context)
      assert.same(messages[1], assert(client:get_chat_message(chat.chatId, messages[1].messageId)))
      assert.same(messages[1], assert(client:get_chat_message(("%d"):format(chat.chatId), ("%d"):format(messages[1].messageId))))
    end)

    it("sends what is found in the history, and no id", function()
      local client = make()
      local id = find_chat(client).chatId
      local text = 'Да, "возврат" уместен 🙂\nПриезжайте'
      assert.same({ true }, { client:send_message(id, text) })
      assert.equal(text, sends()[1].text)
      local message = newest(client, id)
      assert.same({ text, "PARTNER" }, { message.message, message.sender })
    end)

    it("finds the chat there is about an order", function()
      local client = make()
      assert.equal(find_chat(client).chatId, assert(client:create_chat("ORDER", ORDER)).chatId)
      local _, err = client:create_chat("ORDER", 1)
      assert.equal("not_found", err.kind)
    end)

    describe("with files", function()
      local path

      before_each(function() path = files.temporary() end)
      after_each(function() os.remove(path) end)

      it("sends from the disk what it sends from memory, and downloads it without the key", function()
        local client = make()
        local id, image = find_chat(client).chatId, files.read "examples/phone.png"
        for _, given in ipairs { "examples/phone.png", { data = image, filename = "phone.png" } } do
          assert.is_true(client:send_file(id, given))
          local payload = newest(client, id).payload
          assert.same({ "phone.png", #image }, { payload[1].name, payload[1].size })
          assert.is_true(client:download_file(payload[1].url, path))
          assert.is_true(files.read(path) == image)
          assert.same({ path }, files.beginning(path))
          os.remove(path)
        end
      end)

      it("leaves no half of a file behind, and gets the whole of it the next time", function()
        local client = make()
        local id = find_chat(client).chatId
        assert(client:send_file(id, { data = ("x"):rep(1000), filename = "act.pdf" }))
        local url = newest(client, id).payload[1].url
        fault { operation = "download_file", kind = "cut", times = 2 }
        local _, err = client:download_file(url, path, { retries = 0 })
        assert.equal("network", err.kind)
        assert.same({}, files.beginning(path))
        assert.is_true(client:download_file(url, path, { retries = 1 }))
        assert.equal(1000, #files.read(path))
        _, err = client:download_file(place.base_url .. "/files/yandex_market/none/act.pdf", path .. "2")
        assert.equal("not_found", err.kind)
        assert.same({ path }, files.beginning(path))
      end)

      it("never sends a file twice", function()
        local client = make()
        local id = find_chat(client).chatId
        fault { operation = "send_file", kind = "apply_and_close", times = 1 }
        local sent, err = client:send_file(id, "examples/phone.png")
        assert.is_nil(sent)
        assert.is_true(err.dispatched)
        assert.equal(1, #sends())
      end)
    end)

    it("says what is wrong with the key", function()
      local id = find_chat(make()).chatId
      assert.equal(id, find_chat(make { api_key = false, oauth_token = "dummy-oauth-token" }).chatId)
      for _, options in ipairs { { api_key = "dummy-wrong" }, { business_id = sandbox.business_id + 1 } } do
        local _, err = make(options):get_chat(id)
        assert.equal("forbidden", err.kind)
        assert.is_nil(json.encode(tostring(err)):find("dummy-wrong", 1, true))
      end
    end)

    it("makes any other request", function()
      local value = assert(make():request("POST", ("/v2/businesses/%d/chats"):format(sandbox.business_id), { json = {} }))
      assert.equal("OK", value.status)
    end)

    it("rests one operation whose hour is over, and no other", function()
      local client = make()
      local id = find_chat(client).chatId
      fault { operation = "send_message", kind = "rate_limited", times = 1, retry_after = 1000 }
      local _, err = client:send_message(id, "да", { timeout = 1 })
      assert.equal("rate_limited", err.kind)
      assert.is_true(err.retry_after > 900)
      assert.equal(420, err.status)
      assert.equal(id, assert(client:get_chat(id)).chatId)
      _, err = client:send_message(id, "да", { timeout = 1 })
      assert.equal("rate_limited", err.kind)
      assert.same({}, sends())
    end)

    trouble(it, { make = make, fault = fault, sends = sends, chat = function(client) return find_chat(client).chatId end,
      id_of = function(chat) return chat.chatId end, unknown_chat = 1,
      statuses = { [401] = "auth", [403] = "forbidden", [404] = "not_found", [423] = "server" } })
  end)
end
