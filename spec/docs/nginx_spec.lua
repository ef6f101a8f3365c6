-- docs/nginx.md: its programs run, and it tells of every directive of the example.
local files = require "support.files"
local nginx = require "support.nginx"
local sandbox = require "support.sandbox"

describe("docs/nginx.md", function()
  local text = assert(files.read "docs/nginx.md")

  it("names every directive that examples/nginx/nginx.conf has for the bot's sake", function()
    local plain = { events = true, http = true, server = true, location = true, include = true, pid = true, error_log = true,
      access_log = true, allow = true, deny = true, server_tokens = true, keepalive_timeout = true,
      ["local"] = true, ["if"] = true }
    local count = 0
    for line in assert(files.read "examples/nginx/nginx.conf"):gmatch "[^\n]+" do
      local name = line:match "^%s*(%l[%l_]+)%s"
      if name and not plain[name] and not name:find "_temp_path$" then
        count = count + 1
        assert.is_truthy(text:find(name, 1, true), name)
      end
    end
    assert.is_true(count > 20)
  end)

  if not nginx.wanted() then return end

  it("shows a client without a bot that works", function()
    local section = text:match "\n## A client without a bot\n(.-)\n## "
    local market, directory = sandbox.start(), files.temporary()
    assert(os.execute(("mkdir -m 755 '%s'"):format(directory)))
    files.write(directory .. "/api.lua", (section:match "```lua\n(.-)```"))
    local server = nginx.start { workers = 2, server = section:match "```nginx\n(.-)```", directory = directory,
      init_worker = ('package.path = "%s/?.lua;" .. package.path'):format(directory),
      main = "env AVITO_BASE_URL; env AVITO_CLIENT_ID; env AVITO_CLIENT_SECRET;",
      env = { AVITO_BASE_URL = market.base_url, AVITO_CLIENT_ID = sandbox.client_id, AVITO_CLIENT_SECRET = sandbox.client_secret } }
    local unread = 0
    for _ = 1, 10 do
      local response = server:get "/unread"
      assert.equal(200, response.status, server:log())
      unread = tonumber(response.body)
    end
    assert.is_true(unread > 0)
    assert.equal(1, market:control("GET", "tokens").client_credentials) -- for all workers
    server:stop()
    market:stop()
    os.execute(("rm -r '%s'"):format(directory))
  end)
end)
