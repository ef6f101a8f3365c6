local hours = require "avito_messenger.bot.hours"

local DAY = 86400

local samara = assert(hours.zone "Europe/Samara")
local new_york = assert(hours.zone "America/New_York")

local SHOP = { ["пн-пт"] = "09:00-20:00", ["сб"] = "10:00-16:00" }

--- "2026-01-05 09:00" in the zone as a moment.
local function at(text, place)
  local year, month, day, hour, min = text:match "^(%d+)-(%d+)-(%d+) (%d+):(%d+)$"
  return (place or samara):unix {
    year = tonumber(year), month = tonumber(month), day = tonumber(day), hour = tonumber(hour), min = tonumber(min),
  }
end

local function shown(unix, place)
  if not unix then return nil end
  local date = (place or samara):date(unix)
  return ("%04d-%02d-%02d %02d:%02d"):format(date.year, date.month, date.day, date.hour, date.min)
end

local function read(...)
  return assert(hours.read(...))
end

describe("opening hours", function()
  it("are open from the first to the last second", function()
    local shop = read(samara, SHOP)
    for text, open in pairs {
      ["2026-01-05 09:00"] = true, ["2026-01-05 20:00"] = false, ["2026-01-10 09:59"] = false, ["2026-01-10 15:59"] = true,
      ["2026-01-11 12:00"] = false,
    } do
      assert.equal(open, shop:is_open(at(text)), text)
    end
    assert.is_false(shop:is_open(at "2026-01-05 09:00" - 1))
    assert.is_false(shop:is_open(at "2026-01-05 09:00" - 0.5))
    assert.is_true(shop:is_open(at "2026-01-05 20:00" - 0.5))
    assert.is_true(shop:is_open(at "2026-01-05 20:00" - 1))
  end)

  it("are those of the zone", function()
    assert.is_true(read(samara, SHOP):is_open(at("2026-01-05 05:00", assert(hours.zone "UTC+0"))))
    assert.is_false(read(new_york, SHOP):is_open(at "2026-01-05 09:00"))
  end)

  it("say when they open and close next", function()
    local shop = read(samara, SHOP)
    for _, case in ipairs {
      { "2026-01-05 08:00", "2026-01-05 09:00", "2026-01-05 20:00" },
      { "2026-01-05 12:34", "2026-01-05 12:34", "2026-01-05 20:00" },
      { "2026-01-05 20:00", "2026-01-06 09:00", "2026-01-06 20:00" },
      { "2026-01-10 16:00", "2026-01-12 09:00", "2026-01-12 20:00" },
    } do
      assert.equal(case[2], shown(shop:next_open(at(case[1]))))
      assert.equal(case[3], shown(shop:next_close(at(case[1]))))
    end
  end)

  it("may pause at noon", function()
    local shop = read(samara, { ["ежедневно"] = "9-13, 14-18" })
    assert.is_false(shop:is_open(at "2026-01-05 13:30"))
    assert.equal("2026-01-05 14:00", shown(shop:next_open(at "2026-01-05 13:00")))
    assert.equal("2026-01-05 13:00", shown(shop:next_close(at "2026-01-05 10:00")))
  end)

  it("may last over midnight", function()
    local bar = read(samara, { ["пт, вс"] = "20:00-02:00" })
    for text, open in pairs {
      ["2026-01-10 01:59"] = true, ["2026-01-10 02:00"] = false, ["2026-01-10 20:30"] = false, ["2026-01-12 01:00"] = true,
      ["2026-01-11 01:00"] = false,
    } do
      assert.equal(open, bar:is_open(at(text)), text)
    end
    assert.equal("2026-01-10 02:00", shown(bar:next_close(at "2026-01-10 01:00")))
    assert.equal("2026-01-10 01:00", shown(bar:next_open(at "2026-01-10 01:00")))
  end)

  it("do not close where one span follows another", function()
    local shop = read(samara, { ["пн"] = "20-24", ["вт"] = "0-10, 10-12", ["ср"] = "9-10" })
    assert.equal("2026-01-06 12:00", shown(shop:next_close(at "2026-01-05 21:00")))
    assert.equal("2026-01-07 10:00", shown(shop:next_close(at "2026-01-06 12:00")))
  end)

  it("may have spans that reach into each other over midnight", function()
    local shop = read(samara, { ["пн"] = "20-12", ["вт"] = "9-10, 14-15" })
    assert.equal("2026-01-06 12:00", shown(shop:next_close(at "2026-01-06 09:30")))
    assert.equal("2026-01-06 14:00", shown(shop:next_open(at "2026-01-06 12:00")))
  end)

  it("never close where they are round the clock", function()
    local shop = read(samara, "круглосуточно")
    assert.is_true(shop:is_open(at "2026-01-05 00:00"))
    assert.is_nil(shop:next_close(at "2026-01-05 12:00"))
    assert.equal(at "2026-01-05 12:00", shop:next_open(at "2026-01-05 12:00"))
  end)

  it("keep holidays and short days", function()
    local shop = read(samara, SHOP, { "2026-01-01", "05-09", "12-31..01-04", ["2025-12-31"] = "10:00-14:00" })
    assert.equal("2025-12-31 14:00", shown(shop:next_close(at "2025-12-31 11:00")))
    assert.equal("2026-01-05 09:00", shown(shop:next_open(at "2025-12-31 14:00")))
    assert.is_false(shop:is_open(at "2026-05-09 12:00"))
    assert.is_false(shop:is_open(at "2030-05-09 12:00"))
  end)

  it("go on into a holiday over midnight, but do not begin on it", function()
    local bar = read(samara, { ["ежедневно"] = "20:00-02:00" }, { "2026-01-01" })
    assert.is_true(bar:is_open(at "2026-01-01 01:00"))
    assert.is_false(bar:is_open(at "2026-01-01 21:00"))
    assert.is_false(bar:is_open(at "2026-01-02 01:00"))
    assert.equal("2026-01-02 20:00", shown(bar:next_open(at "2026-01-01 02:00")))
  end)

  it("are looked for a year and a bit ahead, not for ever", function()
    local shop = read(samara, SHOP, { "01-01..12-31", ["2027-01-20"] = "10-14", ["2031-01-20"] = "10-14" })
    assert.equal("2027-01-20 10:00", shown(shop:next_open(at "2026-01-05 12:00")))
    assert.is_nil(shop:next_open(at "2027-01-20 14:00"))
    assert.is_nil(shop:next_close(at "2027-01-20 14:00"))
  end)

  it("may be the same every day", function()
    local night = assert(hours.daily("22:00-08:00", samara))
    assert.is_true(night:is_open(at "2026-01-05 07:59"))
    assert.is_false(night:is_open(at "2026-01-05 08:00"))
    assert.equal("2026-01-05 22:00", shown(night:next_open(at "2026-01-05 08:00")))
    assert.equal("hours: there is no time '25'", select(2, hours.daily("9-25", samara)))
    assert.equal("hours: a text as '22:00-08:00' expected, got boolean", select(2, hours.daily(false, samara)))
    assert.equal("hours: no day is ever open", select(2, hours.daily("закрыто", samara)))
  end)

  it("that are none are errors that name the entry", function()
    for message, schedule in pairs {
      ["hours: a text as '09:00-20:00' expected, or false for closed, got number"] = 5,
      ["hours: no day is ever open"] = {},
      ["hours: 'пн-пд': unknown day 'пд' (did you mean 'пн'?)"] = { ["пн-пд"] = "9-20" },
      ["hours: 'пн': there is no time '25'"] = { ["пн"] = "9-25" },
      ["hours: 'пт': пт is already given as 'пн-пт'"] = { ["пн-пт"] = "9-20", ["пт"] = "9-18" },
      ["hours: the days must be named: { [\"пн-пт\"] = \"09:00-20:00\" }"] = { "9-20" },
    } do
      local shop, problem = hours.read(samara, schedule)
      assert.is_nil(shop)
      assert.equal(message, problem)
    end
    assert.equal("hours: no day is ever open", select(2, hours.read(samara, { ["пн"] = false, ["вт"] = "закрыто" })))
    assert.equal("holidays: '02-30': there is no day '02-30'", select(2, hours.read(samara, SHOP, { "02-30" })))
  end)

  it("raise what is no zone or no moment", function()
    for _, place in ipairs { "Europe/Samara", {}, 5 } do
      local ok, message = pcall(hours.read, place, SHOP)
      assert.is_false(ok)
      assert.truthy(message:find("hours.read: the zone must be what hours.zone returns, got " .. type(place), 1, true))
    end
    local shop = read(samara, SHOP)
    for _, value in ipairs { "5", 0 / 0, math.huge, -math.huge, 1e15 } do
      for _, method in ipairs { "is_open", "next_open", "next_close", "say" } do
        local ok, message = pcall(shop[method], shop, value, 0)
        assert.is_false(ok)
        local what = method == "say" and "now" or "the moment"
        assert.truthy(message:find(("hours:%s: %s must be a number of Unix seconds, got "):format(method, what), 1, true))
      end
    end
    local ok, message = pcall(function() shop:say(0, nil) end)
    assert.is_false(ok)
    assert.truthy(message:find "^spec/bot/hours/hours_spec.lua:%d+: hours:say: the moment must be a number of Unix seconds")
  end)
end)

