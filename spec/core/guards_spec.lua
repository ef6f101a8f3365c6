-- What the core is given, at its bounds: one value on each side of each guard.

local avito = require "avito_messenger"
local core = require "avito_messenger.core"
local script = require "support.script"

local answer, header = script.answer, script.header
local make, session, outcome = script.client, script.session, script.outcome
local CHAT = '{"id":"c1"}'

describe("UTF-8", function()
  for _, text in ipairs { "\0", "\127", "\194\128", "\223\191", "\224\160\128", "\236\191\191", "\237\128\128", "\237\159\191",
    "\238\128\128", "\239\191\191", "\240\144\128\128", "\243\191\191\191", "\244\128\128\128", "\244\143\191\191" } do
    it(("has %q"):format(text), function()
      assert(outcome(answer(200, CHAT), "send_message", "c", text .. "a" .. text))
    end)
  end

  for _, text in ipairs { "\128", "\191", "\192\128", "\193\191", "\194", "\194\65", "\194\194", "\224\159\191", "\224\160",
    "\224\160\65", "\224\65\128", "\237\160\128", "\237\191\191", "\239\191", "\240\143\191\191", "\240\144\128",
    "\240\144\128\65", "\240\144\65\128", "\244\144\128\128", "\245\128\128\128", "\255" } do
    it(("has not %q"):format(text), function()
      for _, whole in ipairs { text, text .. "a", "a" .. text .. "aaaa" } do
        local _, err = outcome(nil, "send_message", "c", whole)
        assert.equal("text is not valid UTF-8", err.message)
      end
    end)
  end
end)

