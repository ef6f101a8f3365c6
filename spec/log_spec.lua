local errors = require "avito_messenger.errors"
local kinds = require "avito_messenger.log.kinds"
local lines = require "support.lines"
local log = require "avito_messenger.log"

describe("a log", function()
  local written

  before_each(function() written = {} end)

  local function open(given)
    local options = { write = function(line) written[#written + 1] = line end, clock = function() return 1767225600.0625 end }
    for name, value in pairs(given or {}) do options[name] = value end
    return log.new(options)
  end

  --- The fields of the last line.
  local function last()
    return lines.named(lines.logfmt((written[#written]:gsub("\n$", ""))))
  end

  describe("refuses", function()
    local rows = {
      { 'avito.bot: log must be "logfmt", "json", options or a logger, got number', 5 },
      { 'avito.bot: log must be "logfmt", "json", options or a logger, got boolean', true },
      { "avito.bot: log: unknown format 'jsn' %(did you mean 'json'%?%)", "jsn" },
      { "avito.bot: log: unknown format 'xml' %(known: json, logfmt%)", { format = "xml" } },
      { "avito.bot: log: unknown level 'warning' %(known: debug, info, warn, error%)", { level = "warning" } },
      { "avito.bot: log: unknown option 'text' %(did you mean 'texts'%?%)", { text = true } },
      { "avito.bot: log: write must be a function, got string", { write = "stderr" } },
      { "avito.bot: log: secrets%[2%] must be a string, got number", { secrets = { "dummy", 5 } } },
    }
    for _, row in ipairs(rows) do
      it(row[1], function()
        local message = row[1]:gsub("^avito.bot: log: ", "^spec/log_spec.lua:%%d+: avito.bot: log: ")
        local ok, problem = pcall(function() log.read(row[2], "avito.bot: log") end)
        assert.is_false(ok)
        assert.matches(message, problem)
        assert.matches("^spec/log_spec.lua:%d+: ", problem)
      end)
    end

    it("the same in log.new", function()
      local ok, problem = pcall(function() log.new { level = "warning" } end)
      assert.is_false(ok)
      assert.matches("^spec/log_spec.lua:%d+: log.new: unknown level 'warning'", problem)
    end)
  end)

  it("is read from a format, options or a logger, and is none where there is nothing", function()
    assert.is_nil(log.read(nil))
    assert.is_nil(log.read(false))
    local logger = log.new()
    assert.equal(logger, log.read(logger))
    log.read({ format = "json", write = function(line) written[#written + 1] = line end, clock = function() return 0 end })
      :line("info", "hello")
    assert.same({ '{"time":"1970-01-01T00:00:00.000Z","level":"info","msg":"hello"}\n' }, written)
    assert.equal("avito_messenger.Log (info and up)", tostring(log.read "logfmt"))
  end)

  it("writes a line of a note: when, how bad, what, and its fields in their order", function()
    open():note { kind = "fired", turn = "t1", rule = "торг уместен", chat_id = "u2i-a~b" }
    assert.same({ 'time=2026-01-01T00:00:00.063Z level=info msg="a rule answered" kind=fired chat_id=u2i-a~b ' ..
      'rule="торг уместен" turn=t1\n' }, written)
  end)

  it("writes of which of several bots it is", function()
    local logger = open()
    logger:note({ kind = "reloaded" }, "yandex_market:123")
    logger:event({ type = "token_store", message = "no" }, "bot 2")
    assert.matches(' kind=reloaded account=yandex_market:123\n$', written[1])
    assert.matches(' kind=token_store account="bot 2" message=no\n$', written[2])
  end)

  it("rounds the time across a second", function()
    open { clock = function() return 1767225599.9996 end }:line("info", "x")
    assert.equal("2026-01-01T00:00:00.000Z", last().time)
  end)

  it("writes to stderr, each line at once, with the time of the machine", function()
    local stderr, calls = io.stderr, {}
    io.stderr = { write = function(_, ...) calls[#calls + 1] = { ... } end } -- luacheck: ignore 122
    local ok, problem = pcall(function() log.new():note { kind = "reloaded" } end)
    io.stderr = stderr -- luacheck: ignore 122
    assert(ok, problem)
    assert.equal(1, #calls)
    assert.equal(1, #calls[1])
    assert.matches("^time=20%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%d%.%d%d%dZ level=info msg=.- kind=reloaded\n$", calls[1][1])
  end)

  it("leaves out what is below its level", function()
    for least, count in pairs { debug = 4, info = 3, warn = 2, error = 1 } do
      written = {}
      local logger = open { level = least }
      for _, kind in ipairs { "poll", "fired", "stall", "error" } do logger:note { kind = kind } end
      assert.equal(count, #written)
      for _, level in ipairs { "debug", "info", "warn", "error" } do logger:line(level, "x") end
      assert.equal(2 * count, #written)
    end
  end)

  it("tells good requests from bad ones", function()
    local logger = open { level = "debug" }
    for _, row in ipairs { { "debug", { status = 200 } }, { "warn", { status = 404 } }, { "warn", { error = "network" } } } do
      row[2].type = "request"
      logger:event(row[2])
      assert.equal(row[1], last().level)
    end
    for outcome, level in pairs { message = "debug", known = "debug", probe = "debug", ignored = "debug",
      unavailable = "warn", not_found = "warn", signature = "warn" } do
      logger:note { kind = "webhook", outcome = outcome, count = 1 }
      assert.equal(level, last().level)
    end
  end)

  it("writes an error with what the API said of it", function()
    local err = errors.new("forbidden", "send_message", "no")
    err.status = 403
    open():note { kind = "error", chat_id = "c", rule = "торг", effect = "send", key = "k", result = "rejected",
      message = "send was not done: no", error = err, traceback = "stack traceback: …" }
    assert.same({ time = "2026-01-01T00:00:00.063Z", level = "error", msg = "something failed", kind = "error", chat_id = "c",
      rule = "торг", effect = "send", key = "k", result = "rejected", problem = "forbidden", status = "403",
      endpoint = "send_message", message = "send was not done: no" }, last())
    open():note { kind = "error", message = "x", error = "a string" }
    assert.is_nil(last().problem)
  end)

  it("tells why an account is parked", function()
    open():note { kind = "parked", code = "auth", message = "the account is refused: client_secret is wrong" }
    assert.equal("the account is refused: client_secret is wrong", last().message)
  end)

  it("rounds durations to a millionth of a second", function()
    open():event { type = "retry", endpoint = "get_self", seconds = 0.18125298634549836 }
    assert.equal("0.181253", last().seconds)
  end)

  it("writes nothing of a kind it does not know but the kind", function()
    local logger = open()
    logger:note { kind = "new", text = "dummy-text", message = "dummy-text" }
    logger:event { type = "newer", message = "dummy-text" }
    assert.same({ 'time=2026-01-01T00:00:00.063Z level=info msg="unknown kind" kind=new\n',
      'time=2026-01-01T00:00:00.063Z level=info msg="unknown kind" kind=newer\n' }, written)
  end)

  it("writes of each kind the fields that are named, and no more", function()
    for _, format in ipairs { "logfmt", "json" } do
      for _, what in ipairs { "note", "event" } do
        for kind, row in pairs(kinds[what .. "s"]) do
          local note = { kind = kind, type = kind, extra = "dummy-text", body = "dummy-text", traceback = "dummy-text",
            text = "dummy-text", effect = { kind = "send", text = "dummy-text" }, note = "dummy-text" }
          local known = { time = true, level = true, msg = true, kind = true }
          for _, field in ipairs(row.fields) do
            known[field.name] = true
            if #field.path == 1 and field.name ~= "status" then note[field.name] = "v" end
          end
          local logger = open { format = format, level = "debug" }
          logger[what](logger, note)
          local line = written[#written]
          assert.is_nil(line:find("dummy-text", 1, true), line)
          for _, field in ipairs(lines[format](line:sub(1, -2))) do assert.is_true(known[field[1]], line) end
        end
      end
    end
  end)

  describe("of what is said", function()
    local effect = { kind = "effect", chat_id = "c", effect = { kind = "escalate", key = "k",
      text = "Почём телефон?", note = "спешит" } }

    it("writes nothing, also where an error quotes it", function()
      local logger = open { level = "debug" }
      logger:note(effect)
      assert.is_nil(written[1]:find "Почём" or written[1]:find "спешит")
      logger:note { kind = "error", chat_id = "c", message = "on_escalate: cannot send 'Почём телефон?' (спешит) (Почём телефон?)" }
      assert.equal("on_escalate: cannot send '(text)' ((text)) ((text))", last().message)
    end)

    it("forgets what was said", function()
      local logger = open()
      logger:note(effect)
      logger:note { kind = "done", chat_id = "c", effect = "escalate" }
      assert.same({}, logger.saying)
      assert.equal(0, logger.chats)
    end)

    it("keeps no more than it can", function()
      local logger = open { level = "error" }
      for i = 1, 5000 do
        logger:note { kind = "effect", chat_id = "c" .. i, effect = { kind = "send", text = "dummy-text" } }
        logger:note { kind = "effect", chat_id = "c" .. i, effect = { kind = "send", text = "dummy-text" } }
      end
      local count = 0
      for _ in pairs(logger.saying) do count = count + 1 end
      assert.is_true(count <= 1000)
      logger:note { kind = "error", chat_id = "c5000", message = "not sent: dummy-text" }
      assert.equal("not sent: (text)", last().message)
    end)

    it("writes all where it is asked to", function()
      local logger = open { level = "debug", texts = true }
      logger:note(effect)
      assert.equal("Почём телефон?", last().text)
      assert.equal("спешит", last().note)
      logger:note { kind = "escalated", chat_id = "c", note = "спешит" }
      assert.equal("спешит", last().note)
      logger:note { kind = "error", chat_id = "c", message = "cannot send 'Почём телефон?'" }
      assert.equal("cannot send 'Почём телефон?'", last().message)
    end)
  end)

  it("hides secrets, wherever they are", function()
    local logger = open { secrets = { "dummy-key" } }
    logger:hide "dummy-path"
    logger:hide_url "https://bot.example/dummy-hook-path"
    logger:note { kind = "error", rule = "dummy-key", message = "dummy-key, dummy-path, https://bot.example/dummy-hook-path" }
    assert.equal("***, ***, https://bot.example***", last().message)
    assert.equal("***", last().rule)
    logger:note { kind = "dummy-key" }
    assert.equal("***", last().kind)
    logger:line("info", "of dummy-key", { name = "dummy-path" })
    assert.equal("of ***", last().msg)
    assert.equal("***", last().name)
    logger:event { type = "token_store", message = "cannot write dummy-path" }
    assert.equal("cannot write ***", last().message)
  end)

  it("hides a secret before it cuts what is long", function()
    open { secrets = { "dummy-key" } }:note { kind = "error", message = ("x"):rep(1994) .. "dummy-key" }
    assert.equal(("x"):rep(1994) .. "***", last().message)
    open():note { kind = "error", message = ("ы"):rep(1500) }
    assert.equal(("ы"):rep(998) .. "…", last().message)
  end)

  it("makes the best of values that are none", function()
    open { level = "debug" }:note { kind = "dropped", message = {}, why = "a\255b", chat_id = 5 }
    assert.equal("(a table)", last().message)
    assert.equal("a\239\191\189b", last().why)
    assert.equal("5", last().chat_id)
  end)

  describe("takes lines of the program", function()
    it("with fields by their names", function()
      local err = errors.new("timeout", "get_chat", "late")
      open():line("warn", "slow day", { sold = 3, best = "iPhone 13", open = true, err = err })
      assert.equal('time=2026-01-01T00:00:00.063Z level=warn msg="slow day" best="iPhone 13" err="get_chat: timeout: late" ' ..
        "open=true sold=3\n", written[1])
    end)

    it("but not under names that are taken or are none, nor at levels that are none", function()
      local logger = open()
      for message, misuse in pairs {
        ["unknown level 'warning' %(known: debug, info, warn, error%)"] = function() logger:line("warning", "x") end,
        ["msg must be a string, got nil"] = function() logger:line "info" end,
        ["fields must be a table, got string"] = function() logger:line("info", "x", "y") end,
        ["no field can be named 'level'"] = function() logger:line("info", "x", { level = "error" }) end,
        ["no field can be named 'a b'"] = function() logger:line("info", "x", { ["a b"] = 1 }) end,
        ["no field can be named '1'"] = function() logger:line("info", "x", { "y" }) end,
      } do
        local ok, problem = pcall(misuse)
        assert.is_false(ok)
        assert.matches("^spec/log_spec.lua:%d+: log:line: " .. message, problem)
      end
      assert.same({}, written)
    end)
  end)
end)
