local problem = require "avito_messenger.store.problem"
local shop = require "support.shop"

local ACCOUNT = tostring(shop.user_id)
local ANSWERED = { "buyer: Торг есть?", "bot: Торг при осмотре." }

describe("a lane", function()
  local place, store, commits, releases

  -- What the bot commits, and what the store says to it.
  local function watch()
    store, commits, releases = place.bot.store, {}, 0
    local commit, release = store.commit, store.release
    function store:commit(claim, change)
      local states = {}
      for i, row in ipairs(change.record.outbox or {}) do states[i] = row.kind .. " " .. row.state end
      local one = { outbox = table.concat(states, ", "), taken = change.taken ~= nil, finals = change.finals,
        release = change.release, wake = change.wake, chat_id = claim.chat_id }
      if place.on_commit then
        local err = place.on_commit(one, claim)
        if err then return nil, err end
      end
      commits[#commits + 1] = one
      return commit(self, claim, change)
    end
    function store:release(claim)
      releases = releases + 1
      return release(self, claim)
    end
  end

  local function open(given)
    place = shop.open(given)
    place.bot:poll { rounds = 1 }
    watch()
  end

  before_each(function() open() end)

  local function poll(seconds) place.bot:poll { interval = 5, seconds = seconds or 30 } end

  local function stats() return store:stats(ACCOUNT, place.driver:time()) end

  local function head(chat)
    local record = store:peek(ACCOUNT, chat)
    return record and record.outbox and record.outbox[1]
  end

  --- Refuses the commits that `which` says yes to, so many times.
  local function refuse(times, code, which)
    local refused = 0
    function place.on_commit(commit)
      if refused < times and which(commit) then
        refused = refused + 1
        return problem.make(code, "as the spec says")
      end
    end
    return function() return refused end
  end

  local function is_final(commit) return commit.finals ~= nil end
  local function is_latched(commit) return commit.outbox:find "send latched" ~= nil end

  it("commits once a step: what it took, what is to be done next, and what became of what was done", function()
    place:says "Торг есть?"
    poll()
    local told = {}
    for i, commit in ipairs(commits) do
      local final = commit.finals and commit.finals[1].state
      told[i] = ("%s | %s | %s | %s"):format(commit.taken and "taken" or "", commit.outbox, final or "",
        commit.release and "released" or "")
    end
    assert.same({
      "taken |  |  | released", -- the burst is waited for
      " | send queued, read queued |  | ", -- the chat is looked at
      " | send latched, read queued |  | ",
      " | read latched | confirmed | ",
      " |  | confirmed | released",
    }, told)
    assert.equal(place.box:sends()[1].message_id, commits[4].finals[1].id)
    assert.is_number(commits[1].wake)
    assert.is_nil(commits[5].wake)
    assert.equal(0, releases)
  end)

  it("has committed that a reply may have left when its first byte does", function()
    local chat, states = place:says "Торг есть?", {}
    for _, pattern in ipairs { "POST .*/messages$", "POST .*/read$" } do
      place:before(pattern, function() table.insert(states, head(chat).kind .. " " .. head(chat).state) end)
    end
    poll()
    assert.same({ "send latched", "read latched" }, states)
  end)

  it("looks at the chat before it commits to speak in it", function()
    local chat, state = place:says "Торг есть?", nil
    place:before("GET .*/messages/$", function() -- by the poll
      place:before("GET .*/messages/$", function()
        state = head(chat).state
        place:writes(chat, "Уже продан.")
      end)
    end)
    poll()
    assert.equal("queued", state)
    assert.same({ "buyer: Торг есть?", "seller: Уже продан." }, place:conversation(chat))
    assert.is_nil(head(chat))
  end)

  it("leaves a reply for later where the chat cannot be looked at", function()
    local chat = place:says "Торг есть?"
    local began = place.driver:time()
    place:before("GET .*/messages/$", function()
      place.box:fault { operation = "get_messages", kind = "status", status = 500, after = 1, times = 3 }
    end)
    poll()
    assert.same(ANSWERED, place:conversation(chat))
    assert.equal(1, #place:requests "send_message")
    assert.is_true(place:requests "send_message"[1].time >= began + 3 + 5) -- the burst, and a while
  end)

  it("takes rows in the commit that has what followed from them", function()
    local chat = place:says "Торг есть?"
    local refused = refuse(1, "full", function(commit) return commit.taken end)
    poll(0.5)
    assert.equal(1, refused())
    assert.is_nil(store:peek(ACCOUNT, chat))
    assert.equal(2, stats().inbox) -- it, and what the list told of the chat
    poll()
    assert.same(ANSWERED, place:conversation(chat))
    assert.equal(0, stats().inbox)
  end)

  it("says nothing that it could not commit to, and says it once when the store works again", function()
    local chat = place:says "Торг есть?"
    local refused = refuse(4, "full", is_latched)
    local before
    place:before("POST .*/messages$", function() before = refused() end)
    poll(60)
    assert.equal(4, before)
    assert.equal(1, #place:requests "send_message")
    assert.same(ANSWERED, place:conversation(chat))
    assert.equal(4, #place:told "store")
    assert.same({ "full", "commit" }, { place:told "store"[1].code, place:told "store"[1].what })
    assert.equal(4, releases) -- others may try
  end)

  it("keeps what became of a reply however long the store refuses, and says nothing else meanwhile", function()
    local chat, times = place:says "Торг есть?", {}
    local refused = refuse(6, "io", is_final)
    local refusing = place.on_commit
    function place.on_commit(commit)
      local err = refusing(commit)
      if err then times[#times + 1] = place.driver:now() end
      return err
    end
    poll(120)
    assert.equal(6, refused())
    for i, pause in ipairs { 1, 2, 4, 8, 16 } do assert.is_true(math.abs(times[i + 1] - times[i] - pause) < 1e-6) end
    assert.same(ANSWERED, place:conversation(chat))
    assert.equal(1, #place:requests "send_message")
    assert.is_nil(store:peek(ACCOUNT, chat).outbox)
    assert.equal(0, #place:told "recovered")
    assert.equal(6, #place:told "store")
    assert.is_true(place.bot:health())
  end)

  it("waits half a minute at most between two tries to keep it", function()
    place:says "Торг есть?"
    local times = {}
    function place.on_commit(commit)
      if is_final(commit) and #times < 9 then
        times[#times + 1] = place.driver:now()
        return problem.make("io", "as the spec says")
      end
    end
    poll(300)
    assert.is_true(math.abs(times[9] - times[8] - 30) < 1e-6)
  end)

  it("forgets what it has when the chat is another's, and whoever has it makes certain what was under way", function()
    local chat = place:says "Торг есть?"
    local fenced = 0
    function place.on_commit(commit, claim)
      if is_final(commit) and fenced == 0 then
        fenced = 1
        store:claim(claim.account, claim.chat_id) -- a new fence
      end
    end
    poll(60)
    assert.equal(1, #place:told "fenced")
    assert.equal(chat, place:told "fenced"[1].chat_id)
    assert.equal(1, #place:told "recovered")
    assert.same({ chat, "send" }, { place:told "recovered"[1].chat_id, place:told "recovered"[1].effect })
    assert.equal(1, #place:requests "send_message")
    assert.same(ANSWERED, place:conversation(chat))
    assert.is_nil(head(chat))
    assert.equal(0, #place:told "store")
  end)

  it("looks again whether a person has typed, when what it had seen was not committed", function()
    local chat, queued, fenced = place:says "Торг есть?", false, false
    place:at(2, function() place.box:write { chat_id = chat, text = "Это я сам" } end)
    function place.on_commit(commit, claim)
      if commit.outbox:find "send queued" then
        queued = true
      elseif queued and not fenced then -- the reply was withdrawn
        fenced = true
        store:claim(claim.account, claim.chat_id)
      end
    end
    place.bot:poll { interval = 100, seconds = 60 }
    assert.is_true(fenced)
    assert.equal(0, #place:requests "send_message")
    assert.equal(1, #place:told "human")
  end)

  it("says nothing where the chat was another's before it could commit to it", function()
    place:says "Торг есть?"
    local other
    function place.on_commit(commit, claim)
      if is_latched(commit) and not other then
        store.world.accounts[ACCOUNT].chats[claim.chat_id].owner = nil -- its lease has run out
        other = store:again()
        assert(other:claim(claim.account, claim.chat_id))
      end
    end
    poll(60)
    assert.equal(0, #place:requests "send_message")
    other:abandon()
    poll(60)
    assert.equal(1, #place:requests "send_message")
  end)

  it("does nothing that it was held up before: another may have the chat by then", function()
    local chat, held = place:says "Торг есть?", nil
    function place.on_commit(commit)
      if is_latched(commit) and not held then
        place.driver.elapsed = place.driver.elapsed + 8
        held = place.driver:time()
      end
    end
    poll(60)
    assert.equal(1, #place:requests "send_message")
    assert.is_true(place:requests "send_message"[1].time >= held + 5)
    assert.same(ANSWERED, place:conversation(chat))
  end)

  it("takes what comes while it is at work, without giving the chat back", function()
    local chat = place:says "Торг есть?"
    place:behind("POST .*/messages$", function() place.bot:pause(chat, "1h") end)
    poll()
    assert.is_true(commits[4].taken)
    assert.is_nil(commits[4].outbox:match "read")
    assert.equal("paused", store:peek(ACCOUNT, chat).silent.why)
  end)

  it("keeps what became of a reply even where the engine cannot take what came meanwhile, which stays", function()
    local chat = place:says "Торг есть?"
    local step, mended = place.bot.engine.step, false
    function place.bot.engine:step(record, event, now)
      if event.type == "pause" and not mended then error "a mistake" end
      return step(self, record, event, now)
    end
    place:behind("POST .*/messages$", function() place.bot:pause(chat, "1h") end)
    poll(10)
    assert.same({ false, "confirmed" }, { commits[4].taken, commits[4].finals[1].state })
    assert.equal("read queued", commits[4].outbox)
    assert.equal(1, stats().inbox)
    assert.is_true(releases > 0)
    local other = place:says { text = "А доставка?", buyer = 200000002 }
    poll(10)
    assert.equal("bot: Отправлю завтра.", place:conversation(other)[2])
    mended = true
    poll(60)
    assert.equal(0, stats().inbox)
    assert.equal("paused", store:peek(ACCOUNT, chat).silent.why)
    assert.same(ANSWERED, place:conversation(chat))
  end)

  it("makes certain what became of a reply that the engine cannot take", function()
    local chat, step, broken = place:says "Торг есть?", place.bot.engine.step, 0
    function place.bot.engine:step(record, event, now)
      if event.type == "sent" and broken == 0 then
        broken = 1
        error "a mistake"
      end
      return step(self, record, event, now)
    end
    poll(60)
    assert.equal(1, releases)
    assert.equal(1, #place:told "recovered")
    assert.equal(1, #place:requests "send_message")
    assert.same(ANSWERED, place:conversation(chat))
    assert.is_nil(head(chat))
  end)

  it("tells what was rejected as such", function()
    place:says "Торг есть?"
    place.box:fault { operation = "send_message", kind = "status", status = 400 }
    poll()
    local finals = {}
    for _, commit in ipairs(commits) do
      for _, one in ipairs(commit.finals or {}) do finals[#finals + 1] = one.state end
    end
    assert.same({ "rejected" }, finals)
  end)

  it("tells when the store does not take the chat back", function()
    place:says "Торг есть?"
    refuse(1, "io", is_latched)
    local release, refused = store.release, false
    function store:release(claim)
      if refused then return release(self, claim) end
      refused = true
      return nil, problem.make("io", "as the spec says")
    end
    poll()
    assert.same({ "commit", "release" }, { place:told "store"[1].what, place:told "store"[2].what })
    assert.equal(1, #place:requests "send_message")
  end)

  it("tells when the store does not say what came", function()
    local chat = place:says "Торг есть?"
    local rows, refused = store.rows, false
    function store:rows(claim)
      if refused then return rows(self, claim) end
      refused = true
      return nil, problem.make("io", "as the spec says")
    end
    poll()
    assert.equal("rows", place:told "store"[1].what)
    assert.same(ANSWERED, place:conversation(chat))
  end)

  it("calls a person, and functions of the program, also where the account is refused; it says nothing then", function()
    local called
    open { on_escalate = function(call) called = call.chat_id end, rulebook = { burst = 0,
      { "звонок", hears = "звонок", run = function(c)
        place.bot.parked = { again = math.huge }
        c:escalate "позвоните"
      end },
      { "торг", hears = "торг*", run = function(c)
        place.bot.parked = { again = math.huge }
        c:say "Торг при осмотре."
      end } } }
    local chat, other = place:says "звонок", place:says { text = "Торг?", buyer = 200000002 }
    place.bot:poll { rounds = 1 }
    assert.equal(chat, called)
    assert.equal(0, #place:requests "send_message")
    poll()
    assert.equal("bot: Торг при осмотре.", place:conversation(other)[2])
  end)
end)
