--- The file of a multipart form; images, which have checks of their own, are in spec/files_spec.lua.
local core = require "avito_messenger.core"
local script = require "support.script"

local MOST = 5 * 1024 * 1024

local function send(file)
  local session = core.session { marketplace = "yandex_market", base_url = "https://api.example", api_key = "dummy-api-key",
    business_id = 5, seed = "x" }
  local step, request = session:operation("send_file", 0, 7, file):next(0)
  if step == "fail" then return nil, request end
  return request
end

local function refused(file)
  local request, err = send(file)
  assert.is_nil(request)
  assert.same({ "invalid", false }, { err.kind, err.dispatched })
  assert.equal(err.message, err.fields.file)
  return err.message
end

local function part_of(request)
  local boundary = script.header(request, "Content-Type"):match "^multipart/form%-data; boundary=(%x+)$"
  return boundary, request.body:match("^%-%-" .. boundary .. "\r\n(.-)\r\n\r\n(.*)\r\n%-%-" .. boundary .. "%-%-\r\n$")
end

describe("a file of any kind", function()
  it("is one part under its name", function()
    local data = "%PDF-1.7\0\r\n--\255"
    local request = assert(send { data = data, filename = "act.pdf" })
    local _, head, body = part_of(request)
    assert.equal('Content-Disposition: form-data; name="file"; filename="act.pdf"\r\n'
      .. "Content-Type: application/octet-stream", head)
    assert.equal(data, body)
  end)

  it("that is a picture says so", function()
    local _, head = part_of(assert(send { data = "\255\216\255\224 not much of one", filename = "photo" }))
    assert.truthy(head:find('filename="photo"\r\nContent-Type: image/jpeg', 1, true))
  end)

  it("may have any name that a file has", function()
    for name, written in pairs {
      ["акт сверки.pdf"] = "акт сверки.pdf", ['the "act".pdf'] = "the %22act%22.pdf", ["a;b=c.txt"] = "a;b=c.txt",
      [("ы"):rep(127) .. "a"] = ("ы"):rep(127) .. "a", ["..."] = "...",
    } do
      local _, head = part_of(assert(send { data = "x", filename = name }))
      assert.equal(written, head:match 'filename="([^"]*)"\r\n')
    end
  end)

  it("may not have a name that is none", function()
    assert.equal('file needs a filename, such as "receipt.pdf"', refused { data = "x" })
    for _, name in ipairs { "", ".", "..", "a/b", "/", "a\\b", ("a"):rep(256), ("ы"):rep(128), "\255.pdf" } do
      assert.equal("file has a filename that is none: 1 to 255 bytes of UTF-8 are, without / and \\",
        refused { data = "x", filename = name })
    end
    for _, name in ipairs { "a\r\nX: 1", "a\nb", "a\0b", "\127" } do
      assert.equal("file has a filename with a control character (NUL, CR, LF or the like)",
        refused { data = "x", filename = name })
    end
  end)

  it("has from one byte to 5 MB", function()
    assert.equal("file is an empty file", refused { data = "", filename = "a.txt" })
    assert.equal(MOST, #select(3, part_of(assert(send { data = ("x"):rep(MOST), filename = "a.txt" }))))
    assert.equal(("file has %d bytes; at most 5 MB are allowed"):format(MOST + 1),
      refused { data = ("x"):rep(MOST + 1), filename = "a.txt" })
  end)

  it("on disk is sent from there", function()
    local request = assert(send { path = "/tmp/act.pdf", size = MOST, start = "%PDF", filename = "act.pdf" })
    local boundary = script.header(request, "Content-Type"):match "boundary=(%x+)$"
    assert.is_nil(request.body)
    assert.same({ path = "/tmp/act.pdf", size = MOST, tail = "\r\n--" .. boundary .. "--\r\n",
      head = "--" .. boundary .. '\r\nContent-Disposition: form-data; name="file"; filename="act.pdf"\r\n'
        .. "Content-Type: application/octet-stream\r\n\r\n" }, request.upload)
    assert.equal(("file has %d bytes; at most 5 MB are allowed"):format(MOST + 1),
      refused { path = "a", size = MOST + 1, start = "", filename = "a.txt" })
    assert.equal("file is an empty file", refused { path = "a", size = 0, start = "", filename = "a.txt" })
    assert.equal("file has a path with a zero byte", refused { path = "a\0b", size = 1, start = "x", filename = "a.txt" })
    assert.equal('file needs a filename, such as "receipt.pdf"', refused { path = "a", size = 1, start = "x" })
  end)

  it("is told as a table of strings", function()
    for message, file in pairs {
      ["send_file: file must be a path or a table with data, got number"] = 5,
      ["send_file: file.data must be a string, got nil"] = {},
      ["send_file: file.filename must be a string, got number"] = { data = "x", filename = 5 },
      ["send_file: file.size must be a number of bytes, got nil"] = { path = "a", start = "x", filename = "a" },
      ["send_file: unknown option 'file_name' (did you mean 'filename'?)"] = { data = "x", file_name = "a" },
    } do
      local ok, err = pcall(send, file)
      assert.is_false(ok)
      assert.truthy(err:find(message, 1, true), err)
    end
  end)
end)
