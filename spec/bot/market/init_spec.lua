local markets = require "avito_messenger.bot.market"

describe("the adapters of a bot", function()
  it("are chosen by the client, and without a word of it Avito's", function()
    assert.equal("avito", markets.of({}).name)
    for _, name in ipairs(markets.NAMES) do assert.equal(name, markets.of({ marketplace = name }).name) end
  end)

  it("are none of a marketplace that nobody knows", function()
    local ok, err = pcall(markets.named, "yandex_markt")
    assert.is_false(ok)
    assert.matches("unknown marketplace 'yandex_markt' %(did you mean 'yandex_market'%?%)", err)
  end)

  it("know what else than the others each has", function()
    for _, name in ipairs(markets.NAMES) do
      local market = markets.named(name)
      assert.equal("table", type(require "avito_messenger.bot.abilities"[name]))
      assert.equal(require "avito_messenger.bot.abilities"[name].title, market.title)
      for _, part in ipairs { "id_of", "account_key", "chat_id", "poll_settings", "chats", "read_chat", "facts", "send",
        "send_image", "refused" } do
        assert.equal("function", type(market[part]), part)
      end
      for _, part in ipairs { "make", "event", "key" } do assert.equal("function", type(market.hook[part]), part) end
    end
  end)
end)
