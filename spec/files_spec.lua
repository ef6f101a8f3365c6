local core = require "avito_messenger.core"
local files = require "support.files"
local raw_server = require "support.raw_server"
local sandbox = require "support.sandbox"
local script = require "support.script"

local temporary, write, read, beginning = files.temporary, files.write, files.read, files.beginning

local answer, failure, header = script.answer, script.failure, script.header
local make = script.client

local JPEG = "\255\216\255\224 not much of one"

--- The message of what the function raises, which must blame a line of this file.
local function raised(fn)
  local ok, message = pcall(fn)
  assert.is_false(ok)
  assert.truthy(tostring(message):find("^spec/files_spec.lua:%d+: "), tostring(message))
  return message
end

describe("upload_image", function()
  local path

  before_each(function() path = temporary() end)
  after_each(function() os.remove(path) end)

  it("leaves the bytes of a file in it", function()
    write(path, JPEG)
    local client, driver = make { answer(200, '{"1.a":{"32x32":"u"}}') }
    local id, sizes = client:upload_image(path)
    assert.equal("1.a", id)
    assert.same({ ["32x32"] = "u" }, sizes)
    local request = driver.requests[1]
    assert.is_nil(request.body)
    assert.same({ path, #JPEG }, { request.upload.path, request.upload.size })
    assert.truthy(request.upload.head:find('filename="' .. path:match("[^/]*$") .. '"', 1, true))
  end)

  it("sends of a file what it sends of the same bytes", function()
    write(path, JPEG)
    local server = raw_server.start()
    local driver = require "avito_messenger.io.blocking".new()
    -- All that the server sees: it gives the request back. The same seed makes the same boundary.
    local function sent(image)
      local session = script.session { base_url = server.url, access_token = "dummy" }
      local _, request = session:operation("upload_image", 0, image):next(0)
      return request, driver:perform(request).body
    end
    local whole, expected = sent { data = JPEG, filename = "phone.jpg" }
    assert.equal(expected:sub(-#whole.body), whole.body)
    for _, start in ipairs { JPEG, JPEG:sub(1, 4) } do
      local framed, body = sent { path = path, size = #JPEG, start = start, filename = "phone.jpg" }
      assert.is_nil(framed.body)
      assert.equal(expected, body)
    end
    driver:close()
    server:stop()
  end)

  it("sends a file again after a failure that may pass", function()
    write(path, JPEG)
    local client, driver = make { answer(503), answer(200, '{"1.a":{}}') }
    assert(client:upload_image(path))
    assert.equal(script.body(driver.requests[1]), script.body(driver.requests[2]))
  end)

  it("refuses of a file what it refuses of the same bytes, in the same words", function()
    local wide = "\137PNG\r\n\026\n\0\0\0\013IHDR\0\1\36\249\0\0\3\232"
    local client, driver = make {}
    for _, data in ipairs { "%PDF-1.4", wide, "\255\216\255\224" .. ("x"):rep(24 * 1024 * 1024) } do
      write(path, data)
      local _, expected = client:upload_image { data = data }
      local _, err = client:upload_image(path)
      assert.equal("invalid", err.kind)
      assert.equal(expected.message, err.message)
      assert.same(expected.fields, err.fields)
    end
    write(path .. "\n", JPEG)
    local _, err = client:upload_image(path .. "\n")
    os.remove(path .. "\n")
    assert.truthy(err.message:find("control character", 1, true))
    assert.equal(0, #driver.requests)
  end)

  it("takes 24 MB", function()
    write(path, "\255\216\255\224" .. ("x"):rep(24 * 1024 * 1024 - 4))
    local client, driver = make { answer(200, '{"1.a":{}}') }
    assert(client:upload_image(path))
    assert.equal(24 * 1024 * 1024, driver.requests[1].upload.size)
  end)

  it("finds the size in pixels behind what a camera writes before it", function()
    local segment = "\255\225\255\255" .. ("x"):rep(65533)
    write(path, "\255\216" .. segment:rep(7) .. "\255\192\0\11\8\255\255\255\255\1\1\17\0")
    local _, err = make({}):upload_image(path)
    assert.truthy(err.message:find("65535 by 65535 pixels", 1, true))
  end)

  it("refuses what is no file, or empty", function()
    local client = make {}
    write(path, "")
    local function refused(given, message)
      local _, err = client:upload_image(given)
      assert.equal("invalid", err.kind)
      assert.is_false(err.dispatched)
      assert.truthy(err.message:find(message, 1, true), err.message)
    end
    refused(path, path .. ": the file is empty")
    refused("/nonexistent/x", "/nonexistent/x: No such file or directory")
    refused("/tmp", "/tmp: Is a directory")
    refused({ path = "a\0b", size = 20, start = JPEG }, "image has a path with a zero byte")
    refused({ path = path, size = 0, start = JPEG }, "by its first bytes, an empty file")
  end)

  it("does not repeat what a file made fail", function()
    write(path, JPEG)
    for _, dispatched in ipairs { true, false } do
      local client, driver = make { { error = "file", message = "cannot read " .. path, dispatched = dispatched } }
      local _, err = client:upload_image(path)
      assert.equal(1, #driver.requests)
      assert.same({ "invalid", "cannot read " .. path, dispatched }, { err.kind, err.message, err.dispatched })
    end
  end)

  it("takes call options, and bytes", function()
    local client, driver = make { answer(200, '{"1.a":{}}') }
    assert(client:upload_image({ data = "\255\216\255" }, { timeout = 3 }))
    assert.equal(3, driver.requests[1].timeout)
    assert.truthy(driver.requests[1].body:find('filename="image.jpg"', 1, true))
  end)

  it("names what it cannot take, and the line that called", function()
    local client = make {}
    local function refused(message, image, call_options)
      assert.truthy(raised(function() return (client:upload_image(image, call_options)) end):find(message, 1, true))
    end
    refused("image must be a path or a table with data, got nil")
    refused("image.path must be a string, got number", { path = 1 })
    refused("image.start must be a string, got nil", { path = "x" })
    refused("image.size must be a number of bytes, got nil", { path = "x", start = "x" })
    refused("image.size must be a number of bytes, got string", { path = "x", start = "x", size = "1" })
    refused("image.size must be a number of bytes, got number", { path = "x", start = "x", size = 1.5 })
    refused("image.size must be a number of bytes, got number", { path = "x", start = "x", size = -1 })
    refused("image.filename must be a string, got number", { path = "x", start = "x", size = 1, filename = 1 })
    refused("unknown option 'tiemout'", { data = JPEG }, { tiemout = 1 })
  end)
end)

local URLS = '{"voices_urls":{"v1":"https://cdn.example/v1"}}'

-- Both downloads: what is called, and the answers before the one that matters.
local DOWNLOADS = {
  download_voice = { "v1", answer(200, URLS) },
  download_image = { { ["32x32"] = "https://cdn.example/32", ["64x48"] = "https://cdn.example/64", ["9x9"] = "x" } },
}

for name, case in pairs(DOWNLOADS) do
  describe(name, function()
    local path

    before_each(function() path = temporary() end)
    after_each(function() os.remove(path) end)

    local function with(last, options)
      return make(case[2] and { case[2], last } or { last }, options)
    end

    it("saves the bytes, without showing the token to the other host", function()
      local client, driver = with(answer(200, "\0\1bytes"))
      write(path, "old")
      assert.is_true(client[name](client, case[1], path))
      assert.equal("\0\1bytes", read(path))
      assert.same({ path }, beginning(path))
      local request = driver.requests[#driver.requests]
      assert.equal("download", request.purpose)
      assert.is_nil(header(request, "Authorization"))
      assert.equal(path, request.output:match "^(.*)%.%x%x%x%x%x%x%x%x%.part$")
    end)

    it("leaves no half of a file", function()
      write(path, "old")
      for _, last in ipairs { answer(404), failure("network", true), failure("cancelled", true),
        { error = "file", message = "cannot write x", dispatched = true } } do
        local client, driver = with(last, { retries = 0 })
        driver.before = function(request) if request.output then write(request.output, "half") end end
        local value, err = client[name](client, case[1], path)
        assert.is_nil(value)
        assert.is_true(err.dispatched)
        assert.equal("old", read(path))
        assert.same({ path }, beginning(path))
      end
    end)

    it("leaves no half of a file when the driver raises", function()
      write(path, "old")
      local client, driver = with(answer(200, "x"))
      local problem = {}
      driver.before = function(request)
        if request.output then
          write(request.output, "half")
          error(problem)
        end
      end
      local ok, raised_problem = pcall(client[name], client, case[1], path)
      assert.is_false(ok)
      assert.equal(problem, raised_problem)
      assert.same({ path }, beginning(path))
    end)

    it("does not repeat what the disk made fail", function()
      local client, driver = with { error = "file", message = "cannot write x: No space left on device", dispatched = true }
      local _, err = client[name](client, case[1], path)
      assert.same({ "invalid", "cannot write x: No space left on device", true }, { err.kind, err.message, err.dispatched })
      assert.equal(case[2] and 2 or 1, #driver.requests)
    end)

    it("tells events how many bytes came", function()
      local bytes
      local client = with(answer(200, "12345"), { on_event = function(event) bytes = event.bytes end })
      assert(client[name](client, case[1], path))
      assert.equal(5, bytes)
    end)

    it("leaves nothing behind where the file cannot take its place", function()
      local client = with(answer(200, "x"))
      os.execute("mkdir " .. path)
      local _, err = client[name](client, case[1], path)
      assert.same({ path }, beginning(path))
      assert.equal("invalid", err.kind)
      assert.is_true(err.dispatched)
      assert.equal(("cannot write %s: Is a directory"):format(path), err.message)
      os.execute("rmdir " .. path)
    end)

    it("says what is wrong", function()
      local client = with(answer(200, "x"))
      local _, err = client[name](client, case[1], "/nonexistent/x")
      assert.equal("invalid", err.kind)
      assert.truthy(err.message:find("/nonexistent/x", 1, true))
    end)

    it("takes no part of a path with a zero byte for the path of another file", function()
      write(path, "old")
      local client, driver = with(answer(200, "x"))
      local _, err = client[name](client, case[1], path .. "\0x")
      assert.same({ "invalid", "the path of the file has a zero byte" }, { err.kind, err.message })
      assert.equal(0, #driver.requests)
      assert.same({ path }, beginning(path))
      assert.equal("old", read(path))
      os.remove(path)
    end)

    it("needs a driver that writes files", function()
      local client, driver = with(answer(200, "x"))
      local last = #driver.answers
      function driver.perform(_, request) return request.output and answer(200, "x") or driver.answers[last - 1] end
      local ok, message = pcall(client[name], client, case[1], path)
      assert.is_false(ok)
      assert.truthy(message:find("this driver does not write an answer to request.output", 1, true))
    end)
  end)
end

describe("download_voice", function()
  it("is one call with one deadline", function()
    local first = answer(200, URLS)
    first.takes = 1.5
    local client, driver = make { first, answer(200, "x") }
    local path = temporary()
    assert(client:download_voice("v1", path, { timeout = 2 }))
    os.remove(path)
    assert.is_true(driver.requests[2].timeout <= 0.5)
  end)

  it("says what is wrong", function()
    local _, err = make({ answer(200, '{"voices_urls":{}}') }):download_voice("v1", "/tmp/x")
    assert.equal("not_found", err.kind)
    _, err = make({ answer(200, '{"voices_urls":{"v1":"http://cdn.example/v1"}}') }):download_voice("v1", "/tmp/x")
    assert.equal("invalid", err.kind)
    assert.truthy(err.message:find("plain http"))
    assert.has_error(function() make({}):download_voice("v1") end)
  end)
end)

describe("download_image", function()
  local path

  before_each(function() path = temporary() end)
  after_each(function() os.remove(path) end)

  it("takes an address, or the largest of several sizes", function()
    for _, case in ipairs {
      { "https://cdn.example/a", "https://cdn.example/a" },
      { { ["640x480"] = "https://cdn.example/b", ["1280x960"] = "https://cdn.example/c" }, "https://cdn.example/c" },
      { { ["99x9"] = "https://cdn.example/d", ["100x9"] = "https://cdn.example/e", ["9x100000x9"] = "x" },
        "https://cdn.example/e" },
    } do
      local client, driver = make { answer(200, "x") }
      assert(client:download_image(case[1], path))
      assert.equal(case[2], driver.requests[1].url)
    end
  end)

  it("keeps the deadline and the retries of its call", function()
    local client, driver = make { answer(503), answer(503) }
    local _, err = client:download_image("https://cdn.example/a", path, { timeout = 7, retries = 1 })
    assert.equal("server", err.kind)
    assert.equal(7, driver.requests[1].timeout)
    assert.equal(2, #driver.requests)
  end)

  it("says what is wrong", function()
    local client, driver = make {}
    for _, image in ipairs { {}, { original = "https://cdn.example/a" }, { ["0x0"] = "https://cdn.example/a" } } do
      local _, err = client:download_image(image, path)
      assert.equal("not_found", err.kind)
      assert.truthy(err.message:find('of the form "WxH"', 1, true))
    end
    local _, err = client:download_image("ftp://cdn.example/a", path)
    assert.equal("invalid", err.kind)
    assert.equal(0, #driver.requests)
    assert.same({}, beginning(path))
  end)

  it("names what it cannot take, and the line that called", function()
    local client = make {}
    local function refused(message, ...)
      local image, to, call_options = ...
      assert.truthy(raised(function() return (client:download_image(image, to, call_options)) end):find(message, 1, true))
    end
    refused("path must be a string, got nil", "https://cdn.example/a")
    refused("image must be a string or a table, got nil", nil, path)
    refused("image must be a string or a table, got number", 5, path)
    refused("image must hold addresses by size, got a number for a size", { "https://cdn.example/a" }, path)
    refused("image['sizes'] must be a string, got table", { sizes = {} }, path)
    refused("unknown option 'tiemout'", "https://cdn.example/a", path, { tiemout = 1 })
  end)
end)

describe("a temporary name", function()
  it("is another one each time", function()
    local session = core.session { base_url = "https://api.example", access_token = "dummy", seed = "x", user_agent = "x",
      timeout = 1, retries = 0 }
    local first = session:nonce()
    assert.matches("^%x%x%x%x%x%x%x%x$", first)
    assert.not_equal(first, session:nonce())
  end)
end)

describe("the sandbox's driver", function()
  local path, driver

  before_each(function()
    path = temporary()
    driver = sandbox.inside().box:driver()
  end)
  after_each(function() os.remove(path) end)

  local function perform(fields)
    local request = { method = "GET", url = "https://api.example/files/images/avatar/1x1", headers = {}, timeout = 5 }
    for field, value in pairs(fields) do request[field] = value end
    return driver:perform(request)
  end

  it("writes answers to files", function()
    local expected = perform {}
    local response = perform { output = path }
    assert.same({ "", #expected.body }, { response.body, response.bytes })
    assert.equal(expected.body, read(path))
    response = perform { output = path, url = "https://api.example/files/images/none/1x1" }
    assert.same({ 404, nil, "no such image\n", "" }, { response.status, response.bytes, response.body, read(path) })
  end)

  it("tells of files that cannot be written or read before it does anything", function()
    assert.same({ error = "file", dispatched = false, message = "cannot write /nonexistent/x: No such file or directory" },
      perform { output = "/nonexistent/x" })
    write(path, "x")
    for file, why in pairs { ["/nonexistent/x"] = "No such file or directory", ["/tmp"] = "Is a directory",
      [path] = "the file has become shorter" } do
      assert.same({ error = "file", dispatched = false, message = ("cannot read %s: %s"):format(file, why) },
        perform { method = "POST", upload = { path = file, size = 2 } })
    end
  end)

  it("tells of a full disk", function()
    local full = io.open("/dev/full", "wb")
    if not full then return pending "there is no /dev/full here" end
    full:close()
    assert.same({ error = "file", dispatched = true, message = "cannot write /dev/full: No space left on device" },
      perform { output = "/dev/full" })
  end)
end)
