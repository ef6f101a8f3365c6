--- What is to happen at a time: a binary heap, the earliest first.
---
--- An entry is any table; while it waits here its fields `at` (monotonic seconds) and `place` are this module's.
local timers = {}
timers.__index = timers

---@return table
function timers.new()
  return setmetatable({ count = 0 }, timers)
end

local function put(self, entry, place)
  self[place], entry.place = entry, place
end

local function rise(self, entry, place)
  local at = entry.at
  while place > 1 do
    local above = math.floor(place / 2)
    local other = self[above]
    if other.at <= at then break end
    put(self, other, place)
    place = above
  end
  put(self, entry, place)
end

local function sink(self, entry, place)
  local at, count = entry.at, self.count
  while true do
    local below = 2 * place
    if below > count then break end
    if below < count and self[below + 1].at < self[below].at then below = below + 1 end
    local other = self[below]
    if other.at >= at then break end
    put(self, other, place)
    place = below
  end
  put(self, entry, place)
end

--- Adds an entry that is not in here.
---@param entry table
---@param at number
function timers:add(entry, at)
  entry.at = at
  self.count = self.count + 1
  rise(self, entry, self.count)
end

--- Takes an entry out; nothing happens when it is not in here.
---@param entry table
function timers:remove(entry)
  local place = entry.place
  if not place then return end
  entry.place = false
  local last = self[self.count]
  self[self.count] = nil
  self.count = self.count - 1
  if last == entry then return end
  if place > 1 and last.at < self[math.floor(place / 2)].at then rise(self, last, place) else sink(self, last, place) end
end

--- The earliest entry, still in here, or nil.
---@return table?
function timers:first()
  return self[1]
end

return timers
