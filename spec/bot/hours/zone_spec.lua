local files = require "support.files"
local rule = require "avito_messenger.bot.hours.rule"
local zone = require "avito_messenger.bot.hours.zone"

local DIRECTORY = "/usr/share/zoneinfo"

local RUSSIAN = {
  "Asia/Anadyr", "Asia/Barnaul", "Asia/Chita", "Asia/Irkutsk", "Asia/Kamchatka", "Asia/Khandyga", "Asia/Krasnoyarsk",
  "Asia/Magadan", "Asia/Novokuznetsk", "Asia/Novosibirsk", "Asia/Omsk", "Asia/Sakhalin", "Asia/Srednekolymsk", "Asia/Tomsk",
  "Asia/Ust-Nera", "Asia/Vladivostok", "Asia/Yakutsk", "Asia/Yekaterinburg", "Europe/Astrakhan", "Europe/Kaliningrad",
  "Europe/Kirov", "Europe/Moscow", "Europe/Samara", "Europe/Saratov", "Europe/Simferopol", "Europe/Ulyanovsk",
  "Europe/Volgograd",
}
local OTHERS = {
  "Africa/Cairo", "Africa/Casablanca", "Africa/Monrovia", "America/Caracas", "America/Havana", "America/New_York",
  "America/Nuuk", "America/Sao_Paulo", "America/St_Johns", "Antarctica/Troll", "Asia/Gaza", "Asia/Kathmandu", "Asia/Pyongyang",
  "Asia/Tehran", "Australia/Lord_Howe", "EST", "Europe/Dublin", "Europe/London", "Pacific/Apia", "Pacific/Chatham",
  "Pacific/Kiritimati", "Pacific/Kwajalein", "UTC",
}

