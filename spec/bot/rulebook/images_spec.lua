local files = require "support.files"
local images = require "avito_messenger.bot.rulebook.images"
local rulebook = require "avito_messenger.bot.rulebook"

describe("the images of a rulebook", function()
  it("are files beside it", function()
    assert.equal("shop/a.png", images.path("a.png", "shop/"))
    assert.equal("shop/photos/a.png", images.path("photos/a.png", "shop/"))
    assert.equal("shop/./a", images.path("./a", "shop/"))
    assert.equal("a.png", images.path("a.png", ""))
    assert.equal("a.png", images.path("a.png"))
  end)

  it("may stand anywhere else", function()
    for _, path in ipairs { "/var/a.png", "\\\\server\\a.png", "C:\\a.png", "c:/a.png" } do
      assert.equal(path, images.path(path, "shop/"))
    end
  end)

  it("may be ids", function()
    for _, id in ipairs { "12345.0a1b2c3d", "10000001.ffffffffffffffffffffffffffffffff", "photo" } do
      assert.is_nil(images.path(id, "shop/"))
    end
    assert.equal("shop/1.png", images.path("1.png", "shop/"))
  end)

  describe("of a file", function()
    local directory
    before_each(function()
      directory = files.temporary()
      assert(os.execute("mkdir '" .. directory .. "' && cp examples/phone.png '" .. directory .. "/front.png'"))
    end)
    after_each(function() os.execute("rm -r '" .. directory .. "'") end)

    local function load(image)
      local file = assert(io.open(directory .. "/rules.lua", "w"))
      file:write(([[return require("avito_messenger").rulebook {
  { "фото", hears = "фото", image = %s },
}]]):format(image))
      file:close()
      return rulebook.load(directory .. "/rules.lua")
    end

    it("are there when it is loaded", function()
      local book = assert(load [["front.png"]])
      assert.equal(directory .. "/", book.directory)
      assert.same({ "front.png" }, book.rules[1].image)
      assert(load [[{ "front.png", "12345.0a1b2c3d" }]])
      assert(load(("%q"):format(directory .. "/front.png")))
    end)

    it("or are a mistake of it", function()
      local book, err = load [[{ "front.png", "back.png", "side.png" }]]
      assert.is_nil(book)
      local prefix = directory .. "/rules.lua:2: rule 'фото': image: "
      assert.equal(prefix .. ("there is no file '%s/back.png', where 'back.png' was looked for\n"):format(directory) ..
        prefix .. ("there is no file '%s/side.png', where 'side.png' was looked for"):format(directory), err.message)
    end)
  end)

  it("of a table are looked for when they are sent", function()
    assert(rulebook.compile { { "фото", hears = "фото", image = "nowhere.png" } })
  end)

  it("of a file in the working directory need no directory", function()
    local name = "rulebook-of-a-spec.lua"
    local file = assert(io.open(name, "w"))
    file:write 'return require("avito_messenger").rulebook { { "a", hears = "a", image = "examples/phone.png" } }'
    file:close()
    local book, err = rulebook.load(name)
    os.remove(name)
    assert(book, tostring(err))
    assert.equal("", book.directory)
  end)
end)
