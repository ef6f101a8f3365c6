--- What a rule's functions are given: `when = function(c)` may look, `run = function(c)` may also act.
local facts = require "avito_messenger.bot.engine.facts"
local record = require "avito_messenger.bot.engine.record"
local span = require "avito_messenger.bot.span"
local length_of = require("avito_messenger.text").length

---@class avito.bot.Context
---@field text string what the buyer wrote; the messages of a burst one a line
---@field message table the last message, as the API gave it
---@field messages table[] all messages of the burst
---@field buyer { id: integer|string?, name: string? }
---@field item { id: integer|string?, title: string?, price: number?, price_text: string?, url: string?, city: string? }
---@field order { id: string?, return_id: string?, campaign_id: string? } of Yandex Market, each a text of digits
---@field chat { id: string, type: string? }
---@field first boolean the buyer's first words in this chat
---@field phone string? the first phone number, "+79…"
---@field phones string[]
---@field number number? the first number
---@field numbers number[]
---@field link string? the first link
---@field links string[]
---@field now number Unix time
---@field hours { open: boolean, next_open: string?, next_close: string? }? nil without hours in the rulebook
---@field memory table plain values kept with the chat; changes are kept when `run` returns
local Context = {}
Context.__name = "avito.bot.Context"

local fields = {}

function fields.phone(turn) return turn:phones()[1] end
function fields.phones(turn) return turn:phones() end
function fields.number(turn) return turn:numbers()[1] end
function fields.numbers(turn) return turn:numbers() end
function fields.link(turn) return turn:links()[1] end
function fields.links(turn) return turn:links() end
function fields.hours(turn, book)
  if not book.hours then return nil end
  return { open = book.hours:is_open(turn.now), next_open = facts.value(book, turn, "hours.next_open"),
    next_close = facts.value(book, turn, "hours.next_close") }
end

local actions = {}

local function acting(c, name)
  local queue = rawget(c, "queue")
  if not queue then error(("c:%s belongs in run = function(c), not in when"):format(name), 3) end
  return queue
end

local function text_argument(name, value)
  if type(value) ~= "string" or value == "" then
    error(("c:%s: text expected, got %s"):format(name, value == "" and "an empty one" or type(value)), 3)
  end
  local length, problem = length_of(value)
  if not length then error(("c:%s: %s"):format(name, problem), 3) end
  return value
end

--- Says a text, which may hold `{item.title}` and the other names of templates.
---@param text string
function actions:say(text)
  local queue = acting(self, "say")
  queue[#queue + 1] = { kind = "say", text = text_argument("say", text) }
end

--- Sends an image: the path of a file, or the id of an uploaded one.
---@param image string
function actions:image(image)
  local queue = acting(self, "image")
  queue[#queue + 1] = { kind = "image", image = text_argument("image", image) }
end

--- Calls a person; the bot is silent in this chat for as long as `human.pause` says.
---@param note? string
function actions:escalate(note)
  local queue = acting(self, "escalate")
  if note ~= nil then text_argument("escalate", note) end
  queue[#queue + 1] = { kind = "escalate", reason = note }
end

--- Puts the buyer on the blacklist.
---@param reason? "spam"|"fraud"|"insult"|"other" default: other
function actions:blacklist(reason)
  local queue = acting(self, "blacklist")
  queue[#queue + 1] = { kind = "blacklist", reason = reason and text_argument("blacklist", reason) }
end

--- Marks the chat as read.
function actions:mark_read()
  local queue = acting(self, "mark_read")
  queue[#queue + 1] = { kind = "mark_read" }
end

--- The bot says nothing in this chat for a while.
---@param seconds? number up to 100 years; default: human.pause
function actions:pause(seconds)
  local queue = acting(self, "pause")
  if seconds ~= nil and type(seconds) ~= "number" then error("c:pause: seconds expected, got " .. type(seconds), 2) end
  local _, problem = span.seconds(seconds or 0)
  if problem then error("c:pause: " .. problem, 2) end
  queue[#queue + 1] = { kind = "pause", seconds = seconds }
end

--- The bot speaks again in this chat.
function actions:resume()
  local queue = acting(self, "resume")
  queue[#queue + 1] = { kind = "resume" }
end

--- Begins a dialogue.
---@param flow string its name
function actions:start(flow)
  local queue = acting(self, "start")
  queue[#queue + 1] = { kind = "flow", name = text_argument("start", flow) }
end

function Context.__index(c, name)
  if actions[name] then return actions[name] end
  local find = fields[name]
  return find and find(rawget(c, "turn"), rawget(c, "book"))
end

---@param turn avito.bot.Turn
---@param book avito_messenger.bot.Book
---@param memory table
---@param queue? table[] for a function that may act: what it asks for is put here
---@return avito.bot.Context
function Context.new(turn, book, memory, queue)
  local messages, about = record.copy(turn.messages), record.copy(turn.facts) -- theirs to change
  return setmetatable({ turn = turn, book = book, text = turn.text, messages = messages, message = messages[#messages],
    buyer = about.buyer or {}, item = about.item or {}, order = about.order or {}, chat = record.copy(turn.chat),
    first = turn.first, now = turn.now, memory = memory, queue = queue }, Context)
end

return Context
