--- The files of tzdata (RFC 9636), versions 1 to 4. Nothing in a file is taken on trust: it may be damaged.
local tzif = {}

local HEADER = 44
local LEAST_OFFSET, GREATEST_OFFSET = -89999, 93599 -- the bounds of the format

---@class avito_messenger.bot.hours.LocalTime
---@field offset integer seconds east of UTC
---@field is_dst boolean
---@field abbreviation string

---@class avito_messenger.bot.hours.Transitions
---@field first avito_messenger.bot.hours.LocalTime before all transitions
---@field moments integer[] Unix seconds, ascending
---@field types avito_messenger.bot.hours.LocalTime[] what begins at each
---@field footer string the rule for what comes after them; "" for none

local function uint32(data, at)
  local a, b, c, d = data:byte(at, at + 3)
  return ((a * 256 + b) * 256 + c) * 256 + d
end

local function int32(data, at)
  local value = uint32(data, at)
  return value < 2147483648 and value or value - 4294967296
end

local function int64(data, at)
  return int32(data, at) * 4294967296 + uint32(data, at + 4)
end

local NAMES = { "isut", "isstd", "leap", "time", "type", "char" }

--- The counts of the block that begins at `at`, how long it is, and the version of the file.
local function read_header(data, at)
  if #data < at + HEADER - 1 then return nil, "it ends too early" end
  if data:sub(at, at + 3) ~= "TZif" then return nil, "it has not the signature of one" end
  local header = { version = data:byte(at + 4) }
  for i, name in ipairs(NAMES) do header[name] = uint32(data, at + 20 + (i - 1) * 4) end
  return header
end

local function block_length(header, size)
  return header.time * (size + 1) + header.type * 6 + header.char + header.leap * (size + 4) + header.isstd + header.isut
end

local function check_counts(data, at, header, size)
  if at + block_length(header, size) - 1 > #data then return "it ends too early" end
  if header.type == 0 then return "it has no local time" end
  if header.leap > 0 then return "it counts leap seconds, which Unix time does not" end
end

local function read_types(data, at, header)
  local names = data:sub(at + header.type * 6, at + header.type * 6 + header.char - 1)
  local types = {}
  for i = 1, header.type do
    local offset, dst, index = int32(data, at), data:byte(at + 4, at + 5)
    local abbreviation = names:match("^(%Z*)%z", index + 1)
    if offset < LEAST_OFFSET or offset > GREATEST_OFFSET or dst > 1 or not abbreviation then
      return nil, "it has a local time that cannot be"
    end
    types[i] = { offset = offset, is_dst = dst == 1, abbreviation = abbreviation }
    at = at + 6
  end
  return types
end

local function read_block(data, at, header, size)
  local problem = check_counts(data, at, header, size)
  if problem then return nil, problem end
  local indexes = at + header.time * size
  local types
  types, problem = read_types(data, indexes + header.time, header)
  if not types then return nil, problem end
  local integer = size == 8 and int64 or int32
  local result = { first = types[1], moments = {}, types = {}, footer = "" }
  for i = 1, header.time do
    local moment = integer(data, at + (i - 1) * size)
    if i > 1 and moment <= result.moments[i - 1] then return nil, "its transitions are in disorder" end
    result.moments[i], result.types[i] = moment, types[data:byte(indexes + i - 1) + 1]
    if not result.types[i] then return nil, "a transition leads to no local time" end
  end
  return result
end

--- What the bytes of a file say.
---@param data string
---@return avito_messenger.bot.hours.Transitions?
---@return string? message how it is damaged
function tzif.read(data)
  local header, problem = read_header(data, 1)
  if not header then return nil, problem end
  if header.version == 0 then return read_block(data, HEADER + 1, header, 4) end
  -- The same again follows with 64 bits.
  local at = 1 + HEADER + block_length(header, 4)
  header, problem = read_header(data, at)
  if not header then return nil, problem end
  local result
  result, problem = read_block(data, at + HEADER, header, 8)
  if not result then return nil, problem end
  result.footer = data:match("^\n([^\n]*)\n", at + HEADER + block_length(header, 8))
  if not result.footer then return nil, "it ends too early" end
  return result
end

return tzif
