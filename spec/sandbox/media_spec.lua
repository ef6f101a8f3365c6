local support = require "support.sandbox"
local images = require "avito_messenger.sandbox.images"
local multipart = require "avito_messenger.sandbox.multipart"

local UPLOAD = "/messenger/v1/accounts/94235311/uploadImages"

local function be(value, size)
  local bytes = {}
  for i = size, 1, -1 do
    bytes[i] = string.char(value % 256)
    value = math.floor(value / 256)
  end
  return table.concat(bytes)
end
local function le(value, size) return be(value, size):reverse() end

local function png(width, height) return "\137PNG\r\n\26\n" .. be(13, 4) .. "IHDR" .. be(width, 4) .. be(height, 4) .. "rest" end
local samples = {
  png = png,
  gif = function(width, height) return "GIF89a" .. le(width, 2) .. le(height, 2) .. "rest" end,
  bmp = function(width, height) return "BM" .. ("\0"):rep(16) .. le(width, 4) .. le(height, 4) .. "rest" end,
  jpeg = function(width, height)
    return "\255\216\255\224" .. be(4, 2) .. "JF" .. "\255\255\194" .. be(11, 2) .. "\8" .. be(height, 2) ..
      be(width, 2) .. "rest"
  end,
  heic = function(width, height)
    return be(24, 4) .. "ftypheic" .. ("\0"):rep(12) .. be(20, 4) .. "ispe" .. be(0, 4) .. be(width, 4) .. be(height, 4)
  end,
}

local function form(data, name, filename)
  return ('--B\r\nContent-Disposition: form-data; name="%s"%s\r\nContent-Type: image/png\r\n\r\n%s\r\n--B--\r\n'):format(
    name or "uploadfile[]", filename == false and "" or '; filename="a.png"', data)
end

