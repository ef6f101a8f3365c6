local parts = require "avito_messenger.store.parts"

local NOTHING = { texts = {}, rows = {} }

local function names(set)
  local list = {}
  for name in pairs(set) do list[#list + 1] = name end
  table.sort(list)
  return table.concat(list, " ")
end

describe("the parts of a record", function()
  local record

  before_each(function()
    record = { id = "c1", turns = 1, seen = { n = 2, ids = { m1 = 1, m2 = 2 } }, flow = { name = "торг" }, memory = { a = 1 },
      outbox = { { key = "k1", kind = "send", state = "queued", text = "Да" }, { key = "k2", kind = "read", state = "queued" } } }
  end)

  local function difference(kept, finals) return parts.difference(record, kept or NOTHING, finals, "c1") end

  it("are all written at first", function()
    local first = difference()
    assert.equal("flow memory seen state", names(first.write))
    assert.same({}, first.remove)
    assert.same({ "k1", "k2" }, { first.rows[1].key, first.rows[2].key })
    assert.same({ "send", "queued", 1 }, { first.rows[1].kind, first.rows[1].state, first.rows[1].place })
  end)

  it("are written when they have changed", function()
    local kept = difference().kept
    assert.equal("", names(difference(kept).write))
    assert.same({}, difference(kept).rows)
    record.turns = 2
    assert.equal("state", names(difference(kept).write))
    record.seen.ids.m3, record.seen.n = 3, 3
    record.memory = { a = 2 }
    assert.equal("memory seen state", names(difference(kept).write))
    kept = difference(kept).kept
    record.seen.ids.m4 = 4
    assert.equal("", names(difference(kept).write)) -- their number tells whether there are new ones
    record.outbox[2].state = "latched"
    assert.same({ "k2" }, { difference(kept).rows[1].key, difference(kept).rows[2] })
  end)

  it("are written in full for a chat whose ids are new, though their number is not", function()
    local kept = difference().kept
    kept.texts.seen = nil
    assert.equal("seen", names(difference(kept).write))
  end)

  it("are removed when they are gone", function()
    local kept = difference().kept
    record.flow, record.seen = nil, nil
    local removed = difference(kept).remove
    table.sort(removed)
    assert.same({ "flow", "seen" }, removed)
    assert.equal("", names(difference(kept).write))
  end)

  it("tell how rows of the outbox ended", function()
    local kept = difference().kept
    record.outbox = nil
    local ended = difference(kept, { { key = "k1", state = "confirmed", id = "m9" }, { key = "k9", state = "rejected" } }).ended
    table.sort(ended, function(one, other) return one.key < other.key end)
    assert.same({ { key = "k1", state = "confirmed", id = "m9" }, { key = "k2", state = "withdrawn" } }, ended)
  end)

  it("make the record again", function()
    local made = difference()
    local list, outbox = {}, {}
    for name, body in pairs(made.write) do list[#list + 1] = { name, body } end
    for i, row in ipairs(made.rows) do outbox[i] = { row.key, row.place, row.body } end
    local again, kept = parts.read("c1", list, outbox)
    assert.same(record, again)
    local second = difference(kept)
    assert.same({ "", 0, 0 }, { names(second.write), #second.rows, #second.ended })
  end)

  it("refuse what could not be read again", function()
    record.turns = print
    assert.error_matches(difference, "the record of chat c1 cannot be kept: .*type not supported")
    record.turns = 0 / 0
    assert.error_matches(difference, "the record of chat c1 cannot be kept")
    record.turns, record.outbox[1].text = 1, "\255"
    assert.error_matches(difference, "the record of chat c1 cannot be kept: it holds a string that is not UTF%-8")
  end)

  it("say which of them cannot be read", function()
    local read, message = parts.read("c1", { { "state", "{}" }, { "flow", "{" } }, {})
    assert.is_nil(read)
    assert.matches("the part 'flow' is no JSON object: ", message)
    read, message = parts.read("c1", {}, { { "k1", 1, "5" } })
    assert.is_nil(read)
    assert.matches("the part 'outbox k1' is no JSON object", message)
  end)
end)
