-- A rulebook on a marketplace that has not all it asks for.
local flow = require "avito_messenger.bot.flow"
local rulebook = require "avito_messenger.bot.rulebook"
local turn = require "support.turn"
local files = require "support.files"

--- The lines a seller sees, without the name of the book.
local function warnings(given, marketplace)
  local book = assert(rulebook.compile(given, "shop", marketplace or "yandex_market"))
  local lines = {}
  for i, warning in ipairs(book.warnings) do lines[i] = warning.text:match "^shop: (.*)$" end
  return lines, book
end

--- Those of one rule, without its name, joined by a line end.
local function of_rule(rule, marketplace)
  rule[1] = "r"
  local lines, book = warnings({ rule }, marketplace)
  return (table.concat(lines, "\n"):gsub("rule 'r': ", "")), book.rules[1]
end

local function avito(rule) return (of_rule(rule, "avito")) end

describe("a rule that never fires on Yandex Market", function()
  it("is one that asks for an item", function()
    assert.equal("item.price: Yandex Market chats tell no item: the rule never fires there",
      of_rule { item = { price = ">= 5000" }, say = "да" })
    assert.equal("item.id: Yandex Market chats tell no item: the rule never fires there\n" ..
      "item.title: Yandex Market chats tell no item: the rule never fires there",
      of_rule { item = { title = "iphone*", id = 5 }, say = "да" })
    assert.equal("", avito { item = { title = "iphone*", id = 5, price = 5 }, say = "да" })
  end)

  it("is one that asks for the number of a buyer, and not for a name", function()
    local line = "buyer.id: Yandex Market tells no number of a buyer: the rule never fires there"
    assert.equal(line, of_rule { buyer = 5, say = "да" })
    assert.equal(line, of_rule { buyer = { id = { 5, 6 }, name = "магазин" }, say = "да" })
    assert.equal("", of_rule { buyer = { name = "магазин" }, say = "да" })
    assert.equal("", avito { buyer = 5, say = "да" })
  end)

  it("is one that asks for a bot of Avito's", function()
    assert.equal("flow_id: system messages of Yandex Market have none: the rule never fires there",
      of_rule { flow_id = "x", act = "ignore" })
    assert.equal("", avito { flow_id = "x", act = "ignore" })
  end)

  it("is for messages of which none comes", function()
    assert.equal("on: no message of type voice comes on Yandex Market: the rule never fires there",
      of_rule { on = "voice", say = "да" })
    assert.equal("on: no message of type call or voice comes on Yandex Market: the rule never fires there",
      of_rule { on = { "voice", "call" }, say = "да" })
    assert.equal("on: no message of type deleted comes on Yandex Market: the rule never fires there",
      of_rule { on = "deleted", act = "ignore" })
    for _, on in ipairs { { "voice", "image" }, "text", "image", "file", "system" } do
      assert.equal("", of_rule { on = on, say = "да" })
    end
    assert.equal("", of_rule { on = "own", act = "pause" })
    for _, asked in ipairs { { hears = "да" }, { phone = true }, { links = true }, {} } do
      asked.say = "да"
      assert.equal("", of_rule(asked))
    end
    assert.equal("", avito { on = { "voice", "call" }, say = "да" })
  end)

  it("is for chats of which there are none", function()
    assert.equal("chat_type: Yandex Market has no u2i chats: the rule never fires there",
      of_rule { chat_type = "u2i", say = "да" })
    assert.equal("chat_type: Yandex Market has no a2u or u2u chats: the rule never fires there",
      of_rule { chat_type = { "u2u", "a2u" }, say = "да" })
    assert.equal("", of_rule { chat_type = { "u2i", "order" }, say = "да" })
    assert.equal("chat_type: Avito has no order or return chats: the rule never fires there",
      avito { chat_type = { "return", "order" }, say = "да" })
    assert.equal("", avito { chat_type = { "u2i", "direct" }, say = "да" })
  end)

  it("is told of that, and not of what it would do", function()
    assert.equal("on: no message of type voice comes on Yandex Market: the rule never fires there",
      of_rule { on = "voice", say = "{item.title}", image = "abc", act = "blacklist" })
  end)
end)