describe("each byte of ASCII", function()
  it("is encoded in a path unless it is unreserved", function()
    for byte = 0x20, 0x7e do
      local char = string.char(byte)
      local client, driver = make { answer(200, CHAT) }
      client:get_chat("a" .. char)
      local expected = char:find("[%w%-%._~]") and char or ("%%%02X"):format(byte)
      assert.equal("a" .. expected, driver.requests[1].url:match("[^/]*$"))
    end
  end)

  it("that is a control character cannot stand in an id, a list, a header or a secret", function()
    for _, byte in ipairs { 0, 1, 9, 10, 13, 31, 127 } do
      local bad = "a" .. string.char(byte)
      for _, arguments in ipairs { { "get_chat", bad }, { "get_voice_files", { bad } }, { "get_chats", { chat_types = { bad } } },
        { "get_chat", "c", { headers = { A = bad } } }, { "get_chat", "c", { headers = { [bad] = "a" } } } } do
        local client, driver = make { answer(200, "{}") }
        local _, err = client[arguments[1]](client, arguments[2], arguments[3])
        assert.equal("invalid", err and err.kind, arguments[1] .. " " .. byte)
        assert.equal(0, #driver.requests)
      end
      assert.has_error(function() make({}, { access_token = bad }) end)
    end
  end)

  it("is written as JSON has it", function()
    for byte = 0, 0x7f do
      local client, driver = make { answer(200, CHAT) }
      assert(client:send_message("c", "a" .. string.char(byte) .. "b"))
      local read = core.decode(driver.requests[1].body)
      assert.equal("a" .. string.char(byte) .. "b", read.message.text)
    end
  end)

  it("may be in a header name, or not", function()
    for byte = 0x21, 0x7e do
      local char = string.char(byte)
      local client, driver = make { answer(200, CHAT) }
      local chat = client:get_chat("c", { headers = { ["X" .. char] = "1" } })
      if char:find("[%w!#$%%&'*+%-.^_`|~]") then
        assert.equal("1", header(driver.requests[1], "X" .. char))
      else
        assert.is_nil(chat, char)
      end
    end
  end)
end)

describe("an address", function()
  local function base_url(url)
    return (pcall(avito.client, { access_token = "dummy", base_url = url, io = script.driver {} }))
  end

  it("has a host of the characters that hosts have", function()
    for byte = 1, 255 do
      local char = string.char(byte)
      assert.equal(char:find("^[%w%-%._/]$") ~= nil and byte < 128, base_url("https://a" .. char .. "b"), "byte " .. byte)
    end
    for _, char in ipairs { "/", "?", "#" } do
      assert(outcome(answer(200, ""), "subscribe_webhook", "https://a" .. char .. ":@["))
    end
  end)

  for _, url in ipairs { "https://a", "https://A.b-c_9:1", "https://a:65535", "https://a:443/x", "https://[::1]:80/",
    "https://[2001:db8::1]",
    "http://localhost", "http://localhost:1", "http://[::1]", "http://127.0.0.1", "http://127.255.255.255:8",
    "http://127.1.22.0/x" } do
    it("may be " .. url, function() assert.is_true(base_url(url)) end)
  end

  for _, url in ipairs { "https://", "https:///", "https://:80", "https:", "https", "https:/a", "HTTPS://a", "https://a:",
    "https://a:x",
    "https://a:1x", "https://a:123456", "https://a:/", "https://[", "https://[::1", "https://[::1]x", "https://[::1]:",
    "https://a@b", "https://a:b@c", "https://a\\@b", "https://a\\b", "https://a b", "https://a\n", "https://a\127",
    "https://ы", "https://a#b", "http://a", "http://[::2]", "http://[a1]", "http://localhosu", "http://localhost.",
      "http://127.0.0",
    "http://127.0.0.", "http://127.0.0.1.", "http://127.0.0.1.1", "http://127..0.1", "http://127.0.0.a", "http://127.0.0.1234",
    "http://127.0.0-1", "http://128.0.0.1", "http://12.0.0.1", "http://0127.0.0.1", "http://127", "http://a.0.0.1",
    "http://1270.0.1", "http://127.0.0.0001", "https://a/ b", "https://a/ы", "http://[127.0.0.1]", "http:// 127.0.0.1", "" } do
    it(("may not be %q"):format(url), function() assert.is_false(base_url(url)) end)
  end

  it("has no number past 255 in it where it is loopback: a resolver would look it up as a name", function()
    for _, url in ipairs { "http://127.999.0.1", "http://127.0.256.1", "http://127.0.0.260" } do
      assert.is_false(base_url(url), url)
    end
    assert.is_true(base_url "http://127.0.250.199")
  end)

  it("that the API has given out is looked at in the same way", function()
    local shared = core.session { base_url = "https://a", access_token = "dummy", seed = "x" }
    for _, url in ipairs { "https://a/\r\nX: y", "https://a/\0", "https://a/\127", "https://a/ b", "http://a/",
      "file:///etc/passwd", "//a" } do
      local step, err = shared:download(url, 0):next(0)
      assert.equal("fail", step, url)
      assert.truthy(err.fields.url)
    end
    local step, request = shared:download("https://a/v?x=1", 0):next(0)
    assert.equal("send", step)
    assert.equal("identity", header(request, "Accept-Encoding"))
    assert.is_nil(header(request, "Authorization"))
  end)

  it("loses the slashes at its end, and keeps its path", function()
    local client, driver = make({ answer(200, CHAT) }, { base_url = "https://api.example/v//" })
    client:get_chat("c")
    assert.equal("https://api.example/v/messenger/v2/accounts/7/chats/c", driver.requests[1].url)
  end)
end)

describe("Retry-After", function()
  local EPOCH = "\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT"

  local function read(lines)
    local _, err = outcome({ status = 503, head = "HTTP/1.1 503 X\r\n" .. lines, body = "" }, "get_chat", "c", { retries = 0 })
    return err.retry_after
  end

  local function date(text)
    return read("Retry-After: " .. text .. EPOCH .. "\r\n\r\n")
  end

  local dates = {
    ["Sun, 06 Nov 1994 08:49:37 GMT"] = 784111777,
    ["Sunday, 06-Nov-94 08:49:37 GMT"] = 784111777,
    ["Sun Nov  6 08:49:37 1994"] = 784111777,
    ["Sat Nov 16 08:49:37 1996"] = 848134177,
    ["Thu, 01 Jan 1970 00:00:01 GMT"] = 1,
    ["Thursday, 01-Jan-70 00:00:01 GMT"] = 1,
    ["Tuesday, 31-Dec-69 00:00:00 GMT"] = 3155673600,
    ["Fri, 31 Dec 1999 23:59:59 GMT"] = 946684799,
    ["Tue, 29 Feb 2000 12:00:00 GMT"] = 951825600,
    ["Wed, 01 Mar 2000 00:00:00 GMT"] = 951868800,
    ["Wed, 31 Jan 2024 00:00:00 GMT"] = 1706659200,
    ["Sat, 31 Dec 2016 23:59:60 GMT"] = 1483228800,
    ["Mon, 01 Mar 2100 00:00:00 GMT"] = 4107542400,
  }
  for text, seconds in pairs(dates) do
    it("may be " .. text .. ", and no part of it", function()
      assert.equal(seconds, date(text))
      for length = 0, #text - 1 do assert.is_nil(date(text:sub(1, length)), text:sub(1, length)) end
      assert.is_nil(date(text .. "x"))
      for at = 1, #text do
        if not text:sub(1, at):find("^%a*,?$") then -- the day of the week is not looked at
          assert.is_nil(date(text:sub(1, at - 1) .. "~" .. text:sub(at + 1)), at)
        end
      end
    end)
  end

  it("may not be a date that is none", function()
    for _, text in ipairs { "Sun, 00 Nov 1994 08:49:37 GMT", "Sun, 32 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 24:49:37 GMT",
      "Sun, 06 Nov 1994 08:60:37 GMT", "Sun, 06 Nov 1994 08:49:61 GMT", "Wed, 31 Dec 1969 23:59:59 GMT",
      "Sun, 0/ Nov 1994 08:49:37 GMT", "Sun, 0: Nov 1994 08:49:37 GMT", "Sun, 06 Nox 1994 08:49:37 GMT", "Sun", "soon" } do
      assert.is_nil(date(text), text)
    end
  end)

  it("is found by its name alone", function()
    for lines, seconds in pairs {
      ["RETRY-AFTER: 5"] = 5, ["retry-after:5"] = 5, ["Retry-After:\t 5 \t"] = 5, ["Retry-After: 0"] = 0, ["Retry-After: 90"] = 90,
      ["Retry-After: 19"] = 19, ["Retry-After: 3\r\nRetry-After: 4"] = 3, ["Retry-Again: 9\r\nRetry-After: 3"] = 3,
      ["Retry-After-Not: 9\r\nRetry-After: 3"] = 3, ["X-Retry-After: 9\r\nRetry-After: 3"] = 3,
      ["X:\nRetry-After: 3"] = 3, ["Retry-After: 99999999999999999999"] = 1e9, ["Retry-After: 1000000000"] = 1e9,
    } do
      assert.equal(seconds, read(lines .. "\r\n\r\n"), lines)
      assert.equal(seconds, read(lines), lines)
    end
    for _, lines in ipairs { "", "Retry-After:", "Retry-After: ", "Retry-After: \t", "Retry-After: -1", "Retry-After: 1.5",
      "Retry-After: 5x", "Retry-After: /", "Retry-After: :", "Retry-After", "Retry-After : 5", "Retry-Again: 5" } do
      assert.is_nil(read(lines .. "\r\n\r\n"), lines)
      assert.is_nil(read(lines), lines)
    end
  end)

  it("that has passed is none to wait for", function()
    assert.equal(0, read "Retry-After: Sun, 06 Nov 1994 08:49:37 GMT\r\nDate: Sun, 06 Nov 1994 08:49:38 GMT\r\n\r\n")
  end)
end)

describe("how many letters differ", function()
  local cases = {
    { "limit", "limit", 0 }, { "limt", "limit", 1 }, { "limmit", "limit", 1 }, { "lemit", "limit", 1 }, { "limti", "limit", 1 },
    { "ilmit", "limit", 1 }, { "limit", "", 5 }, { "", "limit", 5 }, { "ab", "ba", 1 }, { "abcd", "badc", 2 }, { "ca", "abc", 3 },
    { "abc", "ca", 3 }, { "aa", "ab", 1 }, { "ba", "bb", 1 }, { "ax", "xb", 2 }, { "xa", "bx", 2 }, { "abab", "baba", 2 },
    { ("x"):rep(32), ("x"):rep(31), 1 }, { ("x"):rep(31), ("x"):rep(32), 1 }, { ("x"):rep(32), ("x"):rep(32), 0 },
    { ("x"):rep(33), ("x"):rep(33), 9 }, { ("x"):rep(33), "x", 9 }, { "x", ("x"):rep(33), 9 }, { ("x"):rep(500),
      ("x"):rep(500), 9 },
    { "abcdefghijkl", "mnopqrstuvwx", 9 }, { "торг", "трог", 1 }, { "торг", "торк", 1 }, { "торг", "торга", 1 },
    { ("ж"):rep(32), ("ж"):rep(31), 1 }, { ("ж"):rep(33), "ж", 9 }, { "\128\128", "\128", 1 }, { "😀", "😃", 1 },
  }
  for _, case in ipairs(cases) do
    it(("between %q and %q"):format(case[1], case[2]), function()
      assert.equal(case[3], core.distance(case[1], case[2], 9))
    end)
  end
end)

describe("options of one call", function()
  local function refused(pattern, options, name, ...)
    local client, driver = make { answer(200, "{}") }
    local arguments = { ... }
    arguments[#arguments + 1] = options
    local ok, value, err = pcall(client[name or "get_self"], client, (table.unpack or unpack)(arguments))
    local message = ok and (err and err.kind == "invalid" and err.message or "taken: " .. tostring(value)) or value
    assert.truthy(message:find(pattern), message)
    assert.equal(0, #driver.requests)
  end

  it("are checked", function()
    local nan, inf = 0 / 0, math.huge
    for _, timeout in ipairs { 0, -1, nan, inf, 86400.5 } do refused("timeout must be more than 0", { timeout = timeout }) end
    for _, retries in ipairs { -1, 11, 0.5, nan, inf, -inf } do refused("retries must be an integer from 0",
      { retries = retries }) end
    refused("retries must be an integer, got string", { retries = "1" })
    refused("user_id must be an integer, got boolean", { user_id = true })
    for _, id in ipairs { 0, -1, 1.5, nan, inf, "", "-", "+1", "1x", " 1", "9223372036854775808", "99999999999999999999",
      "999999999999999999999" } do
      refused("user_id must be a positive integer", { user_id = id })
    end
    refused("headers must be a table, got string", { headers = "a: b" })
    refused("headers must hold strings by name, got number = string", { headers = { "a: b" } })
    refused("headers has an empty header name", { headers = { [""] = "x" } })
    refused("call options must be a table, got number", 5)
    refused("unknown option '%[a number%]'", { 5 })
    refused("unknown option 'xyzzy'$", { xyzzy = 1 })
    for _, name in ipairs { "Authorization", "host", "Content-Length", "CONTENT-TYPE", "Transfer-Encoding", "connection", "Expect",
      "Upgrade" } do
      refused("sets itself", { headers = { [name] = "x" } })
    end
  end)

  it("may be as much as that", function()
    local client, driver = make(function() return answer(200, CHAT) end)
    assert(client:get_chat("c", { timeout = 86400, retries = 10, user_id = "9223372036854775807",
      headers = { ["X-Host"] = "x", ["hosts"] = "" } }))
    assert.truthy(driver.requests[1].url:find("/accounts/9223372036854775807/", 1, true))
    assert.equal("", header(driver.requests[1], "hosts"))
    assert(client:get_chat("c", { retries = 0 }))
    assert(client:get_chat("c", { retries = -0.0 }))
  end)

  it("of a request and of a download are checked too", function()
    local client, driver = make(function() return answer(200, CHAT) end)
    local _, err = client:request("GET", "/x", nil, { timeout = -1 })
    assert.equal("invalid", err.kind)
    for path, pattern in pairs { ["/a/."] = "segment", ["/./a"] = "segment", ["/.."] = "segment", ["/a#b"] = "fragment",
      ["/a\127"] = "control", ["/\208\176"] = "past ASCII", [""] = "begin with" } do
      _, err = client:request("GET", path)
      assert.truthy(err.message:find(pattern), err.message)
    end
    assert.equal(0, #driver.requests)
    for _, path in ipairs { "/...", "/.a", "/..a", "/a.", "/a..", "/.a.", "/-.", "/ab", "/", "/~" } do
      assert(client:request("GET", path), path)
    end
    assert(client:request("GET", "/" .. ("x"):rep(16384 - #"https://api.example/")))
    _, err = client:request("GET", "/" .. ("x"):rep(16385 - #"https://api.example/"))
    assert.truthy(err.message:find("16385 bytes; at most 16384"), err.message)
    local step = session():download("https://a/" .. ("x"):rep(16384 - 10), 0):next(0)
    assert.equal("send", step)
    step, err = session():download("https://a/" .. ("x"):rep(16385 - 10), 0):next(0)
    assert.equal("fail", step)
    assert.truthy(err.message:find("too long"))
  end)
end)

describe("arguments", function()
  local function refused(pattern, name, ...)
    local client, driver = make {}
    local ok, value, err = pcall(client[name], client, ...)
    local message = ok and err.message or value
    assert.truthy(message:find(pattern), message)
    assert.equal(0, #driver.requests)
  end

  local function list(length, value)
    local all = {}
    for i = 1, length do all[i] = value end
    return all
  end

  it("have a type", function()
    refused("limit must be an integer, got boolean", "get_chats", { limit = true })
    refused("item_ids must be an integer, got table", "get_chats", { item_ids = { {} } })
    refused("chat_types must be a string, got number", "get_chats", { chat_types = { 5 } })
    refused("users.context must be a table, got number", "add_to_blacklist", { { user_id = 1, context = 5 } })
    refused("users%[2%] must be a table, got string", "add_to_blacklist", { { user_id = 1 }, "2" })
    refused("users must be a list, got string", "add_to_blacklist", "1")
    refused("user_id must be an integer, got boolean", "add_to_blacklist", { { user_id = true } })
    refused("unknown option 'user_id'", "add_to_blacklist", { { user_id = 1, context = { user_id = 2 } } })
    refused("unknown option 'item_id'", "add_to_blacklist", { { user_id = 1, item_id = 2 } })
    refused("unknown option '%[a number%]'", "add_to_blacklist", { { user_id = 1, 5 } })
    refused("image.data must be a string, got nil", "upload_image", {})
    refused("image.data must be a string, got number", "upload_image", { data = 5 })
    refused("image.filename must be a string, got number", "upload_image", { data = "\255\216\255", filename = 5 })
    refused("unknown option '%[a number%]'", "upload_image", { "x" })
    refused("unknown option '%[a number%]'", "get_chats", { 5 })
  end)

  it("have bounds", function()
    local nan = 0 / 0
    for _, number in ipairs { 1.5, nan, math.huge, -math.huge, 2 ^ 63, 1e300, "", "-", "1.0", "0x1", "1e1" } do
      refused("limit must be an integer", "get_chats", { limit = number })
    end
    refused("offset must be from 0 to 1000, got %-1", "get_chats", { offset = -1 })
    refused("offset must be from 0 to 1000, got %-9223372036854775808", "get_chats", { offset = "-9223372036854775808" })
    refused("offset must be an integer", "get_chats", { offset = "-9223372036854775809" })
    refused("must be at least 1, got %-5", "get_chats", { item_ids = { -5 } })
    refused("has 1001 elements; at most 1000", "get_chats", { item_ids = list(1001, 1) })
    refused("has 101 elements; at most 100", "get_voice_files", list(101, "v"))
    refused("has 101 elements; at most 100", "add_to_blacklist", list(101, { user_id = 1 }))
    refused("must not be an empty list$", "get_voice_files", {})
    refused("leave it out instead", "get_chats", { item_ids = {} })
    refused("url is empty", "subscribe_webhook", "")
    refused("url has 2049 characters; at most 2048", "subscribe_webhook", "https://a/" .. ("x"):rep(2039))
    refused("chat_id has 513 bytes", "get_chat", ("x"):rep(513))
    refused("the URL has %d+ bytes; at most 16384", "get_chats", { item_ids = list(1000, "9223372036854775807") })
  end)

  it("may be as much as that", function()
    local client, driver = make(function() return answer(200, '{"chats":[],"voices_urls":{}}') end)
    assert(client:send_message("c", "x"))
    assert(client:get_chat(("x"):rep(512)))
    assert(client:get_chat("..."))
    assert(client:get_chat(".a"))
    assert(client:get_chats { limit = 100, offset = 1000, item_ids = list(1000, 1) })
    assert(client:get_chats { limit = 1, offset = -0.0 })
    assert.truthy(driver.requests[#driver.requests].url:find("limit=1&offset=0", 1, true))
    assert(client:get_chats { limit = "007", unread_only = false })
    assert.truthy(driver.requests[#driver.requests].url:find("unread_only=false&limit=7", 1, true))
    assert(client:get_chats { chat_types = { "a,b", "c" } })
    assert.truthy(driver.requests[#driver.requests].url:find("chat_types=a%2Cb,c", 1, true))
    assert(client:get_voice_files(list(100, "v")))
    assert(client:add_to_blacklist(list(100, { user_id = 1, context = {} })))
    assert(client:subscribe_webhook("https://a/" .. ("x"):rep(2038)))
    assert(client:get_chats())
  end)

  it("are a URL of 16384 bytes at most", function()
    local client, driver = make(function() return answer(200, '{"voices_urls":{}}') end)
    local start = #"https://api.example/messenger/v1/accounts/7/getVoiceFiles?voice_ids="
    assert(client:get_voice_files { ("x"):rep(16384 - start) })
    assert.equal(16384, #driver.requests[1].url)
    local _, err = client:get_voice_files { ("x"):rep(16385 - start) }
    assert.truthy(err.message:find("16385 bytes"), err.message)
    assert.truthy(err.fields.url)
  end)
end)

describe("an image", function()
  local JPEG = "\255\216\255\224"

  local function sent(image)
    local client, driver = make { answer(200, '{"1.a":{}}') }
    local id, err = client:upload_image(image)
    return id and driver.requests[1].body, err
  end

  it("keeps its name where that can stand between quotes, and has one that can otherwise", function()
    for name, expected in pairs { ["a b(1).jpeg"] = "a b(1).jpeg", ["~"] = "~", [" "] = " ", ['a"b'] = "image.jpg",
      ["a\\b"] = "image.jpg",
      ["a/b"] = "image.jpg", ["фото.jpg"] = "image.jpg", [""] = "image.jpg", [("x"):rep(255)] = ("x"):rep(255),
      [("x"):rep(256)] = "image.jpg" } do
      assert.truthy(sent({ data = JPEG, filename = name }):find('filename="' .. expected .. '"\r\n', 1, true), name)
    end
    for _, byte in ipairs { 0, 31, 127 } do
      local _, err = sent { data = JPEG, filename = "a" .. string.char(byte) }
      assert.truthy(err.message:find("control character"))
    end
  end)

  it("has at most 24 MB and 75 megapixels", function()
    local most = 24 * 1024 * 1024
    assert(sent { data = JPEG .. ("x"):rep(most - 4) })
    local _, err = sent { data = JPEG .. ("x"):rep(most - 3) }
    assert.truthy(err.message:find("has 25165825 bytes; at most 24 MB"))
    local function gif(width, height)
      return "GIF89a" .. string.char(width % 256, math.floor(width / 256), height % 256, math.floor(height / 256)) .. "\0\0\0;"
    end
    assert(sent { data = gif(10000, 7500) })
    _, err = sent { data = gif(10000, 7501) }
    assert.truthy(err.message:find("is 10000 by 7501 pixels; at most 75 megapixels"))
  end)
end)

describe("an option that is no list", function()
  it("is not left out for being an empty table", function()
    for _, option in ipairs { "offset", "unread_only" } do
      assert.has_error(function() session():operation("get_chats", 0, { [option] = {} }) end)
    end
  end)
end)

describe("core.session", function()
  it("needs a base_url, and a table", function()
    assert.has_error(function() core.session { access_token = "dummy" } end, "avito.client: base_url is missing")
    assert.has_error(function() core.session() end)
    assert.has_error(function() core.session { base_url = "https://a", refresh_token = "x", access_token = "y" } end,
      "avito.client: client_id and client_secret are needed with code or refresh_token")
    assert.has_error(function() core.session { base_url = "https://a", access_token = "y", timeout = "1" } end,
      "avito.client: timeout must be a number, got string")
    assert.has_error(function() core.session { base_url = "https://a", access_token = 5 } end,
      "avito.client: access_token must be a string, got number")
  end)

  it("is not taken for another kind of object", function()
    local shared = session()
    assert.has_error(function() shared.user_id(io.stdout) end)
    assert.has_error(function() shared.operation({}, "get_chat", 0, "c") end)
    assert.has_error(function() getmetatable(shared).__tostring(io.stdout) end)
    local op = shared:operation("get_chat", 0, "c")
    for _, name in ipairs { "next", "feed", "cancel", "name" } do
      assert.has_error(function() op[name](shared, 0, 0) end)
    end
    assert.has_error(function() getmetatable(op).__tostring(shared) end)
    assert.equal("avito_messenger.operation (get_chat)", tostring(op))
    assert.has_error(function() shared:operation("get_chatz", 0) end)
  end)
end)
