local exposition = require "support.exposition"
local prometheus = require "avito_messenger.prometheus"

describe("the metrics' text", function()
  it("of several registries has each family once, and a label that tells them apart", function()
    local families = {
      { name = "shop_sold_total", type = "counter", help = "What was sold." },
      { name = "shop_info", type = "gauge", help = "What it is.", labels = { "shop" } },
      { name = "shop_wait_seconds", type = "histogram", help = "How long.", labels = { "who" }, buckets = { 1 } },
    }
    local one, two = prometheus.new(families), prometheus.new(families)
    one:add("shop_sold_total", 1)
    one:set("shop_info", 1, "a")
    two:set("shop_info", 1, 'b"')
    two:observe("shop_wait_seconds", 0.5, "me")
    local text = [[
# HELP shop_sold_total What was sold.
# TYPE shop_sold_total counter
shop_sold_total{shop="a"} 1
shop_sold_total{shop="b\""} 0
# HELP shop_info What it is.
# TYPE shop_info gauge
shop_info{shop="a"} 1
shop_info{shop="b\""} 1
# HELP shop_wait_seconds How long.
# TYPE shop_wait_seconds histogram
shop_wait_seconds_bucket{shop="b\"",who="me",le="1"} 1
shop_wait_seconds_bucket{shop="b\"",who="me",le="+Inf"} 1
shop_wait_seconds_sum{shop="b\"",who="me"} 0.5
shop_wait_seconds_count{shop="b\"",who="me"} 1
]]
    assert.equal(text, prometheus.together({ one, two }, "shop", { "a", 'b"' }))
    exposition.read(text)
  end)

  it("is that of Prometheus", function()
    local registry = prometheus.new {
      { name = "shop_sold_total", type = "counter", help = "What was sold." },
      { name = "shop_asked_total", type = "counter", help = "What was asked.", labels = { "what", "by" },
        known = { { "price", "a" } } },
      { name = "shop_stock", type = "gauge", help = "What is there." },
      { name = "shop_wait_seconds", type = "histogram", help = "How long.", labels = { "who" }, buckets = { 0.5, 1, 10 } },
      { name = "shop_day_seconds", type = "histogram", help = "How long.", buckets = { 1 } },
    }
    registry:add("shop_sold_total", 2)
    registry:add("shop_sold_total", 1)
    registry:add("shop_asked_total", 1, "colour", "b")
    registry:set("shop_stock", -2.5)
    for _, seconds in ipairs { 0.25, 0.5, 0.75, 10, 11 } do registry:observe("shop_wait_seconds", seconds, "me") end
    registry:observe("shop_day_seconds", 2)
    local text = [[
# HELP shop_sold_total What was sold.
# TYPE shop_sold_total counter
shop_sold_total 3
# HELP shop_asked_total What was asked.
# TYPE shop_asked_total counter
shop_asked_total{what="colour",by="b"} 1
shop_asked_total{what="price",by="a"} 0
# HELP shop_stock What is there.
# TYPE shop_stock gauge
shop_stock -2.5
# HELP shop_wait_seconds How long.
# TYPE shop_wait_seconds histogram
shop_wait_seconds_bucket{who="me",le="0.5"} 2
shop_wait_seconds_bucket{who="me",le="1"} 3
shop_wait_seconds_bucket{who="me",le="10"} 4
shop_wait_seconds_bucket{who="me",le="+Inf"} 5
shop_wait_seconds_sum{who="me"} 22.5
shop_wait_seconds_count{who="me"} 5
# HELP shop_day_seconds How long.
# TYPE shop_day_seconds histogram
shop_day_seconds_bucket{le="1"} 0
shop_day_seconds_bucket{le="+Inf"} 1
shop_day_seconds_sum 2
shop_day_seconds_count 1
]]
    assert.equal(text, registry:text())
    exposition.read(text)
    assert.equal(text, registry:text())
    assert.equal("text/plain; version=0.0.4; charset=utf-8", prometheus.CONTENT_TYPE)
  end)

  it("escapes what labels and help hold", function()
    local registry = prometheus.new {
      { name = "a_total", type = "counter", help = "one\\two\nthree \"four\"", labels = { "rule" } } }
    for _, rule in ipairs { 'a"b', "a\\b", "a\nb", "торг, {да}", "a=\"b\",c", "" } do registry:add("a_total", 1, rule) end
    local families = exposition.read(registry:text())
    assert.equal("one\\two\nthree \"four\"", families.a_total.help)
    local seen = {}
    for _, sample in ipairs(families.a_total.samples) do seen[sample.labels.rule] = sample.value end
    assert.same({ ['a"b'] = 1, ["a\\b"] = 1, ["a\nb"] = 1, ["торг, {да}"] = 1, ["a=\"b\",c"] = 1, [""] = 1 }, seen)
  end)

  it("is UTF-8, and no label is longer than it may be", function()
    local registry = prometheus.new { { name = "a_total", type = "counter", help = "a", labels = { "rule" } } }
    registry:add("a_total", 1, "a\255")
    registry:add("a_total", 1, ("ы"):rep(1000))
    local text = registry:text()
    assert.equal(1, exposition.value(text, "a_total", { rule = "a\239\191\189" }))
    assert.equal(1, exposition.value(text, "a_total", { rule = ("ы"):rep(98) .. "…" }))
  end)

  it("has exact numbers, and those that are none", function()
    local registry = prometheus.new { { name = "a", type = "gauge", help = "a", labels = { "of" } } }
    local values = { big = 2 ^ 52 + 1, third = 1 / 3, inf = math.huge, low = -math.huge, nan = 0 / 0 }
    for name, value in pairs(values) do registry:set("a", value, name) end
    local text = registry:text()
    for _, line in ipairs { 'of="big"} 4503599627370497\n', 'of="inf"} +Inf\n', 'of="low"} -Inf\n', 'of="nan"} NaN\n',
      'of="third"} 0.33333333333333331\n' } do
      assert.is_truthy(text:find(line, 1, true), text)
    end
    exposition.read(text)
  end)

  it("holds no more series than a family may have", function()
    local registry = prometheus.new {
      { name = "a_total", type = "counter", help = "a", labels = { "rule", "kind" } },
      { name = "b_total", type = "counter", help = "b", labels = { "rule" } } }
    for i = 1, 5000 do registry:add("a_total", 1, "rule " .. i, "x") end
    registry:add("a_total", 1, "rule 1", "x")
    registry:add("b_total", 1, "rule 1")
    local text = registry:text()
    assert.is_true(#exposition.read(text).a_total.samples <= 201)
    assert.equal(2, exposition.value(text, "a_total", { rule = "rule 1", kind = "x" }))
    assert.equal(4800, exposition.value(text, "a_total", { rule = "(other)", kind = "(other)" }))
    assert.equal(1, exposition.value(text, "b_total", { rule = "rule 1" }))
    registry:clear "a_total"
    registry:add("a_total", 1, "rule 900", "x")
    assert.equal(1, exposition.value(registry:text(), "a_total", { rule = "rule 900", kind = "x" }))
  end)

  describe("of several processes", function()
    local FAMILIES = {
      { name = "a_total", type = "counter", help = "a", labels = { "rule" }, known = { { "none" } } },
      { name = "b_total", type = "counter", help = "b" },
      { name = "c", type = "gauge", help = "c" },
      { name = "d_seconds", type = "histogram", help = "d", labels = { "who" }, buckets = { 0.5, 1 } },
    }
    local sums

    local function hand_over(registry)
      for key, amount in pairs(registry:drain()) do sums[key] = (sums[key] or 0) + amount end
    end

    before_each(function() sums = {} end)

    it("is that of what all have counted, before and after it was handed over", function()
      local one, other = prometheus.new(FAMILIES), prometheus.new(FAMILIES)
      local alone = prometheus.new(FAMILIES)
      local function both(name, ...)
        alone[name](alone, ...)
        return ...
      end
      for turn = 1, 3 do
        one:add(both("add", "a_total", turn, 'a\nb "c"'))
        other:add(both("add", "a_total", 1, "x"))
        other:add(both("add", "b_total", 2))
        for _, seconds in ipairs { 0.25, 0.75, 4 } do one:observe(both("observe", "d_seconds", seconds, "me")) end
        other:observe(both("observe", "d_seconds", 0.125, "me"))
        hand_over(one)
        hand_over(other)
      end
      one:set(both("set", "c", 7))
      other:set("c", 5)
      assert.equal(alone:text(), one:text(sums))
      assert.equal(5, exposition.value(other:text(sums), "c"))
      assert.same({}, one:drain())
      assert.equal(0, exposition.value(one:text {}, "a_total", { rule = "none" }))
    end)

    it("has what was drained again, where it was given back", function()
      local one = prometheus.new(FAMILIES)
      one:add("a_total", 3, "x")
      one:observe("d_seconds", 0.7, "me")
      local text, amounts = one:text(), one:drain()
      assert.is_nil(one:text():find("3", 1, true))
      one:add("b_total", 2)
      one:merge(amounts)
      assert.equal((text:gsub("b_total 0", "b_total 2")), one:text())
    end)

    it("leaves out sums of families, parts and buckets that there are no more", function()
      local one = prometheus.new(FAMILIES)
      one:add("a_total", 1, "x")
      hand_over(one)
      local text = one:text(sums)
      for _, key in ipairs { "old_total\n\nvalue", "c\n\nvalue", "a_total\n\n", "junk", "" } do sums[key] = 5 end
      sums['a_total\nrule="x"\nsum'] = 5
      assert.equal(exposition.value(text, "a_total", { rule = "x" }), exposition.value(one:text(sums), "a_total", { rule = "x" }))
      assert.is_nil(one:text(sums):find("old_total", 1, true))
      assert.is_nil(exposition.value(one:text(sums), "c"))
      sums = { ['d_seconds\nwho="me"\n3'] = 2, ['d_seconds\nwho="me"\n1'] = 1, ['d_seconds\nwho="me"\nvalue'] = 3 }
      assert.equal(1, exposition.value(one:text(sums), "d_seconds_bucket", { who = "me", le = "1" }))
      assert.equal(3, exposition.value(one:text(sums), "d_seconds_count", { who = "me" }))
    end)

    it("holds no more series than a family may have", function()
      for i = 1, 500 do sums[('a_total\nrule="%d"\nvalue'):format(i)] = 1 end
      local text = prometheus.new(FAMILIES):text(sums)
      assert.is_true(#exposition.read(text).a_total.samples <= 201)
      assert.equal(301, exposition.value(text, "a_total", { rule = "(other)" }))
    end)
  end)

  it("leaves out families that have nothing to tell", function()
    local registry = prometheus.new { { name = "a", type = "gauge", help = "a" },
      { name = "b_total", type = "counter", help = "b", labels = { "x" } } }
    assert.equal("", registry:text())
  end)

  it("knows the families it was made of, and no others", function()
    assert.error_matches(function() prometheus.new({}):add("sold", 1) end, "metrics: no family is named 'sold'")
  end)
end)
