local files = require "support.files"
local rulebook = require "avito_messenger.bot.rulebook"

describe("a rulebook in a file", function()
  local path

  before_each(function() path = files.temporary() end)
  after_each(function() os.remove(path) end)

  local START = [[
local flow = require "avito_messenger.bot.flow"
local mark = require("avito_messenger.bot.rulebook").mark
]]

  --- What loading the file gives, with the START before it.
  local function load(text)
    files.write(path, START .. text)
    return rulebook.load(path)
  end

  --- The lines of the error without the path.
  local function mistakes(text)
    local book, err = load(text)
    assert.equal("nil", type(book))
    local lines = {}
    for line in (err.message .. "\n"):gmatch "([^\n]*)\n" do
      assert.equal(path, line:sub(1, #path))
      lines[#lines + 1] = line:sub(#path + 1)
    end
    return lines
  end

  it("is read", function()
    local book = assert(load [[
return mark {
  { "торг",
    hears = "торг*", say = "Небольшой" },
  {
    'обмен', hears = "обмен*", flow = "обмен" },
  flow.define { "обмен", function() end },
}]])
    assert.equal(path, book.name)
    assert.equal(2, #book.rules)
    assert.equal(4, book.rules[1].line)
    assert.equal(6, book.rules[2].line)
  end)

  it("has every mistake told with the line of its rule", function()
    assert.same({
      ":4: burst: must be a string or number, got boolean",
      ":6: rule 'торг': unknown field 'hear' (did you mean 'hears'?)",
      ":6: rule 'торг': once: the span '5' has no unit: write '5s' for seconds, '5m' for minutes",
      ":8: rule 'обмен': flow: unknown flow 'обме' (did you mean 'обмен'?)",
      ":12: flow 'обмен': version: 1 is there twice: raise the version of a flow that has changed",
    }, mistakes [[
return mark {
  burst = true,
  -- the first one
  { "торг", hear = "торг*", once = "5",
    say = { "торг", "обмен" } },
  { "обмен", hears = "обмен*", flow = "обме" },
  flow.define { "обмен", function() end },
  concepts = { ["торг"] = "торг*" },
  flow.define { "обмен",
    function() end },
}]])
  end)

  it("has the line of the list told where a name stands at several, and none where the list is made", function()
    assert.same({ ":6: rule 'торг': does nothing: it needs say, image, act, flow or run" }, mistakes [[
local function rule(hears) return { "торг", hears = hears } end
if false then rule = { "торг" } end
return mark {
  rule "торг*" }]])
    assert.same({ ":3: rule 'торг 1': does nothing: it needs say, image, act, flow or run" },
      mistakes "return mark { { \"торг \" .. 1 } }")
    assert.same({ ": rule 'торг 1': does nothing: it needs say, image, act, flow or run" },
      mistakes "local list = {}\nlist[1] = { \"торг \" .. 1 }\nreturn mark(list)")
  end)

  it("has the line told of a rule without a name, of two of one name, and of a setting", function()
    assert.same({
      ":4: unknown field 'flod' (did you mean 'flood'?)",
      ":14: human.pause: the span '5' has no unit: write '5s' for seconds, '5m' for minutes",
      ":11: concepts['да']: column 1: the quote that begins here is not closed",
      ":7: rule 'а': does nothing: it needs say, image, act, flow or run",
      ":8: rule 'а': the rule of line 7 has the same name",
      ":10: rule 3: has no name: it is the first value, { 'name', … }",
    }, mistakes [=[
return mark {
  flod = { within = "1h" }, -- { "а",
  ["zone"] = 'UTC', --[[ } {
  "]] vars = { ["я"] = [[ } ]], ["ю"] = "\"}" },
  { "а", hears = "да" },
  { "а", hears = "нет", say = { "а", "б" } };
  -- none
  { say = "да", when = function(c) return c, { "а" } end },
  concepts = {
    ["да"] = '"',
  },
  human = { pause = "5" },
}]=])
  end)

  it("has what is written outside of quotes told", function()
    assert.same({
      ":5: 'ADDRESS' is not known here: a variable that is misspelled, or a text without quotes?",
      ":5: rule 'а': does nothing: it needs say, image, act, flow or run",
    }, mistakes "local table_unpack = unpack or table.unpack\nreturn mark {\n{ \"а\", say = ADDRESS } }")
    assert.truthy(load "return mark { { \"а\", when = function() return SOMETHING end, say = \"да\" } }")
    -- What a rule's function asks for while the bot runs is gathered nowhere.
    local result = require("avito_messenger.bot.rulebook.source").load(path)
    result.value[1].when()
    assert.same({}, { result.unknown[1] })
  end)

  it("has told what to do where it is no Lua", function()
    for text, wanted in pairs {
      ["return mark { { \"а\" say = \"да\" } }"] = "is a comma missing before it, or a brace?",
      ["return mark {"] = "a brace or quote is not closed before the end of the file",
      ["return mark { { \"а\", say = “да нет” } }"] = "a text stands in straight quotes, \"…\", and not in “",
      ["return mark { { \"а\", say: \"да\" } }"] = "a field is given by =, as in say = \"…\"",
      ["return mark { { \"а\", say = \"да } }"] = "the quote at its end is missing",
      ["return mark { { \"а\", image = \"a\\p.png\" } }"] = "a backslash is written \\\\, and in paths stands /",
    } do
      local line = mistakes(text)[1]
      assert.equal(":3: ", line:sub(1, 4))
      assert.equal(wanted, line:sub(-#wanted))
    end
  end)

  it("has Russian names outside of quotes told, where Lua does not take them", function()
    local book, err = load "return mark {\nvars = { адрес = \"да\" } }"
    if rawget(_G, "jit") then return assert.truthy(book) end
    assert.equal(path .. ":4: unexpected symbol: 'адрес' stands outside of quotes: a text is written \"адрес\", " ..
      "the name of a field [\"адрес\"]", err.message)
    local _, mixed = load "return mark { { \"а\", hеars = \"да\" } }" -- its second letter is Russian
    assert.equal(path .. ":3: '}' expected: 'hеars' has a letter that is not English", mixed.message)
  end)

  it("has a module told that is not there, and not where it was looked for", function()
    assert.same({ ":3: module 'avito_messanger' not found: is its name misspelled, or is it not installed?" },
      mistakes "require \"avito_messanger\"")
  end)

  it("has the line told of a rule in a local, and not that of a comment or a text", function()
    for _, text in ipairs { "return mark {\n  { 'торг' } }", "local rule =\n  { 'торг' }\nreturn mark { rule }",
      "\nlocal rule = { 'торг' }\nreturn mark { rule, { 'б', hears = 'да', say = { 'торг', 'да' } } }",
      "-- { 'торг', say = 'да' }\nlocal function rule() return { 'торг' } end\nreturn mark { rule() }",
      "\nreturn mark { {\n\n\"торг\" }, flow.define { 'торг', function() end } }" } do
      assert.same({ ":4: rule 'торг': does nothing: it needs say, image, act, flow or run" }, mistakes(text))
    end
  end)

  it("names the lines of rules that take each other's messages", function()
    assert.same({ ":5: rule 'б': can never fire: rule 'а' (line 4) comes before it and takes every such message; " ..
      "put this one before it, or give 'а' continue = true" }, mistakes [[
return mark {
  { "а", say = "да" },
  { "б", hears = "да", say = "нет" },
}]])
  end)

  it("has the line told where it is no Lua, or raises", function()
    local line = mistakes "return mark {\n  { \"a\" \"b\" },\n}"[1]
    assert.equal(":4: '}' expected near", (line:gsub(" '?\"?b\"?'?:.*", "")))
    assert.same({ ":4: нет" }, mistakes "\nerror \"нет\"")
    assert.same({ ":3: нет" }, mistakes "error(\"нет\", 0)")
    assert.same({ ":3: нет" }, mistakes "assert(false, \"нет\")")
    assert.same({ ":3: нет" }, mistakes "error(setmetatable({}, { __tostring = function() return \"нет\" end }))")
    for _, message in ipairs { "other.lua:7: нет", ("x"):rep(#path) .. ":7: нет", path .. ": нет" } do
      assert.same({ ":3: " .. message }, mistakes(("error(%q, 0)"):format(message)))
    end
    assert.same({ ":3: raised a table" }, mistakes "error(setmetatable({}, { __tostring = function() error \"x\" end }))")
    assert.same({ ":4: flow: the name is missing: avito.flow { \"обмен\", function(c) … end }" },
      mistakes "return mark {\nflow.define {},\n}")
    local message = mistakes "local book = mark(5)\nreturn book"[1]
    assert.equal(":3: rulebook: a table expected, got number", message)
  end)

  it("has another file told that raised", function()
    package.preload["spec.raising"] = function() error("нет", 0) end
    local line = mistakes "\nrequire \"spec.raising\""[1]
    package.preload["spec.raising"] = nil
    assert.truthy(line:find "^:4: ")
    assert.truthy(line:find("нет", 1, true))
  end)

  it("must return a rulebook", function()
    assert.same({ ": must end with: return avito.rulebook { … } (it returned nothing)" }, mistakes "mark {}")
    assert.same({ ": must end with: return avito.rulebook { … } (it returned a table)" }, mistakes "return {}")
  end)

  it("sets no global, and has those that are there", function()
    local before = {}
    for name in pairs(_G) do before[name] = true end
    local book = assert(load "a_rule = { \"a\", say = tostring(5) }\nreturn mark { a_rule }")
    assert.equal("5", book.rules[1].say.texts[1]:render(function() end))
    for name in pairs(_G) do assert.is_true(before[name], name) end
  end)

  it("may begin for the shell or an editor, and keeps its lines", function()
    for _, begin in ipairs { "\239\187\191", "#!/usr/bin/lua\n", "\239\187\191#!/usr/bin/lua\n" } do
      files.write(path, begin .. START .. "return mark { { \"a\" } }")
      local _, err = rulebook.load(path)
      local line = 3 + select(2, begin:gsub("\n", ""))
      assert.equal(("%s:%d: rule 'a': does nothing: it needs say, image, act, flow or run"):format(path, line), err.message)
    end
  end)

  it("must be there, and be text", function()
    assert.equal("nil", type((rulebook.load(path))))
    assert.equal(path .. ": cannot be read: No such file or directory", select(2, rulebook.load(path)).message)
    assert.equal("/: cannot be read: Is a directory", select(2, rulebook.load "/").message)
    files.write(path, string.dump(function() end))
    assert.equal(path .. ": is compiled Lua, and a rulebook is text", select(2, rulebook.load(path)).message)
  end)
end)
