local core = require "avito_messenger.core"

local decode = core.decode
local is_54 = math.type ~= nil
local infinity = math.huge

local function rejected(text, options)
  local value, message = decode(text, options)
  assert.is_nil(value, "accepted: " .. text:sub(1, 60))
  assert.is_string(message)
  return message
end

-- What a test asserts of one value, in an array so that nil has a place.
local function value_of(text)
  local list, message = decode("[" .. text .. "]")
  assert.is_nil(message)
  return list[1]
end

local function is_integer(value)
  if is_54 then
    return math.type(value) == "integer"
  end
  return type(value) == "number" and value % 1 == 0
end

describe("decode", function()
  describe("values", function()
    it("takes any value as the root", function()
      assert.equal("a", decode '"a"')
      assert.equal(1, decode "1")
      assert.equal(1.5, decode "1.5")
      assert.is_true(decode "true")
      assert.is_false(decode "false")
      assert.same({}, decode "{}")
      assert.same({}, decode "[]")
      assert.same({ a = { 1, { b = "c" }, {}, true } }, decode '{"a":[1,{"b":"c"},[],true]}')
    end)

    it("allows white space between tokens, of the four kinds", function()
      assert.same({ a = { 1, 2 } }, decode ' \t\r\n{ \n"a"\t:\r[ 1 , 2 ] } \n')
      for _, space in ipairs { "\11", "\12", "\194\160", "\226\128\168" } do
        rejected("[1," .. space .. "2]")
      end
    end)

    it("makes nil of null: alone, and left out of objects and lists", function()
      assert.equal(1, select("#", decode "null"))
      assert.is_nil((decode " null "))
      assert.same({ b = 1 }, decode '{"a":null,"b":1,"c":null}')
      assert.same({ 1, 2, { 3 } }, decode "[null,1,null,null,2,[null,3],null]")
      assert.same({}, decode "[null]")
      assert.same({}, decode '{"a":null}')
    end)

    it("lets the last of equal names win, a null too", function()
      assert.same({ a = 2, b = 3 }, decode '{"a":1,"b":3,"a":2}')
      assert.same({ a = { 1 } }, decode '{"a":{"b":{}},"\\u0061":[1]}')
      assert.same({ b = 1 }, decode '{"a":1,"b":1,"a":null}')
      assert.same({ a = 2 }, decode '{"a":1,"a":null,"a":2}')
    end)

    it("keeps every element of a large list and object", function()
      local numbers, members = {}, {}
      for i = 1, 100000 do
        numbers[i] = i
        members[i] = ('"k%d":%d'):format(i, i)
      end
      assert.same(numbers, decode("[" .. table.concat(numbers, ",") .. "]"))
      local object = decode("{" .. table.concat(members, ",") .. "}")
      for i = 1, 100000 do
        if object["k" .. i] ~= i then
          error("k" .. i .. " is wrong")
        end
      end
    end)
  end)

  describe("strings", function()
    it("takes every escape", function()
      assert.equal("\"\\/\8\12\n\r\t", decode [["\"\\\/\b\f\n\r\t"]])
      assert.equal("aЖ€\0z", decode [["a\u0416\u20aC\u0000z"]])
      assert.equal("\127\194\128\223\191\224\160\128\239\191\191", decode [["\u007f\u0080\u07ff\u0800\uffff"]])
      assert.equal("\240\144\128\128\244\143\191\191", decode [["\ud800\udc00\uDBFF\uDFFF"]])
      assert.equal("\237\159\191\238\128\128", decode [["\ud7ff\ue000"]])
    end)

    it("takes escapes in names", function()
      assert.same({ ["a\"b"] = 1, ["Ж"] = 2, [""] = 3 }, decode [[{"a\"b":1,"\u0416":2,"":3}]])
    end)

    it("refuses escapes that do not exist", function()
      for _, escape in ipairs { "x41", "'", "a", "0", "U0041", "u", "u1", "u12", "u123", "u123g", "u 123",
        "u+123", "\1",
        "\208\150" } do
        rejected('"\\' .. escape .. '"')
      end
      rejected '"\\'
      rejected '"\\"'
    end)

    it("refuses surrogates without their pair", function()
      for _, text in ipairs { [[\ud800]], [[\udc00]], [[\ud800x]], [[\ud800\n]], [[\ud800\ud800]], [[\udc00\ud800]],
        [[\ud800\u0041]], [[\udbff\ue000]], [[\ud83d\ud83d\ude00]], [[\ud800\]], [[\ud800\u]], [[\ud800\udc0]] } do
        rejected('"' .. text .. '"')
      end
    end)

    it("refuses control characters, takes all others", function()
      for code = 0, 31 do
        rejected('"a' .. string.char(code) .. 'b"')
        rejected('{"a' .. string.char(code) .. 'b":1}')
      end
      assert.equal("\127", decode '"\127"')
    end)

    it("finds what ends or breaks a string at every distance", function()
      for length = 0, 70 do
        local plain = ("x"):rep(length)
        assert.equal(plain, decode('"' .. plain .. '"'))
        assert.equal(plain .. "\n", decode('"' .. plain .. '\\n"'))
        assert.equal(plain .. "Ж" .. plain, decode('"' .. plain .. "Ж" .. plain .. '"'))
        assert.same({ [plain] = 1 }, decode('{"' .. plain .. '":1}'))
        for _, bad in ipairs { "\0", "\31", "\n", "\128", "\255" } do
          assert.matches("at byte " .. length + 2 .. " ", rejected('"' .. plain .. bad .. '"'))
          assert.matches("at byte " .. length + 2 .. " ", rejected('"' .. plain .. bad .. ("y"):rep(40) .. '"'))
        end
        assert.matches("at byte " .. length + 2 .. " ", rejected('"' .. plain))
      end
    end)

    it("tells texts apart that share their length and most of their bytes", function()
      for length = 1, 140 do
        local names, parts = {}, {}
        for i = 1, length do
          names[i] = ("a"):rep(i - 1) .. "b" .. ("a"):rep(length - i)
          parts[i] = ('"%s":"%s"'):format(names[i], names[i])
        end
        local text = "{" .. table.concat(parts, ",") .. "}"
        for _ = 1, 3 do
          local object = decode(text)
          for _, name in ipairs(names) do
            if object[name] ~= name then
              error(name .. " is wrong")
            end
          end
        end
      end
    end)

    it("tells texts of one letter apart", function()
      for code = 35, 91 do
        local parts = {}
        for length = 1, 40 do
          parts[length] = ('"%s":%d'):format(string.char(code):rep(length), length)
        end
        local text = "{" .. table.concat(parts, ",") .. "}"
        for _ = 1, 3 do
          local object = decode(text)
          for length = 1, 40 do
            if object[string.char(code):rep(length)] ~= length then
              error(length .. " times " .. string.char(code) .. " is wrong")
            end
          end
        end
      end
    end)

    it("has room for a long escaped text behind many values", function()
      local escaped, plain = ("\\n"):rep(1000), ("\n"):rep(1000)
      for count = 50, 5000, 150 do
        local list = decode("[" .. ("1,"):rep(count) .. '"' .. escaped .. '"]')
        assert.equal(plain, list[count + 1])
      end
    end)

    it("takes well-formed UTF-8 and nothing else", function()
      local good = { "\194\128", "\223\191", "\224\160\128", "\224\191\191", "\225\128\128", "\236\191\191",
        "\237\128\128",
        "\237\159\191", "\238\128\128", "\239\191\191", "\240\144\128\128", "\240\191\191\191", "\241\128\128\128",
        "\243\191\191\191", "\244\128\128\128", "\244\143\191\191" }
      for _, text in ipairs(good) do
        assert.equal(text, decode('"' .. text .. '"'))
        assert.same({ [text .. text] = 1 }, decode('{"' .. text .. text .. '":1}'))
        for length = 1, #text - 1 do
          rejected('"' .. text:sub(1, length) .. '"')
          rejected('"' .. text:sub(1, length))
          rejected('"' .. text:sub(1, length) .. "\194\128\"")
        end
      end
      local bad = { "\128", "\191", "\192\128", "\193\191", "\224\128\128", "\224\159\191", "\237\160\128",
        "\237\191\191",
        "\237\160\189\237\184\128", "\240\128\128\128", "\240\143\191\191", "\244\144\128\128", "\245\128\128\128",
        "\247\191\191\191", "\248\136\128\128\128", "\252\132\128\128\128\128", "\254", "\255", "\194\194",
        "\224\160\194", "\240\144\128\194", "\194", "\224\160", "\240\144\128" }
      for _, text in ipairs(bad) do
        assert.matches("^invalid UTF%-8 at byte 3 ", rejected('"x' .. text .. '"'))
      end
    end)
  end)

  describe("numbers", function()
    it("keeps integers integers", function()
      for text, value in pairs { ["0"] = 0, ["-0"] = 0, ["1"] = 1, ["-1"] = -1, ["94235311"] = 94235311,
        ["4098549657"] = 4098549657, ["-4098549657"] = -4098549657 } do
        assert.equal(value, value_of(text))
        assert.is_true(is_integer(value_of(text)))
      end
      assert.equal(infinity, 1 / value_of "-0") -- no minus zero
      assert.equal("94235311", tostring(value_of "94235311"))
    end)

    it("never rounds an integer", function()
      local exact = { "9007199254740991", "9007199254740992", "-9007199254740992" }
      local past_double = { "9007199254740993", "-9007199254740993", "999999999999999999", "1000000000000000000",
        "9223372036854775806", "9223372036854775807", "-9223372036854775807", "-9223372036854775808" }
      local past_int64 = { "9223372036854775808", "-9223372036854775809", "9999999999999999999",
        "18446744073709551615",
        "18446744073709551616", "18446744073709551617", "27670116110564327423", "-27670116110564327423",
        "10000000000000000000", "123456789012345678901234567890", "1" .. ("0"):rep(5000) }
      for _, text in ipairs(exact) do
        assert.equal("number", type(value_of(text)))
        assert.equal(text, ("%.0f"):format(value_of(text)))
      end
      for _, text in ipairs(past_double) do
        assert.equal(is_54 and "number" or "string", type(value_of(text)))
        assert.equal(text, tostring(value_of(text)))
      end
      for _, text in ipairs(past_int64) do
        assert.equal(text, value_of(text))
      end
    end)

    it("rounds other numbers correctly", function()
      local cases = { "0.0", "0.1", "0.2", "0.3", "1.5", "-1.5", "55.599799", "37.603954", "1e0", "1E5",
        "1e+5", "1e-5",
        "123456789.123456789", "1e22", "1e23", "1e-22", "1e-23", "9007199254740993.0", "9007199254740992.5",
        "2.2250738585072014e-308", "2.2250738585072011e-308", "4.9406564584124654e-324", "5e-324",
        "1.7976931348623157e308", "1.7976931348623158e308", "8.5e-1", "0.000001e6", "100000000000000000000e-20",
        "3.14159265358979323846264338327950288", "7.2057594037927933e16", "6.02214076e23", "1e-400", "0e999",
          "0.0e-999",
        "9513282814504.773", "969111452580723.9", "995022983.1533755", "0.1e1",
        "1.0000000000000002220446049250313080847263336181640625", "12345678901234567.8",
        "1.00000000000000011102230246251565404236316680908203125" }
      for _, text in ipairs(cases) do
        local value = value_of(text)
        assert.equal(tonumber(text), value, text)
        if is_54 then
          assert.equal("float", math.type(value))
        end
        assert.equal(-tonumber(text), value_of("-" .. text:gsub("^%-", "")) * (text:sub(1, 1) == "-" and -1 or 1))
      end
      assert.equal(-infinity, 1 / value_of "-0.0")
    end)

    it("rounds by every digit, however many", function()
      -- Halfway between 1 and the next double; one more digit far behind decides.
      local half = "1.00000000000000011102230246251565404236316680908203125"
      local next_to_1 = 1 + 2 ^ -52
      assert.equal(1, value_of(half .. ("0"):rep(2000)))
      assert.equal(next_to_1, value_of(half .. ("0"):rep(2000) .. "1"))
      assert.equal(next_to_1, value_of("0." .. ("0"):rep(5000) .. half:gsub("%.",
        "") .. ("0"):rep(2000) .. "1e5001"))
      assert.equal(1e300, value_of("1" .. ("0"):rep(1000) .. "e-700"))
      assert.equal(1e-300, value_of("0." .. ("0"):rep(1000) .. "1e701"))
      assert.equal(1, value_of("0." .. ("0"):rep(99999) .. "1e100000"))
      assert.equal(0, value_of("1e-" .. ("9"):rep(1000)))
      assert.equal(0, value_of("0e" .. ("9"):rep(1000)))
      assert.equal(2.5, value_of("2.5e-" .. ("0"):rep(1000)))
    end)

    it("refuses what would be infinite", function()
      for _, text in ipairs { "1e999", "-1e999", "1.7976931348623159e308", "1e309", "1" .. ("0"):rep(309) .. ".0",
        "1e" .. ("9"):rep(1000), "0.1e" .. ("9"):rep(30) } do
        assert.matches("^number out of range at byte 2 ", rejected("[" .. text .. "]"))
      end
    end)

    it("has no say for the locale", function()
      local before = os.setlocale(nil, "numeric")
      for _, name in ipairs { "ru_RU.UTF-8", "de_DE.UTF-8", "ru_RU.utf8", "de_DE.utf8", "fr_FR.UTF-8" } do
        if os.setlocale(name, "numeric") then
          break
        end
      end
      local value = value_of "3.14159265358979323846"
      os.setlocale(before, "numeric")
      assert.equal(math.pi, value)
    end)

    it("refuses what only looks like a number", function()
      for _, text in ipairs { "01", "-01", "00", "00.5", "-", "+1", ".5", "-.5", "1.", "1.e5", "1e", "1e+",
        "1e-", "1ee5",
        "1.5.5", "0x10", "0X1F", "1f", "NaN", "nan", "-NaN", "Infinity", "-Infinity", "inf", "1_000", "1,000",
          "1 000",
        "--1", "1-", "1e5.5", "\239\188\145", "1\0" } do
        rejected(text)
      end
    end)
  end)

  describe("what is not JSON", function()
    it("is refused", function()
      for _, text in ipairs { "", " ", "[", "]", "{", "}", "[1", "[1,", "[1,]", "[,1]", "[,]", "[1,,2]",
        "[1 2]", "{,}",
        '{"a"}', '{"a":}', '{"a":1,}', '{"a" 1}', '{"a":1 "b":2}', '{a:1}', "{'a':1}", "{1:1}", "{null:1}",
          '{"a":1',
        '{"a":', '{"a"', '{"a', "[1}", '{"a":1]', "1 2", "[] []", "[]]", "{}}", "tru", "True", "TRUE", "truer",
          "nul",
        "nulll", "NULL", "undefined", "falsy", "'a'", "a", "[1]//", "/**/1", "[1]#", "\0", "[1]\0", "[\0]",
          "[1,\0]",
        '{"a":1}\0', '\0"a"', '"a"\0', "\\u005b\\u005d", "\239\187\191", "(1)", "[1;2]", '{"a"=1}', "`a`", "\255",
        "[\208\150]", "-\0", "t\0rue" } do
        rejected(text)
      end
    end)

    it("gets a message with the place", function()
      local cases = {
        { "", "unexpected end of the text at byte 1 (line 1)" },
        { "[1,\n 2,\n x]", "value expected at byte 10 (line 3)" },
        { "\239\187\191{}", "byte order mark before the value at byte 1 (line 1)" },
        { "[1]\0", "unexpected NUL byte at byte 4 (line 1)" },
        { "{}\n{}", "text after the value at byte 4 (line 2)" },
        { "[1 2]", "',' or ']' expected at byte 4 (line 1)" },
        { '{"a":1 "b":2}', "',' or '}' expected at byte 8 (line 1)" },
        { '{"a" 1}', "':' expected at byte 6 (line 1)" },
        { '{"a":1,}', "name of a member expected at byte 8 (line 1)" },
        { "{1:2}", "name of a member expected at byte 2 (line 1)" },
        { '"\n"', "control character in a string at byte 2 (line 1)" },
        { '"a\\x"', "invalid escape in a string at byte 4 (line 1)" },
        { '"\\u12x4"', "invalid \\u escape in a string at byte 6 (line 1)" },
        { '"a\\ud800"', "lone surrogate in a \\u escape at byte 3 (line 1)" },
        { '"\208"', "invalid UTF-8 at byte 2 (line 1)" },
        { "-x", "digit expected at byte 2 (line 1)" },
        { "1.x", "digit expected after the decimal point at byte 3 (line 1)" },
        { "1ex", "digit expected in the exponent at byte 3 (line 1)" },
        { "012", "number with a leading zero at byte 1 (line 1)" },
        { "trux", "unexpected character in a value at byte 4 (line 1)" },
        { '{"a":[1,2', "unexpected end of the text at byte 10 (line 1)" },
      }
      for _, case in ipairs(cases) do
        assert.equal(case[2], rejected(case[1]))
      end
    end)

    it("includes every beginning of a text", function()
      local text = '{"a":[1,-2.5e+3,true,false,null,{"b":"\\u0416\\ud83d\\ude00 Ж\\n"}],'
        .. '"c":{},"d":[],"e":12345678901234567890}'
      assert.is_table(decode(text))
      for length = 0, #text - 1 do
        rejected(text:sub(1, length))
      end
    end)
  end)

  describe("bounds", function()
    it("counts nested tables, 64 unless told", function()
      local function nested(depth)
        return ("["):rep(depth) .. ("]"):rep(depth)
      end
      assert.is_table(decode(nested(64)))
      assert.equal("nested too deeply at byte 65 (line 1)", rejected(nested(65)))
      assert.equal("nested too deeply at byte 2 (line 1)", rejected('[{"a":1}]', { max_depth = 1 }))
      assert.same({ 1 }, decode("[1]", { max_depth = 1 }))
      assert.same({ {}, {}, {} }, decode("[[],{},[]]", { max_depth = 2 }))
      assert.is_table(decode(nested(1000), { max_depth = 1000 }))
      assert.is_table(decode(('{"a":'):rep(1000) .. "1" .. ("}"):rep(1000), { max_depth = 1000 }))
      assert.equal("nested too deeply at byte 1001 (line 1)", rejected(nested(1001), { max_depth = infinity }))
    end)

    it("has an answer for a million brackets", function()
      rejected(("["):rep(1e6))
      rejected(('{"a":'):rep(1e6))
      rejected(("["):rep(1e6) .. ("]"):rep(1e6), { max_depth = 1e9 })
    end)

    it("counts bytes", function()
      assert.same({ 1 }, decode("[1]", { max_bytes = 3 }))
      assert.equal("text too long at byte 3 (line 1)", rejected("[1]", { max_bytes = 2 }))
    end)

    it("works in a coroutine with a small stack", function()
      local text = ("["):rep(64) .. ("]"):rep(64)
      local ok, value = coroutine.resume(coroutine.create(function() return decode(text) end))
      assert.is_true(ok)
      assert.is_table(value)
    end)
  end)

  it("raises on wrong arguments and names them", function()
    local function raises(pattern, ...)
      local ok, message = pcall(decode, ...)
      assert.is_false(ok)
      assert.matches(pattern, message)
    end
    raises("#1.*string expected", nil)
    raises("#1.*string expected", 1)
    raises("#1.*string expected", {})
    raises("#2.*table expected", "1", 5)
    raises("#2.*unknown option 'max_size'", "1", { max_size = 1 })
    raises("#2.*unknown option", "1", { 1 })
    raises("#2.*'max_bytes': number of at least 1", "1", { max_bytes = 0 })
    raises("#2.*'max_bytes': number of at least 1", "1", { max_bytes = "10" })
    raises("#2.*'max_depth': number of at least 1", "1", { max_depth = -1 })
    raises("#2.*'max_depth': number of at least 1", "1", { max_depth = 0 / 0 })
  end)

  it("survives random changes of a text", function()
    local text = '{"id":94235311,"x":[1.5e3,-7,null,true,{"y":"\\u0416\\n\\ud83d\\ude00","z":"Москва € 😀"}],'
      .. '"n":{"m":{}}}'
    local seed = 42
    local function random(below)
      seed = seed * 16807 % 2147483647
      return seed % below
    end
    local pool = '"\\{}[]:,0123456789eE+-.u \n\0\127\128\194\208\224\237\240\255truefalsenull'
    local accepted = 0
    for _ = 1, 20000 do
      local changed = text
      for _ = 0, random(3) do
        local at, take = random(#changed) + 1, random(3)
        local from = random(#pool) + 1
        changed = changed:sub(1, at - 1) .. pool:sub(from, from + random(3) - 1) .. changed:sub(at + take)
      end
      local value, message = decode(changed)
      if message then
        assert.is_nil(value)
        local byte = tonumber(message:match("at byte (%d+) "))
        assert.is_true(byte >= 1 and byte <= #changed + 1)
      else
        accepted = accepted + 1
      end
    end
    assert.is_true(accepted > 100)
  end)
end)
