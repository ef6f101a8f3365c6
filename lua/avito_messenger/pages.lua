--- Lists that come in pages, as one iterator.
---
--- Pages are asked for by offset, and the list grows at its front meanwhile: what has been seen already is left out. The
--- server's offset ends at 1000; `truncated` says when that cut the list off. A list that shrinks meanwhile, as that of unread
--- chats does while they are marked as read, moves elements past the next page: gather first, act then.
---
--- Pages that are read ahead are asked for one after another too: of two that are under way at once the server may serve the
--- later one first, and what moves from one to the other in between would be lost.
local options = require "avito_messenger.options"

local pages = {}

local MAX_OFFSET = 1000
local PAGE = 100

local MAX_PREFETCH = 10

local FILTERS = {
  chats = {
    unread_only = "boolean", chat_types = "table", item_ids = "table", limit = "number", offset = "number",
    prefetch = "number",
  },
  messages = { limit = "number", offset = "number", prefetch = "number" },
}

---@class avito_messenger.Pages
---@field truncated boolean has the list more than could be had?
---@operator call: table
local methods = {}
local metatable = { __index = methods, __name = "avito_messenger.Pages" }

--- Where the page after this one begins, or nil and whether the list goes on all the same.
local function next_offset(self, offset, list, meta)
  local more = meta.has_more
  if more == nil then more = #list >= self.filter.limit end
  if not more then return nil, false end
  if #list == 0 or offset + #list > MAX_OFFSET then return nil, true end
  return offset + #list
end

local function fetch_at(self, offset)
  local filter = {}
  for name, value in pairs(self.filter) do filter[name] = value end
  filter.offset = offset
  return self.fetch(filter)
end

--- Begins to read the next page ahead, once the one before it is known and while there is room.
local function read_ahead(self)
  local offset = self.ahead_offset
  if not offset or self.ended or #self.ahead >= self.prefetch then return end
  self.ahead_offset = nil
  table.insert(self.ahead, self.driver:spawn(function()
    local list, meta = fetch_at(self, offset)
    if list then
      self.ahead_offset = next_offset(self, offset, list, meta)
      read_ahead(self)
    end
    return list, meta
  end))
end

local function finish(self, truncated)
  self.ended, self.truncated = true, truncated
  for _, task in ipairs(self.ahead) do task:cancel() end
  self.ahead = {}
end

--- The page at self.offset.
local function fetch(self)
  local task = table.remove(self.ahead, 1)
  if not task then return fetch_at(self, self.offset) end
  read_ahead(self)
  return task:wait()
end

--- Asks for the next page. False when there is none.
local function advance(self)
  if self.ended then return false end
  local list, meta = fetch(self)
  if not list then
    finish(self, false)
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
  local offset, more = next_offset(self, self.offset, list, meta)
  if not offset then
    finish(self, more)
  elseif #fresh == 0 then -- a server that promises more and gives nothing new would be asked for ever
    finish(self, true)
  else
    self.offset = offset
    if #self.ahead == 0 then
      self.ahead_offset = offset
      read_ahead(self)
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
---@param driver avito.Driver
---@param fetch_page fun(filter: table): table[]?, table
---@return avito_messenger.Pages
function pages.new(kind, filter, driver, fetch_page)
  options.check(kind, filter or {}, FILTERS[kind], 2) -- client:chats calls this as its last act
  local page_filter = {}
  for name, value in pairs(filter or {}) do page_filter[name] = value end
  local prefetch = page_filter.prefetch or 0
  if prefetch % 1 ~= 0 or prefetch < 0 or prefetch > MAX_PREFETCH then
    error(("%s: prefetch must be an integer from 0 to %d"):format(kind, MAX_PREFETCH), 3)
  end
  page_filter.prefetch = nil
  page_filter.limit = page_filter.limit or PAGE
  return setmetatable({
    filter = page_filter,
    driver = driver,
    fetch = fetch_page,
    prefetch = driver.spawn and prefetch or 0,
    ahead = {},
    offset = page_filter.offset or 0,
    seen = {},
    page = {},
    position = 0,
    ended = false,
    truncated = false,
  }, metatable)
end

return pages
