local arguments = require "avito_messenger.cli.arguments"
local support = require "support.sandbox"

describe("avito-messenger", function()
  -- Exit status, and all that was said.
  local function run(...)
    local child = support.spawn({ "bin/avito-messenger", ... }, { stdout = "pipe", stderr = "pipe" })
    local text = child:read_all()
    local how, code = child:wait()
    child:close()
    assert.equal("exit", how)
    return code, text
  end

  it("explains itself", function()
    local code, text = run("--help")
    assert.equal(0, code)
    assert.is_truthy(text:find("avito-messenger sandbox", 1, true))
    code, text = run()
    assert.equal(2, code)
    assert.is_truthy(text:find("sandbox --help", 1, true))
    for _, command in ipairs { "check", "journal", "sandbox" } do
      code, text = run("help", command)
      assert.equal(0, code)
      assert.equal(select(2, run(command, "--help")), text)
    end
    code, text = run("--version")
    assert.equal(0, code)
    assert.is_truthy(text:find("^avito%-messenger %S+\n$"))
    code, text = run("sandbix")
    assert.equal(2, code)
    assert.is_truthy(text:find("did you mean 'sandbox'?", 1, true))
  end)

  it("explains the sandbox, with every option and every kind of fault", function()
    local code, text = run("sandbox", "--help")
    assert.equal(0, code)
    for _, option in ipairs { "port", "host", "seed", "shapes", "world", "latency", "rate-limit", "fault", "lenient",
      "log", "help", "version" } do
      assert.is_truthy(text:find("--" .. option, 1, true), option)
    end
    for kind in pairs(require("avito_messenger.sandbox.faults").kinds) do
      assert.is_truthy(text:find(kind, 1, true), kind)
    end
    assert.is_truthy(text:find("curl $B/say", 1, true))
  end)

  it("says what is wrong with an option, and ends with 2", function()
    for _, case in ipairs { { "did you mean '--port'", "--prot", "1" }, { "needs a value", "--port" },
      { "no integer", "--port", "http" }, { "no integer", "--port", "70000" }, { "loopback", "--host", "0.0.0.0" },
      { "did you mean 'real'", "--shapes", "rael" }, { "no duration", "--latency", "soon" },
      { "backwards", "--latency", "2s-1s" }, { "name=value", "--fault", "close" },
      { "did you mean 'close'", "--fault", "kind=colse" }, { "a number expected", "--fault", "kind=status,status=x" },
      { "given twice", "--seed", "1", "--seed", "2" }, { "takes no value", "--log=yes" }, { "what is 'now'", "now" },
      { "cannot open", "--world", "none.lua" }, { "no integer", "--rate-limit", "0" } } do
      local code, text = run("sandbox", "--port", "0", (table.unpack or unpack)(case, 2))
      if case[2] == "--port" then code, text = run("sandbox", (table.unpack or unpack)(case, 2)) end
      assert.equal(2, code, text)
      assert.is_truthy(text:find(case[1], 1, true), text)
      assert.is_truthy(text:find("sandbox --help", 1, true))
      assert.is_nil(text:find("traceback", 1, true))
    end
  end)

  it("ends with 1 when the port is taken", function()
    local running = support.start()
    local code, text = run("sandbox", "--port", running.base_url:match("%d+$"))
    assert.equal(1, code)
    assert.is_truthy(text:find("EADDRINUSE", 1, true))
    running:stop()
  end)

  it("says how to reach the sandbox, and stops cleanly", function()
    for _, signal in ipairs { "TERM", "INT" } do
      local child = support.spawn { "bin/avito-messenger", "sandbox", "--port=0", "--log" }
      local url = child:read_line():match("^sandbox listening on (http://127%.0%.0%.1:%d+)$")
      assert.is_string(url)
      assert.equal("client_id dummy-client-id  client_secret dummy-client-secret  user_id 94235311", child:read_line())
      assert.equal("Yandex Market: api_key dummy-api-key  business_id 2200001", child:read_line())
      assert.is_truthy(child:read_line():find("/sandbox/", 1, true))
      assert.equal(401, support.request({ url = url .. "/core/v1/accounts/self" }).status)
      assert.equal("401 GET  /core/v1/accounts/self  (get_self)", child:read_line())
      child:kill(signal)
      assert.same({ "exit", 0 }, { child:wait() })
      child:close()
    end
  end)

  it("passes its options on", function()
    local path = os.tmpname()
    local file = assert(io.open(path, "w"))
    file:write('return { accounts = { { user_id = 5, client_id = "dummy-client-id", ',
      'client_secret = "dummy-client-secret" } } }')
    file:close()
    local running = support.start { "--world", path, "--shapes", "contract", "--seed", "9", "--rate-limit", "off",
      "--lenient", "--latency", "1ms-2ms", "--fault", "kind=status,status=503,operation=get_self,times=1",
      "--fault", "kind=rate_limited,retry_after=date,operation=get_self,times=1" }
    os.remove(path)
    local token = running:token()
    assert.equal(503, running:get("/core/v1/accounts/self", token).status)
    assert.equal(429, running:get("/core/v1/accounts/self", token).status)
    local response = running:get("/core/v1/accounts/self", token)
    assert.equal(200, response.status)
    assert.is_nil(response.head:find("X-RateLimit", 1, true))
    assert.equal(401, running:get("/core/v1/accounts/self", "x").status)
    assert.equal(200, running:get("/messenger/v2/accounts/5/chats?colour=red", token).status)
    running:stop()
  end)

  it("reads durations", function()
    assert.equal(0.05, arguments.duration("50ms"))
    assert.equal(1.5, arguments.duration("1.5s"))
    assert.equal(2, arguments.duration("2"))
    assert.equal(120, arguments.duration("2m"))
    assert.same({ 0.05, 2 }, arguments.range("50ms-2s"))
    for _, text in ipairs { "", "s", "1x", "-1", "1.5.2s" } do assert.is_nil((arguments.duration(text))) end
  end)
end)
