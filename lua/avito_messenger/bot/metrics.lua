--- What a bot does, counted, for Prometheus.
---
--- A listener of the bot's notes and of the client's events, as the log is. What the store knows is handed in when the text
--- is asked for.
local avito = require "avito_messenger"
local outbox = require "avito_messenger.bot.engine.outbox"
local prometheus = require "avito_messenger.prometheus"

---@class avito.bot.Metrics
---@field last_poll? number Unix time of the last look at the unread chats that succeeded here
local Metrics = {}
Metrics.__index = Metrics
Metrics.__name = "avito.bot.Metrics"

local metrics = { CONTENT_TYPE = prometheus.CONTENT_TYPE }

local function counter(name, help, labels, known)
  return { name = "avito_bot_" .. name .. "_total", type = "counter", help = help, labels = labels, known = known }
end

local function gauge(name, help, labels, known)
  return { name = "avito_bot_" .. name, type = "gauge", help = help, labels = labels, known = known }
end

--- What is counted, in the order it is told.
metrics.FAMILIES = {
  gauge("info", "Always 1; its labels say which version runs for which account.", { "version", "account" }),
  gauge("clock_seconds", "Unix time by the bot's clock."),
  counter("webhooks", "Requests to the webhook's address, by what came of them.", { "outcome" },
    { { "message" }, { "known" }, { "unavailable" } }),
  counter("messages", "Messages and commands that were taken from the inbox."),
  counter("messages_dropped", "Messages that were not looked at: taken before, or of a buyer on the blacklist."),
  counter("turns", "Turns of buyers that are over; handled: had somebody an answer?", { "handled" },
    { { "true" }, { "false" } }),
  counter("replies", "Messages to buyers, by what became of them.", { "result" },
    { { "confirmed" }, { "rejected" }, { "unknown" } }),
  counter("withdrawn", "What was to be said or done, and was taken back because a person typed."),
  counter("rule_fired", "Answers of each rule.", { "rule" }),
  counter("human_takeovers", "Times a person typed in a chat."),
  counter("escalations", "Times a person was called."),
  counter("floods", "Times a chat got too many replies."),
  counter("errors", "Errors: of rules, functions, calls of the API that were given up."),
  gauge("inbox_waiting", "Rows of the inbox that are not taken."),
  gauge("inbox_oldest_seconds", "How long the oldest of them has waited."),
  gauge("outbox", "Rows of the outbox, by their state.", { "state" }),
  gauge("chats", "Chats that the store knows."),
  gauge("lanes", "Chats that are worked on now."),
  counter("polls", "Looks at the unread chats that succeeded."),
  counter("poll_failures", "Looks at the unread chats that failed."),
  gauge("last_poll_timestamp_seconds", "Unix time of the last look that succeeded."),
  counter("stalls", "Times nobody looked at the chats for much longer than meant."),
  counter("subscriptions", "Times the webhook was subscribed."),
  gauge("parked", "1 while the account is parked for that reason.", { "reason" }, { { "auth" }, { "payment_required" } }),
  counter("store_errors", "Errors of the store.", { "code" },
    { { "full" }, { "io" }, { "busy" }, { "readonly" }, { "damaged" } }),
  counter("fenced", "Times another process had taken over a chat."),
  counter("recovered", "Messages that a crash had left unclear."),
  { name = "avito_bot_api_request_seconds", type = "histogram", help = "How long requests to the API took.",
    labels = { "endpoint" }, buckets = { 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10 } },
  counter("api_requests", "Requests to the API, by the class of the answer's status, or why there was none.",
    { "endpoint", "status" }),
  counter("api_retries", "Requests that were repeated.", { "endpoint" }),
  counter("api_paced", "Requests that waited for their turn.", { "endpoint" }),
  counter("api_forbidden", "Answers 403."),
  counter("api_payment_required", "Answers 402."),
  counter("token_store_failures", "Times tokens could not be stored."),
}

local COUNTED = {} -- kinds of notes of which each counts one
for kind, name in pairs { human = "human_takeovers", escalated = "escalations", flood = "floods", error = "errors",
  dropped = "messages_dropped", poll = "polls", stall = "stalls", subscribed = "subscriptions", fenced = "fenced",
  recovered = "recovered" } do
  COUNTED[kind] = "avito_bot_" .. name .. "_total"
end

local more = {}

function more.webhook(self, note)
  self.registry:add("avito_bot_webhooks_total", note.count or 1, note.outcome)
end

function more.taken(self, note)
  self.registry:add("avito_bot_messages_total", note.count or 1)
end

function more.turn(self, note)
  self.registry:add("avito_bot_turns_total", 1, tostring(note.handled == true))
end

function more.fired(self, note)
  self.registry:add("avito_bot_rule_fired_total", 1, note.rule)
end

function more.done(self, note)
  if outbox.spoken { kind = note.effect } then self.registry:add("avito_bot_replies_total", 1, "confirmed") end
end

function more.human(self, note)
  self.registry:add("avito_bot_withdrawn_total", note.withdrawn or 0)
end

function more.error(self, note)
  if note.result and outbox.spoken { kind = note.effect } then self.registry:add("avito_bot_replies_total", 1, note.result) end
  if note.what == "poll" then self.registry:add("avito_bot_poll_failures_total", 1) end
