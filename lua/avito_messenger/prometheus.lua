--- Counters, gauges and histograms, and the text that Prometheus reads (exposition format 0.0.4).
---
--- A family is { name, type, help, labels = { … }?, known = { { label values }, … }?, buckets = { … }? }: `known` are series
--- that are there from the beginning. A family holds so many series and no more, whatever comes as a label.
local json = require "avito_messenger.json"
local readable = require "avito_messenger.readable"

---@class avito_messenger.Registry
local Registry = {}
Registry.__index = Registry
Registry.__name = "avito_messenger.Registry"

local prometheus = { CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8" }

local MAX_SERIES = 200 -- of a family
local MAX_LABEL = 200  -- bytes
local OTHER = "(other)" -- the series of all that found no room

local ESCAPES = { ["\\"] = "\\\\", ["\n"] = "\\n", ['"'] = '\\"' }

local function number(value)
  if value ~= value then return "NaN" end
  if value == math.huge then return "+Inf" end
  if value == -math.huge then return "-Inf" end
  return json.digits(value)
end

local function label_value(value)
  return (readable.cut(readable.utf8(tostring(value)), MAX_LABEL):gsub('[\\\n"]', ESCAPES))
end

--- { "endpoint", "status" }, { "send_message", "2xx" } -> `endpoint="send_message",status="2xx"`
local function labels_text(family, values)
  local parts = {}
  for i, name in ipairs(family.labels or {}) do parts[i] = ('%s="%s"'):format(name, label_value(values[i])) end
  return table.concat(parts, ",")
end

-- Its numbers by their parts: of a histogram how many values, their sum, and how many of them are in each bucket.
local function new_series(family)
  if family.type ~= "histogram" then return { value = 0 } end
  local series = { value = 0, sum = 0 }
  for i = 1, #family.buckets do series[i] = 0 end
  return series
end

-- The series of these labels; that of the others when there is no room.
local function find_series(self, family, labels)
  local name = family.name
  local all = self.series[name]
  if not all[labels] then
    if self.counts[name] >= MAX_SERIES then
      local others = {}
      for i = 1, #(family.labels or {}) do others[i] = OTHER end
      labels = labels_text(family, others)
    end
    if not all[labels] then
      all[labels] = new_series(family)
      self.counts[name] = self.counts[name] + 1
    end
  end
  return all[labels]
end

local function series_of(self, name, ...)
  local family = self.families[name]
  if not family then error(("metrics: no family is named '%s'"):format(tostring(name)), 3) end
  return find_series(self, family, labels_text(family, { ... })), family
end

--- Makes a registry of these families, in their order.
---@param families table[]
---@return avito_messenger.Registry
function prometheus.new(families)
  local self = setmetatable({ order = families, families = {}, series = {}, counts = {} }, Registry)
  for _, family in ipairs(families) do
    self.families[family.name] = family
    self:clear(family.name)
    for _, values in ipairs(family.known or {}) do series_of(self, family.name, (table.unpack or unpack)(values)) end
    if not family.labels and family.type == "counter" then series_of(self, family.name) end
  end
  return self
end

--- Raises a counter.
---@param name string
---@param amount number at least 0
---@param ... string label values
function Registry:add(name, amount, ...)
  local series = series_of(self, name, ...)
  series.value = series.value + amount
end

--- Sets a gauge.
---@param name string
---@param value number
---@param ... string label values
function Registry:set(name, value, ...)
  series_of(self, name, ...).value = value
end

--- Counts a value in a histogram.
---@param name string
---@param value number
---@param ... string label values
function Registry:observe(name, value, ...)
  local series, family = series_of(self, name, ...)
  series.value, series.sum = series.value + 1, series.sum + value
  for i, bound in ipairs(family.buckets) do
    if value <= bound then
      series[i] = series[i] + 1
      break
    end
  end
end

--- Forgets all series of a family.
---@param name string
function Registry:clear(name)
  self.series[name], self.counts[name] = {}, 0
end

local function sample(name, labels, value)
  return ("%s%s %s\n"):format(name, labels == "" and "" or "{" .. labels .. "}", number(value))
end

local function write_histogram(out, family, labels, series)
  local total, lead = 0, labels == "" and "" or labels .. ","
  for i, bound in ipairs(family.buckets) do
    total = total + series[i]
    out[#out + 1] = sample(family.name .. "_bucket", ('%sle="%s"'):format(lead, number(bound)), total)
  end
  out[#out + 1] = sample(family.name .. "_bucket", lead .. 'le="+Inf"', series.value)
  out[#out + 1] = sample(family.name .. "_sum", labels, series.sum)
  out[#out + 1] = sample(family.name .. "_count", labels, series.value)
end

local function write_family(out, family, all)
  local names = {}
  for labels in pairs(all) do names[#names + 1] = labels end
  if #names == 0 then return end
  table.sort(names)
  out[#out + 1] = ("# HELP %s %s\n# TYPE %s %s\n"):format(family.name, family.help:gsub("[\\\n]", ESCAPES), family.name,
    family.type)
  for _, labels in ipairs(names) do
    if family.type == "histogram" then
      write_histogram(out, family, labels, all[labels])
    else
      out[#out + 1] = sample(family.name, labels, all[labels].value)
    end
  end
end

--- What counters and histograms have counted since the last time: from now on it is the caller's.
---@return table<string, number> amounts
function Registry:drain()
  local amounts = {}
  for _, family in ipairs(self.order) do
    for labels, series in pairs(family.type ~= "gauge" and self.series[family.name] or {}) do
      for part, amount in pairs(series) do
        if amount ~= 0 then
          amounts[("%s\n%s\n%s"):format(family.name, labels, part)] = amount
          series[part] = 0
        end
      end
    end
  end
  return amounts
end

--- Adds what was drained, here or elsewhere. What this registry does not know is left out.
---@param amounts table<string, number>
function Registry:merge(amounts)
  for key, amount in pairs(amounts) do
    local name, labels, part = key:match "^([^\n]*)\n([^\n]*)\n([^\n]*)$"
    local family = self.families[name]
    if family and family.type ~= "gauge" then
      local series = find_series(self, family, labels)
      part = tonumber(part) or part
      if series[part] then series[part] = series[part] + amount end
    end
  end
end

-- The same families with what all have counted; gauges are one's own.
local function summed(self, sums)
  local all = prometheus.new(self.order)
  for _, family in ipairs(self.order) do
    if family.type == "gauge" then all.series[family.name] = self.series[family.name] end
  end
  all:merge(sums)
  return all
end

-- The series of a family in all registries, told apart by one label more.
local function gather(registries, family, label, values)
  local all, own = {}, false
  for _, name in ipairs(family.labels or {}) do own = own or name == label end
  for i, registry in ipairs(registries) do
    local first = own and "" or ('%s="%s"'):format(label, label_value(values[i]))
    for labels, series in pairs(registry.series[family.name]) do
      all[first .. (first ~= "" and labels ~= "" and "," or "") .. labels] = series
    end
  end
  return all
end

--- One text of several registries of the same families, each family once. The series are told apart by a label; a family that
--- has that label by itself must hold another value in each.
---@param registries avito_messenger.Registry[]
---@param label string
---@param values string[] of each registry, all different
---@return string
function prometheus.together(registries, label, values)
  local out = {}
  for _, family in ipairs(registries[1].order) do write_family(out, family, gather(registries, family, label, values)) end
  return table.concat(out)
end

--- All families that have a series, in their order; the series by their labels.
---@param sums? table<string, number> of what was drained: shown instead of what was counted here
---@return string
function Registry:text(sums)
  if sums then self = summed(self, sums) end
  local out = {}
  for _, family in ipairs(self.order) do write_family(out, family, self.series[family.name]) end
  return table.concat(out)
end

return prometheus
