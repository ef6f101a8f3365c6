local Event = require "avito_messenger.io.loop.event"
local httpd = require "avito_messenger.httpd"
local json = require "avito_messenger.json"
local listen = require "avito_messenger.bot.listen"
local loop = require "avito_messenger.io.loop"
local memory = require "avito_messenger.store.memory"
local problem = require "avito_messenger.store.problem"
local process = require "spec_support.process"
local scheduler = require "avito_messenger.io.loop.scheduler"
local support = require "support.sandbox"

local SECRET = "dummy-path-secret"
local ACCOUNT = "100000001"

describe("the listener of a bot", function()
  local nothing = scheduler.counts()
  local bot, server, driver, notes, reported

  -- What a listener needs of a bot.
  local function new_bot()
    notes = {}
    driver = loop.new()
    local store = memory.new()
    store:attach(driver)
    return { driver = driver, store = store, told = 0, metrics = { text = function() return "up 1\n" end },
      lanes = { told = function() bot.told = bot.told + 1 end },
      account = function() return ACCOUNT end,
      health = function() return true end,
      tell = function(_, note) notes[#notes + 1] = note end }
  end

  -- Runs in the loop with a listener, which is closed afterwards.
  local function serving(given, fn)
    loop.run(function()
      local all = { port = 0, path_secret = SECRET }
      for name, value in pairs(given) do all[name] = value end
      server = assert(listen.new(bot, all))
      fn()
      server:close()
    end)
  end

  before_each(function()
    bot, reported = new_bot(), {}
    loop.on_error(function(err) reported[#reported + 1] = tostring(err) end)
  end)
  after_each(function()
    driver:close()
    loop.on_error(nil)
    loop.close()
    assert.same({}, reported)
    assert.same(nothing, scheduler.counts())
    for _, note in ipairs(notes) do assert.not_equal("error", note.kind, note.message) end
  end)

  local function message(id, more)
    local value = { id = id, chat_id = "u2i-1", user_id = 100000001, author_id = 2, created = 1706865998, type = "text",
      content = { text = "Торг есть?" } }
    for name, member in pairs(more or {}) do value[name] = member end
    return assert(json.encode { version = "v3.0.0", payload = { type = "message", value = value } })
  end

  local function send(request)
    local response = driver:perform { method = request.method or "GET", url = server.url:sub(1, -2) .. request.path,
      headers = request.headers or {}, body = request.body, timeout = 10, connect_timeout = 5, max_bytes = 65536,
      max_head_bytes = 65536, purpose = "call" }
    if response.status then
      assert.is_nil((response.head .. response.body):find(SECRET, 1, true))
    end
    return response
  end

  local function post(body, path)
    return send { method = "POST", path = path or "/" .. SECRET, body = body }
  end

  local function status_of(body) return post(body).status end

  -- How many requests had the outcome, by what the bot was told.
  local function told(outcome)
    local count = 0
    for _, note in ipairs(notes) do
      if note.kind == "webhook" and note.outcome == outcome then count = count + note.count end
    end
    return count
  end

  local function stored() return bot.store:stats(ACCOUNT, driver:time()).inbox end

  local function pending() return server.doors[1].listener:pending() end

  -- Holds every receive back until `let_go`; `held` has their numbers of rows.
  local function hold()
    local held, waiting = {}, {}
    local receive = bot.store.receive
    function bot.store.receive(...)
      local _, _, rows = ...
      local event = Event.new()
      held[#held + 1] = #rows
      waiting[#waiting + 1] = event
      event:wait(60)
      return receive(...)
    end
    local function let_go()
      local one = table.remove(waiting, 1)
      one:set()
    end
    return held, let_go
  end

  local function until_(condition)
    local ends = driver:now() + 30
    while not condition() do
      assert(driver:now() < ends, "it did not come")
      loop.sleep(0.005)
    end
  end

  -- Speaks raw bytes to the server; returns all it answers.
  local function raw(script)
    local child = process.spawn({ "bash", "-c", ("exec 3<>/dev/tcp/127.0.0.1/%d; %s"):format(server.port, script) },
      { stdout = "pipe", stderr = "/dev/null" })
    until_(function() return child:wait(0.001) end)
    local text = child:read_all()
    child:close()
    return text
  end

  it("stores a message, then answers", function()
    serving({}, function()
      local response = post(message "m1")
      assert.equal(200, response.status)
      assert.equal("ok\n", response.body)
      assert.equal(1, stored())
      local claim = bot.store:claim(ACCOUNT, "u2i-1")
      assert.same({ key = "m1", kind = "avito", body = message "m1", seq = claim.rows[1].seq }, claim.rows[1])
    end)
    assert.equal(1, bot.told)
    assert.same({ { kind = "webhook", outcome = "message", count = 1 } }, notes)
  end)

  it("does not answer before the message is stored", function()
    local held, let_go = hold()
    serving({}, function()
      local task = loop.spawn(status_of, message "m1")
      until_(function() return #held == 1 end)
      for _ = 1, 20 do loop.sleep(0.005) end
      assert.is_false(task.ended)
      assert.equal(0, stored())
      let_go()
      assert.equal(200, task:wait())
      assert.equal(1, stored())
    end)
  end)

  it("stores together what came together", function()
    local held, let_go = hold()
    serving({}, function()
      local tasks = {}
      for i = 1, 20 do tasks[i] = loop.spawn(status_of, message("m" .. i)) end
      until_(function() return #held == 1 end)
      local first = held[1]
      until_(function() return pending() == 20 end)
      let_go()
      if first < 20 then
        until_(function() return #held == 2 end)
        assert.equal(20 - first, held[2])
        let_go()
      end
      for _, task in ipairs(tasks) do assert.equal(200, task:wait()) end
    end)
    assert.equal(20, told "message")
    assert.equal(20, stored())
  end)

  it("answers a message that is known as it answered it first", function()
    serving({}, function()
      for _ = 1, 3 do assert.equal(200, status_of(message "m1")) end
      assert.equal(200, status_of(message("m1", { type = "deleted" })))
      assert.equal(2, stored())
    end)
    assert.equal(2, told "message")
    assert.equal(2, told "known")
  end)

  it("leaves the messages of other accounts alone", function()
    serving({}, function()
      assert.equal(200, status_of(message "m1"))
      assert.equal(200, status_of(message("m1", { user_id = 7 })))
      assert.equal(200, status_of(message("m2", { user_id = json.null() })))
    end)
    assert.equal(2, stored())
    assert.equal(0, bot.store:stats("7", 0).inbox)
    assert.equal(1, told "foreign")
  end)

  it("keeps messages for their account where its own is not known yet", function()
    bot.account = function() return nil end
    serving({}, function() assert.equal(200, status_of(message("m1", { user_id = 7 }))) end)
    assert.equal(1, bot.store:stats("7", 0).inbox)
  end)

  it("takes no message whose account is not known yet", function()
    bot.account = function() return nil end
    serving({}, function()
      local response = post(message("m1", { user_id = json.null() }))
      assert.equal(503, response.status)
      assert.is_truthy(response.head:find("Retry-After: 1\r\n", 1, true))
      assert.equal(200, status_of(message "m2"))
    end)
    assert.equal(1, told "unavailable")
  end)

  it("answers what is not to be stored", function()
    serving({ signature = { key = "dummy-key" } }, function()
      assert.equal(200, status_of "{}")
      for status, response in pairs { [404] = post("{}", "/"), [405] = send { path = "/" .. SECRET },
        [401] = post(message "m1") } do
        assert.equal(status, response.status)
        assert.is_truthy(response.head:find("Connection: close\r\n", 1, true), response.head)
      end
      assert.is_truthy(send({ path = "/" .. SECRET }).head:find("Allow: POST\r\n", 1, true))
    end)
    serving({}, function()
      assert.equal(400, status_of "[]")
      assert.equal(413, status_of(("x"):rep(65537)))
      assert.equal(200, status_of '{"payload":{"type":"typing"}}')
      assert.equal("not found\n", send({ path = "/metrics" }).body)
    end)
    assert.equal(0, stored())
    for outcome, count in pairs { probe = 1, not_found = 2, method = 2, signature = 1, bad_request = 1, refused = 1,
      ignored = 1 } do
      assert.equal(count, told(outcome), outcome)
    end
  end)

  it("takes a message whose signature is only reported, and tells so", function()
    serving({ signature = { key = "dummy-key", report_only = true } }, function()
      assert.equal(200, status_of(message "m1"))
    end)
    assert.equal(1, stored())
    assert.equal(1, told "unsigned")
    assert.equal("the signature is missing", notes[1].note)
  end)

  describe("when the store", function()
    local function failing(receive)
      local good = bot.store.receive
      bot.store.receive = receive
      return function() bot.store.receive = good end
    end

    it("fails, has Avito come again, and serves on", function()
      local mend = failing(function() return nil, problem.make("full", "the disk is full", "shop.db") end)
      serving({}, function()
        local response = post(message "m1")
        assert.equal(503, response.status)
        assert.equal("try again\n", response.body)
        assert.is_truthy(response.head:find("Retry-After: 1\r\n", 1, true))
        assert.equal(0, bot.told)
        mend()
        assert.equal(200, status_of(message "m1"))
      end)
      assert.same({ { kind = "webhook", outcome = "unavailable", count = 1 }, { kind = "store", what = "receive",
        code = "full", message = "journal shop.db: the disk is full (full): free some space; nothing was written" },
        { kind = "webhook", outcome = "message", count = 1 } }, notes)
    end)

    it("raises, does the same", function()
      local mend = failing(function() error("it broke", 0) end)
      serving({}, function()
        assert.equal(503, status_of(message "m1"))
        mend()
        assert.equal(200, status_of(message "m1"))
      end)
      assert.equal("error", notes[2].code)
      assert.is_truthy(notes[2].message:find("^it broke"))
    end)

    it("takes too long, answers in time all the same", function()
      local held, let_go = hold()
      serving({}, function()
        local tasks = {}
        local function timed(body)
          local from = driver:now()
          local response = post(body)
          assert.is_true(driver:now() - from < 2) -- what Avito waits for
          return response.status
        end
        tasks[1] = loop.spawn(timed, message "m1")
        until_(function() return #held == 1 end)
        for i = 2, 5 do tasks[i] = loop.spawn(timed, message("m" .. i)) end
        for _, task in ipairs(tasks) do assert.equal(503, (assert(task:wait()))) end
        assert.equal(5, told "unavailable")
        let_go()
        until_(function() return stored() == 1 end) -- the first came there after all
        assert.same({ 1 }, held) -- and those that were told to come again were not handed over
        tasks = { loop.spawn(status_of, message "m1"), loop.spawn(status_of, message "m2") }
        until_(function() return pending() == 2 end)
        while pending() > 0 do
          until_(function() return #held > 1 end)
          table.remove(held)
          let_go()
          loop.sleep(0.005)
        end
        for _, task in ipairs(tasks) do assert.equal(200, task:wait()) end
      end)
      assert.equal(1, told "known")
      assert.equal(1, told "message")
      assert.equal(2, stored())
    end)

    it("takes long, still answers what needs no store", function()
      local held, let_go = hold()
      serving({}, function()
        local task = loop.spawn(status_of, message "m1")
        until_(function() return #held == 1 end)
        assert.equal(200, send({ path = "/healthz" }).status)
        assert.equal(200, status_of "{}")
        assert.is_false(task.ended)
        let_go()
        assert.equal(200, task:wait())
      end)
    end)
  end)

  describe("tells", function()
    it("whether it is well", function()
      local well, word = true, nil
      bot.health = function() return well, word end
      serving({}, function()
        local response = send { path = "/healthz" }
        assert.same({ 200, "ok\n" }, { response.status, response.body })
        well, word = nil, "disk"
        response = send { path = "/healthz?x=1" }
        assert.same({ 503, "disk\n" }, { response.status, response.body })
        response = raw "printf 'HEAD /healthz HTTP/1.1\\r\\nHost: a\\r\\nConnection: close\\r\\n\\r\\n' >&3; cat <&3"
        assert.is_truthy(response:find "^HTTP/1.1 503 ")
        assert.is_truthy(response:find "\r\n\r\n$")
        response = send { method = "POST", path = "/healthz", body = "" }
        assert.equal(405, response.status)
        assert.is_truthy(response.head:find("Allow: GET, HEAD\r\n", 1, true))
      end)
    end)

    it("its figures, where it is told to", function()
      serving({ metrics = true }, function()
        local response = send { path = "/metrics" }
        assert.same({ 200, "up 1\n" }, { response.status, response.body })
        assert.is_truthy(response.head:find("Content-Type: text/plain; version=0.0.4", 1, true))
        assert.equal(405, send({ method = "POST", path = "/metrics", body = "" }).status)
      end)
      serving({ metrics = { host = "localhost", port = 0 } }, function()
        assert.equal(404, send({ path = "/metrics" }).status)
        local public = server.url
        server.url = server.metrics_url:match "^http://127%.0%.0%.1:%d+/"
        assert.not_equal(public, server.url)
        assert.equal(200, send({ path = "/metrics" }).status)
        assert.equal(200, send({ path = "/healthz" }).status)
        assert.equal(404, status_of "{}")
      end)
      serving({ metrics = false }, function() assert.equal(404, send({ path = "/metrics" }).status) end)
    end)

    it("of a page that breaks, and serves on", function()
      bot.metrics.text = function() error "broken" end
      serving({ metrics = true }, function()
        local response = send { path = "/metrics" }
        assert.same({ 500, "internal error\n" }, { response.status, response.body })
        assert.equal(200, status_of(message "m1"))
      end)
      local note = table.remove(notes, 1)
      assert.equal("error", note.kind)
      assert.is_truthy(note.message:find("listen: .*broken"))
    end)

    it("of a turn that breaks, and serves on", function()
      local tell = bot.tell
      bot.tell = function()
        bot.tell = tell
        error "broken"
      end
      serving({}, function()
        assert.equal(200, status_of "{}")
        until_(function() return #notes == 1 end)
        assert.equal(200, status_of(message "m1"))
      end)
      local note = table.remove(notes, 1)
      assert.equal("error", note.kind)
      assert.is_truthy(note.message:find("listen: .*broken"))
    end)

    it("nothing of what ends the program, which ends it too", function()
      bot.metrics.text = function() error("interrupted!", 0) end
      serving({ metrics = true }, function()
        assert.equal("network", send({ path = "/metrics" }).error)
        assert.equal("network", post(message "m1").error)
      end)
      assert.same({}, notes)
      assert.equal(1, #reported)
      reported = {}
    end)

    it("its address, without the secret", function()
      serving({ path = "/hooks" }, function()
        assert.equal(("http://127.0.0.1:%d/"):format(server.port), server.url)
        assert.equal(200, post(message "m1", "/hooks/" .. SECRET).status)
        assert.equal(404, post(message "m1").status)
        assert.equal(("avito.bot.Server (%s)"):format(server.url), tostring(server))
      end)
      assert.equal(("avito.bot.Server (%s, closed)"):format(server.url), tostring(server))
    end)
  end)

  describe("on the wire", function()
    local function request(body, more)
      return ("printf '%%s' $'POST /%s HTTP/1.1\\r\\nHost: a\\r\\n%sContent-Length: %d\\r\\n\\r\\n%s' >&3; "):format(SECRET,
        more or "", #body, (body:gsub("'", "\\'")))
    end

    it("serves one request after another on a connection", function()
      serving({}, function()
        local text = raw(request(message "m1") .. "head -n 1 <&3; " .. request(message "m2", "Connection: close\\r\\n") ..
          "cat <&3")
        local _, count = text:gsub("HTTP/1.1 200 OK", "")
        assert.equal(2, count)
      end)
      assert.equal(2, stored())
    end)

    it("serves requests that were sent without waiting", function()
      serving({}, function()
        local all = {}
        for i = 1, 5 do all[i] = request(message("m" .. i), i == 5 and "Connection: close\\r\\n" or "") end
        local text = raw(table.concat(all) .. "cat <&3")
        local _, count = text:gsub("HTTP/1.1 200 OK", "")
        assert.equal(5, count)
      end)
      assert.equal(5, stored())
    end)

    it("takes a body in chunks", function()
      local body = message "m1"
      serving({}, function()
        local text = raw(("printf '%%s' $'POST /%s HTTP/1.1\\r\\nHost: a\\r\\nConnection: close\\r\\n" ..
          "Transfer-Encoding: chunked\\r\\n\\r\\n' >&3; "):format(SECRET) ..
          ("printf '%%s' $'%x\\r\\n%s\\r\\n%x\\r\\n%s\\r\\n0\\r\\n\\r\\n' >&3; cat <&3"):format(10, body:sub(1, 10), #body - 10,
            body:sub(11)))
        assert.is_truthy(text:find "^HTTP/1.1 200 ")
      end)
      assert.equal(1, stored())
    end)

    it("bounds heads and methods", function()
      serving({}, function()
        local response = send { method = "POST", path = "/" .. SECRET, body = "{}", headers = { "X: " .. ("x"):rep(9000) } }
        assert.equal(431, response.status)
        local text = raw "printf 'BREW / HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n' >&3; cat <&3"
        assert.is_truthy(text:find "^HTTP/1.1 501 ")
        assert.is_nil(text:find(SECRET, 1, true))
      end)
      assert.equal(2, told "refused")
    end)

    it("cuts off what does not come in time", function()
      serving({ deadline = 0.1 }, function()
        assert.equal("", raw("printf 'POST /x HTTP/1.1\\r\\nHost: a\\r\\nContent-Length: 10\\r\\n\\r\\nx' >&3; cat <&3"))
      end)
      assert.equal(1, told "cut")
    end)

    it("answers well-behaved clients beside a thousand slow ones", function()
      assert.is_true(require("spec_support.dribble").descriptors(2048))
      local child
      serving({}, function()
        child = support.spawn({ "-e", ("require('spec_support.dribble').run(%d, 1000)"):format(server.port) })
        local function line()
          local got
          until_(function()
            local why
            got, why = child:read_line(0)
            assert(got or why == "timeout", why)
            return got
          end)
          return got
        end
        assert.equal("up", line())
        local over
        local task = loop.spawn(function()
          local said = line()
          over = true
          return said
        end)
        local count = 0
        repeat
          local from = driver:now()
          count = count + 1
          assert.equal(200, status_of(message("m" .. count)))
          assert.is_true(driver:now() - from < 2) -- what Avito waits for
          loop.sleep(0.01)
        until over
        assert.equal("cut", task:wait())
        assert.equal(count, stored())
      end)
      child:kill()
      child:close()
      assert.is_true(told "cut" >= 1000)
    end)
  end)

  describe("closed", function()
    it("answers what it has, and takes no more", function()
      local held, let_go = hold()
      serving({}, function()
        local task = loop.spawn(post, message "m1")
        until_(function() return #held == 1 end)
        local closing = loop.spawn(server.close, server)
        until_(function() return pending() == 1 end)
        loop.sleep(0.02)
        assert.is_false(closing.ended)
        local other = post(message "m2")
        assert.equal("network", other.error)
        let_go()
        local response = task:wait()
        assert.equal(200, response.status)
        assert.is_truthy(response.head:find("Connection: close\r\n", 1, true))
        closing:wait()
        server:close()
        assert.equal("network", post(message "m2").error)
      end)
      assert.equal(1, stored())
    end)

    it("waits no longer than it must for a store that hangs", function()
      local held, let_go = hold()
      serving({}, function()
        local task = loop.spawn(post, message "m1")
        until_(function() return #held == 1 end)
        server:close()
        assert.equal(503, task:wait().status)
        let_go()
      end)
    end)

    it("waits no longer than it must for a client that does not read", function()
      bot.metrics.text = function() return ("x"):rep(2e7) end
      serving({ metrics = true, deadline = 60 }, function()
        local child = process.spawn({ "bash", "-c", ("exec 3<>/dev/tcp/127.0.0.1/%d; " ..
          "printf 'GET /metrics HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n' >&3; sleep 60"):format(server.port) })
        until_(function() return pending() == 1 end)
        local closing = loop.spawn(server.close, server)
        until_(function() return closing.ended end)
        child:close()
      end)
    end)

    it("by the end of the loop, which is no failure of the store", function()
      local held = hold()
      loop.run(function()
        server = assert(listen.new(bot, { port = 0, path_secret = SECRET }))
        loop.background(post, message "m1")
        until_(function() return #held == 1 end)
      end)
      assert.same({}, notes)
    end)

    it("by the end of the loop", function()
      loop.run(function() server = assert(listen.new(bot, { port = 0, path_secret = SECRET })) end)
      server:close()
      loop.run(function()
        local other = assert(listen.new(bot, { port = server.port, path_secret = SECRET }))
        other:close()
      end)
    end)
  end)

  it("says why it cannot listen", function()
    serving({}, function()
      local other, why = listen.new(bot, { port = server.port, path_secret = SECRET })
      assert.is_nil(other)
      assert.is_truthy(why:find("EADDRINUSE: cannot listen on 127.0.0.1 port " .. server.port, 1, true))
      other, why = listen.new(bot, { port = 0, path_secret = SECRET, metrics = { port = server.port } })
      assert.is_nil(other)
      assert.is_truthy(why:find("EADDRINUSE", 1, true))
      local free = assert(httpd.listen {})
      local port = free:port()
      free:close()
      assert.is_nil((listen.new(bot, { port = port, path_secret = SECRET, metrics = { port = server.port } })))
      assert(httpd.listen { port = port }):close() -- nothing of it is left
      assert.is_nil((listen.new(bot, { host = "1.2.3.4.5", port = 0, path_secret = SECRET })))
    end)
  end)

  it("says what it needs where it was built without its library", function()
    local name = "avito_messenger.httpd"
    local loaded, preload = package.loaded[name], package.preload[name]
    package.loaded[name], package.preload[name] = nil, function() error("no httpd here", 0) end
    local why
    loop.run(function() why = select(2, listen.new(bot, { port = 0, path_secret = SECRET })) end)
    package.loaded[name], package.preload[name] = loaded, preload
    assert.is_truthy(why:find("libmicrohttpd-dev", 1, true))
    assert.is_truthy(why:find("no httpd here", 1, true))
  end)

  describe("raises for", function()
    local function saying(given, text)
      local all = { path_secret = SECRET }
      for name, value in pairs(given) do all[name] = value end
      local ok, message_ = pcall(listen.new, bot, all)
      assert.is_false(ok)
      assert.is_truthy(message_:find(text, 1, true), message_)
      assert.is_truthy(message_:find("bot:listen", 1, true), message_)
      assert.is_nil(message_:find(SECRET, 1, true))
    end

    it("options it cannot take", function()
      saying({ prot = 1 }, "did you mean 'port'?")
      saying({ path_secret = "short" }, "path_secret must be 16 characters")
      saying({ path_secret = false }, "path_secret must be a string")
      saying({ host = "example.com" }, 'host must be a numeric address, or "localhost"')
      for _, port in ipairs { -1, 65536, 1.5 } do saying({ port = port }, "port must be an integer from 0 to 65535") end
      saying({ max_connections = 0 }, "max_connections must be an integer")
      for _, seconds in ipairs { 0, 61, 0 / 0 } do saying({ deadline = seconds }, "deadline must be from 0.1 to 60 seconds") end
      saying({ metrics = {} }, "metrics.port is missing")
      saying({ metrics = { port = 1, hots = "x" } }, "did you mean 'host'?")
      saying({ metrics = { port = -1 } }, "metrics.port must be an integer")
      saying({ metrics = { port = 1, host = "x" } }, "metrics.host must be a numeric address")
      saying({ signature = {} }, "signature.key is missing")
      saying({ path = "x" }, "path must begin with /")
    end)

    it("being called outside of the loop", function()
      saying({}, "must be called inside loop.run")
    end)
  end)
end)
