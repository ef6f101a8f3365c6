local curl = require "avito_messenger.curl"
local files = require "support.files"
local process = require "spec_support.process"
local raw_server = require "support.raw_server"
local transfers = require "support.transfers"

local temporary, write, read = files.temporary, files.write, files.read

describe("the files of an exchange", function()
  local server, path

  setup(function() server = raw_server.start() end)
  teardown(function() server:stop() end)
  before_each(function()
    path = temporary()
    server:requests()
  end)
  after_each(function()
    assert.equal(0, files.open_at(path))
    os.remove(path)
  end)

  local function through_easy(request)
    local handle = curl.easy()
    local response = handle:perform(request)
    local open = files.open_at(path)
    handle:close()
    assert.equal(0, open)
    return response
  end

  local function through_multi(request)
    local multi = transfers.new()
    local id = multi:add(request)
    local done
    repeat done = multi:step(10) until done[1]
    assert.equal(0, files.open_at(path))
    multi:close()
    assert.equal(id, done[1].id)
    return done[1].response
  end

  for name, perform in pairs { easy = through_easy, multi = through_multi } do
    describe("of an " .. name .. ":", function()
      local function download(what, fields)
        fields = fields or {}
        fields.output = fields.output or path
        return perform(server:request(what, fields))
      end

      local function upload(what, given, fields)
        fields = fields or {}
        fields.method = fields.method or "POST"
        fields.upload = { path = path }
        for key, value in pairs(given) do fields.upload[key] = value end
        return perform(server:request(what, fields))
      end

      it("an answer is written as it comes", function()
        assert.same({ status = 200, head = "HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n", body = "", bytes = 300000 },
          download "/large")
        assert.equal(("0123456789"):rep(30000), read(path))
      end)

      it("an answer without a body empties the file", function()
        write(path, "old")
        local response = download "/empty"
        assert.same({ 204, "", 0 }, { response.status, response.body, response.bytes })
        assert.equal("", read(path))
      end)

      it("an answer that is none of 2xx goes into memory", function()
        write(path, "old")
        local response = download "/missing"
        assert.same({ 404, "nothing" }, { response.status, response.body })
        assert.is_nil(response.bytes)
        assert.equal("", read(path))
      end)

      it("a file has the rights of any new one", function()
        download "/ok"
        local other = temporary()
        write(other, "x")
        local pipe = io.popen(("stat -c %%a %s %s"):format(path, other))
        assert.equal(pipe:read "*l", pipe:read "*l")
        pipe:close()
        os.remove(other)
      end)

      it("a long answer is cut off at its bound", function()
        local response = download("/large", { max_bytes = 1000 })
        assert.equal("decode", response.error)
        assert.matches("is longer than 1000 bytes", response.message)
        assert.equal(1000, download("/exact", { max_bytes = 1000 }).bytes)
      end)

      it("an answer that breaks off is a failure of the network", function()
        assert.equal("network", download "/cut".error)
        assert.equal("timeout", download("/half", { timeout = 0.1 }).error)
      end)

      it("a file that cannot be written is told before anything is sent", function()
        local target = temporary()
        write(target, "old")
        os.execute(("ln -s %s %s"):format(target, path))
        for output, why in pairs { ["/nonexistent/x"] = "No such file or directory", ["/tmp"] = "Is a directory",
          [path] = "Too many levels of symbolic links" } do
          assert.same({ error = "file", dispatched = false, message = ("cannot write %s: %s"):format(output, why) },
            download("/ok", { output = output }))
        end
        assert.equal("old", read(target))
        assert.equal(0, #server:requests())
        os.remove(target)
      end)

      it("a disk that is full is told", function()
        local full = io.open("/dev/full", "wb")
        if not full then return pending "there is no /dev/full here" end
        full:close()
        assert.same({ error = "file", dispatched = true, message = "cannot write /dev/full: No space left on device" },
          download("/large", { output = "/dev/full" }))
      end)

      it("a pipe that nobody reads is not waited for", function()
        os.execute("mkfifo " .. path)
        assert.equal(("cannot write %s: No such device or address"):format(path), download "/ok".message)
        assert.equal(("cannot read %s: it is not a regular file"):format(path), upload("/ok", { size = 0 }).message)
        assert.equal(0, #server:requests())
      end)

      it("a body is sent as far as was asked, in its frame, with its length", function()
        write(path, "0123456789")
        local body = upload("/echo", { size = 5, head = "head\0", tail = "tail" }, { headers = { "Content-Type: a/b" } }).body
        assert.equal(table.concat({
          "POST /echo HTTP/1.1", "Host: 127.0.0.1:" .. server.port, "Accept: */*", "Accept-Encoding: gzip",
          "Content-Type: a/b", "Content-Length: 14", "", "head\00001234tail",
        }, "\n"), body)
        assert.matches("^PUT /echo .-\n\n01$", upload("/echo", { size = 2 }, { method = "PUT" }).body)
        assert.matches("^PATCH /echo .-\nContent%-Length: 0\n\n$", upload("/echo", { size = 0 }, { method = "PATCH" }).body)
        assert.matches("\n\n2tail$", upload("/echo", { size = 0, head = "2", tail = "tail" }).body)
      end)

      it("a large body is sent whole, without waiting for 100", function()
        local bytes = {}
        for i = 0, 255 do bytes[#bytes + 1] = string.char(i) end
        local data = table.concat(bytes):rep(8 * 1024)
        write(path, data)
        local head, tail = ("h"):rep(65536), ("t"):rep(65536)
        local body = upload("/echo", { size = #data, head = head, tail = tail }, { max_bytes = 3000000 }).body
        local start = body:find("\n\n", 1, true)
        assert.is_true(body:sub(start + 2) == head .. data .. tail)
        assert.not_matches("Expect", body:sub(1, start))
        assert.not_matches("Content%-Type", body:sub(1, start))
      end)

      it("a body and an answer can both be files", function()
        local other = temporary()
        write(path, "x")
        assert.equal(1, upload("/length", { size = 1 }, { output = other }).bytes)
        assert.equal("1", read(other))
        os.remove(other)
      end)

      it("a file that cannot be read is told before anything is sent, and before another is emptied", function()
        local other = temporary()
        write(path, "01234")
        write(other, "old")
        for file, why in pairs { [path] = "the file has become shorter", ["/nonexistent/x"] = "No such file or directory",
          ["/tmp"] = "it is not a regular file" } do
          assert.same({ error = "file", dispatched = false, message = ("cannot read %s: %s"):format(file, why) },
            upload("/ok", { path = file, size = 6 }, { output = other }))
        end
        assert.equal("old", read(other))
        assert.equal(0, #server:requests())
        os.remove(other)
      end)

      it("an upload that the server does not take has its answer", function()
        write(path, "x")
        assert.same({ 404, "nothing" }, { upload("/missing", { size = 1 }).status, upload("/missing", { size = 1 }).body })
      end)

      it("misuse is named", function()
        local function misuse(message, given, fields)
          assert.error_matches(function() upload("/ok", given, fields) end, message)
        end
        write(path, "x")
        misuse("upload: a GET has none", { size = 1 }, { method = "GET" })
        misuse("upload: a DELETE has none", { size = 1 }, { method = "DELETE" })
        misuse("give body or upload, not both", { size = 1 }, { body = "" })
        misuse("upload.size: number of bytes expected, got nil", {})
        misuse("upload.size: number of bytes expected, got string", { size = "1" })
        misuse("upload.size must not be negative", { size = -1 })
        misuse("upload.path: string expected, got number", { path = 1 })
        misuse("upload.path holds a zero byte", { path = "a\0b" })
        misuse("upload.head: string expected, got boolean", { size = 1, head = true })
        misuse("upload.tail: string expected, got table", { size = 1, tail = {} })
        misuse("upload.head is longer than 65536 bytes", { size = 1, head = ("x"):rep(65537) })
        misuse("upload.tail is longer than 65536 bytes", { size = 1, tail = ("x"):rep(65537) })
        misuse("output: string expected, got number", { size = 1 }, { output = 1 })
        misuse("output holds a zero byte", { size = 1 }, { output = "a\0b" })
        for wrong, got in pairs { [1] = "number", x = "string" } do
          assert.error_matches(function() perform(server:request("/ok", { method = "POST", upload = wrong })) end,
            "upload: table expected, got " .. got)
        end
        assert.error_matches(function() perform(server:request("/ok", { method = "POST", upload = {} })) end,
          "upload.path: string expected, got nil")
        assert.equal(0, #server:requests())
      end)

      it("a size no file has is refused, not wrapped around", function()
        write(path, "x")
        for _, size in ipairs { 2 ^ 53, 2 ^ 63, 2 ^ 64, math.huge } do
          assert.equal(("cannot read %s: the file has become shorter"):format(path),
            upload("/ok", { size = size, head = "x", tail = "x" }).message)
        end
      end)
    end)
  end

  it("leave the handle as it was for other requests", function()
    local handle = curl.easy()
    write(path, "file")
    local framed = { path = path, size = 4 }
    for _ = 1, 2 do
      assert.matches("\n\nfile$", handle:perform(server:request("/echo", { method = "POST", upload = framed })).body)
      assert.matches("\n\nbody$", handle:perform(server:request("/echo", { method = "POST", body = "body" })).body)
      assert.matches("Content%-Length: 0\n\n$", handle:perform(server:request("/echo", { method = "POST" })).body)
      assert.matches("^GET .-gzip\n\n$", handle:perform(server:request "/echo").body)
      assert.equal("nothing", handle:perform(server:request("/missing", { output = path .. "2" })).body)
      assert.same({ "ok", nil }, { handle:perform(server:request "/ok").body })
      assert.equal(2, handle:perform(server:request("/ok", { output = path .. "2" })).bytes)
      assert.is_nil(handle:perform(server:request "/ok").bytes)
    end
    assert.equal("ok", read(path .. "2"))
    os.remove(path .. "2")
    handle:close()
  end)

  it("are no part of a request that was refused", function()
    local handle = curl.easy()
    local response = handle:perform { method = "GET", url = "http://example.invalid/", timeout = 1, output = path }
    assert.equal("network", response.error)
    assert.is_nil(read(path))
    assert.error_matches(function() handle:perform(server:request("/ok", { headers = { 1 }, output = path })) end, "headers")
    assert.is_nil(read(path))
    handle:close()
  end)

  it("may not become shorter while they are sent", function()
    local multi = transfers.new()
    write(path, ("x"):rep(1000000))
    multi:add(server:request("/ok", { method = "POST", timeout = 60, upload = { path = path, size = 1000000 } }))
    write(path, "x")
    local done
    for _ = 1, 100 do -- and not until its time is over
      done = multi:step(0.1)
      if done[1] then break end
    end
    assert.same({ error = "file", dispatched = true, message = ("cannot read %s: the file has become shorter"):format(path) },
      done[1].response)
    multi:close()
  end)

  it("that cannot be closed may not be whole", function()
    path = path .. ".unclosable"
    local output = raw_server.interposed(([[
      local handle = require "avito_messenger.curl".easy()
      for _, what in ipairs { "/ok", "/missing", "/cut" } do
        local response = handle:perform { method = "GET", url = %q .. what, timeout = 5, output = %q }
        print(response.error, response.dispatched, response.message or response.body)
      end
    ]]):format(server.url, path))
    assert.equal(("file\ttrue\tcannot write %s: No space left on device\nnil\tnil\tnothing\n"):format(path)
      .. ("network\ttrue\tthe connection to 127.0.0.1:%d broke in the middle of the answer\n"):format(server.port), output)
  end)

  describe("are closed", function()
    local multi

    local function begin()
      multi = transfers.new()
      write(path, "x")
      local id = multi:add(server:request("/half", { method = "POST", output = path .. "2",
        upload = { path = path, size = 1 } }))
      repeat assert.same({}, multi:step(0.01)) until read(path .. "2") == "half"
      assert.equal(2, files.open_at(path) + files.open_at(path .. "2"))
      return id
    end

    local function check()
      assert.equal(0, files.open_at(path) + files.open_at(path .. "2"))
    end

    after_each(function()
      multi:close()
      os.remove(path .. "2")
    end)

    it("to programs the caller starts", function()
      begin()
      local child = process.spawn({ "sh", "-c", "ls -l /proc/$$/fd" }, { stdout = "pipe" })
      assert.is_nil(child:read_all():find(path, 1, true))
      assert.same({ "exit", 0 }, { child:wait() })
    end)

    it("when the exchange is cancelled", function()
      local id = begin()
      assert.is_true(multi:cancel(id))
      check()
    end)

    it("when the exchange is cancelled before it began", function()
      multi = transfers.new()
      local id = multi:add(server:request("/ok", { output = path }))
      assert.equal(1, files.open_at(path))
      assert.is_false(multi:cancel(id))
      assert.equal(0, files.open_at(path))
    end)

    it("when the multi is", function()
      begin()
      multi:close()
      check()
    end)

    it("when the multi is collected", function()
      begin()
      multi = transfers.new()
      collectgarbage()
      collectgarbage()
      check()
    end)

    it("in a forked child that closes its copy", function()
      begin()
      local how, status, output = process.fork(function()
        multi:close()
        return tostring(files.open_at(path) + files.open_at(path .. "2"))
      end)
      assert.same({ "exit", 0, "0" }, { how, status, output })
      assert.equal(2, files.open_at(path) + files.open_at(path .. "2"))
    end)
  end)

  it("are never in memory as a whole", function()
    local function peak(script)
      local child = process.spawn({ raw_server.lua(), "-e", ([[
        local handle = require "avito_messenger.curl".easy()
        local url, path = %q, %q
        local function peak()
          for line in io.lines "/proc/self/status" do
            local kilobytes = line:match "^VmHWM:%%s*(%%d+)"
            if kilobytes then return tonumber(kilobytes) end
          end
        end
        handle:perform { method = "GET", url = url .. "/ok", timeout = 10, output = path .. "2" }
        handle:perform { method = "POST", url = url .. "/length", timeout = 10, upload = { path = path, size = 100000 } }
        local before = peak()
        print(%s)
        print(peak() - before)
      ]]):format(server.url, path, script) }, { stdout = "pipe" })
      local result, growth = child:read_line(30), tonumber((child:read_line()))
      assert.same({ "exit", 0 }, { child:wait() })
      return result, growth
    end
    write(path, ("x"):rep(24 * 1024 * 1024))
    local result, growth = peak [[handle:perform { method = "POST", url = url .. "/length", timeout = 30,
      upload = { path = path, size = 24 * 1024 * 1024 } }.body]]
    assert.equal("25165824", result)
    assert.is_true(growth < 8 * 1024, growth)
    result, growth = peak [[handle:perform { method = "GET", url = url .. "/huge", timeout = 30, output = path .. "2",
      max_bytes = 64 * 1024 * 1024 }.bytes]]
    assert.equal("62914560", result)
    assert.is_true(growth < 8 * 1024, growth)
    os.remove(path .. "2")
  end)
end)
