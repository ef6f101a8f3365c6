-- Every allocation of a call is made to fail once, from the making of the session to the last value.

local alloc = require "spec_support.alloc"
local core = require "avito_messenger.core"
local script = require "support.script"
local starved = require "support.starved"

local answer = script.answer

local OPTIONS = {
  base_url = "https://api.example", client_id = "dummy", client_secret = "dummy", code = "dummy", seed = "x", timeout = 10,
  user_agent = "x", has_store = true, has_lock = true,
}
local HEADERS = { headers = { ["X-One"] = "1", ["X-Two"] = "2" }, timeout = 5 }
local IMAGE = { data = "\255\216\255\224 not much of one", filename = "a.jpg" }
local FILE = { path = "phone.jpg", size = 100, start = "\255\216\255\224 not much of one", filename = "a.jpg" }
local USERS = { { user_id = 1, context = { item_id = 2, reason_id = 3 } }, { user_id = 4 } }

local TOKEN = answer(200, '{"access_token":"dummy-token","refresh_token":"dummy-refresh","expires_in":86400,"scope":"a"}')
local SELF = answer(200, '{"id":94235311}')

-- A session that has to do everything: lock, load, ask for a token, save, unlock, look the account up, and be refused once.
local function drive(session, last, name, ...)
  local op = session:operation(name, 0, ...)
  local calls = 0
  for _ = 1, 50 do
    local step, request = op:next(0)
    if step == "done" or step == "fail" then return step, request end
    if step == "lock" or step == "save" then
      op:feed(0, 0, true)
    elseif step == "load" then
      op:feed(0, 0, { refresh_token = "dummy-stored", scope = "b" })
    elseif step == "unlock" then
      op:feed(0, 0)
    elseif step == "send" then
      local response = request.purpose == "token" and TOKEN or request.purpose == "self" and SELF
      if request.purpose == "call" then
        calls = calls + 1
        response = calls == 1 and answer(401, '{"result":{"status":false,"message":"access token expired"}}') or last
      end
      op:feed(0, 0, response)
    else
      return step
    end
  end
end

local CASES = {
  { answer(200, '{"chats":[{"id":"a","n":1.5}],"meta":{"has_more":true}}'), "get_chats",
    { item_ids = { 1, 2 }, chat_types = { "u2i", "u2u" }, limit = 5, unread_only = true }, HEADERS },
  { answer(200, '{"id":"m1"}'), "send_message", "c1", "да\n" .. ("ы"):rep(900) },
  { answer(200, '{"1.a":{"32x32":"u"}}'), "upload_image", IMAGE, nil },
  { answer(200, '{"1.a":{"32x32":"u"}}'), "upload_image", FILE, nil },
  { { error = "file", message = "cannot read phone.jpg", dispatched = false }, "upload_image", FILE, nil },
  { answer(200, ""), "add_to_blacklist", USERS, nil },
  { answer(400, '{"error":{"code":400,"message":"no","fields":{"a":"b"}}}'), "get_chat", "c1", nil },
  { answer(502, ("x"):rep(5000), { ["Retry-After"] = "100" }), "get_chat", "c1", nil },
  { answer(200, "<html>"), "get_chat", "c1", nil },
  { script.failure("network", true), "send_message", "c1", "да" },
  { answer(200, "{}"), "get_chat", "", nil },
  { answer(200, "{}"), "get_chat", "c1", { headers = { ["A"] = "\n" } } },
}

describe("a call without memory", function()
  for number, case in ipairs(CASES) do
    it(("raises and loses nothing: %d, %s"):format(number, case[2]), function()
      local function call()
        local session = core.session(OPTIONS)
        return (drive(session, case[1], case[2], case[3], case[4]))
      end
      local came_to = starved(call, 5)
      assert.truthy(came_to == "done" or came_to == "fail")
    end)
  end

  it("raises and loses nothing: a download to a file", function()
    local response = { status = 200, head = "HTTP/1.1 200 OK\r\n\r\n", body = "", bytes = 5 }
    local function call()
      local op = core.session(OPTIONS):download("https://cdn.example/v", 0, nil, "voice.mp4")
      local _, request = op:next(0)
      assert(request.output == "voice.mp4")
      op:feed(0, 0, response)
      return select(2, op:next(0))
    end
    local n, fired = 0
    repeat
      n = n + 1
      local ok, result
      ok, result, fired = alloc.fail_at(n, call)
      assert.truthy(ok and result == 5 or fired and tostring(result):find("not enough memory", 1, true), tostring(result))
    until not fired
    assert.is_true(n > 5)
  end)

  it("raises and loses nothing where it waits for its turn", function()
    local paced = { pace = { rate = 1, burst = 1 } }
    for name, value in pairs(OPTIONS) do paced[name] = value end
    paced.has_store, paced.has_lock, paced.access_token, paced.user_id = nil, nil, "dummy-token", 7
    local function queue()
      local session, ops, said = core.session(paced), {}, {}
      for i = 1, 5 do
        ops[i] = session:operation("get_chat", 0, "c1", { timeout = i == 5 and 2 or 9 })
        said[i] = ops[i]:next(0)
      end
      ops[1]:feed(0, 0, answer(429, "", { ["X-RateLimit-Limit"] = "60" }))
      said[6] = ops[1]:next(1.5)
      ops[1]:cancel()
      return table.concat(said, " ")
    end
    assert.equal("send wait wait wait fail wait", starved(queue, 20))
  end)

  it("has one place in the lane, however often it is asked, and none when it is gone", function()
    local session = script.session { access_token = "dummy-token", pace = { rate = 1, burst = 1 } }
    session:operation("get_chat", 0, "c1"):next(0)
    local n, fired = 0
    repeat
      n = n + 1
      local op = session:operation("get_chat", 0, "c1")
      fired = select(3, alloc.fail_at(n, op.next, op, 0))
      local turn = select(4, op:next(0))
      assert.is_true(turn > 0.99 and turn < 1.01)
      op = nil -- luacheck: ignore
      collectgarbage()
      collectgarbage()
    until not fired
    assert.is_true(n > 1)
  end)

  it("leaves a session that other calls can use", function()
    local session = core.session(OPTIONS)
    local case = CASES[1]
    for n = 1, 400 do
      alloc.fail_at(n, drive, session, case[1], case[2], case[3], case[4])
      collectgarbage() -- an operation that raised is garbage; its renewal of the token ends with it
      assert.equal("done", (drive(session, case[1], case[2], case[3], case[4])))
    end
  end)
end)
