-- Secrets and texts that are marked, a marketplace that answers with whatever it was sent, and everything that a bot writes or
-- tells meanwhile: none of the secrets is in any of it, and no text in a log that was not asked for texts.

local json = require "avito_messenger.json"
local shop = require "support.shop"
local subscription = require "avito_messenger.bot.subscription"

local HEARD, SAID, NOTE = "Торг есть, canary-heard?", "Торг при осмотре, canary-said.", "canary-note, позвоните"
local CLIENT_SECRET, PATH, KEY = "dummy-canary-client-secret", "dummy-canary-path-secret", "dummy-canary-signature-key"
local URL = "https://bot.example/hook/" .. PATH

--- Everything a value holds, as text: also what it says of itself, and what only its fields say.
local function all_of(value, parts, seen)
  parts, seen = parts or {}, seen or {}
  if type(value) ~= "table" or seen[value] then
    parts[#parts + 1] = tostring(value)
  else
    seen[value] = true
    parts[#parts + 1] = tostring(value)
    for name, member in pairs(value) do
      all_of(name, parts, seen)
      all_of(member, parts, seen)
    end
  end
  return table.concat(parts, "\n"), parts
end

-- What an answer may look like that quotes the request.
local SHAPES = {
  function(quote) return json.encode { error = { code = 1, message = quote } } end,
  function(quote) return json.encode { error = { message = "bad", fields = { request = quote, list = { quote } } } } end,
  function(quote) return json.encode { error = quote, error_description = "bad" } end,
  function(quote) return json.encode { error = "bad", error_description = quote } end,
  function(quote) return json.encode { result = { status = false, message = quote } } end,
  function(quote) return quote end,
  function(quote) return "<html><body>" .. quote .. "</body></html>" end,
}

describe("no secret shows", function()
  local place, told, written, stderr, secrets, quoted

  -- Where the secrets of a request stand, and in its answer, for later.
  local function collect(text)
    for secret in text:gmatch "sandbox%-%a+%-[%w_]+" do secrets[secret] = true end
  end

  --- From now on, requests whose address matches are answered by an echo, each of so many in the next shape.
  local function echo(status, pattern, shape, times)
    local perform, last = place.driver.perform, shape + times - 1
    function place.driver.perform(driver, request)
      local quote = (request.body or "") .. "; " .. request.url
      if not pattern:find "webhook" then -- the client itself shows nothing of what holds its token
        quote = quote .. "; " .. table.concat(request.headers or {}, "; ")
      end
      collect(quote)
      if shape <= last and request.url:find(pattern) then
        local answer = SHAPES[(shape - 1) % #SHAPES + 1]
        shape = shape + 1
        quoted = quoted .. quote
        if status == "network" then return { error = "network", message = "it broke: " .. request.url, dispatched = true } end
        return { status = status, head = ("HTTP/1.1 %d X\r\n\r\n"):format(status), body = assert(answer(quote)) }
      end
      local response = perform(driver, request)
      if request.purpose == "token" then collect(response.body or "") end
      return response
    end
  end

  --- A bot whose client has every kind of secret.
  local function open(log)
    told, written, stderr, quoted = {}, {}, {}, ""
    local box = shop.sandbox { token_lifetime = 120, webhooks = { probe = false },
      accounts = { { user_id = shop.user_id, client_id = "dummy-client-id", client_secret = CLIENT_SECRET } } }
    local code = box:code { scope = "messenger:read,messenger:write,user:read" }
    secrets = { [CLIENT_SECRET] = true, [code] = true, [PATH] = true, [KEY] = true }
    if log then
      log.level, log.secrets, log.write = "debug", { PATH, KEY }, function(line) written[#written + 1] = line end
    end
    place = shop.open { box = box, log = log,
      client = { client_secret = CLIENT_SECRET, code = code, retries = 1, on_event = function(event) told[#told + 1] = event end },
      on_event = function(note) told[#told + 1] = note end, on_error = log and function() end or nil,
      on_escalate = function(call) error(("cannot tell: %s %s, %s"):format(call.text, call.note, log and KEY or "")) end,
      rulebook = { burst = "1s", { "торг", hears = "торг*", say = SAID, act = { "escalate", reason = NOTE } } } }
    if not log then place.bot.on_error = nil end
  end

  --- A day of it: a buyer asks, the address is subscribed, tokens are renewed.
  local function work()
    local write = io.stderr
    io.stderr = { write = function(_, ...) stderr[#stderr + 1] = table.concat { ... } end } -- luacheck: ignore 122
    local ok, problem = pcall(function()
      for i = 1, #SHAPES do place:says { text = HEARD, buyer = shop.buyer + i, item = shop.phone } end
      local keeper = subscription.new(place.bot, URL)
      place.bot:poll { interval = 20, seconds = 60 }
      for _ = 1, #SHAPES do
        local _, err = keeper:check()
        told[#told + 1] = err
      end
      place:says("Ещё торг, canary-heard?")
      place.bot:poll { interval = 30, seconds = 90 }
    end)
    io.stderr = write -- luacheck: ignore 122
    assert(ok, problem)
  end

  local function hidden(where, text)
    for secret in pairs(secrets) do
      local at = text:find(secret, 1, true)
      if at then error(("%s shows %s: %s"):format(where, secret, text:sub(math.max(1, at - 200), at + 100)), 2) end
    end
  end

  local function no_texts(where, text)
    for _, mark in ipairs { "canary-heard", "canary-said", "canary-note" } do
      local at = text:find(mark, 1, true)
      if at then error(("%s shows a text: %s"):format(where, text:sub(math.max(1, at - 300), at + 100)), 2) end
    end
  end

  --- The API's secrets, in what the program is told: its own errors are its own.
  local function check_told()
    secrets[KEY] = nil
    hidden("what is told", (all_of(told)))
    hidden("the bot", tostring(place.bot) .. tostring(place.client) .. tostring(place.client.session))
    secrets[KEY] = true
  end

  local function check_metrics()
    local text = place.bot.metrics:text(place.driver:time(), { account = "1" })
    hidden("the metrics", text)
    no_texts("the metrics", text)
  end

  -- The spec sees what it looks for.
  local function check_quoted(what)
    assert.is_truthy(quoted:find(what, 1, true), "nothing was quoted")
  end

  local PLACES = { -- which requests are quoted, and what is in them
    { "/messages$", "canary-said" },
    { "/chats", "sandbox-access-" },
    { "/messenger/v1/subscriptions$", "sandbox-access-" },
    { "/messenger/v3/webhook$", PATH },
  }
  for shape = 1, #SHAPES do PLACES[#PLACES + 1] = { "/token$", CLIENT_SECRET, shape } end -- a code is good for one request

  for _, status in ipairs { 200, 400, 401, 402, 403, 500, "network" } do
    it(("where the answers are %s and quote what was sent"):format(status), function()
      for i, row in ipairs(PLACES) do
        open { format = i % 2 == 0 and "json" or "logfmt" }
        echo(status, row[1], row[3] or 1, row[3] and 1 or #SHAPES)
        work()
        check_quoted(row[2])
        check_told()
        check_metrics()
        local log = table.concat(written)
        assert.is_true(#written > 2)
        assert.is_nil(log:find "unknown kind")
        hidden("the log", log)
        no_texts("the log", log)
        assert.same({}, stderr)
        if status == "network" and row[3] then break end -- there is no answer that would have a shape
      end
    end)
  end

  for _, format in ipairs { "logfmt", "json" } do
    it(("in %s with texts, which are there then"):format(format), function()
      open { format = format, texts = true }
      echo(403, "/messages$", 1, 1)
      work()
      local log = table.concat(written)
      hidden("the log", log)
      for _, mark in ipairs { "canary-heard", "canary-said", "canary-note" } do assert.is_truthy(log:find(mark, 1, true), mark) end
    end)
  end

  it("on stderr, without a log", function()
    for _, row in ipairs(PLACES) do
      open()
      echo(403, row[1], row[3] or 1, row[3] and 1 or #SHAPES)
      work()
      check_quoted(row[2])
      check_told()
      assert.is_true(#stderr > 0)
      hidden("stderr", table.concat(stderr))
    end
  end)
end)
