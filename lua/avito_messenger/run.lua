--- Carrying an operation out: the core says what to do next, the driver does it. The same for every driver.
local run = {}

--- A handler that raises must not make a message that was sent look like one that was not.
local function report(on_event, event)
  local ok, problem = pcall(on_event, event)
  if not ok then
    io.stderr:write("avito_messenger: on_event raised: ", tostring(problem), "\n")
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
    bytes = response.body and #response.body,
    error = response.error,
    message = response.message,
    dispatched = response.error == nil or response.dispatched,
    seconds = seconds,
  }
end

--- Calls a function of the token store; what it raises is a reason like another.
local function ask(fn, ...)
  local ok, value, message = pcall(fn, ...)
  if not ok then return nil, tostring(value) end
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

--- Carries out the operation and returns its value and meta, or nil and the error.
---@param operation table
---@param now number the driver's monotonic time
---@param driver table
---@param store? avito_messenger.TokenStore
---@param on_event? fun(event: avito_messenger.Event)
---@return any value
---@return any meta_or_error
function run.operation(operation, now, driver, store, on_event)
  local last, lock, message -- the last request, for events; the store's lock while it is held
  while true do
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
      local value
      if step == "lock" then
        lock, message = ask(store.lock)
        value = lock and true or lock
      elseif step == "unlock" then
        if lock then ask(lock.unlock, lock) end
        lock = nil
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

---@class avito_messenger.Event
---@field type "request"|"refresh"|"retry"|"token_store" "refresh": a token was asked for; "retry": a request is about to be
--- repeated; "token_store": tokens could not be stored
---@field endpoint? string the method the program called
---@field purpose? "call"|"token"|"self"|"download" what the request was for
---@field method? string
---@field attempt? integer 1 for the first
---@field status? integer the HTTP status, when there was an answer
---@field bytes? integer of the answer's body
---@field error? string why there was none: network, timeout, decode or cancelled
---@field message? string
---@field dispatched? boolean
---@field seconds? number how long the request took; of a retry, how long it waits

return run
