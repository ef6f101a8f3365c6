-- `avito-messenger check`, as a seller runs it.

local support = require "support.sandbox"

local function run(...) return support.command("check", ...) end

describe("avito-messenger check", function()
  local path

  local function write(text)
    path = os.tmpname()
    local file = assert(io.open(path, "w"))
    file:write(text)
    file:close()
    return path
  end

  after_each(function()
    if path then os.remove(path) end
    path = nil
  end)

  it("counts what a good rulebook has", function()
    local code, output = run "examples/shop_rules.lua"
    assert.equal(0, code)
    assert.equal("examples/shop_rules.lua: no mistakes; rules: 21, flows: 1\n", output)
  end)

  it("tells every mistake with its line", function()
    local code, output = run(write [[
return require("avito_messenger").rulebook {
  { "один", hear = "торг", say = "Да." },
  { "два", say = "{item.titel}" },
}
]])
    assert.equal(1, code)
    assert.matches(":2: rule 'один': unknown field 'hear' %(did you mean 'hears'%?%)", output)
    assert.matches(":3: rule 'два': say: .*'item%.titel' %(did you mean 'item%.title'%?%)", output)
  end)

  it("prints what a buyer would be answered, and why", function()
    local code, output = run("examples/shop_rules.lua", "--say", "Здравствуйте, торг есть?", "--price", "35000")
    assert.equal(0, code)
    assert.matches("bot %[привет%] +Здравствуйте, Покупатель!", output)
    assert.matches("bot %[торг%] +%S", output)
    assert.matches("%+ торг +everything matches", output)
    assert.matches("%- без торга +everything matches, but 'торг' comes before it", output)
  end)

  it("fails where the conversation does", function()
    local code, output = run(write [[
return require("avito_messenger").rulebook {
  { "один", hears = "торг", run = function() error "нет такого" end },
}
]], "--say", "торг есть?")
    assert.equal(1, code)
    assert.matches("error in rule 'один': .*:2: нет такого", output)
  end)

  it("answers by the clock it is given", function()
    local _, output = run("examples/shop_rules.lua", "--say", "торг есть?", "--at", "2026-11-20 22:15")
    assert.matches("bot %[ночь%] +Сейчас мы закрыты", output)
  end)

  it("says what it cannot make sense of", function()
    local code, output = run()
    assert.equal(2, code)
    assert.matches("which rulebook%?", output)
    code, output = run("examples/shop_rules.lua", "--sya", "торг")
    assert.equal(2, code)
    assert.matches("unknown option '%-%-sya' %(did you mean '%-%-say'%?%)", output)
    code, output = run("examples/shop_rules.lua", "--say", "торг", "--at", "вечером")
    assert.equal(1, code)
    assert.matches("'вечером' is no time: expected one like \"2026%-11%-20 22:15\"", output)
    for _, price in ipairs { "дорого", "-1", "nan", "inf", "1e999" } do
      code, output = run("examples/shop_rules.lua", "--say", "торг", "--price", price)
      assert.equal(2, code, price)
      assert.matches("'" .. price:gsub("%-", "%%-") .. "' is no price", output)
    end
    code, output = run "no_such_rules.lua"
    assert.equal(1, code)
    assert.matches("no_such_rules.lua: cannot be read", output)
  end)
end)
