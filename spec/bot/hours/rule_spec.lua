local rule = require "avito_messenger.bot.hours.rule"

--- The offset and the abbreviation at a moment.
local function at(text, unix)
  local now = assert(rule.read(text)):period(unix)
  return now.offset, now.abbreviation, now.is_dst
end

describe("a rule for local time", function()
  it("may be one time all year", function()
    assert.same({ 10800, "MSK", false }, { at("MSK-3", 0) })
    assert.same({ 14400, "+04", false }, { at("<+04>-4", 4e9) })
    assert.same({ -12600, "-0330", false }, { at("<-0330>3:30", 0) })
    assert.same({ 19800 + 15, "X+a", false }, { at("<X+a>-5:30:15", 0) })
  end)

  it("changes to the second", function()
    local text = "EET-2EEST,M3.5.0/3,M10.5.0/4" -- in 2026 on 29 March and 25 October at 1:00 UTC
    for _, case in ipairs {
      { 1774745999, "EET" }, { 1774746000, "EEST" }, { 1792889999, "EEST" }, { 1792890000, "EET" },
    } do
      assert.equal(case[2], (select(2, at(text, case[1]))))
    end
  end)

  it("tells from when until when", function()
    local _, from, to = rule.read("EET-2EEST,M3.5.0/3,M10.5.0/4"):period(1780000000)
    assert.same({ 1774746000, 1792890000 }, { from, to })
    _, from, to = rule.read("MSK-3"):period(1780000000)
    assert.same({ -math.huge, math.huge }, { from, to })
  end)

  it("counts days with and without the leap day", function()
    local year_2024, year_2026, day = 1704067200, 1767225600, 86400
    local without, with = "AAA0BBB,J60/0,J365/0", "AAA0BBB,59/0,364/0"
    assert.equal("AAA", (select(2, at(without, year_2024 + 60 * day - 1)))) -- 29 February
    assert.equal("BBB", (select(2, at(without, year_2024 + 60 * day))))
    assert.equal("AAA", (select(2, at(with, year_2024 + 59 * day - 1))))
    assert.equal("BBB", (select(2, at(with, year_2024 + 59 * day)))) -- 29 February
    assert.equal("AAA", (select(2, at("AAA0BBB,J59/0,J365/0", year_2024 + 58 * day - 1))))
    assert.equal("BBB", (select(2, at("AAA0BBB,J59/0,J365/0", year_2024 + 58 * day)))) -- 28 February
    for _, text in ipairs { without, with } do
      assert.equal("AAA", (select(2, at(text, year_2026 + 59 * day - 1))))
      assert.equal("BBB", (select(2, at(text, year_2026 + 59 * day))))
    end
  end)

  it("changes at 2:00 unless it says when", function()
    assert.equal("AAA", (select(2, at("AAA0BBB,J32,J300", 1767225600 + 31 * 86400 + 7199))))
    assert.equal("BBB", (select(2, at("AAA0BBB,J32,J300", 1767225600 + 31 * 86400 + 7200))))
  end)

  it("may change hours before the day, or days after", function()
    assert.equal("AAA", (select(2, at("AAA0BBB,J32/-24,J300", 1767225600 + 30 * 86400 - 1))))
    assert.equal("BBB", (select(2, at("AAA0BBB,J32/-24,J300", 1767225600 + 30 * 86400))))
    assert.equal("AAA", (select(2, at("AAA0BBB,J32/167:59:59,J300", 1767225600 + 31 * 86400 + 167 * 3600 + 3598))))
    assert.equal("BBB", (select(2, at("AAA0BBB,J32/167:59:59,J300", 1767225600 + 31 * 86400 + 167 * 3600 + 3599))))
    assert.equal("BBB", (select(2, at("AAA0BBB,J365/167,J364/167", 1767225600 + 86400)))) -- what began the year before
  end)

  it("may change for a year in the year before", function()
    local changes = rule.read "AAA0BBB,J1/-167,J2/-167" -- both in December
    local type, from, to = changes:period(1798675200) -- 2026-12-31
    assert.same({ "AAA", 1798246800 - 3600, 1798156800 + 365 * 86400 + 3600 }, { type.abbreviation, from, to })
  end)

  it("may have daylight saving time all year", function()
    local text = "EST5EDT,0/0,J365/25"
    for unix = 1735600000, 1736000000, 1800 do assert.equal(-14400, (at(text, unix))) end
    assert.is_true((select(3, at(text, 1735707600))))
  end)

  it("may have less of an offset in what it calls daylight saving time", function()
    assert.same({ 0, "GMT", true }, { at("IST-1GMT0,M10.5.0,M3.5.0/1", 1767225600) })
    assert.same({ 3600, "IST", false }, { at("IST-1GMT0,M10.5.0,M3.5.0/1", 1782864000) })
  end)

  it("is none where it is not whole", function()
    local bad = {
      "", "3", "MS-3", "MSK", "<+04-4", "<+04>", "<$$$>3", "MSK-25", "MSK-3:60", "MSK-3:00:60", "MSK-3 ", "EET-2EEST",
      "EET-2EEST,M3.5.0/3", "EET-2EEST,M3.5.0/3,", "EET-2EEST,M3.5.0/3,M10.5.0/4,", "EET-2EEST,M3.5.0/,M10.5.0/4",
      "EET-2EEST,M0.5.0,M10.5.0", "EET-2EEST,M13.5.0,M10.5.0", "EET-2EEST,M3.0.0,M10.5.0", "EET-2EEST,M3.6.0,M10.5.0",
      "EET-2EEST,M3.5.7,M10.5.0", "EET-2EEST,J0,J9", "EET-2EEST,J366,J9", "EET-2EEST,366,9", "EET-2EEST,M3.5,M10.5.0",
      "EET-2EEST,M3.5.0/168,M10.5.0", "EET-2EEST;M3.5.0,M10.5.0", "EET-2EEST,K5,J9", "EET-2<+03,M3.5.0,M10.5.0",
    }
    for _, text in ipairs(bad) do assert.is_nil(rule.read(text), text) end
  end)
end)
