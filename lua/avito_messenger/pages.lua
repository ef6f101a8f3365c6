--- Lists that come in pages, as one iterator. What is given once is left out when it comes again.
---
--- By offset: the list grows at its front meanwhile. The server's offset ends at 1000; `truncated` says when that cut the list
--- off. A list that shrinks meanwhile, as that of unread chats does while they are marked as read, moves elements past the next
--- page: gather first, act then.
---
--- By token: each page names the next one, the last names none. A token that comes twice would lead in circles: after the
--- elements of its page comes an error.
---
--- Pages that are read ahead are asked for one after another too: of two that are under way at once the server may serve the
--- later one first, and what moves from one to the other in between would be lost.
local errors = require "avito_messenger.errors"
local options = require "avito_messenger.options"

local pages = {}

local MAX_OFFSET = 1000
local MAX_PREFETCH = 10
local LONGEST_TOKEN = 80 -- in the text of an error

---@class avito_messenger.Cursor how the place of a page is told: following(self, place, list, meta) is where the page after
--- this one begins; or nil, and whether the list goes on all the same; or nil, false and an error
---@field option string the option that names the place of a page
---@field first? any the place of the first page
---@field patience integer how many pages with nothing new, one after another, end the list
---@field following fun(self: avito_messenger.Pages, place: any, list: table[], meta: table): any, boolean?, avito_messenger.Error?

---@type avito_messenger.Cursor
pages.offset = { option = "offset", first = 0, patience = 1 }

function pages.offset.following(self, offset, list, meta)
  local more = meta.has_more
  if more == nil then more = #list >= self.filter.limit end
  if not more then return nil, false end
  if #list == 0 or offset + #list > MAX_OFFSET then return nil, true end
  return offset + #list
end

---@type avito_messenger.Cursor
pages.token = { option = "page_token", patience = 100 }

local function wrong(self, message)
  local err = errors.new("decode", self.list.name, message)
  err.dispatched = true
  err.hint = "the list cannot be read to its end; what came until here is not all"
  return nil, false, err
end

local function quoted(token)
  token = token:gsub("%c", "?")
  return #token > LONGEST_TOKEN and token:sub(1, LONGEST_TOKEN) .. "…" or token
end

function pages.token.following(self, _, _, meta)
  local paging = meta.paging
  local token = type(paging) == "table" and paging.nextPageToken
  if not token or token == "" then return nil, false end
  if type(token) ~= "string" then return wrong(self, "the token of the next page is a " .. type(token)) end
  if self.asked[token] then return wrong(self, ("the server gave the page token '%s' again"):format(quoted(token))) end
  return token
end

---@class avito_messenger.Pages
---@field truncated boolean has the list more than could be had?
---@operator call: table
local methods = {}
local metatable = { __index = methods, __name = "avito_messenger.Pages" }

--- The page at this place as { list, following, more, problem }; or nil and an error.
local function fetch_at(self, place)
  local filter, cursor = {}, self.list.cursor
  for name, value in pairs(self.filter) do filter[name] = value end
  filter[cursor.option] = place
  if place ~= nil then self.asked[place] = true end
  local list, meta = self.fetch(filter)
  if not list then return nil, meta end
  local page = { list = list }
  page.following, page.more, page.problem = cursor.following(self, place, list, meta)
  return page
end

--- Begins to read the next page ahead, once the one before it is known and while there is room.
local function read_ahead(self)
  local place = self.ahead_place
  if place == nil or self.ended or #self.ahead >= self.prefetch then return end
  self.ahead_place = nil
  table.insert(self.ahead, self.driver:spawn(function()
    local page, err = fetch_at(self, place)
    if page then
      self.ahead_place = page.following
      read_ahead(self)
    end
    return page, err
  end))
end

local function finish(self, truncated)
  self.ended, self.truncated = true, truncated
  for _, task in ipairs(self.ahead) do task:cancel() end
  self.ahead = {}
end

local function fail(self, err)
  finish(self, false)
  self.problem = nil
  error(err, 0)
end

--- The page at self.place.
local function fetch(self)
  local task = table.remove(self.ahead, 1)
  if not task then return fetch_at(self, self.place) end
  read_ahead(self)
  return task:wait()
end

--- What of a page was not seen before.
local function take_fresh(self, list)
  local fresh, name = {}, self.list.id
  for _, element in ipairs(list) do
    local id
    if type(element) == "table" then id = element[name] end
    if id == nil or not self.seen[id] then
      if id ~= nil then self.seen[id] = true end
      fresh[#fresh + 1] = element
    end
  end
  self.barren = #fresh == 0 and self.barren + 1 or 0
  return fresh
end

--- Asks for the next page. False when there is none.
local function advance(self)
  if self.problem then fail(self, self.problem) end
  if self.ended then return false end
  local page, err = fetch(self)
  if not page then fail(self, err) end
  self.page, self.position = take_fresh(self, page.list), 0
  if page.problem then
    self.problem = page.problem
  elseif page.following == nil then
    finish(self, page.more)
  elseif self.barren >= self.list.cursor.patience then
    finish(self, true) -- a server that promises more and gives nothing new would be asked for ever
  else
    self.place = page.following
    if #self.ahead == 0 then
      self.ahead_place = page.following
      read_ahead(self)
    end
  end
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

---@class avito_messenger.PagedList
---@field name string the method of the iterator, for errors
---@field cursor avito_messenger.Cursor
---@field filter table<string, string> its options, for options.check
---@field limit integer elements of a page, where nothing is said
---@field id string the member by which an element is known again

--- Makes an iterator; `fetch` gets a page's filter and returns a list and its meta, or nil and an error. The method of a client
--- calls this as its last act.
---@param list avito_messenger.PagedList
---@param filter? table
---@param driver avito.Driver
---@param fetch_page fun(filter: table): table[]?, table
---@return avito_messenger.Pages
function pages.new(list, filter, driver, fetch_page)
  local known, page_filter = { prefetch = "number" }, {}
  for name, types in pairs(list.filter) do known[name] = types end
  options.check(list.name, filter or {}, known, 2)
  for name, value in pairs(filter or {}) do page_filter[name] = value end
  local prefetch = page_filter.prefetch or 0
  if prefetch % 1 ~= 0 or prefetch < 0 or prefetch > MAX_PREFETCH then
    error(("%s: prefetch must be an integer from 0 to %d"):format(list.name, MAX_PREFETCH), 3)
  end
  page_filter.prefetch = nil
  page_filter.limit = page_filter.limit or list.limit
  local place = page_filter[list.cursor.option]
  if place == nil then place = list.cursor.first end
  return setmetatable({
    list = list,
    filter = page_filter,
    driver = driver,
    fetch = fetch_page,
    prefetch = driver.spawn and prefetch or 0,
    ahead = {},
    place = place,
    asked = {}, -- places
    seen = {},
    barren = 0, -- pages
    page = {},
    position = 0,
    ended = false,
    truncated = false,
  }, metatable)
end

return pages
