local files = require "support.files"
local nginx = require "support.nginx"
if not nginx.wanted() then return end
local places = require "nginx.support.place"
local sandbox = require "support.sandbox"

describe("a worker that ends", function()
  local own, place = places.own(), nil

  before_each(own.begin)
  after_each(own.finish)

  it("keeps the chats whose messages are under way, for longer than its lease", function()
    place = own.open { plan = { user_id = sandbox.user_id, timeout = 30, lease = 2, log = own.path .. ".log" },
      start = "{ drain = 0.5, poll = { interval = 1 } }" }
    place:until_well()
    local function logged(text) return (files.read(own.path .. ".log") or ""):find(text, 1, true) end
    place.market:control("POST", "faults", { kind = "latency", seconds = 5, probability = 1, operation = "send_message" })
    place:say "Вопрос 1"
    place:until_true("the message", function() return logged "effect=send" end)
    place.server:reload()
    place:until_true("the chat's next worker", function() return logged "kind=recovered" end)
    assert.is_true(logged "kind=stopped" < logged "kind=recovered")
    place:until_true("the end of the answer", function() return logged "effect=read" end)
    assert.same({ "Ответ 1" }, place:sent())
    place:stop()
  end)
end)
