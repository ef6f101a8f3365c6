local weekdays = require "avito_messenger.bot.hours.weekdays"

describe("days of the week", function()
  it("have names, short and long, in any case", function()
    for written, day in pairs {
      ["пн"] = 1, ["Пон"] = 1, ["ПОНЕДЕЛЬНИК"] = 1, mon = 1, MONDAY = 1, ["вт"] = 2, ["Вторник"] = 2, tue = 2, Tuesday = 2,
      ["ср."] = 3, ["среда"] = 3, wed = 3, ["ЧТ"] = 4, ["четверг"] = 4, thu = 4, Thursday = 4, [" пт "] = 5, ["Пятница"] = 5,
      fri = 5, ["Сб"] = 6, ["СУББОТА"] = 6, sat = 6, ["вс"] = 7, ["Воскресенье"] = 7, Sun = 7, sunday = 7,
    } do
      assert.same({ day }, weekdays.read(written), written)
    end
  end)

  it("may be ranges, lists and groups", function()
    for written, days in pairs {
      ["пн-пт"] = { 1, 2, 3, 4, 5 }, ["сб–вс"] = { 6, 7 }, ["Mon — Wed"] = { 1, 2, 3 }, ["сб-вт"] = { 6, 7, 1, 2 },
      ["вс−пн"] = { 7, 1 }, ["ср-ср"] = { 3 }, ["пн, ср"] = { 1, 3 }, ["пн-вт,пт , вс"] = { 1, 2, 5, 7 },
      ["Будни"] = { 1, 2, 3, 4, 5 }, weekdays = { 1, 2, 3, 4, 5 }, ["выходные"] = { 6, 7 }, weekends = { 6, 7 },
      ["ЕЖЕДНЕВНО"] = { 1, 2, 3, 4, 5, 6, 7 }, daily = { 1, 2, 3, 4, 5, 6, 7 }, ["будни, вс"] = { 1, 2, 3, 4, 5, 7 },
    } do
      assert.same(days, weekdays.read(written), written)
    end
  end)

  it("that are none are errors", function()
    for written, message in pairs {
      ["понидельник"] = "unknown day 'понидельник' (did you mean 'понедельник'?)",
      ["Mondey-fri"] = "unknown day 'mondey' (did you mean 'monday'?)",
      ["праздники"] = "unknown day 'праздники' (days are as 'пн', 'пн-пт', 'mon', 'будни', 'ежедневно')",
      [""] = "a day is missing", ["пн,"] = "a day is missing", ["-пт"] = "a day is missing", ["пн-"] = "a day is missing",
      ["пн-будни"] = "a range goes from a day to a day, not 'пн-будни'",
      ["выходные-ср"] = "a range goes from a day to a day, not 'выходные-ср'",
      ["пн, пн"] = "пн is named twice", ["вт, пн-пт"] = "вт is named twice", ["ежедневно, вс"] = "вс is named twice",
    } do
      local days, problem = weekdays.read(written)
      assert.is_nil(days)
      assert.equal(message, problem)
    end
  end)
end)
