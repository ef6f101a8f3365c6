local core = require "avito_messenger.core"
local json = require "avito_messenger.json"

describe("picker", function()
  local PATHS = { "a", "b", "b.c", "b.c.d", "b.e" }
  local pick = core.picker(PATHS)

  -- What decode makes of it: the same, but tables are nobody's.
  local function expected(text)
    local function member(value, name)
      if type(value) ~= "table" or text:find "^%s*%[" then return nil end
      return value[name]
    end
    local whole = json.decode(text)
    local b = member(whole, "b")
    local c = member(b, "c")
    return { member(whole, "a"), b, c, member(c, "d"), member(b, "e") }
  end

  local function assert_picked(text)
    local got, wanted = { pick(text) }, expected(text)
    assert.is_true(got[1], text)
    for i, path in ipairs(PATHS) do
      local value = wanted[i]
      if type(value) == "table" then
        assert.same({}, got[i + 1], path .. " of " .. text)
      else
        assert.equal(value, got[i + 1], path .. " of " .. text)
      end
    end
  end

  it("gives the values of the paths, in their order", function()
    assert.same({ true, 1, {}, {}, "x", false }, { pick '{"z":[{"a":2}],"b":{"q":[1,[2]],"c":{"d":"x"},"e":false},"a":1}' })
  end)

  it("gives what decode gives", function()
    for _, text in ipairs { "{}", "[]", "null", "7", '"a"', '[{"a":1}]', '{"a":null}', '{"b":[{"c":1}]}', '{"b":"c"}',
      '{"a":12345678901234567890,"b":{"c":{"d":1e3,"c":{"d":2}},"e":-0.5}}', '{"a":9007199254740993}', '{"A":1,"aa":2,"":3,"a ":4}',
      [[{"\u0061":"\u0416","b":{"\u0063":{"\u0064":"\"\n"}}}]], '{"b.c":1,"b":{"e":true}}', '{"a":"' .. ("Ж"):rep(100) .. '"}',
      '{"b":{"c":{"d":1}},"b":{"e":2}}', '{"b":{"c":{"d":1}},"b":null}', '{"b":{"c":{"d":1},"c":5}}', '{"a":1,"a":null,"a":2}',
      '{"b":{"c":{"d":1}},"b":7}', '{"b":null,"b":{"c":{"d":1,"d":null}}}', '{"x":{"a":1,"b":{"c":{"d":2}}},"a":[[],{}]}' } do
      assert_picked(text)
    end
  end)

  it("refuses what decode refuses, with its words", function()
    local text = '{"a":1,"b":{"c":[1,2,{"d":null}],"e":"x"},"z":"\\u0416"}'
    for at = 1, #text do
      for _, broken in ipairs { text:sub(1, at - 1), text:sub(1, at - 1) .. "\255" .. text:sub(at + 1), text:sub(1, at) .. "}" } do
        local value, problem = core.decode(broken)
        if problem then
          assert.same({ value, problem }, { pick(broken) })
        else
          assert_picked(broken)
        end
      end
    end
  end)

  it("takes texts of any size, one after another", function()
    for _, count in ipairs { 1, 10000, 1, 100 } do
      local text = '{"x":[' .. ('{"a":[1,"\\n"]},'):rep(count) .. '0],"b":{"c":{"d":"y"}},"a":"\\t"}'
      assert.same({ true, "\t", {}, {}, "y" }, { pick(text) })
    end
  end)

  it("raises for wrong arguments", function()
    local many = {}
    for i = 1, 17 do many[i] = "a" .. i end
    assert.error_matches(function() core.picker {} end, "1 to 16 paths expected")
    assert.error_matches(function() core.picker(many) end, "1 to 16 paths expected")
    assert.error_matches(function() core.picker { "a", 1 } end, "paths must be strings")
    assert.error_matches(function() core.picker { "a.b", "a" } end, "what 'a.b' lies in must stand before it")
    assert.error_matches(function() core.picker "a" end, "table expected")
    assert.error_matches(function() pick(1) end, "string expected")
  end)

  it("keeps its paths", function()
    local kept = core.picker { ("x"):rep(3) .. tostring(7), ("x"):rep(3) .. tostring(7) .. ".y" }
    collectgarbage()
    assert.same({ true, {}, 1 }, { kept '{"xxx7":{"y":1}}' })
  end)
end)

describe("has_control", function()
  it("finds NUL, CR, LF and the like", function()
    for code = 0, 255 do
      assert.equal(code < 32 or code == 127, core.has_control("a" .. string.char(code) .. "b"))
    end
    assert.is_false(core.has_control "")
    assert.is_false(core.has_control "Торг есть?")
  end)
end)

