--- Lists that come in pages, as one iterator.
---
--- Pages are asked for by offset, and the list grows at its front meanwhile: what has been seen already is left out. The
--- server's offset ends at 1000; `truncated` says when that cut the list off. A list that shrinks meanwhile, as that of unread
--- chats does while they are marked as read, moves elements past the next page: gather first, act then.
local options = require "avito_messenger.options"

local pages = {}

local MAX_OFFSET = 1000
local PAGE = 100

local FILTERS = {
  chats = { unread_only = "boolean", chat_types = "table", item_ids = "table", limit = "number", offset = "number" },
  messages = { limit = "number", offset = "number" },
}

---@class avito_messenger.Pages
---@field truncated boolean has the list more than could be had?
---@operator call: table
local methods = {}
local metatable = { __index = methods, __name = "avito_messenger.Pages" }

--- Asks for the next page. False when there is none.
local function advance(self)
  if self.ended then return false end
  self.filter.offset = self.offset
  local list, meta = self.fetch(self.filter)
  if not list then
    self.ended = true
    error(meta, 0)
  end
  local fresh = {}
  for _, element in ipairs(list) do
    local id
    if type(element) == "table" then id = element.id end
    if id == nil or not self.seen[id] then
      if id ~= nil then self.seen[id] = true end
      fresh[#fresh + 1] = element
    end
  end
  local more = meta.has_more
  if more == nil then more = #list >= self.filter.limit end
  if more and #fresh == 0 then -- a server that promises more and gives nothing new would be asked for ever
    self.ended, self.truncated = true, true
  elseif not more then
    self.ended = true
  else
    self.offset = self.offset + #list
    if self.offset > MAX_OFFSET then
      self.ended, self.truncated = true, true
    end
  end
  self.page, self.position = fresh, 0
  return true
end

--- The next element, or nil after the last. Raises the error of a page that fails.
function metatable.__call(self)
  while self.position >= #self.page do
    if not advance(self) then return nil end
  end
  self.position = self.position + 1
  return self.page[self.position]
end

--- Makes an iterator; `fetch` gets a page's filter and returns a list and its meta, or nil and an error.
---@param kind "chats"|"messages"
---@param filter? table
---@param fetch fun(filter: table): table[]?, table
---@return avito_messenger.Pages
function pages.new(kind, filter, fetch)
  options.check(kind, filter or {}, FILTERS[kind], 2) -- client:chats calls this as its last act
  local page_filter = {}
  for name, value in pairs(filter or {}) do page_filter[name] = value end
  page_filter.limit = page_filter.limit or PAGE
  return setmetatable({
    filter = page_filter,
    fetch = fetch,
    offset = page_filter.offset or 0,
    seen = {},
    page = {},
    position = 0,
    ended = false,
    truncated = false,
  }, metatable)
end

return pages
