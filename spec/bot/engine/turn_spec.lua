local chats = require "support.chats"

local function shop()
  return chats.new { { "эхо", say = "{message.text|—}" }, burst = "6s" }
end

describe("a turn", function()
  it("is the burst: its texts one a line, its types all of them", function()
    local types
    local c = chats.new { { "голос", on = "voice", continue = true, act = "mark_read" }, { "эхо", run = function(r)
      types = #r.messages
      r:say(r.text)
    end } }
    c:buyer "Здравствуйте"
    c:buyer(nil, { type = "voice", content = { voice = {} } })
    c:buyer "Торг есть?"
    assert.same({ "Здравствуйте\nТорг есть?" }, c:pass(10).said)
    assert.equal(3, types)
    assert.equal("голос эхо", c:fired())
  end)

  it("reads the text of a link, or its address, and tells both as links", function()
    local c = chats.new { { "эхо", links = true, run = function(r) r:say(r.text .. "; " .. table.concat(r.links, " ")) end } }
    local function link(content) return { type = "link", content = { link = content } } end
    c:buyer(nil, link { text = "Смотри https://example.com/a", url = "https://example.com/a" })
    c:pass(10)
    c:buyer(nil, link { url = "https://example.com/b" })
    c:pass(10)
    c:buyer(nil, link { text = "Смотри", url = "https://example.com/c" })
    c:buyer(nil, link "странно")
    c:buyer(nil, link { text = {}, url = {} })
    c:buyer(nil, { type = "link", content = 5 })
    c:pass(10)
    assert.same({ "Смотри https://example.com/a; https://example.com/a", "https://example.com/b; https://example.com/b",
      "Смотри; https://example.com/c" }, c.said)
  end)

  it("is the first once", function()
    local c = chats.new { { "привет", first = true, say = "Здравствуйте!" }, { "ещё", first = false, say = "Да?" } }
    assert.equal("Здравствуйте!", c:says "Привет")
    assert.equal("Да?", c:says "Привет")
  end)

  it("of Avito is never the first", function()
    local c = chats.new { { "заказ", on = "system", first = true, say = "Спасибо!" } }
    c:buyer("Заказ", { type = "system", author_id = 1 })
    assert.same({}, c:pass(10).said)
  end)

  it("taken in silence was the first all the same", function()
    local c = chats.new { { "привет", first = true, say = "Здравствуйте!" } }
    c:step { type = "pause", seconds = 60 }
    c:says "Привет"
    c:pass(60)
    assert.equal("", c:says "Привет")
  end)

  it("knows which system message it is", function()
    local c = chats.new { { "заказ", flow_id = { "order", "pay" }, say = "Спасибо!" } }
    for _, content in ipairs { { flow_id = "pay" }, { flow_id = "other" }, { flow_id = 5 }, {}, 5 } do
      c:buyer("x", { type = "system", author_id = 1, content = content })
    end
    c:buyer("x", { content = { text = "x", flow_id = "pay" } })
    assert.same({ "Спасибо!" }, c:pass(10).said)
  end)
end)

describe("a wake", function()
  it("that comes early, late or twice answers once", function()
    for _, at in ipairs { { 0, 3, 6 }, { 60 }, { 6, 6, 6 } } do
      local c = shop()
      c:buyer "Торг?"
      for _, seconds in ipairs(at) do
        c.now = chats.NOW + seconds
        c:wake()
        if seconds < 6 then assert.equal("", c:wants()) end
      end
      c:work()
      c:wake()
      assert.same({ "Торг?" }, c:work().said)
    end
  end)

  it("is wanted when the burst ends, and of a chat in which nothing waits never", function()
    local c = shop()
    assert.is_nil(c.engine:wake_at(c.record))
    c:buyer "Торг?"
    assert.equal(chats.NOW + 6, c.engine:wake_at(c.record))
    c:pass(10)
    assert.is_nil(c.engine:wake_at(c.record))
  end)

  it("is wanted for what comes first, a reply or the end of a burst", function()
    local c = chats.new { { "торг", hears = "торг*", say = "Торг.", delay = "10s" } }
    c:buyer "Торг?"
    c:pass(5)
    c:buyer "Ау"
    assert.equal(chats.NOW + 8, c.engine:wake_at(c.record))
    c:pass(7)
    c:buyer "Ау"
    assert.equal(chats.NOW + 13, c.engine:wake_at(c.record))
  end)

  it("is the only event of its name", function()
    local c = shop()
    local ok, message = pcall(c.step, c, { type = "wakes" })
    assert.is_false(ok)
    assert.matches("did you mean 'wake'?", message, 1, true)
  end)
end)

describe("a clock that is put back", function()
  it("an hour lets the buyer wait for a burst, not for an hour", function()
    local c = chats.new { { "эхо", say = "{message.text|—}" }, burst = "10m" }
    c:buyer "Торг?"
    c.now = c.now - 3600
    c:wake()
    assert.equal(c.now + 600, c.engine:wake_at(c.record))
    assert.same({ "Торг?" }, c:pass(600).said)
  end)

  it("or forward a day, between the messages of a burst, answers them", function()
    for _, seconds in ipairs { -3600, 86400 } do
      local c = shop()
      c:buyer "Торг?"
      c.now = c.now + seconds
      c:buyer("Или нет?", { created = chats.NOW + 1 })
      c:pass(60)
      assert.equal("Торг?Или нет?", (table.concat(c.said):gsub("\n", "")))
    end
  end)
end)

describe("a note", function()
  it("names its chat", function()
    local c = shop()
    c:says "Торг?"
    for _, note in ipairs(c.notes) do assert.equal("u2i-1", note.chat_id) end
    assert.equal("m1", c:note("turn").turn)
    assert.is_true(c:note("turn").handled)
  end)
end)
