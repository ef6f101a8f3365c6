local avito = require "avito_messenger"
local httpd = require "avito_messenger.httpd"
local json = require "avito_messenger.json"
local loop = require "avito_messenger.io.loop"
local new_sandbox = require "avito_messenger.sandbox"
local Event = require "avito_messenger.io.loop.event"
local scheduler = require "avito_messenger.io.loop.scheduler"
local support = require "support.sandbox"

describe("a sandbox in the loop of its client", function()
  local nothing = scheduler.counts()
  local reported
  local box

  before_each(function()
    reported = {}
    loop.on_error(function(err) reported[#reported + 1] = tostring(err) end)
    box = new_sandbox()
  end)
  after_each(function()
    loop.on_error(nil)
    loop.close()
    assert.same(nothing, scheduler.counts())
    assert.same({}, reported)
  end)

  local function make(server, options)
    local given = { io = loop, base_url = server.url, pace = false, user_id = support.user_id,
      client_id = support.client_id, client_secret = support.client_secret }
    for name, value in pairs(options or {}) do given[name] = value end
    return avito.client(given)
  end

  local function serving(fn)
    return loop.run(function()
      local server = assert(box:listen { port = 0 })
      return fn(make(server), server)
    end)
  end

  it("serves many calls at once, each at its own pace", function()
    serving(function(client)
      assert(client:get_self())
      box:fault { operation = "get_self", kind = "latency", seconds = 0.02 }
      local slow = loop.spawn(client.get_self, client)
      while #box:log { operation = "get_self" } < 2 do loop.sleep(0) end
      local results, problems = loop.map(assert(client:get_chats()), function(chat) return client:get_messages(chat.id) end)
      assert.is_nil(problems)
      assert.is_true(results.n > 2)
      assert.equal(support.user_id, slow:wait().id)
    end)
  end)

  it("delivers webhooks to a receiver in the same loop", function()
    local texts = {}
    serving(function(client)
      local listener = assert(httpd.listen {})
      local event, got = Event.new(), Event.new()
      local receiver = loop.background(function()
        event:watch(listener:fd())
        while true do
          event:wait(listener:timeout() or 60)
          for _, request in ipairs(listener:accept()) do
            local hook = json.decode(request.body)
            request:respond(200, {}, "{}")
            local content = type(hook) == "table" and hook.payload and hook.payload.value.content
            if content then
              texts[#texts + 1] = content.text
              got:set()
            end
          end
        end
      end)
      assert(client:subscribe_webhook(("http://127.0.0.1:%d/hook"):format(listener:port())))
      local chat = assert(client:get_chats { chat_types = { "u2i" } })[1]
      for _, text in ipairs { "один", "два" } do
        box:say { chat_id = chat.id, text = text }
        assert(client:get_self()) -- the sandbox looks for deliveries after a request
        assert.is_true(got:wait(10))
      end
      receiver:cancel()
      event:unwatch(listener:fd())
      listener:close()
    end)
    assert.same({ "один", "два" }, texts)
  end)

  for kind, expected in pairs { hang = "timeout", cut = "network", close = "network" } do
    it("shows the fault " .. kind, function()
      serving(function(client)
        assert(client:get_self())
        box:fault { operation = "get_self", kind = kind }
        local _, err = client:get_self { timeout = kind == "hang" and 0.05 or 10, retries = 0 }
        assert.equal(expected, err.kind)
        assert.is_true(err.dispatched)
        assert(client:get_self())
      end)
    end)
  end

  it("shows the fault drip, which takes its time", function()
    serving(function(client)
      assert(client:get_self())
      box:fault { operation = "get_self", kind = "drip", seconds = 0.0001 }
      assert.equal(support.user_id, assert(client:get_self()).id)
    end)
  end)

  it("is closed: calls under way and later ones fail, and late answers go nowhere", function()
    serving(function(client, server)
      assert(client:get_self())
      box:fault { operation = "get_self", kind = "hang" }
      box:fault { operation = "get_chat", kind = "latency", seconds = 0.01 }
      local hanging = loop.spawn(client.get_self, client, { retries = 0 })
      local late = loop.spawn(client.get_chat, client, "u2i-no-such-chat", { retries = 0 })
      while #box:log { operation = "get_self" } < 2 or #box:log { operation = "get_chat" } < 1 do loop.sleep(0) end
      assert.matches("^avito.sandbox.Server %(http://127.0.0.1:%d+%)$", tostring(server))
      server:close()
      server:close()
      assert(box:listen { port = server.port }):close() -- the port is free at once
      server:wait()
      assert.matches("closed", tostring(server))
      for _, task in ipairs { hanging, late } do assert.equal("network", select(2, task:wait()).kind) end
      local _, err = client:get_self { retries = 0 }
      assert.same({ "network", false }, { err.kind, err.dispatched })
      loop.sleep(0.02) -- the late answer's time
    end)
  end)

  it("is closed without a word", function() -- nothing is reported
    serving(function(client, server)
      assert(client:get_self())
      server:close()
      loop.sleep(0)
    end)
  end)

  it("takes no port where no loop runs", function()
    local other = avito.sandbox()
    local port
    loop.run(function()
      local server = assert(other:listen { port = 0 })
      port = server.port
      server:close()
    end)
    assert.error_matches(function() other:listen { port = port } end, "inside loop.run")
    loop.run(function() assert(other:listen { port = port }):close() end)
  end)

  it("says why it cannot listen", function()
    serving(function(_, server)
      local second, problem = box:listen { port = server.port }
      assert.is_nil(second)
      assert.is_string(problem)
      second, problem = box:listen { host = "192.0.2.1" }
      assert.is_nil(second)
      assert.matches("loopback only", problem)
    end)
  end)

  it("must be made to listen inside of the loop", function()
    assert.error_matches(function() box:listen { port = 0 } end, "sandbox:listen must be called inside loop.run")
  end)

  describe("is served until it is told to stop", function()
    it("in a loop of its own", function()
      local asked = 0
      assert.is_true(box:serve { port = 0, stop = function()
        asked = asked + 1
        return asked > 1
      end })
      assert.equal(2, asked)
    end)

    it("in the loop that runs", function()
      local stop, url
      loop.run(function()
        local serving_task = loop.spawn(function()
          return box:serve { port = 0, stop = function() return stop end, on_ready = function(server) url = server.url end }
        end)
        loop.sleep(0)
        assert.equal(support.user_id, assert(make({ url = url }):get_self()).id)
        stop = true
        assert.is_true(serving_task:wait())
      end)
    end)

    it("or raises what made it stop", function()
      local ok, err = pcall(box.serve, box, { port = 0, stop = function() error "stop is broken" end })
      assert.is_false(ok)
      assert.matches("stop is broken", tostring(err))
    end)
  end)
end)