describe("what is left out on Yandex Market", function()
  it("is an act that it has not; the others stay", function()
    local lines, rule = of_rule { hears = "~спам", act = { { "blacklist", reason = "spam" }, "mark_read", "pause" } }
    assert.equal("act: 'blacklist' is left out there: Yandex Market has no blacklist\n" ..
      "act: 'mark_read' is left out there: Yandex Market chats cannot be marked as read", lines)
    assert.equal(1, #rule.acts)
    assert.equal("pause", rule.acts[1].kind)
    for _, act in ipairs { "escalate", "ignore", "pause", "resume" } do assert.equal("", of_rule { act = act }) end
    lines, rule = of_rule({ act = { "blacklist", "mark_read" } }, "avito")
    assert.equal("", lines)
    assert.equal(2, #rule.acts)
  end)

  it("is the id of an uploaded image; files stay", function()
    local lines, rule = of_rule { image = { "12345.0a1b", "photo.jpg" } }
    assert.equal("image: '12345.0a1b' is left out there: it is the id of an uploaded image, and Yandex Market takes files only",
      lines)
    assert.same({ "photo.jpg" }, rule.image)
    assert.equal("", avito { image = "12345.0a1b" })
  end)

  it("may be all that a rule does: it is told", function()
    local lines, rule = of_rule { image = "12345.0a1b" }
    assert.matches("\ntakes the message there, and does nothing$", lines)
    assert.is_nil(rule.image)
    assert.matches("\ntakes the message there, and does nothing$", of_rule { act = "blacklist" })
    assert.not_matches("takes the message", of_rule { act = "blacklist", say = "да" })
  end)

  it("is marking as read, of which only is told who asked for it", function()
    local lines, book = warnings { mark_read = true, { "r", say = "да" } }
    assert.same({ "mark_read: is left out there: Yandex Market chats cannot be marked as read" }, lines)
    assert.is_false(book.mark_read)
    for _, given in ipairs { { { "r", say = "да" } }, { mark_read = false, { "r", say = "да" } } } do
      lines, book = warnings(given)
      assert.same({}, lines)
      assert.is_false(book.mark_read)
    end
    lines, book = warnings({ mark_read = true, { "r", say = "да" } }, "avito")
    assert.same({}, lines)
    assert.is_true(book.mark_read)
  end)
end)

describe("a text", function()
  local function told(field, name)
    return ("%s: {%s}: Yandex Market chats tell no item: it is never said there, unless the name has a default, {%s|…}")
      :format(field, name, name)
  end

  it("that names what the marketplace does not tell is told of, unless there is a default", function()
    assert.equal(told("say", "item.title") .. "\n" .. told("say", "item.price"),
      of_rule { say = "{item.title} за {item.price}" })
    assert.equal(told("say[2]", "item.url"), of_rule { say = { "да", "{item.url}" } })
    assert.equal(told("say['B']", "item.city"), of_rule { say = { A = "да", B = "{item.city}" } })
    assert.equal("", of_rule { say = "{item.title|Товар} {item.price|}" })
    assert.equal(told("say", "item.title"), of_rule { say = "{item.title|Товар}: {item.title}" })
    assert.equal("", of_rule { say = "{buyer.name} {buyer.id} {order.id} {return.id} {chat.id} {message.text}" })
    assert.equal("", avito { say = "{item.title} {item.price} {item.id} {item.url} {item.city}" })
    assert.equal("say: {order.id}: Avito chats are about no order: it is never said there, unless the name has a default, "
      .. "{order.id|…}\nsay: {return.id}: Avito chats are about no order: it is never said there, unless the name has a "
      .. "default, {return.id|…}", avito { say = "{order.id} {return.id}" })
  end)

  it("may be as long as the marketplace allows", function()
    assert.equal("", of_rule { say = ("ы"):rep(4096) })
    local book, err = rulebook.compile({ { "r", say = ("ы"):rep(4097) } }, "shop", "yandex_market")
    assert.is_nil(book)
    assert.equal("shop: rule 'r': say: the text has 4097 characters, and a message of Yandex Market may have 4096", err.message)
    assert.is_nil((rulebook.compile { { "r", say = ("ы"):rep(1001) } }))
  end)
end)

describe("warnings", function()
  it("stand in the order of the book, each with its place", function()
    local path = files.temporary()
    files.write(path, [[
local avito = require "avito_messenger"
return avito.rulebook {
  mark_read = true,
  { "торг", hears = "~торг",
    item = { price = ">= 5000" }, say = "да" },
  { "цена", hears = "~цена", say = "{item.price}" },
}
]])
    local book = assert(rulebook.load(path, "yandex_market"))
    os.remove(path)
    local found = {}
    for i, warning in ipairs(book.warnings) do
      found[i] = ("%s %s %s"):format(warning.line, warning.where or "book", warning.field)
      assert.equal(("%s:%d: "):format(path, warning.line), warning.text:sub(1, #path + 4))
    end
    assert.same({ "3 book mark_read", "4 rule 'торг' item.price", "6 rule 'цена' say" }, found)
    assert.equal("Yandex Market chats tell no item: the rule never fires there", book.warnings[2].message)
  end)

  it("there are none on Avito for what it has", function()
    local book = assert(rulebook.load "examples/shop_rules.lua")
    assert.same({}, book.warnings)
    assert.equal("Avito", book.abilities.title)
  end)

  it("come from names of marketplaces that there are", function()
    local function problem(...) return (select(2, pcall(...)):gsub("^[^:]+:%d+: ", "")) end
    assert.equal("rulebook.compile: unknown marketplace 'yandex_markt' (did you mean 'yandex_market'?)",
      problem(rulebook.compile, {}, "shop", "yandex_markt"))
    assert.equal("rulebook.load: unknown marketplace 'ozon' (known: avito, yandex_market)",
      problem(rulebook.load, "examples/shop_rules.lua", "ozon"))
  end)
end)

describe("what must be looked up on Yandex Market", function()
  local function needs(rule, marketplace, more)
    rule[1] = "r"
    local given = more or {}
    given[#given + 1] = rule
    local found, list = assert(rulebook.compile(given, nil, marketplace or "yandex_market")).needs, {}
    for name, needed in pairs(found) do
      if needed then list[#list + 1] = name end
    end
    table.sort(list)
    return table.concat(list, " ")
  end

  it("is what texts and conditions name, as far as it can be known", function()
    assert.equal("", needs { say = "{item.title|Товар}" })
    assert.equal("", needs { item = { price = 5 }, say = "да" })
    assert.equal("buyer", needs { say = "{buyer.name|вы}" })
    assert.equal("order", needs { say = "{order.id}" })
    assert.equal("order", needs { say = "{return.id}" })
    assert.equal("type", needs { chat_type = "order", say = "да" })
  end)

  it("is all that can be where a function may look at it", function()
    assert.equal("buyer order type", needs { run = function() end })
    assert.equal("buyer order type", needs { when = function() end, say = "да" })
    assert.equal("buyer order type", needs({ flow = "обмен" }, nil, { flow.define { "обмен", function() end } }))
  end)

  it("is neither order nor type on Avito", function()
    assert.equal("buyer item", needs({ run = function() end }, "avito"))
    assert.equal("", needs({ chat_type = "u2i", say = "{order.id|нет}" }, "avito"))
  end)
end)

describe("a type of chat", function()
  it("of any marketplace may be asked for", function()
    local rule = assert(rulebook.compile { { "r", chat_type = { "order", "u2i" }, say = "да" } }).rules[1]
    assert.is_true(rule:check(turn.new { chat = { id = "1", type = "order" } }))
    assert.is_false(rule:check(turn.new { chat = { id = "1", type = "direct" } }))
  end)
end)