describe("a moment said", function()
  it("is as exact as it needs to be", function()
    local shop = read(samara, SHOP)
    local now = at "2026-01-05 23:30" -- a Monday
    for text, said in pairs {
      ["2026-01-05 23:45"] = "23:45", ["2026-01-06 00:00"] = "0:00 завтра", ["2026-01-06 09:00"] = "9:00 завтра",
      ["2026-01-07 09:00"] = "9:00 в среду", ["2026-01-08 09:05"] = "9:05 в четверг", ["2026-01-09 09:00"] = "9:00 в пятницу",
      ["2026-01-10 10:00"] = "10:00 в субботу", ["2026-01-11 10:00"] = "10:00 в воскресенье",
      ["2026-01-12 09:00"] = "9:00 12 января", ["2026-02-01 09:00"] = "9:00 1 февраля", ["2026-01-04 09:00"] = "9:00 4 января",
    } do
      assert.equal(said, shop:say(now, at(text)))
    end
    assert.equal("9:00 в понедельник", shop:say(at "2026-01-10 12:00", at "2026-01-12 09:00"))
    assert.equal("9:00 во вторник", shop:say(at "2026-01-10 12:00", at "2026-01-13 09:00"))
  end)
end)

describe("opening hours and clocks that change", function()
  it("have a day of 23 hours and one of 25", function()
    local shop = read(new_york, { ["ежедневно"] = "00:00-12:00" })
    for day, length in pairs { ["2026-03-08"] = 11, ["2026-03-09"] = 12, ["2026-11-01"] = 13 } do
      local from = at(day .. " 00:00", new_york)
      assert.equal(from, shop:next_open(from - 1))
      assert.equal(from + length * 3600, shop:next_close(from))
    end
  end)

  it("leave out what the clocks leave out", function()
    local shop = read(new_york, { ["ежедневно"] = "02:00-03:00" })
    assert.equal("2026-03-09 02:00", shown(shop:next_open(at("2026-03-07 03:00", new_york)), new_york))
    assert.is_false(shop:is_open(at("2026-03-08 03:00", new_york)))
    shop = read(new_york, { ["ежедневно"] = "02:30-04:00" })
    assert.equal("2026-03-08 03:00", shown(shop:next_open(at("2026-03-08 01:00", new_york)), new_york))
  end)

  it("close once where the clocks show the time twice", function()
    local shop = read(new_york, { ["ежедневно"] = "00:00-01:30" })
    local first = at("2026-11-01 01:30", new_york)
    assert.equal(first, shop:next_close(first - 600))
    assert.is_false(shop:is_open(first + 3600 - 600))
  end)

  it("are right where midnight is left out or shown twice", function()
    for name, days in pairs {
      ["America/Sao_Paulo"] = { "2018-11-04", "2019-02-16" }, ["America/Havana"] = { "2026-03-08", "2026-11-01" },
      ["America/St_Johns"] = { "2011-03-13", "2010-11-06" }, ["Pacific/Apia"] = { "2011-12-30", "2011-12-29" },
    } do
      local place = assert(hours.zone(name))
      local always = read(place, { ["ежедневно"] = "00:00-24:00" })
      local night = read(place, { ["ежедневно"] = "23:00-01:00" })
      for _, day in ipairs(days) do
        local from = at(day .. " 00:00", place)
        for unix = from - DAY, from + 2 * DAY, 600 do
          assert(always:is_open(unix), name)
          local opens = night:next_open(unix)
          assert(night:is_open(opens) and opens >= unix and opens < unix + 2 * DAY, name)
        end
      end
    end
  end)

  it("skip the day that Apia skipped", function()
    local place = assert(hours.zone "Pacific/Apia")
    local shop = read(place, { ["пт"] = "09:00-20:00" })
    assert.equal("2012-01-06 09:00", shown(shop:next_open(at("2011-12-29 12:00", place)), place))
  end)
end)

