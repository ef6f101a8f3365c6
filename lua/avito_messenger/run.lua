--- Carrying an operation out: the core says what to do next, the driver does it. The same for every driver.
local errors = require "avito_messenger.errors"

local run = {}

--- What the program gave must not make a message that was sent look like one that was not, when it raises.
local function complain(what, problem)
  io.stderr:write("avito_messenger: ", what, " raised: ", errors.text(problem), "\n")
end

local function report(on_event, event)
  local ok, problem = pcall(on_event, event)
  if not ok then complain("on_event", problem) end
end

local function request_event(operation, request, attempt, response, seconds)
  return {
    type = request.purpose == "token" and "refresh" or "request",
    endpoint = operation:name(),
    purpose = request.purpose,
    method = request.method,
    attempt = attempt,
    status = response.status,
    bytes = response.bytes or response.body and #response.body,
    error = response.error,
    message = response.message,
    dispatched = response.error == nil or response.dispatched ~= false,
    seconds = seconds,
  }
end

--- The call was given up while its store waited: no reason of the store's, and nothing that other calls should be told.
local function given_up(problem)
  return errors.is(problem) and (problem.kind == "cancelled" or problem.kind == "timeout") and problem or nil
end

--- Calls a function of the token store; what it raises is a reason like another.
local function ask(fn, ...)
  local ok, value, message = pcall(fn, ...)
  if not ok then return nil, errors.text(value), given_up(value) end
  return value, message
end

--- A token that could not be stored is worth knowing even where the call succeeds all the same.
local function save(store, tokens, on_event)
  local ok, message, over = ask(store.save, tokens)
  if not ok and on_event then
    report(on_event, { type = "token_store", message = message or "save returned nothing" })
  end
  return ok, message, over
end

-- Does what a step says about the token store, and feeds what came of it.
local function serve_store(operation, step, tokens, client, held)
  local driver, store = client.driver, client.token_store
  local value, message, over
  if step == "lock" then
    held.lock, message, over = ask(store.lock)
    value = held.lock and true or held.lock
  elseif step == "unlock" then
    local lock = held.lock
    if lock then ask(function() return lock:unlock() end) end
    held.lock = nil
  elseif step == "load" then
    value, message, over = ask(store.load)
  else
    value, message, over = save(store, tokens, client.on_event)
  end
  local now = driver:now()
  if over then
    operation:cancel(over.message, over.kind)
  else
    operation:feed(now, driver:time(), value, message)
  end
  return now
end

-- Calls that wait for a token, or for a place among the requests under way, may look again.
local function tell_waiters(client)
  if client.driver.unpark then client.driver:unpark(client) end
end

local function wait(operation, seconds, reason, longest, client)
  local driver = client.driver
  local _, err
  -- Other processes tell nobody when they give a place back: then all look now and then, so that each has its chance.
  if driver.park and (reason == "token" or reason == "slot" and not client.pace_store) then
    _, err = driver:park(longest, client)
  else
    _, err = driver:sleep(seconds, client)
  end
  if err then operation:cancel(err.message, err.kind) end
  return driver:now()
end

-- Calls `fn` while the session's pace is what the processes share; where their store fails, it is the session's own.
local function exchange(client, now, fn)
  local session, called, done = client.session, false, false
  local ok, problem = pcall(client.pace_store.exchange, function(state)
    if state then session:pace(state, now) end
    called = true
    fn()
    done = true
    return session:pace()
  end)
  if called and not done then error(problem, 0) end
  if not ok then complain("pace_store.exchange", problem) end
  if not called then fn() end
end

local function next_step(operation, now, client)
  if not client.pace_store then return operation:next(now) end
  local step, a, b, c
  exchange(client, now, function() step, a, b, c = operation:next(now) end)
  return step, a, b, c
end

-- An answer to the account's own requests tells how fast they may be; what has a place among those under way gives it back.
-- Returns whether the operation is over.
local function feed(operation, now, client, request, response, slot)
  local unix = client.driver:time()
  local teaches = response.status and (request.purpose == "call" or request.purpose == "self")
  if not client.pace_store or not (teaches or slot) then return operation:feed(now, unix, response) end
  local over
  exchange(client, now, function() over = operation:feed(now, unix, response) end)
  return over
end

-- The calls of the client that wait for a place among the requests under way: they are told when one is given back. One whose
-- task was dropped is forgotten.
local function note_waiter(client, operation, waits)
  client.slot_waiters = client.slot_waiters or setmetatable({}, { __mode = "k" })
  client.slot_waiters[operation] = waits
