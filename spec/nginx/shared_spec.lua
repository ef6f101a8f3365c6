local clock = require "avito_messenger.clock"
local files = require "support.files"
local json = require "avito_messenger.json"
local nginx = require "support.nginx"
local ports = require "support.ports"
local shared = require "avito_messenger.nginx.shared"

describe("what workers share", function()
  it("is there only inside nginx", function()
    assert.has_error(function() shared.new "avito" end, "avito_messenger.nginx.shared: only inside nginx")
  end)
end)

if not nginx.wanted() then return end

-- Runs the Lua code of a request and answers what it returns, as JSON.
local LOCATIONS = [==[
listen 127.0.0.1:%d reuseport;
location = /run {
  client_body_buffer_size 64k;
  content_by_lua_block {
    local json = require "avito_messenger.json"
    ngx.req.read_body()
    local wanted = ngx.var.arg_pid
    if wanted and tonumber(wanted) ~= ngx.worker.pid() then return ngx.exit(503) end
    -- before(name, fn): what another worker does just before this one calls that function of the dict
    local code = [[
      local shared, dict = require('avito_messenger.nginx.shared').new 'avito', ngx.shared.avito
      local function before(name, fn)
        shared.dict = setmetatable({}, { __index = function(_, called)
          return function(_, ...)
            if called == name then fn(...) end
            return dict[called](dict, ...)
          end
        end })
      end ]]
    local ok, value, message = pcall(assert(loadstring(code .. ngx.req.get_body_data())))
    ngx.print(json.encode { ok = ok, value = value, message = message })
  }
}]==]

