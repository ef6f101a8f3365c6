--- What a flow's function gets as `c`. Each call but c:pairs is an entry of the journal: it is done once, and a replay gives
--- what it gave then.
local ask = require "avito_messenger.bot.flow.ask"
local coroutines = require "avito_messenger.coroutines"
local guards = require "avito_messenger.bot.flow.guards"
local plain = require "avito_messenger.bot.flow.plain"

---@class avito_messenger.bot.FlowContext
---@field buyer { id?: integer, name?: string } as when the flow began; empty where not known
---@field item { id?: integer, title?: string, price?: number, price_text?: string, url?: string, city?: string } likewise
---@field order { id?: string, return_id?: string, campaign_id?: string } likewise; of Yandex Market
---@field chat { id?: string, type?: string } likewise
local Context = { __name = "avito_messenger.bot.FlowContext" }
Context.__index = Context

-- The run whose flow makes the call `what`. Raises where the call cannot suspend it; on a replay, too.
local function running(c, what)
  local run = guards.running()
  if not run or run.c ~= c then error(what .. " was called outside of its flow, or without the colon", 3) end
  if coroutines.running() ~= run.co then
    error(what .. " was called inside a coroutine of the program's own: call it from the flow itself", 3)
  end
  if not coroutines.isyieldable() then
    error(what .. " was called inside a callback of a C function such as string.gsub or table.sort: call it before", 3)
  end
  return run
end

local function keep(what, value)
  local copy, problem = plain.copy(value)
  if problem then error(("%s cannot be kept: %s"):format(what, problem), 3) end
  return copy
end

local function check_text(what, value)
  if type(value) ~= "string" then error(("%s must be a string, got %s"):format(what, type(value)), 3) end
  if value == "" then error(what .. " is empty", 3) end
  return keep(what, value)
end

--- Sends a text; names in braces are filled in.
---@param text string
---@param extra? table<string, string|number> more names for the braces
function Context:say(text, extra)
  local run = running(self, "c:say")
  check_text("c:say: the text", text)
  if extra ~= nil and type(extra) ~= "table" then error("c:say: extra must be a table, got " .. type(extra), 2) end
  extra = keep("c:say: extra", extra)
  run:step("say", { text, extra }, { text = text, extra = extra })
end

--- Sends an image.
---@param image string the path of a file, or the id of an uploaded image
function Context:image(image)
  local run = running(self, "c:image")
  check_text("c:image: the image", image)
  run:step("image", image, { image = image })
end

--- Says the prompt and waits until the buyer has answered.
---
--- Returns nil and "tries" when none of the answers was understood, nil and "timeout" when the time passed. A choice comes
--- with its number. Answers: text: trimmed; number; phone: "+7…"; image: { message_id, id?, sizes? }, of Yandex Market
--- { message_id, files }; yes/no: a boolean; choice: the label.
---@param given avito_messenger.bot.AskOptions
---@return any value
---@return string|integer|nil why_or_number
function Context:ask(given)
  local run = running(self, "c:ask")
  local question, problem = ask.check(given)
  if not question then error("c:ask: " .. problem, 2) end
  local entry = run:step("ask", ask.identity(question), { question = question })
  local value = plain.copy(entry.v)
  if value == nil then return nil, entry.e end
  if question.kind == "choice" then return value, ask.number_of(question, value) end
  return value
end

--- Has the host call a function of the rulebook's `calls`, and waits until it has returned.
---@param name string
---@param args? any numbers, strings, booleans, lists, maps
---@return any value what it returned
---@return string? message why it failed
function Context:call(name, args)
  local run = running(self, "c:call")
  check_text("c:call: the name", name)
  args = keep(("c:call '%s': the arguments"):format(name), args)
  local entry = run:step("call", { name, args }, { name = name, args = args })
  if entry.e ~= nil then return nil, entry.e end
  return plain.copy(entry.v)
end

--- The time, in seconds since 1970.
---@return number
function Context:now()
  return running(self, "c:now"):step("now", nil, {}).v
