--- Carrying an operation out: the core says what to do next, the driver does it. The same for every driver.
local run = {}

--- Whatever was raised, as text: also what cannot say what it is.
local function text_of(problem)
  local ok, text = pcall(tostring, problem)
  return ok and text or "a " .. type(problem)
end

--- A handler that raises must not make a message that was sent look like one that was not.
local function report(on_event, event)
  local ok, problem = pcall(on_event, event)
  if not ok then
    io.stderr:write("avito_messenger: on_event raised: ", text_of(problem), "\n")
  end
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

--- Calls a function of the token store; what it raises is a reason like another.
local function ask(fn, ...)
  local ok, value, message = pcall(fn, ...)
  if not ok then return nil, text_of(value) end
  return value, message
end

--- A token that could not be stored is worth knowing even where the call succeeds all the same.
local function save(store, tokens, on_event)
  local ok, message = ask(store.save, tokens)
  if not ok and on_event then
    report(on_event, { type = "token_store", message = message or "save returned nothing" })
  end
  return ok, message
end

local function steps(operation, now, client, held)
  local driver, store, on_event = client.driver, client.token_store, client.on_event
  local last -- the last request, for events
  while true do
    if client.closed then operation:cancel("the client is closed") end
    local step, a, b = operation:next(now)
    if step == "send" then
      local started = now
      local response = driver:perform(a)
      now = driver:now()
      operation:feed(now, driver:time(), response)
      if on_event then
        last = request_event(operation, a, b, response, now - started)
        report(on_event, last)
      end
    elseif step == "done" then
      return a, b
    elseif step == "fail" then
      return nil, a
    elseif step == "wait" then
      if on_event and b == "retry" then
        report(on_event, {
          type = "retry", endpoint = last.endpoint, purpose = last.purpose, attempt = last.attempt,
          status = last.status, error = last.error, seconds = a,
        })
      end
      driver:sleep(a)
      now = driver:now()
    else
      local value, message
      if step == "lock" then
        held.lock, message = ask(store.lock)
        value = held.lock and true or held.lock
      elseif step == "unlock" then
        if held.lock then ask(held.lock.unlock, held.lock) end
        held.lock = nil
      elseif step == "load" then
        value, message = ask(store.load)
      else
        value, message = save(store, a, on_event)
      end
      now = driver:now()
      operation:feed(now, driver:time(), value, message)
    end
  end
end

--- Carries out the operation and returns its value and meta, or nil and the error.
---@param operation table
---@param now number the driver's monotonic time
---@param client { driver: table, token_store?: avito_messenger.TokenStore, on_event?: function, closed?: boolean }
---@return any value
---@return any meta_or_error
function run.operation(operation, now, client)
  local held = client.token_store and {} -- the store's lock
  local ok, value, more = pcall(steps, operation, now, client, held)
  if ok then return value, more end
  -- An interrupt, or a driver that raised: neither the lock nor the renewal may wait for the collector.
  operation:cancel()
  if held and held.lock then ask(held.lock.unlock, held.lock) end
  error(value, 0)
end

---@class avito_messenger.Event
---@field type "request"|"refresh"|"retry"|"token_store" "refresh": a token was asked for; "retry": a request is about to be
--- repeated; "token_store": tokens could not be stored
---@field endpoint? string the method the program called
---@field purpose? "call"|"token"|"self"|"download" what the request was for
---@field method? string
---@field attempt? integer 1 for the first
---@field status? integer the HTTP status, when there was an answer
---@field bytes? integer of the answer's body
---@field error? string why there was none: network, timeout, decode, cancelled or file
---@field message? string
---@field dispatched? boolean
---@field seconds? number how long the request took; of a retry, how long it waits

return run
