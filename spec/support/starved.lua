--- A call whose every allocation is made to fail once: for specs of refused memory (*_memory_spec.lua).
local alloc = require "spec_support.alloc"
local assert = require "luassert"

--- Each time it raises for lack of memory, or comes to what it comes to with enough of it: the collector could make up for the
--- failure. `least`: how often it allocates at least. Returns what it comes to.
---@param call fun(): any
---@param least integer
return function(call, least)
  local expected = call()
  local n, fired = 0
  repeat
    n = n + 1
    local ok, result
    ok, result, fired = alloc.fail_at(n, call)
    if fired and not ok then
      -- What a stack that cannot grow says in Lua 5.4, whatever the reason.
      local text = tostring(result)
      assert.truthy(text:find("not enough memory", 1, true) or text:find("stack overflow", 1, true), text)
    else
      assert.equal(expected, result)
    end
  until not fired
  assert.is_true(n > least)
  assert.equal(expected, call())
  return expected
end
