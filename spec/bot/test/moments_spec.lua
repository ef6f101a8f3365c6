local hours = require "avito_messenger.bot.hours"
local moments = require "avito_messenger.bot.test.moments"

describe("a moment of a scenario", function()
  local samara = assert(hours.zone "Europe/Samara") -- UTC+4
  local berlin = assert(hours.zone "Europe/Berlin")
  local EVENING = 1795198500 -- 2026-11-20 22:15 in Samara

  it("is read in the zone", function()
    assert.equal(EVENING, moments.read("2026-11-20 22:15", samara))
    assert.equal(EVENING + 30, moments.read("2026-11-20 22:15:30", samara))
    assert.equal(EVENING, moments.read("2026-11-20T22:15", samara))
    assert.equal(EVENING - 22 * 3600 - 15 * 60, moments.read("2026-11-20", samara))
    assert.equal(EVENING + 3 * 3600, moments.read("2026-11-20 22:15", berlin))
    assert.equal(5, moments.read(5, samara))
  end)

  it("is the next time that the clock shows it", function()
    assert.equal(EVENING + 60, moments.read("22:16", samara, EVENING))
    assert.equal(EVENING + 86400, moments.read("22:15", samara, EVENING))
    assert.equal(EVENING + 10 * 3600 + 45 * 60, moments.read("9:00", samara, EVENING))
    assert.equal(EVENING + 15, moments.read("22:15:15", samara, EVENING))
  end)

  it("is on the next day also where that one or this is longer or shorter, and past the end of a month", function()
    local before_winter = moments.read("2026-10-25 00:30", berlin) -- a day of 25 hours
    assert.equal(moments.read("2026-10-26 00:15", berlin), moments.read("00:15", berlin, before_winter))
    local before_summer = moments.read("2026-03-28 23:45", berlin)
    assert.equal(moments.read("2026-03-29 23:30", berlin), moments.read("23:30", berlin, before_summer))
    local new_year = moments.read("2026-12-31 23:00", samara)
    assert.equal(moments.read("2027-01-01 09:00", samara), moments.read("09:00", samara, new_year))
  end)

  it("is refused when it is none, with an example", function()
    for _, wrong in ipairs { "завтра", "2026-13-01 10:00", "2026-11-32", "2026-11-31", "2026-02-29", "2026-11-20 24:00",
      "2026-11-20 10:60", "10:00:60", "10:00", "2026-11-20 10:00:00:00" } do
      local unix, problem = moments.read(wrong, samara)
      assert.is_nil(unix)
      assert.equal(("'%s' is no time: expected one like \"2026-11-20 22:15\""):format(wrong), problem)
    end
    assert.equal([['25:00' is no time: expected one like "2026-11-20 22:15" or "22:15"]],
      select(2, moments.read("25:00", samara, 0)))
    assert.equal([[a time like "2026-11-20 22:15" expected, got boolean]], select(2, moments.read(true, samara)))
  end)
end)
