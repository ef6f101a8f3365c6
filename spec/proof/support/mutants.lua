--- For the simulation: bots that are wrong on purpose, each by one change of one file. A proof that does not find them proves
--- nothing.
local mutants = {}

---@class proof.Mutant
---@field name string
---@field module string
---@field from string stands in the module once
---@field into string
---@field marketplace? string at which it is found; "avito" when absent
---@field seeds? integer how many seeds are enough for it to be found; 2000 when absent

local LATCHED = "record = chat, taken"

mutants.list = {
  { name = "sends what it has not latched", module = "avito_messenger.bot.lane", from = LATCHED, into = [[record = (function()
    local copy = record.copy(chat)
    local row = outbox.head(copy)
    if row and row.state == "latched" then row.state, row.latched_at = "queued", nil end
    return copy
  end)(), taken]] },
  { name = "sends again what was under way", module = "avito_messenger.bot.engine.outbox",
    from = "elseif spoken(row) then\n    row.state, row.check_at = \"unknown\", now\n  else", into = "else" },
  { name = "does not make certain what was under way", module = "avito_messenger.bot.lane",
    from = "self.bot.engine:recover(chat, now)", into = "" },
  { name = "sends again what got no answer", module = "avito_messenger.bot.engine.outbox",
    from = "not unknown and not FINAL[err.kind] and err.dispatched", into = "false and err.dispatched" },
  { name = "answers a webhook that it has not stored", module = "proof.support.simulation",
    from = "  reply(place.taken(place.hook, flags and answer.status or 503))", into = "  reply(place.taken(place.hook, 200))" },
  { name = "does not know the messages that it has taken", module = "avito_messenger.bot.engine.record",
    from = "local marks = chat.seen\n  if not marks then return false end", into = "local marks\n  if true then return false end" },
  { name = "takes rows in another commit than what follows from them", module = "avito_messenger.bot.lane",
    from = "local ok, err = bot.store:commit(self.claim, { record = chat", into = [[if change.taken then
    bot.store:commit(self.claim, { record = self.record, taken = change.taken, now = now })
  end
  local ok, err = bot.store:commit(self.claim, { record = chat]] },
  { name = "does not wait for a reply to appear", module = "proof.support.simulation",
    from = "settle = simulation.settle", into = "settle = \"0s\"" },
  { name = "does not look whether a person has typed", module = "avito_messenger.bot.lane",
    from = "if outbox.spoken(effect) and self.lanes:is_stale(self.chat_id) then return effect, true end", into = "" },
  { name = "speaks after a person has typed", module = "avito_messenger.bot.engine.arrive",
    from = "person(engine, chat, message, now, notes)\n    return", into = "return" },
  { name = "commits what is another's by now", module = "avito_messenger.store.memory",
    from = "if chat.owner ~= self or chat.fence ~= claim.fence then", into = "if false then", seeds = 6000 },
  { name = "sends after having been stopped for long", module = "avito_messenger.bot.lane",
    from = "return self.bot.driver:now() - self.since > (self.bot.store.lease or LEASE) / 2", into = "return false" },
  { name = "marks a chat as read, and does not read it again", module = "avito_messenger.bot.perform",
    from = "event.type == \"failed\" and not event.error.dispatched then", into = "true then" },
  { name = "reads a chat back by its own clock", module = "avito_messenger.bot.engine.outbox",
    from = "math.min(row.latched_at - SKEW, row.behind or math.huge)", into = "row.latched_at - SKEW" },
  { name = "begins before it knows which messages count", module = "avito_messenger.bot.lanes",
    from = "bot.parked or self.held or self.stopping", into = "bot.parked or self.stopping" },
  { name = "begins anew when it cannot read what it began with", module = "avito_messenger.bot.account",
    from = "started, err = store:cursor(name, \"started\")\n  if err then return nil, err end",
    into = "started = store:cursor(name, \"started\")" },
  { name = "stays unwell when the store works again", module = "avito_messenger.bot.run", from = "bot.trouble = nil", into = "" },
  { name = "never asks again when the account was refused", module = "avito_messenger.bot.run",
    from = "    account.look(bot)\n", into = "    bot.parked.again = math.huge\n" },
  { name = "leaves the chats of the dead alone", module = "avito_messenger.store.memory",
    from = "if chat.owner and chat.owner.ended then", into = "if false then" },
  { name = "asks only once for what it is told of", module = "avito_messenger.bot.engine.told", marketplace = "yandex_market",
    from = "if event.read and not unseen then missing.look = nil end", into = "chat.told = nil" },
  { name = "does not keep what it is told of", module = "avito_messenger.bot.engine.told", marketplace = "yandex_market",
    from = "if is_missing(missing, event.id) then return end", into = "if true then return end" },
}

local function plain(text) return (text:gsub("%p", "%%%0")) end

--- The module with its change, as a chunk. Raises where what is to be changed is not there, or there more than once.
---@param mutant proof.Mutant
---@return function
function mutants.make(mutant)
  local path = assert(package.searchpath(mutant.module, package.path))
  local file = assert(io.open(path))
  local source = file:read "*a"
  file:close()
  local changed, count = source:gsub(plain(mutant.from), (mutant.into:gsub("%%", "%%%%")))
  if count ~= 1 then error(("'%s' stands in %s %d times"):format(mutant.from, path, count), 0) end
  return assert((loadstring or load)(changed, "@" .. path)) -- luacheck: ignore 113
end

--- Has the module be loaded with its change, wherever it is required from now on.
---@param mutant proof.Mutant
function mutants.put(mutant)
  package.preload[mutant.module] = mutants.make(mutant)
end

return mutants
