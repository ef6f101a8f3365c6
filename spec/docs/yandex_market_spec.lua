-- docs/yandex_market.md: it tells of every method and its limit, and what it shows runs.
local core = require "avito_messenger.core"
local enums = require "avito_messenger.enums"
local files = require "support.files"
local sandbox = require "support.sandbox"
local script = require "support.script"
local avito = require "avito_messenger"
local market = require "avito_messenger.yandex_market"

local load_text = rawget(_G, "loadstring") or load
local unpack = table.unpack or unpack

describe("docs/yandex_market.md", function()
  local text = assert(files.read "docs/yandex_market.md")

  it("names every method, and its limit an hour", function()
    local client = market.client { api_key = "dummy-key", business_id = 1, io = script.driver {} }
    for name in pairs(getmetatable(client).__index) do
      assert.is_truthy(text:find("`client:" .. name .. "(", 1, true) or text:find("client:" .. name .. " {", 1, true), name)
    end
    for _, row in ipairs(core.endpoints "yandex_market") do
      local hourly = text:match("| an hour: `" .. row.name .. "` | (%d+) |") or text:match "| an hour: each of the others | (%d+) |"
      assert.equal(row.hourly, tonumber(hourly), row.name)
    end
  end)

  it("names every value of the enums", function()
    for name, values in pairs(enums.yandex_market) do
      assert.is_truthy(text:find("`market." .. name .. "`", 1, true), name)
      for _, value in pairs(values) do assert.is_truthy(text:find("`" .. value .. "`", 1, true), value) end
    end
  end)

  it("shows what is warned of as it is", function()
    local arguments, shown = text:match "```sh\navito%-messenger (check [^\n]+)\n```\n\n```\n(.-)```"
    local words = {}
    for word in arguments:gmatch "%S+" do words[#words + 1] = word end
    local code, output = sandbox.command(unpack(words))
    assert.same({ 0, shown }, { code, output })
  end)

  it("shows a program that answers who waits", function()
    local program = text:match "```lua\n(local market.-)```"
    local box, printed = avito.sandbox { seed = 1 }, {}
    program = program:gsub('api_key = "…", business_id = 2200001',
      ('io = IO, api_key = "%s", business_id = %d'):format(sandbox.api_key, sandbox.business_id))
    assert(load_text("local IO, print = ...\n" .. program))(box:driver(), function(...)
      printed[#printed + 1] = table.concat({ ... }, " ")
    end)
    assert.equal(2, #box:sends())
    assert.is_true(#printed > 2)
  end)
end)
