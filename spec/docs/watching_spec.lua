-- docs/watching.md tells of everything that is logged and counted, and of nothing else.

local kinds = require "avito_messenger.log.kinds"
local metrics = require "avito_messenger.bot.metrics"

describe("docs/watching.md", function()
  local file = assert(io.open("docs/watching.md"))
  local text = file:read "*a"
  file:close()

  --- The rows of the table below a heading: first cell without its quotes -> the other cells.
  local function rows(heading)
    local found, count = {}, 0
    local section = assert(text:match("\n#+ " .. heading .. "\n(.-)\n#") or text:match("\n#+ " .. heading .. "\n(.*)$"))
    for name, second, third in section:gmatch "\n| `([^`]+)` | ([^|]*) | ?([^|]*)|" do
      found[name], count = { second, third }, count + 1
    end
    return found, count
  end

  local function names(fields)
    local list = {}
    for i, field in ipairs(fields) do list[i] = "`" .. field.name .. "`" end
    return table.concat(list, " ")
  end

  for heading, table_of in pairs { ["Notes of the bot"] = kinds.notes, ["Events of the client"] = kinds.events } do
    it("has every kind, level and field: " .. heading, function()
      local told, count = rows(heading)
      for kind, row in pairs(table_of) do
        count = count - 1
        assert.is_table(told[kind], kind)
        assert.equal(type(row.level) == "string" and row.level or "debug, or warn", told[kind][1], kind)
        local fields, more = told[kind][2]:match "^([^;]*);? ?(.-) ?$"
        assert.equal(names(row.fields), (fields:gsub(" $", "")), kind)
        if #row.texts > 0 then assert.equal("with texts " .. names(row.texts), more) end
      end
      assert.equal(0, count)
    end)
  end

  it("has every metric, its type and its labels", function()
    local told, count = rows "Metrics"
    for _, family in ipairs(metrics.FAMILIES) do
      count = count - 1
      local name = family.name .. (family.labels and "{" .. table.concat(family.labels, ",") .. "}" or "")
      assert.is_table(told[name], name)
      assert.equal(family.type, told[name][1], name)
    end
    assert.equal(0, count)
    for name in text:gmatch "avito_bot_[%w_]+" do
      local known = false
      for _, family in ipairs(metrics.FAMILIES) do known = known or family.name == name end
      assert.is_true(known, name)
    end
  end)
end)
