local formats = require "avito_messenger.log.formats"
local json = require "avito_messenger.json"
local lines = require "support.lines"
local readable = require "avito_messenger.readable"

describe("a line of a log", function()
  local fields = { { "msg", "a rule answered" }, { "rule", "торг" }, { "count", 3 }, { "handled", false } }

  it("is logfmt", function()
    assert.equal('msg="a rule answered" rule=торг count=3 handled=false', formats.logfmt(fields))
  end)

  it("is JSON", function()
    assert.equal('{"msg":"a rule answered","rule":"торг","count":3,"handled":false}', formats.json(fields))
  end)

  describe("writes as", function()
    local rows = { -- value, logfmt, JSON
      { "", '""', '""' },
      { "a=b", '"a=b"', '"a=b"' },
      { 'say "yes"', [["say \"yes\""]], [["say \"yes\""]] },
      { [[a\b]], [["a\\b"]], [["a\\b"]] },
      { "a\nlevel=error", [["a\nlevel=error"]], [["a\nlevel=error"]] },
      { "\r\t\0\27\127", [["\r\t\u0000\u001b\u007f"]], [["\r\t\u0000\u001b\u007f"]] },
      { "\194\155", [["\u009b"]], [["\u009b"]] },                     -- steers a terminal
      { "\226\128\168", [["\u2028"]], [["\u2028"]] },                 -- ends a line
      { "\226\128\174\226\129\166", [["\u202e\u2066"]], [["\u202e\u2066"]] }, -- turns what follows around
      { "\194\160\226\130\172", "\194\160\226\130\172", '"\194\160\226\130\172"' }, -- what only looks like those
      { "\255", "\239\191\189", '"\239\191\189"' },
      { 2 ^ 53, "9007199254740992", "9007199254740992" },
      { 0.1, "0.1", "0.1" },
      { 1 / 3, "0.33333333333333331", "0.33333333333333331" },
      { -5, "-5", "-5" },
      { 1 / 0, "inf", '"inf"' },
      { -1 / 0, "-inf", '"-inf"' },
    }
    for i, row in ipairs(rows) do
      it(("%s (%d)"):format(row[3], i), function()
        local in_logfmt = row[1] == "\255" and '"' .. row[2] .. '"' or row[2]
        assert.equal("v=" .. in_logfmt, formats.logfmt { { "v", row[1] } })
        assert.equal('{"v":' .. row[3] .. "}", formats.json { { "v", row[1] } })
      end)
    end
  end)

  it("is read back as it was, whatever is in it", function()
    local random = require("avito_messenger.sandbox.random").new(7)
    local pieces = { "=", '"', "\\", " ", "\n", "\r", "\t", "\0", "\27[31m", "\127", "\194\133", "\226\128\168", "\226\129\167",
      "торг", "a", "\\u0041",
      "{", "}", ",", ":", '","level":"', '" level=', "\255", "\208", "\237\160\128", "\240\159\152\128", "'" }
    for _ = 1, 2000 do
      local row = {}
      for i = 1, random:pick(4) do
        local parts = {}
        for n = 1, random:pick(8) - 1 do parts[n] = pieces[random:pick(#pieces)] end
        row[i] = { ("f%d"):format(i), table.concat(parts) }
      end
      local wanted = {}
      for i, field in ipairs(row) do wanted[i] = { field[1], readable.utf8(field[2]) } end
      for _, format in ipairs { "logfmt", "json" } do
        local line = formats[format](row)
        assert.is_nil(line:find "%c", line)
        assert.same(wanted, lines[format](line))
        if format == "json" then assert.equal(readable.utf8(row[1][2]), json.decode(line).f1) end
      end
    end
  end)
end)
