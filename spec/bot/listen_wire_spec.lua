local listen = require "avito_messenger.bot.listen"
local listening = require "support.listening"
local loop = require "avito_messenger.io.loop"
local process = require "spec_support.process"
local support = require "support.sandbox"

local SECRET = listening.SECRET

describe("the listener of a bot on the wire", function()
  local h = listening.new()
  local serving, message, send, post, status_of, told, stored, pending, hold, until_, raw =
    h.serving, h.message, h.send, h.post, h.status_of, h.told, h.stored, h.pending, h.hold, h.until_, h.raw

  before_each(h.begin)
  after_each(h.finish)

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
      child = support.spawn({ "-e", ("require('spec_support.dribble').run(%d, 1000)"):format(h.server.port) })
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
        local from = h.driver:now()
        count = count + 1
        assert.equal(200, status_of(message("m" .. count)))
        assert.is_true(h.driver:now() - from < 2) -- what Avito waits for
        loop.sleep(0.01)
      until over
      assert.equal("cut", task:wait())
      assert.equal(count, stored())
    end)
    child:kill()
    child:close()
    assert.is_true(told "cut" >= 1000)
  end)

  describe("closed", function()
    it("answers what it has, and takes no more", function()
      local held, let_go = hold()
      serving({}, function()
        local task = loop.spawn(post, message "m1")
        until_(function() return #held == 1 end)
        local closing = loop.spawn(h.server.close, h.server)
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
        h.server:close()
        assert.equal("network", post(message "m2").error)
      end)
      assert.equal(1, stored())
    end)

    it("waits no longer than it must for a store that hangs", function()
      local held, let_go = hold()
      serving({}, function()
        local task = loop.spawn(post, message "m1")
        until_(function() return #held == 1 end)
        h.server:close()
        assert.equal(503, task:wait().status)
        let_go()
      end)
    end)

    it("waits no longer than it must for a client that does not read", function()
      h.bot.metrics.text = function() return ("x"):rep(2e7) end
      serving({ metrics = true, deadline = 60 }, function()
        local child = process.spawn({ "bash", "-c", ("exec 3<>/dev/tcp/127.0.0.1/%d; " ..
          "printf 'GET /metrics HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n' >&3; sleep 60"):format(h.server.port) })
        until_(function() return pending() == 1 end)
        local closing = loop.spawn(h.server.close, h.server)
        until_(function() return closing.ended end)
        child:close()
      end)
    end)

    it("by the end of the loop, which is no failure of the store", function()
      local held = hold()
      loop.run(function()
        h.server = assert(listen.new(h.bot, { port = 0, path_secret = SECRET }))
        loop.background(post, message "m1")
        until_(function() return #held == 1 end)
      end)
      assert.same({}, h.notes)
    end)

    it("by the end of the loop", function()
      loop.run(function() h.server = assert(listen.new(h.bot, { port = 0, path_secret = SECRET })) end)
      h.server:close()
      loop.run(function()
        local other = assert(listen.new(h.bot, { port = h.server.port, path_secret = SECRET }))
        other:close()
      end)
    end)
  end)
end)
