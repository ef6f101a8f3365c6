local answers = require "support.answers"
local inside_nginx = require "support.inside_nginx"
local nginx = require "support.nginx"
local proof = require "support.proof"
local raw_server = require "support.raw_server"

if not nginx.wanted() then return end

-- Performs requests of which each holds its answer, many at once; what came of one that should not have.
local PERFORM = [[
  local texts, seed, count = ...
  local Random = require "avito_messenger.sandbox.random"
  local answer = require "avito_messenger.io.nginx.answer"
  local answers = require "support.answers"
  local BYTES = 1000
  local wrong

  local function expect(text, left_open)
    local over
    local ok, response = pcall(answer.read, function()
      if over then
        if left_open then error("waits", 0) end
        return nil
      end
      over = true
      return text ~= "" and text or nil
    end, 65536, BYTES)
    if ok then return response.status .. response.body end
    if response == "waits" or text == "" and left_open then return "timeout" end
    return response.broken == "cut" and "network" or "decode"
  end

  local function check(text, random)
    local left_open = random:chance(0.5)
    local expected = expect(text, left_open)
    local response = driver:perform(request(left_open and "/raw" or "/raw_close",
      { method = "POST", body = text, timeout = expected == "timeout" and 0.2 or 20, max_bytes = BYTES }))
    local got = response.error or response.status .. response.body
    if got ~= expected then wrong = ("%q: %s instead of %s (%s)"):format(text, got, expected, response.message) end
    -- The next one has its own answer, over whichever connection it comes; it may be one that has just been closed.
    local own = ("number %d"):format(random:pick(1000000))
    repeat
      response = driver:perform(request("/raw", { method = "POST",
        body = ("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s"):format(#own, own) }))
    until not response.stale
    if response.body ~= own then wrong = ("%q, then %s"):format(text, response.body or response.message) end
  end

  local next_one = 0
  local function work()
    while next_one < count and not wrong do
      local i = next_one
      next_one = next_one + 1
      local random = Random.new(seed + i)
      check(texts and texts[i + 1] or answers.spoilt(random), random)
    end
  end
  local threads = {}
  for i = 1, 20 do threads[i] = ngx.thread.spawn(work) end
  for _, thread in ipairs(threads) do assert(ngx.thread.wait(thread)) end
  return next_one, wrong
]]

describe("a broken answer in nginx", function()
  local server, inside

  setup(function()
    server = raw_server.start()
    inside = inside_nginx.start { raw = server, expected = { "recv%(%) failed" } }
  end)
  teardown(function()
    inside:stop()
    server:stop()
  end)

  it("is none, wherever it breaks off, and never another's", function()
    local texts = {}
    for _, text in ipairs(answers.good) do
      for length = 0, #text do texts[#texts + 1] = text:sub(1, length) end
    end
    local done, wrong = inside:run(PERFORM, texts, 1, #texts)
    assert.is_nil(wrong)
    assert.equal(#texts, done)
  end)

  it("is what the reader makes of it, whatever it is, and never another's", function()
    local count, step = proof.size("WIRE", { short = 400, full = 20000, long = 200000 }), 2000
    local first = tonumber(os.getenv "PROOF_SEED") or 1
    for seed = first, first + count - 1, step do
      local done, wrong = inside:run(PERFORM, false, seed, math.min(step, count))
      assert.is_nil(wrong)
      assert.is_true(done > 0)
    end
  end)
end)
