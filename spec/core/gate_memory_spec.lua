-- Every allocation of calls that take and wait for places in the gate is made to fail once.

local alloc = require "spec_support.alloc"
local core = require "avito_messenger.core"
local script = require "support.script"
local starved = require "support.starved"

local answer = script.answer
local OK = answer(200, '{"status":"OK","result":{"chatId":77}}')
local CROWDED = answer(420, '{"status":"ERROR","errors":null}', { ["X-RateLimit-Resource-Remaining"] = "12" })
local CLOSED = answer(420, "", { ["X-RateLimit-Resource-Until"] = "Wed, 21 Oct 2026 12:20:00 GMT",
  Date = "Wed, 21 Oct 2026 12:00:00 GMT" })

local OPTIONS = { base_url = "https://api.example", marketplace = "yandex_market", api_key = "dummy-key-1", business_id = 7,
  seed = "x", pace = { at_once = 2 } }

local function call(shared, now, timeout) return shared:operation("get_chat", now, 77, { timeout = timeout or 5000 }) end

describe("a gate without memory", function()
  it("raises and loses nothing", function()
    local function queue()
      local shared, ops, said = core.session(OPTIONS), {}, {}
      for i = 1, 4 do
        ops[i] = call(shared, 100, i == 4 and 1 or nil)
        said[i] = ops[i]:next(100)
      end
      said[5] = ops[4]:next(101)
      ops[1]:feed(101, 0, OK)
      said[6] = ops[3]:next(101)
      ops[2]:feed(102, 0, CROWDED)
      said[7] = ops[2]:next(102)
      ops[3]:feed(104, 0, CLOSED)
      said[8] = ops[3]:next(104)
      said[9] = call(shared, 104, 1):next(104)
      local other = core.session(OPTIONS)
      said[10] = tostring(other:pace(shared:pace(), 104))
      ops[2]:cancel()
      return table.concat(said, " ")
    end
    assert.equal("send send wait wait fail send wait wait fail true", starved(queue, 20))
  end)

  it("gives the place of a call back that raised", function()
    local shared = core.session(OPTIONS)
    local n, fired = 0
    repeat
      n = n + 1
      local op = call(shared, 100)
      local ok, _, refused = alloc.fail_at(n, op.next, op, 100)
      fired = refused
      if not ok then op:cancel() end -- as whoever carries it out does
      local one, other = call(shared, 100), call(shared, 100)
      assert.equal("send", (one:next(100)))
      assert.equal(ok and "wait" or "send", (other:next(100)))
      op:cancel()
      one:cancel()
      other:cancel()
    until not fired
    assert.is_true(n > 3)
  end)

  it("gives it back where nobody does", function()
    local shared = core.session(OPTIONS)
    local n, fired = 0
    repeat
      n = n + 1
      local op = call(shared, 100)
      fired = select(3, alloc.fail_at(n, op.next, op, 100))
      op = nil -- luacheck: ignore
      collectgarbage()
      collectgarbage()
      local one, other = call(shared, 100), call(shared, 100)
      assert.equal("send", (one:next(100)))
      assert.equal("send", (other:next(100)))
      one:cancel()
      other:cancel()
    until not fired
    assert.is_true(n > 3)
  end)
end)
