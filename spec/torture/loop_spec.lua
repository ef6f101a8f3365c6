-- Every call of a client over the loop, 200 tasks at once, against a sandbox in which every fault strikes every operation.
--
-- TORTURE=60 makes it last that many seconds; TORTURE_SEED=… repeats the chances of a run that failed.
local avito = require "avito_messenger"
local faults = require "torture.faults"
local json = require "avito_messenger.json"
local Random = require "avito_messenger.sandbox.random"
local sandbox = require "support.sandbox"
local files = require "support.files"

local SEED = tonumber(os.getenv "TORTURE_SEED") or os.time() % 1000000
local SECONDS = tonumber(os.getenv "TORTURE") or os.getenv "AVITO_SANITIZED" and 4 or 2

-- What only a leak in every call, or a hang, can exceed.
local HEAP_GROWTH, RESIDENT_GROWTH = 2048, 32 * 1024 -- kilobytes, after the third round
local PATIENCE = 60 -- seconds

describe("the loop, tortured with TORTURE_SEED=" .. SEED, function()
  local running, directory, plan

  local function directory_listing()
    local names = {}
    local pipe = assert(io.popen("ls -A " .. directory))
    for name in pipe:lines() do names[#names + 1] = name end
    pipe:close()
    return names
  end

  -- What the tasks need to know, gathered before anything is wrong.
  local function make_plan()
    local client = avito.client { base_url = running.base_url, client_id = sandbox.client_id,
      client_secret = sandbox.client_secret, user_id = sandbox.user_id }
    local chats, voice = {}, nil
    for chat in client:chats { chat_types = { "u2i", "u2u" } } do
      chats[#chats + 1] = chat.id
      for message in client:messages(chat.id) do
        voice = voice or message.type == "voice" and message.content.voice.voice_id
      end
    end
    assert(client:download_voice(voice, directory .. "/voice-0"))
    client:close()
    return { base_url = running.base_url, directory = directory, chats = chats, voice = voice, seed = SEED }
  end

  before_each(function()
    local pipe = assert(io.popen "mktemp -d")
    directory = pipe:read "*l"
    pipe:close()
    running = sandbox.start { "--world", "spec/torture/world.lua", "--seed", tostring(SEED) }
    plan = make_plan()
  end)

  after_each(function()
    running:stop()
    for _, name in ipairs(directory_listing()) do os.remove(directory .. "/" .. name) end
    os.remove(directory)
  end)

  local function start(list, seconds, pace)
    plan.seconds, plan.pace = seconds, pace
    for _, fault in ipairs(list) do running:control("POST", "faults", fault) end
    return sandbox.spawn({ "spec/torture/program.lua", assert(json.encode(plan)) }, { stdout = "pipe", stderr = "pipe" })
  end

  -- What the program prints up to its end, by the first word of the lines.
  local function read_report(child, seconds)
    local text, problem = child:read_all(seconds)
    assert(text, "the program hangs: " .. tostring(problem))
    local report = { send = {}, problem = {}, round = {} }
    local states = report.send
    for line in text:gmatch "[^\n]+" do
      local word, rest = line:match "^(%w+) (.*)$"
      if word == "send" then
        local state, key = rest:match "^(%S+) (.*)$"
        states[key] = state
      elseif word == "round" then
        local heap, resident = rest:match "^%d+ (%d+) (%d+)$"
        table.insert(report.round, { heap = tonumber(heap), resident = tonumber(resident) })
      elseif word == "problem" then
        table.insert(report.problem, rest)
      elseif word == "ended" or word == "calls" or word == "faults" then
        report[word] = rest
      elseif line == "finished" then
        report.finished = true
      elseif line ~= "running" then
        table.insert(report.problem, line)
      end
    end
    return report
  end

  local function check_sends(states)
    local counts, sent = {}, 0
    for _, one in ipairs(running:control("GET", "sends").sends) do
      local key = one.text or one.image_id
      counts[key] = (counts[key] or 0) + 1
      assert.equal(1, counts[key], "sent twice: " .. key)
      assert.truthy(states[key], "nobody has sent this: " .. key)
      sent = sent + 1
    end
    for key, state in pairs(states) do
      if state == "sent" then assert.equal(1, counts[key], "said to be sent, and was not: " .. key) end
      if state == "not_sent" then assert.is_nil(counts[key], "said not to be sent, and was: " .. key) end
    end
    return sent
  end

  local function check_files()
    local expected = { image = files.read "examples/phone.png", voice = files.read(directory .. "/voice-0") }
    for _, name in ipairs(directory_listing()) do
      local data = files.read(directory .. "/" .. name)
      local kind = name:match "^(%l+)%-%d+$"
      if expected[kind] then
        assert.is_true(data == expected[kind], name .. " is not whole")
      else
        assert.matches("^tokens%-%d+%.json", name)
        if name:find "json$" then assert.is_table(json.decode(data)) end
      end
    end
  end

  local function check_memory(rounds)
    local first, last = rounds[3], rounds[#rounds]
    assert.is_true(last.heap - first.heap < HEAP_GROWTH, ("the heap grew: %d to %d kB"):format(first.heap, last.heap))
    if os.getenv "AVITO_SANITIZED" then return end -- the sanitizer keeps what is freed
    assert.is_true(last.resident - first.resident < RESIDENT_GROWTH,
      ("memory grew: %d to %d kB"):format(first.resident, last.resident))
  end

  local function check_report(report, child)
    assert.equal("", table.concat(report.problem, "\n", 1, math.min(5, #report.problem)))
    assert.same({ "exit", 0 }, { child:wait() })
    assert.is_true(report.finished)
  end

  -- Every operation and every kind of fault had its part.
  local function check_faults(text)
    local missing = {}
    for _, fault in ipairs(json.decode(text).faults) do
      for _, name in ipairs { fault.operation or fault.kind, fault.kind } do
        if fault.struck > 0 then missing[name] = false elseif missing[name] == nil then missing[name] = true end
      end
    end
    for name, is_missing in pairs(missing) do assert.is_false(is_missing, "no fault struck: " .. name) end
  end

  local function survives(seconds, pace)
    local child = start(faults.list(Random.new(SEED), pace), seconds, pace)
    local report = read_report(child, seconds + PATIENCE)
    check_report(report, child)
    assert.equal("well", report.ended)
    assert.is_true(check_sends(report.send) > 0)
    check_files()
    check_memory(report.round)
    return report
  end

  it("ends every call with a value or an error, and sends nothing twice", function()
    check_faults(survives(SECONDS, false).faults)
  end)

  it("does so at a pace", function()
    survives(SECONDS / 2, { rate = 300, burst = 50 })
  end)

  local function is_ended_by_signal(outcome)
    local child = start(faults.now_and_then, PATIENCE, false)
    repeat
      local line = assert(child:read_line(PATIENCE))
    until line == "running"
    child:kill "INT"
    local report = read_report(child, PATIENCE)
    check_report(report, child)
    assert.matches(outcome, report.ended)
    check_files()
  end

  it("ends when a handler of a signal cancels it, in the middle of all", function()
    plan.on_signal = true
    is_ended_by_signal "^task: cancelled"
  end)

  -- LuaJIT raises Ctrl-C in any coroutine, at any place.
  if not rawget(_G, "jit") then
    it("is ended by Ctrl-C, in the middle of all", function()
      is_ended_by_signal "interrupted!"
    end)
  end
end)
