local names = require "avito_messenger.bot.names"

describe("the names of several bots", function()
  local function of(...)
    local bots = {}
    for i = 1, select("#", ...) do
      local account = select(i, ...)
      bots[i] = { account = function() return account end }
    end
    return names.of(bots)
  end

  it("are their accounts", function()
    assert.same({ "100000001", "yandex_market:123" }, of("100000001", "yandex_market:123"))
  end)

  it("tell them apart where an account is not known yet, or twice the same", function()
    assert.same({ "bot 1", "7", "bot 3", "bot 4" }, of(nil, "7", nil, "7"))
  end)
end)
