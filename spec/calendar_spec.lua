local calendar = require "avito_messenger.calendar"

describe("the calendar", function()
  it("counts days one by one from 1970-01-01", function()
    local days, weekday = calendar.days(1895, 1, 1), 2
    assert.equal(0, calendar.days(1970, 1, 1))
    for year = 1895, 2105 do
      for month = 1, 12 do
        for day = 1, calendar.month_length(year, month) do
          assert(calendar.days(year, month, day) == days)
          local y, m, d = calendar.date(days)
          assert(y == year and m == month and d == day)
          assert(calendar.weekday(days) == weekday)
          days, weekday = days + 1, weekday % 7 + 1
        end
      end
    end
  end)

  it("has a leap day every fourth year, but not in three centuries of four", function()
    local lengths = { [1900] = 28, [2000] = 29, [2023] = 28, [2024] = 29, [2100] = 28, [2400] = 29 }
    for year, length in pairs(lengths) do assert.equal(length, calendar.month_length(year, 2)) end
  end)

  it("counts what is too much into the next month or year", function()
    assert.equal(calendar.days(2027, 1, 1), calendar.days(2026, 13, 1))
    assert.equal(calendar.days(2025, 12, 1), calendar.days(2026, 0, 1))
    assert.equal(calendar.days(2026, 3, 1), calendar.days(2026, 2, 29))
    assert.equal(calendar.days(2026, 2, 28), calendar.days(2026, 3, 0))
  end)
end)
