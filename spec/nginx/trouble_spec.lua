local files = require "support.files"
local journal = require "avito_messenger.journal"
local nginx = require "support.nginx"
if not nginx.wanted() then return end
local places = require "nginx.support.place"
local sandbox = require "support.sandbox"
local socket = require "socket"

-- The next lane that begins does not: %s is put before a timer is asked for.
local SPOIL = [[location = /spoil { content_by_lua_block {
  local bot, at = require "nginx.support.shop", ngx.timer.at
  local driver, lanes = bot.driver, bot.lanes
  local spawn, work = driver.spawn, lanes.work
  function lanes.work()
    function driver.spawn(...)
      lanes.work, driver.spawn = nil, nil
      %s
      local task = spawn(...)
      ngx.timer.at = at
      return task
    end
    work(lanes)
    driver.spawn = nil
  end
} }]]

describe("a bot inside nginx goes on to answer", function()
  local own, place = places.own(), nil

  before_each(own.begin)
  after_each(own.finish)

  local function open(given)
    given.plan = { user_id = sandbox.user_id }
    place = own.open(given)
    place:until_well()
  end

  local function is_answered()
    local said = place:say "Вопрос 1"
    local body = place:message { id = said.message_id, chat_id = said.chat_id, created = said.created, author_id = 200000001 }
    place:until_true("the webhook to be taken", function() return place:hook(body).status == 200 end)
    place:until_true("the answer", function() return #place:sent() > 0 end)
  end

  it("where a request that asked something of it was given up in the middle", function()
    open { poll = false, http = "lua_check_client_abort on;", expected = { "another process" }, server = [[
      location = /pause { content_by_lua_block { require("nginx.support.shop"):pause("u2i-of-nobody", 1) } }
      location = /busy { content_by_lua_block { ngx.print(#require("nginx.support.shop").store.group.queue) } }
      location = /requests { content_by_lua_block { ngx.print(ngx.var.connections_active) } } ]] }
    local other = assert(journal.open(own.path, {}))
    assert(other:begin(5))
    local connection = assert(socket.tcp())
    connection:settimeout(5)
    assert(connection:connect("127.0.0.1", place.server.port))
    connection:send("GET /pause HTTP/1.1\r\nHost: x\r\n\r\n")
    place:until_true("the request to wait for the store", function() return place.server:get("/busy").body ~= "0" end)
    connection:close()
    place:until_true("its end", function() return place.server:get("/requests").body == "1" end)
    other:rollback()
    other:close()
    is_answered()
    place:stop()
  end)

  it("where a look at the chats raised something", function()
    open { expected = { "as the spec says" }, start = [[(function()
      local lanes = require("nginx.support.shop").lanes
      function lanes.receive()
        lanes.receive = nil
        error "as the spec says"
      end
      return { poll = { interval = 1 } }
    end)()]] }
    place:say "Вопрос 1"
    place:until_true("the answer", function() return #place:sent() > 0 end)
    place:stop()
  end)

  it("where no timer was to be had for a chat", function()
    open { poll = false, server = SPOIL:format 'error("no timer, as the spec says", 0)', expected = { "as the spec says" } }
    place.server:get "/spoil"
    is_answered()
    place:stop()
  end)

  it("where nginx never began the timer of a chat", function()
    open { poll = false, server = SPOIL:format "function ngx.timer.at() return true end", expected = { "a task needs a timer" } }
    place.server:get "/spoil"
    is_answered()
    place:stop()
  end)
end)

describe("a bot inside nginx", function()
  local own = places.own()

  before_each(own.begin)
  after_each(own.finish)

  it("may be told in a dialogue to be silent elsewhere", function()
    files.write(own.path .. ".rules", [[local loaded = package.loaded
      return require("avito_messenger").rulebook { burst = "0.05s", flood = false, settle = "1s",
      { "а", hears = "вопрос*", flow = "д" },
      require("avito_messenger").flow { "д", function(c)
        loaded["nginx.support.shop"]:pause("u2i-of-nobody", "1h")
        c:say "Ответ"
      end } }]])
    local place = own.open { plan = { user_id = sandbox.user_id, rules = own.path .. ".rules" }, server = [[
      location = /silent { content_by_lua_block {
        ngx.print((require("nginx.support.shop").lanes:chat("u2i-of-nobody").silent or {}).why) } } ]] }
    place:until_well()
    place:say "Вопрос 1"
    place:until_true("the answer", function() return #place:sent() > 0 end)
    assert.same({ "Ответ" }, place:sent())
    place:until_true("the silence", function() return place.server:get("/silent").body == "paused" end)
    place:stop()
  end)

  it("says that it cannot work where the dict has no room for it to say so", function()
    local place = own.open { plan = { base_url = "http://127.0.0.1:1", user_id = false },
      http = "lua_socket_log_errors off;", expected = { "is full", "poll:" }, start = [[(function()
        local count = 0
        repeat count = count + 1 until not ngx.shared.avito:safe_set("of another " .. count, ("x"):rep(50))
        return { poll = false }
      end)()]] }
    local response = place.server:get "/health"
    assert.same({ 503, "starting\n" }, { response.status, response.body })
    place:stop()
  end)
end)
