--- For specs: reads the text format of Prometheus (0.0.4), and raises where it is not what the format demands.
---
---   local families = exposition.read(text)
---   families["name"].type, .help, .samples -> { { name =, labels = { … }, value = }, … }
---   exposition.value(text, "name", { label = "value" }) -> number?
local exposition = {}

local TYPES = { counter = true, gauge = true, histogram = true, summary = true, untyped = true }

local function unescape(text, allowed)
  return (text:gsub("\\(.?)", function(character)
    if not allowed[character] then error("an unknown escape: \\" .. character) end
    return allowed[character]
  end))
end

local IN_LABELS = { ["\\"] = "\\", n = "\n", ['"'] = '"' }
local IN_HELP = { ["\\"] = "\\", n = "\n" }

local function read_labels(text)
  local labels, names, at = {}, {}, 1
  while at <= #text do
    local name, from = text:match('^([%a_][%w_]*)="()', at)
    if not name then error("no label at: " .. text:sub(at)) end
    if labels[name] then error("a label twice: " .. text) end
    local to = from
    while text:sub(to, to) ~= '"' do
      if to > #text then error("a label does not end: " .. text) end
      to = to + (text:sub(to, to) == "\\" and 2 or 1)
    end
    labels[name], names[#names + 1] = unescape(text:sub(from, to - 1), IN_LABELS), name
    at = to + 1
    if at <= #text then
      if text:sub(at, at) ~= "," then error("no comma in: " .. text) end
      at = at + 1
      if at > #text then error("a comma at the end: " .. text) end
    end
  end
  return labels
end

local SPECIAL = { ["+Inf"] = math.huge, ["-Inf"] = -math.huge, NaN = 0 / 0 }

local function read_number(text)
  if SPECIAL[text] then return SPECIAL[text] end
  if not text:find "^%-?%d+%.?%d*$" and not text:find "^%-?%d+%.?%d*[eE][+-]?%d+$" then error("no number: " .. text) end
  return tonumber(text)
end

-- The labels of a sample, within the last braces of its line, and its value.
local function read_sample(line)
  local name, rest = line:match "^([%a_:][%w_:]*)(.*)$"
  if not name then error("no sample: " .. line) end
  local labels, value = rest:match "^{(.*)} (%S+)$"
  if not labels then labels, value = "", rest:match "^ (%S+)$" end
  if not value then error("no value: " .. line) end
  return { name = name, labels = read_labels(labels), value = read_number(value), line = line:match "^(.*) %S+$" }
end

local function check_histogram(family)
  local groups = {}
  for _, sample in ipairs(family.samples) do
    local key = {}
    for name, value in pairs(sample.labels) do
      if name ~= "le" then key[#key + 1] = name .. "=" .. value end
    end
    table.sort(key)
    key = table.concat(key, ",")
    local group = groups[key] or { last = -math.huge, inside = 0 }
    groups[key] = group
    if sample.name == family.name .. "_bucket" then
      local bound = read_number(sample.labels.le)
      if bound <= group.last or sample.value < group.inside then error("buckets out of order: " .. sample.line) end
      group.last, group.inside = bound, sample.value
    else
      group[sample.name:sub(#family.name + 2)] = sample.value
    end
  end
  for key, group in pairs(groups) do
    if group.last ~= math.huge then error("no +Inf: " .. key) end
    if group.inside ~= group.count or not group.sum then error("no count or sum: " .. key) end
  end
end

local function belongs(family, name)
  if family.type ~= "histogram" then return name == family.name end
  return name == family.name .. "_bucket" or name == family.name .. "_sum" or name == family.name .. "_count"
end

local function check_family(family, seen)
  if #family.samples == 0 then error("no samples: " .. family.name) end
  for _, sample in ipairs(family.samples) do
    if seen[sample.line] then error("a series twice: " .. sample.line) end
    seen[sample.line] = true
    local value = sample.value
    if family.type == "counter" and (value < 0 or value ~= value) then error("a counter below 0: " .. sample.line) end
  end
  if (family.type == "counter") ~= (family.name:find "_total$" ~= nil) then error("a counter ends in _total: " .. family.name) end
  if family.type == "histogram" then check_histogram(family) end
end

function exposition.read(text)
  if text:sub(-1) ~= "\n" then error "no newline at the end" end
  local families, order, current, seen = {}, {}, nil, {}
  for line in text:gmatch "([^\n]*)\n" do
    local helped, help = line:match "^# HELP ([%a_:][%w_:]*) (.+)$"
    local typed, kind = line:match "^# TYPE ([%a_:][%w_:]*) (%a+)$"
    if helped then
      if families[helped] then error("a family twice: " .. helped) end
      current = { name = helped, help = unescape(help, IN_HELP), samples = {} }
      families[helped], order[#order + 1] = current, helped
    elseif typed then
      if not current or current.name ~= typed or current.type or not TYPES[kind] then error("a type out of place: " .. line) end
      current.type = kind
    else
      local sample = read_sample(line)
      if not current or not current.type or not belongs(current, sample.name) then error("a sample out of place: " .. line) end
      table.insert(current.samples, sample)
    end
  end
  for _, name in ipairs(order) do check_family(families[name], seen) end
  return families, order
end

--- The value of a series; nil where it is not there.
function exposition.value(text, name, labels)
  local families = exposition.read(text)
  for _, family in pairs(families) do
    for _, sample in ipairs(family.samples) do
      local same = sample.name == name
      for label, value in pairs(labels or {}) do same = same and sample.labels[label] == value end
      for label in pairs(sample.labels) do same = same and (labels or {})[label] ~= nil end
      if same then return sample.value end
    end
  end
end

return exposition
