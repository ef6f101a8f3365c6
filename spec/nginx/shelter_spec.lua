-- A request whose caller goes away while it renews the token of all workers.
local nginx = require "support.nginx"
if not nginx.wanted() then return end
local places = require "nginx.support.place"
local socket = require "socket"

describe("a token that a request renews", function()
  local own, place = places.own(), nil

  before_each(own.begin)
  after_each(own.finish)

  it("is renewed, and unlocked, though nobody waits for the request any more", function()
    place = own.open { workers = 2, poll = false, plan = { shared = true }, http = "lua_check_client_abort on;",
      server = [[location = /self { content_by_lua_block {
        local found, err = require("nginx.support.shop").client:get_self()
        ngx.print(found and found.id or tostring(err))
      } }]] }
    place:until_well()
    assert.equal("94235311", place.server:get("/self").body)
    place.market:control("POST", "tokens/expire", {})
    place.market:control("POST", "faults", { operation = "token", kind = "latency", seconds = 0.5, times = 1 })
    local gone = socket.tcp()
    assert(gone:connect("127.0.0.1", place.server.port))
    gone:send "GET /self HTTP/1.1\r\nHost: x\r\n\r\n"
    place:until_true("the renewal", function() return place.market:control("GET", "faults").faults[1].struck > 0 end)
    gone:close()
    assert.equal("94235311", place.server:request { path = "/self", timeout = 10 }.body)
    place:stop()
  end)
end)