describe("the next opening", function()
  local SCHEDULES = {
    SHOP, { ["ежедневно"] = "9-13, 14-18" }, { ["пт-вс"] = "20-4", ["пн"] = "0:30-2:30" }, { ["вс"] = "1-3, 23-24" },
  }
  local DAYS_OFF = { "2026-03-09", "11-02..11-03", ["2026-03-07"] = "22-2" }

  --- Is it open by what the clocks show? Only where the clocks do not change near.
  local function by_the_clocks(schedule, place, unix)
    local date = place:date(unix)
    local minute = date.hour * 60 + date.min
    local function within(day_unix, shift)
      local day = place:date(day_unix)
      local key = ("%04d-%02d-%02d"):format(day.year, day.month, day.day)
      local spans
      if key == "2026-03-07" then
        spans = "22-2"
      elseif key == "2026-03-09" or (day.month == 11 and (day.day == 2 or day.day == 3)) then
        spans = ""
      else
        spans = schedule[day.weekday] or ""
      end
      for from, from_min, to, to_min in spans:gmatch "(%d+):?(%d*)%-(%d+):?(%d*)" do
        local opens = tonumber(from) * 60 + (tonumber(from_min) or 0)
        local closes = tonumber(to) * 60 + (tonumber(to_min) or 0)
        if closes < opens then closes = closes + 1440 end
        if opens <= minute + shift and minute + shift < closes then return true end
      end
      return false
    end
    return within(unix, 0) or within(unix - (minute * 60 + 3 * 3600), 1440)
  end

  local BY_DAY = {
    { "09:00-20:00", "09:00-20:00", "09:00-20:00", "09:00-20:00", "09:00-20:00", "10:00-16:00" },
    { "9-13, 14-18", "9-13, 14-18", "9-13, 14-18", "9-13, 14-18", "9-13, 14-18", "9-13, 14-18", "9-13, 14-18" },
    { "0:30-2:30", nil, nil, nil, "20-4", "20-4", "20-4" },
    { nil, nil, nil, nil, nil, nil, "1-3, 23-24" },
  }

  it("is by the clocks what the schedule says", function()
    for i, schedule in ipairs(SCHEDULES) do
      local shop = read(samara, schedule, DAYS_OFF)
      local from = at "2026-02-27 00:00"
      for unix = from, from + 12 * DAY, 60 do
        if shop:is_open(unix) ~= by_the_clocks(BY_DAY[i], samara, unix) then
          error(("schedule %d at %s"):format(i, shown(unix)))
        end
      end
    end
  end)

  it("is open, and nothing is between now and then, nor before the next closing", function()
    for name, starts in pairs {
      ["Europe/Samara"] = { "2026-03-06 00:00" }, ["America/New_York"] = { "2026-03-07 00:00", "2026-10-31 00:00" },
      ["Australia/Lord_Howe"] = { "2026-04-04 00:00", "2026-10-03 00:00" },
      ["Africa/Casablanca"] = { "2026-02-14 00:00", "2026-03-21 00:00" },
    } do
      local place = assert(hours.zone(name))
      for _, schedule in ipairs(SCHEDULES) do
        local shop = read(place, schedule, DAYS_OFF)
        for _, start in ipairs(starts) do
          local from = at(start, place)
          for now = from, from + 2 * DAY, 17 * 3600 + 1020 do
            local opens, closes = shop:next_open(now), shop:next_close(now)
            assert(opens >= now and closes > opens)
            for unix = now, opens - 1, 60 do assert(not shop:is_open(unix)) end
            for unix = opens, closes - 1, 60 do assert(shop:is_open(unix)) end
            assert(not shop:is_open(opens - 1) or opens == now)
            assert(shop:is_open(closes - 1) and not shop:is_open(closes))
          end
        end
      end
    end
  end)
end)
