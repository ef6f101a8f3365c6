local core = require "avito_messenger.core"

local function be(value, size)
  local bytes = {}
  for i = size, 1, -1 do
    bytes[i] = string.char(value % 256)
    value = math.floor(value / 256)
  end
  return table.concat(bytes)
end

local function le(value, size)
  return be(value, size):reverse()
end

local function probe(data)
  local name, width, height, mime = core.image_probe(data)
  return { name, width, height, mime }
end

-- JPEG

local SOI, EOI = "\255\216", "\255\217"

local function segment(marker, body)
  return "\255" .. string.char(marker) .. be(#body + 2, 2) .. body
end

local function frame(marker, width, height)
  return segment(marker, "\8" .. be(height, 2) .. be(width, 2) .. "\1\1\17\0")
end

-- HEIC

local function box(kind, body)
  return be(#body + 8, 4) .. kind .. body
end

local function big_box(kind, body)
  return be(1, 4) .. kind .. be(#body + 16, 8) .. body
end

local function full(kind, body, version, flags)
  return box(kind, be(version or 0, 1) .. be(flags or 0, 3) .. body)
end

local function ftyp(major, ...)
  return box("ftyp", major .. be(0, 4) .. table.concat { ... })
end

local function ispe(width, height)
  return full("ispe", be(width, 4) .. be(height, 4))
end

local HVCC = box("hvcC", ("\1"):rep(23))

local function meta(primary, properties, associations)
  return full("meta", full("hdlr", be(0, 4) .. "pict" .. be(0, 12) .. "\0") .. primary
    .. box("iprp", box("ipco", properties) .. associations))
end

local PITM = full("pitm", be(7, 2))

local function ipma(entries, version, flags)
  local id_size, index_size = version == 1 and 4 or 2, flags == 1 and 2 or 1
  local out = {}
  for i, entry in ipairs(entries) do
    local list = {}
    for j, index in ipairs(entry[2]) do
      list[j] = be(index, index_size)
    end
    out[i] = be(entry[1], id_size) .. be(#entry[2], 1) .. table.concat(list)
  end
  return full("ipma", be(#entries, 4) .. table.concat(out), version, flags)
end

local HEIC = ftyp("heic", "mif1", "heic")
  .. meta(PITM, HVCC .. ispe(512, 512) .. ispe(4032, 3024), ipma { { 1, { 0x81, 2 } }, { 7, { 0x81, 3 } } })

local function bmp(header_size, body)
  return "BM" .. le(1000, 4) .. le(0, 4) .. le(54, 4) .. le(header_size, 4) .. body
end

local PNG = "\137PNG\r\n\26\n" .. be(13, 4) .. "IHDR" .. be(640, 4) .. be(480, 4) .. "\8\2\0\0\0"

describe("image_probe", function()
  describe("JPEG", function()
    it("reads every kind of frame header", function()
      for marker = 0xC0, 0xCF do
        if marker ~= 0xC4 and marker ~= 0xC8 and marker ~= 0xCC then
          assert.same({ "jpeg", 1920, 1080, "image/jpeg" }, probe(SOI .. frame(marker, 1920, 1080)))
        end
      end
    end)

    it("walks over segments that are no frame", function()
      for _, marker in ipairs { 0xC4, 0xC8, 0xCC, 0xDB, 0xDD, 0xE0, 0xFE } do
        local data = SOI .. segment(marker, "\8" .. be(3, 2) .. be(4, 2)) .. frame(0xC0, 30, 20)
        assert.same({ "jpeg", 30, 20, "image/jpeg" }, probe(data))
      end
    end)

    it("is not misled by the thumbnail in its metadata", function()
      local thumbnail = SOI .. frame(0xC0, 160, 120) .. EOI
      local data = SOI .. segment(0xE1, "Exif\0\0" .. thumbnail) .. frame(0xC2, 4000, 3000)
      assert.same({ "jpeg", 4000, 3000, "image/jpeg" }, probe(data))
    end)

    it("passes fill bytes and markers that stand alone", function()
      local data = SOI .. "\255\255\255" .. segment(0xE0, "JFIF") .. "\255\1\255\208" .. "\255" .. frame(0xC0, 5, 6)
      assert.same({ "jpeg", 5, 6, "image/jpeg" }, probe(data))
    end)

    it("knows the format but no size where the header is cut off or broken", function()
      local whole = SOI .. segment(0xE0, "JFIF") .. frame(0xC0, 5, 6)
      for length = 3, #whole - 5 do
        assert.same({ "jpeg", nil, nil, "image/jpeg" }, probe(whole:sub(1, length)))
      end
      assert.same({ "jpeg", nil, nil, "image/jpeg" }, probe(SOI .. "\255\224\0\1" .. frame(0xC0, 5, 6)))
      assert.same({ "jpeg", nil, nil, "image/jpeg" }, probe(SOI .. segment(0xDA, "") .. frame(0xC0, 5, 6)))
      assert.same({ "jpeg", nil, nil, "image/jpeg" }, probe(SOI .. "\255" .. EOI .. frame(0xC0, 5, 6)))
      assert.same({ "jpeg", nil, nil, "image/jpeg" }, probe(SOI .. frame(0xC0, 5, 0)))
    end)
  end)

  it("reads PNG", function()
    assert.same({ "png", 640, 480, "image/png" }, probe(PNG))
    for length = 8, 23 do
      assert.same({ "png", nil, nil, "image/png" }, probe(PNG:sub(1, length)))
    end
    assert.same({ "png", nil, nil, "image/png" }, probe((PNG:gsub("IHDR", "IDAT"))))
  end)

  it("reads GIF", function()
    assert.same({ "gif", 300, 200, "image/gif" }, probe("GIF89a" .. le(300, 2) .. le(200, 2) .. "\0\0\0"))
    assert.same({ "gif", 300, 200, "image/gif" }, probe("GIF87a" .. le(300, 2) .. le(200, 2)))
    assert.same({ "gif", nil, nil, "image/gif" }, probe("GIF87a" .. le(300, 2) .. "\1"))
  end)

  describe("BMP", function()
    it("reads both families of headers", function()
      assert.same({ "bmp", 65535, 3, "image/bmp" }, probe(bmp(12, le(65535, 2) .. le(3, 2))))
      for _, size in ipairs { 16, 40, 52, 56, 64, 108, 124 } do
        assert.same({ "bmp", 70000, 3, "image/bmp" }, probe(bmp(size, le(70000, 4) .. le(3, 4))))
      end
    end)

    it("takes rows from the top down", function()
      assert.same({ "bmp", 800, 600, "image/bmp" }, probe(bmp(40, le(800, 4) .. le(2 ^ 32 - 600, 4))))
    end)

    it("is not seen in a text", function()
      assert.is_nil((core.image_probe("BMW 320i, 2012, один владелец")))
      assert.is_nil((core.image_probe("BM")))
    end)
  end)

  describe("HEIC", function()
    it("reads the extent of the primary item", function()
      assert.same({ "heic", 4032, 3024, "image/heic" }, probe(HEIC))
    end)

    it("knows every brand", function()
      for _, brand in ipairs { "heic", "heix", "hevc", "hevx", "heim", "heis", "hevm", "hevs", "mif1", "msf1" } do
        assert.equal("heic", probe(ftyp(brand))[1])
        assert.equal("heic", probe(ftyp("abcd", "isom", brand))[1])
      end
    end)

    it("prefers the primary item to a larger one", function()
      local data = ftyp("heic") .. meta(PITM, ispe(9000, 9000) .. ispe(640, 480), ipma { { 7, { 2 } } })
      assert.same({ "heic", 640, 480, "image/heic" }, probe(data))
    end)

    it("reads wide ids, wide indexes and several tables", function()
      local pitm = full("pitm", be(70000, 4), 1)
      local tables = ipma { { 7, { 1 } } } .. ipma({ { 70000, { 0x8002 } } }, 1, 1)
      local data = ftyp("heic") .. meta(pitm, ispe(9000, 9000) .. ispe(640, 480), tables)
      assert.same({ "heic", 640, 480, "image/heic" }, probe(data))
      local many = HVCC:rep(299) .. ispe(640, 480)
      data = ftyp("heic") .. meta(pitm, many, ipma({ { 70000, { 0x8000 + 300 } } }, 1, 1))
      assert.same({ "heic", 640, 480, "image/heic" }, probe(data))
    end)

    it("falls back to the largest extent", function()
      for _, associations in ipairs { "", ipma { { 8, { 1 } } }, ipma { { 7, { 99 } } } } do
        local data = ftyp("heic") .. meta(PITM, ispe(64, 48) .. ispe(640, 480) .. ispe(32, 24), associations)
        assert.same({ "heic", 640, 480, "image/heic" }, probe(data))
      end
    end)

    it("reads boxes with 64-bit sizes and one that reaches to the end", function()
      local body = meta(PITM, ispe(640, 480), ipma { { 7, { 1 } } }):sub(9)
      local mdat = big_box("mdat", ("x"):rep(100))
      assert.same({ "heic", 640, 480, "image/heic" }, probe(ftyp("heic") .. mdat .. big_box("meta", body)))
      assert.same({ "heic", 640, 480, "image/heic" }, probe(ftyp("heic") .. mdat .. be(0, 4) .. "meta" .. body))
    end)

    it("survives sizes that lie", function()
      local head = ftyp("heic")
      for _, size in ipairs { 0, 1, 2, 7, 8, 15, 16, 2 ^ 31, 2 ^ 32 - 1 } do
        assert.equal("heic", probe(head .. be(size, 4) .. "meta" .. ("\255"):rep(64))[1])
        assert.equal("heic", probe(head .. be(1, 4) .. "meta" .. be(size, 8) .. ("\255"):rep(64))[1])
      end
      assert.equal("heic", probe(head .. be(1, 4) .. "meta" .. ("\255"):rep(72))[1])
      assert.same({ "heic", nil, nil, "image/heic" },
        probe(head .. meta(PITM, "", full("ipma", be(2 ^ 32 - 1, 4) .. ("\0\7\255"):rep(3)))))
    end)

    it("does not look inside a box that is smaller than its own header", function()
      local body = meta(PITM, ispe(640, 480), ipma { { 7, { 1 } } }):sub(9)
      assert.same({ "heic", nil, nil, "image/heic" }, probe(ftyp("heic") .. be(4, 4) .. "meta" .. body))
      assert.same({ "heic", nil, nil, "image/heic" },
        probe(ftyp("heic") .. be(1, 4) .. "meta" .. be(9, 8) .. body))
    end)

    it("passes over more properties than can be numbered", function()
      local properties = ("\0\0\0\8free"):rep(300000) .. ispe(640, 480)
      local data = ftyp("heic") .. meta(PITM, properties, ipma { { 7, { 1 } } })
      assert.same({ "heic", 640, 480, "image/heic" }, probe(data))
    end)

    it("costs linear time however its tables refer to each other", function()
      local properties = ("\0\0\0\8free"):rep(32000) .. ispe(640, 480)
      local associations = full("ipma", be(4000, 4) .. ("\0\7\255" .. ("\125\0"):rep(255)):rep(4000), 0, 1)
      local data = ftyp("heic") .. meta(PITM, properties, associations)
      assert.same({ "heic", 640, 480, "image/heic" }, probe(data))
    end)
  end)

  it("survives any truncation and any single changed byte", function()
    local samples = { HEIC, PNG, SOI .. segment(0xE1, "Exif") .. frame(0xC0, 5, 6), bmp(40, le(1, 4) .. le(1, 4)) }
    for _, sample in ipairs(samples) do
      for length = 0, #sample do
        core.image_probe(sample:sub(1, length))
        for _, byte in ipairs { "\0", "\1", "\127", "\255" } do
          core.image_probe(sample:sub(1, length) .. byte .. sample:sub(length + 2))
        end
      end
    end
  end)

  it("names what it found instead", function()
    local expected = {
      { "", "an empty file" },
      { "RIFF\1\2\3\4WEBPVP8 ", "WebP" },
      { "II*\0\8\0\0\0", "TIFF" },
      { "MM\0*\0\0\0\8", "TIFF" },
      { "%PDF-1.7\n", "PDF" },
      { "PK\3\4\20\0", "a ZIP archive" },
      { "8BPS\0\1", "Photoshop" },
      { "\255\10\1\2", "JPEG XL" },
      { "\0\0\0\12JXL \r\n\135\n", "JPEG XL" },
      { "\0\0\0\12jP  \r\n\135\n", "JPEG 2000" },
      { "\26\69\223\163", "Matroska or WebM" },
      { ftyp("isom", "mp42"), "MP4" },
      { ftyp("qt  "), "MP4" },
      { ftyp("avif", "mif1", "miaf"), "AVIF" },
      { ftyp("mif1", "avif", "miaf"), "AVIF" },
      { "\n <!DOCTYPE html><html>", "HTML" },
      { "\239\187\191<HTML lang='ru'>", "HTML" },
      { "<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG" },
      { "<?xml version='1.0'?>\n<svg/>", "SVG" },
      { '{"error":1}', "text" },
      { "\1\2\3", "data of an unknown format" },
      { "\255\254\253", "data of an unknown format" },
    }
    for _, case in ipairs(expected) do
      local name, message = core.image_probe(case[1])
      assert.is_nil(name)
      assert.equal("JPEG, PNG, GIF, BMP or HEIC expected, found " .. case[2], message)
    end
  end)

  it("raises on anything but a string", function()
    assert.error_matches(function() core.image_probe(nil) end, "string expected")
    assert.error_matches(function() core.image_probe(1) end, "string expected")
  end)
end)