end

--- A moment in the time zone of the rulebook.
---@param format string as for os.date: "%H:%M"
---@param unix? number default: now
---@return string|table date a table for "*t"
function Context:date(format, unix)
  local run = running(self, "c:date")
  check_text("c:date: the format", format)
  if unix ~= nil and type(unix) ~= "number" then error("c:date: unix must be a number, got " .. type(unix), 2) end
  unix = keep("c:date: unix", unix)
  return plain.copy(run:step("date", { format, unix }, { format = format, unix = unix }).v)
end

local function check_bound(bound)
  if type(bound) ~= "number" or bound % 1 ~= 0 then
    error(("c:random: the bounds must be integers, got %s"):format(type(bound) == "number" and bound or type(bound)), 3)
  end
end

--- As math.random: from 0 to 1 without any, from 1 to m, from m to n.
---@param m? integer
---@param n? integer
---@return number
function Context:random(m, n)
  local run = running(self, "c:random")
  if m == nil and n == nil then return run:step("random", nil, {}).v end
  if n == nil then m, n = 1, m end
  check_bound(m)
  check_bound(n)
  if m > n then error(("c:random: there is nothing from %d to %d"):format(m, n), 2) end
  local bounds = keep("c:random: the bounds", { m, n })
  return run:step("random", bounds, { bounds = bounds }).v
end

--- What `c:set` set, in this or an earlier flow of the chat.
---@param name string
---@return any
function Context:get(name)
  local run = running(self, "c:get")
  check_text("c:get: the name", name)
  return plain.copy(run:step("get", name, { name = name }).v)
end

--- Keeps a value with the chat.
---@param name string
---@param value any nil takes it away
function Context:set(name, value)
  local run = running(self, "c:set")
  check_text("c:set: the name", name)
  value = keep(("c:set '%s': the value"):format(name), value)
  run:step("set", { name, value }, { name = name, value = value })
end

--- Ends the flow and leaves the chat to the seller.
---@param note? string what the seller is told
function Context:to_human(note)
  local run = running(self, "c:to_human")
  if note ~= nil then check_text("c:to_human: the note", note) end
  run:step("escalate", note, { note = note })
  run:finish { kind = "done" }
end

--- Ends the flow and starts another.
---@param name string
function Context:start(name)
  local run = running(self, "c:start")
  check_text("c:start: the name", name)
  local unknown = run.runner:unknown(name)
  if unknown then error("c:start: " .. unknown, 2) end
  run:finish { kind = "start", name = name }
end

--- Ends the flow.
function Context:stop()
  running(self, "c:stop"):finish { kind = "done" }
end

local RANK = { boolean = 1, number = 2, string = 3 }

local function before(one, other)
  local kind = type(one)
  if kind ~= type(other) then return RANK[kind] < RANK[type(other)] end
  if kind == "boolean" then return not one and other end
  return one < other
end

--- As pairs, in an order that is always the same: false, true, numbers, strings.
---@generic K, V
---@param t table<K, V>
---@return fun(): K, V
function Context:pairs(t) -- luacheck: no self
  if type(t) ~= "table" then error("c:pairs: table expected, got " .. type(t) .. " (call it with a colon)", 2) end
  local keys = {}
  for key in next, t do
    if not RANK[type(key)] then error(("c:pairs: the table has a %s for a key, which has no order"):format(type(key)), 2) end
    keys[#keys + 1] = key
  end
  table.sort(keys, before)
  local at = 0
  return function()
    local value
    repeat
      at = at + 1
      value = t[keys[at]]
    until value ~= nil or keys[at] == nil
    return keys[at], value
  end
end

local context = {}

--- A new `c`.
---@param about table
---@return avito_messenger.bot.FlowContext
function context.new(about)
  return setmetatable({ buyer = about.buyer or {}, item = about.item or {}, order = about.order or {}, chat = about.chat or {} },
    Context)
end

return context