describe("sandbox images", function()
  it("are told by their bytes, with their size", function()
    for format, make in pairs(samples) do
      assert.same({ format, 640, 480 }, { images.inspect(make(640, 480)) })
    end
    for format, make in pairs(samples) do
      for length = 0, 9 do assert.is_nil((images.inspect(make(640, 480):sub(1, length))), format) end
    end
    assert.is_nil((images.inspect("plain text, no image at all")))
    -- Huffman tables have a marker among the frame headers'; a length below 2 points into itself.
    local frame = "\255\194" .. be(11, 2) .. "\8" .. be(480, 2) .. be(640, 2)
    assert.same({ "jpeg", 640, 480 }, { images.inspect("\255\216\255\196" .. be(8, 2) .. "tables" .. frame) })
    assert.is_nil((images.inspect("\255\216\255\224" .. be(0, 2) .. frame)))
    assert.is_nil((images.inspect("\255\216\255\224" .. be(1, 2) .. frame:sub(2))))
  end)

  describe("uploaded", function()
    local inside
    before_each(function() inside = support.inside() end)

    local function upload(body, content_type)
      return inside:send { method = "POST", path = UPLOAD, body = body, headers = {
        authorization = "Bearer " .. inside:grant().access_token,
        ["content-type"] = content_type or "multipart/form-data; boundary=B" } }
    end

    local function upload_id(data)
      return upload(form(data)).body:match('"(%d+%.%w+)":{')
    end

    it("get an id and addresses that serve them", function()
      local data = png(640, 480)
      local response = upload(form(data))
      assert.equal(200, response.status)
      local path = response.body:gsub("\\/", "/"):match('"140x105":"http://127%.0%.0%.1:8077(/[^"]+)"')
      local file = inside:send { path = path }
      assert.equal(data, file.body)
      assert.equal("image/png", file.headers["Content-Type"])
      assert.equal(404, inside:send({ path = "/files/images/none/140x105.jpg" }).status)
    end)

    it("can be sent, by the account that has them", function()
      local chat = inside:chat().id
      local path = "/messenger/v1/accounts/94235311/chats/" .. chat .. "/messages/image"
      local answer, status = inside:api("POST", path, { image_id = upload_id(png(1, 1)) })
      assert.equal(200, status)
      assert.equal("image", answer.type)
      assert.equal(94235311, answer.author_id)
      assert.is_string(answer.content.image.sizes["1280x960"])
      assert.equal("image", inside.box:sends()[1].type)
      for _, body in ipairs { { image_id = "1.x" }, { image_id = "" }, '{"image_id":5}', "{}" } do
        answer, status = inside:api("POST", path, body)
        assert.equal(400, status)
        assert.is_string(answer.error.fields.image_id)
      end
      assert.equal(1, #inside.box:sends())
    end)

    it("cannot be sent by another account", function()
      local id = upload_id(png(1, 1))
      local other = inside:grant { client_id = "dummy-client-id-2", client_secret = "dummy-client-secret-2" }.access_token
      local chat = inside.box.market.account_list[2].chats[1].id
      local answer, status = inside:api("POST", "/messenger/v1/accounts/100000002/chats/" .. chat .. "/messages/image",
        { image_id = id }, other)
      assert.equal(400, status)
      assert.is_string(answer.error.fields.image_id)
    end)

    it("are one of five formats", function()
      for format, make in pairs(samples) do assert.is_string(upload_id(make(10, 10)), format) end
      local response = upload(form("%PDF-1.4"))
      assert.equal(400, response.status)
      assert.is_truthy(response.body:find("uploadfile[]", 1, true))
    end)

    it("have 75 megapixels at most", function()
      assert.is_string(upload_id(png(75000, 1000)))
      assert.equal(400, upload(form(png(75001, 1000))).status)
    end)

    it("have 24 MB at most", function()
      local data = png(10, 10)
      assert.is_string(upload_id(data .. ("x"):rep(24 * 1024 * 1024 - #data)))
      assert.equal(413, upload(form(data .. ("x"):rep(24 * 1024 * 1024 - #data + 1))).status)
    end)

    it("come as one file in the right field", function()
      local data = png(1, 1)
      assert.equal(400, upload(form(data, "file")).status)
      assert.equal(400, upload(form(data, nil, false)).status)
      assert.equal(400, upload((form(data):gsub("%-%-B%-%-\r\n$", "")) .. form(data)).status)
      assert.equal(400, upload("--B--\r\n").status)
      assert.equal(400, upload(form(data), "multipart/form-data").status)
      assert.equal(400, upload("nothing").status)
      assert.equal(415, upload(form(data), "image/png").status)
    end)
  end)
end)

describe("multipart", function()
  it("reads parts, their names and their bytes", function()
    local parts = multipart.read('multipart/form-data; boundary="x y"', "preamble\r\n--x y\r\n" ..
      'content-disposition: form-data; name=a\r\n\r\n\r\n--x y \r\nContent-Disposition: form-data; name="b"; ' ..
      'filename="c d"\r\n\r\n1\r\n--x\r\n--x y--\r\nend')
    assert.same({ { name = "a", data = "" }, { name = "b", filename = "c d", data = "1\r\n--x" } }, parts)
  end)

  it("refuses what does not end", function()
    for _, body in ipairs { "", "--B", "--B\r\n", '--B\r\nContent-Disposition: form-data; name="a"\r\n\r\n1',
      '--B\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--B', "--B\r\nX: 1\r\n\r\n1\r\n--B--",
      '--B\r\nContent-Disposition: attachment; name="a"\r\n\r\n1\r\n--B--' } do
      local parts, problem = multipart.read("multipart/form-data; boundary=B", body)
      assert.is_nil(parts)
      assert.is_string(problem)
    end
  end)
end)

describe("a boundary", function()
  it("has 70 characters at most (RFC 2046, 5.1.1)", function()
    for length, fine in pairs { [70] = true, [71] = false } do
      local mark = ("b"):rep(length)
      local parts = multipart.read("multipart/form-data; boundary=" .. mark, "--" .. mark .. "--")
      assert.equal(fine, parts ~= nil)
    end
  end)
end)

describe("sandbox voice files", function()
  local inside
  local PATH = "/messenger/v1/accounts/94235311/getVoiceFiles?"
  before_each(function() inside = support.inside() end)

  local function say_voice(item)
    inside.box:say { buyer = 200000001, item = item or 4098549657, type = "voice", voice_id = "v-" .. (item or 0) }
  end

  it("have an address for an hour", function()
    say_voice()
    local url = inside:api("GET", PATH .. "voice_ids=v-0").voices_urls["v-0"]
    local path = url:match("^http://127%.0%.0%.1:8077(/.*)$")
    local file = inside:send { path = path }
    assert.equal(200, file.status)
    assert.equal("audio/mp4", file.headers["Content-Type"])
    assert.equal("ftyp", file.body:sub(5, 8))
    assert.is_truthy(file.body:find("Opus", 1, true))
    inside.now = inside.now + 3600
    assert.equal(200, inside:send({ path = path }).status)
    inside.now = inside.now + 1
    assert.equal(403, inside:send({ path = path }).status)
    assert.equal(404, inside:send({ path = (path:gsub("expires=%d+", "expires=9999999999")) }).status)
  end)

  it("are those of the account's own chats", function()
    say_voice()
    say_voice(4200000001)
    for _, query in ipairs { "voice_ids=v-0,v-4200000001,none", "voice_ids=v-0&voice_ids=v-4200000001" } do
      local urls = inside:api("GET", PATH .. query).voices_urls
      assert.is_string(urls["v-0"])
      assert.is_nil(urls["v-4200000001"])
    end
  end)

  it("are asked for by id", function()
    local answer, status = inside:api("GET", PATH)
    assert.equal(400, status)
    assert.is_string(answer.error.fields.voice_ids)
    assert.equal(400, select(2, inside:api("GET", PATH .. "voice_ids=")))
  end)
end)
