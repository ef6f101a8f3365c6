local Intake = require "avito_messenger.bot.intake"
local loop = require "avito_messenger.io.loop"

describe("the intake of a listener", function()
  local now, answers, batches, notes, intake, answer_of_store

  before_each(function()
    now, answers, batches, notes = 100, {}, {}, {}
    answer_of_store = function(rows)
      local flags = {}
      for i = 1, #rows do flags[i] = true end
      return flags
    end
    local bot = { driver = { now = function() return now end }, lanes = { told = function() end },
      tell = function(_, note) notes[#notes + 1] = note end,
      store_failed = function(_, what, err)
        local code = type(err) == "table" and err.code or "error"
        notes[#notes + 1] = { kind = "store", what = what, code = code, message = tostring(err) }
      end }
    bot.store = { receive = function(_, account, rows)
      local keys = {}
      for i, row in ipairs(rows) do keys[i] = row.key end
      batches[#batches + 1] = account .. ": " .. table.concat(keys, " ")
      return answer_of_store(rows)
    end }
    intake = Intake.new(bot, function(request, outcome) answers[#answers + 1] = request.name .. " " .. outcome end,
      function() end)
  end)

  local function add(name, account, seconds)
    intake:add({ name = name }, account or "1", { { key = name } }, seconds or 1.2)
  end

  local function turn()
    loop.run(function()
      intake:hand_over()
      loop.sleep(0)
      loop.sleep(0)
    end)
  end

  it("hands over what came together, each account's by itself", function()
    add "a"
    add("b", "2")
    add "c"
    assert.same({}, answers)
    turn()
    table.sort(batches)
    assert.same({ "1: a c", "2: b" }, batches)
    table.sort(answers)
    assert.same({ "a message", "b message", "c message" }, answers)
  end)

  it("answers each by what became of its own row", function()
    add "a"
    add "b"
    answer_of_store = function() return { false, true } end
    turn()
    assert.same({ "a known", "b message" }, answers)
  end)

  it("gives the store as long as it is told", function()
    for _, seconds in ipairs { 1.2, 0.1, 5 } do
      add("a", "1", seconds)
      assert.is_true(math.abs(intake:next() - now - seconds) < 1e-6, tostring(seconds))
      now = intake:next()
      intake:expire()
      assert.is_nil(intake:next())
    end
  end)

  it("tells those whose time is over to come again, and forgets them", function()
    add "slow"
    now = 100.5
    add "later"
    now = 101.2
    intake:expire()
    assert.same({ "slow unavailable" }, answers)
    assert.same({ { kind = "webhook", outcome = "unavailable", count = 1 } }, notes)
    turn()
    assert.same({ "1: later" }, batches)
    now = 200
    intake:expire()
    assert.same({ "slow unavailable", "later message" }, answers)
  end)

  it("answers once, also when the store comes back late", function()
    answer_of_store = function(rows)
      now = 200
      intake:expire()
      return { #rows > 0 }
    end
    add "a"
    turn()
    assert.same({ "a unavailable" }, answers)
    assert.same({ { kind = "webhook", outcome = "unavailable", count = 1 } }, notes)
  end)

  it("serves on after a failure", function()
    for _, failing in ipairs { function() return nil, "it failed" end, function() error("it failed", 0) end } do
      answer_of_store = failing
      add "a"
      turn()
      assert.equal("a unavailable", table.remove(answers))
      assert.equal("error", notes[#notes].code)
      assert.is_truthy(notes[#notes].message:find "^it failed")
    end
    answer_of_store = function() return { true } end
    add "a"
    turn()
    assert.same({ "a message" }, answers)
  end)
end)
