--- One of several processes over a store, for specs: worker.lua PATH LEASE COMMAND …
---   hold CHAT                claims the chat and tells "fence N"; then does what each line says that it reads: "commit",
---                            "maintain", "claim", and tells what came of it: "true", "fence N", or the error
---   work NAME KEYS CHATS     receives the messages 1 to KEYS, which belong to CHATS chats and are received by the other workers
---                            as well, and takes what there is until all are taken; of each claim it tells "took CHAT FENCE KEYS"
local avito = require "avito_messenger"
local clock = require "avito_messenger.clock"

local ACCOUNT = "7"
local LONGEST = 60 -- seconds

local path, lease, command = arg[1], tonumber(arg[2]), arg[3]
local store = assert(avito.store(path, { lease = lease }))

local function say(...)
  io.stdout:write(table.concat({ ... }, " "), "\n")
  io.stdout:flush()
end

local function hold(chat_id)
  local claim = assert(store:claim(ACCOUNT, chat_id))
  say("fence", claim.fence)
  for line in io.lines() do
    local done, err
    if line == "commit" then
      done, err = store:commit(claim, { record = { id = chat_id, turns = 2 }, now = clock.time() })
    elseif line == "maintain" then
      done, err = store:maintain(clock.time())
    else
      done, err = store:claim(ACCOUNT, chat_id)
    end
    say(done and (type(done) == "table" and done.fence and "fence " .. done.fence or "true") or tostring(err))
  end
end

local function receive(name, count, chats)
  for i = 1, count do
    local row = { chat_id = "c" .. i % chats, key = "m" .. i, kind = "avito", body = name }
    if assert(store:receive(ACCOUNT, { row }))[1] then say("new", row.key) end
  end
end

-- Takes the chat's rows, one a commit, as a lane does.
local function take(chat_id)
  local claim, err = store:claim(ACCOUNT, chat_id)
  if err then error(tostring(err)) end
  if not claim then return end -- another's
  local record, keys = claim.record, {}
  for _, row in ipairs(claim.rows) do
    record.turns, keys[#keys + 1] = (record.turns or 0) + 1, row.key
    assert(store:commit(claim, { record = record, taken = row.seq, now = clock.time() }))
  end
  say("took", chat_id, claim.fence, table.concat(keys, " "))
  assert(store:release(claim))
end

local function work(name, count, chats)
  receive(name, count, chats)
  local ends = clock.now() + LONGEST
  repeat
    for _, chat_id in ipairs((assert(store:due(ACCOUNT, clock.time(), 3)))) do take(chat_id) end
    assert(clock.now() < ends, "not all rows were taken in time")
  until store:stats(ACCOUNT, 0).inbox == 0
  say "finished"
end

if command == "hold" then hold(arg[4]) else work(arg[4], tonumber(arg[5]), tonumber(arg[6])) end
store:close()
