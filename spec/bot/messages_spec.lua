local messages = require "avito_messenger.bot.messages"

describe("messages", function()
  it("are an event, the oldest first, without what is none", function()
    local a, b = { id = "a", type = "text" }, { id = "b", type = "text" }
    assert.same({ type = "message", messages = { a, b }, chat_type = "u2i", earlier = true },
      messages.event({ b, 17, { id = 5, type = "text" }, { id = "c" }, a }, { chat_type = "u2i", earlier = true }))
    assert.same({ type = "message", messages = { a } }, messages.event { a })
    assert.is_nil(messages.event {})
    assert.is_nil(messages.event { "text" })
  end)

  it("were written when they say so", function()
    assert.equal(17, messages.written { created = 17 })
    assert.equal(0, messages.written { created = "17" })
    assert.equal(0, messages.written {})
  end)
end)
