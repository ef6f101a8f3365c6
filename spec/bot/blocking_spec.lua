local avito = require "avito_messenger"
local support = require "support.sandbox"

describe("a bot without a loop", function()
  local running

  before_each(function() running = support.start() end)
  after_each(function() running:stop() end)

  --- A buyer has written a minute ago.
  local function said(text, buyer)
    running:control("POST", "clock", { advance = -60 })
    local message = running:control("POST", "say", { buyer = buyer or 200000003, item = 4101230042, text = text })
    running:control("POST", "clock", { advance = 60 })
    return message.chat_id
  end

  local function bot(given)
    local errors = {}
    local client = avito.client { base_url = running.base_url, client_id = support.client_id, client_secret = support.client_secret,
      pace = false }
    local options = { client = client, on_error = function(note) errors[#errors + 1] = note.message end,
      rulebook = { burst = "1s", { "доставка", hears = "доставк*", say = "Отправлю завтра." },
        { "фото", hears = "фото", image = "examples/phone.png" } } }
    for name, value in pairs(given or {}) do options[name] = value end
    return avito.bot(options), errors, client
  end

  --- What is in the chat that the bot said, and whether the chat is unread.
  local function chat_of(id)
    for _, chat in ipairs(running:control("GET", "state").chats) do
      if chat.id == id then
        local said_by_bot, unread = {}, false
        for _, message in ipairs(chat.messages) do
          if message.request then said_by_bot[#said_by_bot + 1] = message.content.text or message.type end
          unread = unread or not message.read_by_account
        end
        return said_by_bot, unread
      end
    end
  end

  it("answers over HTTP", function()
    local first, second = said("Доставка есть?"), said("Фото пришлёте?", 200000004)
    local one, errors, client = bot()
    one:poll { rounds = 1, backlog = "1h" }
    assert.same({ { "Отправлю завтра." }, false }, { chat_of(first) })
    assert.same({ { "image" }, false }, { chat_of(second) })
    assert.same({}, errors)
    client:close()
  end)

  it("says nothing twice when answers are lost", function()
    local chat = said "Доставка есть?"
    running:control("POST", "faults", { operation = "send_message", kind = "apply_and_close" })
    local one, errors, client = bot()
    one:poll { rounds = 1, backlog = "1h" }
    assert.same({ { "Отправлю завтра." }, false }, { chat_of(chat) })
    assert.same({}, errors)
    client:close()
  end)

  it("waits for the next look, and ends when its time is over or it is told to", function()
    local one, _, client = bot()
    one:poll { interval = 1, seconds = 0.1 }
    one.on_event = function(note) if note.kind == "poll" then one:stop() end end
    one:poll { interval = 3600 }
    assert.equal(2, #running:control("GET", "log?operation=get_chats").requests)
    client:close()
  end)
end)
