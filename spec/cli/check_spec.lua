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

  it("answers by the clock it is given, wherever the rulebook's path stands", function()
    local _, output = run("--say", "торг есть?", "--at", "2026-11-20 22:15", "examples/shop_rules.lua")
    assert.matches("bot %[ночь%] +Сейчас мы закрыты", output)
  end)

  it("warns of what the marketplace has not, for each that is named", function()
    local rules = write [[
return require("avito_messenger").rulebook {
  { "торг", item = { price = ">= 5000" }, say = "Торг есть." },
  { "где", hears = "где", chat_type = "order", say = "Заказ {order.id}." },
  { "все", say = "Здравствуйте!" },
}
]]
    local code, output = run(rules, "--marketplace", "avito", "--marketplace=yandex_market")
    assert.equal(0, code)
    assert.equal(([[
PATH on Avito: no mistakes, warnings: 1; rules: 3, flows: 0
PATH:3: rule 'где': chat_type: Avito has no order chats: the rule never fires there
PATH on Yandex Market: no mistakes, warnings: 1; rules: 3, flows: 0
PATH:2: rule 'торг': item.price: Yandex Market chats tell no item: the rule never fires there
]]):gsub("PATH", (rules:gsub("%%", "%%%%"))), output)
    code, output = run(rules, "--marketplace", "yandex_market", "--price", "9000", "--say", "Где мой заказ?")
    assert.equal(0, code)
    assert.matches("bot %[где%] +Заказ %d+%.", output)
    assert.matches("%- торг +item%.price: unknown", output)
  end)

  it("tells the same mistakes once, and fails where one marketplace has some", function()
    local code, output = run(write [[
return require("avito_messenger").rulebook { { "один", hear = "торг", say = "Да." } }
]], "--marketplace", "avito", "--marketplace", "yandex_market")
    assert.equal(1, code)
    assert.equal(1, select(2, output:gsub("unknown field 'hear'", "")))
    os.remove(path)
    code, output = run(write [[
return require("avito_messenger").rulebook { { "один", say = ("ы"):rep(2000) } }
]], "--marketplace", "avito", "--marketplace", "yandex_market")
    assert.equal(1, code)
    assert.matches("2000 characters, and a message of Avito may have 1000", output)
    assert.matches("on Yandex Market: no mistakes; rules: 1", output)
  end)

  it("says what it cannot make sense of", function()
    local code, output = run()
    assert.equal(2, code)
    assert.matches("which rulebook%?", output)
    code, output = run("examples/shop_rules.lua", "second.lua")
    assert.equal(2, code)
    assert.matches("what is 'second.lua'%? Options begin with %-%-", output)
    code, output = run("examples/shop_rules.lua", "--sya", "торг")
    assert.equal(2, code)
    assert.matches("unknown option '%-%-sya' %(did you mean '%-%-say'%?%)", output)
    code, output = run("examples/shop_rules.lua", "--marketplace", "yandex")
    assert.equal(2, code)
    assert.matches("option %-%-marketplace: unknown marketplace 'yandex' %(known: avito, yandex_market%)", output)
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
