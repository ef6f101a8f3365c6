--- Whose chats a bot answers: the account is learnt, what it began with is remembered, and where the marketplace refuses it
--- altogether (402, a revoked token) it is parked: nothing is asked but now and then whether it is served again.
local json = require "avito_messenger.json"

local account = {}

local FIRST_LOOK, LAST_LOOK = 60, 3600 -- seconds between two looks whether a parked account is served again
local AWAY = 86400 -- seconds: what is older than that at a start is left alone, like all that is older than the first start

-- Errors that no call of the account escapes.
local PARKS = { payment_required = true, auth = true }

-- Errors of which the account itself is not the reason, and that an account that is refused would not get, unless the
-- marketplace refuses it by one of them.
local SERVED = { invalid = true, forbidden = true, not_found = true, rate_limited = true }

-- From when on messages are answered, and which of them count though they were read: those since the first start. What came
-- while the bot was not running is answered, too, unless it was away for long.
local function remember(bot, name, settings)
  local store, backlog, now = bot.store, settings.backlog, settings.began
  local since, err = store:cursor(name, "since")
  if err then return nil, err end
  local started
  started, err = store:cursor(name, "started")
  if err then return nil, err end
  since, started = tonumber(since), tonumber(started)
  if not (since and started) then
    since, started = now - backlog, now
    local ok
    ok, err = store:set_cursor(name, "since", json.digits(since))
    if ok then ok, err = store:set_cursor(name, "started", json.digits(started)) end
    if not ok then return nil, err end
  end
  bot.since = math.min(math.max(since, now - AWAY), now - backlog)
  bot.started = math.min(started, now)
  return true
end

--- The clock was put back: what is written from now on must not look older than the start.
---@param bot avito.Bot
---@param seconds number
function account.put_back(bot, seconds)
  if not bot.since then return end
  bot.since, bot.started = bot.since - seconds, bot.started - seconds
end

--- Learns which account it is, and what is remembered of it.
---@param bot avito.Bot
---@param settings avito.bot.Settings
---@return boolean? ok
---@return avito_messenger.Error|avito.StoreError|nil err
function account.identify(bot, settings)
  if not bot.user_id then
    local id, err = bot.market.id_of(bot.client)
    if not id then return nil, err end
    bot.user_id = id
  end
  bot.engine.user_id = bot.user_id
  if bot.since then return true end
  local ok, err = remember(bot, bot:account(), settings)
  if not ok then return nil, err end
  bot.lanes.held = nil
  bot.lanes:told()
  return true
end

--- Parks the account where the error says that it is refused altogether.
---@param bot avito.Bot
---@param problem { kind: string, message: string? }
---@param whole? boolean it is of a call that concerns no single chat
function account.heed(bot, problem, whole)
  if bot.parked or not (PARKS[problem.kind] or whole and bot.market.refuses[problem.kind]) then return end
  local kind = PARKS[problem.kind] and problem.kind or "auth"
  bot.parked = { kind = kind, message = problem.message, since = bot.driver:time(), pause = FIRST_LOOK,
    again = bot.driver:now() + FIRST_LOOK }
  local name = bot:account() -- nil where the look-up of the account itself is refused
  bot:tell { kind = "parked", code = kind, message = ("the account%s is refused, and asked for again later: %s"):format(
    name and " " .. name or "", tostring(problem.message or problem.kind)) }
end

--- Asks whether a parked account is served again, when it is time.
---@param bot avito.Bot
function account.look(bot)
  local parked = bot.parked
  if not parked or bot.driver:now() < parked.again then return end
  local chats, err = bot.client:get_chats { limit = 1 }
  if bot.parked ~= parked then return end
  local refuses = bot.market.refuses
  if chats or SERVED[err.kind] and not refuses[err.kind] then
    bot.parked = nil
    bot:tell { kind = "unparked" }
    bot.lanes:told()
    return
  end
  if PARKS[err.kind] then parked.kind = err.kind end
  if refuses[err.kind] then parked.message = err.message end
  parked.pause = math.min(parked.pause * 2, LAST_LOOK)
  parked.again = bot.driver:now() + parked.pause
end

return account
