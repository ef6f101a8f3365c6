local span = require "avito_messenger.bot.span"

describe("a span", function()
  it("is a number of seconds, or numbers with units", function()
    local cases = {
      [0] = 0, [6] = 6, [0.5] = 0.5, ["0s"] = 0, ["6s"] = 6, ["90s"] = 90, ["5m"] = 300, ["12h"] = 43200, ["2d"] = 172800,
      ["1w"] = 604800, ["1h30m"] = 5400, ["1d2h3m4s"] = 93784, ["1.5h"] = 5400, ["0.5s"] = 0.5, [" 2 days "] = 172800,
    }
    for written, seconds in pairs(cases) do assert.equal(seconds, span.seconds(written)) end
  end)

  it("may be in Russian", function()
    local cases = {
      ["6с"] = 6, ["6 сек"] = 6, ["5м"] = 300, ["5мин"] = 300, ["12ч"] = 43200, ["1час"] = 3600, ["2 часа"] = 7200,
      ["2д"] = 172800, ["2дн"] = 172800, ["2дня"] = 172800, ["5дней"] = 432000, ["1 день"] = 86400, ["1н"] = 604800,
      ["2нед"] = 1209600, ["1 ч 30 мин"] = 5400,
    }
    for written, seconds in pairs(cases) do assert.equal(seconds, span.seconds(written)) end
  end)

  it("is an integer where it has no fraction", function()
    assert.equal("5400", tostring(span.seconds "1.5h"))
    assert.equal("6", tostring(span.seconds(6.0)))
  end)

  it("names what is wrong", function()
    local cases = {
      ["90"] = "the span '90' has no unit: write '90s' for seconds, '90m' for minutes",
      ["5x"] = "unknown unit 'x' in the span '5x' (known: s, m, h, d, w, с, м, ч, д, н)",
      ["1h2мес"] = "unknown unit 'мес' in the span '1h2мес' (known: s, m, h, d, w, с, м, ч, д, н)",
      ["30m1h"] = "the units of the span '30m1h' must go from large to small",
      ["5m5m"] = "the units of the span '5m5m' must go from large to small",
      [""] = "'' is no span: write '30s', '1h30m' or '2d'",
      ["soon"] = "'soon' is no span: write '30s', '1h30m' or '2d'",
      ["1h30"] = "'1h30' is no span: write '30s', '1h30m' or '2d'",
      ["-5m"] = "'-5m' is no span: write '30s', '1h30m' or '2d'",
      ["5m!"] = "'5m!' is no span: write '30s', '1h30m' or '2d'",
      ["101000d"] = "a span must be from 0 seconds to 100 years, got '101000d'",
      [-1] = "a span must be from 0 seconds to 100 years, got -1",
      [math.huge] = "a span must be from 0 seconds to 100 years, got inf",
      [true] = "a span must be a number of seconds or a text as '30s', got boolean",
    }
    for written, message in pairs(cases) do
      local seconds, problem = span.seconds(written)
      assert.is_nil(seconds)
      assert.equal(message, problem)
    end
    assert.is_nil((span.seconds(0 / 0)))
    assert.equal("a span must be a number of seconds or a text as '30s', got nil", select(2, span.seconds(nil)))
  end)

  it("is written in the largest units", function()
    local cases = {
      [0] = "0s", [6] = "6s", [0.5] = "0.5s", [60] = "1m", [5400] = "1h30m", [43200] = "12h", [172800] = "2d",
      [1209600] = "2w", [864000] = "10d", [93784] = "1d2h3m4s", [59.9999] = "1m", [3600.25] = "1h0.25s",
    }
    for seconds, text in pairs(cases) do assert.equal(text, span.text(seconds)) end
  end)

  it("reads what it writes", function()
    for seconds = 0, 2000000, 7919 do assert.equal(seconds, span.seconds(span.text(seconds))) end
  end)

  it("refuses to write what is none", function()
    for _, value in ipairs { -1, math.huge, 0 / 0, "5m" } do
      local ok, message = pcall(span.text, value)
      assert.is_false(ok)
      assert.truthy(message:find("span.text: seconds must be a number of at least 0, got " .. tostring(value), 1, true))
    end
  end)
end)

describe("a range of spans", function()
  it("has two ends, or one that is both", function()
    local cases = {
      { "2s-6s", 2, 6 }, { "2s – 1m", 2, 60 }, { "2s—6s", 2, 6 }, { "0.5s..6s", 0.5, 6 }, { { "2s", "6s" }, 2, 6 },
      { { 2, 6 }, 2, 6 }, { "3s", 3, 3 }, { 3, 3, 3 }, { "2 мин - 1 час", 120, 3600 },
    }
    for _, case in ipairs(cases) do assert.same({ case[2], case[3] }, { span.range(case[1]) }) end
  end)

  it("names what is wrong", function()
    local cases = {
      { "6s-2s", "the range begins with 6s, which is longer than 2s" },
      { "2-6s", "the span '2' has no unit: write '2s' for seconds, '2m' for minutes" },
      { "2s-", "'' is no span: write '30s', '1h30m' or '2d'" },
      { "-2s", "'-2s' is no span: write '30s', '1h30m' or '2d'" },
      { "2s-4s-6s", "'4s-6s' is no span: write '30s', '1h30m' or '2d'" },
      { { "2s" }, "a range of spans must have two ends: { '2s', '6s' }" },
      { {}, "a range of spans must have two ends: { '2s', '6s' }" },
      { { "2s", "6s", "8s" }, "a range of spans must have two ends: { '2s', '6s' }" },
      { { {}, "6s" }, "a span must be a number of seconds or a text as '30s', got table" },
      { nil, "a span must be a number of seconds or a text as '30s', got nil" },
    }
    for i = 1, 10 do
      local least, problem = span.range(cases[i][1])
      assert.is_nil(least)
      assert.equal(cases[i][2], problem)
    end
  end)
end)
