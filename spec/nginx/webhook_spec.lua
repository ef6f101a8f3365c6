local nginx = require "support.nginx"
if not nginx.wanted() then return end
local places = require "nginx.support.place"

describe("a bot inside nginx", function()
  local own, place = places.own(), nil

  before_each(own.begin)
  after_each(own.finish)

  for workers = 1, 2 do
    it(("answers what webhooks bring, after they were answered, with %d workers"):format(workers), function()
      place = own.open { workers = workers, plan = { shared = true }, poll = false }
      place:until_well()
      local said = place:say "Вопрос 1"
      local body = place:message { id = said.message_id, chat_id = said.chat_id, created = said.created, author_id = 200000001 }
      local response = place:hook(body)
      assert.same({ 200, "ok\n" }, { response.status, response.body })
      place:until_true("the answer", function() return #place:sent() > 0 end)
      assert.same({ "Ответ 1" }, place:sent())
      assert.equal(200, place:hook(body).status) -- again
      place:until_true("the count of all workers", function()
        return place:metric 'avito_bot_webhooks_total{outcome="known"}' == 1
          and place:metric 'avito_bot_webhooks_total{outcome="message"}' == 2 -- which is known shows when it is sorted
      end)
      assert.same({ "Ответ 1" }, place:sent())
      place:stop()
    end)
  end

  it("answers what it finds by looking, with a store of memory", function()
    place = own.open { plan = { store = "memory" } }
    place:until_well()
    place:say "Вопрос 7"
    place:until_true("the answer", function() return #place:sent() > 0 end)
    assert.same({ "Ответ 7" }, place:sent())
    place:stop()
  end)
end)
