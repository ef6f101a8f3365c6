local calendar = require "avito_messenger.calendar"
local holidays = require "avito_messenger.bot.hours.holidays"

--- The days from the first to the last of a year that are not as any other, as "month-day" or "month-day from-to".
local function special(list, year)
  local read, found = assert(holidays.read(list)), {}
  for days = calendar.days(year, 1, 1), calendar.days(year, 12, 31) do
    local spans = read:on(days)
    if spans then
      local _, month, day = calendar.date(days)
      local text = ("%02d-%02d"):format(month, day)
      for _, one in ipairs(spans) do text = text .. (" %d-%d"):format(one.from / 3600, one.to / 3600) end
      found[#found + 1] = text
    end
  end
  return found
end

describe("holidays", function()
  it("are none where there is no list", function()
    assert.same({}, special(nil, 2026))
    assert.same({}, special({}, 2026))
  end)

  it("may be of one year or of every year", function()
    local list = { "2026-01-01", "05-09" }
    assert.same({ "01-01", "05-09" }, special(list, 2026))
    assert.same({ "05-09" }, special(list, 2027))
  end)

  it("may be ranges, over New Year too", function()
    local dated, yearly = { "2026-12-30..2027-01-02" }, { "12-30 .. 01-02" }
    assert.same({ "12-30", "12-31" }, special(dated, 2026))
    assert.same({ "01-01", "01-02" }, special(dated, 2027))
    assert.same({}, special(dated, 2028))
    assert.same({ "01-01", "01-02", "12-30", "12-31" }, special(yearly, 2026))
    assert.same({ "02-28", "02-29", "03-01" }, special({ "02-28..03-01" }, 2028))
    assert.same({ "02-28", "03-01" }, special({ "02-28..03-01" }, 2026))
    assert.same({ "02-29" }, special({ "02-29" }, 2028))
  end)

  it("may be short days", function()
    assert.same({ "12-30", "12-31 10-14" }, special({ "12-30", ["2026-12-31"] = "10-14" }, 2026))
    assert.same({ "12-30", "12-31 0-24" }, special({ ["12-30"] = false, ["12-31"] = "круглосуточно" }, 2026))
  end)

  it("may be told more exactly", function()
    local list = {
      "2026-05-01..2026-05-03", "05-09", "06-01..06-02", ["2026-05-02"] = "10-11", ["2026-05-09"] = "10-12", ["06-02"] = "10-13",
      ["05-03"] = "10-15", ["2026-06-01..2026-06-01"] = "10-14",
    }
    assert.same({ "05-01", "05-02 10-11", "05-03", "05-09 10-12", "06-01 10-14", "06-02 10-13" }, special(list, 2026))
    assert.same({ "05-03 10-15", "05-09", "06-01", "06-02 10-13" }, special(list, 2027))
  end)

  it("that are none are errors that name the entry", function()
    local form = "a date is written '2026-12-31', or '12-31' for every year, a range '12-31..01-08'"
    for message, list in pairs {
      ["holidays: a table expected, got string"] = "05-09",
      ["holidays: a date as text expected, got number"] = { 5 },
      ["holidays: a date as text expected, got boolean"] = { [true] = "10-14" },
      ["holidays: '9 мая': " .. form] = { "9 мая" }, ["holidays: '09.05.2026': " .. form] = { "09.05.2026" },
      ["holidays: '05-09..': " .. form] = { "05-09.." }, ["holidays: '5-9': " .. form] = { "5-9" },
      ["holidays: '2026-02-29': there is no day '2026-02-29'"] = { "2026-02-29" },
      ["holidays: '02-30': there is no day '02-30'"] = { "02-30" }, ["holidays: '04-31': there is no day '04-31'"] = { "04-31" },
      ["holidays: '13-01': there is no day '13-01'"] = { "13-01" }, ["holidays: '00-01': there is no day '00-01'"] = { "00-01" },
      ["holidays: '01-00': there is no day '01-00'"] = { "01-00" },
      ["holidays: '01-01..02-30': there is no day '02-30'"] = { "01-01..02-30" },
      ["holidays: '2026-12-31..01-08': a range has a year at both ends, or at none"] = { "2026-12-31..01-08" },
      ["holidays: '2027-01-08..2026-12-31': the range ends before it begins"] = { "2027-01-08..2026-12-31" },
      ["holidays: '2026-01-01..2027-01-02': a range has at most 366 days"] = { "2026-01-01..2027-01-02" },
      ["holidays: '05-09': a day of it is already in '05-09'"] = { "05-09", "05-09" },
      ["holidays: '05-01..05-09': a day of it is already in '05-09..05-10'"] = { "05-09..05-10", "05-01..05-09" },
      ["holidays: '05-09': '9' is no time span: write '09:00-20:00', 'круглосуточно' or 'закрыто'"] = { ["05-09"] = "9" },
      ["holidays: '05-08': a text as '09:00-20:00' expected, or false for closed, got true"] = { ["05-08"] = true },
    } do
      local read, problem = holidays.read(list)
      assert.is_nil(read)
      assert.equal(message, problem)
    end
  end)
end)
