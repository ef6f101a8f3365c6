local inbox = require "avito_messenger.bot.inbox"
local process = require "spec_support.process"

describe("the inbox", function()
  it("knows a command from every other, also from those of a process that was forked", function()
    local function key() return inbox.rows("u2i-1", { type = "resume" })[1].key end
    local how, code, forked = process.fork(key)
    assert.same({ "exit", 0 }, { how, code })
    local one, two = key(), key()
    assert.is_true(one ~= two and one ~= forked and two ~= forked)
  end)
end)
