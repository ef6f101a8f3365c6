local support = require "support.sandbox"
local sandbox = require "avito_messenger.sandbox"

local SELF = "/core/v1/accounts/self"
local CHATS = "/messenger/v2/accounts/94235311/chats"

describe("sandbox faults", function()
  local inside, send_path
  before_each(function()
    inside = support.inside()
    send_path = "/messenger/v1/accounts/94235311/chats/" .. inside:chat().id .. "/messages"
    inside:api("GET", SELF) -- has the token, so that faults strike what follows
  end)

  local function get(path) return select(3, inside:api("GET", path or SELF)) end
  local function send() return select(3, inside:api("POST", send_path, { type = "text", message = { text = "а" } })) end
  local function last() return inside.box:log()[#inside.box:log()] end

  describe("strike", function()
    it("once, unless told how often", function()
      inside.box:fault { kind = "status", status = 503 }
      assert.equal(503, get().status)
      assert.equal(200, get().status)
      inside.box:fault { kind = "status", times = 2 }
      assert.same({ 500, 500, 200 }, { get().status, get().status, get().status })
    end)

    it("after so many requests", function()
      local fault = inside.box:fault { kind = "status", after = 2 }
      assert.same({ 200, 200, 500, 200 }, { get().status, get().status, get().status, get().status })
      assert.equal(1, fault.struck)
    end)

    it("an operation, a method, a path, an account", function()
      for _, match in ipairs { { operation = "send_message" }, { method = "POST" }, { path = "/messenger/v1/" } } do
        match.kind = "status"
        inside.box:fault(match)
        assert.equal(200, get().status)
        assert.equal(500, send().status)
        inside.box:clear_faults()
      end
      inside.box:fault { kind = "status", account = 100000002 }
      assert.equal(200, get().status)
      inside.box:fault { kind = "status", account = 94235311 }
      assert.equal(500, get().status)
    end)

    it("one after the other", function()
      inside.box:fault { kind = "latency", seconds = 1 }
      inside.box:fault { kind = "status", status = 503 }
      inside.box:fault { kind = "rate_limited" }
      assert.same({ 503, 429, 200 }, { get().status, get().status, get().status })
    end)

    it("by chance", function()
      inside.box:fault { kind = "status", probability = 0.5 }
      local struck = 0
      for _ = 1, 200 do
        if get().status == 500 then struck = struck + 1 end
      end
      assert.is_true(struck > 60 and struck < 140)
    end)

    it("not any more when cleared", function()
      inside.box:fault { kind = "status", probability = 1 }
      inside.box:clear_faults()
      assert.equal(200, get().status)
    end)

    it("never the control API", function()
      inside.box:fault { kind = "status", probability = 1 }
      assert.equal(200, inside:send({ path = "/sandbox/clock" }).status)
    end)
  end)

  it("of latency add up with the sandbox's own", function()
    inside = support.inside { latency = 1 }
    inside.box:fault { kind = "latency", seconds = 2, times = 9 }
    inside.box:fault { kind = "latency", seconds = { 3, 4 }, times = 9 }
    local response = get()
    assert.equal(200, response.status)
    assert.is_true(response.delay >= 6 and response.delay < 7)
  end)

  it("answer with a status and a body", function()
    inside.box:fault { kind = "status", status = 404, body = "да", headers = { ["Retry-After"] = "5" } }
    local response = get()
    assert.same({ 404, "да", "5" }, { response.status, response.body, response.headers["Retry-After"] })
  end)

  for kind, expected in pairs { status = 500, html = 502, empty = 200, invalid_json = 200 } do
    it("of kind " .. kind .. " do what was asked only when told so", function()
      inside.box:fault { kind = kind }
      assert.equal(expected, send().status)
      assert.equal(0, #inside.box:sends())
      assert.is_false(last().applied)
      assert.equal(kind, last().fault)
      inside.box:fault { kind = kind, apply = true }
      assert.equal(expected, send().status)
      assert.equal(1, #inside.box:sends())
      assert.is_true(last().applied)
    end)
  end

  it("make bodies nobody can read", function()
    inside.box:fault { kind = "html" }
    assert.is_truthy(get().body:find("<html>", 1, true))
    inside.box:fault { kind = "empty" }
    assert.equal("", get().body)
    inside.box:fault { kind = "invalid_json" }
    assert.is_nil((require("avito_messenger.json").decode(get().body)))
  end)

  it("close before anything is done, or after it", function()
    inside.box:fault { kind = "close" }
    assert.equal("close", send().fault.kind)
    assert.equal(0, #inside.box:sends())
    inside.box:fault { kind = "apply_and_close" }
    assert.equal("close", send().fault.kind)
    assert.equal(1, #inside.box:sends())
    assert.equal("apply_and_close", last().fault)
    inside.box:fault { kind = "hang" }
    assert.equal("hang", send().fault.kind)
    assert.equal(1, #inside.box:sends())
    inside.box:fault { kind = "hang", apply = true }
    send()
    assert.equal(2, #inside.box:sends())
  end)

  it("cut and drip the body of what was done", function()
    inside.box:fault { kind = "cut", bytes = 7 }
    local response = send()
    assert.same({ kind = "cut", bytes = 7 }, response.fault)
    assert.is_true(#response.body > 7)
    inside.box:fault { kind = "cut", bytes = 100000 }
    response = send()
    assert.equal(#response.body - 1, response.fault.bytes)
    inside.box:fault { kind = "drip", seconds = 3 }
    assert.same({ kind = "drip", seconds = 3 }, send().fault)
    assert.equal(3, #inside.box:sends())
  end)

  it("end the request's token", function()
    inside.box:fault { kind = "token_expired", operation = "get_chats" }
    assert.equal(200, get().status)
    assert.equal(403, get(CHATS).status)
    assert.equal(403, get().status)
    assert.equal(200, select(2, inside:api("GET", SELF, nil, inside:grant().access_token)))
  end)

  it("limit the rate in each of the ways", function()
    inside.box:fault { kind = "rate_limited" }
    local response = send()
    assert.same({ 429, "" }, { response.status, response.body })
    assert.is_nil(response.headers["Retry-After"])
    inside.box:fault { kind = "rate_limited", retry_after = 7 }
    assert.equal("7", send().headers["Retry-After"])
    inside.box:fault { kind = "rate_limited", retry_after = "date" }
    assert.equal("Thu, 01 Jan 2026 00:00:02 GMT", send().headers["Retry-After"])
    assert.equal(0, #inside.box:sends())
  end)

  it("are checked when they are set, and the nearest word is named", function()
    local function problem(spec)
      local ok, message = pcall(inside.box.fault, inside.box, spec)
      assert.is_false(ok)
      return message
    end
    assert.is_truthy(problem({ kind = "aply_and_close" }):find("did you mean 'apply_and_close'?", 1, true))
    assert.is_truthy(problem({ kind = "status", operation = "sendmessage" }):find("did you mean 'send_message'?", 1, true))
    assert.is_truthy(problem({ kind = "status", statsu = 5 }):find("did you mean 'status'?", 1, true))
    assert.is_truthy(problem({ kind = "close", apply = true }):find("'apply'", 1, true))
    for _, bad in ipairs { { kind = "status", status = 99 }, { kind = "status", times = -1 },
      { kind = "status", times = 1.5 }, { kind = "status", probability = 2 }, { kind = "latency", seconds = "1" },
      { kind = "cut", bytes = "1" }, { kind = "status", body = 5 }, { kind = "rate_limited", retry_after = "soon" },
      { kind = "status", headers = "x" }, { kind = "status", apply = 1 }, {} } do
      problem(bad)
    end
    assert.has_error(function() inside.box:fault("close") end)
    assert.equal(0, #inside.box.faults)
  end)

  it("may be there from the beginning, and are again after a reset", function()
    local box = sandbox { faults = { { kind = "status" } } }
    assert.equal(1, #box.faults)
    box:clear_faults()
    box:reset()
    assert.equal(1, #box.faults)
    assert.has_error(function() sandbox { faults = { { kind = "stats" } } } end)
  end)
end)
