local chats = require "support.chats"
local text = require "avito_messenger.text"

describe("a text to be said", function()
  local function said_of(run)
    local c = chats.new { { "всё", run = run } }
    c:says "Привет"
    return c
  end

  it("of more than a thousand characters goes out in pieces, each once", function()
    local long = ("Диван стоит у стены. "):rep(120)
    local keys = {}
    local c = chats.new { { "всё", run = function(c)
      c:say(long)
      c:say "Конец."
    end } }
    c:buyer "Привет"
    c.now = c.now + 3
    c:wake()
    c:work()
    for _, note in ipairs(c.notes) do
      if note.kind == "done" then
        assert.is_nil(keys[note.key])
        keys[note.key] = true
      end
    end
    assert.equal(4, #c.said)
    for _, piece in ipairs(c.said) do assert.is_true(text.length(piece) <= 1000) end
    assert.equal((long .. "Конец."):gsub("%s", ""), (table.concat(c.said):gsub("%s", "")))
    assert.is_true(keys["m1/всё/1"] and keys["m1/всё/1.2"] and keys["m1/всё/1.3"] and keys["m1/всё/2"])
  end)

  it("of a thousand characters is one piece", function()
    assert.equal(1, #said_of(function(c) c:say(("я"):rep(1000)) end).said)
    assert.equal(2, #said_of(function(c) c:say(("я"):rep(1001)) end).said)
  end)

  it("is as long as the marketplace allows", function()
    local function pieces(length)
      local c = chats.new({ { "всё", run = function(c) c:say(("я"):rep(length)) end } }, { marketplace = "yandex_market" })
      c:says "Привет"
      return #c.said
    end
    assert.equal(1, pieces(4096))
    assert.equal(2, pieces(4097))
  end)

  it("that grew too long by what was filled in goes out in pieces", function()
    local c = chats.new { { "эхо", say = "Вы пишете: {message.text}" } }
    c:says(("слово "):rep(300))
    assert.equal(2, #c.said)
  end)

  it("has its braces filled in, and doubled ones taken as they are", function()
    local c = said_of(function(c) c:say "{buyer.name}, {{скидка}" end)
    assert.same({ "Покупатель, {скидка}" }, c.said)
  end)

  it("says what is wrong with its braces", function()
    assert.matches("column", said_of(function(c) c:say "{buyer.name" end):note("error").message)
  end)

  it("that is no UTF-8 is an error of its rule", function()
    for _, name in ipairs { "say", "image", "escalate" } do
      local c = said_of(function(c) c[name](c, "\255\254") end)
      assert.same({}, c.said)
      assert.same({}, c.did)
      assert.matches("UTF%-8", c:note("error").message)
    end
    local c = chats.new { vars = { ["адрес"] = "\255" }, { "адрес", say = "{адрес}" } }
    assert.equal("", c:says "Привет")
    assert.matches("UTF%-8", c:note("error").message)
  end)
end)
