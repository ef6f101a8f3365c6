--- What a client of any marketplace does over any driver where calls go wrong. `it` declares a spec; `market` is
---   make() -> client              chat(client) -> the id of a chat              id_of(chat) -> the id that get_chat has told
---   fault(spec), sends()          of the sandbox; at_once: the retry_after of a refusal that is over at once
---   unknown_chat                  an id that no chat has
---   statuses                      kinds of errors by the HTTP status of get_chat
local assert = require "luassert"

return function(it, market)
  local make, fault, sends = market.make, market.fault, market.sends

  for _, kind in ipairs { "status", "html", "close", "apply_and_close", "cut", "empty", "invalid_json" } do
    it("reads through the fault " .. kind, function()
      local client = make()
      local id = market.chat(client)
      fault { operation = "get_chat", kind = kind, status = kind == "status" and 503 or nil, times = 1 }
      local chat, err = client:get_chat(id)
      if chat then
        assert.equal(id, market.id_of(chat))
      else
        assert.equal("decode", err.kind) -- an answer that came whole and makes no sense
      end
    end)

    it("never sends twice through the fault " .. kind, function()
      local client = make()
      local id = market.chat(client)
      fault { operation = "send_message", kind = kind, status = kind == "status" and 503 or nil, times = 1 }
      local sent, err = client:send_message(id, "да")
      assert.is_nil(sent)
      assert.is_true(err.dispatched)
      assert.is_true(#sends() <= 1)
      assert.is_true(kind ~= "apply_and_close" or #sends() == 1)
    end)
  end

  it("waits until it is no longer refused, and sends once", function()
    local client = make()
    local id = market.chat(client)
    fault { operation = "send_message", kind = "rate_limited", times = 1, retry_after = market.at_once }
    assert(client:send_message(id, "да"))
    assert.equal(1, #sends())
  end)

  it("keeps its deadline", function()
    local client = make()
    local id = market.chat(client)
    fault { operation = "get_chat", kind = "hang" }
    local _, err = client:get_chat(id, { timeout = 0.2 })
    assert.equal("timeout", err.kind)
  end)

  it("tells by the status what is wrong, and what to do", function()
    local client = make()
    local id = market.chat(client)
    for status, kind in pairs(market.statuses) do
      fault { operation = "get_chat", kind = "status", status = status, times = 1 }
      local _, err = client:get_chat(id)
      assert.equal(kind, err.kind)
      assert.is_string(err.hint)
    end
    assert.equal("not_found", select(2, client:get_chat(market.unknown_chat)).kind)
  end)
end
