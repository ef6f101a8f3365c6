--- One turn: the messages that are answered together, and what can be known of them.
local text = require "avito_messenger.text"
local Context = require "avito_messenger.bot.engine.context"
local pictures = require "avito_messenger.bot.pictures"
local record = require "avito_messenger.bot.engine.record"

---@class avito.bot.Turn
---@field key string names the turn for ever: the id of its first message
---@field kind "buyer"|"system"|"own"
---@field messages table[]
---@field text string the texts of the burst, one a line; "" without any
---@field types table<string, boolean> of the messages, and of what came with them
---@field flow_ids table<string, boolean>
---@field now number
---@field first boolean the first turn of the buyer in this chat
---@field chat { id: string, type: string? }
---@field facts avito.bot.Facts what is known of item and buyer; either may be missing
---@field c avito.bot.Context for `when`
---@field phones fun(self: avito.bot.Turn): string[]
---@field numbers fun(self: avito.bot.Turn): number[]
---@field links fun(self: avito.bot.Turn): string[]
local Turn = {}
Turn.__index = Turn
Turn.__name = "avito.bot.Turn"

local function content_of(message)
  return type(message.content) == "table" and message.content or {}
end

--- The text of a message of any type, or nil.
---@param message table
---@return string?
function Turn.text_of(message)
  local content = content_of(message)
  if type(content.text) == "string" then return content.text end
  if type(content.link) == "table" then
    local link = content.link
    return type(link.text) == "string" and link.text or type(link.url) == "string" and link.url or nil
  end
end

--- The files that came with a message, or nil.
---@param message table
---@return { name: string, url: string?, size: integer? }[]?
function Turn.files_of(message)
  local files = content_of(message).files
  return type(files) == "table" and files or nil
end

---@param chat avito.bot.Chat
---@param kind "buyer"|"system"|"own"
---@param messages table[]
---@param now number
---@param book avito_messenger.bot.Book
---@return avito.bot.Turn
function Turn.new(chat, kind, messages, now, book)
  local texts, types, flow_ids = {}, {}, {}
  for _, message in ipairs(messages) do
    types[message.type] = true
    local files = Turn.files_of(message) -- a text may come with some: then it is both
    if files then types[pictures.of(files) and "image" or "file"] = true end
    local flow_id = content_of(message).flow_id
    if type(flow_id) == "string" then flow_ids[flow_id] = true end
    texts[#texts + 1] = Turn.text_of(message)
  end
  local self = setmetatable({
    key = messages[1].id, kind = kind, messages = messages, text = table.concat(texts, "\n"), types = types,
    flow_ids = flow_ids, now = now, chat = { id = chat.id, type = chat.type }, facts = chat.facts or {},
    first = kind == "buyer" and not chat.met and (chat.turns or 0) == 0,
  }, Turn)
  self.c = Context.new(self, book, record.copy(chat.memory or {}))
  return self
end

--- What is found in the turn, looked for once, when it is asked for.
local function lazily(name, find)
  Turn[name] = function(self)
    local kept = "found_" .. name
    if not self[kept] then self[kept] = find(self) end
    return self[kept]
  end
end

lazily("phones", function(self) return text.phones(self.text) end)
lazily("numbers", function(self) return text.numbers(self.text) end)

-- Links in the text and those that came as messages of their own.
lazily("links", function(self)
  local links, known = {}, {}
  local function add(link)
    if type(link) == "string" and not known[link] then
      known[link] = true
      links[#links + 1] = link
    end
  end
  for _, message in ipairs(self.messages) do
    local link = content_of(message).link
    if type(link) == "table" then add(link.url) end
  end
  for _, link in ipairs(text.links(self.text)) do add(link) end
  return links
end)

return Turn
