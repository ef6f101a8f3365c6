-- A bot inside nginx, and what nobody wishes for: requests that no marketplace sends, clients that never end, an API that is slow
-- or not there, an nginx that has no room left.
local nginx = require "support.nginx"
if not nginx.wanted() then return end
local clock = require "avito_messenger.clock"
local json = require "avito_messenger.json"
local places = require "nginx.support.place"
local ports = require "support.ports"
local Random = require "avito_messenger.sandbox.random"
local sandbox = require "support.sandbox"
local socket = require "socket"

local AVITO_WAITS = 2 -- seconds

describe("a bot inside nginx", function()
  local own, place = places.own(), nil

  before_each(own.begin)
  after_each(own.finish)

  local function open(given)
    given.poll = given.poll or false
    place = own.open(given)
    return place
  end

  local count = 0

  -- A webhook that was never sent before, of a buyer who has written it.
  local function ask(chat, more)
    count = count + 1
    local said = place:say(("Вопрос %d"):format(count), chat)
    local fields = { id = said.message_id, chat_id = said.chat_id, created = said.created, text = ("Вопрос %d"):format(count),
      author_id = 200000000 + (chat or 1) }
    for name, value in pairs(more or {}) do fields[name] = value end
    return place:message(fields)
  end

  local function hook(body, fields)
    local all = { timeout = AVITO_WAITS }
    for name, value in pairs(fields or {}) do all[name] = value end
    return place:hook(body, all)
  end

  local function answered(wanted)
    place:until_true("the answers", function() return #place:sent() >= wanted end)
    return #place:sent()
  end

  -- What is answered to these bytes, whatever they are.
  local function raw(bytes)
    local connection = assert(socket.tcp())
    connection:settimeout(5)
    assert(connection:connect("127.0.0.1", place.server.port))
    connection:send(bytes)
    connection:shutdown "send"
    local text, _, partial = connection:receive "*a"
    connection:close()
    return text or partial -- nginx may have cut it off after its answer
  end

  describe("is asked what no marketplace asks", function()
    local function refuses(status, path_of_it)
      local response = place.server:request { method = "POST", path = path_of_it, body = "{}" }
      assert.equal(status, response.status, path_of_it)
      assert.is_nil((response.head .. response.body):find(place.secret, 1, true))
    end

    it("at other addresses, and by other methods", function()
      open {}
      local secret = place.secret
      for _, wrong in ipairs { "", secret:sub(1, -2), secret .. "x", secret:upper(), secret .. "/", secret .. "/..",
        "x/../" .. secret, "%64" .. secret:sub(2), "./" .. secret, "/" .. secret } do
        refuses(404, "/avito/" .. wrong)
      end
      for _, method in ipairs { "GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH" } do
        local request = method .. " /avito/%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        assert.matches("^HTTP/1.1 405 .*\nAllow: POST\r\n", raw(request:format(secret)))
        assert.matches("^HTTP/1.1 404 ", raw(request:format "dummy-wrong-secret"))
      end
      refuses(200, ("/avito/%s?x=1"):format(secret))
      place:stop()
    end)

    it("in bodies that are none", function()
      open {}
      place:until_well()
      local good = ask()
      for _, body in ipairs { "{", "nul", "[]", "\0", '{"payload":1}', ("["):rep(60000), ("9"):rep(60000), good .. "x",
        good:sub(1, -2), "\239\187\191" .. good, '{"payload":{"type":"message","value":{"id":"x"}}}' } do
        assert.equal(400, hook(body).status, body:sub(1, 60))
      end
      assert.equal(200, hook(good).status)
      assert.equal(1, answered(1))
      place:stop()
    end)

    it("in bodies with errors at any place", function()
      open { plan = { user_id = 94235311 } }
      place:until_well()
      local random, good = Random.new(os.time()), ask()
      local statuses = { [200] = 0, [400] = 0 }
      for i = 1, 300 do
        local at = random:pick(#good)
        local broken = good:sub(1, at - 1)
        if i % 2 == 0 then broken = broken .. string.char(random:pick(256) - 1) .. good:sub(at + 1) end
        local status = hook(broken).status
        assert.is_number(statuses[status], ("%s for %s"):format(status, broken))
        statuses[status] = statuses[status] + 1
      end
      assert.is_true(statuses[400] >= 150)
      assert.equal(200, hook(good).status)
      place:until_true("the answer", function() return #place:sent() >= 1 end)
      place:stop()
    end)

    it("in bodies that nginx has to put into a file", function()
      open { http = "client_body_buffer_size 1k;" }
      place:until_well()
      local pad = { content = { text = "Вопрос 1001", pad = ("п"):rep(20000) } }
      assert.equal(200, hook(ask(1, pad)).status)
      assert.equal(200, hook(ask(2)).status)
      assert.equal(2, answered(2))
      place:stop()
    end)

    it("in bodies that are too large, with and without a length", function()
      open { http = "client_max_body_size 1m; client_body_buffer_size 1k;" }
      place:until_well()
      local large = ("x"):rep(70000)
      assert.equal(413, hook(large).status)
      local head = ("POST /avito/%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"):format(place.secret)
      local chunks = ("%sTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n"):format(head, #large, large)
      assert.matches("^HTTP/1.1 413 ", raw(chunks))
      assert.matches("^HTTP/1.1 413 ", raw(("%sContent-Length: 900000\r\n\r\n"):format(head))) -- before it is read
      assert.matches("^HTTP/1.1 413 ", raw(("%sContent-Length: 9000000\r\n\r\n"):format(head))) -- by nginx
      assert.equal(200, hook(ask()).status)
      assert.equal(1, answered(1))
      place.server.expected = { "client intended to send too large body" }
      place:stop()
    end)
  end)

  it("takes webhooks and tells its health while the API takes its time", function()
    open { workers = 2, plan = { timeout = 30 } }
    place:until_well()
    place.market:control("POST", "faults", { kind = "latency", seconds = 2, probability = 1 })
    for chat = 1, 20 do
      assert.equal(200, hook(ask(chat)).status)
      assert.equal(200, place.server:request({ path = "/health", timeout = AVITO_WAITS }).status)
    end
    assert.equal(0, #place:sent())
    place.market:control("DELETE", "faults")
    assert.equal(20, answered(20))
    place:stop()
  end)

  -- Where it comes to the messages of this one: the same whenever it is started.
  local function start_market(port)
    place.market = sandbox.start({ "--world", place.world, "--seed", "1", "--rate-limit", "off" }, port)
  end

  it("takes webhooks while nobody answers at the API's address, and answers them when somebody does", function()
    local port = ports.free(own.path)
    open { workers = 2, http = "lua_socket_log_errors off;", plan = { base_url = ("http://127.0.0.1:%d"):format(port) } }
    local market = place.market
    count = 0
    local bodies = { ask(1), ask(2), ask(3) }
    market:stop()
    for _, body in ipairs(bodies) do assert.equal(200, hook(body).status) end
    start_market(port)
    count = 0
    assert.equal(json.decode(bodies[1]).payload.value.id, json.decode(ask(1)).payload.value.id)
    ask(2)
    ask(3)
    assert.equal(3, answered(3))
    place:until_well()
    place:stop()
  end)

  local function dribble(clients)
    local child = sandbox.spawn({ "-e", ("require('spec_support.dribble').run(%d, %d)"):format(place.server.port, clients) })
    return child
  end

  it("answers beside a thousand clients that never finish a request", function()
    open { connections = 4096, main = "worker_rlimit_nofile 8192;", http = "client_header_timeout 1s;" }
    place:until_well()
    local child, asked = dribble(1000), 0
    local line, why
    assert.equal("up", child:read_line(20))
    repeat
      assert.equal(200, hook(ask(asked % 20 + 1)).status)
      asked = asked + 1
      line, why = child:read_line(0.02)
    until line or why ~= "timeout" or asked == 2000
    child:close()
    assert.equal("cut", line)
    assert.equal(asked, answered(asked))
    place:stop()
  end)

  it("answers where nginx has hardly any timers", function()
    open { http = "lua_max_running_timers 3;", plan = { user_id = 94235311 } }
    place.server.expected = { "lua_max_running_timers", "a task needs a timer", "timer of a task" }
    for chat = 1, 10 do hook(ask(chat)) end
    assert.equal(10, answered(10))
    place:stop()
  end)

  it("goes on where nginx has had no connections left, not even for timers", function()
    open { connections = 64, http = "client_header_timeout 30s;", main = "worker_rlimit_nofile 4096;" }
    place:until_well()
    local bodies, before = {}, socket.tcp()
    for chat = 1, 5 do bodies[chat] = ask(chat) end
    -- One that is there before: nginx has no timer for what it brings.
    before:settimeout(5)
    assert(before:connect("127.0.0.1", place.server.port))
    before:send(("POST /avito/%s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n{"):format(place.secret, #bodies[1]))
    local child = dribble(200)
    place:until_true("the end of connections", function()
      return place.server:log():find("worker_connections are not enough", 1, true)
    end)
    before:send(bodies[1]:sub(2))
    local status = before:receive "*l"
    assert.is_truthy(status:find "^HTTP/1.1 200 " or status:find "^HTTP/1.1 503 ", status)
    child:close()
    before:close()
    local ends = clock.now() + 20
    for _, body in ipairs(bodies) do
      while hook(body).status ~= 200 do -- as the marketplace would
        assert.is_true(clock.now() < ends, place.server:report())
        clock.sleep(0.1)
      end
    end
    assert.equal(5, answered(5))
    place.server.expected = { "worker_connections are not enough", "failed to run timer", "a task needs a timer",
      "timer of a task" }
    place:stop()
  end)
end)
