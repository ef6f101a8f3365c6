local httpd = require "avito_messenger.httpd"
local json = require "avito_messenger.json"
local support = require "support.sandbox"

local USER = support.user_id

describe("a served sandbox", function()
  local running, token, chat_id

  local function start(arguments)
    running = support.start(arguments)
    token = running:token()
    for _, chat in ipairs(running:control("GET", "state").chats) do
      if chat.type == "u2i" and chat.account == USER then chat_id = chat.id end
    end
  end

  local function send(text)
    return running:post(("/messenger/v1/accounts/%d/chats/%s/messages"):format(USER, chat_id), token,
      { type = "text", message = { text = text or "да" } })
  end

  after_each(function()
    if running then
      local how, code = running:stop()
      running = nil
      assert.equal("exit", how)
      assert.equal(0, code)
    end
  end)

  it("answers a client as the API does", function()
    start()
    local self = json.decode(running:get("/core/v1/accounts/self", token).body)
    assert.equal(USER, self.id)
    local list = json.decode(running:get(("/messenger/v2/accounts/%d/chats?limit=2"):format(USER), token).body)
    assert.equal(2, #list.chats)
    local sent = json.decode(send("Здравствуйте").body)
    local messages = json.decode(running:get(("/messenger/v3/accounts/%d/chats/%s/messages/"):format(USER,
      chat_id:gsub("~", "%%7E")), token).body).messages
    assert.equal(sent.id, messages[1].id)
  end)

  it("takes an image of 24 MB and serves its files", function()
    start()
    local image = "\137PNG\r\n\26\n\0\0\0\13IHDR\0\0\0\1\0\0\0\1"
    image = image .. ("x"):rep(24 * 1024 * 1024 - #image)
    local body = '--B\r\nContent-Disposition: form-data; name="uploadfile[]"; filename="a.png"\r\n\r\n' .. image ..
      "\r\n--B--\r\n"
    local response = running:request("POST", ("/messenger/v1/accounts/%d/uploadImages"):format(USER),
      { "Authorization: Bearer " .. token, "Content-Type: multipart/form-data; boundary=B" }, body)
    assert.equal(200, response.status)
    local _, sizes = next(json.decode(response.body))
    assert.equal(running.base_url, sizes["32x32"]:match("^(http://[^/]+)/"))
    assert.equal(#image, #support.request({ url = sizes["32x32"] }).body)
  end)

  it("says no more about a request with a fault than the wire would", function()
    start()
    for _, case in ipairs { { { kind = "close" }, "network", 0 }, { { kind = "apply_and_close" }, "network", 1 },
      { { kind = "cut" }, "network", 1 } } do
      local before = #running:control("GET", "sends").sends
      running:control("POST", "faults", case[1])
      local response = send()
      assert.equal(case[2], response.error)
      assert.is_true(response.dispatched)
      assert.equal(case[3], #running:control("GET", "sends").sends - before)
    end
    running:control("POST", "faults", { kind = "drip", seconds = 0.001 })
    assert.equal(200, send().status)
    running:control("POST", "faults", { kind = "html" })
    assert.equal(502, send().status)
    assert.equal(200, send().status)
  end)

  it("lets one request wait, or hang, while others are answered", function()
    start()
    running:control("POST", "faults", { kind = "latency", seconds = 0.2, operation = "get_self" })
    running:control("POST", "faults", { kind = "hang", operation = "get_chats" })
    local curl = require("support.transfers").new()
    local function add(path, seconds)
      return curl:add { method = "GET", url = running.base_url .. path, timeout = seconds, connect_timeout = 5,
        headers = { "Authorization: Bearer " .. token }, max_bytes = 1e6, max_head_bytes = 10000, purpose = "call" }
    end
    local names = { [add(("/messenger/v2/accounts/%d/chats"):format(USER), 1)] = "hangs",
      [add("/core/v1/accounts/self", 10)] = "waits" }
    local order, results = {}, {}
    while #order < 3 do
      if not names.quick then
        -- The others have reached the sandbox when their faults have struck.
        local struck = 0
        for _, fault in ipairs(running:control("GET", "faults").faults) do struck = struck + fault.struck end
        if struck == 2 then
          names.quick = true
          names[add(("/messenger/v2/accounts/%d/chats/%s"):format(USER, chat_id), 10)] = "quick"
        end
      end
      for _, finished in ipairs(curl:step(0.01)) do
        order[#order + 1] = names[finished.id]
        results[names[finished.id]] = finished.response
      end
    end
    curl:close()
    assert.same({ "quick", "waits", "hangs" }, order)
    assert.equal(200, results.waits.status)
    assert.equal("timeout", results.hangs.error)
  end)

  describe("with a webhook", function()
    local receiver, got, answer

    before_each(function()
      receiver, got, answer = assert(httpd.listen {}), {}, 200
      start()
    end)
    after_each(function() receiver:close() end)

    local function turn()
      for _, request in ipairs(receiver:accept()) do
        got[#got + 1] = request
        if answer then request:respond(answer) end
      end
    end

    local function subscribe(url)
      return support.request { method = "POST", url = running.base_url .. "/messenger/v3/webhook", turn = turn,
        headers = { "Authorization: Bearer " .. token, "Content-Type: application/json" },
        body = json.encode { url = url or ("http://127.0.0.1:%d/hook"):format(receiver:port()) } }
    end

    local function wait_for(count)
      local turns = 0
      while #got < count do
        turns = turns + 1
        if turns > 30 then error("no delivery came") end
        receiver:wait(1)
        turn()
      end
    end

    it("tries it, and then delivers what buyers and sellers say", function()
      assert.equal(200, subscribe().status)
      assert.equal("{}", got[1].body)
      running:control("POST", "say", { chat_id = chat_id, text = "ещё продаёте?" })
      wait_for(2)
      assert.equal("/hook", got[2].path)
      assert.equal("ещё продаёте?", json.decode(got[2].body).payload.value.content.text)
      assert.is_truthy(got[2].headers["x-avito-messenger-signature"]:find("^%x+$"))
      send("да")
      wait_for(3)
      local value = json.decode(got[3].body).payload.value
      assert.equal(value.user_id, value.author_id)
    end)

    it("delivers again what was not answered with 200", function()
      subscribe()
      answer = 500
      running:control("POST", "say", { chat_id = chat_id, text = "да" })
      wait_for(2)
      turn()
      local function attempts() return #running:control("GET", "deliveries").deliveries[1].attempts end
      while attempts() == 0 do turn() end
      answer = 200
      running:control("POST", "clock", { advance = 5 })
      wait_for(3)
      assert.equal(got[2].body, got[3].body)
      while attempts() == 1 do turn() end
      assert.equal("delivered", running:control("GET", "deliveries").deliveries[1].state)
    end)

    it("delivers again in its own time, with nobody asking", function()
      subscribe()
      answer = 500
      running:control("POST", "say", { chat_id = chat_id, text = "да" })
      wait_for(2)
      answer = 200
      wait_for(3)
      assert.equal(got[2].body, got[3].body)
    end)

    it("refuses one that does not answer 200, or does not answer", function()
      answer = 404
      assert.equal(400, subscribe().status)
      assert.equal(400, subscribe("http://127.0.0.1:1/hook").status)
      assert.equal(0, #running:control("GET", "state").subscriptions)
    end)

    it("gives a receiver two seconds", function()
      answer = nil
      local response = subscribe()
      assert.equal(400, response.status)
      assert.is_truthy(response.body:find("tried", 1, true))
    end)
  end)

  describe("is controlled over HTTP:", function()
    before_each(function() start() end)

    it("an overview for people", function()
      local page = running:get("/sandbox/")
      assert.is_truthy(page.body:find("POST   /sandbox/say", 1, true))
      assert.is_truthy(page.body:find("dummy-client-id", 1, true))
      for what in page.body:gmatch("\n  GET%s+(/sandbox/%S+)") do
        assert.equal(200, running:get(what).status, what)
      end
    end)

    it("people who write", function()
      local said = running:control("POST", "say", { buyer = 200000009, item = 4098549657, text = "Ещё продаёте?" })
      running:control("POST", "write", { chat_id = said.chat_id, text = "Да" })
      for _, chat in ipairs(running:control("GET", "state").chats) do
        if chat.id == said.chat_id then
          assert.equal("buyer", chat.messages[1].from)
          assert.equal("seller", chat.messages[2].from)
          assert.is_nil(chat.messages[2].request)
        end
      end
      assert.equal(0, #running:control("GET", "sends").sends)
      local problem, status = running:control("POST", "say", { chat_id = said.chat_id, type = "voise" })
      assert.equal(400, status)
      assert.is_truthy(problem.error.message:find("did you mean 'voice'?", 1, true))
    end)

    it("the log", function()
      send("раз")
      running:get("/nowhere", token)
      local log = running:control("GET", "log?operation=send_message").requests
      assert.equal(1, #log)
      assert.equal("раз", log[1].text)
      assert.is_true(log[1].applied)
      assert.equal(404, running:control("GET", "log?since=" .. log[1].serial).requests[1].status)
      assert.equal(400, select(2, running:control("GET", "log?sinse=1")))
      assert.equal(400, select(2, running:control("GET", "log?since=x")))
    end)

    it("faults", function()
      running:control("POST", "faults", { kind = "status", status = 503, probability = 1 })
      assert.equal(503, send().status)
      assert.equal(1, running:control("GET", "faults").faults[1].struck)
      running:control("DELETE", "faults")
      assert.equal(200, send().status)
      local problem, status = running:control("POST", "faults", { kind = "stauts" })
      assert.equal(400, status)
      assert.equal("unknown fault kind 'stauts' (did you mean 'status'?)", problem.error.message)
    end)

    it("the clock and tokens", function()
      local before = running:control("GET", "clock").time
      assert.is_true(running:control("POST", "clock", { advance = 86400 }).time >= before + 86400)
      assert.equal(403, send().status)
      token = running:token()
      assert.equal(200, send().status)
      assert.equal(1, running:control("POST", "tokens/expire", { user_id = USER }).expired)
      assert.equal(403, send().status)
      assert.equal(2, running:control("GET", "tokens").client_credentials)
      assert.equal(400, select(2, running:control("POST", "clock", {})))
      running:control("POST", "clock", { time = 2000000000 })
      assert.is_true(running:control("GET", "clock").time - 2000000000 < 60)
    end)

    it("codes", function()
      local code = running:control("POST", "codes", { user_id = 100000002 }).code
      local response = running:request("POST", "/token", { "Content-Type: application/x-www-form-urlencoded" },
        "grant_type=authorization_code&client_id=dummy-client-id&client_secret=dummy-client-secret&code=" .. code)
      assert.equal(200, response.status)
      local page = running:get("/sandbox/callback?code=abc&state=x")
      assert.is_truthy(page.body:find("code: abc", 1, true))
    end)

    it("and set back", function()
      send()
      assert.is_true(running:control("POST", "reset").ok)
      assert.equal(0, #running:control("GET", "sends").sends)
      assert.equal(403, send().status)
    end)

    it("but by this machine only", function()
      local response = running:request("GET", "/sandbox/state", { "Host: evil.example" })
      assert.equal(403, response.status)
      local inside = support.inside()
      assert.equal(403, inside:send({ path = "/sandbox/state", peer = "203.0.113.5" }).status)
      assert.equal(200, inside:send({ path = "/sandbox/state", peer = "::1" }).status)
    end)

    it("and no further", function()
      assert.equal(404, running:get("/sandbox/none").status)
      assert.equal(404, running:request("PUT", "/sandbox/state", {}, "").status)
      assert.equal(400, running:request("POST", "/sandbox/say", {}, "[").status)
    end)
  end)

  it("is refused on other addresses, from Lua too", function()
    local box = require("avito_messenger.sandbox").new()
    for _, host in ipairs { "0.0.0.0", "203.0.113.5", "::" } do
      local served, problem = box:serve { host = host, port = 0 }
      assert.is_nil(served)
      assert.is_truthy(problem:find("loopback", 1, true))
    end
    assert.has_error(function() box:serve { prot = 1 } end)
  end)

  it("survives a bug of its own", function()
    local box, child = require("avito_messenger.sandbox").new(), nil
    box.handle = function() error("a bug") end
    assert.is_true(box:serve { port = 0, on_ready = function(where)
      child = support.spawn { "-e", ([[
        local support = require "support.sandbox"
        for _ = 1, 2 do
          local response = support.request { url = "%s/sandbox/clock" }
          print(response.status, response.body:find("a bug", 1, true) ~= nil)
        end]]):format(where.url) }
    end, stop = function() return (child:wait(0.001)) end })
    assert.equal("500\ttrue\n500\ttrue\n", child:read_all())
    child:close()
  end)

  it("is served from Lua until it is told to stop", function()
    local box, address = require("avito_messenger.sandbox").new(), nil
    assert.is_true(box:serve { port = 0, on_ready = function(where) address = where end,
      stop = function() return address end })
    assert.equal(("http://127.0.0.1:%d"):format(address.port), address.url)
  end)
end)