end

local function has_waiters(client)
  return client.slot_waiters ~= nil and next(client.slot_waiters) ~= nil
end

local go_on_from

-- `last`: the event of the last request
local function steps(operation, now, client, held, last)
  local driver, on_event = client.driver, client.on_event
  local queued   -- for its turn, and said so
  local for_slot -- it is one of those that wait for a place
  local over     -- there is no turn to take any more
  while true do
    if client.closed then operation:cancel("the client is closed") end
    local step, a, b, c
    if over then step, a, b = operation:next(now) else step, a, b, c = next_step(operation, now, client) end
    if for_slot and b ~= "slot" then
      for_slot = nil
      note_waiter(client, operation, nil)
      if step ~= "send" then tell_waiters(client) end -- another's turn has come
    end
    if step == "send" then
      local started = now
      queued = queued and a.purpose == "token"
      local response = driver:perform(a, client)
      now = driver:now()
      over = feed(operation, now, client, a, response, c)
      if a.purpose == "token" or has_waiters(client) then tell_waiters(client) end
      if on_event then
        last = request_event(operation, a, b, response, now - started)
        report(on_event, last)
      end
    elseif step == "done" then
      return a, b
    elseif step == "fail" then
      tell_waiters(client)
      return nil, a
    elseif step == "wait" then
      if on_event and b == "retry" then
        report(on_event, {
          type = "retry", endpoint = last.endpoint, purpose = last.purpose, attempt = last.attempt,
          status = last.status, error = last.error, seconds = a,
        })
      end
      if b == "slot" and not for_slot then
        for_slot = true
        note_waiter(client, operation, true)
      end
      if on_event and (b == "pace" or b == "slot") and not queued then
        queued = true
        report(on_event, { type = "pace", endpoint = operation:name(), seconds = c })
      end
      now = wait(operation, a, b, c, client)
    elseif step == "lock" and driver.shelter and not held.sheltered then
      held.sheltered = true
      return driver:shelter(go_on_from, step, operation, client, held, last)
    else
      now = serve_store(operation, step, a, client, held)
      tell_waiters(client)
    end
  end
end

function go_on_from(step, operation, client, held, last)
  local now = serve_store(operation, step, nil, client, held)
  return steps(operation, now, client, held, last)
end

-- The call is over before its end: new tokens are saved, the store's lock is handed back, and the renewal is another's.
local function wind_up(operation, client, held)
  local now = client.driver:now()
  if client.pace_store then
    exchange(client, now, function() operation:cancel() end) -- it may have a place among those under way
  else
    operation:cancel()
  end
  while true do
    local step, tokens = operation:next(client.driver:now())
    if step ~= "save" and step ~= "unlock" then break end
    serve_store(operation, step, tokens, client, held)
  end
  if client.slot_waiters then note_waiter(client, operation, nil) end
  tell_waiters(client)
end

--- Carries out the operation and returns its value and meta, or nil and the error.
---@param operation table
---@param now number the driver's monotonic time
---@param client { driver: table, session: table, token_store?: avito_messenger.TokenStore,
--- pace_store?: avito_messenger.PaceStore, on_event?: function, closed?: boolean,
--- slot_waiters?: table<table, true> } slot_waiters: kept here
---@return any value
---@return any meta_or_error
function run.operation(operation, now, client)
  local driver = client.driver
  local held = client.token_store and {} -- the store's lock
  local limit = driver.deadline and driver:deadline()
  if limit then operation:limit(limit) end
  local ok, value, more = pcall(steps, operation, now, client, held)
  if ok then return value, more end
  wind_up(operation, client, held) -- an interrupt, or a driver that raised
  error(value, 0)
end

---@class avito_messenger.Event
---@field type "request"|"refresh"|"retry"|"pace"|"token_store" "refresh": a token was asked for; "retry": a request is about
--- to be repeated; "pace": a request has to wait for its turn, told once; "token_store": tokens could not be stored
---@field endpoint? string the method the program called
---@field purpose? "call"|"token"|"self"|"download" what the request was for
---@field method? string
---@field attempt? integer 1 for the first
---@field status? integer the HTTP status, when there was an answer
---@field bytes? integer of the answer's body
---@field error? string why there was none: network, timeout, decode, cancelled or file
---@field message? string
---@field dispatched? boolean
---@field seconds? number how long the request took; of a retry, how long it waits; of a pace, how long as things are, or
--- at most where it waits for others to end

return run