describe("the workers of an nginx share", function()
  local server, spread

  setup(function()
    local directory = files.temporary()
    spread = ports.free(directory)
    server = nginx.start { workers = 2, server = LOCATIONS:format(spread), http = "lua_shared_dict tiny 16k;",
      expected = { "index.html", "exited on signal 9", "no memory in lua_shared_dict zone",
        "the tokens are not shared by memory" } }
  end)

  teardown(function() server:stop() end)

  -- What the code returns in a worker, in that of this id where one is named; raises what it raises.
  local function run(code, pid)
    local ends = clock.now() + 20
    while true do
      local answer = server:request { method = "POST", url = ("http://127.0.0.1:%d/run%s"):format(spread,
        pid and "?pid=" .. pid or ""), body = code }
      if answer.status == 200 then
        local result = assert(json.decode(answer.body))
        if not result.ok then error(result.value, 0) end
        return result.value, result.message
      end
      if clock.now() > ends then error("no worker ran it: " .. tostring(answer.message or answer.status)) end
    end
  end

  local function await(what, condition)
    local ends = clock.now() + 20
    while not condition() do
      assert(clock.now() < ends, what)
      clock.sleep(0.005)
    end
  end

  local one, other

  before_each(function()
    one, other = (table.unpack or unpack)(server:workers()) -- luacheck: ignore 143
    run "dict:flush_all() dict:flush_expired()"
  end)

  describe("a lease", function()
    local HOLD = "return shared:lease('poll', 60):hold()"

    it("that one has at a time", function()
      assert.is_true(run(HOLD, one))
      assert.is_false(run(HOLD, other))
      assert.is_true(run(HOLD, one))
      assert.is_true(run("return shared:lease('other', 60):hold()", other))
    end)

    it("that is given back", function()
      run(HOLD, one)
      run("shared:lease('poll', 60):release()", other) -- not that one's
      assert.is_false(run(HOLD, other))
      run("shared:lease('poll', 60):release()", one)
      assert.is_true(run(HOLD, other))
    end)

    it("that is renewed by who has it", function()
      run("return shared:lease('poll', 1):hold()", one)
      run(HOLD, one)
      assert.is_true(run "return dict:ttl('lease\\0poll')" > 50)
      run("return shared:lease('poll', 3600):hold()", other)
      assert.is_true(run "return dict:ttl('lease\\0poll')" <= 60)
    end)

    it("that ends", function()
      run("return shared:lease('poll', 0.05):hold()", one)
      await("the end of the lease", function() return run(HOLD, other) end)
      assert.is_false(run("return shared:lease('poll', 0.05):hold()", one))
    end)

    it("that is free at once when its worker is killed", function()
      assert.is_true(run(HOLD, one))
      server:kill(one)
      assert.is_true(run(HOLD, other))
    end)

    it("that one of them takes over", function()
      run "dict:set('lease\\0poll', '1:1')" -- no process that was started then
      local first = run(HOLD, one)
      assert.is_true(first ~= run(HOLD, other))
      run "dict:set('lease\\0poll', '1:2') dict:set('lease\\0poll\\0001:2', 'another is about to')"
      assert.is_false(run(HOLD, one))
      assert.equal("1:2", run "return dict:get('lease\\0poll')")
    end)

    it("that ends and is taken while it is renewed or taken over", function()
      assert.is_false(run [[
        shared:lease('poll', 60):hold()
        before('expire', function(key) dict:set(key, 'of another') end)
        return shared:lease('poll', 60):hold()]])
      assert.equal("of another", run [[
        dict:set('lease\0poll', '1:1')
        before('safe_add', function(key) if key ~= 'lease\0poll' then dict:set('lease\0poll', 'of another') end end)
        shared:lease('poll', 60):hold()
        return dict:get 'lease\0poll']])
    end)

    it("that is free when a reload has ended its worker", function()
      assert.is_true(run(HOLD, one))
      server:reload()
      await("the lease of a worker that ends", function() return run(HOLD) end)
    end)
  end)

  describe("tokens", function()
    local SAVE = "return shared:tokens('shop').save { access_token = 'dummy-1', expires_at = 5 }"

    it("that one has saved", function()
      assert.is_nil(run "return shared:tokens('shop').load()")
      assert.is_true(run(SAVE, one))
      assert.same({ access_token = "dummy-1", expires_at = 5 }, run("return shared:tokens('shop').load()", other))
      assert.is_nil(run "return shared:tokens('another').load()")
    end)

    it("that outlive nginx in another store", function()
      local path = server.directory .. "/tokens"
      local code = ("local behind = require('avito_messenger.token_store').file(%q) "):format(path)
      assert.is_true(run(code .. SAVE:gsub("'shop'", "'shop', behind"), one))
      assert.truthy(files.read(path):find("dummy-1", 1, true))
      run "dict:flush_all()"
      assert.equal("dummy-1", run(code .. "return shared:tokens('shop', behind).load().access_token", other))
      os.remove(path)
      assert.equal("dummy-1", run("return shared:tokens('shop').load().access_token", one)) -- read once
    end)

    it("that are shared even where the other store fails, and say so", function()
      local failing = "local behind = { load = function() return nil, 'no disk' end, save = function() return nil, 'no disk' end } "
      local value, message = run(failing .. "return shared:tokens('shop', behind).load()")
      assert.same({ "no disk" }, { value or message })
      value, message = run(failing .. SAVE:gsub("'shop'", "'shop', behind"))
      assert.same({ "no disk" }, { value or message })
      assert.equal("dummy-1", run "return shared:tokens('shop').load().access_token")
    end)

    it("that are not older than what another has saved meanwhile", function()
      local code = [[
        local behind = { save = function() end, load = function()
          shared:tokens('shop').save { access_token = 'new' }
          return { access_token = 'old' }
        end }
        shared:tokens('shop', behind).load()
        return shared:tokens('shop').load().access_token]]
      assert.equal("new", run(code))
    end)

    it("that cannot be read, and say so", function()
      run "dict:set('tokens\\0shop', 'junk')"
      local value, message = run "return shared:tokens('shop').load()"
      assert.is_nil(value)
      assert.truthy(message:find("^lua_shared_dict avito: its tokens cannot be read: "))
    end)

    local LOCK = "return shared:tokens('shop').lock() and true"

    it("that one renews at a time", function()
      assert.is_true(run(LOCK, one))
      assert.is_false(run("return shared:tokens('shop').lock()", other))
      assert.is_false(run("return shared:tokens('shop').lock()", one)) -- nor another of the worker's clients
      assert.is_true(run("return shared:tokens('another').lock() and true", other))
      assert.is_true(run "local lock = shared:tokens('free').lock() lock:unlock() return shared:tokens('free').lock() and true")
    end)

    it("that are asked for once, whoever needs them at the same time", function()
      files.write(server.directory .. "/call", [[
        local avito, clock = require 'avito_messenger', require 'avito_messenger.clock'
        local function perform(_, request)
          local body = '{"id":"c1"}'
          if request.purpose == 'token' then
            dict:incr('asked', 1, 0)
            local ends = ngx.now() + 20
            while (dict:get 'there' or 0) < 2 and ngx.now() < ends do ngx.sleep(0.001) end
            body = '{"access_token":"dummy-token","expires_in":86400}'
          end
          return { status = 200, head = 'HTTP/1.1 200 OK\r\n\r\n', body = body }
        end
        local driver = { now = clock.now, time = clock.time, sleep = function(_, seconds) ngx.sleep(seconds) end,
          close = function() end, perform = perform }
        local client = avito.client { client_id = 'dummy', client_secret = 'dummy', user_id = 7, io = driver,
          token_store = shared:tokens 'shop' }
        dict:incr('there', 1, 0)
        return client:get_chat('c1').id ]])
      local calls = {}
      for i, pid in ipairs { one, other } do
        calls[i] = ("(for _ in $(seq 1000); do curl -s -f -o %s/said%d --data-binary @%s/call 'http://127.0.0.1:%d/run?pid=%d' "
          .. "&& break; done) & "):format(server.directory, i, server.directory, spread, pid)
      end
      assert(os.execute(table.concat(calls) .. "wait"))
      for i = 1, 2 do assert.equal("c1", json.decode(files.read(server.directory .. "/said" .. i)).value) end
      assert.equal(1, run "return dict:get 'asked'")
    end)

    it("whose lock ends with its worker", function()
      run(LOCK, one)
      server:kill(one)
      assert.is_true(run(LOCK, other))
    end)

    it("whose lock does not last, and is given back by who has it", function()
      local ttl = run("shared:tokens('shop').lock() return dict:ttl('tokens\\0shop\\0lock')")
      assert.is_true(ttl > 1 and ttl <= 60)
      assert.is_false(run [[
        local late = shared:tokens('other').lock()
        dict:delete 'tokens\0other\0lock'
        local lock = shared:tokens('other').lock()
        late:unlock()
        return shared:tokens('other').lock()]])
    end)
  end)

  describe("sums", function()
    it("of what all have counted", function()
      run("for _ = 1, 100 do assert(shared:counters('a'):add('x', 1)) end", one)
      run("for _ = 1, 100 do assert(shared:counters('a'):add('x', 0.5)) end shared:counters('a'):add('ключ\\0 2', 7)", other)
      run "shared:counters('b'):add('x', 1) shared:lease('a', 60):hold()"
      assert.same({ x = 150, ["ключ\0 2"] = 7 }, run "return shared:counters('a'):get()")
      server:reload()
      assert.equal(150, run "return shared:counters('a'):get().x")
    end)

    it("that another worker may begin at the same time", function()
      local sum = run [[
        before('safe_add', function(key) dict:set(key, 10) end)
        assert(shared:counters('a'):add('x', 5))
        return dict:get 'sum\0a\0x']]
      assert.equal(15, sum)
    end)
  end)

  describe("words", function()
    it("one of each worker, as long as it is meant and there", function()
      run("shared:words('health'):set('старый', 60) shared:words('health'):set('fine', 60)", one)
      run("shared:words('health'):set('ill', 60) shared:words('other'):set('x', 60)", other)
      local all = run "return shared:words('health'):all()"
      local said = {}
      for owner, text in pairs(all) do said[tonumber(owner:match "^%d+")] = text end
      assert.same({ [one] = "fine", [other] = "ill" }, said)
      server:kill(other)
      local owner = next(run("return shared:words('health'):all()", one))
      assert.equal(one, tonumber(owner:match "^%d+"))
      run("shared:words('health'):set('fine', 0.001)", one)
      await("the end of a word", function() return next(run "return shared:words('health'):all()") == nil end)
    end)
  end)

  describe("a pace", function()
    it("that is changed by one after the other", function()
      run("shared:pace('shop').exchange(function(bytes) assert(bytes == nil) return 'a\\0b' end)", one)
      assert.equal("a\0b", run("local seen shared:pace('shop').exchange(function(bytes) seen = bytes end) return seen", other))
      assert.equal("a\0b", run "return dict:get('pace\\0shop')")
    end)

    it("that clients of all workers keep to", function()
      local CALL = [[
        local avito, clock = require 'avito_messenger', require 'avito_messenger.clock'
        local driver = { now = clock.now, time = clock.time, sleep = function() error 'it waits' end, close = function() end,
          perform = function() return { status = 200, head = 'HTTP/1.1 200 OK\r\n\r\n', body = '{"id":"c1"}' } end }
        local client = avito.client { access_token = 'dummy', user_id = 7, io = driver, pace = { rate = 0.001, burst = 5 },
          pace_store = shared:pace 'shop' }
        for made = 0, %d do
          local chat, err = client:get_chat 'c1'
          if not chat then return made, err.kind end
        end]]
      run(CALL:format(2), one)
      assert.same({ 2, "rate_limited" }, { run(CALL:format(100), other) })
      assert.same({ 0, "rate_limited" }, { run(CALL:format(100), one) })
    end)

    it("with a lock that is given back, and ends by itself", function()
      local during = run("local ttl shared:pace('shop').exchange(function() ttl = dict:ttl('pace\\0shop\\0lock') end) return ttl")
      assert.is_true(during > 0 and during < 1)
      assert.is_nil(run "return dict:get('pace\\0shop\\0lock')")
    end)

    it("without waiting for a lock that another has", function()
      run "dict:set('pace\\0shop\\0lock', true, 60)"
      run "shared:pace('shop').exchange(function() return 'x' end)"
      assert.equal("x", run "return dict:get('pace\\0shop')")
      assert.is_true(run "return dict:get('pace\\0shop\\0lock')") -- it is that one's to give back
    end)

    it("with a lock that another gives back soon", function()
      local during = run [[
        local lock, tries, ttl = 'pace\0shop\0lock', 0, nil
        dict:set(lock, true, 60)
        before('safe_add', function()
          tries = tries + 1
          if tries == 3 then dict:delete(lock) end
        end)
        shared:pace('shop').exchange(function() ttl = dict:ttl(lock) end)
        return ttl]]
      assert.is_true(during < 1)
      assert.is_nil(run "return dict:get('pace\\0shop\\0lock')")
    end)
  end)

  it("nothing that a full dict would lose", function()
    local answers = run [[
      local tiny = ngx.shared.tiny
      tiny:flush_all() tiny:flush_expired()
      local count = 0
      while tiny:safe_set('k' .. count, ('x'):rep(100)) do count = count + 1 end
      while tiny:safe_set('l' .. count, 1) do count = count + 1 end
      local full = require('avito_messenger.nginx.shared').new 'tiny'
      local list = {}
      local function note(value, message) list[#list + 1] = tostring(value) .. ' ' .. tostring(message) end
      local name = ('n'):rep(150)
      note(full:lease(name, 60):hold())
      note(full:tokens(name).save { access_token = ('x'):rep(200) })
      note(full:tokens(name).lock())
      note(full:counters(name):add('x', 1))
      note(full:words(name):set('x', 60))
      local behind = { load = function() return { access_token = 'x' } end, save = function() return true end }
      note(full:tokens(name, behind).save { access_token = ('x'):rep(200) })
      note(full:tokens(name, behind).load().access_token)
      local changed
      local pace = full:pace(name)
      for _ = 1, 5 do pace.exchange(function() changed = true return ('x'):rep(200) end) end
      note(changed)
      note(#tiny:get_keys(0) == count)
      return list]]
    local message = "nil lua_shared_dict tiny is full: give it more than its 16 KB in nginx's configuration"
    assert.same({ message, message, message, message, message, "true nil", "x nil", "true nil", "true nil" }, answers)
    assert.equal(1, select(2, server:log():gsub("the pace is not shared: lua_shared_dict tiny is full", "")))
  end)

  it("what has room once what has expired is gone", function()
    assert.is_true(run [[
      local tiny = ngx.shared.tiny
      tiny:flush_all() tiny:flush_expired()
      local n = 0
      while tiny:safe_set('k' .. n, ('x'):rep(100), n > 5 and 0.001 or 0) do n = n + 1 end
      ngx.sleep(0.01)
      return require('avito_messenger.nginx.shared').new('tiny'):words('w'):set(('y'):rep(100), 60)]])
  end)

  it("older tokens with nobody when the new ones find no room", function()
    assert.is_nil(run [[
      local tiny = ngx.shared.tiny
      tiny:flush_all() tiny:flush_expired()
      local tokens = require('avito_messenger.nginx.shared').new('tiny').tokens
      local store = require('avito_messenger.nginx.shared').new('tiny'):tokens 'shop'
      assert(store.save { access_token = 'old' })
      assert(not store.save { access_token = ('x'):rep(20000) })
      return store.load()]])
  end)

  it("what is misused, not at all", function()
    for code, message in pairs {
      ["require('avito_messenger.nginx.shared').new 'none'"] = "shared: there is no dict 'none': nginx's configuration needs "
        .. "`lua_shared_dict none 1m;` in http { }",
      ["require('avito_messenger.nginx.shared').new()"] = "shared: the name of the dict must be a string",
      ["shared:lease('', 1)"] = "shared:lease: the name must be a string of 1 to 200 bytes without NUL",
      ["shared:lease('a\\0b', 1)"] = "shared:lease: the name must be a string of 1 to 200 bytes without NUL",
      ["shared:lease('a', 0)"] = "shared:lease: seconds must be a number from 0.001 to 86400",
      ["shared:lease('a', 0/0)"] = "shared:lease: seconds must be a number from 0.001 to 86400",
      ["shared:lease('a')"] = "shared:lease: seconds must be a number from 0.001 to 86400",
      ["shared:tokens(5)"] = "shared:tokens: the name must be a string of 1 to 200 bytes without NUL",
      ["shared:tokens('a', {})"] = "shared:tokens: behind must be a token store: a table with the functions load and save",
      ["shared:pace(('x'):rep(201))"] = "shared:pace: the name must be a string of 1 to 200 bytes without NUL",
      ["shared:counters()"] = "shared:counters: the prefix must be a string of 1 to 200 bytes without NUL",
      ["shared:words()"] = "shared:words: the prefix must be a string of 1 to 200 bytes without NUL",
      ["shared:words('a'):set(5, 1)"] = "words:set: the text must be a string",
      ["shared:words('a'):set('x', 0)"] = "words:set: seconds must be a number from 0.001 to 86400",
    } do
      local ok, problem = pcall(run, code)
      assert.is_false(ok, code)
      assert.equal(message, problem:match ": (.*)$" and problem:gsub('^%[string "[^\n]-"%]:%d+: ', ""), code)
    end
  end)
end)

describe("what workers share can be used in any phase", function()
  it("from the start of a worker to the log", function()
    local USE = [[
      local shared = require('avito_messenger.nginx.shared').new 'avito'
      assert(shared:lease('poll', 60):hold())
      assert(shared:counters('c'):add('%s', 1))
      assert(shared:words('w'):set('x', 60))
      shared:pace('p').exchange(function() return 'x' end)
      assert(shared:tokens('t').save {})
      shared:tokens('t').lock():unlock()
      assert(shared:tokens('t').load())
      shared:lease('poll', 60):release() ]]
    local WORD = "require('avito_messenger.nginx.shared').new('avito'):words('who'):set('%s', 60)"
    local phases = { "rewrite", "access", "header_filter", "body_filter", "log" }
    local blocks = {}
    for i, phase in ipairs(phases) do blocks[i] = ("%s_by_lua_block { %s }"):format(phase, USE:format(phase)) end
    local server = nginx.start {
      http = ("init_by_lua_block { %s }"):format(WORD:format "master"),
      init_worker = USE:format "init_worker" .. WORD:format "worker"
        .. ("ngx.timer.at(0, function() %s end)"):format(USE:format "timer"),
      server = ("location = /use { %s content_by_lua_block { ngx.print 'used' } } "):format(table.concat(blocks, " "))
        .. [[location = /sums { content_by_lua_block {
          ngx.print(require('avito_messenger.json').encode(require('avito_messenger.nginx.shared').new 'avito':counters 'c':get()))
        } } location = /words { content_by_lua_block {
          local shared = require('avito_messenger.nginx.shared').new 'avito'
          ngx.print(require('avito_messenger.json').encode(shared:words 'who':all()))
        } }]],
      expected = { "index.html" },
    }
    assert.equal("used", server:get("/use").body)
    local sums
    local ends = clock.now() + 20
    repeat
      sums = json.decode(server:get("/sums").body)
      local all = sums.init_worker and sums.timer
      for _, phase in ipairs(phases) do all = all and sums[phase] end
      assert(all or clock.now() < ends, json.encode(sums))
    until all
    local said = {}
    for owner, text in pairs(json.decode(server:get("/words").body)) do said[tonumber(owner:match "^%d+")] = text end
    assert.same({ [server.master] = "master", [server:workers()[1]] = "worker" }, said)
    server:stop()
  end)
end)
