--- What was used of late, at most so many: when they are too many, those go that were not used for longest.
---
--- Two halves: what is used goes into the young one; when that is full it becomes the old one, and the old one goes.
---@class avito_messenger.bot.Recent
local Recent = { __name = "avito_messenger.bot.Recent" }
Recent.__index = Recent

---@param limit integer at least 2
---@return avito_messenger.bot.Recent
function Recent.new(limit)
  return setmetatable({ half = math.max(1, math.floor(limit / 2)), count = 0, young = {}, old = {} }, Recent)
end

--- Takes a value out.
---@param key string
---@return any
function Recent:take(key)
  local value = self.young[key]
  if value ~= nil then
    self.young[key] = nil
    self.count = self.count - 1
    return value
  end
  value = self.old[key]
  self.old[key] = nil
  return value
end

--- Puts a value in.
---@param key string one that is not in it
---@param value any
function Recent:put(key, value)
  if self.count >= self.half then
    self.old, self.young, self.count = self.young, {}, 0
  end
  self.young[key] = value
  self.count = self.count + 1
end

return Recent
