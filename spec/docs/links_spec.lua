-- What the documents link to is there.
local links = require "support.links"

describe("links", function()
  for path, least in pairs { ["README.md"] = 15, ["CONTRIBUTING.md"] = 1, ["docs/nginx.md"] = 10, ["docs/reliability.md"] = 1,
    ["docs/rulebook.md"] = 1, ["docs/watching.md"] = 1, ["docs/yandex_market.md"] = 20 } do
    it("lead somewhere: " .. path, function()
      assert.is_true(links.check(path) >= least)
    end)
  end
end)
