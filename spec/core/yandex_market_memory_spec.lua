--- Every allocation of a call to Yandex Market is made to fail once, from the making of the session to the last value.

local core = require "avito_messenger.core"
local script = require "support.script"
local starved = require "support.starved"

local answer = script.answer

local OPTIONS = { marketplace = "yandex_market", base_url = "https://api.example", api_key = "dummy-api-key", seed = "x",
  business_id = 94235311, timeout = 10, retries = 0, user_agent = "x" }
local FILTERS = { contexts = { { type = "ORDER", id = "9007199254740993" } }, statuses = { "NEW", "FINISHED" }, types = {},
  limit = 5, page_token = "a b" }
local ERRORS = '{"status":"ERROR","errors":[{"code":"A","message":"one"},{"code":7},{"code":"C","message":"dummy-api-key"}]}'

local CASES = {
  { answer(200, '{"status":"OK","result":{"chats":[{"chatId":1}],"paging":{"nextPageToken":"x"}}}'), "get_chats", FILTERS },
  { answer(200, '{"status":"OK","result":{"messages":null}}'), "get_chat_history", 5 },
  { answer(200, '{"status":"OK"}'), "get_chats" },
  { answer(200, '{"status":"OK","result":{"chats":5}}'), "get_chats" },
  { answer(200, '{"status":"OK","result":{"chatId":5}}'), "create_chat", "ORDER", "9007199254740993" },
  { answer(200, '{"status":"OK"}'), "get_chat", 5 },
  { answer(200, '{"status":"OK"}'), "send_file", 5, { data = "x", filename = 'акт "1".pdf' } },
  { answer(200, '{"status":"OK"}'), "send_file", 5, { path = "act.pdf", size = 100, start = "%PDF", filename = "act.pdf" } },
  { answer(200, '{"status":"OK"}'), "send_file", 5, { data = "x" } },
  { answer(200, ERRORS), "send_message", 5, "да" },
  { answer(403, ERRORS), "get_chat", 5 },
}

describe("a call to Yandex Market without memory", function()
  for number, case in ipairs(CASES) do
    it(("raises and loses nothing: %d, %s"):format(number, case[2]), function()
      local function call()
        local op = core.session(OPTIONS):operation(case[2], 0, case[3], case[4])
        if op:next(0) == "send" then op:feed(0, 0, case[1]) end
        return (op:next(0))
      end
      local came_to = starved(call, 5)
      assert.truthy(came_to == "done" or came_to == "fail")
    end)
  end
end)
