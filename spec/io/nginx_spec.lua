local driver_module = require "avito_messenger.io.nginx"
local inside_nginx = require "support.inside_nginx"
local nginx = require "support.nginx"
local raw_server = require "support.raw_server"
local sandbox = require "support.sandbox"
local socket = require "socket"

describe("the driver of nginx", function()
  it("is loaded anywhere, and made inside nginx alone", function()
    assert.error_matches(driver_module.new, "io.nginx.new: only inside nginx")
  end)
end)

if not nginx.wanted() then return end

-- What becomes of the driver's functions in the phase in which it runs, by the phase's name.
local NOTE = [[
  local phases = package.loaded.phases or {}
  package.loaded.phases = phases
  local driver = package.loaded.the_driver or require "avito_messenger.io.nginx".new()
  package.loaded.the_driver = driver
  local function attempt(fn, ...)
    local ok, value = pcall(fn, driver, ...)
    return ok and "yes" or value
  end
  phases[ngx.get_phase()] = phases[ngx.get_phase()] or { in_task = driver:in_task(), sleep = attempt(driver.sleep, 0.001),
    park = attempt(driver.park, 0.001, driver), unpark = attempt(driver.unpark, driver),
    end_calls = attempt(driver.end_calls, driver), spawn = attempt(driver.spawn, function() return 1 end),
    wait = attempt(function()
      local task = driver:spawn(function() end)
      local ok, problem = pcall(task.wait, task)
      if not ok then error(problem, 0) end
    end),
    perform = attempt(driver.perform, { method = "GET", url = "http://127.0.0.1:1/", timeout = 1 }) }
]]

