--- Deliveries to the addresses of a program. Nothing is sent here: those that are due are handed out, what became of them is
--- handed in, and their kind decides whether they are tried again.
local json = require "avito_messenger.json"

local deliveries = {}

---@class avito.sandbox.Delivery
---@field id integer
---@field url string
---@field headers table<string, string>
---@field body string
---@field timeout number seconds the receiver has

---@class avito.sandbox.Result
---@field status? integer of the answer
---@field body? string of the answer
---@field error? string why there is none

-- Later deliveries overtake one that waits this long.
local REORDER_WAIT = 1

function deliveries.new_state()
  return { waiting = {}, flying = {}, serial = 0 }
end

--- Makes a delivery of the given fields; those of the handed out ones, and
---   settle(result, now) -> its state when it is over, or nil and the seconds until it is tried again; what was wrong
---   marketplace, account, chat_id, message_id                     for those who look at it
---@param sandbox avito.Sandbox
---@param given table
---@return table
function deliveries.new(sandbox, given)
  sandbox.outgoing.serial = sandbox.outgoing.serial + 1
  given.id, given.attempt, given.attempts = sandbox.outgoing.serial, 1, {}
  return given
end

--- Adds a delivery as often and as late as chance has it.
---@param sandbox avito.Sandbox
---@param make fun(): table a new delivery
---@param options { delay: number|number[], duplicate: number, reorder: number }
---@param now number
function deliveries.schedule(sandbox, make, options, now)
  local random = sandbox.random
  local copies = random:chance(options.duplicate) and 2 or 1
  for _ = 1, copies do
    local delivery = make()
    delivery.at = now + random:within(options.delay)
    if random:chance(options.reorder) then delivery.at = delivery.at + REORDER_WAIT * (1 + random:fraction()) end
    table.insert(sandbox.outgoing.waiting, delivery)
  end
end

local function earlier(a, b)
  if a.at ~= b.at then return a.at < b.at end
  return a.id < b.id
end

--- Takes the deliveries whose time has come, in the order they are to leave.
---@param sandbox avito.Sandbox
---@param now number
---@return avito.sandbox.Delivery[]
function deliveries.due(sandbox, now)
  local outgoing, due, waiting = sandbox.outgoing, {}, {}
  for _, delivery in ipairs(outgoing.waiting) do
    if delivery.at <= now then
      due[#due + 1] = delivery
      outgoing.flying[delivery.id] = delivery
    else
      waiting[#waiting + 1] = delivery
    end
  end
  outgoing.waiting = waiting
  table.sort(due, earlier)
  for i, delivery in ipairs(due) do
    due[i] = { id = delivery.id, url = delivery.url, headers = delivery.headers, body = delivery.body,
      timeout = delivery.timeout }
  end
  return due
end

---@param sandbox avito.Sandbox
---@return number? at
function deliveries.next_due(sandbox)
  local at
  for _, delivery in ipairs(sandbox.outgoing.waiting) do
    if not at or delivery.at < at then at = delivery.at end
  end
  return at
end

local function remember(sandbox, delivery, state)
  delivery.state = state
  sandbox:remember("delivery_history", delivery)
end

--- What became of a delivery. Returns the answer to the request that waited for it as its probe.
---@param sandbox avito.Sandbox
---@param id integer
---@param result avito.sandbox.Result
---@param now number
---@return avito.sandbox.Response?
function deliveries.delivered(sandbox, id, result, now)
  local probe = sandbox.probes[id]
  if probe then
    sandbox.probes[id] = nil
    return probe(result)
  end
  local delivery = sandbox.outgoing.flying[id]
  if not delivery then error(("delivery %s is not under way"):format(tostring(id)), 0) end
  sandbox.outgoing.flying[id] = nil
  local state, wait, problem = delivery.settle(result, now)
  table.insert(delivery.attempts, { time = now, status = result.status, error = result.error or problem })
  if state then return remember(sandbox, delivery, state) end
  delivery.attempt, delivery.at = delivery.attempt + 1, now + wait
  table.insert(sandbox.outgoing.waiting, delivery)
end

--- Gives up the waiting deliveries of which `which` says so.
---@param sandbox avito.Sandbox
---@param which fun(delivery: table): boolean
function deliveries.give_up(sandbox, which)
  local kept = {}
  for _, delivery in ipairs(sandbox.outgoing.waiting) do
    if which(delivery) then remember(sandbox, delivery, "failed") else kept[#kept + 1] = delivery end
  end
  sandbox.outgoing.waiting = kept
end

--- All deliveries: those that are through, under way and waiting.
---@param sandbox avito.Sandbox
---@return table[]
function deliveries.list(sandbox)
  local list = {}
  local function add(delivery, state)
    list[#list + 1] = { id = delivery.id, url = delivery.url, body = delivery.body, marketplace = delivery.marketplace,
      account = delivery.account, chat_id = delivery.chat_id, message_id = delivery.message_id, state = state,
      at = delivery.at, attempt = delivery.attempt, attempts = json.list(delivery.attempts) }
  end
  for _, delivery in ipairs(sandbox.delivery_history) do add(delivery, delivery.state) end
  for _, delivery in pairs(sandbox.outgoing.flying) do add(delivery, "sending") end
  for _, delivery in ipairs(sandbox.outgoing.waiting) do add(delivery, "waiting") end
  table.sort(list, function(a, b) return a.id < b.id end)
  return list
end

return deliveries
