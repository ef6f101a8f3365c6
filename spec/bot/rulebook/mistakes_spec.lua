local flow = require "avito_messenger.bot.flow"
local rulebook = require "avito_messenger.bot.rulebook"

local HOURS = { ["пн-пт"] = "09:00-20:00" }

--- The lines a seller sees, without the name of the book.
local function mistakes(given)
  local book, err = rulebook.compile(given, "shop")
  assert.equal("nil", type(book)) -- a book is too long to be shown
  local lines = {}
  for line in (err.message .. "\n"):gmatch "([^\n]*)\n" do lines[#lines + 1] = line:match "^shop: (.*)$" end
  assert.equal(#err.problems, #lines)
  return lines
end

--- The one mistake of a rule, without its name.
local function mistake(rule, book)
  local given = {}
  for name, value in pairs(book or {}) do given[name] = value end
  rule[1] = "r"
  given[#given + 1] = rule
  local lines = mistakes(given)
  assert.same({ lines[1] }, lines)
  return (lines[1]:gsub("^rule 'r': ", ""))
end

--- The one mistake of the book.
local function of_book(given)
  given[#given + 1] = { "r", say = "да" }
  local lines = mistakes(given)
  assert.same({ lines[1] }, lines)
  return lines[1]
end

describe("a mistake of a rule", function()
  it("is told with the rule, the field and the nearest word", function()
    assert.same({ "rule 'торг': unknown field 'hear' (did you mean 'hears'?)" },
      mistakes { { "торг", hear = "торг*", say = "да" } })
    assert.equal("act: unknown act 'escalat' (did you mean 'escalate'?)", mistake { act = "escalat" })
    assert.equal("act: unknown act 'block' (known: escalate, blacklist, mark_read, ignore, pause, resume)",
      mistake { act = { "mark_read", "block" } })
    assert.equal("act: unknown reason 'spamm' (did you mean 'spam'?)", mistake { act = { "blacklist", reason = "spamm" } })
    assert.equal("on: unknown message type 'voise' (did you mean 'voice'?)", mistake { on = "voise", say = "да" })
    assert.equal("on: unknown message type 'Image' (did you mean 'image'?)", mistake { on = { "text", "Image" }, say = "да" })
    assert.equal("chat_type: unknown chat type 'u3i' (did you mean 'u2i'?)", mistake { chat_type = "u3i", say = "да" })
    assert.equal("hours: unknown hours 'opened' (did you mean 'open'?)", mistake { hours = "opened", say = "да" })
    assert.equal("item: unknown field 'pric' (did you mean 'price'?)", mistake { item = { pric = 5, id = 1 }, say = "да" })
    assert.equal("buyer: unknown field 'nam' (did you mean 'name'?)", mistake { buyer = { nam = "x" }, say = "да" })
    assert.equal("say: column 6: unknown name 'item.titel' (did you mean 'item.title'?)", mistake { say = "Это «{item.titel}»" })
    assert.equal("say: column 1: unknown name 'адрес' (did you mean 'адреса'?)",
      mistake({ say = "{адрес}" }, { vars = { ["адреса"] = "у метро" } }))
    assert.equal("flow: unknown flow 'обме' (did you mean 'обмен'?)",
      mistake({ flow = "обме" }, { flow.define { "обмен", function() end } }))
    assert.equal("flow: there is no avito.flow { 'обмен', … } in the book", mistake { flow = "обмен" })
    assert.equal("act.time: the span '5' has no unit: write '5s' for seconds, '5m' for minutes",
      mistake { act = { "pause", time = "5" } })
    assert.equal("act: unknown field 'tim' (did you mean 'time'?)", mistake { act = { "pause", tim = "5m" } })
    assert.equal("act: 'ignore' takes no 'reason'", mistake { act = { "ignore", reason = "x" } })
    assert.equal("act: 'mark_read' stands there without a name of a field",
      mistake { act = { "blacklist", "mark_read", reason = "spam" } })
  end)

  it("is told of a value of another type", function()
    assert.equal("hears: must be a string, got number", mistake { hears = 5, say = "да" })
    assert.equal("when: must be a function, got string: write function(c) … end", mistake { when = "да", say = "да" })
    assert.equal("first: must be a boolean, got string: write true", mistake { first = "да", say = "да" })
    assert.equal("say: must be a string or table, got boolean", mistake { say = true })
    assert.equal("say[2]: must be a string, got number", mistake { say = { "да", 5 } })
    assert.equal("say['b']: is empty", mistake { say = { a = "да", b = " " } })
    assert.equal("buyer: must be a number or table, got string: write an id, or { name = '…' }",
      mistake { buyer = "x", say = "да" })
    assert.equal("buyer.id: an id is a positive integer, got 'x'", mistake { buyer = { 5, "x" }, say = "да" })
    assert.equal("item.id: an id is a positive integer, got '1.5'", mistake { item = { id = 1.5 }, say = "да" })
    assert.equal("on: the message type must be a string, got number", mistake { on = { 5 }, say = "да" })
    assert.equal("image: must be a string, got boolean", mistake { image = { true } })
    assert.equal("act: the act must be a string, got number", mistake { act = { 5 } })
    assert.equal("act: the act must be a string, got nil", mistake { act = { reason = "spam" } })
    assert.equal("flow_id: must be a string, got number", mistake { flow_id = { 5 }, say = "да" })
  end)

  it("is told of what is empty or has gaps", function()
    assert.equal("hears: is empty", mistake { hears = " ", say = "да" })
    assert.equal("say: is empty", mistake { say = "\n" })
    assert.equal("say: the list is empty", mistake { say = {} })
    assert.equal("say: has a gap where a text should be", mistake { say = { "да", nil, "нет" } })
    assert.equal("say: has texts with a label and without: give each of them one, or none",
      mistake { say = { "да", b = "нет" } })
    assert.equal("act: the list is empty", mistake { act = {} })
    assert.equal("on: the list is empty", mistake { on = {}, say = "да" })
    assert.equal("chat_type: must be a list without names and gaps", mistake { chat_type = { a = "u2i" }, say = "да" })
    assert.equal("item: is empty: write { price = '>= 5000' }, { title = '…' } or { id = … }", mistake { item = {}, say = "да" })
    assert.equal("item: 'диван' stands there without a name of a field", mistake { item = { "диван", id = 1 }, say = "да" })
    assert.equal("buyer: is empty: write an id, a list of ids or { name = '…' }", mistake { buyer = {}, say = "да" })
    assert.equal("item.title: is empty", mistake { item = { title = "" }, say = "да" })
  end)

  it("is told of spans, prices and hours", function()
    assert.equal("once: the span '12' has no unit: write '12s' for seconds, '12m' for minutes",
      mistake { once = "12", say = "да" })
    assert.equal("cooldown: must be longer than 0 seconds", mistake { cooldown = "0s", say = "да" })
    assert.equal("delay: the range begins with 6s, which is longer than 2s", mistake { delay = "6s-2s", say = "да" })
    assert.equal("item.price: '=> 5000' is no price: write '>= 5000', '< 100', '5000' or '1000..5000'",
      mistake { item = { price = "=> 5000" }, say = "да" })
    assert.equal("item.price: '5000..1000' begins with more than it ends with",
      mistake { item = { price = "5000..1000" }, say = "да" })
    assert.equal("hours: 'closed' needs the hours of the book: hours = { ['пн-пт'] = '09:00-20:00' }",
      mistake { hours = "closed", say = "да" })
    assert.equal("say: {hours.next_open} needs the hours of the book: hours = { ['пн-пт'] = '09:00-20:00' }",
      mistake { say = "после {hours.next_open}" })
    assert.equal("hours: needs the zone of the book: zone = 'Europe/Moscow'", mistake { hours = "22:00-08:00", say = "да" })
    assert.equal("hours: there is no time '08:61'", mistake({ hours = "22:00-08:61", say = "да" }, { zone = "UTC+3" }))
  end)

  it("is told of patterns, with the column", function()
    assert.truthy(mistake { hears = "торг* \"не закрыт", say = "да" }:find "^hears: column 7: ")
    assert.truthy(mistake { item = { title = "диван* \"не закрыт" }, say = "да" }:find "^item.title: column 8: ")
    assert.truthy(mistake { buyer = { name = "-никого" }, say = "да" }:find "^buyer.name: column 1: ")
    assert.equal("hears: column 8: unknown concept 'торгг' (did you mean 'торг'?)",
      mistake { hears = "цена | ~торгг", say = "да" })
    assert.equal("hears: column 1: unknown concept 'брони' (did you mean 'бронь'?)",
      mistake({ hears = "~брони", say = "да" }, { concepts = { ["бронь"] = "брон*" } }))
  end)

  it("is told of every pattern", function()
    local lines = mistakes { { "a", hears = "\"x", act = "ignore" }, { "b", hears = "да", act = "ignore" },
      { "c", hears = "\"y", act = "ignore" } }
    assert.equal(2, #lines)
    assert.truthy(lines[1]:find "^rule 'a': hears: ")
    assert.truthy(lines[2]:find "^rule 'c': hears: ")
  end)

  it("is told of texts that are too long to be sent", function()
    assert.equal("say: the text has 1001 characters, and a message of Avito may have 1000", mistake { say = ("ы"):rep(1001) })
    assert.equal("say[1]: the text without its names has 1002 characters, and a message of Avito may have 1000",
      mistake { say = { ("ы"):rep(1001) .. " {item.title}" } })
    assert.truthy(rulebook.compile { { "r", say = ("ы"):rep(1000) } })
    assert.truthy(rulebook.compile { { "r", say = ("ы"):rep(1000) .. "{item.title}" } })
    assert.equal("say: the text is not UTF-8: byte 1 of it", mistake { say = "\255" })
  end)

  it("is told where a rule has no action, or one it cannot have", function()
    assert.equal("does nothing: it needs say, image, act, flow or run", mistake { hears = "да", delay = "5s" })
    for name, value in pairs { say = "да", image = "a.png" } do
      assert.equal(name .. ": a rule on = 'own' may only act and run: nobody waits for an answer",
        mistake { on = "own", [name] = value })
    end
    assert.equal("flow: a rule on = 'own' may only act and run: nobody waits for an answer",
      mistake({ on = "own", flow = "обмен" }, { flow.define { "обмен", function() end } }))
    assert.equal("on: 'own' stands alone, for such a rule may only act and run",
      mistake { on = { "own", "text" }, act = "pause" })
  end)

  it("is told where after stands in no fallback, or is no number of turns", function()
    assert.equal("after: belongs to a rule with fallback = true", mistake { after = 2, say = "да" })
    for _, after in ipairs { 0, 1.5 } do
      assert.equal("after: must be a whole number of at least 1: how many turns in a row no rule understood",
        mistake { fallback = true, after = after, say = "да" })
    end
  end)

  it("is told of conditions that never come together", function()
    assert.equal("on: 'voice' and hears never come together: it has no text to be heard",
      mistake { on = "voice", hears = "да", say = "да" })
    assert.equal("on: 'image or voice' and phone never come together: it has no text with a number",
      mistake { on = { "voice", "image" }, phone = true, say = "да" })
    assert.equal("on: 'image' and links never come together: it has no links", mistake { on = "image", links = true, say = "да" })
    assert.equal("on: 'text' and flow_id never come together: only a system message has one",
      mistake { on = "text", flow_id = "x", say = "да" })
    for _, on in ipairs { "text", "system", { "voice", "text" } } do
      assert.truthy(rulebook.compile { { "r", on = on, hears = "да", say = "да" } })
    end
    assert.truthy(rulebook.compile { { "r", on = "own", hears = "да", act = "pause" } })
    assert.truthy(rulebook.compile { { "r", on = "link", links = true, say = "да" } })
  end)
end)

describe("a mistake of the list of rules", function()
  it("is told with the place of what has no name", function()
    assert.same({ "rule 2: has no name: it is the first value, { 'name', … }", "rule 3: a table expected, got string",
      "rule 4: has no name: it is the first value, { 'name', … }" },
      mistakes { { "a", say = "да" }, { hears = "да", say = "да" }, "b", { " ", on = "voice", say = "да" } })
  end)

  it("is told of names that are there twice", function()
    assert.same({ "rule 'a': entry 1 has the same name" },
      mistakes { { "a", hears = "да", say = "да" }, { "b", hears = "нет", say = "да" }, { "a", say = "да" } })
  end)

  it("is told of a second value without a name, and of gaps", function()
    assert.same({ "rule 'a': 'да' stands there without a name of a field",
      "rule 'a': does nothing: it needs say, image, act, flow or run" }, mistakes { { "a", "да" } })
    assert.same({ "entry 2 is nil: is the name of a variable misspelled?" },
      mistakes { { "a", hears = "да", say = "да" }, nil, { "b", say = "да" } })
  end)

  it("is told of flows", function()
    local function define(fields)
      fields[1], fields[2] = "обмен", function() end
      return flow.define(fields)
    end
    assert.same({ "flow 'обмен': version: 1 is there twice: raise the version of a flow that has changed" },
      mistakes { define {}, define {} })
    assert.same({ "flow 'обмен': leave: unknown concept 'опиратор' (did you mean 'оператор'?) (column 1)",
      "flow 'обмен': leave: unknown concept 'торгг' (did you mean 'торг'?) (column 8)" },
      mistakes { define { leave = "~опиратор" }, define { version = 2, leave = "хватит ~торгг" } })
    assert.truthy(rulebook.compile { define {}, define { version = 2, leave = "хватит | ~оператор" } })
  end)

  it("is told of a flow that came to use what no flow may", function()
    local time
    local given = { flow.define { "обмен", function() return time() end } }
    time = os.time
    local lines = mistakes(given)
    assert.truthy(lines[1]:find "^flow 'обмен': the local 'time' ", lines[1])
    assert.equal(1, #lines)
  end)
end)

describe("a mistake of the book", function()
  it("is told with the field and the nearest word", function()
    assert.equal("unknown field 'burts' (did you mean 'burst'?)", of_book { burts = "3s" })
    assert.equal("zone: unknown zone 'Europe/Samra' (did you mean 'Europe/Samara'?)",
      of_book { zone = "Europe/Samra", hours = HOURS })
    assert.equal("unclear: unknown value 'resnd' (did you mean 'resend'?)", of_book { unclear = "resnd" })
    assert.equal("human: unknown field 'paus' (did you mean 'pause'?)", of_book { human = { paus = "1h" } })
    assert.equal("human.pause: unknown unit 'x' in the span '1x' (known: s, m, h, d, w, с, м, ч, д, н)",
      of_book { human = { pause = "1x" } })
    assert.equal("flood: unknown field 'repliez' (did you mean 'replies'?)", of_book { flood = { repliez = 5 } })
    for _, replies in ipairs { 0, 1.5 } do
      assert.equal("flood.replies: must be a whole number of at least 1", of_book { flood = { replies = replies } })
    end
    assert.equal("burst: must be a string or number, got boolean", of_book { burst = true })
    assert.equal("mark_read: must be a boolean, got string", of_book { mark_read = "да" })
    assert.equal("human: '12h' stands there without a name of a field", of_book { human = { "12h" } })
  end)

  it("is told of hours", function()
    assert.equal("hours: need the zone of the book: zone = 'Europe/Moscow'", of_book { hours = HOURS })
    assert.equal("holidays: need the hours of the book as well", of_book { zone = "UTC+3", holidays = { "01-01" } })
    assert.truthy(of_book { zone = "UTC+3", hours = { ["пн"] = "9-25" } }:find "^hours: 'пн': ")
    assert.truthy(of_book { zone = "UTC+3", hours = HOURS, holidays = { "02-30" } }:find "^holidays: '02%-30': ")
  end)

  it("is told of names the seller gives", function()
    assert.equal("vars['адрес']: must be a string or number, got table", of_book { vars = { ["адрес"] = {} } })
    assert.equal("vars['item.title']: is a name that texts have already; choose another",
      of_book { vars = { ["item.title"] = "x" } })
    for _, name in ipairs { "a|b", "{a", "a}", " a", "a ", "" } do
      assert.equal(("vars['%s']: a name has no braces, no | and no space at its ends"):format(name),
        of_book { vars = { [name] = "x" } })
    end
    assert.equal("vars['a']: has a brace: names in it would not be filled in", of_book { vars = { a = "«{item.title}»" } })
    assert.equal("vars['true']: a name must be a string, got boolean", of_book { vars = { [true] = "x" } })
    assert.equal("calls['reserve']: must be a function, got string", of_book { calls = { reserve = "x" } })
    assert.equal("concepts['торг']: must be a string, got table", of_book { concepts = { ["торг"] = {} } })
    assert.equal("concepts: 'торг*' stands there without a name of a field", of_book { concepts = { "торг*" } })
  end)

  it("is told of concepts, every one, and not of the rules that use them", function()
    local lines = mistakes { concepts = { a = "\"x", b = "да", c = "~нетакого" }, { "r", hears = "~a | ~b | ~c", say = "да" } }
    table.sort(lines)
    assert.equal(2, #lines)
    assert.truthy(lines[1]:find "^concepts%['a'%]: column %d+: ")
    assert.truthy(lines[2]:find "^concepts%['c'%]: column %d+: .*нетакого")
  end)
end)

describe("mistakes", function()
  it("are told all at once, in the order of the book", function()
    local given = {
      zone = "Europe/Nowhere", hours = HOURS, burts = "3s",
      { "a", hears = "\"x", say = "{нет}", once = "5", flow = "b" },
      { "b", hours = "closed", item = { price = "дорого" }, sya = "да" },
    }
    local lines = mistakes(given)
    local begins = { "unknown field 'burts'", "zone: ", "rule 'a': once: ", "rule 'a': say: ", "rule 'a': flow: ",
      "rule 'a': hears: ", "rule 'b': unknown field 'sya' (did you mean 'say'?)", "rule 'b': item.price: ",
      "rule 'b': does nothing" }
    assert.equal(#begins, #lines)
    for i, start in ipairs(begins) do assert.equal(start, lines[i]:sub(1, #start)) end
  end)

  it("come as an error with a list", function()
    local book, err = rulebook.compile({ { "торг", hear = "x", say = "да", item = { price = "x" } } })
    assert.is_nil(book)
    assert.equal("invalid", err.kind)
    assert.equal(2, #err.problems)
    assert.same({ where = "rule 'торг'", field = "item.price",
      message = "'x' is no price: write '>= 5000', '< 100', '5000' or '1000..5000'",
      text = "rulebook: rule 'торг': item.price: 'x' is no price: write '>= 5000', '< 100', '5000' or '1000..5000'",
    }, err.problems[2])
    local first = "rulebook: rule 'торг': unknown field 'hear' (did you mean 'hears'?)\nrulebook: rule"
    assert.truthy(tostring(err):find(first, 1, true))
  end)

  it("of those who call are raised", function()
    for _, call in ipairs {
      { function() rulebook.compile "x" end, "rulebook.compile: a table expected, got string" },
      { function() return (rulebook.mark "x") end, "rulebook: a table expected, got string" },
      { function() rulebook.load {} end, "rulebook.load: path must be a string, got table" },
    } do
      local ok, message = pcall(call[1])
      assert.is_false(ok)
      assert.truthy(message:find("mistakes_spec.lua:%d+: "), message)
      assert.equal(call[2], message:match ": (.*)$")
    end
  end)
end)