local function all_zones()
  local names = {}
  for _, name in ipairs(RUSSIAN) do names[#names + 1] = name end
  for _, name in ipairs(OTHERS) do names[#names + 1] = name end
  return names
end

--- From 1970 to 2100: every change with a second around it, and the same for what is between.
local function moments_of(place)
  local moments = {}
  local function around(unix)
    for step = -1, 1 do moments[#moments + 1] = unix + step end
  end
  for _, unix in ipairs(place.moments) do
    if unix > 0 then around(unix) end
  end
  local unix = 2145916800
  for _ = 1, place.rule and 130 or 0 do
    unix = select(3, place.rule:period(unix))
    if unix > 4102444800 then break end
    around(unix)
  end
  for even = 0, 4102444800, 20011319 do moments[#moments + 1] = even end
  return moments
end

--- What date(1) says of each moment.
local function dates(name, moments)
  local path = files.temporary()
  local lines = {}
  for i, unix in ipairs(moments) do lines[i] = ("@%d\n"):format(unix) end
  files.write(path, table.concat(lines))
  local command = "unset LD_PRELOAD; TZ=%s date -f %s '+%%Y-%%m-%%d %%H:%%M:%%S %%u %%j %%::z %%Z'"
  local pipe = assert(io.popen(command:format(name, path)))
  local told = {}
  for line in pipe:lines() do told[#told + 1] = line end
  pipe:close()
  os.remove(path)
  return told
end

local function described(place, unix)
  local date, offset, _, abbreviation = place:date(unix), place:offset(unix)
  local west = offset < 0 or abbreviation == "-00" -- where nobody lived
  local size = math.abs(offset)
  return ("%04d-%02d-%02d %02d:%02d:%02d %d %03d %s%02d:%02d:%02d %s"):format(date.year, date.month, date.day, date.hour,
    date.min, date.sec, date.weekday, date.yday, west and "-" or "+", math.floor(size / 3600), math.floor(size / 60) % 60,
    size % 60, abbreviation)
end

--- A directory of its own with one zone in it, for as long as the function runs.
local function with_zone(data, fn)
  local directory = files.temporary()
  os.execute("mkdir " .. directory)
  files.write(directory .. "/Zone", data)
  local ok, message = pcall(fn, directory)
  os.remove(directory .. "/Zone")
  os.remove(directory)
  if not ok then error(message, 0) end
end

local function damaged(data)
  local place, message
  with_zone(data, function(directory)
    place, message = zone.load("Zone", directory)
    assert.is_nil(place)
    local path = directory .. "/Zone is no time zone file: "
    assert.equal(path, message:sub(1, #path))
    message = message:sub(#path + 1)
  end)
  return message
end

local function big(value, size)
  local out = {}
  for i = size, 1, -1 do
    out[i] = string.char(value % 256)
    value = math.floor(value / 256)
  end
  return table.concat(out)
end

--- A block of a file: its header, and what comes after. Counts may be given that are not those of the lists.
local function block(version, size, moments, indexes, types, names, counts)
  local out = { "TZif", version, ("\0"):rep(15) }
  counts = counts or {}
  for i, count in ipairs { 0, 0, 0, #moments, #types, #names } do out[#out + 1] = big(counts[i] or count, 4) end
  for _, moment in ipairs(moments) do out[#out + 1] = big(moment, size) end
  for _, index in ipairs(indexes) do out[#out + 1] = string.char(index) end
  for _, one in ipairs(types) do out[#out + 1] = big(one[1], 4) .. string.char(one[2], one[3]) end
  return table.concat(out) .. names
end

local TYPES, NAMES = { { 10800, 0, 0 }, { 14400, 1, 4 } }, "MSK\0+04\0"

local function version_1(...)
  return block("\0", 4, ...)
end

local function version_2(footer, ...)
  return block("2", 4, {}, {}, { { 0, 0, 0 } }, "UTC\0") .. block("2", 8, ...) .. footer
end

describe("a time zone", function()
  it("agrees with date on the clocks of all of Russia, and others", function()
    for _, name in ipairs(all_zones()) do
      local place = assert(zone.load(name))
      local moments = moments_of(place)
      local told = dates(name, moments)
      assert.equal(#moments, #told)
      for i, unix in ipairs(moments) do
        local got = described(place, unix)
        if got ~= told[i] then assert.equal(told[i], got, ("%s at %d"):format(name, unix)) end
      end
    end
  end)

  it("knows what changed in Samara and Kaliningrad", function()
    local samara, kaliningrad = assert(zone.load "Europe/Samara"), assert(zone.load "Europe/Kaliningrad")
    assert.same({ 14400, 10800, 14400, 14400 }, {
      (samara:offset(1269700000)), -- winter of 2009: UTC+4
      (samara:offset(1290000000)), -- winter of 2010: UTC+3
      (samara:offset(1301200000)), -- from March of 2011 on: UTC+4 again
      (samara:offset(1767225600)),
    })
    assert.same({ 7200, 10800, 10800, 7200 }, {
      (kaliningrad:offset(1290000000)), (kaliningrad:offset(1301200000)), (kaliningrad:offset(1414276000)),
      (kaliningrad:offset(1767225600)),
    })
  end)

  it("says whether it is daylight saving time", function()
    local place = assert(zone.load "America/New_York")
    assert.same({ -14400, true, "EDT" }, { place:offset(1782864000) })
    assert.same({ -18000, false, "EST" }, { place:offset(4102444800) })
    assert.equal("America/New_York", place.name)
  end)

  it("takes parts of a second", function()
    local place = assert(zone.load "Europe/Samara")
    assert.same(place:date(1767225599), place:date(1767225599.9))
  end)

  it("finds the moment of a date and time", function()
    local place = assert(zone.load "Europe/Samara")
    assert.equal(1767225600, place:unix { year = 2026, month = 1, day = 1, hour = 4, min = 0, sec = 0 })
    assert.equal(1767225600, place:unix { year = 2026, month = 1, day = 1, hour = 4 })
    assert.equal(1767225600 + 20 * 3600, place:unix { year = 2025, month = 12, day = 31, hour = 48 })
  end)

  it("finds it back for every moment, the earlier one of two", function()
    for _, name in ipairs(all_zones()) do
      local place = assert(zone.load(name))
      for _, unix in ipairs(moments_of(place)) do
        local date = place:date(unix)
        local back = place:unix(date)
        if back ~= unix then
          assert(back < unix and unix - back <= 86400, name)
          assert.same(date, place:date(back))
        end
      end
    end
  end)

  it("takes what the clocks leave out for the moment at which they do", function()
    for name, case in pairs {
      ["America/New_York"] = { 1772953200, { year = 2026, month = 3, day = 8, hour = 2, min = 30 } },
      ["Europe/Moscow"] = { 1301180400, { year = 2011, month = 3, day = 27, hour = 2, min = 59, sec = 59 } },
      ["Australia/Lord_Howe"] = { 1759591800, { year = 2025, month = 10, day = 5, hour = 2, min = 15 } },
      ["Pacific/Apia"] = { 1325239200, { year = 2011, month = 12, day = 30, hour = 12 } },
    } do
      assert.equal(case[1], assert(zone.load(name)):unix(case[2]), name)
    end
  end)

  it("takes of what the clocks show twice the earlier one", function()
    for name, case in pairs {
      ["America/New_York"] = { 1793511000, { year = 2026, month = 11, day = 1, hour = 1, min = 30 } },
      ["Europe/Moscow"] = { 1414272600, { year = 2014, month = 10, day = 26, hour = 1, min = 30 } },
      ["Australia/Lord_Howe"] = { 1775313900, { year = 2026, month = 4, day = 5, hour = 1, min = 45 } },
    } do
      local place = assert(zone.load(name))
      local shift = place:offset(case[1]) - place:offset(case[1] + 3600)
      assert.equal(case[1], place:unix(case[2]), name)
      assert.same(place:date(case[1]), place:date(case[1] + shift))
    end
  end)

  it("may be an offset alone", function()
    for name, expected in pairs {
      ["UTC+4"] = { 14400, false, "+04" }, ["UTC-3:30"] = { -12600, false, "-0330" }, ["UTC+0545"] = { 20700, false, "+0545" },
      ["UTC+14"] = { 50400, false, "+14" },
    } do
      assert.same(expected, { assert(zone.load(name, "/nowhere")):offset(0) })
    end
    assert.equal("the zone 'UTC+15' must be from UTC-14 to UTC+14", select(2, zone.load "UTC+15"))
    assert.equal("the zone 'UTC+3:60' must be from UTC-14 to UTC+14", select(2, zone.load "UTC+3:60"))
  end)

  it("names the nearest one that there is", function()
    for name, nearest in pairs {
      ["Europe/Samra"] = "Europe/Samara", ["europe/samara"] = "Europe/Samara", Samara = "Europe/Samara",
      Moskow = "Europe/Moscow", ["Europe/Moscow/"] = "Europe/Moscow", ["Europe/Ekaterinburg"] = "Asia/Yekaterinburg",
    } do
      local place, message = zone.load(name)
      assert.is_nil(place)
      assert.equal(("unknown zone '%s' (did you mean '%s'?)"):format(name, nearest), message)
    end
  end)

  it("of two letters is near to none", function()
    assert.equal("unknown zone 'RU' (it should be as 'Europe/Moscow' or 'UTC+3')", select(2, zone.load "RU"))
  end)

  it("is never looked for outside of the directory", function()
    for _, name in ipairs {
      "../zoneinfo/Europe/Samara", "Europe/../Europe/Samara", DIRECTORY .. "/Europe/Samara", "./Europe/Samara",
      "Europe//Samara", "Europe", "", "Europe/Samara\0", "Москва", "zone1970.tab",
    } do
      local place, message = zone.load(name)
      assert.is_nil(place, name)
      assert.equal(("unknown zone '%s'"):format(name), message:sub(1, #name + 15))
    end
  end)

  it("says what to do where there is no data", function()
    assert.equal("unknown zone 'Europe/Samara': /nowhere has no time zones (install tzdata, or set TZDIR)",
      select(2, zone.load("Europe/Samara", "/nowhere")))
  end)

  it("finds names in the table where the list is not there", function()
    local directory = files.temporary()
    os.execute("mkdir " .. directory)
    files.write(directory .. "/zone1970.tab", "#codes\nRU,XX\t+5312+05009\tEurope/Samara\tMSK+01\n")
    local _, message = zone.load("Samra", directory)
    os.remove(directory .. "/zone1970.tab")
    os.remove(directory)
    assert.equal("unknown zone 'Samra' (did you mean 'Europe/Samara'?)", message)
  end)

  it("must have a name", function()
    assert.equal("a zone must be a name as 'Europe/Samara', got nil", select(2, zone.load(nil)))
  end)

  it("raises what is no moment or date", function()
    local place = assert(zone.load "UTC+4")
    for _, value in ipairs { "5", 0 / 0, math.huge, -1e15, false } do
      for _, method in ipairs { "offset", "date", "moment" } do
        local ok, message = pcall(place[method], place, value)
        assert.is_false(ok)
        assert.truthy(message:find(("zone:%s: the moment must be a number of Unix seconds, got "):format(method), 1, true))
      end
    end
    for message, date in pairs {
      ["the date must be a table, got number"] = 5,
      ["date.day must be an integer, got nil"] = { year = 2026, month = 1 },
      ["date.year must be an integer, got 2026.5"] = { year = 2026.5, month = 1, day = 1 },
      ["date.month must be an integer, got 1"] = { year = 2026, month = "1", day = 1 },
      ["date.hour must be an integer, got 1"] = { year = 2026, month = 1, day = 1, hour = 1e13 },
    } do
      local ok, problem = pcall(place.unix, place, date)
      assert.is_false(ok)
      assert.truthy(problem:find("zone:unix: " .. message, 1, true), problem)
    end
  end)
end)

describe("a time zone file", function()
  local MOMENTS, INDEXES = { 1000, 2000 }, { 1, 0 }

  --- The offsets that a file gives before, between and after its two transitions.
  local function offsets(data)
    local list = {}
    with_zone(data, function(directory)
      local place = assert(zone.load("Zone", directory))
      for i, unix in ipairs { -5e9, 999, 1000, 1999, 2000, 5e9 } do list[i] = (place:offset(unix)) end
    end)
    return list
  end

  it("may be of version 1", function()
    assert.same({ 10800, 10800, 14400, 14400, 10800, 10800 }, offsets(version_1(MOMENTS, INDEXES, TYPES, NAMES)))
    local in_1901 = 2 ^ 31 -- as the bytes of -2^31
    assert.same({ 10800, 14400, 10800, 10800, 14400, 14400 },
      offsets(version_1({ in_1901, 1000, 2000 }, { 1, 0, 1 }, TYPES, NAMES)))
  end)

  it("may be of version 2, with a rule for what comes after, or none", function()
    assert.same({ 10800, 10800, 14400, 14400, 18000, 18000 }, offsets(version_2("\n<+05>-5\n", MOMENTS, INDEXES, TYPES, NAMES)))
    assert.same({ 10800, 10800, 14400, 14400, 10800, 10800 }, offsets(version_2("\n\n", MOMENTS, INDEXES, TYPES, NAMES)))
    assert.same({ 18000, 18000, 18000, 18000, 18000, 18000 }, offsets(version_2("\n<+05>-5\n", {}, {}, TYPES, NAMES)))
    assert.same({ 10800, 10800, 10800, 10800, 10800, 10800 }, offsets(version_2("\n\n", {}, {}, TYPES, NAMES)))
  end)

  it("may have whatever it likes in the part that nobody reads", function()
    local unread = block("2", 4, { 5, 4 }, { 9, 9 }, { { 0, 9, 9 } }, "UTC\0" .. ("x"):rep(16), { 1, 1, 1, 2, 1, 10 })
    local data = unread .. block("2", 8, MOMENTS, INDEXES, TYPES, NAMES) .. "\n\n"
    assert.same({ 10800, 10800, 14400, 14400, 10800, 10800 }, offsets(data))
  end)

  it("has its rule from its last transition on", function()
    with_zone(version_2("\n<+05>-5\n", MOMENTS, INDEXES, TYPES, NAMES), function(directory)
      local place = assert(zone.load("Zone", directory))
      assert.equal(2000, place:moment(2000 + 18000))
      assert.equal(2000, place:moment(2000 + 18000 - 1)) -- the clocks leave that out
      assert.equal(1800, place:moment(1800 + 14400))
    end)
  end)

  it("that is damaged is an error that says how", function()
    local early = "it ends too early"
    local impossible = "it has a local time that cannot be"
    local whole = version_2("\n\n", MOMENTS, INDEXES, TYPES, NAMES)
    for _, case in ipairs {
      { "x", early },
      { ("x"):rep(44), "it has not the signature of one" },
      { version_1(MOMENTS, INDEXES, TYPES, NAMES):sub(1, -2), early },
      { version_1(MOMENTS, INDEXES, TYPES, NAMES, { 0, 0, 0, 2 ^ 32 - 1 }), early },
      { version_1({}, {}, {}, NAMES), "it has no local time" },
      { version_1({}, {}, TYPES, NAMES .. ("\0"):rep(8), { 0, 0, 1, 0, 2, 8 }),
        "it counts leap seconds, which Unix time does not" },
      { version_1({ 2000, 1000 }, INDEXES, TYPES, NAMES), "its transitions are in disorder" },
      { version_1({ 1000, 1000 }, INDEXES, TYPES, NAMES), "its transitions are in disorder" },
      { version_1(MOMENTS, { 1, 2 }, TYPES, NAMES), "a transition leads to no local time" },
      { version_1({}, {}, { { 93600, 0, 0 } }, NAMES), impossible },
      { version_1({}, {}, { { 2 ^ 32 - 90000, 0, 0 } }, NAMES), impossible },
      { version_1({}, {}, { { 0, 2, 0 } }, NAMES), impossible },
      { version_1({}, {}, { { 0, 0, 8 } }, NAMES), impossible },
      { version_1({}, {}, { { 0, 0, 4 } }, "MSK\0+04"), impossible },
      { whole:sub(1, -2), early },
      { version_2("", MOMENTS, INDEXES, TYPES, NAMES), early },
      { version_2("\nEET-2EEST\n", MOMENTS, INDEXES, TYPES, NAMES), "its last line is no rule" },
    } do
      assert.equal(case[2], damaged(case[1]))
    end
  end)

  it("never raises, wherever it is cut off or changed", function()
    local function use(directory, data)
      files.write(directory .. "/Zone", data)
      local place, message = zone.load("Zone", directory)
      if not place then
        assert(type(message) == "string")
        return false
      end
      for _, unix in ipairs { -5e9, 1500, 5e9 } do place:unix(place:date(unix)) end
      return true
    end
    local real = files.read(DIRECTORY .. "/Australia/Lord_Howe")
    local small = version_2("\nEET-2EEST,M3.5.0/3,M10.5.0/4\n", MOMENTS, INDEXES, TYPES, NAMES)
    local read, refused = 0, 0
    with_zone(real, function(directory)
      for i = 0, #real - 1, 2 do assert.is_false(use(directory, real:sub(1, i))) end
      for i = 1, #small do
        assert.is_false(use(directory, small:sub(1, i - 1)))
        for byte = 0, 255, 15 do
          local ok = use(directory, small:sub(1, i - 1) .. string.char(byte) .. small:sub(i + 1))
          if ok then read = read + 1 else refused = refused + 1 end
        end
      end
    end)
    assert(read > 0 and refused > 0)
  end)

  it("of every name in the list can be read", function()
    local count = 0
    for line in io.lines(DIRECTORY .. "/tzdata.zi") do
      local name = line:match "^Z (%S+)" or line:match "^L %S+ (%S+)"
      if name then
        local place = assert(zone.load(name))
        assert.equal("table", type(place:date(4e9)))
        assert(place.rule == nil or getmetatable(place.rule) == getmetatable(rule.read "UTC0"))
        count = count + 1
      end
    end
    assert(count > 500)
  end)
end)
