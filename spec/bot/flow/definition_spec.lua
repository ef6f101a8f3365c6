local flow = require "avito_messenger.bot.flow"

describe("flow.define", function()
  local function run() end

  local function refuses(message, given)
    local ok, problem = pcall(function()
      local defined = flow.define(given)
      return defined
    end)
    assert.is_false(ok)
    assert.matches("^spec/bot/flow/definition_spec.lua:%d+: ", problem)
    assert.equal(message, (problem:gsub("^[^ ]+ ", "")))
  end

  it("marks a definition, with what was not given filled in", function()
    local defined = flow.define { "обмен", run }
    assert.is_true(flow.is(defined))
    assert.is_false(flow.is { "обмен", run })
    assert.is_false(flow.is(nil))
    assert.equal("flow 'обмен' (version 1)", tostring(defined))
    assert.same({ "обмен", 1, 2 * 86400, 50, "finish", run },
      { defined.name, defined.version, defined.ttl, defined.steps, defined.on_change, defined.run })
    assert.is_nil(defined.leave)
  end)

  it("reads what was given", function()
    local defined = flow.define { "обмен", run, version = 3, ttl = "1h30m", steps = 5, on_change = "human", leave = "стоп" }
    assert.same({ 3, 5400, 5, "human", "стоп" },
      { defined.version, defined.ttl, defined.steps, defined.on_change, defined.leave })
  end)

  it("says at the caller what is wrong", function()
    refuses("flow: table expected, got string", "обмен")
    refuses('flow: the name is missing: avito.flow { "обмен", function(c) … end }', { run })
    refuses('flow: the name is missing: avito.flow { "обмен", function(c) … end }', { "", run })
    refuses("flow 'обмен': the function is missing: avito.flow { name, function(c) … end }", { "обмен" })
    refuses("flow 'обмен': 2 must be a function, got string", { "обмен", "run" })
    refuses("flow 'обмен': unknown option 'verson' (did you mean 'version'?)", { "обмен", run, verson = 1 })
    refuses("flow 'обмен': version must be an integer from 1 to 2147483648, got 1.5", { "обмен", run, version = 1.5 })
    refuses("flow 'обмен': version must be an integer from 1 to 2147483648, got 0", { "обмен", run, version = 0 })
    refuses("flow 'обмен': version must be a number, got string", { "обмен", run, version = "1" })
    refuses("flow 'обмен': steps must be an integer from 1 to 10000, got 10001", { "обмен", run, steps = 10001 })
    refuses("flow 'обмен': steps must be an integer from 1 to 10000, got 0", { "обмен", run, steps = 0 })
    refuses("flow 'обмен': ttl: it must be more than 0 seconds", { "обмен", run, ttl = 0 })
    refuses("flow 'обмен': ttl: the span '2' has no unit: write '2s' for seconds, '2m' for minutes", { "обмен", run, ttl = "2" })
    refuses("flow 'обмен': unknown on_change 'restrt' (did you mean 'restart'?)", { "обмен", run, on_change = "restrt" })
    refuses("flow 'обмен': leave is an empty pattern", { "обмен", run, leave = " " })
  end)
end)
