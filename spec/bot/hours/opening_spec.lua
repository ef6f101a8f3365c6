local opening = require "avito_messenger.bot.hours.opening"

local HOUR = 3600

--- Spans as lists of hours.
local function in_hours(spans)
  local list = {}
  for _, one in ipairs(spans) do
    list[#list + 1] = one.from / HOUR
    list[#list + 1] = one.to / HOUR
  end
  return list
end

describe("the opening of a day", function()
  it("is a time span or several", function()
    for written, expected in pairs {
      ["09:00-20:00"] = { 9, 20 }, ["9-20"] = { 9, 20 }, [" 9.30 – 18:15 "] = { 9.5, 18.25 }, ["0-24"] = { 0, 24 },
      ["9-13, 14-18"] = { 9, 13, 14, 18 }, ["14-18,9-13"] = { 9, 13, 14, 18 }, ["9-13,13-18"] = { 9, 13, 13, 18 },
    } do
      assert.same(expected, in_hours(opening.read(written)), written)
    end
  end)

  it("may last over midnight", function()
    assert.same({ 20, 26 }, in_hours(opening.read "20:00-02:00"))
    assert.same({ 9, 12, 20, 26 }, in_hours(opening.read "20-2, 9-12"))
    assert.same({ 20, 24 }, in_hours(opening.read "20-0"))
    assert.same({ 20, 24 }, in_hours(opening.read "20-24"))
  end)

  it("may be all day or never", function()
    for _, written in ipairs { "круглосуточно", "Круглосуточно", "24h", "24/7", "00:00-24:00" } do
      assert.same({ 0, 24 }, in_hours(opening.read(written)))
    end
    for _, written in ipairs { "закрыто", "ЗАКРЫТО", " closed ", false } do assert.same({}, opening.read(written)) end
  end)

  it("that is none is an error", function()
    for written, message in pairs {
      ["всегда"] = "'всегда' is no time span: write '09:00-20:00', 'круглосуточно' or 'закрыто'",
      [""] = "'' is no time span: write '09:00-20:00', 'круглосуточно' or 'закрыто'",
      ["9-20,"] = "'' is no time span: write '09:00-20:00', 'круглосуточно' or 'закрыто'",
      ["9 - x"] = "'x' is no time: write '09:00' or '9'", ["9:5-20"] = "'9:5' is no time: write '09:00' or '9'",
      ["9-12-15"] = "'12-15' is no time: write '09:00' or '9'",
      ["9-25"] = "there is no time '25'", ["9:60-20"] = "there is no time '9:60'", ["9-24:01"] = "there is no time '24:01'",
      ["9-9"] = "'9-9' is empty (all day is 'круглосуточно' or '00:00-24:00')",
      ["24-2"] = "'24-2' is empty (all day is 'круглосуточно' or '00:00-24:00')",
      ["9-14, 13-18"] = "the time spans of '9-14, 13-18' overlap",
      ["20-2, 22-23"] = "the time spans of '20-2, 22-23' overlap",
      [true] = "a text as '09:00-20:00' expected, or false for closed, got true",
      [5] = "a text as '09:00-20:00' expected, or false for closed, got number",
    } do
      local spans, problem = opening.read(written)
      assert.is_nil(spans)
      assert.equal(message, problem)
    end
  end)
end)
