local blame = require "support.blame"
local httpd = require "avito_messenger.httpd"
local json = require "avito_messenger.json"
local listen = require "avito_messenger.bot.listen"
local listening = require "support.listening"
local loop = require "avito_messenger.io.loop"
local problem = require "avito_messenger.store.problem"

local SECRET = listening.SECRET
local ACCOUNT = listening.ACCOUNT

describe("the listener of a bot", function()
  local h = listening.new()
  local serving, message, send, post, status_of, told, stored, pending, hold, until_, raw =
    h.serving, h.message, h.send, h.post, h.status_of, h.told, h.stored, h.pending, h.hold, h.until_, h.raw

  before_each(h.begin)
  after_each(h.finish)

  it("stores a message, then answers", function()
    serving({}, function()
      local response = post(message "m1")
      assert.equal(200, response.status)
      assert.equal("ok\n", response.body)
      assert.equal(1, stored())
      local claim = h.bot.store:claim(ACCOUNT, "u2i-1")
      assert.same({ key = "m1", kind = "avito", body = message "m1", seq = claim.rows[1].seq }, claim.rows[1])
    end)
    assert.equal(1, h.bot.told)
    assert.same({ { kind = "webhook", outcome = "message", count = 1 } }, h.notes)
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
    assert.equal(0, h.bot.store:stats("7", 0).inbox)
    assert.equal(1, told "foreign")
  end)

  it("keeps messages for their account where its own is not known yet", function()
    h.bot.account = function() return nil end
    serving({}, function() assert.equal(200, status_of(message("m1", { user_id = 7 }))) end)
    assert.equal(1, h.bot.store:stats("7", 0).inbox)
  end)

  it("takes no message whose account is not known yet", function()
    h.bot.account = function() return nil end
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

  it("takes a message whose signature is only h.reported, and tells so", function()
    serving({ signature = { key = "dummy-key", report_only = true } }, function()
      assert.equal(200, status_of(message "m1"))
    end)
    assert.equal(1, stored())
    assert.equal(1, told "unsigned")
    assert.equal("the signature is missing", h.notes[1].note)
  end)

  describe("when the store", function()
    local function failing(receive)
      local good = h.bot.store.receive
      h.bot.store.receive = receive
      return function() h.bot.store.receive = good end
    end

    it("fails, has Avito come again, and serves on", function()
      local mend = failing(function() return nil, problem.make("full", "the disk is full", "shop.db") end)
      serving({}, function()
        local response = post(message "m1")
        assert.equal(503, response.status)
        assert.equal("try again\n", response.body)
        assert.is_truthy(response.head:find("Retry-After: 1\r\n", 1, true))
        assert.equal(0, h.bot.told)
        mend()
        assert.equal(200, status_of(message "m1"))
      end)
      assert.same({ { kind = "webhook", outcome = "unavailable", count = 1 }, { kind = "store", what = "receive",
        code = "full", message = "journal shop.db: the disk is full (full): free some space; nothing was written" },
        { kind = "webhook", outcome = "message", count = 1 } }, h.notes)
    end)

    it("raises, does the same", function()
      local mend = failing(function() error("it broke", 0) end)
      serving({}, function()
        assert.equal(503, status_of(message "m1"))
        mend()
        assert.equal(200, status_of(message "m1"))
      end)
      assert.equal("error", h.notes[2].code)
      assert.is_truthy(h.notes[2].message:find("^it broke"))
    end)

    it("takes too long, answers in time all the same", function()
      local held, let_go = hold()
      serving({}, function()
        local tasks = {}
        local function timed(body)
          local from = h.driver:now()
          local response = post(body)
          assert.is_true(h.driver:now() - from < 2) -- what Avito waits for
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
        repeat -- together, or one after the other
          until_(function() return #held > 1 or pending() == 0 end)
          if #held > 1 then
            table.remove(held)
            let_go()
          end
        until pending() == 0
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
      h.bot.health = function() return well, word end
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
        local public = h.server.url
        h.server.url = h.server.metrics_url:match "^http://127%.0%.0%.1:%d+/"
        assert.not_equal(public, h.server.url)
        assert.equal(200, send({ path = "/metrics" }).status)
        assert.equal(200, send({ path = "/healthz" }).status)
        assert.equal(404, status_of "{}")
      end)
      serving({ metrics = false }, function() assert.equal(404, send({ path = "/metrics" }).status) end)
    end)

    it("of a page that breaks, and serves on", function()
      h.bot.metrics.text = function() error "broken" end
      serving({ metrics = true }, function()
        local response = send { path = "/metrics" }
        assert.same({ 500, "internal error\n" }, { response.status, response.body })
        assert.equal(200, status_of(message "m1"))
      end)
      local note = table.remove(h.notes, 1)
      assert.equal("error", note.kind)
      assert.is_truthy(note.message:find("listen: .*broken"))
    end)

    it("of a turn that breaks, and serves on", function()
      local tell = h.bot.tell
      h.bot.tell = function()
        h.bot.tell = tell
        error "broken"
      end
      serving({}, function()
        assert.equal(200, status_of "{}")
        until_(function() return #h.notes == 1 end)
        assert.equal(200, status_of(message "m1"))
      end)
      local note = table.remove(h.notes, 1)
      assert.equal("error", note.kind)
      assert.is_truthy(note.message:find("listen: .*broken"))
    end)

    it("nothing of what ends the program, which ends it too", function()
      h.bot.metrics.text = function() error("interrupted!", 0) end
      serving({ metrics = true }, function()
        assert.equal("network", send({ path = "/metrics" }).error)
        assert.equal("network", post(message "m1").error)
      end)
      assert.same({}, h.notes)
      assert.equal(1, #h.reported)
      h.reported = {}
    end)

    it("its address, without the secret", function()
      serving({ path = "/hooks" }, function()
        assert.equal(("http://127.0.0.1:%d/"):format(h.server.port), h.server.url)
        assert.equal(200, post(message "m1", "/hooks/" .. SECRET).status)
        assert.equal(404, post(message "m1").status)
        assert.equal(("avito.bot.Server (%s)"):format(h.server.url), tostring(h.server))
      end)
      assert.equal(("avito.bot.Server (%s, closed)"):format(h.server.url), tostring(h.server))
    end)
  end)

  it("says why it cannot listen", function()
    serving({}, function()
      local other, why = listen.new(h.bot, { port = h.server.port, path_secret = SECRET })
      assert.is_nil(other)
      assert.is_truthy(why:find("EADDRINUSE: cannot listen on 127.0.0.1 port " .. h.server.port, 1, true))
      other, why = listen.new(h.bot, { port = 0, path_secret = SECRET, metrics = { port = h.server.port } })
      assert.is_nil(other)
      assert.is_truthy(why:find("EADDRINUSE", 1, true))
      local free = assert(httpd.listen {})
      local port = free:port()
      free:close()
      assert.is_nil((listen.new(h.bot, { port = port, path_secret = SECRET, metrics = { port = h.server.port } })))
      assert(httpd.listen { port = port }):close() -- nothing of it is left
      assert.is_nil((listen.new(h.bot, { host = "1.2.3.4.5", port = 0, path_secret = SECRET })))
    end)
  end)

  it("says what it needs where it was built without its library", function()
    local name = "avito_messenger.httpd"
    local loaded, preload = package.loaded[name], package.preload[name]
    package.loaded[name], package.preload[name] = nil, function() error("no httpd here", 0) end
    local why
    loop.run(function() why = select(2, listen.new(h.bot, { port = 0, path_secret = SECRET })) end)
    package.loaded[name], package.preload[name] = loaded, preload
    assert.is_truthy(why:find("libmicrohttpd-dev", 1, true))
    assert.is_truthy(why:find("no httpd here", 1, true))
  end)

  describe("raises for", function()
    local function saying(given, text)
      local all = { path_secret = SECRET }
      for name, value in pairs(given) do all[name] = value end
      local message_ = blame(function() listen.new(h.bot, all) end)
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
