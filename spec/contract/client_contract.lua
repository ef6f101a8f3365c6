--- What a client of Avito does over any driver. `start()` gives an environment:
---   base_url, io            options of the client
---   control(method, what, value) -> decoded answer of the sandbox's control API
---   run(fn, name)           carries out one of the specs below; absent: by calling it
---   stop()
local assert = require "luassert"
local avito = require "avito_messenger"
local busted = require "busted"
local files = require "support.files"
local sandbox = require "support.sandbox"
local stage = require "contract.stage"
local trouble = require "contract.trouble"

-- busted gives its words to spec files only.
local describe, before_each, after_each = busted.describe, busted.before_each, busted.after_each

return function(driver_name, start)
  describe("a client over " .. driver_name, function()
    local place, it = stage(start)

    local function make(options)
      local given = {
        base_url = place.base_url, io = place.io, pace = false,
        client_id = sandbox.client_id, client_secret = sandbox.client_secret,
      }
      for name, value in pairs(options or {}) do given[name] = value or nil end
      return avito.client(given)
    end

    local function fault(spec) place.control("POST", "faults", spec) end

    local function sends() return place.control("GET", "sends").sends end

    local function first_chat(client)
      return assert(client:get_chats { chat_types = { "u2i" } })[1]
    end

    it("logs in and knows its account", function()
      local client = make()
      assert.equal(sandbox.user_id, assert(client:get_self()).id)
      assert.truthy(first_chat(client).id)
      assert.equal(("avito_messenger.Client (user %d)"):format(sandbox.user_id), tostring(client))
    end)

    it("lists chats by type, item and unread", function()
      local client = make { user_id = sandbox.user_id }
      local chats, meta = assert(client:get_chats { chat_types = { "u2i", "u2u", "a2u" } })
      assert.is_true(#chats > 2)
      assert.is_true(meta.has_more == nil or meta.has_more == false) -- the contract's shape has no meta
      local item = first_chat(client).context.value.id
      for _, chat in ipairs(assert(client:get_chats { item_ids = { item } })) do
        assert.equal(item, chat.context.value.id)
      end
      assert.is_true(#assert(client:get_chats { unread_only = true }) > 0)
    end)

    it("reads a chat and its messages, newest first", function()
      local client = make()
      local chat = assert(client:get_chat(first_chat(client).id))
      local messages, meta = assert(client:get_messages(chat.id, { limit = 2 }))
      assert.equal(2, #messages)
      assert.is_true(meta.has_more ~= false)
      assert.is_true(messages[1].created >= messages[2].created)
      assert.equal(chat.last_message.id, messages[1].id)
    end)

    it("goes over pages", function()
      local client = make()
      local id = first_chat(client).id
      for i = 1, 7 do place.control("POST", "say", { chat_id = id, text = "сообщение " .. i }) end
      local count, last = 0, nil
      for message in client:messages(id, { limit = 3 }) do
        count = count + 1
        last = message
      end
      assert.is_true(count >= 7)
      assert.truthy(last.id)
    end)

    it("sends, deletes and marks as read", function()
      local client = make()
      local id = first_chat(client).id
      local text = 'Да, "торг" уместен 🙂\nПриезжайте'
      local sent = assert(client:send_message(id, text))
      assert.equal(text, sent.content.text)
      assert.equal(text, sends()[1].text)
      assert.is_true(client:delete_message(id, sent.id))
      assert.equal("deleted", client:get_messages(id)[1].type)
      assert.is_true(client:mark_chat_as_read(id))
      for _, chat in ipairs(assert(client:get_chats { unread_only = true })) do assert.not_equal(id, chat.id) end
    end)

    it("uploads and sends images", function()
      local client = make()
      local id = first_chat(client).id
      local image_id, sizes = client:upload_image "examples/phone.png"
      assert.is_string(image_id)
      assert.is_string(select(2, next(sizes)))
      local sent = assert(client:send_image_message(id, image_id))
      assert.equal("image", sent.type)
    end)

    describe("with files", function()
      local path

      before_each(function() path = files.temporary() end)
      after_each(function() os.remove(path) end)

      local function first_voice(client)
        for chat in client:chats { chat_types = { "u2i", "u2u" } } do
          for message in client:messages(chat.id) do
            if message.type == "voice" then return message.content.voice.voice_id end
          end
        end
      end

      it("downloads voice messages", function()
        local client = make()
        local voice = first_voice(client)
        local url = assert(client:get_voice_files { voice })[voice]
        local file, expires = url:match("^%a+://[^/]+(/[^?]*)%?expires=(%d+)$")
        local expected = assert(client:request("GET", file, { query = { expires = expires } }))
        assert.is_true(client:download_voice(voice, path))
        assert.equal(expected, files.read(path))
        assert.same({ path }, files.beginning(path))
      end)

      it("uploads from the disk what it uploads from memory, and downloads it", function()
        local client = make()
        local image = files.read "examples/phone.png"
        for _, given in ipairs { "examples/phone.png", { data = image, filename = "phone.png" } } do
          local id, sizes = client:upload_image(given)
          assert.is_string(id)
          for _, address in ipairs { sizes, (select(2, next(sizes))) } do
            assert.is_true(client:download_image(address, path))
            assert.is_true(files.read(path) == image)
            assert.same({ path }, files.beginning(path))
            os.remove(path)
          end
        end
      end)

      it("leaves no file behind when there is nothing to download", function()
        local client = make()
        local voice = first_voice(client)
        local _, err = client:download_image(place.base_url .. "/files/images/none/1x1", path)
        assert.equal("not_found", err.kind)
        fault { operation = "download_voice", kind = "status", status = 404, times = 1 }
        _, err = client:download_voice(voice, path)
        assert.equal("not_found", err.kind)
        assert.same({}, files.beginning(path))
      end)

      it("leaves no half of a file behind, and gets the whole of it the next time", function()
        local client = make()
        local _, sizes = client:upload_image "examples/phone.png"
        local voice = first_voice(client)
        for name, what in pairs { download_image = sizes, download_voice = voice } do
          fault { operation = name, kind = "cut", times = 2 }
          local _, err = client[name](client, what, path, { retries = 0 })
          assert.equal("network", err.kind)
          assert.is_true(err.dispatched)
          assert.same({}, files.beginning(path))
          assert.is_true(client[name](client, what, path, { retries = 1 }))
          assert.is_true(#files.read(path) > 100)
          assert.same({ path }, files.beginning(path))
          os.remove(path)
        end
      end)
    end)

    it("blocks users", function()
      local client = make()
      local chat = first_chat(client)
      assert.is_true(client:add_to_blacklist {
        { user_id = chat.users[1].id, context = { item_id = chat.context.value.id, reason_id = avito.BlacklistReason.SPAM } } })
    end)

    it("lists webhook subscriptions", function()
      assert.same({}, (assert(make():get_webhook_subscriptions())))
    end)

    it("makes any other request", function()
      local value = assert(make():request("GET", "/core/v1/accounts/self"))
      assert.equal(sandbox.user_id, value.id)
    end)

    it("renews an expired token by itself, and sends once", function()
      local client = make()
      local id = first_chat(client).id
      place.control("POST", "tokens/expire", {})
      assert(client:send_message(id, "да"))
      assert.equal(1, #sends())
    end)

    it("rotates refresh tokens", function()
      local code = place.control("POST", "codes", { client_id = sandbox.client_id, user_id = sandbox.user_id }).code
      local tokens
      local client = make { code = code, user_id = sandbox.user_id, token_store = {
        load = function() return tokens end, save = function(new) tokens = new return true end } }
      local id = first_chat(client).id
      local first = tokens.refresh_token
      place.control("POST", "tokens/expire", {})
      assert(client:send_message(id, "да"))
      assert.not_equal(first, tokens.refresh_token)
      local _, err = make({ code = code }):get_self()
      assert.equal("auth", err.kind) -- a code is good once
    end)

    it("says what is wrong with the credentials", function()
      local _, err = make({ client_secret = "dummy-wrong" }):get_self()
      assert.equal("auth", err.kind)
      _, err = make({ client_id = false, client_secret = false, access_token = "dummy" }):get_self()
      assert.equal("auth", err.kind)
    end)

    trouble(it, { make = make, fault = fault, sends = sends, chat = function(client) return first_chat(client).id end,
      at_once = 0, id_of = function(chat) return chat.id end, unknown_chat = "u2i-no-such-chat",
      statuses = { [402] = "payment_required", [403] = "forbidden", [404] = "not_found" } })
  end)
end
