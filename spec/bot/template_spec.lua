local template = require "avito_messenger.bot.template"

local KNOWN = {
  ["item.title"] = true, ["item.price"] = true, ["buyer.name"] = true, ["hours.next_open"] = true, ["адрес"] = true,
}

local function render(text, values)
  local compiled = assert(template.compile(text, KNOWN))
  return compiled:render(function(name) return values[name] end)
end

--- The message of what must not compile.
local function problem(text)
  local compiled, message = template.compile(text, KNOWN)
  assert.is_nil(compiled)
  return message
end

describe("a template", function()
  it("is itself where it has no names", function()
    for _, text in ipairs { "", "Здравствуйте!", "a } b", "строка\nдругая" } do assert.equal(text, render(text, {})) end
  end)

  it("has names filled in", function()
    local values = { ["item.title"] = "Диван", ["item.price"] = 5000, ["адрес"] = "у метро" }
    assert.equal("«Диван» за 5000, у метро", render("«{item.title}» за { item.price }, {адрес}", values))
    assert.equal("ДиванДиван", render("{item.title}{item.title}", values))
  end)

  it("writes numbers without a needless fraction", function()
    assert.equal("5000", render("{item.price}", { ["item.price"] = 5000.0 }))
    assert.equal("0.5", render("{item.price}", { ["item.price"] = 0.5 }))
    assert.equal("12345678901", render("{item.price}", { ["item.price"] = 12345678901 }))
  end)

  it("has a default for what is not there or empty", function()
    local text = "Здравствуйте, {buyer.name| уважаемый | покупатель}!"
    assert.equal("Здравствуйте, Покупатель!", render(text, { ["buyer.name"] = "Покупатель" }))
    assert.equal("Здравствуйте,  уважаемый | покупатель!", render(text, {}))
    assert.equal("Здравствуйте,  уважаемый | покупатель!", render(text, { ["buyer.name"] = "" }))
    assert.equal("да", render("да{buyer.name|}", {}))
  end)

  it("says which name has no value", function()
    local text, missing = render("{item.title}: {item.price}", { ["item.title"] = "Диван" })
    assert.is_nil(text)
    assert.equal("item.price", missing)
    assert.equal("[]", render("[{item.title}]", { ["item.title"] = "" }))
  end)

  it("never reads what was filled in", function()
    local values = { ["item.title"] = "{item.price} {{ %1", ["item.price"] = 1 }
    assert.equal("{item.price} {{ %1!", render("{item.title}!", values))
  end)

  it("has braces written twice", function()
    assert.equal("{", render("{{", {}))
    assert.equal("{a} {", render("{{a} {{", {}))
    assert.equal("{Диван}", render("{{{item.title}}", { ["item.title"] = "Диван" }))
    assert.equal("{item.title}", render("{{item.title}", {}))
  end)

  it("tells its names and its fixed part", function()
    local compiled = assert(template.compile("Ёж {{ {item.price} {item.title|диван} {item.price}", KNOWN))
    assert.same({ "item.price", "item.title" }, compiled.names)
    assert.equal(7, compiled.literal_length)
    assert.is_true(compiled.variable)
    compiled = assert(template.compile("ёж👍", KNOWN))
    assert.same({}, compiled.names)
    assert.equal(3, compiled.literal_length)
    assert.is_false(compiled.variable)
  end)

  it("tells the names that stand somewhere without a default", function()
    local compiled = template.compile("{a} {b|} {c|x} {c} {a}", { a = true, b = true, c = true })
    assert.same({ "a", "c" }, compiled.bare)
    assert.same({ "a", "b", "c" }, compiled.names)
  end)

  it("names an unknown name and the nearest", function()
    assert.equal("column 5: unknown name 'item.titel' (did you mean 'item.title'?)", problem "Ваш {item.titel}")
    assert.equal("column 1: unknown name 'адресс' (did you mean 'адрес'?)", problem "{адресс|}")
    assert.truthy(problem "{something.else.entirely}":find("(known: buyer.name, hours.next_open", 1, true))
  end)

  it("says where a brace is not closed", function()
    assert.equal("column 4: the brace is not closed (a brace itself is written '{{')", problem "да {item.title")
    assert.equal("line 2, column 3: the brace is not closed (a brace itself is written '{{')", problem "да\nи {item\n")
    assert.equal("column 1: the brace is not closed (a brace itself is written '{{')", problem "{item.title|{адрес}}")
    assert.equal("column 2: the brace is not closed (a brace itself is written '{{')", problem "a{")
  end)

  it("wants a name in the braces", function()
    for _, text in ipairs { "{}", "{ }", "{|да}" } do
      assert.equal("column 1: there is no name in the braces (a brace itself is written '{{')", problem(text))
    end
  end)

  it("takes a name in two pairs of braces for the mistake it is", function()
    assert.equal("column 4: a name stands in single braces: {адрес}", problem "да {{адрес}}")
    assert.equal("column 1: a name stands in single braces: {адрес}", problem "{{ адрес|метро }}")
    assert.equal("{другое}}", render("{{другое}}", {}))
  end)

  it("raises when it is no text, or nobody says which names there are", function()
    for _, case in ipairs { { 5, {}, "text must be a string, got number" }, { "a", nil, "known must be a table, got nil" } } do
      local ok, message = pcall(template.compile, case[1], case[2])
      assert.is_false(ok)
      assert.truthy(message:find("template.compile: " .. case[3], 1, true), message)
    end
  end)
end)