end

function more.poll(self)
  self.last_poll = self.clock()
  self.registry:set("avito_bot_last_poll_timestamp_seconds", self.last_poll)
end

function more.store(self, note)
  self.registry:add("avito_bot_store_errors_total", 1, note.code)
end

--- Counts a note of the bot.
---@param note table
function Metrics:note(note)
  local name = COUNTED[note.kind]
  if name then self.registry:add(name, 1) end
  local count = more[note.kind]
  if count then count(self, note) end
end

local heard = {}

local function request(self, event, endpoint)
  local status = event.error or ("%dxx"):format(math.floor((event.status or 0) / 100))
  self.registry:add("avito_bot_api_requests_total", 1, endpoint, status)
  self.registry:observe("avito_bot_api_request_seconds", event.seconds, endpoint)
  if event.status == 403 then self.registry:add("avito_bot_api_forbidden_total", 1) end
  if event.status == 402 then self.registry:add("avito_bot_api_payment_required_total", 1) end
end

-- What the client asks on its own account is told apart from the call that it was needed for.
function heard.request(self, event)
  request(self, event, event.purpose == "self" and "get_self" or event.endpoint)
end

function heard.refresh(self, event)
  request(self, event, "token")
end

function heard.retry(self, event)
  self.registry:add("avito_bot_api_retries_total", 1, event.endpoint)
end

function heard.pace(self, event)
  self.registry:add("avito_bot_api_paced_total", 1, event.endpoint)
end

function heard.token_store(self)
  self.registry:add("avito_bot_token_store_failures_total", 1)
end

--- Counts an event of the client.
---@param event avito_messenger.Event
function Metrics:event(event)
  local count = heard[event.type]
  if count then count(self, event) end
end

local STATES = { "queued", "latched", "unknown" }

local function set_stats(registry, stats)
  for _, name in ipairs { "inbox_waiting", "inbox_oldest_seconds", "outbox", "chats" } do registry:clear("avito_bot_" .. name) end
  if not stats then return end
  registry:set("avito_bot_inbox_waiting", stats.inbox)
  registry:set("avito_bot_inbox_oldest_seconds", stats.oldest or 0)
  for _, state in ipairs(STATES) do registry:set("avito_bot_outbox", stats.outbox[state] or 0, state) end
  registry:set("avito_bot_chats", stats.chats)
end

---@class avito.bot.MetricsExtra what is only asked for
---@field stats? table store:stats(); without it, what the store knows is not shown
---@field parked? string why the account is parked
---@field account? string|integer
---@field lanes? integer lanes that run
---@field last_poll? number Unix time, where another process looks at the chats

--- Hands what was counted since the last time to sums that several processes share. What they do not take is kept.
---@param counters { add: fun(self, key: string, amount: number): boolean?, string? }
---@return true? done
---@return string? message why something was not taken
function Metrics:share(counters)
  local message
  for key, amount in pairs(self.registry:drain()) do
    local ok, problem = counters:add(key, amount)
    if not ok then
      self.registry:merge { [key] = amount }
      message = problem
    end
  end
  return not message or nil, message
end

-- Has the registry show what is only asked for.
local function refresh(self, now, extra)
  local registry = self.registry
  registry:clear "avito_bot_info"
  registry:set("avito_bot_info", 1, avito._VERSION, extra.account or "")
  registry:set("avito_bot_clock_seconds", now or self.clock())
  set_stats(registry, extra.stats)
  registry:clear "avito_bot_lanes"
  if extra.lanes then registry:set("avito_bot_lanes", extra.lanes) end
  if self.parked then registry:set("avito_bot_parked", 0, self.parked) end
  if extra.parked then registry:set("avito_bot_parked", 1, extra.parked) end
  self.parked = extra.parked
  if extra.last_poll then registry:set("avito_bot_last_poll_timestamp_seconds", extra.last_poll) end
end

--- The text of all metrics, in the exposition format 0.0.4.
---@param now? number Unix seconds; default: by the clock
---@param extra? avito.bot.MetricsExtra default: what is told when it is asked for
---@param sums? table<string, number> what all processes have shared, instead of what this one has counted since. Gauges are
--- this process's, and the store's
---@return string
function Metrics:text(now, extra, sums)
  refresh(self, now, extra or self.ask())
  return self.registry:text(sums)
end

--- The text of the metrics of several bots, whose series have a label more: account.
---@param all avito.bot.Metrics[]
---@param names string[] what each has there, all different
---@return string
function metrics.page(all, names)
  local registries = {}
  for i, one in ipairs(all) do
    local extra = one.ask()
    extra.account = names[i]
    refresh(one, nil, extra)
    registries[i] = one.registry
  end
  return prometheus.together(registries, "account", names)
end

---@param clock? fun(): number Unix seconds; default os.time
---@param ask? fun(): avito.bot.MetricsExtra asked for each text
---@return avito.bot.Metrics
function metrics.new(clock, ask)
  return setmetatable({ registry = prometheus.new(metrics.FAMILIES), clock = clock or os.time,
    ask = ask or function() return {} end }, Metrics)
end

return metrics
