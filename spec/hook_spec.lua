-- What the hooks of all marketplaces share, by one that takes whatever comes; webhook_spec.lua has it in a real one.
local hook = require "avito_messenger.hook"
local outcomes = require "avito_messenger.outcomes"

describe("a hook", function()
  local make, known = hook.define { name = "spec.hook", options = { colour = "string" },
    times = { request = 3, store = 2, whole = 4 },
    read = function(given) return given.colour end,
    admits = function(request, colour) return colour ~= "red" or request.peer == "friend" end,
    take = function(body, _, colour)
      if body == "" then return "ignored", "empty" end
      return "message", { { chat_id = "1", key = body, kind = colour, body = body } }, "account", "a note"
    end,
    reply = function(outcome) return outcomes.reply(outcome) end }

  local function new(more)
    local given = { path_secret = "dummy-path-secret" }
    for name, value in pairs(more or {}) do given[name] = value end
    return make(given, "spec.hook", 1)
  end

  local function answer(one, more)
    local request = { method = "POST", path = "/dummy-path-secret", body = "x" }
    for name, value in pairs(more or {}) do request[name] = value end
    return one:answer(request)
  end

  it("has options of its own beside those of all", function()
    assert.same({ path_secret = "string", path = "string", max_body = "number", colour = "string" }, known)
  end)

  it("gives what a body is for", function()
    assert.same({ status = 200, outcome = "message", account = "account", note = "a note",
      rows = { { chat_id = "1", key = "x", kind = "blue", body = "x" } } }, answer(new { colour = "blue" }))
    assert.same({ status = 200, outcome = "ignored", note = "empty" }, answer(new(), { body = "" }))
  end)

  it("knows by the length alone that a body is too large, which nobody has to read", function()
    assert.equal("too_large", answer(new { max_body = 1024 }, { length = 1025, body = false }).outcome)
    assert.equal("not_found", answer(new(), { length = 2 ^ 40, path = "/" }).outcome)
    assert.equal("method", answer(new(), { length = 2 ^ 40, method = "GET" }).outcome)
  end)

  it("may refuse senders, of whom those who do not know the path learn nothing", function()
    local red = new { colour = "red" }
    assert.equal("message", answer(red, { peer = "friend" }).outcome)
    assert.same({ status = 403, outcome = "sender" }, answer(red, { peer = "foe", method = "GET" }))
    assert.equal("not_found", answer(red, { peer = "foe", path = "/" }).outcome)
  end)

  it("stands at a path, which another one may have, too", function()
    assert.is_true(hook.collide(new(), new { colour = "red", path = "/" }))
    assert.is_true(hook.collide(new { path = "/a" }, new { path = "/a/" }))
    assert.is_false(hook.collide(new(), new { path = "/a" }))
    assert.is_false(hook.collide(new(), new { path_secret = "dummy-path-secreT" }))
  end)

  it("has time", function()
    assert.same({ 2, 1, 0.1, 3 }, { new():patience(0), new():patience(3), new():patience(9), new():deadline() })
  end)
end)
