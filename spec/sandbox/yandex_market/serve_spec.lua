local Event = require "avito_messenger.io.loop.event"
local httpd = require "avito_messenger.httpd"
local json = require "avito_messenger.json"
local loop = require "avito_messenger.io.loop"
local new_sandbox = require "avito_messenger.sandbox"
local support = require "support.sandbox"

describe("a served sandbox's Yandex Market", function()
  after_each(loop.close)

  -- A receiver that answers with what `answer` returns, and tells of each request.
  local function receiving(answer)
    local listener, event, got = assert(httpd.listen {}), Event.new(), Event.new()
    local receiver = loop.background(function()
      event:watch(listener:fd())
      while true do
        event:wait(listener:timeout() or 60)
        for _, request in ipairs(listener:accept()) do
          request:respond(answer(request))
          got:set()
        end
      end
    end)
    return ("http://127.0.0.1:%d/hook"):format(listener:port()), got, function()
      receiver:cancel()
      event:unwatch(listener:fd())
      listener:close()
    end
  end

  it("answers with its own date, and notifies until it is answered as wanted", function()
    local bodies, bad = {}, 1
    loop.run(function()
      local box = new_sandbox()
      local server = assert(box:listen { port = 0 })
      local url, got, stop = receiving(function(request)
        local body = json.decode(request.body)
        bodies[#bodies + 1] = body.notificationType
        if body.notificationType ~= "PING" and bad > 0 then
          bad = bad - 1
          return 200, {}, "{}"
        end
        return 200, {}, '{"version":"1","name":"shop","time":"2026-01-01T00:00:00Z"}'
      end)
      local function wait_for(what)
        for _ = 1, 1000 do
          if what() then return end
          got:wait(0.01)
        end
        error "it did not happen"
      end
      box:notify { url = url }
      wait_for(function() return box:state().yandex_market.notifications[1].state == "on" end)
      local said = box:say { order_id = 41000001, text = "Ещё вопрос" }
      local function delivery() return box:deliveries()[2] end
      wait_for(function() return delivery().attempts[1] and delivery().state == "waiting" end)
      assert.is_truthy(delivery().attempts[1].error:find("version", 1, true))
      box:advance(60)
      wait_for(function() return delivery().state == "delivered" end)

      local response = loop.new():perform { method = "POST", url = ("%s/v2/businesses/%d/chats"):format(server.url,
        support.business_id), headers = { "Api-Key: " .. support.api_key, "Content-Type: application/json" }, body = "{}",
        timeout = 10, connect_timeout = 5, max_bytes = 1e6, max_head_bytes = 1e5, purpose = "call" }
      assert.equal(200, response.status)
      assert.equal(said.chat_id, ("%d"):format(json.decode(response.body).result.chats[1].chatId))
      local _, dates = response.head:gsub("\r\nDate:", "")
      assert.equal(1, dates)
      stop()
      server:close()
    end)
    assert.same({ "PING", "CHAT_MESSAGE_SENT", "CHAT_MESSAGE_SENT" }, bodies)
  end)
end)
