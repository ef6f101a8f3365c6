local secrets = require "avito_messenger.secrets"

describe("secrets", function()
  it("are *** wherever they stand, however often", function()
    local hidden = secrets.new { "dummy-one", "dummy-two" }
    assert.equal("", hidden:hide "")
    assert.equal("nothing of them", hidden:hide "nothing of them")
    assert.equal("*** and ***, ******", hidden:hide "dummy-one and dummy-two, dummy-onedummy-one")
  end)

  it("are hidden whole where one holds another", function()
    for _, list in ipairs { { "dummy", "dummy-longer" }, { "dummy-longer", "dummy" } } do
      assert.equal("*** ***", secrets.new(list):hide "dummy-longer dummy")
    end
  end)

  it("are no patterns, and *** is none of them", function()
    assert.equal("a.b ***", secrets.new({ "a+b" }):hide "a.b a+b")
    assert.equal("******", secrets.new({ "*" }):hide "**")
  end)

  it("are found as a URL and as JSON write them", function()
    local hidden = secrets.new { "dummy/päss word" }
    assert.equal("x=***&y", hidden:hide "x=dummy%2Fp%C3%A4ss%20word&y")
    assert.equal([["***"]], hidden:hide [["dummy\/päss word"]])
  end)

  it("of no length hide nothing", function()
    assert.equal("text", secrets.new({ "" }):hide "text")
  end)

  it("of a URL are its path and query, as a whole and in their parts, but not its host", function()
    local hidden = secrets.new()
    hidden:add_url "https://bot.example/hook/dummy-secret-path?key=dummy-key"
    assert.equal("https://bot.example*** failed", hidden:hide "https://bot.example/hook/dummy-secret-path?key=dummy-key failed")
    assert.equal("POST /hook/*** from bot.example", hidden:hide "POST /hook/dummy-secret-path from bot.example")
    assert.equal("key=***", hidden:hide "key=dummy-key")
    hidden:add_url "https://bot.example/"
    assert.equal("a/b", hidden:hide "a/b") -- what is that short stands in any text
  end)

  it("must be strings", function()
    local hidden = secrets.new()
    for message, misuse in pairs {
      ["a secret must be a string, got number"] = function() hidden:add(5) end,
      ["a url must be a string, got nil"] = function() hidden:add_url() end,
    } do
      local ok, problem = pcall(misuse)
      assert.is_false(ok)
      assert.matches("^spec/secrets_spec.lua:%d+: secrets: " .. message .. "$", problem)
    end
  end)

  it("are not told by what keeps them", function()
    assert.is_nil(tostring(secrets.new { "dummy-one" }):find("dummy", 1, true))
  end)
end)