describe("the driver of nginx", function()
  local server, inside

  setup(function()
    server = raw_server.start()
    inside = inside_nginx.start { raw = server, init_worker = NOTE, expected = { "nobody waited for it" },
      http = ([[init_by_lua_block {
        package.preload["avito_messenger.curl"] = function() error "there is no libcurl here" end
        package.loaded.in_master = select(2, pcall(require "avito_messenger.io.nginx".new))
      }]]),
      server = ([[location = /phases {
        rewrite_by_lua_block { NOTE }
        access_by_lua_block { NOTE }
        content_by_lua_block { NOTE ngx.say "x" }
        header_filter_by_lua_block { NOTE }
        body_filter_by_lua_block { NOTE }
        log_by_lua_block { NOTE }
      }
      location = /aborted {
        lua_check_client_abort on;
        content_by_lua_block {
          package.loaded.aborting = true
          package.loaded.the_driver:park(60, "aborted")
          package.loaded.aborting = "over"
        }
      }
      location = /unpark {
        content_by_lua_block { ngx.say "x" }
        log_by_lua_block { package.loaded.the_driver:unpark "logged" }
      }]]):gsub("NOTE", function() return NOTE end) }
  end)
  teardown(function()
    inside:stop()
    server:stop()
  end)
  before_each(function() server:requests() end)

  local function run(code, ...) return inside:run(code, ...) end

  it("is not made before there are workers", function()
    assert.matches("^io.nginx.new: this is nginx's master.*init_worker_by_lua", run "return package.loaded.in_master")
  end)

  it("waits where nginx lets it, and says elsewhere what to do", function()
    assert.equal(200, inside.server:get("/phases").status)
    local phases = run("ngx.timer.at(0, function() " .. NOTE .. [[ end)
      repeat ngx.sleep(0.001) until package.loaded.phases.timer and package.loaded.phases.log
      return package.loaded.phases
    ]])
    for _, phase in ipairs { "rewrite", "access", "content", "timer" } do
      assert.same({ in_task = true, sleep = "yes", park = "yes", perform = "yes", wait = "yes", unpark = "yes",
        end_calls = "yes", spawn = "yes" }, phases[phase], phase)
    end
    for _, phase in ipairs { "init_worker", "header_filter", "body_filter", "log" } do
      local function refusal(what)
        return ("%s cannot wait in the phase %s of nginx: let a timer do it, ngx.timer.at(0, function() … end)"):format(what, phase)
      end
      assert.same({ in_task = false, sleep = refusal "sleep", park = refusal "park", perform = refusal "a call of a client",
        wait = refusal "task:wait()", unpark = "yes", end_calls = "yes", spawn = "yes" }, phases[phase], phase)
    end
  end)

  it("checks its options", function()
    local function refused(message, given)
      assert.error_matches(function() run("return nginx.new(...)", given) end, message)
    end
    refused("lua_ssl_trusted_certificate names the file, and lua_ssl_verify_depth", { ca_file = "x" })
    refused("proxy: there is none inside nginx", { proxy = "x" })
    refused("unknown option", { pool = 1 })
    refused("pool_size must be an integer from 1 to 10000", { pool_size = 0 })
    refused("max_timers must be an integer from 1 to 1000000", { max_timers = 1.5 })
    refused("idle must be more than 0 and at most 3600 seconds", { idle = 0 })
    assert.error_matches(function() run [[avito.client { io = nginx, access_token = "dummy", ca_file = "x" }]] end,
      "lua_ssl_trusted_certificate")
    assert.equal("avito_messenger.io.nginx (open)", run [[return tostring(nginx.new { pool_size = 1, idle = 1, max_timers = 1 })]])
  end)

  it("takes no request when it is closed", function()
    assert.error_matches(function()
      run [[
        local one = nginx.new()
        one:close()
        one:close()
        one:perform(request "/ok")
      ]]
    end, "this driver is closed")
  end)

  it("keeps as many connections as it was told, for as long", function()
    run [[
      local one = nginx.new { pool_size = 1 }
      local function ask() return one:perform(request "/ok") end
      local a, b = ngx.thread.spawn(ask), ngx.thread.spawn(ask)
      ngx.thread.wait(a)
      ngx.thread.wait(b)
      ask()
      ask()
    ]]
    local seen = server:requests()
    assert.equal(seen[3], seen[4])
    assert.equal(2, select(2, (seen[1] .. seen[2]):gsub("%d+ GET", "")))
  end)

  it("runs a client, a store and a bot without libcurl", function()
    local running = sandbox.start()
    local id = run([[
      local client = avito.client { io = nginx, base_url = ..., client_id = "dummy-client-id",
        client_secret = "dummy-client-secret" }
      package.loaded.the_client = client
      return client:get_chats({ chat_types = { "u2u" } })[1].id
    ]], running.base_url)
    running:control("POST", "say", { chat_id = id, text = "Торг?" })
    assert.is_false(run([[
      local path = os.tmpname()
      local bot = avito.bot { client = package.loaded.the_client, store = path,
        rulebook = { burst = 0, { "торг", hears = "торг", say = "Нет." } } }
      bot:poll { backlog = true, rounds = 1 }
      bot:close()
      for _, name in ipairs { path, path .. "-wal", path .. "-shm" } do os.remove(name) end
      return (pcall(require, "avito_messenger.curl"))
    ]]))
    local sends = running:control("GET", "sends").sends
    running:stop()
    assert.same({ 1, id, "Нет." }, { #sends, sends[1].chat_id, sends[1].text })
  end)

  describe("sleeps", function()
    it("no shorter than it was told, though nginx has been busy", function()
      assert.is_true(run [[
        local ends = driver.now() + 0.05
        while driver.now() < ends do end
        local began = driver.now()
        assert(driver:sleep(0.03))
        return driver.now() - began >= 0.03
      ]])
    end)

    it("for a moment, in which others have their turn", function()
      assert.equal("other", run [[
        local said
        ngx.thread.spawn(function()
          ngx.sleep(0)
          said = "other"
        end)
        for _ = 1, 100 do
          if said then break end
          assert(driver:sleep(0))
        end
        return said
      ]])
    end)
  end)

  describe("parks calls", function()
    it("until they are told to look, all of that owner and no others", function()
      assert.same({ "a", "a", "still" }, run [[
        local over = {}
        for _, owner in ipairs { "a", "b", "a" } do
          ngx.thread.spawn(function()
            repeat until driver:park(60, owner) and over[0] ~= nil or owner == "a"
            over[#over + 1] = owner
          end)
        end
        driver:unpark "a"
        while #over < 2 do ngx.sleep(0.001) end
        local seen = { over[1], over[2], over[3] or "still" }
        over[0] = true
        driver:unpark "b"
        while #over < 3 do ngx.sleep(0.001) end
        return seen
      ]])
    end)

    it("that park again for the next time", function()
      assert.equal(2, run [[
        local looked = 0
        local thread = ngx.thread.spawn(function()
          for _ = 1, 2 do
            assert(driver:park(60, "again"))
            looked = looked + 1
          end
        end)
        driver:unpark "again"
        while looked < 1 do ngx.sleep(0.001) end
        driver:unpark "again"
        ngx.thread.wait(thread)
        return looked
      ]])
    end)

    it("no longer than they have, or until they look by themselves", function()
      assert.is_true(run [[return driver:park(0.001, "alone")]])
      assert.is_true(run [[return driver:park(0, "alone")]])
      assert.is_true(run [[
        local task = require "avito_messenger.io.nginx.task"
        task.LOOK = 0.01
        local looked = driver:park(3600, "alone")
        task.LOOK = 1
        return looked
      ]])
    end)

    it("and is told in any phase that they may look", function()
      assert.is_true(run([[
        local sock = ngx.socket.tcp()
        assert(sock:connect("127.0.0.1", ...))
        assert(sock:send "GET /unpark HTTP/1.0\r\n\r\n")
        local looked = package.loaded.the_driver:park(60, "logged")
        sock:close()
        return looked
      ]], inside.server.port))
    end)

    it("and forgets those whose request was ended", function()
      local client = assert(socket.connect("127.0.0.1", inside.server.port))
      client:send "GET /aborted HTTP/1.0\r\n\r\n"
      run [[while not package.loaded.aborting do ngx.sleep(0.001) end]]
      client:close()
      assert.same({ 0, true }, run [[
        local the_driver = package.loaded.the_driver
        local left
        for _ = 1, 1000 do
          collectgarbage()
          left = 0
          for waiter in pairs(the_driver.waiting) do left = left + (waiter.owner == "aborted" and 1 or 0) end
          if left == 0 then break end
          ngx.sleep(0.01)
        end
        the_driver:unpark "aborted"
        return { left, package.loaded.aborting }
      ]])
    end)
  end)

  describe("when a client is closed", function()
    it("ends its sleeps and parks, and no others", function()
      assert.same({ "cancelled: the client was closed", "cancelled: the client was closed", "slept" }, run [[
        local said = {}
        local function begin(i, fn, ...)
          return ngx.thread.spawn(function(...)
            local done, err = fn(driver, ...)
            said[i] = done and "slept" or err.kind .. ": " .. err.message
          end, ...)
        end
        local threads = { begin(1, driver.sleep, 60, "mine"), begin(2, driver.park, 60, "mine"),
          begin(3, driver.sleep, 0.05, "theirs") }
        driver:end_calls "mine"
        for _, thread in ipairs(threads) do ngx.thread.wait(thread) end
        assert(not next(driver.waiting))
        return said
      ]])
    end)

    it("ends its calls", function()
      assert.same({ "cancelled", "cancelled", "the client was closed" }, run([[
        local client = avito.client { io = nginx, base_url = ..., access_token = "dummy", user_id = 7,
          pace = { rate = 0.01, burst = 1 }, timeout = 1000 }
        assert(client:request("GET", "/text"))
        local err
        local thread = ngx.thread.spawn(function() err = select(2, client:request("GET", "/text")) end)
        client:close()
        ngx.thread.wait(thread)
        return { err.kind, select(2, client:request("GET", "/text")).kind, err.message }
      ]], server.url))
    end)
  end)
end)
